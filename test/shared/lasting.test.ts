import { describe, expect, it } from 'vitest';
import type { Decision } from '../../shared/decision.ts';
import { remediation } from '../../shared/remediation.ts';
import { alarmEvent, streamArn } from '../support/event-builders.ts';
import { fakeFunction, type MendCall, mend, type ThingSituation, thing, workshop } from '../support/fake-function.ts';
import { fakeRuntime, nextDueAt, pump, put, storedState } from '../support/fake-runtime.ts';

const HOUR = 3_600_000;
const FIVE_MINUTES = 300_000;

/** A function that decides the same at every look, for so long. */
const forHours = async (
  hours: number,
  decision: (now: number, situation: ThingSituation) => Decision<MendCall>,
  limit = 20_000,
) => {
  const runtime = fakeRuntime();
  const { world } = runtime;
  const shop = workshop({ [streamArn()]: thing(10_000) });
  const fn = fakeFunction(runtime, shop, { decide: (situation, _, now) => decision(now, situation) });
  const handle = remediation(fn, runtime);
  const until = world.now + hours * HOUR;
  put(world, alarmEvent());
  for (let i = 0; i < limit; i++) {
    const next = nextDueAt(world) ?? Number.POSITIVE_INFINITY;
    if (next > until) break;
    world.now = Math.max(world.now, next);
    await pump(world, handle);
  }
  return { world, state: storedState(world, streamArn()), acts: shop.acts.length };
};

const waiting = (lasting: boolean) => (now: number) =>
  ({ kind: 'defer', reason: 'measuring', why: 'It lasts.', until: now + FIVE_MINUTES, lasting }) as const;

describe('a wait that may last', () => {
  it('is told of once a day, and ends in no hold, after whatever time and number of looks', async () => {
    const { world, state } = await forHours(95, waiting(true));

    expect(world.told.map(({ record }) => record.reason)).toEqual(Array(4).fill('measuring'));
    expect(state).not.toHaveProperty('hold');
    expect(state?.incident?.check).toBeGreaterThan(1_000);
  });

  it('is a failure where nobody says that it may last: a person is told after a day, once', async () => {
    const { world, state } = await forHours(48, waiting(false));

    expect(world.told.map(({ record }) => record.reason)).toEqual(['not-converging']);
    expect(state).toHaveProperty('hold');
  });
});

describe('acts beside a wait that may last', () => {
  const mends = (situation: ThingSituation, planned: boolean): Decision<MendCall> => {
    const decision = mend(situation);
    return decision.kind === 'act' ? { ...decision, planned } : decision;
  };

  it('are made after any number of looks', async () => {
    let looks = 0;
    const { state, acts } = await forHours(
      95,
      (now, situation) => (++looks > 1_050 ? mends(situation, true) : waiting(true)(now)),
      1_055,
    );

    expect(acts).toBeGreaterThan(0);
    expect(state).not.toHaveProperty('hold');
  });

  it('that do not help are counted all the same', async () => {
    let looks = 0;
    const { state, acts } = await forHours(95, (now, situation) =>
      ++looks % 2 === 0 ? mends(situation, false) : waiting(true)(now),
    );

    expect(acts).toBe(3);
    expect(state).toHaveProperty('hold');
  });
});

describe('what an act remembers', () => {
  const acting = (now: number): Decision<MendCall> => ({
    kind: 'act',
    reason: 'scale-up',
    why: 'It is broken.',
    calls: [{ call: 'Mend', params: { Resource: streamArn(), Password: 'secret' } }],
    coolDownMs: 0,
    remember: { as: 'it was', at: now },
  });

  const seenByTheCall = async (act: () => void) => {
    const runtime = fakeRuntime();
    let seen: unknown;
    const fn = fakeFunction(runtime, workshop(), {
      decide: (_, __, now) => acting(now),
      act: ({ act: { calls } }) => {
        seen = storedState(runtime.world, streamArn())?.intent?.remember;
        act();
        return { actions: calls };
      },
    });
    await remediation(fn, runtime)(alarmEvent());
    return { seen, after: storedState(runtime.world, streamArn())?.remembered, at: runtime.world.now };
  };

  it('is in the ledger with its intent when the call is made, and stands after it', async () => {
    const { seen, after, at } = await seenByTheCall(() => undefined);
    expect(seen).toEqual({ as: 'it was', at });
    expect(after).toEqual({ as: 'it was', at });
  });

  it('stays there where nobody knows what became of the call', async () => {
    const { after, at } = await seenByTheCall(() => {
      throw new Error('no answer');
    });
    expect(after).toEqual({ as: 'it was', at });
  });

  it('is not written by a dry run', async () => {
    const runtime = fakeRuntime({ stackMode: 'dry-run' });
    const fn = fakeFunction(runtime, workshop(), { decide: (_, __, now) => acting(now) });
    await remediation(fn, runtime)(alarmEvent());
    expect(storedState(runtime.world, streamArn())?.remembered).toBeUndefined();
  });
});
