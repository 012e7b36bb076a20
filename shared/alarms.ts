import { describeAlarms } from './aws/cloudwatch.ts';
import { alarmOccurrence } from './events/cloudwatch-alarm-state-change.ts';
import type { AlarmEvent, AlarmMetric, ReflexEvent } from './events/event.ts';
import { type AlarmDescription, type DescribeAlarms, resolveAlarms } from './events/resolve-alarms.ts';
import type { Heard, Signal } from './function.ts';

/** An alarm, and the metrics of its own account it concerns: its own, or of a composite alarm those of its children. */
export interface HeardAlarm {
  readonly alarm: AlarmEvent;
  readonly metrics: readonly AlarmMetric[];
}

/** ARNs of the resources an alarm concerns, or why none is ours; `error`: it could not be found out. */
export type Concerned =
  | { readonly resources: readonly string[] }
  | { readonly notForUs: string }
  | { readonly error: unknown };

/**
 * One answer an event, in order: a signal for every resource that `concerned` names for an alarm in ALARM or OK. All composite
 * alarms of the batch are resolved together, and `concerned` is asked once, with every alarm whose metrics are known.
 */
export const hearAlarms = async (
  events: readonly ReflexEvent[],
  concerned: (alarms: readonly HeardAlarm[]) => Promise<readonly Concerned[]> | readonly Concerned[],
): Promise<Heard[]> => {
  const alarms = events.filter((event) => event.kind === 'alarm').filter((alarm) => ignored(alarm) === undefined);
  const simple = alarms.filter(({ composite }) => composite === null);
  const composite = alarms.filter((alarm) => alarm.composite !== null);
  const metrics = new Map<ReflexEvent, readonly AlarmMetric[]>(simple.map((alarm) => [alarm, alarm.metrics]));
  let unresolved: unknown;
  try {
    const resolved = await resolveAlarms(composite, describe);
    for (const [i, alarm] of composite.entries()) metrics.set(alarm, resolved[i] ?? []);
  } catch (error) {
    unresolved = error;
  }

  const known = alarms.flatMap((alarm): HeardAlarm[] => {
    const found = metrics.get(alarm);
    return found === undefined ? [] : [{ alarm, metrics: found.filter((metric) => isOwn(alarm, metric)) }];
  });
  const answers = known.length === 0 ? [] : await concerned(known);
  const answerOf = new Map<ReflexEvent, Concerned | undefined>(known.map(({ alarm }, i) => [alarm, answers[i]]));

  return events.map((event): Heard => {
    if (event.kind !== 'alarm') return { notForUs: 'not-an-alarm' };
    const reason = ignored(event);
    if (reason !== undefined) return { notForUs: reason };
    const answer = answerOf.get(event);
    if (answer === undefined) return { error: unresolved ?? new Error('the alarm got no answer') };
    if (!('resources' in answer)) return answer;
    return { signals: [...new Set(answer.resources)].map((resource) => signalOf(event, resource)) };
  });
};

const ignored = ({ state, composite }: AlarmEvent): string | undefined => {
  if (state !== 'ALARM' && state !== 'OK') return 'alarm-state';
  return composite?.suppressedBy ? 'alarm-suppressed' : undefined;
};

const isOwn = (alarm: AlarmEvent, { accountId }: AlarmMetric): boolean =>
  (accountId ?? alarm.account) === alarm.account;

const signalOf = (alarm: AlarmEvent, resource: string): Signal => {
  const scaler = alarm.alarmActions.find((action) => action.split(':')[2] === 'autoscaling');
  return {
    resource,
    trigger: alarm.state === 'ALARM' ? 'alarm' : 'recovery',
    cause: `alarm ${alarm.alarmName} is ${alarm.state}: ${alarm.stateReason}`.slice(0, 500),
    occurrence: alarmOccurrence(alarm),
    at: alarm.at,
    ...(scaler !== undefined && { managedBy: `The alarm's own action ${scaler}` }),
  };
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
