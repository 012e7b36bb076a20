import type { ElastiCacheCall } from './remedies.ts';

/** AWS CLI commands for people: each runs as it stands. */

/** The command that makes a call. */
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

interface Cache {
  readonly kind: 'replication-group' | 'cluster' | 'serverless';
  readonly id: string;
}

/** Sets a tag of ours, such as `reflex:max-shards`. */
export const setTag = ({ arn }: { readonly arn: string }, setting: string, value: number | string): string =>
  `aws elasticache add-tags-to-resource --resource-name ${arn} --tags Key=reflex:${setting},Value=${value}`;

/** Changes a replication group or a standalone cluster. */
export const modify = (cache: Cache, options: string): string =>
  `aws elasticache modify-${cache.kind === 'cluster' ? 'cache-cluster' : 'replication-group'} ${named(cache)} --apply-immediately ${options}`;

/** The node types it may change to. */
export const listTypes = (cache: Cache): string =>
  `aws elasticache list-allowed-node-type-modifications ${named(cache)}`;

const named = ({ kind, id }: Cache): string =>
  kind === 'cluster' ? `--cache-cluster-id ${id}` : `--replication-group-id ${id}`;

const SOURCE_TYPES = {
  'replication-group': 'replication-group',
  cluster: 'cache-cluster',
  serverless: 'serverless-cache',
} as const;

/** What has happened to it in a day. */
export const recentEvents = ({ kind, id }: Cache): string =>
  `aws elasticache describe-events --duration 1440 --source-type ${SOURCE_TYPES[kind]} --source-identifier ${id}`;

/** Host and port of one node, for redis-cli. */
export const addressOf = (node: string): string =>
  `aws elasticache describe-cache-clusters --show-cache-node-info --query 'CacheClusters[0].CacheNodes[0].Endpoint' --cache-cluster-id ${node}`;

/** The nodes of a group, their roles and, without cluster mode, their addresses. */
export const listMembers = (id: string): string =>
  `aws elasticache describe-replication-groups --query 'ReplicationGroups[0].NodeGroups[].NodeGroupMembers[].[CacheClusterId,CurrentRole,ReadEndpoint.Address]' --replication-group-id ${id}`;

/** A replication group around a standalone cluster, which becomes its primary. */
export const groupAround = (id: string): string =>
  // A group's name has at most 40 characters and does not end with a hyphen.
  `aws elasticache create-replication-group --replication-group-id ${id.slice(0, 34).replace(/-+$/, '')}-group --replication-group-description ${id} --primary-cluster-id ${id}`;
