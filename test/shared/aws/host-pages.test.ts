import { AutoScalingClient, DescribeAutoScalingGroupsCommand } from '@aws-sdk/client-auto-scaling';
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  DescribeContainerInstancesCommand,
  ECSClient,
  ListClustersCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
} from '@aws-sdk/client-ecs';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, describe, expect, it } from 'vitest';
import { describeAutoScalingGroups } from '../../../shared/aws/autoscaling.ts';
import { describeInstances } from '../../../shared/aws/ec2.ts';
import { containerInstancesOn, listClusters, listTasksOn, listTasksStartedBy } from '../../../shared/aws/ecs.ts';

describe('a list of what is on hosts is read to its last page', () => {
  const mocks = [mockClient(ECSClient), mockClient(EC2Client), mockClient(AutoScalingClient)] as const;
  const [ecs, ec2, autoscaling] = mocks;
  afterEach(() => {
    for (const mock of mocks) mock.reset();
  });

  it('clusters', async () => {
    ecs
      .on(ListClustersCommand)
      .resolvesOnce({ clusterArns: ['a'], nextToken: 'n' })
      .resolves({ clusterArns: ['b'] });
    expect(await listClusters()).toEqual(['a', 'b']);
  });

  it('container instances', async () => {
    ecs
      .on(ListContainerInstancesCommand)
      .resolvesOnce({ containerInstanceArns: ['a'], nextToken: 'n' })
      .resolves({ containerInstanceArns: ['b'] });
    ecs.on(DescribeContainerInstancesCommand).callsFake(({ containerInstances }) => ({
      containerInstances: containerInstances.map((arn: string) => ({
        containerInstanceArn: arn,
        ec2InstanceId: 'i-1',
      })),
    }));
    expect((await containerInstancesOn('prod', ['i-1'])).map((one) => one.containerInstanceArn)).toEqual(['a', 'b']);
  });

  it('tasks', async () => {
    ecs
      .on(ListTasksCommand)
      .resolvesOnce({ taskArns: ['a'], nextToken: 'n' })
      .resolves({ taskArns: ['b'] });
    expect(await listTasksOn('prod', 'ci', 'RUNNING')).toEqual(['a', 'b']);
  });

  it('tasks by who started them, also where the first page is empty', async () => {
    ecs
      .on(ListTasksCommand)
      .resolvesOnce({ taskArns: [], nextToken: 'n' })
      .resolves({ taskArns: ['b'] });
    expect(await listTasksStartedBy('prod', 'reflex-resume/1/1')).toEqual(['b']);
    expect(ecs.commandCalls(ListTasksCommand).map(({ args }) => args[0].input.desiredStatus)).toEqual([
      'RUNNING',
      'RUNNING',
    ]);
  });

  it('instances', async () => {
    const page = (InstanceId: string) => ({ Reservations: [{ Instances: [{ InstanceId }] }] });
    ec2
      .on(DescribeInstancesCommand)
      .resolvesOnce({ ...page('i-1'), NextToken: 'n' })
      .resolves(page('i-2'));
    expect((await describeInstances(['i-1', 'i-2'])).map((one) => one.InstanceId)).toEqual(['i-1', 'i-2']);
  });

  it('groups', async () => {
    const page = (AutoScalingGroupName: string) => ({ AutoScalingGroups: [{ AutoScalingGroupName }] as never[] });
    autoscaling
      .on(DescribeAutoScalingGroupsCommand)
      .resolvesOnce({ ...page('a'), NextToken: 'n' })
      .resolves(page('b'));
    expect((await describeAutoScalingGroups(['a', 'b'])).map((one) => one.AutoScalingGroupName)).toEqual(['a', 'b']);
  });
});
