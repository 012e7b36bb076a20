import { describe, expect, it } from 'vitest';
import { relieveElastiCache } from '../../../functions/relieve-elasticache/function.ts';
import { remediation } from '../../../shared/remediation.ts';
import { engineAlarm, offered, readLoad } from '../../support/cache-load.ts';
import { sqsBatch, tick } from '../../support/event-builders.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';
import { fakeRuntime, fakeWorld } from '../../support/fake-runtime.ts';

/** Two invocations at once: at each call that one makes to a port, the other runs from its beginning to its end. */

const MINUTE = 60_000;
const fake = await useFakeAwsWithDynamodb();

const alarm = (name: string) => engineAlarm(name, fake.clock());

interface Play {
  /** The call before which the other runs, from 1 on. */
  readonly nth: number;
  /** How long the first is held up by then. */
  readonly heldMs: number;
  readonly event: (name: string) => object;
}

/** Plays it, then lets what it left behind take its course for an hour. False: there was no such call. */
const play = async ({ nth, heldMs, event }: Play): Promise<boolean> => {
  const world = fakeWorld(fake.clock());
  const pass = (ms: number) => {
    fake.clock.advance(ms);
    world.now = fake.clock();
  };
  const instance = (before?: (port: string) => Promise<unknown>) => {
    const runtime = fakeRuntime({ world, ...(before && { before }) });
    const fn = relieveElastiCache({}, fake.clock);
    return remediation(
      {
        ...fn,
        observe: (watches) => runtime.port('observe', () => fn.observe(watches)),
        act: (approved) => runtime.port('act', () => fn.act(approved)),
      },
      { ...runtime, clock: fake.clock },
    );
  };
  let calls = 0;
  const other = instance();
  const one = instance(async () => {
    if (++calls !== nth) return;
    await other(event('other'));
    pass(heldMs);
  });
  await one(event('one'));
  for (let minute = 1; minute <= 60; minute++) {
    pass(MINUTE);
    for (const message of world.inbox.filter(({ dueAt }) => dueAt <= world.now)) {
      world.inbox.splice(world.inbox.indexOf(message), 1);
      await other(sqsBatch(JSON.parse(message.body)));
    }
    if (minute % 5 === 0) await other(tick('incidents'));
  }
  return calls >= nth;
};

describe('two invocations', () => {
  it.each([0, 30_000, 5 * MINUTE])(
    'add one replica, where one is held up for %d ms at any of its calls',
    async (heldMs) => {
      for (let nth = 1; ; nth++) {
        fake.reset();
        fake.elasticache.createGroup('orders', { replicas: 1 });
        offered(
          fake,
          'orders',
          readLoad(() => 1.9),
        );
        if (!(await play({ nth, heldMs, event: alarm }))) break;

        expect(fake.called('IncreaseReplicaCount'), `at call ${nth}`).toHaveLength(1);
      }
    },
  );

  it.each([0, 5 * MINUTE])(
    'take one replica away, where one is held up for %d ms at any of its calls',
    async (heldMs) => {
      for (let nth = 1; ; nth++) {
        fake.reset();
        const tags = { 'reflex:enabled': 'true', 'reflex:scale-in': 'all' };
        fake.elasticache.createGroup('orders', { replicas: 3, tags });
        offered(
          fake,
          'orders',
          readLoad(() => 0.3),
        );
        if (!(await play({ nth, heldMs, event: () => tick('all') }))) break;

        expect(fake.called('DecreaseReplicaCount'), `at call ${nth}`).toHaveLength(1);
      }
    },
  );
});
