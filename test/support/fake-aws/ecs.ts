import { bucket } from './bucket.ts';
import { AwsError, account, region, type Service } from './service.ts';

type Fields = Readonly<Record<string, unknown>>;

export const serviceArn = (name: string, cluster = 'prod'): string =>
  `arn:aws:ecs:${region}:${account}:service/${cluster}/${name}`;

const clusterName = (nameOrArn = 'default'): string => nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
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
  /** Token -> what was asked with it, and what was answered. */
  const runs = new Map<string, { readonly asked: string; readonly answer: RunAnswer }>();
  const shortage = new Map<string, Shortage>();
  let ran = 0;

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
      if (!definitions.has(input.taskDefinition)) throw new AwsError('ClientException', 'TaskDefinition not found.');
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
        ...options,
        tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
      });
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
