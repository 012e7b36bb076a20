import type { Scaler } from './baselines.ts';
import { kinesisStream, type Minute, type Stream } from './stream.ts';
import type { Trace } from './traces.ts';

/** A shard-hour in us-east-1, USD. */
export const SHARD_HOUR_USD = 0.015;
/** What a rejected record costs its owner, USD: a stated price, not one of AWS's. 15,000 rejections weigh as much as a shard-hour. */
export const THROTTLED_USD = 1e-6;
/** A policy may look, and call, this often. */
export const LOOK_SECONDS = 10;
/** A change of direction this soon after the change before it is a flap. */
const FLAP_SECONDS = 2 * 3_600;
/** Minutes without a rejection that end an episode. */
const CALM_MINUTES = 5;

export interface Result {
  readonly policy: string;
  /** Records; `throttled` counts rejections, as WriteProvisionedThroughputExceeded does. */
  readonly offered: number;
  readonly throttled: number;
  readonly lost: number;
  readonly shardHours: number;
  readonly calls: number;
  readonly flaps: number;
  /** Longest time from a first rejection until no more came, minutes. */
  readonly minutesToCapacity: number;
  readonly usd: number;
  readonly minutes: readonly Minute[];
}

/** `price`: of a rejected record, USD. */
export const usd = (shardHours: number, throttled: number, price = THROTTLED_USD): number =>
  shardHours * SHARD_HOUR_USD + throttled * price;

/** A trace under a policy, from its first second to its last. */
export const simulate = async (trace: Trace, scaler: Scaler): Promise<Result & { readonly stream: Stream }> => {
  const stream = kinesisStream(trace);
  while (stream.second < trace.recordsPerSecond.length) {
    stream.advance(LOOK_SECONDS);
    await scaler.look(stream);
  }
  const { totals, minutes } = stream;
  const shardHours = totals.shardSeconds / 3_600;
  return {
    policy: scaler.name,
    offered: totals.offered,
    throttled: totals.throttled,
    lost: totals.lost,
    shardHours,
    calls: totals.calls,
    flaps: flapsIn(minutes),
    minutesToCapacity: longestEpisode(minutes),
    usd: usd(shardHours, totals.throttled),
    minutes,
    stream,
  };
};

/** A reshard whose own splits and merges go both ways is one change: counts are compared where they have settled. */
const flapsIn = (minutes: readonly Minute[]): number => {
  const changes: { readonly at: number; readonly up: boolean }[] = [];
  let settled = minutes[0]?.shards ?? 0;
  for (const [i, { shards }] of minutes.entries()) {
    const rests = minutes[i + 1]?.shards === shards && minutes[i + 2]?.shards === shards;
    if (!rests || shards === settled) continue;
    changes.push({ at: i * 60, up: shards > settled });
    settled = shards;
  }
  return changes.filter(({ at, up }, i) => {
    const before = changes[i - 1];
    return before !== undefined && before.up !== up && at - before.at < FLAP_SECONDS;
  }).length;
};

const longestEpisode = (minutes: readonly Minute[]): number => {
  let longest = 0;
  let begun: number | undefined;
  let last = 0;
  for (const [i, { throttled }] of minutes.entries()) {
    if (throttled > 0) {
      begun ??= i;
      last = i;
      longest = Math.max(longest, i + 1 - begun);
    } else if (begun !== undefined && i - last >= CALM_MINUTES) begun = undefined;
  }
  return longest;
};
