import { beforeEach, expect, it, vi } from 'vitest';
import { drainer } from '../../support/drain-fargate.ts';
import { at } from '../../support/event-builders.ts';
import { spotService } from '../../support/fargate-world.ts';
import { sleep, time, virtualFargate } from '../../support/virtual-fargate.ts';

/** What every call takes, the ledger's as well: the time a DeregisterTargets begins counts the round trips before it. */
const ROUND_TRIP = 100;

beforeEach(() => {
  vi.useFakeTimers({ now: at });
  return () => vi.useRealTimers();
});

const finished = async <T>(work: Promise<T>): Promise<T> => {
  await vi.advanceTimersByTimeAsync(60_000);
  return work;
};

const prepared = (tasks: number, registry?: string) => {
  const aws = virtualFargate({ latency: ROUND_TRIP });
  const web = spotService(aws, { tasks, ...(registry !== undefined && { registry }) });
  const { batch } = drainer(time, { before: () => sleep(ROUND_TRIP) });
  const roundTripsTo = async (operation: string, ...events: readonly unknown[]): Promise<number> => {
    const begin = Date.now();
    const before = aws.called(operation).length;
    await finished(batch(...events));
    return ((aws.called(operation)[before]?.at ?? Number.NaN) - begin) / ROUND_TRIP;
  };
  return { aws, ...web, roundTripsTo };
};

it('DeregisterTargets is the third round trip of a warm function: what is read, the lease, the call', async () => {
  const { tasks, roundTripsTo } = prepared(10);

  const cold = await roundTripsTo('DeregisterTargets', tasks[0]?.event());
  const warm = await roundTripsTo('DeregisterTargets', tasks[1]?.event({ stoppingAt: Date.now() }));

  expect(cold).toBe(3);
  expect(warm).toBe(2);
});

it('no more before it where the last target may be among them, or Cloud Map has to be asked', async () => {
  const { aws, tasks, roundTripsTo } = prepared(5, 'srv-web');

  const cold = await roundTripsTo('DeregisterTargets', ...tasks.slice(0, 4).map((task) => task.event()));
  const warm = await roundTripsTo(
    'DeregisterTargets',
    tasks[4]?.event({ lastStatus: 'STOPPING', stoppingAt: Date.now() }),
  );

  expect(cold).toBe(3);
  expect(warm).toBe(2);
  expect(aws.called('DescribeTargetHealth')).toHaveLength(2);
  expect(aws.called('ListInstances')).toHaveLength(2);
});

it('no more for a batch: 120 tasks cost two DescribeTasks, one DescribeServices, one DeregisterTargets', async () => {
  const { aws, tasks, roundTripsTo } = prepared(400);
  await roundTripsTo('DeregisterTargets', tasks[0]?.event());
  aws.calls.length = 0;

  const warm = await roundTripsTo(
    'DeregisterTargets',
    ...tasks.slice(1, 121).map((task) => task.event({ stoppingAt: Date.now() })),
  );

  expect(warm).toBe(2);
  expect(aws.calls.map(({ operation }) => operation).sort()).toEqual([
    'DeregisterTargets',
    'DescribeServices',
    'DescribeTasks',
    'DescribeTasks',
  ]);
});

it('what follows its notice costs an interruption no further look at its service, and its end no look at all', async () => {
  const { aws, tasks, roundTripsTo } = prepared(10);
  await roundTripsTo('DeregisterTargets', tasks[0]?.event());
  const callsOf = async (lastStatus: string, version: number): Promise<string[]> => {
    aws.calls.length = 0;
    await roundTripsTo('DeregisterTargets', tasks[0]?.event({ lastStatus, version }));
    return aws.calls.map(({ operation }) => operation);
  };

  expect(await callsOf('STOPPING', 7)).toEqual(['DescribeTasks']);
  expect(await callsOf('DEPROVISIONING', 8)).toEqual([]);
  expect(await callsOf('STOPPED', 9)).toEqual([]);
});

it('an end of which no notice was seen here still asks whether its service has opted in', async () => {
  const { aws, tasks, roundTripsTo } = prepared(10);

  await roundTripsTo('DeregisterTargets', tasks[0]?.event({ lastStatus: 'STOPPED', version: 9 }));

  expect(aws.calls.map(({ operation }) => operation)).toEqual(['DescribeServices']);
});

it('the ledger is read beside AWS, never before it', async () => {
  const { aws, tasks, roundTripsTo } = prepared(10);

  const first = await roundTripsTo('DescribeServices', tasks[0]?.event());

  expect(first).toBe(0);
  expect(aws.called('DescribeTasks')[0]?.at).toBe(aws.called('DescribeServices')[0]?.at);
});

it('advice never delays: a slow task definition is asked for at once, a target group while it is needed anyway', async () => {
  const { aws, tasks, roundTripsTo } = prepared(10);

  await roundTripsTo('DeregisterTargets', tasks[0]?.event());

  const startOf = (operation: string) => ((aws.called(operation)[0]?.at ?? 0) - at) / ROUND_TRIP;
  expect(startOf('DescribeTaskDefinition')).toBe(0);
  expect(startOf('DescribeTargetGroupAttributes')).toBe(startOf('DescribeTargetGroups'));
});

it('what does not change is read once', async () => {
  const { aws, tasks, roundTripsTo } = prepared(10);
  for (const task of tasks.slice(0, 3)) await roundTripsTo('DeregisterTargets', task.event({ stoppingAt: Date.now() }));

  expect(aws.called('DescribeTargetGroups')).toHaveLength(1);
  expect(aws.called('DescribeTaskDefinition')).toHaveLength(1);
  expect(aws.called('DescribeTargetGroupAttributes')).toHaveLength(1);
});

it('a deregistration delay is read again after ten minutes, because it may change', async () => {
  const { aws, tasks, roundTripsTo } = prepared(10);

  await roundTripsTo('DeregisterTargets', tasks[0]?.event());
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  await roundTripsTo('DeregisterTargets', tasks[1]?.event({ stoppingAt: Date.now() }));

  expect(aws.called('DescribeTargetGroupAttributes')).toHaveLength(2);
});
