import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeInstanceHealthCommand,
  ElasticLoadBalancingClient,
} from '@aws-sdk/client-elastic-load-balancing';
import { client } from './client.ts';

const elb = () => client(ElasticLoadBalancingClient);
const elbOnce = () => client(ElasticLoadBalancingClient, { maxAttempts: 1 });

/**
 * Ids of the instances registered with a classic load balancer, healthy or not.
 * @iam elasticloadbalancing:DescribeInstanceHealth
 */
export const registeredInstances = async (loadBalancer: string): Promise<string[]> => {
  const answer = await elb().send(new DescribeInstanceHealthCommand({ LoadBalancerName: loadBalancer }));
  return (answer.InstanceStates ?? []).flatMap(({ InstanceId }) => InstanceId ?? []);
};

/**
 * An instance that is not registered is a success, too.
 * @iam elasticloadbalancing:DeregisterInstancesFromLoadBalancer
 */
export const deregisterInstances = async (loadBalancer: string, instances: readonly string[]): Promise<void> => {
  await elbOnce().send(
    new DeregisterInstancesFromLoadBalancerCommand({
      LoadBalancerName: loadBalancer,
      Instances: instances.map((InstanceId) => ({ InstanceId })),
    }),
  );
};
