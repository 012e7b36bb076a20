import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maintenanceEnds, snapshotEnds } from '../../../functions/relieve-elasticache/windows.ts';

const at = (time: string) => Date.parse(time);
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

describe('the maintenance window', () => {
  // 2026-03-05 was a Thursday.
  it.each([
    ['thu:03:00-thu:04:00', '2026-03-05T03:00:00Z', '2026-03-05T04:00:00.000Z'],
    ['thu:03:00-thu:04:00', '2026-03-05T02:59:59Z', null],
    ['thu:03:00-thu:04:00', '2026-03-05T04:00:00Z', null],
    ['thu:03:00-thu:04:00', '2026-03-06T03:30:00Z', null],
    ['sun:23:00-mon:01:30', '2026-03-08T23:30:00Z', '2026-03-09T01:30:00.000Z'],
    ['sun:23:00-mon:01:30', '2026-03-09T01:29:00Z', '2026-03-09T01:30:00.000Z'],
    ['sat:23:00-sun:01:30', '2026-03-08T00:30:00Z', '2026-03-08T01:30:00.000Z'],
    ['nonsense', '2026-03-05T03:00:00Z', null],
    ['xyz:03:00-thu:04:00', '2026-03-05T03:00:00Z', null],
    [null, '2026-03-05T03:00:00Z', null],
  ])('%s at %s ends %s', (window, now, end) => {
    expect(iso(maintenanceEnds(window, at(now)))).toBe(end);
  });
});

describe('the snapshot window', () => {
  it.each([
    ['05:00-06:00', '2026-03-05T04:29:59Z', null],
    ['05:00-06:00', '2026-03-05T04:30:00Z', '2026-03-05T06:00:00.000Z'],
    ['05:00-06:00', '2026-03-05T05:59:00Z', '2026-03-05T06:00:00.000Z'],
    ['05:00-06:00', '2026-03-05T06:00:00Z', null],
    ['23:30-00:30', '2026-03-05T00:10:00Z', '2026-03-05T00:30:00.000Z'],
    ['00:10-01:10', '2026-03-05T23:45:00Z', '2026-03-06T01:10:00.000Z'],
    [null, '2026-03-05T05:30:00Z', null],
  ])('%s at %s ends %s', (window, now, end) => {
    expect(iso(snapshotEnds(window, at(now)))).toBe(end);
  });

  it('always ends in the future, within the length of the window and half an hour', () => {
    const minute = fc.integer({ min: 0, max: 1_439 });
    const text = (m: number) => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`;
    fc.assert(
      fc.property(minute, minute, fc.integer({ min: 0, max: 4_000_000_000_000 }), (from, to, now) => {
        const end = snapshotEnds(`${text(from)}-${text(to)}`, now);
        const length = (((to - from) % 1_440) + 1_440) % 1_440;
        if (end !== null) {
          expect(end).toBeGreaterThan(now);
          expect(end - now).toBeLessThanOrEqual((((length + 30) % 1_440) + 1_440) * 60_000);
        }
      }),
    );
  });
});
