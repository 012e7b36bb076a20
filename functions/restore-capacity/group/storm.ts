import { ANY_TYPE, type GroupFacts, typeIn, zoneIn } from './facts.ts';
import { type Memory, QUIET, type StormMemory, WINDOW } from './memory.ts';

/** A pool is depleted from so many signals in WINDOW on, or from this share of its instances on. */
const SIGNALS = 3;
const SHARE_OF_POOL = 0.3;
/** A mass interruption: so many pools, or this share of the group. */
const POOLS = 2;
const SHARE_OF_GROUP = 0.2;

/** What is known of one pool: in the last five minutes, and in the last hour. */
export interface PoolCount {
  readonly pool: string;
  readonly lost: number;
  readonly failed: number;
  readonly lostInHour: number;
  readonly failedInHour: number;
  readonly size: number;
  readonly depleted: boolean;
}

/** Pure: the counters of every pool that is remembered, the worst first. `now` is epoch ms. */
export const countPools = ({ pools = {} }: Memory, now: number): PoolCount[] => {
  const within = (signals: Readonly<Record<string, number>>, ms: number) =>
    Object.values(signals).filter((at) => at > now - ms).length;
  return Object.entries(pools)
    .map(([pool, memory]) => {
      const lost = within(memory.lost, WINDOW);
      const failed = within(memory.failed, WINDOW);
      const size = Math.max(memory.size, lost);
      return {
        pool,
        lost,
        failed,
        lostInHour: within(memory.lost, 12 * WINDOW),
        failedInHour: within(memory.failed, 12 * WINDOW),
        size,
        depleted: lost + failed >= SIGNALS || (lost > 0 && lost >= SHARE_OF_POOL * size),
      };
    })
    .sort((a, b) => b.lost + b.failed - a.lost - a.failed || (a.pool < b.pool ? -1 : 1));
};

/** How a group's pools stand. */
export interface Storm {
  readonly pools: readonly PoolCount[];
  readonly depleted: number;
  readonly mass: boolean;
  /** A pool is depleted, or this is a mass interruption. */
  readonly strikes: boolean;
  /** The storm that is going on, or was less than QUIET ago. */
  readonly memory: StormMemory | null;
  /** Lost from its first signal to its last, each instance once, in the group's units; where launches fail, at least what the group lacks. */
  readonly lost: number;
}

/** Pure: what the remembered signals come to. */
export const stormOf = (memory: Memory, facts: GroupFacts, now: number): Storm => {
  const pools = countPools(memory, now);
  const all = Object.entries(memory.pools ?? {}).flatMap(([pool, { lost, failed }]) => [
    ...Object.values(lost).map((at) => ({ at, units: facts.weights[typeIn(pool)] ?? 1 })),
    ...Object.values(failed).map((at) => ({ at, units: 0 })),
  ]);
  const recent = all.filter(({ at }) => at > now - WINDOW);
  const depleted = pools.filter((pool) => pool.depleted);
  const mass = depleted.length >= POOLS || (unitsOf(recent) > 0 && unitsOf(recent) >= SHARE_OF_GROUP * facts.desired);
  const strikes = depleted.length > 0 || mass;
  const remembered = memory.storm;
  const goesOn = remembered !== undefined && now - remembered.last < QUIET;
  const began = recent.reduce((first, { at }) => Math.min(first, at), goesOn ? remembered.since : now);
  const last = recent.reduce((latest, { at }) => Math.max(latest, at), goesOn ? remembered.last : 0);
  const storm = strikes ? { since: began, last } : (remembered ?? null);
  const lost = storm === null ? 0 : unitsOf(all.filter(({ at }) => at >= storm.since && at <= storm.last));
  const launchesFail = depleted.some(({ failed }) => failed > 0);
  return {
    pools,
    depleted: depleted.length,
    mass,
    strikes,
    memory: storm,
    lost: launchesFail ? Math.max(lost, facts.desired - facts.present) : lost,
  };
};

const unitsOf = (signals: readonly { readonly units: number }[]): number =>
  signals.reduce((sum, { units }) => sum + units, 0);

/** `m5.large eu-west-1a: 5 of 12 lost, depleted`, for every pool with a signal in the last five minutes. */
export const poolsInWords = (pools: readonly PoolCount[]): string =>
  pools
    .filter(({ lost, failed }) => lost + failed > 0)
    .map(({ pool, lost, failed, size, depleted }) => {
      const counts = [
        ...(lost > 0 ? [`${lost} of ${size} lost`] : []),
        ...(failed > 0 ? [`${failed} launch${failed === 1 ? '' : 'es'} failed`] : []),
        ...(depleted ? ['depleted'] : []),
      ];
      return `${poolName(pool)}: ${counts.join(', ')}`;
    })
    .join('; ');

export const poolName = (pool: string): string => (typeIn(pool) === ANY_TYPE ? `any type ${zoneIn(pool)}` : pool);
