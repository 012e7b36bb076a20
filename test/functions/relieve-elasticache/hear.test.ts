import { describe, expect, it } from 'vitest';
import { hear } from '../../../functions/relieve-elasticache/hear.ts';
import { receive } from '../../../shared/events/envelope.ts';
import type { ReflexEvent } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';
import {
  account,
  alarmArn,
  alarmEvent,
  directAlarm,
  type Row,
  region,
  snsAlarm,
  snsRecords,
  tick,
} from '../../support/event-builders.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAws();

const parsed = (payload: unknown) => {
  const [message] = receive(payload).messages;
  if (message === undefined) throw new Error('no message');
  return parse(message);
};
const event = (payload: unknown): ReflexEvent => {
  const answer = parsed(payload);
  if (answer.kind !== 'event') throw new Error(JSON.stringify(answer));
  return answer.event;
};
const arn = (kind: string, id: string) => `arn:aws:elasticache:${region}:${account}:${kind}:${id}`;
const row = (dimensions: Record<string, string>, rest: Row = {}): Row => ({
  id: 'm1',
  namespace: 'AWS/ElastiCache',
  metric: 'EngineCPUUtilization',
  dimensions,
  ...rest,
});
const cachesOf = async (payload: unknown) => {
  const [answer] = await hear([event(payload)]);
  return answer && 'signals' in answer ? answer.signals.map(({ resource }) => resource) : answer;
};

describe('an alarm on', () => {
  it.each([
    ['a node', { CacheClusterId: 'my-orders-0001-002' }],
    ['a node with its id', { CacheClusterId: 'my-orders-0001-002', CacheNodeId: '0001' }],
    ['a group', { ReplicationGroupId: 'my-orders' }],
    ['the primaries of a group', { ReplicationGroupId: 'my-orders', Role: 'Primary' }],
    ['a tier of a group', { ReplicationGroupId: 'my-orders', Role: 'Replica', Tier: 'Memory' }],
  ])('%s names its group', async (_, dimensions) => {
    fake.elasticache.createGroup('my-orders', { shards: 2, replicas: 1 });
    expect(await cachesOf(alarmEvent({ rows: [row(dimensions)] }))).toEqual([arn('replicationgroup', 'my-orders')]);
  });

  it('a node finds its group by asking, whatever the node is called', async () => {
    const group = fake.elasticache.createGroup('orders', { replicas: 0 });
    group.shards[0]?.nodes.splice(0, 1, { id: 'legacy-master-001', primary: true });

    expect(await cachesOf(alarmEvent({ rows: [row({ CacheClusterId: 'legacy-master-001' })] }))).toEqual([
      arn('replicationgroup', 'orders'),
    ]);
    expect(fake.called('DescribeCacheClusters')).toHaveLength(1);
  });

  it('a standalone node names that', async () => {
    fake.elasticache.createCluster('alone');
    expect(await cachesOf(alarmEvent({ rows: [row({ CacheClusterId: 'alone' })] }))).toEqual([arn('cluster', 'alone')]);
  });

  it('a node that is gone names it, so that its end is seen', async () => {
    expect(await cachesOf(alarmEvent({ rows: [row({ CacheClusterId: 'gone-001' })] }))).toEqual([
      arn('cluster', 'gone-001'),
    ]);
  });

  it.each(['clusterId', 'ServerlessCacheName'])('a serverless cache names it by %s', async (dimension) => {
    expect(await cachesOf(alarmEvent({ rows: [row({ [dimension]: 'sessions' })] }))).toEqual([
      arn('serverlesscache', 'sessions'),
    ]);
  });

  it('several nodes of a group names it once', async () => {
    fake.elasticache.createGroup('orders');
    const rows = [
      { id: 'e1', expression: 'MAX(METRICS())' },
      row({ CacheClusterId: 'orders-001' }, { id: 'm1' }),
      row({ CacheClusterId: 'orders-002' }, { id: 'm2' }),
    ];
    expect(await cachesOf(alarmEvent({ rows }))).toEqual([arn('replicationgroup', 'orders')]);
  });

  it.each([
    ['another namespace', row({ CacheClusterId: 'orders-001' }, { namespace: 'AWS/MemoryDB' })],
    ['another account', row({ ReplicationGroupId: 'orders' }, { accountId: '999999999999' })],
    ['no cache', row({})],
    ['what cannot be a cache', row({ CacheClusterId: 'no such/name' })],
  ])('%s is not for us', async (_, one) => {
    expect(await cachesOf(alarmEvent({ rows: [one] }))).toEqual({ notForUs: 'no-cache-dimension' });
    expect(fake.calls).toEqual([]);
  });
});

describe('the same alarm', () => {
  it('is heard through EventBridge, its Lambda action and SNS alike', async () => {
    const rows = [row({ ReplicationGroupId: 'orders' })];
    const payloads = [alarmEvent({ rows }), directAlarm({ rows }), snsRecords(snsAlarm({ rows }))];

    const heard = await hear(payloads.map(event));

    expect(heard[0]).toMatchObject({
      signals: [
        { resource: arn('replicationgroup', 'orders'), trigger: 'alarm', occurrence: expect.stringContaining('ALARM') },
      ],
    });
    expect(heard).toEqual([heard[0], heard[0], heard[0]]);
  });
});

describe('a batch', () => {
  it('asks for all nodes together, and once more for nothing', async () => {
    for (let i = 0; i < 8; i++) fake.elasticache.createGroup(`group-${i}`);
    const alarms = Array.from({ length: 8 }, (_, i) =>
      alarmEvent({ rows: [row({ CacheClusterId: `group-${i}-001` })] }),
    );

    const heard = await hear(alarms.map(event));

    expect(heard.map((answer) => 'signals' in answer && answer.signals[0]?.resource)).toEqual(
      Array.from({ length: 8 }, (_, i) => arn('replicationgroup', `group-${i}`)),
    );
    expect(fake.called('DescribeCacheClusters')).toHaveLength(1);
  });

  it('fails only where a node has to be asked for', async () => {
    fake.fault('DescribeCacheClusters', new AwsError('AccessDenied', 'no', 403));

    const heard = await hear(
      [
        alarmEvent({ rows: [row({ CacheClusterId: 'a' })] }),
        alarmEvent({ rows: [row({ ReplicationGroupId: 'b' })] }),
        tick(),
      ].map(event),
    );

    expect(heard[0]).toHaveProperty('error.message', 'no');
    expect(heard[1]).toHaveProperty('signals');
    expect(heard[2]).toEqual({ notForUs: 'not-an-alarm' });
  });

  it('resolves a composite alarm to the caches of its children', async () => {
    fake.cloudwatch.alarms.push({
      AlarmName: 'hot',
      AlarmArn: alarmArn('hot'),
      StateValue: 'ALARM',
      Namespace: 'AWS/ElastiCache',
      MetricName: 'EngineCPUUtilization',
      Dimensions: [{ Name: 'ReplicationGroupId', Value: 'orders' }],
    });
    const composite = { rule: 'ALARM(hot)', children: [{ arn: alarmArn('hot') }] };
    expect(await cachesOf(alarmEvent({ name: 'all', composite }))).toEqual([arn('replicationgroup', 'orders')]);
  });
});

describe('ElastiCache’s own notifications', () => {
  it.each(['FailoverComplete', 'CacheClusterScalingComplete', 'SnapshotComplete'])('%s is no alarm', (name) => {
    expect(parsed(snsRecords({ [`ElastiCache:${name}`]: 'orders-001' }))).toEqual({
      kind: 'not-for-us',
      reason: 'elasticache-notification',
    });
  });
});
