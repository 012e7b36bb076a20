import { describe, expect, it } from 'vitest';
import type { HistoryRecord } from '../../../../shared/ledger/types.ts';
import {
  at,
  launchUnsuccessful,
  rebalanceRecommendation,
  spotInterruption,
  sqsBatch,
  tick,
} from '../../../support/event-builders.ts';
import { groupArn, mixedPolicy } from '../../../support/fake-aws/autoscaling.ts';
import { useFleet } from '../../../support/fake-aws/fleet.ts';
import { AwsError } from '../../../support/fake-aws/service.ts';
import { invoke, storedRecords, storedState } from '../../../support/fake-runtime.ts';
import { baseOf, type Restorer, restorer, spotGroup } from '../../../support/restore-groups.ts';

const fleet = await useFleet();
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Instances of `workers`, ten of a pool, and a warning for each of some. */
const hosts = (count: number, { first = 1, zone = 'eu-west-1a', type = 'm5.large', group = 'workers' } = {}) =>
  Array.from({ length: count }, (_, i) => fleet.addHost({ n: first + i, zone, type, group }));
const warn = (some: readonly { readonly id: string }[], when = at) =>
  some.map(({ id }) => spotInterruption(id, { at: when }));
const updates = () =>
  fleet
    .made('UpdateAutoScalingGroup')
    .map(
      (input) =>
        (input as { MixedInstancesPolicy: { InstancesDistribution: { OnDemandBaseCapacity: string } } })
          .MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity,
    );
const last = (s: Restorer): HistoryRecord | undefined => storedRecords(s.world).at(-1);
const sooner = (s: Restorer) => {
  s.world.now = at + SECOND;
};

describe('the group of a warned instance', () => {
  it('is found with one DescribeInstances and one DescribeAutoScalingGroups for a batch, and read once more', async () => {
    const s = restorer(fleet);
    sooner(s);
    spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);

    const waves = await fleet.gate.during(() => s.batch(...warn(some.slice(0, 3))));

    expect(waves).toEqual([
      ['DescribeInstances'],
      ['DescribeAutoScalingGroups'],
      ['DescribeAutoScalingGroups'],
      ['UpdateAutoScalingGroup'],
    ]);
  });

  it("counts in the instance's own zone: neither the one in the event's ARN nor the group's list says it", async () => {
    const s = restorer(fleet);
    sooner(s);
    spotGroup(fleet, 'workers', { desired: 20 });
    hosts(20);
    const some = hosts(3, { first: 50, zone: 'eu-west-1c' });

    await s.batch(...warn(some));

    expect(s.outcomes()[0]?.why).toContain('m5.large eu-west-1c: 3 of 3 lost, depleted');
  });

  it.each([
    ['an instance of no group', () => fleet.addHost({ n: 99, tags: {} }).id, 'no-group'],
    ['an instance that EC2 does not show any more', () => 'i-0fedcba9876543210', 'instance-gone'],
    ['an instance of a group that is gone', () => fleet.addHost({ n: 99, group: 'gone' }).id, 'group-gone'],
  ])('%s: not for us', async (_, id, reason) => {
    const s = restorer(fleet);
    sooner(s);

    const result = await s.batch(spotInterruption(id()));

    expect(result).toMatchObject({ outcomes: [], notForUs: { [reason]: 1 }, failures: [] });
  });

  it('an action nobody knows is not taken for one that is known, and a recommendation is no loss', async () => {
    const s = restorer(fleet);
    sooner(s);
    spotGroup(fleet, 'workers', { desired: 20 });
    const [one] = hosts(1);

    const result = await s.batch(spotInterruption(one?.id, { action: 'relocate' }), rebalanceRecommendation(one?.id));

    expect(result.notForUs).toEqual({ 'unknown-interruption': 1, 'not-of-a-group': 1 });
    expect(fleet.calls).toEqual([]);
  });

  it('cannot be read: the warnings come again, and nothing else is held up', async () => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);
    fleet.fault('DescribeInstances', new AwsError('InternalError', 'An internal error has occurred', 500), 3);

    const result = await s.batch(...warn(some.slice(0, 3)), launchUnsuccessful({ group: 'workers' }));
    await s.serve(at + 10 * MINUTE);

    expect(result.batchItemFailures).toHaveLength(3);
    expect(result.outcomes).toHaveLength(1);
    // They are six minutes old by then, and no storm: what is late is not taken for news.
    expect(baseOf(group)).toBe(2);
  });
});

describe('launches that fail', () => {
  it.each([
    ['no Spot capacity', undefined, true],
    [
      'no Spot capacity, said with UnfulfillableCapacity',
      'Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration. Please adjust your request and try again. Launching EC2 instance failed.',
      true,
    ],
    [
      'no Spot capacity, said with InsufficientInstanceCapacity',
      'Could not launch Spot Instances. InsufficientInstanceCapacity - We currently do not have sufficient c5.large capacity in the Availability Zone you requested (eu-west-1b). Launching EC2 instance failed.',
      true,
    ],
    [
      'no on-demand capacity',
      'Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient m5.large capacity in the Availability Zone you requested (eu-west-1b). Launching EC2 instance failed.',
      false,
    ],
    [
      'a quota',
      'Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded. Launching EC2 instance failed.',
      false,
    ],
    [
      'a type that the zone does not have',
      'Could not launch Spot Instances. InvalidFleetConfiguration - Your requested instance type (p3.8xlarge) is not supported in your requested Availability Zone (eu-west-1b). Launching EC2 instance failed.',
      false,
    ],
    [
      'a security group that is gone',
      "The security group 'sg-0123' does not exist. Launching EC2 instance failed.",
      false,
    ],
  ])('for %s', async (_, message, counts) => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 10 });
    hosts(7);
    const failed = [1, 2, 3].map((n) => {
      const event = launchUnsuccessful({ group: 'workers', ...(message !== undefined && { message }) });
      return { ...event, detail: { ...event.detail, ActivityId: `activity-${n}` } };
    });

    const result = await s.batch(...failed);

    expect(baseOf(group)).toBe(counts ? 5 : 2);
    expect(result.notForUs).toEqual(counts ? {} : { 'other-launch-failure': 3 });
  });

  it('count once an activity, however often it is told', async () => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 10 });
    hosts(7);

    await s.batch(...Array.from({ length: 5 }, () => launchUnsuccessful({ group: 'workers' })));

    expect(baseOf(group)).toBe(2);
  });

  it('name their type where AWS does', async () => {
    const s = restorer(fleet);
    sooner(s);
    spotGroup(fleet, 'workers', { desired: 20 });
    const message =
      'Could not launch Spot Instances. InsufficientInstanceCapacity - We currently do not have sufficient c5.large capacity in the Availability Zone you requested (eu-west-1b). Launching EC2 instance failed.';

    await s.batch(launchUnsuccessful({ group: 'workers', message }));

    expect(last(s)?.why).toContain('c5.large eu-west-1b: 1 launch failed');
  });
});

describe('two invocations at once', () => {
  /** Lets `other` go first between the reads of the first invocation and its n-th write. */
  const between = (s: Restorer, n: number, other: () => Promise<unknown>) => {
    let writes = 0;
    return s.instance({
      before: async (port) => {
        if (port === 'table.putIfVersion' && ++writes === n) await other();
      },
    });
  };

  it('add up what each of them was told: neither sees a storm, both together do', async () => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);
    const slow = between(s, 1, () => s.batch(...warn(some.slice(0, 2))));

    await slow.handle(sqsBatch(...warn(some.slice(2, 4))));
    expect(updates()).toEqual([]);
    await s.serve(at + 30 * SECOND);

    expect(baseOf(group)).toBe(6);
    expect(updates()).toEqual(['6']);
  });

  it('raise the base once, and by both; what it was before is not lost', async () => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);
    const slow = between(s, 1, () => s.batch(...warn(some.slice(0, 4))));

    await slow.handle(sqsBatch(...warn(some.slice(4, 9))));
    await s.serve(at + 5 * MINUTE);

    expect(baseOf(group)).toBe(11);
    expect(updates()).toEqual(['6', '11']);
    await s.serve(at + 2 * 60 * MINUTE);
    expect(baseOf(group)).toBe(2);
  });

  it('a late look that knew of no fallback does not make the ledger forget it', async () => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);
    const slow = between(s, 1, () => s.batch(...warn(some.slice(0, 4))));

    await slow.handle(sqsBatch(...warn(some.slice(4, 5))));
    await s.serve(at + 2 * 60 * MINUTE);

    expect(updates()[0]).toBe('6');
    expect(baseOf(group)).toBe(2);
  });
});

describe('the base goes back to exactly what it was', () => {
  it.each(Array.from({ length: 8 }, (_, n) => n + 1))(
    'also where the invocation that raises it ends at its write %i',
    async (n) => {
      for (const fate of ['crash', 'crash after'] as const) {
        const s = restorer(fleet);
        sooner(s);
        const group = spotGroup(fleet, 'workers', { desired: 20 });
        const some = hosts(20);
        let writes = 0;
        const dying = s.instance({
          trouble: (port) => (port.startsWith('table.p') && ++writes === n ? fate : 'none'),
        });

        await invoke(dying.runtime, dying.handle, sqsBatch(...warn(some.slice(0, 4))));
        // SQS delivers again what was not handled; the schedule finds what nobody sent on.
        s.arrive(warn(some.slice(0, 4)).map((body) => ({ at: at + 6 * MINUTE, body })));
        s.arrive(Array.from({ length: 24 }, (_, i) => ({ at: at + (10 + 5 * i) * MINUTE, body: tick() })));
        await s.serve(at + 3 * 60 * MINUTE);

        expect([baseOf(group), storedState(s.world, groupArn('workers'))?.incident]).toEqual([2, undefined]);
      }
    },
  );

  it('where a call has no answer: lost before AWS took it, or after', async () => {
    for (const fault of ['hang-up', 'lost'] as const) {
      const s = restorer(fleet);
      sooner(s);
      const group = spotGroup(fleet, 'workers', { desired: 20 });
      const some = hosts(20);
      fleet.fault('UpdateAutoScalingGroup', fault);

      await s.batch(...warn(some.slice(0, 4)));
      expect(s.outcomes()[0]?.reason).toBe('act-unknown');
      await s.serve(at + 5 * MINUTE);
      expect(baseOf(group)).toBe(6);

      await s.serve(at + 2 * 60 * MINUTE);
      expect(baseOf(group)).toBe(2);
    }
  });

  it('but not where an operator has set another one meanwhile', async () => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);
    await s.batch(...warn(some.slice(0, 4)));
    await s.serve(at + 5 * MINUTE);

    group.mixed = mixedPolicy(9);
    await s.serve(at + 2 * 60 * MINUTE);

    expect(baseOf(group)).toBe(9);
    expect(updates()).toEqual(['6']);
    expect(last(s)?.reason).toBe('fallback-released');
    expect(s.world.told.map(({ record }) => record.reason)).toEqual(['mass-interruption', 'fallback-released']);
  });

  it('by the schedule alone, where the incident was lost', async () => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);
    await s.batch(...warn(some.slice(0, 4)));
    s.world.inbox.length = 0;

    s.arrive(Array.from({ length: 24 }, (_, i) => ({ at: at + (5 + 5 * i) * MINUTE, body: tick() })));
    await s.serve(at + 3 * 60 * MINUTE);

    expect(baseOf(group)).toBe(2);
  });
});

describe('an act that is not made', () => {
  it.each([
    ['in a dry run', { stackMode: 'dry-run' } as const, '6 of 20 lost'],
    ['while the change calendar is closed', { calendar: async () => ({ open: false, until: null }) }, 'calendar'],
  ])('%s: what was counted is remembered, and no base', async (_, options, why) => {
    const s = restorer(fleet, options);
    sooner(s);
    spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);

    await s.batch(...warn(some.slice(0, 4)));
    await s.batch(...warn(some.slice(4, 6)));

    expect(s.outcomes().at(-1)?.why).toContain(why);
    expect(storedState(s.world, groupArn('workers'))?.remembered).toMatchObject({
      pools: { 'm5.large eu-west-1a': { size: 20 } },
    });
    expect(storedState(s.world, groupArn('workers'))?.remembered).not.toHaveProperty('fallback');
    expect(updates()).toEqual([]);
  });
});

describe('AWS refuses', () => {
  it.each([
    [
      'for lack of permission',
      new AwsError('AccessDenied', 'User is not authorized', 403),
      'access-denied',
      'escalate',
    ],
    ['because the base is invalid', new AwsError('ValidationError', 'Invalid'), 'act-failed', 'escalate'],
    ['because it is throttling', new AwsError('Throttling', 'Rate exceeded'), 'rate-limited', 'defer'],
    ['because another change is under way', new AwsError('ScalingActivityInProgress', 'busy'), 'rate-limited', 'defer'],
  ])('%s', async (_, error, reason, decision) => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    const some = hosts(20);
    fleet.fault('UpdateAutoScalingGroup', error);

    await s.batch(...warn(some.slice(0, 4)));

    expect(s.outcomes()).toMatchObject([{ decision, reason }]);
    expect(s.world.told).toHaveLength(decision === 'escalate' ? 1 : 0);
    await s.serve(at + 4 * MINUTE);
    expect(baseOf(group)).toBe(decision === 'escalate' ? 2 : 6);
  });
});

describe('tags', () => {
  it.each([
    ['reflex:fallback-mode', 'strategy', /reflex:fallback-mode: expected one of notify, on-demand-base/],
    ['reflex:fallback-max', '-1', /reflex:fallback-max: expected a whole number from 1 to 100000, or none/],
    ['reflex:fallback-service', 'x', /reflex:fallback-service: unknown/],
  ])('%s = %s is told, and nothing is done', async (tag, value, why) => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    group.tags = { ...group.tags, [tag]: value };
    const some = hosts(20);

    await s.batch(...warn(some.slice(0, 4)));

    expect(s.outcomes()).toMatchObject([{ decision: 'escalate', reason: 'bad-tag', why: expect.stringMatching(why) }]);
    expect(updates()).toEqual([]);
  });

  it('that other functions read on the instances are no mistake', async () => {
    const s = restorer(fleet);
    sooner(s);
    const group = spotGroup(fleet, 'workers', { desired: 20 });
    group.tags = {
      ...group.tags,
      'reflex:log-devices': 'all',
      'reflex:on-rebalance': 'drain',
      'reflex:fallback-max': '4',
    };
    const some = hosts(20);

    await s.batch(...warn(some.slice(0, 4)));

    expect(baseOf(group)).toBe(4);
  });
});
