import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../functions/reshard-kinesis/decide.ts';
import type { Memory, QueuedStep, Shard, StreamSituation } from '../../../functions/reshard-kinesis/facts.ts';
import type { Policy } from '../../../functions/reshard-kinesis/policy.ts';
import { midpoint } from '../../../functions/reshard-kinesis/shards.ts';
import { band, grown, shrunk } from '../../../functions/reshard-kinesis/sizing.ts';
import { carriedOut, type Driven, direction, fresh, type Load, next, spread } from '../../support/stream-driver.ts';
import { HOUR, MIB, MINUTE, now, policyOf, shardsFrom, stream } from '../../support/stream-facts.ts';

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const targets = fc.integer({ min: 20, max: 80 }).map((percent) => percent / 100);
const counts = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 10_000 }));

/** Policies whose bounds do not contradict each other. */
const policies: fc.Arbitrary<Policy> = fc
  .record({
    targetUtilization: targets,
    bounds: fc.tuple(counts, counts),
    bounded: fc.boolean(),
    maxIteratorAge: fc.integer({ min: 60, max: 43_200 }),
    consumerConcurrency: fc.option(fc.integer({ min: 1, max: 1_000 })),
  })
  .map(({ bounds: [a, b], bounded, ...rest }) => ({
    ...rest,
    minShards: bounded ? Math.min(a, b) : 1,
    maxShards: bounded ? Math.max(a, b) : 10_000,
  }));

describe('sizing', () => {
  it.each([0.2, 0.35, 0.5, 0.65, 0.8])(
    'never leads straight to its opposite, at any of 10,000 shard counts and a target of %f',
    (target) => {
      const free = { min: 1, max: 10_000, free: null };
      const { up, down } = band(target);
      const turned: string[] = [];
      for (let n = 1; n <= 10_000; n++) {
        // The worst loads: a hair beyond either edge. Any other beyond it is closer to the middle after the step.
        const high = up * n * (1 + 1e-12);
        const more = grown(n, Math.ceil(high / target), free);
        if (high / more < down) turned.push(`${n} -> ${more} -> less`);
        const low = down * n * (1 - 1e-12);
        const fewer = shrunk(n, Math.max(1, Math.ceil(low / target)), free);
        if (low / fewer > up) turned.push(`${n} -> ${fewer} -> more`);
        if (more === n && n < 10_000) turned.push(`${n} stays under high load`);
        if (fewer === n && n > 1) turned.push(`${n} stays under low load`);
      }
      expect(turned).toEqual([]);
    },
  );
});

describe('a uniformly loaded stream', () => {
  const one = shardsFrom([0n]);
  /** Equal shards stand for themselves here: only their number counts. */
  const line = (n: number): Shard[] => new Array<readonly Shard[]>(n).fill(one).flat();
  const scenario = fc.record({
    n: counts,
    policy: policies.map((policy) => ({ ...policy, consumerConcurrency: null })),
    share: fc.oneof(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 40, noNaN: true }),
      fc.constantFrom(0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 0.9, 1),
    ),
    freeShards: fc.option(fc.oneof(fc.constant(100_000), fc.nat(20_000))),
  });
  const carried = (driven: Driven, decision: ReturnType<typeof next>, load: Load, policy: Policy): Driven =>
    carriedOut(driven, decision, load, policy, (call) =>
      line(call?.call === 'UpdateShardCount' ? call.params.TargetShardCount : 0),
    );

  it('is never sent back the way it came, at any shard count, load, target, bounds and free shards', () => {
    fc.assert(
      fc.property(scenario, ({ n, policy, share, freeShards }) => {
        const load = { worth: share * n, loads: null, freeShards };
        const before = { ...fresh(1), shards: line(n) };
        const first = next(before, load, policy);
        if (first.kind !== 'act') return;
        const after = carried(before, first, load, policy);
        const second = next(after, load, policy);
        expect(direction(second, after.shards.length)).not.toBe(-direction(first, n));
      }),
      { numRuns: 1_500 },
    );
  });

  it('comes to rest within fifteen steps that all go one way, inside every bound', () => {
    fc.assert(
      fc.property(scenario, ({ n, policy, share, freeShards }) => {
        const load = { worth: share * n, loads: null, freeShards };
        let driven: Driven = { ...fresh(1), shards: line(n) };
        const ways = new Set<number>();
        let steps = 0;
        for (;;) {
          const count = driven.shards.length;
          const decision = next(driven, load, policy);
          if (decision.kind !== 'act') break;
          steps++;
          ways.add(direction(decision, count));
          driven = carried(driven, decision, load, policy);
          const then = driven.shards.length;
          expect(then).toBeLessThanOrEqual(Math.min(2 * count, 10_000));
          expect(2 * then).toBeGreaterThanOrEqual(count);
          expect(then - gcd(count, then)).toBeLessThanOrEqual(freeShards ?? Infinity);
          if (then > count) expect(then).toBeLessThanOrEqual(policy.maxShards);
          else expect(then).toBeGreaterThanOrEqual(policy.minShards);
          expect(steps).toBeLessThanOrEqual(15);
        }
        expect(ways.size).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a skewed stream', () => {
  const scenario = fc.record({
    widths: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 24 }),
    loads: fc.array(fc.oneof(fc.double({ min: 0, max: 1.2, noNaN: true }), fc.constantFrom(0, 0.05, 0.2, 0.9)), {
      minLength: 24,
      maxLength: 24,
    }),
    target: targets,
  });

  it('never has a merge split again, nor a split merged again, and comes to rest', () => {
    fc.assert(
      fc.property(scenario, ({ widths, loads, target }) => {
        const total = widths.reduce((sum, width) => sum + width, 0);
        const edges = widths.map((_, i) => widths.slice(0, i).reduce((sum, width) => sum + width, 0));
        const shards = shardsFrom(edges.map((edge) => (2n ** 128n * BigInt(edge)) / BigInt(total)));
        const ranges = edges.map((edge, i) => ({
          from: edge / total,
          to: (edge + (widths[i] ?? 0)) / total,
          load: loads[i] ?? 0,
        }));
        const load: Load = {
          worth: ranges.reduce((sum, range) => sum + range.load, 0),
          loads: spread(ranges),
          freeShards: null,
        };
        const policy = policyOf({ targetUtilization: target, maxShards: 10_000 });
        let driven = fresh(shards);
        let shrunkBefore = false;
        for (let step = 0; ; step++) {
          const decision = next(driven, load, policy);
          if (decision.kind !== 'act') break;
          const way = direction(decision, driven.shards.length);
          expect(way === 1 && shrunkBefore, `up after down: ${decision.why}`).toBe(false);
          shrunkBefore ||= way === -1;
          const [call] = decision.calls;
          if (call?.call === 'MergeShards') {
            const pair = [call.params.ShardToMerge, call.params.AdjacentShardToMerge];
            const parents = driven.shards.filter(({ id }) => pair.includes(id)).map(({ parentId }) => parentId);
            const split = Object.keys(driven.memory.splits ?? {});
            expect(parents[0] === parents[1] && split.includes(parents[0] ?? '')).toBe(false);
          }
          driven = carriedOut(driven, decision, load, policy);
          expect(step).toBeLessThan(40);
        }
      }),
      { numRuns: 250 },
    );
  });
});

describe('a hot key', () => {
  it('is told to a person after exactly two splits of its lineage, wherever it lies', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 40 }),
        fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
        fc.double({ min: 0.8, max: 1.4, noNaN: true }),
        (n, key, hot) => {
          const load = { worth: hot, loads: spread([], [{ key, load: hot }]), freeShards: null };
          const policy = policyOf({ minShards: n });
          let driven = fresh(n);
          for (let splits = 0; splits < 2; splits++) {
            const decision = next(driven, load, policy);
            expect(decision).toMatchObject({ kind: 'act', reason: 'split-hot-shards' });
            driven = carriedOut(driven, decision, load, policy);
          }
          expect(driven.shards).toHaveLength(n + 2);
          expect(next(driven, load, policy)).toMatchObject({ kind: 'escalate', reason: 'hot-key' });
        },
      ),
      { numRuns: 100 },
    );
  });

  it('is not seen where the load of a hot shard lies on many keys: one split mends that', () => {
    const load = { worth: 1.2, loads: spread([{ from: 0, to: 1 / 8, load: 1.2 }]), freeShards: null };
    const driven = carriedOut(fresh(8), next(fresh(8), load, policyOf()), load, policyOf());
    expect(driven.shards).toHaveLength(9);
    expect(next(driven, load, policyOf({ minShards: 9 }))).toMatchObject({ kind: 'skip', reason: 'at-min-shards' });
  });
});

describe('decide', () => {
  const hashKey = fc
    .oneof(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.bigInt({ min: 0n, max: 10n ** 40n }))
    .map(String);
  const name = fc.constantFrom(...Array.from({ length: 8 }, (_, i) => `shardId-${i}`));
  const proper = fc
    .uniqueArray(fc.bigInt({ min: 1n, max: 2n ** 128n - 1n }), { maxLength: 24 })
    .map((starts) => shardsFrom([0n, ...starts.sort((a, b) => (a < b ? -1 : 1))]));
  const absurd = fc.uniqueArray(
    fc.record({ id: name, startingHashKey: hashKey, endingHashKey: hashKey, parentId: fc.option(name) }),
    { maxLength: 8, selector: ({ id }) => id },
  );
  const amount = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 300 * MIB, noNaN: true }), fc.nat(200_000));
  const series = (value: fc.Arbitrary<number>) =>
    fc.array(
      fc.tuple(
        fc.integer({ min: -16, max: 1 }).map((minute) => now + minute * MINUTE),
        value,
      ),
      { maxLength: 6 },
    );
  const metrics = fc.record({
    incomingBytes: series(amount),
    incomingRecords: series(amount),
    throttled: fc.oneof(fc.constant([]), series(amount)),
    outgoingBytes: fc.oneof(fc.constant([]), series(amount)),
    iteratorAge: fc.oneof(series(fc.nat(1_000)), series(fc.nat(3 * HOUR))),
  });
  const rate = fc.double({ min: 0, max: 20 * MIB, noNaN: true });
  const day = fc.record({
    peak: fc.record({ bytesPerSecond: rate, recordsPerSecond: fc.nat(9_000), egressBytesPerSecond: rate }),
    spanHours: fc.oneof(fc.constant(24), fc.double({ min: 0, max: 25, noNaN: true })),
    hoursSeen: fc.oneof(fc.constant(25), fc.integer({ min: 0, max: 25 })),
    throttledRecords: fc.oneof(fc.constant(0), fc.nat(10)),
  });
  const id = fc.oneof(
    name,
    fc.integer({ min: 0, max: 8 }).map((i) => `shardId-${String(i).padStart(12, '0')}`),
  );
  const loads = fc.dictionary(
    id,
    fc.record({
      now: fc.double({ min: 0, max: 3, noNaN: true }),
      throttled: fc.oneof(fc.constant(0), fc.nat(9)),
      day: fc.option(fc.double({ min: 0, max: 3, noNaN: true })),
    }),
  );
  const time = fc.integer({ min: now - 3 * HOUR, max: now });
  const memory: fc.Arbitrary<Memory> = fc.record(
    {
      settling: fc.record({ from: fc.nat(20), to: fc.option(fc.nat(20)), since: time }),
      activeSince: time,
      queue: fc.array(
        fc.oneof<fc.Arbitrary<QueuedStep>[]>(
          id.map((split) => ({ split })),
          fc.tuple(id, id).map((merge) => ({ merge })),
        ),
        { maxLength: 4 },
      ),
      more: fc.boolean(),
      grown: fc.boolean(),
      shrunkFrom: fc.integer({ min: 1, max: 40 }),
      splits: fc.dictionary(id, fc.nat(3)),
    },
    { requiredKeys: [] },
  );
  const mostly = <T>(usual: T, arbitrary: fc.Arbitrary<T>) =>
    fc.oneof({ arbitrary: fc.constant(usual), weight: 6 }, { arbitrary, weight: 1 });
  const situations: fc.Arbitrary<StreamSituation> = fc
    .record({
      status: mostly('ACTIVE', fc.constantFrom('CREATING', 'UPDATING', 'DELETING', '', 'NEW')),
      mode: mostly('PROVISIONED', fc.constantFrom('ON_DEMAND', '', 'NEW')),
      warmThroughputMiBps: fc.option(fc.nat(100)),
      shards: fc.oneof({ arbitrary: proper, weight: 3 }, { arbitrary: absurd, weight: 1 }),
      closedShardIds: mostly<string[]>([], fc.array(name, { maxLength: 3 })),
      metrics,
      day: fc.option(day, { freq: 8 }),
      shardLoads: fc.option(loads),
      freeShards: fc.option(fc.nat(60)),
      consumers: fc.option(
        fc.array(
          fc.record({
            functionName: name,
            parallelizationFactor: fc.integer({ min: 1, max: 10 }),
            reservedConcurrency: fc.option(fc.nat(1_000)),
          }),
          { maxLength: 3 },
        ),
      ),
      unreservedConcurrency: fc.option(fc.nat(3_000)),
      trigger: fc.constantFrom('alarm', 'event', 'recovery', 'follow-up', 'tick'),
      memory: mostly<Memory>({}, memory),
      incident: mostly<StreamSituation['ledger']['incident']>(null, fc.record({ openedAt: time, steps: fc.nat(4) })),
      lastActAt: mostly<number | null>(null, time),
    })
    .map((options) => stream({ ...options }));
  const anyPolicy = policies.map((policy) => ({ ...policy, minShards: Math.min(policy.minShards, 30) }));

  const freeze = <T>(value: T): T => {
    if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
      Object.freeze(value);
      for (const inner of Object.values(value)) freeze(inner);
    }
    return value;
  };
  const isScaleIn = (decision: ReturnType<typeof decide>, n: number) =>
    direction(decision, n) === -1 && !(decision.kind === 'act' && decision.why.startsWith('Next'));

  it('is total and pure: an answer in words for any facts, the same each time, and the facts untouched', () => {
    fc.assert(
      fc.property(situations, anyPolicy, (facts, policy) => {
        freeze(facts);
        freeze(policy);
        const decision = decide(facts, policy, now);
        expect(['act', 'skip', 'escalate', 'defer']).toContain(decision.kind);
        expect(decide(facts, policy, now)).toEqual(decision);
        expect(JSON.stringify(decision)).not.toMatch(/NaN|undefined|Infinity|\[object/);
        expect(JSON.parse(JSON.stringify(decision))).toEqual(decision);
        if (decision.kind === 'defer') expect(decision.until).toBeGreaterThan(now);
      }),
      { numRuns: 3_000 },
    );
  });

  it('makes only calls that AWS would take', () => {
    fc.assert(
      fc.property(situations, anyPolicy, (facts, policy) => {
        const decision = decide(facts, policy, now);
        if (decision.kind !== 'act') return;
        const n = facts.shards.length;
        const find = (shardId: string) => facts.shards.find((shard) => shard.id === shardId);
        expect(decision.calls.length).toBeGreaterThan(0);
        for (const { call, params } of decision.calls) {
          switch (call) {
            case 'UpdateShardCount': {
              const { TargetShardCount: target } = params;
              expect(target).not.toBe(n);
              expect(target).toBeLessThanOrEqual(2 * n);
              expect(2 * target).toBeGreaterThanOrEqual(n);
              expect(target - gcd(n, target)).toBeLessThanOrEqual(facts.freeShards ?? Infinity);
              if (target > n) expect(target).toBeLessThanOrEqual(policy.maxShards);
              else expect(target).toBeGreaterThanOrEqual(policy.minShards);
              expect(decision.spends).toMatchObject([{ limit: 10, keep: target > n ? 0 : 3 }]);
              break;
            }
            case 'SplitShard': {
              const shard = find(params.ShardToSplit);
              const key = BigInt(params.NewStartingHashKey);
              expect(shard && midpoint(shard)).toBe(params.NewStartingHashKey);
              expect(key > BigInt(shard?.startingHashKey ?? 0) + 1n && key < BigInt(shard?.endingHashKey ?? 0)).toBe(
                true,
              );
              expect(n).toBeLessThan(policy.maxShards);
              expect(facts.freeShards).not.toBe(0);
              break;
            }
            case 'MergeShards': {
              const [left, right] = [find(params.ShardToMerge), find(params.AdjacentShardToMerge)];
              expect(BigInt(left?.endingHashKey ?? 0) + 1n).toBe(BigInt(right?.startingHashKey ?? 0));
              expect(n).toBeGreaterThan(policy.minShards);
              break;
            }
            case 'PutFunctionConcurrency':
              expect(params.ReservedConcurrentExecutions).toBe(n * (policy.consumerConcurrency ?? 0));
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('never touches a stream that is on-demand, not ACTIVE, or in a state it does not know', () => {
    fc.assert(
      fc.property(situations, anyPolicy, (facts, policy) => {
        fc.pre(facts.status !== 'ACTIVE' || facts.mode !== 'PROVISIONED');
        expect(decide(facts, policy, now).kind).not.toBe('act');
      }),
      { numRuns: 500 },
    );
  });

  it('never acts on missing metrics, except where records are rejected, a minimum is set, or splits were under way', () => {
    fc.assert(
      fc.property(situations, anyPolicy, (given, policy) => {
        const metrics = { ...given.metrics, incomingBytes: [], incomingRecords: [] };
        const facts = { ...given, metrics };
        const decision = decide(facts, policy, now);
        if (decision.kind !== 'act') return;
        expect(['throttled-unseen', 'below-min-shards', 'split-hot-shards']).toContain(decision.reason);
        expect(direction(decision, facts.shards.length)).toBe(1);
        if (decision.reason === 'throttled-unseen') {
          expect(metrics.throttled.some(([, value]) => value > 0)).toBe(true);
        }
        if (decision.reason === 'split-hot-shards') expect(facts.ledger.remembered.queue).toBeDefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it('begins to scale in only where nothing at all speaks against it', () => {
    let seen = 0;
    const base = stream({ worth: 1 });
    const quiet = fc
      .record({
        n: fc.integer({ min: 1, max: 12 }),
        throttled: mostly<StreamSituation['metrics']['throttled']>([], series(fc.nat(3))),
        iteratorAge: mostly(base.metrics.iteratorAge, series(fc.nat(3 * HOUR))),
        day: mostly<StreamSituation['day']>(base.day, fc.option(day)),
        closedShardIds: mostly<string[]>([], fc.array(name, { maxLength: 3 })),
        memory: mostly<Memory>({}, memory),
        shardLoads: mostly<StreamSituation['shardLoads']>(null, loads),
        incident: mostly<StreamSituation['ledger']['incident']>(null, fc.constant({ openedAt: now - HOUR, steps: 1 })),
        lastActAt: mostly<number | null>(null, time),
      })
      .map(({ n, throttled, iteratorAge, ...options }) =>
        stream({ shards: n, worth: 1, metrics: { throttled, iteratorAge }, trigger: 'tick', ...options }),
      );
    fc.assert(
      fc.property(quiet, anyPolicy, (facts, policy) => {
        const decision = decide(facts, policy, now);
        if (!isScaleIn(decision, facts.shards.length)) return;
        seen++;
        const { day, metrics, closedShardIds, ledger } = facts;
        const recent = ([at]: readonly [number, number]) => at >= now - 10 * MINUTE && at <= now;
        const ages = metrics.iteratorAge.filter(recent).map(([, age]) => age);
        expect(closedShardIds).toEqual([]);
        expect(ages.length).toBeGreaterThan(0);
        expect(Math.max(...ages)).toBeLessThanOrEqual(policy.maxIteratorAge * 1_000);
        expect(day?.spanHours).toBeGreaterThanOrEqual(23);
        expect(day?.hoursSeen).toBeGreaterThanOrEqual(12);
        expect(day?.throttledRecords).toBe(0);
        expect(now - (ledger.lastActAt ?? 0)).toBeGreaterThanOrEqual(HOUR);
        const { activeSince } = ledger.remembered;
        expect(now - (typeof activeSince === 'number' ? activeSince : 0)).toBeGreaterThanOrEqual(HOUR);
        expect(ledger.remembered.settling).toBeUndefined();
        expect(ledger.incident).toBeNull();
      }),
      { numRuns: 2_000 },
    );
    expect(seen).toBeGreaterThan(100);
  });
});
