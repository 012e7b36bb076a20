import { defer } from '../decision.ts';
import type { Brake } from './guard.ts';

/** Facts older than this describe another moment: a retry or a slow read lies between. */
const FACTS_LIVE = 60_000;
const READ_AGAIN = 15_000;

export const staleFacts: Brake = ({ factsAsOf, now }) =>
  now - factsAsOf > FACTS_LIVE
    ? defer(
        'stale-facts',
        now + READ_AGAIN,
        `The facts are ${Math.round((now - factsAsOf) / 1_000)} s old; they are read again.`,
      )
    : undefined;
