import { decide, type KinesisCall } from '../../functions/reshard-kinesis/decide.ts';
import type { Memory, Shard, ShardLoad } from '../../functions/reshard-kinesis/facts.ts';
import type { Policy } from '../../functions/reshard-kinesis/policy.ts';
import { byHashKey } from '../../functions/reshard-kinesis/shards.ts';
import type { Decision } from '../../shared/decision.ts';
import {
  dayOf,
  effectOf,
  HOUR,
  MINUTE,
  metricsOf,
  now,
  type StreamOptions,
  stream,
  uniformShards,
} from './stream-facts.ts';

/** A stream under constant load that does what it is told: each act is carried out, measured anew, and decided on again. */
export interface Driven {
  readonly shards: readonly Shard[];
  readonly memory: Memory;
  readonly at: number;
}

export interface Load {
  /** Demand in shards' worth. */
  readonly worth: number;
  /** Load of each shard; null: shard-level metrics are off. */
  readonly loads: ((shards: readonly Shard[]) => Record<string, ShardLoad>) | null;
  readonly freeShards: number | null;
}

const ask = (driven: Driven, load: Load, policy: Policy, more: StreamOptions): Decision<KinesisCall> => {
  const { shards, memory, at } = driven;
  const facts = stream({
    shards,
    memory,
    trigger: 'tick',
    metrics: metricsOf(load.worth, {}, at),
    day: dayOf(load.worth),
    shardLoads: load.loads?.(shards) ?? null,
    freeShards: load.freeShards,
    ...more,
  });
  return decide(facts, policy, at);
};

/** What is decided once everything is measured and nothing is recent. */
export const next = (driven: Driven, load: Load, policy: Policy): Decision<KinesisCall> =>
  ask(driven, load, policy, {});

const inHashOrder = (call: KinesisCall | undefined, shards: readonly Shard[]): Shard[] =>
  effectOf(call, shards).toSorted(byHashKey);

/** Carries a decision out, with all that it queued, until the stream is measured and every cool-down has passed. */
export const carriedOut = (
  driven: Driven,
  decision: Decision<KinesisCall>,
  load: Load,
  policy: Policy,
  effect = inHashOrder,
): Driven => {
  let { shards, memory, at } = driven;
  let current = decision;
  while (current.kind === 'act') {
    shards = effect(current.calls[0], shards);
    memory = current.remember ?? memory;
    at += 2 * MINUTE;
    current = ask({ shards, memory, at }, load, policy, {
      trigger: 'follow-up',
      incident: { openedAt: now, steps: 1 },
    });
  }
  if (current.reason !== 'measuring') throw new Error(`expected to measure, found ${current.reason}: ${current.why}`);
  return { shards, memory: current.remember ?? memory, at: at + 2 * HOUR };
};

export const fresh = (shards: number | readonly Shard[]): Driven => ({
  shards: typeof shards === 'number' ? uniformShards(shards) : shards,
  memory: {},
  at: now,
});

/** Up, down or neither. */
export const direction = (decision: Decision<KinesisCall>, shards: number): number => {
  if (decision.kind !== 'act') return 0;
  const [call] = decision.calls;
  if (call?.call === 'UpdateShardCount') return Math.sign(call.params.TargetShardCount - shards);
  return call?.call === 'SplitShard' ? 1 : call?.call === 'MergeShards' ? -1 : 0;
};

/** Loads of any shards over hash ranges of constant density, and single keys on top. Positions and widths are shares of the hash range. */
export const spread =
  (
    ranges: readonly { readonly from: number; readonly to: number; readonly load: number }[],
    keys: readonly { readonly key: bigint; readonly load: number }[] = [],
  ) =>
  (shards: readonly Shard[]): Record<string, ShardLoad> =>
    Object.fromEntries(
      shards.map((shard) => {
        const from = Number(BigInt(shard.startingHashKey)) / 2 ** 128;
        const to = Number(BigInt(shard.endingHashKey) + 1n) / 2 ** 128;
        const own = (key: bigint) => key >= BigInt(shard.startingHashKey) && key <= BigInt(shard.endingHashKey);
        const now =
          ranges.reduce((sum, range) => {
            const common = Math.min(to, range.to) - Math.max(from, range.from);
            return common > 0 ? sum + (range.load * common) / (range.to - range.from) : sum;
          }, 0) + keys.filter(({ key }) => own(key)).reduce((sum, { load }) => sum + load, 0);
        return [shard.id, { now, throttled: 0, day: now }];
      }),
    );
