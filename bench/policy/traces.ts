import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const HASH_KEYS = 2n ** 128n;
const HOUR = 3_600;
const DAY = 24 * HOUR;
/** A Monday, 00:00 UTC. */
const EPOCH = Date.parse('2026-03-02T00:00:00Z');
/** Cells of the hash range, each with a weight of its own: keys are never spread evenly. */
const CELLS = 4_096;
/** Standard deviation of the logarithm of a cell's weight: 16 shards differ by some 5 %, 64 by some 10 %. */
const CELL_SPREAD = 0.7;
/** The same of the load from second to second, unless the trace says otherwise. */
const SECOND_SPREAD = 0.08;

/** How fresh records fall on the hash range. */
export interface Spread {
  /** Share of the load below each cell's start, and 1 at the end. */
  readonly cumulative: Float64Array;
  /** Partition keys that carry a share of their own, at a position in the hash range (0..1). */
  readonly keys: readonly { readonly at: number; readonly share: number }[];
}

export interface Trace {
  readonly name: string;
  readonly title: string;
  readonly epochMs: number;
  /** Fresh records offered to the stream, by second. */
  readonly recordsPerSecond: Float64Array;
  readonly recordBytes: number;
  /** From which second on which spread holds. */
  readonly spreads: readonly { readonly from: number; readonly spread: Spread }[];
  /** Open shards at the start: what carries the first hour at 50 %, unless the trace says otherwise. */
  readonly shards: number;
}

/** Share of the fresh records that hash into a range. */
export const shareOf = (range: { readonly start: bigint; readonly end: bigint }, spread: Spread): number => {
  const from = Number(range.start) / 2 ** 128;
  const to = Number(range.end + 1n) / 2 ** 128;
  const below = (at: number): number => {
    const cell = Math.min(Math.floor(at * CELLS), CELLS - 1);
    const [low = 0, high = 0] = [spread.cumulative[cell], spread.cumulative[cell + 1]];
    return low + (high - low) * (at * CELLS - cell);
  };
  const single = spread.keys.filter(({ at }) => at >= from && at < to).reduce((sum, { share }) => sum + share, 0);
  const keyed = spread.keys.reduce((sum, { share }) => sum + share, 0);
  return (below(to) - below(from)) * (1 - keyed) + single;
};

/** What one shard takes, records a second: 1,000, or as many as 1 MiB holds. */
export const perShardOf = ({ recordBytes }: Pick<Trace, 'recordBytes'>): number =>
  Math.min(1_000, 1_048_576 / recordBytes);

/** Mean load of each minute, in shards' worth. */
export const worthOf = (trace: Trace): number[] =>
  Array.from({ length: Math.floor(trace.recordsPerSecond.length / 60) }, (_, minute) => {
    const records = trace.recordsPerSecond.subarray(minute * 60, minute * 60 + 60);
    return records.reduce((sum, one) => sum + one, 0) / 60 / perShardOf(trace);
  });

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export const randomOf = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** `extra`: a range of the hash keys that carries a share of the load on top of its own. */
const spreadOf = (
  seed: number,
  { extra, keys = [] }: { extra?: { from: number; to: number; share: number }; keys?: Spread['keys'] } = {},
): Spread => {
  const random = randomOf(seed);
  const weights = Array.from({ length: CELLS }, () => Math.exp(CELL_SPREAD * normal(random)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const cumulative = new Float64Array(CELLS + 1);
  const [from, to] = [Math.round((extra?.from ?? 0) * CELLS), Math.round((extra?.to ?? 0) * CELLS)];
  const share = extra?.share ?? 0;
  for (const [i, weight] of weights.entries()) {
    const more = i >= from && i < to ? share / (to - from) : 0;
    cumulative[i + 1] = (cumulative[i] ?? 0) + (weight / total) * (1 - share) + more;
  }
  return { cumulative, keys };
};

interface Shape {
  readonly title: string;
  readonly days: number;
  readonly seed: number;
  /** Shards' worth offered at a second, before noise. */
  readonly worth: (second: number, random: () => number) => number;
  readonly recordBytes?: number;
  /** Standard deviation of the logarithm of the load from second to second. */
  readonly noise?: number;
  readonly shards?: number;
  readonly spreads?: (seed: number) => Trace['spreads'];
}

const made = (
  name: string,
  { title, days, seed, worth, recordBytes = 700, noise = SECOND_SPREAD, shards, spreads }: Shape,
): Trace => {
  const random = randomOf(seed);
  const perShard = perShardOf({ recordBytes });
  const recordsPerSecond = new Float64Array(days * DAY);
  for (let second = 0; second < recordsPerSecond.length; second++) {
    const factor = Math.exp(noise * normal(random));
    recordsPerSecond[second] = worth(second, random) * perShard * factor;
  }
  const first = recordsPerSecond.subarray(0, HOUR).reduce((sum, records) => sum + records, 0) / HOUR / perShard;
  return {
    name,
    title,
    epochMs: EPOCH,
    recordsPerSecond,
    recordBytes,
    spreads: spreads?.(seed) ?? [{ from: 0, spread: spreadOf(seed) }],
    shards: shards ?? Math.max(1, Math.ceil(first / 0.5)),
  };
};

const hour = (second: number): number => (second % DAY) / HOUR;
/** 0 at `from`, 1 from `to` on. */
const rise = (second: number, from: number, to: number): number =>
  Math.min(1, Math.max(0, (second - from) / (to - from)));

/** Mentions of a company on Twitter in five minutes each; see bench/traces/README.md. */
const mentions = (): number[] =>
  readFileSync(join(import.meta.dirname, '../traces/tweets.csv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => Number(line.split(',')[1]));

const shapes: Readonly<Record<string, () => Shape>> = {
  diurnal: () => ({
    title: 'Diurnal',
    days: 5,
    seed: 1,
    worth: (second) => 8 - 5.5 * Math.cos(((hour(second) - 3) / 24) * 2 * Math.PI),
  }),
  'flash-crowd': () => ({
    title: 'Flash crowd x8',
    days: 5,
    seed: 2,
    worth: (second) => {
      const since = second - (2 * DAY + 14 * HOUR);
      if (since < 0) return 2;
      return since < HOUR ? 2 + 14 * rise(since, 0, 120) : 2 + 14 * Math.exp(-(since - HOUR) / (0.5 * HOUR));
    },
  }),
  'slow-ramp': () => ({
    title: 'Slow ramp',
    days: 5,
    seed: 3,
    worth: (second) => 2 + 18 * rise(second, 0.5 * DAY, 4.5 * DAY),
  }),
  bursts: () => {
    let until = 0;
    let next = 0;
    return {
      title: 'Bursts under a minute',
      days: 5,
      seed: 4,
      worth: (second, random) => {
        if (second >= next) {
          until = second + 5 + Math.floor(15 * random());
          next = second + 600 + Math.floor(1_200 * random());
        }
        return second < until ? 8 : 2;
      },
    };
  },
  'hot-key': () => ({
    title: 'Hot key',
    days: 5,
    seed: 5,
    worth: (second) => 5 + (second >= 2 * DAY ? 1.4 : 0),
    spreads: (seed) => [
      { from: 0, spread: spreadOf(seed) },
      { from: 2 * DAY, spread: spreadOf(seed, { keys: [{ at: 0.3141, share: 1.4 / 6.4 }] }) },
    ],
  }),
  'hot-shard': () => ({
    title: 'Hot shard',
    days: 5,
    seed: 6,
    worth: (second) => 5 + (second >= 2 * DAY ? 2 : 0),
    spreads: (seed) => [
      { from: 0, spread: spreadOf(seed) },
      { from: 2 * DAY, spread: spreadOf(seed, { extra: { from: 0.4, to: 0.5, share: 2 / 7 } }) },
    ],
  }),
  'night-silence': () => ({
    title: 'Night-time silence',
    days: 5,
    seed: 7,
    worth: (second) => (hour(second) >= 6 && hour(second) < 20 ? 4.5 : 0),
    shards: 9,
  }),
  outage: () => ({
    title: 'Producer outage',
    days: 5,
    seed: 8,
    worth: (second) => {
      const since = second - (2 * DAY + 10 * HOUR);
      if (since < 0 || since >= 6 * HOUR) return 6;
      return since < 5 * HOUR ? 0 : 12;
    },
  }),
  'odd-counts': () => ({
    title: 'Odd shard counts',
    days: 5,
    seed: 9,
    recordBytes: 4_096,
    shards: 7,
    worth: (second) => (second < DAY ? 3.4 : second < 1.5 * DAY ? 3.4 + 4 * rise(second, DAY, DAY + 2 * HOUR) : 1.3),
  }),
  tweets: () => {
    const counts = mentions();
    const most = counts.reduce((top, value) => Math.max(top, value), 0);
    return {
      title: 'Tweets (recorded)',
      days: Math.floor((counts.length * 300) / HOUR) / 24,
      seed: 10,
      worth: (second) => (12 * (counts[Math.floor(second / 300)] ?? 0)) / most,
    };
  },
};

/** A peak of the day around an hour, about two hours to each side. */
const peakAt = (second: number, at: number): number => Math.exp(-(((hour(second) - at) / 1.5) ** 2) / 2);

/** Chosen before the policy was last changed, as a check. No rule was made for one of them, but their results were seen. */
const further: Readonly<Record<string, () => Shape>> = {
  weekly: () => ({
    title: 'Weekly, quiet weekend',
    days: 14,
    seed: 11,
    worth: (second) =>
      Math.floor(second / DAY) % 7 < 5 ? 6 - 4 * Math.cos(((hour(second) - 3) / 24) * 2 * Math.PI) : 1.5,
  }),
  'two-peaks': () => ({
    title: 'Two peaks a day',
    days: 5,
    seed: 12,
    worth: (second) => 3 + 6 * peakAt(second, 9) + 9 * peakAt(second, 20),
  }),
  step: () => ({
    title: 'A step that stays',
    days: 5,
    seed: 13,
    worth: (second) => (second < 1.5 * DAY ? 2 : 9),
  }),
  sawtooth: () => ({
    title: 'Sawtooth of six hours',
    days: 5,
    seed: 14,
    worth: (second) => 2 + 8 * ((second % (6 * HOUR)) / (6 * HOUR)),
  }),
  noisy: () => ({
    title: 'Noisy seconds',
    days: 5,
    seed: 15,
    noise: 0.25,
    worth: (second) => 5 - 2.5 * Math.cos(((hour(second) - 3) / 24) * 2 * Math.PI),
  }),
  decay: () => ({
    title: 'Slow decay',
    days: 7,
    seed: 16,
    worth: (second) => 2 + 18 * 0.5 ** (second / DAY),
  }),
};

/** Names of the traces of the table, in its order. */
export const traceNames: readonly string[] = Object.keys(shapes);
export const furtherNames: readonly string[] = Object.keys(further);

/**
 * `seed`: another course of the same load.
 * @throws Error where there is no trace of that name.
 */
export const traceNamed = (name: string, seed?: number): Trace => {
  const shape = (shapes[name] ?? further[name])?.();
  if (shape === undefined)
    throw new Error(`no trace "${name}"; there are: ${[...traceNames, ...furtherNames].join(', ')}`);
  return made(name, { ...shape, ...(seed !== undefined && { seed }) });
};
