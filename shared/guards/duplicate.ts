import { skip } from '../decision.ts';
import type { Brake } from './guard.ts';

/** The occurrence counts, not the delivery: a re-emitted event has a new id. */
export const duplicate: Brake = ({ refusal }) => {
  if (refusal?.reason === 'duplicate') return skip('duplicate', 'This occurrence was already acted on.');
  if (refusal?.reason === 'superseded')
    return skip('superseded', 'Another invocation has acted, or looked again, since the facts were read.');
  return undefined;
};
