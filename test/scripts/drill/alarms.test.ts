import type { MetricAlarm } from '@aws-sdk/client-cloudwatch';
import { describe, expect, it } from 'vitest';
import { wantedAlarms } from '../../../functions/tune-alarms/alarms.ts';
import { stackPolicy } from '../../../functions/tune-alarms/policy.ts';
import { alarmName, countedShards, settingsOf } from '../../../scripts/drill/alarms.ts';
import { sampleEvent } from '../../../scripts/drill/trouble.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';

const alarms = wantedAlarms(
  { kind: 'stream', name: 'drill-a', status: 'ACTIVE', mode: 'PROVISIONED', openShards: 3 },
  stackPolicy({}),
) as unknown as readonly MetricAlarm[];

describe('the alarms of a stream', () => {
  it('are called as tune-alarms calls them', () => {
    const kinds = ['utilization', 'throttled', 'iterator-age'];

    expect(alarms.map(({ AlarmName }) => AlarmName)).toEqual(kinds.map((kind) => alarmName('drill-a', kind)));
  });

  it('count shards where they divide by them', () => {
    expect(alarms.map(countedShards)).toEqual([3, undefined, undefined]);
  });

  it('are the same in another state, and not with another threshold', () => {
    const [alarm = {}] = alarms;

    expect(settingsOf({ ...alarm, StateValue: 'ALARM', StateUpdatedTimestamp: new Date(1) })).toBe(settingsOf(alarm));
    expect(settingsOf({ ...alarm, Threshold: 0.9 })).not.toBe(settingsOf(alarm));
  });
});

it('a stream that opts in is a change of its tags, here and now', () => {
  const now = Date.UTC(2026, 10, 21, 9, 30);
  const names = { 'stream/orders': 'stream/drill-a' };

  const [message] = receive(sampleEvent('aws.tag.tag-change.kinesis.json', names, now)).messages;

  expect(message && parse(message)).toMatchObject({
    kind: 'event',
    event: {
      kind: 'tag-change',
      resource: 'arn:aws:kinesis:us-east-1:123456789012:stream/drill-a',
      changed: ['reflex:enabled'],
      at: now,
    },
  });
});
