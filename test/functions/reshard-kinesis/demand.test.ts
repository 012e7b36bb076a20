import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dayOfDemand,
  peakDemand,
  recent,
  shardsRequired,
  shardsWorth,
} from '../../../functions/reshard-kinesis/demand.ts';
import type { StreamMetrics } from '../../../functions/reshard-kinesis/facts.ts';
import { HOUR, MIB, MINUTE, metricsOf, NO_METRICS, now, perMinute } from '../../support/stream-facts.ts';

const metrics = (more: Partial<StreamMetrics>): StreamMetrics => ({ ...NO_METRICS, ...more });
const demand = (bytesPerSecond = 0, recordsPerSecond = 0, egressBytesPerSecond = 0) => ({
  bytesPerSecond,
  recordsPerSecond,
  egressBytesPerSecond,
});

describe('shardsWorth', () => {
  it.each([
    ['1 MiB/s written', demand(MIB)],
    ['1,000 records/s written', demand(0, 1_000)],
    ['2 MiB/s read by shared consumers', demand(0, 0, 2 * MIB)],
  ])('takes %s for one shard', (_what, load) => {
    expect(shardsWorth(load)).toBe(1);
  });

  it('takes the scarcest of the three, not their sum', () => {
    expect(shardsWorth(demand(MIB, 3_000, 2 * MIB))).toBe(3);
    expect(shardsWorth(demand(4 * MIB, 3_000, 2 * MIB))).toBe(4);
    expect(shardsWorth(demand(MIB, 1_000, 10 * MIB))).toBe(5);
  });
});

describe('shardsRequired', () => {
  it.each([
    ['one shard at its half', 0.5, 1],
    ['two shards for a byte more', 0.5 + 1 / MIB, 2],
    ['sixteen for eight full shards', 8, 16],
  ])('is %s at the default target', (_what, worth, expected) => {
    expect(shardsRequired(demand(worth * MIB), 0.5)).toBe(expected);
  });

  it('is never less than one', () => {
    expect(shardsRequired(demand(), 0.5)).toBe(1);
  });

  it('follows the target utilisation', () => {
    expect(shardsRequired(demand(4 * MIB), 0.8)).toBe(5);
    expect(shardsRequired(demand(4 * MIB), 0.2)).toBe(20);
  });
});

describe('peakDemand', () => {
  it('is unknown where no Incoming data point exists, whatever else is known', () => {
    expect(peakDemand(metrics({ throttled: perMinute(600), outgoingBytes: perMinute(600) }))).toBeNull();
  });

  it('is known, and nothing, where the stream published zeros', () => {
    expect(peakDemand(metrics({ incomingBytes: perMinute(0) }))).toEqual(demand());
  });

  it('turns sums per minute into rates per second', () => {
    const seen = metrics({
      incomingBytes: perMinute(6_000),
      incomingRecords: perMinute(120),
      outgoingBytes: perMinute(60),
    });
    expect(peakDemand(seen)).toEqual(demand(100, 2, 1));
  });

  it('turns sums per five minutes into rates per second', () => {
    expect(peakDemand(metrics({ incomingRecords: [[now, 3_000]] }), 5 * MINUTE)).toEqual(demand(0, 10));
  });

  it('takes the highest minute of each metric, not their mean', () => {
    const seen = metrics({
      incomingBytes: [
        [now, 60],
        [now + MINUTE, 600],
        [now + 2 * MINUTE, 120],
      ],
      incomingRecords: [
        [now, 180],
        [now + MINUTE, 60],
      ],
      outgoingBytes: [
        [now, 60],
        [now + MINUTE, 300],
        [now + 2 * MINUTE, 0],
      ],
    });
    expect(peakDemand(seen)).toEqual(demand(10, 3, 5));
  });

  it('adds rejected records, at the size of the accepted ones of the same minute', () => {
    const seen = metrics({
      incomingBytes: [
        [now, 6_000],
        [now + MINUTE, 600],
      ],
      incomingRecords: [
        [now, 60],
        [now + MINUTE, 60],
      ],
      throttled: [[now, 30]],
    });
    expect(peakDemand(seen)).toEqual(demand(150, 1.5));
  });

  it('takes the size of a single record', () => {
    const one = { incomingBytes: [[now, 600] as const], incomingRecords: [[now, 1] as const] };
    expect(peakDemand(metrics({ ...one, throttled: [[now, 1]] }))?.bytesPerSecond).toBe(20);
    expect(peakDemand(metrics({ ...one, throttled: [[now + MINUTE, 2]] }))?.bytesPerSecond).toBe(20);
    const smaller = { incomingBytes: perMinute(60, 1, now), incomingRecords: perMinute(99, 1, now) };
    const both = {
      incomingBytes: [...one.incomingBytes, ...smaller.incomingBytes],
      incomingRecords: [...one.incomingRecords, ...smaller.incomingRecords],
    };
    expect(peakDemand(metrics({ ...both, throttled: [[now, 1]] }))?.bytesPerSecond).toBe(20);
  });

  it('takes the mean record size for a minute that accepted nothing', () => {
    const seen = metrics({
      incomingBytes: [[now, 6_000]],
      incomingRecords: [[now, 60]],
      throttled: [[now + MINUTE, 120]],
    });
    expect(peakDemand(seen)).toEqual(demand(200, 2));
  });

  it('counts rejected records where no record was accepted at all, at no size', () => {
    expect(peakDemand(metrics({ incomingRecords: [[now, 0]], throttled: [[now, 600]] }))).toEqual(demand(0, 10));
  });

  it('counts bytes of a minute whose records are not there yet', () => {
    expect(peakDemand(metrics({ incomingBytes: [[now, 600]] }))).toEqual(demand(10));
  });

  it('is never NaN, infinite or negative, and never below what was accepted', () => {
    const series = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.double({ min: 0, max: 1e12, noNaN: true })), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(series, series, series, series, (incomingBytes, incomingRecords, throttled, outgoingBytes) => {
        const seen = peakDemand(metrics({ incomingBytes, incomingRecords, throttled, outgoingBytes }));
        if (seen === null) {
          expect(incomingBytes.length + incomingRecords.length).toBe(0);
          return;
        }
        for (const rate of Object.values(seen)) {
          expect(Number.isFinite(rate)).toBe(true);
          expect(rate).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('dayOfDemand', () => {
  it('is unknown where nothing was published', () => {
    expect(dayOfDemand(metrics({ throttled: perMinute(60) }))).toBeNull();
  });

  it('tells the peak, the span, the hours with data and what was rejected', () => {
    const start = Math.floor(now / HOUR) * HOUR;
    const day = dayOfDemand(
      metrics({
        incomingBytes: [
          [start, 60],
          [start + MINUTE, 120],
          [start + 23.5 * HOUR, 60],
        ],
        incomingRecords: [[start + 5 * HOUR, 60]],
        throttled: [
          [start, 2],
          [start + HOUR, 3],
        ],
      }),
    );
    expect(day).toEqual({
      peak: { bytesPerSecond: 2, recordsPerSecond: 1, egressBytesPerSecond: 0 },
      spanHours: 23.5,
      hoursSeen: 3,
      throttledRecords: 5,
    });
  });

  it('spans nothing where one minute was published', () => {
    expect(dayOfDemand(metrics({ incomingRecords: [[now, 1]] }))).toMatchObject({ spanHours: 0, hoursSeen: 1 });
  });
});

describe('recent', () => {
  const at = (more: Partial<StreamMetrics>, activeSince?: number) =>
    recent({ metrics: metrics(more) }, activeSince, now);

  it('knows no demand, no consumer and no full minute where nothing was published', () => {
    expect(at({})).toEqual({
      demand: null,
      throttledRecords: 0,
      iteratorAge: null,
      catchingUp: false,
      fullMinute: false,
      accepted: null,
    });
  });

  it('takes a data point of ten minutes ago for present, and no older one', () => {
    expect(at({ incomingBytes: [[now - 10 * MINUTE, 60]] }).demand).not.toBeNull();
    expect(at({ incomingBytes: [[now - 10 * MINUTE - 1, 60]] }).demand).toBeNull();
  });

  it('takes no data point from the future', () => {
    expect(at({ incomingBytes: [[now, 60]] }).demand).not.toBeNull();
    expect(at({ incomingBytes: [[now + 1, 60]] }).demand).toBeNull();
  });

  it('sizes by the five newest minutes, wherever the metrics end', () => {
    const series = (oldest: number) => perMinute(60, 5, now - 3 * MINUTE).concat([[now - oldest, 6_000]]);
    expect(at({ incomingBytes: series(8 * MINUTE) }).demand?.bytesPerSecond).toBe(100);
    expect(at({ incomingBytes: series(9 * MINUTE) }).demand?.bytesPerSecond).toBe(1);
  });

  it('leaves out what was measured before the stream was ACTIVE with its present shards', () => {
    const incomingBytes = metricsOf(1).incomingBytes;
    expect(at({ incomingBytes }, now - MINUTE).demand).not.toBeNull();
    expect(at({ incomingBytes }, now - MINUTE + 1).demand).toBeNull();
  });

  it('adds up the records rejected in those five minutes', () => {
    expect(at({ incomingBytes: perMinute(60), throttled: perMinute(7) }).throttledRecords).toBe(35);
    expect(at({ incomingBytes: perMinute(60), throttled: [[now - 9 * MINUTE, 7]] }).throttledRecords).toBe(0);
  });

  it('sees records rejected where nothing is accepted', () => {
    expect(at({ throttled: perMinute(7, 1) })).toMatchObject({ demand: null, throttledRecords: 7 });
  });

  it('tells the highest iterator age, and that none was seen from an age of zero', () => {
    expect(
      at({
        iteratorAge: [
          [now - 2 * MINUTE, 9],
          [now - MINUTE, 4],
        ],
      }).iteratorAge,
    ).toBe(9);
    expect(at({ iteratorAge: perMinute(0) }).iteratorAge).toBe(0);
    expect(at({}).iteratorAge).toBeNull();
  });

  it.each([
    ['falls', [9, 10, 8], true],
    ['rises', [8, 10, 9], false],
    ['stays', [9, 9], false],
    ['is seen once', [9], false],
  ])('tells whether consumers catch up where the iterator age %s', (_how, ages, expected) => {
    const iteratorAge = ages.map((age, i) => [now - (ages.length - i) * MINUTE, age] as const);
    expect(at({ iteratorAge }).catchingUp).toBe(expected);
  });

  it.each(['incomingBytes', 'incomingRecords', 'throttled', 'outgoingBytes'] as const)(
    'takes a whole minute of %s for a full minute, and not one that still runs',
    (name) => {
      expect(at({ [name]: [[now - MINUTE, 1]] }).fullMinute).toBe(true);
      expect(at({ [name]: [[now - MINUTE + 1, 1]] }).fullMinute).toBe(false);
    },
  );

  it('takes an iterator age for no measure of load', () => {
    expect(at({ iteratorAge: perMinute(1) }).fullMinute).toBe(false);
  });
});
