import type { HistoryRecord, ResourceState } from '../../shared/ledger/types.ts';
import { asWord, shortArn } from '../../shared/words.ts';
import {
  type Command,
  type Context,
  misused,
  positionalsUpTo,
  type Report,
  type Stack,
  Stop,
  textOption,
} from './command.ts';
import { find } from './find.ts';
import { endingOf, standing, tellIncident, tellRecord } from './story.ts';
import { actionText, count, decisionStyle, decisionText, duration, table, utc } from './words.ts';

/** Records read of each resource where one incident or moment is looked for. */
const searchedAtMost = 1_000;
/** Further from the asked time than this is another matter, and said so. */
const nearMs = 15 * 60_000;
const shownByDefault = '20';

export const history: Command = {
  name: 'history',
  usage: ['history [RESOURCE]', 'history [RESOURCE] --at 03:12 | --last | --incident ID'],
  summary: 'what was decided and done, and why; RESOURCE: a name, an ARN, or part of one',
  options: {
    'at TIME': 'the story around a time, UTC: 03:12, or 2026-03-05T03:12',
    last: 'the story of the latest incident',
    'incident ID': 'the story of one incident',
    'limit N': `lines of the table (default ${shownByDefault})`,
  },
  async run(args, context) {
    const [text = ''] = positionalsUpTo(args, 1);
    const at = textOption(args, 'at');
    const incident = textOption(args, 'incident');
    const last = args.values.last === true;
    const limit = limitOf(textOption(args, 'limit') ?? shownByDefault);
    if ([at !== undefined, incident !== undefined, last].filter(Boolean).length > 1) {
      throw misused('history: choose one of --at, --last and --incident.');
    }
    const moment = at === undefined ? undefined : momentOf(at, context.now);
    const one = moment !== undefined || incident !== undefined || last;
    const stack = await context.connect();
    const states = await find(stack, text);
    const records = await recordsOf(stack, states, one ? searchedAtMost : limit);
    if (records.length === 0) return nothing(text);
    if (moment !== undefined) return aroundMoment(records, states, moment, context);
    if (!one) return overview(records.slice(0, limit), states, text, context);
    const found = incident ?? records.find(({ incidentId }) => incidentId !== null)?.incidentId;
    if (found === undefined || found === null) {
      throw new Stop('No incident among the records.', 'Without --last, history lists the decisions.');
    }
    return story(records, states, found, context);
  },
};

function limitOf(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > searchedAtMost) {
    throw misused(`--limit: expected a whole number from 1 to ${searchedAtMost}, found "${text}".`);
  }
  return value;
}

/** A time of day is the last one that has passed. All of it is UTC. */
export function momentOf(text: string, now: number): number {
  const day = new Date(now).toISOString().slice(0, 10);
  if (/^\d{1,2}:\d{2}(:\d{2})?$/.test(text)) {
    const time = Date.parse(`${day}T${text.padStart(text.includes(':', 3) ? 8 : 5, '0')}Z`);
    if (!Number.isNaN(time)) return time > now ? time - 86_400_000 : time;
  }
  const whole = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(?: ?UTC|Z)?$/.exec(text);
  const time = whole === null ? Number.NaN : Date.parse(`${whole[1]}T${whole[2]}Z`);
  if (!Number.isNaN(time)) return time;
  throw misused(`--at: expected a time in UTC such as 03:12 or 2026-03-05T03:12, found "${text}".`);
}

/** Newest first. */
async function recordsOf(stack: Stack, states: readonly ResourceState[], limit: number): Promise<HistoryRecord[]> {
  const found: HistoryRecord[] = [];
  for (let i = 0; i < states.length; i += 10) {
    const read = states.slice(i, i + 10).map((state) => stack.ledger.history(state, { limit }));
    found.push(...(await Promise.all(read)).flat());
  }
  return found.sort((a, b) => (a.recordId < b.recordId ? 1 : -1));
}

function nothing(text: string): Report {
  if (text === '') return { lines: ['Nothing is recorded yet.'], json: { records: [] } };
  throw new Stop(
    `Nothing is recorded of "${text}".`,
    'Either no event about it reached Reflex, or it does not carry the tag reflex:enabled = true.\n' +
      'docs/runbook.md, "Why did it not act?", says how to tell which. npm run ops -- history lists what is known.',
  );
}

function overview(
  records: readonly HistoryRecord[],
  states: readonly ResourceState[],
  text: string,
  context: Context,
): Report {
  const resources = new Set(records.map(({ resource }) => resource));
  const alone = resources.size === 1 ? records[0]?.resource : undefined;
  const rows = records.map((record) => [
    utc(record.at),
    ...(alone === undefined ? [shortArn(record.resource)] : []),
    record.trigger,
    { text: decisionText(record), style: decisionStyle(record) },
    record.reason,
    record.actions.map(actionText).join('; ') || '-',
  ]);
  const head = ['TIME (UTC)', ...(alone === undefined ? ['RESOURCE'] : []), 'TRIGGER', 'DECISION', 'REASON', 'CALLS'];
  const [newest] = records;
  const name = alone === undefined ? shortArn(newest?.resource ?? '') : text || shortArn(alone);
  return {
    lines: [
      ...(alone === undefined ? [] : [alone]),
      ...table(head, rows, context),
      '',
      ...(alone === undefined ? attention(states) : states.flatMap((state) => ownState(state, context.now))),
      `Why, in full: npm run ops -- history ${asWord(name)} --at ${utc(newest?.at ?? 0).replace(' ', 'T')}`,
    ],
    json: { records },
  };
}

function attention(states: readonly ResourceState[]): string[] {
  const open = states.filter(({ incident }) => incident !== undefined).length;
  const held = states.filter(({ hold }) => hold !== undefined).length;
  return open + held === 0 ? [] : [`${count(open, 'open incident')}, ${held} on hold: npm run ops -- incidents`];
}

const ownState = (state: ResourceState, now: number): string[] => [
  ...(state.incident === undefined
    ? []
    : [`Incident ${state.incident.id} is open since ${utc(state.incident.openedAt)} UTC.`]),
  ...standing(state, now),
];

/** The record nearest to a time: with its incident where it belongs to one. */
function aroundMoment(
  records: readonly HistoryRecord[],
  states: readonly ResourceState[],
  moment: number,
  context: Context,
): Report {
  const [nearest] = [...records].sort((a, b) => Math.abs(a.at - moment) - Math.abs(b.at - moment));
  if (nearest === undefined) return { lines: [], json: { records: [] } };
  const off = nearest.at - moment;
  const note =
    Math.abs(off) <= nearMs
      ? []
      : [
          `Nothing is recorded around ${utc(moment)} UTC. The nearest is ${duration(Math.abs(off))} ${off > 0 ? 'later' : 'earlier'}:`,
          '',
        ];
  const told =
    nearest.incidentId === null
      ? { lines: [nearest.resource, '', ...tellRecord(nearest, context)], json: { records: [nearest] } }
      : story(records, states, nearest.incidentId, context);
  return { ...told, lines: [...note, ...told.lines] };
}

function story(
  records: readonly HistoryRecord[],
  states: readonly ResourceState[],
  id: string,
  context: Context,
): Report {
  const own = records.filter(({ incidentId }) => incidentId === id).reverse();
  const [first] = own;
  const state = states.find(({ fn, resource }) => fn === first?.fn && resource === first.resource);
  if (first === undefined || state === undefined) {
    throw new Stop(`No record of incident "${id}".`, 'npm run ops -- history RESOURCE --json lists incident ids.');
  }
  return {
    lines: tellIncident(own, state, context),
    json: { incident: { id, fn: first.fn, resource: first.resource, ending: endingOf(own, state) }, records: own },
  };
}
