import { type EcsTask, isSpotInterruption, serviceNameOf } from '../../shared/ecs-task.ts';
import type { ReflexEvent } from '../../shared/events/event.ts';
import type { Heard } from '../../shared/function.ts';
import { GONE } from './facts.ts';

/**
 * Spot interruptions of tasks of a service. One interruption comes as four or five events, in any order, and each goes on
 * its way until the ledger knows what its phase brought: one that found the task's last target kept, or AWS unreadable,
 * must not swallow the next. An event that ends a task counts, too: what arrives after it is old.
 */
export const hear = async (events: readonly ReflexEvent[]): Promise<Heard[]> => events.map(heard);

const heard = (event: ReflexEvent): Heard => {
  if (event.kind !== 'task-state-change') return { notForUs: 'not-a-task' };
  const { task, at } = event;
  if (!isSpotInterruption(task)) return { notForUs: 'not-a-spot-interruption' };
  if (serviceNameOf(task) === null) return { notForUs: 'standalone-task' };
  return {
    signals: [
      {
        resource: task.arn,
        trigger: 'event',
        cause: `Fargate Spot interruption, task ${task.lastStatus} (version ${task.version})`,
        occurrence: `${task.arn} ${phaseOf(task)}`,
        at: task.stoppingAt ?? at,
        evidence: { ...task },
      },
    ],
  };
};

/** Events without attachments are real; one that brings the address is news. */
const phaseOf = ({ lastStatus, ipv4, ipv6 }: EcsTask): string => {
  if (GONE.includes(lastStatus)) return 'gone';
  if (lastStatus === 'STOPPING') return 'stopping';
  return ipv4.length + ipv6.length > 0 ? 'notice' : 'notice without address';
};
