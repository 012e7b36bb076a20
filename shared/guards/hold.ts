import { type Guard, skip } from './guard.ts';

export const hold: Guard = ({ refusal, resource }) =>
  refusal?.reason === 'held'
    ? skip('held', `On hold: nothing is done until a person runs npm run ops -- release ${resource}.`)
    : undefined;
