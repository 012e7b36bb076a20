import { describe, expect, it } from 'vitest';
import { decide } from '../../../functions/reshard-kinesis/decide.ts';
import type { StreamFacts } from '../../../functions/reshard-kinesis/facts.ts';
import { stackPolicy } from '../../../functions/reshard-kinesis/policy.ts';
import { budgets, budgetText, budgetUse } from '../../../scripts/ops/budgets.ts';
import { factsInWords } from '../../../scripts/ops/facts.ts';
import { redact } from '../../../shared/telemetry/logging.ts';
import { at, streamArn } from '../../support/event-builders.ts';
import { fn } from './terminal.ts';

const minute = Math.floor(at / 60_000) * 60_000 - 60_000;

/** One shard, nearly full. */
const facts: StreamFacts = {
  asOf: at,
  tags: { team: 'shop', 'reflex:enabled': 'true', 'reflex:max-shards': '8' },
  arn: streamArn(),
  name: 'orders',
  status: 'ACTIVE',
  mode: 'PROVISIONED',
  warmThroughputMiBps: null,
  shards: [
    {
      id: 'shardId-000000000000',
      startingHashKey: '0',
      endingHashKey: '340282366920938463463374607431768211455',
      parentId: null,
    },
  ],
  closedShardIds: [],
  metrics: {
    incomingBytes: [
      [minute - 60_000, 60 * 1_048_576],
      [minute, 57 * 1_048_576],
    ],
    incomingRecords: [
      [minute - 60_000, 30_000],
      [minute, 28_500],
    ],
    throttled: [],
    outgoingBytes: [],
    iteratorAge: [[minute, 3_000]],
  },
  day: null,
  shardLoads: null,
  freeShards: 6_000,
  consumers: null,
  unreservedConcurrency: null,
};

describe('the facts of a stream', () => {
  const words = (changes: Partial<StreamFacts> = {}) => factsInWords(fn, redact({ ...facts, ...changes })).join('\n');

  it('are told with their numbers', () => {
    expect(words().split('\n')).toEqual([
      '1 open shard; ACTIVE, PROVISIONED',
      'newest minute of metrics (03:11 UTC): 0.95 MiB/s and 475 records/s, 95 % of 1 shard, 0 records rejected',
      'consumers 3 s behind',
      'no shard-level metrics',
      'free shards in the account: 6,000',
      'tags: reflex:enabled=true reflex:max-shards=8',
    ]);
  });

  it('say what is not known instead of leaving a gap', () => {
    const none = { incomingBytes: [], incomingRecords: [], throttled: [], outgoingBytes: [], iteratorAge: [] };
    const text = words({ metrics: none, tags: {}, closedShardIds: ['a'], freeShards: null });
    expect(text).toContain('1 open shard, 1 closed lately');
    expect(text).toContain('no IncomingBytes or IncomingRecords data point');
    expect(text).toContain('no consumer seen reading with GetRecords');
    expect(text).toContain('tags: none of reflex');
    expect(text).not.toContain('free shards');
  });

  it('name hot shards, rejected records, the day and the consumers', () => {
    const text = words({
      metrics: { ...facts.metrics, throttled: [[minute, 1_200]] },
      shardLoads: {
        'shardId-1': { now: 0.9, throttled: 0, day: null },
        'shardId-2': { now: 0.1, throttled: 0, day: null },
      },
      day: {
        peak: { bytesPerSecond: 524_288, recordsPerSecond: 100, egressBytesPerSecond: 0 },
        spanHours: 23.5,
        hoursSeen: 24,
        throttledRecords: 0,
      },
      consumers: [{ functionName: 'shipper', parallelizationFactor: 1, reservedConcurrency: null }],
    });
    expect(text).toContain('1,200 records rejected');
    expect(text).toContain('hot shards: shardId-1 90 %');
    expect(text).toContain('peak of 24 h: 0.50 MiB/s and 100 records/s, 50 % of 1 shard, from 23.5 h of metrics');
    expect(text).toContain('consumer functions: shipper');
  });

  it('of another shape, or another function, are given value by value', () => {
    const other = { asOf: 1, shards: ['a', 'b'], metrics: { x: 1 }, gone: null };
    const expected = ['asOf: 1', 'shards: 2 elements', 'metrics: {"x":1}'];
    expect(factsInWords(fn, other)).toEqual(expected);
    expect(factsInWords('some-other', other)).toEqual(expected);
  });

  it('that were left out of a record are said to be', () => {
    expect(factsInWords(fn, { leftOut: '400000 bytes' })).toEqual(['Facts left out of the record: 400000 bytes.']);
    expect(factsInWords(fn, null)).toEqual([]);
  });
});

describe('a budget', () => {
  it('is the one the function spends from', () => {
    const ledger = { attempts: {}, lastActAt: null, incident: null, remembered: {} };
    const decision = decide({ ...facts, trigger: 'alarm', ledger }, stackPolicy({}), at);
    const spends = decision.kind === 'act' ? decision.spends : undefined;
    expect(spends?.map(({ budget, limit, windowMs }) => [budget, { limit, windowMs }])).toEqual(
      Object.entries(budgets),
    );
  });

  it('counts the attempts that still do, and says when the oldest stops', () => {
    const attempts = { UpdateShardCount: [at - 25 * 3_600_000, at - 3_600_000, at], Other: [at] };
    const [own, other] = budgetUse({ attempts }, at);
    expect(own).toEqual({ budget: 'UpdateShardCount', used: 2, limit: 10, freeAt: at + 23 * 3_600_000 + 300_000 });
    expect(other && budgetText(other)).toBe('Other 1 used');
    expect(budgetUse({ attempts: { UpdateShardCount: [at - 25 * 3_600_000] } }, at)).toEqual([]);
  });
});
