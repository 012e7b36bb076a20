import { EC2Client } from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, describe, expect, it } from 'vitest';
import type { GroupFacts, ServerlessFacts } from '../../../functions/relieve-elasticache/facts.ts';
import { NODE_METRICS } from '../../../functions/relieve-elasticache/load.ts';
import { observe } from '../../../functions/relieve-elasticache/observe.ts';
import type { Trigger } from '../../../shared/function.ts';
import { groupArn } from '../../support/cache-facts.ts';
import { offered } from '../../support/cache-load.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const MINUTE = 60_000;
const fake = await useFakeAws();
const ec2 = mockClient(EC2Client);
afterEach(() => ec2.reset());

const look = (arns: readonly string[], trigger: Trigger = 'alarm') =>
  observe(fake.clock)(arns.map((resource) => ({ resource, trigger, signals: [] })));
const factsOf = async (arn = groupArn(), trigger: Trigger = 'alarm') => {
  const observed = (await look([arn], trigger)).get(arn);
  if (observed === undefined || !('facts' in observed)) throw new Error(JSON.stringify(observed));
  return observed.facts;
};
const groupFacts = async (trigger: Trigger = 'alarm') => (await factsOf(groupArn(), trigger)) as GroupFacts;

describe('a group', () => {
  it('without cluster mode has its roles from CurrentRole; the first node is not the primary for its name', async () => {
    fake.elasticache.createGroup('orders', { replicas: 2 });

    const { nodes, clusterMode, shards, members } = await groupFacts();

    expect(nodes.map(({ id, role }) => [id, role])).toEqual([
      ['orders-001', 'replica'],
      ['orders-002', 'replica'],
      ['orders-003', 'primary'],
    ]);
    expect({ clusterMode, shards, members }).toEqual({
      clusterMode: 'disabled',
      shards: [{ id: '0001', status: 'available', slots: null }],
      members: 3,
    });
  });

  it('in cluster mode has them from IsMaster, and its slots counted', async () => {
    fake.elasticache.createGroup('orders', { shards: 3, replicas: 1 });
    offered(fake, 'orders', () => ({}));

    const { nodes, shards } = await groupFacts();

    expect(nodes.map(({ shard, role }) => [shard, role])).toEqual([
      ['0001', 'replica'],
      ['0001', 'primary'],
      ['0002', 'replica'],
      ['0002', 'primary'],
      ['0003', 'replica'],
      ['0003', 'primary'],
    ]);
    expect(shards.map(({ slots }) => slots)).toEqual([5_461, 5_461, 5_462]);
  });

  it('without cluster mode has its roles from IsMaster where AWS does not tell them', async () => {
    fake.elasticache.createGroup('orders', { replicas: 1, tellsRoles: false });
    expect((await groupFacts()).nodes.map(({ role }) => role)).toEqual([null, null]);

    offered(fake, 'orders', () => ({}));
    expect((await groupFacts()).nodes.map(({ role }) => role)).toEqual(['replica', 'primary']);
  });

  it('has the version of its engine, which only its members tell', async () => {
    fake.elasticache.createGroup('orders', { engine: 'valkey', engineVersion: '8.0.1' });
    expect(await groupFacts()).toMatchObject({ engine: 'valkey', engineVersion: '8.0.1', tls: false });
  });

  it.each([
    ['5.0.6', 7.2],
    ['6.2.6', 7_200],
  ])('of Redis %s has its lag in seconds: %d', async (engineVersion, expected) => {
    fake.elasticache.createGroup('orders', { engineVersion });
    offered(fake, 'orders', ({ primary }) => (primary ? {} : { ReplicationLag: 7_200 }));

    const { nodes } = await groupFacts();

    expect(nodes.find(({ role }) => role === 'replica')?.load.replicationLag).toBe(expected);
  });

  it('with data tiering counts its SSD as memory', async () => {
    fake.elasticache.createGroup('orders', { nodeType: 'cache.r6gd.xlarge' });
    offered(fake, 'orders', () => ({ DatabaseMemoryUsagePercentage: 99, DatabaseCapacityUsagePercentage: 31 }));

    expect((await groupFacts()).nodes[0]?.load).toMatchObject({ memory: 31, memoryPeakHour: 31 });
  });

  it('in cluster mode without IsMaster has no known role', async () => {
    fake.elasticache.createGroup('orders', { shards: 2, replicas: 1 });
    expect((await groupFacts()).nodes.every(({ role }) => role === null)).toBe(true);
  });

  it('says what speaks against a change', async () => {
    fake.elasticache.createGroup('orders', {
      shards: 2,
      globalReplicationGroupId: 'abcde-orders',
      pendingEngineVersion: '7.2',
      updating: true,
      resharding: true,
      status: 'modifying',
    });
    fake.applicationAutoscaling.targets.push({
      ResourceId: 'replication-group/orders',
      ScalableDimension: 'elasticache:replication-group:Replicas',
    });

    expect(await groupFacts()).toMatchObject({
      globalReplicationGroupId: 'abcde-orders',
      pending: 'engine version 7.2',
      updating: true,
      resharding: true,
      status: 'modifying',
      autoscaled: ['Replicas'],
      failover: true,
      maintenanceWindow: 'sun:23:00-mon:01:30',
      snapshotWindow: '09:00-10:00',
      // AWS does not answer while it is modifying.
      allowedTypes: null,
      tags: { 'reflex:enabled': 'true' },
    });
  });

  it('says of any other change that waits for the window that it does', async () => {
    fake.elasticache.createGroup('orders', {
      pendingEngineVersion: '7.2',
      pending: { AutomaticFailoverStatus: 'enabled' },
    });
    expect((await groupFacts()).pending).toBe('engine version 7.2 and AutomaticFailoverStatus');
  });

  it('that is resharding waits for no window', async () => {
    fake.elasticache.createGroup('orders', { resharding: true });
    expect(await groupFacts()).toMatchObject({ resharding: true, pending: null });
  });

  it('has numbers, not series, of an hour of its nodes', async () => {
    fake.elasticache.createGroup('orders');
    offered(fake, 'orders', ({ primary }, _shard, _group, at) => ({
      EngineCPUUtilization: primary ? 95 : 5,
      NewConnections: at > fake.clock() - 5 * MINUTE ? 600 : 100,
      NetworkBandwidthOutAllowanceExceeded: primary && at > fake.clock() - 3 * MINUTE ? 7 : 0,
    }));

    const { nodes } = await groupFacts();

    const load = nodes.find(({ role }) => role === 'primary')?.load;
    expect(load?.engineCpu).toHaveLength(9);
    expect(load?.engineCpu.at(-1)).toEqual([Math.floor(fake.clock() / MINUTE) * MINUTE - MINUTE, 95]);
    expect(load).toMatchObject({
      engineCpuHour: { minutes: 59, peak: 95 },
      isMaster: true,
      newConnections: { before: 100 },
      commands: { GetTypeCmds: { perMinute: 60_000, latency: 9, before: 60_000 } },
      networkExceededMinutes: 2,
      networkUsage: null,
      credits: null,
      memory: 40,
    });
    expect(JSON.stringify(nodes).length / nodes.length).toBeLessThan(2_000);
  });

  it('that does not exist is gone', async () => {
    const observed = await look([groupArn('gone')]);
    expect(observed.get(groupArn('gone'))).toMatchObject({ decision: { kind: 'skip', reason: 'cache-gone' } });
  });

  it('of a type that is not in the table has its vCPUs from EC2', async () => {
    ec2.onAnyCommand().resolves({ InstanceTypes: [{ VCpuInfo: { DefaultVCpus: 4 } }] });
    fake.elasticache.createGroup('orders', { nodeType: 'cache.m9g.xlarge' });

    expect((await groupFacts()).vcpus).toBe(4);
    expect(ec2.calls()[0]?.args[0].input).toEqual({ InstanceTypes: ['m9g.xlarge'] });
  });

  it('of a type nobody knows has none', async () => {
    ec2.onAnyCommand().rejects(Object.assign(new Error('unknown'), { name: 'InvalidInstanceType' }));
    fake.elasticache.createGroup('orders', { nodeType: 'cache.m9g.xlarge' });
    expect((await groupFacts()).vcpus).toBeNull();
  });

  it('of a type that EC2 could not be asked about fails alone', async () => {
    ec2.onAnyCommand().rejects(Object.assign(new Error('slow down'), { name: 'RequestLimitExceeded' }));
    const { arn } = fake.elasticache.createGroup('orders', { nodeType: 'cache.m9g.xlarge' });
    const other = fake.elasticache.createGroup('payments').arn;

    const observed = await look([arn, other]);

    expect(observed.get(arn)).toMatchObject({ error: { name: 'RequestLimitExceeded' } });
    expect(observed.get(other)).toMatchObject({ facts: { id: 'payments', vcpus: 4 } });
  });

  it('of a known type costs no call of EC2', async () => {
    fake.elasticache.createGroup('orders');
    await groupFacts();
    expect(ec2.calls()).toHaveLength(0);
  });
});

describe('the slow log', () => {
  const entry = JSON.stringify({ CacheClusterId: 'orders-001', Command: 'keys *', 'Duration (us)': 12_000 });

  it('is read where it is delivered, by command', async () => {
    fake.elasticache.createGroup('orders', { logGroup: '/redis/slow' });
    fake.logs.write('/redis/slow', entry);
    fake.logs.write('/redis/slow', entry, fake.clock() - 11 * MINUTE);

    expect((await groupFacts()).slowLog).toEqual({
      logGroup: '/redis/slow',
      commands: [{ node: 'orders-001', command: 'KEYS', count: 1, totalMicroseconds: 12_000, maxMicroseconds: 12_000 }],
    });
  });

  it('is read over empty pages, as CloudWatch Logs gives them while it searches', async () => {
    fake.elasticache.createGroup('orders', { logGroup: '/redis/slow' });
    for (let i = 0; i < 5; i++) fake.logs.write('/redis/slow', entry);
    fake.logs.paged(2);

    expect((await groupFacts()).slowLog.commands).toMatchObject([{ command: 'KEYS', count: 5 }]);
    expect(fake.called('FilterLogEvents')).toHaveLength(4);
  });

  it('that takes many pages is read in part: an answer cannot wait for it', async () => {
    fake.elasticache.createGroup('orders', { logGroup: '/redis/slow' });
    for (let i = 0; i < 50; i++) fake.logs.write('/redis/slow', entry);
    fake.logs.paged(2);

    expect((await groupFacts()).slowLog.commands).toMatchObject([{ command: 'KEYS', count: 6 }]);
    expect(fake.called('FilterLogEvents')).toHaveLength(4);
  });

  it('that cannot be read stops nothing', async () => {
    fake.elasticache.createGroup('orders', { logGroup: '/redis/gone' });
    expect((await groupFacts()).slowLog).toEqual({ logGroup: '/redis/gone', commands: null });
  });

  it('that is not delivered is known not to be', async () => {
    fake.elasticache.createGroup('orders');
    expect((await groupFacts()).slowLog).toEqual({ logGroup: null, commands: null });
  });
});

describe('a standalone node', () => {
  it('is its own primary', async () => {
    const { arn } = fake.elasticache.createCluster('alone');
    expect(await factsOf(arn)).toMatchObject({
      kind: 'cluster',
      id: 'alone',
      vcpus: 4,
      nodes: [{ id: 'alone', shard: '0001', role: 'primary' }],
      members: 1,
      allowedTypes: ['cache.m5.2xlarge'],
      snapshotWindow: null,
    });
  });

  it('that has become a node of a group is left to the group', async () => {
    fake.elasticache.createGroup('orders');
    const arn = groupArn('orders-001').replace(':replicationgroup:', ':cluster:');

    expect((await look([arn])).get(arn)).toMatchObject({
      decision: { kind: 'skip', reason: 'node-of-group', why: expect.stringContaining('replication group orders') },
    });
  });

  it('of memcached has no nodes to judge', async () => {
    const { arn } = fake.elasticache.createCluster('sessions', { engine: 'memcached' });
    expect(await factsOf(arn)).toMatchObject({ engine: 'memcached', nodes: [] });
  });
});

describe('a serverless cache', () => {
  it.each(['clusterId', 'ServerlessCacheName'])('has its metrics by %s', async (dimension) => {
    const { arn } = fake.elasticache.createServerless('sessions', { maximum: 10_000, minimum: 2_000 });
    const at = Math.floor(fake.clock() / MINUTE) * MINUTE - MINUTE;
    const publish = (name: string, value: number) =>
      fake.cloudwatch.publish(
        { namespace: 'AWS/ElastiCache', name, dimensions: { [dimension]: 'sessions' } },
        at,
        value,
      );
    publish('ElastiCacheProcessingUnits', 600_000);
    publish('ThrottledCmds', 5);

    const facts = (await factsOf(arn)) as ServerlessFacts;

    expect(facts).toMatchObject({ ecpuMaximum: 10_000, ecpuMinimum: 2_000, status: 'available' });
    expect(facts.ecpuPerSecond).toEqual([[at, 10_000]]);
    expect(facts.throttled).toEqual([[at, 5]]);
  });

  it('is available in capitals, too', async () => {
    const { arn } = fake.elasticache.createServerless('sessions', { status: 'AVAILABLE' });
    expect(await factsOf(arn)).toMatchObject({ status: 'available' });
  });

  it('has no limit where it is 0', async () => {
    const { arn } = fake.elasticache.createServerless('sessions', { maximum: 0, minimum: 0 });
    expect(await factsOf(arn)).toMatchObject({ ecpuMaximum: null, ecpuMinimum: null });
  });
});

describe('a large group', () => {
  it('of 90 nodes costs nine readings of at most 500 metrics, and fits a history record', async () => {
    fake.elasticache.createGroup('orders', { shards: 15, replicas: 5 });
    offered(fake, 'orders', () => ({}), 12);

    const facts = await groupFacts();

    const queries = fake
      .called('GetMetricData')
      .map(({ MetricDataQueries }) => (MetricDataQueries as unknown[]).length);
    expect(queries.reduce((sum, count) => sum + count, 0)).toBe(90 * NODE_METRICS.length);
    expect(queries).toEqual([...Array<number>(8).fill(500), 140]);
    expect(JSON.stringify(facts).length).toBeLessThan(300_000);
  });
});

describe('many caches', () => {
  it('are asked for service updates twenty at a time, groups and clusters apart', async () => {
    const groups = Array.from({ length: 45 }, (_, i) =>
      fake.elasticache.createGroup(`group-${i}`, { updating: i === 44 }),
    );
    const clusters = [0, 1].map((i) => fake.elasticache.createCluster(`alone-${i}`, { updating: i === 1 }));

    const observed = await look(
      [...groups, ...clusters].map(({ arn }) => arn),
      'tick',
    );

    const updating = [...observed].flatMap(([arn, one]) =>
      'facts' in one && one.facts.kind !== 'serverless' && one.facts.updating !== false ? [arn.split(':').at(-1)] : [],
    );
    expect(updating).toEqual(['group-44', 'alone-1']);
    expect(fake.called('DescribeUpdateActions')).toHaveLength(4);
  });
});

describe('what cannot be read', () => {
  it.each(['GetMetricData', 'DescribeReplicationGroups', 'GetResources', 'DescribeScalableTargets'])(
    '%s fails the reading: nothing is decided without it',
    async (operation) => {
      fake.elasticache.createGroup('orders');
      fake.fault(operation, new AwsError('AccessDeniedException', 'no', 403), 9);
      await expect(look([groupArn()])).rejects.toThrow('no');
    },
  );

  it('of service updates is unknown, and the rest is read', async () => {
    fake.elasticache.createGroup('orders');
    fake.fault('DescribeUpdateActions', new AwsError('AccessDenied', 'no', 403), 9);
    expect((await groupFacts()).updating).toBeNull();
  });

  it('where nothing can be registered with Application Auto Scaling, nothing is', async () => {
    fake.elasticache.createGroup('orders');
    fake.fault('DescribeScalableTargets', new AwsError('ValidationException', 'Unsupported service namespace'), 9);
    expect((await groupFacts()).autoscaled).toEqual([]);
  });

  it('nothing is asked about nothing', async () => {
    const { arn } = fake.elasticache.createServerless('sessions');
    await factsOf(arn);
    expect(fake.calls.map(({ operation }) => operation).sort()).toEqual([
      'DescribeServerlessCaches',
      'GetMetricData',
      'GetResources',
    ]);
  });
});
