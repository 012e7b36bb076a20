import { describe, expect, it } from 'vitest';
import { act, meaning } from '../../../functions/reshard-kinesis/act.ts';
import type { KinesisCall } from '../../../functions/reshard-kinesis/decide.ts';
import type { Act } from '../../../shared/decision.ts';
import { streamArn } from '../../support/event-builders.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const MINUTE = 60_000;
const fake = await useFakeAws();

const updateTo = (name: string, target: number): KinesisCall => ({
  call: 'UpdateShardCount',
  params: { StreamARN: streamArn(name), TargetShardCount: target, ScalingType: 'UNIFORM_SCALING' },
});
const splitAt = (key: bigint, name = 'orders'): KinesisCall => ({
  call: 'SplitShard',
  params: {
    StreamARN: streamArn(name),
    ShardToSplit: 'shardId-000000000000',
    NewStartingHashKey: String(key),
  },
});
const merge = (name = 'orders'): KinesisCall => ({
  call: 'MergeShards',
  params: {
    StreamARN: streamArn(name),
    ShardToMerge: 'shardId-000000000000',
    AdjacentShardToMerge: 'shardId-000000000001',
  },
});
const reserve = (FunctionName: string, n: number): KinesisCall => ({
  call: 'PutFunctionConcurrency',
  params: { FunctionName, ReservedConcurrentExecutions: n },
});
const approved = (resource: string, ...calls: KinesisCall[]) => {
  const decision: Act<KinesisCall> = { kind: 'act', reason: 'scale-up', why: 'Because.', calls, coolDownMs: 0 };
  return { resource, act: decision };
};
/** Acts on one resource and gives what came of it. */
const acted = async (...calls: KinesisCall[]) => {
  const results = await act(fake.clock)([approved(streamArn(), ...calls)]);
  const result = results.get(streamArn());
  if (result === undefined) throw new Error('no result');
  return result;
};

describe('what AWS takes', () => {
  it.each([
    ['UpdateShardCount', updateTo('orders', 4), 4],
    ['SplitShard', splitAt(2n ** 126n), 3],
    ['MergeShards', merge(), 1],
  ])('%s is sent as decided, once', async (operation, call, shards) => {
    fake.kinesis.createStream('orders', 2);

    const result = await acted(call);

    fake.clock.advance(MINUTE);
    expect(result).toEqual({ actions: [call] });
    expect(fake.called(operation)).toEqual([call.params]);
    expect(fake.kinesis.openShards('orders')).toHaveLength(shards);
  });

  it('several calls of one resource are made in order', async () => {
    fake.lambda.map(streamArn(), 'billing');
    fake.lambda.map(streamArn(), 'audit');
    fake.lambda.functions.set('billing', 800);

    const result = await acted(reserve('billing', 100), reserve('audit', 700));

    expect(result).toEqual({ actions: [reserve('billing', 100), reserve('audit', 700)] });
    expect([...fake.lambda.functions]).toEqual([
      ['billing', 100],
      ['audit', 700],
    ]);
  });

  it('no call is made after one that failed', async () => {
    fake.lambda.map(streamArn(), 'audit');

    const result = await acted(reserve('gone', 1), reserve('audit', 2));

    expect(result.actions).toEqual([
      { ...reserve('gone', 1), error: expect.stringMatching(/^ResourceNotFoundException: Function not found/) },
    ]);
    expect(fake.lambda.functions.get('audit')).toBeNull();
  });

  it('one stream that fails does not stop the others', async () => {
    for (const name of ['orders', 'payments', 'audit']) fake.kinesis.createStream(name, 1);
    fake.kinesis.stream('payments').status = 'UPDATING';

    const results = await act(fake.clock)([
      approved(streamArn('orders'), updateTo('orders', 2)),
      approved(streamArn('payments'), updateTo('payments', 2)),
      approved(streamArn('gone'), updateTo('gone', 2)),
      approved(streamArn('audit'), updateTo('audit', 2)),
    ]);

    expect([...results].map(([arn, { problem }]) => [arn.split('/')[1], problem?.reason])).toEqual([
      ['orders', undefined],
      ['payments', 'stream-updating'],
      ['gone', 'stream-gone'],
      ['audit', undefined],
    ]);
  });
});

describe('what AWS refuses, in its own words', () => {
  const problemOf = async (...calls: KinesisCall[]) => (await acted(...calls)).problem;

  it('another resharder was faster: waits', async () => {
    fake.kinesis.createStream('orders', 2);
    await acted(updateTo('orders', 4));

    const problem = await problemOf(updateTo('orders', 4));

    expect(problem).toMatchObject({ kind: 'defer', reason: 'stream-updating', until: fake.clock() + MINUTE });
    expect(fake.called('UpdateShardCount')).toHaveLength(2);
  });

  it('the eleventh reshard of a day: tells a person, and the tenth is taken', async () => {
    fake.kinesis.createStream('orders', 2, { reshardMs: 1_000 });
    const reasons = [];
    for (let i = 0; i < 11; i++) {
      fake.clock.advance(MINUTE);
      reasons.push((await problemOf(updateTo('orders', i % 2 === 0 ? 4 : 2)))?.reason);
    }

    expect(reasons).toEqual([...Array(10).fill(undefined), 'daily-limit']);
    fake.clock.advance(24 * 60 * MINUTE);
    expect(await problemOf(updateTo('orders', 4))).toBeUndefined();
  });

  it('the account has no room for the shards in between: tells a person', async () => {
    fake.reset({ shardLimit: 240 });
    fake.kinesis.createStream('orders', 130);

    const problem = await problemOf(updateTo('orders', 140));

    expect(problem).toMatchObject({
      kind: 'escalate',
      reason: 'account-shard-limit',
      why: expect.stringContaining('Current shard count for the account: 130. Limit: 240.'),
    });
  });

  it('more than double, or less than half rounded up: tells a person', async () => {
    fake.kinesis.createStream('orders', 3);

    const [more, less] = [await problemOf(updateTo('orders', 7)), await problemOf(updateTo('orders', 1))];

    expect([more?.reason, less?.reason]).toEqual(['invalid-argument', 'invalid-argument']);
    expect(fake.kinesis.stream('orders').status).toBe('ACTIVE');
  });

  it('an on-demand stream: tells a person whose capacity it is', async () => {
    fake.kinesis.createStream('orders', 4, { mode: 'ON_DEMAND' });

    expect(await problemOf(updateTo('orders', 8))).toMatchObject({
      kind: 'escalate',
      reason: 'on-demand',
      why: 'UpdateShardCount: Request is invalid. Stream orders under account 111122223333 is in On-Demand mode.',
    });
  });

  it.each([
    ['too near the start', splitAt(1n)],
    ['too near the end', splitAt(2n ** 128n - 1n)],
    ['not a number', { ...splitAt(1n), params: { ...splitAt(1n).params, NewStartingHashKey: '01' } } as KinesisCall],
  ])('a hash key %s: tells a person', async (_, call) => {
    fake.kinesis.createStream('orders', 1);

    expect(await problemOf(call)).toMatchObject({ kind: 'escalate', reason: 'invalid-argument' });
  });

  it.each([splitAt(2n ** 126n), merge()])('a shard that was split or merged already: tells a person', async (call) => {
    fake.kinesis.createStream('orders', 2);
    await acted(updateTo('orders', 4));
    fake.clock.advance(MINUTE);

    expect(await problemOf(call)).toMatchObject({
      kind: 'escalate',
      reason: 'invalid-argument',
      why: expect.stringContaining('has already been merged or split'),
    });
  });

  it('a stream that is gone: closes', async () => {
    expect(await problemOf(updateTo('gone', 2))).toEqual({
      kind: 'skip',
      reason: 'stream-gone',
      why: 'UpdateShardCount: Stream gone under account 111122223333 not found.',
    });
  });

  it('a consumer that is gone is not a stream that is gone', async () => {
    expect(await problemOf(reserve('gone', 2))).toMatchObject({ kind: 'escalate', reason: 'act-failed' });
  });

  it('too little unreserved concurrency: tells a person which quota', async () => {
    fake.lambda.map(streamArn(), 'billing');

    expect(await problemOf(reserve('billing', 950))).toMatchObject({
      kind: 'escalate',
      reason: 'consumer-concurrency-limit',
    });
  });

  it('eleven calls in one second: the last one waits', async () => {
    for (let i = 0; i < 11; i++) fake.kinesis.createStream(`s-${i}`, 1);

    const results = await act(fake.clock)(
      Array.from({ length: 11 }, (_, i) => approved(streamArn(`s-${i}`), updateTo(`s-${i}`, 2))),
    );

    const problems = [...results.values()].flatMap(({ problem }) => problem ?? []);
    expect(problems).toMatchObject([{ kind: 'defer', reason: 'rate-limited', until: fake.clock() + MINUTE }]);
    expect(fake.called('UpdateShardCount')).toHaveLength(11);
  });
});

describe('a call without an answer', () => {
  it.each([
    ['hang-up', 'ACTIVE'],
    ['lost', 'UPDATING'],
  ] as const)(
    '(%s) is not known to have taken effect: the stream is read again, the call is not repeated',
    async (fault, status) => {
      fake.kinesis.createStream('orders', 2);
      fake.fault('UpdateShardCount', fault);

      const { problem, actions } = await acted(updateTo('orders', 4));

      expect(problem).toMatchObject({ kind: 'defer', reason: 'act-unknown', until: fake.clock() + MINUTE });
      expect(actions).toEqual([{ ...updateTo('orders', 4), error: expect.stringContaining('socket hang up') }]);
      expect(fake.called('UpdateShardCount')).toHaveLength(1);
      expect(fake.kinesis.stream('orders').status).toBe(status);
    },
  );

  it.each([
    ['InternalFailure', 500],
    ['ServiceUnavailable', 503],
  ])('(%s) may have taken effect too', async (code, status) => {
    fake.kinesis.createStream('orders', 2);
    fake.fault('UpdateShardCount', new AwsError(code, 'try later', status));

    expect((await acted(updateTo('orders', 4))).problem).toMatchObject({ kind: 'defer', reason: 'act-unknown' });
    expect(fake.called('UpdateShardCount')).toHaveLength(1);
  });
});

describe('meaning', () => {
  const named = (name: string, message = 'no', extra: object = {}) =>
    Object.assign(new Error(message), { name, ...extra });
  const of = (error: unknown, call = updateTo('orders', 4)) => meaning(call, error, 1_000_000);

  // Texts as seen from AWS and from emulators that follow it; AWS documents none of them.
  it.each([
    ['daily-limit', 'You have exceeded the limit of 10 UpdateShardCount calls in a rolling 24 hour period.'],
    ['daily-limit', 'Stream s under account 1 cannot be scaled more than ten times per rolling 24-hour period.'],
    ['daily-limit', 'UpdateShardCount: daily limit reached'],
    ['daily-limit', 'at most 10 times per day'],
    [
      'account-shard-limit',
      'This request would exceed the shard limit for the account 111122224333 in us-east-1. Current shard count for the account: 240. Limit: 241. Number of additional shards that would have resulted from this request: 24.',
    ],
    ['account-shard-limit', 'Shard quota of the account exceeded'],
    ['rate-limited', 'Rate exceeded for stream orders under account 111122223333.'],
    ['rate-limited', 'Rate exceeded for stream daily-orders-24h under account 111122223333.'],
    ['rate-limited', 'Rate exceeded for stream shard.limit.quota under account 242424242424.'],
    ['rate-limited', 'Too many streams are being changed simultaneously.'],
    ['rate-limited', ''],
  ])('LimitExceededException is %s: %s', (reason, message) => {
    const stop = of(named('LimitExceededException', message));

    expect(stop.reason).toBe(reason);
    expect(stop.kind).toBe(reason === 'rate-limited' ? 'defer' : 'escalate');
    expect(stop.why).toContain(message);
  });

  it.each([
    [named('TimeoutError', 'socket timeout'), 'act-unknown'],
    [named('Error', 'socket hang up', { code: 'ECONNRESET' }), 'act-unknown'],
    [named('Error', 'getaddrinfo', { code: 'ENOTFOUND' }), 'act-unknown'],
    [named('InternalFailure', 'x', { $metadata: { httpStatusCode: 500 } }), 'act-unknown'],
    [named('ThrottlingException'), 'rate-limited'],
    [named('TooManyRequestsException'), 'rate-limited'],
    [named('ResourceConflictException', 'An update is in progress'), 'rate-limited'],
    [named('ResourceInUseException'), 'stream-updating'],
    [named('AccessDeniedException'), 'access-denied'],
    [named('KMSAccessDeniedException'), 'access-denied'],
    [named('InvalidArgumentException'), 'invalid-argument'],
    [named('ValidationException'), 'invalid-argument'],
    [named('ValidationException', 'Stream x is in On-Demand mode.'), 'on-demand'],
    [named('SomethingNewException'), 'act-failed'],
    ['not even an error', 'act-failed'],
  ])('%s is %s', (error, reason) => {
    expect(of(error).reason).toBe(reason);
  });

  it('a denial names what has to carry the tag: the stream, or the consumer that is to be changed', () => {
    const denied = named('AccessDeniedException');

    expect(of(denied)).toMatchObject({ advice: expect.stringContaining('reflex:enabled = true on the stream') });
    expect(of(denied, reserve('billing', 4))).toMatchObject({
      advice: expect.stringContaining('reflex:enabled = true on the function'),
    });
  });

  it('never loops: what waits says until when, what stays refused goes to a person with advice', () => {
    const errors = ['ResourceInUseException', 'LimitExceededException', 'ThrottlingException', 'TimeoutError'];
    const refusals = ['AccessDeniedException', 'InvalidArgumentException', 'ValidationException', 'OtherException'];

    for (const name of errors) expect(of(named(name))).toMatchObject({ kind: 'defer', until: 1_000_000 + MINUTE });
    for (const name of refusals) {
      expect(of(named(name))).toMatchObject({ kind: 'escalate', advice: expect.stringMatching(/\w{3,}/) });
    }
  });
});
