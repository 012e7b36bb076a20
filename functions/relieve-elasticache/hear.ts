import { type Concerned, type HeardAlarm, hearAlarms } from '../../shared/alarms.ts';
import { describeCacheClusters } from '../../shared/aws/elasticache.ts';
import type { ReflexEvent } from '../../shared/events/event.ts';
import type { Heard } from '../../shared/function.ts';
import { type CacheKind, cacheArn } from './arns.ts';

/**
 * Which caches an event concerns, by the dimensions of its ElastiCache metrics: a replication group, a serverless cache, or a node,
 * whose group ElastiCache is asked for. A node's name does not tell its group: both may hold dashes, and nodes may be named freely.
 */
export const hear = (events: readonly ReflexEvent[]): Promise<Heard[]> => hearAlarms(events, concerned);

/** ElastiCache's own limits; anything else cannot be a cache, and AWS would refuse the whole batch for it. */
const NAME = /^[a-zA-Z][a-zA-Z0-9-]{0,49}$/;

interface Named {
  readonly kind: CacheKind;
  readonly id: string;
}

const concerned = async (alarms: readonly HeardAlarm[]): Promise<Concerned[]> => {
  const named = alarms.map(({ metrics }) =>
    metrics
      .filter(({ namespace }) => namespace === 'AWS/ElastiCache')
      .map(({ dimensions }) => nameIn(dimensions))
      .filter((name) => name !== undefined && NAME.test(name.id))
      .filter((name) => name !== undefined),
  );
  const nodes = named.flat().flatMap(({ kind, id }) => (kind === 'cluster' ? [id] : []));
  let groupOf: ReadonlyMap<string, string>;
  let failed: { readonly error: unknown } | undefined;
  try {
    groupOf = nodes.length === 0 ? new Map() : await groups(nodes);
  } catch (error) {
    groupOf = new Map();
    failed = { error };
  }
  return alarms.map(({ alarm }, i): Concerned => {
    const names = named[i] ?? [];
    if (names.length === 0) return { notForUs: 'no-cache-dimension' };
    if (failed !== undefined && names.some(({ kind }) => kind === 'cluster')) return failed;
    const resources = names.map(({ kind, id }) => {
      const group = kind === 'cluster' ? groupOf.get(id) : undefined;
      return group === undefined ? cacheArn(alarm, kind, id) : cacheArn(alarm, 'replicationgroup', group);
    });
    return { resources };
  });
};

/** Alarms of Application Auto Scaling name the group, serverless metrics the cache by either of two dimensions. */
const nameIn = (dimensions: Readonly<Record<string, string>>): Named | undefined => {
  const { ReplicationGroupId, CacheClusterId, clusterId, ServerlessCacheName } = dimensions;
  if (ReplicationGroupId !== undefined) return { kind: 'replicationgroup', id: ReplicationGroupId };
  if (CacheClusterId !== undefined) return { kind: 'cluster', id: CacheClusterId };
  const id = clusterId ?? ServerlessCacheName;
  return id === undefined ? undefined : { kind: 'serverlesscache', id };
};

/** Node -> its replication group; a standalone node, or one that is gone, has none. */
const groups = async (nodes: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const described = await describeCacheClusters(nodes);
  return new Map(
    [...described].flatMap(([id, { ReplicationGroupId }]): [string, string][] =>
      ReplicationGroupId === undefined ? [] : [[id, ReplicationGroupId]],
    ),
  );
};
