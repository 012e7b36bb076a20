import { escalate, skip } from '../decision.ts';
import { time } from '../words.ts';
import type { Brake } from './guard.ts';

/** An attempt has a price. Where only the reserve is left, what may wait is skipped; where nothing is, a person is told. */
export const budget: Brake = ({ refusal, act }) => {
  if (refusal?.reason !== 'budget-exhausted') return undefined;
  const spends = act.spends ?? [];
  const names = spends
    .map(({ budget, limit, windowMs }) => `${limit} ${budget} in ${Math.round(windowMs / 3_600_000)} h`)
    .join(', ');
  const kept = spends.reduce((most, { keep }) => Math.max(most, keep), 0);
  if (kept > 0) {
    return skip(
      'budget-exhausted',
      `Of ${names}, the last ${kept} are kept for more urgent acts, until ${time(refusal.until)}.`,
    );
  }
  return escalate(
    'budget-exhausted',
    `Used up: ${names}. The next attempt is possible at ${time(refusal.until)}. Wanted: ${act.why}`,
    'Act by another way if it cannot wait; the schedule looks again by itself.',
  );
};
