import {
  AutoScalingClient,
  type AutoScalingGroup,
  type AutoScalingGroupNamesType,
  CompleteLifecycleActionCommand,
  type CompleteLifecycleActionType,
  DescribeAutoScalingGroupsCommand,
  DescribeLifecycleHooksCommand,
  DetachInstancesCommand,
  type DetachInstancesQuery,
  type LifecycleHook,
  RecordLifecycleActionHeartbeatCommand,
  type RecordLifecycleActionHeartbeatType,
  UpdateAutoScalingGroupCommand,
  type UpdateAutoScalingGroupType,
} from '@aws-sdk/client-auto-scaling';
import { client } from './client.ts';
import { allPages, chunksOf } from './pages.ts';

const autoscaling = () => client(AutoScalingClient);
/** Whoever changes a group repeats the call itself, and only while it still makes sense. */
const autoscalingOnce = () => client(AutoScalingClient, { maxAttempts: 1 });

/** DescribeAutoScalingGroups takes this many names a call. */
const groupsPerCall = 50;
/** DetachInstances takes this many instances a call. */
export const detachesPerCall = 20;

/** Groups by name, with the lifecycle state of each of their instances; those that do not exist are left out. */
export const describeAutoScalingGroups = async (names: readonly string[]): Promise<AutoScalingGroup[]> => {
  const groups: AutoScalingGroup[] = [];
  for (const AutoScalingGroupNames of chunksOf(names, groupsPerCall)) {
    groups.push(...(await groupsBy({ AutoScalingGroupNames })));
  }
  return groups;
};

/** Groups of the account and Region that carry a tag with a value. */
export const groupsTagged = (key: string, value: string): Promise<AutoScalingGroup[]> =>
  groupsBy({ Filters: [{ Name: `tag:${key}`, Values: [value] }] });

/** @iam autoscaling:DescribeAutoScalingGroups */
const groupsBy = (which: AutoScalingGroupNamesType): Promise<AutoScalingGroup[]> =>
  allPages(async (NextToken) => {
    const page = await autoscaling().send(
      new DescribeAutoScalingGroupsCommand({ ...which, MaxRecords: 100, NextToken }),
    );
    return { items: page.AutoScalingGroups, next: page.NextToken };
  });

/**
 * What is not named stays as it is, inside MixedInstancesPolicy and its InstancesDistribution, too. A changed on-demand base has
 * the group replace instances bit by bit, new ones first; above MaxSize it is refused.
 * @iam autoscaling:UpdateAutoScalingGroup
 */
export const updateAutoScalingGroup = async (input: UpdateAutoScalingGroupType): Promise<void> => {
  await autoscalingOnce().send(new UpdateAutoScalingGroupCommand(input));
};

/**
 * A group's hooks: 50 at most.
 * @iam autoscaling:DescribeLifecycleHooks
 */
export const describeLifecycleHooks = async (group: string): Promise<LifecycleHook[]> => {
  const answer = await autoscaling().send(new DescribeLifecycleHooksCommand({ AutoScalingGroupName: group }));
  return answer.LifecycleHooks ?? [];
};

/**
 * 20 instances of one group at most; one that is not in it fails them all. Deregisters them from the group's load balancers.
 * @iam autoscaling:DetachInstances
 */
export const detachInstances = async (input: DetachInstancesQuery): Promise<void> => {
  await autoscalingOnce().send(new DetachInstancesCommand(input));
};

/**
 * Starts the hook's HeartbeatTimeout anew; a hook lasts 48 h or 100 timeouts at most.
 * @iam autoscaling:RecordLifecycleActionHeartbeat
 */
export const recordLifecycleActionHeartbeat = async (input: RecordLifecycleActionHeartbeatType): Promise<void> => {
  await autoscalingOnce().send(new RecordLifecycleActionHeartbeatCommand(input));
};

/** @iam autoscaling:CompleteLifecycleAction */
export const completeLifecycleAction = async (input: CompleteLifecycleActionType): Promise<void> => {
  await autoscalingOnce().send(new CompleteLifecycleActionCommand(input));
};
