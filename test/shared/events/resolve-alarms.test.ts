import { describe, expect, it, vi } from 'vitest';
import type { AlarmEvent, AlarmMetric } from '../../../shared/events/event.ts';
import {
  type AlarmDescription,
  alarmReferences,
  type DescribeAlarms,
  resolveAlarms,
} from '../../../shared/events/resolve-alarms.ts';
import { account, alarmArn, at, region } from '../../support/event-builders.ts';

function metricOf(stream: string): AlarmMetric {
  return {
    id: 'm1',
    accountId: null,
    namespace: 'AWS/Kinesis',
    name: 'IncomingBytes',
    dimensions: { StreamName: stream },
  };
}

function event(overrides: Partial<AlarmEvent>): AlarmEvent {
  return {
    kind: 'alarm',
    alarmArn: alarmArn('top'),
    alarmName: 'top',
    account,
    region,
    state: 'ALARM',
    at,
    stateReason: '',
    metrics: [],
    composite: null,
    alarmActions: [],
    ...overrides,
  };
}

function composite(rule: string, ...children: string[]): AlarmEvent {
  return event({ composite: { rule, children: children.map(alarmArn), suppressedBy: null } });
}

const metricAlarm = (stream: string): AlarmDescription => ({
  metrics: [metricOf(stream)],
  rule: null,
  state: 'ALARM',
  reasonData: null,
});

const compositeAlarm = (rule: string, ...triggering: string[]): AlarmDescription => ({
  metrics: [],
  rule,
  state: 'ALARM',
  reasonData: JSON.stringify({
    triggeringAlarms: triggering.map((name) => ({ arn: alarmArn(name), state: { value: 'ALARM' } })),
  }),
});

/** Answers from `alarms` (by name) what was asked, and nothing else. */
function describing(alarms: Readonly<Record<string, AlarmDescription>>) {
  const all = new Map(Object.entries(alarms).map(([name, alarm]) => [alarmArn(name), alarm]));
  return vi.fn<DescribeAlarms>(async (arns) => new Map([...all].filter(([arn]) => arns.includes(arn))));
}

function streams(metrics: readonly (readonly AlarmMetric[])[]) {
  return metrics.map((list) => list.map((metric) => metric.dimensions.StreamName));
}

describe('resolveAlarms', () => {
  it('asks nothing about metric alarms', async () => {
    const describe = describing({});

    const resolved = await resolveAlarms([event({ metrics: [metricOf('orders')] })], describe);

    expect(streams(resolved)).toEqual([['orders']]);
    expect(describe).not.toHaveBeenCalled();
  });

  it('takes only the children that triggered', async () => {
    const describe = describing({ a: metricAlarm('orders'), b: metricAlarm('payments') });

    const resolved = await resolveAlarms([composite('ALARM(a) OR ALARM(b)', 'a')], describe);

    expect(streams(resolved)).toEqual([['orders']]);
    expect(describe.mock.calls).toEqual([[[alarmArn('a')]]]);
  });

  it('takes every alarm of the rule where no child says it triggered', async () => {
    const describe = describing({ a: metricAlarm('orders'), 'b b': metricAlarm('payments') });

    const resolved = await resolveAlarms([composite(`ALARM(${alarmArn('a')}) AND ALARM("b b")`)], describe);

    expect(streams(resolved)).toEqual([['orders', 'payments']]);
  });

  it('follows composite alarms below composite alarms, one call a level for the whole batch', async () => {
    const describe = describing({
      a: metricAlarm('orders'),
      b: metricAlarm('payments'),
      c: metricAlarm('returns'),
      middle: compositeAlarm('ALARM(a) OR ALARM(b)', 'b'),
      other: compositeAlarm('ALARM(c)'),
    });

    const resolved = await resolveAlarms(
      [composite('ALARM(middle)', 'middle'), composite('ALARM(other)', 'other', 'a')],
      describe,
    );

    expect(streams(resolved)).toEqual([['payments'], ['orders', 'returns']]);
    expect(describe.mock.calls).toEqual([
      [[alarmArn('middle'), alarmArn('other'), alarmArn('a')]],
      [[alarmArn('b'), alarmArn('c')]],
    ]);
  });

  it('asks about an alarm once, though several events lead to it', async () => {
    const describe = describing({ a: metricAlarm('orders'), middle: compositeAlarm('ALARM(a)') });

    const resolved = await resolveAlarms(
      [composite('ALARM(a)', 'a', 'a'), composite('ALARM(a)', 'a'), composite('x', 'middle')],
      describe,
    );

    expect(streams(resolved)).toEqual([['orders'], ['orders'], ['orders']]);
    expect(describe.mock.calls).toEqual([[[alarmArn('a'), alarmArn('middle')]]]);
  });

  it('ends on a cycle', async () => {
    const describe = describing({ b: compositeAlarm('ALARM(c)'), c: compositeAlarm('ALARM(b) OR ALARM(top)') });

    const resolved = await resolveAlarms([composite('ALARM(top) OR ALARM(b)')], describe);

    expect(resolved).toEqual([[]]);
    expect(describe).toHaveBeenCalledTimes(2);
  });

  it('ends on a chain deeper than five', async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 9 }, (_, i) => [`c${i}`, compositeAlarm(`ALARM(c${i + 1})`)]),
    );
    const describe = describing(chain);

    await resolveAlarms([composite('ALARM(c0)')], describe);

    expect(describe).toHaveBeenCalledTimes(5);
  });

  it('has no metrics for an alarm that no longer exists', async () => {
    expect(await resolveAlarms([composite('ALARM(gone)', 'gone')], describing({}))).toEqual([[]]);
  });

  it('passes on that CloudWatch could not be asked', async () => {
    const failing: DescribeAlarms = () => Promise.reject(new Error('Throttling'));

    await expect(resolveAlarms([composite('ALARM(a)')], failing)).rejects.toThrow('Throttling');
  });
});

describe('alarmReferences', () => {
  it.each([
    ['ALARM(a)', ['a']],
    ['ALARM("a")', ['a']],
    ['ALARM( "a (b), c OK(d)" )', ['a (b), c OK(d)']],
    ['ALARM(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a)', [alarmArn('a')]],
    ['(ALARM(a) AND NOT OK(b)) OR INSUFFICIENT_DATA("c")', ['a', 'b', 'c']],
    ['ALARM (a) OR ALARM(a)', ['a']],
    ['AT_LEAST(2, ALARM, (a, "b b", c)) AND NOT AT_LEAST(60%, NOT OK, (d))', ['a', 'b b', 'c', 'd']],
    ['TRUE OR FALSE', []],
    ['ALARM()', []],
    ['ALARM(a', []],
    ['', []],
  ])('finds in %s what it refers to', (rule, names) => {
    expect(alarmReferences(rule)).toEqual(names);
  });

  it.each(['ALARM(', 'ALARM("', 'AT_LEAST(', 'OK ', 'ALARM( ', '"ALARM(', 'AT_LEAST((', '('])(
    'takes linear time on a megabyte of %j',
    (piece) => {
      const rule = `ALARM(${piece.repeat(Math.ceil(1e6 / piece.length))}`;
      const start = performance.now();

      alarmReferences(rule);

      expect(performance.now() - start).toBeLessThan(1_000);
    },
  );
});
