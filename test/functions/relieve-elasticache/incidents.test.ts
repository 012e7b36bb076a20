import { describe, expect, it } from 'vitest';
import { relieveElastiCache } from '../../../functions/relieve-elasticache/function.ts';
import { type Metrics, offered, readLoad } from '../../support/cache-load.ts';
import { alarmEvent, tick } from '../../support/event-builders.ts';
import { deployed } from '../../support/fake-aws/deployed.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const fake = await useFakeAwsWithDynamodb();

const alarm = (dimensions: Readonly<Record<string, string>>, metric = 'EngineCPUUtilization', name = 'redis-hot') =>
  alarmEvent({ name, at: fake.clock(), rows: [{ id: 'm1', namespace: 'AWS/ElastiCache', metric, dimensions }] });
const start = (env: Readonly<Record<string, string>> = {}) => deployed(fake, relieveElastiCache, env);
type Deployed = Awaited<ReturnType<typeof start>>;
const story = ({ outcomes }: Deployed) =>
  outcomes.map(({ decision, reason }) => `${decision} ${reason}`).filter((line, i, all) => line !== all[i - 1]);
const last = ({ outcomes }: Deployed) => {
  const outcome = outcomes.at(-1);
  if (outcome === undefined) throw new Error('no outcome');
  return outcome;
};
const told = () => fake.sns.published.map(({ Subject }) => Subject);
const nodesIn = (id: string) => fake.elasticache.group(id).shards.map(({ nodes }) => nodes.length);

describe('a group whose primary is busy with reads', () => {
  it('gains a replica, is seen to cool down, and gives the replica back after an hour of calm', async () => {
    fake.elasticache.createGroup('orders', { replicas: 1 });
    let cores = 1.9;
    offered(
      fake,
      'orders',
      readLoad(() => cores),
    );
    const function_ = await start();

    function_.send(alarm({ CacheClusterId: 'orders-001', CacheNodeId: '0001' }));
    await function_.run(30 * MINUTE);

    expect(nodesIn('orders')).toEqual([3]);
    expect(story(function_)).toEqual(['act read-hot-primary', 'defer changing', 'defer measuring', 'skip resolved']);
    expect(last(function_).why).toMatch(/Engine core of orders-00\d: 9\d % before, 6\d % after one replica more/);

    cores = 0.4;
    await function_.run(30 * MINUTE);
    function_.send(tick('all'));
    await function_.run(MINUTE);
    expect(last(function_)).toMatchObject({ decision: 'skip', reason: 'not-saturated' });
    expect(nodesIn('orders')).toEqual([3]);

    await function_.run(HOUR);
    function_.send(tick('all'));
    await function_.run(30 * MINUTE);

    expect(fake.called('DecreaseReplicaCount')).toEqual([
      expect.objectContaining({ ReplicationGroupId: 'orders', NewReplicaCount: '1' }),
    ]);
    expect(nodesIn('orders')).toEqual([2]);
    expect(last(function_)).toMatchObject({ decision: 'skip', reason: 'resolved' });

    await function_.run(2 * HOUR);
    function_.send(tick('all'));
    await function_.run(MINUTE);
    expect(last(function_)).toMatchObject({ decision: 'skip', reason: 'nothing-to-remove' });
  });

  it('in cluster mode has its roles read from IsMaster, and only the hot shard gains one', async () => {
    fake.elasticache.createGroup('orders', { shards: 3, replicas: 1 });
    const busy = readLoad(() => 1.9);
    const idle = readLoad(() => 0.4);
    offered(fake, 'orders', (node, shard) => (shard.id === '0002' ? busy : idle)(node, shard));
    const function_ = await start();

    function_.send(alarm({ ReplicationGroupId: 'orders', Role: 'Primary' }));
    await function_.run(MINUTE);
    await function_.run(25 * MINUTE);

    expect(nodesIn('orders')).toEqual([2, 3, 2]);
    expect(function_.outcomes[0]).toMatchObject({ decision: 'act', reason: 'hot-shard-reads' });
    expect(last(function_)).toMatchObject({ reason: 'resolved' });
  });

  it('gains no second replica where clients do not read from the first; a person is told', async () => {
    fake.elasticache.createGroup('orders', {
      replicas: 0,
      failover: false,
      tags: { 'reflex:enabled': 'true', 'reflex:reads-offloaded': 'true' },
    });
    offered(
      fake,
      'orders',
      readLoad(
        () => 0.95,
        ({ primary }) => primary,
      ),
    );
    const function_ = await start();

    function_.send(alarm({ CacheClusterId: 'orders-001' }));
    await function_.run(2 * HOUR);

    expect(nodesIn('orders')).toEqual([2]);
    expect(story(function_)).toEqual([
      'act read-hot-primary',
      'defer changing',
      'defer measuring',
      'defer awaiting-reads',
      'escalate reads-not-offloaded',
    ]);
    const [acted, asked] = function_.outcomes.filter(({ decision }) => decision === 'act' || decision === 'escalate');
    expect((asked?.at ?? 0) - (acted?.at ?? 0)).toBeLessThan(30 * MINUTE);
    expect(asked?.advice).toContain('reader endpoint');
  });

  it('gains no other while clients stay away from the new one, though they read from an older one', async () => {
    fake.elasticache.createGroup('orders', { replicas: 1 });
    offered(
      fake,
      'orders',
      readLoad(
        () => 1.9,
        ({ id }) => id !== 'orders-003',
      ),
    );
    const function_ = await start();

    function_.send(alarm({ CacheClusterId: 'orders-001' }));
    await function_.run(HOUR);
    expect(last(function_)).toMatchObject({ decision: 'escalate', reason: 'reads-not-offloaded' });
    function_.send(tick('all'), alarm({ CacheClusterId: 'orders-002' }, undefined, 'again'));
    await function_.run(30 * MINUTE);

    expect(last(function_)).toMatchObject({ decision: 'escalate', reason: 'reads-not-offloaded' });
    expect(fake.called('IncreaseReplicaCount')).toHaveLength(1);
  });

  it('is only planned for in dry-run mode', async () => {
    fake.elasticache.createGroup('orders');
    offered(
      fake,
      'orders',
      readLoad(() => 1.9),
    );
    const function_ = await start({ MODE: 'dry-run' });

    function_.send(alarm({ ReplicationGroupId: 'orders' }));
    await function_.run(MINUTE);

    expect(last(function_)).toMatchObject({
      decision: 'act',
      dryRun: true,
      actions: [{ call: 'IncreaseReplicaCount', params: { NewReplicaCount: 2 } }],
    });
    expect(fake.called('IncreaseReplicaCount')).toEqual([]);
  });

  it('that did not opt in is left alone', async () => {
    fake.elasticache.createGroup('orders', { tags: {} });
    offered(
      fake,
      'orders',
      readLoad(() => 1.9),
    );
    const function_ = await start();

    function_.send(alarm({ ReplicationGroupId: 'orders' }));
    await function_.run(MINUTE);

    expect(last(function_)).toMatchObject({ decision: 'skip', reason: 'not-opted-in' });
  });

  it('with a tag nobody understands is left to a person', async () => {
    fake.elasticache.createGroup('orders', { tags: { 'reflex:enabled': 'true', 'reflex:allow': 'everything' } });
    offered(
      fake,
      'orders',
      readLoad(() => 1.9),
    );
    const function_ = await start();

    function_.send(alarm({ ReplicationGroupId: 'orders' }));
    await function_.run(MINUTE);

    expect(last(function_)).toMatchObject({ decision: 'escalate', reason: 'bad-tag' });
    expect(last(function_).why).toContain('replicas, shards, node-type, serverless-limit');
  });
});

describe('a node of two vCPUs', () => {
  const small = { nodeType: 'cache.r7g.large', scaleUp: ['cache.r7g.xlarge', 'cache.r7g.2xlarge'] };
  const publish = (cpu: number, engine: number) => (): Metrics => ({
    CPUUtilization: cpu,
    EngineCPUUtilization: engine,
    GetTypeCmds: 3_000_000,
    GetTypeCmdsLatency: 9,
  });

  it('is judged by 90 / N: 47 % of CPUUtilization is a full core', async () => {
    fake.elasticache.createGroup('orders', small);
    offered(fake, 'orders', publish(47, 88));
    const function_ = await start();

    function_.send(alarm({ CacheClusterId: 'orders-002' }, 'CPUUtilization'));
    await function_.run(2_000);

    expect(last(function_)).toMatchObject({ decision: 'act' });
    expect(last(function_).why).toContain('94 %');
    expect(last(function_).why).toContain('by CPUUtilization x 2 vCPU');
  });

  it('is not saturated by an engine at 95 % of what little it uses', async () => {
    fake.elasticache.createGroup('orders', small);
    offered(fake, 'orders', publish(30, 95));
    const function_ = await start();

    function_.send(alarm({ CacheClusterId: 'orders-002' }));
    await function_.run(2_000);

    expect(last(function_)).toMatchObject({ decision: 'skip', reason: 'not-saturated' });
  });
});

describe('slow commands', () => {
  const entry = (command: string, us: number, node = 'orders-002') =>
    JSON.stringify({
      CacheClusterId: node,
      CacheNodeId: '0001',
      Id: 17,
      Timestamp: 1_772_680_300,
      'Duration (us)': us,
      Command: `${command} ... (1 more arguments)`,
      ClientAddress: '10.0.0.7:51324',
      ClientName: '',
    });

  it('are not answered by a larger cache; the notification names them', async () => {
    fake.elasticache.createGroup('orders', { logGroup: '/elasticache/orders' });
    offered(fake, 'orders', ({ primary }) => ({ EngineCPUUtilization: primary ? 97 : 5 }));
    for (let i = 0; i < 12; i++)
      fake.logs.write('/elasticache/orders', entry('KEYS', 250_000), fake.clock() - i * 30_000);
    fake.logs.write('/elasticache/orders', entry('GET', 11_000));
    fake.logs.write('/elasticache/orders', entry('FLUSHALL', 9_000_000, 'somebody-else-001'));
    fake.logs.write('/elasticache/orders', 'not json');
    const function_ = await start({ ALLOW: 'replicas shards node-type' });

    function_.send(alarm({ CacheClusterId: 'orders-002' }));
    await function_.run(MINUTE);

    expect(last(function_)).toMatchObject({ decision: 'escalate', reason: 'slow-commands', actions: [] });
    expect(last(function_).why).toContain('KEYS 12 times, 3000 ms in all, 250 ms at most; GET once, 11 ms in all');
    expect(JSON.stringify(fake.sns.published)).toContain('KEYS 12 times');
    expect(JSON.stringify(fake.sns.published)).not.toContain('10.0.0.7');
  });
});

describe('what AWS answers', () => {
  const hotGroup = () => {
    fake.elasticache.createGroup('orders');
    offered(
      fake,
      'orders',
      readLoad(() => 1.9),
    );
  };

  it('no capacity: comes back in a quarter of an hour, without a cool-down and without giving up', async () => {
    hotGroup();
    const refusal = new AwsError('InsufficientCacheClusterCapacity', 'Not enough capacity for cache.r7g.xlarge.');
    fake.fault('IncreaseReplicaCount', refusal, 4);
    const function_ = await start();

    function_.send(alarm({ ReplicationGroupId: 'orders' }));
    await function_.run(59 * MINUTE);
    expect(story(function_)).toEqual(['defer no-capacity']);
    expect(function_.outcomes).toHaveLength(4);
    await function_.run(30 * MINUTE);

    expect(story(function_)).toEqual([
      'defer no-capacity',
      'act read-hot-primary',
      'defer changing',
      'defer measuring',
      'skip resolved',
    ]);
    expect(nodesIn('orders')).toEqual([3]);
  });

  it('not available after all: comes back when it is', async () => {
    hotGroup();
    fake.fault('IncreaseReplicaCount', () => {
      const group = fake.elasticache.group('orders');
      group.status = 'modifying';
      group.ends = { at: fake.clock() + 5 * MINUTE, happen: () => {} };
      return undefined;
    });
    const function_ = await start();

    function_.send(alarm({ ReplicationGroupId: 'orders' }));
    await function_.run(12 * MINUTE);

    expect(story(function_)).toEqual(['defer not-available', 'act read-hot-primary', 'defer changing']);
  });

  it('an answer that was lost: the change is found and verified, not made twice', async () => {
    hotGroup();
    fake.fault('IncreaseReplicaCount', 'lost');
    const function_ = await start();

    function_.send(alarm({ ReplicationGroupId: 'orders' }));
    await function_.run(30 * MINUTE);

    expect(fake.called('IncreaseReplicaCount')).toHaveLength(1);
    expect(nodesIn('orders')).toEqual([3]);
    expect(story(function_)).toEqual(['defer act-unknown', 'defer changing', 'defer measuring', 'skip resolved']);
  });

  it('no list of node types: it is asked for again, and the node grows', async () => {
    fake.elasticache.createGroup('orders', { nodeType: 'cache.m5.xlarge', scaleUp: ['cache.m5.2xlarge'] });
    offered(fake, 'orders', ({ primary }, _shard, { nodeType }) =>
      primary ? { EngineCPUUtilization: nodeType === 'cache.m5.xlarge' ? 97 : 48, SetTypeCmds: 6_000_000 } : {},
    );
    fake.fault('ListAllowedNodeTypeModifications', new AwsError('Throttling', 'Rate exceeded'), 3);
    const function_ = await start({ ALLOW: 'node-type' });

    function_.send(alarm({ ReplicationGroupId: 'orders' }));
    await function_.run(5 * MINUTE);

    expect(story(function_)).toEqual(['defer observe-failed', 'act primary-write-hot', 'defer changing']);
    expect(told()).toHaveLength(1);
  });

  it('a quota: told with its code', async () => {
    hotGroup();
    fake.fault('IncreaseReplicaCount', new AwsError('NodeQuotaForCustomerExceeded', 'Quota of 300 nodes.'));
    const function_ = await start();

    function_.send(alarm({ ReplicationGroupId: 'orders' }));
    await function_.run(MINUTE);

    expect(last(function_)).toMatchObject({ decision: 'escalate', reason: 'cache-quota' });
    expect(last(function_).advice).toContain('L-DFE45DF3');
  });
});

describe('a warning', () => {
  it('is told once a day, with the plan', async () => {
    fake.elasticache.createGroup('orders');
    offered(
      fake,
      'orders',
      readLoad(() => 1.4),
    );
    const function_ = await start();

    for (let hour = 0; hour < 25; hour++) {
      function_.send(tick('all'));
      await function_.run(HOUR);
    }

    expect(story(function_)).toEqual(['escalate warning-level']);
    expect(told()).toHaveLength(2);
  });
});

describe('a cluster outside of replication groups', () => {
  /** `cpu` of four vCPUs, all of it writes. */
  const publishing = (id: string, cpu: () => number) => {
    const publish = (at: number) => {
      const metrics = {
        EngineCPUUtilization: cpu(),
        CPUUtilization: cpu() / 4,
        SetTypeCmds: 6_000_000,
        GetTypeCmds: 10,
      };
      for (const [name, value] of Object.entries(metrics)) {
        const dimensions = { CacheClusterId: id, CacheNodeId: '0001' };
        fake.cloudwatch.publish({ namespace: 'AWS/ElastiCache', name, dimensions }, at, value);
      }
    };
    for (let i = 1; i <= 15; i++) publish(Math.floor(fake.clock() / MINUTE) * MINUTE - i * MINUTE);
    fake.clock.eachMinute((at) => publish(at - MINUTE));
  };

  it('is found busy by the schedule alone, gets a larger node, and is seen to cool down', async () => {
    const cluster = fake.elasticache.createCluster('alone');
    publishing('alone', () => (cluster.nodeType === 'cache.m5.xlarge' ? 97 : 48));
    const function_ = await start({ ALLOW: 'node-type' });

    function_.send(tick('all'));
    await function_.run(30 * MINUTE);

    expect(cluster.nodeType).toBe('cache.m5.2xlarge');
    expect(story(function_)).toEqual(['act primary-write-hot', 'defer measuring', 'skip resolved']);
    expect(last(function_).why).toBe(
      'Engine core of alone: 97 % before, 48 % after cache.m5.xlarge -> cache.m5.2xlarge.',
    );
  });

  it('of Memcached is left alone, whichever of its nodes the alarm names', async () => {
    fake.elasticache.createCluster('objects', { engine: 'memcached' });
    const function_ = await start();

    function_.send(alarm({ CacheClusterId: 'objects', CacheNodeId: '0002' }, 'CPUUtilization'));
    await function_.run(MINUTE);

    expect(story(function_)).toEqual(['skip memcached']);
  });
});

describe('cluster mode with one shard', () => {
  it('is divided, its primary known by IsMaster', async () => {
    fake.elasticache.createGroup('orders', { clusterMode: 'enabled' });
    offered(fake, 'orders', ({ primary }, _shard, { shards }) =>
      primary ? { EngineCPUUtilization: 150 / (1 + shards.length), SetTypeCmds: 5_000_000, SetTypeCmdsLatency: 9 } : {},
    );
    const function_ = await start({ ALLOW: 'shards', ACT_AT: 'warning' });

    function_.send(alarm({ ReplicationGroupId: 'orders', Role: 'Primary' }));
    await function_.run(40 * MINUTE);

    expect(nodesIn('orders')).toEqual([2, 2]);
    expect(story(function_)).toEqual(['act primaries-write-hot', 'defer changing', 'defer measuring', 'skip resolved']);
  });
});

describe('a serverless cache', () => {
  const dimension = (name: string) => ({ [name]: 'sessions' });
  const throttled = (name: string) => {
    fake.clock.eachMinute((at) => {
      const { maximum } = fake.elasticache.serverless('sessions');
      const used = Math.min(14_000, maximum ?? Number.POSITIVE_INFINITY);
      for (const [metric, value] of [
        ['ElastiCacheProcessingUnits', used * 60],
        ['ThrottledCmds', used < 14_000 ? 300 : 0],
      ] as const) {
        const metricName = { namespace: 'AWS/ElastiCache', name: metric, dimensions: dimension(name) };
        fake.cloudwatch.publish(metricName, at - MINUTE, value);
      }
    });
    fake.clock.advance(15 * MINUTE);
  };

  it.each(['clusterId', 'ServerlessCacheName'])(
    'throttled by its limit gets a higher one (metrics by %s)',
    async (name) => {
      fake.elasticache.createServerless('sessions', { maximum: 10_000 });
      throttled(name);
      const function_ = await start({ ALLOW: 'serverless-limit' });

      function_.send(alarm(dimension(name), 'ThrottledCmds'));
      await function_.run(30 * MINUTE);

      expect(fake.elasticache.serverless('sessions').maximum).toBe(15_000);
      expect(story(function_)).toEqual(['act serverless-limit', 'defer measuring', 'skip resolved']);
    },
  );
});

describe('many alarms at once', () => {
  it('cost calls per batch, not per group', async () => {
    for (let i = 0; i < 9; i++) {
      fake.elasticache.createGroup(`group-${i}`);
      offered(
        fake,
        `group-${i}`,
        readLoad(() => 1.9),
      );
    }
    const function_ = await start();

    function_.send(
      ...Array.from({ length: 9 }, (_, i) => alarm({ CacheClusterId: `group-${i}-001` }, undefined, `hot-${i}`)),
    );
    await function_.run(2_000);

    const reads = ['DescribeReplicationGroups', 'GetResources', 'DescribeScalableTargets', 'DescribeUpdateActions'];
    for (const operation of reads) expect(fake.called(operation), operation).toHaveLength(1);
    // 18 nodes of 46 metrics, 500 a call.
    expect(fake.called('GetMetricData')).toHaveLength(2);
    expect(fake.called('DescribeCacheClusters')).toHaveLength(2);
    expect(fake.called('IncreaseReplicaCount')).toHaveLength(9);
  });

  it('of one group are one act', async () => {
    fake.elasticache.createGroup('orders');
    offered(
      fake,
      'orders',
      readLoad(() => 1.9),
    );
    const function_ = await start();

    function_.send(
      alarm({ CacheClusterId: 'orders-001' }, undefined, 'one'),
      alarm({ CacheClusterId: 'orders-002', CacheNodeId: '0001' }, 'CPUUtilization', 'two'),
      alarm({ ReplicationGroupId: 'orders' }, undefined, 'three'),
    );
    await function_.run(5 * MINUTE);
    function_.send(alarm({ CacheClusterId: 'orders-001' }, undefined, 'four'));
    await function_.run(MINUTE);

    expect(fake.called('IncreaseReplicaCount')).toHaveLength(1);
  });

  it('of more groups than the storm limit are left to a person', async () => {
    for (let i = 0; i < 3; i++) {
      fake.elasticache.createGroup(`group-${i}`);
      offered(
        fake,
        `group-${i}`,
        readLoad(() => 1.9),
      );
    }
    const function_ = await start({ STORM_LIMIT: '2' });

    function_.send(
      ...Array.from({ length: 3 }, (_, i) => alarm({ CacheClusterId: `group-${i}-001` }, undefined, `hot-${i}`)),
    );
    await function_.run(2_000);

    expect(story(function_)).toEqual(['escalate correlated-failure']);
    expect(fake.called('IncreaseReplicaCount')).toEqual([]);
  });
});

describe('round trips before the call', () => {
  const trips = async (dimensions: Record<string, string>, event = alarm(dimensions)) => {
    fake.elasticache.createGroup('orders', { logGroup: '/elasticache/orders' });
    fake.logs.write('/elasticache/orders', 'x');
    offered(
      fake,
      'orders',
      readLoad(() => 1.9),
    );
    const function_ = await start();
    const waves = await fake.waves(() => function_.invoke(event));
    const before = waves.findIndex((wave) => wave.includes('elasticache:IncreaseReplicaCount'));
    const isLedger = (call: string) => call.startsWith('dynamodb:');
    return waves.slice(0, before).filter((wave) => !wave.every(isLedger));
  };

  it('are two from an alarm on the group, the ledger aside', async () => {
    const waves = await trips({ ReplicationGroupId: 'orders' });

    expect(waves).toHaveLength(2);
    expect(waves[0]).toContain('elasticache:ListAllowedNodeTypeModifications');
    expect(waves[1]).toEqual(['elasticache:DescribeCacheClusters', 'logs:FilterLogEvents', 'monitoring:GetMetricData']);
  });

  it('are three from an alarm on a node', async () => {
    expect(await trips({ CacheClusterId: 'orders-001' })).toHaveLength(3);
  });

  it('are four from a composite alarm', async () => {
    const child = 'redis-hot';
    const composite = alarmEvent({ name: 'all', at: fake.clock(), composite: { rule: `ALARM(${child})` } });
    const arn = composite.resources[0]?.replace(':all', `:${child}`) ?? '';
    fake.cloudwatch.alarms.push({
      AlarmName: child,
      AlarmArn: arn,
      StateValue: 'ALARM',
      Namespace: 'AWS/ElastiCache',
      MetricName: 'EngineCPUUtilization',
      Dimensions: [{ Name: 'CacheClusterId', Value: 'orders-001' }],
    });

    expect(await trips({}, composite)).toHaveLength(4);
  });
});
