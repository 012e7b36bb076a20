import type { Decision, Defer, Escalate, Skip } from '../decision.ts';
import type { Refusal } from '../ledger/state.ts';
import type { Mode } from '../ledger/types.ts';
import type { Reason } from '../reasons.ts';

/** A guard's reading: what was read, or that it could not be. */
export type Reading<T> = { readonly value: T } | { readonly error: unknown };

/** Everything guards look at; all of it is read before the first guard runs. Times are epoch ms. */
export interface GuardContext {
  readonly fn: string;
  readonly resource: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly mode: Mode;
  readonly now: number;
  /** When the first fact was read. */
  readonly factsAsOf: number;
  /** Another autoscaler that owns the resource, in words; null: none is known. */
  readonly managedBy: string | null;
  /** null: no change calendar is set. */
  readonly calendar: Reading<{ readonly open: boolean; readonly until: number | null }> | null;
  /** Distinct resources this function acted on, or would now, within the last minutes. */
  readonly troubled: number;
  readonly stormLimit: number;
  /** Why the ledger would refuse the act. */
  readonly refusal: Refusal | null;
  readonly decision: Decision;
}

export type Stop = Skip | Escalate | Defer;

/** Pure: stops what was decided, or lets it pass. */
export type Guard = (context: GuardContext) => Stop | undefined;

export const skip = (reason: Reason, why: string): Skip => ({ kind: 'skip', reason, why });
export const escalate = (reason: Reason, why: string, advice: string): Escalate => ({ kind: 'escalate', reason, why, advice });
export const defer = (reason: Reason, until: number, why: string): Defer => ({ kind: 'defer', reason, until, why });

export const time = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

/** What an unreadable guard says; the pipeline decides by the function's `onGuardError` whether it stops. */
export class GuardError extends Error {
  override readonly name = 'GuardError';
}
