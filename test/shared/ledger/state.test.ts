import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  abandonIntent,
  awaitCheck,
  closeIncident,
  earlyMs,
  fresh,
  hold,
  noteNotified,
  notifiedMax,
  notifiedMs,
  orphanOf,
  refusal,
  release,
  remember,
  seenMax,
  seenMs,
  settle,
  take,
} from '../../../shared/ledger/state.ts';
import type { Incident, Intent, Lease, ResourceState, TakeRequest } from '../../../shared/ledger/types.ts';

const now = 1_700_000_000_000;
const day = 86_400_000;
const key = { fn: 'reshard-kinesis', resource: 'arn:aws:kinesis:eu-west-1:1:stream/s' };
const nothing = fresh(key);
const spend = { budget: 'UpdateShardCount', limit: 10, windowMs: day, keep: 3 };
const request: TakeRequest = {
  owner: 'me',
  leaseMs: 60_000,
  occurrences: ['alarm@1'],
  spends: [spend],
  coolDownMs: 60_000,
  factsAsOf: now + 1,
  incident: { id: 'i-1', cause: 'alarm' },
  intent: {
    recordId: 'r-1',
    reason: 'stale-facts',
    why: 'because',
    calls: [{ call: 'UpdateShardCount', params: { TargetShardCount: 2 } }],
  },
};
const question = { occurrences: [], spends: [], coolDownMs: 0, factsAsOf: now + 1 };
const lease: Lease = { owner: 'me', until: now + 60_000, fence: 5 };
const incident: Incident = {
  id: 'i-1',
  cause: 'alarm',
  openedAt: now - 1000,
  steps: 2,
  failedVerifications: 1,
  check: 4,
  nextCheckAt: now,
  lastReason: 'act-failed',
};
const intent: Intent = { ...request.intent, incidentId: 'i-1', at: now, owner: 'me', fence: 5 };
const acting: ResourceState = { ...nothing, version: 9, fence: 5, lease, intent, incident, lastActAt: now };
const held: ResourceState = { ...nothing, hold: { reason: 'why', since: now - 5, by: 'ann' } };

/** What `take` granted; fails the test where it refused. */
function granted(result: ReturnType<typeof take>) {
  if ('refusal' in result) throw new Error(`refused: ${result.refusal.reason}`);
  return result;
}

describe('fresh', () => {
  it('knows nothing but the key', () => {
    expect(fresh({ ...key, ...{ extra: 1 } })).toEqual({
      ...key,
      version: 0,
      fence: 0,
      seen: {},
      attempts: {},
      notified: {},
    });
  });
});

describe('take', () => {
  it('grants the lease, charges the budget, marks the occurrence, writes the intent and opens the incident in one state', () => {
    const { state, lease: mine } = granted(take(nothing, request, now));

    expect(mine).toEqual({ owner: 'me', until: now + 60_000, fence: 1 });
    expect(state).toEqual({
      ...key,
      version: 0,
      fence: 1,
      lease: mine,
      seen: { 'alarm@1': now },
      attempts: { UpdateShardCount: [now] },
      notified: {},
      lastActAt: now,
      intent: { ...request.intent, incidentId: 'i-1', at: now, owner: 'me', fence: 1 },
      incident: {
        id: 'i-1',
        cause: 'alarm',
        openedAt: now,
        steps: 1,
        failedVerifications: 0,
        check: 0,
        nextCheckAt: mine.until,
        lastReason: 'stale-facts',
      },
    });
  });

  it('keeps an open incident and counts the step, and grants the next fence', () => {
    const { state } = granted(
      take({ ...nothing, fence: 7, incident }, { ...request, incident: { id: 'i-2', cause: 'tick' } }, now),
    );

    expect(state.incident).toEqual({ ...incident, steps: 3, nextCheckAt: now + 60_000, lastReason: 'stale-facts' });
    expect(state.intent?.incidentId).toBe('i-1');
    expect(state.lease?.fence).toBe(8);
    expect(state.fence).toBe(8);
  });

  it('leaves hold, memory and notifications of the resource as they are', () => {
    const before = { ...nothing, remembered: { a: 1 }, notified: { k: 1 } };

    expect(granted(take(before, request, now)).state).toMatchObject({ remembered: { a: 1 }, notified: { k: 1 } });
  });

  it('refuses whatever `refusal` would', () => {
    expect(take(held, request, now)).toEqual({ refusal: { reason: 'held' } });
    expect(take(acting, { ...request, occurrences: [], coolDownMs: 0 }, now)).toEqual({
      refusal: { reason: 'lease-held', until: lease.until },
    });
  });

  it('never changes the state it was given', () => {
    const before = structuredClone(acting);
    take(acting, request, now);
    take(nothing, request, now);
    expect(acting).toEqual(before);
    expect(nothing).toEqual(fresh(key));
  });
});

describe('refusal', () => {
  it('finds nothing against an act on a resource it has never seen', () => {
    expect(refusal(nothing, request, now)).toBeNull();
  });

  it('asks for the hold, the check, the occurrence, the facts, the cool-down, the budget and the lease in this order', () => {
    const check = { id: 'i-1', check: 3 };
    const full = [now - 3, now - 2, now - 1];
    const tight = { ...spend, limit: 3, keep: 0 };
    const state = {
      ...acting,
      hold: { reason: '', since: 0, by: '' },
      seen: { 'alarm@1': now },
      attempts: { UpdateShardCount: full },
    };
    const ask = { ...request, check, spends: [tight] };
    const { hold: _, ...released } = state;

    expect(refusal(state, ask, now)?.reason).toBe('held');
    expect(refusal(released, ask, now)?.reason).toBe('superseded');
    expect(refusal(released, { ...ask, check: incident }, now)?.reason).toBe('duplicate');
    const old = { ...ask, check: incident, occurrences: [], factsAsOf: now };
    expect(refusal(released, old, now)?.reason).toBe('superseded');
    expect(refusal(released, { ...ask, check: incident, occurrences: [] }, now)?.reason).toBe('cool-down');
    expect(refusal(released, { ...ask, check: incident, occurrences: [], coolDownMs: 0 }, now)?.reason).toBe(
      'budget-exhausted',
    );
    expect(refusal(released, { ...question, check: incident }, now)?.reason).toBe('lease-held');
  });

  describe('check', () => {
    const open = { ...nothing, incident };

    it('lets the check the incident expects pass', () => {
      expect(refusal(open, { ...question, check: { id: 'i-1', check: 4 } }, now)).toBeNull();
    });

    it.each([
      ['an earlier check', open, { id: 'i-1', check: 3 }],
      ['a later check', open, { id: 'i-1', check: 5 }],
      ['another incident', open, { id: 'i-2', check: 4 }],
      ['a closed incident', nothing, { id: 'i-1', check: 4 }],
    ])('supersedes %s', (_, state, check) => {
      expect(refusal(state, { ...question, check }, now)).toEqual({ reason: 'superseded' });
    });
  });

  describe('duplicate', () => {
    const seen = (at: number): ResourceState => ({ ...nothing, seen: { a: at, b: at } });

    it('refuses where every occurrence was seen, and passes where one is new or none is named', () => {
      expect(refusal(seen(now), { ...question, occurrences: ['a', 'b'] }, now)).toEqual({ reason: 'duplicate' });
      expect(refusal(seen(now), { ...question, occurrences: ['a', 'c'] }, now)).toBeNull();
      expect(refusal(seen(now), { ...question, occurrences: [] }, now)).toBeNull();
    });

    it('remembers for 15 days to the millisecond', () => {
      expect(seenMs).toBe(15 * day);
      expect(refusal(seen(now - seenMs), { ...question, occurrences: ['a'] }, now)).toEqual({ reason: 'duplicate' });
      expect(refusal(seen(now - seenMs - 1), { ...question, occurrences: ['a'] }, now)).toBeNull();
    });

    it('takes names of object members for what they are: new occurrences', () => {
      for (const name of ['constructor', 'toString', '__proto__']) {
        expect(refusal(nothing, { ...question, occurrences: [name] }, now)).toBeNull();
        const { state } = granted(take(nothing, { ...request, occurrences: [name] }, now));
        const stored: ResourceState = JSON.parse(JSON.stringify(state));
        expect(refusal(stored, { ...question, occurrences: [name] }, now)).toEqual({ reason: 'duplicate' });
      }
    });
  });

  describe('facts', () => {
    const acted = { ...nothing, lastActAt: now };

    it('from before the last act, or of its very moment, are superseded', () => {
      expect(refusal(acted, { ...question, factsAsOf: now - 1 }, now + 9)).toEqual({ reason: 'superseded' });
      expect(refusal(acted, { ...question, factsAsOf: now }, now + 9)).toEqual({ reason: 'superseded' });
    });

    it('from after the last act, or of a resource never acted on, are as good as any', () => {
      expect(refusal(acted, { ...question, factsAsOf: now + 1 }, now + 9)).toBeNull();
      expect(refusal(nothing, { ...question, factsAsOf: 0 }, now + 9)).toBeNull();
    });

    it('that two invocations read together let only the first of them act', () => {
      const together = { ...request, coolDownMs: 0, factsAsOf: now - 1 };
      const { state, lease: first } = granted(take(nothing, together, now));
      const done = settle(state, first, { reason: 'stale-facts', nextCheckAt: now + 9, failedVerifications: 0 });
      if ('refusal' in done) throw new Error('not settled');

      const second = { ...together, owner: 'you', occurrences: ['alarm@2'] };
      expect(take(done.state, second, now + 5)).toEqual({ refusal: { reason: 'superseded' } });
      expect(take(done.state, { ...second, factsAsOf: now + 1 }, now + 5)).toHaveProperty('lease.fence', 2);
    });
  });

  describe('cool-down', () => {
    const acted = { ...nothing, lastActAt: now };

    it('ends exactly when its time is over', () => {
      expect(refusal(acted, { ...question, coolDownMs: 500 }, now + 499)).toEqual({
        reason: 'cool-down',
        until: now + 500,
      });
      expect(refusal(acted, { ...question, coolDownMs: 500 }, now + 500)).toBeNull();
    });

    it('refuses an invocation whose clock is behind the last act, even without a cool-down', () => {
      expect(refusal(acted, question, now - 1)).toEqual({ reason: 'cool-down', until: now });
      expect(refusal(acted, question, now)).toBeNull();
    });

    it('does not apply to a resource never acted on', () => {
      expect(refusal(nothing, { ...question, coolDownMs: day }, now)).toBeNull();
    });
  });

  describe('budget', () => {
    const used = (...ages: number[]): ResourceState => ({
      ...nothing,
      attempts: { UpdateShardCount: ages.map((age) => now - age) },
    });
    const ask = (limit: number, keep: number) => ({ ...question, spends: [{ ...spend, limit, keep, windowMs: 100 }] });

    it('passes while attempts are fewer than the limit less the reserve, and refuses at it', () => {
      expect(refusal(used(9), ask(4, 2), now)).toBeNull();
      expect(refusal(used(9, 8), ask(4, 2), now)).toEqual({ reason: 'budget-exhausted', until: now - 9 + 100 });
      expect(refusal(used(9, 8), ask(4, 1), now)).toBeNull();
    });

    it('frees an attempt exactly when it leaves the window', () => {
      expect(refusal(used(99), ask(1, 0), now)).toEqual({ reason: 'budget-exhausted', until: now + 1 });
      expect(refusal(used(100), ask(1, 0), now)).toBeNull();
    });

    it('says when enough attempts will have left for this act, reserve included', () => {
      expect(refusal(used(90, 50, 20, 10), ask(4, 2), now)).toEqual({
        reason: 'budget-exhausted',
        until: now - 20 + 100,
      });
    });

    it('looks again a window later where the reserve is the whole budget', () => {
      expect(refusal(nothing, ask(2, 2), now)).toEqual({ reason: 'budget-exhausted', until: now + 100 });
      expect(refusal(used(10), ask(2, 3), now)).toEqual({ reason: 'budget-exhausted', until: now + 100 });
    });

    it('counts one attempt for every time an act names the budget', () => {
      const twice = { ...request, spends: [spend, spend] };
      const { state } = granted(
        take({ ...nothing, attempts: { UpdateShardCount: [1, 2, 3] } }, { ...twice, spends: [spend, spend] }, now),
      );

      expect(state.attempts).toEqual({ UpdateShardCount: [now, now] });
      expect(
        refusal(
          nothing,
          {
            ...twice,
            spends: [
              { ...spend, limit: 1, keep: 0 },
              { ...spend, limit: 1, keep: 0 },
            ],
          },
          now,
        ),
      ).toEqual({
        reason: 'budget-exhausted',
        until: now + day,
      });
    });

    it('keeps budgets apart and drops only attempts outside the window', () => {
      const before = { ...nothing, attempts: { SplitShard: [now - 5], UpdateShardCount: [now - day, now - day + 1] } };

      expect(granted(take(before, request, now)).state.attempts).toEqual({
        SplitShard: [now - 5],
        UpdateShardCount: [now - day + 1, now],
      });
    });
  });

  describe('lease', () => {
    it('lives until its end and not at it', () => {
      expect(refusal(acting, question, lease.until - 1)).toEqual({ reason: 'lease-held', until: lease.until });
      expect(refusal(acting, question, lease.until)).toEqual({ reason: 'intent-unresolved' });
    });

    it('does not stand in the way once it is over and nothing is left unresolved', () => {
      const { intent: _, ...settled } = acting;
      expect(refusal(settled, question, lease.until)).toBeNull();
    });
  });

  it('says the same of a state whether or not its old entries were pruned', () => {
    const ages = fc.integer({ min: 0, max: 20 }).map((days) => now - days * day + 1);
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), ages),
        fc.array(ages, { maxLength: 6 }),
        fc.subarray(['a', 'b', 'c']),
        fc.integer({ min: 0, max: 20 * day }),
        (seen, attempts, occurrences, laterMs) => {
          const dirty = { ...nothing, seen, attempts: { UpdateShardCount: attempts.sort((a, b) => a - b) } };
          const ask = { ...question, occurrences, spends: [{ ...spend, limit: 3, keep: 1 }] };
          const pruning = take(
            dirty,
            { ...request, occurrences: ['new'], spends: [{ ...spend, limit: 99 }], coolDownMs: 0 },
            now,
          );
          const { seen: kept, attempts: left } = granted(pruning).state;
          const own = left.UpdateShardCount?.slice(0, -1) ?? [];

          expect(refusal({ ...dirty, seen: kept, attempts: { UpdateShardCount: own } }, ask, now + laterMs)).toEqual(
            refusal(dirty, ask, now + laterMs),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('seen occurrences', () => {
  const deferral = { incident: request.incident, reason: 'frozen', until: now } as const;
  const mark = (seen: Record<string, number>, ...occurrences: string[]) =>
    awaitCheck({ ...nothing, seen }, { ...deferral, occurrences }, now).seen;

  it('are kept for 15 days to the millisecond', () => {
    expect(mark({ old: now - seenMs - 1, edge: now - seenMs }, 'new')).toEqual({ edge: now - seenMs, new: now });
  });

  it('carry the latest time they were met', () => {
    expect(mark({ a: now - 5 }, 'a', 'b')).toEqual({ a: now, b: now });
  });

  it('fill the item up to a limit, the newest first', () => {
    const full = Object.fromEntries(
      Array.from({ length: seenMax }, (_, i) => [`o${(i * 7) % seenMax}`, now - ((i * 7) % seenMax)]),
    );

    const seen = mark(full, 'new');

    expect(Object.keys(seen)).toHaveLength(seenMax);
    expect(seen).toHaveProperty(`o${seenMax - 2}`);
    expect(seen).not.toHaveProperty(`o${seenMax - 1}`);
    expect(Object.keys(mark(full, 'o3'))).toHaveLength(seenMax);
    const batch = Array.from({ length: seenMax + 100 }, (_, i) => `b${i}`);
    expect(Object.keys(mark(full, ...batch))).toEqual(batch);
  });
});

describe('settle', () => {
  const settlement = { reason: 'stale-facts', nextCheckAt: now + 30_000, failedVerifications: 2 } as const;

  it('ends lease and intent and sets the next check of the incident', () => {
    expect(settle(acting, lease, settlement)).toEqual({
      state: {
        ...nothing,
        version: 9,
        fence: 5,
        lastActAt: now,
        incident: {
          ...incident,
          check: 5,
          nextCheckAt: now + 30_000,
          failedVerifications: 2,
          lastReason: 'stale-facts',
        },
      },
    });
  });

  it.each([
    ['another owner', acting, { ...lease, owner: 'you' }],
    ['another fence', acting, { ...lease, fence: 4 }],
    ['a lease that was abandoned', { ...nothing, incident }, lease],
    ['a resource without an incident', { ...nothing, lease, intent }, lease],
  ])('refuses %s', (_, state, of) => {
    expect(settle(state, of, settlement)).toEqual({ refusal: { reason: 'lease-lost' } });
  });

  it('leaves an operator their hold', () => {
    const result = settle({ ...acting, ...hold(acting, { reason: 'no', by: 'ann' }, now) }, lease, settlement);
    expect(result).toMatchObject({ state: { hold: { reason: 'no', by: 'ann' } } });
  });
});

describe('orphanOf and abandonIntent', () => {
  it('find no orphan while the lease lives, and the intent from its end on', () => {
    expect(orphanOf(acting, lease.until - 1)).toBeNull();
    expect(orphanOf(acting, lease.until)).toEqual(intent);
    expect(orphanOf(nothing, now)).toBeNull();
  });

  it('remove the orphan, keep the incident open and expect a check at once', () => {
    expect(abandonIntent(acting, intent, lease.until)).toEqual({
      state: {
        ...nothing,
        version: 9,
        fence: 5,
        lastActAt: now,
        incident: { ...incident, check: 5, nextCheckAt: lease.until, lastReason: 'intent-unresolved' },
      },
    });
  });

  it('remember what the act wanted remembered, because its calls may have been made', () => {
    const remembered = { change: 'one shard more' };
    const state = { ...acting, remembered: { change: 'none' }, intent: { ...intent, remember: remembered } };

    expect(abandonIntent(state, state.intent, lease.until)).toMatchObject({ state: { remembered } });
    expect(abandonIntent({ ...state, intent }, intent, lease.until)).toMatchObject({
      state: { remembered: { change: 'none' } },
    });
  });

  it.each([
    ['a living lease', acting, intent, lease.until - 1],
    ['an orphan that is gone', { ...nothing, incident }, intent, lease.until],
    ['an orphan that was replaced', acting, { ...intent, recordId: 'r-0' }, lease.until],
    ['a resource without an incident', { ...nothing, lease, intent }, intent, lease.until],
  ])('leave %s alone', (_, state, orphan, at) => {
    expect(abandonIntent(state, orphan, at)).toEqual({ refusal: { reason: 'superseded' } });
  });
});

describe('awaitCheck', () => {
  const deferral = {
    occurrences: ['alarm@2'],
    incident: { id: 'i-9', cause: 'tick' },
    reason: 'frozen',
    until: now + 5,
  } as const;

  it('opens an incident and expects its first check', () => {
    expect(awaitCheck(nothing, deferral, now)).toEqual({
      ...nothing,
      seen: { 'alarm@2': now },
      incident: {
        id: 'i-9',
        cause: 'tick',
        openedAt: now,
        steps: 0,
        failedVerifications: 0,
        check: 1,
        nextCheckAt: now + 5,
        lastReason: 'frozen',
      },
    });
  });

  it('lets the check stand that comes by then anyway', () => {
    const coming = { ...incident, nextCheckAt: now + earlyMs + 1 };

    const after = awaitCheck({ ...nothing, incident: coming }, { ...deferral, until: now + earlyMs + 1 }, now);

    expect(after.incident).toEqual({ ...coming, lastReason: 'frozen' });
    expect(after.seen).toEqual({ 'alarm@2': now });
  });

  const until = now + 2 * earlyMs;

  it.each([
    ['is overdue', { nextCheckAt: now }, {}],
    ['comes later', { nextCheckAt: until + 1 }, {}],
    ['may be looking already, a little early', { nextCheckAt: now + earlyMs }, {}],
    ['is the one that looks', { nextCheckAt: until }, { checked: true }],
  ])('expects a new check where the old one %s', (_, coming, how) => {
    const after = awaitCheck({ ...nothing, incident: { ...incident, ...coming } }, { ...deferral, until, ...how }, now);

    expect(after.incident).toMatchObject({ check: incident.check + 1, nextCheckAt: until });
  });

  it('keeps an open incident with its count of failed verifications', () => {
    expect(awaitCheck({ ...nothing, incident }, deferral, now).incident).toEqual({
      ...incident,
      check: 5,
      nextCheckAt: now + 5,
      lastReason: 'frozen',
    });
  });
});

describe('closeIncident', () => {
  it('closes the incident that was seen and leaves the rest', () => {
    expect(closeIncident({ ...nothing, fence: 3, incident }, incident, now)).toEqual({
      state: { ...nothing, fence: 3 },
    });
  });

  it('refuses an incident that has moved on or is closed', () => {
    expect(closeIncident({ ...nothing, incident }, { id: 'i-1', check: 3 }, now)).toEqual({
      refusal: { reason: 'superseded' },
    });
    expect(closeIncident(nothing, incident, now)).toEqual({ refusal: { reason: 'superseded' } });
  });

  it('refuses while an act is under way or unresolved', () => {
    expect(closeIncident(acting, incident, now)).toEqual({ refusal: { reason: 'lease-held', until: lease.until } });
    expect(closeIncident(acting, incident, lease.until)).toEqual({ refusal: { reason: 'intent-unresolved' } });
  });
});

describe('hold and release', () => {
  it('hold says why, since when and by whom', () => {
    expect(hold(nothing, { reason: 'not converging', by: 'reflex' }, now)).toEqual({
      ...nothing,
      hold: { reason: 'not converging', by: 'reflex', since: now },
    });
  });

  it('lets the first hold stand', () => {
    expect(hold(held, { reason: 'again', by: 'bob' }, now)).toBe(held);
  });

  it('release lifts the hold and starts the count of failed verifications afresh', () => {
    expect(release(held)).toEqual(nothing);
    expect(release({ ...held, incident })).toEqual({ ...nothing, incident: { ...incident, failedVerifications: 0 } });
  });

  it('release leaves what is not held as it is', () => {
    const open = { ...nothing, incident };
    expect(release(open)).toBe(open);
  });
});

describe('remember and noteNotified', () => {
  it('remember replaces what was remembered', () => {
    expect(remember({ ...nothing, remembered: { a: 1 } }, { b: 2 })).toEqual({ ...nothing, remembered: { b: 2 } });
  });

  it('noteNotified notes the time and forgets after two days to the millisecond', () => {
    const before = { ...nothing, notified: { again: now - 9, edge: now - notifiedMs, old: now - notifiedMs - 1 } };

    expect(notifiedMs).toBe(2 * day);
    expect(noteNotified(before, 'again', now)).toEqual({
      ...nothing,
      notified: { again: now, edge: now - notifiedMs },
    });
  });

  it('noteNotified keeps the newest, so that an alarm that flaps for days does not fill the item', () => {
    const flapping = Array.from({ length: notifiedMax }, (_, i) => [`n${i}`, now - i] as const);

    const { notified } = noteNotified({ ...nothing, notified: Object.fromEntries(flapping) }, 'next', now + 1);

    expect(Object.keys(notified)).toHaveLength(notifiedMax);
    expect(notified).toMatchObject({ next: now + 1, n0: now });
    expect(notified).not.toHaveProperty(`n${notifiedMax - 1}`);
  });
});
