import type { Act, Call, Decision, Escalate, OutcomeAction, Skip } from './decision.ts';
import type { ReflexEvent } from './events/event.ts';
import type { Stop } from './guards/guard.ts';
import type { Json, JsonObject } from './json.ts';

/** What woke us about a resource. `event`: any other AWS event that reports trouble. */
export type Trigger = 'alarm' | 'event' | 'recovery' | 'follow-up' | 'tick';

/** One reason to look at one resource. */
export interface Signal {
  /** ARN. */
  readonly resource: string;
  readonly trigger: Trigger;
  /** What woke us, for a person. */
  readonly cause: string;
  /** Names the occurrence, not its delivery; the same one never acts twice. */
  readonly occurrence: string;
  /** The event's own time, epoch ms. */
  readonly at: number;
  /** What the event itself says of the resource and AWS may no longer say later; plain data, for `observe`. */
  readonly evidence?: Json;
  /** Another autoscaler that the event itself shows to own the resource, in words. */
  readonly managedBy?: string;
}

/** What a function makes of one event. */
export type Heard =
  | { readonly signals: readonly Signal[] }
  | { readonly notForUs: string }
  | { readonly error: unknown };

/** One resource to look at, whatever number of signals named it. */
export interface Watch {
  readonly resource: string;
  /** The weightiest trigger among the signals; `decide` gets the same, or facts that were read anew for a weaker one. */
  readonly trigger: Trigger;
  /** Some may turn out to have been acted on before. */
  readonly signals: readonly Signal[];
}

/** What every function's facts have in common. */
export interface CommonFacts {
  /** When the first fact was read, epoch ms. */
  readonly asOf: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** `decision`: there is nothing to decide on, and that is an answer (the resource is gone); `begun`: the answer where an incident is open. */
export type Observed<F> =
  | { readonly facts: F }
  | { readonly decision: Skip | Escalate; readonly begun?: Escalate }
  | { readonly error: unknown };

/** The ledger's part of the facts. */
export interface LedgerFacts {
  /** Times of the attempts of each budget inside its window. */
  readonly attempts: Readonly<Record<string, readonly number[]>>;
  readonly lastActAt: number | null;
  readonly incident: { readonly openedAt: number; readonly steps: number } | null;
  readonly remembered: JsonObject;
}

/** Facts as `decide` sees them. */
export type Situation<F> = F & { readonly trigger: Trigger; readonly ledger: LedgerFacts };

export interface Approved<C extends Call> {
  readonly resource: string;
  readonly act: Act<C>;
}

export interface Acted {
  /** The calls that were made, in order, with the error of the one that failed. */
  readonly actions: readonly OutcomeAction[];
  /** What a failed call means. */
  readonly problem?: Stop;
}

/** All that differs between one remediation function and another. Everything else is the pipeline's. */
export interface ReflexFunction<F extends CommonFacts, P, C extends Call> {
  /** Folder name. */
  readonly name: string;
  /** What an unreadable guard does to an act. `proceed` only where not acting is the worse harm, with a decision record. */
  readonly onGuardError: 'stop' | 'proceed';
  /**
   * How long an act keeps others away where its result was never recorded, ms; absent: the pipeline's LEASE_MS. Shorter than the
   * function's timeout only where its calls do no harm when made twice.
   */
  readonly leaseMs?: number;
  /** One answer an event, in order. Asks AWS only where an event does not name its resource itself. */
  hear(events: readonly ReflexEvent[]): Promise<readonly Heard[]>;
  /**
   * An event as small as can be that parses to the same, or null. Only for a function whose calls are merged over resources: a full batch is
   * put back as few messages, so that a later invocation has more of the storm together.
   */
  condense?(event: ReflexEvent): object | null;
  /** ARNs of every opted-in resource, for the schedule. */
  sweep(): Promise<readonly string[]>;
  /** Reads the facts of all resources together. */
  observe(watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<F>>>;
  /** Pure: puts what the ledger remembers where AWS does not say it any more, before opt-in and policy are read from the tags. */
  recall?(facts: F, remembered: JsonObject): F;
  /**
   * Pure: makes one memory of what another invocation has remembered since the facts were read and what this one would; for
   * memories that count. Must not depend on who was first. Absent: the last one's stands.
   */
  join?(resource: string, theirs: JsonObject, ours: JsonObject): JsonObject;
  /** @throws SettingError for a bad tag. */
  policy(tags: Readonly<Record<string, string>>): P;
  /** Pure and total. */
  decide(situation: Situation<F>, policy: P, now: number): Decision<C>;
  /**
   * In a dry run alone, where nothing presses: adds to the facts, in order, what a function that acts before it has read everything
   * reads at its next look, so that the plan is shown whole.
   */
  foresee?(facts: readonly F[]): Promise<readonly F[]>;
  /** Makes the calls of all approved acts; never throws for one of them. */
  act(approved: readonly Approved<C>[]): Promise<ReadonlyMap<string, Acted>>;
}
