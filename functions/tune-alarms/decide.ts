import { type Act, type Call, type Decision, defer, escalate, skip } from '../../shared/decision.ts';
import type { JsonObject } from '../../shared/json.ts';
import type { Reason } from '../../shared/reasons.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import { shortArn } from '../../shared/words.ts';
import { ALARM_OF_TAG, changeText, retuned, wantedAlarms } from './alarms.ts';
import type { AlarmSettings, AlarmSituation, Memory, PresentAlarm } from './facts.ts';
import type { Policy } from './policy.ts';

type Tag = { readonly Key: string; readonly Value: string };

export type AlarmCall =
  | Call<'PutMetricAlarm', AlarmSettings & { readonly Tags?: readonly Tag[] }>
  | Call<'DeleteAlarms', { readonly AlarmNames: readonly string[] }>;

const MINUTE = 60_000;
/** Twelve seconds' worth at the rate of PutMetricAlarm, and ten resources may act at once. What is left follows at the next look. */
const CALLS_AT_MOST = 30;
/** Alarms named in one sentence. */
const NAMED_AT_MOST = 5;
/** Names DeleteAlarms takes. */
const NAMES_AT_MOST = 100;

/** Pure: from a resource and the alarms there are to the calls that make them right. */
export const decide = (situation: AlarmSituation, policy: Policy, now: number): Decision<AlarmCall> => {
  const { subject, arn, alarms } = situation;
  const own = alarms.filter(({ tags }) => tags[ALARM_OF_TAG] === arn);
  if (!situation.wanted || subject.kind === 'gone') return retire(situation, own);
  const waiting = unready(situation, now);
  if (waiting !== null) return waiting;
  const wanted = wantedAlarms(subject, policy);
  if (wanted === null) {
    const nodeType = subject.kind === 'replication-group' ? subject.nodeType : '';
    return escalate(
      'unknown-node-type',
      `How many vCPUs ${nodeType} has is not known, and so neither is what its CPU alarm should watch.`,
      'Report the node type to the maintainers; make the CPU alarm by hand until then.',
    );
  }
  return compare(situation, own, wanted);
};

/** Neither count nor nodes are final while the resource is being changed. */
const unready = ({ subject, arn }: AlarmSituation, now: number): Decision<AlarmCall> | null => {
  if (subject.kind === 'stream' && subject.status === 'DELETING') {
    return skip('stream-deleting', `${arn} is being deleted; its alarms follow.`);
  }
  if (subject.kind === 'stream' && subject.status !== 'ACTIVE') {
    const why = `${arn} is ${subject.status}; its shards are counted when it is ACTIVE.`;
    return defer('stream-updating', now + MINUTE, why);
  }
  if (subject.kind === 'replication-group' && !['available', 'snapshotting'].includes(subject.status)) {
    const why = `${arn} is ${subject.status}; its nodes are looked at when it is available.`;
    return defer('not-available', now + 5 * MINUTE, why);
  }
  return null;
};

/** A person who sets the alarm's own opt-in to false has taken it over. */
const isKept = ({ tags }: PresentAlarm): boolean => tags[OPT_IN_TAG] === 'true';
const nameOf = ({ settings }: PresentAlarm): string => settings.AlarmName;

const retire = ({ arn, subject }: AlarmSituation, own: readonly PresentAlarm[]): Decision<AlarmCall> => {
  const names = own.filter(isKept).map(nameOf);
  const cause =
    subject.kind === 'gone' ? `${arn} does not exist any more` : `${arn} carries reflex:enabled = true no more`;
  if (names.length === 0) return skip('alarms-right', `${cause}, and no alarm of it is left to Reflex.`, {});
  return act('remove-alarms', `${cause}: ${named('to delete', names).join('; ')}.`, deletions(names), {});
};

const compare = (
  { arn, alarms, ledger }: AlarmSituation,
  own: readonly PresentAlarm[],
  wanted: readonly AlarmSettings[],
): Decision<AlarmCall> => {
  const memory = ledger.remembered as Memory;
  const known = new Map(alarms.map((alarm) => [nameOf(alarm), alarm]));
  const makes: AlarmCall[] = [];
  const missing: string[] = [];
  const changes: AlarmCall[] = [];
  const changed: string[] = [];
  const taken: string[] = [];
  for (const alarm of wanted) {
    const present = known.get(alarm.AlarmName);
    if (present === undefined) {
      makes.push({ call: 'PutMetricAlarm', params: { ...alarm, Tags: tagsFor(arn) } });
      missing.push(alarm.AlarmName);
    } else if (!own.includes(present)) {
      taken.push(alarm.AlarmName);
    } else if (isKept(present)) {
      const change = retuned(present.settings, alarm, memory.thresholds?.[alarm.AlarmName]);
      if (change !== null) {
        changes.push({ call: 'PutMetricAlarm', params: change });
        changed.push(`${alarm.AlarmName} (${changeText(present.settings, change)})`);
      }
    }
  }
  const names = new Set(wanted.map(({ AlarmName }) => AlarmName));
  const surplus = own.filter((alarm) => isKept(alarm) && !names.has(nameOf(alarm))).map(nameOf);
  const calls = [...makes, ...changes, ...deletions(surplus)];
  const thresholds = Object.fromEntries(wanted.map(({ AlarmName, Threshold = 0 }) => [AlarmName, Threshold]));
  if (calls.length > 0) {
    const reason = makes.length > 0 ? 'make-alarms' : changes.length > 0 ? 'retune-alarms' : 'remove-alarms';
    const work = [...named('to make', missing), ...named('to tune', changed), ...named('to delete', surplus)].join(
      '; ',
    );
    const more = calls.length > CALLS_AT_MOST;
    // A crash keeps what an act would remember, whether or not its calls were made: a threshold is remembered where it is seen.
    const called = { thresholds: { ...thresholds, ...memory.thresholds } };
    const now = act(
      reason,
      `Alarms of ${shortArn(arn)}: ${work}.`,
      calls.slice(0, CALLS_AT_MOST),
      more ? { ...memory, more } : called,
    );
    return memory.more === true ? { ...now, planned: true } : now;
  }
  if (taken.length > 0) {
    return escalate(
      'alarm-name-taken',
      `Reflex did not make ${taken.join(', ')}, and leaves it alone; ${arn} goes without.`,
      `Rename or delete the alarm, and Reflex makes its own; or take it as Reflex's: tag it ${ALARM_OF_TAG} = ${arn} and reflex:enabled = true.`,
      { thresholds },
    );
  }
  const reason = ledger.incident === null ? 'alarms-right' : 'resolved';
  return skip(reason, `The ${wanted.length} alarms of ${shortArn(arn)} exist and fit.`, { thresholds });
};

const named = (what: string, alarms: readonly string[]): string[] => {
  const rest = alarms.length - NAMED_AT_MOST;
  const shown = alarms.slice(0, NAMED_AT_MOST).join(', ');
  return alarms.length === 0 ? [] : [`${what} ${shown}${rest > 0 ? ` and ${rest} more` : ''}`];
};

const tagsFor = (arn: string): Tag[] => [
  { Key: OPT_IN_TAG, Value: 'true' },
  { Key: ALARM_OF_TAG, Value: arn },
];

const deletions = (names: readonly string[]): AlarmCall[] =>
  names.length === 0
    ? []
    : [
        { call: 'DeleteAlarms', params: { AlarmNames: names.slice(0, NAMES_AT_MOST) } },
        ...deletions(names.slice(NAMES_AT_MOST)),
      ];

const act = (reason: Reason, why: string, calls: readonly AlarmCall[], remember: JsonObject): Act<AlarmCall> => ({
  kind: 'act',
  reason,
  why,
  calls,
  remember,
  coolDownMs: 0,
});
