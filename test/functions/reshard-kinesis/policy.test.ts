import { describe, expect, it } from 'vitest';
import { stackPolicy, streamPolicy } from '../../../functions/reshard-kinesis/policy.ts';

const stack = stackPolicy({});

describe('stackPolicy', () => {
  it('has the documented defaults', () => {
    expect(stack).toEqual({
      minShards: 1,
      maxShards: 100,
      targetUtilization: 0.5,
      maxIteratorAge: 1_800,
      consumerConcurrency: null,
    });
  });

  it('reads every setting from its environment variable', () => {
    const env = {
      MIN_SHARDS: '2',
      MAX_SHARDS: '10000',
      TARGET_UTILIZATION: '0.6',
      MAX_ITERATOR_AGE: '60',
      CONSUMER_CONCURRENCY: '5',
    };
    expect(stackPolicy(env)).toEqual({
      minShards: 2,
      maxShards: 10_000,
      targetUtilization: 0.6,
      maxIteratorAge: 60,
      consumerConcurrency: 5,
    });
  });

  it('takes one shard for both bounds', () => {
    expect(stackPolicy({ MIN_SHARDS: '4', MAX_SHARDS: '4' })).toMatchObject({ minShards: 4, maxShards: 4 });
  });

  it.each([
    ['MIN_SHARDS', '0', 'MIN_SHARDS: expected a whole number from 1 to 10000, found "0"'],
    ['MAX_SHARDS', '10001', 'MAX_SHARDS: expected a whole number from 1 to 10000, found "10001"'],
    ['TARGET_UTILIZATION', '0.19', 'TARGET_UTILIZATION: expected a number from 0.2 to 0.8, found "0.19"'],
    ['TARGET_UTILIZATION', '0.81', 'TARGET_UTILIZATION: expected a number from 0.2 to 0.8, found "0.81"'],
    ['MAX_ITERATOR_AGE', '59', 'MAX_ITERATOR_AGE: expected a whole number from 60 to 43200 (seconds), found "59"'],
    [
      'MAX_ITERATOR_AGE',
      '43201',
      'MAX_ITERATOR_AGE: expected a whole number from 60 to 43200 (seconds), found "43201"',
    ],
    [
      'CONSUMER_CONCURRENCY',
      'none',
      'CONSUMER_CONCURRENCY: expected a whole number from 1 to 1000, or off, found "none"',
    ],
    [
      'CONSUMER_CONCURRENCY',
      '1001',
      'CONSUMER_CONCURRENCY: expected a whole number from 1 to 1000, or off, found "1001"',
    ],
  ])('refuses %s = %s and says what is allowed', (name, value, message) => {
    expect(() => stackPolicy({ [name]: value })).toThrow(message);
  });

  it('refuses a minimum above the maximum', () => {
    expect(() => stackPolicy({ MIN_SHARDS: '101' })).toThrow(
      'MIN_SHARDS and MAX_SHARDS: expected min <= max, found 101 > 100',
    );
  });
});

describe('streamPolicy', () => {
  it("lets the stream's tags win over the stack", () => {
    const tags = {
      'reflex:enabled': 'true',
      'reflex:min-shards': '2',
      'reflex:max-shards': '8',
      'reflex:target-utilization': '0.7',
      'reflex:max-iterator-age': '600',
      'reflex:consumer-concurrency': '3',
      team: 'orders',
    };
    expect(streamPolicy(stack, tags)).toEqual({
      minShards: 2,
      maxShards: 8,
      targetUtilization: 0.7,
      maxIteratorAge: 600,
      consumerConcurrency: 3,
    });
  });

  it('lets a tag switch off what the stack switched on', () => {
    const on = stackPolicy({ CONSUMER_CONCURRENCY: '5' });
    expect(streamPolicy(on, { 'reflex:consumer-concurrency': 'off' }).consumerConcurrency).toBeNull();
    expect(streamPolicy(on, {}).consumerConcurrency).toBe(5);
  });

  it.each([
    [{ 'reflex:max-shard': '8' }, /tag reflex:max-shard: unknown; expected one of .*reflex:max-shards/],
    [{ 'reflex:max-shards': 'eight' }, 'tag reflex:max-shards: expected a whole number from 1 to 10000, found "eight"'],
    [{ 'reflex:min-shards': '' }, 'tag reflex:min-shards: expected a whole number from 1 to 10000, found ""'],
    [
      { 'reflex:min-shards': '200' },
      'tags reflex:min-shards and reflex:max-shards: expected min <= max, found 200 > 100',
    ],
  ])('refuses the tags %j', (tags, message) => {
    expect(() => streamPolicy(stack, tags)).toThrow(message);
  });
});
