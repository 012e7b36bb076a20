import type { Service } from '@aws-sdk/client-ecs';
import type { EcsTask } from '../../shared/ecs-task.ts';
import type { Registration, Target } from './facts.ts';

/** Where a service registers its tasks. */
export interface Place {
  readonly targetGroupArn: string;
  /** null: only the target group itself knows. */
  readonly port: number | null;
  readonly by: Target['by'];
}

/**
 * The target groups of a task: those of the task set that started it, else of every task set; without task sets, those of
 * the service and, for blue/green, their alternates, because either may be the live one. Then those the service's tag names.
 * A classic load balancer has no place for a Fargate task.
 */
export const placesOf = (service: Service, task: EcsTask, extra: readonly string[]): Place[] => {
  const own = sourcesOf(service, task)
    .flatMap(({ loadBalancers }) => loadBalancers ?? [])
    .flatMap(({ targetGroupArn, containerPort, advancedConfiguration }) =>
      [targetGroupArn, advancedConfiguration?.alternateTargetGroupArn].map((arn) => ({ arn, port: containerPort })),
    )
    .flatMap(({ arn, port }): Place[] =>
      arn === undefined ? [] : [{ targetGroupArn: arn, port: port ?? null, by: 'ecs' }],
    );
  const added = extra
    .filter((arn) => !own.some(({ targetGroupArn }) => targetGroupArn === arn))
    .map((arn): Place => ({ targetGroupArn: arn, port: null, by: 'tag' }));
  return distinct([...own, ...added], ({ targetGroupArn, port }) => `${targetGroupArn} ${port}`);
};

/** Cloud Map services of a task, as DeregisterInstance takes them: the id, or the ARN where another account shares it. */
export const registriesOf = (service: Service, task: EcsTask): Registration['serviceId'][] => {
  const arns = sourcesOf(service, task)
    .flatMap(({ serviceRegistries }) => serviceRegistries ?? [])
    .flatMap(({ registryArn }) => registryArn ?? []);
  const account = task.arn.split(':')[4];
  return [...new Set(arns)].map((arn) => (arn.split(':')[4] === account ? arn.slice(arn.lastIndexOf('/') + 1) : arn));
};

/** Containers that a load balancer sends requests to; none: the service does not say. */
export const servingContainers = (service: Service, task: EcsTask): string[] =>
  sourcesOf(service, task)
    .flatMap(({ loadBalancers }) => loadBalancers ?? [])
    .flatMap(({ containerName }) => containerName ?? []);

/** Providers that new tasks may be placed on: a weight or base of 0 places none. null: not said. */
export const providersOf = (service: Service, task: EcsTask): string[] | null => {
  const strategy = sourcesOf(service, task).flatMap(({ capacityProviderStrategy }) => capacityProviderStrategy ?? []);
  if (strategy.length === 0) return null;
  const used = strategy.filter(({ weight = 0, base = 0 }) => weight > 0 || base > 0);
  return [...new Set(used.flatMap(({ capacityProvider }) => capacityProvider ?? []))];
};

/** How many tasks run beside this one behind the same load balancers: of the smallest of its task sets, else of the service. */
export const runningBeside = (service: Service, task: EcsTask): number =>
  Math.min(...sourcesOf(service, task).map(({ runningCount = service.runningCount ?? 0 }) => runningCount));

type Source = Pick<Service, 'loadBalancers' | 'serviceRegistries' | 'capacityProviderStrategy' | 'runningCount'>;

/** EXTERNAL and CODE_DEPLOY services keep all this on their task sets; the service shows the primary one's, or nothing. */
const sourcesOf = (service: Service, { startedBy }: EcsTask): readonly Source[] => {
  const sets = service.taskSets ?? [];
  const mine = sets.filter(({ id }) => id === startedBy);
  if (mine.length > 0) return mine;
  return sets.length > 0 ? sets : [service];
};

const distinct = <T>(list: readonly T[], key: (item: T) => string): T[] => [
  ...new Map(list.map((item) => [key(item), item])).values(),
];
