import type { HistoryRecord, ResourceState } from '../../shared/ledger/types.ts';
import { reasons } from '../../shared/reasons.ts';
import { shortArn } from '../../shared/words.ts';
import { budgetText, budgetUse } from './budgets.ts';
import type { Context } from './command.ts';
import { factsInWords } from './facts.ts';
import { count, decisionStyle, decisionText, duration, field, holdText, utc } from './words.ts';

type Screen = Pick<Context, 'paint' | 'width' | 'now'>;

/** What becomes of an incident, from its last record and the state as it is now. */
export type Ending =
  | { readonly kind: 'open'; readonly nextCheckAt: number }
  | { readonly kind: 'closed' | 'handed over' | 'not recorded'; readonly at: number };

export function endingOf(records: readonly HistoryRecord[], state: ResourceState): Ending {
  const last = records.at(-1);
  if (state.incident !== undefined && state.incident.id === last?.incidentId) {
    return { kind: 'open', nextCheckAt: state.incident.nextCheckAt };
  }
  const at = last?.at ?? 0;
  if (last?.decision === 'skip') return { kind: 'closed', at };
  return { kind: last?.decision === 'escalate' ? 'handed over' : 'not recorded', at };
}

/** One incident whole: what woke us, what was seen, decided and called, each verification, and how it ended. Oldest first. */
export function tellIncident(records: readonly HistoryRecord[], state: ResourceState, screen: Screen): string[] {
  const [first] = records;
  if (first === undefined) return [];
  const { paint, now } = screen;
  const ending = endingOf(records, state);
  const acts = records.filter(({ decision, dryRun }) => decision === 'act' && !dryRun).length;
  const took = `${duration((ending.kind === 'open' ? now : ending.at) - first.at)}, ${count(acts, 'act')}, ${count(records.length, 'record')}`;
  return [
    `${paint('bold', shortArn(first.resource))}  incident ${first.incidentId}  ${first.fn}`,
    first.resource,
    `${utc(first.at)} UTC to ${ending.kind === 'open' ? 'now' : `${utc(ending.at)} UTC`} (${took})`,
    '',
    ...records.flatMap((record) => [...tellRecord(record, screen), '']),
    paint('bold', endingText(ending, records, now)),
    ...standing(state, now),
  ];
}

/** One record with everything a person needs to judge it. */
export function tellRecord(record: HistoryRecord, screen: Screen): string[] {
  const { paint } = screen;
  const verdict = `${decisionText(record)}, ${record.reason}`;
  const style = decisionStyle(record);
  const seen = factsInWords(record.fn, record.facts);
  return [
    `${utc(record.at)} UTC  ${record.trigger} -> ${style === undefined ? verdict : paint(style, verdict)}`,
    ...field('Woken by', record.cause, screen),
    ...(seen.length === 0 ? [] : field('Seen', seen, screen)),
    ...field('Why', record.why, screen),
    ...field('Meaning', reasons[record.reason] ?? 'a reason this version does not know', screen, 'dim'),
    ...(record.advice === undefined ? [] : field('To do', record.advice, screen, 'yellow')),
    ...field('Calls', callTexts(record), screen),
    ...field('Mode', record.mode, screen),
    ...(record.traceId === undefined ? [] : field('Trace', record.traceId, screen)),
  ];
}

function callTexts({ actions, dryRun, unresolved, decision, reason }: HistoryRecord): string[] {
  if (actions.length === 0) return [decision === 'act' ? 'none recorded' : 'none'];
  return actions.map(({ call, params, error }) => {
    const result = dryRun
      ? 'not made: dry run'
      : unresolved === true
        ? 'result unknown: the invocation ended in between'
        : error === undefined
          ? 'made'
          : `${reason === 'act-unknown' ? 'result unknown' : 'FAILED'}: ${error}`;
    return `${call} ${JSON.stringify(params).replaceAll(',"', ', "')} - ${result}`;
  });
}

function endingText(ending: Ending, records: readonly HistoryRecord[], now: number): string {
  const last = records.at(-1);
  switch (ending.kind) {
    case 'open': {
      const wait = ending.nextCheckAt - now;
      const when = wait > 0 ? `in ${duration(wait)}` : `due since ${duration(-wait)}`;
      return `Still open. Next check at ${utc(ending.nextCheckAt)} UTC (${when}).`;
    }
    case 'closed':
      return `Closed: ${last?.reason}.`;
    case 'handed over':
      return `Handed to a person: ${last?.reason}.`;
    case 'not recorded':
      return 'Not open any more; how it ended is not among the records.';
  }
}

/** What holds of the resource now: hold and budgets. */
export function standing(state: ResourceState, now: number): string[] {
  return [
    ...(state.hold === undefined ? [] : [`It is ${holdText(state.hold)}`]),
    ...budgetUse(state, now).map((use) => `Budget: ${budgetText(use)}.`),
  ];
}
