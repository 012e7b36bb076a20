import { band } from '../../shared/utilization-band.ts';
import type { AlarmSettings, GroupSubject, MetricRow, StreamSubject, Subject } from './facts.ts';
import type { Policy } from './policy.ts';

/** Carried by every alarm of Reflex's: the ARN of what it watches. */
export const ALARM_OF_TAG = 'reflex:alarm-of';

/** Write limits of a shard: 1 MiB/s and 1,000 records/s. */
const SHARD_BYTES = 1_048_576;
const SHARD_RECORDS = 1_000;
/** % of the engine's core at which relieve-elasticache begins to act. */
const CORE = { saturated: 90, warning: 65 } as const;
/** Up to this many vCPUs other work takes the core from the engine, and AWS advises to judge by all CPU. */
const SMALL = 2;
/** The row of a utilisation alarm that holds the number of open shards. */
const SHARDS_ROW = 'shards';

/** Names of the alarms a resource may have; those of a group by its nodes. */
export const alarmNames = (prefix: string, subject: Subject): string[] => {
  switch (subject.kind) {
    case 'stream':
      return ['utilization', 'throttled', 'iterator-age'].map((kind) => streamAlarm(prefix, subject.name, kind));
    case 'replication-group':
      return subject.nodes.map((node) => nodeAlarm(prefix, node));
    case 'gone':
      return [];
  }
};

const streamAlarm = (prefix: string, stream: string, kind: string): string => `${prefix}kinesis-${stream}-${kind}`;
const nodeAlarm = (prefix: string, node: string): string => `${prefix}elasticache-${node}-cpu`;

/** The alarms a resource should have; null: its node type's vCPUs are not known. */
export const wantedAlarms = (subject: Subject, policy: Policy): AlarmSettings[] | null => {
  switch (subject.kind) {
    case 'stream':
      return streamAlarms(subject, policy);
    case 'replication-group':
      return subject.vcpus === null ? null : nodeAlarms(subject, subject.vcpus, policy);
    case 'gone':
      return [];
  }
};

/** Two of three minutes: one minute alone is worth no wake-up, and a reshard takes minutes itself. */
const LASTING = { EvaluationPeriods: 3, DatapointsToAlarm: 2 };
/** A rejected record is harm done already; docs/benchmarks.md measures the resharding policy with this alarm. */
const AT_ONCE = { EvaluationPeriods: 1, DatapointsToAlarm: 1 };

/** A consumer that stops reading publishes no lag, and has it all the same. */
const STILL = { TreatMissingData: 'ignore' };

/** An on-demand stream has no utilisation: AWS owns its shards. */
const streamAlarms = ({ name, mode, openShards }: StreamSubject, policy: Policy): AlarmSettings[] => {
  const Dimensions = [{ Name: 'StreamName', Value: name }];
  const metric = (Id: string, MetricName: string): MetricRow => ({
    Id,
    MetricStat: { Metric: { Namespace: 'AWS/Kinesis', MetricName, Dimensions }, Period: 60, Stat: 'Sum' },
    ReturnData: false,
  });
  const row = (Id: string, Expression: string, ReturnData = false): MetricRow => ({
    Id,
    Expression,
    Label: Id,
    ReturnData,
  });
  const utilization: AlarmSettings = {
    AlarmName: streamAlarm(policy.alarmPrefix, name, 'utilization'),
    AlarmDescription: `Writes to stream ${name} as a share of what its open shards take. ${KEPT}`,
    Metrics: [
      row('utilization', 'MAX([bytesShare, recordsShare])', true),
      row('bytesShare', `bytes / 60 / ${SHARD_BYTES} / ${SHARDS_ROW}`),
      row('recordsShare', `records / 60 / ${SHARD_RECORDS} / ${SHARDS_ROW}`),
      row(SHARDS_ROW, String(openShards)),
      metric('bytes', 'IncomingBytes'),
      metric('records', 'IncomingRecords'),
    ],
    // As a person would write it: 0.4 times 1.5 is 0.6000000000000001 to a computer.
    Threshold: Number(band(policy.targetUtilization).up.toFixed(6)),
    // Nothing is published while nothing is written, and that is no load.
    TreatMissingData: 'notBreaching',
    ...LASTING,
    ...above(),
  };
  const single = (
    kind: string,
    what: string,
    MetricName: string,
    Statistic: 'Sum' | 'Maximum',
    Threshold: number,
    more: Partial<AlarmSettings> = {},
  ) => ({
    AlarmName: streamAlarm(policy.alarmPrefix, name, kind),
    AlarmDescription: `${what} of stream ${name}. ${KEPT}`,
    Namespace: 'AWS/Kinesis',
    MetricName,
    Dimensions,
    Statistic,
    Period: 60,
    Threshold,
    TreatMissingData: 'notBreaching',
    ...LASTING,
    ...more,
    ...above(),
  });
  return [
    ...(mode === 'ON_DEMAND' ? [] : [utilization]),
    single('throttled', 'Rejected records', 'WriteProvisionedThroughputExceeded', 'Sum', 0, AT_ONCE),
    single(
      'iterator-age',
      'Lag of the slowest consumer (ms)',
      'GetRecords.IteratorAgeMilliseconds',
      'Maximum',
      policy.maxIteratorAge * 1_000,
      STILL,
    ),
  ];
};

/** One a node: an average over the group hides the one that is hot. Three of five minutes, as relieve-elasticache judges. */
const nodeAlarms = ({ nodes }: GroupSubject, vcpus: number, policy: Policy): AlarmSettings[] =>
  nodes.map((node) => ({
    AlarmName: nodeAlarm(policy.alarmPrefix, node),
    AlarmDescription: `The core of the engine of cache node ${node}. ${KEPT}`,
    Namespace: 'AWS/ElastiCache',
    MetricName: vcpus <= SMALL ? 'CPUUtilization' : 'EngineCPUUtilization',
    Dimensions: [
      { Name: 'CacheClusterId', Value: node },
      { Name: 'CacheNodeId', Value: '0001' },
    ],
    Statistic: 'Maximum',
    Period: 60,
    Threshold: vcpus <= SMALL ? CORE[policy.actAt] / vcpus : CORE[policy.actAt],
    // A node always publishes: without data it is not well, and that is another alarm's business.
    TreatMissingData: 'missing',
    EvaluationPeriods: 5,
    DatapointsToAlarm: 3,
    ...above(),
  }));

const KEPT = 'Kept by Reflex (tune-alarms); to keep it yourself, set its tag reflex:enabled to false.';

function above() {
  return { ComparisonOperator: 'GreaterThanThreshold' } as const;
}

/** ElastiCache's two measures of the same thing; which one counts depends on the node type. */
const CPU_METRICS: readonly (string | undefined)[] = ['EngineCPUUtilization', 'CPUUtilization'];

const isSame = (metric: string | undefined, other: string | undefined): boolean =>
  metric === other || (CPU_METRICS.includes(metric) && CPU_METRICS.includes(other));

/**
 * `present` with only that changed which no longer fits; null: nothing. The number of shards and the CPU metric always follow the
 * resource. A threshold follows where what calls for it has changed since `lastCalledFor`; until then it is whatever a person made it.
 * An alarm that a person has made of something else is theirs as it is.
 */
export const retuned = (
  present: AlarmSettings,
  wanted: AlarmSettings,
  lastCalledFor: number | undefined,
): AlarmSettings | null => {
  const shards = expressionOf(wanted, SHARDS_ROW);
  const counted = expressionOf(present, SHARDS_ROW);
  if ((shards === undefined) !== (counted === undefined) || !isSame(present.MetricName, wanted.MetricName)) return null;
  const recount = shards !== counted;
  const remeasure = present.MetricName !== wanted.MetricName;
  const rethink = remeasure || (lastCalledFor !== undefined && lastCalledFor !== wanted.Threshold);
  if (!recount && !remeasure && (!rethink || present.Threshold === wanted.Threshold)) return null;
  return {
    ...present,
    ...(recount &&
      shards !== undefined && {
        Metrics: (present.Metrics ?? []).map((row) => (row.Id === SHARDS_ROW ? { ...row, Expression: shards } : row)),
      }),
    ...(remeasure && wanted.MetricName !== undefined && { MetricName: wanted.MetricName }),
    ...(rethink && wanted.Threshold !== undefined && { Threshold: wanted.Threshold }),
  };
};

/** What `change` does to the alarm, for a person: `shards 1 -> 2, threshold 90 -> 45`. */
export const changeText = (present: AlarmSettings, change: AlarmSettings): string =>
  [
    ['shards', expressionOf(present, SHARDS_ROW), expressionOf(change, SHARDS_ROW)],
    ['metric', present.MetricName, change.MetricName],
    ['threshold', present.Threshold, change.Threshold],
  ]
    .filter(([, before, after]) => before !== after)
    .map(([what, before, after]) => `${what} ${before} -> ${after}`)
    .join(', ');

const expressionOf = ({ Metrics = [] }: AlarmSettings, id: string): string | undefined =>
  Metrics.find(({ Id }) => Id === id)?.Expression;
