import { groupNameIn } from '../../functions/restore-capacity/group/facts.ts';
import { type Memory, pruned } from '../../functions/restore-capacity/group/memory.ts';
import { countPools, type PoolCount, poolName } from '../../functions/restore-capacity/group/storm.ts';
import type { ResourceState } from '../../shared/ledger/types.ts';
import { asWord } from '../../shared/words.ts';
import { type Command, positionalsUpTo } from './command.ts';
import { type Cell, count, table, utc } from './words.ts';

/** The on-demand base of a group: `set` by Reflex and not given back yet, `original` before that. */
interface Base {
  readonly set: number;
  readonly original: number;
}

interface Group {
  readonly name: string;
  readonly resource: string;
  readonly pools: readonly PoolCount[];
  readonly fallback: Base | null;
  /** Spot's last depletion, epoch ms. */
  readonly depletedAt: number | null;
  /** As AWS shows it now; null: no mixed instances policy. Absent: not asked. */
  readonly base?: number | null;
}

export const pools: Command = {
  name: 'pools',
  usage: ['pools', 'pools --live'],
  summary: 'Spot capacity that EC2 took back or lacks, by Auto Scaling group and pool',
  options: { live: 'ask AWS for the present on-demand bases, too' },
  async run(args, { connect, now, paint, width }) {
    positionalsUpTo(args, 0);
    const stack = await connect();
    const states = await stack.ledger.findStates('restore-capacity#');
    const known = states
      .filter(({ resource }) => resource.includes(':autoScalingGroup:'))
      .map((state) => groupOf(state, now))
      .filter(({ pools, fallback }) => pools.length > 0 || fallback !== null)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const bases = args.values.live === true ? await stack.onDemandBases(known.map(({ name }) => name)) : null;
    const groups = known.map(
      (group): Group => (bases === null ? group : { ...group, base: bases.get(group.name) ?? null }),
    );
    if (groups.length === 0) return { lines: ['EC2 took no Spot capacity back in the last hour.'], json: groups };
    const rows = groups.flatMap((group) => rowsOf(group, bases !== null));
    const depleted = groups.flatMap((group) => group.pools).filter((pool) => pool.depleted).length;
    const raised = groups.filter(({ fallback }) => fallback !== null).length;
    const head = ['GROUP', 'POOL', 'LOST 5 MIN', '1 H', 'FAILED 5 MIN', '1 H', 'OF', 'POOL IS', 'ON-DEMAND BASE'];
    return {
      lines: [
        ...table(head, rows, { paint, width }),
        '',
        `${count(depleted, 'pool')} depleted; the on-demand base of ${count(raised, 'group')} is raised. The story of one: npm run ops -- history ${asWord(groups[0]?.name ?? '')} --last`,
      ],
      json: groups,
    };
  },
};

const groupOf = ({ resource, remembered = {} }: ResourceState, now: number): Group => {
  const memory = pruned(remembered as Memory, now);
  const { fallback, storm } = memory;
  return {
    name: groupNameIn(resource),
    resource,
    pools: countPools(memory, now).filter(({ lostInHour, failedInHour }) => lostInHour + failedInHour > 0),
    fallback:
      fallback === undefined || fallback.end !== undefined ? null : { set: fallback.set, original: fallback.original },
    depletedAt: storm?.last ?? null,
  };
};

const rowsOf = (group: Group, live: boolean): (string | Cell)[][] => {
  const base = baseOf(group, live);
  const counted = group.pools.map(({ pool, lost, lostInHour, failed, failedInHour, size, depleted }) => [
    poolName(pool),
    String(lost),
    String(lostInHour),
    String(failed),
    String(failedInHour),
    String(size),
    { text: depleted ? 'depleted' : 'well', style: depleted ? ('red' as const) : undefined },
  ]);
  const rows = counted.length === 0 ? [['-', '0', '0', '0', '0', '-', 'well']] : counted;
  return rows.map((row, i) => [i === 0 ? group.name : '', ...row, i === 0 ? base : '']);
};

const baseOf = ({ fallback, depletedAt, base }: Group, live: boolean): string => {
  const now = live ? `${base ?? 'none'} now` : null;
  const ours = fallback === null ? null : `set to ${fallback.set}, ${fallback.original} before`;
  const since = fallback === null || depletedAt === null ? null : `Spot quiet since ${utc(depletedAt)}`;
  return [now, ours, since].filter((part) => part !== null).join('; ') || 'not changed';
};
