import { describe, expect, it } from 'vitest';
import { act, meaning } from '../../../functions/relieve-elasticache/act.ts';
import type { ElastiCacheCall } from '../../../functions/relieve-elasticache/remedies.ts';
import { groupArn } from '../../support/cache-facts.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const MINUTE = 60_000;
const fake = await useFakeAws();

const increase = (NewReplicaCount: number, ReplicationGroupId = 'orders'): ElastiCacheCall => ({
  call: 'IncreaseReplicaCount',
  params: { ReplicationGroupId, ApplyImmediately: true, NewReplicaCount },
});
const approved = (call: ElastiCacheCall, resource = groupArn()) => ({
  resource,
  act: { kind: 'act', reason: 'read-hot-primary', why: 'Because.', calls: [call], coolDownMs: 0 } as const,
});
const acted = async (call: ElastiCacheCall) => (await act(fake.clock)([approved(call)])).get(groupArn());

describe('a call that AWS takes', () => {
  it.each<[ElastiCacheCall, Record<string, string>]>([
    [increase(2), { NewReplicaCount: '2' }],
    [
      {
        call: 'IncreaseReplicaCount',
        params: {
          ReplicationGroupId: 'orders',
          ApplyImmediately: true,
          ReplicaConfiguration: [{ NodeGroupId: '0002', NewReplicaCount: 2 }],
        },
      },
      {
        'ReplicaConfiguration.ConfigureShard.1.NodeGroupId': '0002',
        'ReplicaConfiguration.ConfigureShard.1.NewReplicaCount': '2',
      },
    ],
    [
      {
        call: 'DecreaseReplicaCount',
        params: { ReplicationGroupId: 'orders', ApplyImmediately: true, NewReplicaCount: 0 },
      },
      { NewReplicaCount: '0' },
    ],
    [
      {
        call: 'ModifyReplicationGroupShardConfiguration',
        params: {
          ReplicationGroupId: 'orders',
          NodeGroupCount: 2,
          ApplyImmediately: true,
          NodeGroupsToRemove: ['0003'],
        },
      },
      { NodeGroupCount: '2', 'NodeGroupsToRemove.NodeGroupToRemove.1': '0003' },
    ],
    [
      {
        call: 'ModifyReplicationGroup',
        params: { ReplicationGroupId: 'orders', CacheNodeType: 'cache.r7g.2xlarge', ApplyImmediately: true },
      },
      { CacheNodeType: 'cache.r7g.2xlarge' },
    ],
  ])('is sent as decided, once: %j', async (call, wire) => {
    fake.elasticache.createGroup('orders', { shards: 3, replicas: 1, failover: false });

    const result = await acted(call);

    expect(result).toEqual({ actions: [call] });
    expect(fake.called(call.call)).toEqual([
      { Action: call.call, Version: '2015-02-02', ReplicationGroupId: 'orders', ApplyImmediately: 'true', ...wire },
    ]);
    expect(fake.elasticache.group('orders').status).toBe('modifying');
  });

  it('of a standalone node and of a serverless cache go their own way', async () => {
    fake.elasticache.createCluster('alone');
    fake.elasticache.createServerless('sessions', { maximum: 10_000 });
    const node: ElastiCacheCall = {
      call: 'ModifyCacheCluster',
      params: { CacheClusterId: 'alone', CacheNodeType: 'cache.m5.2xlarge', ApplyImmediately: true },
    };
    const limit: ElastiCacheCall = {
      call: 'ModifyServerlessCache',
      params: {
        ServerlessCacheName: 'sessions',
        CacheUsageLimits: { ECPUPerSecond: { Maximum: 15_000, Minimum: 2_000 } },
      },
    };

    expect([await acted(node), await acted(limit)]).toEqual([{ actions: [node] }, { actions: [limit] }]);
    expect(fake.elasticache.serverless('sessions')).toMatchObject({ maximum: 15_000, minimum: 2_000 });
  });
});

describe('a call that fails', () => {
  const failing = async (code: string, status = 400) => {
    fake.elasticache.createGroup('orders');
    fake.fault('IncreaseReplicaCount', new AwsError(code, `AWS says ${code}.`, status), 9);
    return acted(increase(2));
  };

  it.each([
    ['InvalidReplicationGroupState', 'defer', 'not-available', 2 * MINUTE],
    ['InvalidCacheClusterState', 'defer', 'not-available', 2 * MINUTE],
    ['InvalidServerlessCacheStateFault', 'defer', 'not-available', 2 * MINUTE],
    ['InsufficientCacheClusterCapacity', 'defer', 'no-capacity', 15 * MINUTE],
    ['Throttling', 'defer', 'rate-limited', MINUTE],
  ])('with %s: %s %s', async (code, kind, reason, wait) => {
    const result = await failing(code);

    expect(result?.problem).toMatchObject({ kind, reason, until: fake.clock() + wait });
    expect(result?.actions).toEqual([{ ...increase(2), error: expect.stringContaining(`AWS says ${code}.`) }]);
    expect(fake.called('IncreaseReplicaCount')).toHaveLength(1);
  });

  it.each([
    ['NodeQuotaForClusterExceeded', 'cache-quota', 'nodes per cluster', '--quota-code L-AF354865'],
    ['NodeGroupsPerReplicationGroupQuotaExceeded', 'cache-quota', 'nodes per cluster', '--quota-code L-AF354865'],
    ['NodeQuotaForCustomerExceeded', 'cache-quota', 'nodes per Region', '--quota-code L-DFE45DF3'],
    ['ClusterQuotaForCustomerExceeded', 'cache-quota', 'nodes per Region', '--quota-code L-DFE45DF3'],
    ['InvalidParameterValue', 'invalid-argument', 'report', '--new-replica-count 2'],
    ['InvalidParameterCombination', 'invalid-argument', 'report', '--new-replica-count 2'],
    ['AccessDenied', 'access-denied', 'reflex:enabled', '--new-replica-count 2'],
    ['InvalidVPCNetworkStateFault', 'act-failed', 'changed nothing', '--new-replica-count 2'],
  ])('with %s goes to a person: %s', async (code, reason, advice, command) => {
    const result = await failing(code);

    expect(result?.problem).toMatchObject({ kind: 'escalate', reason, advice: expect.stringContaining(advice) });
    expect(JSON.stringify(result?.problem)).toMatch(new RegExp(`aws .* ${command}"}$`));
    expect(fake.called('IncreaseReplicaCount')).toHaveLength(1);
  });

  it('with NoOperationFault was done already', async () => {
    expect(await failing('NoOperationFault')).toEqual({ actions: [increase(2)] });
  });

  it('with nothing to modify was done already', async () => {
    fake.elasticache.createGroup('orders');
    const said = new AwsError('InvalidParameterCombination', 'No modifications were requested');
    fake.fault('IncreaseReplicaCount', said);

    expect(await acted(increase(2))).toEqual({ actions: [increase(2)] });
  });

  it('with a group that is gone ends the incident', async () => {
    expect((await acted(increase(2, 'gone')))?.problem).toMatchObject({ kind: 'skip', reason: 'cache-gone' });
  });

  it.each([500, 503])('with %d may have been done', async (status) => {
    expect((await failing('InternalFailure', status))?.problem).toMatchObject({ reason: 'act-unknown' });
  });

  it('without an answer may have been done, and is not repeated by itself', async () => {
    fake.elasticache.createGroup('orders');
    fake.fault('IncreaseReplicaCount', 'lost');

    const result = await acted(increase(2));

    expect(result?.problem).toMatchObject({ kind: 'defer', reason: 'act-unknown' });
    expect(fake.called('IncreaseReplicaCount')).toHaveLength(1);
  });

  it.each([
    ['InvalidReplicationGroupStateFault', 'name'],
    ['InvalidReplicationGroupState', 'Code'],
    ['InvalidReplicationGroupState', 'name'],
    ['InvalidReplicationGroupStateFault', 'Code'],
  ])('is known as %s by its %s', (value, field) => {
    const error = Object.assign(new Error('busy'), { [field]: value });
    expect(meaning(increase(2), error, 0)).toMatchObject({ reason: 'not-available' });
  });

  it('of one group does not stop the others', async () => {
    for (const id of ['a', 'b', 'c']) fake.elasticache.createGroup(id);
    fake.elasticache.group('b').status = 'modifying';

    const results = await act(fake.clock)(['a', 'b', 'c'].map((id) => approved(increase(2, id), groupArn(id))));

    expect([...results.values()].map(({ problem }) => problem?.reason)).toEqual([
      undefined,
      'not-available',
      undefined,
    ]);
  });
});
