import { AwsError, account, fromToken, page, region, type Service, toToken } from './service.ts';

interface Instance {
  readonly Id: string;
  readonly Attributes: Readonly<Record<string, string>>;
}

/** ARN of a Cloud Map service, as an ECS service names it. */
export const registryArn = (id: string, owner = account): string =>
  `arn:aws:servicediscovery:${region}:${owner}:service/${id}`;

/** Cloud Map: instances by service and id, a hundred a page. Of an id it does not know it says so. */
export const fakeServicediscovery = () => {
  const services = new Map<string, Instance[]>();
  let operations = 0;

  const instancesOf = (id: string): Instance[] => {
    const found = services.get(id);
    if (found === undefined) throw new AwsError('ServiceNotFound', `Service ${id} not found`);
    return found;
  };

  const service: Service = {
    name: 'servicediscovery',
    operations: {
      ListInstances: (input: { ServiceId: string; MaxResults?: number; NextToken?: string }) => {
        const { MaxResults = 100, NextToken } = input;
        if (MaxResults > 100) throw new AwsError('InvalidInput', 'MaxResults: at most 100');
        const from = NextToken === undefined ? 0 : fromToken<number>(NextToken);
        const { items, next } = page(instancesOf(input.ServiceId), from, MaxResults);
        return { Instances: items, ...(next !== undefined && { NextToken: toToken(next) }) };
      },

      DeregisterInstance: ({ ServiceId, InstanceId }: { ServiceId: string; InstanceId: string }) => {
        const instances = instancesOf(ServiceId);
        const index = instances.findIndex(({ Id }) => Id === InstanceId);
        if (index < 0) throw new AwsError('InstanceNotFound', `Instance ${InstanceId} not found`);
        instances.splice(index, 1);
        return { OperationId: `operation-${++operations}` };
      },
    },
  };

  return {
    service,
    addService: (id: string): void => void services.set(id, []),
    register: (serviceId: string, id: string, attributes: Readonly<Record<string, string>> = {}): void =>
      void instancesOf(serviceId).push({ Id: id, Attributes: attributes }),
    remove: (serviceId: string, id: string): void =>
      void services.set(
        serviceId,
        instancesOf(serviceId).filter(({ Id }) => Id !== id),
      ),
    instances: (serviceId: string): string[] => instancesOf(serviceId).map(({ Id }) => Id),
  };
};
