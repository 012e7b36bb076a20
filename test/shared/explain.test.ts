import { describe, expect, it } from 'vitest';
import { hold } from '../../shared/ledger/state.ts';
import { alarmEvent, at, sqsBatch, streamArn } from '../support/event-builders.ts';
import { instance, mend, thing, workshop } from '../support/fake-function.ts';
import { invoke, pump, put, storedRecords, storedState } from '../support/fake-runtime.ts';

const orders = streamArn('orders');
const explain = (detail: object = { resource: orders }) => ({ source: 'reflex', 'detail-type': 'Explain', detail });

describe('an operator who asks', () => {
  it('is told what would be done, and nothing is done, recorded, told or planned', async () => {
    const { handler, shop, world, runtime } = instance();

    const result = await handler(explain());

    expect(result).toEqual({
      outcomes: [
        {
          resource: orders,
          decision: 'act',
          reason: 'scale-up',
          why: '1 troubles.',
          actions: [{ call: 'Mend', params: { Resource: orders, Password: '***' } }],
          dryRun: true,
          incidentId: null,
        },
      ],
      notForUs: {},
      failures: [],
    });
    expect(shop.acts).toEqual([]);
    expect(runtime.calls.filter((port) => /put|mark|enqueue|notify/.test(port))).toEqual([]);
    expect(storedRecords(world)).toEqual([]);
  });

  it('hears what an alarm would lead to, or what the schedule would', async () => {
    const triggers: string[] = [];
    const decide: typeof mend = (situation) => {
      triggers.push(situation.trigger);
      return mend(situation);
    };
    const { handler } = instance({ decide });

    await handler(explain());
    await handler(explain({ resource: orders, as: 'tick' }));

    expect(triggers).toEqual(['alarm', 'tick']);
  });

  it('hears of every brake that would hold it back', async () => {
    const { handler, runtime } = instance();
    await runtime.ledger.update({ fn: 'fake', resource: orders }, undefined, (state) => ({
      state: hold(state, { reason: 'load test', by: 'ann' }, at),
    }));

    expect(await handler(explain())).toMatchObject({ outcomes: [{ decision: 'skip', reason: 'held' }] });
  });

  it.each([
    ['the function is off', { stackMode: 'off' } as const, 'mode-off'],
    ['the resource is not opted in', { shop: workshop({ [orders]: thing(1, {}) }) }, 'not-opted-in'],
  ])('hears that %s', async (_, given, reason) => {
    expect(await instance(given).handler(explain())).toMatchObject({ outcomes: [{ decision: 'skip', reason }] });
  });

  it('leaves what a crashed invocation left to whoever is woken next', async () => {
    const crashed = instance({ trouble: (port) => (port === 'act' ? 'crash after' : 'none') });
    await put(crashed.world, alarmEvent());
    await pump(crashed.world, (payload) => invoke(crashed.runtime, crashed.handler, payload));
    crashed.world.now += 3_600_000;
    const before = storedState(crashed.world, orders);

    await instance({ world: crashed.world, shop: crashed.shop }).handler(explain());

    expect(before).toHaveProperty('intent');
    expect(storedState(crashed.world, orders)).toEqual(before);
  });

  it('hears why it could not be found out, and nothing comes again', async () => {
    const { handler, world } = instance({ trouble: (port) => (port === 'observe' ? 'refused' : 'none') });

    const result = await handler(explain());

    expect(result.failures).toMatchObject([{ error: expect.stringContaining('observe refused') }]);
    expect(world.inbox).toEqual([]);
  });

  it.each([
    ['no ARN', { resource: 'orders' }, 'detail.resource'],
    ['no URL of a site', { resource: 'ftp://shop.example/' }, 'detail.resource'],
    ['another trigger', { resource: orders, as: 'recovery' }, 'detail.as'],
  ])('is told of %s', async (_, detail, field) => {
    const { handler, world } = instance();

    const { failures } = await handler(explain(detail));

    expect(failures).toMatchObject([{ error: expect.stringContaining(field) }]);
    expect(world.inbox).toEqual([]);
  });

  it('must ask directly: a queue has nobody to answer', async () => {
    const { handler, shop } = instance();

    expect(await handler(sqsBatch(explain()))).toMatchObject({ notForUs: { 'explain-without-an-asker': 1 } });
    expect(shop.watches).toEqual([]);
  });
});
