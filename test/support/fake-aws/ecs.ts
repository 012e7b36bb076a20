import { bucket } from './bucket.ts';
import { AwsError, account, region, type Service } from './service.ts';

type Fields = Readonly<Record<string, unknown>>;

export const serviceArn = (name: string, cluster = 'prod'): string =>
  `arn:aws:ecs:${region}:${account}:service/${cluster}/${name}`;

const clusterName = (nameOrArn = 'default'): string => nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
const lastPart = (nameOrArn: string): string => nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);

/**
 * ECS as far as it describes: services in tens, tasks in hundreds, task definitions. What does not exist is a failure MISSING in an answer
 * with HTTP 200; tags come only when asked for; times are epoch seconds.
 */
export const fakeEcs = (clock: () => number) => {
  const services = new Map<string, Fields>();
  const tasks = new Map<string, Fields>();
  const definitions = new Map<string, Fields>();
  const serviceCalls = bucket(clock, 100, 20);
  const taskCalls = bucket(clock, 100, 20);
  const definitionCalls = bucket(clock, 50, 20);

  const found = (names: readonly string[], cluster: string, kind: string, kept: ReadonlyMap<string, Fields>) => {
    const known = names.map((name) => ({ name, item: kept.get(`${clusterName(cluster)}/${lastPart(name)}`) }));
    return {
      items: known.map(({ item }) => item).filter((item) => item !== undefined),
      failures: known
        .filter(({ item }) => item === undefined)
        .map(({ name }) => ({
          arn: `arn:aws:ecs:${region}:${account}:${kind}/${clusterName(cluster)}/${lastPart(name)}`,
          reason: 'MISSING',
        })),
    };
  };

  const operations: Service['operations'] = {
    DescribeServices: (input: { cluster: string; services: string[]; include?: string[] }) => {
      serviceCalls();
      if (input.services.length > 10) {
        throw new AwsError('InvalidParameterException', 'Services cannot be more than 10.');
      }
      const { items, failures } = found(input.services, input.cluster, 'service', services);
      const withTags = input.include?.includes('TAGS') ?? false;
      return { services: items.map(({ tags, ...rest }) => (withTags ? { ...rest, tags } : rest)), failures };
    },

    DescribeTasks: (input: { cluster: string; tasks: string[] }) => {
      taskCalls();
      if (input.tasks.length > 100) throw new AwsError('InvalidParameterException', 'Tasks cannot be more than 100.');
      const { items, failures } = found(input.tasks, input.cluster, 'task', tasks);
      return { tasks: items, failures };
    },

    DescribeTaskDefinition: ({ taskDefinition }: { taskDefinition: string }) => {
      definitionCalls();
      const item = definitions.get(taskDefinition);
      if (item === undefined) throw new AwsError('ClientException', 'Unable to describe task definition.');
      return { taskDefinition: item };
    },
  };

  return {
    service: { name: 'ecs', operations } satisfies Service,
    /** A service of cluster `prod` with two tasks on FARGATE_SPOT and FARGATE, opted in, unless said otherwise. */
    addService: (name: string, options: Fields = {}, tags: Readonly<Record<string, string>> = OPTED_IN): void => {
      services.set(`prod/${name}`, {
        serviceArn: serviceArn(name),
        serviceName: name,
        clusterArn: `arn:aws:ecs:${region}:${account}:cluster/prod`,
        status: 'ACTIVE',
        desiredCount: 2,
        runningCount: 2,
        pendingCount: 0,
        capacityProviderStrategy: [
          { capacityProvider: 'FARGATE', base: 1, weight: 0 },
          { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 1 },
        ],
        loadBalancers: [],
        serviceRegistries: [],
        ...options,
        tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
      });
    },
    /** A task by an event's detail, as DescribeTasks shows it. */
    addTask: (detail: Fields): void => {
      tasks.set(`${clusterName(String(detail.clusterArn))}/${lastPart(String(detail.taskArn))}`, fromDetail(detail));
    },
    removeTask: (arn: string): void => void tasks.delete(arn.split(':task/')[1] ?? ''),
    addDefinition: (arn: string, containers: readonly Fields[]): void =>
      void definitions.set(arn, { taskDefinitionArn: arn, containerDefinitions: containers }),
  };
};

const OPTED_IN = { 'reflex:enabled': 'true' };

const fromDetail = ({ attachments, ...detail }: Fields): Fields => ({
  ...Object.fromEntries(
    Object.entries(detail).map(([name, value]) => [name, /At$/.test(name) ? Date.parse(String(value)) / 1_000 : value]),
  ),
  // The `elb` attachment is an event's; DescribeTasks calls `eni` otherwise.
  attachments: (attachments as readonly Fields[])
    .filter(({ type }) => type !== 'elb')
    .map((attachment) => (attachment.type === 'eni' ? { ...attachment, type: 'ElasticNetworkInterface' } : attachment)),
});
