import { describe, expect, it } from 'vitest';
import type { HistoryRecord } from '../../shared/ledger/types.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { type FakeOptions, fakeRuntime, fakeWorld, storedState } from '../support/fake-runtime.ts';

const about = 'arn:aws:ecs:eu-west-1:111122223333:service/prod/web';
const HOUR = 3_600_000;

const record = (resource: string): HistoryRecord => ({
  fn: 'drain-fargate',
  resource,
  recordId: `2026-03-05T03:12:00.123Z#${resource}`,
  at: 0,
  incidentId: null,
  trigger: 'event',
  cause: '',
  decision: 'act',
  reason: 'spot-interruption',
  why: '',
  mode: 'on',
  dryRun: false,
  actions: [],
  facts: null,
});

const swarm = (options: FakeOptions = {}, key = 'act') => {
  const runtime = fakeRuntime(options);
  const quiet = inSwarms(runtime, ({ resource }) => (resource === 'silent' ? null : { about, key }));
  return { runtime, quiet, told: () => runtime.world.told.map(({ record }) => record.resource) };
};

describe('in swarms', () => {
  it('no number of resources stops anything', () => {
    expect(swarm({ stormLimit: 10 }).quiet.stormLimit).toBe(Number.POSITIVE_INFINITY);
  });

  it('people are told once a day of each subject, with the first record and its next check', async () => {
    const world = fakeWorld();
    const { quiet, told } = swarm({ world });

    await Promise.all(['a', 'b', 'c'].map((resource) => quiet.notify(record(resource), 7)));
    world.now += 24 * HOUR - 1;
    await quiet.notify(record('d'), null);
    world.now += 1;
    await quiet.notify(record('e'), null);

    expect(told()).toEqual(['a', 'e']);
    expect(world.told[0]?.nextCheckAt).toBe(7);
  });

  it('another process knows from the ledger what was told', async () => {
    const world = fakeWorld();
    const one = swarm({ world });
    const two = swarm({ world });

    await one.quiet.notify(record('a'), null);
    await two.quiet.notify(record('b'), null);

    expect(two.told()).toEqual(['a']);
    expect(storedState(world, about)?.notified).toEqual({ act: world.now });
  });

  it('another key is another subject', async () => {
    const world = fakeWorld();

    await swarm({ world }, 'act').quiet.notify(record('a'), null);
    await swarm({ world }, 'act short-stop-timeout').quiet.notify(record('b'), null);

    expect(world.told).toHaveLength(2);
  });

  it('what has no subject is not told', async () => {
    const { quiet, told } = swarm();

    await quiet.notify(record('silent'), null);

    expect(told()).toEqual([]);
  });

  it('a ledger that does not answer silences nobody, and floods nobody', async () => {
    const { runtime, quiet, told } = swarm({ trouble: (port) => (port.startsWith('table') ? 'refused' : 'none') });

    await quiet.notify(record('a'), null);
    await quiet.notify(record('b'), null);

    expect(told()).toEqual(['a']);
    expect(runtime.errors).toHaveLength(1);
  });
});

describe('a subject that is told when it comes again after a quiet time', () => {
  const QUIET = 30 * 60_000;
  const storm = (options: FakeOptions) => {
    const runtime = fakeRuntime(options);
    const quiet = inSwarms(runtime, () => ({ about, key: 'storm', quietMs: QUIET }));
    return { quiet, told: () => runtime.world.told.map(({ record }) => record.resource) };
  };

  it('is not told while it goes on, however long, and told again when it was quiet', async () => {
    const world = fakeWorld();
    const { quiet, told } = storm({ world });

    for (let i = 0; i < 20; i++) {
      await quiet.notify(record(`first-${i}`), null);
      world.now += QUIET - 1;
    }
    world.now += 1;
    await quiet.notify(record('second'), null);

    expect(told()).toEqual(['first-0', 'second']);
  });

  it('is told once by many at once, and a process that starts meanwhile knows of it', async () => {
    const world = fakeWorld();
    const one = storm({ world });

    await Promise.all(['a', 'b', 'c'].map((resource) => one.quiet.notify(record(resource), null)));
    world.now += QUIET - 1;
    const two = storm({ world });
    await two.quiet.notify(record('d'), null);
    world.now += QUIET - 1;
    await storm({ world }).quiet.notify(record('e'), null);

    expect(two.told()).toEqual(['a']);
  });
});
