import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { band, grown, shrunk } from '../../../functions/reshard-kinesis/sizing.ts';

const free = { min: 1, max: 10_000, free: null };
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

describe('band', () => {
  it.each([
    [0.5, 0.75, 0.25],
    [0.2, 0.3, 0.1],
    [0.8, 0.9, 0.4],
  ])('puts the target %f between scale-up above %f and scale-in below %f', (target, up, down) => {
    expect(band(target).up).toBeCloseTo(up, 12);
    expect(band(target).down).toBeCloseTo(down, 12);
  });

  it('leaves room for a doubling and a halving between its edges at every target, so that neither lands beyond the other', () => {
    for (let target = 0.2; target <= 0.8; target += 0.001) {
      const { up, down } = band(target);
      expect(down).toBeLessThan(up / 2);
      expect(down).toBeLessThan(target);
      expect(up).toBeGreaterThan(target);
      expect(up).toBeLessThan(1);
    }
  });
});

describe('grown', () => {
  it.each([
    ['doubles where one more shard would do', 4, 5, free, 8],
    ['doubles and no more where the need is far beyond', 4, 40, free, 8],
    ['doubles one shard', 1, 2, free, 2],
    ['takes the smallest multiple of 25 % that suffices where doubling is too much', 8, 11, { ...free, max: 15 }, 12],
    ['takes a multiple of 25 % that is exactly enough', 8, 12, { ...free, max: 15 }, 12],
    ['takes the largest multiple of 25 % where none suffices', 8, 15, { ...free, max: 15 }, 14],
    ['takes a half more of a count that has no quarters', 6, 7, { ...free, max: 10 }, 9],
    ['takes what the maximum leaves where no multiple of 25 % fits', 3, 6, { ...free, max: 5 }, 5],
    ['takes one more shard where that is all the maximum leaves', 8, 16, { ...free, max: 9 }, 9],
    ['stays where the maximum is reached', 8, 16, { ...free, max: 8 }, 8],
    ['stays where the maximum is below the present count', 8, 16, { ...free, max: 4 }, 8],
    ['goes up to the most the API accepts', 6_000, 12_000, { ...free, max: 20_000 }, 9_000],
    ['reaches exactly the most the API accepts', 5_000, 9_000, free, 10_000],
    ['stays at the most the API accepts', 10_000, 20_000, { ...free, max: 20_000 }, 10_000],
    ['doubles with exactly as many free shards as it splits', 4, 8, { ...free, free: 4 }, 8],
    ['stays where the account lacks one free shard for the splits', 4, 8, { ...free, free: 3 }, 4],
    ['counts the intermediate shards of a step that also merges', 8, 11, { ...free, max: 11, free: 9 }, 10],
    ['takes that step where the account has room for its splits', 8, 11, { ...free, max: 11, free: 10 }, 10],
  ])('%s', (_promise, n, required, bounds, expected) => {
    expect(grown(n, required, bounds)).toBe(expected);
  });

  it('takes the step of most shards among those whose splits the account can hold', () => {
    // 3 -> 5 needs 5 - gcd(3, 5) = 4 free shards, 3 -> 4 only 3.
    expect(grown(3, 6, { ...free, max: 5, free: 4 })).toBe(5);
    expect(grown(3, 6, { ...free, max: 5, free: 3 })).toBe(4);
  });
});

describe('shrunk', () => {
  it.each([
    ['halves an even count', 8, 1, free, 4],
    ['halves two shards', 2, 1, free, 1],
    ['takes the half of an odd count rounded up: half a shard less would be refused', 3, 1, free, 2],
    ['takes the half of a larger odd count rounded up', 9, 1, free, 5],
    ['stays at one shard', 1, 1, free, 1],
    ['stops at what the demand needs', 8, 5, free, 6],
    ['takes a multiple of 25 % that is exactly what the demand needs', 8, 6, free, 6],
    ['takes what the demand needs where the count has no quarters', 6, 4, free, 4],
    ['stops at the minimum', 8, 1, { ...free, min: 7 }, 7],
    ['halves down to exactly the minimum', 8, 1, { ...free, min: 4 }, 4],
    ['stays at the minimum', 8, 1, { ...free, min: 8 }, 8],
    ['stays below the minimum', 8, 1, { ...free, min: 9 }, 8],
    ['stays where the demand needs all', 8, 8, free, 8],
    ['halves without a free shard: a halving only merges', 8, 1, { ...free, free: 0 }, 4],
    ['stays where a step that also splits finds too few free shards', 3, 1, { ...free, free: 0 }, 3],
    ['takes that step with exactly as many free shards as it splits', 3, 1, { ...free, free: 1 }, 2],
    ['takes the next step whose splits the account can hold', 8, 5, { ...free, min: 5, free: 3 }, 8],
    ['halves a stream above the most the API accepts', 15_000, 1, free, 7_500],
    ['stays where half of such a stream is still too much', 20_001, 1, free, 20_001],
    ['stays where such a stream would not get below the most the API accepts', 20_000, 1, free, 20_000],
  ])('%s', (_promise, n, required, bounds, expected) => {
    expect(shrunk(n, required, bounds)).toBe(expected);
  });
});

describe('every step', () => {
  const bounds = fc.record({
    min: fc.integer({ min: 1, max: 10_000 }),
    max: fc.integer({ min: 1, max: 10_000 }),
    free: fc.option(fc.integer({ min: 0, max: 20_000 })),
  });
  const counts = fc.record({
    n: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 10_000 })),
    required: fc.integer({ min: 1, max: 50_000 }),
    bounds,
  });

  it('up stays within double, the maximum, the API and the free shards, intermediate ones included', () => {
    fc.assert(
      fc.property(counts, ({ n, required, bounds }) => {
        const m = grown(n, required, bounds);
        if (m === n) return;
        expect(m).toBeGreaterThan(n);
        expect(m).toBeLessThanOrEqual(Math.min(2 * n, bounds.max, 10_000));
        expect(m - gcd(n, m)).toBeLessThanOrEqual(bounds.free ?? Infinity);
      }),
      { numRuns: 1_000 },
    );
  });

  it('down stays within half, the minimum, the need and the free shards, intermediate ones included', () => {
    fc.assert(
      fc.property(counts, ({ n, required, bounds }) => {
        const m = shrunk(n, required, bounds);
        if (m === n) return;
        expect(m).toBeLessThan(n);
        expect(2 * m).toBeGreaterThanOrEqual(n);
        expect(m).toBeGreaterThanOrEqual(Math.max(bounds.min, required));
        expect(m - gcd(n, m)).toBeLessThanOrEqual(bounds.free ?? Infinity);
      }),
      { numRuns: 1_000 },
    );
  });

  it('that is not taken was not possible: some count is taken wherever one fits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 120 }),
        fc.record({
          min: fc.integer({ min: 1, max: 60 }),
          max: fc.integer({ min: 1, max: 120 }),
          free: fc.option(fc.nat(120)),
        }),
        (n, required, bounds) => {
          const room = (m: number) => m - gcd(n, m) <= (bounds.free ?? Infinity);
          const all = Array.from({ length: 2 * n }, (_, i) => i + 1);
          const ups = all.filter((m) => m > n && m <= bounds.max && room(m));
          const downs = all.filter((m) => m < n && 2 * m >= n && m >= Math.max(bounds.min, required) && room(m));
          expect(grown(n, required, bounds) > n).toBe(ups.length > 0);
          expect(shrunk(n, required, bounds) < n).toBe(downs.length > 0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
