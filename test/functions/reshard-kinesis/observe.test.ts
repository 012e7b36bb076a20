import { describe, expect, it } from 'vitest';
import type { StreamFacts } from '../../../functions/reshard-kinesis/facts.ts';
import { observe } from '../../../functions/reshard-kinesis/observe.ts';
import { stackPolicy } from '../../../functions/reshard-kinesis/policy.ts';
import type { Observed, Trigger } from '../../../shared/function.ts';
import { streamArn } from '../../support/event-builders.ts';
import { load, type Offered } from '../../support/fake-aws/load.ts';
import { AwsError, type Input } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const MIB = 1_048_576;
const ENABLED = { 'reflex:enabled': 'true' };
const SHARD_LEVEL = ['IncomingBytes', 'IncomingRecords', 'WriteProvisionedThroughputExceeded'];
const fake = await useFakeAws();

const look = async (names: readonly string[], trigger: Trigger = 'alarm', env: Record<string, string> = {}) => {
  const watches = names.map((name) => ({ resource: streamArn(name), trigger, signals: [] }));
  const pause = async (ms: number) => {
    await fake.quiet();
    fake.clock.advance(ms);
  };
  return observe(stackPolicy(env), fake.clock, pause)(watches);
};
const lookAt = async (name: string, trigger: Trigger = 'alarm', env = {}): Promise<Observed<StreamFacts>> => {
  const observed = (await look([name], trigger, env)).get(streamArn(name));
  if (observed === undefined) throw new Error(`${name} was not observed`);
  return observed;
};
const factsOf = async (name: string, trigger: Trigger = 'alarm', env = {}): Promise<StreamFacts> => {
  const observed = await lookAt(name, trigger, env);
  if (!('facts' in observed)) throw new Error(JSON.stringify(observed));
  return observed.facts;
};
const busy = (bytes: number, rest: Partial<Offered> = {}) => ({ bytes, records: bytes / 10_000, ...rest });
const written = (name: string, offered: Offered, minutes = 15) => load(fake, name, () => offered).backfill(minutes);
const update = async (name: string, target: number) => {
  const { updateShardCount } = await import('../../../shared/aws/kinesis.ts');
  await updateShardCount({
    StreamARN: streamArn(name),
    TargetShardCount: target,
    ScalingType: 'UNIFORM_SCALING',
  });
  fake.clock.advance(2 * MINUTE);
};
const refused = (action: string) =>
  new AwsError('AccessDeniedException', `User: reflex is not authorized to perform: ${action}`);

describe('the stream', () => {
  it.each([1, 3, 1_500])('has its %d open shards in hash order', async (n) => {
    fake.kinesis.createStream('orders', n);

    const { shards, closedShardIds, status, mode, name, arn, asOf } = await factsOf('orders');

    expect(shards).toHaveLength(n);
    const starts = shards.map(({ startingHashKey }) => BigInt(startingHashKey));
    expect(starts).toEqual(starts.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(shards.at(-1)?.endingHashKey).toBe(String(2n ** 128n - 1n));
    expect({ closedShardIds, status, mode, name, arn, asOf }).toEqual({
      closedShardIds: [],
      status: 'ACTIVE',
      mode: 'PROVISIONED',
      name: 'orders',
      arn: streamArn('orders'),
      asOf: fake.clock(),
    });
  });

  it('orders shards by hash key as a number, not by id or text, and names their parents', async () => {
    fake.kinesis.createStream('orders', 2);
    const { splitShard } = await import('../../../shared/aws/kinesis.ts');
    for (const [id, key] of [
      ['0', 2n ** 120n],
      ['2', 2n ** 119n],
    ] as const) {
      await splitShard({
        StreamARN: streamArn(),
        ShardToSplit: `shardId-00000000000${id}`,
        NewStartingHashKey: String(key),
      });
      fake.clock.advance(MINUTE);
    }

    const { shards } = await factsOf('orders');

    expect(shards.map(({ id, parentId }) => [id.slice(-1), parentId?.slice(-1)])).toEqual([
      ['4', '2'],
      ['5', '2'],
      ['3', '0'],
      ['1', undefined],
    ]);
    expect(shards.map(({ startingHashKey }) => startingHashKey)).toEqual([
      '0',
      String(2n ** 119n),
      String(2n ** 120n),
      String(2n ** 127n),
    ]);
  });

  it('names shards closed inside the window, and not those closed before it', async () => {
    fake.kinesis.createStream('orders', 2);
    await update('orders', 4);
    const soon = await factsOf('orders');
    fake.clock.advance(HOUR);

    const later = await factsOf('orders');

    expect(soon.closedShardIds.map((id) => id.slice(-1))).toEqual(['0', '1']);
    expect(later.closedShardIds).toEqual([]);
    expect([soon.shards.length, later.shards.length]).toEqual([4, 4]);
  });

  it.each([
    ['stack', { MAX_ITERATOR_AGE: '10800' }, {}],
    ['tag', {}, { 'reflex:max-iterator-age': '10800' }],
  ])('looks back as far as the iterator-age limit of the %s where scale-in is judged', async (_, env, tags) => {
    fake.kinesis.createStream('orders', 2, { tags: { ...ENABLED, ...tags } });
    await update('orders', 4);
    fake.clock.advance(2 * HOUR);
    written('orders', busy(100_000));

    const { closedShardIds } = await factsOf('orders', 'tick', env);

    expect(closedShardIds).toHaveLength(2);
  });

  it('is read as it is while UPDATING', async () => {
    fake.kinesis.createStream('orders', 2, { reshardMs: 10 * MINUTE });
    await update('orders', 4);

    const { status, shards } = await factsOf('orders', 'follow-up');

    expect(status).toBe('UPDATING');
    expect(shards).toHaveLength(2);
  });

  it.each([
    [{}, null],
    [{ warmThroughputMiBps: 40 }, 40],
  ])('in on-demand mode says so, with its warm throughput where there is one (%o)', async (options, warm) => {
    fake.kinesis.createStream('orders', 4, { mode: 'ON_DEMAND', ...options });

    const { mode, warmThroughputMiBps } = await factsOf('orders');

    expect({ mode, warmThroughputMiBps }).toEqual({ mode: 'ON_DEMAND', warmThroughputMiBps: warm });
  });

  it('carries all of its tags', async () => {
    const tags = { ...ENABLED, ...Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`t${i}`, 'x'])) };
    fake.kinesis.createStream('orders', 1, { tags });

    expect((await factsOf('orders')).tags).toEqual(tags);
  });

  it('that does not exist is a skip, not an error', async () => {
    expect(await lookAt('gone')).toEqual({
      decision: { kind: 'skip', reason: 'stream-gone', why: `${streamArn('gone')} does not exist.` },
    });
  });

  it.each(['DescribeStreamSummary', 'ListShards', 'ListTagsForStream', 'GetMetricData'])(
    'that may not be read (%s) is an error with the permission in it',
    async (operation) => {
      fake.kinesis.createStream('orders');
      fake.fault(operation, refused(operation), Number.POSITIVE_INFINITY);

      const observed = await lookAt('orders');

      expect(observed).toMatchObject({ error: { name: 'AccessDeniedException', message: refused(operation).message } });
      expect(fake.called(operation)).toHaveLength(1);
    },
  );

  it.each(['DescribeStreamSummary', 'ListShards', 'ListTagsForStream', 'GetMetricData', 'DescribeLimits'])(
    'is read again where %s was throttled or not answered',
    async (operation) => {
      fake.kinesis.createStream('orders');
      fake.fault(operation, new AwsError('LimitExceededException', 'Rate exceeded'));
      fake.fault(operation, 'hang-up');

      const { status, freeShards } = await factsOf('orders');

      expect({ status, freeShards }).toEqual({ status: 'ACTIVE', freeShards: 19_999 });
      expect(fake.called(operation)).toHaveLength(3);
    },
  );
});

describe('the account', () => {
  it.each([
    ['throttled', new AwsError('LimitExceededException', 'Rate exceeded')],
    ['denied', refused('kinesis:DescribeLimits')],
    ['not answering', 'hang-up'],
  ] as const)('has an unknown number of free shards where DescribeLimits is %s; the rest goes on', async (_, fault) => {
    fake.kinesis.createStream('orders', 3);
    fake.fault('DescribeLimits', fault, Number.POSITIVE_INFINITY);

    const { freeShards, shards } = await factsOf('orders');

    expect({ freeShards, shards: shards.length }).toEqual({ freeShards: null, shards: 3 });
  });
});

describe('metrics', () => {
  it('of the last quarter of an hour come oldest first', async () => {
    fake.kinesis.createStream('orders', 2);
    written('orders', busy(3 * MIB, { lagMs: 1_234 }), 60);

    const { metrics } = await factsOf('orders');

    const times = metrics.incomingBytes.map(([at]) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times).toHaveLength(15);
    expect(times.at(-1)).toBe(Math.floor(fake.clock() / MINUTE) * MINUTE - MINUTE);
    const newest = [metrics.incomingBytes, metrics.incomingRecords, metrics.throttled, metrics.outgoingBytes].map(
      (series) => Math.round(series.at(-1)?.[1] ?? 0),
    );
    const taken = 2 / 3;
    const records = (3 * MIB * 60) / 10_000;
    expect(newest).toEqual([
      2 * MIB * 60,
      Math.round(records * taken),
      Math.round(records * (1 - taken)),
      2 * MIB * 60,
    ]);
    expect(metrics.iteratorAge.at(-1)?.[1]).toBe(1_234);
  });

  it('of egress are found under the name that shards have for it, too', async () => {
    fake.kinesis.createStream('orders');
    const at = Math.floor(fake.clock() / MINUTE) * MINUTE - MINUTE;
    fake.cloudwatch.publish(
      { namespace: 'AWS/Kinesis', name: 'OutgoingBytes', dimensions: { StreamName: 'orders' } },
      at,
      7 * MIB,
    );

    const { metrics } = await factsOf('orders');

    expect(metrics.outgoingBytes).toEqual([[at, 7 * MIB]]);
  });

  it('that were never published are empty, and nothing is made of that', async () => {
    fake.kinesis.createStream('orders');

    const { metrics, day, shardLoads } = await factsOf('orders', 'tick');

    expect(metrics).toEqual({
      incomingBytes: [],
      incomingRecords: [],
      throttled: [],
      outgoingBytes: [],
      iteratorAge: [],
    });
    expect({ day, shardLoads }).toEqual({ day: null, shardLoads: null });
  });

  it('that CloudWatch could not read are an error, not "no data"', async () => {
    fake.kinesis.createStream('orders');
    written('orders', busy(MIB));
    fake.cloudwatch.unreadable('WriteProvisionedThroughputExceeded', 'InternalError');

    expect(await lookAt('orders')).toMatchObject({
      error: { message: expect.stringContaining('WriteProvisionedThroughputExceeded could not be read') },
    });
  });

  it.each([
    ['alarm', true],
    ['tick', true],
    ['follow-up', false],
    ['recovery', false],
  ] as const)('of a whole day are read on %s: %s', async (trigger, read) => {
    fake.kinesis.createStream('orders', 4);
    load(fake, 'orders', (at) => busy(at < fake.clock() - 12 * HOUR ? 2 * MIB : 0.2 * MIB)).backfill(1_500);

    const { day } = await factsOf('orders', trigger);

    expect(day).toEqual(
      read
        ? {
            peak: {
              bytesPerSecond: 2 * MIB,
              recordsPerSecond: (2 * MIB) / 10_000,
              egressBytesPerSecond: 2 * MIB,
            },
            spanHours: expect.closeTo(24, 1),
            hoursSeen: 25,
            throttledRecords: 0,
          }
        : null,
    );
  });

  it.each([
    ['within the band', 2 * MIB],
    ['overloaded', 4 * MIB],
  ])('of a whole day are not read of a stream %s: it will not shrink', async (_, bytes) => {
    fake.kinesis.createStream('orders', 4);
    written('orders', busy(bytes));

    const { day } = await factsOf('orders', 'tick');

    expect(day).toBeNull();
    expect(fake.called('GetMetricData')).toHaveLength(1);
  });
});

describe('shard-level metrics', () => {
  const hot = { hot: [{ from: 0, to: 0.25, share: 0.7 }] };

  it.each([[SHARD_LEVEL], [['ALL']]])('where on (%o) show each shard as a share of its limits', async (metrics) => {
    fake.kinesis.createStream('orders', 4, { shardLevelMetrics: metrics });
    written('orders', { bytes: 2 * MIB, records: 100, ...hot });

    const { shardLoads } = await factsOf('orders');

    expect(Object.keys(shardLoads ?? {})).toHaveLength(4);
    const [first, second] = Object.values(shardLoads ?? {});
    // The hot shard is offered 0.7 of 2 MiB/s and a quarter of the rest, takes 1 MiB/s, and rejects what is more.
    expect(first?.now).toBeCloseTo(2 * (0.7 + 0.3 / 4));
    expect(first?.throttled).toBeGreaterThan(0);
    expect(first?.day).toBeNull();
    expect(second).toEqual({ now: expect.closeTo((2 * 0.3) / 4), throttled: 0, day: null });
  });

  it('tell of the last minutes, not of a peak before them', async () => {
    fake.kinesis.createStream('orders', 2, { shardLevelMetrics: SHARD_LEVEL });
    const before = fake.clock() - 7 * MINUTE;
    load(fake, 'orders', (at) => busy(at < before ? 4 * MIB : 0.8 * MIB)).backfill(15);

    const { shardLoads } = await factsOf('orders');

    expect(shardLoads?.['shardId-000000000001']).toEqual({ now: expect.closeTo(0.4), throttled: 0, day: null });
  });

  it.each([[[]], [['IteratorAgeMilliseconds']]])('where off (%o) are not asked for', async (metrics) => {
    fake.kinesis.createStream('orders', 4, { shardLevelMetrics: metrics });
    written('orders', { bytes: 2 * MIB, records: 100, ...hot });

    const { shardLoads } = await factsOf('orders');

    expect(shardLoads).toBeNull();
    expect(fake.called('GetMetricData')).toHaveLength(1);
  });

  it.each([[['IncomingBytes']], [['IncomingRecords', 'WriteProvisionedThroughputExceeded']]])(
    'that show bytes or records alone (%o) are not gone by: a shard may be full by the other',
    async (metrics) => {
      fake.kinesis.createStream('orders', 4, { shardLevelMetrics: metrics });
      written('orders', { bytes: 2 * MIB, records: 100, ...hot });

      expect((await factsOf('orders')).shardLoads).toBeNull();
    },
  );

  it('that show nothing yet are unknown, not idle', async () => {
    const stream = fake.kinesis.createStream('orders', 2);
    written('orders', busy(0.1 * MIB));
    stream.shardLevelMetrics.push('ALL');

    expect((await factsOf('orders', 'tick')).shardLoads).toBeNull();
  });

  it('count a shard without data points beside others as idle now, and unknown over the day', async () => {
    fake.kinesis.createStream('orders', 2, { shardLevelMetrics: ['ALL'] });
    const dimensions = { StreamName: 'orders', ShardId: 'shardId-000000000001' };
    for (let i = 1; i < 1_440; i++) {
      const at = Math.floor(fake.clock() / MINUTE) * MINUTE - i * MINUTE;
      fake.cloudwatch.publish({ namespace: 'AWS/Kinesis', name: 'IncomingBytes', dimensions }, at, 60);
      fake.cloudwatch.publish(
        { namespace: 'AWS/Kinesis', name: 'IncomingBytes', dimensions: { StreamName: 'orders' } },
        at,
        60,
      );
    }

    const { shardLoads } = await factsOf('orders', 'tick');

    expect(shardLoads).toEqual({
      'shardId-000000000000': { now: 0, throttled: 0, day: null },
      'shardId-000000000001': { now: expect.closeTo(0), throttled: 0, day: expect.closeTo(0) },
    });
  });

  it.each([
    [22, false],
    [23.2, true],
  ])('of a shard that opened %d hours ago tell of a day: %s', async (hours, known) => {
    fake.kinesis.createStream('orders', 1, { shardLevelMetrics: SHARD_LEVEL });
    written('orders', busy(0.01 * MIB), hours * 60);

    const { shardLoads } = await factsOf('orders', 'tick');

    expect(shardLoads?.['shardId-000000000000']?.day !== null).toBe(known);
  });

  it('of a whole day are read where scale-in is judged, in five-minute means', async () => {
    fake.kinesis.createStream('orders', 2, { shardLevelMetrics: SHARD_LEVEL });
    const night = fake.clock() - 12 * HOUR;
    load(fake, 'orders', (at) => busy(Math.abs(at - night) < 30 * MINUTE ? MIB : 0.1 * MIB)).backfill(1_440);

    const { shardLoads } = await factsOf('orders', 'tick');

    expect(shardLoads?.['shardId-000000000000']?.now).toBeCloseTo(0.05);
    expect(shardLoads?.['shardId-000000000000']?.day).toBeCloseTo(0.5);
  });

  it('of 1,500 shards are read whole', async () => {
    fake.kinesis.createStream('orders', 1_500, { shardLevelMetrics: SHARD_LEVEL });
    written('orders', busy(1_200 * MIB), 3);

    const { shardLoads } = await factsOf('orders');

    expect(Object.values(shardLoads ?? {})).toHaveLength(1_500);
    expect(shardLoads?.['shardId-000000001499']?.now).toBeCloseTo(0.8);
  });
});

describe('consumers', () => {
  const tagged = { ...ENABLED, 'reflex:consumer-concurrency': '2' };

  it.each([
    ['alarm', ENABLED, false],
    ['alarm', tagged, false],
    ['follow-up', ENABLED, true],
    ['recovery', ENABLED, true],
    ['tick', ENABLED, false],
    ['tick', tagged, true],
  ] as const)('are looked up on %s with tags %o: %s', async (trigger, tags, read) => {
    fake.kinesis.createStream('orders', 1, { tags });
    fake.lambda.map(streamArn('orders'), 'billing', { factor: 3 });
    fake.lambda.map(streamArn('orders'), 'audit', { alias: 'live' });
    fake.lambda.map(streamArn('orders'), 'retired', { state: 'Disabled' });
    fake.lambda.functions.set('audit', 7);

    const { consumers } = await factsOf('orders', trigger);

    expect(consumers).toEqual(
      read
        ? [
            { functionName: 'billing', parallelizationFactor: 3, reservedConcurrency: null },
            { functionName: 'audit', parallelizationFactor: 1, reservedConcurrency: 7 },
          ]
        : null,
    );
  });

  it('come with the unreserved concurrency of the account where the tag asks for reserving', async () => {
    fake.kinesis.createStream('orders', 1, { tags: tagged });
    fake.kinesis.createStream('payments', 1);
    fake.lambda.map(streamArn('orders'), 'billing');
    fake.lambda.functions.set('other', 300);

    const asked = await factsOf('orders', 'follow-up');
    fake.clock.advance(1_000);
    const notAsked = await factsOf('payments', 'follow-up');

    expect([asked.unreservedConcurrency, notAsked.unreservedConcurrency]).toEqual([700, null]);
  });

  it('are told from those that another source feeds as well, where the tag asks for reserving', async () => {
    fake.kinesis.createStream('orders', 1, { tags: tagged });
    for (const name of ['own', 'both', 'once']) fake.lambda.map(streamArn('orders'), name);
    fake.lambda.map(streamArn('payments'), 'both');
    fake.lambda.map(streamArn('payments'), 'once', { state: 'Disabled' });

    const { consumers } = await factsOf('orders', 'follow-up');

    expect(consumers?.filter(({ shared }) => shared).map(({ functionName }) => functionName)).toEqual(['both']);
  });

  it('are told from those that have not opted in themselves, where the tag asks for reserving', async () => {
    fake.kinesis.createStream('orders', 1, { tags: tagged });
    for (const name of ['in', 'out', 'none']) fake.lambda.map(streamArn('orders'), name, { alias: 'live' });
    fake.lambda.tags.set('out', { 'reflex:enabled': 'false' }).set('none', {});

    const { consumers } = await factsOf('orders', 'follow-up');

    expect(consumers?.filter(({ optedIn }) => optedIn === false).map(({ functionName }) => functionName)).toEqual([
      'out',
      'none',
    ]);
  });

  it('leave out a function that is gone while its mapping remains', async () => {
    fake.kinesis.createStream('orders', 1, { tags: tagged });
    fake.lambda.map(streamArn('orders'), 'billing');
    fake.lambda.map(streamArn('orders'), 'gone');
    fake.lambda.functions.delete('gone');

    const { consumers } = await factsOf('orders', 'follow-up');

    expect(consumers?.map(({ functionName }) => functionName)).toEqual(['billing']);
  });

  it.each(['ListEventSourceMappings', 'GetFunctionConcurrency'])(
    'that may not be read (%s) are unknown, and an error only where the schedule looks at them for a tag',
    async (operation) => {
      fake.kinesis.createStream('payments', 1, { tags: tagged });
      fake.lambda.map(streamArn('payments'), 'reader');
      fake.fault(operation, new AwsError('AccessDeniedException', 'no', 403), Number.POSITIVE_INFINITY);

      const courtesy = await factsOf('payments', 'follow-up');
      fake.clock.advance(1_000);
      const asked = await lookAt('payments', 'tick');

      expect(courtesy.consumers).toBeNull();
      expect(asked).toMatchObject({ error: { name: 'AccessDeniedException' } });
    },
  );

  it('are looked up by the stack setting where there is no tag, and not where the tag is off', async () => {
    fake.kinesis.createStream('orders', 1);
    fake.kinesis.createStream('payments', 1, { tags: { ...ENABLED, 'reflex:consumer-concurrency': 'off' } });

    const observed = await look(['orders', 'payments'], 'tick', { CONSUMER_CONCURRENCY: '1' });

    const consumers = [...observed.values()].map((one) => 'facts' in one && one.facts.consumers);
    expect(consumers).toEqual([[], null]);
  });
});

describe('a batch', () => {
  const names = Array.from({ length: 30 }, (_, i) => `stream-${i}`);

  it('of 30 streams shares one DescribeLimits and one GetMetricData, and each gets its own metrics', async () => {
    for (const [i, name] of names.entries()) {
      fake.kinesis.createStream(name, 1);
      written(name, { bytes: 1_000 * (i + 1), records: 1 });
    }

    const observed = await look(names, 'follow-up');

    expect(fake.called('DescribeLimits')).toHaveLength(1);
    expect(fake.called('GetMetricData')).toHaveLength(1);
    const bytes = names.map((name) => {
      const one = observed.get(streamArn(name));
      return one && 'facts' in one ? Math.round(one.facts.metrics.incomingBytes.at(-1)?.[1] ?? 0) : null;
    });
    expect(bytes).toEqual(names.map((_, i) => 60_000 * (i + 1)));
  });

  it('keeps inside what AWS allows a second: no call of 30 streams is throttled', async () => {
    for (const name of names) fake.kinesis.createStream(name, 1);
    const started = fake.clock();

    const observed = await look(names, 'follow-up');

    expect([...observed.values()].filter((one) => !('facts' in one))).toEqual([]);
    expect(fake.called('ListTagsForStream')).toHaveLength(30);
    expect(fake.called('DescribeStreamSummary')).toHaveLength(30);
    expect(fake.clock() - started).toBe(5_000);
  });

  it('of five streams waits for nothing', async () => {
    for (const name of names.slice(0, 5)) fake.kinesis.createStream(name, 1);
    const started = fake.clock();

    await look(names.slice(0, 5));

    expect(fake.clock()).toBe(started);
  });

  it('goes on where one stream is gone and another may not be read', async () => {
    for (const name of ['orders', 'locked', 'payments']) fake.kinesis.createStream(name, 1);
    const locked = ({ StreamARN }: Input) =>
      StreamARN === streamArn('locked') ? refused('kinesis:ListShards') : undefined;
    fake.fault('ListShards', locked, 4);

    const observed = await look(['orders', 'gone', 'locked', 'payments']);

    expect([...observed].map(([arn, one]) => [arn.split('/')[1], Object.keys(one)[0]])).toEqual([
      ['orders', 'facts'],
      ['gone', 'decision'],
      ['locked', 'error'],
      ['payments', 'facts'],
    ]);
  });
});
