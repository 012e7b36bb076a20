import { describe, expect, it } from 'vitest';
import type { Spend } from '../../shared/decision.ts';
import { hold } from '../../shared/ledger/state.ts';
import type { Mode } from '../../shared/ledger/types.ts';
import type { Result } from '../../shared/remediation.ts';
import {
  alarmEvent,
  at,
  directAlarm,
  followUp,
  snsAlarm,
  snsEnvelope,
  snsRecords,
  sqsBatch,
  streamArn,
  tick,
} from '../support/event-builders.ts';
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
import { inboxBodies, inboxSettings, pump, storedRecords, storedState, type Trouble } from '../support/fake-runtime.ts';

const minute = 60_000;
const orders = streamArn('orders');
const clicks = streamArn('clicks');
const both = () => workshop({ [orders]: thing(), [clicks]: thing() });
const reasonsOf = ({ outcomes }: Result) => outcomes.map(({ reason }) => reason);

/** What a handler answers to one alarm from the inbox. */
const onAlarm = ({ handler }: Instance) => handler(sqsBatch(alarmEvent()));

describe('every delivery', () => {
  const acted = {
    resource: orders,
    decision: 'act',
    reason: 'scale-up',
    why: '1 troubles.',
    actions: [{ call: 'Mend', params: { Resource: orders, Password: '***' } }],
    dryRun: false,
    incidentId: 'rfx-20260305T031200-00000001',
  };
  const deliveries = {
    'an SQS batch': sqsBatch(alarmEvent()),
    'SNS in SQS with raw delivery': sqsBatch(snsAlarm()),
    'SNS in SQS without raw delivery': sqsBatch(snsEnvelope(snsAlarm())),
    'a raw EventBridge event': alarmEvent(),
    "an alarm's direct invocation": directAlarm(),
    'SNS records': snsRecords(snsAlarm()),
  };

  it.each(Object.entries(deliveries))('%s acts and tells the whole story', async (name, payload) => {
    const { handler, shop } = instance();

    const result = await handler(payload);

    const batch = name.includes('SQS');
    expect(result).toEqual({
      ...(batch && { batchItemFailures: [] }),
      outcomes: [acted],
      notForUs: {},
      failures: [],
    });
    expect(shop.acts).toEqual([
      { resource: orders, at, calls: [{ call: 'Mend', params: { Resource: orders, Password: 'hunter2' } }] },
    ]);
  });

  it('takes several SNS records of one invocation', async () => {
    const { handler, shop } = instance({ shop: both() });

    const result = await handler(snsRecords(snsAlarm({ name: 'a' }), snsAlarm({ name: 'b', stream: 'clicks' })));

    expect(reasonsOf(result)).toEqual(['scale-up', 'scale-up']);
    expect(shop.acts.map(({ resource }) => resource)).toEqual([orders, clicks]);
  });

  it('of one occurrence acts once, whatever brings it and however often', async () => {
    const { handler, world, shop } = instance({ shop: workshop({ [orders]: thing(99) }) });

    const results: Result[] = [];
    for (const payload of [...Object.values(deliveries), ...Object.values(deliveries)]) {
      world.now += 1;
      results.push(await handler(payload));
    }

    expect(results.flatMap(reasonsOf)).toEqual(['scale-up', ...Array<string>(11).fill('duplicate')]);
    expect(results.flatMap(({ failures }) => failures)).toEqual([]);
    expect(shop.acts).toHaveLength(1);
    expect(storedRecords(world)).toHaveLength(1);
  });

  it('of another state of the same alarm is another occurrence', async () => {
    const { handler, world, shop } = instance({ shop: workshop({ [orders]: thing(99) }) });
    await handler(alarmEvent());
    world.now += minute;

    await handler(alarmEvent({ at: at + minute }));

    expect(shop.acts).toHaveLength(2);
  });

  it('of one resource by several messages is one outcome', async () => {
    const { handler, shop } = instance();

    const result = await handler(sqsBatch(alarmEvent(), alarmEvent({ name: 'other' }), snsAlarm()));

    expect(reasonsOf(result)).toEqual(['scale-up']);
    expect(shop.watches).toHaveLength(1);
    expect(shop.acts).toHaveLength(1);
  });
});

describe('parsing', () => {
  it('fails only the broken message of a batch, names its field, and counts what is not for us', async () => {
    const { handler, runtime } = instance();
    const { detail, ...withoutDetail } = alarmEvent();

    const result = await handler(
      sqsBatch(
        '{',
        withoutDetail,
        { ...alarmEvent(), 'detail-type': 'Other' },
        alarmEvent({ state: 'NEW' }),
        alarmEvent(),
      ),
    );

    expect(result.batchItemFailures).toEqual([
      { itemIdentifier: '00000000-0000-4000-8000-000000000000' },
      { itemIdentifier: '00000000-0000-4000-8000-000000000001' },
    ]);
    expect(result.failures.map(({ error }) => error)).toEqual([
      'BrokenMessage: body: expected JSON, found 1 characters that are not',
      'BrokenMessage: detail: expected a value, found nothing',
    ]);
    expect(result.notForUs).toEqual({ 'unknown-detail-type': 1, 'alarm-state': 1 });
    expect(reasonsOf(result)).toEqual(['scale-up']);
    expect(runtime.measured).toContainEqual(['brokenMessages', 'fake', 2]);
    expect(runtime.measured).toContainEqual(['notForUs', 'fake', 2]);
  });

  it('of a batch with one megabyte of garbage goes on with the rest', async () => {
    const { handler } = instance();

    const result = await handler(sqsBatch('x'.repeat(1_000_000), alarmEvent()));

    expect(result.batchItemFailures).toHaveLength(1);
    expect(JSON.stringify(result.failures).length).toBeLessThan(300);
    expect(reasonsOf(result)).toEqual(['scale-up']);
  });

  it('puts a broken direct invocation into the inbox, where the dead-letter queue keeps it in the end', async () => {
    const { handler, world } = instance();

    const result = await handler({ source: 'aws.cloudwatch' });
    for (let i = 0; i < inboxSettings.receivesAtMost; i++) {
      world.now += inboxSettings.hiddenMs;
      await pump(world, handler);
    }

    expect(result).toEqual({
      outcomes: [],
      notForUs: {},
      failures: [{ message: 'direct', error: 'BrokenMessage: detail-type: expected a string, found nothing' }],
    });
    expect(world.inbox).toEqual([]);
    expect(world.deadLetters.map(({ body }) => body)).toEqual(['{"source":"aws.cloudwatch"}']);
  });
});

describe('one invocation', () => {
  it('reads the ledger once for any number of resources', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `s${i}`);
    const { handler, runtime } = instance({
      stormLimit: 100,
      shop: workshop(Object.fromEntries(names.map((name) => [streamArn(name), thing()]))),
    });

    const result = await handler(sqsBatch(...names.map((stream) => alarmEvent({ stream, name: stream }))));

    expect(reasonsOf(result)).toEqual(names.map(() => 'scale-up'));
    const count = (port: string) => runtime.calls.filter((call) => call === port).length;
    expect(count('table.getMany')).toBe(1);
    expect(count('observe')).toBe(1);
    expect(count('act')).toBe(1);
    expect(count('table.mark')).toBe(1);
  });

  it('keeps no count of acts that no number stops', async () => {
    const { handler, runtime } = instance({ stormLimit: Number.POSITIVE_INFINITY });

    const result = await handler(sqsBatch(alarmEvent()));

    expect(reasonsOf(result)).toEqual(['scale-up']);
    expect(runtime.calls).toContain('act');
    expect(runtime.calls).not.toContain('table.mark');
  });

  it('reads facts, ledger and calendar together and makes one write before it acts', async () => {
    const { handler, runtime } = instance({ calendar: async () => ({ open: true, until: null }) });

    await handler(sqsBatch(alarmEvent()));

    const before = runtime.calls.slice(0, runtime.calls.indexOf('act'));
    expect(before.toSorted()).toEqual(['calendar', 'hear', 'observe', 'table.getMany', 'table.putIfVersion']);
  });

  it('counts each outcome, logs each decision with its latency, and flushes the metrics also when it throws', async () => {
    const { handler, runtime, world } = instance();
    world.now = at + 1_500;
    await handler(alarmEvent());

    expect(runtime.measured).toContainEqual(['outcome', 'fake', 'act', 'scale-up', false]);
    expect(runtime.measured).toContainEqual(['eventToAction', 'fake', 1_500]);
    expect(runtime.decisions).toMatchObject([{ resource: orders, reason: 'scale-up', latencyMs: 1_500, mode: 'on' }]);
    expect(runtime.measured.at(-1)).toEqual(['flush']);

    const broken = instance({ trouble: (port) => (['observe', 'enqueue'].includes(port) ? 'refused' : 'none') });
    await expect(broken.handler(alarmEvent())).rejects.toThrow('failed messages that the inbox did not take: 1');
    expect(broken.runtime.measured.at(-1)).toEqual(['flush']);
  });

  it('does not measure the speed of a replayed event', async () => {
    const { handler, runtime, world } = instance();
    world.now = at + 3_600_000;

    await handler(alarmEvent());

    expect(runtime.measured.map(([name]) => name)).not.toContain('eventToAction');
  });

  it('measures what is left of a budget', async () => {
    const spends: Spend[] = [{ budget: 'Mend', limit: 10, windowMs: minute, keep: 3 }];
    const decide = (situation: Parameters<typeof mend>[0]) => ({ ...mend(situation), spends });
    const { handler, runtime } = instance({ decide });

    await handler(alarmEvent());

    expect(runtime.measured).toContainEqual(['budgetLeft', 'fake', orders, 'Mend', 9]);
  });
});

describe('a resource', () => {
  it('without the opt-in tag is listed and otherwise left in peace: no record, no notification, no state', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(1, {}) }) });

    expect(reasonsOf(await onAlarm(one))).toEqual(['not-opted-in']);
    expect(one.world.table.rows()).toEqual([]);
    expect(one.world.told).toEqual([]);
  });

  it('with a tag nobody knows is escalated, never guessed', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(1, { ...enabled, 'reflex:nonsense': '1' }) }) });

    expect((await onAlarm(one)).outcomes).toMatchObject([
      {
        decision: 'escalate',
        reason: 'bad-tag',
        why: 'tag reflex:nonsense: unknown; nothing is done until it is put right.',
        advice: 'Correct or remove the tag.',
      },
    ]);
    expect(one.shop.acts).toEqual([]);
  });

  it('that is gone is skipped without a decision, and its incident closed', async () => {
    const one = instance();
    await onAlarm(one);
    one.shop.things.delete(orders);
    one.world.now += minute;

    const result = await pump(one.world, one.handler);

    expect(result).toMatchObject({ outcomes: [{ decision: 'skip', reason: 'stream-gone' }] });
    expect(storedState(one.world, orders)?.incident).toBeUndefined();
  });

  it('that was not observed fails its message, and only its own', async () => {
    const one = instance({
      shop: both(),
      observe: async () =>
        new Map([[clicks, { facts: { asOf: at, arn: clicks, trouble: 1, told: [], tags: enabled } }]]),
    });

    const result = await one.handler(sqsBatch(alarmEvent(), alarmEvent({ stream: 'clicks', name: 'c' })));

    expect(result.batchItemFailures).toEqual([{ itemIdentifier: '00000000-0000-4000-8000-000000000000' }]);
    expect(result.outcomes).toMatchObject([
      { resource: orders, decision: 'defer', reason: 'observe-failed' },
      { resource: clicks, decision: 'act', reason: 'scale-up' },
    ]);
  });

  it('that AWS does not let us read is told once and retried', async () => {
    const denied = Object.assign(new Error('not authorized to perform: kinesis:ListShards'), { name: 'AccessDenied' });
    const one = instance({ observe: async () => new Map([[orders, { error: denied }]]) });
    const alarm = alarmEvent();
    one.world.inbox.push({ id: 'm', body: JSON.stringify(alarm), dueAt: 0, received: 0 });

    const results = [];
    for (let i = 0; i < 3; i++) {
      results.push(await pump(one.world, one.handler));
      one.world.now += inboxSettings.hiddenMs;
    }

    expect(results).toMatchObject(Array(3).fill({ outcomes: [{ decision: 'escalate', reason: 'access-denied' }] }));
    expect(one.world.told).toHaveLength(1);
    expect(one.world.told[0]?.record.why).toContain('kinesis:ListShards');
    expect(one.world.inbox).toHaveLength(1);
  });

  it('whose decision throws fails its message and nothing is done', async () => {
    const one = instance({
      shop: both(),
      decide: (situation) => {
        if (situation.arn === orders) throw new TypeError('x is undefined');
        return mend(situation);
      },
    });

    const result = await one.handler(sqsBatch(alarmEvent(), alarmEvent({ stream: 'clicks', name: 'c' })));

    expect(result.batchItemFailures).toHaveLength(1);
    expect(result.outcomes).toMatchObject([
      { decision: 'escalate', reason: 'guard-error', why: 'Nothing is done: TypeError: x is undefined.' },
      { decision: 'act' },
    ]);
  });

  it('shows decide its ledger: attempts, last act, incident, memory, trigger', async () => {
    const seen: unknown[] = [];
    const one = instance({
      shop: workshop({ [orders]: thing(2) }),
      decide: (situation) => {
        seen.push({ trigger: situation.trigger, ...situation.ledger });
        const spends: Spend[] = [{ budget: 'Mend', limit: 9, windowMs: 3_600_000, keep: 0 }];
        return { ...mend(situation), spends, remember: { n: seen.length } };
      },
    });
    await onAlarm(one);
    one.world.now += minute;
    await pump(one.world, one.handler);

    expect(seen).toEqual([
      { trigger: 'alarm', attempts: {}, lastActAt: null, incident: null, remembered: {} },
      {
        trigger: 'follow-up',
        attempts: { Mend: [at] },
        lastActAt: at,
        incident: { openedAt: at, steps: 1 },
        remembered: { n: 1 },
      },
    ]);
  });
});

describe('mode', () => {
  const cases: [string, Mode, Partial<Record<'*' | 'fake', Mode>>, string][] = [
    ["the stack's, where the ledger holds none", 'on', {}, 'acts'],
    ["the stack's off, where the ledger holds none", 'off', {}, 'mode-off'],
    ['the one for all before the stack', 'dry-run', { '*': 'on' }, 'acts'],
    ["the function's own before the one for all", 'on', { '*': 'on', fake: 'dry-run' }, 'dry run'],
    ["the function's own on before dry-run for all", 'dry-run', { '*': 'dry-run', fake: 'on' }, 'acts'],
    ["the function's own off before on for all", 'on', { '*': 'on', fake: 'off' }, 'mode-off'],
    ['off for all before everything', 'on', { '*': 'off', fake: 'on' }, 'mode-off'],
  ];

  it.each(cases)('in force is %s', async (_, stackMode, set, expected) => {
    const one = instance({ stackMode });
    for (const [scope, mode] of Object.entries(set)) await one.runtime.ledger.setMode(scope, mode, 'ann');

    const { outcomes } = await onAlarm(one);

    const [outcome] = outcomes;
    const found = outcome?.decision !== 'act' ? outcome?.reason : outcome.dryRun ? 'dry run' : 'acts';
    expect(found).toBe(expected);
    expect(one.shop.acts).toHaveLength(expected === 'acts' ? 1 : 0);
  });

  it('is read at each invocation', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    await onAlarm(one);
    await one.runtime.ledger.setMode('*', 'off', 'ann');
    one.world.now += minute;

    const result = await pump(one.world, one.handler);

    expect(result).toMatchObject({ outcomes: [{ reason: 'mode-off' }] });
    expect(one.shop.acts).toHaveLength(1);
  });
});

describe('a dry run', () => {
  it('makes the same plan and the same record, and does nothing: no act, no lease, no budget, no incident, no follow-up', async () => {
    const spends: Spend[] = [{ budget: 'Mend', limit: 1, windowMs: minute, keep: 0 }];
    const decide = (situation: Parameters<typeof mend>[0]) => ({ ...mend(situation), spends, remember: { n: 1 } });
    const dry = instance({ stackMode: 'dry-run', decide });
    const wet = instance({ stackMode: 'on', decide });

    const [planned, done] = [await onAlarm(dry), await onAlarm(wet)];

    expect(planned.outcomes).toEqual(done.outcomes.map((outcome) => ({ ...outcome, dryRun: true, incidentId: null })));
    expect(dry.shop.acts).toEqual([]);
    expect(dry.world.inbox).toEqual([]);
    const { notified, ...state } = storedState(dry.world, orders) ?? {};
    expect(state).toEqual({ fn: 'fake', resource: orders, version: 1, fence: 0, seen: {}, attempts: {} });
    expect(storedRecords(dry.world)).toEqual(
      storedRecords(wet.world).map((record) => ({ ...record, mode: 'dry-run', dryRun: true, incidentId: null })),
    );
    expect(dry.runtime.measured).toContainEqual(['outcome', 'fake', 'act', 'scale-up', true]);
    expect(dry.runtime.calls).not.toContain('table.mark');
  });

  it('shows the plan of a function that reads the rest later to its end, and reads it in a dry run only', async () => {
    let foreseen = 0;
    const foresee = async (facts: readonly ThingFacts[]) => {
      foreseen += facts.length;
      return facts.map((each) => ({ ...each, trouble: 2 }));
    };
    const decide = (situation: ThingSituation) => {
      const once = mend(situation);
      return once.kind === 'act' ? { ...once, calls: Array(situation.trouble).fill(once.calls[0]) } : once;
    };
    const dry = instance({ stackMode: 'dry-run', decide, foresee });
    const wet = instance({ stackMode: 'on', decide, foresee });

    const [planned, done] = [await onAlarm(dry), await onAlarm(wet)];

    expect(planned.outcomes[0]?.actions).toHaveLength(2);
    expect(storedRecords(dry.world)[0]?.actions).toHaveLength(2);
    expect(done.outcomes[0]?.actions).toHaveLength(1);
    expect(foreseen).toBe(1);
  });

  it('shows how the plan begins where the rest cannot be read', async () => {
    const dry = instance({
      stackMode: 'dry-run',
      foresee: async () => {
        throw new Error('throttled');
      },
    });

    const planned = await onAlarm(dry);

    expect(planned.outcomes).toMatchObject([{ decision: 'act', dryRun: true, actions: [{ call: 'Mend' }] }]);
  });

  it('tells each occurrence once', async () => {
    const dry = instance({ stackMode: 'dry-run' });

    await onAlarm(dry);
    await onAlarm(dry);
    await dry.handler(alarmEvent({ at: at + minute }));

    expect(dry.world.told.map(({ record }) => record.dryRun)).toEqual([true, true]);
  });

  it('opens no incident where it would wait', async () => {
    const wait = () => ({ kind: 'defer', reason: 'measuring', until: at + minute, why: 'Not yet.' }) as const;
    const dry = instance({ stackMode: 'dry-run', decide: wait });
    const wet = instance({ decide: wait });

    await onAlarm(dry);
    await onAlarm(wet);

    expect(storedState(dry.world, orders)?.incident).toBeUndefined();
    expect(dry.world.inbox).toEqual([]);
    expect(storedState(wet.world, orders)?.incident).toMatchObject({ check: 1, nextCheckAt: at + minute });
    expect(wet.world.inbox).toHaveLength(1);
  });

  it('is held back by every guard that would hold back an act', async () => {
    const dry = instance({ stackMode: 'dry-run', calendar: async () => ({ open: false, until: null }) });

    expect((await onAlarm(dry)).outcomes).toMatchObject([{ reason: 'frozen', dryRun: false, actions: [] }]);
  });
});

describe('the guards', () => {
  const day = 86_400_000;
  const spends: Spend[] = [{ budget: 'Mend', limit: 1, windowMs: day, keep: 0 }];

  interface Setting {
    readonly tags: Readonly<Record<string, string>>;
    readonly mode: Mode;
    readonly open: boolean;
    readonly factsAge: number;
    readonly managedBy: string | undefined;
    readonly stormLimit: number;
    readonly coolDownMs: number;
    readonly actedBefore: boolean;
    readonly held: boolean;
  }
  const clear: Setting = {
    tags: enabled,
    mode: 'on',
    open: true,
    factsAge: 0,
    managedBy: undefined,
    stormLimit: 10,
    coolDownMs: 0,
    actedBefore: false,
    held: false,
  };

  /** Each alone stops the act, in the order in which they are asked. */
  const obstacles: readonly { readonly reason: string; readonly change: Partial<Setting> }[] = [
    { reason: 'not-opted-in', change: { tags: {} } },
    { reason: 'mode-off', change: { mode: 'off' } },
    { reason: 'frozen', change: { open: false } },
    { reason: 'stale-facts', change: { factsAge: minute + 1 } },
    { reason: 'native-autoscaler', change: { managedBy: 'Application Auto Scaling' } },
    { reason: 'correlated-failure', change: { stormLimit: 0 } },
    { reason: 'held', change: { held: true } },
    { reason: 'cool-down', change: { coolDownMs: day, actedBefore: true } },
    { reason: 'budget-exhausted', change: { actedBefore: true } },
  ];

  async function decided(changes: Partial<Setting>) {
    const { managedBy, ...setting } = { ...clear, ...changes };
    const one = instance({
      stackMode: setting.mode,
      stormLimit: setting.stormLimit,
      calendar: async () => ({ open: setting.open, until: null }),
      observe: async () =>
        new Map([
          [orders, { facts: { asOf: at - setting.factsAge, arn: orders, trouble: 1, told: [], tags: setting.tags } }],
        ]),
      hear: async () => [
        {
          signals: [
            { resource: orders, trigger: 'alarm', cause: 'c', occurrence: 'o', at, ...(managedBy && { managedBy }) },
          ],
        },
      ],
      decide: (situation) => ({ ...mend(situation), spends, coolDownMs: setting.coolDownMs }),
    });
    const anHourAgo = at - 60 * minute;
    const history = setting.actedBefore ? { lastActAt: anHourAgo, attempts: { Mend: [anHourAgo] } } : {};
    await one.runtime.ledger.update({ fn: 'fake', resource: orders }, undefined, (state) => {
      const before = { ...state, ...history };
      return { state: setting.held ? hold(before, { reason: 'no', by: 'ann' }, at) : before };
    });
    const { outcomes } = await onAlarm(one);
    return { reason: outcomes[0]?.reason, acts: one.shop.acts.length };
  }

  it('let an act pass that none of them stops', async () => {
    expect(await decided({})).toEqual({ reason: 'scale-up', acts: 1 });
  });

  it.each(obstacles)('stop the act: $reason', async ({ reason, change }) => {
    expect(await decided(change)).toEqual({ reason, acts: 0 });
  });

  const pairs = obstacles.flatMap((earlier, i) => obstacles.slice(i + 1).map((later) => ({ earlier, later })));

  it.each(pairs)('ask for $earlier.reason before $later.reason', async ({ earlier, later }) => {
    expect(await decided({ ...later.change, ...earlier.change })).toEqual({ reason: earlier.reason, acts: 0 });
  });
});

describe('the change calendar', () => {
  it('that is closed has the act looked at again when it opens', async () => {
    const opens = at + 40 * minute;
    const one = instance({
      calendar: async () => (one.world.now < opens ? { open: false, until: opens } : { open: true, until: null }),
    });
    const result = await onAlarm(one);

    expect(result.outcomes).toMatchObject([
      {
        decision: 'defer',
        reason: 'frozen',
        why: 'The change calendar is closed; looked at again at 2026-03-05T03:52:00Z.',
      },
    ]);
    expect(one.world.told).toMatchObject([{ record: { reason: 'frozen' }, nextCheckAt: opens }]);
    const hops = [];
    while (one.shop.acts.length === 0) {
      one.world.now = one.world.inbox[0]?.dueAt ?? Number.NaN;
      hops.push((one.world.now - at) / minute);
      await pump(one.world, one.handler);
    }
    expect(hops).toEqual([15, 30, 40]);
  });

  it('that closes for days is told once, and never puts the resource on hold', async () => {
    const opens = at + 60 * 60 * minute;
    const one = instance({
      calendar: async () => (one.world.now < opens ? { open: false, until: null } : { open: true, until: null }),
    });
    await onAlarm(one);
    while (one.shop.acts.length === 0) {
      one.world.now = one.world.inbox[0]?.dueAt ?? Number.NaN;
      await pump(one.world, one.handler);
    }
    one.world.now += minute;
    const result = await pump(one.world, one.handler);

    expect(result).toMatchObject({ outcomes: [{ reason: 'resolved' }] });
    expect(storedState(one.world, orders)).not.toHaveProperty('hold');
    expect(one.world.told.map(({ record }) => record.reason)).toEqual([
      'frozen',
      'frozen',
      'frozen',
      'scale-up',
      'resolved',
    ]);
  });

  it('that cannot be read stops the act, is told once, and the message comes back', async () => {
    const one = instance({
      calendar: async () => {
        throw new Error('AccessDenied: ssm:GetCalendarState');
      },
    });
    const result = await onAlarm(one);

    expect(result.batchItemFailures).toHaveLength(1);
    expect(result.outcomes).toMatchObject([
      {
        decision: 'escalate',
        reason: 'guard-error',
        why: 'Nothing is done: GuardError: the change calendar could not be read (Error: AccessDenied: ssm:GetCalendarState).',
      },
    ]);
    expect(one.world.told).toHaveLength(1);
    expect(storedRecords(one.world)).toMatchObject([{ reason: 'guard-error' }]);
    expect(one.shop.acts).toEqual([]);
  });

  it('that cannot be read is nobody matter where there is nothing to do', async () => {
    const one = instance({
      shop: workshop({ [orders]: thing(0) }),
      trouble: (port) => (port === 'calendar' ? 'refused' : 'none'),
      calendar: async () => ({ open: true, until: null }),
    });

    expect(await onAlarm(one)).toMatchObject({ batchItemFailures: [], outcomes: [{ reason: 'within-band' }] });
  });
});

describe('a function that proceeds where a guard cannot be read', () => {
  const shut = { onGuardError: 'proceed', calendar: async () => ({ open: false, until: null }) } as const;
  const open = { onGuardError: 'proceed', calendar: async () => ({ open: true, until: null }) } as const;
  const noCalendar = (port: string) => (port === 'calendar' ? 'refused' : 'none');
  const noLedger = (port: string) => (port.startsWith('table.') ? 'refused' : 'none');

  it('acts without the calendar, and leaves the act recorded and followed up', async () => {
    const one = instance({ ...shut, trouble: noCalendar });

    expect((await onAlarm(one)).outcomes).toMatchObject([{ decision: 'act', incidentId: expect.any(String) }]);
    expect(one.shop.acts).toHaveLength(1);
    expect(one.world.inbox).toHaveLength(1);
    expect(one.runtime.errors).toHaveLength(1);
  });

  it('heeds a calendar that says closed', async () => {
    expect((await onAlarm(instance(shut))).outcomes).toMatchObject([{ reason: 'frozen' }]);
  });

  it('acts without the ledger, and tells', async () => {
    const one = instance({ onGuardError: 'proceed', trouble: noLedger });

    const result = await onAlarm(one);

    expect(result).toMatchObject({ batchItemFailures: [], outcomes: [{ decision: 'act', reason: 'scale-up' }] });
    expect(one.shop.acts).toHaveLength(1);
    expect(one.world.told).toMatchObject([{ record: { decision: 'act' } }]);
  });

  it('opens an incident for its act as soon as the ledger is back', async () => {
    const one = instance({
      onGuardError: 'proceed',
      trouble: (port, n) => (port === 'table.putIfVersion' && n === 1 ? 'refused' : 'none'),
    });

    await onAlarm(one);

    expect(storedState(one.world, orders)?.incident).toMatchObject({ check: 1, nextCheckAt: at + minute });
    expect(one.world.inbox).toHaveLength(1);
  });

  it.each([
    ['calendar', noCalendar],
    ['ledger', noLedger],
  ])('still asks for the opt-in tag without the %s', async (_, trouble) => {
    const one = instance({ ...shut, trouble, shop: workshop({ [orders]: thing(1, {}) }) });

    expect((await onAlarm(one)).outcomes).toMatchObject([{ reason: 'not-opted-in' }]);
    expect(one.shop.acts).toEqual([]);
  });

  it.each([
    ['calendar', noCalendar],
    ['ledger', noLedger],
  ])('changes nothing in a dry run without the %s', async (_, trouble) => {
    const one = instance({ ...open, trouble, stackMode: 'dry-run' });

    expect((await onAlarm(one)).outcomes).toMatchObject([{ decision: 'act', dryRun: true }]);
    expect(one.shop.acts).toEqual([]);
  });

  it('still heeds a hold without the calendar', async () => {
    const one = instance({ ...shut, trouble: noCalendar });
    await one.runtime.ledger.update({ fn: 'fake', resource: orders }, undefined, (state) => ({
      state: hold(state, { reason: 'no', by: 'ann' }, at),
    }));

    expect((await onAlarm(one)).outcomes).toMatchObject([{ reason: 'held' }]);
    expect(one.shop.acts).toEqual([]);
  });

  it('leaves a check, which has time, to its next delivery', async () => {
    const one = instance({ onGuardError: 'proceed', trouble: noLedger });

    const result = await one.handler(sqsBatch(followUp({ fn: 'fake', notBefore: at })));

    expect(result.batchItemFailures).toHaveLength(1);
    expect(result.outcomes).toMatchObject([{ reason: 'guard-error' }]);
    expect(one.shop.acts).toEqual([]);
  });
});

describe('many resources in trouble at once', () => {
  const names = Array.from({ length: 11 }, (_, i) => `s${i}`);
  const storm = () => workshop(Object.fromEntries(names.map((name) => [streamArn(name), thing(9)])));
  const alarms = (from: number, to: number) =>
    sqsBatch(...names.slice(from, to).map((stream) => alarmEvent({ stream, name: stream })));

  it('are seen to up to the limit, and no further, within one batch', async () => {
    const few = instance({ shop: storm() });
    const many = instance({ shop: storm() });

    expect(new Set(reasonsOf(await few.handler(alarms(0, 10))))).toEqual(new Set(['scale-up']));
    expect(new Set(reasonsOf(await many.handler(alarms(0, 11))))).toEqual(new Set(['correlated-failure']));
    expect(many.shop.acts).toEqual([]);
  });

  it('are a few at a time where only the schedule found them', async () => {
    const one = instance({ shop: storm() });

    const first = reasonsOf(await one.handler(tick()));
    expect(first.filter((reason) => reason === 'scale-up')).toHaveLength(10);
    expect(first.filter((reason) => reason === 'enough-for-now')).toHaveLength(1);
    expect(one.world.told).toHaveLength(10);

    one.world.now += 10 * minute;
    expect(reasonsOf(await one.handler(tick()))).toContain('scale-up');
    expect(one.shop.acts.length).toBeGreaterThan(10);
  });

  it('never lose an incident to the turns of the schedule: what is too much for one stays open for a later one', async () => {
    const shop = workshop(Object.fromEntries(names.map((name) => [streamArn(name), thing(2)])));
    const one = instance({ shop, stormLimit: 5 });
    for (const stream of names) {
      await one.handler(alarmEvent({ stream, name: stream, at: one.world.now }));
      one.world.now += 11 * minute;
    }
    one.world.told.length = 0;
    const inTrouble = () => names.map((name) => streamArn(name)).filter((arn) => shop.things.get(arn)?.trouble !== 0);

    const left: number[] = [];
    for (let sweep = 0; sweep < 3; sweep++) {
      await one.handler(tick('incidents'));
      for (const arn of inTrouble()) expect(storedState(one.world, arn)?.incident).toBeDefined();
      left.push(inTrouble().length);
      one.world.now += 10 * minute;
    }

    expect(left).toEqual([6, 1, 0]);
    expect(new Set(one.world.told.map(({ record }) => record.reason))).toEqual(new Set(['scale-up', 'resolved']));
  });

  it('are counted over the batches of ten minutes', async () => {
    const one = instance({ shop: storm() });
    await one.handler(alarms(0, 10));

    one.world.now += 10 * minute - 1;
    expect(reasonsOf(await one.handler(alarms(10, 11)))).toEqual(['correlated-failure']);
    one.world.now += 1;
    expect(reasonsOf(await one.handler(alarms(10, 11)))).toEqual(['scale-up']);
  });

  it('count a resource once, however often it is acted on', async () => {
    const one = instance({ stormLimit: 1, shop: workshop({ [orders]: thing(9) }) });
    await onAlarm(one);
    one.world.now += minute;

    expect(await pump(one.world, one.handler)).toMatchObject({ outcomes: [{ reason: 'scale-up' }] });
  });
});

describe('two invocations at once', () => {
  it('with the same alarm: one acts', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    const other = instance(one);

    const results = await Promise.all([onAlarm(one), other.handler(alarmEvent())]);

    expect(results.flatMap(reasonsOf).toSorted()).toEqual(['duplicate', 'scale-up']);
    expect(one.shop.acts).toHaveLength(1);
    expect(results.flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('with different alarms on facts read together: one acts, and its follow-up sees to the other', async () => {
    const one = instance({ shop: workshop({ [orders]: thing(9) }) });
    const other = instance(one);

    const results = await Promise.all([onAlarm(one), other.handler(alarmEvent({ name: 'other' }))]);

    expect(results.flatMap(reasonsOf).toSorted()).toEqual(['scale-up', 'superseded']);
    expect(one.shop.acts).toHaveLength(1);
    expect(one.world.inbox).toHaveLength(1);
  });

  it('of which one is acting: the other leaves the resource alone and its message is done', async () => {
    const slow = Promise.withResolvers<void>();
    const one = instance({ before: (port) => (port === 'act' ? slow.promise : Promise.resolve()) });
    const other = instance({ world: one.world, shop: one.shop });
    const acting = onAlarm(one);
    while (storedState(one.world, orders)?.lease === undefined) await new Promise(setImmediate);

    one.world.now += 1_000;
    const result = await other.handler(sqsBatch(alarmEvent({ name: 'other', at: at + 1_000 })));
    slow.resolve();
    await acting;

    expect(result).toMatchObject({ batchItemFailures: [], outcomes: [{ reason: 'lease-held' }] });
    expect(one.shop.acts).toHaveLength(1);
  });

  it('never let the one that saw nothing close the incident of the one that acted', async () => {
    const looked = Promise.withResolvers<void>();
    const one = instance();
    const late = instance({
      world: one.world,
      shop: one.shop,
      decide: () => ({ kind: 'skip', reason: 'within-band', why: 'It is well.', remember: { seen: true } }),
      before: (port) => (port === 'table.put' ? looked.promise : Promise.resolve()),
    });
    const looking = late.handler(alarmEvent({ name: 'other' }));
    await new Promise(setImmediate);
    await onAlarm(one);
    looked.resolve();
    await looking;

    expect(storedState(one.world, orders)?.incident).toMatchObject({ steps: 1, check: 1 });
  });
});

describe('an act', () => {
  it('that AWS refuses ends as the function says, with the error beside the call', async () => {
    const one = instance({
      act: ({ act }) => ({
        actions: act.calls.map((call) => ({ ...call, error: 'AccessDeniedException: no' })),
        problem: { kind: 'escalate', reason: 'access-denied', why: 'Mend was denied.', advice: 'Grant it.' },
      }),
    });

    const { outcomes } = await onAlarm(one);

    expect(outcomes).toMatchObject([
      {
        decision: 'escalate',
        reason: 'access-denied',
        advice: 'Grant it.',
        actions: [{ call: 'Mend', params: { Password: '***' }, error: 'AccessDeniedException: no' }],
      },
    ]);
    expect(storedState(one.world, orders)).not.toHaveProperty('incident');
    expect(storedState(one.world, orders)).not.toHaveProperty('intent');
    expect(one.world.inbox).toEqual([]);
  });

  it('that has to wait keeps its incident and is looked at again', async () => {
    const one = instance({
      act: () => ({
        actions: [],
        problem: { kind: 'defer', reason: 'rate-limited', until: at + 5 * minute, why: 'Too fast.' },
      }),
    });

    expect((await onAlarm(one)).outcomes).toMatchObject([{ decision: 'defer', incidentId: expect.any(String) }]);
    expect(storedState(one.world, orders)?.incident).toMatchObject({ steps: 1, nextCheckAt: at + 5 * minute });
    expect(inboxBodies(one.world)).toMatchObject([{ detail: { notBefore: at + 5 * minute, checks: [{ check: 1 }] } }]);
  });

  it.each(['refused', 'lost'] as const)(
    'whose call was %s is unknown: what may have been done is recorded, told and looked at',
    async (fate) => {
      const one = instance({ trouble: (port) => (port === 'act' ? fate : 'none') });

      const { outcomes } = await onAlarm(one);

      expect(outcomes).toMatchObject([
        {
          decision: 'defer',
          reason: 'act-unknown',
          actions: [{ call: 'Mend', error: expect.stringContaining('act ') }],
        },
      ]);
      expect(storedRecords(one.world)).toMatchObject([{ reason: 'act-unknown' }]);
      expect(one.world.told).toHaveLength(1);
      expect(one.world.inbox).toHaveLength(1);
      expect(one.shop.acts).toHaveLength(fate === 'lost' ? 1 : 0);
    },
  );

  it('remembers what it was told to only when its calls were made', async () => {
    const remember = (problem: boolean) =>
      instance({
        decide: (situation) => ({ ...mend(situation), remember: { acted: true } }),
        act: ({ act }) => ({
          actions: act.calls,
          ...(problem && { problem: { kind: 'escalate', reason: 'act-failed', why: 'No.' } }),
        }),
      });
    const [made, failed] = [remember(false), remember(true)];
    await onAlarm(made);
    await onAlarm(failed);

    expect(storedState(made.world, orders)?.remembered).toEqual({ acted: true });
    expect(storedState(failed.world, orders)?.remembered).toBeUndefined();
  });

  it('keeps secrets out of everything but the call itself', async () => {
    const one = instance({ trouble: (port) => (port === 'act' ? 'crash' : 'none') });
    const well = instance();
    await Promise.race([onAlarm(one), one.runtime.crashed]);
    const result = await onAlarm(well);

    const kept = [one.world.table.rows(), well.world.table.rows(), well.world.told, well.runtime.decisions, result];
    expect(JSON.stringify(kept)).not.toContain('hunter2');
    expect(JSON.stringify(well.shop.acts)).toContain('hunter2');
  });
});

describe('when something cannot be reached', () => {
  it('the ledger: nothing acts, it is told at the first delivery, and the message comes back', async () => {
    let down = true;
    const one = instance({ trouble: (port) => (down && port.startsWith('table.') ? 'refused' : 'none') });
    one.world.inbox.push({ id: 'm', body: JSON.stringify(alarmEvent()), dueAt: 0, received: 0 });

    const first = await pump(one.world, one.handler);
    one.world.now += inboxSettings.hiddenMs;
    await pump(one.world, one.handler);
    expect(first).toMatchObject({
      batchItemFailures: [{ itemIdentifier: 'm' }],
      outcomes: [
        {
          decision: 'escalate',
          reason: 'guard-error',
          why: 'Nothing is done: GuardError: the ledger could not be read (Error: table.getMany refused).',
        },
      ],
    });
    expect(one.shop.acts).toEqual([]);
    expect(one.world.told).toHaveLength(1);

    down = false;
    one.world.now += inboxSettings.hiddenMs;
    await pump(one.world, one.handler);
    expect(one.shop.acts).toHaveLength(1);
  });

  it('the ledger, and what the function would say of its mode is unknown: mode off of the stack is no answer', async () => {
    const one = instance({ stackMode: 'off', trouble: (port) => (port === 'table.getMany' ? 'refused' : 'none') });

    expect(await onAlarm(one)).toMatchObject({
      batchItemFailures: [expect.anything()],
      outcomes: [{ reason: 'guard-error' }],
    });
  });

  it('the ledger, after the act: the act is told, the message is done, and the sweep goes on from the intent', async () => {
    let down = true;
    const one = instance({
      trouble: (port) => (down && one.shop.acts.length > 0 && port.startsWith('table.') ? 'refused' : 'none'),
    });
    const result = await onAlarm(one);
    expect(result.batchItemFailures).toEqual([]);
    expect(one.world.told).toMatchObject([{ record: { decision: 'act' }, nextCheckAt: at + 4 * minute }]);

    down = false;
    one.world.now += 6 * minute + 1;
    const swept = await one.handler(sqsBatch(tick('incidents')));
    expect(swept.outcomes).toMatchObject([{ reason: 'resolved' }]);
    expect(storedRecords(one.world)).toMatchObject([
      { reason: 'intent-unresolved', unresolved: true },
      { reason: 'resolved' },
    ]);
  });

  it('the ledger, for a finding: the message comes back', async () => {
    const one = instance({
      shop: workshop({ [orders]: thing(0) }),
      trouble: (port) => (port === 'table.put' ? 'refused' : 'none'),
    });

    expect(await onAlarm(one)).toMatchObject({
      batchItemFailures: [expect.anything()],
      failures: [{ error: 'Error: table.put refused' }],
    });
  });

  it('the inbox, for a follow-up: nothing fails, and the sweep finds the incident', async () => {
    const one = instance({
      trouble: (port, n) => (port === 'enqueue' && n === 1 ? 'refused' : 'none'),
    });
    expect((await onAlarm(one)).batchItemFailures).toEqual([]);
    expect(one.world.told).toMatchObject([{ nextCheckAt: at + minute }]);
    one.world.now += 3 * minute;
    expect((await one.handler(tick('incidents'))).outcomes).toEqual([]);

    one.world.now += 1;
    expect((await one.handler(tick('incidents'))).outcomes).toMatchObject([{ reason: 'resolved' }]);
  });

  it('SNS: outcome, record, state and follow-up are the same, and people are told from the inbox, once', async () => {
    const refusedOnce = (port: string, n: number): Trouble => (port === 'notify' && n === 1 ? 'refused' : 'none');
    const [well, mute] = [instance(), instance({ trouble: refusedOnce })];

    expect(await onAlarm(mute)).toEqual(await onAlarm(well));
    expect(mute.world.table.rows()).toEqual(well.world.table.rows());
    expect(inboxBodies(mute.world)).toMatchObject([{ 'detail-type': 'Notification' }, ...inboxBodies(well.world)]);
    expect(mute.world.told).toEqual([]);

    mute.world.now += 60_000;
    await pump(mute.world, mute.handler);
    expect(mute.world.toldLate).toMatchObject([{ subject: 'Reflex acted: fake stream/orders (scale-up)' }]);
    expect(mute.world.inbox).toEqual([]);
  });

  it('what an event names: its message fails, and only those that had to ask', async () => {
    const one = instance({
      hear: async (events) =>
        events.map((event) =>
          event.kind === 'alarm' && event.alarmName === 'bad'
            ? { error: new Error('DescribeAlarms: throttled') }
            : { signals: [{ resource: orders, trigger: 'alarm', cause: 'c', occurrence: 'o', at }] },
        ),
    });

    const result = await one.handler(sqsBatch(alarmEvent({ name: 'bad' }), alarmEvent()));

    expect(result.failures).toEqual([
      { message: '00000000-0000-4000-8000-000000000000', error: 'Error: DescribeAlarms: throttled' },
    ]);
    expect(one.shop.acts).toHaveLength(1);
  });

  it('anything, in a direct invocation: the inbox gets it, and it is handled from there', async () => {
    const one = instance({ trouble: (port, n) => (port === 'observe' && n === 1 ? 'refused' : 'none') });

    const result = await one.handler(directAlarm());
    expect(result).not.toHaveProperty('batchItemFailures');
    expect(result.failures).toHaveLength(1);
    expect(one.world.inbox).toHaveLength(1);

    one.world.now += 30_000;
    await pump(one.world, one.handler);
    expect(one.shop.acts).toHaveLength(1);
  });

  it('anything and the inbox, in a direct invocation: it throws, so that Lambda keeps the event', async () => {
    const one = instance({ trouble: (port) => (['observe', 'enqueue'].includes(port) ? 'refused' : 'none') });

    await expect(one.handler(directAlarm())).rejects.toThrow('failed messages that the inbox did not take: 1');
  });

  it('the inbox, for a broken direct invocation: it is logged, because nobody could ever handle it', async () => {
    const one = instance({ trouble: (port) => (port === 'enqueue' ? 'refused' : 'none') });

    expect((await one.handler('nonsense')).failures).toHaveLength(1);
    expect(one.runtime.errors.map(({ message }) => message)).toContain('not put into the inbox');
  });
});
