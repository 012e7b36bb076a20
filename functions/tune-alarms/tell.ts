import type { HistoryRecord } from '../../shared/ledger/types.ts';
import type { Runtime } from '../../shared/runtime.ts';

/**
 * The runtime that tells people of alarms that are made or deleted, of dry runs, and of what needs them; not of every count that follows
 * a reshard, nor that all is well afterwards. The history has those.
 */
export const tellingWhatMatters = (runtime: Runtime): Runtime => ({
  ...runtime,
  notify: async (record, nextCheckAt) => {
    if (matters(record)) await runtime.notify(record, nextCheckAt);
  },
});

const matters = ({ decision, reason, dryRun }: HistoryRecord): boolean =>
  dryRun || decision === 'escalate' || (reason !== 'retune-alarms' && decision !== 'skip');
