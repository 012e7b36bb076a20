import { escalate, skip } from '../decision.ts';
import type { Brake } from './guard.ts';

/** How far back resources count as in trouble together. */
export const TOGETHER_MS = 10 * 60_000;

/**
 * Many resources sick at once have one cause elsewhere; acting on each would hide it and multiply the damage. What the
 * schedule finds to do is no emergency: it is done a few at a time.
 */
export const correlatedFailure: Brake = ({ troubled, scheduled, stormLimit, fn }) => {
  if (troubled <= stormLimit) return undefined;
  if (scheduled) {
    return skip(
      'enough-for-now',
      `${fn} changes at most ${stormLimit} resources in ten minutes; the schedule comes back.`,
    );
  }
  return escalate(
    'correlated-failure',
    `${troubled} resources need ${fn} within ten minutes, more than ${stormLimit}: the cause is likely elsewhere.`,
    'Look for the common cause. If the load is real, raise the stack parameter StormLimit.',
  );
};
