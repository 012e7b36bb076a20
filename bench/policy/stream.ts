import type { Series, Shard } from '../../functions/reshard-kinesis/facts.ts';
import { HASH_KEYS, perShardOf, type Spread, shareOf, type Trace } from './traces.ts';

/** One split or one merge takes about this long (Kinesis Scaling Utils polls at it); UpdateShardCount makes its own one after the other. */
export const OPERATION_SECONDS = 30;
/** A minute is in CloudWatch this long after it has ended. */
export const METRICS_LATE_SECONDS = 60;
/** UpdateShardCount calls that AWS takes per stream in a rolling 24 h. */
export const DAILY_CALLS = 10;
const DAY_SECONDS = 86_400;
/** An SDK client in standard mode tries three times in all. */
const TRIES = 3;

export type Refusal = 'ResourceInUseException' | 'LimitExceededException' | 'InvalidArgumentException';

/** One-minute metrics, oldest first. */
interface Points {
  readonly bytes: [number, number][];
  readonly records: [number, number][];
  readonly throttled: [number, number][];
}

interface ModelShard {
  readonly id: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly parentId: string | null;
  readonly points: Points;
  /** Records of the present minute. */
  accepted: number;
  rejected: number;
  /** Records that are offered again in the next second, by how often they were tried. */
  readonly again: number[];
  /** Share of the stream's fresh records that hash into it. */
  share: number;
}

/** A boundary to add, or one to take away. */
type Operation = { readonly split: bigint } | { readonly merge: bigint };

export interface Minute {
  readonly shards: number;
  readonly offered: number;
  readonly throttled: number;
}

export type Stream = ReturnType<typeof kinesisStream>;

/**
 * A provisioned stream, second by second. Producers spread records over the hash range; each shard takes 1 MiB/s or 1,000
 * records/s; what it rejects is offered again in the next second and given up after the third try. A reshard takes 30 s an
 * operation, and its shards open and close as it goes: splits first, then merges. Fluid: records are real numbers.
 */
export const kinesisStream = (trace: Trace) => {
  const perShard = perShardOf(trace);
  const noPoints = (): Points => ({ bytes: [], records: [], throttled: [] });
  let ids = 0;
  const shard = (start: bigint, end: bigint, parentId: string | null): ModelShard => ({
    id: `shardId-${String(ids++).padStart(12, '0')}`,
    start,
    end,
    parentId,
    points: noPoints(),
    accepted: 0,
    rejected: 0,
    again: new Array<number>(TRIES - 1).fill(0),
    share: 0,
  });
  const edge = (i: number, n: number): bigint => (HASH_KEYS * BigInt(i)) / BigInt(n);

  let second = 0;
  let spread: Spread | undefined;
  let open = Array.from({ length: trace.shards }, (_, i) =>
    shard(edge(i, trace.shards), edge(i + 1, trace.shards) - 1n, null),
  );
  let backlog = false;
  let operations: readonly Operation[] = [];
  let nextOperationAt = 0;
  const closed: { readonly id: string; readonly at: number }[] = [];
  const calls: number[] = [];
  const points = noPoints();
  const iteratorAge: [number, number][] = [];
  const minutes: Minute[] = [];
  const minute = { accepted: 0, rejected: 0, offered: 0 };
  const totals = { offered: 0, accepted: 0, throttled: 0, lost: 0, shardSeconds: 0, calls: 0 };

  const tell = (to: Points, { accepted, rejected }: { accepted: number; rejected: number }): void => {
    const at = trace.epochMs + (Math.ceil(second / 60) - 1) * 60_000;
    if (accepted > 0) {
      to.bytes.push([at, accepted * trace.recordBytes]);
      to.records.push([at, accepted]);
    }
    if (rejected > 0) to.throttled.push([at, rejected]);
  };

  const replace = (old: readonly ModelShard[], fresh: readonly ModelShard[]): void => {
    if (spread !== undefined) for (const one of fresh) one.share = shareOf(one, spread);
    const total = fresh.reduce((sum, { share }) => sum + share, 0);
    for (const before of old) {
      closed.push({ id: before.id, at: second });
      for (const one of fresh) {
        const part = total > 0 ? one.share / total : 1 / fresh.length;
        for (const [i, records] of before.again.entries()) one.again[i] = (one.again[i] ?? 0) + records * part;
      }
    }
    const at = open.findIndex(({ id }) => id === old[0]?.id);
    open = open.toSpliced(at, old.length, ...fresh);
  };

  const operate = (operation: Operation): void => {
    if ('split' in operation) {
      const one = open.find(({ start, end }) => start < operation.split && operation.split <= end);
      if (one === undefined) return;
      replace([one], [shard(one.start, operation.split - 1n, one.id), shard(operation.split, one.end, one.id)]);
    } else {
      const i = open.findIndex(({ start }) => start === operation.merge);
      const [left, right] = [open[i - 1], open[i]];
      if (left !== undefined && right !== undefined) replace([left, right], [shard(left.start, right.end, left.id)]);
    }
  };

  /** One second in which a shard may clip. */
  const clip = (fresh: number): void => {
    backlog = false;
    for (const one of open) {
      const own = fresh * one.share;
      const offered = one.again.reduce((sum, records) => sum + records, own);
      const taken = Math.min(offered, perShard);
      const refused = offered - taken;
      const rate = offered > 0 ? refused / offered : 0;
      one.accepted += taken;
      one.rejected += refused;
      minute.accepted += taken;
      minute.rejected += refused;
      let earlier = own * rate;
      for (const [i, records] of one.again.entries()) {
        one.again[i] = earlier;
        earlier = records * rate;
      }
      totals.lost += earlier;
      backlog ||= refused > 0;
    }
  };

  const endMinute = (): void => {
    for (const one of open) {
      tell(one.points, one);
      one.accepted = 0;
      one.rejected = 0;
    }
    tell(points, minute);
    iteratorAge.push([trace.epochMs + (second - 60) * 1_000, 0]);
    minutes.push({ shards: open.length, offered: minute.offered, throttled: minute.rejected });
    totals.offered += minute.offered;
    totals.accepted += minute.accepted;
    totals.throttled += minute.rejected;
    minute.accepted = minute.rejected = minute.offered = 0;
  };

  const begin = (wanted: readonly Operation[]): undefined => {
    operations = wanted;
    nextOperationAt = second + OPERATION_SECONDS;
  };
  const isActive = (): boolean => operations.length === 0;

  return {
    trace,
    perShard,
    totals,
    /** Every minute so far. */
    minutes,
    get second() {
      return second;
    },
    get now() {
      return trace.epochMs + second * 1_000;
    },
    get count() {
      return open.length;
    },
    get active() {
      return isActive();
    },

    /** Lets seconds pass; at whole minutes everything is counted. */
    advance(seconds: number): void {
      for (const until = second + seconds; second < until; ) {
        const from = trace.spreads.findLast(({ from }) => from <= second)?.spread;
        if (from !== undefined && from !== spread) {
          spread = from;
          for (const one of open) one.share = shareOf(one, spread);
        }
        const [operation, ...rest] = operations;
        if (operation !== undefined && second >= nextOperationAt) {
          operate(operation);
          operations = rest;
          nextOperationAt = second + OPERATION_SECONDS;
        }
        const minuteEnds = (Math.floor(second / 60) + 1) * 60;
        const stop = Math.min(until, minuteEnds, isActive() ? until : Math.max(second + 1, nextOperationAt));
        const hottest = open.reduce((top, { share }) => Math.max(top, share), 0);
        let calm = 0;
        for (; second < stop; second++) {
          const fresh = trace.recordsPerSecond[second] ?? 0;
          minute.offered += fresh;
          if (backlog || fresh * hottest > perShard) clip(fresh);
          else calm += fresh;
          totals.shardSeconds += open.length;
        }
        minute.accepted += calm;
        if (calm > 0) for (const one of open) one.accepted += calm * one.share;
        if (second === minuteEnds) endMinute();
      }
    },

    /** Records that wait to be offered again. */
    pending: (): number => open.reduce((sum, { again }) => again.reduce((all, records) => all + records, sum), 0),

    /** Open shards in hash order, as ListShards tells of them. */
    shards: (): Shard[] =>
      open.map(({ id, start, end, parentId }) => ({
        id,
        parentId,
        startingHashKey: start.toString(),
        endingHashKey: end.toString(),
      })),
    closedWithin: (seconds: number): string[] => closed.filter(({ at }) => at > second - seconds).map(({ id }) => id),

    /** What CloudWatch shows now of the last `seconds`; of the stream or of one open shard. */
    metrics(seconds: number, id?: string) {
      const told = id === undefined ? points : (open.find((one) => one.id === id)?.points ?? noPoints());
      const last = trace.epochMs + (second - 60 - METRICS_LATE_SECONDS) * 1_000;
      const first = trace.epochMs + (second - seconds) * 1_000;
      const shown = (series: [number, number][]): Series => within(series, first, last);
      return {
        bytes: shown(told.bytes),
        records: shown(told.records),
        throttled: shown(told.throttled),
        iteratorAge: shown(iteratorAge),
      };
    },

    /** Equal shards, at once: what on-demand mode does by itself. */
    provide(count: number): void {
      replace(
        open,
        Array.from({ length: count }, (_, i) => shard(edge(i, count), edge(i + 1, count) - 1n, null)),
      );
    },

    /** The calls, with AWS's limits; undefined: accepted. */
    updateShardCount(target: number): Refusal | undefined {
      const n = open.length;
      totals.calls++;
      if (!isActive()) return 'ResourceInUseException';
      if (target === n || target > 2 * n || target < Math.ceil(n / 2)) return 'InvalidArgumentException';
      if (calls.filter((at) => at > second - DAY_SECONDS).length >= DAILY_CALLS) return 'LimitExceededException';
      calls.push(second);
      const before = new Set(open.slice(1).map(({ start }) => start));
      const after = Array.from({ length: target - 1 }, (_, i) => edge(i + 1, target));
      const kept = new Set(after);
      return begin([
        ...after.filter((start) => !before.has(start)).map((start) => ({ split: start })),
        ...[...before].filter((start) => !kept.has(start)).map((start) => ({ merge: start })),
      ]);
    },
    splitShard(id: string, at: bigint): Refusal | undefined {
      totals.calls++;
      if (!isActive()) return 'ResourceInUseException';
      const one = open.find((shard) => shard.id === id);
      return one === undefined || at <= one.start + 1n || at >= one.end
        ? 'InvalidArgumentException'
        : begin([{ split: at }]);
    },
    mergeShards(id: string, other: string): Refusal | undefined {
      totals.calls++;
      if (!isActive()) return 'ResourceInUseException';
      const [left, right] = [id, other].map((name) => open.find((shard) => shard.id === name));
      return left === undefined || right === undefined || left.end + 1n !== right.start
        ? 'InvalidArgumentException'
        : begin([{ merge: right.start }]);
    },
  };
};

/** The points from `first` to `last`, of a series in order of time. */
const within = (series: readonly (readonly [number, number])[], first: number, last: number): Series => {
  const from = lowest(series, (at) => at >= first);
  return series.slice(
    from,
    lowest(series, (at) => at > last),
  );
};

const lowest = (series: readonly (readonly [number, number])[], test: (at: number) => boolean): number => {
  let [low, high] = [0, series.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(series[middle]?.[0] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return low;
};
