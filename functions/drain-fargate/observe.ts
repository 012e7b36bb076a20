import type { Service } from '@aws-sdk/client-ecs';
import { type EcsTask, later, taskIdOf } from '../../shared/ecs-task.ts';
import type { Observed, Watch } from '../../shared/function.ts';
import type { Reading } from '../../shared/guards/guard.ts';
import type { Patience } from '../../shared/patience.ts';
import { TOO_LATE } from './decide.ts';
import { GONE, type Registration, SERVING, type Target, type TaskFacts } from './facts.ts';
import { type Place, placesOf, providersOf, registriesOf, servingContainers } from './places.ts';
import { extraTargetGroups, type Policy } from './policy.ts';
import { cold, type Health, type Instances, readsOf, serviceKeyOf, type Warm } from './reads.ts';

/** ECS gives a container this long between SIGTERM and SIGKILL unless its definition says otherwise. */
const DEFAULT_STOP_TIMEOUT = 30;

/** A task on its way to facts. */
interface Member {
  readonly resource: string;
  readonly task: EcsTask;
  readonly since: number | null;
  readonly service: Service;
  readonly places: readonly Place[];
  readonly registries: readonly string[];
  /** Only our own check woke us: what was done is verified. */
  readonly checked: boolean;
  /** So many of the service's tasks are interrupted that few may be left, or none. */
  readonly crowded: boolean;
}

/**
 * Reads the facts of interrupted tasks, all together. Events bring the task with them, so tasks and services are read at
 * once: one round trip, when the target groups are known from before. Otherwise a second one tells of them, beside what the
 * health of a target group has to say where it may lose its last target. What is only worth saying never delays more.
 */
export const observe = (stack: Policy, patience: Patience) => {
  const warm = cold(patience);
  return async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<TaskFacts>>> => {
    const asOf = patience.clock();
    const reads = readsOf(warm, patience);
    const told = new Map(watches.flatMap((watch) => toldOf(watch).map((task) => [watch.resource, task] as const)));

    const interrupted = interruptedLately(warm, [...told.values()], asOf);
    readAhead(warm, reads, [...told.values()], interrupted);
    const definitions = reads.definitions(new Set([...told.values()].map((task) => task.taskDefinitionArn)));
    const [shown, services] = await Promise.all([
      reads.tasks(watches.map(({ resource }) => resource)),
      reads.services([...told.values()]),
    ]);
    const tasks = new Map(watches.map((watch) => [watch.resource, latest(told.get(watch.resource), shown, watch)]));
    const found = [...tasks.values()].filter((task) => task !== undefined);
    const others = await reads.services(found.filter((task) => !services.has(serviceKeyOf(task))));
    const serviceOf = (task: EcsTask) => services.get(serviceKeyOf(task)) ?? others.get(serviceKeyOf(task));

    const observed = new Map<string, Observed<TaskFacts>>();
    const members: Member[] = [];
    for (const watch of watches) {
      const { resource } = watch;
      const task = tasks.get(resource);
      const service = task === undefined ? undefined : serviceOf(task);
      if (task === undefined) observed.set(resource, absent(shown.get(resource), resource));
      else if (service === undefined || 'error' in service) {
        observed.set(resource, { error: service?.error ?? new Error(`the service of ${resource} was not read`) });
      } else if (service.value === undefined) observed.set(resource, serviceGone(task));
      else members.push(memberOf(watch, task, service.value, interrupted.get(serviceKeyOf(task)) ?? 0, stack));
    }
    for (const { task, service, places, registries } of members.filter(({ task }) => !isGone(task))) {
      warm.sketches.set(serviceKeyOf(task), {
        targetGroups: places.map(({ targetGroupArn }) => targetGroupArn),
        registries,
        runningCount: service.runningCount ?? 0,
      });
    }

    const arns = new Set(members.flatMap(({ places }) => places.map(({ targetGroupArn }) => targetGroupArn)));
    const [health, instances] = await Promise.all([
      readEach(healthWanted(members), reads.targetHealth),
      readEach(new Set(members.flatMap(({ registries }) => registries)), reads.instances),
      reads.groups(arns),
      reads.delays(arns),
      definitions,
    ]);

    const targets = new Map(members.map((member) => [member, targetsOf(member, warm, health)]));
    const registrations = new Map(members.map((member) => [member, registrationsOf(member, instances)]));
    const inGroups = leftIn(targets, (arn) => servingIn(health.get(arn)));
    const inRegistries = leftIn(registrations, (id) => registeredIn(instances.get(id)));
    for (const member of members) {
      const unread = member.places.map((place) => health.get(place.targetGroupArn)).find(isFailed);
      if (member.checked && unread !== undefined) {
        observed.set(member.resource, unread);
        continue;
      }
      observed.set(member.resource, {
        facts: {
          asOf,
          ...aboutService(member, warm),
          task: member.task,
          since: member.since,
          targets: (targets.get(member) ?? []).map((target) => ({
            ...target,
            emptied: inGroups.emptied.has(target.targetGroupArn),
            last: inGroups.last.has(target),
          })),
          unread: member.places
            .filter(({ targetGroupArn, port }) => port === null && isFailed(health.get(targetGroupArn)))
            .map(({ targetGroupArn }) => targetGroupArn),
          registrations: (registrations.get(member) ?? []).map((entry) => ({
            ...entry,
            last: inRegistries.last.has(entry),
          })),
        },
      });
    }
    return observed;
  };
};

/** The latest of the tasks that a watch's events tell of; none for our own checks. */
const toldOf = ({ signals }: Watch): EcsTask[] => {
  const tasks = signals.flatMap(({ evidence }) => (evidence === undefined ? [] : [evidence as unknown as EcsTask]));
  return tasks.length === 0 ? [] : [tasks.reduce(later)];
};

/** DescribeTasks may be behind the event, or ahead of it; where it does not answer, the event is enough. */
const latest = (
  told: EcsTask | undefined,
  shown: ReadonlyMap<string, Reading<EcsTask | undefined>>,
  { resource }: Watch,
): EcsTask | undefined => {
  const answer = shown.get(resource);
  const task = answer !== undefined && 'value' in answer ? answer.value : undefined;
  return told === undefined || task === undefined ? (told ?? task) : later(told, task);
};

const absent = (answer: Reading<EcsTask | undefined> | undefined, resource: string): Observed<TaskFacts> =>
  isFailed(answer)
    ? answer
    : {
        decision: {
          kind: 'skip',
          reason: 'task-gone',
          why: `ECS does not show ${taskIdOf(resource)} any more; it stopped more than an hour ago.`,
        },
      };

const serviceGone = (task: EcsTask): Observed<TaskFacts> => ({
  decision: {
    kind: 'skip',
    reason: 'service-gone',
    why: `The service ${serviceKeyOf(task).replace(' ', '/')} does not exist; where the task is registered is not known.`,
  },
});

const memberOf = (watch: Watch, task: EcsTask, service: Service, interrupted: number, stack: Policy): Member => {
  const checked = watch.signals.every(({ evidence }) => evidence === undefined);
  // Where it is registered no longer matters to a task that is gone, but to the check of what was done before.
  const matters = checked || !isGone(task);
  return {
    resource: watch.resource,
    task,
    since: task.stoppingAt ?? watch.signals.find(({ trigger }) => trigger === 'event')?.at ?? null,
    service,
    places: matters ? placesOf(service, task, extraTargetGroups(stack, tagsOf(service))) : [],
    registries: matters ? registriesOf(service, task) : [],
    checked,
    crowded: isCrowded(interrupted, service.runningCount ?? 0),
  };
};

const isGone = ({ lastStatus }: EcsTask): boolean => GONE.includes(lastStatus);

/** How many of each service's tasks were interrupted lately, this batch included. */
const interruptedLately = (warm: Warm, told: readonly EcsTask[], now: number): ReadonlyMap<string, number> => {
  for (const [arn, { at }] of warm.interrupted) if (now - at > TOO_LATE) warm.interrupted.delete(arn);
  for (const task of told) warm.interrupted.set(task.arn, { service: serviceKeyOf(task), at: now });
  const counts = new Map<string, number>();
  for (const { service } of warm.interrupted.values()) counts.set(service, (counts.get(service) ?? 0) + 1);
  return counts;
};

/** runningCount runs late, and another instance may have seen as many as this one: half of them is taken for all. */
const isCrowded = (interrupted: number, runningCount: number): boolean => 2 * interrupted >= runningCount;

/** Starts reading what a service will call for if it still is what it was. */
const readAhead = (
  warm: Warm,
  reads: ReturnType<typeof readsOf>,
  told: readonly EcsTask[],
  interrupted: ReadonlyMap<string, number>,
): void => {
  for (const key of new Set(told.filter((task) => !isGone(task)).map(serviceKeyOf))) {
    const { registries = [], targetGroups = [], runningCount = 0 } = warm.sketches.get(key) ?? {};
    for (const id of registries) void reads.instances(id);
    if (isCrowded(interrupted.get(key) ?? 0, runningCount))
      for (const arn of targetGroups) void reads.targetHealth(arn);
  }
};

const healthWanted = (members: readonly Member[]): Set<string> =>
  new Set(
    members.flatMap(({ places, checked, crowded }) =>
      places.filter(({ port }) => checked || crowded || port === null).map(({ targetGroupArn }) => targetGroupArn),
    ),
  );

type Found<T> = Omit<T, 'last' | 'emptied'>;

/** The task's address in each of its target groups, in the group's own address family. */
const targetsOf = (
  { task, places }: Member,
  warm: Warm,
  health: ReadonlyMap<string, Reading<Health>>,
): Found<Target>[] => {
  const all = places.flatMap(({ targetGroupArn, port, by }) => {
    const family = warm.groups.get(targetGroupArn)?.ipAddressType;
    const ids = family === 'ipv6' || (family !== 'ipv4' && task.ipv4.length === 0) ? task.ipv6 : task.ipv4;
    const answer = health.get(targetGroupArn);
    const listed = answer !== undefined && 'value' in answer ? answer.value : null;
    const of = (id: string, port: number, state: string | null) => ({ targetGroupArn, id, port, by, state });
    if (port !== null && listed === null) return ids.map((id) => of(id, port, null));
    // The address is this task's alone, so every port under it is, too.
    const mine = (listed ?? []).flatMap(({ Target, TargetHealth }) =>
      Target?.Id !== undefined && Target.Port !== undefined && ids.includes(Target.Id)
        ? of(Target.Id, Target.Port, stateOf(TargetHealth))
        : [],
    );
    if (port === null) return mine;
    const missing = ids.filter((id) => !mine.some((target) => target.id === id && target.port === port));
    return [...mine, ...missing.map((id) => of(id, port, 'unused'))];
  });
  return [...new Map(all.map((target) => [`${target.targetGroupArn} ${nameIn(target)}`, target])).values()];
};

const stateOf = (health: Health[number]['TargetHealth']): string => health?.State ?? '';

/** ECS registers an instance under the task's id, by custom and not by contract: its address tells as well. */
const registrationsOf = (
  { task, registries }: Member,
  instances: ReadonlyMap<string, Reading<Instances>>,
): Found<Registration>[] =>
  registries.map((serviceId) => {
    const id = taskIdOf(task.arn);
    const answer = instances.get(serviceId);
    if (answer === undefined || 'error' in answer) return { serviceId, instanceId: id, state: null };
    const byId = answer.value.find(({ Id }) => Id === id);
    const byAddress = answer.value.find(
      ({ Attributes }) =>
        task.ipv4.includes(Attributes?.AWS_INSTANCE_IPV4 ?? '') ||
        task.ipv6.includes(Attributes?.AWS_INSTANCE_IPV6 ?? ''),
    );
    const instanceId = (byId ?? byAddress)?.Id;
    return { serviceId, instanceId: instanceId ?? id, state: instanceId === undefined ? 'unused' : 'registered' };
  });

const servingIn = (answer: Reading<Health> | undefined): string[] | null =>
  answer === undefined || 'error' in answer
    ? null
    : answer.value
        .filter(({ TargetHealth }) => SERVING.includes(stateOf(TargetHealth)))
        .map(({ Target }) => `${Target?.Id}:${Target?.Port}`);

const registeredIn = (answer: Reading<Instances> | undefined): string[] | null =>
  answer === undefined || 'error' in answer ? null : answer.value.map(({ Id }) => Id ?? '');

/**
 * The target groups, or registries, in which all that serves is being interrupted, and of each the one entry that may stay:
 * the best that is not stopping yet. None where something else serves, or where that was not read.
 */
const leftIn = <T extends Found<Target> | Found<Registration>>(
  entries: ReadonlyMap<Member, readonly T[]>,
  serving: (placeId: string) => readonly string[] | null,
): { readonly emptied: ReadonlySet<string>; readonly last: ReadonlySet<T> } => {
  const all = [...entries].flatMap(([{ task }, own]) => own.map((entry) => ({ entry, task })));
  const emptied = new Set<string>();
  const last = new Set<T>();
  for (const [place, going] of Map.groupBy(all, ({ entry }) => placeOf(entry))) {
    const names = new Set(going.map(({ entry }) => nameIn(entry)));
    const staying = serving(place)?.filter((name) => !names.has(name));
    if (staying === undefined || staying.length > 0) continue;
    emptied.add(place);
    const [best] = going
      .filter(({ entry, task }) => mayStay(entry.state) && task.lastStatus !== 'STOPPING' && !isGone(task))
      .sort((a, b) => rank(a.entry) - rank(b.entry) || (nameIn(a.entry) < nameIn(b.entry) ? -1 : 1));
    if (best !== undefined) last.add(best.entry);
  }
  return { emptied, last };
};

const placeOf = (entry: Found<Target> | Found<Registration>): string =>
  'targetGroupArn' in entry ? entry.targetGroupArn : entry.serviceId;

const nameIn = (entry: Found<Target> | Found<Registration>): string =>
  'targetGroupArn' in entry ? `${entry.id}:${entry.port}` : entry.instanceId;

const mayStay = (state: string | null): boolean => state === 'registered' || SERVING.includes(state);
const rank = ({ state }: { readonly state: string | null }): number => (state === 'initial' ? 1 : 0);

const aboutService = (
  { task, service, places }: Member,
  warm: Warm,
): Pick<TaskFacts, 'tags' | 'service' | 'targetGroups' | 'stopTimeout'> => {
  const deployments = service.deployments ?? [];
  const serving = servingContainers(service, task);
  const containers = warm.definitions.get(task.taskDefinitionArn)?.containerDefinitions;
  const timeouts = containers
    ?.filter(({ name = '' }) => serving.length === 0 || serving.includes(name))
    .map(({ stopTimeout }) => stopTimeout ?? DEFAULT_STOP_TIMEOUT);
  return {
    tags: tagsOf(service),
    service: {
      arn: service.serviceArn ?? '',
      desiredCount: service.desiredCount ?? 0,
      capacityProviders: providersOf(service, task),
      serviceConnect: deployments.some(({ serviceConnectResources = [] }) => serviceConnectResources.length > 0),
      vpcLattice: deployments.some(({ vpcLatticeConfigurations = [] }) => vpcLatticeConfigurations.length > 0),
    },
    targetGroups: Object.fromEntries(
      places.map(({ targetGroupArn }) => [
        targetGroupArn,
        {
          protocol: warm.groups.get(targetGroupArn)?.protocol ?? null,
          deregistrationDelay: warm.delays.get(targetGroupArn)?.seconds ?? null,
        },
      ]),
    ),
    stopTimeout: timeouts === undefined || timeouts.length === 0 ? null : Math.min(...timeouts),
  };
};

const tagsOf = (service: Service): Record<string, string> =>
  Object.fromEntries((service.tags ?? []).map(({ key, value }) => [key ?? '', value ?? '']));

const isFailed = (answer: Reading<unknown> | undefined): answer is { readonly error: unknown } =>
  answer !== undefined && 'error' in answer;

const readEach = async <T>(keys: ReadonlySet<string>, read: (key: string) => Promise<T>): Promise<Map<string, T>> =>
  new Map(await Promise.all([...keys].map(async (key) => [key, await read(key)] as const)));
