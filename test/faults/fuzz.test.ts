import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import { functions, hasWorld, openWorld } from '../support/faults/functions.ts';
import { fuzzHandling, fuzzHearing, newTally, type Tally } from '../support/faults/fuzz.ts';
import { MUTATIONS } from '../support/faults/mutate.ts';
import { randomFrom, seed } from '../support/faults/random.ts';
import { report, table } from '../support/faults/report.ts';
import { ENDPOINT } from '../support/faults/stage.ts';

/** Mutated events in all, and how many of them go through whole handlers. */
const EVENTS = 100_000;
const HANDLED = 6_000;
const tried = functions.filter(hasWorld);
const tallies = new Map<string, Tally>();

beforeEach(() => {
  vi.stubEnv('AWS_ENDPOINT_URL', ENDPOINT);
  vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'true');
  vi.spyOn(Math, 'random').mockReturnValue(0);
});

it.each(tried)(
  '%s throws at no mutated event, acts on none without a reason, and hears the good one among them',
  async (name) => {
    const world = await openWorld(name);
    const index = tried.indexOf(name);
    const shareOf = (all: number) => Math.floor(all / tried.length) + (index < all % tried.length ? 1 : 0);
    const random = randomFrom(seed + index);
    const tally = newTally();
    tallies.set(name, tally);

    const wrong = [
      ...(await fuzzHearing(world, shareOf(EVENTS) - shareOf(HANDLED), random, tally)),
      ...(await fuzzHandling(world, shareOf(HANDLED), random, tally)),
    ];
    await world.close();

    expect(wrong, `seed ${seed}`).toEqual([]);
    expect(tally.heard + tally.handled).toBe(shareOf(EVENTS));
    expect(tally.acted > 0).toBe(world.acts);
  },
  600_000,
);

afterAll(() => {
  const sum = (of: (tally: Tally) => number) => [...tallies.values()].reduce((total, tally) => total + of(tally), 0);
  const kinds = ['event', 'not-for-us', 'broken'] as const;
  const decisions = ['act', 'skip', 'escalate', 'defer'] as const;
  const row = (name: string, of: (pick: (tally: Tally) => number) => number) => [
    name,
    of(({ heard, handled }) => heard + handled),
    ...kinds.map((kind) => of(({ parsed }) => parsed.get(kind) ?? 0)),
    of(({ signals }) => signals),
    of(({ handled }) => handled),
    of(({ invocations }) => invocations),
    ...decisions.map((kind) => of(({ decisions: made }) => made.get(kind) ?? 0)),
    of(({ writes }) => writes),
    of(({ acted }) => acted),
  ];
  report(
    'fuzzing',
    [
      table(
        [
          'function',
          'mutated events',
          'parsed',
          'not for us',
          'broken',
          'signals heard',
          'through the handler',
          'invocations',
          ...decisions,
          'AWS writes',
          'invocations acting on one of them',
        ],
        [...[...tallies].map(([name, tally]) => row(name, (pick) => pick(tally))), row('all', sum)],
      ),
      table(
        ['mutation', 'events'],
        MUTATIONS.map((kind) => [kind, sum(({ mutations }) => mutations.get(kind) ?? 0)]),
      ),
    ].join('\n\n'),
  );
});
