import { describe, expect, it } from 'vitest';
import { decide } from '../../../functions/reshard-kinesis/decide.ts';
import { dayOfDemand } from '../../../functions/reshard-kinesis/demand.ts';
import type { Memory, StreamMetrics, StreamSituation } from '../../../functions/reshard-kinesis/facts.ts';
import type { Spend } from '../../../shared/decision.ts';
import { HOUR, MIB, MINUTE, NO_METRICS, policyOf, stream } from '../../support/stream-facts.ts';

const DAY = 24 * HOUR;
const RESHARD_TAKES = 3 * MINUTE;
/** CloudWatch shows a minute one minute after it has passed. */
const METRICS_LATE = MINUTE;
const HIGH_ALARM = 0.75;

interface Step {
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

interface World {
  /** Shards' worth of bytes that producers offer at a time; null: they are silent. */
  readonly offered: (at: number) => number | null;
  readonly shards: number;
  readonly days: number;
  readonly policy?: Parameters<typeof policyOf>[0];
}

/**
 * A stream minute by minute: producers, a stream that clips and rejects, CloudWatch that is late, a high alarm, the hourly
 * schedule, follow-ups, reshards that take minutes, and the ledger's cool-down and budget.
 */
const simulate = ({ offered, shards, days, policy }: World) => {
  const steps: Step[] = [];
  const refusals: string[] = [];
  const series: Record<'bytes' | 'records' | 'throttled' | 'age', [number, number][]> = {
    bytes: [],
    records: [],
    throttled: [],
    age: [],
  };
  let n = shards;
  let reshard: { readonly to: number; readonly until: number } | undefined;
  let memory: Memory = {};
  let incident = null as StreamSituation['ledger']['incident'];
  let lastActAt: number | null = null;
  let attempts: number[] = [];
  let followUp: number | null = null;
  let alarmed = false;
  let rejectedMinutes = 0;

  const within = (points: [number, number][], from: number, to: number) => {
    const newest = points.findLastIndex(([at]) => at <= to);
    const oldest = points.findIndex(([at]) => at >= from);
    return oldest < 0 ? [] : points.slice(oldest, newest + 1);
  };
  const seen = (now: number, ms: number): StreamMetrics => {
    const until = now - MINUTE - METRICS_LATE;
    const of = (points: [number, number][]) => within(points, now - ms, until);
    return {
      ...NO_METRICS,
      incomingBytes: of(series.bytes),
      incomingRecords: of(series.records),
      throttled: of(series.throttled),
      iteratorAge: of(series.age),
    };
  };
  const refused = (spends: readonly Spend[] | undefined, coolDownMs: number, now: number): string | undefined => {
    if (lastActAt !== null && now < lastActAt + coolDownMs) return 'cool-down';
    return spends?.some(
      ({ limit, keep, windowMs }) => attempts.filter((at) => now < at + windowMs).length >= limit - keep,
    )
      ? 'budget-exhausted'
      : undefined;
  };

  const start = Date.parse('2026-03-02T00:00:00Z');
  for (let now = start; now < start + days * DAY; now += MINUTE) {
    if (reshard !== undefined && now >= reshard.until) {
      n = reshard.to;
      reshard = undefined;
    }
    const demand = offered(now - start);
    if (demand !== null) {
      const accepted = Math.min(demand, n);
      const rejected = Math.round((demand - accepted) * 102.4 * 60);
      series.bytes.push([now, accepted * MIB * 60]);
      series.records.push([now, accepted * 102.4 * 60]);
      if (rejected > 0) {
        series.throttled.push([now, rejected]);
        rejectedMinutes++;
      }
    }
    series.age.push([now, 0]);

    const newest = series.bytes.findLast(([at]) => at <= now - MINUTE - METRICS_LATE);
    const high = newest !== undefined && now - newest[0] < 5 * MINUTE && newest[1] / (MIB * 60) / n > HIGH_ALARM;
    const fired = high && !alarmed;
    alarmed = high;
    const due = followUp !== null && now >= followUp;
    const tick = (now - start) % HOUR === 0;
    if (!fired && !due && !tick) continue;
    if (due) followUp = null;

    const facts = stream({
      asOf: now,
      shards: n,
      status: reshard === undefined ? 'ACTIVE' : 'UPDATING',
      closedShardIds: steps.some(({ at }) => now - at < HOUR) ? ['closed'] : [],
      metrics: seen(now, 15 * MINUTE),
      day: tick || fired ? dayOfDemand(seen(now, DAY)) : null,
      trigger: fired ? 'alarm' : due ? 'follow-up' : 'tick',
      memory,
      incident,
      lastActAt,
    });
    const decision = decide(facts, policyOf({ maxShards: 1_000, ...policy }), now);
    if (decision.kind === 'act') {
      const refusal = refused(decision.spends, decision.coolDownMs, now);
      if (refusal !== undefined) {
        refusals.push(refusal);
        if (refusal === 'cool-down') followUp = now + MINUTE;
        continue;
      }
      const [call] = decision.calls;
      if (call?.call !== 'UpdateShardCount') throw new Error(`unexpected ${call?.call}`);
      const to = call.params.TargetShardCount;
      steps.push({ at: now - start, from: n, to });
      attempts = [...attempts.filter((at) => now < at + DAY), now];
      reshard = { to, until: now + RESHARD_TAKES };
      lastActAt = now;
      incident = { openedAt: incident?.openedAt ?? now, steps: (incident?.steps ?? 0) + 1 };
      followUp = now + MINUTE;
    } else if (decision.kind === 'defer') {
      if (incident !== null || fired || due) {
        incident ??= { openedAt: now, steps: 0 };
        followUp = decision.until;
      }
    } else {
      incident = null;
      followUp = null;
    }
    memory = decision.remember ?? memory;
  }
  return { steps, refusals, shards: n, rejectedMinutes };
};

const ways = (steps: readonly Step[]): string => steps.map(({ from, to }) => (to > from ? 'u' : 'd')).join('');
const hourOf = (at: number): number => (at % DAY) / HOUR;
const mostCallsInADay = (steps: readonly Step[]): number =>
  Math.max(0, ...steps.map(({ at }) => steps.filter((other) => other.at >= at && other.at < at + DAY).length));

describe('a simulated stream', () => {
  it('follows a day and night once, and does not flap with it', () => {
    const offered = (at: number) => 4 - 3.6 * Math.cos((hourOf(at) / 24) * 2 * Math.PI);
    const { steps, shards, rejectedMinutes } = simulate({ offered, shards: 4, days: 4 });
    expect(ways(steps)).toMatch(/^u+$/);
    expect(shards).toBe(16);
    expect(rejectedMinutes).toBe(0);
  });

  it('meets a flash crowd of eight times the load in three doublings, one of them at most every few minutes', () => {
    const offered = (at: number) => (at >= 30 * HOUR && at < 34 * HOUR ? 4 : 0.5);
    const { steps } = simulate({ offered, shards: 1, days: 2 });
    expect(steps.map(({ from, to }) => [from, to])).toEqual([
      [1, 2],
      [2, 4],
      [4, 8],
    ]);
    const [first, , third] = steps;
    expect((third?.at ?? Infinity) - (first?.at ?? 0)).toBeLessThanOrEqual(20 * MINUTE);
    expect((first?.at ?? Infinity) - 30 * HOUR).toBeLessThanOrEqual(5 * MINUTE);
  });

  it('shrinks again after the crowd, a day later, one halving at a time', () => {
    const offered = (at: number) => (at >= 30 * HOUR && at < 34 * HOUR ? 4 : 0.5);
    const { steps, shards } = simulate({ offered, shards: 1, days: 4 });
    expect(ways(steps)).toBe('uuudd');
    expect(shards).toBe(2);
    const downs = steps.filter(({ from, to }) => to < from);
    expect(downs[0]?.at).toBeGreaterThanOrEqual(58 * HOUR);
    expect((downs[1]?.at ?? 0) - (downs[0]?.at ?? 0)).toBeGreaterThanOrEqual(HOUR);
  });

  it('never shrinks while its producers are silent, nor before a day after they return', () => {
    const offered = (at: number) => (at >= 40 * HOUR && at < 76 * HOUR ? null : 0.2);
    const { steps } = simulate({ offered, shards: 8, days: 5 });
    const inOutage = steps.filter(({ at }) => at >= 40 * HOUR + 10 * MINUTE && at < 99 * HOUR);
    expect(inOutage).toEqual([]);
    expect(ways(steps)).toMatch(/^d*$/);
  });

  it('keeps the shards of the day through silent nights', () => {
    const offered = (at: number) => (hourOf(at) >= 6 && hourOf(at) < 20 ? 4 : null);
    const { steps } = simulate({ offered, shards: 8, days: 5 });
    expect(steps).toEqual([]);
  });

  it('shrinks a stream that is nearly empty down to its minimum, hour by hour, and stays there', () => {
    const { steps, shards } = simulate({ offered: () => 0.01, shards: 64, days: 3, policy: { minShards: 3 } });
    expect(steps.map(({ to }) => to)).toEqual([32, 16, 8, 4, 3]);
    expect(shards).toBe(3);
  });

  it('spends no more than seven of the ten daily calls on scale-in, and leaves three to a crowd', () => {
    const offered = (at: number) => (at >= 47 * HOUR ? 400 : 0.01);
    const { steps, refusals } = simulate({ offered, shards: 1_000, days: 3 });
    const downs = steps.filter(({ from, to, at }) => to < from && at < 47 * HOUR);
    const ups = steps.filter(({ from, to }) => to > from);
    expect(downs.length).toBeGreaterThanOrEqual(7);
    expect(mostCallsInADay(downs)).toBe(7);
    expect(refusals).toContain('budget-exhausted');
    expect(ups.length).toBeGreaterThanOrEqual(3);
    expect(mostCallsInADay(steps)).toBeLessThanOrEqual(10);
  });

  it('never calls more than ten times a day, whatever the load does', () => {
    const offered = (at: number) => 2 ** (5 + 5 * Math.sin(at / (3 * HOUR)));
    const { steps } = simulate({ offered, shards: 2, days: 3 });
    expect(mostCallsInADay(steps)).toBeLessThanOrEqual(10);
    expect(ways(steps)).not.toMatch(/ud/);
  });
});
