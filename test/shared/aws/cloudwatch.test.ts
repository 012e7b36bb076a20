import { describe, expect, it } from 'vitest';
import { describeAlarms, getMetricData, type MetricQuery } from '../../../shared/aws/cloudwatch.ts';
import { alarmArn } from '../../support/event-builders.ts';
import { AwsError, type Input } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const fake = await useFakeAws();

const minute = (n: number): number => Math.floor(fake.clock() / MINUTE) * MINUTE + n * MINUTE;
const incoming = (StreamName: string): MetricQuery => ({
  namespace: 'AWS/Kinesis',
  name: 'IncomingBytes',
  dimensions: { StreamName },
  stat: 'Sum',
});
const publish = (stream: string, at: number, value: number): void =>
  fake.cloudwatch.publish(incoming(stream), at, value);
const range = (minutes: number, periodSeconds = 60) => ({
  start: fake.clock() - minutes * MINUTE,
  end: fake.clock() + MINUTE,
  periodSeconds,
});

describe('getMetricData', () => {
  it('gives points oldest first, one series a query in the order of the queries', async () => {
    publish('orders', minute(-3), 1);
    publish('orders', minute(-1), 3);
    publish('orders', minute(-2), 2);
    publish('payments', minute(-1), 7);

    const series = await getMetricData([incoming('payments'), incoming('none'), incoming('orders')], range(15));

    expect(series).toEqual([
      [[minute(-1), 7]],
      [],
      [
        [minute(-3), 1],
        [minute(-2), 2],
        [minute(-1), 3],
      ],
    ]);
  });

  it('asks for exact dimensions: a metric of the shard is not one of the stream', async () => {
    const ofShard = { ...incoming('orders'), dimensions: { StreamName: 'orders', ShardId: 'shardId-000000000000' } };
    fake.cloudwatch.publish(ofShard, minute(-1), 5);

    const series = await getMetricData([incoming('orders'), ofShard], range(15));

    expect(series).toEqual([[], [[minute(-1), 5]]]);
  });

  it('gives one point a period, at its start, by the statistic', async () => {
    const start = Math.floor(minute(-10) / (5 * MINUTE)) * 5 * MINUTE;
    publish('orders', start, 2);
    publish('orders', start + 4 * MINUTE, 4);
    const highest = { ...incoming('orders'), stat: 'Maximum' } as const;

    const series = await getMetricData([incoming('orders'), highest], range(20, 300));

    expect(series).toEqual([[[start, 6]], [[start, 4]]]);
  });

  it('reads 500 metrics with one call, and the 501st with a second beside it', async () => {
    const queries = Array.from({ length: 501 }, (_, i) => incoming(`stream-${i}`));
    publish('stream-500', minute(-1), 9);

    const waves = await fake.waves(async () => {
      const series = await getMetricData(queries.slice(0, 500), range(15));
      expect(series).toHaveLength(500);
    });
    const more = await fake.waves(async () => {
      const series = await getMetricData(queries, range(15));
      expect(series[500]).toEqual([[minute(-1), 9]]);
    });

    expect(waves).toEqual([['monitoring:GetMetricData']]);
    expect(more).toEqual([['monitoring:GetMetricData', 'monitoring:GetMetricData']]);
  });

  it('asks no call for more data points than it may return, and no more a second than an account may read', async () => {
    const queries = Array.from({ length: 140 }, (_, i) => incoming(`stream-${i}`));

    const waves = await fake.waves(() => getMetricData(queries, { ...range(1_440), end: fake.clock() }));

    expect(waves.map((wave) => wave.length)).toEqual([1, 1, 1]);
    expect(
      fake.called('GetMetricData').map(({ MetricDataQueries }) => (MetricDataQueries as unknown[]).length),
    ).toEqual([69, 69, 2]);
  });

  it('joins the pages of an answer', async () => {
    for (let i = 1; i <= 2_000; i++) publish('orders', minute(-i), i);
    const queries = [...Array.from({ length: 30 }, () => incoming('orders')), incoming('payments')];
    publish('payments', minute(-1), 1);
    const smallPages = (input: Input) => void Object.assign(input, { MaxDatapoints: 7_000 });
    fake.fault('GetMetricData', smallPages, Number.POSITIVE_INFINITY);

    const series = await getMetricData(queries, range(1_440));

    expect(fake.called('GetMetricData').length).toBeGreaterThan(5);
    expect(series[0]).toHaveLength(1_440);
    expect(series[0]?.[0]?.[0]).toBe(minute(-1_440));
    expect(series.slice(0, 30).every((points) => points.length === 1_440)).toBe(true);
    expect(series[30]).toEqual([[minute(-1), 1]]);
  });

  it('asks nothing for no query', async () => {
    expect(await getMetricData([], range(15))).toEqual([]);
    expect(fake.calls).toEqual([]);
  });

  it.each(['InternalError', 'Forbidden'])(
    'rejects where a metric could not be read (%s): that is not "no data"',
    async (status) => {
      publish('orders', minute(-1), 1);
      fake.cloudwatch.unreadable('IncomingBytes', status);

      await expect(getMetricData([incoming('orders')], range(15))).rejects.toThrow(
        `GetMetricData: IncomingBytes could not be read (${status})`,
      );
    },
  );

  it('repeats a throttled call, and rejects what AWS refuses', async () => {
    fake.fault('GetMetricData', new AwsError('Throttling', 'Rate exceeded'));
    await getMetricData([incoming('orders')], range(15));
    expect(fake.called('GetMetricData')).toHaveLength(2);

    fake.fault(
      'GetMetricData',
      new AwsError('AccessDenied', 'not authorized to perform cloudwatch:GetMetricData', 403),
    );
    await expect(getMetricData([incoming('orders')], range(15))).rejects.toThrow('not authorized');
    expect(fake.called('GetMetricData')).toHaveLength(3);
  });

  it('covers a whole day up to the newest minute', async () => {
    publish('orders', fake.clock() - DAY + MINUTE, 1);
    publish('orders', minute(-1), 2);

    const [series] = await getMetricData([incoming('orders')], {
      start: fake.clock() - DAY,
      end: fake.clock() + MINUTE,
      periodSeconds: 60,
    });

    expect(series?.map(([, value]) => value)).toEqual([1, 2]);
  });
});

describe('describeAlarms', () => {
  it('gives metric and composite alarms of those names, 100 a call', async () => {
    for (let i = 0; i < 150; i++) fake.cloudwatch.alarms.push({ AlarmName: `a-${i}`, AlarmArn: alarmArn(`a-${i}`) });
    fake.cloudwatch.alarms.push({ AlarmName: 'all', AlarmArn: alarmArn('all'), AlarmRule: 'ALARM(a-1)' });
    const names = [...Array.from({ length: 150 }, (_, i) => `a-${i}`), 'all', 'not-there'];

    const { MetricAlarms, CompositeAlarms } = await describeAlarms(names);

    expect(MetricAlarms).toHaveLength(150);
    expect(CompositeAlarms.map(({ AlarmName, AlarmRule }) => [AlarmName, AlarmRule])).toEqual([['all', 'ALARM(a-1)']]);
    expect(fake.called('DescribeAlarms')).toHaveLength(2);
  });

  it('asks nothing for no name: CloudWatch would give them all', async () => {
    fake.cloudwatch.alarms.push({ AlarmName: 'a', AlarmArn: alarmArn('a') });

    expect(await describeAlarms([])).toEqual({ MetricAlarms: [], CompositeAlarms: [] });
    expect(fake.calls).toEqual([]);
  });
});
