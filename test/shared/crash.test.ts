import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { functionsOf, readTemplate } from '../../scripts/template.ts';
import { LEASE_MS } from '../../shared/remediation.ts';
import { alarmEvent, at, sqsBatch, streamArn, tick } from '../support/event-builders.ts';
import { type Instance, instance, mend, type ThingSituation, thing, workshop } from '../support/fake-function.ts';
import { invoke, nextDueAt, pump, put, storedRecords, storedState, type Trouble } from '../support/fake-runtime.ts';

const minute = 60_000;
const orders = streamArn('orders');
const leaseMs = LEASE_MS;

const prepared = async ({ world }: Instance) => put(world, alarmEvent());
const deliver = ({ world, handler, runtime }: Instance) => pump(world, (payload) => invoke(runtime, handler, payload));

const crashInAct = (port: string): Trouble => (port === 'act' ? 'crash after' : 'none');

/** SQS, the schedule and time go on for an hour with a healthy instance. */
async function goOn({ world, shop }: Instance) {
  const well = instance({ world, shop });
  const until = world.now + 60 * minute;
  for (let sweepAt = world.now + 5 * minute; world.now < until; ) {
    world.now = Math.min(Math.max(world.now, nextDueAt(world) ?? until), sweepAt);
    if (world.now === sweepAt) {
      await well.handler(sqsBatch(tick('incidents')));
      sweepAt += 5 * minute;
    }
    await pump(world, well.handler);
  }
}

const fates: Trouble[] = ['refused', 'lost', 'crash', 'crash after'];
/** Every call of every port that a delivery makes, with its number among the calls of that port. */
const points = [
  { port: 'hear', n: 1 },
  { port: 'table.getMany', n: 1 },
  { port: 'observe', n: 1 },
  { port: 'table.putIfVersion', n: 1 },
  { port: 'act', n: 1 },
  { port: 'table.mark', n: 1 },
  { port: 'table.put', n: 1 },
  { port: 'table.putIfVersion', n: 2 },
  { port: 'notify', n: 1 },
  { port: 'enqueue', n: 1 },
];

describe('a delivery that goes wrong', () => {
  it('is tried at every call it makes', async () => {
    const one = instance();
    await prepared(one);
    await deliver(one);

    expect(one.runtime.calls).toEqual(points.map(({ port }) => port));
  });

  describe.each(fates)('(%s)', (fate) => {
    it.each(points)('at $port number $n loses nothing, acts no more than needed, and ends', async ({ port, n }) => {
      const one = instance({
        shop: workshop({ [orders]: thing(2) }),
        trouble: (called, number) => (called === port && number === n ? fate : 'none'),
      });
      await prepared(one);

      await deliver(one);
      await goOn(one);

      const { world, shop } = one;
      expect(shop.things.get(orders)?.trouble).toBe(0);
      expect(shop.acts).toHaveLength(2);
      expect(storedState(world, orders)).not.toHaveProperty('intent');
      expect(storedState(world, orders)).not.toHaveProperty('lease');
      expect(storedState(world, orders)).not.toHaveProperty('incident');
      expect(world.inbox).toEqual([]);
      expect(world.deadLetters).toEqual([]);
      const records = storedRecords(world);
      expect(records.at(-1)).toMatchObject({ reason: 'resolved' });
      expect(records.filter(({ actions }) => actions.length > 0).length).toBeGreaterThanOrEqual(2);
      expect(world.told.filter(({ record }) => record.reason === 'resolved')).toHaveLength(1);
    });

    it.each(points)('at $port number $n never has anybody else act inside its lease', async ({ port, n }) => {
      const one = instance({
        shop: workshop({ [orders]: thing(100) }),
        trouble: (called, number) => (called === port && number === n ? fate : 'none'),
      });
      await prepared(one);
      await deliver(one);
      const crashedHolding = storedState(one.world, orders)?.lease?.until ?? at;
      const acted = one.shop.acts.length;

      for (const event of [alarmEvent(), alarmEvent({ name: 'other' }), tick('all'), tick('incidents')]) {
        one.world.now += 1_000;
        await instance({ world: one.world, shop: one.shop }).handler(sqsBatch(event));
      }

      const later = one.shop.acts.slice(acted);
      if (crashedHolding > at) expect(later).toEqual([]);
      else expect(later.length).toBeLessThanOrEqual(2);
    });
  });
});

/** Deregistering twice does no harm: its lease may end first. */
const harmlessTwice = ['drain-fargate'];

it.each(functionsOf(readTemplate()).map(({ folder, logicalId }) => [folder, logicalId] as const))(
  'the lease of %s outlives the function, and ends before its inbox delivers the message again',
  (folder, logicalId) => {
    const { Globals, Resources } = readTemplate();
    const source = readFileSync(new URL(`../../functions/${folder}/function.ts`, import.meta.url), 'utf8');
    const own = /leaseMs: ([\d_]+)/.exec(source)?.[1]?.replaceAll('_', '');
    const lease = own === undefined ? LEASE_MS : Number(own);

    const timeout = Number(Resources[logicalId]?.Properties?.Timeout ?? Globals.Function.Timeout) * 1_000;
    const hidden = Number(Resources[`${logicalId}Inbox`]?.Properties?.VisibilityTimeout) * 1_000;

    if (!harmlessTwice.includes(folder)) expect(lease).toBeGreaterThan(timeout);
    expect(hidden).toBeGreaterThan(lease);
  },
);

it('a function may ask for a shorter lease, and only that time keeps others away', async () => {
  const one = instance({ shop: workshop({ [orders]: thing(9) }), leaseMs: 40_000, trouble: crashInAct });
  await prepared(one);
  await deliver(one);
  const well = instance({ world: one.world, shop: one.shop, leaseMs: 40_000 });

  one.world.now = at + 39_999;
  const early = await well.handler(sqsBatch(alarmEvent({ name: 'second' })));
  one.world.now = at + 40_000;
  const later = await well.handler(sqsBatch(alarmEvent({ name: 'third' })));

  expect(early.outcomes).toMatchObject([{ decision: 'skip', reason: 'lease-held' }]);
  expect(later.outcomes).toMatchObject([{ decision: 'act', reason: 'scale-up' }]);
});

it('an act that outlives its lease changes nothing of the one that came after, and leaves its own result', async () => {
  const shop = workshop({ [orders]: thing(9) });
  const after = instance({ shop, leaseMs: 40_000 });
  const slow = instance({
    world: after.world,
    shop,
    leaseMs: 40_000,
    act: async ({ act }) => {
      after.world.now += 40_000;
      await after.handler(sqsBatch(alarmEvent({ name: 'other' })));
      return { actions: act.calls };
    },
  });
  await slow.handler(sqsBatch(alarmEvent()));

  expect(storedRecords(after.world).map(({ reason, unresolved }) => [reason, unresolved])).toEqual([
    ['scale-up', undefined],
    ['scale-up', undefined],
  ]);
  expect(after.world.told.map(({ record }) => record.reason)).toEqual(['intent-unresolved', 'scale-up', 'scale-up']);
  expect(storedState(after.world, orders)).toMatchObject({ fence: 2, incident: { steps: 2, failedVerifications: 1 } });
  expect(storedState(after.world, orders)).not.toHaveProperty('lease');
  expect(after.world.inbox).toHaveLength(1);
});

describe('an invocation that ends between acting and recording', () => {
  const crashed = async () => {
    const one = instance({
      shop: workshop({ [orders]: thing(9) }),
      trouble: (port) => (port === 'act' ? 'crash after' : 'none'),
    });
    await prepared(one);
    await deliver(one);
    return { ...one, well: instance({ world: one.world, shop: one.shop }) };
  };

  it('leaves its intent in sight', async () => {
    const { world } = await crashed();

    expect(storedState(world, orders)).toMatchObject({
      intent: { reason: 'scale-up', why: '9 troubles.', calls: [{ call: 'Mend' }] },
      lease: { until: at + leaseMs },
      incident: { steps: 1, nextCheckAt: at + leaseMs },
    });
  });

  it.each([
    ['the alarm that comes again', () => alarmEvent()],
    ['another alarm', () => alarmEvent({ name: 'other' })],
    ['the sweep', () => tick('incidents')],
    ['a sweep of everything', () => tick('all')],
  ])('is resolved by %s, which then goes on with the incident', async (_, event) => {
    const { world, well, shop } = await crashed();
    const incidentId = storedState(world, orders)?.incident?.id;
    world.now = at + leaseMs + 2 * minute + 1;

    const { outcomes } = await well.handler(sqsBatch(event()));

    expect(outcomes).toMatchObject([{ decision: 'act', reason: 'scale-up', incidentId }]);
    expect(shop.acts).toHaveLength(2);
    expect(storedRecords(world)).toMatchObject([
      {
        at,
        incidentId,
        decision: 'act',
        reason: 'intent-unresolved',
        unresolved: true,
        mode: 'on',
        cause: 'alarm orders-throughput-high is ALARM',
        why: expect.stringMatching(/^9 troubles\. \(scale-up\) The invocation ended before its result was recorded/),
        actions: [{ call: 'Mend', params: { Resource: orders, Password: '***' } }],
      },
      { reason: 'scale-up', incidentId },
    ]);
    expect(storedState(world, orders)?.incident).toMatchObject({ steps: 2, failedVerifications: 1 });
  });

  it('is told as what it may have done, once', async () => {
    const { world, well, shop } = await crashed();
    world.now = at + leaseMs;
    const slower = instance({
      world,
      shop,
      before: async (port) => {
        if (port !== 'observe') return;
        await new Promise(setImmediate);
        world.now++;
      },
    });
    await Promise.all([well, slower].map(({ handler }) => handler(sqsBatch(alarmEvent({ name: 'other' })))));

    const unresolved = world.told.filter(({ record }) => record.unresolved);
    expect(unresolved).toMatchObject([{ record: { reason: 'intent-unresolved' }, nextCheckAt: expect.any(Number) }]);
    expect(shop.acts).toHaveLength(2);
  });

  it('left in the ledger what the act wanted remembered, for whoever decides next', async () => {
    const known: unknown[] = [];
    const decide = (situation: ThingSituation) => {
      known.push(situation.ledger.remembered);
      const decision = mend(situation);
      return decision.kind === 'act' ? { ...decision, remember: { mended: situation.trouble } } : decision;
    };
    const one = instance({ decide, shop: workshop({ [orders]: thing(9) }), trouble: crashInAct });
    await prepared(one);
    await deliver(one);
    one.world.now = at + leaseMs;

    await instance({ decide, world: one.world, shop: one.shop }).handler(sqsBatch(alarmEvent({ name: 'other' })));

    expect(known).toEqual([{}, { mended: 9 }]);
  });

  it('is left alone until its lease is over, to the millisecond', async () => {
    const { world, well, shop } = await crashed();
    world.now = at + leaseMs - 1;
    const before = await well.handler(sqsBatch(alarmEvent({ name: 'other' })));
    world.now += 1;
    const after = await well.handler(sqsBatch(alarmEvent({ name: 'other' })));

    expect([before, after].map(({ outcomes }) => outcomes[0]?.reason)).toEqual(['lease-held', 'scale-up']);
    expect(shop.acts).toHaveLength(2);
  });

  it.each([
    ['its resource is gone', (shop: Instance['shop']) => void shop.things.delete(orders), 'stream-gone'],
    [
      'its resource is not opted in any more',
      (shop: Instance['shop']) => void shop.things.set(orders, thing(9, {})),
      'not-opted-in',
    ],
  ])('is resolved and closed also where %s', async (_, change, reason) => {
    const { world, well, shop } = await crashed();
    change(shop);
    world.now = at + leaseMs + 2 * minute + 1;

    const { outcomes } = await well.handler(sqsBatch(tick('incidents')));

    expect(outcomes).toMatchObject([{ reason }]);
    expect(storedRecords(world)).toMatchObject([{ unresolved: true }, { reason }]);
    expect(storedState(world, orders)).not.toHaveProperty('incident');
    expect((await well.handler(sqsBatch(tick('incidents')))).outcomes).toEqual([]);
  });

  it('does not overwrite the result of one that ended only before it could settle', async () => {
    const one = instance({ trouble: (port, n) => (port === 'table.putIfVersion' && n === 2 ? 'crash' : 'none') });
    await prepared(one);
    await deliver(one);
    one.world.now = at + leaseMs;
    await instance({ world: one.world, shop: one.shop }).handler(sqsBatch(alarmEvent({ name: 'other' })));

    expect(storedRecords(one.world)).toMatchObject([{ reason: 'scale-up' }, { reason: 'resolved' }]);
    expect(storedRecords(one.world)[0]).not.toHaveProperty('unresolved');
  });
});
