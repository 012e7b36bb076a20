import { describe, expect, it } from 'vitest';
import type { Defer, Escalate, Skip } from '../../shared/decision.ts';
import type { Observed, Watch } from '../../shared/function.ts';
import { hold, release } from '../../shared/ledger/state.ts';
import type { Result } from '../../shared/remediation.ts';
import { alarmEvent, at, followUp, sqsBatch, streamArn, tick } from '../support/event-builders.ts';
import {
  enabled,
  type Instance,
  instance,
  mend,
  type ThingFacts,
  type ThingSituation,
  thing,
  workshop,
} from '../support/fake-function.ts';
import {
  inboxBodies,
  inboxSettings,
  invoke,
  nextDueAt,
  pump,
  put,
  storedRecords,
  storedState,
} from '../support/fake-runtime.ts';

const minute = 60_000;
const hour = 60 * minute;
const orders = streamArn('orders');
const key = { fn: 'fake', resource: orders };
const incidentId = 'rfx-20260305T031200-00000001';

const onAlarm = ({ handler }: Instance) => handler(sqsBatch(alarmEvent()));
const incidentOf = ({ world }: Instance) => storedState(world, orders)?.incident;
const reasonsTold = ({ world }: Instance) => world.told.map(({ record }) => record.reason);
const reasonsOf = (results: readonly (Result | 'crashed' | undefined)[]) =>
  results.flatMap((result) => (typeof result === 'object' ? result.outcomes.map(({ reason }) => reason) : []));

/** Lets time pass to the next message and delivers it. */
async function next({ world, handler }: Instance) {
  world.now = Math.max(world.now, nextDueAt(world) ?? world.now);
  return pump(world, handler);
}

/** Delivers what comes, until the inbox is empty or this many batches were delivered. */
async function settle(one: Instance, batches = 100) {
  const results: Awaited<ReturnType<typeof next>>[] = [];
  while (one.world.inbox.length > 0 && results.length < batches) results.push(await next(one));
  return results;
}

describe('an incident', () => {
  it('goes from act over waiting and acting again to resolved, one check after the other', async () => {
    let checks = 0;
    const one = instance({
      shop: workshop({ [orders]: thing(2) }),
      decide: (situation, _, now) => {
        checks += situation.trigger === 'follow-up' ? 1 : 0;
        return checks === 1
          ? { kind: 'defer', reason: 'stream-updating', until: now + 5 * minute, why: 'Not yet.' }
          : mend(situation);
      },
    });

    const results = [await onAlarm(one), ...(await settle(one))];

    expect(reasonsOf(results)).toEqual(['scale-up', 'stream-updating', 'scale-up', 'resolved']);
    const records = storedRecords(one.world);
    expect(records.map(({ reason, trigger, at: when }) => [reason, trigger, (when - at) / minute])).toEqual([
      ['scale-up', 'alarm', 0],
      ['stream-updating', 'follow-up', 1],
      ['scale-up', 'follow-up', 6],
      ['resolved', 'follow-up', 7],
    ]);
    expect(new Set(records.map((record) => record.incidentId))).toEqual(new Set([incidentId]));
    expect(incidentOf(one)).toBeUndefined();
    expect(reasonsTold(one)).toEqual(['scale-up', 'scale-up', 'resolved']);
    expect(one.shop.acts).toHaveLength(2);
  });

  it('is looked at after the time the act asks for, else after that of the stack', async () => {
    const asked = instance({ decide: (situation) => ({ ...mend(situation), followUpMs: 5 * minute }) });
    const usual = instance({ followUpMs: 2 * minute });

    await onAlarm(asked);
    await onAlarm(usual);

    expect(inboxBodies(asked.world)).toMatchObject([
      { detail: { notBefore: at + 5 * minute, checks: [{ check: 1, incidentId }] } },
    ]);
    expect(inboxBodies(usual.world)).toMatchObject([{ detail: { notBefore: at + 2 * minute } }]);
    expect(asked.world.told).toMatchObject([{ nextCheckAt: at + 5 * minute }]);
  });

  it('is looked at again also when a decision names a fraction of a millisecond', async () => {
    let waited = false;
    const one = instance({
      decide: (situation, _, now) => {
        if (waited) return mend(situation);
        waited = true;
        return { kind: 'defer', reason: 'measuring', until: now + 120_001 / 4, why: 'Not yet.' };
      },
    });

    const results = [await onAlarm(one), ...(await settle(one))];

    expect(reasonsOf(results)).toEqual(['measuring', 'scale-up', 'resolved']);
    expect(results).not.toContainEqual(expect.objectContaining({ failures: [expect.anything()] }));
  });

  it('is looked at when the act asks for, however long its calls take', async () => {
    const prompt = instance({
      decide: (situation) => ({ ...mend(situation), followUpAt: at + 2 * minute }),
      act: ({ act }) => {
        prompt.world.now += 90_000;
        return { actions: act.calls };
      },
    });
    const late = instance({
      decide: (situation) => ({ ...mend(situation), followUpAt: at + 2 * minute }),
      act: ({ act }) => {
        late.world.now += 3 * minute;
        return { actions: act.calls };
      },
    });

    await onAlarm(prompt);
    await onAlarm(late);

    expect(inboxBodies(prompt.world)).toMatchObject([{ detail: { notBefore: at + 2 * minute } }]);
    expect(inboxBodies(late.world)).toMatchObject([{ detail: { notBefore: at + 3 * minute } }]);
  });

  it('that waits keeps the check that comes sooner anyway, and what is new is remembered', async () => {
    const wait = (ms: number) => (situation: ThingSituation) =>
      ({
        kind: 'defer',
        reason: 'measuring',
        until: at + ms,
        why: 'Not yet.',
        remember: { seen: situation.told.length, ms },
      }) as const;
    const waits = [wait(2 * minute), wait(3 * minute), wait(minute)];
    const one = instance({ decide: (situation) => waits.shift()?.(situation) ?? mend(situation) });
    const news = (after: number) => one.handler(sqsBatch(alarmEvent({ at: at + after })));

    await news(0);
    await news(1);
    expect(incidentOf(one)).toMatchObject({ check: 1, nextCheckAt: at + 2 * minute });
    expect(storedState(one.world, orders)?.remembered).toMatchObject({ ms: 3 * minute });
    expect(one.world.inbox).toHaveLength(1);

    await news(2);
    expect(incidentOf(one)).toMatchObject({ check: 2, nextCheckAt: at + minute });
    expect(reasonsOf(await settle(one))).toEqual(['scale-up', 'resolved']);
  });

  it('is closed by a recovery, and told', async () => {
    const one = instance();
    await onAlarm(one);
    one.world.now += 30_000;

    const result = await one.handler(alarmEvent({ state: 'OK', at: one.world.now }));

    expect(result.outcomes).toMatchObject([{ decision: 'skip', reason: 'resolved', incidentId }]);
    expect(incidentOf(one)).toBeUndefined();
    expect(reasonsTold(one)).toEqual(['scale-up', 'resolved']);
    expect(reasonsOf(await settle(one))).toEqual(['superseded']);
  });

  it('is not opened by a recovery that finds nothing open', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(0) }) });

    const result = await one.handler(alarmEvent({ state: 'OK' }));

    expect(result.outcomes).toMatchObject([{ reason: 'nothing-open', incidentId: null }]);
    expect(one.world.told).toEqual([]);
  });

  it('is opened by trouble that has to wait, and not by a schedule or a recovery that has to', async () => {
    const decide = () => ({ kind: 'defer', reason: 'measuring', until: at + minute, why: 'Not yet.' }) as const;
    const [alarm, recovery, schedule] = [instance({ decide }), instance({ decide }), instance({ decide })];

    const { outcomes } = await onAlarm(alarm);
    await recovery.handler(alarmEvent({ state: 'OK' }));
    await schedule.handler(tick('all'));

    expect(outcomes).toMatchObject([{ decision: 'defer', incidentId }]);
    expect(storedRecords(alarm.world)).toMatchObject([{ decision: 'defer', incidentId }]);

    expect(incidentOf(alarm)).toMatchObject({ id: incidentId, steps: 0, check: 1, nextCheckAt: at + minute });
    expect(incidentOf(recovery)).toBeUndefined();
    expect(incidentOf(schedule)).toBeUndefined();
    expect([recovery, schedule].flatMap(({ world }) => world.inbox)).toEqual([]);
  });

  it('that was opened by waiting makes the alarm that opened it a duplicate', async () => {
    const one = instance({
      decide: () => ({ kind: 'defer', reason: 'measuring', until: at + minute, why: 'Not yet.' }),
    });
    await onAlarm(one);

    expect(reasonsOf([await onAlarm(one)])).toEqual(['duplicate']);
    expect(one.world.inbox).toHaveLength(1);
  });

  it('ends with an escalation, which is told even if its reason was told today', async () => {
    const one = instance({
      shop: workshop({ [orders]: thing(9) }),
      decide: (situation) =>
        situation.ledger.incident === null
          ? mend(situation)
          : { kind: 'escalate', reason: 'at-max-shards', why: 'No more.', advice: 'Raise it.' },
    });
    await onAlarm(one);
    await settle(one);
    one.world.now += minute;
    await one.handler(alarmEvent({ at: at + 10 * minute }));
    await settle(one);

    expect(incidentOf(one)).toBeUndefined();
    expect(reasonsTold(one)).toEqual(['scale-up', 'at-max-shards', 'scale-up', 'at-max-shards']);
    expect(one.world.told.at(-1)).toMatchObject({ record: { advice: 'Raise it.' }, nextCheckAt: null });
  });

  it('ends where its resource is not opted in any more, and leaves that in the history', async () => {
    const one = instance();
    await onAlarm(one);
    one.shop.things.set(orders, thing(1, {}));

    expect(reasonsOf(await settle(one))).toEqual(['not-opted-in']);
    expect(incidentOf(one)).toBeUndefined();
    expect(storedRecords(one.world).at(-1)).toMatchObject({ reason: 'not-opted-in', incidentId });
    expect(reasonsTold(one)).toEqual(['scale-up', 'not-opted-in']);
  });

  it('ends at the next act that a dry run withholds', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    await onAlarm(one);
    await one.runtime.ledger.setMode('fake', 'dry-run', 'ann');

    const results = await settle(one);

    expect(results).toMatchObject([{ outcomes: [{ decision: 'act', dryRun: true, incidentId }] }]);
    expect(incidentOf(one)).toBeUndefined();
    expect(one.shop.acts).toHaveLength(1);
    expect(one.world.told).toHaveLength(2);
  });

  it('goes on waiting in a dry run where it was open before', async () => {
    const one = instance({
      decide: (situation, _, now) =>
        situation.ledger.incident === null
          ? mend(situation)
          : { kind: 'defer', reason: 'stream-updating', until: now + minute, why: 'Not yet.' },
    });
    await onAlarm(one);
    await one.runtime.ledger.setMode('fake', 'dry-run', 'ann');
    await next(one);

    expect(incidentOf(one)).toMatchObject({ check: 2 });
    expect(one.world.inbox).toHaveLength(1);
  });
});

describe('a follow-up', () => {
  it('that comes twice looks once', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    await onAlarm(one);
    const [message] = inboxBodies(one.world);
    one.world.now += minute;

    const results = [await one.handler(sqsBatch(message)), await one.handler(sqsBatch(message))];

    expect(reasonsOf(results)).toEqual(['scale-up', 'superseded']);
    expect(results.flatMap(({ batchItemFailures }) => batchItemFailures)).toEqual([]);
  });

  it('that comes twice at once looks once', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    await onAlarm(one);
    const [message] = inboxBodies(one.world);
    one.world.now += minute;

    const results = await Promise.all([one, instance(one)].map(({ handler }) => handler(sqsBatch(message))));

    expect(reasonsOf(results).toSorted()).toEqual(['scale-up', 'superseded']);
    expect(one.shop.acts).toHaveLength(2);
  });

  it('that comes twice at once and waits leaves one check, not two', async () => {
    const one = instance({
      decide: (situation, _, now) =>
        situation.ledger.incident === null
          ? mend(situation)
          : { kind: 'defer', reason: 'stream-updating', until: now + minute, why: 'Not yet.' },
    });
    await onAlarm(one);
    const [message] = inboxBodies(one.world);
    one.world.inbox.length = 0;
    one.world.now += minute;
    await Promise.all([one, instance(one)].map(({ handler }) => handler(sqsBatch(message))));

    expect(incidentOf(one)).toMatchObject({ check: 2 });
    expect(one.world.inbox).toHaveLength(1);
  });

  it('of an incident that is closed, or of another one, changes nothing', async () => {
    const one = instance();
    await onAlarm(one);
    const before = structuredClone(one.world.table.rows());
    const other = { fn: 'fake', resource: orders, notBefore: at };

    const result = await one.handler(
      sqsBatch(followUp({ ...other, incidentId: 'rfx-other', check: 1 }), followUp({ ...other, incidentId, check: 0 })),
    );

    expect(reasonsOf([result])).toEqual(['superseded']);
    expect(one.world.table.rows()).toEqual(before);
    expect(one.world.told).toHaveLength(1);
  });

  it('that is superseded reads nothing of AWS; one that is expected reads it after the ledger', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(2) }) });
    await onAlarm(one);
    const [due] = inboxBodies(one.world);
    one.world.now += minute;
    const callsOf = async (body: unknown) => {
      one.runtime.calls.length = 0;
      await one.handler(sqsBatch(body));
      return one.runtime.calls;
    };

    const expected = await callsOf(due);
    const read = expected.indexOf('observe');
    expect(expected.indexOf('table.getMany')).toBeGreaterThanOrEqual(0);
    expect(read).toBeGreaterThan(expected.indexOf('table.getMany'));

    expect(await callsOf(due)).not.toContain('observe');
  });

  it('of a storm come together, and each looks at its own', async () => {
    const [a, b] = [streamArn('a'), streamArn('b')];
    const one = instance({ shop: workshop({ [a]: thing(1), [b]: thing(2) }) });
    await one.handler(sqsBatch(alarmEvent({ stream: 'a', name: 'a' }), alarmEvent({ stream: 'b', name: 'b' })));

    expect(inboxBodies(one.world)).toMatchObject([{ detail: { checks: [{ resource: a }, { resource: b }] } }]);
    expect(reasonsOf([await next(one)])).toEqual(['resolved', 'scale-up']);
  });

  it('that fails comes again with the others of its message, and only it looks again', async () => {
    const [a, b] = [streamArn('a'), streamArn('b')];
    const failing = new Set<string>();
    const one = instance({
      shop: workshop({ [a]: thing(1), [b]: thing(1) }),
      observe: async (watches) => {
        const seen = await healthy(watches);
        for (const resource of failing) if (seen.has(resource)) seen.set(resource, { error: new Error('throttled') });
        failing.clear();
        return seen;
      },
    });
    const healthy = async (watches: readonly Watch[]): Promise<Map<string, Observed<ThingFacts>>> =>
      new Map(
        watches.map(({ resource }) => [
          resource,
          {
            facts: {
              asOf: one.world.now,
              arn: resource,
              tags: enabled,
              trouble: one.shop.things.get(resource)?.trouble ?? 0,
              told: [],
            },
          },
        ]),
      );
    await one.handler(sqsBatch(alarmEvent({ stream: 'a', name: 'a' }), alarmEvent({ stream: 'b', name: 'b' })));
    const [both] = inboxBodies(one.world);
    one.world.now += minute;
    failing.add(b);

    const first = await one.handler(sqsBatch(both));
    const second = await one.handler(sqsBatch(both));

    expect(reasonsOf([first])).toEqual(['resolved', 'observe-failed']);
    expect(first.batchItemFailures).toHaveLength(1);
    expect(reasonsOf([second])).toEqual(['superseded', 'resolved']);
    expect(second.batchItemFailures).toEqual([]);
  });

  it('that is due counts, whatever superseded one comes with it', async () => {
    const one = instance();
    await onAlarm(one);
    const [due] = inboxBodies(one.world);
    one.world.now += minute;
    const old = followUp({ fn: 'fake', resource: orders, incidentId, check: 0, notBefore: at });

    expect(reasonsOf([await one.handler(sqsBatch(old, due))])).toEqual(['resolved']);
  });

  it('that comes with a duplicate of the alarm looks all the same', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    await onAlarm(one);
    const [due] = inboxBodies(one.world);
    one.world.now += minute;

    const result = await one.handler(sqsBatch(alarmEvent(), due));

    expect(reasonsOf([result])).toEqual(['scale-up']);
    expect(storedRecords(one.world).at(-1)).toMatchObject({ trigger: 'follow-up' });
  });
});

describe('the sweep', () => {
  it('looks at an incident whose follow-up is two minutes overdue, and at no other', async () => {
    const one = instance();
    await onAlarm(one);
    one.world.inbox.length = 0;

    one.world.now = at + 3 * minute;
    expect(reasonsOf([await one.handler(tick('incidents'))])).toEqual([]);
    one.world.now += 1;
    expect(reasonsOf([await one.handler(tick('incidents'))])).toEqual(['resolved']);
    expect(storedRecords(one.world).at(-1)).toMatchObject({
      trigger: 'tick',
      cause: `overdue check of ${incidentId}`,
      incidentId,
    });
  });

  it('supersedes the follow-up that comes after it', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    await onAlarm(one);
    one.world.now = at + 4 * minute;
    const [late] = inboxBodies(one.world);
    await one.handler(tick('incidents'));

    expect(reasonsOf([await one.handler(sqsBatch(late))])).toEqual(['superseded']);
    expect(one.shop.acts).toHaveLength(2);
  });

  it('of everything looks at every opted-in resource without an open incident', async () => {
    const clicks = streamArn('clicks');
    const one = instance({ shop: workshop({ [orders]: thing(1), [clicks]: thing(1) }) });
    await onAlarm(one);
    one.world.now += 10_000;

    const result = await one.handler(tick('all'));

    expect(result.outcomes).toMatchObject([{ resource: clicks, decision: 'act' }]);
  });

  it('records and tells nothing where it finds nothing', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(0) }) });

    expect(reasonsOf([await one.handler(tick('all'))])).toEqual(['within-band']);
    expect(one.world.table.rows()).toEqual([]);
    expect(one.world.told).toEqual([]);
  });
});

describe('trouble that does not end', () => {
  const hopeless = () => instance({ shop: workshop({ [orders]: thing(1_000) }) });

  it('is held and told after three failed verifications, and nothing more is done', async () => {
    const one = hopeless();

    const results = [await onAlarm(one), ...(await settle(one))];

    expect(reasonsOf(results)).toEqual(['scale-up', 'scale-up', 'scale-up', 'not-converging']);
    expect(one.shop.acts).toHaveLength(3);
    expect(storedState(one.world, orders)).toMatchObject({ hold: { by: 'reflex' } });
    expect(incidentOf(one)).toBeUndefined();
    expect(one.world.told.at(-1)).toMatchObject({
      record: {
        decision: 'escalate',
        why: '3 acts did not end the trouble; the resource is on hold. Last: 997 troubles.',
        advice: `When it is well again: npm run ops -- release ${orders}`,
      },
    });
  });

  it('stays untouched while it is held, which is told once a day', async () => {
    const one = hopeless();
    await onAlarm(one);
    await settle(one);
    const told = one.world.told.length;

    const results = [];
    for (let i = 1; i <= 30; i++) {
      one.world.now = at + i * hour;
      results.push(await one.handler(alarmEvent({ at: one.world.now })));
    }

    expect(new Set(reasonsOf(results))).toEqual(new Set(['held']));
    expect(one.shop.acts).toHaveLength(3);
    expect(reasonsTold(one).slice(told)).toEqual(['held', 'held']);
    expect(one.world.told.at(-1)?.record.why).toContain(`npm run ops -- release ${orders}`);
  });

  it('is worked on again when a person has released it', async () => {
    const one = hopeless();
    await onAlarm(one);
    await settle(one);
    await one.runtime.ledger.update(key, undefined, (state) => ({ state: release(state) }));
    one.world.now += minute;

    const results = [await one.handler(alarmEvent({ at: one.world.now })), ...(await settle(one))];

    expect(reasonsOf(results)).toEqual(['scale-up', 'scale-up', 'scale-up', 'not-converging']);
  });

  it('does not count acts that were planned as further steps', async () => {
    const one = instance({
      shop: workshop({ [orders]: thing(20) }),
      decide: (situation) => ({ ...mend(situation), planned: situation.ledger.incident !== null }),
    });

    const results = [await onAlarm(one), ...(await settle(one))];

    expect(reasonsOf(results)).toEqual([...Array<string>(20).fill('scale-up'), 'resolved']);
  });

  it('is not forgiven its failures by a planned step in between', async () => {
    let acts = 0;
    const one = instance({
      shop: workshop({ [orders]: thing(1_000) }),
      decide: (situation) => ({ ...mend(situation), planned: acts++ % 2 === 1 }),
    });

    const results = [await onAlarm(one), ...(await settle(one))];

    expect(reasonsOf(results).at(-1)).toBe('not-converging');
    expect(one.shop.acts).toHaveLength(6);
  });

  it('does not count an attempt that AWS made wait as a success', async () => {
    const one = instance({
      act: () => ({
        actions: [{ call: 'Mend', params: {}, error: 'ResourceInUseException' }],
        problem: { kind: 'defer', reason: 'stream-updating', until: one.world.now + minute, why: 'In use.' },
      }),
    });

    expect(reasonsOf([await onAlarm(one), ...(await settle(one))]).at(-1)).toBe('not-converging');
    expect(one.shop.acts).toHaveLength(3);
  });

  it('is held where a day of waiting after the last act did not end it', async () => {
    const one = instance({
      decide: (situation, _, now) =>
        situation.ledger.incident === null
          ? mend(situation)
          : { kind: 'defer', reason: 'stream-updating', until: now + 10 * minute, why: 'UPDATING.' },
    });
    await onAlarm(one);
    await settle(one, 1_000);

    expect((one.world.now - at) / hour).toBeGreaterThan(24);
    expect((one.world.now - at) / hour).toBeLessThan(24.5);
    expect(storedState(one.world, orders)).toMatchObject({ hold: { by: 'reflex' } });
    expect(one.world.told.at(-1)?.record.why).toBe(
      'More than a day of waiting did not end the incident; the resource is on hold. Last: UPDATING.',
    );
  });

  it('does not count the first act after waiting as a verification that failed', async () => {
    const one = instance({
      shop: workshop({ [orders]: thing(1_000) }),
      decide: (situation, _, now) =>
        situation.ledger.incident === null
          ? { kind: 'defer', reason: 'stream-updating', until: now + minute, why: 'UPDATING.' }
          : mend(situation),
    });
    await onAlarm(one);
    await settle(one);

    expect(one.shop.acts).toHaveLength(3);
  });

  it('may wait a day from its last act, however long its planned steps took before', async () => {
    const one = instance({
      shop: workshop({ [orders]: thing(1_000) }),
      decide: (situation, _, now) =>
        (situation.ledger.incident?.steps ?? 0) < 4
          ? { ...mend(situation), planned: true, followUpMs: 13 * hour }
          : { kind: 'defer', reason: 'stream-updating', until: now + 6 * hour, why: 'UPDATING.' },
    });
    await onAlarm(one);
    await settle(one, 1_000);

    const lastActAt = storedState(one.world, orders)?.lastActAt ?? Number.NaN;
    expect((lastActAt - at) / hour).toBe(39);
    expect((one.world.now - lastActAt) / hour).toBe(25);
    expect(storedState(one.world, orders)).toHaveProperty('hold');
  });

  it('is not held for the time of a freeze when it is first looked at after it', async () => {
    const opens = at + 60 * hour;
    const one = instance({
      calendar: async () => ({ open: one.world.now >= opens, until: opens }),
      decide: (situation, _, now) =>
        now < opens
          ? mend(situation)
          : { kind: 'defer', reason: 'stream-updating', until: now + minute, why: 'UPDATING.' },
    });
    await onAlarm(one);
    one.world.now = opens + 3 * minute;

    expect(reasonsOf([await one.handler(tick('incidents'))])).toEqual(['stream-updating']);
    expect(storedState(one.world, orders)).not.toHaveProperty('hold');
  });

  it('is held after a thousand acts or checks, whatever a function plans or defers to', async () => {
    const planning = instance({
      shop: workshop({ [orders]: thing(10_000) }),
      decide: (situation) => ({ ...mend(situation), planned: true }),
    });
    const deferring = instance({
      decide: (_, __, now) => ({ kind: 'defer', reason: 'measuring', until: now, why: 'At once.' }),
    });
    for (const one of [planning, deferring]) {
      await onAlarm(one);
      await settle(one, 2_000);

      expect(one.world.inbox).toEqual([]);
      expect(one.world.told.at(-1)?.record).toMatchObject({
        reason: 'not-converging',
        why: expect.stringMatching(/^1000 (acts|checks) did not end the (trouble|incident)/),
      });
    }
    expect(planning.shop.acts).toHaveLength(1_000);
  });
});

it('a dry run that waits for more than a day tells a person, and holds nothing', async () => {
  const waits = (_: unknown, __: unknown, now: number) =>
    ({ kind: 'defer', reason: 'measuring', until: now + hour, why: 'Not yet.' }) as const;
  const one = instance({ decide: waits });
  await onAlarm(one);
  await settle(instance({ world: one.world, shop: one.shop, stackMode: 'dry-run', decide: waits }));

  expect(reasonsTold(one)).toEqual(['not-converging']);
  expect(one.world.told.at(-1)?.record).not.toHaveProperty('held');
  expect(storedState(one.world, orders)).not.toHaveProperty('hold');
  expect(incidentOf(one)).toBeUndefined();
});

describe('a function that asks for a hold', () => {
  const gaveUp: Escalate = { kind: 'escalate', reason: 'observe-failed', why: 'Five tries failed.', hold: true };

  it('has the resource held from then on, told once, and untouched until a person releases it', async () => {
    let ill = true;
    const one = instance({ decide: (situation) => (ill ? gaveUp : mend(situation)) });

    await onAlarm(one);
    one.world.now += minute;
    await one.handler(sqsBatch(tick('all')));
    ill = false;
    const { outcomes } = await one.handler(sqsBatch(alarmEvent({ name: 'other' })));

    expect(storedState(one.world, orders)?.hold).toEqual({ reason: 'Five tries failed.', by: 'reflex', since: at });
    expect(outcomes).toMatchObject([{ decision: 'skip', reason: 'held' }]);
    expect(one.shop.acts).toEqual([]);
    expect(reasonsTold(one)).toEqual(['observe-failed', 'held']);
  });

  it('has it held where a call came to that', async () => {
    const one = instance({ act: ({ act }) => ({ actions: act.calls, problem: gaveUp }) });

    await onAlarm(one);

    expect(storedState(one.world, orders)?.hold).toMatchObject({ reason: 'Five tries failed.', by: 'reflex' });
    expect(one.world.told.at(-1)?.record).toMatchObject({ held: true });
  });

  it('holds nothing in a dry run', async () => {
    const one = instance({ stackMode: 'dry-run', decide: () => gaveUp });

    await onAlarm(one);

    expect(storedState(one.world, orders)).not.toHaveProperty('hold');
    expect(reasonsTold(one)).toEqual(['observe-failed']);
  });

  it('leaves a person their own hold', async () => {
    const one = instance({ decide: () => gaveUp });
    await one.runtime.ledger.update(key, undefined, (state) => ({
      state: hold(state, { reason: 'I look at it.', by: 'ann' }, at - hour),
    }));

    await onAlarm(one);

    expect(storedState(one.world, orders)?.hold).toMatchObject({ by: 'ann' });
  });
});

describe('people are told', () => {
  const escalating = () =>
    instance({
      decide: () => ({ kind: 'escalate', reason: 'on-demand', why: 'AWS owns it.', advice: 'Nothing.' }),
    });

  it('of the same escalation once a day, however it comes to light', async () => {
    const one = escalating();
    for (let i = 0; i < 48; i++) {
      one.world.now = at + i * hour;
      await one.handler(i % 2 === 0 ? tick('all') : alarmEvent({ at: one.world.now }));
    }

    expect(one.world.told.map(({ record }) => (record.at - at) / hour)).toEqual([0, 24]);
    expect(storedRecords(one.world)).toHaveLength(48);
  });

  it('of an act that AWS refuses every hour once a day', async () => {
    const one = instance({
      act: ({ act }) => ({
        actions: act.calls.map((call) => ({ ...call, error: 'AccessDeniedException' })),
        problem: { kind: 'escalate', reason: 'access-denied', why: 'Denied.' },
      }),
    });
    for (let i = 0; i < 30; i++) {
      one.world.now = at + i * hour;
      await one.handler(tick('all'));
    }

    expect(one.shop.acts).toHaveLength(30);
    expect(reasonsTold(one)).toEqual(['access-denied', 'access-denied']);
  });

  it('of a permission that is missing to look once a day, though the schedule finds it every hour', async () => {
    const denied = Object.assign(new Error('not authorized'), { name: 'AccessDeniedException' });
    const one = instance({ observe: async () => new Map([[orders, { error: denied }]]) });
    for (let i = 0; i < 30; i++) {
      one.world.now = at + i * hour;
      await one.handler(sqsBatch(tick('all')));
    }

    expect(reasonsTold(one)).toEqual(['access-denied', 'access-denied']);
  });

  it('of an act whose later call was refused always, because something was changed', async () => {
    const one = instance({
      act: ({ act }) => ({
        actions: [...act.calls, { call: 'Mend', params: {}, error: 'AccessDeniedException' }],
        problem: { kind: 'escalate', reason: 'access-denied', why: 'Denied.' },
      }),
    });
    for (let i = 0; i < 3; i++) {
      one.world.now = at + i * hour;
      await one.handler(tick('all'));
    }

    expect(one.world.told).toHaveLength(3);
  });

  it('of what takes them twice rather than never, where an invocation ends in between', async () => {
    const finds = { decide: () => ({ kind: 'escalate', reason: 'hot-key', why: 'Look.' }) as const };
    const crashing = instance({ ...finds, trouble: (port) => (port === 'notify' ? 'crash' : 'none') });
    put(crashing.world, alarmEvent());
    await pump(crashing.world, (payload) => invoke(crashing.runtime, crashing.handler, payload));
    await settle(instance({ ...finds, world: crashing.world }));

    expect(reasonsTold(crashing)).toEqual(['hot-key']);
    expect(crashing.world.inbox).toEqual([]);
  });

  it('of a guard that cannot be read twice rather than never, where an invocation ends in between', async () => {
    const calendar = () => Promise.reject(new Error('no calendar'));
    const crashing = instance({ calendar, trouble: (port) => (port === 'notify' ? 'crash' : 'none') });
    put(crashing.world, alarmEvent());
    await pump(crashing.world, (payload) => invoke(crashing.runtime, crashing.handler, payload));

    const next = instance({ calendar, world: crashing.world, shop: crashing.shop });
    crashing.world.now += inboxSettings.hiddenMs;
    await pump(crashing.world, next.handler);

    expect(reasonsTold(next)).toEqual(['guard-error']);
  });

  it('of a finding once a day, also where it ended an incident', async () => {
    let trouble = true;
    const one = instance({
      decide: (situation) =>
        trouble ? mend(situation) : { kind: 'escalate', reason: 'hot-key', why: 'Look.', finding: 'key 7' },
    });
    await onAlarm(one);
    trouble = false;
    await settle(one);
    await one.handler(alarmEvent({ name: 'other' }));

    expect(reasonsTold(one)).toEqual(['scale-up', 'hot-key']);
  });

  it('of a dry run for a storm of occurrences, in an item that does not grow with it', async () => {
    const one = instance({ stackMode: 'dry-run' });

    await one.handler(sqsBatch(...Array.from({ length: 500 }, (_, n) => alarmEvent({ at: at + n }))));

    expect(JSON.stringify(storedState(one.world, orders)).length).toBeLessThan(1_000);
  });

  it('of ten causes, and how many more there are', async () => {
    const one = instance();

    await one.handler(sqsBatch(...Array.from({ length: 15 }, (_, n) => alarmEvent({ name: `alarm-${n}` }))));

    expect(one.world.told.at(-1)?.record.cause).toMatch(
      /^alarm alarm-0 is ALARM; .*; alarm alarm-9 is ALARM; and 5 more$/,
    );
  });

  it('nothing of what they need not know: waiting, duplicates, resources that are well', async () => {
    const waiting = instance({
      decide: (_, __, now) => ({ kind: 'defer', reason: 'measuring', until: now + minute, why: 'Not yet.' }),
    });
    const well = instance({ shop: workshop({ [orders]: thing(0) }) });

    await onAlarm(waiting);
    await next(waiting);
    await onAlarm(waiting);
    await onAlarm(well);

    expect([...waiting.world.told, ...well.world.told]).toEqual([]);
    expect(storedRecords(well.world)).toMatchObject([{ reason: 'within-band' }]);
  });

  it('nothing false: an end that somebody else has overtaken is not told', async () => {
    const { one, late } = await overtaken({ kind: 'skip', reason: 'resolved', why: 'It is well.' });
    await late;

    expect(incidentOf(one)).toMatchObject({ steps: 2 });
    expect(reasonsTold(one)).toEqual(['scale-up', 'scale-up']);
  });
});

const shopIs = ({ shop }: Instance, trouble: number) => shop.things.set(orders, thing(trouble));

/** An act, then a look whose decision is written only after the follow-up has acted again. */
async function overtaken(decision: Skip | Defer, state = 'OK') {
  const looked = Promise.withResolvers<void>();
  const one = instance({ shop: workshop({ [orders]: thing(9) }) });
  await onAlarm(one);
  one.world.now += 30_000;
  const slow = instance({
    world: one.world,
    shop: one.shop,
    decide: () => ({ ...decision, remember: { late: true } }),
    before: (port) => (port === 'table.put' ? looked.promise : Promise.resolve()),
  });
  const late = slow.handler(alarmEvent({ state, at: one.world.now }));
  await new Promise(setImmediate);
  one.world.now += 30_000;
  await pump(one.world, one.handler);
  const meanwhile = storedState(one.world, orders);
  looked.resolve();
  return { one, late, meanwhile };
}

describe('a look that somebody else has overtaken', () => {
  it.each<[string, Skip | Defer]>([
    ['an end', { kind: 'skip', reason: 'resolved', why: 'It is well.' }],
    ['a wait', { kind: 'defer', reason: 'measuring', until: at + 5 * minute, why: 'Not yet.' }],
  ])('leaves their state as it is, and sends no follow-up: %s', async (_, decision) => {
    const { one, late, meanwhile } = await overtaken(decision);
    await late;

    expect(storedState(one.world, orders)).toEqual(meanwhile);
    expect(one.world.inbox).toHaveLength(1);
  });

  it('comes again where its alarm has to wait, and a check meanwhile ended the incident on older facts', async () => {
    const looked = Promise.withResolvers<void>();
    const one = instance({ decide: (situation) => ({ ...mend(situation), coolDownMs: 10 * minute }) as never });
    await onAlarm(one);
    one.world.now += minute;
    one.shop.things.set(orders, thing(1));
    const slow = instance({
      world: one.world,
      shop: one.shop,
      decide: (situation) => ({ ...mend(situation), coolDownMs: 10 * minute }) as never,
      before: (port) => (port === 'table.put' ? looked.promise : Promise.resolve()),
    });
    const late = slow.handler(sqsBatch(alarmEvent({ name: 'second' })));
    await new Promise(setImmediate);
    one.shop.things.set(orders, thing(0));
    await pump(one.world, one.handler);
    one.shop.things.set(orders, thing(1));
    looked.resolve();

    expect(reasonsOf([await late])).toEqual(['cool-down']);
    expect(incidentOf(one)).toBeUndefined();
    expect(reasonsOf(await settle(one))).toEqual(['cool-down', 'scale-up', 'resolved']);
    expect(one.shop.acts).toHaveLength(2);
  });

  it.each([
    ['another has taken up a crashed intent', { port: 'table.putIfVersion', n: 2 }],
    ['another looked at what its own crashed intent left', { port: 'table.putIfVersion', n: 3 }],
  ])('comes again with its alarm where %s, and found nothing on older facts', async (_, { port, n }) => {
    const crashing = instance({ trouble: (called) => (called === 'act' ? 'crash after' : 'none') });
    const { world, shop } = crashing;
    await invoke(crashing.runtime, crashing.handler, sqsBatch(alarmEvent()));
    world.now += 5 * minute;
    shop.things.set(orders, thing(1));
    const other = instance({ world, shop });
    let calls = 0;
    const late = instance({
      world,
      shop,
      before: async (called) => {
        if (called !== port || ++calls !== n) return;
        shop.things.set(orders, thing(0));
        world.now += 1;
        await other.handler(sqsBatch(alarmEvent({ name: 'third' })));
        shop.things.set(orders, thing(1));
      },
    });

    const looked = await late.handler(sqsBatch(alarmEvent({ name: 'second' })));

    expect(reasonsOf([looked])).toEqual(['superseded']);
    expect(incidentOf(late)).toBeUndefined();
    expect(reasonsOf(await settle(late))).toEqual(['scale-up', 'resolved']);
  });

  it('comes again with its alarm where the check of the same batch was taken by another', async () => {
    const one = instance();
    await onAlarm(one);
    const [check] = inboxBodies(one.world);
    one.world.now += minute;
    shopIs(one, 1);
    let calls = 0;
    const late = instance({
      world: one.world,
      shop: one.shop,
      before: async (port) => {
        if (port !== 'table.putIfVersion' || ++calls !== 1) return;
        shopIs(one, 0);
        await pump(one.world, one.handler);
        shopIs(one, 1);
      },
    });

    expect(reasonsOf([await late.handler(sqsBatch(alarmEvent({ name: 'second' }), check))])).toEqual(['superseded']);
    expect(reasonsOf(await settle(one))).toEqual(['scale-up', 'resolved']);
  });

  it('does not come again where the incident it waits for is still looked after', async () => {
    const { one, late } = await overtaken(
      { kind: 'defer', reason: 'measuring', until: at + 5 * minute, why: 'Not yet.' },
      'ALARM',
    );
    await late;

    expect(inboxBodies(one.world)).toMatchObject([{ 'detail-type': 'Follow-up' }]);
  });

  it('does not act where another has taken the check in between', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    await onAlarm(one);
    const [message] = inboxBodies(one.world);
    one.world.now += minute;
    const deferring = instance({
      world: one.world,
      shop: one.shop,
      decide: (_, __, now) => ({ kind: 'defer', reason: 'measuring', until: now + minute, why: 'Not yet.' }),
    });
    const looked = Promise.withResolvers<void>();
    const slow = instance({
      world: one.world,
      shop: one.shop,
      before: (port) => (port === 'table.putIfVersion' ? looked.promise : Promise.resolve()),
    });
    const acting = slow.handler(sqsBatch(message));
    await new Promise(setImmediate);
    await deferring.handler(sqsBatch(message));
    looked.resolve();

    expect(reasonsOf([await acting])).toEqual(['superseded']);
    expect(one.shop.acts).toHaveLength(1);
  });
});

describe('the history record', () => {
  it('of an act answers why: what woke us, what was seen, what was decided and called', async () => {
    const one = instance();
    await onAlarm(one);

    expect(storedRecords(one.world)).toEqual([
      {
        fn: 'fake',
        resource: orders,
        recordId: '2026-03-05T03:12:00.123Z#00000001',
        at,
        incidentId,
        trigger: 'alarm',
        cause: 'alarm orders-throughput-high is ALARM',
        decision: 'act',
        reason: 'scale-up',
        why: '1 troubles.',
        mode: 'on',
        dryRun: false,
        actions: [{ call: 'Mend', params: { Resource: orders, Password: '***' } }],
        facts: { asOf: at, arn: orders, tags: { 'reflex:enabled': 'true' }, trouble: 1, told: [] },
      },
    ]);
    expect(one.world.told.map(({ record }) => record)).toEqual(storedRecords(one.world));
  });

  it('is written before the ledger forgets the intent', async () => {
    const one = instance();
    await onAlarm(one);

    const writes = one.runtime.calls.filter((call) => call === 'table.put' || call === 'table.putIfVersion');
    expect(writes).toEqual(['table.putIfVersion', 'table.put', 'table.putIfVersion']);
  });
});

it('an operator who holds a resource in the middle of an act is obeyed from then on', async () => {
  const one = instance({
    shop: workshop({ [orders]: thing(9) }),
    act: async ({ act }) => {
      await one.runtime.ledger.update(key, undefined, (state) => ({
        state: hold(state, { reason: 'maintenance', by: 'ann' }, at),
      }));
      return { actions: act.calls };
    },
  });
  await onAlarm(one);

  expect(storedState(one.world, orders)).toMatchObject({ hold: { by: 'ann' }, incident: { check: 1 } });
  expect(reasonsOf(await settle(one))).toEqual(['held']);
  expect(one.shop.acts).toHaveLength(1);
});
