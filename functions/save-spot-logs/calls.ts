import type { Call } from '../../shared/decision.ts';
import { RESCUE_TAGS, workItemTags } from '../../shared/spot-logs.ts';
import type { Device, Hook, Host, InstanceFacts, Known, Memory } from './facts.ts';
import type { Ending } from './notices.ts';
import type { Policy } from './policy.ts';

type Tag = { readonly Key: string; readonly Value: string };

export type HostCall =
  | Call<
      'ModifyInstanceAttribute',
      {
        InstanceId: string;
        BlockDeviceMappings: { DeviceName: string; Ebs: { VolumeId: string; DeleteOnTermination: false } }[];
      }
    >
  | Call<'CreateTags', { Resources: string[]; Tags: Tag[] }>
  | Call<'DeleteTags', { Resources: string[]; Tags: { Key: string }[] }>
  | Call<
      'SendCommand',
      {
        DocumentName: string;
        InstanceIds: string[];
        Parameters: Record<'source' | 'destination' | 'phase' | 'deadline' | 'executionTimeout', string[]>;
        TimeoutSeconds: number;
        MaxErrors: '100%';
        Comment: string;
      }
    >
  | Call<'UpdateContainerInstancesState', { cluster: string; containerInstances: string[]; status: 'DRAINING' }>
  | Call<'StopTask', { cluster: string; task: string; reason: string }>
  | Call<
      'DetachInstances',
      { AutoScalingGroupName: string; InstanceIds: string[]; ShouldDecrementDesiredCapacity: false }
    >
  | Call<'DeregisterTargets', { TargetGroupArn: string; Targets: { Id: string; Port: number }[] }>
  | Call<'DeregisterInstancesFromLoadBalancer', { LoadBalancerName: string; Instances: { InstanceId: string }[] }>
  | Call<'RecordLifecycleActionHeartbeat', HookParams>
  | Call<'CompleteLifecycleAction', HookParams & { LifecycleActionResult: 'CONTINUE' }>;

type HookParams = {
  AutoScalingGroupName: string;
  LifecycleHookName: string;
  LifecycleActionToken: string;
  InstanceId: string;
};

const SECOND = 1_000;
/** Run Command may take this long to reach the agent; 30 s is the least AWS accepts. */
const DELIVERY_SECONDS = 30;
/** A command that is listed nowhere after this long was not sent. */
const LISTED_AFTER = 8 * SECOND;
/** A command that did not get out is sent again so often. */
const SENT_AT_MOST = 2;

export const whatIs = <T>(known: Known<T> | undefined): T | undefined =>
  known !== undefined && 'value' in known ? known.value : undefined;

/** One call for all devices of the instance that would be deleted with it. */
export const keepCalls = ({ instanceId }: InstanceFacts, devices: readonly Device[]): HostCall[] => {
  const mortal = devices.filter(({ deleteOnTermination }) => deleteOnTermination);
  if (mortal.length === 0) return [];
  const BlockDeviceMappings = mortal.map(({ name, volume }) => ({
    DeviceName: name,
    Ebs: { VolumeId: volume, DeleteOnTermination: false as const },
  }));
  return [{ call: 'ModifyInstanceAttribute', params: { InstanceId: instanceId, BlockDeviceMappings } }];
};

/** The work items of volumes that are not one yet, or only armed where the instance is now about to die. */
export const tagCalls = (
  facts: InstanceFacts,
  devices: readonly Device[],
  ending: Pick<Ending, 'rescue' | 'since'>,
  memory: Memory,
  policy: Policy,
): HostCall[] => {
  const { instanceId, host } = facts;
  const { rescue } = ending;
  const tagged = whatIs(host?.volumes);
  const isTagged = (volume: string): boolean => {
    if (tagged === undefined) return memory.tagged === rescue;
    const tags = tagged[volume] ?? {};
    const state = tags[RESCUE_TAGS.rescue];
    // The rescue of a former keeping may say so a moment after this one began.
    if (tags[RESCUE_TAGS.instance] !== instanceId || state === undefined || state === 'failed') return false;
    return state !== 'armed' || rescue === 'armed';
  };
  return devices
    .filter(({ volume }) => !isTagged(volume))
    .map((device) => ({ call: 'CreateTags', params: workItem(facts, device, ending, policy) }));
};

/** What makes a volume a work item. */
export const workItem = (
  { instanceId: instance }: InstanceFacts,
  { name: device, volume, root }: Device,
  { rescue, since }: Pick<Ending, 'rescue' | 'since'>,
  { filesystem, prefix }: Policy,
): { Resources: string[]; Tags: Tag[] } => ({
  Resources: [volume],
  Tags: tagList(workItemTags({ rescue, instance, device, root, filesystem, prefix, since, attempts: 0 })),
});

export const tagList = (tags: Readonly<Record<string, string>>): Tag[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** The command that ships the logs, unless it was sent. There is no client token: the document bears to run twice. */
export const shipCalls = (
  { instanceId, state, host }: InstanceFacts,
  { ship }: Pick<Ending, 'ship'>,
  memory: Memory,
  { logPaths, bucket, prefix, document }: Policy,
  now: number,
): HostCall[] => {
  if (ship === null || now > ship.until || state !== 'running' || logPaths.length === 0) return [];
  const sentAt = memory.commands?.[ship.phase];
  if (sentAt !== undefined) {
    const command = whatIs(host?.command);
    const lost = command === null || (command !== undefined && command.at < sentAt - LISTED_AFTER);
    if (!lost || now - sentAt < LISTED_AFTER || (memory.sends ?? 0) >= SENT_AT_MOST) return [];
  }
  return [
    {
      call: 'SendCommand',
      params: {
        DocumentName: document,
        InstanceIds: [instanceId],
        Parameters: {
          source: [logPaths.join(' ')],
          destination: [`s3://${bucket}/${prefix}`],
          phase: [ship.phase],
          deadline: [String(Math.floor(ship.until / SECOND))],
          executionTimeout: [String(Math.max(30, Math.ceil((ship.until - now) / SECOND)))],
        },
        TimeoutSeconds: DELIVERY_SECONDS,
        MaxErrors: '100%',
        Comment: `reflex save-spot-logs: ${ship.phase}`,
      },
    },
  ];
};

/** Takes the host out of service: what is under way already, or could not be read, is left alone. */
export const drainCalls = (
  { instanceId }: InstanceFacts,
  host: Host,
  { replace }: Pick<Ending, 'replace'>,
  { stopStandaloneTasks }: Policy,
): HostCall[] => {
  const container = whatIs(host.container) ?? null;
  const group = whatIs(host.group) ?? null;
  const calls: HostCall[] = [];
  if (container !== null) {
    const { cluster, arn, status } = container;
    if (status === 'ACTIVE') {
      calls.push({
        call: 'UpdateContainerInstancesState',
        params: { cluster, containerInstances: [arn], status: 'DRAINING' },
      });
    }
    if (stopStandaloneTasks) {
      const tasks = (whatIs(container.tasks) ?? []).filter(({ standalone, wanted }) => standalone && wanted);
      for (const { arn: task } of tasks) {
        calls.push({
          call: 'StopTask',
          params: { cluster, task, reason: `reflex: ${instanceId} is about to go` },
        });
      }
    }
  }
  // With capacity rebalancing Auto Scaling replaces and terminates the instance itself. Detached, it is nobody's to terminate:
  // only an instance that EC2 takes anyway may be.
  if (replace && group?.lifecycleState === 'InService' && !group.capacityRebalance) {
    calls.push({
      call: 'DetachInstances',
      params: {
        AutoScalingGroupName: group.name,
        InstanceIds: [instanceId],
        ShouldDecrementDesiredCapacity: false,
      },
    });
  }
  for (const { targetGroupArn, ports } of whatIs(host.targets) ?? []) {
    calls.push({
      call: 'DeregisterTargets',
      params: { TargetGroupArn: targetGroupArn, Targets: ports.map((Port) => ({ Id: instanceId, Port })) },
    });
  }
  for (const name of whatIs(host.balancers) ?? []) {
    calls.push({
      call: 'DeregisterInstancesFromLoadBalancer',
      params: { LoadBalancerName: name, Instances: [{ InstanceId: instanceId }] },
    });
  }
  return calls;
};

export const heartbeat = (hook: Hook, instanceId: string): HostCall => ({
  call: 'RecordLifecycleActionHeartbeat',
  params: hookParams(hook, instanceId),
});

/** CONTINUE: the instance is given free. ABANDON would kill it at once, and with it what else holds it. */
export const release = (hook: Hook, instanceId: string): HostCall => ({
  call: 'CompleteLifecycleAction',
  params: { ...hookParams(hook, instanceId), LifecycleActionResult: 'CONTINUE' },
});

const hookParams = ({ group, hook, token }: Hook, instanceId: string): HookParams => ({
  AutoScalingGroupName: group,
  LifecycleHookName: hook,
  LifecycleActionToken: token,
  InstanceId: instanceId,
});
