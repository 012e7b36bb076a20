import { describe, expect, it } from 'vitest';
import { cacheArn, nodeId, nodeMetrics } from '../../../scripts/drill/caches.ts';
import { metricData, minuteOf } from '../../../scripts/drill/load.ts';
import { viewOf } from '../../../scripts/drill/streams.ts';
import {
  alarmEvent,
  alarmInvocation,
  alarmNotification,
  movedBy,
  nodeAlarmEvent,
  sampleEvent,
  spotInterruption,
  tick,
} from '../../../scripts/drill/trouble.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';

const now = Date.UTC(2026, 10, 21, 9, 30, 12, 345);

const understood = (payload: unknown) => {
  const [message] = receive(payload).messages;
  return message === undefined ? undefined : parse(message);
};

describe('the trouble', () => {
  it.each([
    ['on the event bus', alarmEvent('drill-a', now)],
    ['as an invocation', alarmInvocation('drill-a', now)],
  ])('%s is an alarm of this stream, here and now', (_, payload) => {
    expect(understood(payload)).toMatchObject({
      kind: 'event',
      event: {
        kind: 'alarm',
        account: '123456789012',
        region: 'us-east-1',
        state: 'ALARM',
        at: now,
        metrics: expect.arrayContaining([expect.objectContaining({ dimensions: { StreamName: 'drill-a' } })]),
      },
    });
  });

  it('is the same occurrence through SNS and on the event bus', () => {
    const body = JSON.stringify(alarmNotification('drill-a', now));
    const viaSns = understood({ Records: [{ eventSource: 'aws:sqs', messageId: '1', body }] });
    const viaBus = understood(alarmEvent('drill-a', now));

    const occurrence = (parsed: ReturnType<typeof understood>) =>
      parsed?.kind === 'event' && parsed.event.kind === 'alarm' ? [parsed.event.alarmArn, parsed.event.at] : null;
    expect(occurrence(viaSns)).not.toBeNull();
    expect(occurrence(viaSns)).toEqual(occurrence(viaBus));
  });
});

describe('the trouble of a cache', () => {
  it.each([
    ['aws.cloudwatch.alarm-state-change.elasticache-node.json', 'EngineCPUUtilization'],
    ['aws.cloudwatch.alarm-state-change.elasticache-small-node.json', 'CPUUtilization'],
  ])('%s is an alarm of this node, here and now', (file, name) => {
    const node = nodeId('drill-c', 2);

    const parsed = understood(nodeAlarmEvent(file, 'drill-c', node, now));

    expect(parsed).toMatchObject({
      kind: 'event',
      event: { kind: 'alarm', account: '123456789012', region: 'us-east-1', state: 'ALARM', at: now },
    });
    const metrics = parsed?.kind === 'event' && parsed.event.kind === 'alarm' ? parsed.event.metrics : [];
    expect(metrics).toEqual([
      expect.objectContaining({ name, dimensions: expect.objectContaining({ CacheClusterId: node }) }),
    ]);
    expect(JSON.stringify(nodeAlarmEvent(file, 'drill-c', node, now))).not.toContain('sessions');
  });

  it('has a tick of the schedule that is understood', () => {
    const body = tick();

    expect(understood({ Records: [{ eventSource: 'aws:sqs', messageId: '1', body }] })).toMatchObject({
      kind: 'event',
      event: { kind: 'tick' },
    });
  });

  it('is a data point a node, metric and minute, the newest one whole', () => {
    const nodes = { [nodeId('drill-c', 1)]: { CPUUtilization: 48.5, EngineCPUUtilization: 84 } };

    const data = nodeMetrics(nodes, 65, now);

    expect(data).toHaveLength(2 * 65);
    const times = data.map(({ Timestamp }) => Timestamp?.getTime() ?? 0);
    expect(Math.max(...times)).toBe(Date.UTC(2026, 10, 21, 9, 29));
    expect(Math.min(...times)).toBe(Date.UTC(2026, 10, 21, 8, 25));
    expect(data[0]?.Dimensions).toEqual([
      { Name: 'CacheClusterId', Value: 'drill-c-0001-001' },
      { Name: 'CacheNodeId', Value: '0001' },
    ]);
  });

  it('is about the group by its ARN', () => {
    expect(cacheArn('drill-c')).toBe('arn:aws:elasticache:us-east-1:123456789012:replicationgroup:drill-c');
  });
});

describe('the interruption of a task', () => {
  it('is a Spot notice for a task of this cluster, here and now', () => {
    expect(understood(spotInterruption('drill-s', now))).toMatchObject({
      kind: 'event',
      event: {
        kind: 'task-state-change',
        at: now,
        task: {
          arn: 'arn:aws:ecs:us-east-1:123456789012:task/drill-s/7a75e7b735c14174aefbca3d0c1dd2c9',
          stoppingAt: now,
          lastStatus: 'DEACTIVATING',
        },
      },
    });
  });

  it('keeps the times as far apart as they were', () => {
    const moved = movedBy('2026-03-05T03:12:00Z 2026-03-05T01:18:46.07Z 2026-03-05', 60_000);

    expect(moved).toBe('2026-03-05T03:13:00.000Z 2026-03-05T01:19:46.070Z 2026-03-05');
  });
});

describe('the load', () => {
  it('is more than one shard should carry and less than two, in bytes and records', () => {
    const { bytes, records } = minuteOf(1);

    expect(bytes / 60 / 1_048_576).toBeGreaterThan(0.75);
    expect(bytes / 60 / 1_048_576 / 2).toBeLessThan(0.5);
    expect(records / 60).toBeLessThan(1_000);
  });

  it('is rejected in part by one shard and not by two', () => {
    expect(minuteOf(1).rejected).toBeGreaterThan(0);
    expect(minuteOf(2).rejected).toBe(0);
  });

  it('is a data point a metric at the start of its minute', () => {
    const data = metricData('s', now, 1);

    expect(data.map(({ MetricName }) => MetricName)).toEqual([
      'IncomingBytes',
      'IncomingRecords',
      'WriteProvisionedThroughputExceeded',
    ]);
    expect(data.every(({ Timestamp }) => Timestamp?.getTime() === now)).toBe(true);
  });
});

describe('a stream as it is shown', () => {
  it('has its open shards in hash order, as parts of the key space, and the closed ones apart', () => {
    const half = (2n ** 127n).toString();
    const range = (StartingHashKey: string, EndingHashKey: string) => ({ StartingHashKey, EndingHashKey });
    const whole = (2n ** 128n - 1n).toString();

    const view = viewOf('ACTIVE', [
      { ShardId: 'b', HashKeyRange: range(half, whole), SequenceNumberRange: { StartingSequenceNumber: '1' } },
      {
        ShardId: 'a',
        HashKeyRange: range('0', (2n ** 127n - 1n).toString()),
        SequenceNumberRange: { StartingSequenceNumber: '1' },
      },
      {
        ShardId: 'parent',
        HashKeyRange: range('0', whole),
        SequenceNumberRange: { StartingSequenceNumber: '0', EndingSequenceNumber: '0' },
      },
    ]);

    expect(view).toEqual({
      status: 'ACTIVE',
      open: [
        { id: 'a', from: 0, to: 0.5 },
        { id: 'b', from: 0.5, to: 1 },
      ],
      closed: ['parent'],
    });
  });
});

describe('a sample about something else', () => {
  it('is of this account, now, and names what it is told to', () => {
    const names = { 'i-0b662ef9931388ba0': 'i-0123456789abcdef0' };

    const payload = sampleEvent('aws.ec2.spot-interruption.terminate.json', names, now);

    expect(understood(payload)).toMatchObject({
      kind: 'event',
      event: { kind: 'spot-interruption', account: '123456789012', instanceId: 'i-0123456789abcdef0', at: now },
    });
  });
});
