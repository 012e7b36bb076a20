import { describe, expect, it } from 'vitest';
import type { Memory, Shard, StreamMetrics } from '../../../functions/reshard-kinesis/facts.ts';
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
  type StreamOptions,
  shardId,
  shardsFrom,
  uniformShards,
} from '../../support/stream-facts.ts';

const DAILY = { budget: 'UpdateShardCount', limit: 10, windowMs: 24 * HOUR + 5 * MINUTE };
const OPEN = { openedAt: now - 10 * MINUTE, steps: 1 };
const arn = 'arn:aws:kinesis:eu-west-1:111122223333:stream/orders';
const update = (TargetShardCount: number) => ({
  call: 'UpdateShardCount',
  params: { StreamARN: arn, TargetShardCount, ScalingType: 'UNIFORM_SCALING' },
});
/** Records rejected in each of the last five minutes. */
const rejected = (perMinuteRejected: number) => ({ throttled: perMinute(perMinuteRejected) });
/** A quiet stream a tick would shrink: 4 shards, a tenth of them used. */
const cold: StreamOptions = { worth: 0.4, trigger: 'tick' };

describe('a stream in another state', () => {
  it.each(['CREATING', 'UPDATING'])('is looked at again while it is %s', (status) => {
    expect(decided({ status, worth: 4 })).toEqual({
      kind: 'defer',
      reason: 'stream-updating',
      until: now + 10_000,
      why: `The stream is ${status}; it is looked at again.`,
      remember: { settling: { from: 4, to: null, since: now } },
    });
  });

  it.each([
    ['ten seconds at first', 0, 10_000, '0 s'],
    ['ten seconds up to a hundred', 100_000, 10_000, '100 s'],
    ['half a minute after five', 5 * MINUTE, 30_000, '5 min'],
    ['a tenth of the time it has taken', 20 * MINUTE, 2 * MINUTE, '20 min'],
    ['five minutes after fifty', 50 * MINUTE, 5 * MINUTE, '50 min'],
    ['five minutes at most', 3 * HOUR, 5 * MINUTE, '3 h'],
  ])('is looked at again after %s', (_when, since, wait, ago) => {
    const memory = { settling: { from: 2, to: 4, since: now - since }, more: true };
    const decision = decided({ status: 'UPDATING', memory });
    expect(decision).toMatchObject({ kind: 'defer', until: now + wait, remember: memory });
    expect(decision.why).toBe(`The stream is UPDATING (2 -> 4, asked for ${ago} ago); it is looked at again.`);
  });

  it('is left alone while it is deleted', () => {
    expect(decided({ status: 'DELETING', worth: 4 })).toEqual({
      kind: 'skip',
      reason: 'stream-deleting',
      why: 'The stream is being deleted.',
    });
  });

  it.each(['', 'PAUSED'])('goes to a person where its status is "%s"', (status) => {
    expect(decided({ status, worth: 4 })).toEqual({
      kind: 'escalate',
      reason: 'unexpected-state',
      why: `StreamStatus is "${status}", which Reflex does not know.`,
      advice: 'Look at the stream in the console; it is left alone until Reflex knows this value.',
    });
  });

  it('is left alone where no open shard is listed', () => {
    expect(decided({ shards: 0 })).toEqual({
      kind: 'skip',
      reason: 'unexpected-state',
      why: 'The stream is ACTIVE and ListShards shows no open shard; nothing can be sized.',
    });
  });

  it('is acted on where it is ACTIVE', () => {
    expect(decided({ worth: 4 })).toMatchObject({ kind: 'act', reason: 'scale-up' });
  });
});

describe('an on-demand stream', () => {
  const onDemand: StreamOptions = { mode: 'ON_DEMAND', worth: 40, metrics: rejected(600) };

  it('goes to a person on an alarm, with advice', () => {
    expect(decided(onDemand)).toEqual({
      kind: 'escalate',
      reason: 'on-demand',
      why: 'The stream is in on-demand mode: AWS resizes it, up to twice the peak of the last 30 days.',
      advice:
        'If records are rejected: wait about 15 minutes, look for a hot partition key, or ask for a higher throughput quota.',
    });
  });

  it('comes with the command where warm throughput is on offer', () => {
    expect(decided({ ...onDemand, warmThroughputMiBps: 8 })).toMatchObject({
      advice: `aws kinesis update-stream-warm-throughput --stream-arn ${arn} --warm-throughput-mi-bps <more than 8>`,
    });
  });

  it.each(['tick', 'recovery', 'follow-up', 'event'] as const)('is left alone on a %s', (trigger) => {
    expect(decided({ ...onDemand, trigger })).toMatchObject({ kind: 'skip', reason: 'on-demand' });
  });

  it('of a mode that AWS adds one day goes to a person', () => {
    expect(decided({ mode: 'SERVERLESS', worth: 4 })).toEqual({
      kind: 'escalate',
      reason: 'unexpected-state',
      why: 'StreamMode is "SERVERLESS", which Reflex does not know.',
      advice: 'Look at the stream in the console; it is left alone until Reflex knows this value.',
    });
  });
});

describe('after a reshard', () => {
  const settling = { from: 2, to: 4, since: now - 2 * MINUTE };

  it('waits for one full minute of metrics once the stream is ACTIVE, and remembers since when', () => {
    expect(decided({ memory: { settling, more: true }, worth: 4 }, {}, now + 1)).toEqual({
      kind: 'defer',
      reason: 'measuring',
      until: now + 2 * MINUTE + 15_000,
      why: 'The stream is ACTIVE with 4 shards (2 before); one full minute of metrics is awaited.',
      remember: { activeSince: now + 1, more: true, grown: true },
    });
    expect(decided({ memory: { settling }, worth: 4 })).toMatchObject({ until: now + MINUTE + 15_000 });
  });

  it('does not take a stream for resharded that AWS has not begun on', () => {
    const memory = { settling: { from: 4, to: 8, since: now - 59_999 } };
    expect(decided({ memory, worth: 4 })).toEqual({
      kind: 'defer',
      reason: 'stream-updating',
      until: now + 1,
      why: 'The reshard 4 -> 8 does not show yet.',
    });
  });

  it.each([
    ['a minute has passed', { from: 4, to: 8, since: now - MINUTE }],
    ['its shards have come to the expected number', { from: 2, to: 4, since: now - 1 }],
    ['somebody else resharded it, and what to expect is unknown', { from: 4, to: null, since: now - 1 }],
  ])('measures where %s', (_what, settling) => {
    expect(decided({ memory: { settling }, worth: 4 })).toMatchObject({ kind: 'defer', reason: 'measuring' });
  });

  it('does not judge before a full minute after it was measured', () => {
    const before = metricsOf(4, {}, now - MINUTE);
    expect(decided({ memory: { activeSince: now - 90_000 }, metrics: before })).toEqual({
      kind: 'defer',
      reason: 'measuring',
      until: now + 10_000,
      why: 'The stream is ACTIVE; no full minute of metrics since then yet.',
    });
    const late = decided({ memory: { activeSince: now - 5 * MINUTE }, metrics: NO_METRICS });
    expect(late).toMatchObject({ reason: 'measuring', until: now + 30_000 });
    expect(decided({ memory: { activeSince: now - MINUTE }, worth: 4 })).toMatchObject({ reason: 'scale-up' });
  });

  it('takes the absence of metrics for what it is after ten minutes', () => {
    expect(decided({ memory: { activeSince: now - 10 * MINUTE }, metrics: NO_METRICS })).toMatchObject({
      reason: 'measuring',
    });
    expect(decided({ memory: { activeSince: now - 10 * MINUTE - 1 }, metrics: NO_METRICS })).toMatchObject({
      reason: 'metrics-missing',
    });
  });

  it('judges by what was measured after it alone', () => {
    const incomingBytes = [...perMinute(4 * MIB * 60, 4, now - MINUTE), ...perMinute(2 * MIB * 60, 1)];
    const incomingRecords = perMinute(60, 1);
    const metrics = { incomingBytes, incomingRecords };
    expect(decided({ metrics })).toMatchObject({ kind: 'act' });
    expect(decided({ metrics, memory: { activeSince: now - MINUTE } })).toMatchObject({ reason: 'within-band' });
  });
});

describe('without Incoming metrics', () => {
  const silent: StreamOptions = { metrics: NO_METRICS };
  const unseen: StreamOptions = { metrics: { ...NO_METRICS, throttled: perMinute(7) } };

  it('doubles where records are rejected', () => {
    expect(decided(unseen)).toEqual({
      kind: 'act',
      reason: 'throttled-unseen',
      why: '35 records rejected and none seen accepted; demand is unknown. 4 -> 8.',
      calls: [update(8)],
      spends: [{ ...DAILY, keep: 0 }],
      coolDownMs: MINUTE,
      planned: false,
      remember: { settling: { from: 4, to: 8, since: now } },
    });
  });

  it('counts a second doubling in the dark as a failed verification', () => {
    const first = acted(decided(unseen));
    expect(first.remember).not.toHaveProperty('more');
  });

  it('takes the maximum where it cannot double', () => {
    expect(decided(unseen, { maxShards: 6 })).toMatchObject({
      calls: [update(6)],
      why: expect.stringContaining('4 -> 6. reflex:max-shards is 6.'),
    });
  });

  it('leaves the stream alone where nothing is rejected', () => {
    expect(decided(silent)).toEqual({
      kind: 'skip',
      reason: 'metrics-missing',
      why: 'No IncomingBytes or IncomingRecords data point in the last 10 minutes.',
    });
  });

  it('never shrinks, on any trigger, however cold the day was', () => {
    for (const trigger of ['tick', 'alarm', 'recovery', 'follow-up', 'event'] as const) {
      expect(decided({ ...silent, trigger, day: dayOf(0.01) })).toMatchObject({ reason: 'metrics-missing' });
    }
  });

  it('waits an hour for them in an open incident, and then closes it: nothing is written', () => {
    expect(decided({ ...silent, incident: { openedAt: now - HOUR + 1, steps: 1 } })).toEqual({
      kind: 'defer',
      reason: 'metrics-missing',
      until: now + 2 * MINUTE,
      why: 'No IncomingBytes or IncomingRecords data point in the last 10 minutes; they are awaited up to 60 min.',
    });
    expect(decided({ ...silent, incident: { openedAt: now - HOUR, steps: 1 } })).toEqual({
      kind: 'skip',
      reason: 'metrics-missing',
      why: 'No IncomingBytes or IncomingRecords data point in the last 10 minutes, 60 min into the incident: nothing is written, so nothing is rejected. The shards stay as they are.',
    });
  });

  it('counts that hour from the last reshard', () => {
    const incident = { openedAt: now - 3 * HOUR, steps: 1 };
    const at = (activeSince: number) => decided({ ...silent, incident, memory: { activeSince } });
    expect(at(now - HOUR + 1)).toMatchObject({ kind: 'defer' });
    expect(at(now - HOUR)).toMatchObject({ kind: 'skip' });
  });

  it('splits no shard, even a hot one', () => {
    const shards = uniformShards(8);
    expect(decided({ ...silent, shards, shardLoads: loadsOf(shards, [1]) })).toMatchObject({
      reason: 'metrics-missing',
    });
  });
});

describe('a stream below its minimum', () => {
  it('is brought up in one step where it can be', () => {
    expect(decided({ worth: 2, trigger: 'tick' }, { minShards: 6 })).toEqual({
      kind: 'act',
      reason: 'below-min-shards',
      why: '4 shards open, reflex:min-shards is 6. 4 -> 6.',
      calls: [update(6)],
      spends: [{ ...DAILY, keep: 0 }],
      coolDownMs: MINUTE,
      planned: false,
      remember: { settling: { from: 4, to: 6, since: now } },
    });
  });

  it('is brought up in steps where the minimum is beyond double, and the next step is no failure', () => {
    const first = acted(decided({ shards: 1, worth: 0.3 }, { minShards: 3 }));
    expect(first).toMatchObject({
      why: '1 shard open, reflex:min-shards is 3. 1 -> 2. The rest follows when these are in service.',
      calls: [update(2)],
      remember: { more: true },
    });
    const memory: Memory = { more: true };
    expect(acted(decided({ shards: 2, worth: 0.3, memory }, { minShards: 3 }))).toMatchObject({
      calls: [update(3)],
      planned: true,
      remember: { settling: { from: 2, to: 3, since: now } },
    });
  });

  it('is not brought above it', () => {
    expect(decided({ shards: 3, worth: 1.5 }, { minShards: 4 })).toMatchObject({ calls: [update(4)] });
  });

  it('is left alone at its minimum', () => {
    expect(decided({ worth: 2 }, { minShards: 4 })).toMatchObject({ reason: 'within-band' });
  });

  it('is brought up without any metrics: the setting is reason enough', () => {
    expect(decided({ metrics: NO_METRICS }, { minShards: 5 })).toMatchObject({ reason: 'below-min-shards' });
  });

  it('does not wait after a step for metrics that an idle stream does not have, but for those of one in use', () => {
    const memory: Memory = { activeSince: now - 75_000, more: true };
    const step = (metrics: Partial<StreamMetrics>) => decided({ shards: 2, metrics, memory }, { minShards: 8 });

    expect(step(NO_METRICS)).toMatchObject({ reason: 'below-min-shards', calls: [update(4)], planned: true });
    expect(step({ ...NO_METRICS, incomingBytes: [[now - 30_000, 1]] })).toMatchObject({ reason: 'measuring' });
  });

  it('is brought up where a burst is rejected, which is what the minimum is raised for', () => {
    expect(decided({ worth: 1, metrics: rejected(1) }, { minShards: 8 })).toMatchObject({
      reason: 'below-min-shards',
      calls: [update(8)],
    });
  });

  it('is grown for its load where that asks for more', () => {
    expect(decided({ worth: 4 }, { minShards: 5 })).toMatchObject({ reason: 'scale-up', calls: [update(8)] });
  });

  it('is grown towards its minimum where the load asks for less', () => {
    expect(decided({ shards: 8, worth: 6.1 }, { minShards: 15, maxShards: 15 })).toMatchObject({
      reason: 'scale-up',
      calls: [update(14)],
    });
  });

  it('is grown uniformly before single shards are split, which it would undo', () => {
    const shards = uniformShards(8);
    const hot: StreamOptions = { shards, worth: 2, shardLoads: loadsOf(shards, [0.9]) };
    expect(decided(hot, { minShards: 9 })).toMatchObject({ reason: 'below-min-shards' });
    expect(decided(hot, { minShards: 8 })).toMatchObject({ reason: 'split-hot-shards' });
    const full: StreamOptions = { shards, worth: 7.3, shardLoads: loadsOf(shards, [2]) };
    expect(decided(full, { targetUtilization: 0.8, minShards: 9 })).toMatchObject({ reason: 'scale-up' });
    expect(decided(full, { targetUtilization: 0.8, minShards: 8 })).toMatchObject({ reason: 'split-hot-shards' });
  });

  it('goes to a person where the account has no room', () => {
    expect(decided({ worth: 2, freeShards: 3 }, { minShards: 8 })).toEqual({
      kind: 'escalate',
      reason: 'account-shard-limit',
      why: 'Peak of the last minutes 2.00 MiB/s and 205 records/s: 50 % of 4 shards; 8 are needed, but the account has 3 free shards; a uniform reshard of 4 needs at least 4 while it runs.',
      advice: 'Request a higher shards-per-Region quota for Kinesis Data Streams, or delete shards that are not used.',
    });
  });
});

describe('utilisation above the band', () => {
  it('doubles, and tells the load, the need and the step', () => {
    expect(decided({ worth: 3.2 })).toEqual({
      kind: 'act',
      reason: 'scale-up',
      why: 'Peak of the last minutes 3.20 MiB/s and 328 records/s: 80 % of 4 shards; 7 would carry it at 50 %. 4 -> 8.',
      calls: [update(8)],
      spends: [{ ...DAILY, keep: 0 }],
      coolDownMs: MINUTE,
      planned: false,
      remember: { settling: { from: 4, to: 8, since: now } },
    });
  });

  it('does not begin at exactly 75 %', () => {
    expect(decided({ worth: 3 })).toEqual({
      kind: 'skip',
      reason: 'within-band',
      why: 'Peak of the last minutes 3.00 MiB/s and 308 records/s: 75 % of 4 shards; nothing is done between 25 % and 75 %.',
    });
    expect(decided({ worth: 3 + 1 / MIB })).toMatchObject({ kind: 'act', reason: 'scale-up' });
  });

  it.each(['alarm', 'tick', 'recovery', 'follow-up'] as const)('is acted on whatever woke us: %s', (trigger) => {
    expect(decided({ worth: 4, trigger })).toMatchObject({ kind: 'act', reason: 'scale-up' });
  });

  it('follows the records where those are scarcer than the bytes', () => {
    const incomingRecords = perMinute(3_100 * 60);
    expect(decided({ worth: 1, metrics: { incomingRecords } })).toMatchObject({
      reason: 'scale-up',
      why: expect.stringContaining('1.00 MiB/s and 3,100 records/s: 77.5 % of 4 shards; 7 would carry it'),
    });
  });

  it('follows what shared consumers read where that is scarcer', () => {
    const outgoingBytes = perMinute(6.4 * MIB * 60);
    expect(decided({ worth: 1, metrics: { outgoingBytes } })).toMatchObject({
      reason: 'scale-up',
      why: expect.stringContaining('1.00 MiB/s and 103 records/s, 6.40 MiB/s read: 80 % of 4 shards'),
    });
  });

  it('does not follow what consumers read while they catch up with a backlog', () => {
    const outgoingBytes = perMinute(8 * MIB * 60);
    const ages = (first: number, last: number) => [
      [now - 2 * MINUTE, first * 1_000] as const,
      [now - MINUTE, last * 1_000] as const,
    ];
    const at = (first: number, last: number) =>
      decided({ worth: 2, metrics: { outgoingBytes, iteratorAge: ages(first, last) } });
    expect(at(1_801, 1_700)).toMatchObject({
      reason: 'consumer-lag',
      why: 'Consumers are 30 min behind and catching up (limit 30 min). Peak of the last minutes 2.00 MiB/s and 205 records/s: 50 % of 4 shards: more shards do not mend that.',
    });
    expect(at(1_801, 1_900)).toMatchObject({ reason: 'scale-up' });
    expect(at(61, 20)).toMatchObject({ reason: 'within-band' });
    expect(at(60, 20)).toMatchObject({ reason: 'scale-up' });
    expect(at(20, 61)).toMatchObject({ reason: 'scale-up' });
  });

  it('counts rejected records as demand', () => {
    expect(decided({ worth: 2.5 })).toMatchObject({ reason: 'within-band' });
    expect(decided({ worth: 2.5, metrics: rejected(0.6 * 102.4 * 60) })).toMatchObject({
      reason: 'scale-up',
      why: expect.stringContaining('3.10 MiB/s and 318 records/s, 18,432 records rejected: 77.5 % of 4 shards'),
    });
  });

  it('moves with the target utilisation', () => {
    expect(decided({ worth: 3.2 }, { targetUtilization: 0.6 })).toMatchObject({ reason: 'within-band' });
    expect(decided({ worth: 1.3 }, { targetUtilization: 0.2 })).toMatchObject({ reason: 'scale-up' });
  });

  it('takes a need beyond double in steps, the next of which is no failure', () => {
    const first = acted(decided({ worth: 5 }));
    expect(first.why).toContain('10 would carry it at 50 %. 4 -> 8. The rest follows when these are in service.');
    expect(first.remember).toEqual({ settling: { from: 4, to: 8, since: now }, more: true });
    expect(acted(decided({ shards: 8, worth: 7, memory: { more: true } })).planned).toBe(true);
    expect(acted(decided({ shards: 8, worth: 7 })).planned).toBe(false);
  });

  it('takes the need for unknown where a full stream rejects records', () => {
    const full = acted(decided({ worth: 3.5, metrics: rejected(0.3 * 102.4 * 60) }));
    expect(full.why).toContain('95 % of 4 shards; counting each rejection, 8 would carry it at 50 %. 4 -> 8.');
    expect(full.reason).toBe('scale-up');
    expect(full.remember).toHaveProperty('more', true);
    const nearlyFull = acted(decided({ worth: 3.4, metrics: rejected(0.3 * 102.4 * 60) }));
    expect(nearlyFull.why).toContain('; 8 would carry it');
    expect(nearlyFull.remember).not.toHaveProperty('more');
    const rejectsNothing = acted(decided({ worth: 4 }));
    expect(rejectsNothing.remember).not.toHaveProperty('more');
  });

  it('goes as far towards double as it may where the need is unknown', () => {
    const policy = { targetUtilization: 0.8, maxShards: 15 };
    expect(decided({ shards: 8, worth: 7.6 }, policy)).toMatchObject({ calls: [update(10)] });
    expect(decided({ shards: 8, worth: 7.6, metrics: rejected(60) }, policy)).toMatchObject({ calls: [update(14)] });
  });

  it('says so where the maximum allows no more than a part', () => {
    expect(decided({ worth: 4 }, { maxShards: 5 })).toMatchObject({
      calls: [update(5)],
      why: expect.stringContaining('8 would carry it at 50 %. 4 -> 5. reflex:max-shards is 5.'),
    });
  });

  it('forgets what was queued, and when the stream was last seen ACTIVE', () => {
    const memory: Memory = { activeSince: now - HOUR, queue: [{ split: 'x' }] };
    expect(acted(decided({ worth: 4, memory })).remember).toEqual({ settling: { from: 4, to: 8, since: now } });
  });
});

describe('at a limit', () => {
  it('goes to a person with the tag to set where the maximum is reached', () => {
    expect(decided({ worth: 4 }, { maxShards: 4 })).toEqual({
      kind: 'escalate',
      reason: 'at-max-shards',
      why: 'Peak of the last minutes 4.00 MiB/s and 410 records/s: 100 % of 4 shards; 8 are needed, but 4 are open and reflex:max-shards is 4.',
      advice: `aws kinesis add-tags-to-stream --stream-name orders --tags '{"reflex:max-shards":"8"}'`,
    });
  });

  it('advises no tag beyond what the API accepts', () => {
    expect(decided({ shards: 6_000, worth: 6_000 }, { maxShards: 6_000 })).toMatchObject({
      advice: expect.stringContaining('"reflex:max-shards":"10000"'),
    });
    expect(decided({ shards: 10_000, worth: 8_000 }, { maxShards: 10_000 })).toMatchObject({
      reason: 'at-max-shards',
      why: expect.stringContaining('16,000 are needed, but 10,000 are open'),
      advice:
        'UpdateShardCount goes no further than 10,000 shards: spread the load over a second stream, or switch to on-demand mode.',
    });
  });

  it('goes to a person where the account has too few free shards for the splits', () => {
    expect(decided({ worth: 4, freeShards: 3 })).toMatchObject({
      kind: 'escalate',
      reason: 'account-shard-limit',
      why: expect.stringContaining('8 are needed, but the account has 3 free shards'),
    });
    expect(decided({ worth: 4, freeShards: 4 })).toMatchObject({ calls: [update(8)] });
  });

  it('lets the API tell where the free shards are unknown', () => {
    expect(decided({ worth: 4, freeShards: null })).toMatchObject({ calls: [update(8)] });
  });
});

describe('few hot shards', () => {
  const shards = uniformShards(8);
  const skewed = (loads: readonly number[], more: StreamOptions = {}): StreamOptions => ({
    shards,
    worth: 2.4,
    shardLoads: loadsOf(shards, loads),
    ...more,
  });

  it('are split, the hottest first, the others queued', () => {
    expect(decided(skewed([0.8, 0, 0.9]))).toEqual({
      kind: 'act',
      reason: 'split-hot-shards',
      why: '2 of 8 shards are hot (shardId-000000000002 90 %, shardId-000000000000 80 %) and the others are not. Splitting shardId-000000000002, then 1 more, one after the other.',
      calls: [
        {
          call: 'SplitShard',
          params: {
            StreamARN: arn,
            ShardToSplit: shardId(2),
            NewStartingHashKey: ((2n ** 125n * 5n) / 2n).toString(),
          },
        },
      ],
      coolDownMs: 0,
      planned: true,
      remember: {
        settling: { from: 8, to: 9, since: now },
        splits: { [shardId(0)]: 0, [shardId(2)]: 0 },
        queue: [{ split: shardId(0) }],
      },
    });
  });

  it('cost none of the daily calls', () => {
    expect(acted(decided(skewed([0.9]))).spends).toBeUndefined();
  });

  it('is said of a single one in the singular', () => {
    expect(acted(decided(skewed([0.9]))).why).toBe(
      '1 of 8 shards is hot (shardId-000000000000 90 %) and the others are not. Splitting shardId-000000000000.',
    );
  });

  it('are not hot at exactly 75 %', () => {
    expect(decided(skewed([0.75]))).toMatchObject({ reason: 'within-band' });
    expect(decided(skewed([0.7501]))).toMatchObject({ reason: 'split-hot-shards' });
  });

  it('are hot above the target where they reject records, and not at it', () => {
    const at = (load: number) => {
      const shardLoads = { ...loadsOf(shards, []), [shardId(3)]: { now: load, throttled: 1, day: load } };
      return decided({ shards, worth: 2.4, shardLoads, metrics: rejected(1) });
    };
    expect(at(0.5)).toMatchObject({ kind: 'escalate', reason: 'burst' });
    expect(at(0.51)).toMatchObject({ reason: 'split-hot-shards' });
  });

  it.each([
    ['a quarter of eight', 8, 2, 'split-hot-shards'],
    ['three of eight', 8, 3, 'split-hot-shards'],
    ['four of eight, which is half', 8, 4, 'scale-up'],
    ['one of three', 3, 1, 'split-hot-shards'],
    ['one of two, which is half', 2, 1, 'scale-up'],
    ['two of five', 5, 2, 'split-hot-shards'],
    ['two of four', 4, 2, 'scale-up'],
    ['fifty of two hundred', 200, 50, 'split-hot-shards'],
    ['fifty-one of two hundred and four, too many to take one at a time', 204, 51, 'scale-up'],
  ])('%s are met with the right means', (_what, n, hot, reason) => {
    const line = uniformShards(n);
    const shardLoads = loadsOf(
      line,
      Array.from({ length: hot }, () => 0.8),
    );
    expect(decided({ shards: line, worth: 0.3 * n, shardLoads }, { maxShards: 1_000 })).toMatchObject({
      kind: 'act',
      reason,
    });
  });

  it('are left to a uniform step where the others are nearly hot, too: above 67.5 %', () => {
    expect(decided(skewed([1, 1], { worth: 6.06 }))).toMatchObject({ reason: 'scale-up', calls: [update(16)] });
    expect(decided(skewed([1, 1], { worth: 6.04 }))).toMatchObject({ reason: 'split-hot-shards' });
  });

  it('are split where they alone make the whole stream look overloaded', () => {
    const retried = skewed([5, 2], { worth: 9.6, metrics: rejected(2_000) });
    expect(decided(retried)).toMatchObject({ kind: 'act', reason: 'split-hot-shards' });
  });

  it('are split again without that being a failure where half of the hottest was known to be hot', () => {
    const first = (load: number) => acted(decided(skewed([load, 0.9]))).remember;
    expect(first(1.5)).not.toHaveProperty('more');
    expect(first(1.51)).toMatchObject({ more: true });
    expect(acted(decided(skewed([0.9], { memory: { more: true } }))).planned).toBe(true);
    expect(acted(decided(skewed([0.9], { memory: { more: true } }))).remember).not.toHaveProperty('more');
  });

  it('are a failure of the split before where a half of it is hot against expectation, and none where others are', () => {
    const halves = shards.map((shard, i) => (i < 2 ? { ...shard, parentId: 'parent' } : shard));
    const at = (loads: readonly number[]) =>
      acted(
        decided({ shards: halves, worth: 2.4, shardLoads: loadsOf(halves, loads), memory: { splits: { parent: 0 } } }),
      );
    expect(at([0.9, 0.4]).planned).toBe(false);
    expect(at([0.4, 0.4, 0.9]).planned).toBe(true);
  });

  it('are no failure where others have become hot beside such a half: the load has risen', () => {
    const halves = shards.map((shard, i) => (i < 2 ? { ...shard, parentId: 'parent' } : shard));
    const at = (loads: readonly number[]) =>
      acted(
        decided({ shards: halves, worth: 2.4, shardLoads: loadsOf(halves, loads), memory: { splits: { parent: 0 } } }),
      );
    expect(at([0.9, 0.4, 0.8]).planned).toBe(true);
    expect(at([0.9, 0.8]).planned).toBe(false);
  });

  it('are not hot for records that were rejected before the stream was ACTIVE', () => {
    const at = (perMinuteRejected: number, memory: Memory) =>
      decided({
        shards,
        worth: 2.4,
        shardLoads: { ...loadsOf(shards, []), [shardId(3)]: { now: 0.6, throttled: 40, day: 0.6 } },
        metrics: rejected(perMinuteRejected),
        memory,
      });
    expect(at(0, { activeSince: now - 3 * MINUTE })).toMatchObject({ kind: 'skip', reason: 'within-band' });
    expect(at(1, { activeSince: now - 3 * MINUTE })).toMatchObject({ reason: 'split-hot-shards' });
  });

  it('are split in an overloaded stream that needs less than that', () => {
    const policy = { targetUtilization: 0.8 };
    expect(decided(skewed([2], { worth: 7.3 }), policy)).toMatchObject({ reason: 'split-hot-shards' });
    expect(decided(skewed([2], { worth: 9.6 }), policy)).toMatchObject({ reason: 'scale-up' });
  });

  it('are split in a small stream, though rounding up its need gives half as many again', () => {
    const line = uniformShards(3);
    const at = (worth: number) => decided({ shards: line, worth, shardLoads: loadsOf(line, [1]) });
    expect(at(2.26)).toMatchObject({ reason: 'split-hot-shards' });
    expect(at(2.41)).toMatchObject({ reason: 'scale-up' });
  });

  it('are not looked for where shard-level metrics are off', () => {
    expect(decided({ shards, worth: 2.4 })).toMatchObject({ reason: 'within-band' });
  });

  it('go to a person where the maximum is reached', () => {
    expect(decided(skewed([0.9]), { maxShards: 8 })).toMatchObject({
      kind: 'escalate',
      reason: 'at-max-shards',
      why: `Hot: ${shardId(0)} 90 %. To split it takes 1 more shard, but 8 are open and reflex:max-shards is 8.`,
      advice: expect.stringContaining('"reflex:max-shards":"9"'),
    });
    expect(decided(skewed([0.9]), { maxShards: 9 })).toMatchObject({ kind: 'act' });
  });

  it('go to a person where the account has not one free shard', () => {
    expect(decided(skewed([0.9, 0.8], { freeShards: 0 }))).toMatchObject({
      reason: 'account-shard-limit',
      why: `Hot: ${shardId(0)} 90 %, ${shardId(1)} 80 %. To split them takes 2 more shards, but the account has 0 free shards.`,
    });
    expect(decided(skewed([0.9], { freeShards: 0 }), { maxShards: 9 })).toMatchObject({
      reason: 'account-shard-limit',
    });
    expect(decided(skewed([0.9], { freeShards: 1 }))).toMatchObject({ kind: 'act' });
    expect(decided(skewed([0.9], { freeShards: null }))).toMatchObject({ kind: 'act' });
  });

  it('names five of many', () => {
    const line = uniformShards(40);
    const shardLoads = loadsOf(
      line,
      Array.from({ length: 7 }, () => 0.8),
    );
    const { why } = acted(decided({ shards: line, worth: 10, shardLoads }));
    expect(why).toContain('7 of 40 shards are hot');
    expect(why).toContain('shardId-000000000004 80 %, 2 more)');
    expect(why).not.toContain('shardId-000000000005');
  });

  it('forgets splits that explain nothing any more', () => {
    const memory: Memory = { splits: { gone: 1, [shardId(1)]: 1 } };
    expect(acted(decided(skewed([0.9], { memory }))).remember).toMatchObject({
      splits: { [shardId(0)]: 0, [shardId(1)]: 1 },
    });
    expect(acted(decided(skewed([0.9], { memory }))).remember).not.toHaveProperty('splits.gone');
  });
});

describe('a hot key', () => {
  const line = (n: number): Shard[] =>
    uniformShards(n).map((shard, i) => (i < 2 ? { ...shard, parentId: 'p' } : shard));
  const twice = { splits: { p: 1 } };
  const besideKey = (worth: number) =>
    decided({ shards: line(8), worth, shardLoads: loadsOf(line(8), [1.5, 0]), memory: twice });

  it('goes to a person after two one-sided splits of a lineage', () => {
    const shards = line(8);
    const at = (loads: number[], memory: Memory) =>
      decided({ shards, worth: 2, shardLoads: loadsOf(shards, loads), memory });
    expect(at([0.9, 0], twice)).toEqual({
      kind: 'escalate',
      reason: 'hot-key',
      why: 'Hot: shardId-000000000000 90 %. 2 splits in a row left the load on one side, or the shard is too narrow to split: one partition key carries it.',
      advice:
        'Spread the key over several partition keys (a suffix), or aggregate its records; splitting the shard again would not help.',
    });
    expect(at([0.9, 0], { splits: { p: 0 } })).toMatchObject({ reason: 'split-hot-shards' });
    expect(at([0.9, 0.2], twice)).toMatchObject({ reason: 'split-hot-shards' });
  });

  it('does not keep other hot shards from being split', () => {
    const shards = line(8);
    const decision = decided({ shards, worth: 2, shardLoads: loadsOf(shards, [0.95, 0, 0.8]), memory: twice });
    expect(acted(decision).calls).toMatchObject([{ params: { ShardToSplit: shardId(2) } }]);
    expect(acted(decision).remember).toMatchObject({ splits: { p: 1, [shardId(2)]: 0 } });
  });

  it('is told of a shard too narrow to split, too', () => {
    const shards = shardsFrom([0n, 3n, 2n ** 100n, 2n ** 126n]);
    const at = (loads: number[]) => decided({ shards, worth: 1.2, shardLoads: loadsOf(shards, loads) });
    expect(at([0.9])).toMatchObject({ kind: 'escalate', reason: 'hot-key' });
    expect(at([0, 0.9])).toMatchObject({ reason: 'split-hot-shards' });
  });

  it('does not keep an overloaded stream from growing', () => {
    expect(besideKey(6.8)).toMatchObject({ reason: 'scale-up' });
  });

  it('does not make a stream grow whose other shards are well: no shard more would take any of it', () => {
    expect(besideKey(6.2)).toMatchObject({ kind: 'escalate', reason: 'hot-key' });
  });
});

describe('many hot shards', () => {
  const shards = uniformShards(4);

  it('are met with a uniform step before records are rejected', () => {
    expect(decided({ shards, worth: 2, shardLoads: loadsOf(shards, [0.9, 0.8]) })).toMatchObject({
      kind: 'act',
      reason: 'scale-up',
      why: 'Peak of the last minutes 2.00 MiB/s and 205 records/s: 50 % of 4 shards, and 2 of them hot (shardId-000000000000 90 %, shardId-000000000001 80 %). 4 -> 8.',
      calls: [update(8)],
    });
  });

  it('ask for one more shard at least', () => {
    const at = (maxShards: number) =>
      decided({ shards, worth: 1, shardLoads: loadsOf(shards, [0.9, 0.8]) }, { maxShards });
    expect(at(5)).toMatchObject({ calls: [update(5)] });
    expect(acted(at(5)).why).not.toContain('max-shards');
    expect(acted(at(5)).remember).not.toHaveProperty('more');
    expect(at(4)).toMatchObject({ reason: 'at-max-shards', why: expect.stringContaining('5 are needed') });
  });

  it('are left alone where none is hot', () => {
    expect(decided({ shards, worth: 2, shardLoads: loadsOf(shards, [0.75, 0.75, 0.5]) })).toMatchObject({
      reason: 'within-band',
    });
  });
});

describe('records rejected though there is room', () => {
  it('go to a person with the command that would show where', () => {
    expect(decided({ worth: 2, metrics: rejected(2) })).toEqual({
      kind: 'escalate',
      reason: 'skew-or-burst',
      why: 'Peak of the last minutes 2.00 MiB/s and 205 records/s, 10 records rejected: 50 % of 4 shards: there is room, so either few shards are hot or the burst is shorter than a minute. No shard-level metrics to tell.',
      advice:
        'aws kinesis enable-enhanced-monitoring --stream-name orders --shard-level-metrics IncomingBytes IncomingRecords WriteProvisionedThroughputExceeded',
    });
  });

  it('are a burst where shard-level metrics show no hot shard', () => {
    const shards = uniformShards(4);
    expect(decided({ shards, worth: 2, metrics: rejected(2), shardLoads: loadsOf(shards, [0.5, 0.5]) })).toEqual({
      kind: 'escalate',
      reason: 'burst',
      why: 'Peak of the last minutes 2.00 MiB/s and 205 records/s, 10 records rejected: 50 % of 4 shards, and no shard is hot over a whole minute: a burst inside the minute.',
      advice:
        'Let producers retry with jitter and smaller batches, or raise reflex:min-shards to hold room for the burst.',
    });
  });

  it('are nothing where none is rejected', () => {
    expect(decided({ worth: 2, metrics: rejected(0) })).toMatchObject({ reason: 'within-band' });
  });
});

describe('lagging consumers', () => {
  const behind = (seconds: number) => ({ iteratorAge: perMinute(seconds * 1_000) });

  it('go to a person on an alarm: more shards do not mend a slow consumer', () => {
    expect(decided({ worth: 2, metrics: behind(7_200) })).toEqual({
      kind: 'escalate',
      reason: 'consumer-lag',
      why: 'Consumers are 2 h behind (limit 30 min). Peak of the last minutes 2.00 MiB/s and 205 records/s: 50 % of 4 shards: more shards do not mend that.',
      advice:
        'Look at the consumer: errors that block a batch, ParallelizationFactor, reserved concurrency, or one slow key.',
    });
  });

  it('are not lagging at exactly the limit', () => {
    expect(decided({ worth: 2, metrics: behind(1_800) })).toMatchObject({ reason: 'within-band' });
    expect(decided({ worth: 2, metrics: behind(1_800.001) })).toMatchObject({ reason: 'consumer-lag' });
    expect(decided({ worth: 2, metrics: behind(61) }, { maxIteratorAge: 60 })).toMatchObject({
      reason: 'consumer-lag',
      why: expect.stringContaining('61 s behind (limit 60 s)'),
    });
    expect(decided({ worth: 2, metrics: behind(7_199) }, { maxIteratorAge: 120 })).toMatchObject({
      why: expect.stringContaining('120 min behind (limit 2 min)'),
    });
  });

  it.each(['tick', 'follow-up', 'recovery'] as const)('are no new finding on a %s', (trigger) => {
    expect(decided({ worth: 2, metrics: behind(7_200), trigger })).not.toMatchObject({ reason: 'consumer-lag' });
  });

  it('are told of where nobody writes any more, too', () => {
    const metrics = { ...NO_METRICS, ...behind(7_200) };
    expect(decided({ metrics })).toMatchObject({
      reason: 'consumer-lag',
      why: 'Consumers are 2 h behind (limit 30 min). 4 shards open, demand unknown: more shards do not mend that.',
    });
  });

  it('do not keep an overloaded stream from growing', () => {
    expect(decided({ worth: 4, metrics: behind(7_200) })).toMatchObject({ reason: 'scale-up' });
  });
});

describe('consumer concurrency', () => {
  const consumer = (functionName: string, reservedConcurrency: number | null, parallelizationFactor = 1) => ({
    functionName,
    reservedConcurrency,
    parallelizationFactor,
  });
  const tagged = { consumerConcurrency: 5 };
  const read: StreamOptions = { worth: 2, trigger: 'follow-up', incident: OPEN, unreservedConcurrency: 1_000 };

  it('is brought in step with the shards, what frees concurrency first', () => {
    const consumers = [consumer('bill', null), consumer('ship', 20), consumer('mail', 40), consumer('log', 10)];
    expect(decided({ ...read, consumers }, tagged)).toEqual({
      kind: 'act',
      reason: 'consumer-concurrency',
      why: '4 shards at 5 each: reserved concurrency of mail, log, bill becomes 20.',
      calls: ['mail', 'log', 'bill'].map((FunctionName) => ({
        call: 'PutFunctionConcurrency',
        params: { FunctionName, ReservedConcurrentExecutions: 20 },
      })),
      coolDownMs: 0,
      planned: true,
    });
  });

  it('is left alone without the tag, without consumers, and in step', () => {
    const close = { kind: 'skip', reason: 'resolved' };
    expect(decided({ ...read, consumers: [consumer('bill', 1)] })).toMatchObject(close);
    expect(decided({ ...read, consumers: null }, tagged)).toMatchObject(close);
    expect(decided({ ...read, consumers: [] }, tagged)).toMatchObject(close);
    expect(decided({ ...read, consumers: [consumer('bill', 20)] }, tagged)).toMatchObject(close);
  });

  it('is left alone where somebody stopped the function by reserving none, and said to be', () => {
    const stopped = decided({ ...read, consumers: [consumer('bill', 0)] }, tagged);

    expect(stopped).toMatchObject({ kind: 'skip', reason: 'resolved' });
    expect(stopped.why).toContain('bill (stopped, with none reserved: its concurrency is left alone)');
  });

  it('leaves a hundred unreserved in the account', () => {
    const consumers = [consumer('bill', null), consumer('ship', 15)];
    const at = (unreservedConcurrency: number | null) => decided({ ...read, consumers, unreservedConcurrency }, tagged);
    expect(at(125)).toMatchObject({ kind: 'act' });
    expect(at(124)).toEqual({
      kind: 'escalate',
      reason: 'consumer-concurrency-limit',
      why: 'ship, bill should have reserved concurrency 20 for 4 shards, which would leave 99 unreserved in the account; Lambda keeps 100.',
      advice: 'Raise the account concurrency quota, or lower reflex:consumer-concurrency.',
    });
    expect(at(null)).toMatchObject({
      kind: 'escalate',
      why: expect.stringContaining('leave an unknown number of unreserved in the account'),
    });
  });
});

describe('the end of an incident', () => {
  it('is told with the time to capacity', () => {
    const incident = { openedAt: now - 30 * MINUTE, steps: 1 };
    expect(decided({ worth: 2, trigger: 'follow-up', incident, memory: { activeSince: now - 25 * MINUTE } })).toEqual({
      kind: 'skip',
      reason: 'resolved',
      why: 'Peak of the last minutes 2.00 MiB/s and 205 records/s: 50 % of 4 shards. Capacity was in service 5 min after the incident opened.',
    });
  });

  it.each([
    ['nothing was done', { openedAt: now - 30 * MINUTE, steps: 0 }, { activeSince: now - 25 * MINUTE }],
    ['the last reshard was before it', { openedAt: now - 30 * MINUTE, steps: 1 }, { activeSince: now - 31 * MINUTE }],
    ['no reshard was seen', { openedAt: now - 30 * MINUTE, steps: 1 }, {}],
  ])('is told without it where %s', (_what, incident, memory) => {
    expect(decided({ worth: 2, incident, memory }).why).toBe(
      'Peak of the last minutes 2.00 MiB/s and 205 records/s: 50 % of 4 shards.',
    );
  });

  it('tells of capacity in service as the incident opened', () => {
    const incident = { openedAt: now - 30 * MINUTE, steps: 1 };
    const memory = { activeSince: incident.openedAt };
    expect(decided({ worth: 2, incident, memory }).why).toContain('in service 0 s after');
  });

  it('tells of the consumers, and which of them may be short', () => {
    const consumers = [
      { functionName: 'bill', parallelizationFactor: 2, reservedConcurrency: null },
      { functionName: 'ship', parallelizationFactor: 2, reservedConcurrency: 7 },
      { functionName: 'mail', parallelizationFactor: 2, reservedConcurrency: 8 },
    ];
    expect(decided({ worth: 2, trigger: 'follow-up', incident: OPEN, consumers }).why).toContain(
      ' Consumers: bill (unreserved, up to 8 at once); ship (reserved 7, fewer than the 8 it could use); mail (reserved 8).',
    );
    expect(decided({ worth: 2, trigger: 'follow-up', incident: OPEN, consumers: [] }).why).not.toContain('Consumers');
  });

  it('comes before scale-in', () => {
    expect(decided({ ...cold, incident: OPEN })).toMatchObject({ kind: 'skip', reason: 'resolved' });
  });

  it('is nothing to tell of where none was open', () => {
    expect(decided({ worth: 2, trigger: 'recovery' })).toEqual({
      kind: 'skip',
      reason: 'nothing-open',
      why: 'The alarm is OK again and no incident was open.',
    });
    expect(decided({ worth: 2, trigger: 'recovery', incident: OPEN })).toMatchObject({ reason: 'resolved' });
  });
});

describe('scale-in', () => {
  it('halves, keeps three of the daily calls, and waits an hour after any act', () => {
    expect(decided(cold)).toEqual({
      kind: 'act',
      reason: 'scale-in',
      why: 'The peak of the last 24 h is 10 % of 4 shards, below 25 %; 1 would carry it at 50 %. 4 -> 2.',
      calls: [update(2)],
      spends: [{ ...DAILY, keep: 3 }],
      coolDownMs: HOUR,
      remember: { settling: { from: 4, to: 2, since: now }, shrunkFrom: 4 },
    });
  });

  it('is for a low alarm the same as for the schedule', () => {
    expect(decided({ ...cold, trigger: 'alarm' })).toMatchObject({ kind: 'act', reason: 'scale-in' });
  });

  it('does not begin at exactly 25 %, now or over the day', () => {
    expect(decided({ ...cold, worth: 1 })).toMatchObject({ reason: 'within-band' });
    expect(decided({ ...cold, worth: 1 - 1 / MIB })).toMatchObject({ reason: 'scale-in' });
    expect(decided({ ...cold, day: dayOf(1) })).toMatchObject({ reason: 'within-band' });
    expect(decided({ ...cold, day: dayOf(1 - 1 / MIB) })).toMatchObject({ reason: 'scale-in' });
  });

  it('counts records and reads of the day, too', () => {
    const peak = { bytesPerSecond: 0, recordsPerSecond: 0, egressBytesPerSecond: 0 };
    const at = (more: Partial<typeof peak>) => decided({ ...cold, day: dayOf(0, { peak: { ...peak, ...more } }) });
    expect(at({ recordsPerSecond: 1_000 })).toMatchObject({ reason: 'within-band' });
    expect(at({ recordsPerSecond: 999 })).toMatchObject({ reason: 'scale-in' });
    expect(at({ egressBytesPerSecond: 2 * MIB })).toMatchObject({ reason: 'within-band' });
    expect(at({ egressBytesPerSecond: 2 * MIB - 1 })).toMatchObject({ reason: 'scale-in' });
  });

  it('sizes by the present where that is above what the day says', () => {
    expect(decided({ ...cold, shards: 8, worth: 1.9, day: dayOf(0.1) })).toMatchObject({
      why: expect.stringContaining('is 23.8 % of 8 shards, below 25 %; 4 would carry it'),
    });
  });

  it.each([
    ['no day', null, 'no day of metrics'],
    ['less than 23 hours', dayOf(0.4, { spanHours: 22.99 }), '25 hours with data within 23.0 h'],
    ['data in fewer than 12 hours', dayOf(0.4, { hoursSeen: 11 }), '11 hours with data within 24.0 h'],
  ])('is refused with %s of metrics', (_what, day, seen) => {
    expect(decided({ ...cold, day })).toEqual({
      kind: 'skip',
      reason: 'insufficient-metrics',
      why: `Peak of the last minutes 0.40 MiB/s and 41 records/s: 10 % of 4 shards; ${seen}, too little to judge scale-in by.`,
    });
  });

  it('takes 23 hours with data in 12 of them for a day', () => {
    expect(decided({ ...cold, day: dayOf(0.4, { spanHours: 23, hoursSeen: 12 }) })).toMatchObject({ kind: 'act' });
  });

  it('is not in question where the stream is used well now, whatever is known of the day', () => {
    expect(decided({ worth: 2, day: null })).toMatchObject({ reason: 'within-band' });
  });

  it('is refused at the minimum', () => {
    expect(decided(cold, { minShards: 4 })).toEqual({
      kind: 'skip',
      reason: 'at-min-shards',
      why: 'The peak of the last 24 h is 10 % of 4 shards, below 25 %, but reflex:min-shards is 4.',
    });
    expect(decided(cold, { minShards: 3 })).toMatchObject({ calls: [update(3)] });
  });

  it('is refused where records were rejected within the day', () => {
    expect(decided({ ...cold, day: dayOf(0.4, { throttledRecords: 1 }) })).toEqual({
      kind: 'skip',
      reason: 'throttled-lately',
      why: 'The peak of the last 24 h is 10 % of 4 shards, below 25 %, but with 1 record rejected: bursts need the room.',
    });
  });

  it.each([
    ['an act', { lastActAt: now - HOUR + 1 }, { lastActAt: now - HOUR }],
    ['a reshard', { memory: { activeSince: now - HOUR + 1 } }, { memory: { activeSince: now - HOUR } }],
  ])('is refused within an hour of %s', (_what, within, after) => {
    expect(decided({ ...cold, ...within })).toEqual({
      kind: 'skip',
      reason: 'cool-down',
      why: 'The peak of the last 24 h is 10 % of 4 shards, below 25 %, but the last act was 60 min ago; scale-in waits 60 min.',
    });
    expect(decided({ ...cold, ...after })).toMatchObject({ kind: 'act' });
  });

  it('is refused while shards closed lately may be unread', () => {
    expect(decided({ ...cold, closedShardIds: ['a', 'b'] })).toEqual({
      kind: 'skip',
      reason: 'closed-shards-draining',
      why: 'The peak of the last 24 h is 10 % of 4 shards, below 25 %, but 2 shards closed lately may be unread.',
    });
  });

  it('is refused where no consumer is seen reading', () => {
    expect(decided({ ...cold, metrics: { iteratorAge: [] } })).toEqual({
      kind: 'skip',
      reason: 'consumers-unseen',
      why: 'The peak of the last 24 h is 10 % of 4 shards, below 25 %, but no consumer is seen reading.',
    });
  });

  it('is refused while consumers are behind', () => {
    const at = (ms: number) => decided({ ...cold, metrics: { iteratorAge: perMinute(ms) } });
    expect(at(1_800_001)).toEqual({
      kind: 'skip',
      reason: 'consumers-behind',
      why: 'The peak of the last 24 h is 10 % of 4 shards, below 25 %, but consumers are 30 min behind.',
    });
    expect(at(1_800_000)).toMatchObject({ kind: 'act' });
  });

  it('is refused while records are rejected', () => {
    expect(decided({ ...cold, metrics: rejected(1) })).toMatchObject({ kind: 'escalate', reason: 'skew-or-burst' });
  });

  it('is refused where the account has no room for the splits of an odd count', () => {
    expect(decided({ ...cold, shards: 5, freeShards: 1 })).toEqual({
      kind: 'skip',
      reason: 'account-shard-limit',
      why: "The peak of the last 24 h is 8 % of 5 shards, below 25 %, but no step fits the account's 1 free shard.",
    });
    expect(decided({ ...cold, shards: 5, freeShards: 2 })).toMatchObject({ calls: [update(3)] });
    expect(decided({ ...cold, freeShards: 0 })).toMatchObject({ calls: [update(2)] });
  });
});

describe('scale-in of a skewed stream', () => {
  const shards = uniformShards(8);
  const quiet = (loads: readonly number[], more: StreamOptions = {}): StreamOptions => ({
    shards,
    worth: 1,
    trigger: 'tick',
    shardLoads: loadsOf(shards, loads),
    ...more,
  });

  it('merges cold neighbours, the coldest first, the others queued', () => {
    expect(decided(quiet([0.6, 0.1, 0.1, 0.05, 0.05, 0.08]))).toEqual({
      kind: 'act',
      reason: 'merge-cold-shards',
      why: 'The peak of the last 24 h is 12.5 % of 8 shards, below 25 %, unevenly spread. Merging the cold neighbours shardId-000000000005 and shardId-000000000006, then 2 more pairs, one after the other.',
      calls: [
        {
          call: 'MergeShards',
          params: { StreamARN: arn, ShardToMerge: shardId(5), AdjacentShardToMerge: shardId(6) },
        },
      ],
      coolDownMs: HOUR,
      planned: false,
      remember: {
        settling: { from: 8, to: 7, since: now },
        queue: [{ merge: [shardId(3), shardId(4)] }, { merge: [shardId(1), shardId(2)] }],
      },
    });
  });

  it('costs none of the daily calls', () => {
    expect(acted(decided(quiet([0.6]))).spends).toBeUndefined();
  });

  it('is known by two shards that a uniform step would join above the target, and not by two at it', () => {
    expect(decided(quiet([0.25, 0.25]))).toMatchObject({ reason: 'scale-in' });
    expect(decided(quiet([0.25, 0.26]))).toMatchObject({ reason: 'merge-cold-shards' });
  });

  it('is known by narrow shards that one wide shard would take in', () => {
    const quarter = 2n ** 126n;
    const narrow = shardsFrom([0n, quarter / 4n, quarter / 2n, quarter, 2n * quarter, 3n * quarter]);
    const at = (load: number) =>
      decided({ shards: narrow, worth: 1, trigger: 'tick', shardLoads: loadsOf(narrow, [0.125, 0.125, load]) });
    expect(at(0.25)).toMatchObject({ reason: 'scale-in' });
    expect(at(0.26)).toMatchObject({ reason: 'merge-cold-shards' });
  });

  it('looks at the day where that is hotter than the present', () => {
    const shardLoads = { ...loadsOf(shards, [0, 0.1]), [shardId(0)]: { now: 0.1, throttled: 0, day: 0.7 } };
    const decision = decided(quiet([], { shardLoads }));
    expect(decision).toMatchObject({ reason: 'merge-cold-shards' });
    expect(JSON.stringify(decision)).not.toContain(`"${shardId(0)}"`);
  });

  it('looks at the present where that is hotter than the day', () => {
    const shardLoads = { ...loadsOf(shards, [0, 0.1]), [shardId(0)]: { now: 0.7, throttled: 0, day: 0.1 } };
    const decision = decided(quiet([], { shardLoads }));
    expect(decision).toMatchObject({ reason: 'merge-cold-shards' });
    expect(JSON.stringify(decision)).not.toContain(`"${shardId(0)}"`);
  });

  it('is known by splits of ours that are still open', () => {
    const split = { memory: { splits: { [shardId(1)]: 0 } } };
    expect(decided(quiet([0.1], split))).toMatchObject({ reason: 'merge-cold-shards' });
    expect(decided(quiet([0.1], { memory: { splits: { gone: 0 } } }))).toMatchObject({ reason: 'scale-in' });
  });

  it('remembers those splits', () => {
    const memory: Memory = { splits: { [shardId(1)]: 1 } };
    expect(acted(decided(quiet([0.1], { memory }))).remember).toMatchObject({ splits: { [shardId(1)]: 1 } });
  });

  it('takes no more pairs than the stream has shards to spare', () => {
    const decision = acted(decided(quiet([0.6], { memory: {} }), { minShards: 7 }));
    expect(decision.remember).not.toHaveProperty('queue');
    expect(decision.why).toContain('Merging the cold neighbours shardId-000000000001 and shardId-000000000002.');
  });

  it('needs no free shard', () => {
    expect(decided(quiet([0.6], { freeShards: 0 }))).toMatchObject({ reason: 'merge-cold-shards' });
  });

  it('takes fifty pairs at a time', () => {
    const line = uniformShards(300);
    const decision = decided(
      {
        shards: line,
        worth: 1,
        trigger: 'tick',
        shardLoads: loadsOf(line, [0.6]),
      },
      { maxShards: 1_000 },
    );
    expect(acted(decision).remember).toMatchObject({ queue: { length: 49 } });
  });

  it.each([
    ['shard-level metrics are off', null],
    ['a shard is missing in them', { [shardId(0)]: { now: 0, throttled: 0, day: 0 } }],
    [
      'every other shard has no data points over the day',
      {
        ...loadsOf(shards, []),
        ...loadsOf(
          [0, 2, 4, 6].flatMap((i) => shards[i] ?? []),
          [],
          { day: null },
        ),
      },
    ],
  ])('is refused where %s: a gap is no cold shard', (_what, shardLoads) => {
    expect(decided(quiet([], { shardLoads, memory: { splits: { [shardId(1)]: 0 } } }))).toEqual({
      kind: 'skip',
      reason: 'skew-unseen',
      why: "The peak of the last 24 h is 12.5 % of 8 shards, below 25 %, but its shards are loaded unevenly and not each one's last 24 h are known.",
    });
  });

  it('is refused where no two neighbours are cold enough together', () => {
    const line = uniformShards(4);
    const memory: Memory = { splits: { [shardId(0)]: 0 } };
    const at = (load: number) =>
      decided({ shards: line, worth: 0.9, trigger: 'tick', memory, shardLoads: loadsOf(line, [load, 0.3, load, 0.3]) });
    expect(at(0.21)).toEqual({
      kind: 'skip',
      reason: 'no-mergeable-pair',
      why: 'The peak of the last 24 h is 22.5 % of 4 shards, below 25 %, but no two neighbours stay within 50 % together.',
    });
    expect(at(0.2)).toMatchObject({ reason: 'merge-cold-shards' });
  });
});

describe('queued splits', () => {
  const shards = uniformShards(9);
  const memory: Memory = {
    settling: { from: 8, to: 9, since: now - MINUTE },
    splits: { [shardId(3)]: 0, [shardId(4)]: 0 },
    queue: [{ split: shardId(3) }, { split: shardId(4) }],
  };
  const hot = loadsOf(shards, [0, 0, 0, 0.9, 0.8]);
  const at = (more: StreamOptions = {}, policy = {}) =>
    decided({ shards, worth: 2, trigger: 'follow-up', incident: OPEN, memory, shardLoads: hot, ...more }, policy);

  it('go on as soon as the stream is ACTIVE, without waiting for metrics', () => {
    expect(at()).toEqual({
      kind: 'act',
      reason: 'split-hot-shards',
      why: 'Next of the hot shards: shardId-000000000003 (90 %). 1 more to follow.',
      calls: [
        expect.objectContaining({ call: 'SplitShard', params: expect.objectContaining({ ShardToSplit: shardId(3) }) }),
      ],
      coolDownMs: 0,
      planned: true,
      remember: {
        settling: { from: 9, to: 10, since: now },
        splits: { [shardId(3)]: 0, [shardId(4)]: 0 },
        queue: [{ split: shardId(4) }],
      },
    });
  });

  it('end with the last of them', () => {
    const last = acted(at({ memory: { ...memory, queue: [{ split: shardId(4) }] } }));
    expect(last.why).toBe('Next of the hot shards: shardId-000000000004 (80 %).');
    expect(last.remember).not.toHaveProperty('queue');
  });

  it.each([
    ['is closed', { shards: shards.filter(({ id }) => id !== shardId(3)) }],
    ['has cooled down', { shardLoads: loadsOf(shards, [0, 0, 0, 0.2, 0.8]) }],
    [
      'cannot be split',
      { shards: shards.map((s) => (s.id === shardId(3) ? { ...s, endingHashKey: s.startingHashKey } : s)) },
    ],
  ])('pass over a shard that %s', (_what, more) => {
    expect(at(more)).toMatchObject({ calls: [{ params: { ShardToSplit: shardId(4) } }] });
  });

  it.each([
    ['the maximum is reached', {}, { maxShards: 9 }],
    ['the account is full', { freeShards: 0 }, {}],
    ['shard-level metrics are gone', { shardLoads: null }, {}],
  ])('are dropped where %s', (_what, more, policy) => {
    expect(at(more, policy)).toMatchObject({
      kind: 'defer',
      reason: 'measuring',
      remember: { activeSince: now, splits: memory.splits },
    });
    expect(at(more, policy)).not.toHaveProperty('remember.queue');
  });

  it('wait until the last one shows', () => {
    const settling = { from: 9, to: 10, since: now };
    expect(at({ memory: { ...memory, settling } })).toMatchObject({ kind: 'defer', reason: 'stream-updating' });
  });
});

describe('queued merges', () => {
  const shards = uniformShards(7);
  const memory: Memory = {
    settling: { from: 8, to: 7, since: now - MINUTE },
    queue: [{ merge: [shardId(1), shardId(2)] }, { merge: [shardId(4), shardId(5)] }],
  };
  const at = (more: StreamOptions = {}, policy = {}) =>
    decided(
      { shards, worth: 1, trigger: 'follow-up', incident: OPEN, memory, shardLoads: loadsOf(shards, []), ...more },
      policy,
    );

  it('go on as soon as the stream is ACTIVE', () => {
    expect(at()).toEqual({
      kind: 'act',
      reason: 'merge-cold-shards',
      why: 'Next pair of cold neighbours: shardId-000000000001 and shardId-000000000002. 1 more to follow.',
      calls: [
        {
          call: 'MergeShards',
          params: { StreamARN: arn, ShardToMerge: shardId(1), AdjacentShardToMerge: shardId(2) },
        },
      ],
      coolDownMs: 0,
      planned: true,
      remember: { settling: { from: 7, to: 6, since: now }, queue: [{ merge: [shardId(4), shardId(5)] }] },
    });
  });

  const missing = (id: string): StreamOptions => ({ shards: shards.filter((shard) => shard.id !== id) });
  it.each([
    ['lost its left shard', missing(shardId(1))],
    ['lost its right shard', missing(shardId(2))],
    ['has grown warm', { shardLoads: loadsOf(shards, [0, 0.3, 0.21]) }],
    [
      'has a shard without a load',
      { shardLoads: { ...loadsOf(shards.slice(0, 2), []), ...loadsOf(shards.slice(4), []) } },
    ],
    [
      'is not adjacent',
      {
        memory: { ...memory, queue: [{ merge: [shardId(1), shardId(3)] as const }, ...(memory.queue ?? []).slice(1)] },
      },
    ],
    [
      'is turned round',
      {
        memory: { ...memory, queue: [{ merge: [shardId(2), shardId(1)] as const }, ...(memory.queue ?? []).slice(1)] },
      },
    ],
  ])('pass over a pair that %s', (_what, more) => {
    expect(at(more)).toMatchObject({ calls: [{ params: { ShardToMerge: shardId(4) } }] });
  });

  it('take a pair that is exactly cold enough', () => {
    expect(at({ shardLoads: loadsOf(shards, [0, 0.25, 0.25]) })).toMatchObject({
      calls: [{ params: { ShardToMerge: shardId(1) } }],
    });
  });

  it.each([
    ['the minimum is reached', {}, { minShards: 7 }],
    ['records are rejected', { metrics: rejected(1) }, {}],
    ['consumers fall behind', { metrics: { iteratorAge: perMinute(1_800_001) } }, {}],
    ['no consumer is seen', { metrics: { iteratorAge: [] } }, {}],
    ['metrics are missing', { metrics: { incomingBytes: [], incomingRecords: [] } }, {}],
    ['shard-level metrics are gone', { shardLoads: null }, {}],
  ])('are dropped where %s', (_what, more, policy) => {
    expect(at(more, policy)).toMatchObject({ kind: 'defer', reason: 'measuring', remember: { activeSince: now } });
  });
});
