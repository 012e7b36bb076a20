import type { HistoryRecord } from '../../shared/ledger/types.ts';
import type { Subject } from '../../shared/swarm.ts';
import type { TaskFacts } from './facts.ts';

/**
 * People know a worker by its task definition: what was done and found is told once a day for each, not for each of its
 * tasks. What was left alone, and that a resume went well, is not told; the ledger has it.
 */
export const subjectOf = (record: HistoryRecord): Subject | null => {
  if (record.decision === 'skip') return null;
  const facts = record.facts as unknown as TaskFacts | null;
  const about = facts?.task.taskDefinitionArn ?? record.resource.replace(/:task\/([^/]+)\/.*$/, ':cluster/$1');
  return { about, key: `${record.dryRun ? 'dry-run' : record.decision} ${record.reason}` };
};
