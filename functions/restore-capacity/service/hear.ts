import type { ReflexEvent, ServiceActionEvent } from '../../../shared/events/event.ts';
import type { Heard } from '../../../shared/function.ts';

/**
 * ECS found no Fargate Spot capacity for a task of a service. Nothing else is heard: steady states are told while a deployment
 * still runs, and of a service that its autoscaler has made smaller; both are read from the service itself.
 */
export const hear = async (events: readonly ReflexEvent[]): Promise<Heard[]> => events.map(heard);

const heard = (event: ReflexEvent): Heard => {
  if (event.kind !== 'service-action') return { notForUs: 'not-a-service' };
  const notForUs = whyNot(event);
  if (notForUs !== undefined) return { notForUs };
  const { serviceArn, name, at, createdAt } = event;
  return {
    signals: [
      {
        resource: serviceArn,
        trigger: 'event',
        cause: 'ECS found no Fargate Spot capacity (SERVICE_TASK_PLACEMENT_FAILURE, RESOURCE:FARGATE)',
        occurrence: `${serviceArn} ${name} ${createdAt ?? ''} ${at}`,
        at,
      },
    ],
  };
};

/** The same code tells of EC2 instances that are full, and of a lack of on-demand capacity, which no fallback to it mends. */
const whyNot = ({ name, providers, reason }: ServiceActionEvent): string | undefined => {
  if (name.endsWith('STEADY_STATE')) return 'steady-state';
  if (name !== 'SERVICE_TASK_PLACEMENT_FAILURE') return 'other-service-action';
  if (reason !== 'RESOURCE:FARGATE') return 'not-for-want-of-fargate';
  if (!providers.includes('FARGATE_SPOT')) return 'not-on-fargate-spot';
  return undefined;
};
