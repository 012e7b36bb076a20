import type { Shard, ShardLoad } from './facts.ts';

/** Hash keys are 128-bit: 2^127 does not survive a Number. */
const range = (shard: Shard): { start: bigint; end: bigint } => ({
  start: BigInt(shard.startingHashKey),
  end: BigInt(shard.endingHashKey),
});

/**
 * Where to split a shard into two equal halves; null where it is too narrow.
 * Kinesis wants the key greater than one plus the start and less than the end.
 */
export const midpoint = (shard: Shard): string | null => {
  const { start, end } = range(shard);
  const middle = start + (end - start + 1n) / 2n;
  return middle > start + 1n && middle < end ? middle.toString() : null;
};

export const adjacent = (left: Shard, right: Shard): boolean => range(left).end + 1n === range(right).start;

const HASH_KEYS = 2 ** 128;
/** Boundaries this close, in shares of a shard's width, are the same boundary. */
const SAME_BOUNDARY = 0.01;

/**
 * The most that one of `target` equal shards could have to carry: all of every shard it shares hash keys with.
 * Where inside its range a shard's load lies is not known.
 */
export const hottestAfter = (shards: readonly Shard[], load: (shard: Shard) => number, target: number): number => {
  const loads: number[] = [];
  for (const shard of shards) {
    const { start, end } = range(shard);
    const from = (Number(start) / HASH_KEYS) * target + SAME_BOUNDARY;
    const to = (Number(end) / HASH_KEYS) * target - SAME_BOUNDARY;
    const own = load(shard);
    for (let i = Math.floor(from); i <= Math.max(to, from) && i < target; i++) loads[i] = (loads[i] ?? 0) + own;
  }
  return loads.reduce((most, one) => Math.max(most, one), 0);
};

/** A shard this much wider than the mean takes so much more of evenly spread keys. */
const UNEVEN = 1.25;

/** Whether a uniform step has left shards of unequal width, so that the stream carries less than their number says. */
export const isUneven = (shards: readonly Shard[]): boolean =>
  shards.some((shard) => {
    const { start, end } = range(shard);
    return (Number(end - start) / HASH_KEYS) * shards.length > UNEVEN;
  });

/** Numeric order of hash ranges; as text, "10" sorts before "9". */
export const byHashKey = (a: Shard, b: Shard): number => {
  const difference = BigInt(a.startingHashKey) - BigInt(b.startingHashKey);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};

/** A child that kept this share of its parent's load makes the split one-sided. */
const ONE_SIDED = 0.9;

/**
 * One-sided splits in a row that led to this shard: 0 where its parent was not split by us or the load did divide.
 * Two mean that one partition key carries the load, and no split will part it.
 */
export const oneSidedSplits = (
  shard: Shard,
  shards: readonly Shard[],
  loads: Readonly<Record<string, ShardLoad>>,
  splits: Readonly<Record<string, number>>,
): number => {
  const before = shard.parentId === null ? undefined : splits[shard.parentId];
  const sibling = shards.find((other) => other.id !== shard.id && other.parentId === shard.parentId);
  if (before === undefined || sibling === undefined) return 0;
  const own = loads[shard.id]?.now ?? 0;
  const both = own + (loads[sibling.id]?.now ?? 0);
  return both > 0 && own / both >= ONE_SIDED ? before + 1 : 0;
};

/**
 * Disjoint pairs of neighbours whose joint load stays within `cap`, coldest first, at most `want` of them.
 * Taken left to right in hash order, which yields the most pairs a line of shards can give.
 */
export const coldPairs = (
  shards: readonly Shard[],
  load: (shard: Shard) => number,
  cap: number,
  want: number,
): [Shard, Shard][] => {
  const line = shards.toSorted(byHashKey);
  const pairs: [Shard, Shard][] = [];
  for (let i = 0; i + 1 < line.length; i++) {
    const [left, right] = [line[i], line[i + 1]];
    if (left && right && adjacent(left, right) && load(left) + load(right) <= cap) {
      pairs.push([left, right]);
      i++;
    }
  }
  const joint = ([left, right]: [Shard, Shard]) => load(left) + load(right);
  return pairs.sort((a, b) => joint(a) - joint(b)).slice(0, want);
};
