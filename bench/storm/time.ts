import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

/** Time as a storm sees it, epoch ms. */
export interface VirtualTime {
  readonly clock: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Calls back after so many ms, unless the answer is called before. */
  readonly after: (ms: number, callback: () => void) => () => void;
  /** Runs `work` without letting its computing take time: what AWS does, not the function. */
  readonly apart: <T>(work: () => T) => T;
  /** Processor time of this thread so far, ms, without what was computed apart. */
  readonly computed: () => number;
  /** Lets time pass until `work` is done. Throws where nothing is left to wait for. */
  readonly until: <T>(work: Promise<T>) => Promise<T>;
}

const TURNS_WITHOUT_A_TIMER = 200;

/**
 * Waiting is skipped, computing is not: the clock moves on by the processor time this thread uses, so that a busy machine
 * makes it no slower. `computing: false` leaves that out, and every run is the same.
 */
export const virtualTime = (start: number, { computing = true } = {}): VirtualTime => {
  const realTimeout = setTimeout;
  const timers = heap();
  let order = 0;
  let skipped = 0;
  let notCounted = 0;
  const used = (): number => {
    if (!computing) return 0;
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  const before = used();
  const computed = () => used() - before - notCounted;
  const clock = () => start + skipped + computed();

  const schedule = (fire: () => void, ms = 0): Timer => {
    const timer = { at: clock() + Math.max(ms, 1), order: ++order, fire, cancelled: false };
    timers.push(timer);
    return timer;
  };
  /** Everything that can go on without time passing has gone on. */
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  };

  const apart = <T>(work: () => T): T => {
    const begun = used();
    try {
      return work();
    } finally {
      notCounted += used() - begun;
    }
  };

  return {
    clock,
    sleep: (ms) => new Promise((resolve) => schedule(resolve, ms)),
    after: (ms, callback) => {
      const timer = schedule(callback, ms);
      return () => {
        timer.cancelled = true;
      };
    },
    apart,
    computed,
    until: async (work) => {
      let over = false;
      let idle = 0;
      const ended = work.finally(() => {
        over = true;
      });
      ended.catch(() => undefined);
      for (;;) {
        await settled();
        if (over) return ended;
        const next = timers.first();
        if (next === undefined) {
          // A module or file that is read for the first time takes real time.
          if (++idle > TURNS_WITHOUT_A_TIMER) throw new Error('the storm stands still: nothing is left to wait for');
          await new Promise((resolve) => realTimeout(resolve, 5));
          continue;
        }
        idle = 0;
        skipped += Math.max(0, next.at - clock());
        for (let due = timers.first(); due !== undefined && due.at <= next.at; due = timers.first()) {
          timers.pop();
          due.fire();
        }
      }
    },
  };
};

/** Makes it the time of the whole process: of the SDK and of bundled handlers too, where they are imported after it. */
export const installed = (time: VirtualTime): VirtualTime => {
  const RealDate = Date;
  const handle = (cancel: () => void) => ({ cancel, ref: () => handle(cancel), unref: () => handle(cancel) });
  globalThis.setTimeout = ((callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
    handle(time.after(ms ?? 0, () => callback(...args)))) as never;
  globalThis.clearTimeout = ((one?: { readonly cancel?: () => void }) => one?.cancel?.()) as never;
  timersPromises.setTimeout = (async (ms?: number, value?: unknown) => {
    await time.sleep(ms ?? 0);
    return value;
  }) as never;
  syncBuiltinESMExports();
  globalThis.Date = class extends RealDate {
    constructor(...args: unknown[]) {
      if (args.length === 0) super(Math.floor(time.clock()));
      else super(...(args as [number]));
    }
    static override now = () => Math.floor(time.clock());
  } as never;
  return time;
};

/** Timers by time, then by order; cancelled ones are left out. */
const heap = () => {
  const items: Timer[] = [];
  const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
  const at = (i: number): Timer => items[i] as Timer;
  const swap = (i: number, j: number): void => {
    const held = at(i);
    items[i] = at(j);
    items[j] = held;
  };
  const sink = (): void => {
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < items.length && before(at(child), at(least))) least = child;
      if (least === i) return;
      swap(i, least);
      i = least;
    }
  };
  const pop = (): void => {
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    items[0] = last;
    sink();
  };
  return {
    push: (timer: Timer): void => {
      let i = items.push(timer) - 1;
      for (; i > 0 && before(at(i), at((i - 1) >> 1)); i = (i - 1) >> 1) swap(i, (i - 1) >> 1);
    },
    pop,
    first: (): Timer | undefined => {
      while (items[0]?.cancelled) pop();
      return items[0];
    },
  };
};
