import { describe, expect, it, vi } from 'vitest';
import { reshardKinesis } from '../../../functions/reshard-kinesis/function.ts';
import {
  alarmEvent,
  directAlarm,
  snsAlarm,
  snsEnvelope,
  snsRecords,
  streamArn,
  tick,
} from '../../support/event-builders.ts';
import { deployed, type TimedOutcome } from '../../support/fake-aws/deployed.ts';
import { load, type Offered } from '../../support/fake-aws/load.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const MIB = 1_048_576;
const fake = await useFakeAwsWithDynamodb();

/** Writes to the stream from a quarter of an hour ago on; CloudWatch shows a minute 10 s after its end. */
const writing = (offered: Offered | ((at: number) => Offered), minutes = 15, name = 'orders') => {
  const producers = load(fake, name, typeof offered === 'function' ? offered : () => offered);
  producers.backfill(minutes);
  fake.clock.advance(30 * SECOND);
};
const deploy = (env: Record<string, string> = {}) => deployed(fake, reshardKinesis, env);
const alarm = (options = {}) => alarmEvent({ at: fake.clock(), ...options });
const story = (outcomes: readonly TimedOutcome[]) => outcomes.map(({ decision, reason }) => `${decision} ${reason}`);
const shards = (name = 'orders') => fake.kinesis.openShards(name).length;
const targets = () => fake.called('UpdateShardCount').map(({ TargetShardCount }) => TargetShardCount);
const writes = () =>
  fake.calls
    .map(({ operation }) => operation)
    .filter((operation) => /^(UpdateShardCount|SplitShard|MergeShards|PutFunctionConcurrency)$/.test(operation));

describe('the module', () => {
  const imported = () => import('../../../functions/reshard-kinesis/handler.ts');
  const stack = {
    MODE: 'on',
    LEDGER_TABLE: 'ledger-of-the-module',
    INBOX_URL: 'http://127.0.0.1:1/111122223333/inbox',
    NOTIFICATIONS_TOPIC_ARN: 'arn:aws:sns:eu-west-1:111122223333:reflex',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
  };

  it('exports a handler that works with what the template sets', async () => {
    vi.resetModules();
    for (const [name, value] of Object.entries(stack)) vi.stubEnv(name, value);
    await fake.dynalite.createTable(stack.LEDGER_TABLE);

    const { handler } = await imported();
    const result = await handler(alarmEvent());

    expect(result.outcomes).toMatchObject([{ resource: streamArn(), decision: 'skip', reason: 'stream-gone' }]);
  });

  it.each([
    ['LEDGER_TABLE', ''],
    ['INBOX_URL', ''],
    ['TARGET_UTILIZATION', '50%'],
    ['MAX_SHARDS', '0'],
  ])('does not load where %s is "%s", and says so', async (name, value) => {
    vi.resetModules();
    for (const [key, good] of Object.entries(stack)) vi.stubEnv(key, good);
    vi.stubEnv(name, value);

    await expect(imported()).rejects.toThrow(name);
  });
});

describe('a stream that throttles', () => {
  it('is given a second shard, watched, and its incident closed with the time to capacity', async () => {
    fake.reset({ metricDelayMs: 10 * SECOND });
    fake.kinesis.createStream('orders', 1);
    fake.lambda.map(streamArn(), 'billing', { factor: 2 });
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(10 * MINUTE);

    expect(story(stack.outcomes)).toEqual(['act scale-up', 'defer measuring', 'skip resolved']);
    expect(targets()).toEqual([2]);
    expect(shards()).toBe(2);
    const [acted, , closed] = stack.outcomes;
    expect(acted).toMatchObject({
      resource: streamArn(),
      dryRun: false,
      actions: [
        {
          call: 'UpdateShardCount',
          params: { StreamARN: streamArn(), TargetShardCount: 2, ScalingType: 'UNIFORM_SCALING' },
        },
      ],
    });
    expect(closed?.why).toContain('Capacity was in service 60 s after the incident opened.');
    expect(closed?.why).toContain('billing (unreserved, up to 4 at once)');
    expect(closed?.incidentId).toBe(acted?.incidentId);
    expect(fake.sqs.messages(stack.inbox)).toEqual([]);
    expect(fake.sns.published.map(({ Message }) => Object.keys(Message).includes('default'))).toEqual([true, true]);
    const [state] = await stack.ledger.findStates('stream/orders');
    expect(state).toMatchObject({ attempts: { UpdateShardCount: [expect.any(Number)] } });
    expect(state).not.toHaveProperty('incident');
  });

  it('by eight times its capacity is doubled step by step, without another event', async () => {
    fake.reset({ metricDelayMs: 10 * SECOND });
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 8 * MIB * 0.48, records: 800 });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(HOUR);

    expect(targets()).toEqual([2, 4, 8]);
    expect(shards()).toBe(8);
    expect(stack.outcomes.filter(({ decision }) => decision === 'act').map(({ reason }) => reason)).toEqual([
      'scale-up',
      'scale-up',
      'scale-up',
    ]);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
    expect(new Set(stack.outcomes.map(({ incidentId }) => incidentId)).size).toBe(1);
    expect(stack.outcomes.map(({ reason }) => reason)).not.toContain('not-converging');
  });

  it('whose load grows as fast as its shards is never held for it', async () => {
    fake.reset({ metricDelayMs: 10 * SECOND });
    fake.kinesis.createStream('orders', 2);
    writing(() => ({ bytes: 0.8 * MIB * Math.min(32, shards()), records: 800 }));
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(HOUR);

    expect(targets()).toEqual([4, 8, 16, 32, 64]);
    expect(stack.outcomes.map(({ reason }) => reason)).not.toContain('not-converging');
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
  });

  it('at one hash range has its hot shard split, and no other', async () => {
    fake.kinesis.createStream('orders', 8, { shardLevelMetrics: ['ALL'] });
    writing({ bytes: 2.4 * MIB, records: 500, hot: [{ from: 0.25, to: 0.375, share: 0.5 }] });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(writes()).toEqual(['SplitShard']);
    const middle = (5n * 2n ** 128n) / 16n;
    expect(fake.called('SplitShard')).toEqual([
      { StreamARN: streamArn(), ShardToSplit: 'shardId-000000000002', NewStartingHashKey: String(middle) },
    ]);
    expect(shards()).toBe(9);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
  });

  it('at one key is split twice, and then a person is told of the hot key', async () => {
    fake.kinesis.createStream('orders', 8, { shardLevelMetrics: ['ALL'] });
    writing({ bytes: 2.4 * MIB, records: 500, hot: [{ from: 0.26, to: 0.26, share: 0.5 }] });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(HOUR);

    expect(writes()).toEqual(['SplitShard', 'SplitShard']);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'escalate', reason: 'hot-key' });
    expect(fake.sqs.messages(stack.inbox)).toEqual([]);
  });

  it('without shard-level metrics and with room is a riddle for a person', async () => {
    fake.kinesis.createStream('orders', 8);
    writing({ bytes: 2.4 * MIB, records: 500, hot: [{ from: 0.25, to: 0.375, share: 0.5 }] });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)).toEqual(['escalate skew-or-burst']);
    expect(stack.outcomes[0]?.advice).toContain('aws kinesis enable-enhanced-monitoring --stream-name orders');
    expect(writes()).toEqual([]);
  });

  it('with more than 1,000 shards is read over pages and doubled', async () => {
    fake.kinesis.createStream('orders', 1_200, { reshardMs: 20 * MINUTE });
    writing({ bytes: 1_100 * MIB, records: 1_000 });
    const stack = await deploy({ MAX_SHARDS: '10000' });

    stack.send(alarm());
    await stack.run(HOUR);

    expect(targets()).toEqual([2_400]);
    expect(shards()).toBe(2_400);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
  });
});

describe('one occurrence', () => {
  it('that arrives through EventBridge, SNS in SQS with and without its envelope, and directly acts once', async () => {
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy();
    const at = fake.clock();

    stack.send(alarmEvent({ at }), snsEnvelope(snsAlarm({ at })), snsAlarm({ at }));
    await stack.run(0);
    await stack.invoke(snsRecords(snsAlarm({ at })));
    await stack.invoke(directAlarm({ at }));
    await stack.invoke(alarmEvent({ at }));
    await stack.run(20 * MINUTE);

    expect(targets()).toEqual([2]);
    expect(stack.outcomes.filter(({ reason }) => reason === 'duplicate')).toHaveLength(3);
    expect(stack.outcomes.at(-1)?.reason).toBe('resolved');
  });

  it('a later one acts again', async () => {
    fake.kinesis.createStream('orders', 1);
    let bytes = 0.9 * MIB;
    writing(() => ({ bytes, records: 500 }));
    const stack = await deploy();
    stack.send(alarm());
    await stack.run(30 * MINUTE);
    bytes = 1.9 * MIB;
    await stack.run(10 * MINUTE);

    stack.send(alarm());
    await stack.run(30 * MINUTE);

    expect(targets()).toEqual([2, 4]);
  });
});

describe('what arrives', () => {
  it.each([
    ['EventBridge', alarmEvent],
    ['an alarm action', directAlarm],
    ['SNS', (options: object) => snsRecords(snsAlarm(options))],
  ])('through %s, invoking directly, acts and is followed up in the inbox', async (_, build) => {
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy();

    const result = await stack.invoke(build({ at: fake.clock() }));
    await stack.run(20 * MINUTE);

    expect(result).not.toHaveProperty('batchItemFailures');
    expect(story(stack.outcomes)).toEqual(['act scale-up', 'defer measuring', 'skip resolved']);
  });

  it('as the OK transition closes the incident early, and the follow-up then finds nothing to do', async () => {
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy();
    stack.send(alarm());
    await stack.run(4 * MINUTE - 20 * SECOND);

    stack.send(alarm({ state: 'OK' }));
    await stack.run(20 * MINUTE);

    const reasons = stack.outcomes.map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason === 'resolved')).toHaveLength(1);
    expect(targets()).toEqual([2]);
  });

  it('for a stream that did not opt in changes nothing', async () => {
    fake.kinesis.createStream('orders', 1, { tags: {} });
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)).toEqual(['skip not-opted-in']);
    expect(writes()).toEqual([]);
    expect(fake.sns.published).toEqual([]);
  });

  it('for a stream that does not exist is answered, and not delivered again', async () => {
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)).toEqual(['skip stream-gone']);
    expect(fake.sqs.messages(stack.inbox)).toEqual([]);
  });

  it('while AWS cannot be read is delivered again, and acts when AWS answers', async () => {
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    fake.fault('DescribeStreamSummary', new AwsError('InternalFailure', 'try later', 500), 3);
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)).toEqual(['defer observe-failed', 'act scale-up', 'defer measuring', 'skip resolved']);
    expect(targets()).toEqual([2]);
  });

  it('without permission to read goes to a person, and in the end to the dead-letter queue', async () => {
    fake.kinesis.createStream('orders', 1);
    fake.fault('ListShards', new AwsError('AccessDeniedException', 'not authorized'), Number.POSITIVE_INFINITY);
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(HOUR);

    expect(new Set(story(stack.outcomes))).toEqual(new Set(['escalate access-denied']));
    expect(fake.sqs.dead).toHaveLength(1);
    expect(fake.sns.published).toHaveLength(1);
  });
});

describe('dry run', () => {
  it('shows the call it would make, and changes nothing', async () => {
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy({ MODE: 'dry-run' });

    stack.send(alarm());
    await stack.run(HOUR);

    expect(stack.outcomes).toMatchObject([
      {
        decision: 'act',
        reason: 'scale-up',
        dryRun: true,
        actions: [{ call: 'UpdateShardCount', params: { TargetShardCount: 2 } }],
      },
    ]);
    expect(writes()).toEqual([]);
    expect(shards()).toBe(1);
    const [state] = await stack.ledger.findStates('stream/orders');
    expect(state?.attempts ?? {}).toEqual({});
    expect(fake.sns.published).toHaveLength(1);
  });

  it('follows the mode in the ledger, read anew at each event', async () => {
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy({ MODE: 'dry-run' });
    await stack.ledger.setMode('*', 'off', 'test');
    stack.send(alarm());
    await stack.run(MINUTE);

    await stack.ledger.setMode('*', 'on', 'test');
    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)[0]).toBe('skip mode-off');
    expect(targets()).toEqual([2]);
  });
});

describe('what AWS refuses', () => {
  it('for the day is told to a person, once, without a second attempt', async () => {
    const { updates } = fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    updates.push(...Array.from({ length: 10 }, (_, i) => fake.clock() - (i + 1) * HOUR));
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(HOUR);

    expect(stack.outcomes).toMatchObject([
      {
        decision: 'escalate',
        reason: 'daily-limit',
        actions: [{ call: 'UpdateShardCount', error: expect.stringContaining('ten times per rolling 24-hour') }],
      },
    ]);
    expect(targets()).toEqual([2]);
    expect(fake.sns.published).toHaveLength(1);
    expect(fake.sqs.messages(stack.inbox)).toEqual([]);
  });

  it('because another resharder was faster is waited for, and its capacity counts', async () => {
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy();
    fake.fault('UpdateShardCount', (input) => {
      fake.kinesis.service.operations.UpdateShardCount?.(input);
      return undefined;
    });

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)[0]).toBe('defer stream-updating');
    expect(targets()).toEqual([2]);
    expect(shards()).toBe(2);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
  });

  it.each(['hang-up', 'lost'] as const)(
    'nothing is refused, but no answer came (%s): the stream tells',
    async (fault) => {
      fake.kinesis.createStream('orders', 1);
      writing({ bytes: 0.9 * MIB, records: 500 });
      const stack = await deploy();
      fake.fault('UpdateShardCount', fault);

      stack.send(alarm());
      await stack.run(30 * MINUTE);

      expect(story(stack.outcomes)[0]).toBe('defer act-unknown');
      expect(shards()).toBe(2);
      expect(targets()).toEqual(fault === 'lost' ? [2] : [2, 2]);
      expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
    },
  );

  it('the permission to act goes to a person with the tag that binds it', async () => {
    fake.kinesis.createStream('orders', 1);
    writing({ bytes: 0.9 * MIB, records: 500 });
    fake.fault('UpdateShardCount', new AwsError('AccessDeniedException', 'not authorized'));
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)).toEqual(['escalate access-denied']);
    expect(stack.outcomes[0]?.advice).toContain('reflex:enabled = true');
  });

  it('a stream that somebody switched to on-demand mode is left to AWS', async () => {
    fake.kinesis.createStream('orders', 4, { mode: 'ON_DEMAND' });
    writing({ bytes: 4 * MIB, records: 500 });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)).toEqual(['escalate on-demand']);
    expect(writes()).toEqual([]);
  });
});

describe('the schedule', () => {
  const quiet = { bytes: 0.3 * MIB, records: 100 };

  it('halves a stream whose last day needed a quarter of it', async () => {
    fake.kinesis.createStream('orders', 4);
    writing(quiet, 25 * 60);
    const stack = await deploy();

    stack.send(tick('all'));
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)[0]).toBe('act scale-in');
    expect(targets()).toEqual([2]);
    expect(shards()).toBe(2);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
  });

  it('waits an hour and for the closed shards before it halves again', async () => {
    fake.kinesis.createStream('orders', 8);
    writing(quiet, 25 * 60);
    const stack = await deploy();

    stack.send(tick('all'));
    await stack.run(30 * MINUTE);
    stack.send(tick('all'));
    await stack.run(40 * MINUTE);
    stack.send(tick('all'));
    await stack.run(30 * MINUTE);

    expect(targets()).toEqual([4, 2]);
    expect(stack.outcomes.filter(({ decision }) => decision === 'act').map(({ at }) => at)).toEqual([
      expect.any(Number),
      (stack.outcomes[0]?.at ?? 0) + 70 * MINUTE,
    ]);
  });

  it.each([
    [
      'its peak of the day is higher',
      (at: number) => (Math.abs(at - fake.clock() + 10 * HOUR) < HOUR ? { bytes: 3 * MIB, records: 100 } : quiet),
      'within-band',
    ],
    ['nobody reads it', () => ({ ...quiet, lagMs: null }), 'consumers-unseen'],
    ['its consumers lag', () => ({ ...quiet, lagMs: HOUR }), 'consumers-behind'],
  ])('leaves a quiet stream alone when %s', async (_, offered, reason) => {
    fake.kinesis.createStream('orders', 4);
    writing(offered, 25 * 60);
    const stack = await deploy();

    stack.send(tick('all'));
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)).toEqual([`skip ${reason}`]);
    expect(writes()).toEqual([]);
  });

  it('never shrinks a stream without metrics', async () => {
    fake.kinesis.createStream('orders', 4);
    const stack = await deploy();

    stack.send(tick('all'));
    await stack.run(20 * MINUTE);

    expect(story(stack.outcomes)).toEqual(['skip metrics-missing']);
  });

  it('brings a stream up to its minimum, in steps', async () => {
    fake.kinesis.createStream('orders', 1, { tags: { 'reflex:enabled': 'true', 'reflex:min-shards': '6' } });
    writing({ bytes: 100_000, records: 10 });
    const stack = await deploy();

    stack.send(tick('all'));
    await stack.run(HOUR);

    expect(targets()).toEqual([2, 4, 6]);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
  });

  it('brings an idle stream up to its minimum in minutes: it is made ready for a launch', async () => {
    fake.kinesis.createStream('orders', 1, { tags: { 'reflex:enabled': 'true', 'reflex:min-shards': '8' } });
    const stack = await deploy();

    stack.send(tick('all'));
    await stack.run(10 * MINUTE);

    expect(targets()).toEqual([2, 4, 8]);
  });

  it('merges cold neighbours of a skewed stream: halving would join its two warm shards to a hot one', async () => {
    fake.kinesis.createStream('orders', 16, { shardLevelMetrics: ['ALL'] });
    const warm = [0, 1].map((i) => ({ from: i / 16, to: (i + 1) / 16, share: 0.35 }));
    writing({ bytes: 1.9 * MIB, records: 100, hot: warm }, 25 * 60);
    const stack = await deploy();

    stack.send(tick('all'));
    await stack.run(HOUR);

    expect(new Set(writes())).toEqual(new Set(['MergeShards']));
    expect(fake.kinesis.openShards('orders').map(({ id }) => id.slice(-2))).toEqual([
      '00',
      '01',
      ...Array.from({ length: 7 }, (_, i) => String(16 + i)),
    ]);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
  });

  it('looks at every opted-in stream and at no other', async () => {
    for (let i = 0; i < 12; i++) fake.kinesis.createStream(`stream-${i}`, 1);
    fake.kinesis.createStream('private', 1, { tags: {} });
    const pause = async (ms: number) => {
      await fake.quiet();
      fake.clock.advance(ms);
    };
    const stack = await deployed(fake, (env, clock) => reshardKinesis(env, clock, pause));

    stack.send(tick('all'));
    await stack.run(0);

    expect(stack.outcomes.map(({ resource }) => resource.split('/')[1]).sort()).toEqual(
      Array.from({ length: 12 }, (_, i) => `stream-${i}`).sort(),
    );
  });
});

describe('consumers', () => {
  it('with the tag keep their reserved concurrency in step with the shards', async () => {
    fake.kinesis.createStream('orders', 1, {
      tags: { 'reflex:enabled': 'true', 'reflex:consumer-concurrency': '2' },
    });
    fake.lambda.map(streamArn(), 'billing');
    fake.lambda.functions.set('billing', 2);
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(writes()).toEqual(['UpdateShardCount', 'PutFunctionConcurrency']);
    expect(fake.lambda.functions.get('billing')).toBe(4);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
  });

  it('that have not opted in are left alone, and keep none that has from its share', async () => {
    fake.kinesis.createStream('orders', 2, {
      tags: { 'reflex:enabled': 'true', 'reflex:consumer-concurrency': '2' },
    });
    for (const name of ['audit', 'billing']) fake.lambda.map(streamArn(), name);
    fake.lambda.tags.set('audit', {});
    writing({ bytes: MIB, records: 500 });
    const stack = await deploy();

    stack.send(tick('all'));
    await stack.run(10 * MINUTE);

    expect([...fake.lambda.functions]).toEqual([
      ['audit', null],
      ['billing', 4],
    ]);
    expect(stack.outcomes.at(-1)?.why).toContain('audit (has not opted in: its concurrency is left alone)');
  });

  it('do not keep a stream from growing that cannot be read: the schedule tells of it', async () => {
    fake.kinesis.createStream('orders', 1, {
      tags: { 'reflex:enabled': 'true', 'reflex:consumer-concurrency': '2' },
    });
    fake.lambda.map(streamArn(), 'billing');
    writing({ bytes: 8 * MIB * 0.48, records: 800 });
    fake.fault('ListEventSourceMappings', new AwsError('AccessDeniedException', 'no', 403), Number.POSITIVE_INFINITY);
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(HOUR);
    const grown = story(stack.outcomes).at(-1);
    stack.send(tick('all'));
    await stack.run(MINUTE);

    expect(targets()).toEqual([2, 4, 8]);
    expect(grown).toBe('skip resolved');
    expect(story(stack.outcomes).at(-1)).toBe('escalate access-denied');
  });

  it('are left alone where too little would stay unreserved, and a person is told', async () => {
    fake.reset({ concurrency: 101 });
    fake.kinesis.createStream('orders', 1, {
      tags: { 'reflex:enabled': 'true', 'reflex:consumer-concurrency': '2' },
    });
    fake.lambda.map(streamArn(), 'billing');
    writing({ bytes: 0.9 * MIB, records: 500 });
    const stack = await deploy();

    stack.send(alarm());
    await stack.run(20 * MINUTE);

    expect(writes()).toEqual(['UpdateShardCount']);
    expect(stack.outcomes.at(-1)).toMatchObject({ decision: 'escalate', reason: 'consumer-concurrency-limit' });
  });
});
