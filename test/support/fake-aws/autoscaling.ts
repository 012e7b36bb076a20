import { account, region } from '../event-builders.ts';
import type { FakeInstance } from './ec2.ts';
import { fromForm } from './elbv2.ts';
import { AwsError, type Service } from './service.ts';

export interface FakeGroup {
  readonly name: string;
  desired: number;
  readonly capacityRebalance: boolean;
  readonly targetGroups: readonly string[];
  readonly balancers: readonly string[];
  /** Lifecycle state by instance. */
  readonly instances: Map<string, string>;
  /** HeartbeatTimeout in seconds by hook. */
  readonly hooks: Readonly<Record<string, number>>;
  /** 0 and 1,000 where absent. */
  min?: number;
  max?: number;
  tags?: Record<string, string>;
  desiredType?: string;
  launchTemplate?: { readonly LaunchTemplateId: string; readonly Version: string };
  mixed?: MixedPolicy;
  /** Units an instance of a type counts for. */
  weights?: Readonly<Record<string, number>>;
  deleting?: boolean;
}

/** As AWS shows it. */
export interface MixedPolicy {
  readonly LaunchTemplate: object;
  readonly InstancesDistribution: Readonly<Record<string, unknown>>;
}

export const groupArn = (name: string): string =>
  `arn:aws:autoscaling:${region}:${account}:autoScalingGroup:26e7234b-03a4-47fb-b0a9-2b241662774e:autoScalingGroupName/${name}`;

/** A policy that buys Spot above a base. */
export const mixedPolicy = (base: number, distribution: Readonly<Record<string, unknown>> = {}): MixedPolicy => ({
  LaunchTemplate: {
    LaunchTemplateSpecification: { LaunchTemplateId: 'lt-0123456789abcdef0', Version: '$Latest' },
    Overrides: [{ InstanceType: 'm5.large' }, { InstanceType: 'c5.large' }],
  },
  InstancesDistribution: {
    OnDemandAllocationStrategy: 'prioritized',
    OnDemandBaseCapacity: base,
    OnDemandPercentageAboveBaseCapacity: 0,
    SpotAllocationStrategy: 'price-capacity-optimized',
    ...distribution,
  },
});

interface Describe {
  readonly AutoScalingGroupNames?: readonly string[];
  readonly Filters?: readonly { readonly Name: string; readonly Values: readonly string[] }[];
}

interface Update {
  readonly AutoScalingGroupName: string;
  readonly MixedInstancesPolicy?: Partial<MixedPolicy>;
}

interface Ids {
  readonly AutoScalingGroupName: string;
  readonly InstanceIds: readonly string[];
  readonly ShouldDecrementDesiredCapacity: string;
}

interface Action {
  readonly AutoScalingGroupName: string;
  readonly LifecycleHookName: string;
  readonly LifecycleActionToken: string;
  readonly InstanceId: string;
  readonly LifecycleActionResult?: string;
}

/** Auto Scaling as it treats members: an id that is not in the group fails the call, and only who waits at a hook can be held or let go. */
export const fakeAutoScaling = (instanceOf: (id: string) => FakeInstance | undefined = () => undefined) => {
  const groups = new Map<string, FakeGroup>();
  const heartbeats: Action[] = [];
  const completed: Action[] = [];

  const groupOf = (name: string): FakeGroup => {
    const group = groups.get(name);
    if (group === undefined) throw new AwsError('ValidationError', 'AutoScalingGroup name not found - null');
    return group;
  };
  const waiting = ({ AutoScalingGroupName, InstanceId }: Action): FakeGroup => {
    const group = groupOf(AutoScalingGroupName);
    if (group.instances.get(InstanceId) !== 'Terminating:Wait') {
      throw new AwsError('ValidationError', `No active Lifecycle Action found with instance ID ${InstanceId}`);
    }
    return group;
  };

  const operations: Service['operations'] = {
    DescribeAutoScalingGroups: ({ AutoScalingGroupNames, Filters = [] }: Describe) => ({
      AutoScalingGroups: (AutoScalingGroupNames === undefined
        ? [...groups.values()]
        : AutoScalingGroupNames.flatMap((name) => groups.get(name) ?? [])
      )
        .filter(({ tags = {} }) => Filters.every(({ Name, Values }) => Values.includes(tags[Name.slice(4)] ?? '')))
        .map((group) => ({
          AutoScalingGroupName: group.name,
          AutoScalingGroupARN: groupArn(group.name),
          MinSize: group.min ?? 0,
          MaxSize: group.max ?? 1_000,
          ...(group.desiredType !== undefined && { DesiredCapacityType: group.desiredType }),
          ...(group.launchTemplate !== undefined && { LaunchTemplate: group.launchTemplate }),
          ...(group.mixed !== undefined && { MixedInstancesPolicy: group.mixed }),
          ...(group.deleting === true && { Status: 'Delete in progress' }),
          Tags: Object.entries(group.tags ?? {}).map(([Key, Value]) => ({ Key, Value })),
          DesiredCapacity: group.desired,
          CapacityRebalance: group.capacityRebalance,
          TargetGroupARNs: group.targetGroups,
          LoadBalancerNames: group.balancers,
          Instances: [...group.instances].map(([InstanceId, LifecycleState]) => {
            const { type = 'm5.large', zone = `${region}a` } = instanceOf(InstanceId) ?? {};
            const weight = group.weights?.[type];
            return {
              InstanceId,
              LifecycleState,
              InstanceType: type,
              AvailabilityZone: zone,
              ...(weight !== undefined && { WeightedCapacity: String(weight) }),
            };
          }),
        })),
    }),

    /** What is not named stays, in the distribution, too; setting the base removes distribution segments. */
    UpdateAutoScalingGroup: ({ AutoScalingGroupName, MixedInstancesPolicy, ...rest }: Update) => {
      const group = groupOf(AutoScalingGroupName);
      const stray = Object.keys(rest).filter((key) => key !== 'Version');
      if (stray.length > 0) throw new AwsError('ValidationError', `the fake does not change ${stray.join(', ')}`);
      const { LaunchTemplate, InstancesDistribution = {} } = MixedInstancesPolicy ?? {};
      if (group.mixed === undefined && LaunchTemplate === undefined) {
        throw new AwsError('ValidationError', 'You must specify a launch template in the mixed instances policy.');
      }
      const { OnDemandBaseCapacity: base } = InstancesDistribution;
      if (base !== undefined && Number(base) > (group.max ?? 1_000)) {
        throw new AwsError('ValidationError', 'OnDemandBaseCapacity must be less than or equal to MaxSize.');
      }
      const { DistributionSegments, ...before } = group.mixed?.InstancesDistribution ?? {};
      group.mixed = {
        LaunchTemplate: LaunchTemplate ?? group.mixed?.LaunchTemplate ?? {},
        InstancesDistribution: {
          ...before,
          ...(DistributionSegments !== undefined && base === undefined && { DistributionSegments }),
          ...InstancesDistribution,
          ...(base !== undefined && { OnDemandBaseCapacity: Number(base) }),
        },
      };
      return {};
    },

    DescribeLifecycleHooks: ({ AutoScalingGroupName }: { AutoScalingGroupName: string }) => ({
      LifecycleHooks: Object.entries(groupOf(AutoScalingGroupName).hooks).map(
        ([LifecycleHookName, HeartbeatTimeout]) => ({ LifecycleHookName, HeartbeatTimeout }),
      ),
    }),

    DetachInstances: ({ AutoScalingGroupName, InstanceIds, ShouldDecrementDesiredCapacity }: Ids) => {
      const group = groupOf(AutoScalingGroupName);
      if (InstanceIds.length > 20) throw new AwsError('ValidationError', 'InstanceIds: at most 20');
      const stray = InstanceIds.find((id) => group.instances.get(id) !== 'InService');
      if (stray !== undefined) {
        throw new AwsError('ValidationError', `The instance ${stray} is not part of Auto Scaling group ${group.name}.`);
      }
      for (const id of InstanceIds) group.instances.delete(id);
      if (ShouldDecrementDesiredCapacity === 'true') group.desired -= InstanceIds.length;
      return {};
    },

    RecordLifecycleActionHeartbeat: (input: Action) => {
      waiting(input);
      heartbeats.push(input);
      return {};
    },

    CompleteLifecycleAction: (input: Action) => {
      waiting(input).instances.set(input.InstanceId, 'Terminating:Proceed');
      completed.push(input);
      return {};
    },
  };

  const service: Service = {
    name: 'autoscaling',
    xml: true,
    operations,
    route: ({ body }) => {
      const { Action, ...input } = fromForm(body);
      return { operation: String(Action), input };
    },
  };
  return { service, groups, heartbeats, completed };
};
