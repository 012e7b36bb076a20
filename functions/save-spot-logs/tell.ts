import type { JsonObject } from '../../shared/json.ts';
import type { HistoryRecord } from '../../shared/ledger/types.ts';
import { NOT_MADE } from '../../shared/patience.ts';
import type { Reason } from '../../shared/reasons.ts';
import type { Subject } from '../../shared/swarm.ts';

/** What goes on as it should; it is in the history. */
const ROUTINE: readonly Reason[] = [
  'drain-host',
  'hold-hook',
  'release-hook',
  'host-left',
  'host-leaving',
  'logs-armed',
];

/**
 * Of which subject a record tells: the Auto Scaling group, where the instance has one, because a pool goes all at once. A
 * call that failed is news of its own; a volume that could not be kept is told for itself.
 */
export const subjectOf = (record: HistoryRecord): Subject | null => {
  const { resource, reason, facts, actions } = record;
  const wrong = actions.filter(({ error }) => error !== undefined && !error.includes(NOT_MADE));
  const failed = [...new Set(wrong.map(({ call }) => call))];
  if (ROUTINE.includes(reason) && failed.length === 0) return null;
  const what = `${record.dryRun ? 'dry-run' : record.decision} ${reason}`;
  const key = failed.length === 0 ? what : `${what}, failed: ${failed.sort().join(' ')}`;
  if (record.decision === 'escalate' && reason !== 'logs-unrecoverable') return { about: resource, key };
  const tags = ((facts as JsonObject | null)?.tags ?? {}) as JsonObject;
  const group = tags['aws:autoscaling:groupName'];
  const [arn, partition, , region, account] = resource.split(':');
  const about =
    typeof group === 'string'
      ? `${arn}:${partition}:autoscaling:${region}:${account}:autoScalingGroup:*:autoScalingGroupName/${group}`
      : resource;
  return { about, key };
};
