import {
  DeregisterInstanceCommand,
  type DeregisterInstanceCommandInput,
  type InstanceSummary,
  ListInstancesCommand,
  ServiceDiscoveryClient,
} from '@aws-sdk/client-servicediscovery';
import { client } from './client.ts';
import { allPages } from './pages.ts';

/**
 * All instances of a Cloud Map service (at most 1,000), 100 a page.
 * @iam servicediscovery:ListInstances
 */
export const listInstances = (serviceId: string): Promise<InstanceSummary[]> =>
  allPages(async (NextToken) => {
    const page = await client(ServiceDiscoveryClient).send(
      new ListInstancesCommand({ ServiceId: serviceId, MaxResults: 100, NextToken }),
    );
    return { items: page.Instances, next: page.NextToken };
  });

/**
 * Asynchronous: answers with an operation, whose end is not awaited. In a DNS namespace Cloud Map changes records and health checks with
 * the caller's permissions (Cloud Map's policy examples and API permissions reference).
 * @iam servicediscovery:DeregisterInstance route53:ChangeResourceRecordSets route53:GetHealthCheck route53:UpdateHealthCheck route53:DeleteHealthCheck
 */
export const deregisterInstance = async (input: DeregisterInstanceCommandInput): Promise<void> => {
  await client(ServiceDiscoveryClient, { maxAttempts: 1 }).send(new DeregisterInstanceCommand(input));
};
