import { ec2Answer, ec2Refusal } from './ec2.ts';
import { fromForm } from './elbv2.ts';
import { AwsError, type Service } from './service.ts';

export interface FakeNetworkInterface {
  readonly id: string;
  readonly subnet: string;
  readonly groups: readonly string[];
  readonly publicIp?: string;
}

/** EC2 as it shows network interfaces: a filter leaves out those that are gone, at most 200 values. */
export const fakeNetworkInterfaces = () => {
  const interfaces = new Map<string, FakeNetworkInterface>();
  const service: Service = {
    name: 'ec2',
    dialect: { answer: ec2Answer, refuse: ec2Refusal },
    route: ({ body }) => {
      const { Action, ...input } = fromForm(body);
      return { operation: String(Action), input };
    },
    operations: {
      DescribeNetworkInterfaces: ({
        Filter = [],
      }: {
        Filter?: { readonly Name: string; readonly Value: readonly string[] }[];
      }) => {
        const ids = Filter.find(({ Name }) => Name === 'network-interface-id')?.Value ?? [];
        if (ids.length > 200) throw new AwsError('FilterLimitExceeded', 'The maximum number of filter values is 200');
        return {
          networkInterfaceSet: ids
            .flatMap((id) => interfaces.get(id) ?? [])
            .map(({ id, subnet, groups, publicIp }) => ({
              networkInterfaceId: id,
              subnetId: subnet,
              status: 'in-use',
              groupSet: groups.map((group) => ({ groupId: group, groupName: group })),
              ...(publicIp !== undefined && { association: { publicIp } }),
            })),
        };
      },
    },
  };
  return {
    service,
    add: (one: FakeNetworkInterface): void => void interfaces.set(one.id, one),
    remove: (id: string): void => void interfaces.delete(id),
  };
};
