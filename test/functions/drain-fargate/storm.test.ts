import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Result } from '../../../shared/remediation.ts';
import { drainer, worldAt } from '../../support/drain-fargate.ts';
import { at } from '../../support/event-builders.ts';
import { INTERRUPTED_LIFE, spotService } from '../../support/fargate-world.ts';
import { type Arrival, deliver, time, virtualFargate } from '../../support/virtual-fargate.ts';

/** The inbox as the template sets it. */
const INBOX = { batchSize: 1_000, windowMs: 3_000 };

beforeEach(() => {
  vi.useFakeTimers({ now: at });
  return () => vi.useRealTimers();
});

/** After its notice, ms, and what ECS then tells of a task. */
const NOTICE: readonly (readonly [number, string])[] = [
  [0, 'RUNNING'],
  [40, 'DEACTIVATING'],
];

/** Interruptions of services with ten tasks each, five of them hit, interleaved as capacity goes; each tells twice. */
const storm = ({ services = 60, each = 5, running = 10, spreadMs = 1_000, life = NOTICE } = {}) => {
  const aws = virtualFargate();
  const fleet = Array.from({ length: services }, (_, i) =>
    spotService(aws, { name: `service-${i}`, tasks: running, from: 1 + i * running }),
  );
  const hit = shuffled(fleet.flatMap(({ tasks }) => tasks.slice(0, each)));
  const arrivals: Arrival[] = hit.flatMap((task, i) => {
    const after = Math.floor((i / hit.length) * spreadMs);
    return life.map(([later, lastStatus], i) => ({
      after: after + later,
      body: task.event({ lastStatus, version: 6 + i, stoppingAt: at }),
    }));
  });
  return { aws, fleet, arrivals };
};

/** The same order every time, and no order at all. */
const shuffled = <T>(list: readonly T[]): T[] =>
  list
    .map((item, i) => ({ item, rank: (i * 2_654_435_761) % 4_294_967_296 }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);

/** Several instances of the function: one table, and nothing else in common. */
const instances = (count: number) => {
  const world = worldAt(time.clock);
  const results: Result[] = [];
  const made = Array.from({ length: count }, () =>
    drainer(time, { world, before: () => new Promise((r) => setTimeout(r, 5)) }),
  );
  const handlers = made.map(({ handle }) => async (payload: unknown) => {
    results.push(await handle(payload));
  });
  /** Has the first of them do the checks that are due. */
  const checked = async () => {
    const result = await made[0]?.pump();
    if (result !== undefined) results.push(result);
  };
  return { handlers, world, checked, outcomes: () => results.flatMap(({ outcomes }) => outcomes) };
};

/** What full batches were put back as, taken out of the inbox. */
const bundlesIn = (world: ReturnType<typeof worldAt>): Arrival[] => {
  const bundles = world.inbox.filter(({ body }) => body.includes('"detail-type":"Bundle"'));
  world.inbox.splice(0, world.inbox.length, ...world.inbox.filter((message) => !bundles.includes(message)));
  return bundles.map(({ body, dueAt }) => ({ after: Math.max(0, dueAt - Date.now()), body: JSON.parse(body) }));
};

const failures = (outcomes: Result['outcomes']) =>
  outcomes.flatMap(({ reason, actions }) => [
    ...actions.filter(({ error }) => error !== undefined),
    ...(['rate-limited', 'act-unknown', 'act-failed', 'observe-failed'].includes(reason) ? [reason] : []),
  ]);

/** When each target began to drain, ms after the first event. */
const drainedAt = (aws: ReturnType<typeof virtualFargate>) =>
  [...aws.elbv2.groups.values()]
    .flatMap(({ targets }) => targets)
    .flatMap(({ drainingSince }) => (drainingSince === undefined ? [] : drainingSince - at));

describe('300 interruptions over 60 services, interleaved', () => {
  it.each([0, 1_000, 1_800])(
    'arriving within %i ms drain with one call a target group, all within 30 s',
    async (spreadMs) => {
      const { aws, arrivals } = storm({ spreadMs });
      const { handlers, outcomes } = instances(1);

      await deliver(arrivals, handlers, INBOX);

      const calls = aws.called('DeregisterTargets');
      expect(calls.length).toBeLessThanOrEqual(60);
      expect(calls.filter(({ refused }) => refused)).toEqual([]);
      expect(drainedAt(aws)).toHaveLength(300);
      expect(Math.max(...drainedAt(aws))).toBeLessThan(30_000);
      expect(outcomes().filter(({ decision }) => decision === 'act')).toHaveLength(300);
    },
  );

  it('in two batches at once are throttled, yet none surfaces, and all drain within 30 s', async () => {
    const { aws, arrivals } = storm();
    const { handlers, outcomes } = instances(2);

    await deliver(arrivals, handlers, INBOX);

    const calls = aws.called('DeregisterTargets');
    expect(calls.filter(({ refused }) => !refused).length).toBeLessThanOrEqual(120);
    expect(drainedAt(aws)).toHaveLength(300);
    expect(Math.max(...drainedAt(aws))).toBeLessThan(30_000);
    expect(failures(outcomes())).toEqual([]);
  });
});

it('costs less than a call a task over its whole life: five events of each, and the check of what was done', async () => {
  const { aws, fleet, arrivals } = storm({ life: INTERRUPTED_LIFE });
  const { handlers, world, outcomes, checked } = instances(1);

  await deliver(arrivals, handlers, INBOX);
  await vi.advanceTimersByTimeAsync(at + 120_000 - Date.now());
  const checks = checked();
  await vi.advanceTimersByTimeAsync(60_000);
  await checks;

  const calls = Object.fromEntries(
    [...Map.groupBy(aws.calls, ({ operation }) => operation)].map(([name, all]) => [name, all.length]),
  );
  expect(calls).toEqual({
    DescribeTasks: 3 + 3 + 3,
    DescribeServices: 6 + 6,
    DescribeTargetGroups: 3,
    DeregisterTargets: 60,
    DescribeTargetHealth: 60,
  });
  expect(outcomes().filter(({ reason }) => reason === 'resolved')).toHaveLength(300);
  expect(fleet.every(({ group }) => aws.elbv2.targetsIn(group.arn, 'healthy').length === 5)).toBe(true);
  expect(world.inbox).toEqual([]);
});

it('others that empty the bucket delay the drain, and surface nowhere', async () => {
  const { aws, arrivals } = storm({ services: 30 });
  const { handlers, outcomes } = instances(1);
  const other = spotService(aws, { name: 'other', from: 9_000 });
  const greedy = setInterval(() => {
    try {
      aws.elbv2.service.operations.DeregisterTargets?.({ TargetGroupArn: other.group.arn, Targets: [] });
    } catch {
      // Throttled as well.
    }
  }, 200);

  await deliver(arrivals, handlers, INBOX);
  clearInterval(greedy);

  expect(aws.called('DeregisterTargets').some(({ refused }) => refused)).toBe(true);
  expect(failures(outcomes())).toEqual([]);
  expect(Math.max(...drainedAt(aws))).toBeLessThan(30_000);
});

it('the last target of each group stays through the storm that takes them all', async () => {
  const { aws, fleet, arrivals } = storm({ running: 5 });
  const { handlers } = instances(1);

  await deliver(arrivals, handlers, INBOX);

  expect(aws.called('DeregisterTargets').length).toBeLessThanOrEqual(60);
  for (const { group } of fleet) expect(aws.elbv2.targetsIn(group.arn, 'healthy')).toHaveLength(1);
});

it.each([
  [1, 0],
  [1, 5_000],
  [2, 0],
  [2, 1_000],
  [2, 5_000],
  [2, 20_000],
])('none is emptied by a storm that takes them all: %i at work, arriving within %i ms', async (count, spreadMs) => {
  const { aws, fleet, arrivals } = storm({ running: 5, spreadMs });
  const { handlers, outcomes } = instances(count);

  await deliver(arrivals, handlers, INBOX);

  const left = fleet.map(({ group }) => aws.elbv2.targetsIn(group.arn, 'healthy').length);
  expect(left.filter((healthy) => healthy === 0)).toEqual([]);
  expect(failures(outcomes())).toEqual([]);
});

it('a group that others still serve goes first', async () => {
  const aws = virtualFargate();
  const fleet = Array.from({ length: 40 }, (_, i) =>
    spotService(aws, { name: `service-${i}`, tasks: i % 2 === 0 ? 2 : 9, from: 1 + i * 10 }),
  );
  const arrivals = fleet.flatMap(({ tasks }) => tasks.slice(0, 2).map((task) => ({ after: 0, body: task.event() })));
  const { handlers } = instances(1);

  await deliver(arrivals, handlers, INBOX);

  const order = aws.called('DeregisterTargets').map(({ input }) => String(input.TargetGroupArn));
  const losing = fleet.filter((_, i) => i % 2 === 0).map(({ group }) => group.arn);
  expect(order.slice(0, 20).filter((arn) => losing.includes(arn))).toEqual([]);
  expect(order.slice(20).every((arn) => losing.includes(arn))).toBe(true);
});

it.each([
  [1, 1_000],
  [2, 1_000],
  [2, 10_000],
])(
  '1,000 interruptions of one service take at most ten calls: %i at work, arriving within %i ms',
  async (n, spreadMs) => {
    const { aws, arrivals } = storm({ services: 1, each: 1_000, running: 1_000, spreadMs });
    const { handlers, world, outcomes } = instances(n);

    await deliver(arrivals, handlers, INBOX);
    await deliver(bundlesIn(world), handlers, INBOX);

    expect(failures(outcomes())).toEqual([]);
    expect(aws.called('DeregisterTargets').length).toBeLessThanOrEqual(10);
    expect(drainedAt(aws)).toHaveLength(999);
  },
);

it('2,000 interruptions over 60 services, in full batches, drain with three calls a target group, and each task once', async () => {
  const { aws, arrivals } = storm({ each: 33, running: 66 });
  const { handlers, world, outcomes } = instances(2);

  await deliver(arrivals, handlers, INBOX);
  const bundles = bundlesIn(world);
  await deliver(bundles, handlers, INBOX);

  expect(bundles.length).toBeGreaterThan(50);
  expect(failures(outcomes())).toEqual([]);
  expect(drainedAt(aws)).toHaveLength(60 * 33);
  expect(aws.called('DeregisterTargets').filter(({ refused }) => !refused).length).toBeLessThanOrEqual(3 * 60);
  expect(outcomes().filter(({ decision }) => decision === 'act')).toHaveLength(60 * 33);
});
