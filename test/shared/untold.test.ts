import { describe, expect, it } from 'vitest';
import { notificationBody } from '../../shared/events/reflex-notification.ts';
import { alarmEvent, at, sqsBatch } from '../support/event-builders.ts';
import { instance } from '../support/fake-function.ts';
import { inboxSettings, pump, put, type Trouble } from '../support/fake-runtime.ts';

const untold = { subject: 'Reflex needs you: fake stream/orders', message: '{"default":"..."}' };
const body = notificationBody(untold);
const refused = (port: string): Trouble => (port === 'publish' ? 'refused' : 'none');

describe('a notification that SNS did not take', () => {
  it('is told when the inbox brings it, once', async () => {
    const one = instance();
    put(one.world, body, 60);
    one.world.now += 60_000;

    const result = await pump(one.world, one.handler);

    expect(one.world.toldLate).toMatchObject([untold]);
    expect(result).toMatchObject({ batchItemFailures: [], outcomes: [], failures: [] });
    expect([one.world.inbox, one.world.deadLetters]).toEqual([[], []]);
  });

  it('comes again while SNS refuses it, and the dead-letter queue keeps it in the end', async () => {
    const one = instance({ trouble: refused });
    put(one.world, body);

    for (let n = 0; n < inboxSettings.receivesAtMost; n++) {
      await pump(one.world, one.handler);
      one.world.now += inboxSettings.hiddenMs;
    }

    expect(one.world.inbox).toEqual([]);
    expect(one.world.deadLetters).toMatchObject([{ body, received: inboxSettings.receivesAtMost }]);
  });

  it('holds up nothing that is urgent, and fails nothing but itself', async () => {
    const one = instance({ trouble: refused });

    const result = await one.handler(sqsBatch(body, alarmEvent()));

    const { calls } = one.runtime;
    expect(calls.indexOf('publish')).toBeGreaterThan(calls.indexOf('act'));
    expect(result.outcomes).toMatchObject([{ decision: 'act' }]);
    expect(result.batchItemFailures).toEqual([{ itemIdentifier: '00000000-0000-4000-8000-000000000000' }]);
  });

  it('that a person sends by hand waits in the inbox where SNS refuses it', async () => {
    const one = instance({ trouble: refused });

    await one.handler(JSON.parse(body));

    expect(one.world.inbox).toMatchObject([{ body, dueAt: at + 30_000 }]);
  });
});
