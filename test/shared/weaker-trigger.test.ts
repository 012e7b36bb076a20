import { expect, it } from 'vitest';
import type { Trigger } from '../../shared/function.ts';
import { alarmEvent, at, sqsBatch, tick } from '../support/event-builders.ts';
import { type Instance, instance, mend } from '../support/fake-function.ts';
import { inboxBodies } from '../support/fake-runtime.ts';

const alarm = alarmEvent();
const minute = 60_000;

/** An act on the alarm, and a minute later a batch; what was looked at for the batch, and with which trigger it was decided. */
const after = async (batchOf: (followUp: unknown) => readonly unknown[]) => {
  const decided: Trigger[] = [];
  const one: Instance = instance({
    decide: (situation) => {
      decided.push(situation.trigger);
      return mend(situation);
    },
  });
  await one.handler(sqsBatch(alarm));
  const [followUp] = inboxBodies(one.world);
  one.shop.watches.length = 0;
  decided.length = 0;
  one.world.now += minute;
  await one.handler(sqsBatch(...batchOf(followUp)));
  return { decided, looks: one.shop.watches.map(({ trigger, signals }) => [trigger, signals.length]) };
};

it('what is decided on a weaker trigger rests on facts that were read for it', async () => {
  const { decided, looks } = await after((followUp) => [alarm, followUp]);

  expect(decided).toEqual(['follow-up']);
  expect(looks).toEqual([
    ['alarm', 2],
    ['follow-up', 1],
  ]);
});

it.each<[string, (followUp: unknown) => readonly unknown[], readonly Trigger[], readonly [Trigger, number][]]>([
  ['a new alarm weighs as much', (f) => [alarm, alarmEvent({ at: at + 1 }), f], ['alarm'], [['alarm', 3]]],
  ['the weaker one counts no more', (f) => [alarmEvent({ at: at + 1 }), f, f], ['alarm'], [['alarm', 3]]],
  ['nothing counts', () => [alarm, alarm], [], [['alarm', 2]]],
  ['there is but one', (followUp) => [followUp], ['follow-up'], [['follow-up', 1]]],
])('is read once where %s', async (_, batchOf, triggers, once) => {
  const { decided, looks } = await after(batchOf);

  expect([decided, looks]).toEqual([triggers, once]);
});

it('is read once where the ledger does not answer', async () => {
  const one = instance({ trouble: (port) => (port === 'table.getMany' ? 'refused' : 'none') });

  await one.handler(sqsBatch(alarm, tick('all')));

  expect(one.shop.watches).toHaveLength(1);
});
