import type { Spend } from '../decision.ts';
import type { JsonObject } from '../json.ts';
import type {
  Check,
  Deferral,
  Incident,
  Intent,
  Lease,
  Refusal,
  ResourceKey,
  ResourceState,
  Settlement,
  TakeRequest,
} from './types.ts';

/**
 * The ledger as a pure state machine: every transition takes a state and the time and returns the next state or a refusal.
 * Nothing here reads a clock or a store; `ledger.ts` applies a transition by compare-and-swap. All times are epoch ms.
 *
 *   take ──> act ──> write the history record ──> settle          the normal course
 *        ╳ crash ──> write it as unresolved ──> abandonIntent     whoever comes next, once the lease has expired
 *
 * The record comes before `settle` and `abandonIntent`, so that no intent disappears before its result is stored.
 */

const dayMs = 86_400_000;

/** How long an occurrence is remembered, ms. SQS keeps a message at most 14 days, so an older one cannot come again. */
export const seenMs = 15 * dayMs;

/** Most occurrences remembered, beside those of one batch. A DynamoDB item holds 400 KB; an alarm's ARN with a timestamp takes up to 400 bytes. */
export const seenMax = 500;

/** A check that comes this little before its time looks all the same, ms. */
export const earlyMs = 1_000;

/** How long a sent notification is remembered, ms. */
export const notifiedMs = 2 * dayMs;

/** Most notifications remembered: in a dry run each occurrence is told, and an alarm may flap for days. */
export const notifiedMax = 500;

/** Makes one memory of what is stored and of what would be. */
export type Join = (theirs: JsonObject, ours: JsonObject) => JsonObject;

export type Changed = { readonly state: ResourceState };
export type Refused<R = Refusal> = { readonly refusal: R };

/** The part of a request that `refusal` judges: what a guard knows before there is an intent. */
export type Question = Pick<TakeRequest, 'occurrences' | 'check' | 'spends' | 'coolDownMs' | 'factsAsOf'>;

type Attempts = ResourceState['attempts'];

/** The state of a resource the ledger has never seen. */
export function fresh({ fn, resource }: ResourceKey): ResourceState {
  return { fn, resource, version: 0, fence: 0, seen: {}, attempts: {}, notified: {} };
}

/**
 * Why an act would be refused now, or null. Checks, in this order: hold, the check (`superseded`), the occurrences (`duplicate`), the age of
 * the facts (`superseded` where somebody acted since they were read), cool-down, budgets, lease.
 * A guard asks before; `take` enforces the same atomically.
 */
export function refusal(state: ResourceState, request: Question, now: number): Refusal | null {
  const judged = judge(state, request, now);
  return 'refusal' in judged ? judged.refusal : null;
}

/**
 * Grants the lease and, in the same state, charges the budgets, marks the occurrences, writes the intent and opens the incident
 * where none is open. Until the act is settled the incident's next check is the end of the lease: the sweep finds a crashed holder there.
 * The holder may act only while `now < lease.until`.
 */
export function take(
  state: ResourceState,
  request: TakeRequest,
  now: number,
): (Changed & { readonly lease: Lease }) | Refused {
  const judged = judge(state, request, now);
  if ('refusal' in judged) return judged;
  const lease: Lease = { owner: request.owner, until: now + request.leaseMs, fence: state.fence + 1 };
  const incident = state.incident ?? opened(request.incident, request.intent.reason, now);
  return {
    lease,
    state: {
      ...state,
      fence: lease.fence,
      lease,
      seen: markSeen(state.seen, request.occurrences, now),
      attempts: judged.attempts,
      lastActAt: now,
      intent: { ...request.intent, incidentId: incident.id, at: now, owner: lease.owner, fence: lease.fence },
      incident: { ...incident, steps: incident.steps + 1, nextCheckAt: lease.until, lastReason: request.intent.reason },
    },
  };
}

/**
 * Ends the act of the holder, who has written its history record: lease and intent go, the incident expects its next check.
 * Only the holder may: another owner or fence, or a lease that was abandoned, is `lease-lost`. An expired lease nobody else took still counts.
 */
export function settle(
  state: ResourceState,
  lease: Lease,
  settlement: Settlement,
): Changed | Refused<{ readonly reason: 'lease-lost' }> {
  const { lease: held, intent, incident, ...rest } = state;
  if (held?.owner !== lease.owner || held.fence !== lease.fence || incident === undefined) {
    return { refusal: { reason: 'lease-lost' } };
  }
  return {
    state: {
      ...rest,
      incident: {
        ...awaiting(incident, settlement.reason, settlement.nextCheckAt),
        failedVerifications: settlement.failedVerifications,
      },
    },
  };
}

/** The intent of a crashed predecessor, whose lease has expired, or null. */
export function orphanOf({ lease, intent }: ResourceState, now: number): Intent | null {
  return intent === undefined || isLive(lease, now) ? null : intent;
}

/**
 * Removes this orphan, whose record the caller has written. Its calls may have been made, so what it wanted remembered is, joined with what
 * others have remembered since where there is a way to. The incident stays open and expects a new check at once; the caller's event serves
 * as that check. `superseded` where the orphan is gone or another took its place.
 */
export function abandonIntent(
  state: ResourceState,
  orphan: Intent,
  now: number,
  join?: Join,
): Changed | Refused<{ readonly reason: 'superseded' }> {
  const { lease, intent, incident, ...rest } = state;
  if (orphanOf(state, now)?.recordId !== orphan.recordId || incident === undefined) {
    return { refusal: { reason: 'superseded' } };
  }
  const expecting = { ...rest, incident: awaiting(incident, 'intent-unresolved', now) };
  const { remember: ours } = orphan;
  const { remembered: theirs } = state;
  if (ours === undefined) return { state: expecting };
  return { state: remember(expecting, join === undefined || theirs === undefined ? ours : join(theirs, ours)) };
}

/**
 * Looks again later: opens the incident where none is open, marks the occurrences, and expects the next check at `until`. A check that is
 * to come by then anyway stands; the one that looks now does not, nor one that may be looking already, on facts from before this.
 */
export function awaitCheck(state: ResourceState, deferral: Deferral, now: number): ResourceState {
  const { reason, until, checked } = deferral;
  const incident = state.incident ?? opened(deferral.incident, reason, now);
  const comes = !checked && incident.nextCheckAt - earlyMs > now && incident.nextCheckAt <= until;
  return {
    ...state,
    seen: markSeen(state.seen, deferral.occurrences, now),
    incident: comes ? { ...incident, lastReason: reason } : awaiting(incident, reason, until),
  };
}

/**
 * Closes the incident the caller has seen. Refused with `superseded` where it has moved on since (the caller's facts are older than
 * somebody's act), with `lease-held` or `intent-unresolved` while an act is under way.
 */
export function closeIncident(state: ResourceState, check: Check, now: number): Changed | Refused {
  if (!expects(state, check)) return { refusal: { reason: 'superseded' } };
  const refused = unfinished(state, now);
  if (refused !== null) return { refusal: refused };
  const { incident, ...rest } = state;
  return { state: rest };
}

/** Stops every act on the resource until `release`. The first hold stands. An act that holds the lease already may still end. */
export function hold(
  state: ResourceState,
  { reason, by }: { readonly reason: string; readonly by: string },
  now: number,
): ResourceState {
  return state.hold === undefined ? { ...state, hold: { reason, by, since: now } } : state;
}

/** Lifts the hold, and lets an open incident start its count of failed verifications afresh. */
export function release(state: ResourceState): ResourceState {
  const { hold: lifted, incident, ...rest } = state;
  if (lifted === undefined) return state;
  return incident === undefined ? rest : { ...rest, incident: { ...incident, failedVerifications: 0 } };
}

/** Replaces what the function remembers of the resource. */
export function remember(state: ResourceState, memory: JsonObject): ResourceState {
  return { ...state, remembered: memory };
}

/** Notes that the notification `key` was sent now. */
export function noteNotified(state: ResourceState, key: string, now: number): ResourceState {
  return { ...state, notified: noted(state.notified, [key], now, { ms: notifiedMs, max: notifiedMax }) };
}

function judge(
  state: ResourceState,
  { occurrences, check, spends, coolDownMs, factsAsOf }: Question,
  now: number,
): { readonly attempts: Attempts } | Refused {
  if (state.hold !== undefined) return { refusal: { reason: 'held' } };
  if (check !== undefined && !expects(state, check)) return { refusal: { reason: 'superseded' } };
  if (occurrences.length > 0 && occurrences.every((key) => wasSeen(state, key, now))) {
    return { refusal: { reason: 'duplicate' } };
  }
  const lastActAt = state.lastActAt ?? Number.NEGATIVE_INFINITY;
  if (lastActAt >= factsAsOf) return { refusal: { reason: 'superseded' } };
  const coolAt = lastActAt + coolDownMs;
  if (now < coolAt) return { refusal: { reason: 'cool-down', until: coolAt } };
  const charged = charge(state.attempts, spends, now);
  if ('until' in charged) return { refusal: { reason: 'budget-exhausted', until: charged.until } };
  const refused = unfinished(state, now);
  return refused === null ? charged : { refusal: refused };
}

function isLive(lease: Lease | undefined, now: number): lease is Lease {
  return lease !== undefined && now < lease.until;
}

function unfinished({ lease, intent }: ResourceState, now: number): Refusal | null {
  if (isLive(lease, now)) return { reason: 'lease-held', until: lease.until };
  return intent === undefined ? null : { reason: 'intent-unresolved' };
}

/** Whether this is the look at the incident that is due next. */
export function expects({ incident }: ResourceState, check: Check): boolean {
  return incident?.id === check.id && incident.check === check.check;
}

/** Whether the occurrence was acted on or taken into an incident before. */
export function wasSeen({ seen }: ResourceState, key: string, now: number): boolean {
  const at = Object.hasOwn(seen, key) ? seen[key] : undefined;
  return at !== undefined && now - at <= seenMs;
}

function markSeen(seen: ResourceState['seen'], occurrences: readonly string[], now: number): ResourceState['seen'] {
  return noted(seen, occurrences, now, { ms: seenMs, max: seenMax });
}

/** The keys with the time now, and of the others the newest that are no older than `ms`; beside these keys at most `max` in all. */
function noted(
  times: Readonly<Record<string, number>>,
  keys: readonly string[],
  now: number,
  { ms, max }: { readonly ms: number; readonly max: number },
): Readonly<Record<string, number>> {
  const kept = Object.entries(times).filter(([key, at]) => now - at <= ms && !keys.includes(key));
  const newest = kept.sort(([, a], [, b]) => b - a).slice(0, Math.max(0, max - keys.length));
  return Object.fromEntries([...newest, ...keys.map((key) => [key, now] as const)]);
}

/** The attempts with one more for each spend, or when the first exhausted budget has one to give. */
function charge(
  attempts: Attempts,
  spends: readonly Spend[],
  now: number,
): { readonly attempts: Attempts } | { readonly until: number } {
  let charged = attempts;
  for (const { budget, limit, windowMs, keep } of spends) {
    const used = (charged[budget] ?? []).filter((at) => now < at + windowMs);
    const allowed = limit - keep;
    if (used.length >= allowed) return { until: (used[used.length - allowed] ?? now) + windowMs };
    charged = { ...charged, [budget]: [...used, now] };
  }
  return { attempts: charged };
}

function opened({ id, cause }: TakeRequest['incident'], reason: Incident['lastReason'], now: number): Incident {
  return { id, cause, openedAt: now, steps: 0, failedVerifications: 0, check: 0, nextCheckAt: now, lastReason: reason };
}

function awaiting(incident: Incident, reason: Incident['lastReason'], at: number): Incident {
  return { ...incident, check: incident.check + 1, nextCheckAt: at, lastReason: reason };
}
