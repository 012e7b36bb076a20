import { AwsError, type Clock, fromToken, type Service, toToken } from './service.ts';

const MINUTE = 60_000;
const QUERIES = 500;
const MAX_DATAPOINTS = 100_800;

export interface MetricName {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

interface Query {
  readonly Id: string;
  readonly MetricStat: {
    readonly Metric: {
      readonly Namespace: string;
      readonly MetricName: string;
      readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
    };
    readonly Period: number;
    readonly Stat: string;
  };
}

interface GetMetricDataInput {
  readonly MetricDataQueries: readonly Query[];
  /** Epoch s, as JSON 1.0 carries a time. */
  readonly StartTime: number;
  readonly EndTime: number;
  readonly ScanBy?: string;
  readonly MaxDatapoints?: number;
  readonly NextToken?: string;
}

/** An alarm as DescribeAlarms gives it; a composite one has an AlarmRule. */
export interface FakeAlarm {
  readonly AlarmName: string;
  readonly AlarmArn: string;
  readonly AlarmRule?: string;
  readonly [field: string]: unknown;
}

const key = (namespace: string, name: string, dimensions: readonly (readonly [string, string])[]): string =>
  JSON.stringify([namespace, name, [...dimensions].sort()]);

const statistics: Readonly<Record<string, (values: readonly number[]) => number>> = {
  Sum: (values) => values.reduce((a, b) => a + b, 0),
  Maximum: (values) => Math.max(...values),
  Minimum: (values) => Math.min(...values),
  Average: (values) => values.reduce((a, b) => a + b, 0) / values.length,
};

/**
 * CloudWatch: metrics of one-minute values, found by their exact dimensions, and alarms by name. A minute shows
 * `delayMs` after its end. Newest first unless asked otherwise, 100,800 data points a page.
 */
export const fakeCloudwatch = (clock: Clock, { delayMs = 0 } = {}) => {
  const metrics = new Map<string, Map<number, number>>();
  const alarms: FakeAlarm[] = [];
  const unreadable = new Map<string, string>();

  const points = ({ MetricStat: { Metric, Period, Stat } }: Query, start: number, end: number) => {
    const statistic = statistics[Stat];
    if (statistic === undefined) throw new AwsError('ValidationError', `Stat ${Stat} is not part of this fake`);
    const dimensions = (Metric.Dimensions ?? []).map(({ Name, Value }) => [Name, Value] as const);
    const values = metrics.get(key(Metric.Namespace, Metric.MetricName, dimensions)) ?? new Map<number, number>();
    const period = Period * SECOND_MS;
    const buckets = new Map<number, number[]>();
    for (const [at, value] of values) {
      const bucket = Math.floor(at / period) * period;
      const shown = at + MINUTE + delayMs <= clock();
      if (!shown || bucket < Math.floor(start / period) * period || bucket >= end) continue;
      buckets.set(bucket, [...(buckets.get(bucket) ?? []), value]);
    }
    return [...buckets].map(([at, all]) => [at, statistic(all)] as const).sort(([a], [b]) => b - a);
  };

  const service: Service = {
    name: 'monitoring',
    operations: {
      GetMetricData: (input: GetMetricDataInput) => {
        const { MetricDataQueries: queries, ScanBy, MaxDatapoints = MAX_DATAPOINTS, NextToken } = input;
        const [start, end] = [input.StartTime * SECOND_MS, input.EndTime * SECOND_MS];
        validate(queries, start, end, MaxDatapoints);
        const all = queries.flatMap((query) => {
          const found = points(query, start, end);
          return (ScanBy === 'TimestampAscending' ? found.reverse() : found).map((point) => ({ query, point }));
        });
        const from = NextToken === undefined ? 0 : fromToken<number>(NextToken);
        const shown = Map.groupBy(all.slice(from, from + MaxDatapoints), ({ query }) => query.Id);
        const left = new Set(all.slice(from + MaxDatapoints).map(({ query }) => query.Id));
        return {
          MetricDataResults: queries.map(({ Id, MetricStat }) => ({
            Id,
            Label: MetricStat.Metric.MetricName,
            Timestamps: (shown.get(Id) ?? []).map(({ point: [at] }) => at / SECOND_MS),
            Values: (shown.get(Id) ?? []).map(({ point: [, value] }) => value),
            StatusCode: unreadable.get(MetricStat.Metric.MetricName) ?? (left.has(Id) ? 'PartialData' : 'Complete'),
          })),
          Messages: [],
          ...(left.size > 0 && { NextToken: toToken(from + MaxDatapoints) }),
        };
      },

      DescribeAlarms: (input: { AlarmNames?: string[]; AlarmTypes?: string[]; MaxRecords?: number }) => {
        const { AlarmNames = [], AlarmTypes = ['MetricAlarm'], MaxRecords = 50 } = input;
        if (AlarmNames.length > 100 || MaxRecords > 100) {
          throw new AwsError('ValidationError', 'AlarmNames: at most 100 items; MaxRecords: at most 100');
        }
        const asked = alarms.filter(({ AlarmName }) => AlarmNames.length === 0 || AlarmNames.includes(AlarmName));
        const ofType = (type: string, composite: boolean) =>
          AlarmTypes.includes(type) ? asked.filter(({ AlarmRule }) => (AlarmRule !== undefined) === composite) : [];
        return {
          MetricAlarms: ofType('MetricAlarm', false).slice(0, MaxRecords),
          CompositeAlarms: ofType('CompositeAlarm', true).slice(0, MaxRecords),
        };
      },
    },
  };

  return {
    service,
    alarms,
    /** Sets the value of one minute (its start, epoch ms). */
    publish: ({ namespace, name, dimensions }: MetricName, at: number, value: number): void => {
      const metric = key(namespace, name, Object.entries(dimensions));
      const values = metrics.get(metric) ?? new Map<number, number>();
      values.set(Math.floor(at / MINUTE) * MINUTE, value);
      metrics.set(metric, values);
    },
    /** From now on results of metrics of this name carry the status `InternalError` or `Forbidden`. */
    unreadable: (name: string, status: string): void => {
      unreadable.set(name, status);
    },
  };
};

export type FakeCloudwatch = ReturnType<typeof fakeCloudwatch>;

const SECOND_MS = 1_000;

const validate = (queries: readonly Query[], start: number, end: number, maxDatapoints: number): void => {
  const wrong = (what: string) => new AwsError('ValidationError', what);
  if (queries.length === 0 || queries.length > QUERIES) throw wrong(`MetricDataQueries: 1 to ${QUERIES} items`);
  if (maxDatapoints > MAX_DATAPOINTS) throw wrong(`MaxDatapoints: at most ${MAX_DATAPOINTS}`);
  if (!(start < end)) throw wrong('The parameter StartTime must be less than the parameter EndTime.');
  if (new Set(queries.map(({ Id }) => Id)).size < queries.length)
    throw wrong('The values for parameter Id are not unique');
  for (const { Id, MetricStat } of queries) {
    if (!/^[a-z]\w*$/.test(Id)) throw wrong(`Id ${Id}: a lower-case letter first`);
    if (MetricStat.Period % 60 !== 0) throw wrong(`Period ${MetricStat.Period}: a multiple of 60`);
    for (const { Name, Value } of MetricStat.Metric.Dimensions ?? []) {
      if (!Name || !Value) throw wrong('The parameter Dimensions must not have an empty Name or Value.');
    }
  }
};
