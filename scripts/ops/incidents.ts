import type { ResourceState } from '../../shared/ledger/types.ts';
import { asWord, shortArn } from '../../shared/words.ts';
import { budgetShort, budgetUse } from './budgets.ts';
import { type Command, positionalsUpTo } from './command.ts';
import { clipped, count, duration, table, utc } from './words.ts';

export const incidents: Command = {
  name: 'incidents',
  usage: ['incidents'],
  summary: 'what is open and what is on hold',
  options: {},
  async run(args, { connect, now, paint, width }) {
    positionalsUpTo(args, 0);
    const stack = await connect();
    const states =
      stack.functions.length > 0
        ? (await Promise.all(stack.functions.map(({ name }) => stack.ledger.attention(name)))).flat()
        : (await stack.ledger.findStates('#')).filter(
            ({ incident, hold }) => incident !== undefined || hold !== undefined,
          );
    const sorted = [...states].sort((a, b) => since(a) - since(b));
    const json = sorted.map((state) => ({
      fn: state.fn,
      resource: state.resource,
      incident: state.incident ?? null,
      hold: state.hold ?? null,
      budgets: budgetUse(state, now),
    }));
    if (sorted.length === 0) return { lines: ['Nothing is open and nothing is on hold.'], json };
    const rows = sorted.map((state) => [
      shortArn(state.resource),
      state.fn,
      utc(since(state)),
      state.incident === undefined ? '-' : String(state.incident.steps),
      { text: status(state, now), style: state.hold === undefined ? undefined : ('red' as const) },
      budgetUse(state, now).map(budgetShort).join(', ') || '-',
      state.incident?.id ?? '-',
    ]);
    const held = sorted.flatMap(({ resource, hold }) =>
      hold === undefined ? [] : [`${shortArn(resource)}: held by ${hold.by}: ${clipped(hold.reason, 400)}`],
    );
    const open = sorted.filter(({ incident }) => incident !== undefined).length;
    return {
      lines: [
        ...table(['RESOURCE', 'FUNCTION', 'SINCE (UTC)', 'ACTS', 'STATUS', 'BUDGET', 'INCIDENT'], rows, {
          paint,
          width,
        }),
        ...(held.length > 0 ? ['', ...held] : []),
        '',
        `${count(open, 'open incident')}, ${held.length} on hold. The story of one: npm run ops -- history ${asWord(shortArn(sorted[0]?.resource ?? ''))} --last`,
      ],
      json,
    };
  },
};

const since = ({ incident, hold }: ResourceState): number => incident?.openedAt ?? hold?.since ?? 0;

function status({ hold, incident, lease }: ResourceState, now: number): string {
  if (hold !== undefined) return 'on hold';
  if (incident === undefined) return '-';
  if (lease !== undefined && now < lease.until) return 'acting now';
  const wait = incident.nextCheckAt - now;
  return `${incident.lastReason}, next check ${wait > 0 ? `in ${duration(wait)}` : `due since ${duration(-wait)}`}`;
}
