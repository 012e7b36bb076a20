import type { HistoryRecord } from '../../../shared/ledger/types.ts';
import type { Reason } from '../../../shared/reasons.ts';
import type { Subject } from '../../../shared/swarm.ts';
import { QUIET } from './memory.ts';

/** What goes on as it should, or is tried again by itself. */
const ROUTINE: readonly Reason[] = ['return-to-spot', 'rate-limited', 'act-unknown'];
const STORM: readonly Reason[] = ['pool-depleted', 'mass-interruption', 'no-on-demand-base', 'fallback-limit'];

/**
 * EC2 takes capacity back from many groups at once: people are told of one storm once, by the first group that is helped. A
 * group that needs a person is told of by itself, and so is one whose call failed. That a storm is over is in the history.
 */
export const subjectOf = (record: HistoryRecord): Subject | null => {
  const { resource, decision, reason, actions, dryRun } = record;
  const failed = actions.some(({ error }) => error !== undefined);
  if (STORM.includes(reason) && !failed) {
    const [arn, partition, , region, account] = resource.split(':');
    const everyGroup = `${arn}:${partition}:autoscaling:${region}:${account}:spot-storm`;
    const about = decision === 'act' ? everyGroup : resource;
    return { about, key: dryRun ? 'storm, dry run' : 'storm', quietMs: QUIET };
  }
  const routine = ROUTINE.includes(reason) || (decision === 'skip' && reason !== 'fallback-released');
  return routine ? null : { about: resource, key: `group ${reason}`, quietMs: QUIET };
};
