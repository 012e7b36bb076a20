import type { Service } from '@aws-sdk/client-ecs';
import { skip } from '../../shared/decision.ts';
import { type EcsTask, later, serviceNameOf, taskIdOf } from '../../shared/ecs-task.ts';
import type { Observed, Watch } from '../../shared/function.ts';
import type { Reading } from '../../shared/guards/guard.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import type { Patience } from '../../shared/patience.ts';
import { once, reading } from '../../shared/reads.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import { nameOf } from '../../shared/words.ts';
import { TOO_LATE } from './decide.ts';
import { GONE, type Registration, SERVING, type Target, type TaskFacts } from './facts.ts';
import { type Place, placesOf, providersOf, registriesOf, runningBeside, servingContainers } from './places.ts';
import { extraTargetGroups, type Policy } from './policy.ts';
import { cold, type Health, type Instances, readsOf, serviceKeyOf, type Warm } from './reads.ts';

/** ECS gives a container this long between SIGTERM and SIGKILL unless its definition says otherwise. */
const DEFAULT_STOP_TIMEOUT = 30;

/** The ledger's `note`: what other invocations are told of at this moment is known there alone. */
export type Note = Ledger['note'];

/** A task on its way to facts. */
interface Member {
  readonly resource: string;
  readonly task: EcsTask;
  readonly since: number | null;
  readonly service: Service;
  readonly places: readonly Place[];
  readonly registries: readonly string[];
  /** Our own check is due: what was done is verified. */
  readonly checked: boolean;
  /** An event is there as well, or alone: it waits for no read that fails. Whether it is news, the ledger says. */
  readonly told: boolean;
  /** ECS answers that it does not know the task; then only what its target groups know is touched. */
  readonly unseen: boolean;
}

/**
 * Reads the facts of interrupted tasks, all together. Events bring the task with them, so tasks and services are read at
 * once: one round trip, when the target groups are known from before. Otherwise a second one tells of them, beside what the
 * health of a target group has to say where it may lose its last target. What is only worth saying never delays more.
 */
export const observe = (stack: Policy, patience: Patience, note: Note) => {
  const warm = cold(patience);
  return async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<TaskFacts>>> => {
    const asOf = patience.clock();
    const reads = readsOf(warm, patience);
    const told = new Map(watches.flatMap((watch) => toldOf(watch).map((task) => [watch.resource, task] as const)));

    const events = [...told.values()];
    const going = goingIn(warm, events, note, asOf);
    readAhead(warm, reads, events, going);
    const notices = events.filter(isNotice);
    const after = events.filter((task) => !isNotice(task));
    const definitions = reads.definitions(new Set(notices.map((task) => task.taskDefinitionArn)));
    // A task that its event calls gone is gone, whatever ECS shows; a check wants to know its addresses.
    const ended = new Set(after.filter(isGone).map(({ arn }) => arn));
    const [shown, services] = await Promise.all([
      reads.tasks(
        watches.filter((watch) => isCheck(watch) || !ended.has(watch.resource)).map(({ resource }) => resource),
      ),
      reads.services(notices, after),
    ]);
    const tasks = new Map(watches.map((watch) => [watch.resource, latest(told.get(watch.resource), shown, watch)]));
    const found = [...tasks.values()].filter((task) => task !== undefined);
    going.learn(found);
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
      else members.push(memberOf(watch, task, service.value, stack, shown.get(resource)));
    }
    for (const { task, service, places, registries } of members.filter(({ task }) => !isGone(task))) {
      if (places.length + registries.length === 0) warm.sketches.delete(serviceKeyOf(task));
      else
        warm.sketches.set(serviceKeyOf(task), {
          targetGroups: places.map(({ targetGroupArn }) => targetGroupArn),
          registries,
          runningCount: runningBeside(service, task),
        });
    }

    const arns = groupsOf(members);
    const registered = members.filter(({ places, registries }) => places.length + registries.length > 0);
    for (const arn of healthWanted(members, going)) void reads.targetHealth(arn);
    const compared = Promise.all([...new Set(registered.map(({ task }) => serviceKeyOf(task)))].map(going.compare));
    const [health, instances] = await Promise.all([
      compared.then(() => readEach(healthWanted(members, going), reads.targetHealth)),
      readEach(new Set(members.flatMap(({ registries }) => registries)), reads.instances),
      reads.groups(arns),
      reads.delays(groupsOf(members.filter(({ task, told }) => isNotice(task) && told))),
      definitions,
    ]);

    const targets = new Map(members.map((member) => [member, targetsOf(member, warm, health)]));
    const registrations = new Map(members.map((member) => [member, registrationsOf(member, instances)]));
    const names = new Set([...warm.interrupted].flatMap(([, { names }]) => names));
    const inGroups = leftIn(targets, going.standingOf, (arn) => servingIn(health.get(arn), names));
    const inRegistries = leftIn(registrations, going.standingOf, (id) => registeredIn(instances.get(id), names));
    for (const member of members) {
      const unread = member.places.map((place) => health.get(place.targetGroupArn)).find(isFailed);
      if (!member.told && unread !== undefined) {
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
            ...(inGroups.theirs.has(target) && { theirs: true as const }),
          })),
          unknown: unknownOf(member, warm, health),
          registrations: (registrations.get(member) ?? []).map((entry) => ({
            ...entry,
            last: inRegistries.last.has(entry),
            ...(inRegistries.theirs.has(entry) && { theirs: true as const }),
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

/** Our own check is due, alone or beside events. */
const isCheck = ({ signals }: Watch): boolean => signals.some(({ evidence }) => evidence === undefined);

/** DescribeTasks may be behind the event, or ahead of it; where it does not answer, the event is enough. */
const latest = (
  told: EcsTask | undefined,
  shown: ReadonlyMap<string, Reading<EcsTask | undefined>>,
  { resource }: Watch,
): EcsTask | undefined => {
  const answer = shown.get(resource);
  const task = answer !== undefined && 'value' in answer ? answer.value : undefined;
  if (told === undefined || task === undefined) return told ?? task;
  const known = later(told, task);
  // Whose task it is and where it listens never changes: there ECS's answer counts before an event's word.
  return {
    ...known,
    group: task.group || known.group,
    startedBy: task.startedBy ?? known.startedBy,
    taskDefinitionArn: task.taskDefinitionArn || known.taskDefinitionArn,
    ipv4: task.ipv4.length > 0 ? task.ipv4 : known.ipv4,
    ipv6: task.ipv6.length > 0 ? task.ipv6 : known.ipv6,
  };
};

const absent = (answer: Reading<EcsTask | undefined> | undefined, resource: string): Observed<TaskFacts> =>
  isFailed(answer)
    ? answer
    : {
        decision: skip(
          'task-gone',
          `ECS does not show ${taskIdOf(resource)} any more; it stopped more than an hour ago.`,
        ),
      };

const serviceGone = (task: EcsTask): Observed<TaskFacts> => ({
  decision: skip(
    'service-gone',
    `The service ${nameOf(task.clusterArn)}/${serviceNameOf(task)} does not exist here; where the task is registered is not known.`,
  ),
});

const memberOf = (
  watch: Watch,
  task: EcsTask,
  service: Service,
  stack: Policy,
  shown: Reading<EcsTask | undefined> | undefined,
): Member => {
  const checked = isCheck(watch);
  // Where it is registered no longer matters to a task that is gone, but to the check of what was done before. In a storm, what is
  // read for services that have not opted in would be taken from those that have.
  const matters = (checked || !isGone(task)) && tagsOf(service)[OPT_IN_TAG] === 'true';
  return {
    resource: watch.resource,
    task,
    since: task.stoppingAt ?? watch.signals.find(({ trigger }) => trigger === 'event')?.at ?? null,
    service,
    places: matters ? placesOf(service, task, extraTargetGroups(stack, tagsOf(service))) : [],
    registries: matters ? registriesOf(service, task) : [],
    checked,
    told: watch.signals.some(({ evidence }) => evidence !== undefined),
    unseen: shown !== undefined && 'value' in shown && shown.value === undefined,
  };
};

const isGone = ({ lastStatus }: EcsTask): boolean => GONE.includes(lastStatus);

/** What comes after the notice finds its service as it was then, and all said that is only worth saying. */
const isNotice = (task: EcsTask): boolean => !isGone(task) && task.lastStatus !== 'STOPPING';

const groupsOf = (members: readonly Member[]): Set<string> =>
  new Set(members.flatMap(({ places }) => places.map(({ targetGroupArn }) => targetGroupArn)));

/** Who was told of a task first: this invocation, or another (or an earlier one). null: nobody was asked. */
type Standing = 'first' | 'later' | null;

/**
 * The tasks that are going: what this process was told within 150 s, and what the ledger tells of others. Two batches may each hold a part
 * of a service's tasks at the same moment; whoever notes his part last sees all of them, and keeps one.
 */
const goingIn = (warm: Warm, told: readonly EcsTask[], note: Note, now: number) => {
  const leaving = new Map(told.filter((task) => !isGone(task)).map((task) => [task.arn, task]));
  const toldHere = new Set(told.map(({ arn }) => arn));
  const unanswered = new Set<string>();
  const notedBefore = new Map<string, ReadonlyMap<string, number>>();
  for (const [arn, { at }] of warm.interrupted) if (now - at > TOO_LATE) warm.interrupted.delete(arn);
  const keep = (task: EcsTask) =>
    warm.interrupted.set(task.arn, { service: serviceKeyOf(task), at: now, names: namesOf(task) });
  for (const task of told) {
    if (isGone(task)) warm.interrupted.delete(task.arn);
    else keep(task);
  }

  /** Where the ledger does not answer, what this process knows has to do. */
  const compare = once(async (service: string): Promise<void> => {
    const own = [...leaving.values()].filter((task) => serviceKeyOf(task) === service);
    const answer = own.length === 0 ? null : await reading(() => note('drain-fargate', service, own.flatMap(namesOf)));
    if (answer === null) return;
    if ('error' in answer) return void unanswered.add(service);
    notedBefore.set(service, answer.value);
    const ours = new Set(own.flatMap(namesOf));
    for (const [name, at] of answer.value) {
      if (now - at > TOO_LATE || ours.has(name)) continue;
      warm.interrupted.set(`${service} ${name}`, { service, at, names: [name] });
    }
  });

  return {
    compare,
    /** Addresses that an event left out, before others are told of its task. */
    learn: (shown: readonly EcsTask[]): void => {
      for (const task of shown.filter(({ arn, ...one }) => leaving.has(arn) && hasAddress(one))) {
        leaving.set(task.arn, task);
        keep(task);
      }
    },
    shareOf: (service: string): number => (unanswered.has(service) ? 1 / 2 : 3 / 4),
    countOf: (service: string): number => {
      const all = [...warm.interrupted.values()].filter((one) => one.service === service).flatMap(({ names }) => names);
      return new Set(all.filter((name) => !/[.:]/.test(name))).size;
    },
    standingOf: (task: EcsTask): Standing => {
      const before = notedBefore.get(serviceKeyOf(task));
      if (before === undefined || !toldHere.has(task.arn)) return null;
      return before.has(taskIdOf(task.arn)) ? 'later' : 'first';
    },
  };
};

type Going = ReturnType<typeof goingIn>;

const hasAddress = ({ ipv4, ipv6 }: Pick<EcsTask, 'ipv4' | 'ipv6'>): boolean => ipv4.length + ipv6.length > 0;

const namesOf = (task: EcsTask): string[] => [taskIdOf(task.arn), ...task.ipv4, ...task.ipv6];

/**
 * Few tasks of the service may be left, or none. runningCount runs late and counts tasks that do not serve: three quarters are taken for
 * all. Half of them, where the ledger does not tell what other invocations know: another may have seen as many as this one.
 */
const isCrowded = (interrupted: number, runningCount: number, share = 3 / 4): boolean =>
  interrupted >= share * runningCount;

/** Starts reading what a service will call for if it still is what it was. */
const readAhead = (
  warm: Warm,
  reads: ReturnType<typeof readsOf>,
  told: readonly EcsTask[],
  { compare, countOf }: Going,
): void => {
  for (const [key, tasks] of Map.groupBy(
    told.filter((task) => !isGone(task)),
    serviceKeyOf,
  )) {
    const sketch = warm.sketches.get(key);
    if (sketch === undefined) continue;
    if (tasks.every(hasAddress)) void compare(key);
    for (const id of sketch.registries) void reads.instances(id);
    if (isCrowded(countOf(key), sketch.runningCount))
      for (const arn of sketch.targetGroups) void reads.targetHealth(arn);
  }
};

const healthWanted = (members: readonly Member[], { countOf, shareOf }: Going): Set<string> =>
  new Set(
    [...Map.groupBy(members, ({ task }) => serviceKeyOf(task))].flatMap(([key, all]) => {
      const interrupted = countOf(key);
      return all.flatMap(({ task, service, places, checked, unseen }) => {
        const crowded = isCrowded(interrupted, runningBeside(service, task), shareOf(key));
        const wanted = places.filter(({ port }) => checked || unseen || crowded || port === null);
        return wanted.map(({ targetGroupArn }) => targetGroupArn);
      });
    }),
  );

type Found<T> = Omit<T, 'last' | 'emptied' | 'theirs'>;

/** The task's address in each of its target groups, in the group's own address family. */
const targetsOf = (
  { task, places }: Member,
  warm: Warm,
  health: ReadonlyMap<string, Reading<Health>>,
): Found<Target>[] => {
  const all = places.flatMap(({ targetGroupArn, port, by }) => {
    const ids = addressesIn(targetGroupArn, task, warm);
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

/** The task's addresses of the target group's family. */
const addressesIn = (targetGroupArn: string, task: EcsTask, warm: Warm): readonly string[] => {
  const family = warm.groups.get(targetGroupArn)?.ipAddressType;
  return family === 'ipv6' || (family !== 'ipv4' && task.ipv4.length === 0) ? task.ipv6 : task.ipv4;
};

/** Target groups of which neither event nor AWS tells what is registered there: the address, or the port. */
const unknownOf = (
  { task, places }: Member,
  warm: Warm,
  health: ReadonlyMap<string, Reading<Health>>,
): readonly string[] => {
  const isUnknown = ({ targetGroupArn, port, by }: Place): boolean =>
    !(by === 'ecs' && task.elbStatus === 'DELETED') &&
    (addressesIn(targetGroupArn, task, warm).length === 0 || (port === null && isFailed(health.get(targetGroupArn))));
  return [...new Set(places.filter(isUnknown).map(({ targetGroupArn }) => targetGroupArn))];
};

const TASK_ID = /^[0-9a-f]{32}$/;

const stateOf = (health: Health[number]['TargetHealth']): string => health?.State ?? '';

/** ECS registers an instance under the task's id, by custom and not by contract: its address tells as well, unless the id is another task's. */
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
      ({ Id = '', Attributes = {} }) =>
        !TASK_ID.test(Id) &&
        (task.ipv4.includes(Attributes.AWS_INSTANCE_IPV4 ?? '') ||
          task.ipv6.includes(Attributes.AWS_INSTANCE_IPV6 ?? '')) &&
        (Attributes.ECS_SERVICE_NAME ?? serviceNameOf(task)) === serviceNameOf(task) &&
        (Attributes.ECS_CLUSTER_NAME ?? nameOf(task.clusterArn)) === nameOf(task.clusterArn),
    );
    const instanceId = (byId ?? byAddress)?.Id;
    return { serviceId, instanceId: instanceId ?? id, state: instanceId === undefined ? 'unused' : 'registered' };
  });

/** What serves in a group and belongs to no task that is `going`. */
const servingIn = (answer: Reading<Health> | undefined, going: ReadonlySet<string>): string[] | null =>
  answer === undefined || 'error' in answer
    ? null
    : answer.value
        .filter(({ Target, TargetHealth }) => SERVING.includes(stateOf(TargetHealth)) && !going.has(Target?.Id ?? ''))
        .map(({ Target }) => `${Target?.Id}:${Target?.Port}`);

/** As `servingIn`. An instance is listed until Cloud Map has carried out its deregistration, which takes a while. */
const registeredIn = (answer: Reading<Instances> | undefined, going: ReadonlySet<string>): string[] | null =>
  answer === undefined || 'error' in answer
    ? null
    : answer.value
        .filter(({ Id = '', Attributes = {} }) => {
          const names = [Id, Attributes.AWS_INSTANCE_IPV4 ?? '', Attributes.AWS_INSTANCE_IPV6 ?? ''];
          return !names.some((name) => going.has(name));
        })
        .map(({ Id }) => Id ?? '');

/**
 * The target groups, or registries, in which all that serves is being interrupted, and of each the entry that may stay: the best that is
 * not stopping yet, of those that this invocation was the first to be told of. Where others were told of all of them before, it is
 * `theirs` to say which one stays, and none goes here. None stays where something else serves, or where that was not read.
 */
const leftIn = <T extends Found<Target> | Found<Registration>>(
  entries: ReadonlyMap<Member, readonly T[]>,
  standingOf: (task: EcsTask) => Standing,
  serving: (placeId: string) => readonly string[] | null,
): { readonly emptied: ReadonlySet<string>; readonly last: ReadonlySet<T>; readonly theirs: ReadonlySet<T> } => {
  const all = [...entries].flatMap(([{ task }, own]) => own.map((entry) => ({ entry, task })));
  const emptied = new Set<string>();
  const last = new Set<T>();
  const theirs = new Set<T>();
  for (const [place, leaving] of Map.groupBy(all, ({ entry }) => placeOf(entry))) {
    const names = new Set(leaving.map(({ entry }) => nameIn(entry)));
    const staying = serving(place)?.filter((name) => !names.has(name));
    if (staying === undefined || staying.length > 0) continue;
    emptied.add(place);
    const candidates = leaving
      .filter(({ entry, task }) => mayStay(entry.state) && task.lastStatus !== 'STOPPING' && !isGone(task))
      .sort((a, b) => rank(a.entry) - rank(b.entry) || (nameIn(a.entry) < nameIn(b.entry) ? -1 : 1));
    const [first] = candidates.filter(({ task }) => standingOf(task) === 'first');
    const [checked] = candidates.filter(({ task }) => standingOf(task) === null);
    const best = first ?? checked;
    if (best !== undefined) last.add(best.entry);
    else for (const { entry } of candidates) theirs.add(entry);
  }
  return { emptied, last, theirs };
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
