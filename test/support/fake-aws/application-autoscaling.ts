import type { Service } from './service.ts';

export interface ScalableTarget {
  readonly ResourceId: string;
  readonly ScalableDimension: string;
}

/** Application Auto Scaling: what is registered with it. */
export const fakeApplicationAutoscaling = () => {
  const targets: ScalableTarget[] = [];
  const service: Service = {
    name: 'application-autoscaling',
    operations: {
      DescribeScalableTargets: ({
        ServiceNamespace,
        ResourceIds,
      }: {
        ServiceNamespace: string;
        ResourceIds: string[];
      }) => ({
        ScalableTargets: targets
          .filter(({ ResourceId }) => ResourceIds.includes(ResourceId))
          .map((target) => ({ ServiceNamespace, MinCapacity: 1, MaxCapacity: 5, ...target })),
      }),
    },
  };
  return { service, targets };
};
