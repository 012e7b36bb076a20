import { decide, type KinesisCall } from '../../functions/reshard-kinesis/decide.ts';
import type {
  DayOfDemand,
  Memory,
  Series,
  Shard,
  ShardLoad,
  StreamMetrics,
  StreamSituation,
} from '../../functions/reshard-kinesis/facts.ts';
import { type Policy, stackPolicy } from '../../functions/reshard-kinesis/policy.ts';
import type { Act, Decision } from '../../shared/decision.ts';

export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const MIB = 1_048_576;
/** A whole minute, so that the newest full minute starts one minute before it. */
export const now = Date.parse('2026-03-05T03:12:00.000Z');

export const policyOf = (overrides: Partial<Policy> = {}): Policy => ({ ...stackPolicy({}), ...overrides });

const HASH_KEYS = 2n ** 128n;
export const shardId = (i: number): string => `shardId-${String(i).padStart(12, '0')}`;

/** Open shards with the given starts; each ends where the next begins, the last at the end of the hash range. */
export const shardsFrom = (starts: readonly bigint[]): Shard[] =>
  starts.map((start, i) => ({
    id: shardId(i),
    startingHashKey: start.toString(),
    endingHashKey: ((starts[i + 1] ?? HASH_KEYS) - 1n).toString(),
    parentId: null,
  }));

export const uniformShards = (n: number): Shard[] =>
  shardsFrom(Array.from({ length: n }, (_, i) => (HASH_KEYS * BigInt(i)) / BigInt(n)));

/** The same value in each of the newest whole minutes. */
export const perMinute = (value: number, minutes = 5, until = now): Series =>
  Array.from({ length: minutes }, (_, i) => [until - (minutes - i) * MINUTE, value] as const);

export const NO_METRICS: StreamMetrics = {
  incomingBytes: [],
  incomingRecords: [],
  throttled: [],
  outgoingBytes: [],
  iteratorAge: [],
};

/** One-minute metrics of a stream that takes `worth` shards' worth of bytes, in records of 10 KiB. */
export const metricsOf = (worth: number, more: Partial<StreamMetrics> = {}, until = now): StreamMetrics => ({
  incomingBytes: perMinute(worth * MIB * 60, 5, until),
  incomingRecords: perMinute(worth * 102.4 * 60, 5, until),
  throttled: [],
  outgoingBytes: [],
  iteratorAge: perMinute(0, 5, until),
  ...more,
});

/** A whole day whose peak is `worth` shards' worth of bytes. */
export const dayOf = (worth: number, more: Partial<DayOfDemand> = {}): DayOfDemand => ({
  peak: { bytesPerSecond: worth * MIB, recordsPerSecond: 0, egressBytesPerSecond: 0 },
  spanHours: 24,
  hoursSeen: 25,
  throttledRecords: 0,
  ...more,
});

export interface StreamOptions extends Partial<Omit<StreamSituation, 'shards' | 'ledger' | 'metrics'>> {
  /** Number of equal open shards, or the shards themselves. Default 4. */
  readonly shards?: number | readonly Shard[];
  /** Demand in shards' worth, now and over the day. Default 2. */
  readonly worth?: number;
  readonly metrics?: Partial<StreamMetrics>;
  readonly memory?: Memory;
  readonly incident?: StreamSituation['ledger']['incident'];
  readonly lastActAt?: number | null;
}

/** A provisioned, ACTIVE, well-measured stream that consumers keep up with, unless said otherwise. */
export const stream = (options: StreamOptions = {}): StreamSituation => {
  const { shards = 4, worth = 2, metrics, memory = {}, incident = null, lastActAt = null, ...overrides } = options;
  return {
    asOf: now,
    arn: 'arn:aws:kinesis:eu-west-1:111122223333:stream/orders',
    name: 'orders',
    tags: { 'reflex:enabled': 'true' },
    status: 'ACTIVE',
    mode: 'PROVISIONED',
    warmThroughputMiBps: null,
    shards: typeof shards === 'number' ? uniformShards(shards) : shards,
    closedShardIds: [],
    metrics: metricsOf(worth, metrics),
    day: dayOf(worth),
    shardLoads: null,
    freeShards: 100_000,
    consumers: null,
    unreservedConcurrency: null,
    trigger: 'alarm',
    ledger: { attempts: {}, lastActAt, incident, remembered: memory },
    ...overrides,
  };
};

/** Shard-level loads in the order of the shards. */
export const loadsOf = (
  shards: readonly Shard[],
  loads: readonly number[],
  more: Partial<ShardLoad> = {},
): Record<string, ShardLoad> =>
  Object.fromEntries(
    shards.map(({ id }, i) => [id, { now: loads[i] ?? 0, throttled: 0, day: loads[i] ?? 0, ...more }]),
  );

export const decided = (options: StreamOptions = {}, policy: Partial<Policy> = {}, at = now): Decision<KinesisCall> =>
  decide(stream(options), policyOf(policy), at);

/** @throws where the decision is not an act. */
export const acted = (decision: Decision<KinesisCall>): Act<KinesisCall> => {
  if (decision.kind !== 'act')
    throw new Error(`expected an act, found ${decision.kind} ${decision.reason}: ${decision.why}`);
  return decision;
};

/** `UpdateShardCount 4 -> 8` and the like: what an act does to the open shards. */
export const effectOf = (call: KinesisCall | undefined, shards: readonly Shard[]): Shard[] => {
  switch (call?.call) {
    case 'UpdateShardCount':
      return uniformShards(call.params.TargetShardCount);
    case 'SplitShard':
      return shards.flatMap((shard) =>
        shard.id === call.params.ShardToSplit ? halves(shard, call.params.NewStartingHashKey) : [shard],
      );
    case 'MergeShards':
      return shards.flatMap((shard) => {
        if (shard.id === call.params.AdjacentShardToMerge) return [];
        if (shard.id !== call.params.ShardToMerge) return [shard];
        const other = shards.find(({ id }) => id === call.params.AdjacentShardToMerge);
        return [{ ...shard, id: `${shard.id}+`, parentId: shard.id, endingHashKey: other?.endingHashKey ?? '' }];
      });
    default:
      return [...shards];
  }
};

const halves = (shard: Shard, at: string): Shard[] => [
  { ...shard, id: `${shard.id}.0`, parentId: shard.id, endingHashKey: (BigInt(at) - 1n).toString() },
  { ...shard, id: `${shard.id}.1`, parentId: shard.id, startingHashKey: at },
];
