import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Shard } from '../../../functions/reshard-kinesis/facts.ts';
import {
  adjacent,
  byHashKey,
  coldPairs,
  hottestAfter,
  midpoint,
  oneSidedSplits,
} from '../../../functions/reshard-kinesis/shards.ts';
import { loadsOf, shardsFrom, uniformShards } from '../../support/stream-facts.ts';

const TOP = 2n ** 128n;
const shard = (start: bigint, end: bigint, more: Partial<Shard> = {}): Shard => ({
  id: `shard-${start}`,
  startingHashKey: start.toString(),
  endingHashKey: end.toString(),
  parentId: null,
  ...more,
});
const key = fc.bigInt({ min: 0n, max: TOP - 1n });
const anyShard = fc.tuple(key, key).map(([a, b]) => (a < b ? shard(a, b) : shard(b, a)));

describe('midpoint', () => {
  it('parts the whole hash range at 2^127, exactly', () => {
    expect(midpoint(shard(0n, TOP - 1n))).toBe('170141183460469231731687303715884105728');
  });

  it.each([
    ['one key', 0n, 0n, null],
    ['two keys', 0n, 1n, null],
    ['three keys', 0n, 2n, null],
    ['four keys, whose middle is neither above start + 1 nor below the end', 0n, 3n, '2'],
    ['four keys further up', 100n, 103n, '102'],
    ['five keys', 0n, 4n, '2'],
    ['a range turned round', 9n, 3n, null],
  ])('of %s is %s..%s -> %s', (_what, start, end, expected) => {
    expect(midpoint(shard(start, end))).toBe(expected);
  });

  it('lies strictly between the second and the last key of any shard, and parts it into halves one key apart at most', () => {
    fc.assert(
      fc.property(anyShard, (any) => {
        const [start, end] = [BigInt(any.startingHashKey), BigInt(any.endingHashKey)];
        const found = midpoint(any);
        if (found === null) {
          expect(end - start).toBeLessThan(3n);
          return;
        }
        const middle = BigInt(found);
        expect(found).toMatch(/^(0|[1-9]\d{0,38})$/);
        expect(middle > start + 1n && middle < end).toBe(true);
        const [left, right] = [middle - start, end - middle + 1n];
        expect(right - left === 0n || right - left === 1n || left - right === 1n).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('hottestAfter', () => {
  const joined = (shards: readonly Shard[], loads: readonly number[], target: number) => {
    const byId = loadsOf(shards, loads);
    return hottestAfter(shards, ({ id }) => byId[id]?.now ?? 0, target);
  };

  it('joins the loads of two shards when an even line is halved', () => {
    expect(joined(uniformShards(4), [0.25, 0.5, 0.125, 0.25], 2)).toBe(0.75);
    expect(joined(uniformShards(10_000), [0.25, 0.5], 5_000)).toBe(0.75);
  });

  it('keeps the loads where the line stays as it is', () => {
    expect(joined(uniformShards(3), [0.25, 0.5, 0.125], 3)).toBe(0.5);
  });

  it('counts a shard in full wherever it shares keys: where its load lies is not known', () => {
    expect(joined(uniformShards(3), [0, 0.5, 0], 2)).toBe(0.5);
    expect(joined(uniformShards(3), [0.25, 0.5, 0.5], 2)).toBe(1);
  });

  it('joins all narrow shards that one wide shard would take in', () => {
    const narrow = shardsFrom([0n, TOP / 16n, TOP / 8n, TOP / 4n, TOP / 2n]);
    expect(joined(narrow, [0.125, 0.125, 0.125, 0.125, 0.25], 2)).toBe(0.5);
  });

  it('takes boundaries that differ by a few keys for the same', () => {
    const [left, right] = [shard(0n, TOP / 2n + 5n), shard(TOP / 2n + 6n, TOP - 1n)];
    expect(joined([left, right], [0.5, 0.25], 2)).toBe(0.5);
    const [wider, narrower] = [shard(0n, (TOP * 51n) / 100n), shard((TOP * 51n) / 100n + 1n, TOP - 1n)];
    expect(joined([wider, narrower], [0.5, 0.25], 2)).toBe(0.75);
  });

  it('counts a shard of a few keys once', () => {
    const tiny = shardsFrom([0n, 3n, TOP / 2n]);
    expect(joined(tiny, [0.5, 0.25, 0.125], 2)).toBe(0.75);
  });

  it('has nothing to say of no shards, or of ranges outside all hash keys', () => {
    expect(joined([], [], 2)).toBe(0);
    expect(joined([shard(2n * TOP, 3n * TOP)], [1], 2)).toBe(0);
  });
});

describe('adjacent', () => {
  it('is true of a shard and the one that starts a key after its end, in this order only', () => {
    const [left, right] = [shard(0n, 2n ** 100n), shard(2n ** 100n + 1n, TOP - 1n)];
    expect(adjacent(left, right)).toBe(true);
    expect(adjacent(right, left)).toBe(false);
  });

  it('is false one key apart, even where a Number could not tell', () => {
    expect(adjacent(shard(0n, 2n ** 100n), shard(2n ** 100n + 2n, TOP - 1n))).toBe(false);
    expect(adjacent(shard(0n, 2n ** 100n), shard(2n ** 100n, TOP - 1n))).toBe(false);
  });
});

describe('byHashKey', () => {
  it('sorts numerically: as text, 10 would come before 9', () => {
    const sorted = [shard(10n, 19n), shard(9n, 9n), shard(0n, 8n)].sort(byHashKey);
    expect(sorted.map(({ startingHashKey }) => startingHashKey)).toEqual(['0', '9', '10']);
  });

  it('tells keys apart that are equal as Numbers', () => {
    const [a, b] = [shard(2n ** 127n, TOP), shard(2n ** 127n + 1n, TOP)];
    expect(byHashKey(a, b)).toBe(-1);
    expect(byHashKey(b, a)).toBe(1);
    expect(byHashKey(a, a)).toBe(0);
  });

  it('puts any order of more than a thousand shards right', () => {
    const line = uniformShards(1_500);
    fc.assert(
      fc.property(fc.shuffledSubarray(line, { minLength: line.length }), (shuffled) => {
        expect([...shuffled].sort(byHashKey)).toEqual(line);
      }),
      { numRuns: 5 },
    );
  });
});

describe('oneSidedSplits', () => {
  const [left, right] = [
    shard(0n, 9n, { id: 'left', parentId: 'parent' }),
    shard(10n, 19n, { id: 'right', parentId: 'parent' }),
  ];
  const count = (loads: [number, number], splits: Record<string, number> = { parent: 0 }, shards = [left, right]) =>
    oneSidedSplits(left, shards, loadsOf([left, right], loads), splits);

  it.each([
    ['all of the load', [0.8, 0], 1],
    ['exactly nine tenths of it', [0.9, 0.1], 1],
    ['less than nine tenths of it', [0.89, 0.11], 0],
    ['none of it', [0, 0.8], 0],
  ] as const)('of a child that kept %s', (_what, [own, other], expected) => {
    expect(count([own, other])).toBe(expected);
  });

  it('go on from the count that led to the parent', () => {
    expect(count([1, 0], { parent: 1 })).toBe(2);
  });

  it('begin afresh where the load did divide', () => {
    expect(count([0.4, 0.4], { parent: 1 })).toBe(0);
  });

  it('compare a child with its sibling, whatever shard comes before it', () => {
    const other = shard(20n, 29n, { id: 'other', parentId: 'elsewhere' });
    const loads = loadsOf([other, left, right], [0.8, 0.8, 0]);
    expect(oneSidedSplits(left, [other, left, right], loads, { parent: 0 })).toBe(1);
  });

  it('are none where both children are idle', () => {
    expect(count([0, 0])).toBe(0);
  });

  it('are none where somebody else split the parent', () => {
    expect(count([1, 0], {})).toBe(0);
    expect(count([1, 0], { stranger: 1 })).toBe(0);
  });

  it('are none where the sibling is gone or there is no parent', () => {
    expect(count([1, 0], { parent: 1 }, [left])).toBe(0);
    const orphan = shard(0n, 9n);
    expect(oneSidedSplits(orphan, [orphan, shard(10n, 19n)], loadsOf([orphan], [1]), {})).toBe(0);
  });

  it('take a child without a load for idle', () => {
    expect(oneSidedSplits(left, [left, right], { right: { now: 1, throttled: 0, day: null } }, { parent: 0 })).toBe(0);
    expect(oneSidedSplits(left, [left, right], { left: { now: 1, throttled: 0, day: null } }, { parent: 0 })).toBe(1);
  });
});

describe('coldPairs', () => {
  const pairs = (
    loads: readonly number[],
    cap = 0.5,
    want = 100,
    shards: readonly Shard[] = uniformShards(loads.length),
  ) => {
    const byId = loadsOf(shards, loads);
    return coldPairs(shards, ({ id }) => byId[id]?.now ?? 0, cap, want).map((pair) =>
      pair.map(({ id }) => Number(id.slice(-4))),
    );
  };

  it('joins neighbours whose joint load is exactly the cap, and none above it', () => {
    expect(pairs([0.25, 0.25])).toEqual([[0, 1]]);
    expect(pairs([0.25, 0.26])).toEqual([]);
  });

  it('takes each shard once', () => {
    expect(pairs([0.1, 0.1, 0.1])).toEqual([[0, 1]]);
  });

  it('goes round a hot shard', () => {
    expect(pairs([0.1, 0.9, 0.1, 0.1])).toEqual([[2, 3]]);
  });

  it('takes the coldest first and no more than wanted', () => {
    expect(pairs([0.2, 0.2, 0.1, 0.1, 0.15, 0.15])).toEqual([
      [2, 3],
      [4, 5],
      [0, 1],
    ]);
    expect(pairs([0.2, 0.2, 0.1, 0.1, 0.15, 0.15], 0.5, 2)).toEqual([
      [2, 3],
      [4, 5],
    ]);
  });

  it('joins no two shards with a gap between them', () => {
    const [first, , third] = uniformShards(3);
    expect(pairs([0, 0], 0.5, 9, first && third ? [first, third] : [])).toEqual([]);
  });

  it('has nothing to join in a line of one, or none', () => {
    expect(pairs([0])).toEqual([]);
    expect(pairs([])).toEqual([]);
  });

  it('finds the most disjoint pairs there are, in any order of the shards, adjacent and within the cap', () => {
    const most = (loads: readonly number[], cap: number): number => {
      const best = [0, 0];
      for (let i = 2; i <= loads.length; i++) {
        const joint = (loads[i - 2] ?? 0) + (loads[i - 1] ?? 0) <= cap ? 1 : 0;
        best.push(Math.max(best[i - 1] ?? 0, (best[i - 2] ?? 0) + joint));
      }
      return best[loads.length] ?? 0;
    };
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 30 }),
        fc.nat(),
        (loads, seed) => {
          const line = uniformShards(loads.length);
          const byId = loadsOf(line, loads);
          const load = ({ id }: Shard) => byId[id]?.now ?? 0;
          const shuffled = line.toSorted(
            (a, b) => ((Number(a.id.slice(-4)) * 7919 + seed) % 31) - ((Number(b.id.slice(-4)) * 7919 + seed) % 31),
          );
          const found = coldPairs(shuffled, load, 0.5, loads.length);
          expect(found).toHaveLength(most(loads, 0.5));
          expect(new Set(found.flat()).size).toBe(2 * found.length);
          for (const [left, right] of found) {
            expect(adjacent(left, right)).toBe(true);
            expect(load(left) + load(right)).toBeLessThanOrEqual(0.5);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('pairs up a line of more than a thousand shards', () => {
    expect(
      pairs(
        Array.from({ length: 1_501 }, () => 0.01),
        0.5,
        10_000,
      ),
    ).toHaveLength(750);
  });

  it('splits lines at uneven boundaries too', () => {
    expect(pairs([0.1, 0.1], 0.5, 1, shardsFrom([0n, 3n]))).toEqual([[0, 1]]);
  });
});
