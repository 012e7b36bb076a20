import type { Memory, Registration, Target, TaskSituation } from '../../functions/drain-fargate/facts.ts';
import type { Policy } from '../../functions/drain-fargate/policy.ts';
import type { EcsTask } from '../../shared/ecs-task.ts';
import { at, taskArn, taskDetail } from './event-builders.ts';
import { serviceArn } from './fake-aws/ecs.ts';
import { targetGroupArn } from './fake-aws/elbv2.ts';

export const policy: Policy = { keepLastTarget: true, targetGroups: [] };

/** The task of a notice that came at `at`. */
export const ecsTask = (overrides: Partial<EcsTask> = {}): EcsTask => {
  const { clusterArn, group, startedBy, taskDefinitionArn, launchType } = taskDetail();
  return {
    arn: taskArn(),
    clusterArn,
    group,
    startedBy,
    taskDefinitionArn,
    launchType,
    capacityProviderName: 'FARGATE_SPOT',
    lastStatus: 'DEACTIVATING',
    desiredStatus: 'STOPPED',
    stopCode: 'SpotInterruption',
    stoppedReason: 'Your Spot Task was interrupted.',
    stoppingAt: at,
    version: 6,
    ipv4: ['10.0.2.164'],
    ipv6: [],
    elbStatus: 'ATTACHED',
    ...overrides,
  };
};

export const target = (overrides: Partial<Target> = {}): Target => ({
  targetGroupArn: targetGroupArn('web'),
  id: '10.0.2.164',
  port: 8080,
  by: 'ecs',
  state: null,
  emptied: false,
  last: false,
  ...overrides,
});

export const registration = (overrides: Partial<Registration> = {}): Registration => ({
  serviceId: 'srv-web',
  instanceId: '1'.padStart(32, '0'),
  state: 'registered',
  last: false,
  ...overrides,
});

interface Overrides extends Omit<Partial<TaskSituation>, 'task' | 'ledger'> {
  readonly task?: Partial<EcsTask>;
  /** What the ledger remembers. */
  readonly memory?: Memory;
  /** An incident is open: it was acted on, or deferred. */
  readonly open?: boolean;
}

/** A task of service `web`, in target group `web`, interrupted at `at`; nothing about the service's set-up is wrong. */
export const situation = ({ task, memory = {}, open = false, ...overrides }: Overrides = {}): TaskSituation => {
  const targets = overrides.targets ?? [target()];
  return {
    asOf: at,
    tags: { 'reflex:enabled': 'true' },
    trigger: 'event',
    task: ecsTask(task),
    since: at,
    service: {
      arn: serviceArn('web'),
      desiredCount: 4,
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
      serviceConnect: false,
      vpcLattice: false,
    },
    targetGroups: Object.fromEntries(
      targets.map((own) => [own.targetGroupArn, { protocol: 'HTTP', deregistrationDelay: 30 }]),
    ),
    registrations: [],
    unknown: [],
    stopTimeout: 120,
    ledger: {
      attempts: {},
      lastActAt: open ? at : null,
      incident: open ? { openedAt: at, steps: 1 } : null,
      remembered: memory,
    },
    ...overrides,
    targets,
  };
};
