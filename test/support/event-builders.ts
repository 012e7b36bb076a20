import { createHash } from 'node:crypto';
import type { FollowUpEvent } from '../../shared/events/event.ts';
import type { FollowUp } from '../../shared/listen.ts';

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

/** EventBridge `Tag Change on Resource`. */
export function tagChange(resource: string, changed: readonly string[], tags: Readonly<Record<string, string>> = {}) {
  const [, , service, , , type = ''] = resource.split(':');
  return {
    version: '0',
    id: 'bddcf1d6-0251-35a1-aab0-adc1fb47c11c',
    'detail-type': 'Tag Change on Resource',
    source: 'aws.tag',
    account,
    time: `${new Date(at).toISOString().slice(0, 19)}Z`,
    region,
    resources: [resource],
    detail: { 'changed-tag-keys': changed, service, 'resource-type': type.split('/')[0], version: 3, tags },
  };
}

/** Reflex's own delayed message, with one check. */
export function followUp(options: Partial<FollowUp & Pick<FollowUpEvent, 'fn'>> = {}) {
  const { fn = 'reshard-kinesis', notBefore = at + 60_000, ...check } = options;
  const checks = [{ resource: streamArn(), incidentId: '01JNHZ3V5N6E5S4T8Q2W7XKCMA', check: 1, ...check }];
  return { source: 'reflex', 'detail-type': 'Follow-up', detail: { fn, notBefore, checks } };
}

/** Instance ids are `i-` and 17 hexadecimal digits. */
export function instanceId(n = 1): string {
  return `i-${n.toString(16).padStart(17, '0')}`;
}

/** EC2's own ARN in `resources` is malformed: the Availability Zone stands for Region and account. */
function ec2Event(detailType: string, id: string, when: number, detail: Readonly<Record<string, string>>) {
  return {
    version: '0',
    id: '1e5527d7-bb36-4607-3370-4164db56a40e',
    'detail-type': detailType,
    source: 'aws.ec2',
    account,
    time: `${new Date(when).toISOString().slice(0, 19)}Z`,
    region,
    resources: [`arn:aws:ec2:${region}b:instance/${id}`],
    detail: { 'instance-id': id, ...detail },
  };
}

/** EventBridge `EC2 Spot Instance Interruption Warning`; times are to the second. */
export function spotInterruption(id = instanceId(), options: { readonly action?: string; readonly at?: number } = {}) {
  const { action = 'terminate', at: when = at } = options;
  return ec2Event('EC2 Spot Instance Interruption Warning', id, when, { 'instance-action': action });
}

/** EventBridge `EC2 Instance Rebalance Recommendation`. */
export function rebalanceRecommendation(id = instanceId(), when = at) {
  return ec2Event('EC2 Instance Rebalance Recommendation', id, when, {});
}

/** EventBridge `EC2 Instance State-change Notification`. */
export function instanceStateChange(id = instanceId(), state = 'terminated', when = at) {
  return ec2Event('EC2 Instance State-change Notification', id, when, { state });
}

export interface LifecycleOptions {
  readonly group?: string;
  readonly hook?: string;
  readonly token?: string;
  readonly transition?: string;
  readonly at?: number;
}

function lifecycleDetail(id: string, options: LifecycleOptions) {
  return {
    LifecycleActionToken: options.token ?? '0befcbdb-6ecd-498a-9ff7-ae9b54447cd6',
    AutoScalingGroupName: options.group ?? 'orders-workers',
    LifecycleHookName: options.hook ?? 'save-logs',
    EC2InstanceId: id,
    LifecycleTransition: options.transition ?? 'autoscaling:EC2_INSTANCE_TERMINATING',
  };
}

/** EventBridge `EC2 Instance-terminate Lifecycle Action`. */
export function lifecycleAction(id = instanceId(), options: LifecycleOptions = {}) {
  const detail = lifecycleDetail(id, options);
  return {
    ...ec2Event('EC2 Instance-terminate Lifecycle Action', id, options.at ?? at, {}),
    source: 'aws.autoscaling',
    resources: [
      `arn:aws:autoscaling:${region}:${account}:autoScalingGroup:26e7234b-03a4-47fb-b0a9-2b241662774e:autoScalingGroupName/${detail.AutoScalingGroupName}`,
    ],
    detail,
  };
}

/** The same through the hook's own SNS or SQS target. */
export function lifecycleNotification(id = instanceId(), options: LifecycleOptions = {}) {
  return {
    Service: 'AWS Auto Scaling',
    Time: new Date(options.at ?? at).toISOString(),
    RequestId: '18b2ec17-3e9b-4c15-8024-ff2e8ce8786a',
    AccountId: account,
    ...lifecycleDetail(id, options),
  };
}

/** EventBridge `EC2 Instance Launch Unsuccessful`. */
export function launchUnsuccessful(
  options: { readonly group?: string; readonly zone?: string; readonly message?: string; readonly at?: number } = {},
) {
  const { group = 'orders-workers', zone = `${region}b`, at: when = at } = options;
  const time = new Date(when).toISOString();
  return {
    ...ec2Event('EC2 Instance Launch Unsuccessful', '', when, {}),
    source: 'aws.autoscaling',
    resources: [],
    detail: {
      StatusCode: 'Failed',
      AutoScalingGroupName: group,
      ActivityId: '87654321-4321-4321-4321-210987654321',
      Details: { 'Availability Zone': zone, 'Subnet ID': 'subnet-0f1d2c3b4a5968778' },
      RequestId: '12345678-1234-1234-1234-123456789012',
      StatusMessage:
        options.message ??
        'Could not launch Spot Instances. UnfulfillableCapacity - There is no Spot capacity available that matches your request. Launching EC2 instance failed.',
      EndTime: time,
      EC2InstanceId: '',
      StartTime: time,
      Cause: 'a user request',
    },
  };
}

export interface HealthOptions {
  readonly entities?: readonly string[];
  readonly code?: string;
  readonly category?: string;
  readonly service?: string;
  readonly status?: string;
  readonly startsAt?: number;
  readonly at?: number;
}

/** EventBridge `AWS Health Event`; its own times are RFC 1123. */
export function healthEvent(options: HealthOptions = {}) {
  const {
    entities = [instanceId()],
    code = 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
    service = 'EC2',
    at: when = at,
  } = options;
  return {
    ...ec2Event('AWS Health Event', '', when, {}),
    source: 'aws.health',
    resources: entities,
    detail: {
      eventArn: `arn:aws:health:${region}::event/${service}/${code}/${code}_0f1d2c3b`,
      service,
      eventTypeCode: code,
      eventTypeCategory: options.category ?? 'scheduledChange',
      statusCode: options.status ?? 'upcoming',
      startTime: new Date(options.startsAt ?? when + 14 * 86_400_000).toUTCString(),
      eventRegion: region,
      affectedAccount: account,
      eventDescription: [{ language: 'en_US', latestDescription: 'EC2 has detected degradation.' }],
      affectedEntities: entities.map((entityValue) => ({ entityValue, status: 'PENDING' })),
    },
  };
}

/** EventBridge `EBS Snapshot Notification`; its ARNs have the Region in the account's place. */
export function snapshotNotification(
  options: {
    readonly snapshot?: string;
    readonly volume?: string;
    readonly event?: string;
    readonly result?: string;
    readonly at?: number;
  } = {},
) {
  const { snapshot = 'snap-01234567890abcdef', volume = 'vol-01234567890abcdef', at: when = at } = options;
  const arn = `arn:aws:ec2::${region}:snapshot/${snapshot}`;
  return {
    ...ec2Event('EBS Snapshot Notification', '', when, {}),
    resources: [arn],
    detail: {
      event: options.event ?? 'createSnapshot',
      result: options.result ?? 'succeeded',
      cause: '',
      'request-id': '',
      snapshot_id: arn,
      source: `arn:aws:ec2::${region}:volume/${volume}`,
      startTime: new Date(when - 60_000).toISOString(),
      endTime: new Date(when).toISOString(),
    },
  };
}

/** EventBridge `EC2 Command Invocation Status-change Notification`. */
export function commandInvocation(
  id = instanceId(),
  options: {
    readonly command?: string;
    readonly document?: string;
    readonly status?: string;
    readonly at?: number;
  } = {},
) {
  return {
    ...ec2Event('EC2 Command Invocation Status-change Notification', id, options.at ?? at, {}),
    source: 'aws.ssm',
    detail: {
      'command-id': options.command ?? 'e8d3c0e4-71f7-4491-898f-c9b35bee5f3b',
      'document-name': options.document ?? 'reflex-ship-logs',
      'instance-id': id,
      'requested-date-time': new Date(options.at ?? at).toISOString(),
      status: options.status ?? 'Success',
    },
  };
}

export function taskArn(id = taskId(), cluster = 'prod'): string {
  return `arn:aws:ecs:${region}:${account}:task/${cluster}/${id}`;
}

/** Ids of tasks are 32 hexadecimal digits. */
export function taskId(n = 1): string {
  return n.toString(16).padStart(32, '0');
}

export interface TaskOptions {
  readonly id?: string;
  readonly cluster?: string;
  /** null: a standalone task. */
  readonly service?: string | null;
  readonly lastStatus?: string;
  readonly desiredStatus?: string;
  readonly version?: number;
  /** When ECS began to stop it, epoch ms; null: the field is absent. */
  readonly stoppingAt?: number | null;
  /** null: the field is absent. */
  readonly stopCode?: string | null;
  readonly stoppedReason?: string;
  readonly launchType?: string;
  /** null: the field is absent. */
  readonly capacityProviderName?: string | null;
  readonly startedBy?: string;
  readonly taskDefinition?: string;
  /** Default: 10.0.2.164. */
  readonly ipv4?: string | null;
  readonly ipv6?: string;
  /** Status of the `elb` attachment; null: there is none. */
  readonly elb?: string | null;
  /** Replaces both attachments. */
  readonly attachments?: readonly Readonly<Record<string, unknown>>[];
  /** Replaces the one container. */
  readonly containers?: readonly Readonly<Record<string, unknown>>[];
}

/** The detail of a task's event; DescribeTasks has the same fields, with other times and another word for `eni`. */
export function taskDetail(options: TaskOptions = {}) {
  const {
    id = taskId(),
    cluster = 'prod',
    service = 'web',
    lastStatus = 'DEACTIVATING',
    ipv4 = '10.0.2.164',
  } = options;
  const { stoppingAt = at, stopCode = 'SpotInterruption', elb = 'ATTACHED', ipv6 } = options;
  const { capacityProviderName = 'FARGATE_SPOT' } = options;
  const network = {
    id: '495ae3b1-d82a-46e6-a420-c50162984a65',
    type: 'eni',
    status: 'ATTACHED',
    details: [
      { name: 'subnetId', value: 'subnet-02aa0123456789abc' },
      { name: 'networkInterfaceId', value: 'eni-08320123456789abc' },
      { name: 'macAddress', value: '06:d1:46:43:a7:63' },
      ...(ipv4 === null ? [] : [{ name: 'privateIPv4Address', value: ipv4 }]),
    ],
  };
  const balancer = { id: 'd7612340-237a-4e41-a54a-ea8f5f1516a6', type: 'elb', status: elb, details: [] };
  return {
    attachments: options.attachments ?? [network, ...(elb === null ? [] : [balancer])],
    attributes: [{ name: 'ecs.cpu-architecture', value: 'x86_64' }],
    availabilityZone: `${region}a`,
    ...(capacityProviderName !== null && { capacityProviderName }),
    clusterArn: `arn:aws:ecs:${region}:${account}:cluster/${cluster}`,
    containers: options.containers ?? [
      {
        containerArn: `arn:aws:ecs:${region}:${account}:container/${cluster}/${id}/2f2b5d6e`,
        lastStatus: 'RUNNING',
        name: 'app',
        networkInterfaces: [
          {
            attachmentId: network.id,
            ...(ipv4 !== null && { privateIpv4Address: ipv4 }),
            ...(ipv6 !== undefined && { ipv6Address: ipv6 }),
          },
        ],
      },
    ],
    desiredStatus: options.desiredStatus ?? 'STOPPED',
    group: service === null ? 'family:batch' : `service:${service}`,
    launchType: options.launchType ?? 'FARGATE',
    lastStatus,
    overrides: { containerOverrides: [{ name: 'app' }] },
    startedBy: options.startedBy ?? 'ecs-svc/0548903365926546085',
    ...(stoppingAt !== null && { stoppingAt: new Date(stoppingAt).toISOString() }),
    stoppedReason: options.stoppedReason ?? 'Your Spot Task was interrupted.',
    ...(stopCode !== null && { stopCode }),
    taskArn: taskArn(id, cluster),
    taskDefinitionArn: `arn:aws:ecs:${region}:${account}:task-definition/${options.taskDefinition ?? 'web:38'}`,
    updatedAt: new Date(stoppingAt ?? at).toISOString(),
    version: options.version ?? 6,
  };
}

/** EventBridge `ECS Task State Change`; by default the notice of a Spot interruption of a task of service `web`. */
export function taskStateChange(options: TaskOptions = {}) {
  const detail = taskDetail(options);
  return {
    version: '0',
    id: '9bcdac79-b31f-4d3d-9410-fbd727c29fab',
    'detail-type': 'ECS Task State Change',
    source: 'aws.ecs',
    account,
    time: `${new Date(options.stoppingAt ?? at).toISOString().slice(0, 19)}Z`,
    region,
    resources: [detail.taskArn],
    detail,
  };
}
