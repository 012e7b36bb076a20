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
export const fakeAutoScaling = () => {
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
    DescribeAutoScalingGroups: ({ AutoScalingGroupNames = [] }: { AutoScalingGroupNames?: string[] }) => ({
      AutoScalingGroups: AutoScalingGroupNames.flatMap((name) => groups.get(name) ?? []).map((group) => ({
        AutoScalingGroupName: group.name,
        MinSize: 0,
        MaxSize: 1_000,
        DesiredCapacity: group.desired,
        CapacityRebalance: group.capacityRebalance,
        TargetGroupARNs: group.targetGroups,
        LoadBalancerNames: group.balancers,
        Instances: [...group.instances].map(([InstanceId, LifecycleState]) => ({ InstanceId, LifecycleState })),
      })),
    }),

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
