import { defer } from '../decision.ts';
import { time } from '../words.ts';
import type { Brake } from './guard.ts';

export const coolDown: Brake = ({ refusal }) =>
  refusal?.reason === 'cool-down'
    ? defer('cool-down', refusal.until, `The last act is too recent; looked at again at ${time(refusal.until)}.`)
    : undefined;
