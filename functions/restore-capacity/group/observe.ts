import type { AutoScalingGroup } from '@aws-sdk/client-auto-scaling';
import { describeAutoScalingGroups, groupsTagged } from '../../../shared/aws/autoscaling.ts';
import { skip } from '../../../shared/decision.ts';
import type { Observed, Watch } from '../../../shared/function.ts';
import { OPT_IN_TAG } from '../../../shared/settings.ts';
import { type GroupFacts, groupNameIn, type News, poolOf } from './facts.ts';

/** On its way, or there. A warm pool is not listed; what is on standby, or leaves, carries nothing. */
const PRESENT = /^(InService|Pending)/;

/** Every opted-in group: a base that was raised is lowered again although its incident was lost. */
export const sweep = async (): Promise<readonly string[]> => {
  const groups = await groupsTagged(OPT_IN_TAG, 'true');
  return groups.flatMap(({ AutoScalingGroupARN }) => AutoScalingGroupARN ?? []);
};

/** Reads the facts of groups: one DescribeAutoScalingGroups for fifty. */
export const observe =
  (clock: () => number) =>
  async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<GroupFacts>>> => {
    const asOf = clock();
    const found = await describeAutoScalingGroups([...new Set(watches.map(({ resource }) => groupNameIn(resource)))]);
    const byArn = new Map(found.map((group) => [group.AutoScalingGroupARN, group]));
    return new Map(
      watches.map((watch): [string, Observed<GroupFacts>] => {
        const group = byArn.get(watch.resource);
        return [
          watch.resource,
          group === undefined ? { decision: gone(watch) } : { facts: factsOf(watch, group, asOf) },
        ];
      }),
    );
  };

const gone = ({ resource }: Watch) => skip('group-gone', `${groupNameIn(resource)} does not exist any more.`);

const factsOf = ({ resource, signals }: Watch, group: AutoScalingGroup, asOf: number): GroupFacts => {
  const { Instances = [], MixedInstancesPolicy: mixed, LaunchTemplate: template, Tags = [] } = group;
  const weights = weightsOf(group);
  const pools = Map.groupBy(Instances, ({ InstanceType = '', AvailabilityZone = '' }) =>
    poolOf(InstanceType, AvailabilityZone),
  );
  const { OnDemandBaseCapacity, OnDemandPercentageAboveBaseCapacity, DistributionSegments } =
    mixed?.InstancesDistribution ?? {};
  return {
    asOf,
    kind: 'group',
    arn: resource,
    name: groupNameIn(resource),
    tags: Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
    // Only a group that is being deleted has a status.
    deleting: group.Status !== undefined,
    max: group.MaxSize ?? 0,
    desired: group.DesiredCapacity ?? 0,
    present: Instances.filter(({ LifecycleState = '' }) => PRESENT.test(LifecycleState)).reduce(
      (sum, { InstanceType = '' }) => sum + (weights[InstanceType] ?? 1),
      0,
    ),
    desiredType: group.DesiredCapacityType ?? 'units',
    distribution:
      mixed === undefined
        ? null
        : {
            // What AWS takes where they are not set.
            base: OnDemandBaseCapacity ?? 0,
            percentageAboveBase: OnDemandPercentageAboveBaseCapacity ?? 100,
            segments: (DistributionSegments ?? []).length > 0,
          },
    launchTemplate:
      template?.LaunchTemplateId === undefined
        ? null
        : { id: template.LaunchTemplateId, version: template.Version ?? '$Default' },
    pools: Object.fromEntries([...pools].map(([pool, all]) => [pool, all.length])),
    weights,
    news: signals.flatMap(({ evidence }) => (evidence === undefined ? [] : (evidence as unknown as News))),
  };
};

const weightsOf = ({ Instances = [], MixedInstancesPolicy }: AutoScalingGroup): Record<string, number> =>
  Object.fromEntries(
    [...(MixedInstancesPolicy?.LaunchTemplate?.Overrides ?? []), ...Instances].flatMap(
      ({ InstanceType, WeightedCapacity }) =>
        InstanceType === undefined || WeightedCapacity === undefined
          ? []
          : [[InstanceType, Number(WeightedCapacity)] as const],
    ),
  );
