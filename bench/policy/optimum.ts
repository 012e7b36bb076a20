import { band } from '../../functions/reshard-kinesis/sizing.ts';
import { LOOK_SECONDS, usd } from './simulate.ts';
import { METRICS_LATE_SECONDS, OPERATION_SECONDS } from './stream.ts';
import { perShardOf, type Trace, worthOf } from './traces.ts';

const HOUR_MINUTES = 60;
const DAY_MINUTES = 24 * HOUR_MINUTES;
const MINUTE_STEPS = 60 / LOOK_SECONDS;
/** Steps from one split or merge to the next. */
const STEPS_APART = OPERATION_SECONDS / LOOK_SECONDS;
/** A minute is seen when it is over and CloudWatch shows it. */
const SEEN_AFTER_MINUTES = 1 + METRICS_LATE_SECONDS / 60;
/** Target utilisation by default. */
const TARGET = 0.5;
/** More than a shard can be worth in a step, so that floors come before prices. */
const MISSED_USD = 1;

export interface Priced {
  readonly shardHours: number;
  readonly throttled: number;
  readonly usd: number;
}

export interface Optimum extends Priced {
  /** Open shards in each step of LOOK_SECONDS. */
  readonly shards: Uint16Array;
}

/**
 * The cheapest course of shard counts for somebody who knows the whole trace. Dynamic programming over the moments at which a policy may
 * look: at each, 30 s after the one before at the earliest, one shard may be split or two merged. AWS makes no reshard faster here, so neither does
 * UpdateShardCount, whatever its daily calls. Shards are taken to be balanced perfectly at all times and rejected records not to come
 * back. Both only flatter it: no policy can cost less than the optimum without floors. `floors`: shards, by step, that the course must not
 * go below; one that cannot be kept in time is missed by as little as can be.
 */
export const optimum = (trace: Trace, floors: readonly number[] = []): Optimum => {
  const { recordsPerSecond } = trace;
  const perShard = perShardOf(trace);
  const steps = Math.floor(recordsPerSecond.length / LOOK_SECONDS);
  const peak = recordsPerSecond.reduce((top, records) => Math.max(top, records), 0) / perShard;
  const most = Math.max(trace.shards, Math.ceil(peak), highest(floors)) + 1;

  // A state: how many shards, and how many steps ago the last was split or merged. `at` is its place in a row of states.
  const at = (n: number, rested: number): number => n * STEPS_APART + rested;
  const free = STEPS_APART - 1;
  let cost = new Float64Array(at(most + 1, 0)).fill(Infinity);
  cost[at(trace.shards, free)] = 0;
  const came = Array.from({ length: steps }, () => new Int8Array(cost.length));
  for (let step = 0; step < steps; step++) {
    const rejected = rejectedAt(trace, perShard, step, most);
    const next = new Float64Array(cost.length).fill(Infinity);
    const moves = came[step] as Int8Array;
    for (let n = 1; n <= most; n++) {
      const missed = Math.max(0, (floors[step] ?? 0) - n);
      const here = usd((n * LOOK_SECONDS) / 3_600, rejected[n] ?? 0) + missed * MISSED_USD;
      for (const move of [1, -1]) {
        const before = n - move >= 1 ? (cost[at(n - move, free)] ?? Infinity) : Infinity;
        if (before + here < (next[at(n, 0)] ?? Infinity)) {
          next[at(n, 0)] = before + here;
          moves[at(n, 0)] = move;
        }
      }
      for (let rested = 1; rested < free; rested++) next[at(n, rested)] = (cost[at(n, rested - 1)] ?? Infinity) + here;
      const [resting, rested] = [cost[at(n, free - 1)] ?? Infinity, cost[at(n, free)] ?? Infinity];
      next[at(n, free)] = Math.min(resting, rested) + here;
      moves[at(n, free)] = resting < rested ? RESTED : 0;
    }
    cost = next;
  }

  let state = cost.reduce((best, value, i) => (value < (cost[best] ?? Infinity) ? i : best), 0);
  const shards = new Uint16Array(steps);
  for (let step = steps - 1; step >= 0; step--) {
    const [n, rested] = [Math.floor(state / STEPS_APART), state % STEPS_APART];
    shards[step] = n;
    const how = came[step]?.[state] ?? 0;
    if (rested === 0) state = at(n - how, free);
    else if (rested < free || how === RESTED) state = at(n, rested - 1);
  }
  return { ...priced(trace, shards), shards };
};

/** In place of a move: the state was reached by waiting after one. */
const RESTED = 2;

/** What a course costs where shards are balanced and rejected records do not come back. */
const priced = (trace: Trace, shards: ArrayLike<number>): Priced => {
  const perShard = perShardOf(trace);
  let throttled = 0;
  let shardSteps = 0;
  for (let step = 0; step < shards.length; step++) {
    const n = shards[step] ?? 0;
    shardSteps += n;
    throttled += rejectedAt(trace, perShard, step, n)[n] ?? 0;
  }
  const shardHours = (shardSteps * LOOK_SECONDS) / 3_600;
  return { shardHours, throttled, usd: usd(shardHours, throttled) };
};

/** Least records that are rejected in a step with each count of shards; a single key fits on one shard only. */
const rejectedAt = (trace: Trace, perShard: number, step: number, most: number): Float64Array => {
  const rejected = new Float64Array(most + 1);
  const from = step * LOOK_SECONDS;
  const keys = trace.spreads.findLast((phase) => phase.from <= from)?.spread.keys ?? [];
  for (let second = from; second < from + LOOK_SECONDS; second++) {
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

/** Open shards in each step where those wanted in each minute are called for when it begins: one split or merge after the other. */
const called = (trace: Trace, wanted: readonly number[]): number[] => {
  let n = trace.shards;
  let busy = 0;
  return bySteps(wanted).map((target) => {
    if (busy > 0 && --busy === 0) n += Math.sign(target - n);
    if (busy === 0 && target !== n) busy = STEPS_APART;
    return n;
  });
};

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
  return {
    optimum: optimum(trace),
    day: optimum(trace, bySteps(dayOf(1))),
    headroom: optimum(trace, bySteps(dayOf(up))),
    steps: optimum(trace, bySteps(stepped(0))),
    seen: priced(trace, called(trace, stepped(SEEN_AFTER_MINUTES))),
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
