import { describe, expect, it } from 'vitest';
import { decide } from '../../../../functions/restore-capacity/service/decide.ts';
import type { Memory, PairedStandIn } from '../../../../functions/restore-capacity/service/facts.ts';
import type { Decision } from '../../../../shared/decision.ts';
import { at } from '../../../support/event-builders.ts';
import { policy, situation, spotStrategy } from '../../../support/restore-capacity.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const short = { running: 6 };

/** A fallback of four tasks that began two hours ago, seen to be in place. */
const standIn = (overrides: Partial<PairedStandIn> = {}): Memory => ({
  level: 0,
  standIn: { mode: 'paired', pair: 'web-od', since: at - 2 * HOUR, original: 0, wrote: 4, need: 10, ...overrides },
});

const whole = (overrides: Partial<PairedStandIn> = {}): Memory =>
  standIn({ wholeSince: at - 11 * MINUTE, ...overrides });

/** Look, some minutes after the last act. */
const later = (memory: Memory, more: Parameters<typeof situation>[0] = {}) =>
  situation({
    trigger: 'follow-up',
    memory,
    openedAt: at - 2 * HOUR,
    lastActAt: at - 20 * MINUTE,
    pair: { desired: 4, running: 4 },
    ...more,
  });

const counts = (decision: Decision): unknown =>
  decision.kind === 'act'
    ? decision.calls.map(({ params }) => ('desiredCount' in params ? params.desiredCount : params))
    : [];

const standInOf = (decision: Decision) => (decision.remember as Memory | undefined)?.standIn;

describe('a shortage of Spot capacity', () => {
  it('raises the paired service to what is lacking, at once', () => {
    const decision = decide(situation({ service: short }), policy, at);

    expect(decision).toMatchObject({ kind: 'act', reason: 'spot-fallback', coolDownMs: 0, planned: true });
    expect(decision).not.toHaveProperty('spends');
    expect(decision).toHaveProperty('calls', [
      {
        call: 'UpdateService',
        params: {
          cluster: 'arn:aws:ecs:eu-west-1:111122223333:cluster/prod',
          service: 'web-od',
          desiredCount: 4,
        },
      },
    ]);
  });

  it('has what was there before stored ahead of the call', () => {
    const decision = decide(situation({ service: short, pair: { desired: 1, running: 1 } }), policy, at);

    expect(standInOf(decision)).toMatchObject({ original: 1, previous: 1, wrote: 4, need: 10, since: at });
  });

  it('counts tasks that are starting as missing once others cannot be placed', () => {
    const decision = decide(situation({ service: { running: 6, pending: 3 } }), policy, at);
    expect(counts(decision)).toEqual([4]);
  });

  it('is clamped by reflex:fallback-max, and says so', () => {
    const decision = decide(situation({ service: { running: 0 } }), { ...policy, fallbackMax: 3 }, at);

    expect(counts(decision)).toEqual([3]);
    expect(decision.why).toContain('reflex:fallback-max; 10 are lacking');
  });

  it('needs no fallback where the paired service is set to as many already', () => {
    const decision = decide(situation({ service: short, pair: { desired: 4, running: 4 } }), policy, at);
    expect(decision).toMatchObject({ kind: 'skip', reason: 'fallback-enough' });
  });

  it('is over where all tasks run by the time it is looked at', () => {
    expect(decide(situation(), policy, at)).toMatchObject({ kind: 'skip', reason: 'spot-enough' });
    expect(decide(situation({ openedAt: at - MINUTE, trigger: 'follow-up' }), policy, at)).toMatchObject({
      kind: 'skip',
      reason: 'resolved',
    });
  });

  it('waits while every task is placed, for half an hour at most', () => {
    const starting = { running: 6, pending: 4 };

    expect(decide(situation({ service: starting }), policy, at)).toMatchObject({
      kind: 'defer',
      reason: 'tasks-starting',
      until: at + 30_000,
    });
    const old = situation({ service: starting, trigger: 'follow-up', openedAt: at - 30 * MINUTE });
    expect(decide(old, policy, at)).toMatchObject({ kind: 'skip', reason: 'shortage-unconfirmed' });
  });

  it.each([
    [60 * MINUTE, 'act'],
    [60 * MINUTE + 1, 'skip'],
  ])('is not concluded from an event that was replayed: told %i ms ago, %s', (age, kind) => {
    const decision = decide(situation({ service: short, toldAt: at - age }), policy, at);
    expect(decision).toMatchObject({ kind, reason: kind === 'act' ? 'spot-fallback' : 'shortage-unconfirmed' });
  });

  it('is not concluded from a schedule that finds too few tasks', () => {
    const decision = decide(situation({ service: short, trigger: 'tick' }), policy, at);
    expect(decision).toMatchObject({ kind: 'skip', reason: 'shortage-unconfirmed' });
  });

  it('does not concern a service without Spot', () => {
    const strategy = [
      { capacityProvider: 'FARGATE', base: 0, weight: 1 },
      { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 0 },
    ];
    const decision = decide(situation({ service: { ...short, strategy } }), policy, at);
    expect(decision).toMatchObject({ kind: 'skip', reason: 'not-on-spot' });
  });

  it.each(['DRAINING', 'INACTIVE'])('does not concern a service that is %s', (status) => {
    const decision = decide(situation({ service: { ...short, status } }), policy, at);
    expect(decision).toMatchObject({ kind: 'skip', reason: 'service-gone' });
  });

  it('is left to a person in a status that is not known', () => {
    const decision = decide(situation({ service: { ...short, status: 'FROZEN' } }), policy, at);
    expect(decision).toMatchObject({ kind: 'escalate', reason: 'unexpected-state' });
  });
});

describe('a service without a fallback', () => {
  const notify = { ...policy, mode: 'notify', fallbackService: null } as const;

  it('is told of, with the command that switches it and what that costs', () => {
    const decision = decide(situation({ service: short, pair: null }), notify, at);

    expect(decision).toMatchObject({ kind: 'escalate', reason: 'spot-shortage' });
    expect(decision).toHaveProperty(
      'advice',
      expect.stringContaining(
        'aws ecs update-service --cluster arn:aws:ecs:eu-west-1:111122223333:cluster/prod --service web --capacity-provider-strategy capacityProvider=FARGATE,base=0,weight=1 capacityProvider=FARGATE_SPOT,base=0,weight=0 --force-new-deployment',
      ),
    );
    expect(decision).toHaveProperty('advice', expect.stringContaining('replaces every task'));
  });

  it('is told of with the count for its paired service, where it names one', () => {
    const decision = decide(situation({ service: short }), { ...policy, mode: 'notify' }, at);
    expect(decision).toHaveProperty(
      'advice',
      'Run: aws ecs update-service --cluster arn:aws:ecs:eu-west-1:111122223333:cluster/prod --service web-od --desired-count 4',
    );
  });

  it('gets no command that its deployment controller would refuse', () => {
    const decision = decide(situation({ service: { ...short, controller: 'CODE_DEPLOY' }, pair: null }), notify, at);
    expect(decision).toHaveProperty('advice', expect.not.stringContaining('--force-new-deployment'));
  });
});

describe('a paired service', () => {
  it.each([
    ['is the service itself', { arn: 'arn:aws:ecs:eu-west-1:111122223333:service/prod/web', name: 'web' }, 'itself'],
    ['is gone', { status: 'INACTIVE' }, 'not ACTIVE'],
    ['has not opted in', { optedIn: false }, 'reflex:enabled'],
    ['has no desired count', { scheduling: 'DAEMON' }, 'desired count'],
    ['runs on Spot', { strategy: spotStrategy }, 'FARGATE_SPOT'],
    ['is scaled by Application Auto Scaling', { autoscaled: true }, 'Application Auto Scaling'],
  ])('that %s is not touched', (_, pair, text) => {
    const decision = decide(situation({ service: short, pair }), policy, at);

    expect(decision).toMatchObject({ kind: 'escalate', reason: 'fallback-unfit' });
    expect(decision.why).toContain(text);
  });

  it('that is not there is asked for', () => {
    const decision = decide(situation({ service: short, pair: null }), policy, at);
    expect(decision).toMatchObject({ kind: 'escalate', reason: 'fallback-unfit' });
    expect(decision.why).toContain('no service web-od');
  });

  it('whose on-demand tasks do not start either is told of', () => {
    const lacking = standIn({ shortSince: at - 10 * MINUTE });
    const decision = decide(later(lacking, { service: short, pair: { desired: 4, running: 1 } }), policy, at);

    expect(decision).toMatchObject({ kind: 'escalate', reason: 'on-demand-short' });
    expect(standInOf(decision)).toMatchObject({ shortSince: at - 10 * MINUTE });
  });

  it('is given ten minutes to start', () => {
    const lacking = standIn({ shortSince: at - 11 * MINUTE });
    const young = later(lacking, { service: short, pair: { desired: 4, running: 1 }, lastActAt: at - 9 * MINUTE });
    expect(decide(young, policy, at)).toMatchObject({ kind: 'defer', reason: 'spot-short' });
  });

  it('is not told of for one look at which one of its tasks is being replaced', () => {
    const one = decide(later(standIn(), { service: short, pair: { desired: 4, running: 3 } }), policy, at);
    expect(one).toMatchObject({ kind: 'defer', reason: 'spot-short' });
    expect(standInOf(one)).toMatchObject({ shortSince: at });

    const next = decide(later(standIn({ shortSince: at - MINUTE }), { service: short }), policy, at);
    expect(standInOf(next)).not.toHaveProperty('shortSince');
  });
});

describe('while the paired service stands in', () => {
  it('goes up at once when more is lacking', () => {
    const decision = decide(later(standIn(), { service: { running: 3 } }), policy, at);

    expect(decision).toMatchObject({ kind: 'act', reason: 'spot-fallback', coolDownMs: 0 });
    expect(counts(decision)).toEqual([7]);
  });

  it('comes down at once to reflex:fallback-max where that is lowered, though never below what was there', () => {
    const lowered = (fallbackMax: number, memory = standIn()) =>
      decide(later(memory, { service: short }), { ...policy, fallbackMax }, at);

    expect(lowered(3)).toMatchObject({ kind: 'act', reason: 'fallback-capped', coolDownMs: 0 });
    expect(counts(lowered(3))).toEqual([3]);
    expect(counts(lowered(1, standIn({ original: 2 })))).toEqual([2]);
    expect(lowered(4)).toMatchObject({ kind: 'defer', reason: 'spot-short' });
  });

  it('stays up while Spot is only partly back', () => {
    const decision = decide(later(standIn(), { service: { running: 9 } }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', reason: 'spot-short', until: at + MINUTE });
  });

  it('takes no event for another shortage: what is lacking is set already', () => {
    const decision = decide(later(standIn(), { service: short, trigger: 'event' }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', reason: 'spot-short' });
  });

  it('waits ten minutes from the first look at which all tasks run', () => {
    const first = decide(later(standIn()), policy, at);
    expect(first).toMatchObject({ kind: 'defer', reason: 'spot-settling' });
    expect(standInOf(first)).toMatchObject({ wholeSince: at });

    const second = later(standIn({ wholeSince: at - 10 * MINUTE + 1 }));
    expect(decide(second, policy, at)).toMatchObject({ kind: 'defer', reason: 'spot-settling', until: at + 1 });
    expect(decide(later(standIn({ wholeSince: at - 10 * MINUTE })), policy, at)).toMatchObject({
      kind: 'act',
      reason: 'spot-failback',
    });
  });

  it('begins to wait anew when tasks are lacking once, or a placement fails once', () => {
    const dip = decide(later(whole(), { service: { running: 9 } }), policy, at);
    expect(standInOf(dip)).not.toHaveProperty('wholeSince');

    const told = decide(later(whole(), { trigger: 'event' }), policy, at);
    expect(told).toMatchObject({ kind: 'defer', reason: 'spot-settling' });
    expect(standInOf(told)).toMatchObject({ wholeSince: at });
  });

  it.each([
    [100, 75],
    [10, 8],
    [4, 3],
    [3, 2],
    [1, 0],
  ])('steps down by a quarter, one task at least: %i to %i', (desired, next) => {
    const decision = decide(later(whole({ wrote: desired }), { pair: { desired, running: desired } }), policy, at);

    expect(counts(decision)).toEqual([next]);
    expect(decision).toMatchObject({ kind: 'act', reason: 'spot-failback', coolDownMs: 5 * MINUTE });
    expect(standInOf(decision)).toMatchObject({ wrote: next, previous: desired, stepped: true });
  });

  it('never goes below what was there before the shortage', () => {
    const memory = whole({ original: 3 });
    expect(counts(decide(later(memory), policy, at))).toEqual([3]);
    const done = later(whole({ original: 3, wrote: 3 }), { pair: { desired: 3, running: 3 } });
    expect(decide(done, policy, at)).toMatchObject({ kind: 'skip', reason: 'resolved' });
  });

  it('keeps five minutes between two steps', () => {
    const soon = later(whole(), { lastActAt: at - 4 * MINUTE });
    expect(decide(soon, policy, at)).toMatchObject({ kind: 'defer', until: at + MINUTE });
    expect(decide(later(whole(), { lastActAt: at - 5 * MINUTE }), policy, at).kind).toBe('act');
  });

  it('closes only when the last step has proved itself for five minutes', () => {
    const memory = whole({ wrote: 0, stepped: true });
    const atZero = { pair: { desired: 0, running: 0 } };

    expect(decide(later(memory, { ...atZero, lastActAt: at - 2 * MINUTE }), policy, at).kind).toBe('defer');
    const end = decide(later(memory, { ...atZero, lastActAt: at - 5 * MINUTE }), policy, at);
    expect(end).toEqual(
      expect.objectContaining({ kind: 'skip', reason: 'resolved', remember: { turn: 1, level: 0, endedAt: at } }),
    );
  });

  it('is told of once a day when it lasts, and looked at less often', () => {
    const decision = decide(later(standIn({ since: at - 12 * HOUR }), { service: short }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', lasting: true, until: at + 5 * MINUTE });
    expect(decide(later(standIn({ since: at - 11 * HOUR }), { service: short }), policy, at)).not.toHaveProperty(
      'lasting',
    );
  });
});

describe('Spot capacity that comes and goes', () => {
  it('doubles the wait when it goes during the way down', () => {
    const decision = decide(later(standIn({ stepped: true }), { service: { running: 3 } }), policy, at);
    expect(decision).toHaveProperty('remember', expect.objectContaining({ level: 1 }));

    const memory = { ...whole(), level: 1 };
    expect(decide(later(memory), policy, at)).toMatchObject({ kind: 'defer', reason: 'spot-settling' });
    const after = { ...whole({ wholeSince: at - 20 * MINUTE }), level: 1 };
    expect(decide(later(after), policy, at).kind).toBe('act');
  });

  it('does not double it for one that only gets worse', () => {
    const decision = decide(later(standIn(), { service: { running: 3 } }), policy, at);
    expect(decision).toHaveProperty('remember', expect.objectContaining({ level: 0 }));
  });

  it.each([
    [5 * HOUR, 3],
    [6 * HOUR, 0],
  ])('doubles it for a shortage %i ms after the last one: level %i', (ago, level) => {
    const memory = { level: 2, endedAt: at - ago };
    const decision = decide(situation({ service: short, memory }), policy, at);
    expect(decision).toHaveProperty('remember', expect.objectContaining({ level }));
  });

  it('waits four hours at most', () => {
    const memory = { ...whole({ wholeSince: at - 4 * HOUR }), level: 30 };
    expect(decide(later(memory), policy, at).kind).toBe('act');
  });
});

describe('a Spot service that was made smaller meanwhile', () => {
  const smaller = { desired: 4, running: 4 };

  it('does not end the fallback: what the load needed is covered for an hour', () => {
    const first = decide(
      later(whole({ wrote: 6 }), { service: smaller, pair: { desired: 6, running: 6 } }),
      policy,
      at,
    );

    expect(first).toMatchObject({ kind: 'defer', reason: 'load-held' });
    expect(standInOf(first)).toMatchObject({ need: 10, lowSince: at });
  });

  it('raises the paired service where both together would be smaller than the load was', () => {
    const decision = decide(later(whole(), { service: smaller }), policy, at);
    expect(counts(decision)).toEqual([6]);
  });

  it('and to nothing is switched off: no load is held for it, and what stands in goes back as usual', () => {
    const off = { desired: 0, running: 0 };
    const first = decide(later(standIn(), { service: off }), policy, at);
    expect(first).toMatchObject({ kind: 'defer', reason: 'spot-settling' });

    const settled = decide(later(whole(), { service: off }), policy, at);
    expect(settled).toMatchObject({ kind: 'act', reason: 'spot-failback' });
    expect(counts(settled)).toEqual([3]);
  });

  it('is taken for normal after an hour', () => {
    const held = whole({ wrote: 6, lowSince: at - HOUR });
    const decision = decide(later(held, { service: smaller, pair: { desired: 6, running: 6 } }), policy, at);

    expect(counts(decision)).toEqual([5]);
    expect(standInOf(decision)).toMatchObject({ need: 4 });
    expect(standInOf(decision)).not.toHaveProperty('lowSince');
  });

  it('starts the hour anew when it was as large as before in between', () => {
    const held = whole({ lowSince: at - 50 * MINUTE });
    expect(standInOf(decide(later(held), policy, at))).not.toHaveProperty('lowSince');
  });
});

describe('somebody else who sets the count', () => {
  it.each([0, 2, 9])('is not overruled: %i instead of 4', (desired) => {
    const decision = decide(later(standIn(), { service: short, pair: { desired, running: desired } }), policy, at);

    expect(decision).toMatchObject({ kind: 'skip', reason: 'fallback-released' });
    expect(decision.remember).toEqual({ turn: 1, level: 0, released: at });
  });

  it('keeps Reflex out until all tasks run', () => {
    const memory = { level: 0, released: at - HOUR };
    const out = decide(situation({ service: short, memory }), policy, at);
    expect(out).toMatchObject({ kind: 'skip', reason: 'fallback-released' });
    expect(out).not.toHaveProperty('remember');

    const back = decide(situation({ memory, trigger: 'tick' }), policy, at);
    expect(back).toMatchObject({ kind: 'skip', reason: 'spot-enough', remember: { level: 0 } });
  });

  it.each([
    ['names another service', { ...policy, fallbackService: 'other' }],
    ['wants to be told only', { ...policy, mode: 'notify' as const }],
  ])('is heard when the tag %s', (_, changed) => {
    const decision = decide(later(standIn(), { service: short }), changed, at);
    expect(decision).toMatchObject({ kind: 'skip', reason: 'fallback-released' });
  });

  it('is not suspected where a call was lost: it is made again, as a try that failed', () => {
    const memory = standIn({ previous: 0 });
    const decision = decide(later(memory, { service: short, pair: { desired: 0, running: 0 } }), policy, at);

    expect(decision).toMatchObject({ kind: 'act', reason: 'spot-fallback', planned: false });
    expect(counts(decision)).toEqual([4]);
  });

  it.each([
    ['what was there before', 0],
    ['any other', 7],
  ])('is not suspected in the first half minute, in which ECS may show what was there before: %s', (_, desired) => {
    const memory = standIn({ previous: 0 });
    const young = { service: short, pair: { desired, running: 0 }, lastActAt: at - 29_999 };
    const decision = decide(later(memory, young), policy, at);

    expect(decision).toMatchObject({ kind: 'defer', reason: 'spot-short', until: at + 1 });
    expect(decide(later(memory, { ...young, lastActAt: at - 30_000 }), policy, at).kind).not.toBe('defer');
  });

  it('is suspected once the count was seen', () => {
    const seen = decide(later(standIn({ previous: 0 }), { service: short }), policy, at);
    expect(standInOf(seen)).not.toHaveProperty('previous');
  });
});
