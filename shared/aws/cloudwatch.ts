import {
  CloudWatchClient,
  type CompositeAlarm,
  DeleteAlarmsCommand,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  ListTagsForResourceCommand,
  type MetricAlarm,
  type MetricDataQuery,
  PutMetricAlarmCommand,
  type PutMetricAlarmInput,
} from '@aws-sdk/client-cloudwatch';
import { client } from './client.ts';
import { chunksOf } from './pages.ts';

const cloudwatch = () => client(CloudWatchClient);

/** GetMetricData takes 500 queries and returns at most 100,800 data points a call. */
const QUERIES_PER_CALL = 500;
const POINTS_PER_CALL = 100_800;
/** Data points an account may read a second where they begin within the last three hours; older ones, 396,000. */
const POINTS_A_SECOND = 180_000;

/** One metric with one statistic. */
export interface MetricQuery {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly stat: 'Sum' | 'Maximum' | 'Minimum' | 'Average';
}

/** Epoch ms; `end` is not part of it. */
interface Range {
  readonly start: number;
  readonly end: number;
  readonly periodSeconds: number;
}

/** Points, oldest first: [epoch ms of the period's start, value]. */
export type Points = readonly (readonly [at: number, value: number])[];

/**
 * Reads metrics between two times (epoch ms); one series a query, in the queries' order, empty where nothing was published.
 * As few calls as the API allows, as many at once as its rate does. Throws where CloudWatch could not read a metric:
 * that is not the same as a metric without data.
 */
export const getMetricData = async (queries: readonly MetricQuery[], range: Range): Promise<Points[]> => {
  const pointsEach = Math.ceil((range.end - range.start) / 1_000 / range.periodSeconds) + 1;
  const size = Math.max(1, Math.min(QUERIES_PER_CALL, Math.floor(POINTS_PER_CALL / pointsEach)));
  const atOnce = Math.max(1, Math.floor(POINTS_A_SECOND / (size * pointsEach)));
  const calls = chunksOf(queries, size);
  const series: Points[] = [];
  while (calls.length > 0) {
    const answers = await Promise.all(calls.splice(0, atOnce).map((call) => oneCall(call, aligned(range))));
    series.push(...answers.flat());
  }
  return series;
};

/** CloudWatch advises ranges that begin with a period; then no bucket is labelled earlier than its data. */
const aligned = (range: Range): Range => {
  const period = range.periodSeconds * 1_000;
  return { ...range, start: Math.floor(range.start / period) * period };
};

/** @iam cloudwatch:GetMetricData */
const oneCall = async (queries: readonly MetricQuery[], range: Range): Promise<Points[]> => {
  const series = new Map<string, [number, number][]>();
  let token: string | undefined;
  do {
    const page = await cloudwatch().send(
      new GetMetricDataCommand({
        MetricDataQueries: queries.map(
          (query, i): MetricDataQuery => ({
            Id: `m${i}`,
            MetricStat: {
              Metric: {
                Namespace: query.namespace,
                MetricName: query.name,
                Dimensions: Object.entries(query.dimensions).map(([Name, Value]) => ({ Name, Value })),
              },
              Period: range.periodSeconds,
              Stat: query.stat,
            },
          }),
        ),
        StartTime: new Date(range.start),
        EndTime: new Date(range.end),
        ...(token !== undefined && { NextToken: token }),
      }),
    );
    for (const { Id = '', StatusCode = '', Timestamps = [], Values = [] } of page.MetricDataResults ?? []) {
      if (StatusCode === 'InternalError' || StatusCode === 'Forbidden') {
        throw new Error(`GetMetricData: ${queries[Number(Id.slice(1))]?.name ?? Id} could not be read (${StatusCode})`);
      }
      const points = series.get(Id) ?? [];
      series.set(Id, points);
      for (const [i, at] of Timestamps.entries()) points.push([at.getTime(), Values[i] ?? 0]);
    }
    token = page.NextToken;
  } while (token !== undefined);
  return queries.map((_, i) => (series.get(`m${i}`) ?? []).sort(([a], [b]) => a - b));
};

export interface DescribedAlarms {
  readonly MetricAlarms: readonly MetricAlarm[];
  readonly CompositeAlarms: readonly CompositeAlarm[];
}

/**
 * Alarms by name, metric and composite ones; 100 names a call. Names that do not exist are left out.
 * @iam cloudwatch:DescribeAlarms
 */
export const describeAlarms = async (names: readonly string[]): Promise<DescribedAlarms> => {
  const MetricAlarms: MetricAlarm[] = [];
  const CompositeAlarms: CompositeAlarm[] = [];
  for (const AlarmNames of chunksOf(names, 100)) {
    const page = await cloudwatch().send(
      new DescribeAlarmsCommand({ AlarmNames, AlarmTypes: ['MetricAlarm', 'CompositeAlarm'], MaxRecords: 100 }),
    );
    MetricAlarms.push(...(page.MetricAlarms ?? []));
    CompositeAlarms.push(...(page.CompositeAlarms ?? []));
  }
  return { MetricAlarms, CompositeAlarms };
};

/**
 * Tags of an alarm, from CloudWatch itself: the Tagging API shows them some time later. ResourceNotFoundException: no such alarm.
 * @iam cloudwatch:ListTagsForResource
 */
export const tagsOfAlarm = async (alarmArn: string): Promise<Record<string, string>> => {
  const { Tags = [] } = await cloudwatch().send(new ListTagsForResourceCommand({ ResourceARN: alarmArn }));
  return Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value]));
};

/**
 * `input`: the operation's own parameters, as DescribeAlarms tells them. Makes an alarm, or overwrites the whole of the one that has the name, whoever made it; its state stays. Tags are given at its making
 * only. 3 calls a second per account and Region.
 * @iam cloudwatch:PutMetricAlarm cloudwatch:TagResource
 */
export const putMetricAlarm = (input: { readonly AlarmName: string }) =>
  cloudwatch().send(new PutMetricAlarmCommand(input as PutMetricAlarmInput));

/**
 * Deletes up to 100 alarms, or none where one of them cannot be deleted.
 * @iam cloudwatch:DeleteAlarms
 */
export const deleteAlarms = (input: { readonly AlarmNames: readonly string[] }) =>
  cloudwatch().send(new DeleteAlarmsCommand({ AlarmNames: [...input.AlarmNames] }));
