import { describe, expect, it } from 'vitest';
import { receive } from '../../shared/events/envelope.ts';
import type { ReflexEvent } from '../../shared/events/event.ts';
import { notificationBody } from '../../shared/events/reflex-notification.ts';
import { hold } from '../../shared/ledger/state.ts';
import { listen, sendFollowUps } from '../../shared/listen.ts';
import { alarmEvent, at, followUp, sqsBatch, streamArn, tick } from '../support/event-builders.ts';
import { fakeFunction, type instance, workshop } from '../support/fake-function.ts';
import { type FakeOptions, fakeRuntime, inboxBodies } from '../support/fake-runtime.ts';

const minute = 60_000;
const hour = 60 * minute;
const orders = streamArn('orders');
const check = { fn: 'fake', resource: orders, incidentId: 'rfx-1', check: 3 };

function prepare(options: FakeOptions & Parameters<typeof instance>[0] = {}) {
  const runtime = fakeRuntime(options);
  const fn = fakeFunction(runtime, workshop(), options);
  const hearing = (...bodies: unknown[]) => listen(fn, runtime, receive(sqsBatch(...bodies)).messages);
  return { runtime, fn, hearing, world: runtime.world };
}

describe('listening', () => {
  it('asks the function once for all events of a batch', async () => {
    const { hearing, runtime } = prepare();

    const { heeded } = await hearing(alarmEvent(), alarmEvent({ stream: 'clicks' }), tick('all'));

    expect(runtime.calls.filter((call) => call === 'hear')).toHaveLength(1);
    expect(heeded.map(({ signal }) => [signal.resource, signal.trigger])).toEqual([
      [orders, 'tick'],
      [orders, 'alarm'],
      [streamArn('clicks'), 'alarm'],
    ]);
  });

  it('does not ask the function where there is nothing to ask', async () => {
    const { hearing, runtime } = prepare();

    await hearing(tick('incidents'), '{');

    expect(runtime.calls).not.toContain('hear');
  });

  it('keeps what is broken, what failed and what is not for us apart', async () => {
    const { hearing } = prepare({
      trouble: (port) => (port === 'table.queryAttention' ? 'refused' : 'none'),
    });

    const { heeded, notForUs, failed } = await hearing(
      '{',
      tick('all'),
      { ...alarmEvent(), source: 'x' },
      alarmEvent(),
    );

    expect(failed.map(({ message, broken }) => [message.id.at(-1), broken])).toEqual([
      ['0', true],
      ['1', false],
    ]);
    expect(notForUs).toEqual(['unknown-source']);
    expect(heeded).toHaveLength(1);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no');
      },
    ],
    ['answers for fewer events than it was asked', async () => []],
  ])('fails the events of a function that %s, and nothing else', async (_, hear) => {
    const { hearing } = prepare({ hear });

    const { heeded, failed } = await hearing(alarmEvent(), followUp({ ...check, notBefore: at }));

    expect(failed).toMatchObject([{ broken: false }]);
    expect(heeded).toMatchObject([{ check: { id: 'rfx-1', check: 3 } }]);
  });
});

describe('a follow-up', () => {
  it('that is due names its resource and its check', async () => {
    const { hearing } = prepare();

    expect((await hearing(followUp({ ...check, notBefore: at }))).heeded).toMatchObject([
      {
        signal: {
          resource: orders,
          trigger: 'follow-up',
          cause: 'follow-up 3 of rfx-1',
          occurrence: '',
          at,
        },
        check: { id: 'rfx-1', check: 3 },
      },
    ]);
  });

  it('of another function is not for us', async () => {
    const { hearing } = prepare();

    expect(await hearing(followUp({ fn: 'other', notBefore: at }))).toMatchObject({
      heeded: [],
      notForUs: ['another-function'],
    });
  });

  it('that comes too early is put back for the rest of its time, 15 minutes at most', async () => {
    for (const [early, delay] of [
      [1_001, 2_000],
      [10 * minute, 10 * minute],
      [2 * hour, 15 * minute],
    ] as const) {
      const { hearing, world } = prepare();

      const { heeded, notForUs } = await hearing(followUp({ ...check, notBefore: at + early }));

      expect([heeded, notForUs]).toEqual([[], ['not-due-yet']]);
      expect(world.inbox.map(({ dueAt }) => dueAt - at)).toEqual([delay]);
      expect(inboxBodies(world)).toEqual([followUp({ ...check, notBefore: at + early })]);
    }
  });

  it('that comes a second early is not sent round again', async () => {
    const { hearing, world } = prepare();

    expect((await hearing(followUp({ ...check, notBefore: at + 1_000 }))).heeded).toHaveLength(1);
    expect(world.inbox).toEqual([]);
  });

  it('that cannot be put back fails, so that it comes again', async () => {
    const { hearing } = prepare({ trouble: (port) => (port === 'enqueue' ? 'refused' : 'none') });

    expect(await hearing(followUp({ ...check, notBefore: at + minute }))).toMatchObject({
      heeded: [],
      failed: [{ broken: false, error: new Error('enqueue refused') }],
    });
  });

  it('that is more than a day off is left to the sweep', async () => {
    const { hearing, world } = prepare();

    await hearing(
      followUp({ ...check, notBefore: at + 24 * hour + 1 }),
      followUp({ ...check, notBefore: Number.MAX_SAFE_INTEGER }),
    );
    expect(world.inbox).toEqual([]);

    await hearing(followUp({ ...check, notBefore: at + 24 * hour }));
    expect(world.inbox).toHaveLength(1);
  });
});

describe('a full batch', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => alarmEvent({ stream: `s${i}` }));
  const small = (event: ReflexEvent) => (event.kind === 'alarm' ? alarmEvent({ stream: event.alarmName }) : null);
  const due = (world: ReturnType<typeof prepare>['world']) => [...new Set(world.inbox.map(({ dueAt }) => dueAt - at))];

  it('goes back as a few bundles, which are heard when they come', async () => {
    const { hearing, runtime, world } = prepare({ condense: small });

    const first = await hearing(...many(800), followUp({ ...check, notBefore: at }));
    const later = await hearing(...world.inbox.map(({ body }) => JSON.parse(body)));

    expect(first.heeded).toMatchObject([{ check: { id: 'rfx-1' } }]);
    expect(first.notForUs).toEqual(Array.from({ length: 800 }, () => 'bundled'));
    expect(due(world)).toEqual([2_000]);
    expect(world.inbox.length).toBeLessThan(800 / 10);
    expect(later.notForUs).toEqual([]);
    expect(later.heeded).toHaveLength(800);
    expect(runtime.calls.filter((call) => call === 'enqueue')).toHaveLength(1);
  });

  it('of few events that are large is full as well', async () => {
    const { hearing, world } = prepare({ condense: small });
    const large = many(400).map((event) => ({ ...event, padding: 'x'.repeat(10_000) }));

    expect((await hearing(...large)).heeded).toEqual([]);
    expect(world.inbox).not.toEqual([]);
  });

  it.each([
    ['one less', 799, { condense: small }],
    ['of a function whose acts are not merged', 800, {}],
    ['of events that it does not condense', 800, { condense: () => null }],
  ])('is none: %s', async (_, count, options) => {
    const { hearing, world } = prepare(options);

    expect((await hearing(...many(count))).heeded).toHaveLength(count);
    expect(world.inbox).toEqual([]);
  });

  it('is heard as it came where the inbox takes nothing', async () => {
    const { hearing, runtime } = prepare({
      condense: small,
      trouble: (port) => (port === 'enqueue' ? 'refused' : 'none'),
    });

    expect((await hearing(...many(800))).heeded).toHaveLength(800);
    expect(runtime.errors).toHaveLength(1);
  });

  it('is heard as far as the inbox did not take it, and the log says so', async () => {
    const { fn, runtime } = prepare({ condense: small });
    const half: typeof runtime = { ...runtime, enqueue: async () => [{ index: 0, message: 'no' }] };

    const { heeded, notForUs } = await listen(fn, half, receive(sqsBatch(...many(800))).messages);

    expect(heeded.length).toBeGreaterThan(0);
    expect(heeded.length + notForUs.length).toBe(800);
    expect(heeded.length).toBeLessThan(100);
    expect(runtime.errors).toHaveLength(1);
  });
});

describe('sending follow-ups', () => {
  const one = { resource: orders, incidentId: 'rfx-1', check: 3, notBefore: at + 1 };
  const later = { ...one, notBefore: at + minute };

  it('puts what is due together into one message, fifty checks in each', async () => {
    const { runtime, world } = prepare();
    const clicks = { ...one, resource: streamArn('clicks') };

    await sendFollowUps(runtime, 'fake', [one, later, clicks]);
    await sendFollowUps(
      runtime,
      'fake',
      Array.from({ length: 101 }, () => one),
    );

    const sent = inboxBodies(world) as ReturnType<typeof followUp>[];
    expect(sent.map(({ detail }) => detail.checks.length)).toEqual([2, 1, 50, 50, 1]);
    expect(sent[0]?.detail).toMatchObject({
      notBefore: at + 1,
      checks: [{ resource: orders }, { resource: clicks.resource }],
    });
  });

  it('brings each check of a message to its resource', async () => {
    const { runtime, hearing, world } = prepare();
    await sendFollowUps(runtime, 'fake', [one, { ...one, resource: streamArn('clicks'), check: 8 }]);

    const { heeded } = await hearing(...inboxBodies(world));

    expect(heeded.map(({ signal, check }) => [signal.resource, check])).toEqual([
      [orders, { id: 'rfx-1', check: 3 }],
      [streamArn('clicks'), { id: 'rfx-1', check: 8 }],
    ]);
  });

  it('delays by whole seconds, never too short and never negative', async () => {
    const { runtime, world } = prepare();

    await sendFollowUps(runtime, 'fake', [one, { ...one, notBefore: at - hour }]);

    expect(world.inbox.map(({ dueAt }) => dueAt - at)).toEqual([1_000, 0]);
  });

  it('says how many the inbox did not take, and why', async () => {
    const { runtime } = prepare();
    const refusing = { ...runtime, enqueue: async () => [{ index: 1, message: 'InternalError' }] };

    await expect(sendFollowUps(refusing, 'fake', [one, later])).rejects.toThrow(
      'follow-ups not sent: 1 (InternalError)',
    );
  });

  it('of none asks nobody', async () => {
    const { runtime } = prepare();

    await sendFollowUps(runtime, 'fake', []);

    expect(runtime.calls).toEqual([]);
  });
});

describe('a tick', () => {
  it('counts the held resources, and looks at none for being held', async () => {
    const { hearing, runtime, world } = prepare();
    await runtime.ledger.update({ fn: 'fake', resource: orders }, undefined, (state) => ({
      state: hold(state, { reason: 'no', by: 'ann' }, world.now),
    }));

    expect((await hearing(tick('incidents'))).heeded).toEqual([]);
    expect(runtime.measured).toContainEqual(['held', 'fake', 1]);
  });

  it('asks for every opted-in resource only where it is for all', async () => {
    const { hearing, runtime } = prepare();

    await hearing(tick('incidents'));
    expect(runtime.calls).not.toContain('sweep');
    await hearing(tick('all'));
    expect(runtime.calls).toContain('sweep');
  });

  it('fails where the function cannot list its resources', async () => {
    const { hearing } = prepare({ trouble: (port) => (port === 'sweep' ? 'refused' : 'none') });

    expect(await hearing(tick('all'))).toMatchObject({ heeded: [], failed: [{ broken: false }] });
  });
});

describe('a notification that SNS did not take', () => {
  it('is nobody’s resource, and no work for the function', async () => {
    const { hearing, runtime } = prepare();
    const body = notificationBody({ subject: 'Reflex needs you', message: '{"default":"..."}' });

    const { heeded, untold, notForUs, failed } = await hearing(body);

    expect([heeded, notForUs, failed]).toEqual([[], [], []]);
    expect(untold).toMatchObject([
      { notification: { subject: 'Reflex needs you', message: '{"default":"..."}' }, message: { raw: body } },
    ]);
    expect(runtime.calls).toEqual([]);
  });
});
