import { at, type TaskOptions, taskArn, taskDetail, taskId, taskStateChange } from './event-builders.ts';
import type { fakeEcs } from './fake-aws/ecs.ts';
import type { FakeTargetGroup, fakeElbv2 } from './fake-aws/elbv2.ts';
import { type fakeServicediscovery, registryArn } from './fake-aws/servicediscovery.ts';

/** A task's life after the notice: ms after it, and what ECS then tells. Measured on FARGATE_SPOT behind a load balancer. */
export const INTERRUPTED_LIFE = [
  [0, 'RUNNING'],
  [100, 'DEACTIVATING'],
  [23_000, 'STOPPING'],
  [45_000, 'DEPROVISIONING'],
  [58_500, 'STOPPED'],
] as const;

export interface FargateAws {
  readonly ecs: ReturnType<typeof fakeEcs>;
  readonly elbv2: ReturnType<typeof fakeElbv2>;
  readonly servicediscovery: ReturnType<typeof fakeServicediscovery>;
}

export interface SpotTask {
  readonly id: string;
  readonly arn: string;
  readonly ipv4: string;
  /** One of its events; its notice, where nothing else is said. */
  readonly event: (options?: TaskOptions) => ReturnType<typeof taskStateChange>;
}

export interface ServiceOptions {
  readonly name?: string;
  readonly tasks?: number;
  readonly port?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly group?: Partial<Omit<FakeTargetGroup, 'arn'>>;
  /** Number of the service's first task; addresses and ids follow from it. */
  readonly from?: number;
  /** Further fields of the ECS service. */
  readonly service?: Readonly<Record<string, unknown>>;
  /** Id of a Cloud Map service its tasks are registered in. */
  readonly registry?: string;
  readonly stopTimeout?: number;
}

/** 10.0.0.1 and so on. */
export const address = (n: number): string => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;

/**
 * A service of Fargate Spot tasks behind a target group whose own port is not the tasks' (80, 8080): all registered and healthy, all
 * RUNNING as DescribeTasks shows them.
 */
export const spotService = (aws: FargateAws, options: ServiceOptions = {}) => {
  const { name = 'web', tasks: count = 4, port = 8080, tags, from = 1, registry } = options;
  const taskDefinition = `${name}:38`;
  const group = aws.elbv2.addGroup(name, options.group);
  aws.ecs.addService(
    name,
    {
      desiredCount: count,
      runningCount: count,
      loadBalancers: [{ targetGroupArn: group.arn, containerName: 'app', containerPort: port }],
      ...(registry !== undefined && { serviceRegistries: [{ registryArn: registryArn(registry) }] }),
      ...options.service,
    },
    tags,
  );
  aws.ecs.addDefinition(`arn:aws:ecs:eu-west-1:111122223333:task-definition/${taskDefinition}`, [
    { name: 'app', essential: true, stopTimeout: options.stopTimeout ?? 120 },
  ]);
  if (registry !== undefined) aws.servicediscovery.addService(registry);
  const tasks = Array.from({ length: count }, (_, i): SpotTask => {
    const id = taskId(from + i);
    const ipv4 = address(from + i);
    const own: TaskOptions = { id, ipv4, service: name, taskDefinition };
    aws.ecs.addTask(
      taskDetail({ ...own, lastStatus: 'RUNNING', desiredStatus: 'RUNNING', stoppingAt: null, version: 5 }),
    );
    group.targets.push({ id: ipv4, port, state: 'healthy' });
    if (registry !== undefined) aws.servicediscovery.register(registry, id, { AWS_INSTANCE_IPV4: ipv4 });
    return { id, arn: taskArn(id), ipv4, event: (more) => taskStateChange({ ...own, stoppingAt: at, ...more }) };
  });
  return { group, tasks };
};
