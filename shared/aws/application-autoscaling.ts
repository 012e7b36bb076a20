import {
  ApplicationAutoScalingClient,
  DescribeScalableTargetsCommand,
  type ServiceNamespace,
} from '@aws-sdk/client-application-auto-scaling';
import { client, isErrorNamed } from './client.ts';
import { allPages, chunksOf } from './pages.ts';

/** Ids a call may name. */
const IDS_PER_CALL = 50;

/**
 * Scalable dimensions by resource id, e.g. `replication-group/orders` -> `elasticache:replication-group:Replicas`.
 * A Region or an endpoint that cannot scale the service says ValidationException: then there are none.
 * @iam application-autoscaling:DescribeScalableTargets
 */
export const scalableDimensions = async (
  namespace: ServiceNamespace,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> => {
  const found = new Map<string, string[]>();
  const read = async (ResourceIds: string[]) => {
    const targets = await allPages(async (NextToken) => {
      const page = await client(ApplicationAutoScalingClient).send(
        new DescribeScalableTargetsCommand({ ServiceNamespace: namespace, ResourceIds, NextToken }),
      );
      return { items: page.ScalableTargets, next: page.NextToken };
    });
    for (const { ResourceId = '', ScalableDimension = '' } of targets) {
      found.set(ResourceId, [...(found.get(ResourceId) ?? []), ScalableDimension]);
    }
  };
  try {
    await Promise.all(chunksOf(ids, IDS_PER_CALL).map(read));
  } catch (error) {
    if (!isErrorNamed(error, 'ValidationException')) throw error;
  }
  return found;
};
