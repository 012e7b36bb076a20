import { describe, expect, it } from 'vitest';
import type { Memory } from '../../../../functions/restore-capacity/service/facts.ts';
import { tick } from '../../../support/event-builders.ts';
import { serviceArn } from '../../../support/fake-aws/ecs.ts';
import { AwsError } from '../../../support/fake-aws/service.ts';
import { useFakeAws } from '../../../support/fake-aws/use-fake-aws.ts';
import { storedRecords, storedState } from '../../../support/fake-runtime.ts';
import { pairedTags, restorer, serviceAction, spotPair, switchedTags } from '../../../support/restore-capacity.ts';

const aws = await useFakeAws();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const web = serviceArn('web');

const counts = (): unknown[] => aws.called('UpdateService').map(({ desiredCount }) => desiredCount);
const failure = (service = 'web') => serviceAction({ service, at: aws.clock() });
const reasons = (outcomes: readonly { readonly decision: string; readonly reason: string }[]) =>
  outcomes.map(({ decision, reason }) => `${decision} ${reason}`);
/** Has the ledger remember this of `web`. */
const seed = async ({ runtime }: ReturnType<typeof restorer>, memory: Memory): Promise<void> => {
  const key = { fn: 'restore-capacity', resource: web };
  await runtime.ledger.update(key, undefined, (state) => ({ state: { ...state, remembered: memory } }));
};
/** What happened, each once in a row. */
const story = (outcomes: readonly { readonly decision: string; readonly reason: string }[]) =>
  reasons(outcomes).filter((one, i, all) => one !== all[i - 1]);

describe('a shortage from beginning to end', () => {
  it('goes up at once, down in steps when Spot is back, and closes', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    let spot = 4;
    const place = () => aws.ecs.place({ spot });
    place();

    const { outcomes } = await restore.batch(failure());
    const during = await restore.pass(20 * MINUTE, place);
    spot = 100;
    const after = await restore.pass(2 * HOUR, place);

    expect(outcomes).toMatchObject([{ resource: web, decision: 'act', reason: 'spot-fallback' }]);
    expect(story(during)).toEqual(['defer spot-short']);
    expect(counts()).toEqual([6, 5, 4, 3, 2, 1, 0]);
    expect(story(after).at(-1)).toBe('skip resolved');
    expect(aws.ecs.getService('web')).toMatchObject({ desiredCount: 10, runningCount: 10 });
    expect(storedState(restore.world, web)).not.toHaveProperty('incident');
    expect(storedState(restore.world, web)?.remembered).toEqual({ turn: 8, level: 0, endedAt: expect.any(Number) });
    expect(new Set(storedRecords(restore.world).map(({ incidentId }) => incidentId)).size).toBe(1);
  });

  it('goes the way that docs/images/restore-capacity.svg draws', async () => {
    spotPair(aws, { desired: 20 });
    const restore = restorer(aws);
    const began = aws.clock();
    aws.ecs.place({ spot: 8 });
    await restore.batch(failure());
    await restore.pass(30 * MINUTE - 1, () => aws.ecs.place({ spot: 8 }));
    const after = await restore.pass(HOUR, () => aws.ecs.place({ spot: 100 }));

    const writes = aws.calls.filter(({ operation }) => operation === 'UpdateService');
    expect(counts()).toEqual([12, 9, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(writes.map(({ at }) => Math.round((at - began) / MINUTE))).toEqual([0, 40, 45, 50, 55, 60, 65, 70, 75, 80]);
    expect(after.findIndex(({ reason }) => reason === 'resolved')).toBe(after.length - 1);
    expect(storedRecords(restore.world).at(-1)).toMatchObject({ reason: 'resolved', at: began + 85 * MINUTE });
  });

  it('takes ten minutes of health before the first step and five minutes between two', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    aws.ecs.place({ spot: 4 });
    await restore.batch(failure());
    const back = aws.clock();

    await restore.pass(2 * HOUR, () => aws.ecs.place({ spot: 100 }));

    const [, ...steps] = aws.calls.filter(({ operation }) => operation === 'UpdateService').map(({ at }) => at);
    expect((steps[0] ?? 0) - back).toBeGreaterThanOrEqual(10 * MINUTE);
    for (const [i, at] of steps.entries()) {
      if (i > 0) expect(at - (steps[i - 1] ?? 0)).toBeGreaterThanOrEqual(5 * MINUTE);
    }
  });

  it('tells people of its beginning, its way back and its end, not of each step', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    aws.ecs.place({ spot: 4 });
    await restore.batch(failure());
    await restore.pass(2 * HOUR, () => aws.ecs.place({ spot: 100 }));

    expect(restore.world.told.map(({ record }) => record.reason)).toEqual([
      'spot-fallback',
      'spot-failback',
      'resolved',
    ]);
  });

  it('follows the shortage up while it gets worse, without waiting', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    aws.ecs.place({ spot: 6 });
    await restore.batch(failure());
    aws.clock.advance(20_000);
    aws.ecs.place({ spot: 2 });

    const { outcomes } = await restore.batch(failure());

    expect(reasons(outcomes)).toEqual(['act spot-fallback']);
    expect(counts()).toEqual([4, 8]);
  });

  it('waits twice as long when Spot goes again on the way down', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    let spot = 4;
    const place = () => aws.ecs.place({ spot });
    place();
    await restore.batch(failure());
    spot = 100;
    await restore.pass(13 * MINUTE, place);
    expect(counts()).toEqual([6, 5]);

    spot = 4;
    await restore.pass(2 * MINUTE, place);
    expect(counts()).toEqual([6, 5, 6]);
    spot = 100;
    await restore.pass(19 * MINUTE, place);
    expect(counts()).toEqual([6, 5, 6]);
    await restore.pass(4 * MINUTE, place);
    expect(counts()).toEqual([6, 5, 6, 5]);
  });
});

describe('the defects of other tools', () => {
  it('a steady state does not end the fallback while autoscaling has made the Spot service smaller', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    aws.ecs.place({ spot: 4 });
    await restore.batch(failure());
    aws.ecs.changeService('web', { desiredCount: 4 });

    const steady = await restore.batch(
      serviceAction({ eventName: 'SERVICE_STEADY_STATE', providers: null, reason: null }),
    );
    await restore.pass(59 * MINUTE, () => aws.ecs.place({ spot: 4 }));

    expect(steady).toMatchObject({ outcomes: [], notForUs: { 'steady-state': 1 } });
    expect(counts()).toEqual([6]);
    await restore.pass(2 * HOUR, () => aws.ecs.place({ spot: 4 }));
    expect(counts()).toEqual([6, 5, 4, 3, 2, 1, 0]);
  });

  it('a repeated event adds nothing: the count is absolute', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    aws.ecs.place({ spot: 4 });

    await restore.batch(failure(), failure());
    await restore.batch(failure());
    aws.clock.advance(7_000);
    await restore.batch(failure());

    expect(counts()).toEqual([6]);
  });

  it.each([
    ['a lack of on-demand capacity', { providers: ['FARGATE'] }, 'not-on-fargate-spot'],
    ['a lack of capacity by launch type', { providers: null }, 'not-on-fargate-spot'],
    ['instances that are full', { providers: null, reason: 'RESOURCE:CPU' }, 'not-for-want-of-fargate'],
    ['Spot in some other trouble', { reason: 'RESOURCE:ENI' }, 'not-for-want-of-fargate'],
    ['a steady provider', { eventName: 'CAPACITY_PROVIDER_STEADY_STATE', reason: null }, 'steady-state'],
    ['another action', { eventName: 'SERVICE_TASK_CONFIGURATION_FAILURE', reason: null }, 'other-service-action'],
  ])('%s starts nothing', async (_, options, reason) => {
    spotPair(aws, { running: 4 });

    const { outcomes, notForUs } = await restorer(aws).batch(serviceAction(options));

    expect({ outcomes, notForUs }).toEqual({ outcomes: [], notForUs: { [reason]: 1 } });
    expect(aws.calls).toEqual([]);
  });

  it('the old ARN of a service is read with the cluster of its event', async () => {
    spotPair(aws, { running: 4 });
    const { outcomes } = await restorer(aws).batch(serviceAction({ short: true }));
    expect(outcomes).toMatchObject([{ resource: web, reason: 'spot-fallback' }]);
  });

  it('a missing service is no crash', async () => {
    const { outcomes } = await restorer(aws).batch(failure('nothing'));
    expect(outcomes).toMatchObject([{ decision: 'skip', reason: 'service-gone' }]);
  });

  it('fallback counts are not multiplied: of two tasks none runs, so two stand in', async () => {
    spotPair(aws, { desired: 2, running: 0 });
    await restorer(aws).batch(failure());
    expect(counts()).toEqual([2]);
  });

  it('a service without the tag is read and left alone', async () => {
    spotPair(aws, { running: 4, tags: { 'reflex:enabled': 'false' } });

    const { outcomes } = await restorer(aws).batch(failure());

    expect(outcomes).toMatchObject([{ decision: 'skip', reason: 'not-opted-in' }]);
    expect(aws.calls.map(({ operation }) => operation)).toEqual(['DescribeServices']);
  });

  it('a wrong tag stops everything and is told', async () => {
    spotPair(aws, { running: 4, tags: { 'reflex:fallback-max': 'many' } });
    const { outcomes } = await restorer(aws).batch(failure());
    expect(outcomes).toMatchObject([{ decision: 'escalate', reason: 'bad-tag' }]);
    expect(counts()).toEqual([]);
  });

  it('a paired service that Application Auto Scaling sets is left to it', async () => {
    spotPair(aws, { running: 4 });
    aws.applicationAutoscaling.targets.push({
      ResourceId: 'service/prod/web-od',
      ScalableDimension: 'ecs:service:DesiredCount',
    });
    const { outcomes } = await restorer(aws).batch(failure());
    expect(outcomes).toMatchObject([{ decision: 'escalate', reason: 'fallback-unfit' }]);
  });
});

describe('somebody else', () => {
  it('who sets the count keeps it: Reflex lets go, and keeps out until the shortage is over', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    const place = () => aws.ecs.place({ spot: 4 });
    place();
    await restore.batch(failure());
    await restore.pass(5 * MINUTE, place);
    aws.ecs.changeService('web-od', { desiredCount: 1 });

    const outcomes = await restore.pass(5 * MINUTE, place);
    const again = await restore.batch(failure());

    expect(story(outcomes)).toEqual(['skip fallback-released']);
    expect(reasons(again.outcomes)).toEqual(['skip fallback-released']);
    expect(counts()).toEqual([6]);
    expect(storedState(restore.world, web)).not.toHaveProperty('incident');
    expect(restore.world.told.map(({ record }) => record.reason)).toEqual(['spot-fallback', 'fallback-released']);

    aws.ecs.place({ spot: 100 });
    await restore.batch(tick());
    aws.ecs.place({ spot: 3 });
    await restore.batch(failure());
    expect(counts()).toEqual([6, 7]);
  });

  it('who resets it at once, again and again, is not fought: a person is told after three tries', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    const reset = () => {
      aws.ecs.place({ spot: 4 });
      aws.ecs.changeService('web-od', { desiredCount: 0 });
    };
    reset();
    await restore.batch(failure());

    const outcomes = await restore.pass(HOUR, reset);

    expect(story(outcomes).at(-1)).toBe('escalate not-converging');
    expect(counts()).toEqual([6, 6, 6]);
    expect(storedState(restore.world, web)).toHaveProperty('hold');
  });
});

describe('two invocations at once', () => {
  it('make one change, and neither forgets what the other set', async () => {
    spotPair(aws);
    aws.ecs.place({ spot: 4 });
    const first = restorer(aws);
    // The second has read the service while all tasks still ran, and ends after the first has acted.
    let gate: Promise<unknown> = Promise.resolve();
    const slow = restorer(aws, {
      world: first.world,
      before: (port) => (port === 'table.putIfVersion' ? gate : Promise.resolve()),
    });
    const memory = { turn: 3, level: 1, released: aws.clock() };
    await seed(first, memory);
    aws.ecs.place({ spot: 100 });
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    const late = slow.batch(tick());
    await aws.quiet();
    await seed(first, { turn: 3, level: 1 });
    aws.ecs.place({ spot: 4 });
    aws.clock.advance(1_000);
    await first.batch(failure());
    resolve();
    await late;

    expect(counts()).toEqual([6]);
    expect(storedState(first.world, web)?.remembered).toMatchObject({ standIn: { wrote: 6, original: 0 } });
  });
});

describe('a strategy switch', () => {
  const original = [
    { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 3 },
    { capacityProvider: 'FARGATE', base: 2, weight: 1 },
  ];
  const switched = () =>
    aws.ecs.addService('web', { desiredCount: 10, runningCount: 10, capacityProviderStrategy: original }, switchedTags);
  const strategies = () => aws.called('UpdateService').map((input) => input.capacityProviderStrategy);
  const onDemand = [
    { capacityProvider: 'FARGATE', base: 0, weight: 1 },
    { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 0 },
  ];

  it('that got no answer is not made again before the service shows whether it was: each would replace every task', async () => {
    switched();
    aws.ecs.place({ spot: 3 });
    const restore = restorer(aws);
    aws.fault('UpdateService', 'lost', 1_000);

    const { outcomes } = await restore.batch(failure());
    await restore.pass(5 * MINUTE);

    expect(reasons(outcomes)).toEqual(['defer act-unknown']);
    expect(strategies()).toEqual([onDemand]);
    expect(storedState(restore.world, web)?.remembered).toMatchObject({ standIn: { original } });
  });

  it('that is throttled is made again', async () => {
    switched();
    aws.ecs.place({ spot: 3 });
    aws.fault('UpdateService', new AwsError('ThrottlingException', 'Rate exceeded'), 3);

    const { outcomes } = await restorer(aws).batch(failure());

    expect(reasons(outcomes)).toEqual(['act spot-fallback']);
    expect(strategies()).toHaveLength(4);
  });

  it('runs on demand, tries Spot after half an hour, and ends with the original to the letter', async () => {
    switched();
    const restore = restorer(aws);
    let spot = 3;
    const place = () => aws.ecs.place({ spot });
    place();

    const { outcomes } = await restore.batch(failure());
    await restore.pass(29 * MINUTE, place);
    expect(strategies()).toEqual([onDemand]);
    spot = 100;
    const after = await restore.pass(30 * MINUTE, place);

    expect(reasons(outcomes)).toEqual(['act spot-fallback']);
    expect(strategies()).toEqual([onDemand, original]);
    expect(story(after)).toEqual(expect.arrayContaining(['act spot-failback', 'skip resolved']));
    expect(aws.ecs.getService('web').capacityProviderStrategy).toEqual(original);
    expect(aws.called('UpdateService').every((input) => input.desiredCount === undefined)).toBe(true);
    expect(storedState(restore.world, web)).not.toHaveProperty('incident');
  });

  it('takes a probe back that finds no capacity, not sooner than 15 minutes, and waits twice as long', async () => {
    switched();
    const restore = restorer(aws);
    const place = () => aws.ecs.place({ spot: 3 });
    place();
    await restore.batch(failure());
    await restore.pass(31 * MINUTE, place);
    expect(strategies()).toEqual([onDemand, original]);
    aws.clock.advance(MINUTE);

    await restore.batch(failure());
    await restore.pass(12 * MINUTE, place);
    expect(strategies()).toHaveLength(2);
    await restore.pass(3 * MINUTE, place);
    expect(strategies()).toEqual([onDemand, original, onDemand]);
    await restore.pass(56 * MINUTE, place);
    expect(strategies()).toHaveLength(3);
    await restore.pass(6 * MINUTE, place);
    expect(strategies()).toEqual([onDemand, original, onDemand, original]);
  });

  it('has the original in the ledger before the call is made', async () => {
    switched();
    aws.ecs.place({ spot: 3 });
    const restore = restorer(aws);
    let stored: unknown;
    aws.fault('UpdateService', () => {
      stored = storedState(restore.world, web)?.intent?.remember;
      return undefined;
    });

    await restore.batch(failure());

    expect(stored).toMatchObject({ standIn: { original } });
  });

  it('survives a crash after the call: the original is restored all the same', async () => {
    switched();
    aws.ecs.place({ spot: 3 });
    const world = restorer(aws).world;
    // The invocation ends between the call and its record.
    const first = restorer(aws, {
      world,
      trouble: (port, n) => (port === 'table.putIfVersion' && n === 2 ? 'crash' : 'none'),
    });
    void first.batch(failure());
    await first.runtime.crashed;
    expect(strategies()).toEqual([onDemand]);

    const second = restorer(aws, { world });
    aws.clock.advance(5 * MINUTE);
    aws.ecs.place({ spot: 100 });
    aws.clock.advance(5 * MINUTE);
    await second.batch(tick());
    await second.pass(2 * HOUR, () => aws.ecs.place({ spot: 100 }));

    expect(strategies()).toEqual([onDemand, original]);
  });

  it('does not touch a cluster without the on-demand provider', async () => {
    switched();
    aws.ecs.setProviders('prod', ['FARGATE_SPOT']);
    aws.ecs.place({ spot: 3 });
    const { outcomes } = await restorer(aws).batch(failure());
    expect(outcomes).toMatchObject([{ decision: 'escalate', reason: 'not-switchable' }]);
    expect(strategies()).toEqual([]);
  });
});

describe('what goes wrong', () => {
  it('a throttled read is repeated, and so is a throttled change', async () => {
    spotPair(aws, { running: 4 });
    aws.fault('DescribeServices', new AwsError('ThrottlingException', 'Rate exceeded'), 4);
    aws.fault('UpdateService', new AwsError('ThrottlingException', 'Rate exceeded'), 3);

    const { outcomes } = await restorer(aws).batch(failure());

    expect(reasons(outcomes)).toEqual(['act spot-fallback']);
    expect(aws.ecs.getService('web-od')).toMatchObject({ desiredCount: 6 });
  });

  it('a change whose answer is lost is found in place, not made again', async () => {
    spotPair(aws, { running: 4 });
    const restore = restorer(aws);
    aws.fault('UpdateService', 'lost', 1_000);

    const { outcomes } = await restore.batch(failure());
    await restore.pass(5 * MINUTE);

    expect(reasons(outcomes)).toEqual(['defer act-unknown']);
    expect(new Set(counts())).toEqual(new Set([6]));
    expect(storedState(restore.world, web)?.remembered).toMatchObject({ standIn: { wrote: 6, original: 0 } });
  });

  it('a change that was made, got no answer, and is throttled when made again, is not taken for refused', async () => {
    spotPair(aws, { running: 4 });
    const restore = restorer(aws);
    aws.fault('UpdateService', 'lost');
    aws.fault('UpdateService', new AwsError('ThrottlingException', 'Rate exceeded'), 1_000);

    const { outcomes } = await restore.batch(failure());

    expect(reasons(outcomes)).toEqual(['defer act-unknown']);
    expect(aws.ecs.getService('web-od')).toMatchObject({ desiredCount: 6 });
    expect(storedState(restore.world, web)?.remembered).toMatchObject({ standIn: { wrote: 6, original: 0 } });
  });

  it('a change that never arrived is made again', async () => {
    spotPair(aws, { running: 4 });
    const restore = restorer(aws);
    aws.fault('UpdateService', new AwsError('ServerException', 'Service unavailable', 500), 25);

    await restore.batch(failure());
    aws.calls.length = 0;
    await restore.pass(5 * MINUTE);

    expect(aws.ecs.getService('web-od')).toMatchObject({ desiredCount: 6 });
  });

  it('a denied change is told, and nothing is remembered as standing in', async () => {
    spotPair(aws, { running: 4 });
    const restore = restorer(aws);
    aws.fault('UpdateService', new AwsError('AccessDeniedException', 'not authorized'));

    const { outcomes } = await restore.batch(failure());

    expect(outcomes).toMatchObject([{ decision: 'escalate', reason: 'access-denied' }]);
    expect(storedState(restore.world, web)?.remembered).toBeUndefined();
    expect(restore.world.told).toHaveLength(1);
  });

  it('one service that cannot be read stops no other', async () => {
    spotPair(aws, { running: 4 });
    aws.ecs.addService('other', { runningCount: 0 }, pairedTags);
    aws.fault(
      'DescribeServices',
      (input) =>
        JSON.stringify(input).includes('staging') ? new AwsError('InvalidParameterException', 'no') : undefined,
      1_000,
    );
    const elsewhere = JSON.parse(JSON.stringify(failure('other')).replaceAll('/prod', '/staging'));

    const { outcomes, batchItemFailures } = await restorer(aws).batch(failure(), elsewhere);

    expect(outcomes.map(({ reason }) => reason).sort()).toEqual(['observe-failed', 'spot-fallback']);
    expect(batchItemFailures).toHaveLength(1);
  });

  it('a cluster that was deleted meanwhile ends the fallback, and no message comes again and again', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    aws.ecs.place({ spot: 4 });
    await restore.batch(failure());
    aws.fault('DescribeServices', new AwsError('ClusterNotFoundException', 'Cluster not found.'), 1_000);

    const outcomes = await restore.pass(30 * MINUTE);

    expect(story(outcomes)).toEqual(['skip service-gone']);
    expect(storedState(restore.world, web)).not.toHaveProperty('incident');
    expect(restore.world.deadLetters).toEqual([]);
  });

  it('an event that comes days later, replayed, begins nothing', async () => {
    spotPair(aws, { running: 8 });
    const old = serviceAction({ at: aws.clock() - 48 * HOUR });

    const { outcomes, batchItemFailures } = await restorer(aws).batch(old);

    expect(reasons(outcomes)).toEqual(['skip shortage-unconfirmed']);
    expect(batchItemFailures).toEqual([]);
    expect(counts()).toEqual([]);
  });

  it('nothing is done where the ledger cannot be read, and the message comes again', async () => {
    spotPair(aws, { running: 4 });
    const restore = restorer(aws, { trouble: (port) => (port === 'table.getMany' ? 'refused' : 'none') });

    const { outcomes, batchItemFailures } = await restore.batch(failure());

    expect(reasons(outcomes)).toEqual(['escalate guard-error']);
    expect(batchItemFailures).toHaveLength(1);
    expect(counts()).toEqual([]);
  });
});

describe('a dry run', () => {
  it('lists the same call and makes none', async () => {
    spotPair(aws, { running: 4 });

    const { outcomes } = await restorer(aws, { stackMode: 'dry-run' }).batch(failure());

    expect(outcomes).toMatchObject([
      {
        decision: 'act',
        dryRun: true,
        actions: [{ call: 'UpdateService', params: { service: 'web-od', desiredCount: 6 } }],
      },
    ]);
    expect(counts()).toEqual([]);
  });
});

describe('the schedule', () => {
  it('goes on with what stands in after somebody ended the incident, and needs no event for it', async () => {
    spotPair(aws);
    const restore = restorer(aws);
    aws.ecs.place({ spot: 4 });
    await restore.batch(failure());
    const off = restorer(aws, { world: restore.world, stackMode: 'off' });
    await off.pass(5 * MINUTE);
    expect(storedState(restore.world, web)).not.toHaveProperty('incident');
    restore.world.inbox.length = 0;

    for (let i = 0; i < 15; i++) {
      aws.clock.advance(5 * MINUTE);
      aws.ecs.place({ spot: 100 });
      await restore.batch(tick());
      await restore.pass(MINUTE, () => aws.ecs.place({ spot: 100 }));
    }

    expect(counts()).toEqual([6, 5, 4, 3, 2, 1, 0]);
  });

  it('looks only at services that name a fallback', async () => {
    spotPair(aws);
    aws.ecs.addService('plain', { runningCount: 0 });
    await restorer(aws).batch(tick());
    expect(aws.called('DescribeServices').flatMap(({ services }) => services)).toEqual(['web', 'web-od']);
  });
});

describe('a storm', () => {
  it('raises 60 services within seconds, in batched reads, with no throttle', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `web-${i}`);
    for (const name of names) spotPair(aws, { name, running: 4 });
    const began = aws.clock();
    const sleepers: { readonly until: number; readonly wake: () => void }[] = [];
    const sleep = (ms: number) =>
      new Promise<void>((wake) => void sleepers.push({ until: aws.clock() + Math.ceil(ms), wake }));
    const restore = restorer(aws, { sleep });

    const done = restore.batch(...names.map(failure));
    for (let over = false; !over; ) {
      over = await Promise.race([done.then(() => true), aws.quiet().then(() => false)]);
      const [next] = sleepers.sort((a, b) => a.until - b.until).splice(0, 1);
      aws.clock.advance(Math.max(0, (next?.until ?? 0) - aws.clock()));
      next?.wake();
    }
    const { outcomes } = await done;

    expect(outcomes.filter(({ reason }) => reason === 'spot-fallback')).toHaveLength(60);
    expect(aws.called('UpdateService')).toHaveLength(60);
    expect(aws.called('DescribeServices')).toHaveLength(12);
    expect(aws.clock() - began).toBeLessThan(10_000);
    expect(restore.world.told).toHaveLength(60);
  });

  it('takes three waves of AWS calls from the event to the change', async () => {
    spotPair(aws, { running: 4 });
    const waves = await aws.waves(() => restorer(aws).batch(failure()));
    expect(waves).toEqual([
      ['ecs:DescribeServices'],
      ['application-autoscaling:DescribeScalableTargets', 'ecs:DescribeServices'],
      ['ecs:UpdateService'],
    ]);
  });
});
