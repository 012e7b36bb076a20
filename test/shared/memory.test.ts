import { describe, expect, it } from 'vitest';
import type { Decision } from '../../shared/decision.ts';
import type { JsonObject } from '../../shared/json.ts';
import { alarmEvent, at, sqsBatch, streamArn } from '../support/event-builders.ts';
import { instance, type MendCall, mend, type ThingSituation } from '../support/fake-function.ts';
import { fakeWorld, storedState, type World } from '../support/fake-runtime.ts';

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
  ])('is remembered %s', async (_, options) => {
    const one = acting(options);

    await one.handler(occurrence(1));

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
