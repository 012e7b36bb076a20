import { bucket } from './bucket.ts';
import { AwsError, account, region, type Service } from './service.ts';

type Fields = Readonly<Record<string, unknown>>;

export const serviceArn = (name: string, cluster = 'prod'): string =>
  `arn:aws:ecs:${region}:${account}:service/${cluster}/${name}`;

/** Only this account's clusters, of this Region, are known. */
const clusterName = (nameOrArn = 'default'): string => {
  if (nameOrArn.startsWith('arn:') && !nameOrArn.startsWith(`arn:aws:ecs:${region}:${account}:`)) {
    throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
  }
  return nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
};
const lastPart = (nameOrArn: string): string => nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);

/**
 * ECS as far as it describes (services in tens, tasks in hundreds, task definitions) and runs tasks. What does not exist is a failure MISSING in an answer
 * with HTTP 200; tags come only when asked for; times are epoch seconds.
 */
export const fakeEcs = (clock: () => number) => {
  const services = new Map<string, Fields>();
  const tasks = new Map<string, Fields>();
  const definitions = new Map<string, Fields>();
  const serviceCalls = bucket(clock, 100, 20);
  const taskCalls = bucket(clock, 100, 20);
  const definitionCalls = bucket(clock, 50, 20);
  const definitionTags = new Map<string, Readonly<Record<string, string>>>();
  const runCalls = bucket(clock, 20, 20);
  const updateCalls = bucket(clock, 50, 5);
  const clusterCalls = bucket(clock, 50, 20);
  const clusters = new Map<string, readonly string[]>();
  let deployed = 0;
  /** Token -> what was asked with it, and what was answered. */
  const runs = new Map<string, { readonly asked: string; readonly answer: RunAnswer }>();
  const shortage = new Map<string, Shortage>();
  let ran = 0;

  /** What ECS shows while a forced deployment replaces the one before. */
  const deployments = ({ deployments: before = [] }: Fields): Fields[] => [
    {
      id: `ecs-svc/${(++deployed).toString().padStart(19, '0')}`,
      status: 'PRIMARY',
      rolloutState: 'IN_PROGRESS',
      createdAt: clock() / 1_000,
    },
    ...(before as readonly Fields[]).map((one) => ({ ...one, status: 'ACTIVE' })),
  ];

  const runTask = (input: RunInput): RunAnswer => {
    const provider = input.capacityProviderStrategy?.[0]?.capacityProvider;
    const short = shortage.get(provider ?? String(input.launchType));
    if (short === 'failure') return { tasks: [], failures: [{ reason: NO_CAPACITY }] };
    const id = `${'f'.repeat(24)}${(++ran).toString(16).padStart(8, '0')}`;
    const cluster = clusterName(input.cluster);
    const { taskDefinition, startedBy, tags = [] } = input;
    const { family } = definitions.get(taskDefinition) ?? {};
    const task: Fields = {
      taskArn: `arn:aws:ecs:${region}:${account}:task/${cluster}/${id}`,
      clusterArn: `arn:aws:ecs:${region}:${account}:cluster/${cluster}`,
      taskDefinitionArn: taskDefinition,
      group: input.group ?? `family:${family}`,
      ...(startedBy !== undefined && { startedBy }),
      launchType: 'FARGATE',
      ...(provider !== undefined && { capacityProviderName: provider }),
      lastStatus: 'PROVISIONING',
      desiredStatus: 'RUNNING',
      overrides: input.overrides ?? {},
      platformVersion: input.platformVersion ?? '1.4.0',
      enableExecuteCommand: input.enableExecuteCommand ?? false,
      version: 1,
      attachments: [],
      containers: [],
      tags,
      ...(short === 'accepted' && {
        lastStatus: 'STOPPED',
        desiredStatus: 'STOPPED',
        stopCode: 'TaskFailedToStart',
        stoppedReason: NO_CAPACITY,
      }),
    };
    tasks.set(`${cluster}/${id}`, task);
    return { tasks: [task], failures: [] };
  };

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

    DescribeClusters: (input: { clusters: string[] }) => {
      clusterCalls();
      return {
        clusters: input.clusters.map((cluster) => ({
          clusterArn: `arn:aws:ecs:${region}:${account}:cluster/${clusterName(cluster)}`,
          clusterName: clusterName(cluster),
          status: 'ACTIVE',
          capacityProviders: clusters.get(clusterName(cluster)) ?? ['FARGATE', 'FARGATE_SPOT'],
        })),
        failures: [],
      };
    },

    // A changed strategy needs a forced deployment, which replaces every task; a desired count alone starts none.
    UpdateService: (input: UpdateInput) => {
      updateCalls();
      const key = `${clusterName(input.cluster)}/${lastPart(input.service)}`;
      const before = services.get(key);
      if (before === undefined) throw new AwsError('ServiceNotFoundException', 'Service not found.');
      if (before.status !== 'ACTIVE') throw new AwsError('ServiceNotActiveException', 'Service was not ACTIVE.');
      const wrong = wrongUpdate(input, before, clusters.get(clusterName(input.cluster)));
      if (wrong !== undefined) throw new AwsError('InvalidParameterException', wrong);
      const after: Fields = {
        ...before,
        ...(input.desiredCount !== undefined && { desiredCount: input.desiredCount }),
        ...(input.capacityProviderStrategy !== undefined && {
          capacityProviderStrategy: input.capacityProviderStrategy.map((row) => ({ base: 0, weight: 0, ...row })),
        }),
        ...(input.forceNewDeployment === true && { deployments: deployments(before) }),
      };
      services.set(key, after);
      return { service: after };
    },

    DescribeTasks: (input: { cluster: string; tasks: string[]; include?: string[] }) => {
      taskCalls();
      if (input.tasks.length > 100) throw new AwsError('InvalidParameterException', 'Tasks cannot be more than 100.');
      const { items, failures } = found(input.tasks, input.cluster, 'task', tasks);
      const withTags = input.include?.includes('TAGS') ?? false;
      return { tasks: items.map(({ tags, ...rest }) => (withTags ? { ...rest, tags } : rest)), failures };
    },

    ListTasks: (input: { cluster: string; startedBy?: string; desiredStatus?: string }) => {
      taskCalls();
      const all = [...tasks]
        .filter(([key]) => key.startsWith(`${clusterName(input.cluster)}/`))
        .map(([, task]) => task);
      return {
        taskArns: all
          .filter(({ startedBy }) => input.startedBy === undefined || startedBy === input.startedBy)
          .filter(({ desiredStatus }) => desiredStatus === (input.desiredStatus ?? 'RUNNING'))
          .map(({ taskArn }) => taskArn),
      };
    },

    // One token runs one task: the same parameters get the same answer, a refusal too; others are a conflict.
    RunTask: (input: RunInput) => {
      runCalls();
      const { clientToken = '', ...rest } = input;
      const asked = JSON.stringify(rest);
      const before = runs.get(clientToken);
      if (before !== undefined) {
        if (before.asked === asked) return before.answer;
        const [task] = before.answer.tasks;
        throw new AwsError('ConflictException', `The token was used for ${task?.taskArn} with other parameters.`);
      }
      const wrong = wrongWith(input);
      if (wrong !== undefined) throw new AwsError('InvalidParameterException', wrong);
      const definition = definitions.get(input.taskDefinition);
      if (definition === undefined) throw new AwsError('ClientException', 'TaskDefinition not found.');
      const stray = strayOverride(input, definition);
      if (stray !== undefined) {
        throw new AwsError(
          'InvalidParameterException',
          `Override for container named ${stray} is not a container in the TaskDefinition.`,
        );
      }
      if (shortage.get(input.launchType ?? 'FARGATE_SPOT') === 'thrown')
        throw new AwsError('ClientException', NO_CAPACITY);
      const answer = runTask(input);
      if (clientToken !== '') runs.set(clientToken, { asked, answer });
      return answer;
    },

    DescribeTaskDefinition: ({ taskDefinition, include = [] }: { taskDefinition: string; include?: string[] }) => {
      definitionCalls();
      const item = definitions.get(taskDefinition);
      if (item === undefined) throw new AwsError('ClientException', 'Unable to describe task definition.');
      const tags = Object.entries(definitionTags.get(taskDefinition) ?? {}).map(([key, value]) => ({ key, value }));
      return { taskDefinition: item, ...(include.includes('TAGS') && { tags }) };
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
        deployments: [
          { id: 'ecs-svc/0548903365926546085', status: 'PRIMARY', rolloutState: 'COMPLETED', createdAt: 1_700_000_000 },
        ],
        ...options,
        tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
      });
    },
    /** What becomes of a service of cluster `prod`, as DescribeServices shows it: times are epoch seconds. */
    changeService: (name: string, fields: Fields): void =>
      void services.set(`prod/${name}`, { ...services.get(`prod/${name}`), ...fields }),
    removeService: (name: string): void => void services.delete(`prod/${name}`),
    getService: (name: string): Fields => services.get(`prod/${name}`) ?? {},
    /** Capacity providers of a cluster; both of Fargate's, unless said otherwise. */
    setProviders: (cluster: string, providers: readonly string[]): void => void clusters.set(cluster, providers),
    /** What the Tagging API knows of. */
    tagged: () =>
      [...services.values()].map(({ serviceArn: arn, tags }) => ({
        arn: String(arn),
        tags: Object.fromEntries((tags as { key: string; value: string }[]).map(({ key, value }) => [key, value])),
      })),
    /**
     * The scheduler at work: as many Spot tasks run as `spot` has room for, as many on-demand ones as `onDemand`, service by service;
     * a deployment is through as soon as all its tasks run, and until then the tasks of the one before run on.
     */
    place: ({ spot, onDemand = 1_000_000 }: { readonly spot: number; readonly onDemand?: number }): void => {
      let room = { FARGATE_SPOT: spot, FARGATE: onDemand } as Record<string, number>;
      for (const [key, service] of services) {
        const { desired, shares } = sharesOf(service);
        const placed = Object.entries(shares).map(([name, n]) => [name, Math.min(n, room[name] ?? 0)] as const);
        room = { ...room, ...Object.fromEntries(placed.map(([name, n]) => [name, (room[name] ?? 0) - n])) };
        const running = placed.reduce((sum, [, n]) => sum + n, 0);
        const [primary, ...replaced] = (service.deployments ?? []) as readonly Fields[];
        const through = running >= desired;
        services.set(key, {
          ...service,
          runningCount: replaced.length > 0 && !through ? Math.max(running, Number(service.runningCount)) : running,
          pendingCount: 0,
          ...(primary !== undefined && through && { deployments: [{ ...primary, rolloutState: 'COMPLETED' }] }),
        });
      }
    },
    /** A task by an event's detail, as DescribeTasks shows it. */
    addTask: (detail: Fields): void => {
      tasks.set(`${clusterName(String(detail.clusterArn))}/${lastPart(String(detail.taskArn))}`, fromDetail(detail));
    },
    /** What becomes of a task, as DescribeTasks shows it: times are epoch seconds. */
    changeTask: (arn: string, fields: Fields): void => {
      const key = arn.split(':task/')[1] ?? '';
      tasks.set(key, { ...tasks.get(key), ...fields });
    },
    /** Every task of cluster `prod` that RunTask ran, the oldest first. */
    tasksRun: (): Fields[] =>
      [...tasks.values()].filter(({ taskArn }) => String(taskArn).includes(`/${'f'.repeat(24)}`)),
    tagDefinition: (arn: string, tags: Readonly<Record<string, string>>): void => void definitionTags.set(arn, tags),
    /** What RunTask makes of a lack of capacity: a failure with HTTP 200, an error, or a task that never starts. */
    setShortage: (provider: 'FARGATE' | 'FARGATE_SPOT', how: Shortage | null): void =>
      void (how === null ? shortage.delete(provider) : shortage.set(provider, how)),
    removeTask: (arn: string): void => void tasks.delete(arn.split(':task/')[1] ?? ''),
    addDefinition: (arn: string, containers: readonly Fields[]): void =>
      void definitions.set(arn, { taskDefinitionArn: arn, family: familyOf(arn), containerDefinitions: containers }),
  };
};

type Shortage = 'failure' | 'thrown' | 'accepted';

interface StrategyRow {
  readonly capacityProvider: string;
  readonly base?: number;
  readonly weight?: number;
}

interface UpdateInput {
  readonly cluster?: string;
  readonly service: string;
  readonly desiredCount?: number;
  readonly capacityProviderStrategy?: readonly StrategyRow[];
  readonly forceNewDeployment?: boolean;
}

const strategyKey = (rows: readonly StrategyRow[] = []): string =>
  rows.map(({ capacityProvider, base = 0, weight = 0 }) => `${capacityProvider} ${base} ${weight}`).join();

/** What ECS finds wrong with the parameters of UpdateService, in its words or near them. */
const wrongUpdate = (
  { capacityProviderStrategy: rows, forceNewDeployment = false, desiredCount = 0 }: UpdateInput,
  service: Fields,
  providers: readonly string[] = ['FARGATE', 'FARGATE_SPOT'],
): string | undefined => {
  const { type = 'ECS' } = (service.deploymentController ?? {}) as { type?: string };
  if (desiredCount < 0) return 'The desired count must not be negative.';
  if (type !== 'ECS' && forceNewDeployment) {
    return `Cannot force a new deployment on services with a ${type} deployment controller.`;
  }
  if (rows === undefined) return undefined;
  if (type !== 'ECS') {
    return `Unable to update capacity provider strategy on services with a ${type} deployment controller.`;
  }
  const changed = strategyKey(rows) !== strategyKey(service.capacityProviderStrategy as readonly StrategyRow[]);
  if (changed && !forceNewDeployment) {
    return 'When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.';
  }
  if (rows.some(({ capacityProvider }) => !providers.includes(capacityProvider))) {
    return 'The specified capacity provider strategy contains a capacity provider that is not associated with the cluster.';
  }
  if (rows.filter(({ base = 0 }) => base > 0).length > 1) return 'Only one capacity provider can have a base.';
  if (rows.every(({ weight = 0 }) => weight === 0)) {
    return 'At least one capacity provider must have a weight above 0.';
  }
  return undefined;
};

/** How many of a service's tasks each provider shall run: the base first, then by weight, rounded down but for the last; weight 0 places none. */
const sharesOf = (service: Fields): { readonly desired: number; readonly shares: Record<string, number> } => {
  const desired = Number(service.desiredCount);
  const rows = (service.capacityProviderStrategy ?? []) as readonly StrategyRow[];
  if (rows.length === 0) return { desired, shares: { FARGATE: desired } };
  const based = rows.map(({ base = 0, weight = 0 }) => (weight > 0 ? Math.min(desired, base) : 0));
  const rest = desired - based.reduce((sum, n) => sum + n, 0);
  const weighty = rows.filter(({ weight = 0 }) => weight > 0);
  const total = weighty.reduce((sum, { weight = 0 }) => sum + weight, 0);
  let left = rest;
  const shares = rows.map((row, i) => {
    const { weight = 0 } = row;
    const part = row === weighty.at(-1) ? left : Math.floor((rest * weight) / (total || 1));
    left -= weight > 0 ? part : 0;
    return [row.capacityProvider, (based[i] ?? 0) + (weight > 0 ? part : 0)] as const;
  });
  return { desired, shares: Object.fromEntries(shares) };
};

interface RunInput {
  readonly cluster?: string;
  readonly taskDefinition: string;
  readonly launchType?: string;
  readonly capacityProviderStrategy?: readonly { readonly capacityProvider: string }[];
  readonly networkConfiguration?: { readonly awsvpcConfiguration: { readonly subnets: readonly string[] } };
  readonly overrides?: object;
  readonly group?: string;
  readonly startedBy?: string;
  readonly clientToken?: string;
  readonly platformVersion?: string;
  readonly enableExecuteCommand?: boolean;
  readonly tags?: readonly { readonly key: string }[];
}

interface RunAnswer {
  readonly tasks: readonly Fields[];
  readonly failures: readonly { readonly reason: string }[];
}

const NO_CAPACITY = 'Capacity is unavailable at this time. Please try again later or in a different availability zone';

/** What ECS finds wrong with the parameters of RunTask, in its words or near them. */
const wrongWith = (input: RunInput): string | undefined => {
  const { overrides = {}, startedBy = '', clientToken = '', tags = [] } = input;
  const { subnets = [] } = input.networkConfiguration?.awsvpcConfiguration ?? {};
  if (input.launchType !== undefined && input.capacityProviderStrategy !== undefined) {
    return 'Specifying both a launch type and capacity provider strategy is not supported.';
  }
  if (JSON.stringify(overrides).length > 8_192) return 'Container Overrides length must be at most 8192';
  if (!/^[\w/-]{0,128}$/.test(startedBy)) return 'startedBy contains invalid characters.';
  if (!/^[\x21-\x7e]{0,64}$/.test(clientToken)) return 'clientToken is invalid.';
  if (tags.length > 50) return 'Tags cannot be more than 50.';
  if (tags.some(({ key }) => key.startsWith('aws:'))) return 'Tag keys cannot start with aws:.';
  if (input.group?.startsWith('service:')) return 'The group is reserved.';
  if (subnets.length === 0 || subnets.length > 16) return 'subnets must be between 1 and 16.';
  return undefined;
};

/** An override for a container that the definition does not have. */
const strayOverride = ({ overrides = {} }: RunInput, { containerDefinitions = [] }: Fields): string | undefined => {
  const names = (containerDefinitions as readonly Fields[]).map(({ name }) => name);
  const { containerOverrides = [] } = overrides as { containerOverrides?: readonly { readonly name: string }[] };
  return containerOverrides.find(({ name }) => !names.includes(name))?.name;
};

const familyOf = (arn: string): string => arn.split('/')[1]?.split(':')[0] ?? '';

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
