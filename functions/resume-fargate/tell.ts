import type { HistoryRecord } from '../../shared/ledger/types.ts';
import type { Subject } from '../../shared/swarm.ts';
import type { TaskFacts } from './facts.ts';

const HOUR = 3_600_000;

/**
 * People know a worker by its task definition: what was done is told once a day for each, not for each of its tasks. What a person has to
 * do by hand is told once an hour: a task that is lost in the afternoon is another than the morning's. What was left alone, and that a
 * resume went well, is not told; the ledger has it.
 */
export const subjectOf = (record: HistoryRecord): Subject | null => {
  if (record.decision === 'skip') return null;
  const facts = record.facts as unknown as TaskFacts | null;
  const about = facts?.task.taskDefinitionArn ?? record.resource.replace(/:task\/([^/]+)\/.*$/, ':cluster/$1');
  const key = `${record.dryRun ? 'dry-run' : record.decision} ${record.reason}`;
  return { about, key: record.decision === 'escalate' ? `${key} ${Math.floor(record.at / HOUR)}` : key };
};
