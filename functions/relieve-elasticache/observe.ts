import type {
  CacheCluster,
  LogDeliveryConfiguration,
  PendingModifiedValues,
  ReplicationGroup,
  ReplicationGroupPendingModifiedValues,
  ServerlessCache,
} from '@aws-sdk/client-elasticache';
import { scalableDimensions } from '../../shared/aws/application-autoscaling.ts';
import { getMetricData, type MetricQuery, type Points } from '../../shared/aws/cloudwatch.ts';
import {
  allowedScaleUp,
  describeCacheClusters,
  describeReplicationGroups,
  describeServerlessCaches,
  updatesUnderWay,
} from '../../shared/aws/elasticache.ts';
import { recentMessages } from '../../shared/aws/logs.ts';
import { tagsOf } from '../../shared/aws/tagging.ts';
import { vcpusOfTypes } from '../../shared/cache-vcpus.ts';
import { skip } from '../../shared/decision.ts';
import type { Observed, Watch } from '../../shared/function.ts';
import { once, reading } from '../../shared/reads.ts';
import { parseCacheArn } from './arns.ts';
import { lagInSeconds } from './engine.ts';
import type { CacheFacts, CacheNode, GroupFacts, ServerlessFacts, SlowLog } from './facts.ts';
import { HISTORY, loadOf, NODE_METRICS } from './load.ts';
import { topCommands } from './slow-log.ts';

const MINUTE = 60_000;
/** Slow log entries of this long, and so many of them, are enough to see a pattern. */
const SLOW_LOG_WINDOW = 10 * MINUTE;
const SLOW_LOG_ENTRIES = 1_000;

/**
 * Reads the facts of caches in two round trips: all that needs only the ids, then what the answers call for (metrics of the nodes,
 * the slow log, what only a member says). Caches of one batch share every call that takes several.
 */
export const observe =
  (clock: () => number) =>
  async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<CacheFacts>>> => {
    const asOf = clock();
    const arns = watches.map(({ resource }) => resource);
    const ids = (kind: string) => arns.map(parseCacheArn).flatMap((arn) => (arn.kind === kind ? [arn.id] : []));
    const [groupIds, clusterIds, cacheNames] = [ids('replicationgroup'), ids('cluster'), ids('serverlesscache')];

    const [tags, groups, clusters, caches, scaled, updating, allowed] = await Promise.all([
      tagsOf(arns),
      some(groupIds, describeReplicationGroups),
      some(clusterIds, describeCacheClusters),
      some(cacheNames, describeServerlessCaches),
      some(groupIds.map(scalableId), (all) => scalableDimensions('elasticache', all)),
      // Without it only replicas are changed.
      groupIds.length + clusterIds.length === 0 ? null : updatesUnderWay(groupIds, clusterIds).catch(() => null),
      allowedTypes(arns),
    ]);

    const observed = new Map<string, Observed<CacheFacts>>();
    const found = arns.flatMap((arn): Found[] => {
      const { kind, id } = parseCacheArn(arn);
      const base = { asOf, arn, id, tags: tags.get(arn) ?? {} };
      const group = kind === 'replicationgroup' ? groups.get(id) : undefined;
      const cluster = kind === 'cluster' ? clusters.get(id) : undefined;
      const cache = kind === 'serverlesscache' ? caches.get(id) : undefined;
      if (group !== undefined) return [{ ...base, group, members: membersOf(group) }];
      if (cluster?.ReplicationGroupId) {
        const why = `${id} is a node of replication group ${cluster.ReplicationGroupId}, which is looked at as a whole.`;
        observed.set(arn, { decision: skip('node-of-group', why) });
        return [];
      }
      if (cluster !== undefined) return [{ ...base, cluster, members: nodesOf(cluster) }];
      if (cache !== undefined) return [{ ...base, cache, members: [] }];
      observed.set(arn, { decision: skip('cache-gone', `${arn} does not exist.`) });
      return [];
    });

    const lookUp = once(async (type) => (await vcpusOfTypes([type])).get(type) ?? null);
    const [metrics, spokesmen, vcpus, slowLogs] = await Promise.all([
      readMetrics(found, asOf),
      // What only a member says, and all members alike.
      some(
        found.flatMap(({ group, members: [first] }) => (group && first ? [first.id] : [])),
        describeCacheClusters,
      ),
      Promise.all(found.map((one) => reading(() => lookUp(nodeTypeOf(one))))),
      Promise.all(found.map((one) => slowLogOf(one, asOf))),
    ]);

    for (const [i, one] of found.entries()) {
      const looked = vcpus[i] ?? { value: null };
      if ('error' in looked) {
        observed.set(one.arn, looked);
        continue;
      }
      const ofNode = metrics[i] ?? (() => []);
      const facts = one.cache
        ? serverlessFacts(one, one.cache, ofNode)
        : groupFacts(one, ofNode, {
            spokesman: one.cluster ?? spokesmen.get(one.members[0]?.id ?? ''),
            vcpus: looked.value,
            autoscaled: (scaled.get(scalableId(one.id)) ?? []).map((dimension) => dimension.split(':').at(-1) ?? ''),
            updating: updating === null ? null : updating.has(one.id),
            allowedTypes: allowed.get(one.arn) ?? null,
            slowLog: slowLogs[i] ?? { logGroup: null, commands: null },
          });
      observed.set(one.arn, { facts });
    }
    return observed;
  };

interface Member {
  readonly id: string;
  readonly nodeId: string;
  readonly shard: string;
  readonly currentRole: string | undefined;
}

/** A cache that exists: one of the three kinds. */
interface Found {
  readonly asOf: number;
  readonly arn: string;
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly members: readonly Member[];
  readonly group?: ReplicationGroup;
  readonly cluster?: CacheCluster;
  readonly cache?: ServerlessCache;
}

/** Nothing is asked about nothing: to several calls an empty list means everything. */
const some = async <T>(
  ids: readonly string[],
  read: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): Promise<ReadonlyMap<string, T>> => (ids.length === 0 ? new Map() : read(ids));

const scalableId = (groupId: string): string => `replication-group/${groupId}`;

/** AWS answers only for what is available; whether that is so, the other facts say. */
const allowedTypes = async (arns: readonly string[]): Promise<ReadonlyMap<string, string[]>> => {
  const one = async (arn: string): Promise<[string, string[]][]> => {
    const { kind, id } = parseCacheArn(arn);
    if (kind === 'serverlesscache') return [];
    try {
      const types = await allowedScaleUp(kind === 'cluster' ? { CacheClusterId: id } : { ReplicationGroupId: id });
      return [[arn, types]];
    } catch {
      return [];
    }
  };
  return new Map((await Promise.all(arns.map(one))).flat());
};

const membersOf = ({ NodeGroups = [] }: ReplicationGroup): Member[] =>
  NodeGroups.flatMap(({ NodeGroupId = '', NodeGroupMembers = [] }) =>
    NodeGroupMembers.flatMap(({ CacheClusterId, CacheNodeId = '0001', CurrentRole }) =>
      CacheClusterId === undefined
        ? []
        : [{ id: CacheClusterId, nodeId: CacheNodeId, shard: NodeGroupId, currentRole: CurrentRole }],
    ),
  );

/** A standalone node of Redis or Valkey is its own primary. */
const STANDALONE = '0001';
const nodesOf = ({ CacheClusterId = '', Engine }: CacheCluster): Member[] =>
  Engine === 'memcached' ? [] : [{ id: CacheClusterId, nodeId: STANDALONE, shard: STANDALONE, currentRole: 'primary' }];

const nodeTypeOf = ({ group, cluster }: Found): string => group?.CacheNodeType ?? cluster?.CacheNodeType ?? '';

type Read = (metric: string, node: string) => Points;

const SERVERLESS_METRICS = ['ThrottledCmds', 'ElastiCacheProcessingUnits'] as const;
/** The documentation names both. */
const SERVERLESS_DIMENSIONS = ['clusterId', 'ServerlessCacheName'] as const;

/** One-minute metrics of all nodes of all caches in one reading. */
const readMetrics = async (found: readonly Found[], asOf: number): Promise<Read[]> => {
  const queries = found.map(({ id, members, cache }) =>
    cache === undefined
      ? members.flatMap((member) =>
          NODE_METRICS.map(([name, stat]) => ({
            node: member.id,
            query: {
              namespace: 'AWS/ElastiCache',
              name,
              stat,
              dimensions: { CacheClusterId: member.id, CacheNodeId: member.nodeId },
            } satisfies MetricQuery,
          })),
        )
      : SERVERLESS_DIMENSIONS.flatMap((dimension) =>
          SERVERLESS_METRICS.map((name) => ({
            node: dimension,
            query: {
              namespace: 'AWS/ElastiCache',
              name,
              stat: 'Sum',
              dimensions: { [dimension]: id },
            } satisfies MetricQuery,
          })),
        ),
  );
  const all = queries.flat();
  const range = { start: asOf - HISTORY, end: asOf + MINUTE, periodSeconds: 60 };
  const series =
    all.length === 0
      ? []
      : await getMetricData(
          all.map(({ query }) => query),
          range,
        );
  let from = 0;
  return queries.map((own) => {
    const first = from;
    from += own.length;
    const byName = new Map(own.map(({ node, query }, i) => [`${node} ${query.name}`, series[first + i] ?? []]));
    return (metric, node) => byName.get(`${node} ${metric}`) ?? [];
  });
};

/** That it cannot be read stops nothing. */
const slowLogOf = async ({ group, cluster, members }: Found, asOf: number): Promise<SlowLog> => {
  const delivery = (group ?? cluster)?.LogDeliveryConfigurations?.find(isSlowLog);
  const logGroup = delivery?.DestinationDetails?.CloudWatchLogsDetails?.LogGroup ?? null;
  if (logGroup === null) return { logGroup, commands: null };
  try {
    const range = { start: asOf - SLOW_LOG_WINDOW, end: asOf };
    const messages = await recentMessages(logGroup, range, SLOW_LOG_ENTRIES);
    return {
      logGroup,
      commands: topCommands(
        messages,
        members.map(({ id }) => id),
      ),
    };
  } catch {
    return { logGroup, commands: null };
  }
};

const isSlowLog = ({ LogType, DestinationType }: LogDeliveryConfiguration): boolean =>
  LogType === 'slow-log' && DestinationType === 'cloudwatch-logs';

interface Rest extends Pick<GroupFacts, 'vcpus' | 'autoscaled' | 'updating' | 'allowedTypes' | 'slowLog'> {
  /** The member that tells for all. */
  readonly spokesman: CacheCluster | undefined;
}

const groupFacts = (
  { asOf, arn, id, tags, group, cluster, members }: Found,
  read: Read,
  { spokesman, ...rest }: Rest,
): GroupFacts => {
  const described = group ?? cluster ?? {};
  const clusterMode = group?.ClusterMode ?? (group?.ClusterEnabled ? 'enabled' : 'disabled');
  const engine = {
    engine: group?.Engine ?? spokesman?.Engine ?? 'redis',
    engineVersion: spokesman?.EngineVersion ?? null,
    tls: described.TransitEncryptionEnabled ?? false,
  };
  return {
    ...rest,
    ...engine,
    kind: group === undefined ? 'cluster' : 'replication-group',
    asOf,
    arn,
    id,
    tags,
    status: group?.Status ?? cluster?.CacheClusterStatus ?? '',
    clusterMode,
    createdAt: (group?.ReplicationGroupCreateTime ?? cluster?.CacheClusterCreateTime)?.getTime() ?? null,
    nodeType: described.CacheNodeType ?? '',
    shards:
      group === undefined
        ? [{ id: STANDALONE, status: 'available', slots: null }]
        : (group.NodeGroups ?? []).map(({ NodeGroupId = '', Status = '', Slots }) => ({
            id: NodeGroupId,
            status: Status,
            slots: Slots === undefined || Slots === '' ? null : countSlots(Slots),
          })),
    nodes: members.map((member): CacheNode => {
      const load = loadOf((metric) => read(metric, member.id), asOf);
      return {
        id: member.id,
        shard: member.shard,
        role: roleOf(member, clusterMode, load.isMaster),
        load: { ...load, replicationLag: lagInSeconds(load.replicationLag, engine) },
      };
    }),
    members: group?.MemberClusters?.length ?? members.length,
    resharding: group?.PendingModifiedValues?.Resharding !== undefined,
    failover: ['enabled', 'enabling'].includes(group?.AutomaticFailover ?? '') || group?.MultiAZ === 'enabled',
    globalReplicationGroupId: group?.GlobalReplicationGroupInfo?.GlobalReplicationGroupId ?? null,
    pending: pendingIn({ ...spokesman?.PendingModifiedValues, ...group?.PendingModifiedValues }),
    maintenanceWindow: spokesman?.PreferredMaintenanceWindow ?? null,
    snapshotWindow: (described.SnapshotRetentionLimit ?? 0) > 0 ? (described.SnapshotWindow ?? null) : null,
  };
};

/** A change that is waiting: of a node type or an engine, which; of anything else, that there is one. Resharding waits for nothing. */
const pendingIn = ({
  Resharding: _,
  ...waiting
}: PendingModifiedValues & ReplicationGroupPendingModifiedValues): string | null => {
  const words = Object.entries(waiting)
    .filter(([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => {
      if (name === 'CacheNodeType') return `node type ${value}`;
      return name === 'EngineVersion' ? `engine version ${value}` : name;
    });
  return words.length === 0 ? null : words.join(' and ');
};

/** `0-5461,10923-16383`: ranges, both ends included, or single slots. */
const countSlots = (slots: string): number =>
  slots
    .split(',')
    .map((range) => range.split('-').map(Number))
    .reduce((sum, [from = 0, to = from]) => sum + to - from + 1, 0);

const roleOf = ({ currentRole }: Member, clusterMode: string, isMaster: boolean | null): CacheNode['role'] => {
  if (clusterMode !== 'enabled' && (currentRole === 'primary' || currentRole === 'replica')) return currentRole;
  return isMaster === null ? null : isMaster ? 'primary' : 'replica';
};

const RECENT = 10 * MINUTE;

const serverlessFacts = ({ asOf, arn, id, tags }: Found, cache: ServerlessCache, read: Read): ServerlessFacts => {
  const published = (metric: string): Points =>
    SERVERLESS_DIMENSIONS.map((dimension) => read(metric, dimension)).find((points) => points.length > 0) ?? [];
  const recent = (metric: string): Points => published(metric).filter(([at]) => at >= asOf - RECENT);
  const { Maximum, Minimum } = cache.CacheUsageLimits?.ECPUPerSecond ?? {};
  return {
    kind: 'serverless',
    asOf,
    arn,
    id,
    tags,
    // The API's reference has it in capitals, its answers do not.
    status: (cache.Status ?? '').toLowerCase(),
    // To ModifyServerlessCache 0 means no limit.
    ecpuMaximum: Maximum || null,
    ecpuMinimum: Minimum || null,
    ecpuPerSecond: recent('ElastiCacheProcessingUnits').map(([at, units]) => [at, units / 60] as const),
    throttled: recent('ThrottledCmds'),
  };
};
