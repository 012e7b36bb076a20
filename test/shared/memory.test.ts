import { describe, expect, it } from 'vitest';
import type { Decision } from '../../shared/decision.ts';
import type { JsonObject } from '../../shared/json.ts';
import { hold } from '../../shared/ledger/state.ts';
import { LEASE_MS } from '../../shared/remediation.ts';
import { alarmEvent, at, sqsBatch, streamArn } from '../support/event-builders.ts';
import {
  type Fake,
  instance,
  type MendCall,
  mend,
  type ThingSituation,
  thing,
  workshop,
} from '../support/fake-function.ts';
import { fakeWorld, invoke, pump, storedState, type World } from '../support/fake-runtime.ts';

const orders = streamArn('orders');
const rememberedOf = (world: World): JsonObject | undefined => storedState(world, orders)?.remembered;
const occurrence = (n: number) => sqsBatch(alarmEvent({ at: at + n }));

/** Counts its looks, by name; `join` adds up what two of them have counted. */
const counter = (world: World, name: string, before?: (port: string) => Promise<unknown>, joins = true) =>
  instance({
    world,
    ...(before !== undefined && { before }),
    ...(joins && { join: (_: string, theirs: JsonObject, ours: JsonObject) => ({ ...theirs, ...ours }) }),
    decide: ({ ledger }: ThingSituation): Decision<MendCall> => ({
      kind: 'skip',
      reason: 'within-band',
      why: 'Counted.',
      remember: { ...ledger.remembered, [name]: true },
    }),
  });

/** Lets `other` go first when the invocation makes its first conditional write. */
const first = (other: () => Promise<unknown>) => {
  let writes = 0;
  return async (port: string) => {
    if (port === 'table.putIfVersion' && ++writes === 1) await other();
  };
};

describe('what two invocations remember at once', () => {
  it('is joined where the function can', async () => {
    const world = fakeWorld();
    const fast = counter(world, 'fast');
    const slow = counter(
      world,
      'slow',
      first(() => fast.handler(occurrence(1))),
    );

    await slow.handler(occurrence(2));

    expect(rememberedOf(world)).toEqual({ fast: true, slow: true });
  });

  it("is the last one's where it cannot", async () => {
    const world = fakeWorld();
    const fast = counter(world, 'fast', undefined, false);
    const slow = counter(
      world,
      'slow',
      first(() => fast.handler(occurrence(1))),
      false,
    );

    await slow.handler(occurrence(2));

    expect(rememberedOf(world)).toEqual({ slow: true });
  });

  it('replaces what was remembered where nobody came between', async () => {
    const world = fakeWorld();
    const one = instance({
      world,
      join: (_, theirs, ours) => ({ ...theirs, ...ours }),
      decide: ({ ledger }) => ({
        kind: 'skip',
        reason: 'within-band',
        why: 'Counted.',
        remember: { looks: [...Object.keys(ledger.remembered)].length },
      }),
    });

    await one.handler(occurrence(1));
    await one.handler(occurrence(2));

    expect(rememberedOf(world)).toEqual({ looks: 1 });
  });
});

describe('a look at facts older than an act', () => {
  const acting = (world: World) =>
    instance({ world, decide: (situation) => ({ ...mend(situation), remember: { mended: true } }) });
  /** Decides while another acts on the same resource, from its beginning to its end. */
  const late = (world: World, decision: Decision<MendCall>, options: Parameters<typeof instance>[0] = {}) =>
    instance({
      world,
      ...options,
      decide: () => ({ ...decision, remember: { late: true } }),
      before: first(() => acting(world).handler(occurrence(1))),
    });

  it.each<[string, Decision<MendCall>]>([
    ['nothing to do', { kind: 'skip', reason: 'within-band', why: 'It was well.' }],
    ['a wait', { kind: 'defer', reason: 'measuring', until: at + 900_000, why: 'It was young.' }],
  ])('leaves what the act remembers, and when it is verified: %s', async (_, decision) => {
    const world = fakeWorld();

    await late(world, decision).handler(occurrence(2));

    expect(rememberedOf(world)).toEqual({ mended: true });
    expect(storedState(world, orders)?.incident).toMatchObject({ check: 1, nextCheckAt: at + 60_000 });
    expect(world.inbox).toHaveLength(1);
  });

  it('does not act, though its facts are newer: what it remembers is older', async () => {
    const world = fakeWorld();
    const slow = instance({
      world,
      decide: (situation) => ({ ...mend(situation), remember: { slow: true } }),
      observe: async (watches) => {
        await acting(world).handler(occurrence(1));
        world.now += 1;
        return new Map(
          watches.map(({ resource }) => [
            resource,
            { facts: { asOf: world.now, arn: resource, tags: { 'reflex:enabled': 'true' }, trouble: 1, told: [] } },
          ]),
        );
      },
    });

    const { outcomes } = await slow.handler(occurrence(2));

    expect(outcomes).toMatchObject([{ decision: 'skip', reason: 'superseded' }]);
    expect(slow.shop.acts).toEqual([]);
    expect(rememberedOf(world)).toEqual({ mended: true });
  });

  it('comes again with what only its event knows', async () => {
    const world = fakeWorld();
    const hear: Fake['hear'] = async (events) =>
      events.map((event) => {
        const when = event.kind === 'alarm' ? event.at : 0;
        const occurrence = `notice ${when}`;
        return {
          signals: [{ resource: orders, trigger: 'event', cause: 'a notice', occurrence, at: when, evidence: 'it' }],
        };
      });
    const wait = { kind: 'defer', reason: 'measuring', until: at + 900_000, why: 'It was young.' } as const;

    await late(world, wait, { hear }).handler(occurrence(2));

    expect(world.inbox).toMatchObject([
      { body: expect.stringContaining('Follow-up') },
      { body: JSON.stringify(alarmEvent({ at: at + 2 })), dueAt: at + 5_000 },
    ]);
  });
});

describe('what a crashed act has left to remember', () => {
  it('is joined with what others have remembered meanwhile', async () => {
    const world = fakeWorld();
    const union = (_: string, theirs: JsonObject, ours: JsonObject) => ({ ...theirs, ...ours });
    const looking = counter(world, 'looked');
    const crashing = instance({
      world,
      join: union,
      decide: (situation) => ({ ...mend(situation), remember: { mended: true } }),
      trouble: (port) => (port === 'act' ? 'crash after' : 'none'),
      before: first(() => looking.handler(occurrence(2))),
    });
    await invoke(crashing.runtime, crashing.handler, occurrence(1));
    world.now += LEASE_MS;

    const known: JsonObject[] = [];
    const next = instance({
      world,
      join: union,
      decide: ({ ledger }) => {
        known.push(ledger.remembered);
        return { kind: 'skip', reason: 'within-band', why: 'It is well.' };
      },
    });
    await next.handler(occurrence(3));

    expect(known).toEqual([{ mended: true, looked: true }]);
  });

  it('is what the facts are completed with', async () => {
    const world = fakeWorld();
    const crashing = instance({
      world,
      decide: (situation) => ({ ...mend(situation), remember: { trouble: 7 } }),
      trouble: (port) => (port === 'act' ? 'crash after' : 'none'),
    });
    await invoke(crashing.runtime, crashing.handler, occurrence(1));
    world.now += LEASE_MS;
    const seen: number[] = [];
    const next = instance({
      world,
      recall: (facts, { trouble }) => ({ ...facts, trouble: Number(trouble) }),
      decide: ({ trouble }) => {
        seen.push(trouble);
        return { kind: 'skip', reason: 'within-band', why: 'It is well.' };
      },
    });

    await next.handler(occurrence(2));

    expect(seen).toEqual([7]);
  });
});

it('what somebody else writes beside the memory is no reason to join', async () => {
  const joins: string[] = [];
  const world = fakeWorld();
  await counter(world, 'once').handler(occurrence(1));
  const one = instance({
    world,
    join: (resource, _, ours) => {
      joins.push(resource);
      return ours;
    },
    decide: () => ({ kind: 'skip', reason: 'within-band', why: 'Counted.', remember: { twice: true } }),
    before: first(() =>
      one.runtime.ledger.update({ fn: 'fake', resource: orders }, undefined, (state) => ({
        state: hold(state, { reason: 'I look at it.', by: 'ann' }, at),
      })),
    ),
  });

  await one.handler(occurrence(2));

  expect(joins).toEqual([]);
  expect(rememberedOf(world)).toEqual({ twice: true });
});

describe('what an act would remember otherwise', () => {
  const acting = (options: Parameters<typeof instance>[0]) =>
    instance({
      ...options,
      decide: (situation) => ({
        ...mend(situation),
        remember: { done: true },
        otherwise: { seen: true },
      }),
    });

  it.each([
    ['in a dry run', { stackMode: 'dry-run' } as const],
    ['where a guard stops it', { calendar: async () => ({ open: false, until: null }) }],
    [
      'where AWS refuses it',
      {
        act: () => ({
          actions: [],
          problem: { kind: 'escalate', reason: 'access-denied', why: 'Mend was denied.' } as const,
        }),
      },
    ],
  ])('is remembered %s', async (_, options) => {
    const one = acting(options);

    await one.handler(occurrence(1));

    expect(rememberedOf(one.world)).toEqual({ seen: true });
  });

  it('is remembered where somebody was faster to hold it', async () => {
    const one = acting({
      before: first(() =>
        one.runtime.ledger.update({ fn: 'fake', resource: orders }, undefined, (state) => ({
          state: hold(state, { reason: 'I look at it.', by: 'ann' }, at),
        })),
      ),
    });

    const { outcomes } = await one.handler(occurrence(1));

    expect(outcomes).toMatchObject([{ decision: 'skip', reason: 'held' }]);
    expect(rememberedOf(one.world)).toEqual({ seen: true });
  });

  it('is remembered where a person has to go on', async () => {
    const one = acting({ shop: workshop({ [orders]: thing(9) }) });
    await one.handler(occurrence(1));
    for (let check = 1; check <= 3; check++) {
      one.world.now += 60_000;
      await pump(one.world, one.handler);
    }

    expect(storedState(one.world, orders)).toHaveProperty('hold');
    expect(rememberedOf(one.world)).toEqual({ seen: true });
  });

  it('is not remembered where it is made', async () => {
    const one = acting({});

    await one.handler(occurrence(1));

    expect(rememberedOf(one.world)).toEqual({ done: true });
  });
});

describe('an escalation', () => {
  const finding = (name: (now: number) => string | undefined) =>
    instance({
      decide: (_, __, now): Decision<MendCall> => {
        const found = name(now);
        return { kind: 'escalate', reason: 'hot-key', why: 'Look.', ...(found !== undefined && { finding: found }) };
      },
    });
  const tellings = async (one: ReturnType<typeof finding>, times: readonly number[]) => {
    for (const after of times) {
      one.world.now = at + after;
      await one.handler(occurrence(after));
    }
    return one.world.told.length;
  };

  it('is told once a day for each of its findings', async () => {
    expect(
      await tellings(
        finding((now) => `storm ${now < at + 5 ? 1 : 2}`),
        [1, 2, 6, 7],
      ),
    ).toBe(2);
  });

  it('is told once a day for its reason where it names none', async () => {
    expect(
      await tellings(
        finding(() => undefined),
        [1, 2, 6, 7],
      ),
    ).toBe(1);
  });
});
