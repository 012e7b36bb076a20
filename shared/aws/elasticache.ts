import {
  type CacheCluster,
  DecreaseReplicaCountCommand,
  DescribeCacheClustersCommand,
  DescribeReplicationGroupsCommand,
  DescribeServerlessCachesCommand,
  DescribeUpdateActionsCommand,
  ElastiCacheClient,
  IncreaseReplicaCountCommand,
  type IncreaseReplicaCountMessage,
  ListAllowedNodeTypeModificationsCommand,
  ListTagsForResourceCommand,
  ModifyCacheClusterCommand,
  type ModifyCacheClusterMessage,
  ModifyReplicationGroupCommand,
  type ModifyReplicationGroupMessage,
  ModifyReplicationGroupShardConfigurationCommand,
  type ModifyReplicationGroupShardConfigurationMessage,
  ModifyServerlessCacheCommand,
  type ModifyServerlessCacheRequest,
  type ReplicationGroup,
  type ServerlessCache,
} from '@aws-sdk/client-elasticache';
import { client, isErrorNamed } from './client.ts';
import { allPages, chunksOf, type Page } from './pages.ts';

const elasticache = () => client(ElastiCacheClient);

/** Changes are made once: ElastiCache knows no client token, so whether a call without an answer took effect is read from the facts. */
const elasticacheOnce = () => client(ElastiCacheClient, { maxAttempts: 1 });

/** From this many on, all are read: 100 a page cost less than one call each. */
const ONE_BY_ONE = 5;
const PAGE = 100;

/** Those with these ids, by id: one call each in parallel, or for many all pages. One that does not exist is absent. */
const byId = async <T>(
  ids: readonly string[],
  idOf: (item: T) => string | undefined,
  gone: readonly string[],
  read: (ask: { readonly id: string } | { readonly marker: string | undefined }) => Promise<Page<T>>,
): Promise<ReadonlyMap<string, T>> => {
  const wanted = new Set(ids);
  const found = new Map<string, T>();
  const keep = (items: readonly T[] = []) => {
    for (const item of items) {
      const id = idOf(item);
      if (id !== undefined && wanted.has(id)) found.set(id, item);
    }
  };
  if (wanted.size <= ONE_BY_ONE) {
    const one = async (id: string) => {
      try {
        keep((await read({ id })).items);
      } catch (error) {
        if (!isErrorNamed(error, ...gone)) throw error;
      }
    };
    await Promise.all([...wanted].map(one));
    return found;
  }
  keep(await allPages((marker) => read({ marker })));
  return found;
};

/**
 * Replication groups by id.
 * @iam elasticache:DescribeReplicationGroups
 */
export const describeReplicationGroups = (ids: readonly string[]): Promise<ReadonlyMap<string, ReplicationGroup>> =>
  byId(
    ids,
    (group) => group.ReplicationGroupId,
    ['ReplicationGroupNotFoundFault'],
    async (ask) => {
      const { ReplicationGroups, Marker } = await elasticache().send(
        new DescribeReplicationGroupsCommand(
          'id' in ask ? { ReplicationGroupId: ask.id } : { MaxRecords: PAGE, ...after(ask.marker) },
        ),
      );
      return { items: ReplicationGroups, next: Marker };
    },
  );

/**
 * Cache clusters by id: standalone ones, and the members of replication groups.
 * @iam elasticache:DescribeCacheClusters
 */
export const describeCacheClusters = (ids: readonly string[]): Promise<ReadonlyMap<string, CacheCluster>> =>
  byId(
    ids,
    (cluster) => cluster.CacheClusterId,
    ['CacheClusterNotFound', 'CacheClusterNotFoundFault'],
    async (ask) => {
      const { CacheClusters, Marker } = await elasticache().send(
        new DescribeCacheClustersCommand(
          'id' in ask ? { CacheClusterId: ask.id } : { MaxRecords: PAGE, ...after(ask.marker) },
        ),
      );
      return { items: CacheClusters, next: Marker };
    },
  );

/**
 * Ids of all Redis and Valkey clusters that belong to no replication group.
 * @iam elasticache:DescribeCacheClusters
 */
export const standaloneClusters = async (): Promise<Set<string>> => {
  const clusters = await allPages(async (marker) => {
    const { CacheClusters, Marker } = await elasticache().send(
      new DescribeCacheClustersCommand({
        ShowCacheClustersNotInReplicationGroups: true,
        MaxRecords: PAGE,
        ...after(marker),
      }),
    );
    return { items: CacheClusters, next: Marker };
  });
  // Emulators know no ShowCacheClustersNotInReplicationGroups.
  const alone = clusters.filter(({ ReplicationGroupId, Engine }) => !ReplicationGroupId && Engine !== 'memcached');
  return new Set(alone.flatMap(({ CacheClusterId }) => CacheClusterId ?? []));
};

/**
 * Serverless caches by name.
 * @iam elasticache:DescribeServerlessCaches
 */
export const describeServerlessCaches = (names: readonly string[]): Promise<ReadonlyMap<string, ServerlessCache>> =>
  byId(
    names,
    (cache) => cache.ServerlessCacheName,
    ['ServerlessCacheNotFoundFault'],
    async (ask) => {
      const { ServerlessCaches, NextToken } = await elasticache().send(
        new DescribeServerlessCachesCommand(
          'id' in ask
            ? { ServerlessCacheName: ask.id }
            : { MaxResults: PAGE, ...(ask.marker !== undefined && { NextToken: ask.marker }) },
        ),
      );
      return { items: ServerlessCaches, next: NextToken };
    },
  );

const after = (marker: string | undefined) => (marker === undefined ? {} : { Marker: marker });

/** Ids DescribeUpdateActions takes of one kind. */
const UPDATES_OF = 20;

/**
 * Ids of those replication groups and clusters to which a service update is being applied.
 * @iam elasticache:DescribeUpdateActions
 */
export const updatesUnderWay = async (groups: readonly string[], clusters: readonly string[]): Promise<Set<string>> => {
  const updating = new Set<string>();
  const read = async (of: { ReplicationGroupIds: string[] } | { CacheClusterIds: string[] }): Promise<void> => {
    const actions = await allPages(async (marker) => {
      const { UpdateActions, Marker } = await elasticache().send(
        new DescribeUpdateActionsCommand({
          ...of,
          UpdateActionStatus: ['in-progress', 'stopping'],
          ...after(marker),
        }),
      );
      return { items: UpdateActions, next: Marker };
    });
    for (const { ReplicationGroupId, CacheClusterId } of actions) {
      for (const id of [ReplicationGroupId, CacheClusterId]) if (id !== undefined) updating.add(id);
    }
  };
  await Promise.all([
    ...chunksOf(groups, UPDATES_OF).map((ReplicationGroupIds) => read({ ReplicationGroupIds })),
    ...chunksOf(clusters, UPDATES_OF).map((CacheClusterIds) => read({ CacheClusterIds })),
  ]);
  return updating;
};

/**
 * Node types it may grow to, in no order and across families; AWS answers only while it is available or snapshotting.
 * @iam elasticache:ListAllowedNodeTypeModifications
 */
export const allowedScaleUp = async (
  of: { readonly ReplicationGroupId: string } | { readonly CacheClusterId: string },
): Promise<string[]> =>
  (await elasticache().send(new ListAllowedNodeTypeModificationsCommand(of))).ScaleUpModifications ?? [];

/**
 * Tags from ElastiCache itself, which answers only while the resource is available; `tagsOf` in tagging.ts always does.
 * @iam elasticache:ListTagsForResource
 */
export const tagsOfCache = async (arn: string): Promise<Record<string, string>> => {
  const { TagList = [] } = await elasticache().send(new ListTagsForResourceCommand({ ResourceName: arn }));
  return Object.fromEntries(TagList.map(({ Key = '', Value = '' }) => [Key, Value]));
};

/**
 * Counts are of replicas, without the primary. Asynchronous; no downtime.
 * @iam elasticache:IncreaseReplicaCount
 */
export const increaseReplicaCount = (input: IncreaseReplicaCountMessage) =>
  elasticacheOnce().send(new IncreaseReplicaCountCommand(input));

/**
 * Asynchronous; AWS chooses which replica goes.
 * @iam elasticache:DecreaseReplicaCount
 */
export const decreaseReplicaCount = (input: IncreaseReplicaCountMessage) =>
  elasticacheOnce().send(new DecreaseReplicaCountCommand(input));

/**
 * Asynchronous, and may take hours; the present count rebalances the slots.
 * @iam elasticache:ModifyReplicationGroupShardConfiguration
 */
export const modifyShardConfiguration = (input: ModifyReplicationGroupShardConfigurationMessage) =>
  elasticacheOnce().send(new ModifyReplicationGroupShardConfigurationCommand(input));

/**
 * With ApplyImmediately it also applies whatever else waits for the maintenance window. Asynchronous.
 * @iam elasticache:ModifyReplicationGroup
 */
export const modifyReplicationGroup = (input: ModifyReplicationGroupMessage) =>
  elasticacheOnce().send(new ModifyReplicationGroupCommand(input));

/**
 * Only for a cluster outside of replication groups. Asynchronous.
 * @iam elasticache:ModifyCacheCluster
 */
export const modifyCacheCluster = (input: ModifyCacheClusterMessage) =>
  elasticacheOnce().send(new ModifyCacheClusterCommand(input));

/**
 * Asynchronous.
 * @iam elasticache:ModifyServerlessCache
 */
export const modifyServerlessCache = (input: ModifyServerlessCacheRequest) =>
  elasticacheOnce().send(new ModifyServerlessCacheCommand(input));
