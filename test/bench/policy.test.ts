import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { baselines, doubling, type Scaler } from '../../bench/policy/baselines.ts';
import { chain, optimum } from '../../bench/policy/optimum.ts';
import { factsOf, ours } from '../../bench/policy/ours.ts';
import { simulate, usd } from '../../bench/policy/simulate.ts';
import { DAILY_CALLS, kinesisStream } from '../../bench/policy/stream.ts';
import { drawn } from '../../bench/policy/svg.ts';
import { compared, TARGET_RATIO } from '../../bench/policy/table.ts';
import { shareOf, type Trace, traceNamed } from '../../bench/policy/traces.ts';

const HOUR = 3_600;
const EVEN = { cumulative: Float64Array.from({ length: 4_097 }, (_, i) => i / 4_096), keys: [] };

/** A load in records a second, spread evenly over the hash range. */
const traceOf = (recordsPerSecond: readonly number[], more: Partial<Trace> = {}): Trace => ({
  name: 'test',
  title: 'Test',
  epochMs: Date.parse('2026-03-02T00:00:00Z'),
  recordsPerSecond: Float64Array.from(recordsPerSecond),
  recordBytes: 500,
  spreads: [{ from: 0, spread: EVEN }],
  shards: 1,
  ...more,
});
const steady = (records: number, seconds: number): number[] => new Array<number>(seconds).fill(records);

/** The trace of the table, from one hour on and for so many. */
const cut = (name: string, from: number, hours: number): Trace => {
  const whole = traceNamed(name);
  return {
    ...whole,
    epochMs: whole.epochMs + from * HOUR * 1_000,
    recordsPerSecond: whole.recordsPerSecond.slice(from * HOUR, (from + hours) * HOUR),
    spreads: whole.spreads.map((phase) => ({ ...phase, from: Math.max(0, phase.from - from * HOUR) })),
  };
};
const idle: Scaler = { name: 'nobody', look: () => undefined };

describe('the modelled stream', () => {
  it('takes 1,000 records a second and shard, or 1 MiB, whichever is less', async () => {
    const taken = async (recordBytes: number) => {
      const stream = kinesisStream(traceOf(steady(900, 60), { recordBytes }));
      stream.advance(60);
      return stream.totals.accepted / 60;
    };
    expect(await taken(500)).toBe(900);
    expect(await taken(4_096)).toBeCloseTo(256, 6);
  });

  it('rejects what a shard cannot take, offers it again, and gives it up after the third try: a case by hand', () => {
    const stream = kinesisStream(traceOf([1_500, ...steady(0, 59)]));
    stream.advance(60);
    expect(stream.totals).toMatchObject({ offered: 1_500, accepted: 1_500, throttled: 500, lost: 0 });

    // Offered 4,000, then 3,000, then 2,000: a quarter, a third and half of them fit; what was there first has no precedence.
    const over = kinesisStream(traceOf([4_000, ...steady(0, 59)]));
    over.advance(60);
    expect(over.totals.throttled).toBeCloseTo(3_000 + 2_000 + 1_000, 6);
    expect(over.totals.lost).toBeCloseTo(1_000, 6);
  });

  it('keeps every record: accepted, given up, or still waiting', async () => {
    const trace = cut('hot-shard', 47, 2);
    const { stream } = await simulate(trace, ours());
    const { offered, accepted, lost, throttled } = stream.totals;
    expect(throttled).toBeGreaterThan(0);
    expect(accepted + lost + stream.pending()).toBeCloseTo(offered, 0);
    expect(offered).toBeCloseTo(
      trace.recordsPerSecond.reduce((sum, records) => sum + records, 0),
      0,
    );
  });

  it('opens and closes shards one operation in 30 s, splits before merges, and is ACTIVE after the last', () => {
    const stream = kinesisStream(traceOf(steady(10, 600), { shards: 2 }));
    expect(stream.updateShardCount(3)).toBeUndefined();
    expect(stream.active).toBe(false);
    const counts = [30, 1, 29, 30, 60].map((seconds) => {
      stream.advance(seconds);
      return stream.count;
    });
    expect(counts).toEqual([2, 3, 3, 4, 3]);
    expect(stream.active).toBe(true);
    const total = stream.shards().reduce((sum, { startingHashKey, endingHashKey }) => {
      return sum + BigInt(endingHashKey) - BigInt(startingHashKey) + 1n;
    }, 0n);
    expect(total).toBe(2n ** 128n);
  });

  it('refuses what AWS refuses: more than double, less than half, while UPDATING, and an eleventh call in a day', () => {
    const stream = kinesisStream(traceOf(steady(10, 90_000), { shards: 5 }));
    expect(stream.updateShardCount(11)).toBe('InvalidArgumentException');
    expect(stream.updateShardCount(2)).toBe('InvalidArgumentException');
    for (let call = 0; call < DAILY_CALLS; call++) {
      expect(stream.updateShardCount(call % 2 === 0 ? 10 : 5)).toBeUndefined();
      expect(stream.updateShardCount(7)).toBe('ResourceInUseException');
      stream.advance(600);
    }
    expect(stream.updateShardCount(10)).toBe('LimitExceededException');
    stream.advance(86_400 - 6_000);
    expect(stream.updateShardCount(10)).toBeUndefined();
    // Two that are out of bounds, ten with one each while UPDATING, one too many, and the last.
    expect(stream.totals.calls).toBe(2 + 20 + 1 + 1);
  });

  it('shows a minute two minutes after it began, and no minute before', () => {
    const stream = kinesisStream(traceOf(steady(10, 300)));
    stream.advance(119);
    expect(stream.metrics(HOUR).records).toEqual([]);
    stream.advance(1);
    expect(stream.metrics(HOUR).records).toEqual([[stream.trace.epochMs, 600]]);
  });

  it('gives a key to one shard only, and the rest by width', () => {
    const spread = { ...EVEN, keys: [{ at: 0.1, share: 0.5 }] };
    const half = 2n ** 127n;
    expect(shareOf({ start: 0n, end: half - 1n }, spread)).toBeCloseTo(0.75, 9);
    expect(shareOf({ start: half, end: 2n * half - 1n }, spread)).toBeCloseTo(0.25, 9);
  });
});

/** The least that a load of ten seconds each costs, of every course there is: a split or a merge every 30 s at most. */
const cheapest = (tens: readonly number[], n: number, rested = 2): number => {
  const [records, ...rest] = tens;
  if (records === undefined) return 0;
  const moved = rested >= 2 ? [n - 1, n + 1].filter((count) => count >= 1) : [];
  const courses = [{ count: n, since: rested + 1 }, ...moved.map((count) => ({ count, since: 0 }))];
  return Math.min(
    ...courses.map(
      ({ count, since }) =>
        usd((count * 10) / 3_600, 10 * Math.max(0, records - count * 1_000)) + cheapest(rest, count, since),
    ),
  );
};

describe('the optimum', () => {
  it('holds just what a known load needs, and changes in time: a case by hand', () => {
    const known = optimum(traceOf([...steady(900, 1_800), ...steady(2_900, 1_800)]));
    expect(known.throttled).toBe(0);
    expect([...new Set(known.shards)]).toEqual([1, 2, 3]);
    expect(known.shards[0]).toBe(1);
    expect(known.shards[180]).toBe(3);
    expect(known.shardHours).toBeCloseTo((60 * 1 + 60 * 3 + 1) / 120, 6);
  });

  it('rejects records where shards would cost more', () => {
    const spike = [...steady(500, 3_600), ...steady(1_001, 1), ...steady(500, 3_599)];
    expect(optimum(traceOf(spike))).toMatchObject({ throttled: 1, shardHours: 2 });
  });

  it('is reached, not beaten, by who splits at just the right second: a case by hand', async () => {
    const trace = traceOf([...steady(900, 70), ...steady(1_900, 230)]);
    const knowing: Scaler = {
      name: 'knowing',
      look: (stream) => {
        if (stream.second === 40) stream.splitShard(stream.shards()[0]?.id ?? '', 2n ** 127n);
      },
    };
    const known = optimum(trace);
    expect(known.shardHours).toBeCloseTo((70 + 2 * 230) / 3_600, 9);
    expect((await simulate(trace, knowing)).usd).toBeCloseTo(known.usd, 9);
  });

  it('is the cheapest of all courses there are, on small loads', () => {
    const second = fc.integer({ min: 0, max: 3_200 });
    fc.assert(
      fc.property(
        fc.array(second, { minLength: 11, maxLength: 11 }),
        fc.integer({ min: 1, max: 3 }),
        (tens, shards) => {
          const trace = traceOf(
            tens.flatMap((records) => steady(records, 10)),
            { shards },
          );
          expect(optimum(trace).usd).toBeCloseTo(cheapest(tens, shards), 9);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is not beaten by any calls at any time', async () => {
    const call = fc.record({
      at: fc.integer({ min: 0, max: 59 }),
      split: fc.boolean(),
      i: fc.integer({ min: 0, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4_000 }), { minLength: 10, maxLength: 10 }),
        fc.array(call, { maxLength: 12 }),
        async (minutes, calls) => {
          const trace = traceOf(
            minutes.flatMap((records) => steady(records, 60)),
            { shards: 2 },
          );
          const someone: Scaler = {
            name: 'someone',
            look: (stream) => {
              for (const { split, i } of calls.filter(({ at }) => at * 10 === stream.second)) {
                const [one, other] = stream.shards().slice(i);
                if (one === undefined) continue;
                if (split) stream.splitShard(one.id, (BigInt(one.startingHashKey) + BigInt(one.endingHashKey)) / 2n);
                else if (other !== undefined) stream.mergeShards(one.id, other.id);
              }
            },
          };
          const result = await simulate(trace, someone);
          expect(result.usd).toBeGreaterThanOrEqual(optimum(trace).usd - 1e-9);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('calls for nothing under the rules that CloudWatch does not show yet, and for one split after the other', () => {
    const { seen } = chain(traceOf([...steady(1_000, 600), ...steady(1_600, 600)], { shards: 2 }));
    // Over the edge from the eleventh minute on, which is seen two minutes after it began.
    expect(seen).toMatchObject({ throttled: 0 });
    expect(seen.shardHours).toBeCloseTo((750 * 2 + 30 * 3 + 420 * 4) / 3_600, 9);
  });

  it('is dearer with every rule it has to keep', () => {
    const { optimum: free, day, headroom, steps } = chain(cut('diurnal', 0, 30));
    const costs = [free, day, headroom, steps].map(({ usd }) => usd);
    expect(costs).toEqual(costs.toSorted((a, b) => a - b));
  });
});

describe('the table', () => {
  const reduced = [
    cut('diurnal', 4, 14),
    cut('flash-crowd', 60, 4),
    cut('slow-ramp', 20, 30),
    cut('bursts', 0, 12),
    cut('hot-key', 47, 3),
    cut('hot-shard', 47, 4),
    cut('night-silence', 3, 24),
    cut('outage', 56, 8),
    cut('odd-counts', 22, 6),
    cut('tweets', 0, 56),
  ];

  const known = new Map<Trace, ReturnType<typeof compared>>();
  const comparisonOf = (trace: Trace): ReturnType<typeof compared> => {
    const comparison = known.get(trace) ?? compared(trace);
    known.set(trace, comparison);
    return comparison;
  };

  it.each(reduced)('shows no policy on $name that costs less than the optimum', async (trace) => {
    const { bounds, own, others } = await comparisonOf(trace);
    for (const { usd } of [own, ...others]) expect(usd).toBeGreaterThanOrEqual(bounds.optimum.usd);
  });

  it.each(reduced)('shows no policy on $name that rejects less than ours with no more shard-hours', async (trace) => {
    const { better } = await comparisonOf(trace);
    expect(better.map(({ policy }) => policy)).toEqual([]);
  });

  it.each(reduced.filter(({ name }) => !['flash-crowd', 'hot-key', 'hot-shard'].includes(name)))(
    'shows ours on $name within 1.15 of the optimum under the rules',
    async (trace) => {
      const { bounds, own } = await comparisonOf(trace);
      expect(own.usd).toBeLessThanOrEqual(TARGET_RATIO * bounds.seen.usd);
    },
  );

  it.each([
    cut('weekly', 120, 40),
    cut('two-peaks', 4, 20),
    cut('step', 35, 4),
    cut('sawtooth', 0, 14),
    cut('noisy', 4, 12),
    cut('decay', 0, 60),
  ])(
    'shows the same of $name, which no rule was made for, and no change of direction within two hours',
    async (trace) => {
      const { better, own } = await comparisonOf(trace);
      expect(better.map(({ policy }) => policy)).toEqual([]);
      expect(own.flaps).toBe(0);
    },
  );

  it('is the same for the same seeds', async () => {
    const picture = async () => {
      const trace = cut('hot-shard', 47, 2);
      const { minutes } = await simulate(trace, ours());
      return drawn(
        trace,
        [{ name: 'reflex', color: '#000', shards: minutes.map(({ shards }) => shards) }],
        minutes.map(({ throttled }) => throttled),
      );
    };
    expect(await picture()).toBe(await picture());
  });
});

describe('our policy', () => {
  const seenOf = (trace: Trace, shardLevel: boolean) => {
    const stream = kinesisStream(trace);
    stream.advance(20 * HOUR);
    stream.splitShard(stream.shards()[0]?.id ?? '', 2n ** 125n);
    stream.advance(4 * HOUR);
    const watch = { resource: 'orders', trigger: 'tick', signals: [] } as const;
    return factsOf(stream, watch, { target: 0.5, shardLevel, tags: {} }).shardLoads;
  };
  const quiet = traceOf(steady(400, 25 * HOUR), { shards: 4 });

  it('knows no day of a shard that opened within it, as observe.ts does not', () => {
    const days = Object.values(seenOf(quiet, true) ?? {}).map(({ day }) => day !== null);
    expect(days).toEqual([false, false, true, true, true]);
  });

  it('sees no shards where shard-level metrics are off, or show nothing', () => {
    expect(seenOf(quiet, false)).toBeNull();
    expect(seenOf(traceOf(steady(0, 25 * HOUR), { shards: 4 }), true)).toBeNull();
  });

  it('goes on with one shard after the other that a rising load makes hot, and is not put on hold for it', async () => {
    const own = ours();
    const { throttled } = await simulate({ ...cut('diurnal', 0, 14), shards: 14 }, own);
    expect(own.decisions.map(({ reason }) => reason)).not.toContain('not-converging');
    expect(throttled).toBeLessThan(1_000);
  });

  it('splits a hot shard where its retries make the whole stream look overloaded', async () => {
    const { stream } = await simulate(cut('hot-shard', 47, 2), ours());
    expect(stream.count).toBeLessThanOrEqual(15);
  });

  it('is not sent to double by what shards just opened took over', async () => {
    const trace = { ...cut('flash-crowd', 61, 3), shards: 6 };
    const { minutes } = await simulate(trace, ours());
    expect(minutes.at(-1)?.shards).toBeLessThan(30);
  });

  it('does nothing to a stream that is used well', async () => {
    const own = await simulate(traceOf(steady(1_000, 6 * HOUR), { shards: 2 }), ours());
    const nobody = await simulate(traceOf(steady(1_000, 6 * HOUR), { shards: 2 }), idle);
    expect(own).toMatchObject({ calls: 0, throttled: 0, shardHours: nobody.shardHours });
  });
});

describe('the baselines', () => {
  it('double at 75 % in five windows of five minutes, and not below', async () => {
    const shardsAt = async (records: number) =>
      (await simulate(traceOf(steady(records, 2 * HOUR), { shards: 2 }), doubling())).minutes.at(-1)?.shards;
    expect(await shardsAt(1_500)).toBe(4);
    expect(await shardsAt(1_490)).toBe(2);
  });

  it('are named apart', () => {
    const names = [ours, ...baselines].map((make) => make().name);
    expect(new Set(names).size).toBe(names.length);
  });
});
