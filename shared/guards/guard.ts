import type { Act, Defer, Escalate, Skip } from '../decision.ts';
import type { Mode, Refusal } from '../ledger/types.ts';

/** A guard's reading: what was read, or that it could not be. */
export type Reading<T> = { readonly value: T } | { readonly error: unknown };

/** What the guards at the entrance look at. */
export interface EntranceContext {
  readonly fn: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly mode: Reading<Mode>;
}

/** What the brakes look at; all of it is read before the first of them is asked. Times are epoch ms. */
export interface BrakeContext {
  readonly fn: string;
  readonly resource: string;
  readonly now: number;
  /** When the first fact was read. */
  readonly factsAsOf: number;
  /** Another autoscaler that owns the resource, in words; null: none is known. */
  readonly managedBy: string | null;
  /** null: no change calendar is set. */
  readonly calendar: Reading<{ readonly open: boolean; readonly until: number | null }> | null;
  /** Distinct resources this function acted on, or would now, within the last minutes. */
  readonly troubled: number;
  /** Only the schedule brought the resource up: nothing says that it is in trouble. */
  readonly scheduled: boolean;
  readonly stormLimit: number;
  /** Why the ledger would refuse the act. */
  readonly refusal: Refusal | null;
  readonly act: Act;
}

export type Stop = Skip | Escalate | Defer;

/** Pure: stops, or lets pass. */
export type Guard<Context> = (context: Context) => Stop | undefined;
export type Entrance = Guard<EntranceContext>;
export type Brake = Guard<BrakeContext>;

/** What an unreadable guard says; the pipeline decides by the function's `onGuardError` whether it stops. */
export class GuardError extends Error {
  override readonly name = 'GuardError';
}
