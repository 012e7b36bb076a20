import type { HistoryRecord } from '../../../shared/ledger/types.ts';
import type { Subject } from '../../../shared/swarm.ts';

/**
 * People hear once of each chapter of a fallback: that it began, that it goes back, that it is over or was let go of; not of
 * each step. What is found without a fallback is told once a day.
 */
export const subjectOf = ({ resource, incidentId, dryRun, decision, reason }: HistoryRecord): Subject | null => ({
  about: resource,
  key: [incidentId ?? '', dryRun ? 'dry-run' : decision, reason].join(' '),
});
