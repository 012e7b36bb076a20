import { describe, expect, it } from 'vitest';
import type { Decision } from '../../shared/decision.ts';
import { alarmEvent, at, sqsBatch, streamArn, tick } from '../support/event-builders.ts';
import { instance, type MendCall, mend, type ThingSituation, thing, workshop } from '../support/fake-function.ts';
import { fakeWorld, inboxBodies, storedState } from '../support/fake-runtime.ts';

const orders = streamArn('orders');

/**
 * Two invocations at once: one has read the facts, which know of no trouble, and has its ledger read only after the other has acted on the
 * trouble that came meanwhile.
 */
const meanwhile = async (
  payload: unknown,
  decide: (situation: ThingSituation) => Decision<MendCall>,
  others: Parameters<typeof instance>[0] = {},
) => {
  const world = fakeWorld();
  const shop = workshop({ [orders]: thing(0) });
  const other = instance({ world, shop, ...others });
  const alarm = async () => {
    world.now += 100;
    shop.things.set(orders, thing(2));
    await other.handler(sqsBatch(alarmEvent({ at: at + 50 })));
    world.now += 100;
  };
  const { promise: observed, resolve } = Promise.withResolvers<void>();
  const late = instance({
    world,
    shop,
    decide,
    before: async (port) => {
      if (port === 'observe') queueMicrotask(resolve);
      if (port !== 'table.getMany') return;
      await observed;
      await alarm();
    },
  });
  const result = await late.handler(payload);
  return { world, shop, result, state: storedState(world, orders) };
};
const onTick = sqsBatch(tick('all'));
const onAlarm = sqsBatch(alarmEvent({ at: at - 1 }));

describe('a look whose facts are older than somebody’s act', () => {
  it.each<[string, Decision<MendCall>]>([
    ['all is well', { kind: 'skip', reason: 'resolved', why: 'It is well.' }],
    ['a person must look', { kind: 'escalate', reason: 'access-denied', why: 'Not allowed.' }],
    ['it is hopeless', { kind: 'escalate', reason: 'not-converging', why: 'Hopeless.', hold: true }],
    [
      'it has to wait',
      { kind: 'defer', reason: 'measuring', until: at + 1_000, why: 'Soon.', remember: { old: true } },
    ],
  ])('leaves the act’s incident, check and memory alone where it finds that %s', async (_, decision) => {
    const { world, result, state } = await meanwhile(onTick, () => decision);

    expect(result.outcomes).toMatchObject([{ decision: 'skip', reason: 'superseded' }]);
    expect(state).toMatchObject({ incident: { steps: 1, check: 1 } });
    expect([state?.hold, state?.remembered]).toEqual([undefined, undefined]);
    expect(world.told.map(({ record }) => record.reason)).toEqual(['scale-up']);
    expect(inboxBodies(world)).toHaveLength(1);
  });

  it('counts where there was no act', async () => {
    const nothing: Decision<MendCall> = { kind: 'skip', reason: 'within-band', why: 'It is well.' };
    const { result } = await meanwhile(onAlarm, mend, { decide: () => nothing });

    expect(result.outcomes).toMatchObject([{ decision: 'skip', reason: 'within-band' }]);
  });

  it('has its news come again where the act ended its incident, and not where its check looks', async () => {
    const problem = { kind: 'skip', reason: 'stream-gone', why: 'It is gone.' } as const;
    const ended = await meanwhile(onAlarm, mend, { act: ({ act }) => ({ actions: act.calls, problem }) });
    const open = await meanwhile(onAlarm, mend);

    expect([ended.state?.incident, open.state?.incident?.steps]).toEqual([undefined, 1]);
    expect([ended, open].map(({ result }) => result.outcomes[0]?.reason)).toEqual(['superseded', 'superseded']);
    expect(inboxBodies(ended.world)).toEqual([alarmEvent({ at: at - 1 })]);
    expect(inboxBodies(open.world)).toMatchObject([{ 'detail-type': 'Follow-up' }]);
  });
});
