import { createHash } from 'node:crypto';
import type { FollowUpEvent } from '../../shared/events/event.ts';

export const account = '111122223333';
export const region = 'eu-west-1';
/** When things happen unless said otherwise, epoch ms. */
export const at = Date.parse('2026-03-05T03:12:00.123Z');

export function alarmArn(name = 'orders-throughput-high'): string {
  return `arn:aws:cloudwatch:${region}:${account}:alarm:${name}`;
}

export function streamArn(name = 'orders'): string {
  return `arn:aws:kinesis:${region}:${account}:stream/${name}`;
}

/** One row of an alarm: a metric of a stream, of one of its shards, or an expression. */
export interface Row {
  readonly id?: string;
  readonly metric?: string;
  readonly namespace?: string;
  readonly dimensions?: Readonly<Record<string, string>>;
  readonly accountId?: string;
  readonly expression?: string;
}

export interface AlarmOptions {
  readonly name?: string;
  readonly state?: string;
  /** The state's timestamp, epoch ms. */
  readonly at?: number;
  readonly reason?: string;
  /** Sets the StreamName dimension of the default row. */
  readonly stream?: string;
  /** Default: WriteProvisionedThroughputExceeded of the stream. Ignored for a composite alarm. */
  readonly rows?: readonly Row[];
  readonly composite?: {
    readonly rule: string;
    readonly children?: readonly { readonly arn: string; readonly state?: string }[];
    readonly suppressedBy?: string;
  };
}

/** AWS's own form of a time: milliseconds, and a zone without a colon. */
export function awsTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '+0000');
}

function settled(options: AlarmOptions) {
  const { name = 'orders-throughput-high', state = 'ALARM', stream = 'orders' } = options;
  const row = { id: 'm1', metric: 'WriteProvisionedThroughputExceeded', dimensions: { StreamName: stream } };
  return { name, state, reason: 'Threshold Crossed', at, rows: [row] as readonly Row[], ...options };
}

function alarmData(options: AlarmOptions) {
  const { name, state, reason, rows, composite, ...rest } = settled(options);
  const timestamp = awsTime(rest.at);
  const reasonData = composite
    ? {
        triggeringAlarms: (composite.children ?? []).map((child) => ({
          arn: child.arn,
          state: { value: child.state ?? state, timestamp },
        })),
      }
    : { version: '1.0', queryDate: timestamp, period: 60, recentDatapoints: [42], threshold: 0 };
  return {
    alarmName: name,
    state: {
      ...(composite?.suppressedBy && {
        actionsSuppressedBy: composite.suppressedBy,
        actionsSuppressedReason: `Actions suppressed by ${composite.suppressedBy}`,
      }),
      value: state,
      reason,
      reasonData: JSON.stringify(reasonData),
      timestamp,
    },
    previousState: { value: state === 'OK' ? 'ALARM' : 'OK', reason: '', timestamp: awsTime(rest.at - 600_000) },
    configuration: composite
      ? { alarmRule: composite.rule }
      : {
          metrics: rows.map(({ id, metric, namespace = 'AWS/Kinesis', dimensions = {}, accountId, expression }) =>
            expression
              ? { id, expression, label: expression, returnData: true }
              : {
                  id,
                  ...(accountId && { accountId }),
                  metricStat: { metric: { namespace, name: metric, dimensions }, period: 60, stat: 'Sum' },
                  returnData: rows.length === 1,
                },
          ),
        },
  };
}

/** EventBridge `CloudWatch Alarm State Change`. */
export function alarmEvent(options: AlarmOptions = {}) {
  const detail = alarmData(options);
  const when = options.at ?? at;
  return {
    version: '0',
    id: 'c4c1c1c9-6542-e61b-6ef0-8c4d36933a92',
    'detail-type': 'CloudWatch Alarm State Change',
    source: 'aws.cloudwatch',
    account,
    time: `${new Date(when).toISOString().slice(0, 19)}Z`,
    region,
    resources: [alarmArn(detail.alarmName)],
    detail,
  };
}

/** What an alarm's Lambda action invokes with. */
export function directAlarm(options: AlarmOptions = {}) {
  const data = alarmData(options);
  const arn = alarmArn(data.alarmName);
  return {
    source: 'aws.cloudwatch',
    alarmArn: arn,
    accountId: account,
    time: data.state.timestamp,
    region,
    alarmData: data,
  };
}

/** What an alarm's SNS action publishes. One metric row makes the single-metric form of `Trigger`. */
export function snsAlarm(options: AlarmOptions = {}) {
  const { name, state, reason, rows, composite, ...rest } = settled(options);
  return {
    AlarmName: name,
    AlarmDescription: null,
    AWSAccountId: account,
    NewStateValue: state,
    NewStateReason: reason,
    StateChangeTime: awsTime(rest.at),
    Region: 'EU (Ireland)',
    AlarmArn: alarmArn(name),
    OldStateValue: state === 'OK' ? 'ALARM' : 'OK',
    OKActions: [],
    AlarmActions: [`arn:aws:sns:${region}:${account}:alarms`],
    InsufficientDataActions: [],
    ...(composite && {
      AlarmRule: composite.rule,
      TriggeringChildren: (composite.children ?? []).map((child) => ({
        Arn: child.arn,
        State: { Value: child.state ?? state, Timestamp: awsTime(rest.at) },
      })),
    }),
    Trigger: composite ? undefined : trigger(rows),
  };
}

function trigger(rows: readonly Row[]) {
  const [only] = rows;
  const list = (dimensions: Readonly<Record<string, string>> = {}) =>
    Object.entries(dimensions).map(([name, value]) => ({ value, name }));
  return {
    Period: 60,
    EvaluationPeriods: 1,
    ComparisonOperator: 'GreaterThanThreshold',
    Threshold: 0,
    TreatMissingData: '- TreatMissingData:                    missing',
    EvaluateLowSampleCountPercentile: '',
    ...(rows.length === 1 && only && !only.expression
      ? {
          MetricName: only.metric,
          Namespace: only.namespace ?? 'AWS/Kinesis',
          StatisticType: 'Statistic',
          Statistic: 'SUM',
          Unit: null,
          Dimensions: list(only.dimensions),
        }
      : {
          Metrics: rows.map(({ id, metric, namespace = 'AWS/Kinesis', dimensions, accountId, expression }) =>
            expression
              ? { Expression: expression, Id: id, Label: expression, ReturnData: true }
              : {
                  Id: id,
                  ...(accountId && { AccountId: accountId }),
                  MetricStat: {
                    Metric: { Dimensions: list(dimensions), MetricName: metric, Namespace: namespace },
                    Period: 60,
                    Stat: 'Sum',
                  },
                  ReturnData: false,
                },
          ),
        }),
  };
}

function asText(message: unknown): string {
  return typeof message === 'string' ? message : JSON.stringify(message);
}

function messageId(index: number): string {
  return `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
}

/** SNS's own JSON around a message, as a subscription without raw delivery puts it into a queue. */
export function snsEnvelope(message: unknown, index = 0) {
  return {
    Type: 'Notification',
    MessageId: messageId(index),
    TopicArn: `arn:aws:sns:${region}:${account}:alarms`,
    Subject: 'ALARM: "orders-throughput-high" in EU (Ireland)',
    Message: asText(message),
    Timestamp: '2026-03-05T03:12:00.400Z',
    SignatureVersion: '1',
    Signature: 'EXAMPLE',
    SigningCertURL: 'EXAMPLE',
    UnsubscribeURL: 'EXAMPLE',
  };
}

/** SNS invoking a function directly; one record a message. */
export function snsRecords(...messages: readonly unknown[]) {
  return {
    Records: messages.map((message, index) => ({
      EventSource: 'aws:sns',
      EventVersion: '1.0',
      EventSubscriptionArn: `arn:aws:sns:${region}:${account}:alarms:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55`,
      Sns: { ...snsEnvelope(message, index), MessageAttributes: {} },
    })),
  };
}

/** A batch from the inbox; one record a body. Message ids are `00000000-0000-4000-8000-<index>`. */
export function sqsBatch(...bodies: readonly unknown[]) {
  return {
    Records: bodies.map((body, index) => ({
      messageId: messageId(index),
      receiptHandle: `receipt-${index}`,
      body: asText(body),
      attributes: {
        ApproximateReceiveCount: '1',
        AWSTraceHeader: 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1',
        SentTimestamp: String(at + 500),
        SenderId: 'AIDAIENQZJOLO23YVJ4VO',
        ApproximateFirstReceiveTimestamp: String(at + 510),
      },
      messageAttributes: {},
      md5OfBody: createHash('md5').update(asText(body)).digest('hex'),
      eventSource: 'aws:sqs',
      eventSourceARN: `arn:aws:sqs:${region}:${account}:reflex-reshard-kinesis`,
      awsRegion: region,
    })),
  };
}

/** A schedule's wake-up. */
export function tick(scope?: 'all' | 'incidents') {
  return { source: 'reflex', 'detail-type': 'Tick', ...(scope && { detail: { scope } }) };
}

/** Reflex's own delayed message. */
export function followUp(options: Partial<Omit<FollowUpEvent, 'kind'>> = {}) {
  const detail = {
    fn: 'reshard-kinesis',
    resource: streamArn(),
    incidentId: '01JNHZ3V5N6E5S4T8Q2W7XKCMA',
    check: 1,
    notBefore: at + 60_000,
  };
  return { source: 'reflex', 'detail-type': 'Follow-up', detail: { ...detail, ...options } };
}
