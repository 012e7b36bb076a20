import { KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import { meaning } from '../../../functions/reshard-kinesis/act.ts';
import { dayOfDemand, peakDemand } from '../../../functions/reshard-kinesis/demand.ts';
import type { Memory } from '../../../functions/reshard-kinesis/facts.ts';
import { stackPolicy } from '../../../functions/reshard-kinesis/policy.ts';
import { shrunk } from '../../../functions/reshard-kinesis/sizing.ts';
import { listShards } from '../../../shared/aws/kinesis.ts';
import { alarmOccurrence } from '../../../shared/events/cloudwatch-alarm-state-change.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import * as ledger from '../../../shared/ledger/state.ts';
import type { TakeRequest } from '../../../shared/ledger/types.ts';
import { alarmEvent, directAlarm, snsAlarm, snsRecords } from '../../support/event-builders.ts';
import { carriedOut, direction, fresh, next } from '../../support/stream-driver.ts';
import {
  acted,
  dayOf,
  decided,
  HOUR,
  loadsOf,
  MIB,
  MINUTE,
  metricsOf,
  NO_METRICS,
  now,
  perMinute,
  policyOf,
  type StreamOptions,
  shardId,
  shardsFrom,
  uniformShards,
} from '../../support/stream-facts.ts';

const cold: StreamOptions = { worth: 0.4, trigger: 'tick' };
const target = (options: StreamOptions, policy = {}): unknown => {
  const decision = decided(options, policy);
  const [call] = decision.kind === 'act' ? decision.calls : [];
  return call?.call === 'UpdateShardCount' ? call.params.TargetShardCount : decision.reason;
};

const request = (more: Partial<TakeRequest> = {}): TakeRequest => ({
  owner: 'one',
  leaseMs: 4 * MINUTE,
  occurrences: [],
  spends: [],
  coolDownMs: 0,
  factsAsOf: now,
  incident: { id: 'rfx-1', cause: 'test' },
  intent: { recordId: 'r', reason: 'scale-up', why: '', calls: [] },
  ...more,
});

describe('what other Kinesis scalers got wrong', () => {
  it('1: one breach caused several scale-ups, because utilisation was still computed against the old shard count', () => {
    const { memory, metrics, shards } = {
      memory: acted(decided({ worth: 4 })).remember ?? {},
      metrics: metricsOf(4),
      shards: 8,
    };
    const after: StreamOptions = { shards: 4, worth: 4, memory, incident: { openedAt: now, steps: 1 } };

    expect(decided(after, {}, now + 10_000)).toMatchObject({ kind: 'defer', reason: 'stream-updating' });
    expect(decided({ ...after, status: 'UPDATING' }, {}, now + 45_000)).toMatchObject({ kind: 'defer' });
    const active = decided({ ...after, shards }, {}, now + 3 * MINUTE);
    expect(active).toMatchObject({ kind: 'defer', reason: 'measuring' });
    const measured: StreamOptions = {
      ...after,
      shards,
      memory: active.kind === 'defer' ? (active.remember ?? {}) : {},
    };
    expect(decided({ ...measured, metrics }, {}, now + 4 * MINUTE)).toMatchObject({
      kind: 'defer',
      reason: 'measuring',
    });
    const since = metricsOf(4, {}, now + 5 * MINUTE);
    expect(decided({ ...measured, metrics: since }, {}, now + 5 * MINUTE)).toMatchObject({ reason: 'resolved' });
  });

  it('2: samples of two metrics for the same minute were counted as two minutes instead of being added', () => {
    const demand = peakDemand({
      ...NO_METRICS,
      incomingBytes: [[now, 60_000]],
      incomingRecords: [[now, 600]],
      throttled: [[now, 300]],
    });
    expect(demand).toEqual({ bytesPerSecond: 1_500, recordsPerSecond: 15, egressBytesPerSecond: 0 });
  });

  it('3: missing data voted for scale-in', () => {
    for (const metrics of [NO_METRICS, metricsOf(0.1, {}, now - 11 * MINUTE)]) {
      for (const trigger of ['alarm', 'tick', 'recovery', 'follow-up'] as const) {
        expect(decided({ metrics, trigger, day: dayOf(0.1) })).toMatchObject({
          kind: 'skip',
          reason: 'metrics-missing',
        });
      }
    }
    expect(decided({ ...cold, day: null })).toMatchObject({ reason: 'insufficient-metrics' });
  });

  it('4: the percentage in the manual meant something else than in the code, and a third thing in the tool', () => {
    const cases: [number, number, number][] = [
      [75, 60, 150],
      [75, 10, 38],
      [4, 3.2, 8],
      [1, 0.76, 2],
    ];
    for (const [n, worth, expected] of cases) {
      const decision = acted(decided({ shards: n, worth, trigger: 'tick' }, { maxShards: 1_000 }));
      expect(decision.calls).toMatchObject([{ params: { TargetShardCount: expected } }]);
      expect(decision.why).toContain(`would carry it at 50 %. ${n} -> ${expected}.`);
    }
  });

  it('5: a shard id was read as a number, and the second page of shards was asked for with the stream beside the token', async () => {
    const shards = uniformShards(8);
    const [split] = acted(decided({ shards, shardLoads: loadsOf(shards, [0.9]) })).calls;
    expect(split).toMatchObject({ call: 'SplitShard', params: { ShardToSplit: 'shardId-000000000000' } });

    const kinesis = mockClient(KinesisClient);
    const page = (from: number) =>
      uniformShards(1_001)
        .slice(from, from + 1_000)
        .map(({ id }) => ({ ShardId: id, HashKeyRange: undefined, SequenceNumberRange: undefined }));
    kinesis
      .on(ListShardsCommand)
      .resolvesOnce({ Shards: page(0), NextToken: 'more' })
      .resolvesOnce({ Shards: page(1_000) });
    const listed = await listShards('arn:aws:kinesis:eu-west-1:111122223333:stream/orders', now);
    const inputs = kinesis.commandCalls(ListShardsCommand).map(({ args }) => args[0].input);
    kinesis.restore();
    expect(listed).toHaveLength(1_001);
    expect(inputs[1]).toEqual({ NextToken: 'more' });
  });

  it('6: the minimum was enforced only when something else made the stream scale', () => {
    expect(decided({ worth: 2, trigger: 'tick' }, { minShards: 6 })).toMatchObject({ reason: 'below-min-shards' });
    expect(decided({ metrics: NO_METRICS, trigger: 'tick' }, { minShards: 6 })).toMatchObject({
      reason: 'below-min-shards',
    });
  });

  it('7: minimum and maximum were parsed and never applied, a last value repeated for ever, and a step landed on the opposite threshold', () => {
    expect(target({ worth: 4 }, { maxShards: 6 })).toBe(6);
    expect(target({ worth: 4 }, { maxShards: 4 })).toBe('at-max-shards');
    expect(target(cold, { minShards: 3 })).toBe(3);
    const stopped = metricsOf(4, {}, now - 10 * MINUTE);
    expect(target({ metrics: stopped })).toBe('metrics-missing');

    for (const utilization of [0.2, 0.5, 0.8]) {
      const policy = policyOf({ targetUtilization: utilization });
      for (let n = 1; n <= 4; n++) {
        for (let worth = 0; worth <= 4 * n; worth += 0.01) {
          const load = { worth, loads: null, freeShards: null };
          const first = next(fresh(n), load, policy);
          if (first.kind !== 'act') continue;
          const after = carriedOut(fresh(n), first, load, policy);
          expect(direction(next(after, load, policy), after.shards.length)).not.toBe(-direction(first, n));
        }
      }
    }
  });

  it('8: three shards were halved to one, which AWS refuses, for ever; and nothing capped the doubling', () => {
    expect(target({ shards: 3, worth: 0.1, trigger: 'tick' })).toBe(2);
    expect(
      meaning(
        { call: 'UpdateShardCount', params: { StreamARN: '', TargetShardCount: 1, ScalingType: 'UNIFORM_SCALING' } },
        Object.assign(new Error('below half'), { name: 'InvalidArgumentException' }),
        now,
      ),
    ).toMatchObject({ kind: 'escalate', reason: 'invalid-argument' });
    expect(target({ shards: stackPolicy({}).maxShards, worth: 1_000 })).toBe('at-max-shards');
  });

  it('9: a newest minute that is late was filled with zero, so the newest point was always the filling', () => {
    const late = {
      ...metricsOf(4, {}, now - 3 * MINUTE),
      incomingRecords: metricsOf(4, {}, now - 4 * MINUTE).incomingRecords,
    };
    expect(target({ metrics: late })).toBe(8);
    expect(target({ ...cold, metrics: { ...late, incomingBytes: [...late.incomingBytes, [now - MINUTE, 0]] } })).toBe(
      8,
    );
  });

  it('10: throttling during the reshard went unseen, and consumers that do not read counted as consumers without lag', () => {
    const memory: Memory = { settling: { from: 4, to: 8, since: now - 5 * MINUTE } };
    const throttled = { ...metricsOf(4), throttled: perMinute(500) };
    expect(decided({ status: 'UPDATING', memory, metrics: throttled })).toMatchObject({ kind: 'defer' });
    expect(
      target({
        shards: 8,
        metrics: { ...metricsOf(8), throttled: perMinute(500) },
        memory: { activeSince: now - 5 * MINUTE },
      }),
    ).toBe(16);
    expect(target({ ...cold, metrics: { iteratorAge: [] } })).toBe('consumers-unseen');
  });

  it('11: one threshold served periods of two lengths, the first thresholds made a tiny load grow, and a setting took one digit only', () => {
    const perFive = peakDemand({ ...NO_METRICS, incomingRecords: [[now, 150_000]] }, 5 * MINUTE);
    expect(perFive).toEqual(peakDemand({ ...NO_METRICS, incomingRecords: [[now, 30_000]] }, MINUTE));
    expect(target({ shards: 1, worth: 0.017 })).toBe('at-min-shards');
    expect(stackPolicy({ MIN_SHARDS: '12' })).toMatchObject({ minShards: 12, maxShards: 100 });
    expect(() => stackPolicy({ MIN_SHARDS: '12', MAX_SHARDS: 'x' })).toThrow('MAX_SHARDS');
    expect(() => stackPolicy({ MIN_SHARDS: 'x', MAX_SHARDS: '12' })).toThrow('MIN_SHARDS');
  });

  it('12: a shard without a metric counted as colder than cold and was merged, and merge and split met at one threshold', () => {
    const shards = uniformShards(8);
    const memory: Memory = { splits: { [shardId(0)]: 0 } };
    const without = (...gaps: number[]) => {
      const unknown = Object.fromEntries(gaps.map((i) => [shardId(i), { now: 0, throttled: 0, day: null }]));
      const shardLoads = { ...loadsOf(shards, []), ...unknown };
      return decided({ shards, worth: 0.4, trigger: 'tick', memory, shardLoads });
    };
    expect(without(1, 3, 5, 7)).toMatchObject({ reason: 'skew-unseen' });
    expect(acted(without(0, 1, 2, 3, 4, 5)).calls).toMatchObject([
      { params: { ShardToMerge: shardId(6), AdjacentShardToMerge: shardId(7) } },
    ]);
    expect(acted(without(0, 1, 2, 3, 4, 5)).remember).not.toHaveProperty('queue');
    const even = (load: number) => ({
      shards,
      worth: 1,
      trigger: 'tick' as const,
      memory,
      shardLoads: loadsOf(
        shards,
        shards.map(() => load),
      ),
    });
    expect(target(even(0.25))).toBe('merge-cold-shards');
    expect(target(even(0.26))).toBe('no-mergeable-pair');
    expect(target({ shards, worth: 2, shardLoads: loadsOf(shards, [0.5]) })).toBe('within-band');
  });

  it('13: half of three was one, the last step ended before the stream was ACTIVE, and the present count was asked for', () => {
    for (let n = 1; n <= 101; n++) {
      const half = shrunk(n, 1, { min: 1, max: 100, free: null });
      expect(2 * half).toBeGreaterThanOrEqual(n);
      for (const worth of [0, 0.3 * n, 0.6 * n, 2 * n]) {
        expect(target({ shards: n, worth, trigger: 'tick' }, { maxShards: n })).not.toBe(n);
      }
    }
    const memory = acted(decided({ worth: 4 })).remember ?? {};
    const updating: StreamOptions = {
      status: 'UPDATING',
      memory,
      incident: { openedAt: now, steps: 1 },
      trigger: 'follow-up',
    };
    expect(decided(updating, {}, now + HOUR)).toMatchObject({ kind: 'defer', reason: 'stream-updating' });
  });

  it('14: a tenth more than a minute ago was high traffic, the baseline was returned to in one call below half, and the daily count never ended', () => {
    const rising: readonly (readonly [number, number])[] = [0.8, 0.9, 1, 1.1, 1.3].map(
      (worth, i) => [now - (5 - i) * MINUTE, worth * MIB * 60] as const,
    );
    expect(target({ metrics: { incomingBytes: rising } })).toBe('within-band');
    expect(
      target({
        metrics: {
          incomingBytes: [
            [now - MINUTE, 0],
            [now, 1],
          ],
          incomingRecords: [],
        },
        day: null,
      }),
    ).toBe('insufficient-metrics');
    expect(target({ shards: 64, worth: 0.1, trigger: 'tick' })).toBe(32);

    const { spends = [] } = acted(decided({ worth: 4 }));
    const spent = Array.from({ length: 10 }, (_, i) => now - 24 * HOUR - 5 * MINUTE + i * MINUTE);
    const state = {
      ...ledger.fresh({ fn: 'reshard-kinesis', resource: 'orders' }),
      attempts: { UpdateShardCount: spent },
    };
    expect(ledger.refusal(state, request({ spends }), now - 1)).toEqual({ reason: 'budget-exhausted', until: now });
    expect(ledger.refusal(state, request({ spends }), now)).toBeNull();
  });

  it('15: the smallest shard was taken for the largest, and split down to a single key', () => {
    const shards = shardsFrom([0n, 3n, 2n ** 100n, 2n ** 120n, 2n ** 126n, 2n ** 127n]);
    const at = (loads: number[]) => decided({ shards, worth: 2, shardLoads: loadsOf(shards, loads) });
    expect(acted(at([0, 0, 0.8, 0, 0, 0.9])).calls).toMatchObject([{ params: { ShardToSplit: shardId(5) } }]);
    expect(at([0.9])).toMatchObject({ kind: 'escalate', reason: 'hot-key' });
  });
});

describe('what any Kinesis scaler may fall into', () => {
  it('1: thresholds that meet after rounding', () => {
    for (let n = 1; n <= 60; n++) {
      for (const share of [0.2499, 0.25, 0.2501, 0.7499, 0.75, 0.7501]) {
        const load = { worth: share * n, loads: null, freeShards: null };
        const first = next(fresh(n), load, policyOf());
        if (first.kind !== 'act') continue;
        const after = carriedOut(fresh(n), first, load, policyOf());
        expect(next(after, load, policyOf()).kind).toBe('skip');
      }
    }
  });

  it('2: a scale-in decided on samples from before the last scale-up', () => {
    const memory: Memory = { activeSince: now - 30 * MINUTE };
    expect(target({ ...cold, shards: 8, memory })).toBe('cool-down');
    expect(target({ ...cold, shards: 8, memory: { activeSince: now - 2 * HOUR }, day: dayOf(4) })).toBe('within-band');
  });

  it('3: halving again and again because there is no data', () => {
    expect(target({ metrics: NO_METRICS, trigger: 'tick', day: dayOf(0) })).toBe('metrics-missing');
    const sparse = dayOfDemand(metricsOf(0.01));
    expect(target({ ...cold, worth: 0.01, day: sparse })).toBe('insufficient-metrics');
    expect(target({ ...cold, worth: 0 }, { minShards: 4 })).toBe('at-min-shards');
  });

  it('4: a full stream that hides what it rejects', () => {
    const accepted = metricsOf(1);
    expect(target({ shards: 2, metrics: accepted })).toBe('within-band');
    const full = acted(decided({ shards: 1, metrics: { ...accepted, throttled: perMinute(7 * 102 * 60) } }));
    expect(full.why).toContain('797.3 % of 1 shard; counting each rejection, 16 would carry it');
    expect(full.remember).toMatchObject({ more: true });
  });

  it('5: a minute whose mean hides a burst', () => {
    expect(target({ worth: 2, metrics: { throttled: perMinute(5) } })).toBe('skew-or-burst');
    const shards = uniformShards(4);
    expect(
      target({ shards, worth: 2, metrics: { throttled: perMinute(5) }, shardLoads: loadsOf(shards, [0.5, 0.5]) }),
    ).toBe('burst');
  });

  it('6: the same state change, delivered by several ways and more than once', () => {
    const occurrences = [alarmEvent(), alarmEvent(), directAlarm(), snsRecords(snsAlarm())].map((payload) => {
      const [parsed] = receive(payload).messages.map(parse);
      return parsed?.kind === 'event' && parsed.event.kind === 'alarm' ? alarmOccurrence(parsed.event) : 'none';
    });
    expect(new Set(occurrences).size).toBe(1);

    const fresh = ledger.fresh({ fn: 'reshard-kinesis', resource: 'orders' });
    const taken = ledger.take(fresh, request({ occurrences }), now);
    const state = 'state' in taken ? taken.state : fresh;
    expect(ledger.refusal(state, request({ occurrences, factsAsOf: now + 1 }), now + HOUR)).toEqual({
      reason: 'duplicate',
    });
  });

  it('7: a deployment that sets the shard count back', () => {
    const memory = { activeSince: now - HOUR, splits: { [shardId(70)]: 1 } };
    expect(target({ shards: 2, worth: 2, memory })).toBe(4);
  });

  it('8: a utilisation taken for real while the new shards are not there yet', () => {
    const memory: Memory = { settling: { from: 4, to: 8, since: now - 2 * MINUTE } };
    expect(decided({ shards: 6, worth: 4, status: 'UPDATING', memory })).toMatchObject({ kind: 'defer' });
    expect(decided({ shards: 8, worth: 1, memory })).toMatchObject({ kind: 'defer', reason: 'measuring' });
  });
});
