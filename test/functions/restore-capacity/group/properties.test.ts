import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../../functions/restore-capacity/group/decide.ts';
import type { News } from '../../../../functions/restore-capacity/group/facts.ts';
import { join, type Memory } from '../../../../functions/restore-capacity/group/memory.ts';
import { at, instanceId } from '../../../support/event-builders.ts';
import { baseSetBy, groupDriver, MINUTE, OTHER_POOL, opted, POOL, situation } from '../../../support/group-facts.ts';

/** Signals of one storm: all within five minutes. */
const signal = (spread = 4 * MINUTE) =>
  fc.record({
    kind: fc.constantFrom<News['kind']>('interruption', 'interruption', 'launch-failure'),
    id: fc.integer({ min: 1, max: 40 }).map(instanceId),
    pool: fc.constantFrom(POOL, OTHER_POOL, 'm5.large eu-west-1b'),
    at: fc.integer({ min: 0, max: spread }).map((ms) => at + ms),
  });
const interruption = signal().map((news): News => ({ ...news, kind: 'interruption', pool: POOL }));

/** A list in another order, with some of it twice, cut into batches. */
const delivered = (news: readonly News[]) =>
  fc
    .tuple(
      fc.shuffledSubarray([...news], { minLength: news.length }),
      fc.subarray([...news]),
      fc.integer({ min: 1, max: 7 }),
    )
    .map(([all, twice, size]) => {
      const list = [...all, ...twice];
      return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
    });

const NOW = at + 4 * MINUTE;
/** Everything is delivered within a second; then the group is looked at until the raise is complete. */
const baseAfter = (batches: readonly (readonly News[])[]): number | null => {
  const group = groupDriver({ max: 1_000 });
  for (const [i, batch] of batches.entries()) group.look(NOW + i, batch);
  group.look(NOW + MINUTE + 1_000);
  return group.base;
};

describe('the on-demand base', () => {
  it('comes to the same, whatever the order, the batches and the duplicates of the warnings', () => {
    fc.assert(
      fc.property(
        fc
          .uniqueArray(interruption, { minLength: 3, maxLength: 30, selector: ({ id }) => id })
          .chain((news) => fc.tuple(fc.constant(news), delivered(news))),
        ([news, batches]) => {
          expect(baseAfter(batches)).toBe(2 + news.length);
        },
      ),
    );
  });

  it('is never above its cap, and never below what it was before the storm', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 10 * MINUTE }), fc.array(signal(0), { maxLength: 6 })), {
          minLength: 1,
          maxLength: 25,
        }),
        fc.integer({ min: 0, max: 30 }),
        fc.option(fc.integer({ min: 1, max: 30 })),
        fc.integer({ min: 0, max: 10 }),
        (looks, max, fallbackMax, base) => {
          const start = { max, distribution: { base, percentageAboveBase: 0, segments: false } };
          const group = groupDriver(start, { ...opted, fallbackMax });
          const cap = Math.min(max, fallbackMax ?? max);
          let now = at;
          for (const [pause, news] of looks) {
            now += pause;
            group.look(
              now,
              news.map((one) => ({ ...one, at: now })),
            );
          }
          for (const set of group.bases) {
            expect(set).toBeLessThanOrEqual(Math.max(cap, base));
            expect(set).toBeGreaterThanOrEqual(base);
          }
        },
      ),
    );
  });

  it('is exactly what it was when all is quiet, whatever came', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 40 * MINUTE }), fc.array(signal(0), { maxLength: 8 })), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.integer({ min: 0, max: 20 }),
        (looks, base) => {
          const group = groupDriver({ max: 60, distribution: { base, percentageAboveBase: 0, segments: false } });
          let now = at;
          for (const [pause, news] of looks) {
            now += pause;
            group.look(
              now,
              news.map((one) => ({ ...one, at: now })),
            );
          }
          group.settle(now + MINUTE, now + 24 * 60 * MINUTE);
          expect(group.base).toBe(base);
          const last = group.look(now + 25 * 60 * MINUTE);
          expect([last.kind, group.memory]).toEqual(['skip', {}]);
        },
      ),
    );
  });

  it('is let go at once when somebody else changes it, and not touched for the rest of the storm', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 12 }),
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 1, max: 12 }),
        (lost, foreign, more) => {
          fc.pre(foreign !== 2 + lost);
          const group = groupDriver({ max: 100 });
          const some = (count: number, first: number, when: number): News[] =>
            Array.from({ length: count }, (_, i) => ({
              kind: 'interruption',
              id: instanceId(first + i),
              pool: POOL,
              at: when,
            }));
          group.look(at, some(lost, 1, at));
          group.look(at + MINUTE);
          group.setBase(foreign);
          group.look(at + 2 * MINUTE, some(more, 100, at + 2 * MINUTE));
          group.settle(at + 3 * MINUTE, at + 120 * MINUTE);
          expect([group.base, group.bases]).toEqual([foreign, [2 + lost]]);
        },
      ),
    );
  });
});

describe('a decision', () => {
  it('changes the base of a mixed instances policy or nothing: never a capacity', () => {
    fc.assert(
      fc.property(
        fc.array(signal(), { maxLength: 30 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 60 }),
        fc.option(
          fc.record({ base: fc.nat({ max: 50 }), percentageAboveBase: fc.nat({ max: 100 }), segments: fc.boolean() }),
        ),
        fc.constantFrom('units', 'vcpu', 'memory-mib'),
        (news, desired, present, distribution, desiredType) => {
          const decision = decide(situation({ news, desired, present, distribution, desiredType }), opted, NOW);
          expect(decision.why).not.toMatch(/undefined|NaN|Infinity|null/);
          if (decision.kind !== 'act') return;
          expect(decision.calls).toEqual([
            {
              call: 'UpdateAutoScalingGroup',
              params: {
                AutoScalingGroupName: 'workers',
                MixedInstancesPolicy: { InstancesDistribution: { OnDemandBaseCapacity: baseSetBy(decision) } },
              },
            },
          ]);
          expect(distribution?.segments).toBe(false);
          expect(desiredType).toBe('units');
        },
      ),
    );
  });
});

describe('one memory of two', () => {
  const times = fc.dictionary(
    fc.integer({ min: 1, max: 9 }).map(instanceId),
    fc.integer({ min: at, max: at + MINUTE }),
  );
  const fallback = fc.record({
    original: fc.constant(2),
    set: fc.integer({ min: 2, max: 20 }),
    was: fc.constant(2),
    peak: fc.constant(20),
    before: fc.constant(2),
    storm: fc.constant(at),
    at: fc.integer({ min: at, max: at + 3 }),
    confirmed: fc.boolean(),
  });
  const memory: fc.Arbitrary<Memory> = fc
    .record({
      pools: fc.dictionary(
        fc.constantFrom(POOL, OTHER_POOL),
        fc.record({ lost: times, failed: times, size: fc.nat({ max: 20 }) }),
      ),
      storm: fc.option(
        fc.record({ since: fc.integer({ min: at, max: at + 9 }), last: fc.integer({ min: at, max: at + 9 }) }),
      ),
      fallback: fc.option(fallback),
    })
    .map(({ pools, storm, fallback: raised }) => ({
      pools,
      ...(storm && { storm }),
      // Who changes the base holds the lease: two changes never have one time and two values.
      ...(raised && { fallback: { ...raised, set: raised.at - at + 2 } }),
    }));

  it('is the same, whoever was first, and however often it is made', () => {
    fc.assert(
      fc.property(memory, memory, memory, (a, b, c) => {
        expect(join(a, b)).toEqual(join(b, a));
        expect(join(join(a, b), c)).toEqual(join(a, join(b, c)));
        expect(join(join(a, b), b)).toEqual(join(a, b));
      }),
    );
  });

  it('holds every instance of both', () => {
    fc.assert(
      fc.property(memory, memory, (a, b) => {
        const ids = (of: Memory) => Object.values(of.pools ?? {}).flatMap(({ lost }) => Object.keys(lost));
        expect(new Set(ids(join(a, b)))).toEqual(new Set([...ids(a), ...ids(b)]));
      }),
    );
  });
});
