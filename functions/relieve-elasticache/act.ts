import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../shared/aws/client.ts';
import {
  decreaseReplicaCount,
  increaseReplicaCount,
  modifyCacheCluster,
  modifyReplicationGroup,
  modifyServerlessCache,
  modifyShardConfiguration,
} from '../../shared/aws/elasticache.ts';
import { defer, escalate, skip } from '../../shared/decision.ts';
import type { Stop } from '../../shared/guards/guard.ts';
import { inOrder } from '../../shared/in-order.ts';
import { said } from '../../shared/words.ts';
import { commandLine } from './commands.ts';
import type { ElastiCacheCall } from './remedies.ts';

const MINUTE = 60_000;

/** Makes the one call of every approved act, all at once. */
export const act = (clock: () => number) => inOrder(make, (call, error) => meaning(call, error, clock()));

const make = (call: ElastiCacheCall): Promise<unknown> => {
  switch (call.call) {
    case 'IncreaseReplicaCount':
      return increaseReplicaCount(call.params);
    case 'DecreaseReplicaCount':
      return decreaseReplicaCount(call.params);
    case 'ModifyReplicationGroupShardConfiguration':
      return modifyShardConfiguration(call.params);
    case 'ModifyReplicationGroup':
      return modifyReplicationGroup(call.params);
    case 'ModifyCacheCluster':
      return modifyCacheCluster(call.params);
    case 'ModifyServerlessCache':
      return modifyServerlessCache(call.params);
  }
};

/** ElastiCache's quotas, by the names of the errors that tell of them; the code finds them in Service Quotas. */
const NODES_PER_CLUSTER = { code: 'L-AF354865', of: 'nodes per cluster' };
const NODES_PER_REGION = { code: 'L-DFE45DF3', of: 'nodes per Region' };
const QUOTAS = new Map([
  ['NodeQuotaForClusterExceeded', NODES_PER_CLUSTER],
  ['NodeGroupsPerReplicationGroupQuotaExceeded', NODES_PER_CLUSTER],
  ['NodeQuotaForCustomerExceeded', NODES_PER_REGION],
  ['ClusterQuotaForCustomerExceeded', NODES_PER_REGION],
]);

/** What ModifyReplicationGroup and ModifyCacheCluster say where it is as it should be already. */
const NOTHING_TO_MODIFY = 'No modifications were requested';

/** The shape's name ends in Fault, the code on the wire does not, or the other way round. */
const isFault = (error: unknown, ...names: readonly string[]): boolean =>
  isErrorNamed(error, ...names.flatMap((name) => [name, `${name}Fault`]));

/** What a failed call means; undefined: it was done already. None is simply tried again. */
export const meaning = (made: ElastiCacheCall, error: unknown, now: number): Stop | undefined => {
  const { call } = made;
  const again = `The call: ${commandLine(made)}`;
  const text = said(error);
  const message = error instanceof Error ? error.message : text;
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `${call} was denied: ${message}`,
      `The permission is bound to the tag reflex:enabled = true on the cache; check the tag, the permissions boundary and service control policies. ${again}`,
    );
  }
  if (isThrottle(error))
    return defer('rate-limited', now + MINUTE, `${call}: ${message}; looked at again in a minute.`);
  if (isTransient(error)) {
    return defer(
      'act-unknown',
      now + MINUTE,
      `${call} ended without an answer (${text}); whether it took effect is read from ElastiCache.`,
    );
  }
  if (isFault(error, 'NoOperation') || message.includes(NOTHING_TO_MODIFY)) return undefined;
  if (isFault(error, 'InvalidReplicationGroupState', 'InvalidCacheClusterState', 'InvalidServerlessCacheState')) {
    return defer('not-available', now + 2 * MINUTE, `${call}: ${message}; looked at again when it may be over.`);
  }
  if (isFault(error, 'InsufficientCacheClusterCapacity')) {
    return defer(
      'no-capacity',
      now + 15 * MINUTE,
      `${call}: ${message}; AWS may have capacity in a quarter of an hour.`,
    );
  }
  const quota = [...QUOTAS].find(([name]) => isFault(error, name))?.[1];
  if (quota !== undefined) {
    return escalate(
      'cache-quota',
      `${call}: ${message}`,
      `Request more ${quota.of} in Service Quotas (${quota.code}). What is granted now: aws service-quotas get-service-quota --service-code elasticache --quota-code ${quota.code}`,
    );
  }
  if (isFault(error, 'ReplicationGroupNotFound', 'CacheClusterNotFound', 'ServerlessCacheNotFound')) {
    return skip('cache-gone', `${call}: ${message}`);
  }
  if (isFault(error, 'InvalidParameterValue', 'InvalidParameterCombination')) {
    return escalate(
      'invalid-argument',
      `${call} was refused as invalid: ${message}`,
      `The facts have changed in between, or this is a defect of Reflex; please report it. ${again}`,
    );
  }
  return escalate('act-failed', `${call} failed: ${text}`, `See the error; this call changed nothing. ${again}`);
};
