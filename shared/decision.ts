import type { Json, JsonObject } from './json.ts';
import type { Reason } from './reasons.ts';

/**
 * One AWS call as plain data: `call` is the AWS operation's name, `params` its own parameters.
 * The same object is what dry run lists, what the ledger records and what `act.ts` executes.
 */
export interface Call<Name extends string = string, Params extends object = object> {
  readonly call: Name;
  readonly params: Params;
}

/** A budget an act spends from. Attempts are counted, taken before acting, never given back. */
export interface Spend {
  /** Name of the budget, usually the AWS operation it counts. */
  readonly budget: string;
  /** Attempts allowed per rolling window. */
  readonly limit: number;
  /** Length of the rolling window, ms. */
  readonly windowMs: number;
  /** Attempts this act must leave untouched for more urgent ones. */
  readonly keep: number;
}

interface Explained {
  /** Stable code from the catalogue in `shared/reasons.ts`. */
  readonly reason: Reason;
  /** One sentence a person can act on, with the numbers the decision rests on. */
  readonly why: string;
  /**
   * Function-specific facts to find again at the next decision on this resource (replaces what was remembered). Of an act they are in
   * the ledger, with its intent, before the first call, and stand unless AWS refused it.
   */
  readonly remember?: JsonObject;
  /** Names what was found, where the same reason may be news again: recorded, and told once a day for each. Absent: the reason. */
  readonly finding?: string;
}

/** Do these calls, in this order. */
export interface Act<C extends Call = Call> extends Explained {
  readonly kind: 'act';
  readonly calls: readonly C[];
  readonly spends?: readonly Spend[];
  /** The act needs at least this long since the last act on the same resource, ms. */
  readonly coolDownMs: number;
  /** What to remember where it is not made: in a dry run, where a guard stops it, or AWS refuses. Absent: nothing new. */
  readonly otherwise?: JsonObject;
  /** When to verify, ms after the calls; absent: the stack's FollowUpSeconds. */
  readonly followUpMs?: number;
  /** The same as a time, epoch ms, however long the calls take; wins over `followUpMs`. */
  readonly followUpAt?: number;
  /** True where the previous step was known not to be the last, or helped where it was made: acting again is then no failed verification. */
  readonly planned?: boolean;
}

/** Nothing to do; closes an open incident. */
export interface Skip extends Explained {
  readonly kind: 'skip';
}

/** A person must look; ends the incident, because somebody was told. */
export interface Escalate extends Explained {
  readonly kind: 'escalate';
  /** The exact command or change that a person would approve. */
  readonly advice?: string;
  /** The resource is not to be touched again until a person releases it. */
  readonly hold?: true;
}

/** Not now; look again at `until` (epoch ms). Keeps or opens the incident. */
export interface Defer extends Explained {
  readonly kind: 'defer';
  readonly until: number;
  /** True where the state may last for days and that is no failure: it is told once a day, and its length ends in no hold. */
  readonly lasting?: boolean;
}

/** Nothing to do, and why. */
export const skip = (reason: Reason, why: string, remember?: JsonObject): Skip => ({
  kind: 'skip',
  reason,
  why,
  ...(remember && { remember }),
});
/** A person must look; `advice`: what they would do or approve. */
export const escalate = (reason: Reason, why: string, advice: string, remember?: JsonObject): Escalate => ({
  kind: 'escalate',
  reason,
  why,
  advice,
  ...(remember && { remember }),
});
/** Not before `until`, epoch ms. */
export const defer = (reason: Reason, until: number, why: string, remember?: JsonObject): Defer => ({
  kind: 'defer',
  reason,
  until,
  why,
  ...(remember && { remember }),
});

/** The closed union every `decide.ts` returns. */
export type Decision<C extends Call = Call> = Act<C> | Skip | Escalate | Defer;
export type DecisionKind = Decision['kind'];

/** Only what a function returns from its handler; the pipeline builds it. */
export interface Outcome {
  /** ARN of the resource the event concerns. */
  readonly resource: string;
  readonly decision: DecisionKind;
  readonly reason: Reason;
  readonly why: string;
  readonly actions: readonly OutcomeAction[];
  readonly dryRun: boolean;
  readonly incidentId: string | null;
  readonly advice?: string;
}

export interface OutcomeAction {
  readonly call: string;
  readonly params: Json;
  /** Present where the call was made and failed: the AWS error's name and message. */
  readonly error?: string;
}
