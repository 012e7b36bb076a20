import { restoreCapacity } from '../../functions/restore-capacity/function.ts';
import { subjectOf } from '../../functions/restore-capacity/tell.ts';
import { type Result, remediation } from '../../shared/remediation.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { sqsBatch } from './event-builders.ts';
import { type FakeGroup, mixedPolicy } from './fake-aws/autoscaling.ts';
import type { Fleet } from './fake-aws/fleet.ts';
import { type FakeOptions, fakeRuntime, fakeWorld } from './fake-runtime.ts';

/** As the template sets them on the inbox. */
const HIDDEN_MS = 540_000;
const RECEIVES_AT_MOST = 5;
const BATCH = 200;
const WINDOW_MS = 2_000;

/** restore-capacity on a ledger in memory and a fleet on loopback, wired as its handler is. Time stands still until it is let run. */
export const restorer = (fleet: Fleet, { world = fakeWorld(), ...options }: FakeOptions = {}) => {
  fleet.reset(() => world.now);
  const patience = { clock: () => world.now, sleep: async () => undefined, random: () => 0.5 };
  const fn = restoreCapacity({}, patience);
  const results: Result[] = [];
  /** One execution environment of the function. */
  const instance = (more: FakeOptions = {}) => {
    const runtime = fakeRuntime({ world, ...options, ...more });
    const handle = remediation(fn, inSwarms(runtime, subjectOf));
    return { runtime, handle };
  };
  const first = instance();
  const received = new Map<string, number>();
  const batch = async (...bodies: readonly unknown[]): Promise<Result> => {
    const sent = sqsBatch(...bodies);
    const result = await first.handle(sent);
    results.push(result);
    const failed = (result.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
    for (const { messageId, body } of sent.Records.filter((record) => failed.includes(record.messageId))) {
      const times = (received.get(body) ?? 0) + 1;
      received.set(body, times);
      if (times < RECEIVES_AT_MOST) {
        world.inbox.push({ id: messageId, body, dueAt: world.now + HIDDEN_MS, received: times });
      }
    }
    return result;
  };
  return {
    world,
    runtime: first.runtime,
    handle: first.handle,
    instance,
    batch,
    results,
    outcomes: () => results.flatMap((result) => result.outcomes),
    /** Puts events into the inbox, each at its time. */
    arrive: (arrivals: readonly { readonly at: number; readonly body: unknown }[]) => {
      for (const { at, body } of arrivals) {
        world.inbox.push({ id: `arrival-${world.ids++}`, body: JSON.stringify(body), dueAt: at, received: 0 });
      }
    },
    /** Delivers what is due until epoch ms `until`: what has come within the window is one batch. */
    serve: async (until: number): Promise<void> => {
      for (;;) {
        const next = Math.min(...world.inbox.map(({ dueAt }) => dueAt));
        if (next > until) break;
        world.now = Math.max(world.now, next + WINDOW_MS);
        const due = world.inbox.filter(({ dueAt }) => dueAt <= world.now).slice(0, BATCH);
        world.inbox.splice(0, world.inbox.length, ...world.inbox.filter((message) => !due.includes(message)));
        await batch(...due.map(({ body }) => body));
      }
      world.now = Math.max(world.now, until);
    },
  };
};

export type Restorer = ReturnType<typeof restorer>;

/** A group of Spot instances above an on-demand base of 2, opted in with all that may be. */
export const spotGroup = (fleet: Fleet, name: string, changes: Partial<FakeGroup> = {}): FakeGroup =>
  fleet.addGroup(name, {
    desired: 50,
    max: 100,
    mixed: mixedPolicy(2),
    tags: { 'reflex:enabled': 'true', 'reflex:fallback-mode': 'on-demand-base' },
    ...changes,
  });

export const baseOf = ({ mixed }: FakeGroup): unknown => mixed?.InstancesDistribution.OnDemandBaseCapacity;
