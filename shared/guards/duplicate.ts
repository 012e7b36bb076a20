import { type Brake, skip } from './guard.ts';

/** The occurrence counts, not the delivery: a re-emitted event has a new id. */
export const duplicate: Brake = ({ refusal }) => {
  if (refusal?.reason === 'duplicate') return skip('duplicate', 'This occurrence was already acted on.');
  if (refusal?.reason === 'superseded') return skip('superseded', 'A later check of this incident has run already.');
  return undefined;
};
