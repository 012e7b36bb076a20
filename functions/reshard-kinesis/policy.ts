import { decimal, fromEnv, fromTags, orWord, SettingError, type Values, wholeNumber } from '../../shared/settings.ts';

/** Settings of this function; the tag on the stream wins over the stack's value. See docs/configuration.md. */
export const settings = {
  /** Never fewer open shards than this; a stream below it is brought up. */
  minShards: { env: 'MIN_SHARDS', fallback: '1', kind: wholeNumber(1, 10_000) },
  /** Never more open shards than this. 10,000 is the most UpdateShardCount accepts. */
  maxShards: { env: 'MAX_SHARDS', fallback: '100', kind: wholeNumber(1, 10_000) },
  /** Share of a shard's write or read limit that a resized stream should carry. */
  targetUtilization: { env: 'TARGET_UTILIZATION', fallback: '0.5', kind: decimal(0.2, 0.8) },
  /** Seconds a consumer may lag before scale-in is refused; half the shortest retention is AWS's own alarm. */
  maxIteratorAge: { env: 'MAX_ITERATOR_AGE', fallback: '1800', kind: wholeNumber(60, 43_200, 'seconds') },
  /** Reserved concurrency per open shard for the stream's consumer Lambdas; off: only reported. */
  consumerConcurrency: { env: 'CONSUMER_CONCURRENCY', fallback: 'off', kind: orWord('off', wholeNumber(1, 1_000)) },
} as const;

export type Policy = Values<typeof settings>;

export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): Policy =>
  consistent(fromEnv(settings, env), 'MIN_SHARDS and MAX_SHARDS');

/** @throws SettingError for a tag that is unknown, malformed, or contradicts another. */
export const streamPolicy = (stack: Policy, tags: Readonly<Record<string, string>>): Policy =>
  consistent(fromTags(settings, stack, tags), 'tags reflex:min-shards and reflex:max-shards');

const consistent = (policy: Policy, where: string): Policy => {
  if (policy.minShards > policy.maxShards) {
    throw new SettingError(`${where}: expected min <= max, found ${policy.minShards} > ${policy.maxShards}`);
  }
  return policy;
};
