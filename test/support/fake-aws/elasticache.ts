import { AwsError, account, type Clock, type Input, Items, region, type Service } from './service.ts';

const MINUTE = 60_000;
const SLOTS = 16_384;

export interface FakeNode {
  readonly id: string;
  primary: boolean;
}

export interface FakeNodeGroup {
  readonly id: string;
  slots: number;
  readonly nodes: FakeNode[];
}

export interface FakeGroup {
  readonly id: string;
  readonly arn: string;
  status: string;
  readonly clusterMode: 'enabled' | 'disabled' | 'compatible';
  nodeType: string;
  readonly engine: string;
  readonly engineVersion: string;
  /** Without cluster mode AWS tells the roles, but not of a member it has just made. */
  readonly tellsRoles: boolean;
  readonly failover: boolean;
  tags: Record<string, string>;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly shards: FakeNodeGroup[];
  /** Types it may grow to. */
  scaleUp: string[];
  /** How long a change takes, ms. */
  changeMs: number;
  readonly maintenanceWindow: string;
  readonly snapshotWindow: string;
  readonly logGroup: string | null;
  readonly globalReplicationGroupId: string | null;
  pendingEngineVersion: string | null;
  /** What else waits for the maintenance window, as the group itself tells it. */
  readonly pending: Readonly<Record<string, string>>;
  updating: boolean;
  resharding: boolean;
  ends: { readonly at: number; readonly happen: () => void } | null;
  /** Counts nodes ever made: names are not used twice. */
  made: number;
}

export interface FakeCluster {
  readonly id: string;
  readonly arn: string;
  status: string;
  nodeType: string;
  readonly engine: string;
  tags: Record<string, string>;
  scaleUp: string[];
  updating: boolean;
}

export interface FakeServerless {
  readonly name: string;
  readonly arn: string;
  status: string;
  maximum: number | null;
  minimum: number | null;
  tags: Record<string, string>;
  ends: number | null;
}

interface Options {
  /** Nodes a group may have. */
  readonly nodesPerCluster?: number;
}

/**
 * ElastiCache: replication groups in both cluster modes, standalone clusters, serverless caches. Changes take time: available ->
 * modifying -> available. Refuses what AWS refuses, with the codes and messages it uses on the wire.
 */
export const fakeElastiCache = (clock: Clock, { nodesPerCluster = 90 }: Options = {}) => {
  const groups = new Map<string, FakeGroup>();
  const clusters = new Map<string, FakeCluster>();
  const caches = new Map<string, FakeServerless>();

  const settle = (group: FakeGroup): FakeGroup => {
    if (group.ends !== null && group.ends.at <= clock()) {
      const { happen } = group.ends;
      group.ends = null;
      group.resharding = false;
      group.status = 'available';
      happen();
    }
    return group;
  };

  const find = (id: unknown): FakeGroup => {
    const group = groups.get(String(id));
    if (group === undefined) {
      throw new AwsError('ReplicationGroupNotFoundFault', `ReplicationGroup ${id} not found.`, 404);
    }
    return settle(group);
  };

  const changeable = (input: Input): FakeGroup => {
    const group = find(input.ReplicationGroupId);
    if (input.ApplyImmediately !== 'true') {
      throw new AwsError('InvalidParameterValue', 'ApplyImmediately must be true for this operation');
    }
    if (group.status !== 'available') {
      throw new AwsError('InvalidReplicationGroupState', `Replication group must be in available state.`);
    }
    if (group.clusterMode === 'compatible') {
      throw new AwsError('InvalidReplicationGroupState', 'Scaling is not allowed while cluster mode is compatible.');
    }
    return group;
  };

  const change = (group: FakeGroup, happen: () => void): object => {
    group.status = 'modifying';
    group.ends = { at: clock() + group.changeMs, happen };
    return { ReplicationGroup: groupXml(group) };
  };

  const nodesOf = (group: FakeGroup): number => group.shards.reduce((sum, { nodes }) => sum + nodes.length, 0);

  const room = (group: FakeGroup, more: number): void => {
    if (nodesOf(group) + more <= nodesPerCluster) return;
    throw new AwsError(
      'NodeQuotaForClusterExceeded',
      `The request cannot be processed because it would exceed the allowed number of cache nodes in a single cluster.`,
    );
  };

  const addNode = (group: FakeGroup, shard: FakeNodeGroup, primary = false): void => {
    group.made++;
    const suffix = String(group.made).padStart(3, '0');
    shard.nodes.push({
      id: group.clusterMode === 'enabled' ? `${group.id}-${shard.id}-${suffix}` : `${group.id}-${suffix}`,
      primary,
    });
  };

  /** Shard -> replicas it shall have. */
  const replicaCounts = (group: FakeGroup, input: Input): Map<FakeNodeGroup, number> => {
    const uniform = input.NewReplicaCount;
    const listed = numbered(input, 'ReplicaConfiguration.ConfigureShard');
    if ((uniform === undefined) === (listed.length === 0)) {
      throw new AwsError(
        'InvalidParameterCombination',
        'Exactly one of NewReplicaCount and ReplicaConfiguration is required',
      );
    }
    if (uniform !== undefined) return new Map(group.shards.map((shard) => [shard, Number(uniform)]));
    return new Map(
      listed.map(({ NodeGroupId, NewReplicaCount }) => {
        const shard = group.shards.find(({ id }) => id === NodeGroupId);
        if (shard === undefined)
          throw new AwsError('InvalidParameterValue', `Node group ${NodeGroupId} does not exist`);
        return [shard, Number(NewReplicaCount)];
      }),
    );
  };

  const operations: Service['operations'] = {
    ListTagsForResource: (input: Input) => {
      const { status, tags } = find(String(input.ResourceName).split(':').at(-1));
      if (status !== 'available') {
        throw new AwsError('InvalidReplicationGroupState', 'Replication group must be in available state.');
      }
      return {
        TagList: new Items(
          'Tag',
          Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
        ),
      };
    },

    DescribeReplicationGroups: (input: Input) => {
      if (input.ReplicationGroupId !== undefined) {
        return { ReplicationGroups: new Items('ReplicationGroup', [groupXml(find(input.ReplicationGroupId))]) };
      }
      const all = [...groups.values()].map(settle);
      return paged(all, input, (some) => ({
        ReplicationGroups: new Items('ReplicationGroup', some.map(groupXml)),
      }));
    },

    DescribeCacheClusters: (input: Input) => {
      const members = [...groups.values()].map(settle).flatMap((group) =>
        group.shards.flatMap(({ nodes }) =>
          nodes.map(({ id }) => ({
            CacheClusterId: id,
            ReplicationGroupId: group.id,
            CacheClusterStatus: group.status,
            CacheNodeType: group.nodeType,
            Engine: group.engine,
            EngineVersion: group.engineVersion,
            NumCacheNodes: 1,
            PreferredMaintenanceWindow: group.maintenanceWindow,
            PendingModifiedValues:
              group.pendingEngineVersion === null ? {} : { EngineVersion: group.pendingEngineVersion },
            SnapshotWindow: group.snapshotWindow,
          })),
        ),
      );
      const alone = [...clusters.values()].map(({ id, arn, status, nodeType, engine }) => ({
        CacheClusterId: id,
        ARN: arn,
        CacheClusterStatus: status,
        CacheNodeType: nodeType,
        Engine: engine,
        EngineVersion: '7.1.0',
        NumCacheNodes: 1,
        PreferredMaintenanceWindow: 'sun:23:00-mon:01:30',
        PendingModifiedValues: {},
        SnapshotRetentionLimit: 0,
      }));
      const { CacheClusterId, ShowCacheClustersNotInReplicationGroups: onlyAlone } = input;
      const all = onlyAlone === 'true' ? alone : [...members, ...alone];
      if (CacheClusterId === undefined) {
        return paged(all, input, (some) => ({ CacheClusters: new Items('CacheCluster', some) }));
      }
      const found = all.filter((cluster) => cluster.CacheClusterId === CacheClusterId);
      if (found.length === 0) throw clusterNotFound(CacheClusterId);
      return { CacheClusters: new Items('CacheCluster', found) };
    },

    DescribeServerlessCaches: (input: Input) => {
      const { ServerlessCacheName } = input;
      if (ServerlessCacheName !== undefined) return { ServerlessCaches: [cacheXml(findCache(ServerlessCacheName))] };
      return { ServerlessCaches: [...caches.keys()].map((name) => cacheXml(findCache(name))) };
    },

    DescribeUpdateActions: (input: Input) => {
      const ofGroups = numbered(input, 'ReplicationGroupIds.member').map(String);
      const ofClusters = numbered(input, 'CacheClusterIds.member').map(String);
      if (ofGroups.length > 20 || ofClusters.length > 20) {
        throw new AwsError('InvalidParameterValue', 'At most 20 ids of a kind.');
      }
      const updating = <T extends { readonly id: string; readonly updating: boolean }>(
        all: ReadonlyMap<string, T>,
        asked: readonly string[],
      ) => [...all.values()].filter((one) => one.updating && asked.includes(one.id)).map(({ id }) => id);
      return {
        UpdateActions: new Items('UpdateAction', [
          ...updating(groups, ofGroups).map((id) => ({ ReplicationGroupId: id, UpdateActionStatus: 'in-progress' })),
          ...updating(clusters, ofClusters).map((id) => ({ CacheClusterId: id, UpdateActionStatus: 'in-progress' })),
        ]),
      };
    },

    ListAllowedNodeTypeModifications: (input: Input) => {
      const of =
        input.ReplicationGroupId === undefined ? findCluster(input.CacheClusterId) : find(input.ReplicationGroupId);
      if (!['available', 'snapshotting'].includes(of.status)) {
        throw new AwsError('InvalidReplicationGroupState', `${of.id} is not available.`);
      }
      return { ScaleUpModifications: of.scaleUp, ScaleDownModifications: [] };
    },

    IncreaseReplicaCount: (input: Input) => {
      const group = changeable(input);
      const counts = replicaCounts(group, input);
      for (const [{ id, nodes }, count] of counts) {
        if (count <= nodes.length - 1) {
          throw new AwsError('InvalidParameterValue', `NewReplicaCount must be greater than that of node group ${id}.`);
        }
        if (count > 5) throw new AwsError('InvalidParameterValue', 'The maximum number of replicas is 5.');
      }
      room(
        group,
        [...counts].reduce((sum, [{ nodes }, count]) => sum + count + 1 - nodes.length, 0),
      );
      return change(group, () => {
        for (const [shard, count] of counts) while (shard.nodes.length - 1 < count) addNode(group, shard);
      });
    },

    DecreaseReplicaCount: (input: Input) => {
      const group = changeable(input);
      const counts = replicaCounts(group, input);
      for (const [{ id, nodes }, count] of counts) {
        if (count < 0 || count >= nodes.length - 1) {
          throw new AwsError('InvalidParameterValue', `NewReplicaCount must be less than that of node group ${id}.`);
        }
        if (group.clusterMode === 'disabled' && group.failover && count < 1) {
          throw new AwsError(
            'InvalidParameterValue',
            'Must have at least 1 replica when cluster mode is disabled with auto failover enabled.',
          );
        }
      }
      return change(group, () => {
        for (const [{ nodes }, count] of counts) {
          while (nodes.length - 1 > count)
            nodes.splice(
              nodes.findLastIndex(({ primary }) => !primary),
              1,
            );
        }
      });
    },

    ModifyReplicationGroupShardConfiguration: (input: Input) => {
      const group = changeable(input);
      if (group.clusterMode !== 'enabled') {
        throw new AwsError('InvalidReplicationGroupState', 'Resharding needs cluster mode enabled.');
      }
      const count = Number(input.NodeGroupCount);
      const remove = numbered(input, 'NodeGroupsToRemove.NodeGroupToRemove').map(String);
      const now = group.shards.length;
      if (!Number.isInteger(count) || count < 1) throw new AwsError('InvalidParameterValue', 'NodeGroupCount');
      if (count < now && remove.length !== now - count) {
        throw new AwsError('InvalidParameterValue', 'NodeGroupsToRemove or NodeGroupsToRetain is required.');
      }
      if (count >= now && remove.length > 0) {
        throw new AwsError('InvalidParameterCombination', 'NodeGroupsToRemove is only for fewer node groups.');
      }
      if (remove.some((id) => !group.shards.some((shard) => shard.id === id))) {
        throw new AwsError('InvalidParameterValue', 'NodeGroupsToRemove names a node group that does not exist.');
      }
      const each = Math.min(...group.shards.map(({ nodes }) => nodes.length));
      room(group, Math.max(0, count - now) * each);
      group.resharding = true;
      return change(group, () => {
        for (const id of remove)
          group.shards.splice(
            group.shards.findIndex((shard) => shard.id === id),
            1,
          );
        while (group.shards.length < count) {
          const next = Math.max(...group.shards.map(({ id }) => Number(id))) + 1;
          const shard: FakeNodeGroup = { id: String(next).padStart(4, '0'), slots: 0, nodes: [] };
          for (let i = 0; i < each; i++) addNode(group, shard, i === 0);
          group.shards.push(shard);
        }
        spread(group);
      });
    },

    ModifyReplicationGroup: (input: Input) => {
      const group = changeable(input);
      const { CacheNodeType } = input;
      if (typeof CacheNodeType !== 'string') {
        throw new AwsError('InvalidParameterCombination', 'No modifications were requested');
      }
      if (!group.scaleUp.includes(CacheNodeType)) {
        throw new AwsError(
          'InvalidParameterValue',
          `The cache node type ${CacheNodeType} is not valid for ${group.id}.`,
        );
      }
      return change(group, () => {
        group.nodeType = CacheNodeType;
      });
    },

    ModifyCacheCluster: (input: Input) => {
      const cluster = findCluster(input.CacheClusterId);
      const { CacheNodeType } = input;
      if (cluster.status !== 'available') throw new AwsError('InvalidCacheClusterState', 'Not available.');
      if (typeof CacheNodeType !== 'string' || !cluster.scaleUp.includes(CacheNodeType)) {
        throw new AwsError('InvalidParameterValue', `The cache node type ${CacheNodeType} is not valid.`);
      }
      cluster.nodeType = CacheNodeType;
      return { CacheCluster: { CacheClusterId: cluster.id, CacheClusterStatus: 'modifying' } };
    },

    ModifyServerlessCache: (input: Input) => {
      const cache = findCache(input.ServerlessCacheName);
      if (cache.status !== 'available') throw new AwsError('InvalidServerlessCacheStateFault', 'Not available.');
      const maximum = Number(input['CacheUsageLimits.ECPUPerSecond.Maximum']);
      const minimum = input['CacheUsageLimits.ECPUPerSecond.Minimum'];
      if (!(maximum >= 1_000 && maximum <= 15_000_000)) {
        throw new AwsError('InvalidParameterValue', 'ECPUPerSecond.Maximum: from 1000 to 15000000');
      }
      cache.maximum = maximum;
      if (minimum !== undefined) cache.minimum = Number(minimum);
      cache.status = 'modifying';
      cache.ends = clock() + MINUTE;
      return { ServerlessCache: cacheXml(cache) };
    },
  };

  const findCluster = (id: unknown): FakeCluster => {
    const cluster = clusters.get(String(id));
    if (cluster === undefined) throw clusterNotFound(id);
    return cluster;
  };
  const findCache = (name: unknown): FakeServerless => {
    const cache = caches.get(String(name));
    if (cache === undefined) throw new AwsError('ServerlessCacheNotFoundFault', `${name} not found.`, 404);
    if (cache.ends !== null && cache.ends <= clock()) Object.assign(cache, { ends: null, status: 'available' });
    return cache;
  };

  return {
    service: { name: 'elasticache', xml: true, operations } satisfies Service,
    /** Creates an available group: `shards` of one primary and `replicas` each, in cluster mode where there are several. */
    createGroup: (
      id: string,
      {
        shards = 1,
        replicas = 1,
        ...options
      }: Partial<Omit<FakeGroup, 'shards'>> & { shards?: number; replicas?: number } = {},
    ): FakeGroup => {
      const group: FakeGroup = {
        id,
        arn: `arn:aws:elasticache:${region}:${account}:replicationgroup:${id}`,
        status: 'available',
        clusterMode: shards > 1 ? 'enabled' : 'disabled',
        nodeType: 'cache.r7g.xlarge',
        engine: 'redis',
        engineVersion: '7.1.0',
        tellsRoles: true,
        failover: true,
        tags: { 'reflex:enabled': 'true' },
        createdAt: clock(),
        shards: [],
        scaleUp: ['cache.r7g.2xlarge', 'cache.r7g.4xlarge'],
        changeMs: 10 * MINUTE,
        maintenanceWindow: 'sun:23:00-mon:01:30',
        snapshotWindow: '09:00-10:00',
        logGroup: null,
        globalReplicationGroupId: null,
        pendingEngineVersion: null,
        pending: {},
        updating: false,
        resharding: false,
        ends: null,
        made: 0,
        ...options,
      };
      for (let i = 1; i <= shards; i++) {
        const shard: FakeNodeGroup = { id: String(i).padStart(4, '0'), slots: 0, nodes: [] };
        // After a failover the first node is no longer the primary.
        for (let n = 0; n <= replicas; n++) addNode(group, shard, n === replicas);
        group.shards.push(shard);
      }
      spread(group);
      groups.set(id, group);
      return group;
    },
    createCluster: (id: string, options: Partial<FakeCluster> = {}): FakeCluster => {
      const cluster: FakeCluster = {
        id,
        arn: `arn:aws:elasticache:${region}:${account}:cluster:${id}`,
        status: 'available',
        nodeType: 'cache.m5.xlarge',
        engine: 'redis',
        tags: { 'reflex:enabled': 'true' },
        scaleUp: ['cache.m5.2xlarge'],
        updating: false,
        ...options,
      };
      clusters.set(id, cluster);
      return cluster;
    },
    createServerless: (name: string, options: Partial<FakeServerless> = {}): FakeServerless => {
      const cache: FakeServerless = {
        name,
        arn: `arn:aws:elasticache:${region}:${account}:serverlesscache:${name}`,
        status: 'available',
        maximum: null,
        minimum: null,
        tags: { 'reflex:enabled': 'true' },
        ends: null,
        ...options,
      };
      caches.set(name, cache);
      return cache;
    },
    /** A group as it is now. */
    group: (id: string): FakeGroup => find(id),
    serverless: (name: string): FakeServerless => findCache(name),
    groups: (): FakeGroup[] => [...groups.values()].map(settle),
    deleteGroup: (id: string): void => void groups.delete(id),
    /** Members of a group carry its tags as well. */
    tagged: () => [
      ...[...groups.values()].flatMap(({ shards, tags }) =>
        shards.flatMap(({ nodes }) =>
          nodes.map(({ id }) => ({ arn: `arn:aws:elasticache:${region}:${account}:cluster:${id}`, tags })),
        ),
      ),
      ...[...groups.values(), ...clusters.values(), ...caches.values()].map(({ arn, tags }) => ({ arn, tags })),
    ],
  };
};

export type FakeElastiCache = ReturnType<typeof fakeElastiCache>;

/** A query service's form: `params` as the SDK puts them on the wire. */
export const toForm = (params: object): Record<string, string> => {
  const item: Readonly<Record<string, string>> = {
    ReplicaConfiguration: 'ConfigureShard',
    NodeGroupsToRemove: 'NodeGroupToRemove',
  };
  const form: Record<string, string> = {};
  const put = (name: string, value: unknown): void => {
    if (Array.isArray(value)) {
      for (const [i, one] of value.entries()) put(`${name}.${item[name] ?? 'member'}.${i + 1}`, one);
    } else if (typeof value === 'object' && value !== null) {
      for (const [inner, one] of Object.entries(value)) put(`${name}.${inner}`, one);
    } else form[name] = String(value);
  };
  for (const [name, value] of Object.entries(params)) put(name, value);
  return form;
};

/** `Name.1.Field=value` as records, `Name.1=value` as values. */
const numbered = (input: Input, name: string): Record<string, string>[] => {
  const found: Record<string, string>[] = [];
  for (const [key, value] of Object.entries(input)) {
    if (!key.startsWith(`${name}.`)) continue;
    const [index = '', field] = key.slice(name.length + 1).split('.');
    const at = Number(index) - 1;
    if (field === undefined) found[at] = String(value) as never;
    else found[at] = { ...found[at], [field]: String(value) };
  }
  return found;
};

const clusterNotFound = (id: unknown) => new AwsError('CacheClusterNotFound', `CacheCluster not found: ${id}`, 404);

const paged = <T>(all: readonly T[], input: Input, show: (some: readonly T[]) => object): object => {
  const size = Number(input.MaxRecords ?? 100);
  if (size < 20 || size > 100) throw new AwsError('InvalidParameterValue', 'MaxRecords must be between 20 and 100');
  const from = Number(input.Marker ?? 0);
  const more = from + size < all.length;
  return { ...show(all.slice(from, from + size)), ...(more && { Marker: String(from + size) }) };
};

const spread = ({ shards }: FakeGroup): void => {
  for (const [i, shard] of shards.entries()) {
    shard.slots = Math.floor((SLOTS * (i + 1)) / shards.length) - Math.floor((SLOTS * i) / shards.length);
  }
};

const groupXml = (group: FakeGroup): object => {
  let slot = 0;
  const enabled = group.clusterMode === 'enabled';
  return {
    ReplicationGroupId: group.id,
    ARN: group.arn,
    ReplicationGroupCreateTime: new Date(group.createdAt).toISOString(),
    Status: group.status,
    Engine: group.engine,
    CacheNodeType: group.nodeType,
    ClusterEnabled: enabled,
    ClusterMode: group.clusterMode,
    AutomaticFailover: group.failover ? 'enabled' : 'disabled',
    MultiAZ: 'disabled',
    SnapshotRetentionLimit: 1,
    SnapshotWindow: group.snapshotWindow,
    PendingModifiedValues: {
      ...group.pending,
      ...(group.resharding && { Resharding: { SlotMigration: { ProgressPercentage: 42 } } }),
    },
    MemberClusters: new Items(
      'ClusterId',
      group.shards.flatMap(({ nodes }) => nodes.map(({ id }) => id)),
    ),
    NodeGroups: new Items(
      'NodeGroup',
      group.shards.map(({ id, slots, nodes }) => {
        const from = slot;
        slot += slots;
        return {
          NodeGroupId: id,
          Status: 'available',
          ...(enabled && { Slots: `${from}-${from + slots - 1}` }),
          NodeGroupMembers: new Items(
            'NodeGroupMember',
            nodes.map((node) => ({
              CacheClusterId: node.id,
              CacheNodeId: '0001',
              // Only where cluster mode is disabled.
              ...(!enabled && group.tellsRoles && { CurrentRole: node.primary ? 'primary' : 'replica' }),
            })),
          ),
        };
      }),
    ),
    GlobalReplicationGroupInfo:
      group.globalReplicationGroupId === null
        ? {}
        : { GlobalReplicationGroupId: group.globalReplicationGroupId, GlobalReplicationGroupMemberRole: 'PRIMARY' },
    LogDeliveryConfigurations: new Items(
      'LogDeliveryConfiguration',
      group.logGroup === null
        ? []
        : [
            {
              LogType: 'slow-log',
              DestinationType: 'cloudwatch-logs',
              DestinationDetails: { CloudWatchLogsDetails: { LogGroup: group.logGroup } },
              LogFormat: 'json',
              Status: 'active',
            },
          ],
    ),
  };
};

const cacheXml = ({ name, arn, status, maximum, minimum }: FakeServerless): object => ({
  ServerlessCacheName: name,
  ARN: arn,
  Status: status,
  Engine: 'valkey',
  CacheUsageLimits:
    maximum === null && minimum === null
      ? {}
      : {
          ECPUPerSecond: {
            ...(maximum !== null && { Maximum: maximum }),
            ...(minimum !== null && { Minimum: minimum }),
          },
        },
});
