import { describe, expect, it } from 'vitest';
import { alarmOccurrence, triggeringAlarms } from '../../../shared/events/cloudwatch-alarm-state-change.ts';
import { receive } from '../../../shared/events/envelope.ts';
import type { AlarmEvent, Parsed } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';
import {
  type AlarmOptions,
  account,
  alarmArn,
  alarmEvent,
  at,
  directAlarm,
  region,
  snsAlarm,
  snsRecords,
} from '../../support/event-builders.ts';

function parseOne(payload: unknown): Parsed {
  const [message] = receive(payload).messages;
  if (!message) throw new Error('no message');
  return parse(message);
}

function alarmIn(payload: unknown): AlarmEvent {
  const parsed = parseOne(payload);
  if (parsed.kind !== 'event' || parsed.event.kind !== 'alarm') throw new Error(`not an alarm: ${parsed.kind}`);
  return parsed.event;
}

function brokenField(payload: unknown): string {
  const parsed = parseOne(payload);
  return parsed.kind === 'broken' ? parsed.error.field : parsed.kind;
}

type Builder = (options?: AlarmOptions) => object;
const ways: readonly [string, Builder][] = [
  ['EventBridge', alarmEvent],
  ['its Lambda action', directAlarm],
  ['SNS', (options) => snsRecords(snsAlarm(options))],
];

const child = alarmArn('orders-bytes');

describe.each(ways)('an alarm through %s', (way, build) => {
  it('says which alarm, where, which state and since when', () => {
    expect(
      alarmIn(build({ name: 'a name: with colons', state: 'ALARM', reason: 'Threshold Crossed: 1' })),
    ).toMatchObject({
      kind: 'alarm',
      alarmArn: alarmArn('a name: with colons'),
      alarmName: 'a name: with colons',
      account,
      region,
      state: 'ALARM',
      at,
      stateReason: 'Threshold Crossed: 1',
      composite: null,
    });
  });

  it('keeps a state that AWS adds one day', () => {
    expect(alarmIn(build({ state: 'SNOOZED' })).state).toBe('SNOOZED');
  });

  it('reads a single metric with its dimensions', () => {
    const dimensions = { StreamName: 'orders', ShardId: 'shardId-000000000000' };

    const { metrics } = alarmIn(build({ rows: [{ id: 'm1', metric: 'IncomingBytes', dimensions }] }));

    expect(metrics).toEqual([
      { id: way === 'SNS' ? null : 'm1', accountId: null, namespace: 'AWS/Kinesis', name: 'IncomingBytes', dimensions },
    ]);
  });

  it.each([[[0, 1, 2]], [[1, 0, 2]], [[1, 2, 0]]])('reads the metrics of an expression in row order %j', (order) => {
    const dimensions = { StreamName: 'orders' };
    const rows = [
      { id: 'e1', expression: 'MAX([m1,m2])' },
      { id: 'm1', metric: 'IncomingBytes', dimensions },
      { id: 'm2', metric: 'IncomingRecords', dimensions, accountId: '444455556666' },
    ];

    const { metrics } = alarmIn(build({ rows: order.flatMap((index) => rows[index] ?? []) }));

    expect(metrics).toEqual([
      { id: 'm1', accountId: null, namespace: 'AWS/Kinesis', name: 'IncomingBytes', dimensions },
      { id: 'm2', accountId: '444455556666', namespace: 'AWS/Kinesis', name: 'IncomingRecords', dimensions },
    ]);
  });

  it('has no metrics when its only row is a query', () => {
    expect(alarmIn(build({ rows: [{ id: 'q1', expression: 'SELECT MAX(x) FROM y' }] })).metrics).toEqual([]);
  });

  it('reads a composite alarm and the children that triggered it', () => {
    const rule = 'ALARM(orders-bytes) OR ALARM(orders-records)';

    const { metrics, composite } = alarmIn(build({ composite: { rule, children: [{ arn: child }] } }));

    expect(metrics).toEqual([]);
    expect(composite).toEqual({ rule, children: [child], suppressedBy: null });
  });

  it('leaves out children in another state than the composite alarm', () => {
    const children = [{ arn: child }, { arn: alarmArn('orders-deploying'), state: 'OK' }];

    const { composite } = alarmIn(build({ composite: { rule: 'ALARM(orders-bytes)', children } }));

    expect(composite?.children).toEqual([child]);
  });

  it('accepts a composite alarm without children, as SetAlarmState makes it', () => {
    const { composite } = alarmIn(build({ composite: { rule: 'ALARM(orders-bytes)' } }));

    expect(composite?.children).toEqual([]);
  });
});

it('is one occurrence whichever way it came', () => {
  const occurrences = ways.map(([, build]) => alarmOccurrence(alarmIn(build())));

  expect(new Set(occurrences)).toEqual(new Set([`${alarmArn()} 2026-03-05T03:12:00.123Z ALARM`]));
});

it.each([
  ['time', { at: at + 1 }],
  ['value', { state: 'OK' }],
  ['alarm', { name: 'other' }],
])('is another occurrence with another %s', (_, options) => {
  expect(alarmOccurrence(alarmIn(alarmEvent(options)))).not.toBe(alarmOccurrence(alarmIn(alarmEvent())));
});

describe('through EventBridge and the Lambda action', () => {
  it.each(['Alarm', 'WaitPeriod', 'ExtensionPeriod'])(
    'says that a composite alarm is suppressed by %s',
    (suppressedBy) => {
      const composite = { rule: 'ALARM(orders-bytes)', children: [{ arn: child }], suppressedBy };

      expect(alarmIn(alarmEvent({ composite })).composite?.suppressedBy).toBe(suppressedBy);
      expect(alarmIn(directAlarm({ composite })).composite?.suppressedBy).toBe(suppressedBy);
    },
  );

  it.each([undefined, null, '', '{', 7, '{"triggeringAlarms":[7]}', 'null'])(
    'reads a composite alarm whose reason data is %j',
    (reasonData) => {
      const event = alarmEvent({ composite: { rule: 'ALARM(a)' } });
      const state = { ...event.detail.state, reasonData };

      expect(alarmIn({ ...event, detail: { ...event.detail, state } }).composite?.children).toEqual([]);
    },
  );

  it('does not concern us while a mute rule is active', () => {
    const event = alarmEvent();
    const muteDetail = { mutedByArn: `arn:aws:cloudwatch:${region}:${account}:alarm-mute-rule:deploy` };

    expect(parseOne({ ...event, detail: { ...event.detail, muteDetail } })).toEqual({
      kind: 'not-for-us',
      reason: 'alarm-muted',
    });
  });

  it('does not concern us when it is one contributor', () => {
    const event = directAlarm();

    expect(parseOne({ ...event, alarmData: { ...event.alarmData, alarmContributor: { id: '6d44' } } })).toEqual({
      kind: 'not-for-us',
      reason: 'alarm-contributor-state-change',
    });
  });

  it('concerns us as a whole where a contributor, like other fields, is null', () => {
    const { detail, ...event } = alarmEvent();

    expect(parseOne({ ...event, detail: { ...detail, alarmContributor: null, muteDetail: null } })).toMatchObject({
      kind: 'event',
      event: { kind: 'alarm', state: 'ALARM' },
    });
  });

  it.each([
    ['eu-west-1', 'aws'],
    ['cn-north-1', 'aws-cn'],
    ['us-gov-west-1', 'aws-us-gov'],
    ['eusc-de-east-1', 'aws-eusc'],
  ])('makes the ARN in %s where the event has none', (where, partition) => {
    expect(alarmIn({ ...alarmEvent(), region: where, resources: [] })).toMatchObject({
      alarmArn: `arn:${partition}:cloudwatch:${where}:${account}:alarm:orders-throughput-high`,
      region: where,
    });
  });

  it.each([
    ['resources', { resources: [], account: undefined }],
    ['resources', { resources: undefined, region: 'EU (Ireland)' }],
    ['resources.0', { resources: ['arn:aws:s3:::bucket'] }],
    ['resources.0', { resources: [7] }],
    ['resources', { resources: 'arn' }],
    ['detail', { detail: null }],
    ['detail.alarmName', { detail: { ...alarmEvent().detail, alarmName: '' } }],
    ['detail.configuration', { detail: { ...alarmEvent().detail, configuration: undefined } }],
    ['detail.configuration', { detail: { ...alarmEvent().detail, configuration: [] } }],
    ['detail.state.timestamp', { detail: { ...alarmEvent().detail, state: { value: 'OK', timestamp: '2026' } } }],
    ['detail.state.value', { detail: { ...alarmEvent().detail, state: {} } }],
    [
      'detail.configuration.metrics.0.metricStat.metric.dimensions.StreamName',
      {
        detail: {
          ...alarmEvent().detail,
          configuration: {
            metrics: [{ metricStat: { metric: { namespace: 'n', name: 'm', dimensions: { StreamName: 1 } } } }],
          },
        },
      },
    ],
  ])('is broken at %s', (field, change) => {
    expect(brokenField({ ...alarmEvent(), ...change })).toBe(field);
  });

  it.each([
    ['alarmArn', { alarmArn: undefined }],
    ['alarmArn', { alarmArn: 'orders' }],
    ['alarmData', { alarmData: undefined }],
    ['alarmData.state', { alarmData: { ...directAlarm().alarmData, state: 'ALARM' } }],
  ])('invoking directly is broken at %s', (field, change) => {
    expect(brokenField({ ...directAlarm(), ...change })).toBe(field);
  });
});

describe('through SNS', () => {
  it('takes the region from the ARN, for Region is a display name', () => {
    expect(alarmIn(snsAlarm())).toMatchObject({ region: 'eu-west-1', account });
  });

  it('lists the actions of the alarm', () => {
    expect(alarmIn(snsAlarm()).alarmActions).toEqual([`arn:aws:sns:${region}:${account}:alarms`]);
    expect(alarmIn(alarmEvent()).alarmActions).toEqual([]);
  });

  it('reads a message without ARN whose Region is a region, and dimensions spelled as the API does', () => {
    const { AlarmArn: _, ...message } = snsAlarm();
    const Trigger = { ...message.Trigger, Dimensions: [{ Name: 'StreamName', Value: 'orders' }] };

    const alarm = alarmIn({ ...message, Region: region, Trigger });

    expect(alarm.alarmArn).toBe(alarmArn());
    expect(alarm.metrics[0]?.dimensions).toEqual({ StreamName: 'orders' });
  });

  it.each([
    ['AlarmArn', { AlarmArn: undefined }],
    ['AlarmArn', { AlarmArn: 'orders' }],
    ['AlarmName', { AlarmName: undefined }],
    ['NewStateValue', { NewStateValue: null }],
    ['StateChangeTime', { StateChangeTime: 'yesterday' }],
    ['AlarmActions', { AlarmActions: 'none' }],
    ['Trigger', { Trigger: undefined }],
    ['Trigger', { Trigger: [] }],
    ['Trigger.Namespace', { Trigger: { MetricName: 'IncomingBytes' } }],
    ['Trigger.Dimensions.0', { Trigger: { ...snsAlarm().Trigger, Dimensions: ['StreamName'] } }],
    ['Trigger.Metrics.0.MetricStat.Metric', { Trigger: { Metrics: [{ Id: 'm1', MetricStat: {} }] } }],
    ['TriggeringChildren.0.Arn', { AlarmRule: 'ALARM(a)', TriggeringChildren: [{}] }],
  ])('is broken at %s', (field, change) => {
    expect(brokenField({ ...snsAlarm(), ...change })).toBe(field);
  });
});

it('reads the reason data of a state that DescribeAlarms returns', () => {
  const data = { triggeringAlarms: [{ arn: child, state: { value: 'ALARM' } }, { arn: alarmArn('b') }] };

  expect(triggeringAlarms(JSON.stringify(data), 'ALARM')).toEqual([child, alarmArn('b')]);
  expect(triggeringAlarms(JSON.stringify(data), 'OK')).toEqual([alarmArn('b')]);
  expect(triggeringAlarms(null, 'ALARM')).toEqual([]);
});
