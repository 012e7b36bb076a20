import * as v from 'valibot';
import { partitionOf } from '../arns.ts';
import { type AlarmEvent, type AlarmMetric, BrokenMessage, type Parsed } from './event.ts';
import { type Fields, object, read, text, textMap, time } from './fields.ts';

const arnPattern = /^arn:[^:]+:cloudwatch:([a-z0-9-]+):(\d{12}):alarm:./;

const alarmData = object({
  alarmName: text,
  state: object({
    value: text,
    reason: v.nullish(v.string(), ''),
    reasonData: v.optional(v.unknown()),
    timestamp: time,
    actionsSuppressedBy: v.nullish(text, null),
  }),
  configuration: object({
    metrics: v.nullish(
      v.array(
        object({
          id: v.nullish(v.string(), null),
          accountId: v.nullish(v.string(), null),
          metricStat: v.nullish(
            object({
              metric: object({
                namespace: text,
                name: text,
                dimensions: v.nullish(textMap, {}),
              }),
            }),
          ),
        }),
      ),
      [],
    ),
    alarmRule: v.nullish(text),
  }),
  alarmContributor: v.nullish(v.unknown(), null),
  muteDetail: v.nullish(object({ mutedByArn: text })),
});

const stateChange = object({
  account: v.nullish(v.string(), ''),
  region: v.nullish(v.string(), ''),
  resources: v.nullish(v.array(v.string()), []),
  detail: alarmData,
});

const invocation = object({ alarmArn: text, alarmData });

/** SNS messages spell `name` and `value` in lower case; the API, and emulators that copy it, in upper case. */
const dimensionList = v.pipe(
  v.array(
    v.union(
      [object({ name: text, value: v.string() }), object({ Name: text, Value: v.string() })],
      'a dimension with name and value',
    ),
  ),
  v.transform((list) =>
    Object.fromEntries(list.map((item) => ('name' in item ? [item.name, item.value] : [item.Name, item.Value]))),
  ),
);

const notification = object({
  AlarmName: text,
  AlarmArn: v.nullish(text),
  AWSAccountId: v.nullish(v.string(), ''),
  Region: v.nullish(v.string(), ''),
  NewStateValue: text,
  NewStateReason: v.nullish(v.string(), ''),
  StateChangeTime: time,
  AlarmActions: v.nullish(v.array(v.string()), []),
  AlarmRule: v.nullish(text),
  TriggeringChildren: v.nullish(
    v.array(object({ Arn: text, State: v.nullish(object({ Value: v.nullish(v.string()) })) })),
    [],
  ),
  Trigger: v.nullish(
    object({
      Namespace: v.nullish(v.string(), ''),
      MetricName: v.nullish(v.string(), ''),
      Dimensions: v.nullish(dimensionList, []),
      Metrics: v.nullish(
        v.array(
          object({
            Id: v.nullish(v.string(), null),
            AccountId: v.nullish(v.string(), null),
            MetricStat: v.nullish(
              object({
                Metric: object({ Namespace: text, MetricName: text, Dimensions: v.nullish(dimensionList, []) }),
              }),
            ),
          }),
        ),
        [],
      ),
    }),
  ),
});

const compositeReason = object({
  triggeringAlarms: v.array(object({ arn: text, state: v.nullish(object({ value: v.nullish(v.string()) })) })),
});

/** EventBridge `CloudWatch Alarm State Change`. The alarm's ARN is only in `resources`. */
export function parseAlarmStateChange(body: Fields): Parsed {
  const { account, region, resources, detail } = read(stateChange, body);
  const [arn] = resources;
  return fromAlarmData(
    detail,
    arn === undefined ? identify('resources', arnOf(region, account, detail.alarmName)) : identify('resources.0', arn),
  );
}

/** The payload with which an alarm's Lambda action invokes a function. */
export function parseAlarmInvocation(body: Fields): Parsed {
  const { alarmArn, alarmData: data } = read(invocation, body);
  return fromAlarmData(data, identify('alarmArn', alarmArn));
}

/** The message of an alarm's SNS action. Its `Region` is usually a display name, so the ARN tells the region. */
export function parseAlarmNotification(body: Fields): Parsed {
  const message = read(notification, body);
  const { AlarmName: alarmName, NewStateValue: state, AlarmRule: rule, Trigger: trigger } = message;
  if (!rule && !trigger) throw new BrokenMessage('Trigger', 'Trigger, or AlarmRule of a composite alarm', 'neither');
  const children = message.TriggeringChildren.map((child) => ({ arn: child.Arn, state: child.State?.Value }));
  return {
    kind: 'event',
    event: {
      kind: 'alarm',
      ...identify('AlarmArn', message.AlarmArn ?? arnOf(message.Region, message.AWSAccountId, alarmName)),
      alarmName,
      state,
      at: message.StateChangeTime,
      stateReason: message.NewStateReason,
      metrics: trigger ? metricsOfTrigger(trigger) : [],
      composite: rule ? { rule, children: moved(children, state), suppressedBy: null } : null,
      alarmActions: message.AlarmActions,
    },
  };
}

/** Names what happened, whoever delivered it and however often: ARN, time and value of the state. */
export function alarmOccurrence(event: Pick<AlarmEvent, 'alarmArn' | 'at' | 'state'>): string {
  return `${event.alarmArn} ${new Date(event.at).toISOString()} ${event.state}`;
}

/**
 * ARNs of the alarms that brought a composite alarm into `state`, from its state's reason data (a JSON string).
 * Empty where the data is absent, broken, or names only alarms that are in another state.
 */
export function triggeringAlarms(reasonData: unknown, state: string): string[] {
  try {
    const found = v.safeParse(compositeReason, typeof reasonData === 'string' ? JSON.parse(reasonData) : null);
    const children = found.success ? found.output.triggeringAlarms : [];
    return moved(
      children.map((child) => ({ arn: child.arn, state: child.state?.value })),
      state,
    );
  } catch {
    return [];
  }
}

function fromAlarmData(
  { alarmName, state, configuration, alarmContributor, muteDetail }: v.InferOutput<typeof alarmData>,
  identity: Identity,
): Parsed {
  if (alarmContributor !== null) return { kind: 'not-for-us', reason: 'alarm-contributor-state-change' };
  if (muteDetail) return { kind: 'not-for-us', reason: 'alarm-muted' };
  const rule = configuration.alarmRule;
  return {
    kind: 'event',
    event: {
      kind: 'alarm',
      ...identity,
      alarmName,
      state: state.value,
      at: state.timestamp,
      stateReason: state.reason,
      metrics: configuration.metrics.flatMap(({ id, accountId, metricStat }) =>
        metricStat ? [{ id, accountId, ...metricStat.metric }] : [],
      ),
      composite: rule
        ? { rule, children: triggeringAlarms(state.reasonData, state.value), suppressedBy: state.actionsSuppressedBy }
        : null,
      alarmActions: [],
    },
  };
}

function metricsOfTrigger(trigger: NonNullable<v.InferOutput<typeof notification>['Trigger']>): AlarmMetric[] {
  if (trigger.MetricName) {
    if (!trigger.Namespace) throw new BrokenMessage('Trigger.Namespace', 'a string that is not empty');
    const { Namespace: namespace, MetricName: name, Dimensions: dimensions } = trigger;
    return [{ id: null, accountId: null, namespace, name, dimensions }];
  }
  return trigger.Metrics.flatMap(({ Id: id, AccountId: accountId, MetricStat: stat }) => {
    if (!stat) return [];
    const { Namespace: namespace, MetricName: name, Dimensions: dimensions } = stat.Metric;
    return [{ id, accountId, namespace, name, dimensions }];
  });
}

/** CloudWatch also lists alarms that are in other states, e.g. when a composite alarm has just been created. */
function moved(children: readonly { arn: string; state: string | null | undefined }[], state: string): string[] {
  return children.filter((child) => (child.state ?? state) === state).map((child) => child.arn);
}

type Identity = Pick<AlarmEvent, 'alarmArn' | 'account' | 'region'>;

function identify(field: string, alarmArn: string): Identity {
  const [, region, account] = arnPattern.exec(alarmArn) ?? [];
  if (!region || !account) throw new BrokenMessage(field, 'the ARN of a CloudWatch alarm');
  return { alarmArn, account, region };
}

function arnOf(region: string, account: string, name: string): string {
  return `arn:${partitionOf(region)}:cloudwatch:${region}:${account}:alarm:${name}`;
}
