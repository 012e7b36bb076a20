import { skip } from '../decision.ts';
import type { LedgerView, Mode } from '../ledger/types.ts';
import { type Entrance, GuardError } from './guard.ts';

/** What is in force: `off` for all wins over everything; else the function's own mode, else the one for all, else the stack's. */
export const effectiveMode = (modes: LedgerView['modes'], stack: Mode): Mode =>
  modes.global === 'off' ? 'off' : (modes.fn ?? modes.global ?? stack);

export const mode: Entrance = ({ mode, fn }) => {
  if ('error' in mode) throw new GuardError('the ledger could not be read', { cause: mode.error });
  return mode.value === 'off'
    ? skip('mode-off', `${fn} is switched off; nothing is done until its mode is on or dry-run.`)
    : undefined;
};
