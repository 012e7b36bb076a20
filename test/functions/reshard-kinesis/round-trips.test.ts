import { describe, expect, it } from 'vitest';
import { reshardKinesis } from '../../../functions/reshard-kinesis/function.ts';
import { alarmArn, alarmEvent, directAlarm, snsAlarm, snsRecords, sqsBatch } from '../../support/event-builders.ts';
import { deployed } from '../../support/fake-aws/deployed.ts';
import type { FakeStream } from '../../support/fake-aws/kinesis.ts';
import { load } from '../../support/fake-aws/load.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';

const MIB = 1_048_576;
const fake = await useFakeAwsWithDynamodb();

const READS = [
  'dynamodb:BatchGetItem',
  'kinesis:DescribeLimits',
  'kinesis:DescribeStreamSummary',
  'kinesis:ListShards',
  'kinesis:ListTagsForStream',
  'monitoring:GetMetricData',
];
const TAKE = ['dynamodb:PutItem'];

/** An overloaded stream, and the function warm: it has looked at another stream before. */
const prepare = async (shards: number, options: Parameters<typeof fake.kinesis.createStream>[2] = {}, env = {}) => {
  fake.kinesis.createStream('warm-up', 1);
  fake.kinesis.createStream('orders', shards, options);
  load(fake, 'orders', () => ({ bytes: shards * 0.9 * MIB, records: 100 })).backfill(15);
  const stack = await deployed(fake, reshardKinesis, env);
  await stack.invoke(alarmEvent({ stream: 'warm-up', at: fake.clock() }));
  fake.clock.advance(2_000);
  return stack;
};

/** The sequential round trips before the one that carries UpdateShardCount. */
const waitedFor = (waves: readonly (readonly string[])[]) => {
  const at = waves.findIndex((wave) => wave.includes('kinesis:UpdateShardCount'));
  if (at < 0) throw new Error(`no UpdateShardCount in ${JSON.stringify(waves)}`);
  return waves.slice(0, at);
};

describe('from the invocation to UpdateShardCount, warm', () => {
  it.each([
    ['EventBridge', (at: number) => alarmEvent({ at })],
    ['an alarm action', (at: number) => directAlarm({ at })],
    ['SNS', (at: number) => snsRecords(snsAlarm({ at }))],
    ['the inbox', (at: number) => sqsBatch(alarmEvent({ at }), snsAlarm({ at }))],
  ])('there are two round trips through %s: all reads, and taking the lease', async (_, build) => {
    const stack = await prepare(2);

    const waves = await fake.waves(() => stack.invoke(build(fake.clock())));

    expect(waitedFor(waves)).toEqual([READS, TAKE]);
  });

  it('there is a third where the stream has shard-level metrics', async () => {
    const stack = await prepare(4, { shardLevelMetrics: ['ALL'] });

    const waves = await fake.waves(() => stack.invoke(alarmEvent({ at: fake.clock() })));

    expect(waitedFor(waves)).toEqual([READS, ['monitoring:GetMetricData'], TAKE]);
  });

  it('there is no further one for settings in tags, consumers or a change calendar', async () => {
    fake.ssm.calendars.set('freeze', { State: 'OPEN' });
    const tags = {
      'reflex:enabled': 'true',
      'reflex:max-iterator-age': '40000',
      'reflex:consumer-concurrency': '2',
      'reflex:target-utilization': '0.4',
    };
    const stack = await prepare(1, { tags, reshardMs: 5_000 }, { FREEZE_CALENDAR: 'freeze' });
    const waves = await fake.waves(() => stack.invoke(alarmEvent({ at: fake.clock() })));

    expect(waitedFor(waves)).toEqual([[...READS, 'ssm:GetCalendarState'].sort(), TAKE]);
  });

  it('a composite alarm costs one more: DescribeAlarms', async () => {
    const stack = await prepare(2);
    fake.cloudwatch.alarms.push({
      AlarmName: 'orders-bytes',
      AlarmArn: alarmArn('orders-bytes'),
      StateValue: 'ALARM',
      Namespace: 'AWS/Kinesis',
      MetricName: 'IncomingBytes',
      Dimensions: [{ Name: 'StreamName', Value: 'orders' }],
    });
    const composite = { rule: 'ALARM(orders-bytes)', children: [{ arn: alarmArn('orders-bytes') }] };

    const waves = await fake.waves(() => stack.invoke(alarmEvent({ name: 'orders', composite, at: fake.clock() })));

    expect(waitedFor(waves)).toEqual([['monitoring:DescribeAlarms'], READS, TAKE]);
  });

  it('every further thousand shards cost one more: ListShards gives 1,000 a page', async () => {
    const stack = await prepare(1_500, {}, { MAX_SHARDS: '10000' });

    const waves = await fake.waves(() => stack.invoke(alarmEvent({ at: fake.clock() })));

    expect(waitedFor(waves)).toEqual([READS, ['kinesis:ListShards'], TAKE]);
  });

  it('five streams in one batch cost no more than one', async () => {
    const stack = await prepare(1);
    const streams: FakeStream[] = ['a', 'b', 'c', 'd'].map((name) => fake.kinesis.createStream(name, 1));
    for (const { name } of streams) load(fake, name, () => ({ bytes: 0.9 * MIB, records: 100 })).backfill(15);
    const at = fake.clock();
    const alarms = ['orders', ...streams.map(({ name }) => name)].map((stream) =>
      alarmEvent({ stream, name: stream, at }),
    );

    const waves = await fake.waves(() => stack.invoke(sqsBatch(...alarms)));

    const [reads, takes] = waitedFor(waves);
    expect(waitedFor(waves)).toHaveLength(2);
    expect(reads?.filter((call) => call === 'kinesis:DescribeLimits')).toHaveLength(1);
    expect(reads?.filter((call) => call === 'monitoring:GetMetricData')).toHaveLength(1);
    expect(reads?.filter((call) => call === 'dynamodb:BatchGetItem')).toHaveLength(1);
    expect(takes).toEqual(Array(5).fill('dynamodb:PutItem'));
  });
});
