import { describe, expect, it } from 'vitest';
import { cachePolicy, stackPolicy } from '../../../functions/relieve-elasticache/policy.ts';

const tagged = (tags: Readonly<Record<string, string>>) => cachePolicy(stackPolicy({}), tags);

describe('a cache without tags', () => {
  it('has replicas added when it is saturated, and nothing else', () => {
    expect(tagged({ 'reflex:enabled': 'true', team: 'a' })).toEqual({
      allow: ['replicas'],
      actAt: 'saturated',
      maxReplicas: 5,
      minReplicas: 1,
      maxShards: 10,
      maxNodes: 90,
      readsOffloaded: 'detect',
      reshardAbove80: 'false',
      scaleIn: 'own',
      maxEcpuPerSecond: 15_000_000,
    });
  });
});

describe('a tag', () => {
  it.each([
    ['allow', 'shards', 'allow', ['shards']],
    [
      'allow',
      'replicas shards node-type serverless-limit',
      'allow',
      ['replicas', 'shards', 'node-type', 'serverless-limit'],
    ],
    ['allow', 'none', 'allow', []],
    ['act-at', 'warning', 'actAt', 'warning'],
    ['max-replicas', '2', 'maxReplicas', 2],
    ['min-replicas', '0', 'minReplicas', 0],
    ['max-shards', '500', 'maxShards', 500],
    ['max-nodes', '500', 'maxNodes', 500],
    ['reads-offloaded', 'true', 'readsOffloaded', 'true'],
    ['reshard-above-80', 'true', 'reshardAbove80', 'true'],
    ['scale-in', 'all', 'scaleIn', 'all'],
    ['max-ecpu-per-second', '20000', 'maxEcpuPerSecond', 20_000],
  ] as const)('reflex:%s = %s is taken', (tag, value, setting, expected) => {
    expect(tagged({ [`reflex:${tag}`]: value })[setting]).toEqual(expected);
  });

  it.each([
    ['allow', 'everything'],
    ['allow', ''],
    ['allow', 'replicas,shards'],
    ['allow', 'replicas  shards'],
    ['allow', 'replicas none'],
    ['allow', 'replicas replicas'],
    ['act-at', 'Warning'],
    ['max-replicas', '6'],
    ['max-shards', '0'],
    ['max-shards', '501'],
    ['reads-offloaded', 'yes'],
    ['reshard-above-80', '1'],
    ['scale-in', 'none'],
    ['max-ecpu-per-second', '999'],
    ['reshard-above80', 'true'],
    ['min-shards', '1'],
  ])('reflex:%s = "%s" is refused', (tag, value) => {
    expect(() => tagged({ [`reflex:${tag}`]: value })).toThrow(`reflex:${tag}`);
  });

  it('that contradicts another is refused', () => {
    expect(() => tagged({ 'reflex:min-replicas': '3', 'reflex:max-replicas': '2' })).toThrow('found 3 > 2');
    expect(tagged({ 'reflex:min-replicas': '2', 'reflex:max-replicas': '2' })).toMatchObject({ minReplicas: 2 });
  });
});

describe('the stack', () => {
  it('sets what a cache does not', () => {
    const stack = stackPolicy({ ALLOW: 'replicas shards', MAX_SHARDS: '20' });
    expect(cachePolicy(stack, { 'reflex:max-shards': '4' })).toMatchObject({
      allow: ['replicas', 'shards'],
      maxShards: 4,
    });
  });

  it.each([
    [{ ALLOW: 'shard' }, 'ALLOW: expected replicas, shards, node-type, serverless-limit separated by spaces, or none'],
    [{ MIN_REPLICAS: '5', MAX_REPLICAS: '1' }, 'MIN_REPLICAS and MAX_REPLICAS: expected min <= max, found 5 > 1'],
  ])('is refused with %j', (env, message) => {
    expect(() => stackPolicy(env)).toThrow(message);
  });
});
