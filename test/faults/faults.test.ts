import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { functions, hasWorld, howToAdd, openWorld } from '../support/faults/functions.ts';
import { randomFrom, seed } from '../support/faults/random.ts';
import { report, table } from '../support/faults/report.ts';
import { ENDPOINT, type Ending, type Play, play } from '../support/faults/stage.ts';
import { brakes, conditions, faultsOf, LEDGER_GONE, several } from '../support/faults/trouble.ts';
import { FAULTS } from '../support/faults/wire.ts';
import type { FaultWorld } from '../support/faults/world.ts';

const SLOW = 600_000;

interface Count {
  plays: number;
  injected: number;
  done: number;
  told: number;
}
const counts = new Map<string, Count>(FAULTS.map((fault) => [fault, { plays: 0, injected: 0, done: 0, told: 0 }]));
const braking = new Map<string, { plays: number; injected: number; writes: number }>();
const byFunction = new Map<string, Count & { calls: number }>();

const countOf = (kind: string): Count => {
  const count = counts.get(kind) ?? { plays: 0, injected: 0, done: 0, told: 0 };
  counts.set(kind, count);
  return count;
};

const worlds = new Map<string, FaultWorld>();
const worldOf = async (name: string): Promise<FaultWorld> => {
  const world = worlds.get(name) ?? (await openWorld(name));
  worlds.set(name, world);
  return world;
};

beforeEach(() => {
  vi.stubEnv('AWS_ENDPOINT_URL', ENDPOINT);
  vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'true');
  vi.spyOn(Math, 'random').mockReturnValue(0);
});

afterAll(async () => {
  for (const world of worlds.values()) await world.close();
  const row = (name: string, { plays, injected, done, told }: Count) => [name, plays, injected, done, told];
  report(
    'faults',
    [
      table(
        ['what went wrong', 'plays', 'calls hit', 'work done', 'a person told'],
        [...counts].map(([kind, count]) => row(kind, count)),
      ),
      table(
        ['brake', 'plays', 'calls hit', 'writes'],
        [...braking].map(([brake, { plays, injected, writes }]) => [brake, plays, injected, writes]),
      ),
      table(
        ['function', 'plays', 'calls hit', 'work done', 'a person told', 'calls of one undisturbed play'],
        [...byFunction].map(([name, count]) => [...row(name, count), count.calls]),
      ),
    ].join('\n\n'),
  );
});

/** Plays, counts, and says what should not have been. */
const judged = async (name: string, kind: string, options: Play): Promise<{ end: Ending; wrong: string[] }> => {
  const end = await play(await worldOf(name), options);
  const own = byFunction.get(name) ?? { plays: 0, injected: 0, done: 0, told: 0, calls: 0 };
  byFunction.set(name, own);
  for (const count of [countOf(kind), own]) {
    count.plays++;
    count.injected += end.injected;
    if (end.ended === 'done') count.done++;
    if (end.ended === 'told') count.told++;
  }
  const wrong = [...end.violations, ...(end.ended === 'neither' ? ['not done, and nobody was told'] : [])];
  return { end, wrong: wrong.map((what) => `${kind}: ${what}`) };
};

const undisturbed = async (name: string): Promise<Ending> => {
  const end = await play(await worldOf(name));
  const own = byFunction.get(name) ?? { plays: 0, injected: 0, done: 0, told: 0, calls: 0 };
  byFunction.set(name, { ...own, calls: end.calls.length });
  return end;
};

it('every function has a world to be tried in', async () => {
  const missing = functions.filter((name) => !hasWorld(name)).map(howToAdd);

  expect(missing).toEqual([]);
});

describe.each(functions.filter(hasWorld))('%s', (name) => {
  it('does its work where nothing goes wrong', async () => {
    const end = await undisturbed(name);

    expect(end).toMatchObject({ ended: 'done', violations: [] });
    expect(end.writes.length > 0).toBe((await worldOf(name)).acts);
  });

  it(
    'acts once and ends its work, or tells a person, whichever single call goes wrong and however',
    async () => {
      const { calls } = await undisturbed(name);
      const wrong: string[] = [];

      for (const [i, label] of calls.entries()) {
        for (const fault of faultsOf(calls, i)) {
          const one = await judged(name, fault, { fault: (_, n) => (n === i + 1 ? fault : undefined) });
          wrong.push(...one.wrong.map((what) => `call ${i + 1}, ${label}, ${what}`));
        }
      }

      expect(wrong).toEqual([]);
    },
    SLOW,
  );

  it(
    'acts once and ends its work, or tells a person, in any order of deliveries, by any clock, through a fault',
    async () => {
      const random = randomFrom(seed);
      const { calls } = await undisturbed(name);
      const wrong: string[] = [];

      for (let i = 0; i < 25; i++) {
        const { options, words } = several(random, calls);
        const { wrong: found } = await judged(name, 'several at once', options);
        wrong.push(...found.map((what) => `seed ${seed}, play ${i + 1}: ${words}: ${what}`));
      }

      expect(wrong).toEqual([]);
    },
    SLOW,
  );

  it.each(Object.entries(conditions))('lives through this: %s', async (kind, condition) => {
    const { end, wrong } = await judged(name, kind, condition());

    expect(wrong).toEqual([]);
    const { onGuardError } = await worldOf(name);
    if (kind === LEDGER_GONE && onGuardError === 'stop') expect(end.writes).toEqual([]);
  });

  it('acts the same where no X-Ray daemon listens', async () => {
    const { outcomes } = await undisturbed(name);
    vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', '127.0.0.1:9');
    vi.stubEnv('_X_AMZN_TRACE_ID', 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1');

    const { end, wrong } = await judged(name, 'no X-Ray daemon', {});

    expect(wrong).toEqual([]);
    expect(end.outcomes).toEqual(outcomes);
  });

  it.each(Object.keys(brakes))(
    'writes nothing where %s, whatever call goes wrong',
    async (brake) => {
      const world = await worldOf(name);
      const braked = brakes[brake]?.(name, world, await undisturbed(name), world.scene({ optedIn: true }).resource);
      if (braked === undefined || braked === null) return;
      const { calls } = await play(world, braked.play);
      const wrong: string[] = [];

      for (const [i, label] of ['', ...calls].entries()) {
        if (braked.overlookable && world.onGuardError === 'proceed' && /^ledger:|^calendar$/.test(label)) continue;
        for (const fault of ['throttle', 'silent', 'crash-after'] as const) {
          const end = await play(world, { ...braked.play, fault: (_, n) => (n === i ? fault : undefined) });
          const tried = braking.get(brake) ?? { plays: 0, injected: 0, writes: 0 };
          braking.set(brake, tried);
          tried.plays++;
          tried.injected += end.injected;
          tried.writes += braked.forbids(end).length;
          if (braked.forbids(end).length > 0) wrong.push(`call ${i}, ${label}, ${fault}: ${braked.forbids(end)}`);
        }
      }

      expect(wrong).toEqual([]);
    },
    SLOW,
  );
});
