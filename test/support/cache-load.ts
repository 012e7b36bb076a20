import type { NodeMetric } from '../../functions/relieve-elasticache/load.ts';
import { alarmEvent } from './event-builders.ts';
import type { FakeGroup, FakeNode, FakeNodeGroup } from './fake-aws/elasticache.ts';
import type { FakeAws } from './fake-aws/fake-aws.ts';

const MINUTE = 60_000;

export type Metrics = Partial<Record<NodeMetric, number>>;

/** What an idle node publishes. */
export const IDLE_NODE: Metrics = {
  EngineCPUUtilization: 10,
  CPUUtilization: 5,
  GetTypeCmds: 60_000,
  GetTypeCmdsLatency: 9,
  SetTypeCmds: 1_000,
  SetTypeCmdsLatency: 12,
  NewConnections: 10,
  CurrConnections: 500,
  Evictions: 0,
  DatabaseMemoryUsagePercentage: 40,
  ReplicationLag: 0,
};

/**
 * Publishes the metrics of every node of a group for the minutes past, and from now on every minute. `of` says what a node
 * publishes at a time; IsMaster comes by itself.
 */
export const offered = (
  fake: FakeAws,
  id: string,
  of: (node: FakeNode, shard: FakeNodeGroup, group: FakeGroup, at: number) => Metrics,
  past = 75,
): void => {
  const publish = (at: number) => {
    const group = fake.elasticache.groups().find((one) => one.id === id);
    for (const shard of group?.shards ?? []) {
      for (const node of shard.nodes) {
        const metrics: Metrics = {
          ...IDLE_NODE,
          ...(group && of(node, shard, group, at)),
          IsMaster: node.primary ? 1 : 0,
        };
        for (const [name, value] of Object.entries(metrics)) {
          const dimensions = { CacheClusterId: node.id, CacheNodeId: '0001' };
          fake.cloudwatch.publish({ namespace: 'AWS/ElastiCache', name, dimensions }, at, value);
        }
      }
    }
  };
  const now = Math.floor(fake.clock() / MINUTE) * MINUTE;
  for (let i = past; i >= 1; i--) publish(now - i * MINUTE);
  fake.clock.eachMinute((at) => publish(at - MINUTE));
};

/** Reads of one engine's worth (1: a whole core), spread over all nodes of a shard, as clients of the reader endpoint do. */
export const readLoad =
  (cores: () => number, readers: (node: FakeNode, shard: FakeNodeGroup) => boolean = () => true) =>
  (node: FakeNode, shard: FakeNodeGroup): Metrics => {
    const reading = shard.nodes.filter((each) => readers(each, shard));
    const each = readers(node, shard) ? cores() / reading.length : 0;
    const use = Math.min(0.99, each + 0.03);
    return {
      EngineCPUUtilization: 100 * use,
      CPUUtilization: 25 * use,
      GetTypeCmds: (60e6 * Math.min(0.96, each)) / 9,
      GetTypeCmdsLatency: 9,
    };
  };

/** An alarm on the engine CPU of the group `orders`, at epoch ms `when`. */
export const engineAlarm = (name: string, when: number) =>
  alarmEvent({
    name,
    at: when,
    rows: [
      {
        id: 'm1',
        namespace: 'AWS/ElastiCache',
        metric: 'EngineCPUUtilization',
        dimensions: { ReplicationGroupId: 'orders' },
      },
    ],
  });
