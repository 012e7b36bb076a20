import { type Brake, escalate } from './guard.ts';

/** How far back resources count as in trouble together. */
export const TOGETHER_MS = 10 * 60_000;

/** Many resources sick at once have one cause elsewhere; acting on each would hide it and multiply the damage. */
export const correlatedFailure: Brake = ({ troubled, stormLimit, fn }) =>
  troubled > stormLimit
    ? escalate(
        'correlated-failure',
        `${troubled} resources need ${fn} within ten minutes, more than ${stormLimit}: the cause is likely elsewhere.`,
        'Look for the common cause. If the load is real, raise the stack parameter StormLimit.',
      )
    : undefined;
