import { fromEnv, fromTags, type Kind, oneOf, SettingError, type Values, wholeNumber } from '../../shared/settings.ts';
import { REMEDIES, type RemedyKind } from './facts.ts';

/** Remedies separated by spaces, each once, or the word none. */
const remedies: Kind<readonly RemedyKind[]> = {
  expected: `${REMEDIES.join(', ')} separated by spaces, or none`,
  parse: (text) => {
    if (text === 'none') return [];
    const listed = text.split(' ').map((word) => REMEDIES.find((remedy) => remedy === word));
    const known = listed.filter((remedy) => remedy !== undefined);
    return known.length === listed.length && new Set(known).size === known.length ? known : undefined;
  },
};

/** Settings of this function; the tag on the cache wins over the stack's value. See docs/configuration.md. */
export const settings = {
  /** What may be done without asking; anything else is reported with the exact call. */
  allow: { env: 'ALLOW', fallback: 'replicas', kind: remedies },
  /** From which level on it acts: engine CPU above 90 % (saturated) or above 65 % (warning). */
  actAt: { env: 'ACT_AT', fallback: 'saturated', kind: oneOf('saturated', 'warning') },
  /** Replicas of a shard are never raised above this. 5 is the most ElastiCache allows. */
  maxReplicas: { env: 'MAX_REPLICAS', fallback: '5', kind: wholeNumber(0, 5) },
  /** Scale-in leaves each shard this many replicas. */
  minReplicas: { env: 'MIN_REPLICAS', fallback: '1', kind: wholeNumber(0, 5) },
  /** Shards are never raised above this. */
  maxShards: { env: 'MAX_SHARDS', fallback: '10', kind: wholeNumber(1, 500) },
  /** Nodes of a group are never raised above this. 90 is the default of quota L-AF354865, 500 the most AWS grants. */
  maxNodes: { env: 'MAX_NODES', fallback: '90', kind: wholeNumber(1, 500) },
  /** Whether clients read from replicas: seen in the replicas' metrics, or known. */
  readsOffloaded: { env: 'READS_OFFLOADED', fallback: 'detect', kind: oneOf('detect', 'true', 'false') },
  /** Reshard although the hottest node's engine is above 80 %, where AWS advises against it. */
  reshardAbove80: { env: 'RESHARD_ABOVE_80', fallback: 'false', kind: oneOf('true', 'false') },
  /** What may be taken away again: what Reflex added, anything above the floor, or nothing. */
  scaleIn: { env: 'SCALE_IN', fallback: 'own', kind: oneOf('own', 'all', 'off') },
  /** ECPU per second a serverless cache's limit is never raised above. 15,000,000 is the most ElastiCache accepts. */
  maxEcpuPerSecond: { env: 'MAX_ECPU_PER_SECOND', fallback: '15000000', kind: wholeNumber(1_000, 15_000_000) },
} as const;

export type Policy = Values<typeof settings>;

/** @throws SettingError for a wrong environment variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): Policy =>
  consistent(fromEnv(settings, env), 'MIN_REPLICAS and MAX_REPLICAS');

/** @throws SettingError for a tag that is unknown, malformed, or contradicts another. */
export const cachePolicy = (stack: Policy, tags: Readonly<Record<string, string>>): Policy =>
  consistent(fromTags(settings, stack, tags), 'tags reflex:min-replicas and reflex:max-replicas');

const consistent = (policy: Policy, where: string): Policy => {
  if (policy.minReplicas > policy.maxReplicas) {
    throw new SettingError(`${where}: expected min <= max, found ${policy.minReplicas} > ${policy.maxReplicas}`);
  }
  return policy;
};
