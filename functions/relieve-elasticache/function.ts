import { resourcesTagged } from '../../shared/aws/tagging.ts';
import type { ReflexFunction } from '../../shared/function.ts';
import { OPT_IN_TAG } from '../../shared/guards/opt-in.ts';
import { act } from './act.ts';
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

/** Groups and serverless caches that opted in. Clusters only come with an alarm: members carry their group's tags too. */
const sweep = async (): Promise<string[]> => {
  const found = await Promise.all(
    ['elasticache:replicationgroup', 'elasticache:serverlesscache'].map((type) =>
      resourcesTagged(type, OPT_IN_TAG, 'true'),
    ),
  );
  return found.flat().map(({ arn }) => arn);
};
