import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decide } from '../../../../functions/restore-capacity/service/decide.ts';
import type { Memory } from '../../../../functions/restore-capacity/service/facts.ts';
import { at } from '../../../support/event-builders.ts';
import { policy, situation } from '../../../support/restore-capacity.ts';

const MINUTE = 60_000;

/** What happens in one minute. */
interface Moment {
  /** Spot tasks there is room for. */
  readonly spot: number;
  /** What an autoscaler sets the Spot service to. */
  readonly desired: number;
  /** ECS tells of the shortage, if there is one. */
  readonly told: boolean;
  /** The call that is made now never reaches ECS. */
  readonly lost: boolean;
  /** What somebody else sets the paired service to; null: nobody does. */
  readonly foreign: number | null;
}

interface Write {
  readonly minute: number;
  readonly service: string;
  readonly from: number;
  readonly to: number;
  readonly lost: boolean;
}

interface Setting {
  readonly original: number;
  readonly max: number | null;
  readonly moments: readonly Moment[];
}

/** A service and its pair, minute by minute, looked at as the pipeline would: at events, and each minute while something is open. */
const live = ({ original, max, moments }: Setting) => {
  const rules = { ...policy, fallbackMax: max };
  const writes: Write[] = [];
  const released: number[] = [];
  let pair = original;
  let memory: Memory = {};
  let openedAt: number | null = null;
  let lastActAt: number | null = null;
  const gaps: { readonly minute: number; readonly lacking: number }[] = [];
  for (const [minute, { spot, desired, told, lost, foreign }] of moments.entries()) {
    const now = at + minute * MINUTE;
    const running = Math.min(desired, spot);
    if (foreign !== null) pair = foreign;
    const event = told && running < desired;
    // Nothing is open: the schedule comes every five minutes.
    if (!event && openedAt === null && minute % 5 !== 0) continue;
    const facts = situation({
      service: { desired, running },
      pair: { desired: pair, running: pair },
      trigger: event ? 'event' : openedAt === null ? 'tick' : 'follow-up',
      memory,
      toldAt: event ? now : null,
      openedAt,
      lastActAt,
    });
    const decision = decide(facts, rules, now);
    if (decision.kind === 'act') {
      memory = (decision.remember ?? memory) as Memory;
      for (const { params } of decision.calls) {
        const to = params.desiredCount ?? Number.NaN;
        writes.push({ minute, service: params.service, from: pair, to, lost });
        if (!lost) pair = to;
      }
      openedAt ??= now;
      lastActAt = now;
    } else {
      memory = (decision.remember ?? memory) as Memory;
      if (decision.kind !== 'defer') openedAt = null;
      else if (event) openedAt ??= now;
      if (decision.reason === 'fallback-released') released.push(minute);
    }
    if (memory.standIn !== undefined && !lost && decision.kind !== 'escalate') {
      gaps.push({ minute, lacking: Math.min(desired - running, max ?? Number.POSITIVE_INFINITY) - pair });
    }
  }
  return { writes, released, pair, memory, gaps };
};

const moment = (more: Partial<Record<keyof Moment, fc.Arbitrary<never>>> = {}): fc.Arbitrary<Moment> =>
  fc.record({
    spot: fc.oneof(fc.constant(40), fc.integer({ min: 0, max: 20 })),
    desired: fc.integer({ min: 0, max: 20 }),
    told: fc.boolean(),
    lost: fc.constant(false),
    foreign: fc.constant(null),
    ...more,
  });

/** The world stays as it is for some minutes, then changes. */
const course = (of: fc.Arbitrary<Moment>, phases = 12): fc.Arbitrary<Moment[]> =>
  fc
    .array(fc.tuple(of, fc.integer({ min: 1, max: 90 })), { minLength: 1, maxLength: phases })
    .map((parts) => parts.flatMap(([one, minutes]) => Array<Moment>(minutes).fill(one)));

const setting = (moments = course(moment())): fc.Arbitrary<Setting> =>
  fc.record({
    original: fc.integer({ min: 0, max: 12 }),
    max: fc.option(fc.integer({ min: 1, max: 15 })),
    moments,
  });

const untroubled = (desired: number): Moment => ({ spot: 40, desired, told: false, lost: false, foreign: null });

it('only the paired service is ever set: the Spot service is never made smaller', () => {
  fc.assert(
    fc.property(setting(), (one) => {
      expect(live(one).writes.every(({ service }) => service === 'web-od')).toBe(true);
    }),
  );
});

it('never more on-demand tasks than reflex:fallback-max, and never fewer than there were', () => {
  fc.assert(
    fc.property(setting(), (one) => {
      for (const { to } of live(one).writes) {
        expect(to).toBeLessThanOrEqual(Math.max(one.original, one.max ?? 20));
        expect(to).toBeGreaterThanOrEqual(one.original);
      }
    }),
  );
});

it('up at once: at no look less stands in than is lacking and allowed', () => {
  fc.assert(
    fc.property(setting(), (one) => {
      for (const { lacking } of live(one).gaps) expect(lacking).toBeLessThanOrEqual(0);
    }),
  );
});

it('down by a quarter at most, five minutes apart, ten minutes after tasks were last lacking', () => {
  fc.assert(
    fc.property(setting(), (one) => {
      const { writes } = live(one);
      for (const [i, { minute, from, to }] of writes.entries()) {
        if (to >= from) continue;
        expect(from - to).toBeLessThanOrEqual(Math.max(1, Math.floor(from / 4)));
        expect(minute - (writes[i - 1]?.minute ?? minute)).toBeGreaterThanOrEqual(5);
        const before = one.moments.slice(Math.max(0, minute - 10), minute + 1);
        expect(before.every(({ spot, desired }) => spot >= desired)).toBe(true);
      }
    }),
  );
});

it('ends with exactly what there was, once Spot is back for good', () => {
  fc.assert(
    fc.property(setting(course(moment(), 6)), ({ moments, ...one }) => {
      const calm = Array<Moment>(15 * 60).fill(untroubled(moments.at(-1)?.desired ?? 0));
      const { pair, memory } = live({ ...one, moments: [...moments, ...calm] });
      expect(pair).toBe(one.original);
      expect(memory).not.toHaveProperty('standIn');
    }),
  );
});

it('ends so although calls are lost on the way', () => {
  const lossy = moment({ lost: fc.boolean() as fc.Arbitrary<never> });
  fc.assert(
    fc.property(setting(course(lossy, 6)), ({ moments, ...one }) => {
      const calm = Array<Moment>(15 * 60).fill(untroubled(moments.at(-1)?.desired ?? 0));
      expect(live({ ...one, moments: [...moments, ...calm] }).pair).toBe(one.original);
    }),
  );
});

it('once somebody else has set the count it is theirs until all tasks run', () => {
  const lasting = { spot: 4, desired: 10, told: true, lost: false, foreign: null };
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 200 }), fc.integer({ min: 0, max: 30 }), (minute, count) => {
      fc.pre(count !== 6);
      const moments = Array<Moment>(600)
        .fill(lasting)
        .map((one, i) => (i === minute ? { ...one, foreign: count } : one));
      const { writes, released, pair } = live({ original: 0, max: null, moments });
      expect(writes).toHaveLength(1);
      expect(released[0]).toBe(minute);
      expect(pair).toBe(count);
    }),
  );
});

it('an event that is told again right after changes nothing more', () => {
  const counts = fc.integer({ min: 0, max: 20 });
  fc.assert(
    fc.property(counts, counts, counts, fc.option(fc.integer({ min: 1, max: 15 })), (desired, running, pair, max) => {
      const rules = { ...policy, fallbackMax: max };
      const service = { desired, running };
      const first = decide(situation({ service, pair: { desired: pair, running: pair } }), rules, at);
      fc.pre(first.kind === 'act');
      const to = first.calls[0]?.params.desiredCount ?? 0;
      const again = situation({
        service,
        pair: { desired: to, running: pair },
        memory: (first.remember ?? {}) as Memory,
        openedAt: at,
        lastActAt: at,
      });
      expect(decide(again, rules, at + 1).kind).toBe('defer');
    }),
  );
});
