import type { Call } from '../../shared/decision.ts';
import type { Added, GroupFacts, Memory, RemedyKind } from './facts.ts';
import { type Need, ranked } from './node-types.ts';
import type { Policy } from './policy.ts';

type ShardReplicas = { readonly NodeGroupId: string; readonly NewReplicaCount: number };

export type ElastiCacheCall =
  | Call<
      'IncreaseReplicaCount' | 'DecreaseReplicaCount',
      {
        ReplicationGroupId: string;
        ApplyImmediately: true;
        NewReplicaCount?: number;
        ReplicaConfiguration?: ShardReplicas[];
      }
    >
  | Call<
      'ModifyReplicationGroupShardConfiguration',
      { ReplicationGroupId: string; NodeGroupCount: number; ApplyImmediately: true; NodeGroupsToRemove?: string[] }
    >
  | Call<'ModifyReplicationGroup', { ReplicationGroupId: string; CacheNodeType: string; ApplyImmediately: true }>
  | Call<'ModifyCacheCluster', { CacheClusterId: string; CacheNodeType: string; ApplyImmediately: true }>
  | Call<
      'ModifyServerlessCache',
      { ServerlessCacheName: string; CacheUsageLimits: { ECPUPerSecond: { Maximum: number; Minimum?: number } } }
    >;

/** One call that is possible, and what it means. */
export interface Remedy {
  readonly kind: RemedyKind;
  readonly call: ElastiCacheCall;
  /** Completes "IncreaseReplicaCount: ...". */
  readonly says: string;
  /** What to remember of it besides the change itself. */
  readonly adds: Pick<Memory, 'addedReplicas' | 'addedShards'>;
}

/** Why a remedy is not possible, in words. */
export interface Impossible {
  readonly because: string;
}

export const isPossible = (remedy: Remedy | Impossible): remedy is Remedy => 'call' in remedy;

/** ElastiCache allows a shard five replicas. */
const API_MAX_REPLICAS = 5;
/** Shards are added a fifth at a time, at least one. */
const SHARD_STEP = 0.2;

type Group = Pick<GroupFacts, 'id' | 'kind' | 'clusterMode' | 'shards' | 'nodes' | 'nodeType' | 'allowedTypes'>;

/** Nodes of a shard beyond its primary. */
export const replicasIn = ({ nodes }: Pick<Group, 'nodes'>, shard: string): number =>
  Math.max(0, nodes.filter((node) => node.shard === shard).length - 1);

/** One replica more for each of these shards that may have one. */
export const addReplicas = (
  group: Group,
  policy: Policy,
  shards: readonly string[],
  memory: Memory,
): Remedy | Impossible => {
  if (group.kind === 'cluster') return { because: 'a standalone node has no replicas' };
  const most = Math.min(API_MAX_REPLICAS, policy.maxReplicas);
  const below = shards.filter((shard) => replicasIn(group, shard) < most);
  if (below.length === 0) return { because: `${most} replicas a shard are the most` };
  const room = policy.maxNodes - group.nodes.length;
  const chosen = below.slice(0, Math.max(0, room));
  if (chosen.length === 0) return { because: `${policy.maxNodes} nodes are the most (reflex:max-nodes)` };
  return {
    kind: 'replicas',
    call: replicaCall('IncreaseReplicaCount', group, chosen, 1),
    says: `one replica more in ${named(group, chosen)}`,
    adds: { addedReplicas: { ...memory.addedReplicas, ...tally(group, memory, chosen, 1) } },
  };
};

/** One replica less in each of these shards. */
export const removeReplicas = (group: Group, shards: readonly string[], memory: Memory): Remedy => ({
  kind: 'replicas',
  call: replicaCall('DecreaseReplicaCount', group, shards, -1),
  says: `one replica less in ${named(group, shards)}`,
  adds: { addedReplicas: { ...memory.addedReplicas, ...tally(group, memory, shards, -1) } },
});

const tally = (
  group: Group,
  memory: Memory,
  shards: readonly string[],
  step: 1 | -1,
): Readonly<Record<string, Added>> =>
  Object.fromEntries(
    shards.map((shard) => {
      const now = replicasIn(group, shard);
      const { from, count } = memory.addedReplicas?.[shard] ?? { from: now, count: 0 };
      return [shard, { from: count === 0 ? now : from, count: Math.max(0, count + step) }];
    }),
  );

/** One count for all where all shards get the same, else a count for each. Counts are of replicas, without the primary. */
const replicaCall = (
  call: 'IncreaseReplicaCount' | 'DecreaseReplicaCount',
  group: Group,
  shards: readonly string[],
  step: 1 | -1,
): ElastiCacheCall => {
  const wanted = shards.map((shard) => ({ NodeGroupId: shard, NewReplicaCount: replicasIn(group, shard) + step }));
  const [first] = wanted;
  const uniform =
    shards.length === group.shards.length &&
    wanted.every(({ NewReplicaCount }) => NewReplicaCount === first?.NewReplicaCount);
  return {
    call,
    params: {
      ReplicationGroupId: group.id,
      ApplyImmediately: true,
      ...(uniform && first ? { NewReplicaCount: first.NewReplicaCount } : { ReplicaConfiguration: wanted }),
    },
  };
};

/** Shards a fifth more, at least one. New shards get as many nodes as the smallest has. */
export const addShards = (group: Group, policy: Policy, memory: Memory): Remedy | Impossible => {
  if (group.clusterMode !== 'enabled') return { because: 'without cluster mode there is one shard' };
  const now = group.shards.length;
  const each = Math.min(...group.shards.map(({ id }) => replicasIn(group, id) + 1));
  const byNodes = now + Math.floor(Math.max(0, policy.maxNodes - group.nodes.length) / each);
  const target = Math.min(now + Math.max(1, Math.ceil(SHARD_STEP * now)), policy.maxShards, byNodes);
  if (!(target > now)) {
    return policy.maxShards <= now
      ? { because: `${policy.maxShards} shards are the most (reflex:max-shards)` }
      : { because: `${policy.maxNodes} nodes are the most (reflex:max-nodes)` };
  }
  const before = memory.addedShards ?? { from: now, count: 0 };
  return {
    kind: 'shards',
    call: shardCall(group, target),
    says: `${now} -> ${target} shards`,
    adds: {
      addedShards: { from: before.count === 0 ? now : before.from, count: before.count + target - now },
    },
  };
};

/** The same number of shards: AWS then spreads the slots evenly. */
export const rebalance = (group: Group): Remedy => ({
  kind: 'shards',
  call: shardCall(group, group.shards.length),
  says: `the slots spread evenly over the ${group.shards.length} shards`,
  adds: {},
});

/** One shard less: this one. */
export const removeShard = (group: Group, shard: string, memory: Memory): Remedy => {
  const { from, count } = memory.addedShards ?? { from: group.shards.length, count: 0 };
  return {
    kind: 'shards',
    call: shardCall(group, group.shards.length - 1, [shard]),
    says: `${group.shards.length} -> ${group.shards.length - 1} shards, without ${shard}`,
    adds: { addedShards: { from, count: Math.max(0, count - 1) } },
  };
};

const shardCall = (group: Group, count: number, remove?: string[]): ElastiCacheCall => ({
  call: 'ModifyReplicationGroupShardConfiguration',
  params: {
    ReplicationGroupId: group.id,
    NodeGroupCount: count,
    ApplyImmediately: true,
    ...(remove && { NodeGroupsToRemove: remove }),
  },
});

/** The best type that AWS allows and that serves the need. */
export const scaleUp = (group: Group, need: Need): Remedy | Impossible => {
  if (group.allowedTypes === null) return { because: 'the node types it may change to could not be read' };
  const [best] = ranked(group.nodeType, group.allowedTypes, need);
  if (best === undefined) return { because: `no node type that AWS offers for ${group.nodeType} would help` };
  const change = { CacheNodeType: best, ApplyImmediately: true } as const;
  return {
    kind: 'node-type',
    call:
      group.kind === 'cluster'
        ? { call: 'ModifyCacheCluster', params: { CacheClusterId: group.id, ...change } }
        : { call: 'ModifyReplicationGroup', params: { ReplicationGroupId: group.id, ...change } },
    says: `${group.nodeType} -> ${best}`,
    adds: {},
  };
};

const named = (group: Group, shards: readonly string[]): string =>
  shards.length === group.shards.length
    ? group.shards.length === 1
      ? group.id
      : `each of ${group.shards.length} shards`
    : shards.length === 1
      ? `shard ${shards[0]}`
      : `shards ${shards.join(', ')}`;

/** The AWS CLI command that makes a call. */
export const commandLine = ({ call, params }: ElastiCacheCall): string =>
  [
    `aws elasticache ${kebab(call)}`,
    ...Object.entries(params).map(([name, value]) =>
      value === true
        ? `--${kebab(name)}`
        : `--${kebab(name)} ${typeof value === 'object' ? `'${JSON.stringify(value)}'` : value}`,
    ),
  ].join(' ');

const kebab = (name: string): string => name.replace(/(?!^)[A-Z]/g, '-$&').toLowerCase();
