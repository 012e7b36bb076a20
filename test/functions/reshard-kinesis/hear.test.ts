import { describe, expect, it } from 'vitest';
import { hear } from '../../../functions/reshard-kinesis/hear.ts';
import { receive } from '../../../shared/events/envelope.ts';
import type { ReflexEvent } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';
import {
  account,
  alarmArn,
  alarmEvent,
  at,
  directAlarm,
  type Row,
  snsAlarm,
  streamArn,
  tick,
} from '../../support/event-builders.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAws();

const event = (payload: unknown): ReflexEvent => {
  const [message] = receive(payload).messages;
  if (message === undefined) throw new Error('no message');
  const parsed = parse(message);
  if (parsed.kind !== 'event') throw new Error(JSON.stringify(parsed));
  return parsed.event;
};
const heard = async (...payloads: unknown[]) => hear(payloads.map(event));
const streamsOf = async (payload: unknown) => {
  const [answer] = await heard(payload);
  return answer && 'signals' in answer ? answer.signals.map(({ resource }) => resource) : answer;
};
const row = (dimensions: Record<string, string>, rest: Row = {}): Row => ({
  id: 'm1',
  metric: 'IncomingBytes',
  dimensions,
  ...rest,
});
const expression: Row = { id: 'e1', expression: 'm1/m2' };
/** A metric alarm as DescribeAlarms gives it. */
const described = (name: string, StreamName: string, rest: object = {}) =>
  fake.cloudwatch.alarms.push({
    AlarmName: name,
    AlarmArn: alarmArn(name),
    StateValue: 'ALARM',
    Namespace: 'AWS/Kinesis',
    MetricName: 'IncomingBytes',
    Dimensions: [{ Name: 'StreamName', Value: StreamName }],
    ...rest,
  });
const composite = (rule: string, ...children: string[]) =>
  alarmEvent({
    name: 'all',
    composite: { rule, children: children.map((child) => ({ arn: alarmArn(child) })) },
  });

describe('an alarm', () => {
  it('names its stream, its occurrence and its own time', async () => {
    const [answer] = await heard(alarmEvent());

    expect(answer).toEqual({
      signals: [
        {
          resource: streamArn('orders'),
          trigger: 'alarm',
          cause: 'alarm orders-throughput-high is ALARM: Threshold Crossed',
          occurrence: `${alarmArn()} ${new Date(at).toISOString()} ALARM`,
          at,
        },
      ],
    });
    expect(fake.calls).toEqual([]);
  });

  it('is the same occurrence through EventBridge, SNS and its own Lambda action', async () => {
    const answers = await heard(alarmEvent(), snsAlarm(), directAlarm());

    const occurrences = answers.map((answer) => 'signals' in answer && answer.signals[0]?.occurrence);
    expect(new Set(occurrences).size).toBe(1);
  });

  it('that is OK again is a recovery', async () => {
    const [answer] = await heard(alarmEvent({ state: 'OK' }));

    expect(answer).toMatchObject({ signals: [{ trigger: 'recovery', resource: streamArn('orders') }] });
  });

  it.each(['INSUFFICIENT_DATA', 'SOMETHING_NEW'])('in state %s is not for us', async (state) => {
    expect(await heard(alarmEvent({ state }))).toEqual([{ notForUs: 'alarm-state' }]);
  });

  it.each([
    ['the expression first', [expression, row({ StreamName: 'orders' })]],
    ['the expression last', [row({ StreamName: 'orders' }), expression]],
    ['a metric of one shard', [row({ StreamName: 'orders', ShardId: 'shardId-000000000001' })]],
    ['two metrics of one stream', [row({ StreamName: 'orders' }), row({ StreamName: 'orders' }, { id: 'm2' })]],
    [
      'a metric of something else beside it',
      [row({ StreamName: 'orders' }), row({ FunctionName: 'f' }, { id: 'm2', namespace: 'AWS/Lambda' })],
    ],
    ['its own account spelled out', [row({ StreamName: 'orders' }, { accountId: account })]],
  ])('with %s names the stream once', async (_, rows) => {
    expect(await streamsOf(alarmEvent({ rows }))).toEqual([streamArn('orders')]);
  });

  it('over two streams names both', async () => {
    const rows = [row({ StreamName: 'orders' }), row({ StreamName: 'payments' }, { id: 'm2' })];

    expect(await streamsOf(alarmEvent({ rows }))).toEqual([streamArn('orders'), streamArn('payments')]);
  });

  it.each([
    ['EventBridge', alarmEvent],
    ['an alarm action', directAlarm],
    ['SNS', (options: { rows: Row[] }) => snsAlarm(options)],
  ])('on an anomaly band names its stream through %s: the band is an expression over it', async (_way, made) => {
    const band = { id: 'ad1', expression: 'ANOMALY_DETECTION_BAND(m1, 2)' };
    const payload = made({ rows: [band, row({ StreamName: 'orders' })] });
    expect(await streamsOf(payload)).toEqual([streamArn('orders')]);
  });

  it("of a producer of your own (Kinesis Producer Library, or any namespace that is not AWS's) names its stream", async () => {
    const rows = [row({ StreamName: 'orders' }, { namespace: 'KinesisProducerLibrary', metric: 'BufferingTime' })];
    expect(await streamsOf(alarmEvent({ rows }))).toEqual([streamArn('orders')]);
  });

  it.each([
    ['no dimension', [row({})]],
    ['another service of AWS with streams', [row({ StreamName: 'orders' }, { namespace: 'AWS/KinesisVideo' })]],
    ['another account', [row({ StreamName: 'orders' }, { accountId: '999999999999' })]],
    ['a name no stream can have', [row({ StreamName: 'orders/../payments' })]],
    ['an empty name', [row({ StreamName: '' })]],
    ['a name of 129 characters', [row({ StreamName: 'x'.repeat(129) })]],
    ['only an expression', [expression]],
  ])('with %s is not for us', async (_, rows) => {
    expect(await heard(alarmEvent({ rows }))).toEqual([{ notForUs: 'no-stream-dimension' }]);
  });

  it('shows the autoscaler that its own actions name', async () => {
    const policy = `arn:aws:autoscaling:eu-west-1:${account}:scalingPolicy:1:resource/custom-resource/x:policyName/p`;
    const [managed] = await heard({ ...snsAlarm(), AlarmActions: [policy] });
    const [free] = await heard(snsAlarm());

    expect(managed).toMatchObject({ signals: [{ managedBy: `The alarm's own action ${policy}` }] });
    expect(free).not.toHaveProperty('signals.0.managedBy');
  });

  it('keeps a long reason short', async () => {
    const [answer] = await heard(alarmEvent({ reason: 'x'.repeat(2_000) }));

    expect(answer && 'signals' in answer && answer.signals[0]?.cause.length).toBe(500);
  });
});

describe('a composite alarm', () => {
  it('names the streams of the children that triggered it, with one DescribeAlarms', async () => {
    described('a', 'orders');
    described('b', 'payments');
    described('c', 'audit');

    const streams = await streamsOf(composite('ALARM(a) OR ALARM(b) OR ALARM(c)', 'a', 'b'));

    expect(streams).toEqual([streamArn('orders'), streamArn('payments')]);
    expect(fake.called('DescribeAlarms')).toEqual([
      { AlarmNames: ['a', 'b'], AlarmTypes: ['MetricAlarm', 'CompositeAlarm'], MaxRecords: 100 },
    ]);
  });

  it('names those of its whole rule where it does not say which triggered it', async () => {
    described('a', 'orders');
    described('b:with:colons', 'payments');

    expect(await streamsOf(composite('ALARM(a) OR ALARM("b:with:colons")'))).toEqual([
      streamArn('orders'),
      streamArn('payments'),
    ]);
  });

  it('finds metric-math children and composite grandchildren', async () => {
    described('math', '', {
      Namespace: undefined,
      MetricName: undefined,
      Dimensions: [],
      Metrics: [
        { Id: 'e1', Expression: 'm1*2' },
        {
          Id: 'm1',
          MetricStat: {
            Metric: {
              Namespace: 'AWS/Kinesis',
              MetricName: 'IncomingBytes',
              Dimensions: [{ Name: 'StreamName', Value: 'orders' }],
            },
            Period: 60,
            Stat: 'Sum',
          },
        },
      ],
    });
    fake.cloudwatch.alarms.push({
      AlarmName: 'inner',
      AlarmArn: alarmArn('inner'),
      AlarmRule: 'ALARM(math)',
      StateValue: 'ALARM',
      StateReasonData: JSON.stringify({ triggeringAlarms: [{ arn: alarmArn('math'), state: { value: 'ALARM' } }] }),
    });

    expect(await streamsOf(composite('ALARM(inner)', 'inner'))).toEqual([streamArn('orders')]);
    expect(fake.called('DescribeAlarms')).toHaveLength(2);
  });

  it('that is suppressed is not acted on, and nothing is asked', async () => {
    const suppressed = alarmEvent({ composite: { rule: 'ALARM(a)', suppressedBy: 'Alarm' } });

    expect(await heard(suppressed)).toEqual([{ notForUs: 'alarm-suppressed' }]);
    expect(fake.calls).toEqual([]);
  });

  it('whose children are gone is not for us', async () => {
    expect(await heard(composite('ALARM(a)', 'a'))).toEqual([{ notForUs: 'no-stream-dimension' }]);
  });

  it('that cannot be resolved fails alone: the rest of the batch is heard', async () => {
    fake.fault('DescribeAlarms', new AwsError('AccessDenied', 'not authorized', 403), 5);

    const [failed, fine, other] = await heard(composite('ALARM(a)', 'a'), alarmEvent(), tick());

    expect(failed).toMatchObject({ error: { message: 'not authorized' } });
    expect(fine).toMatchObject({ signals: [{ resource: streamArn('orders') }] });
    expect(other).toEqual({ notForUs: 'not-an-alarm' });
  });

  it('shares DescribeAlarms with the others of its batch', async () => {
    described('a', 'orders');
    described('b', 'payments');

    await heard(composite('ALARM(a)', 'a'), composite('ALARM(b)', 'b'), alarmEvent());

    expect(fake.called('DescribeAlarms')).toHaveLength(1);
  });
});
