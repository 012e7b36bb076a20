import { describe, expect, it } from 'vitest';
import {
  addressOf,
  commandLine,
  groupAround,
  listMembers,
  listTypes,
  modify,
  recentEvents,
  setTag,
} from '../../../functions/relieve-elasticache/commands.ts';
import type { ElastiCacheCall } from '../../../functions/relieve-elasticache/remedies.ts';
import { groupArn } from '../../support/cache-facts.ts';

const GROUP = { kind: 'replication-group', id: 'orders' } as const;
const CLUSTER = { kind: 'cluster', id: 'orders' } as const;

/** The options of a command as a shell would pass them. */
const parsed = (line: string): { operation: string; options: Record<string, unknown> } => {
  const words = line.match(/'[^']*'|\S+/g) ?? [];
  const [aws, service, operation = '', ...rest] = words;
  expect([aws, service]).toEqual(['aws', 'elasticache']);
  const options: Record<string, unknown> = {};
  for (const [i, word] of rest.entries()) {
    if (!word.startsWith('--')) continue;
    const next = rest[i + 1];
    const value = next === undefined || next.startsWith('--') ? true : next.replace(/^'|'$/g, '');
    options[word.slice(2)] = value;
  }
  return { operation, options };
};
const pascal = (name: string): string => name.replace(/(^|-)(.)/g, (_, _dash, letter: string) => letter.toUpperCase());

describe('the command that makes a call', () => {
  it.each<ElastiCacheCall>([
    {
      call: 'IncreaseReplicaCount',
      params: { ReplicationGroupId: 'orders', ApplyImmediately: true, NewReplicaCount: 2 },
    },
    {
      call: 'DecreaseReplicaCount',
      params: {
        ReplicationGroupId: 'orders',
        ApplyImmediately: true,
        ReplicaConfiguration: [{ NodeGroupId: '0002', NewReplicaCount: 1 }],
      },
    },
    {
      call: 'ModifyReplicationGroupShardConfiguration',
      params: {
        ReplicationGroupId: 'orders',
        NodeGroupCount: 2,
        ApplyImmediately: true,
        NodeGroupsToRemove: ['0003'],
      },
    },
    {
      call: 'ModifyReplicationGroup',
      params: { ReplicationGroupId: 'orders', CacheNodeType: 'cache.r7g.xlarge', ApplyImmediately: true },
    },
    {
      call: 'ModifyCacheCluster',
      params: { CacheClusterId: 'orders', CacheNodeType: 'cache.r7g.xlarge', ApplyImmediately: true },
    },
    {
      call: 'ModifyServerlessCache',
      params: {
        ServerlessCacheName: 'orders',
        CacheUsageLimits: { ECPUPerSecond: { Maximum: 15_000, Minimum: 2_000 } },
      },
    },
  ])('$call carries every parameter', (call) => {
    const { operation, options } = parsed(commandLine(call));

    const params = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [
        pascal(name),
        value === true ? value : /^(\d+|[[{].*)$/.test(String(value)) ? JSON.parse(String(value)) : value,
      ]),
    );
    expect(pascal(operation)).toBe(call.call);
    expect(params).toEqual(call.params);
  });
});

describe('a command', () => {
  it('sets a tag on the cache itself', () => {
    expect(setTag({ arn: groupArn() }, 'max-shards', 11)).toBe(
      `aws elasticache add-tags-to-resource --resource-name ${groupArn()} --tags Key=reflex:max-shards,Value=11`,
    );
  });

  it.each([
    [GROUP, 'aws elasticache modify-replication-group --replication-group-id orders --apply-immediately --x'],
    [CLUSTER, 'aws elasticache modify-cache-cluster --cache-cluster-id orders --apply-immediately --x'],
  ])('changes a %j by its own call', (cache, expected) => {
    expect(modify(cache, '--x')).toBe(expected);
  });

  it.each([
    [GROUP, '--replication-group-id orders'],
    [CLUSTER, '--cache-cluster-id orders'],
  ])('asks for the node types of a %j', (cache, expected) => {
    expect(listTypes(cache)).toBe(`aws elasticache list-allowed-node-type-modifications ${expected}`);
  });

  it.each([
    [GROUP, 'replication-group'],
    [CLUSTER, 'cache-cluster'],
    [{ kind: 'serverless', id: 'orders' } as const, 'serverless-cache'],
  ])('asks what has happened to a %j', (cache, type) => {
    expect(recentEvents(cache)).toContain(`--source-type ${type} --source-identifier orders`);
  });

  it('ends with the name of what it looks at, for people who read from the end', () => {
    expect(addressOf('orders-002')).toMatch(/ orders-002$/);
    expect(listMembers('orders')).toMatch(/ orders$/);
  });

  it.each([
    ['orders', 'orders-group'],
    ['a'.repeat(50), `${'a'.repeat(34)}-group`],
    [`${'a'.repeat(33)}-b`, `${'a'.repeat(33)}-group`],
  ])('makes a group around %s with a name that AWS takes: %s', (id, expected) => {
    const { options } = parsed(groupAround(id));

    expect(options['replication-group-id']).toBe(expected);
    expect(expected.length).toBeLessThanOrEqual(40);
    expect(options['primary-cluster-id']).toBe(id);
  });
});
