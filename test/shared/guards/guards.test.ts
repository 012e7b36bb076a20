import { describe, expect, it } from 'vitest';
import type { Act } from '../../../shared/decision.ts';
import { type BrakeContext, type EntranceContext, GuardError } from '../../../shared/guards/guard.ts';
import { admit, refused, restrain } from '../../../shared/guards/index.ts';
import { effectiveMode } from '../../../shared/guards/mode.ts';
import type { Refusal } from '../../../shared/ledger/types.ts';

const now = Date.parse('2026-03-05T03:12:00Z');
const minute = 60_000;
const act: Act = { kind: 'act', reason: 'scale-up', why: 'Load is 90 %.', calls: [], coolDownMs: 0 };
const entrance: EntranceContext = { fn: 'fake', tags: { 'reflex:enabled': 'true' }, mode: { value: 'on' } };
const brakes: BrakeContext = {
  fn: 'fake',
  resource: 'arn:aws:kinesis:eu-west-1:1:stream/s',
  now,
  factsAsOf: now,
  managedBy: null,
  calendar: null,
  troubled: 1,
  scheduled: false,
  stormLimit: 10,
  refusal: null,
  act,
};

describe('opt-in', () => {
  it('lets only the tag with the value true pass', () => {
    expect(admit(entrance)).toBeUndefined();
  });

  it.each([[{}], [{ 'reflex:enabled': 'false' }], [{ 'Reflex:Enabled': 'true' }]])('skips %j', (tags) => {
    expect(admit({ ...entrance, tags })).toEqual({
      kind: 'skip',
      reason: 'not-opted-in',
      why: 'The tag reflex:enabled is not true.',
    });
  });

  it.each(['True', 'yes', '', ' true', '1'])('escalates "%s", which IAM would not accept either', (value) => {
    expect(admit({ ...entrance, tags: { 'reflex:enabled': value } })).toMatchObject({
      kind: 'escalate',
      reason: 'bad-tag',
      why: `tag reflex:enabled: expected true or false, found "${value}"; the resource is left alone.`,
    });
  });
});

describe('mode', () => {
  it('stops where it is off, and lets dry-run and on pass', () => {
    expect(admit({ ...entrance, mode: { value: 'off' } })).toMatchObject({ kind: 'skip', reason: 'mode-off' });
    expect(admit({ ...entrance, mode: { value: 'dry-run' } })).toBeUndefined();
  });

  it('that cannot be read is an error with its cause, but only for a resource that is ours', () => {
    const cause = new Error('down');
    const unread = { ...entrance, mode: { error: cause } };

    expect(() => admit(unread)).toThrow(new GuardError('the ledger could not be read', { cause }));
    expect(admit({ ...unread, tags: {} })).toMatchObject({ reason: 'not-opted-in' });
  });

  it('of all wins where it is off; else the own one, the one of all, the one of the stack', () => {
    expect(effectiveMode({ global: 'off', fn: 'on' }, 'on')).toBe('off');
    expect(effectiveMode({ global: 'on', fn: 'off' }, 'on')).toBe('off');
    expect(effectiveMode({ global: 'dry-run', fn: 'on' }, 'off')).toBe('on');
    expect(effectiveMode({ global: 'dry-run' }, 'on')).toBe('dry-run');
    expect(effectiveMode({}, 'dry-run')).toBe('dry-run');
  });
});

it('brakes let an act pass that nothing stands against', () => {
  expect(restrain(brakes)).toBeUndefined();
});

describe('freeze', () => {
  const closed = (until: number | null) => restrain({ ...brakes, calendar: { value: { open: false, until } } });

  it('lets pass while the calendar is open', () => {
    expect(restrain({ ...brakes, calendar: { value: { open: true, until: null } } })).toBeUndefined();
  });

  it('waits until the calendar opens', () => {
    expect(closed(now + 40 * minute)).toEqual({
      kind: 'defer',
      reason: 'frozen',
      until: now + 40 * minute,
      why: 'The change calendar is closed; looked at again at 2026-03-05T03:52:00Z.',
    });
  });

  it('waits at least 15 minutes, also where nobody knows when it opens', () => {
    expect(closed(null)).toMatchObject({ until: now + 15 * minute });
    expect(closed(now + 1)).toMatchObject({ until: now + 15 * minute });
  });

  it('looks again within the hour, because a calendar may be opened before its time', () => {
    expect(closed(now + 60 * minute)).toMatchObject({ until: now + 60 * minute });
    expect(closed(now + 40 * 24 * 60 * minute)).toMatchObject({ until: now + 60 * minute });
  });

  it('is an error where the calendar cannot be read', () => {
    expect(() => restrain({ ...brakes, calendar: { error: new Error('denied') } })).toThrow(
      'the change calendar could not be read',
    );
  });
});

describe('stale facts', () => {
  it('are read again after a minute, to the millisecond', () => {
    expect(restrain({ ...brakes, factsAsOf: now - minute })).toBeUndefined();
    expect(restrain({ ...brakes, factsAsOf: now - minute - 1 })).toEqual({
      kind: 'defer',
      reason: 'stale-facts',
      until: now + 15_000,
      why: 'The facts are 60 s old; they are read again.',
    });
  });
});

it('a native autoscaler keeps what it owns, and is named', () => {
  expect(restrain({ ...brakes, managedBy: 'Application Auto Scaling' })).toMatchObject({
    kind: 'escalate',
    reason: 'native-autoscaler',
    why: 'Application Auto Scaling scales this resource; Reflex leaves it alone.',
  });
});

it('what only the schedule brings up waits its turn without calling a person', () => {
  expect(restrain({ ...brakes, scheduled: true, troubled: 10 })).toBeUndefined();
  expect(restrain({ ...brakes, scheduled: true, troubled: 11 })).toMatchObject({
    kind: 'skip',
    reason: 'enough-for-now',
  });
});

it('correlated failure stops above the limit and not at it', () => {
  expect(restrain({ ...brakes, troubled: 10 })).toBeUndefined();
  expect(restrain({ ...brakes, troubled: 11 })).toMatchObject({
    kind: 'escalate',
    reason: 'correlated-failure',
    why: '11 resources need fake within ten minutes, more than 10: the cause is likely elsewhere.',
  });
});

describe('what the ledger refuses', () => {
  const until = now + 5 * minute;
  const refusals: [Refusal, object][] = [
    [{ reason: 'held' }, { kind: 'skip', reason: 'held' }],
    [{ reason: 'duplicate' }, { kind: 'skip', reason: 'duplicate' }],
    [{ reason: 'superseded' }, { kind: 'skip', reason: 'superseded' }],
    [
      { reason: 'cool-down', until },
      { kind: 'defer', reason: 'cool-down', until },
    ],
    [
      { reason: 'budget-exhausted', until },
      { kind: 'escalate', reason: 'budget-exhausted' },
    ],
    [
      { reason: 'lease-held', until },
      { kind: 'skip', reason: 'lease-held' },
    ],
    [{ reason: 'intent-unresolved' }, { kind: 'skip', reason: 'intent-unresolved' }],
  ];

  it.each(refusals)('$reason becomes a stop, before the act and when taking lost a race', (refusal, stop) => {
    expect(restrain({ ...brakes, refusal })).toMatchObject(stop);
    expect(refused({ ...brakes, refusal })).toMatchObject(stop);
  });

  it('is asked last', () => {
    expect(restrain({ ...brakes, refusal: { reason: 'held' }, troubled: 11 })).toMatchObject({
      reason: 'correlated-failure',
    });
  });

  it('tells a person who holds a resource how to release it', () => {
    expect(restrain({ ...brakes, refusal: { reason: 'held' } })?.why).toBe(
      `On hold: nothing is done until a person runs: npm run ops -- release ${brakes.resource}`,
    );
    expect(restrain({ ...brakes, resource: `${brakes.resource} (a)`, refusal: { reason: 'held' } })?.why).toMatch(
      / release 'arn:\S+ \(a\)'$/,
    );
  });

  it('of a budget tells a person where nothing is left, and skips where the rest is kept for more urgent acts', () => {
    const spend = { budget: 'UpdateShardCount', limit: 10, windowMs: 86_400_000, keep: 0 };
    const refusal: Refusal = { reason: 'budget-exhausted', until };

    expect(restrain({ ...brakes, refusal, act: { ...act, spends: [spend] } })).toMatchObject({
      kind: 'escalate',
      why: 'Used up: 10 UpdateShardCount in 24 h. The next attempt is possible at 2026-03-05T03:17:00Z. Wanted: Load is 90 %.',
    });
    expect(restrain({ ...brakes, refusal, act: { ...act, spends: [{ ...spend, keep: 3 }] } })).toEqual({
      kind: 'skip',
      reason: 'budget-exhausted',
      why: 'Of 10 UpdateShardCount in 24 h, the last 3 are kept for more urgent acts, until 2026-03-05T03:17:00Z.',
    });
  });
});
