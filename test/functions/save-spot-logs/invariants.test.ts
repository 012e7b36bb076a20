import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { at, lifecycleAction, rebalanceRecommendation, spotInterruption } from '../../support/event-builders.ts';
import { type FleetFault, useFleet } from '../../support/fake-aws/fleet.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import type { Trouble } from '../../support/fake-runtime.ts';
import { saver, saverOn } from '../../support/save-spot-logs.ts';

const fleet = await useFleet();
const SECOND = 1_000;

/** All that this function may ever change. */
const ALLOWED = [
  'CompleteLifecycleAction',
  'CreateTags',
  'DeleteTags',
  'DeregisterInstancesFromLoadBalancer',
  'DeregisterTargets',
  'DetachInstances',
  'ModifyInstanceAttribute',
  'RecordLifecycleActionHeartbeat',
  'SendCommand',
  'UpdateContainerInstancesState',
];
const READS = [
  'DescribeInstances',
  'DescribeVolumes',
  'DescribeAutoScalingGroups',
  'DescribeTargetHealth',
  'DescribeInstanceHealth',
  'ListClusters',
  'ListContainerInstances',
  'DescribeContainerInstances',
  'ListCommandInvocations',
];
const FAULTS: Record<string, FleetFault> = {
  throttled: new AwsError('RequestLimitExceeded', 'Request limit exceeded.', 503),
  refused: new AwsError('UnauthorizedOperation', 'You are not authorized.', 403),
  unanswered: 'hang-up',
  lost: 'lost',
};
const CRASHES = ['table.getMany', 'table.put', 'table.putIfVersion', 'enqueue', 'notify'];

const kinds = fc.constantFrom('warning', 'rebalance', 'hook');
const stories = fc.record({
  events: fc.array(fc.record({ kind: kinds, afterMs: fc.constantFrom(0, 0, 700, 6_000, 30_000) }), {
    minLength: 1,
    maxLength: 5,
  }),
  operation: fc.constantFrom(...ALLOWED, ...READS),
  fault: fc.constantFrom(...Object.keys(FAULTS)),
  times: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
  capacityRebalance: fc.boolean(),
});

const told = async (
  { events, operation, fault, times, capacityRebalance }: Parameters<Parameters<typeof stories.map>[0]>[0],
  trouble: (port: string, n: number) => Trouble = () => 'none',
) => {
  let s = saver(fleet, { trouble });
  s.world.now = at + SECOND;
  const web = fleet.world.elbv2.addGroup('web');
  const group = fleet.addGroup('orders-workers', {
    targetGroups: [web.arn],
    balancers: ['old'],
    capacityRebalance,
    hooks: { 'save-logs': 300 },
  });
  const host = fleet.addHost({ group: 'orders-workers', cluster: 'prod' });
  web.targets.push({ id: host.id, port: 80, state: 'healthy' });
  fleet.world.classic.balancers.set('old', new Set([host.id]));
  fleet.fault(operation, FAULTS[fault] ?? 'lost', times);
  const warnedAt = at + 2 * SECOND;
  const bodyOf = (kind: string): unknown => {
    if (kind === 'warning') return spotInterruption(host.id, { at: warnedAt });
    if (kind === 'rebalance') return rebalanceRecommendation(host.id);
    if (group.instances.get(host.id) === 'InService') group.instances.set(host.id, 'Terminating:Wait');
    return lifecycleAction(host.id);
  };
  for (const { kind, afterMs } of events) {
    const body = bodyOf(kind);
    const alive = await Promise.race([s.run(afterMs).then(() => s.batch(body)), s.runtime.crashed]);
    if (alive === 'crashed') {
      // The next instance of the function, and SQS delivers what the dead one had in hand.
      s = saverOn({ world: s.world });
      await s.batch(body);
    }
  }
  if ((await Promise.race([s.run(100 * SECOND), s.runtime.crashed])) === 'crashed') {
    s = saverOn({ world: s.world });
  }
  const device = fleet.world.ec2.instances.get(host.id)?.devices.find(({ name }) => name === '/dev/xvdf');
  const kept = device?.deleteOnTermination === false;
  fleet.world.ec2.terminate(host.id);
  if ((await Promise.race([s.run(20 * 60 * SECOND), s.runtime.crashed])) === 'crashed') {
    s = saverOn({ world: s.world });
    await s.run(20 * 60 * SECOND);
  }
  return { s, host, group, kept, warned: events.some(({ kind }) => kind === 'warning') };
};

const tagsOf = (volume: string): Record<string, string> => fleet.world.ec2.volumes.get(volume)?.tags ?? {};

const harmless = ({ group, host }: Awaited<ReturnType<typeof told>>) => {
  const strays = fleet.calls.filter(
    ({ operation }) => !/^(Describe|List|Get)/.test(operation) && !ALLOWED.includes(operation),
  );
  expect(strays).toEqual([]);
  expect(group.desired).toBe(10);
  for (const input of fleet.made('DetachInstances'))
    expect(input).toMatchObject({ ShouldDecrementDesiredCapacity: 'false' });
  for (const input of fleet.made('ModifyInstanceAttribute')) {
    expect(JSON.stringify(input)).not.toContain('"DeleteOnTermination":"true"');
    expect(JSON.stringify(input)).not.toContain('/dev/xvda');
  }
  for (const input of fleet.made('CompleteLifecycleAction'))
    expect(input).toMatchObject({ LifecycleActionResult: 'CONTINUE' });
  expect(fleet.made('CompleteLifecycleAction').length).toBeLessThanOrEqual(1);
  expect(['armed', 'pending', undefined]).toContain(tagsOf(host.volume)['reflex:rescue']);
};

describe('whatever the order of the events', () => {
  it('a fault in any one call harms nothing; and unless it is the keeping itself, the volume outlives the instance as a work item', async () => {
    await fc.assert(
      fc.asyncProperty(stories, async (story) => {
        const end = await told(story);

        harmless(end);
        const forGood = story.times > 2;
        const hopeless = forGood && story.operation === 'DescribeInstances';
        const unkept = forGood && story.operation === 'ModifyInstanceAttribute' && story.fault !== 'lost';
        if (!hopeless && !unkept) {
          expect(end.kept).toBe(true);
          const untagged = forGood && story.operation === 'CreateTags' && story.fault !== 'lost';
          if (!untagged) expect(tagsOf(end.host.volume)).toMatchObject({ 'reflex:instance': end.host.id });
          if (!untagged && end.warned) expect(tagsOf(end.host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
        }
        expect(end.s.world.inbox).toEqual([]);
      }),
      { numRuns: 50 },
    );
  }, 120_000);

  it('a crash after any step harms nothing', async () => {
    const crashes = fc.record({
      port: fc.constantFrom(...CRASHES),
      n: fc.integer({ min: 1, max: 8 }),
      after: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(stories, crashes, async (story, { port, n, after }) => {
        const end = await told({ ...story, times: 1 }, (name, count) =>
          name === port && count === n ? (after ? 'crash after' : 'crash') : 'none',
        );

        harmless(end);
      }),
      { numRuns: 50 },
    );
  }, 120_000);
});
