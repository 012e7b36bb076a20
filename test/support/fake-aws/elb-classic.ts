import { fromForm } from './elbv2.ts';
import { AwsError, type Service } from './service.ts';

/** Classic load balancers and who is registered with them. */
export const fakeElbClassic = () => {
  const balancers = new Map<string, Set<string>>();
  const named = (name: string): Set<string> => {
    const found = balancers.get(name);
    if (found === undefined)
      throw new AwsError('LoadBalancerNotFound', `There is no ACTIVE Load Balancer named '${name}'`);
    return found;
  };
  const service: Service = {
    name: 'elasticloadbalancing-classic',
    xml: true,
    operations: {
      DescribeInstanceHealth: ({ LoadBalancerName }: { LoadBalancerName: string }) => ({
        InstanceStates: [...named(LoadBalancerName)].map((InstanceId) => ({ InstanceId, State: 'InService' })),
      }),
      DeregisterInstancesFromLoadBalancer: (input: {
        LoadBalancerName: string;
        Instances: readonly { readonly InstanceId: string }[];
      }) => {
        const registered = named(input.LoadBalancerName);
        for (const { InstanceId } of input.Instances) registered.delete(InstanceId);
        return {};
      },
    },
    route: ({ body }) => {
      const { Action, ...input } = fromForm(body);
      return { operation: String(Action), input };
    },
  };
  return { service, balancers };
};
