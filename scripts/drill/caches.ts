import { type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateReplicationGroupCommand, DescribeReplicationGroupsCommand } from '@aws-sdk/client-elasticache';
import type { Aws } from './aws.ts';
import { account, region } from './emulator.ts';
import type { ListView } from './story.ts';

/** A replication group of one shard, as it is made. */
export interface CacheSpec {
  readonly name: string;
  readonly nodeType: string;
  readonly replicas: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** Log group that the slow log is delivered to. */
  readonly slowLog?: string;
}

/** What CloudWatch shows of one node, the same in every minute, by metric. */
export type NodeMinute = Readonly<Record<string, number>>;

const minuteMs = 60_000;

export function cacheArn(name: string): string {
  return `arn:aws:elasticache:${region}:${account}:replicationgroup:${name}`;
}

/** Id of the nth node, 1: the primary. */
export function nodeId(group: string, nth: number): string {
  return `${group}-0001-${String(nth).padStart(3, '0')}`;
}

/** A group that opted in. */
export async function createCache({ elasticache }: Aws, spec: CacheSpec): Promise<void> {
  const { name, nodeType, replicas, tags = {}, slowLog } = spec;
  await elasticache.send(
    new CreateReplicationGroupCommand({
      ReplicationGroupId: name,
      ReplicationGroupDescription: name,
      Engine: 'valkey',
      CacheNodeType: nodeType,
      NumCacheClusters: replicas + 1,
      Tags: Object.entries({ 'reflex:enabled': 'true', ...tags }).map(([Key, Value]) => ({ Key, Value })),
      ...(slowLog !== undefined && {
        LogDeliveryConfigurations: [
          {
            LogType: 'slow-log',
            LogFormat: 'json',
            DestinationType: 'cloudwatch-logs',
            DestinationDetails: { CloudWatchLogsDetails: { LogGroup: slowLog } },
            Enabled: true,
          },
        ],
      }),
    }),
  );
}

export async function viewCache({ elasticache }: Aws, name: string): Promise<ListView> {
  const { ReplicationGroups = [] } = await elasticache.send(
    new DescribeReplicationGroupsCommand({ ReplicationGroupId: name }),
  );
  const members = ReplicationGroups.flatMap(({ NodeGroups = [] }) => NodeGroups).flatMap(
    ({ NodeGroupMembers = [] }) => NodeGroupMembers,
  );
  return {
    noun: 'node',
    parts: members.map(({ CacheClusterId = '', CurrentRole = '' }) => ({ id: CacheClusterId, says: CurrentRole })),
  };
}

/** The last minutes of every node as CloudWatch has them, `now` included in none. */
export async function putNodeMetrics(
  { metrics }: Aws,
  nodes: Readonly<Record<string, NodeMinute>>,
  minutes: number,
): Promise<void> {
  const data = nodeMetrics(nodes, minutes, Date.now());
  // PutMetricData takes 1,000 at most.
  for (let i = 0; i < data.length; i += 1_000) {
    await metrics.send(
      new PutMetricDataCommand({ Namespace: 'AWS/ElastiCache', MetricData: data.slice(i, i + 1_000) }),
    );
  }
}

/** Pure. `now`: epoch ms. */
export function nodeMetrics(nodes: Readonly<Record<string, NodeMinute>>, minutes: number, now: number): MetricDatum[] {
  const current = Math.floor(now / minuteMs) * minuteMs;
  return Object.entries(nodes).flatMap(([node, minute]) =>
    Object.entries(minute).flatMap(([MetricName, Value]) =>
      Array.from({ length: minutes }, (_, index) => ({
        MetricName,
        Value,
        Timestamp: new Date(current - (index + 1) * minuteMs),
        Dimensions: [
          { Name: 'CacheClusterId', Value: node },
          { Name: 'CacheNodeId', Value: '0001' },
        ],
      })),
    ),
  );
}

/** A command that was slow so many times. */
export interface SlowEntry {
  readonly command: string;
  readonly times: number;
  readonly microseconds: number;
}

/** A slow log in the JSON that ElastiCache delivers, written in the last minutes. */
export async function writeSlowLog(
  { logs }: Aws,
  logGroupName: string,
  node: string,
  entries: readonly SlowEntry[],
): Promise<void> {
  await logs.send(new CreateLogGroupCommand({ logGroupName }));
  await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName: node }));
  const now = Date.now();
  const all = entries.flatMap(({ times, ...entry }) => Array.from({ length: times }, () => entry));
  const logEvents = all.map(({ command, microseconds }, index) => {
    const timestamp = now - (all.length - index) * 5_000;
    const entry = {
      CacheClusterId: node,
      CacheNodeId: '0001',
      Id: index,
      Timestamp: Math.floor(timestamp / 1_000),
      'Duration (us)': microseconds,
      Command: command,
      ClientAddress: '10.0.1.17:43982',
      ClientName: '',
    };
    return { timestamp, message: JSON.stringify(entry) };
  });
  await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName: node, logEvents }));
}
