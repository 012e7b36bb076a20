import {
  CloudWatchClient,
  type CompositeAlarm,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  type MetricAlarm,
  type MetricDataQuery,
} from '@aws-sdk/client-cloudwatch';
import { client } from './client.ts';

const cloudwatch = () => client(CloudWatchClient);

/** GetMetricData takes 500 queries and returns at most 100,800 data points a call. */
const QUERIES_PER_CALL = 500;
const POINTS_PER_CALL = 100_800;

/** One metric with one statistic. */
export interface MetricQuery {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly stat: 'Sum' | 'Maximum' | 'Minimum' | 'Average';
}

/** Points, oldest first: [epoch ms of the period's start, value]. */
export type Points = readonly (readonly [at: number, value: number])[];

/**
 * Reads metrics between two times (epoch ms); one series a query, in the queries' order, empty where nothing was published.
 * As few calls as the API allows, in parallel.
 */
export const getMetricData = async (
  queries: readonly MetricQuery[],
  range: { readonly start: number; readonly end: number; readonly periodSeconds: number },
): Promise<Points[]> => {
  const pointsEach = Math.max(1, Math.ceil((range.end - range.start) / 1_000 / range.periodSeconds));
  const size = Math.max(1, Math.min(QUERIES_PER_CALL, Math.floor(POINTS_PER_CALL / pointsEach)));
  const calls: Promise<Points[]>[] = [];
  for (let i = 0; i < queries.length; i += size) calls.push(oneCall(queries.slice(i, i + size), range));
  return (await Promise.all(calls)).flat();
};

const oneCall = async (
  queries: readonly MetricQuery[],
  range: { readonly start: number; readonly end: number; readonly periodSeconds: number },
): Promise<Points[]> => {
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
    for (const { Id = '', Timestamps = [], Values = [] } of page.MetricDataResults ?? []) {
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

/** Alarms by name, metric and composite ones; 100 names a call. Names that do not exist are left out. */
export const describeAlarms = async (names: readonly string[]): Promise<DescribedAlarms> => {
  const MetricAlarms: MetricAlarm[] = [];
  const CompositeAlarms: CompositeAlarm[] = [];
  for (let i = 0; i < names.length; i += 100) {
    const page = await cloudwatch().send(
      new DescribeAlarmsCommand({
        AlarmNames: names.slice(i, i + 100),
        AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
        MaxRecords: 100,
      }),
    );
    MetricAlarms.push(...(page.MetricAlarms ?? []));
    CompositeAlarms.push(...(page.CompositeAlarms ?? []));
  }
  return { MetricAlarms, CompositeAlarms };
};
