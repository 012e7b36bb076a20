import type { Call } from '../../shared/decision.ts';
import { groupAround, listTypes, modify, setTag } from './commands.ts';
import { type Engine, inWords, NEWEST_REDIS } from './engine.ts';
import type { Added, GroupFacts, Memory, RemedyKind } from './facts.ts';
import { ioThreads, type Need, ranked } from './node-types.ts';
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
      { ServerlessCacheName: string; CacheUsageLimits: { ECPUPerSecond: { Maximum?: number; Minimum?: number } } }
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
  /** What would make it possible, with the command. */
  readonly unless?: string;
}

export const isPossible = (remedy: Remedy | Impossible): remedy is Remedy => 'call' in remedy;

/** ElastiCache allows a shard five replicas. */
const API_MAX_REPLICAS = 5;
/** Nodes AWS grants a group at most. */
const MOST_NODES = 500;
/** Shards are added a fifth at a time, at least one. */
const SHARD_STEP = 0.2;

type Group = Pick<
  GroupFacts,
  'id' | 'arn' | 'kind' | 'clusterMode' | 'shards' | 'nodes' | 'nodeType' | 'allowedTypes' | keyof Engine
>;

/** Nodes of a shard beyond its primary. */
export const replicasIn = ({ nodes }: Pick<Group, 'nodes'>, shard: string): number =>
  Math.max(0, nodes.filter((node) => node.shard === shard).length - 1);

/** Whether it is Reflex that set this count last: what somebody else has set since is theirs. */
export const isOurs = (added: Added | undefined, count: number): added is Added =>
  added !== undefined && added.count > 0 && count === added.from + added.count;

/** One replica more for each of these shards that may have one. */
export const addReplicas = (
  group: Group,
  policy: Policy,
  shards: readonly string[],
  memory: Memory,
): Remedy | Impossible => {
  if (group.kind === 'cluster') {
    return {
      because: 'a standalone node has no replicas',
      unless: `A replication group around it could have some: ${groupAround(group.id)}`,
    };
  }
  const most = Math.min(API_MAX_REPLICAS, policy.maxReplicas);
  const below = shards.filter((shard) => replicasIn(group, shard) < most);
  if (below.length === 0) {
    return most === API_MAX_REPLICAS
      ? { because: `${most} replicas a shard are the most` }
      : {
          because: `${most} replicas a shard are the most (reflex:max-replicas)`,
          unless: `To allow one more: ${setTag(group, 'max-replicas', most + 1)}`,
        };
  }
  const room = policy.maxNodes - group.nodes.length;
  const chosen = below.slice(0, Math.max(0, room));
  if (chosen.length === 0) return tooManyNodes(group, policy, below.length);
  return {
    kind: 'replicas',
    call: replicaCall('IncreaseReplicaCount', group, chosen, 1),
    says: `one replica more in ${named(group, chosen)}`,
    adds: { addedReplicas: { ...memory.addedReplicas, ...tally(group, memory, chosen, 1) } },
  };
};

const tooManyNodes = (group: Group, { maxNodes }: Policy, wanted: number): Impossible => ({
  because: `${maxNodes} nodes are the most (reflex:max-nodes)`,
  unless: `To allow ${wanted} more, as far as quota L-AF354865 does: ${setTag(group, 'max-nodes', Math.min(MOST_NODES, group.nodes.length + wanted))}`,
});

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
      const added = memory.addedReplicas?.[shard];
      const { from, count } = isOurs(added, now) ? added : { from: now, count: 0 };
      return [shard, { from, count: Math.max(0, count + step) }];
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
      ? {
          because: `${policy.maxShards} shards are the most (reflex:max-shards)`,
          unless: `To allow one more: ${setTag(group, 'max-shards', now + 1)}`,
        }
      : tooManyNodes(group, policy, each);
  }
  const { from, count } = isOurs(memory.addedShards, now) ? memory.addedShards : { from: now, count: 0 };
  return {
    kind: 'shards',
    call: shardCall(group, target),
    says: `${now} -> ${target} shards`,
    adds: { addedShards: { from, count: count + target - now } },
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
  const offered = `What AWS offers: ${listTypes(group)}`;
  if (group.allowedTypes === null) {
    return { because: 'the node types it may change to could not be read', unless: offered };
  }
  const [best] = ranked(group.nodeType, group.allowedTypes, need, group);
  if (best === undefined) {
    const held = need === 'engine' ? heldBack(group, group.allowedTypes) : undefined;
    return held === undefined
      ? { because: `no node type that AWS offers for ${group.nodeType} would help`, unless: offered }
      : {
          because: `${inWords(group)} leaves I/O threads of ${held} unused`,
          unless: `Upgrade the engine: ${modify(group, `--engine-version ${NEWEST_REDIS}`)}`,
        };
  }
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

/** The present node type, or else an allowed one, with I/O threads that only a newer engine would use. */
const heldBack = (group: Group, allowed: readonly string[]): string | undefined => {
  const newer = { ...group, engineVersion: NEWEST_REDIS };
  return [group.nodeType, ...ranked(group.nodeType, allowed, 'engine', newer)].find(
    (type) => ioThreads(type, newer) > ioThreads(type, group),
  );
};

const named = (group: Group, shards: readonly string[]): string =>
  shards.length === group.shards.length
    ? group.shards.length === 1
      ? group.id
      : `each of ${group.shards.length} shards`
    : shards.length === 1
      ? `shard ${shards[0]}`
      : `shards ${shards.join(', ')}`;
