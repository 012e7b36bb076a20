import { describeAlarms } from '../../shared/aws/cloudwatch.ts';
import { alarmOccurrence } from '../../shared/events/cloudwatch-alarm-state-change.ts';
import type { AlarmEvent, AlarmMetric, ReflexEvent } from '../../shared/events/event.ts';
import { type AlarmDescription, type DescribeAlarms, resolveAlarms } from '../../shared/events/resolve-alarms.ts';
import type { Heard, Signal } from '../../shared/function.ts';

/**
 * Which streams an event concerns: every stream named by a StreamName dimension of the alarm's metrics, a composite
 * alarm's by those of the children that triggered it.
 */
export const hear = async (events: readonly ReflexEvent[]): Promise<Heard[]> => {
  const alarms = events.filter((event) => event.kind === 'alarm').filter((alarm) => ignored(alarm) === undefined);
  const metrics = new Map<ReflexEvent, readonly AlarmMetric[]>();
  const simple = alarms.filter(({ composite }) => composite === null);
  for (const alarm of simple) metrics.set(alarm, alarm.metrics);

  const composite = alarms.filter((alarm) => alarm.composite !== null);
  let unresolved: unknown;
  try {
    const resolved = await resolveAlarms(composite, describe);
    for (const [i, alarm] of composite.entries()) metrics.set(alarm, resolved[i] ?? []);
  } catch (error) {
    unresolved = error;
  }

  return events.map((event): Heard => {
    if (event.kind !== 'alarm') return { notForUs: 'not-an-alarm' };
    const reason = ignored(event);
    if (reason !== undefined) return { notForUs: reason };
    const watched = metrics.get(event);
    if (watched === undefined) return { error: unresolved };
    const signals = signalsOf(event, watched);
    return signals.length > 0 ? { signals } : { notForUs: 'no-stream-dimension' };
  });
};

const ignored = ({ state, composite }: AlarmEvent): string | undefined => {
  if (state !== 'ALARM' && state !== 'OK') return 'alarm-state';
  return composite?.suppressedBy ? 'alarm-suppressed' : undefined;
};

const signalsOf = (alarm: AlarmEvent, metrics: readonly AlarmMetric[]): Signal[] => {
  const [, partition] = alarm.alarmArn.split(':');
  const scaler = alarm.alarmActions.find((action) => action.split(':')[2] === 'autoscaling');
  const streams = metrics
    .filter(({ namespace, accountId }) => namespace === 'AWS/Kinesis' && (accountId ?? alarm.account) === alarm.account)
    .map(({ dimensions }) => dimensions.StreamName)
    .filter((name) => name !== undefined);
  return [...new Set(streams)].map((name) => ({
    resource: `arn:${partition}:kinesis:${alarm.region}:${alarm.account}:stream/${name}`,
    trigger: alarm.state === 'ALARM' ? 'alarm' : 'recovery',
    cause: `alarm ${alarm.alarmName} is ${alarm.state}: ${alarm.stateReason}`.slice(0, 500),
    occurrence: alarmOccurrence(alarm),
    at: alarm.at,
    ...(scaler !== undefined && { managedBy: `The alarm's own action ${scaler}` }),
  }));
};

/** DescribeAlarms asks by name; the answer is wanted by ARN. */
const describe: DescribeAlarms = async (alarmArns) => {
  const { MetricAlarms, CompositeAlarms } = await describeAlarms(
    alarmArns.map((arn) => arn.split(':').slice(6).join(':')),
  );
  const described = new Map<string, AlarmDescription>();
  for (const { AlarmArn = '', AlarmRule = '', StateValue = '', StateReasonData } of CompositeAlarms) {
    described.set(AlarmArn, { metrics: [], rule: AlarmRule, state: StateValue, reasonData: StateReasonData ?? null });
  }
  for (const alarm of MetricAlarms) {
    const own = alarm.MetricName === undefined ? [] : [{ Metric: alarm, Id: null, AccountId: null }];
    const rows = (alarm.Metrics ?? []).map(({ Id, AccountId, MetricStat }) => ({
      Metric: MetricStat?.Metric,
      Id,
      AccountId,
    }));
    const metrics = [...own, ...rows].flatMap(({ Metric, Id, AccountId }): AlarmMetric[] =>
      Metric === undefined
        ? []
        : [
            {
              id: Id ?? null,
              namespace: Metric.Namespace ?? '',
              name: Metric.MetricName ?? '',
              dimensions: Object.fromEntries(
                (Metric.Dimensions ?? []).map(({ Name = '', Value = '' }) => [Name, Value]),
              ),
              accountId: AccountId ?? null,
            },
          ],
    );
    described.set(alarm.AlarmArn ?? '', {
      metrics,
      rule: null,
      state: alarm.StateValue ?? '',
      reasonData: alarm.StateReasonData ?? null,
    });
  }
  return described;
};
