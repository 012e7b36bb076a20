import type { Call, DecisionKind, OutcomeAction, Spend } from '../decision.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Reason } from '../reasons.ts';

export type Mode = 'off' | 'dry-run' | 'on';

/** A resource as one function sees it: the ledger's unit of exclusion. */
export interface ResourceKey {
  /** Function folder name, e.g. `reshard-kinesis`. */
  readonly fn: string;
  /** ARN. */
  readonly resource: string;
}

/** Exclusive right to act on a resource. Every write of the holder carries `fence`. All times are epoch ms. */
export interface Lease {
  readonly owner: string;
  readonly until: number;
  /** Grows by one with every lease ever granted on the resource. */
  readonly fence: number;
}

/** What was about to be done; visible until its result is recorded, so that a crash in between leaves a trace. */
export interface Intent {
  /** Key of the history record that will hold the result. */
  readonly recordId: string;
  readonly incidentId: string;
  readonly at: number;
  readonly reason: Reason;
  readonly why: string;
  readonly calls: readonly Call[];
  /** What the function wants to find again once the calls were made, or may have been. */
  readonly remember?: JsonObject;
  readonly owner: string;
  readonly fence: number;
}

/** Trouble that is being seen to; open until the facts say it is fixed, or a person is told. */
export interface Incident {
  readonly id: string;
  readonly openedAt: number;
  /** What woke us, for a person: alarm ARN, `tick`, task ARN... */
  readonly cause: string;
  /** Acts so far. */
  readonly steps: number;
  /** Verifications in a row that found the trouble persisting after an act. */
  readonly failedVerifications: number;
  /** Number of the follow-up that is expected next; any other is a duplicate or superseded. */
  readonly check: number;
  readonly nextCheckAt: number;
  readonly lastReason: Reason;
}

/** Which look at which incident this is. Each runs once: the incident expects exactly one. An `Incident` is its own present check. */
export type Check = Pick<Incident, 'id' | 'check'>;

export interface Hold {
  readonly reason: string;
  readonly since: number;
  /** `reflex`, or who asked for it. */
  readonly by: string;
}

/** Everything the ledger knows of one resource: one item, changed only by compare-and-swap on `version`. */
export interface ResourceState extends ResourceKey {
  /** 0: not yet stored. */
  readonly version: number;
  readonly fence: number;
  readonly lease?: Lease;
  /** Occurrence key -> when it was acted on or taken into an incident. Kept 15 days (SQS keeps a message at most 14), the newest 500. */
  readonly seen: Readonly<Record<string, number>>;
  /** Budget name -> times of the attempts inside its window. */
  readonly attempts: Readonly<Record<string, readonly number[]>>;
  readonly lastActAt?: number;
  readonly hold?: Hold;
  readonly intent?: Intent;
  readonly incident?: Incident;
  /** Function-specific memory, from `Decision.remember`. */
  readonly remembered?: JsonObject;
  /** Notification key -> when it was last sent (a repeated finding is told once a day). */
  readonly notified: Readonly<Record<string, number>>;
}

/** One read for all ledger-backed guards. */
export interface LedgerView {
  readonly modes: { readonly global?: Mode; readonly fn?: Mode };
  readonly states: ReadonlyMap<string, ResourceState>;
  /** Resource -> when this function last acted on it; for the correlated-failure guard. */
  readonly pulse: ReadonlyMap<string, number>;
}

/** What `take` needs to grant a lease and record the intent in the same write. */
export interface TakeRequest {
  readonly owner: string;
  readonly leaseMs: number;
  /** Refused when all of them were seen before. Empty where `check` names what woke us. */
  readonly occurrences: readonly string[];
  /** Set by follow-ups and sweeps: the look at the open incident that decided on this act. */
  readonly check?: Check;
  readonly spends: readonly Spend[];
  readonly coolDownMs: number;
  /** When the first fact was read; facts from before somebody else's act are not acted on. */
  readonly factsAsOf: number;
  /** Opens this incident where none is open. */
  readonly incident: { readonly id: string; readonly cause: string };
  readonly intent: Pick<Intent, 'recordId' | 'reason' | 'why' | 'calls' | 'remember'>;
}

/** How an act ended, for its incident. */
export interface Settlement {
  readonly reason: Reason;
  /** When the follow-up is due. */
  readonly nextCheckAt: number;
  /** Verifications in a row that found the trouble persisting, this one included. */
  readonly failedVerifications: number;
}

/** A decision to look again later. */
export interface Deferral {
  readonly occurrences: readonly string[];
  /** Opens this incident where none is open. */
  readonly incident: { readonly id: string; readonly cause: string };
  readonly reason: Reason;
  readonly until: number;
  /** True where the check looks that the incident expects. */
  readonly checked?: boolean;
}

/** Operating mode of one function, or of all (`*`), and who set it. */
export interface ModeSetting {
  readonly scope: string;
  readonly mode: Mode;
  readonly by: string;
  readonly at: number;
}

/**
 * Why a transition does not happen. `until`: when the same request could be granted (epoch ms).
 * `superseded`: the incident has moved on. `intent-unresolved`: a crashed predecessor's intent must be abandoned first.
 */
export type Refusal =
  | { readonly reason: 'held' | 'duplicate' | 'superseded' | 'intent-unresolved' }
  | { readonly reason: 'lease-held' | 'cool-down' | 'budget-exhausted'; readonly until: number };

/** One line of a resource's history: the answer to "why did it do that at 03:12?". */
export interface HistoryRecord extends ResourceKey {
  /** Sorts by time: `<ISO time>#<suffix>`. */
  readonly recordId: string;
  readonly at: number;
  readonly incidentId: string | null;
  readonly trigger: string;
  readonly cause: string;
  readonly decision: DecisionKind;
  readonly reason: Reason;
  readonly why: string;
  readonly advice?: string;
  /** Present where the resource is on hold from then on. */
  readonly held?: boolean;
  readonly mode: Mode;
  readonly dryRun: boolean;
  readonly actions: readonly OutcomeAction[];
  readonly facts: Json;
  readonly traceId?: string;
  /** Present where an intent's result is not known: the invocation ended in between. */
  readonly unresolved?: boolean;
}
