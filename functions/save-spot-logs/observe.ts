import type { Instance } from '@aws-sdk/client-ec2';
import { idIn } from '../../shared/arns.ts';
import { describeAutoScalingGroups, describeLifecycleHooks } from '../../shared/aws/autoscaling.ts';
import { describeInstances, describeVolumesOf } from '../../shared/aws/ec2.ts';
import { containerInstancesOn, describeTasks, listClusters, listTasksOn, tasksPerCall } from '../../shared/aws/ecs.ts';
import { registeredInstances } from '../../shared/aws/elb-classic.ts';
import { describesAtPace, describeTargetHealth } from '../../shared/aws/elbv2.ts';
import { chunksOf } from '../../shared/aws/pages.ts';
import { listCommandInvocations } from '../../shared/aws/ssm.ts';
import { skip } from '../../shared/decision.ts';
import { serviceNameOf, taskFromApi } from '../../shared/ecs-task.ts';
import type { Observed, Watch } from '../../shared/function.ts';
import { type Patience, paced } from '../../shared/patience.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import { said } from '../../shared/words.ts';
import {
  type Container,
  type Device,
  type Group,
  type Host,
  type HostTask,
  type InstanceFacts,
  isUnderWay,
  type Known,
  type Notice,
  type Registration,
} from './facts.ts';
import { extraTargetGroups, type Policy, stopsStandaloneTasks } from './policy.ts';

/** Commands older than this belong to another occurrence. */
const COMMANDS_SINCE = 20 * 60_000;
/** What is read for a look has its turn within this time, or is left to the next. */
const READ_FOR = 4_000;
/** 50 commands a page. */
const COMMAND_PAGES = 20;
const GROUP_TAG = 'aws:autoscaling:groupName';

/**
 * Reads the facts of instances: one DescribeInstances for the whole batch. What an event wakes us for is decided on it
 * alone, because the volumes come first; at every further look the host's surroundings are read, each apart from the others.
 */
export const observe = (stack: Policy, patience: Patience) => {
  const readTargets = targetsIn(patience);
  return async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<InstanceFacts>>> => {
    const asOf = patience.clock();
    const found = await describeInstances([...new Set(watches.map(({ resource }) => idIn(resource)))]);
    const byId = new Map(found.map((instance) => [instance.InstanceId ?? '', instance]));
    const seen = watches.flatMap((watch) => {
      const instance = byId.get(idIn(watch.resource));
      return instance === undefined ? [] : [{ watch, instance }];
    });
    const looked = seen.filter(({ watch, instance }) => watch.trigger !== 'event' && isOptedIn(instance));
    const hosts = await hostsOf(
      looked.map(({ instance: { InstanceId: instanceId = '', Tags } }) => ({ instanceId, tags: tagsOf(Tags) })),
      stack,
      asOf,
      readTargets,
    );
    const observed = new Map<string, Observed<InstanceFacts>>(
      watches.map(({ resource }) => [resource, { decision: gone(resource) }]),
    );
    for (const { watch, instance } of seen) {
      observed.set(watch.resource, { facts: factsOf(watch, instance, hosts, asOf) });
    }
    return observed;
  };
};

/** What the second look would read, so that a dry run shows the whole of the two minutes and not their first three calls. */
export const foresee =
  (stack: Policy, patience: Patience) =>
  async (facts: readonly InstanceFacts[]): Promise<readonly InstanceFacts[]> => {
    const first = facts.filter(({ host }) => host === null);
    const hosts = await hostsOf(first, stack, patience.clock(), targetsIn(patience));
    return facts.map((each) => ({ ...each, host: each.host ?? hosts.get(each.instanceId) ?? null }));
  };

const gone = (resource: string) => skip('instance-gone', `EC2 does not show ${idIn(resource)} any more.`);

const factsOf = (watch: Watch, instance: Instance, hosts: ReadonlyMap<string, Host>, asOf: number): InstanceFacts => ({
  asOf,
  arn: watch.resource,
  instanceId: idIn(watch.resource),
  tags: tagsOf(instance.Tags),
  state: instance.State?.Name ?? '',
  type: instance.InstanceType ?? '',
  zone: instance.Placement?.AvailabilityZone ?? '',
  spot: instance.InstanceLifecycle === 'spot',
  devices: (instance.BlockDeviceMappings ?? []).flatMap(({ DeviceName: name = '', Ebs }): Device[] =>
    Ebs?.VolumeId === undefined
      ? []
      : [
          {
            name,
            volume: Ebs.VolumeId,
            root: name === instance.RootDeviceName,
            deleteOnTermination: Ebs.DeleteOnTermination ?? false,
          },
        ],
  ),
  notices: watch.signals.flatMap(({ evidence }) => (evidence === undefined ? [] : (evidence as unknown as Notice))),
  host: hosts.get(idIn(watch.resource)) ?? null,
});

const tagsOf = (
  tags: readonly { Key?: string | undefined; Value?: string | undefined }[] = [],
): Record<string, string> => Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));

const isOptedIn = ({ Tags }: Instance): boolean => tagsOf(Tags)[OPT_IN_TAG] === 'true';

// --- The host's surroundings: read together for all hosts, each kind apart ---

const hostsOf = async (
  instances: readonly Pick<InstanceFacts, 'instanceId' | 'tags'>[],
  stack: Policy,
  now: number,
  readTargets: ReturnType<typeof targetsIn>,
): Promise<ReadonlyMap<string, Host>> => {
  if (instances.length === 0) return new Map();
  const ids = instances.map(({ instanceId }) => instanceId);
  const groupOf = new Map(instances.map(({ instanceId, tags }) => [instanceId, tags[GROUP_TAG]]));
  const extra = new Map(instances.map(({ instanceId, tags }) => [instanceId, extraTargetGroups(stack, tags)]));
  const stops = new Map(instances.map(({ instanceId, tags }) => [instanceId, stopsStandaloneTasks(stack, tags)]));
  const groups = known(() => readGroups(new Set([...groupOf.values()].filter((name) => name !== undefined))));
  /** Tasks are counted where something depends on them: a hook that is held, or standalone tasks to be stopped. */
  const wantsTasks = async (id: string): Promise<boolean> => {
    const read = await groups;
    const name = groupOf.get(id);
    const state = 'value' in read && name !== undefined ? read.value.get(name)?.groupFor(id).lifecycleState : null;
    return 'unknown' in read || state?.startsWith('Terminating') === true || (stops.get(id) ?? false);
  };
  const [volumes, containers, commands, { targets, balancers }, read] = await Promise.all([
    known(() => readVolumes(ids)),
    readContainers(ids, stack.clusters, wantsTasks),
    known(() => readCommands(stack.document, now)),
    readRegistrations(groups, groupOf, extra, readTargets),
    groups,
  ]);
  return new Map(
    ids.map((id) => {
      const name = groupOf.get(id);
      const attached = 'value' in read && name !== undefined ? read.value.get(name) : undefined;
      const member = attached?.holds(id) ? attached : undefined;
      const host: Host = {
        volumes: of(volumes, (all) => all.get(id) ?? {}),
        group: of(read, () => (attached === undefined ? null : attached.groupFor(id))),
        container: containers(id),
        targets: targetsOf(id, [...(member?.targetGroups ?? []), ...(extra.get(id) ?? [])], targets, read),
        balancers: balancersOf(id, member?.balancers ?? [], balancers, read),
        command: of(commands, (all) => all.get(id) ?? null),
      };
      return [id, host] as const;
    }),
  );
};

const known = async <T>(read: () => Promise<T>): Promise<Known<T>> => {
  try {
    return { value: await read() };
  } catch (error) {
    return { unknown: said(error) };
  }
};

const of = <T, U>(source: Known<T>, pick: (value: T) => U): Known<U> =>
  'value' in source ? { value: pick(source.value) } : source;

const readVolumes = async (ids: readonly string[]): Promise<Map<string, Record<string, Record<string, string>>>> => {
  const byInstance = new Map<string, Record<string, Record<string, string>>>();
  for (const { VolumeId = '', Tags, Attachments = [] } of await describeVolumesOf(ids)) {
    for (const { InstanceId = '' } of Attachments) {
      byInstance.set(InstanceId, { ...byInstance.get(InstanceId), [VolumeId]: tagsOf(Tags) });
    }
  }
  return byInstance;
};

interface Attached {
  readonly targetGroups: readonly string[];
  readonly balancers: readonly string[];
  readonly groupFor: (id: string) => Group;
  /** Whether the instance is still in it: what it lets go, Auto Scaling takes out of its target groups and balancers itself. */
  readonly holds: (id: string) => boolean;
}

const readGroups = async (names: ReadonlySet<string>): Promise<Map<string, Attached>> => {
  const groups = names.size === 0 ? [] : await describeAutoScalingGroups([...names]);
  return new Map(
    await Promise.all(
      groups.map(async (group): Promise<[string, Attached]> => {
        const name = group.AutoScalingGroupName ?? '';
        const states = new Map(
          (group.Instances ?? []).map(({ InstanceId, LifecycleState }) => [InstanceId, LifecycleState]),
        );
        const waits = [...states.values()].some((state) => state?.startsWith('Terminating'));
        const hooks = waits ? await describeLifecycleHooks(name).catch(() => []) : [];
        const heartbeatTimeouts = Object.fromEntries(
          hooks.flatMap(({ LifecycleHookName, HeartbeatTimeout }) =>
            LifecycleHookName === undefined || HeartbeatTimeout === undefined
              ? []
              : [[LifecycleHookName, HeartbeatTimeout]],
          ),
        );
        const sources = (group.TrafficSources ?? []).filter(({ Type }) => Type === 'elbv2' || Type === undefined);
        const targetGroups = [
          ...(group.TargetGroupARNs ?? []),
          ...sources.flatMap(({ Identifier }) => Identifier ?? []),
        ];
        const classic = (group.TrafficSources ?? []).filter(({ Type }) => Type === 'elb');
        const balancers = [
          ...(group.LoadBalancerNames ?? []),
          ...classic.flatMap(({ Identifier }) => Identifier ?? []),
        ];
        return [
          name,
          {
            holds: (id) => states.has(id),
            targetGroups: [...new Set(targetGroups.filter((arn) => arn.includes(':targetgroup/')))],
            balancers: [...new Set(balancers)],
            groupFor: (id) => ({
              name,
              lifecycleState: states.get(id) ?? null,
              capacityRebalance: group.CapacityRebalance ?? false,
              heartbeatTimeouts,
            }),
          },
        ];
      }),
    ),
  );
};

type Ports = ReadonlyMap<string, readonly number[]>;

/** Who still takes traffic: by target group, and by classic load balancer; each read once for all hosts. */
const readRegistrations = async (
  groups: Promise<Known<Map<string, Attached>>>,
  groupOf: ReadonlyMap<string, string | undefined>,
  extra: ReadonlyMap<string, readonly string[]>,
  readTargets: ReturnType<typeof targetsIn>,
): Promise<{
  targets: ReadonlyMap<string, Known<Ports>>;
  balancers: ReadonlyMap<string, Known<ReadonlySet<string>>>;
}> => {
  const read = await groups;
  const byName = 'value' in read ? read.value : new Map<string, Attached>();
  const attached = [...groupOf].flatMap(([id, name = '']) => {
    const group = byName.get(name);
    return group?.holds(id) ? group : [];
  });
  const arns = new Set([...attached.flatMap(({ targetGroups }) => targetGroups), ...[...extra.values()].flat()]);
  const names = new Set(attached.flatMap(({ balancers }) => balancers));
  const [targets, balancers] = await Promise.all([
    readTargets(arns),
    Promise.all(
      [...names].map(
        async (name) => [name, await known(async () => new Set(await registeredInstances(name)))] as const,
      ),
    ),
  ]);
  return { targets, balancers: new Map(balancers) };
};

/** Reads who takes traffic in target groups; one whose turn is too far off is not read, and it is not always the same one. */
const targetsIn = (patience: Patience): ((arns: ReadonlySet<string>) => Promise<ReadonlyMap<string, Known<Ports>>>) => {
  const turn = paced(describesAtPace, patience);
  const read = async (arn: string): Promise<Ports> => {
    await turn(patience.clock() + READ_FOR);
    const ports = new Map<string, number[]>();
    for (const { Target, TargetHealth } of await describeTargetHealth(arn)) {
      if (Target?.Id === undefined || Target.Port === undefined) continue;
      if (TargetHealth?.State === 'draining' || TargetHealth?.Reason === 'Target.NotRegistered') continue;
      ports.set(Target.Id, [...(ports.get(Target.Id) ?? []), Target.Port]);
    }
    return ports;
  };
  return async (arns) => {
    const inAnyOrder = [...arns].map((arn) => ({ arn, rank: patience.random() })).sort((a, b) => a.rank - b.rank);
    return new Map(await Promise.all(inAnyOrder.map(async ({ arn }) => [arn, await known(() => read(arn))] as const)));
  };
};

/** What could be read counts; where something could not, that is the answer only if nothing else was found. */
const targetsOf = (
  id: string,
  arns: readonly string[],
  targets: ReadonlyMap<string, Known<Ports>>,
  groups: Known<unknown>,
): Known<readonly Registration[]> => {
  const found = [...new Set(arns)].flatMap((targetGroupArn): Registration[] => {
    const read = targets.get(targetGroupArn);
    const ports = read !== undefined && 'value' in read ? (read.value.get(id) ?? []) : [];
    return ports.length === 0 ? [] : [{ targetGroupArn, ports }];
  });
  const unknown = [groups, ...arns.map((arn) => targets.get(arn))].find(isUnknown);
  return found.length === 0 && unknown !== undefined ? unknown : { value: found };
};

const balancersOf = (
  id: string,
  names: readonly string[],
  balancers: ReadonlyMap<string, Known<ReadonlySet<string>>>,
  groups: Known<unknown>,
): Known<readonly string[]> => {
  const found = names.filter((name) => {
    const read = balancers.get(name);
    return read !== undefined && 'value' in read && read.value.has(id);
  });
  const unknown = [groups, ...names.map((name) => balancers.get(name))].find(isUnknown);
  return found.length === 0 && unknown !== undefined ? unknown : { value: found };
};

const isUnknown = (read: Known<unknown> | undefined): read is { readonly unknown: string } =>
  read !== undefined && 'unknown' in read;

/** Of each host, wherever it is found. Where a cluster cannot be read, that is the answer for those that are in no other. */
const readContainers = async (
  ids: readonly string[],
  configured: readonly string[],
  wantsTasks: (id: string) => Promise<boolean>,
): Promise<(id: string) => Known<Container | null>> => {
  const clusters = await known(async () => (configured.length > 0 ? configured : listClusters()));
  if ('unknown' in clusters) return () => clusters;
  const read = await Promise.all(clusters.value.map((cluster) => known(() => containersIn(cluster, ids, wantsTasks))));
  const found = new Map(read.flatMap((one) => ('value' in one ? one.value : [])));
  const unknown = read.find(isUnknown);
  return (id) => {
    const container = found.get(id) ?? null;
    return container === null && unknown !== undefined ? unknown : { value: container };
  };
};

const containersIn = async (
  cluster: string,
  ids: readonly string[],
  wantsTasks: (id: string) => Promise<boolean>,
): Promise<(readonly [string, Container])[]> =>
  Promise.all(
    (await containerInstancesOn(cluster, ids)).map(
      async ({ ec2InstanceId = '', containerInstanceArn: arn = '', status = '' }) => {
        const tasks = (await wantsTasks(ec2InstanceId))
          ? await known(() => readTasks(cluster, arn))
          : { unknown: 'not read' };
        return [ec2InstanceId, { cluster, arn, status, tasks }] as const;
      },
    ),
  );

/** Counted one by one: `runningTasksCount` leaves out those that are stopping. */
const readTasks = async (cluster: string, containerInstance: string): Promise<HostTask[]> => {
  const [wanted, unwanted] = await Promise.all([
    listTasksOn(cluster, containerInstance, 'RUNNING'),
    listTasksOn(cluster, containerInstance, 'STOPPED'),
  ]);
  const arns = [...wanted, ...unwanted];
  const tasks: HostTask[] = [];
  for (const some of chunksOf(arns, tasksPerCall)) {
    const described = (await describeTasks(cluster, some)).map(taskFromApi);
    for (const task of described.filter(({ lastStatus }) => lastStatus !== 'STOPPED')) {
      tasks.push({
        arn: task.arn,
        standalone: serviceNameOf(task) === null,
        wanted: task.desiredStatus === 'RUNNING',
      });
    }
  }
  return tasks;
};

/** The newest command on every instance. One that is under way counts before it: where another is at it, a command ends at once. */
const readCommands = async (
  document: string,
  now: number,
): Promise<Map<string, { readonly status: string; readonly at: number }>> => {
  const newest = new Map<string, { status: string; at: number }>();
  for (const command of await listCommandInvocations(document, now - COMMANDS_SINCE, COMMAND_PAGES)) {
    const { InstanceId = '', Status = '', RequestedDateTime } = command;
    const at = RequestedDateTime?.getTime() ?? 0;
    const known = newest.get(InstanceId);
    const alike = known === undefined || isUnderWay(Status) === isUnderWay(known.status);
    if (alike ? at >= (known?.at ?? 0) : isUnderWay(Status)) newest.set(InstanceId, { status: Status, at });
  }
  return newest;
};
