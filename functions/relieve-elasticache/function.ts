import { standaloneClusters } from '../../shared/aws/elasticache.ts';
import { resourcesTagged } from '../../shared/aws/tagging.ts';
import type { ReflexFunction } from '../../shared/function.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import { act } from './act.ts';
import { type CacheKind, parseCacheArn } from './arns.ts';
import { decide } from './decide.ts';
import type { CacheFacts } from './facts.ts';
import { hear } from './hear.ts';
import { observe } from './observe.ts';
import { cachePolicy, type Policy, stackPolicy } from './policy.ts';
import type { ElastiCacheCall } from './remedies.ts';

/**
 * Finds the right remedy for a saturated ElastiCache engine, or the reason not to scale: CloudWatch alarm, schedule ->
 * IncreaseReplicaCount, ModifyReplicationGroupShardConfiguration, ModifyReplicationGroup and the like.
 * @throws SettingError for a wrong environment variable.
 */
export const relieveElastiCache = (
  env: NodeJS.ProcessEnv,
  clock: () => number,
): ReflexFunction<CacheFacts, Policy, ElastiCacheCall> => {
  const stack = stackPolicy(env);
  return {
    name: 'relieve-elasticache',
    onGuardError: 'stop',
    hear,
    sweep,
    observe: observe(clock),
    policy: (tags) => cachePolicy(stack, tags),
    decide,
    act: act(clock),
  };
};

/** Groups, serverless caches and standalone clusters that opted in. Members of groups may carry the tag too; their group is looked at. */
const sweep = async (): Promise<string[]> => {
  const [groups, caches, clusters] = await Promise.all([
    optedIn('replicationgroup'),
    optedIn('serverlesscache'),
    optedIn('cluster'),
  ]);
  const alone = clusters.length === 0 ? new Set<string>() : await standaloneClusters();
  return [...groups, ...caches, ...clusters.filter((arn) => alone.has(parseCacheArn(arn).id))];
};

const optedIn = async (kind: CacheKind): Promise<string[]> =>
  (await resourcesTagged(`elasticache:${kind}`, OPT_IN_TAG, 'true')).map(({ arn }) => arn);
