import { budget } from './budget.ts';
import { coolDown } from './cool-down.ts';
import { correlatedFailure } from './correlated-failure.ts';
import { duplicate } from './duplicate.ts';
import { freeze } from './freeze.ts';
import type { Brake, BrakeContext, Entrance, EntranceContext, Guard, Stop } from './guard.ts';
import { hold } from './hold.ts';
import { lease } from './lease.ts';
import { mode } from './mode.ts';
import { nativeAutoscaler } from './native-autoscaler.ts';
import { optIn } from './opt-in.ts';
import { staleFacts } from './stale-facts.ts';

/** May Reflex look at this resource at all? Asked before anything is decided. */
const entrance: readonly Entrance[] = [optIn, mode];

/** May this act happen now? Asked before every act, in this order. */
const brakes: readonly Brake[] = [
  freeze,
  staleFacts,
  nativeAutoscaler,
  correlatedFailure,
  hold,
  duplicate,
  coolDown,
  budget,
  lease,
];

/** What the ledger alone can refuse; asked again when taking the lease lost a race. */
const ledgerBacked: readonly Brake[] = [hold, duplicate, coolDown, budget, lease];

const first = <C>(guards: readonly Guard<C>[], context: C): Stop | undefined => {
  for (const guard of guards) {
    const stop = guard(context);
    if (stop !== undefined) return stop;
  }
  return undefined;
};

/** @throws GuardError where a guard could not be read. */
export const admit = (context: EntranceContext): Stop | undefined => first(entrance, context);
/** @throws GuardError where a guard could not be read. */
export const restrain = (context: BrakeContext): Stop | undefined => first(brakes, context);
export const refused = (context: BrakeContext): Stop | undefined => first(ledgerBacked, context);
