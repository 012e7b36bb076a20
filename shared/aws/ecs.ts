import {
  type ContainerInstance,
  DescribeClustersCommand,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  type DesiredStatus,
  ECSClient,
  type Failure,
  ListClustersCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
  type ListTasksRequest,
  RunTaskCommand,
  type RunTaskRequest,
  type Service,
  StopTaskCommand,
  type Task,
  type TaskDefinition,
  UpdateContainerInstancesStateCommand,
  UpdateServiceCommand,
  type UpdateServiceRequest,
} from '@aws-sdk/client-ecs';
import { client } from './client.ts';
import { allPages, chunksOf } from './pages.ts';

const ecs = () => client(ECSClient);

/** DescribeServices takes this many names a call. */
export const servicesPerCall = 10;
/** DescribeTasks takes this many tasks a call. */
export const tasksPerCall = 100;

/**
 * At most ten services of one cluster, with their tags; those that do not exist are left out. 100 calls, then 20 a second, per account.
 * @iam ecs:DescribeServices
 */
export const describeServices = async (cluster: string, services: readonly string[]): Promise<Service[]> => {
  const answer = await ecs().send(new DescribeServicesCommand({ cluster, services: [...services], include: ['TAGS'] }));
  return answer.services ?? [];
};

/**
 * At most 100 tasks of one cluster, by ARN or id; stopped ones are shown for an hour. What is missing may only be new or long stopped.
 * 100 calls, then 20 a second, per account.
 * @iam ecs:DescribeTasks
 */
export const describeTasks = async (cluster: string, tasks: readonly string[]): Promise<Task[]> => {
  const answer = await ecs().send(new DescribeTasksCommand({ cluster, tasks: [...tasks] }));
  return answer.tasks ?? [];
};

/**
 * One revision, which never changes. 50 calls, then 20 a second, per account.
 * @iam ecs:DescribeTaskDefinition
 */
export const describeTaskDefinition = async (taskDefinition: string): Promise<TaskDefinition> => {
  const answer = await ecs().send(new DescribeTaskDefinitionCommand({ taskDefinition }));
  return answer.taskDefinition ?? {};
};

/** Whoever changes something repeats the call itself, and only while it still makes sense. */
const ecsOnce = () => client(ECSClient, { maxAttempts: 1 });

/**
 * ARNs of every cluster of the Region; 100 a page.
 * @iam ecs:ListClusters
 */
export const listClusters = (): Promise<string[]> =>
  allPages(async (nextToken) => {
    const page = await ecs().send(new ListClustersCommand({ maxResults: 100, nextToken }));
    return { items: page.clusterArns, next: page.nextToken };
  });

/** DescribeContainerInstances takes this many a call. */
const containerInstancesPerCall = 100;
/** A filter expression is kept this short. */
const idsPerFilter = 50;

/**
 * The container instances of a cluster that run on these EC2 instances, whatever their status.
 * @iam ecs:ListContainerInstances ecs:DescribeContainerInstances
 */
export const containerInstancesOn = async (
  cluster: string,
  instances: readonly string[],
): Promise<ContainerInstance[]> => {
  const arns: string[] = [];
  for (const ids of chunksOf(instances, idsPerFilter)) {
    const filter = `ec2InstanceId in [${ids.map((id) => `'${id}'`).join(', ')}]`;
    const some = await allPages(async (nextToken) => {
      const page = await ecs().send(new ListContainerInstancesCommand({ cluster, filter, nextToken }));
      return { items: page.containerInstanceArns, next: page.nextToken };
    });
    arns.push(...some);
  }
  const found: ContainerInstance[] = [];
  for (const containerInstances of chunksOf(arns, containerInstancesPerCall)) {
    const answer = await ecs().send(new DescribeContainerInstancesCommand({ cluster, containerInstances }));
    found.push(...(answer.containerInstances ?? []));
  }
  return found.filter(({ ec2InstanceId = '' }) => instances.includes(ec2InstanceId));
};

/** UpdateContainerInstancesState takes this many a call. */
export const drainsPerCall = 10;

/**
 * Ten container instances at most; what ECS did not accept comes back as failures of a call that succeeded.
 * @iam ecs:UpdateContainerInstancesState
 */
export const drainContainerInstances = async (
  cluster: string,
  containerInstances: readonly string[],
): Promise<Failure[]> => {
  const answer = await ecsOnce().send(
    new UpdateContainerInstancesStateCommand({
      cluster,
      containerInstances: [...containerInstances],
      status: 'DRAINING',
    }),
  );
  return answer.failures ?? [];
};

/** ARNs of the tasks on a container instance. STOPPED: those told to stop, and for an hour those that have stopped. */
export const listTasksOn = (
  cluster: string,
  containerInstance: string,
  desiredStatus: DesiredStatus,
): Promise<string[]> => listTasks({ cluster, containerInstance, desiredStatus });

/** @iam ecs:ListTasks */
const listTasks = (which: ListTasksRequest): Promise<string[]> =>
  allPages(async (nextToken) => {
    const page = await ecs().send(new ListTasksCommand({ ...which, nextToken }));
    return { items: page.taskArns, next: page.nextToken };
  });

/**
 * SIGTERM, and SIGKILL after the containers' stopTimeout.
 * @iam ecs:StopTask
 */
export const stopTask = async (cluster: string, task: string, reason: string): Promise<void> => {
  await ecsOnce().send(new StopTaskCommand({ cluster, task, reason }));
};

/**
 * As `describeTasks`, with the tasks' tags; ECS may take the tags off when a task stops.
 * @iam ecs:DescribeTasks
 */
export const describeTasksWithTags = async (cluster: string, tasks: readonly string[]): Promise<Task[]> => {
  const answer = await ecs().send(new DescribeTasksCommand({ cluster, tasks: [...tasks], include: ['TAGS'] }));
  return answer.tasks ?? [];
};

/**
 * One revision with its tags, which may change. 50 calls, then 20 a second, per account.
 * @iam ecs:DescribeTaskDefinition
 */
export const describeTaskDefinitionWithTags = async (
  taskDefinition: string,
): Promise<{ readonly definition: TaskDefinition; readonly tags: Readonly<Record<string, string>> }> => {
  const answer = await ecs().send(new DescribeTaskDefinitionCommand({ taskDefinition, include: ['TAGS'] }));
  const tags = (answer.tags ?? []).flatMap(({ key, value }) => (key === undefined ? [] : [[key, value ?? '']]));
  return { definition: answer.taskDefinition ?? {}, tags: Object.fromEntries(tags) };
};

/**
 * ARNs of the tasks that were run with these words in `startedBy`: those that shall run; where there is none, those told to stop, and for
 * an hour those that have stopped. 100 calls, then 20 a second, per account.
 */
export const listTasksStartedBy = async (cluster: string, startedBy: string): Promise<string[]> => {
  const running = await listTasks({ cluster, startedBy, desiredStatus: 'RUNNING' });
  return running.length > 0 ? running : listTasks({ cluster, startedBy, desiredStatus: 'STOPPED' });
};

/**
 * Runs one task. What ECS refused comes back as a failure in an answer with HTTP 200; never look at the tasks alone.
 * On Fargate 20 calls a second, and as many launches of either kind of capacity, per account.
 * @iam ecs:RunTask iam:PassRole ecs:TagResource
 */
export const runTask = async (
  input: RunTaskRequest,
): Promise<{ readonly tasks: readonly Task[]; readonly failures: readonly Failure[] }> => {
  const { tasks = [], failures = [] } = await ecsOnce().send(new RunTaskCommand(input));
  return { tasks, failures };
};

/** ARNs of the tasks of a task definition's family. STOPPED: those told to stop, and for an hour those that have stopped. */
export const listTasksOfFamily = (cluster: string, family: string, desiredStatus: DesiredStatus): Promise<string[]> =>
  listTasks({ cluster, family, desiredStatus });

/** DescribeClusters takes this many a call. */
const clustersPerCall = 100;

/**
 * Capacity providers that may be named in a strategy, by cluster ARN; a cluster that does not exist is left out.
 * @iam ecs:DescribeClusters
 */
export const clusterProviders = async (
  clusters: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> => {
  const found = new Map<string, readonly string[]>();
  for (const some of chunksOf(clusters, clustersPerCall)) {
    const answer = await ecs().send(new DescribeClustersCommand({ clusters: some }));
    for (const { clusterArn = '', capacityProviders = [] } of answer.clusters ?? [])
      found.set(clusterArn, capacityProviders);
  }
  return found;
};

/**
 * A changed capacity provider strategy is refused unless a new deployment is forced, which replaces every task; a desired count
 * alone starts none. 50 calls, then 5 a second, per account.
 * @iam ecs:UpdateService
 */
export const updateService = async (input: UpdateServiceRequest): Promise<void> => {
  await ecsOnce().send(new UpdateServiceCommand(input));
};
