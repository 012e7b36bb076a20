import { AwsError, account, type Clock, fromToken, region, type Service, tokenBucket, toToken } from './service.ts';

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
  const tags = new Map<string, Readonly<Record<string, string>>>();
  const putting = tokenBucket(clock, 3);
  const settings = { alarmsAtMost: Number.POSITIVE_INFINITY };

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

      PutMetricAlarm: ({ Tags = [], ...alarm }: PutMetricAlarmInput) => {
        putting(() => new AwsError('Throttling', 'Rate exceeded'));
        validateAlarm(alarm);
        const AlarmArn = `arn:aws:cloudwatch:${region}:${account}:alarm:${alarm.AlarmName}`;
        const index = alarms.findIndex(({ AlarmName }) => AlarmName === alarm.AlarmName);
        const former = alarms[index];
        if (former === undefined) {
          if (alarms.length >= settings.alarmsAtMost) {
            throw new AwsError('LimitExceeded', 'The quota for alarms for this customer has already been reached.');
          }
          // Tags of an alarm that exists stay as they are.
          tags.set(AlarmArn, Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])));
        }
        const made: FakeAlarm = {
          ActionsEnabled: true,
          OKActions: [],
          AlarmActions: [],
          InsufficientDataActions: [],
          Dimensions: [],
          ...alarm,
          AlarmArn,
          AlarmConfigurationUpdatedTimestamp: clock() / SECOND_MS,
          StateValue: former?.StateValue ?? 'INSUFFICIENT_DATA',
          StateReason: former?.StateReason ?? 'Unchecked: Initial alarm creation',
          StateUpdatedTimestamp: former?.StateUpdatedTimestamp ?? clock() / SECOND_MS,
        };
        if (former === undefined) alarms.push(made);
        else alarms[index] = made;
        return {};
      },

      DeleteAlarms: ({ AlarmNames }: { AlarmNames: readonly string[] }) => {
        const missing = AlarmNames.filter((name) => !alarms.some(({ AlarmName }) => AlarmName === name));
        if (missing.length > 0 || AlarmNames.length > 100) throw new AwsError('ResourceNotFound', String(missing), 404);
        for (const name of AlarmNames) {
          const index = alarms.findIndex(({ AlarmName }) => AlarmName === name);
          tags.delete(alarms[index]?.AlarmArn ?? '');
          alarms.splice(index, 1);
        }
        return {};
      },

      ListTagsForResource: ({ ResourceARN }: { ResourceARN: string }) => {
        if (!alarms.some(({ AlarmArn }) => AlarmArn === ResourceARN)) {
          throw new AwsError('ResourceNotFoundException', `${ResourceARN} does not exist`, 404);
        }
        return { Tags: Object.entries(tags.get(ResourceARN) ?? {}).map(([Key, Value]) => ({ Key, Value })) };
      },
    },
  };

  return {
    service,
    alarms,
    settings,
    /** By alarm ARN; set it as a person would. */
    tags,
    tagged: () => [...tags].map(([arn, of]) => ({ arn, tags: of })),
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

interface PutMetricAlarmInput {
  readonly AlarmName: string;
  readonly MetricName?: string;
  readonly Dimensions?: readonly unknown[];
  readonly EvaluationPeriods?: number;
  readonly DatapointsToAlarm?: number;
  readonly ComparisonOperator?: string;
  readonly Metrics?: readonly { readonly Id: string; readonly MetricStat?: object; readonly ReturnData?: boolean }[];
  readonly Tags?: readonly { readonly Key: string; readonly Value: string }[];
  readonly [field: string]: unknown;
}

const READ_ONLY = /^(AlarmArn|AlarmConfigurationUpdatedTimestamp|EvaluationState|State.*)$/;

const validateAlarm = (alarm: PutMetricAlarmInput): void => {
  const { AlarmName, Metrics, MetricName, Dimensions, EvaluationPeriods = 0, DatapointsToAlarm = 1 } = alarm;
  const wrong = (what: string) => new AwsError('ValidationError', what);
  const unknown = Object.keys(alarm).find((field) => READ_ONLY.test(field));
  if (unknown !== undefined) throw wrong(`${unknown} is no parameter of PutMetricAlarm`);
  if (AlarmName.length === 0 || AlarmName.length > 255) throw wrong('AlarmName: 1 to 255 characters');
  if (EvaluationPeriods < 1 || DatapointsToAlarm > EvaluationPeriods)
    throw wrong('DatapointsToAlarm > EvaluationPeriods');
  if ((Metrics === undefined) === (MetricName === undefined)) throw wrong('either Metrics or MetricName');
  if (Metrics === undefined) return;
  if (Dimensions !== undefined) throw wrong('Dimensions cannot be set together with Metrics');
  if (Metrics.filter(({ MetricStat }) => MetricStat !== undefined).length > 10) throw wrong('at most 10 metrics');
  if (Metrics.filter(({ ReturnData = true }) => ReturnData).length !== 1)
    throw wrong('exactly one row with ReturnData');
  if (Metrics.some(({ Id }) => !/^[a-z]\w*$/.test(Id))) throw wrong('Id: a lower-case letter first');
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
