import type { ResourceState } from '../../shared/ledger/types.ts';
import { shortArn } from '../../shared/words.ts';
import { type Command, positionalsUpTo } from './command.ts';
import { find } from './find.ts';
import { duration, table, utc } from './words.ts';

/** What AWS allows of each budgeted call; the functions spend by the same numbers. */
export const budgets: Readonly<Record<string, { readonly limit: number; readonly windowMs: number }>> = {
  UpdateShardCount: { limit: 10, windowMs: 24 * 3_600_000 + 5 * 60_000 },
};

/** Attempts inside the window; `limit` null: not known here. `freeAt`: when the oldest attempt stops counting, epoch ms. */
export interface BudgetUse {
  readonly budget: string;
  readonly used: number;
  readonly limit: number | null;
  readonly freeAt: number | null;
}

/** Every budget of the resource with an attempt that still counts. */
export const budgetUse = ({ attempts }: Pick<ResourceState, 'attempts'>, now: number): BudgetUse[] =>
  Object.entries(attempts).flatMap(([budget, times]) => {
    const { limit = null, windowMs = Number.POSITIVE_INFINITY } = budgets[budget] ?? {};
    const counted = times.filter((at) => now < at + windowMs);
    const oldest = counted.reduce((first, at) => Math.min(first, at), Number.POSITIVE_INFINITY);
    const freeAt = Number.isFinite(oldest + windowMs) ? oldest + windowMs : null;
    return counted.length === 0 ? [] : [{ budget, used: counted.length, limit, freeAt }];
  });

/** `UpdateShardCount 3 of 10` */
export const budgetShort = ({ budget, used, limit }: BudgetUse): string =>
  `${budget} ${used}${limit === null ? '' : ` of ${limit}`}`;

export const budgetText = (use: BudgetUse): string =>
  `${budgetShort(use)} used${use.freeAt === null ? '' : `; the oldest counts until ${utc(use.freeAt)} UTC`}`;

export const budgetsCommand: Command = {
  name: 'budgets',
  usage: ['budgets [RESOURCE]'],
  summary: 'attempts that AWS counts, what is left of them, and when one comes free',
  options: {},
  async run(args, { connect, now, paint, width }) {
    const [text = ''] = positionalsUpTo(args, 1);
    const states = await find(await connect(), text);
    const uses = states.flatMap((state) => budgetUse(state, now).map((use) => ({ ...use, ...state })));
    const sorted = uses.sort((a, b) => left(a) - left(b));
    const json = sorted.map(({ fn, resource, budget, used, limit, freeAt }) => ({
      fn,
      resource,
      budget,
      used,
      limit,
      freeAt,
    }));
    if (sorted.length === 0) return { lines: ['No attempt counts against a budget now.'], json };
    const rows = sorted.map((use) => [
      shortArn(use.resource),
      use.fn,
      use.budget,
      String(use.used),
      use.limit === null ? '-' : { text: String(left(use)), style: left(use) <= 0 ? ('red' as const) : undefined },
      use.freeAt === null ? '-' : `${utc(use.freeAt)} (in ${duration(use.freeAt - now)})`,
    ]);
    return {
      lines: table(['RESOURCE', 'FUNCTION', 'BUDGET', 'USED', 'LEFT', 'NEXT FREE (UTC)'], rows, { paint, width }),
      json,
    };
  },
};

const left = ({ limit, used }: BudgetUse): number => (limit ?? Number.POSITIVE_INFINITY) - used;
