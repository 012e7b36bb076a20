import type { TaskOverride } from '@aws-sdk/client-ecs';
import type { EcsTask } from '../../shared/ecs-task.ts';
import type { CommonFacts, Situation } from '../../shared/function.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';

/** ECS shows a stopped task, with all that it ran, for so long, ms: an hour. */
export const SHOWN_FOR = 3_600_000;

/** What a task was attached to; all that RunTask wants to know of it. */
export type Network = {
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  readonly assignPublicIp: 'ENABLED' | 'DISABLED';
};

/** A task that was run to go on with the work. */
export interface Successor {
  readonly arn: string;
  readonly lastStatus: string;
  readonly stopCode: string | null;
  readonly stoppedReason: string | null;
}

export interface TaskFacts extends CommonFacts {
  /** The later of what the events said and what DescribeTasks says. Tags are its definition's, and over them its own. */
  readonly task: EcsTask;
  /** Its own tags; empty where ECS has taken them off. */
  readonly taskTags: Readonly<Record<string, string>>;
  readonly definitionTags: Readonly<Record<string, string>>;
  /** DescribeTasks shows it as late as the event does, so that its exit codes can be told. */
  readonly upToDate: boolean;
  /** Epoch ms; null: it still runs, or ECS does not say. */
  readonly stoppedAt: number | null;
  /** As it was run. Holds secrets: shown with the values of its environment masked. */
  readonly overrides: TaskOverride;
  readonly platformVersion: string | null;
  readonly enableExecuteCommand: boolean;
  /** It belongs to a service, as either event or DescribeTasks says. */
  readonly ofService: boolean;
  /** EBS volumes are configured at launch, and no API tells how they were. */
  readonly volumes: boolean;
  readonly family: string;
  /** Names of the containers of its definition: those that AWS adds to a task are not among them. */
  readonly containers: readonly string[];
  /** Of its essential containers; null: not told. */
  readonly exitCodes: readonly (number | null)[];
  /** The subnet it ran in; null: not told. */
  readonly subnet: string | null;
  /** From its network interface, or remembered; null: the interface is gone, or could not be read. */
  readonly network: Network | null;
  /** How often this work was resumed before: 0 for a task that somebody else ran. */
  readonly attempt: number;
  /** Id of the task the work began with. */
  readonly root: string;
  /** Tasks of the next attempt: those that shall run, else those that shall not; null: not looked for. */
  readonly successors: readonly Successor[] | null;
}

/** What this function asks the ledger to remember of a task. Of overrides nothing: they hold secrets, and ECS shows them for an hour. */
export type Memory = {
  readonly network?: Network;
  readonly tags?: Readonly<Record<string, string>>;
  /** RunTask was called, and not refused. */
  readonly ran?: boolean;
  /** Definite refusals so far. */
  readonly refused?: number;
};

/** One memory of two that invocations at the same time would have: what either of them could still read, and of what was run the later. */
export const joined = (a: Memory, b: Memory): Memory => {
  const [x, y] = [rank(a), rank(b)];
  const i = x.findIndex((value, at) => value !== y[at]);
  const [less, more] = (x[i] ?? 0) < (y[i] ?? 0) ? [a, b] : [b, a];
  return { ...less, ...more, tags: { ...less.tags, ...more.tags } };
};

const rank = ({ refused = 0, ran = false, network, tags = {} }: Memory): readonly (number | string)[] => [
  refused,
  Number(ran),
  Number(network !== undefined),
  Object.keys(tags).length,
  JSON.stringify([network, Object.entries(tags).sort()]),
];

export type TaskSituation = Situation<TaskFacts>;

type Tags = Readonly<Record<string, string>>;

/**
 * A task's tags win over its definition's. But where the definition opts in, the task is looked at though its own say no: ECS may take
 * them off when it stops, so that they have to be remembered.
 */
export const tagsOver = (definitionTags: Tags, taskTags: Tags): Tags => ({
  ...definitionTags,
  ...taskTags,
  ...(definitionTags[OPT_IN_TAG] === 'true' && { [OPT_IN_TAG]: 'true' }),
});

/** What AWS does not say any more of a task that is stopping: its network, and its tags. */
export const recall = (facts: TaskFacts, { network, tags = {} }: Memory): TaskFacts => {
  const isOver = ['DEPROVISIONING', 'STOPPED', 'DELETED'].includes(facts.task.lastStatus);
  const taskTags = isOver && Object.keys(facts.taskTags).length === 0 ? tags : facts.taskTags;
  return {
    ...facts,
    network: facts.network ?? network ?? null,
    taskTags,
    tags: tagsOver(facts.definitionTags, taskTags),
  };
};
