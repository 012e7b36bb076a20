import type { Task, TaskDefinition } from '@aws-sdk/client-ecs';
import { isErrorNamed } from '../../shared/aws/client.ts';
import { describeNetworkInterfaces } from '../../shared/aws/ec2.ts';
import {
  describeTaskDefinitionWithTags,
  describeTasks,
  describeTasksWithTags,
  listTasksStartedBy,
  tasksPerCall,
} from '../../shared/aws/ecs.ts';
import { chunksOf } from '../../shared/aws/pages.ts';
import { escalate, skip } from '../../shared/decision.ts';
import { clusterArnOf, type EcsTask, later, serviceNameOf, taskFromApi, taskIdOf } from '../../shared/ecs-task.ts';
import type { Observed, Watch } from '../../shared/function.ts';
import type { Reading } from '../../shared/guards/guard.ts';
import { type Patience, paced, patiently } from '../../shared/patience.ts';
import { once, reading } from '../../shared/reads.ts';
import { type Network, SHOWN_FOR, type Successor, type TaskFacts, tagsOver } from './facts.ts';
import { resumedBefore } from './overrides.ts';
import { startedBy } from './run.ts';

const SECOND = 1_000;
/** The network interface lives until the task is deprovisioned: up to two minutes after the notice. */
const READ_FOR = 20 * SECOND;
/** DescribeTasks and ListTasks of an account share a bucket of 100, refilled by 20 a second; each look takes one, or two where nothing runs. */
const LOOKS = { burst: 20, perSecond: 8 };
/** DescribeTaskDefinition: 50, then 20 a second. */
const DEFINITIONS = { burst: 40, perSecond: 15 };

interface Definition {
  readonly definition: TaskDefinition;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * Reads the facts of interrupted tasks, all together: tasks and definitions first, then the network interfaces of those that
 * still have one and, where our own check looks, the tasks that were run for those that have stopped.
 */
export const observe = (patience: Patience) => {
  const looks = paced(LOOKS, patience);
  const definitionReads = paced(DEFINITIONS, patience);

  return async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<TaskFacts>>> => {
    const asOf = patience.clock();
    const until = asOf + READ_FOR;
    const ask = <T>(call: () => Promise<T>): Promise<Reading<T>> => reading(() => patiently(patience, until, call));

    const readDefinition = once(async (arn: string): Promise<Reading<Definition>> => {
      await definitionReads();
      return ask(() => describeTaskDefinitionWithTags(arn));
    });
    const tasksOf = async (
      arns: readonly string[],
      describe: typeof describeTasks,
    ): Promise<ReadonlyMap<string, Reading<Task>>> => {
      const found = new Map<string, Reading<Task>>();
      const chunks = [...Map.groupBy(arns, clusterArnOf)].flatMap(([cluster, all]) =>
        chunksOf(all, tasksPerCall).map((some) => ({ cluster, some })),
      );
      await Promise.all(
        chunks.map(async ({ cluster, some }) => {
          const answer = await ask(() => describe(cluster, some.map(taskIdOf)));
          if ('error' in answer) for (const arn of some) found.set(arn, answer);
          else for (const task of answer.value) found.set(taskFromApi(task).arn, { value: task });
        }),
      );
      return found;
    };

    const told = new Map(watches.flatMap((watch) => toldOf(watch).map((task) => [watch.resource, task] as const)));
    for (const { taskDefinitionArn } of told.values()) void readDefinition(taskDefinitionArn);
    const shown = await tasksOf(
      watches.map(({ resource }) => resource),
      describeTasksWithTags,
    );

    const observed = new Map<string, Observed<TaskFacts>>();
    const members: Member[] = [];
    for (const watch of watches) {
      const { resource } = watch;
      const answer = shown.get(resource);
      if (answer !== undefined && 'value' in answer) {
        const known = told.get(resource);
        const fromApi = taskFromApi(answer.value);
        members.push({ watch, raw: answer.value, task: known === undefined ? fromApi : later(known, fromApi) });
      } else if (answer === undefined) observed.set(resource, unseen(watch, asOf));
      else observed.set(resource, isErrorNamed(answer.error, 'ClusterNotFoundException') ? CLUSTER_GONE : answer);
    }

    const interfaces = members
      .filter(({ task }) => task.lastStatus !== 'STOPPED')
      .flatMap(({ raw }) => interfaceOf(raw));
    const searched = members.filter(({ watch, task }) => isChecked(watch) && task.lastStatus === 'STOPPED');
    const [networks, successors] = await Promise.all([
      interfaces.length === 0 ? new Map<string, Network>() : networksOf(interfaces, ask),
      successorsOf(searched),
    ]);

    await Promise.all(
      members.map(async ({ watch, raw, task }) => {
        const definition = await readDefinition(task.taskDefinitionArn);
        const after = successors.get(watch.resource) ?? { value: null };
        observed.set(
          watch.resource,
          'error' in definition
            ? definition
            : 'error' in after
              ? after
              : { facts: factsOf({ asOf, task, raw, networks, successors: after.value, ...definition.value }) },
        );
      }),
    );
    return observed;

    /** By the task they go on for: each is looked for by itself, and all are read together. */
    async function successorsOf(of: readonly Member[]): Promise<ReadonlyMap<string, Reading<readonly Successor[]>>> {
      const listed = await Promise.all(
        of.map(async ({ watch, raw }) => {
          const { attempt, root } = lineage(raw);
          await looks();
          const arns = await ask(() => listTasksStartedBy(raw.clusterArn ?? '', startedBy(root, attempt + 1)));
          return [watch.resource, arns] as const;
        }),
      );
      const shown = await tasksOf(
        listed.flatMap(([, arns]) => ('value' in arns ? arns.value : [])),
        describeTasks,
      );
      return new Map(
        listed.map(([resource, arns]) => [resource, 'error' in arns ? arns : successorsIn(arns.value, shown)]),
      );
    }
  };
};

/** A task on its way to facts. */
interface Member {
  readonly watch: Watch;
  /** As DescribeTasks shows it. */
  readonly raw: Task;
  readonly task: EcsTask;
}

/** The latest of the tasks that a watch's events tell of; none for our own checks. */
const toldOf = ({ signals }: Watch): EcsTask[] => {
  const tasks = signals.flatMap(({ evidence }) => (evidence === undefined ? [] : [evidence as unknown as EcsTask]));
  return tasks.length === 0 ? [] : [tasks.reduce(later)];
};

/** Our own check is due, alone or beside an event that may have been told before. */
const isChecked = ({ signals }: Watch): boolean => signals.some(({ trigger }) => trigger !== 'event');

/**
 * Where ECS has just told of the task, it is asked again. An hour after a task has stopped that is all it says: what we have begun goes to a
 * person, whatever wakes us; of what is replayed nobody can tell any more whether it opted in.
 */
const unseen = ({ resource, signals }: Watch, now: number): Observed<TaskFacts> => {
  if (signals.some(({ trigger, at }) => trigger === 'event' && now - at <= SHOWN_FOR)) {
    return { error: new Error(`DescribeTasks does not show ${resource}`) };
  }
  const why = 'ECS does not show the task any more, so it cannot be told what it ran; it is not resumed.';
  return {
    decision: skip('task-forgotten', why),
    begun: escalate('task-forgotten', why, 'Run it again by hand where its work is not done.'),
  };
};

/** Deleted since, or of another account or Region whose events are forwarded: nothing can be run there. */
const CLUSTER_GONE: Observed<TaskFacts> = {
  decision: skip('cluster-gone', "The task's cluster does not exist in this account and Region."),
};

const networksOf = async (
  ids: readonly string[],
  ask: <T>(call: () => Promise<T>) => Promise<Reading<T>>,
): Promise<ReadonlyMap<string, Network>> => {
  const answer = await ask(() => describeNetworkInterfaces([...new Set(ids)]));
  if ('error' in answer) return new Map();
  return new Map(
    answer.value.flatMap(({ NetworkInterfaceId, SubnetId, Groups = [], Association }) =>
      NetworkInterfaceId === undefined || SubnetId === undefined
        ? []
        : [
            [
              NetworkInterfaceId,
              {
                subnets: [SubnetId],
                securityGroups: Groups.flatMap(({ GroupId }) => GroupId ?? []),
                assignPublicIp: Association?.PublicIp === undefined ? 'DISABLED' : 'ENABLED',
              },
            ] as const,
          ],
    ),
  );
};

const factsOf = ({
  asOf,
  task,
  raw,
  networks,
  successors,
  definition,
  tags: definitionTags,
}: {
  readonly asOf: number;
  readonly task: EcsTask;
  readonly raw: Task;
  readonly networks: ReadonlyMap<string, Network>;
  readonly successors: readonly Successor[] | null;
} & Definition): TaskFacts => {
  const taskTags = Object.fromEntries(
    (raw.tags ?? []).flatMap(({ key, value }) => (key === undefined ? [] : [[key, value ?? '']])),
  );
  const parts = definition.containerDefinitions ?? [];
  const essential = parts.filter(({ essential = true }) => essential).map(({ name }) => name);
  const [networkInterface] = interfaceOf(raw);
  return {
    asOf,
    task,
    tags: tagsOver(definitionTags, taskTags),
    taskTags,
    definitionTags,
    upToDate: (raw.version ?? 0) >= task.version,
    stoppedAt: raw.stoppedAt?.getTime() ?? null,
    overrides: raw.overrides ?? {},
    platformVersion: raw.platformVersion ?? null,
    enableExecuteCommand: raw.enableExecuteCommand ?? false,
    ofService: [task.group, raw.group ?? null].some((group) => serviceNameOf({ group }) !== null) || isService(raw),
    volumes:
      (raw.attachments ?? []).some(({ type }) => type === 'AmazonElasticBlockStorage') ||
      (definition.volumes ?? []).some(({ configuredAtLaunch }) => configuredAtLaunch === true),
    family: definition.family ?? '',
    containers: parts.flatMap(({ name }) => name ?? []),
    exitCodes: essential.map((name) => raw.containers?.find((one) => one.name === name)?.exitCode ?? null),
    subnet: detailOf(raw, 'subnetId')[0] ?? null,
    network: networks.get(networkInterface ?? '') ?? null,
    ...lineage(raw),
    successors,
  };
};

/** Whoever ran a task may name its group; only a service's scheduler is called so. */
const isService = ({ startedBy }: Task): boolean => startedBy?.startsWith('ecs-svc/') === true;

const lineage = ({ taskArn = '', overrides = {} }: Task): { readonly attempt: number; readonly root: string } => {
  const { attempt, root } = resumedBefore(overrides);
  return { attempt, root: root ?? taskIdOf(taskArn) };
};

const successorsIn = (
  arns: readonly string[],
  shown: ReadonlyMap<string, Reading<Task>>,
): Reading<readonly Successor[]> => {
  const tasks = arns.flatMap((arn) => shown.get(arn) ?? []);
  const unread = tasks.find((task) => 'error' in task);
  return unread ?? { value: tasks.flatMap((task) => ('value' in task ? successorOf(task.value) : [])) };
};

const successorOf = (raw: Task): Successor => {
  const { arn, lastStatus, stopCode, stoppedReason } = taskFromApi(raw);
  return { arn, lastStatus, stopCode, stoppedReason };
};

const interfaceOf = (raw: Task): string[] => detailOf(raw, 'networkInterfaceId');

const detailOf = ({ attachments = [] }: Task, wanted: string): string[] =>
  attachments
    .flatMap(({ details = [] }) => details)
    .flatMap(({ name, value }) => (name === wanted && value !== undefined ? [value] : []));
