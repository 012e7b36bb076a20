import { describeAutoScalingGroups } from '../../../shared/aws/autoscaling.ts';
import { describeInstances } from '../../../shared/aws/ec2.ts';
import type { LaunchUnsuccessfulEvent, ReflexEvent, SpotInterruptionEvent } from '../../../shared/events/event.ts';
import type { Heard, Signal } from '../../../shared/function.ts';
import type { Reading } from '../../../shared/guards/guard.ts';
import { reading } from '../../../shared/reads.ts';
import { ANY_TYPE, type News, poolOf } from './facts.ts';

/** With each of them EC2 takes the capacity back. */
const ACTIONS = ['terminate', 'stop', 'hibernate'];
const GROUP_TAG = 'aws:autoscaling:groupName';

/** Where a warned instance runs; group null: in none. */
interface Place {
  readonly group: string | null;
  readonly pool: string;
}

/**
 * Spot warnings name an instance and nothing else: one DescribeInstances for all of a batch tells type, zone and group, and one
 * DescribeAutoScalingGroups the groups' ARNs. Read at once, because an instance that is detached belongs to no group any more.
 */
export const hear = async (events: readonly ReflexEvent[]): Promise<Heard[]> => {
  const warned = events.filter((event) => event.kind === 'spot-interruption').filter(takesBack);
  const failed = events.filter((event) => event.kind === 'launch-unsuccessful').filter(isForWantOfSpot);
  const places = await reading(() => placesOf(warned));
  const names = [
    ...('value' in places ? [...places.value.values()].flatMap(({ group }) => group ?? []) : []),
    ...failed.map(({ group }) => group),
  ];
  const arns = await reading(() => arnsOf(names));
  return events.map((event) => heard(event, places, arns));
};

type Places = ReadonlyMap<string, Place>;
type Arns = ReadonlyMap<string, string>;

const heard = (event: ReflexEvent, places: Reading<Places>, arns: Reading<Arns>): Heard => {
  switch (event.kind) {
    case 'spot-interruption': {
      if (!takesBack(event)) return { notForUs: 'unknown-interruption' };
      if ('error' in places) return places;
      const place = places.value.get(event.instanceId);
      if (place === undefined) return { notForUs: 'instance-gone' };
      if (place.group === null) return { notForUs: 'no-group' };
      const { instanceId: id, at } = event;
      const cause = `EC2 takes Spot instances back: ${place.pool}`;
      // The action may differ in a repetition; an instance of a group does not come back.
      return signal(place.group, arns, cause, { kind: 'interruption', id, pool: place.pool, at });
    }
    case 'launch-unsuccessful': {
      if (!isForWantOfSpot(event)) return { notForUs: 'other-launch-failure' };
      const pool = poolOf(typeNamed(event) ?? ANY_TYPE, event.zone ?? 'unknown-zone');
      const news: News = { kind: 'launch-failure', id: event.activity, pool, at: event.at };
      return signal(event.group, arns, `Auto Scaling found no Spot capacity: ${pool}`, news);
    }
    default:
      return { notForUs: 'not-of-a-group' };
  }
};

const signal = (group: string, arns: Reading<Arns>, cause: string, evidence: News): Heard => {
  if ('error' in arns) return arns;
  const resource = arns.value.get(group);
  if (resource === undefined) return { notForUs: 'group-gone' };
  const { kind, id, at } = evidence;
  const told: Signal = { resource, trigger: 'event', cause, occurrence: `${kind} ${id}`, at, evidence };
  return { signals: [told] };
};

const takesBack = ({ action }: SpotInterruptionEvent): boolean => ACTIONS.includes(action);

/**
 * A quota, a wrong configuration, or a lack of on-demand capacity is not mended by a higher on-demand base. Auto Scaling says which
 * market it asked and EC2's code: "Could not launch Spot Instances. UnfulfillableCapacity - ...".
 */
const isForWantOfSpot = ({ message }: LaunchUnsuccessfulEvent): boolean =>
  /no Spot capacity available/i.test(message) ||
  (/Could not launch Spot Instances/i.test(message) &&
    /\b(UnfulfillableCapacity|InsufficientInstanceCapacity|InsufficientCapacity)\b/.test(message));

/** "We currently do not have sufficient m5.large capacity in the Availability Zone ..." */
const typeNamed = ({ message }: LaunchUnsuccessfulEvent): string | null =>
  /sufficient ([a-z0-9-]+\.[a-z0-9-]+) capacity/.exec(message)?.[1] ?? null;

const placesOf = async (warned: readonly SpotInterruptionEvent[]): Promise<Places> => {
  const ids = new Set(warned.map(({ instanceId }) => instanceId));
  const found = ids.size === 0 ? [] : await describeInstances([...ids]);
  return new Map(
    found.map(({ InstanceId = '', InstanceType = '', Placement, Tags = [] }) => {
      const group = Tags.find(({ Key }) => Key === GROUP_TAG)?.Value ?? null;
      return [InstanceId, { group, pool: poolOf(InstanceType, Placement?.AvailabilityZone ?? '') }];
    }),
  );
};

const arnsOf = async (names: readonly string[]): Promise<Arns> => {
  const groups = names.length === 0 ? [] : await describeAutoScalingGroups([...new Set(names)]);
  return new Map(
    groups.map(({ AutoScalingGroupName = '', AutoScalingGroupARN = '' }) => [
      AutoScalingGroupName,
      AutoScalingGroupARN,
    ]),
  );
};
