import type { JsonObject } from '../../../shared/json.ts';
import { ANY_TYPE, type GroupFacts, type News, typeIn, zoneIn } from './facts.ts';

const MINUTE = 60_000;
/** Signals are counted over this long. */
export const WINDOW = 5 * MINUTE;
/** Without a depleted pool for this long, the storm is over. */
export const QUIET = 30 * MINUTE;
/** For `npm run ops -- pools`. */
const SHOWN = 60 * MINUTE;
/** Storms lie further apart than QUIET less WINDOW; what two invocations take for the beginning of one differs by WINDOW at most. */
const SAME_STORM = 15 * MINUTE;
/** About 40 bytes each in an item of 400 KB. */
const SIGNALS_AT_MOST = 2_000;

/** What was told of one pool; times are the events' own, epoch ms. */
export type PoolMemory = {
  /** By instance. */
  readonly lost: Readonly<Record<string, number>>;
  /** By scaling activity. */
  readonly failed: Readonly<Record<string, number>>;
  /** The most instances seen in it. */
  readonly size: number;
};

/** When the first and the last signal came that made up a depleted pool, or a mass interruption. */
export type StormMemory = { readonly since: number; readonly last: number };

/** The on-demand base as Reflex has changed it. */
export type Fallback = {
  /** Before the first change. */
  readonly original: number;
  /** What Reflex set. */
  readonly set: number;
  /** What it found, and what is still true where the call was lost. */
  readonly was: number;
  /** The most it set. */
  readonly peak: number;
  /** What the present storm found. */
  readonly before: number;
  /** Beginning of the storm it was last raised for. */
  readonly storm: number;
  /** When this was last changed. */
  readonly at: number;
  /** AWS has shown `set` since. */
  readonly confirmed: boolean;
  /** Absent: in force. */
  readonly end?: 'reverted' | 'taken-over';
};

/** What this part asks the ledger to remember of a group. */
export type Memory = {
  readonly pools?: Readonly<Record<string, PoolMemory>>;
  readonly storm?: StormMemory;
  readonly fallback?: Fallback;
};

/**
 * Pure: the memory with what the events tell. Each instance and each activity counts once; their order does not matter. What claims to
 * come from the future is of now: else a storm would not end before that.
 */
export const heeding = (memory: Memory, { news, pools: present }: GroupFacts, now: number): Memory => {
  const heard = news.map((one): News => ({ ...one, at: Math.min(one.at, now) }));
  const told = heard.reduce<Record<string, PoolMemory>>(adding, { ...memory.pools });
  const pools = Object.entries(told).map(([pool, known]) => [
    pool,
    { ...known, size: Math.max(known.size, sizeOf(pool, present)) },
  ]);
  return { ...memory, pools: Object.fromEntries(pools) };
};

const adding = (pools: Record<string, PoolMemory>, { kind, id, pool, at }: News): Record<string, PoolMemory> => {
  const known = pools[pool] ?? { lost: {}, failed: {}, size: 0 };
  const field = kind === 'interruption' ? 'lost' : 'failed';
  return { ...pools, [pool]: { ...known, [field]: earliest(known[field], { [id]: at }) } };
};

const sizeOf = (pool: string, present: GroupFacts['pools']): number =>
  typeIn(pool) === ANY_TYPE
    ? Object.entries(present).reduce((sum, [other, n]) => sum + (zoneIn(other) === zoneIn(pool) ? n : 0), 0)
    : (present[pool] ?? 0);

/** Pure: without what is over. What an on-demand base was raised for stays as long as it is in force. */
export const pruned = (memory: Memory, now: number): Memory => {
  const { storm, fallback } = memory;
  const raging = storm !== undefined && now - storm.last < QUIET;
  const inForce = fallback !== undefined && fallback.end === undefined;
  const from = storm !== undefined && (raging || inForce) ? Math.min(storm.since, now - SHOWN) : now - SHOWN;
  const times = Object.values(memory.pools ?? {}).flatMap(({ lost, failed }) => [
    ...Object.values(lost),
    ...Object.values(failed),
  ]);
  const oldest = Math.max(from, times.sort((a, b) => b - a)[SIGNALS_AT_MOST - 1] ?? from);
  const since = (signals: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(signals).filter(([, at]) => at >= oldest));
  const pools = Object.entries(memory.pools ?? {})
    .map(([pool, { lost, failed, size }]) => [pool, { lost: since(lost), failed: since(failed), size }] as const)
    .filter(([, { lost, failed }]) => Object.keys(lost).length + Object.keys(failed).length > 0);
  return {
    ...(pools.length > 0 && { pools: Object.fromEntries(pools) }),
    ...(storm !== undefined && (raging || inForce) && { storm }),
    ...(fallback !== undefined && (raging || inForce) && { fallback }),
  };
};

/**
 * Pure: one memory of two, whoever was first. Signals add up; of what was done to the base, the later counts.
 */
export const join = (a: Memory, b: Memory): Memory => {
  const names = [...new Set([...Object.keys(a.pools ?? {}), ...Object.keys(b.pools ?? {})])].sort();
  const storm = oneStorm(a.storm, b.storm);
  const fallback = later(a.fallback, b.fallback);
  return {
    pools: Object.fromEntries(names.map((name) => [name, onePool(a.pools?.[name], b.pools?.[name])])),
    ...(storm && { storm }),
    ...(fallback && { fallback }),
  };
};

export const joinMemories = (theirs: JsonObject, ours: JsonObject): JsonObject => join(theirs, ours);

const NOTHING: PoolMemory = { lost: {}, failed: {}, size: 0 };

const onePool = (a = NOTHING, b = NOTHING): PoolMemory => ({
  lost: earliest(a.lost, b.lost),
  failed: earliest(a.failed, b.failed),
  size: Math.max(a.size, b.size),
});

/** A warning may be told again, with a later time. */
const earliest = (
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> => {
  const ids = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return Object.fromEntries(ids.map((id) => [id, Math.min(a[id] ?? Infinity, b[id] ?? Infinity)]));
};

const oneStorm = (a: StormMemory | undefined, b: StormMemory | undefined): StormMemory | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  if (Math.abs(a.last - b.last) >= QUIET) return a.last > b.last ? a : b;
  return { since: Math.min(a.since, b.since), last: Math.max(a.last, b.last) };
};

const later = (a: Fallback | undefined, b: Fallback | undefined): Fallback | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.at !== b.at) return a.at > b.at ? a : b;
  return { ...b, confirmed: a.confirmed || b.confirmed };
};

/** Whether the base was raised for this storm. */
export const isOfStorm = (fallback: Fallback, storm: StormMemory): boolean =>
  Math.abs(storm.since - fallback.storm) < SAME_STORM;
