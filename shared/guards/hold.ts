import { skip } from '../decision.ts';
import { asWord } from '../words.ts';
import type { Brake } from './guard.ts';

export const hold: Brake = ({ refusal, resource }) =>
  refusal?.reason === 'held'
    ? skip('held', `On hold: nothing is done until a person runs: npm run ops -- release ${asWord(resource)}`)
    : undefined;
