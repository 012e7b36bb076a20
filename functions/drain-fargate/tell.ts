import { clusterArnOf } from '../../shared/ecs-task.ts';
import type { HistoryRecord } from '../../shared/ledger/types.ts';
import type { Subject } from '../../shared/swarm.ts';
import type { TaskFacts } from './facts.ts';
import { findings } from './findings.ts';

/**
 * People look after services, not tasks: what was done and found is told once a day for each service, and again when a
 * finding is new. That an interruption ended as planned is not told; the ledger has it.
 */
export const subjectOf = (record: HistoryRecord): Subject | null => {
  if (record.decision === 'skip') return null;
  const facts = record.facts as unknown as TaskFacts | null;
  const codes = facts === null ? [] : findings(facts).map(({ code }) => code);
  const key = [record.dryRun ? 'dry-run' : record.decision, record.reason, ...codes].join(' ');
  // Without facts the task is all there is, and its cluster the smallest thing people know.
  return { about: facts?.service.arn || clusterArnOf(record.resource), key };
};
