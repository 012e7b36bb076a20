import { band } from '../../functions/reshard-kinesis/sizing.ts';
import { usd } from './simulate.ts';
import { METRICS_LATE_SECONDS, OPERATION_SECONDS } from './stream.ts';
import { perShardOf, type Trace, worthOf } from './traces.ts';

const HOUR_MINUTES = 60;
const DAY_MINUTES = 24 * HOUR_MINUTES;
const MINUTE_STEPS = 60 / OPERATION_SECONDS;
/** A minute is seen when it is over and CloudWatch shows it. */
const SEEN_AFTER_MINUTES = 1 + METRICS_LATE_SECONDS / 60;
/** Target utilisation by default. */
const TARGET = 0.5;
/** More than a shard can be worth in a step, so that bounds come before prices. */
const MISSED_USD = 1;

export interface Optimum {
  readonly shardHours: number;
  readonly throttled: number;
  readonly usd: number;
  /** Open shards in each step of 30 s. */
  readonly shards: Uint16Array;
}

/** Open shards by step that the course must not go below, or above. */
export interface Bounds {
  readonly floors?: readonly number[];
  readonly ceilings?: readonly number[];
}

/**
 * The cheapest course of shard counts for somebody who knows the whole trace. Dynamic programming over steps of 30 s, in each of which one
 * shard may be split or two merged: AWS makes no reshard faster, so neither does UpdateShardCount, whatever its daily calls. Shards are taken
 * to be balanced perfectly at all times and rejected records not to come back. Both only flatter it: no policy can cost less than
 * the optimum without bounds. A bound that cannot be kept in time is missed by as little as can be.
 */
export const optimum = (trace: Trace, { floors = [], ceilings = [] }: Bounds = {}): Optimum => {
  const { recordsPerSecond } = trace;
  const perShard = perShardOf(trace);
  const steps = Math.floor(recordsPerSecond.length / OPERATION_SECONDS);
  const peak = recordsPerSecond.reduce((top, records) => Math.max(top, records), 0) / perShard;
  const most = Math.max(trace.shards, Math.ceil(peak), highest(floors)) + 1;

  let cost = new Float64Array(most + 1).fill(Infinity);
  cost[trace.shards] = 0;
  const came = Array.from({ length: steps }, () => new Int8Array(most + 1));
  for (let step = 0; step < steps; step++) {
    const rejected = rejectedAt(trace, perShard, step, most);
    const next = new Float64Array(most + 1).fill(Infinity);
    for (let n = 1; n <= most; n++) {
      let best = Infinity;
      for (const move of [0, 1, -1]) {
        const before = cost[n - move] ?? Infinity;
        if (n - move >= 1 && before < best) {
          best = before;
          (came[step] as Int8Array)[n] = move;
        }
      }
      const missed = Math.max(0, (floors[step] ?? 0) - n, n - (ceilings[step] ?? most));
      next[n] = best + usd((n * OPERATION_SECONDS) / 3_600, rejected[n] ?? 0) + missed * MISSED_USD;
    }
    cost = next;
  }

  let n = cost.reduce((at, value, i) => (value < (cost[at] ?? Infinity) ? i : at), 1);
  const shards = new Uint16Array(steps);
  let throttled = 0;
  let shardSteps = 0;
  for (let step = steps - 1; step >= 0; step--) {
    shards[step] = n;
    shardSteps += n;
    throttled += rejectedAt(trace, perShard, step, n)[n] ?? 0;
    n -= came[step]?.[n] ?? 0;
  }
  const shardHours = (shardSteps * OPERATION_SECONDS) / 3_600;
  return { shardHours, throttled, usd: usd(shardHours, throttled), shards };
};

/** Least records that are rejected in a step with each count of shards; a single key fits on one shard only. */
const rejectedAt = (trace: Trace, perShard: number, step: number, most: number): Float64Array => {
  const rejected = new Float64Array(most + 1);
  const from = step * OPERATION_SECONDS;
  const keys = trace.spreads.findLast((phase) => phase.from <= from)?.spread.keys ?? [];
  for (let second = from; second < from + OPERATION_SECONDS; second++) {
    const fresh = trace.recordsPerSecond[second] ?? 0;
    const byKey = keys.reduce((sum, { share }) => sum + Math.max(0, fresh * share - perShard), 0);
    const enough = Math.min(most, Math.floor(fresh / perShard));
    for (let n = 1; n <= enough; n++) rejected[n] = (rejected[n] ?? 0) + Math.max(byKey, fresh - n * perShard);
    if (byKey > 0) for (let n = enough + 1; n <= most; n++) rejected[n] = (rejected[n] ?? 0) + byKey;
  }
  return rejected;
};

const bySteps = (minutes: readonly number[]): number[] =>
  minutes.flatMap((value) => new Array<number>(MINUTE_STEPS).fill(value));

/**
 * The optimum under the rules of docs/reshard-kinesis.md, one more each: never fewer shards than the last 24 h would fill; no minute of them
 * above 75 %; changes by x2 and /2; and nothing known before CloudWatch shows it, one call at a time. What is above the last is
 * the policy's own.
 */
export const chain = (trace: Trace) => {
  const means = worthOf(trace);
  const { up, down } = band(TARGET);
  const dayOf = (fullness: number): number[] =>
    highestOfLast(
      means.map((mean) => Math.max(1, Math.ceil(mean / fullness))),
      DAY_MINUTES,
    );
  const peaks = highestOfLast(means, DAY_MINUTES);
  const stepped = (late: number): number[] => {
    let n = trace.shards;
    let changed = -Infinity;
    let rests = -Infinity;
    return means.map((_, minute) => {
      const [mean = 0, peak = 0] = [means[minute - late], peaks[minute - late]];
      while (mean / n > up && (late === 0 || minute >= rests)) {
        // A call at most doubles; then come its splits, a full minute of metrics, and the time until that is seen.
        rests = minute + Math.ceil((n * OPERATION_SECONDS) / 60) + 1 + METRICS_LATE_SECONDS / 60;
        n *= 2;
        changed = minute;
      }
      if (minute >= DAY_MINUTES - HOUR_MINUTES && mean > 0 && peak / n < down && minute - changed >= HOUR_MINUTES) {
        n = Math.max(Math.ceil(n / 2), Math.ceil(peak / TARGET), 1);
        changed = minute;
      }
      return n;
    });
  };
  const seen = bySteps(stepped(SEEN_AFTER_MINUTES));
  return {
    optimum: optimum(trace),
    day: optimum(trace, { floors: bySteps(dayOf(1)) }),
    headroom: optimum(trace, { floors: bySteps(dayOf(up)) }),
    steps: optimum(trace, { floors: bySteps(stepped(0)) }),
    seen: optimum(trace, { floors: seen, ceilings: seen }),
  };
};

const highest = (values: readonly number[]): number => values.reduce((top, value) => Math.max(top, value), 0);

/** For each value the highest of the `window` that ends with it. */
const highestOfLast = (values: readonly number[], window: number): number[] => {
  const falling: number[] = [];
  let first = 0;
  return values.map((value, i) => {
    while (falling.length > first && (values[falling.at(-1) ?? 0] ?? 0) <= value) falling.pop();
    falling.push(i);
    if ((falling[first] ?? i) <= i - window) first++;
    return values[falling[first] ?? i] ?? value;
  });
};
