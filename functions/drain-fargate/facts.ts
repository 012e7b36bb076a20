import type { EcsTask } from '../../shared/ecs-task.ts';
import type { CommonFacts, Situation } from '../../shared/function.ts';

/** One address of the task in one target group. */
export interface Target {
  readonly targetGroupArn: string;
  readonly id: string;
  readonly port: number;
  /** Who registered it: ECS for the service, or somebody else whom the service's tag tells of. */
  readonly by: 'ecs' | 'tag';
  /** As DescribeTargetHealth says; `unused`: not registered. null: not read, there are other targets enough. */
  readonly state: string | null;
  /** Every serving target of the group belongs to a task that is being interrupted. */
  readonly emptied: boolean;
  /** And this is the one that may stay. */
  readonly last: boolean;
  /** It may stay, or go: another invocation was told of the task before, and decides. */
  readonly theirs?: true;
}

/** The task's instance in one Cloud Map service. */
export interface Registration {
  readonly serviceId: string;
  readonly instanceId: string;
  /** null: the instances could not be listed. */
  readonly state: 'registered' | 'unused' | null;
  /** As for a target: deregistering it would empty the registry. */
  readonly last: boolean;
  /** As for a target. */
  readonly theirs?: true;
}

export interface TargetGroupFacts {
  /** TCP, TLS, UDP... tell a Network Load Balancer. null: not read. */
  readonly protocol: string | null;
  /** Seconds; null: not read. */
  readonly deregistrationDelay: number | null;
}

export interface ServiceFacts {
  readonly arn: string;
  readonly desiredCount: number;
  /** Providers that new tasks may be placed on; null: the service does not say (launch type, or the cluster's default). */
  readonly capacityProviders: readonly string[] | null;
  readonly serviceConnect: boolean;
  readonly vpcLattice: boolean;
}

export interface TaskFacts extends CommonFacts {
  /** The later of what the events said and what DescribeTasks says. */
  readonly task: EcsTask;
  /** When the task was told to stop, epoch ms; null: AWS does not say any more. */
  readonly since: number | null;
  /** Tags are those of the service: it is the service that opts in. */
  readonly service: ServiceFacts;
  /** Where the task belongs, whether its address is known or not. */
  readonly targetGroups: Readonly<Record<string, TargetGroupFacts>>;
  readonly targets: readonly Target[];
  /** Target groups of which it is not known what to deregister there: the task's address in their family, or a port that only they know. */
  readonly unknown: readonly string[];
  readonly registrations: readonly Registration[];
  /** Seconds between SIGTERM and SIGKILL, the least of the containers that serve; null: not read. */
  readonly stopTimeout: number | null;
}

/** What this function asks the ledger to remember of a task. */
export type Memory = {
  /** When it was told to stop, epoch ms. */
  readonly since?: number;
  /** What was deregistered, by `keyOf`. */
  readonly drained?: readonly string[];
  /** What stayed because nothing else would have been left. */
  readonly kept?: readonly string[];
  /** Target groups that were left with nothing but what was kept. */
  readonly emptied?: readonly string[];
  /** The version that said the task was deprovisioning or stopped. */
  readonly gone?: number;
};

export type TaskSituation = Situation<TaskFacts>;

export const keyOf = (entry: Target | Registration): string =>
  'targetGroupArn' in entry
    ? `${entry.targetGroupArn} ${entry.id}:${entry.port}`
    : `${entry.serviceId} ${entry.instanceId}`;

/** States in which a target takes traffic, or will; `unavailable`: its group has no health checks. */
export const SERVING: readonly (string | null)[] = ['healthy', 'initial', 'unavailable'];

/** DEPROVISIONING: the containers are dead. STOPPED: the address may be another task's. */
export const GONE: readonly string[] = ['DEPROVISIONING', 'STOPPED', 'DELETED'];
