import { skip } from '../decision.ts';
import { time } from '../words.ts';
import type { Brake } from './guard.ts';

export const lease: Brake = ({ refusal }) => {
  if (refusal?.reason === 'lease-held') {
    return skip('lease-held', `Another invocation is acting on this resource, at most until ${time(refusal.until)}.`);
  }
  return refusal?.reason === 'intent-unresolved'
    ? skip('intent-unresolved', 'An earlier invocation ended before recording its result; the sweep sees to it.')
    : undefined;
};
