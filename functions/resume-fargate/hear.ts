import { isSpotInterruption, serviceNameOf } from '../../shared/ecs-task.ts';
import type { ReflexEvent } from '../../shared/events/event.ts';
import type { Heard } from '../../shared/function.ts';

/**
 * Spot interruptions of standalone tasks; a service runs its own again. One interruption comes as four or five events, in any
 * order. Each is an occurrence: where one finds the network interface unreadable, the next may still read it.
 */
export const hear = async (events: readonly ReflexEvent[]): Promise<Heard[]> => events.map(heard);

const heard = (event: ReflexEvent): Heard => {
  if (event.kind !== 'task-state-change') return { notForUs: 'not-a-task' };
  const { task, at } = event;
  if (!isSpotInterruption(task)) return { notForUs: 'not-a-spot-interruption' };
  if (serviceNameOf(task) !== null) return { notForUs: 'task-of-a-service' };
  return {
    signals: [
      {
        resource: task.arn,
        trigger: 'event',
        cause: `Fargate Spot interruption, task ${task.lastStatus} (version ${task.version})`,
        occurrence: `${task.arn} ${task.lastStatus}`,
        at: task.lastStatus === 'STOPPED' ? at : (task.stoppingAt ?? at),
        evidence: { ...task },
      },
    ],
  };
};
