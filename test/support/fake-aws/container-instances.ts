import { AwsError, account, region, type Service } from './service.ts';

export interface FakeTask {
  readonly arn: string;
  readonly group: string;
  lastStatus: string;
  desiredStatus: string;
}

export interface FakeContainerInstance {
  readonly arn: string;
  readonly ec2InstanceId: string;
  status: string;
  readonly tasks: FakeTask[];
}

const nameOf = (cluster: string): string => cluster.slice(cluster.lastIndexOf('/') + 1);

/** ECS as it treats container instances: ten a drain, failures in an answer with HTTP 200, and only what is ACTIVE drains. */
export const fakeContainerInstances = () => {
  const clusters = new Map<string, FakeContainerInstance[]>();
  const clusterOf = (cluster: string): FakeContainerInstance[] => {
    const found = clusters.get(nameOf(cluster));
    if (found === undefined) throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
    return found;
  };
  const shown = (cluster: string, { arn, group, lastStatus, desiredStatus }: FakeTask) => ({
    taskArn: arn,
    clusterArn: `arn:aws:ecs:${region}:${account}:cluster/${nameOf(cluster)}`,
    group,
    taskDefinitionArn: `arn:aws:ecs:${region}:${account}:task-definition/app:1`,
    lastStatus,
    desiredStatus,
    version: 1,
    launchType: 'EC2',
    containers: [],
    attachments: [],
  });

  const operations: Service['operations'] = {
    ListClusters: () => ({
      clusterArns: [...clusters.keys()].map((name) => `arn:aws:ecs:${region}:${account}:cluster/${name}`),
    }),
    ListContainerInstances: ({ cluster, filter }: { cluster: string; filter: string }) => {
      const ids = [...filter.matchAll(/'(i-[0-9a-f]+)'/g)].map(([, id]) => id);
      if (!filter.startsWith('ec2InstanceId in [') || ids.length === 0) {
        throw new AwsError('InvalidParameterException', 'Cluster query string is malformed.');
      }
      return {
        containerInstanceArns: clusterOf(cluster)
          .filter(({ ec2InstanceId }) => ids.includes(ec2InstanceId))
          .map(({ arn }) => arn),
      };
    },
    DescribeContainerInstances: ({
      cluster,
      containerInstances,
    }: {
      cluster: string;
      containerInstances: string[];
    }) => ({
      containerInstances: clusterOf(cluster)
        .filter(({ arn }) => containerInstances.includes(arn))
        .map(({ arn, ec2InstanceId, status, tasks }) => ({
          containerInstanceArn: arn,
          ec2InstanceId,
          status,
          // Only what is RUNNING: a task that is stopping is not counted.
          runningTasksCount: tasks.filter(({ lastStatus }) => lastStatus === 'RUNNING').length,
        })),
      failures: [],
    }),
    UpdateContainerInstancesState: (input: { cluster: string; containerInstances: string[]; status: string }) => {
      if (input.containerInstances.length > 10) {
        throw new AwsError('InvalidParameterException', 'instanceIds can have at most 10 items.');
      }
      const failures = [];
      for (const arn of input.containerInstances) {
        const found = clusterOf(input.cluster).find((one) => one.arn === arn);
        if (found?.status === 'ACTIVE') found.status = input.status;
        else failures.push({ arn, reason: found === undefined ? 'MISSING' : found.status });
      }
      return { containerInstances: [], failures };
    },
    ListTasks: (input: { cluster: string; containerInstance: string; desiredStatus: string }) => ({
      taskArns: clusterOf(input.cluster)
        .filter(({ arn }) => arn === input.containerInstance)
        .flatMap(({ tasks }) => tasks)
        .filter(({ desiredStatus }) => desiredStatus === input.desiredStatus)
        .map(({ arn }) => arn),
    }),
    DescribeTasks: ({ cluster, tasks }: { cluster: string; tasks: string[] }) => ({
      tasks: clusterOf(cluster)
        .flatMap((instance) => instance.tasks)
        .filter(({ arn }) => tasks.includes(arn))
        .map((task) => shown(cluster, task)),
      failures: [],
    }),
    StopTask: ({ cluster, task }: { cluster: string; task: string }) => {
      const found = clusterOf(cluster)
        .flatMap(({ tasks }) => tasks)
        .find(({ arn }) => arn === task);
      if (found === undefined) throw new AwsError('InvalidParameterException', 'The referenced task was not found.');
      found.desiredStatus = 'STOPPED';
      return { task: shown(cluster, found) };
    },
  };
  return { service: { name: 'ecs', operations } satisfies Service, clusters };
};
