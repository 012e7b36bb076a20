import type { JsonObject } from '../../shared/json.ts';
import type { HistoryRecord } from '../../shared/ledger/types.ts';
import type { Reason } from '../../shared/reasons.ts';
import type { Subject } from '../../shared/swarm.ts';

/** What goes on as it should; it is in the history. */
const ROUTINE: readonly Reason[] = [
  'take-snapshot',
  'ship-snapshot',
  'logs-proven',
  'rescue-retry',
  // The look after it tells, with the runbook.
  'rescue-failed',
  'snapshot-pending',
  'shipping-logs',
  'rescue-backoff',
  'volume-detaching',
  'volume-gone',
];

/**
 * Of which subject a record tells. Volumes die by the hundred: that logs were rescued is told once a day for all of them, what
 * needs a person for each.
 */
export const subjectOf = (record: HistoryRecord): Subject | null => {
  const { resource, reason, actions, decision, dryRun } = record;
  const failed = [...new Set(actions.filter(({ error }) => error !== undefined).map(({ call }) => call))].sort();
  const key = `${dryRun ? 'dry-run' : decision} ${reason}`;
  // Whoever asked for one more attempt hears how it ended.
  if (decision === 'escalate' && reason === 'rescue-failed')
    return { about: resource, key: `${key} ${attemptsIn(record)}` };
  if (decision === 'escalate' || reason === 'volume-reused') return { about: resource, key };
  const all = resource.replace(/[^/]+$/, '*');
  if (failed.length > 0) return { about: all, key: `${key}, failed: ${failed.join(' ')}` };
  return ROUTINE.includes(reason) && !dryRun ? null : { about: all, key };
};

const attemptsIn = ({ facts }: HistoryRecord): number => {
  const { attempts } = ((facts as JsonObject | null)?.item ?? {}) as JsonObject;
  return Number(attempts);
};
