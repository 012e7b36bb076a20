import { createHash } from 'node:crypto';
import {
  type Case,
  causeOf,
  historyOf,
  holds,
  incidentIdOf,
  isOutdated,
  isOvertaken,
  occurrencesOf,
  triggerOf,
} from './case.ts';
import type { Trigger } from './function.ts';
import * as states from './ledger/state.ts';
import type { ResourceState } from './ledger/types.ts';
import type { FollowUp } from './listen.ts';
import type { Reason } from './reasons.ts';
import type { Runtime } from './runtime.ts';

// An import of node:util evaluates all that it exports, worker_threads among them.
const { isDeepStrictEqual } = process.getBuiltinModule('node:util');

/**
 * What follows a decision: the history record, the ledger's state in one write, the notification, the follow-up. In this order: no
 * intent disappears before its result is stored, and what is lost after that (a notification, a follow-up) changes no state. The
 * follow-ups are given back: the pipeline sends those of a batch together.
 * Only what takes a person is told before the state, which forgets the incident: twice rather than never.
 */

/** A repeated finding is told once in this time. */
const TELL_AGAIN_MS = 24 * 3_600_000;
/** Somebody else is at work on the resource, or was: record and state are theirs. */
const THEIRS: readonly Reason[] = ['duplicate', 'superseded', 'lease-held', 'intent-unresolved'];
/** Most acts are over by then; one that is not sends the messages round once more. */
const COME_AGAIN_SECONDS = 5;
/** Not the resource's trouble but a state a person may want to know of. */
const WORTH_TELLING: readonly Reason[] = ['frozen', 'held'];

/** record -> tell; gives the follow-up to send. Never throws: `c.error` is set where the messages must come again. */
export const record = async (runtime: Runtime, c: Case, join?: states.Join): Promise<FollowUp | null> => {
  const { ledger, log } = runtime;
  const now = runtime.clock();
  if (c.error !== undefined) {
    await recordUnhandled(runtime, c, now);
    return null;
  }
  if (c.act === undefined && THEIRS.includes(c.decision.reason)) {
    await comeAgain(runtime, c, now);
    return checkAgain(c, now);
  }
  if (waits(c)) c.incidentId = incidentIdOf(c);
  const entry = historyOf(c, now);
  const key = tellKey(c, now);
  const toPerson = key !== null && c.decision.kind === 'escalate';
  let after: Advanced;
  try {
    if (isOurs(c) && !isRoutine(c)) await ledger.record(entry);
    if (toPerson) await runtime.notify(entry, null);
    after = await advance(runtime, c, key, now, join);
  } catch (error) {
    log.error('not recorded', error, { resource: c.resource, recordId: c.recordId });
    if (c.act === undefined) {
      c.error = error;
      return null;
    }
    // The intent stands in the ledger; when its lease is over, the sweep goes on from there.
    after = { superseded: false, joined: false, followUp: null, nextCheckAt: c.lease?.until ?? null };
  }
  const { superseded, joined, followUp, nextCheckAt } = after;
  const tells = key !== null && !toPerson && (c.act !== undefined || !superseded);
  await Promise.all([
    tells && runtime.notify(entry, nextCheckAt),
    (joined || superseded) && c.act === undefined && comeAgain(runtime, c, now),
  ]);
  return followUp;
};

/**
 * News came while somebody else was at work on the resource. Whoever looks next reads the facts, but not what the event alone
 * knew: the messages of a signal with evidence come again. Where nobody may look next, all that reported trouble come again: the other
 * has ended the incident, took up a crashed one's intent, or took the check that the news was to be decided with, on facts from before it.
 */
const comeAgain = async ({ enqueue }: Runtime, c: Case, now: number): Promise<void> => {
  const { decision, state, check } = c;
  const unattended =
    decision.reason === 'superseded'
      ? state.intent !== undefined || check !== undefined || (isOvertaken(c) && state.incident === undefined)
      : waits(c) && state.incident === undefined;
  const news = c.heeded.filter(
    ({ signal }) =>
      (signal.evidence !== undefined || (unattended && reportsTrouble(signal))) &&
      !states.wasSeen(state, signal.occurrence, now),
  );
  if (decision.reason === 'duplicate' || news.length === 0) return;
  const bodies = new Set(news.map(({ message }) => message.raw));
  try {
    const failures = await enqueue([...bodies].map((body) => ({ body, delaySeconds: COME_AGAIN_SECONDS })));
    if (failures.length > 0) throw new Error(`not put into the inbox: ${failures[0]?.message}`);
  } catch (error) {
    c.error = error;
  }
};

/** The awaited check came with an event that brought nothing new, and was decided with it: it looks again by itself. */
const checkAgain = ({ resource, check, decision }: Case, now: number): FollowUp | null =>
  check !== undefined && decision.reason === 'duplicate'
    ? { resource, incidentId: check.id, check: check.check, notBefore: now + COME_AGAIN_SECONDS * 1_000 }
    : null;

/** The messages come again. Where there is no ledger to remember what was told, an escalation is told at the first delivery. */
const recordUnhandled = async (runtime: Runtime, c: Case, now: number): Promise<void> => {
  const { ledger, log, notify } = runtime;
  const { kind, reason } = c.decision;
  const entry = historyOf(c, now);
  let tells = kind === 'escalate' && c.messages.some(({ receiveCount }) => (receiveCount ?? 1) <= 1);
  if ('value' in c.ledgerView) {
    try {
      if (isOurs(c)) await ledger.record(entry);
      tells = false;
      if (kind === 'escalate' && !toldLately(c, reason, now)) {
        await notify(entry, null);
        await ledger.update(c.state, c.state, (state) => ({ state: states.noteNotified(state, reason, now) }));
      }
    } catch (error) {
      log.error('not recorded', error, { resource: c.resource, recordId: c.recordId });
    }
  }
  if (tells) await notify(entry, null);
};

interface Advanced {
  /** Others have changed the incident since the facts were read; their state stands. */
  readonly superseded: boolean;
  /** Others remembered something meanwhile that this decision did not know of. */
  readonly joined: boolean;
  readonly followUp: FollowUp | null;
  readonly nextCheckAt: number | null;
}

/** Moves the ledger's state on, in one write. */
const advance = async (
  { ledger, followUpMs }: Runtime,
  c: Case,
  key: string | null,
  now: number,
  join: states.Join | undefined,
): Promise<Advanced> => {
  // A follow-up that says a fraction of a millisecond would be unreadable.
  const nextCheckAt = Math.ceil(
    c.decision.kind === 'defer'
      ? c.decision.until
      : Math.max(now, c.act?.followUpAt ?? now + (c.act?.followUpMs ?? followUpMs)),
  );
  const memory = memoryOf(c);
  const names = c.decision.kind === 'escalate' || c.decision.finding !== undefined;
  const told = key === ALWAYS && names ? findingOf(c) : key;
  let superseded = false;
  let joined = false;
  let pending = false;
  const { state } = await ledger.update(c.state, c.state, (before) => {
    const after = moved(c, before, nextCheckAt, now);
    superseded = after === null;
    pending = after?.incident?.check === before.incident?.check;
    if (after === null) return { state: before };
    const theirs = isDeepStrictEqual(before.remembered, c.known) ? undefined : before.remembered;
    const one = theirs && memory && join?.(theirs, memory);
    joined = one !== undefined;
    const ours = one ?? memory;
    let state = ours === undefined ? after : states.remember(after, ours);
    if (holds(c)) state = states.hold(state, { reason: c.decision.why, by: 'reflex' }, now);
    if (told !== null && told !== ALWAYS) state = states.noteNotified(state, told, now);
    return { state };
  });
  c.state = state;
  const { incident } = state;
  if (superseded || incident === undefined || !staysOpen(c)) {
    return { superseded, joined, followUp: null, nextCheckAt: null };
  }
  const { id, check, nextCheckAt: notBefore } = incident;
  const followUp = pending ? null : { resource: state.resource, incidentId: id, check, notBefore };
  return { superseded, joined, followUp, nextCheckAt: notBefore };
};

/** The state after this case: settled, awaiting its next check, or without its incident; null where others were faster. */
const moved = (c: Case, before: ResourceState, nextCheckAt: number, now: number): ResourceState | null => {
  const { lease, failedVerifications } = c;
  const { reason } = c.decision;
  let state = before;
  if (lease !== undefined) {
    const settled = states.settle(before, lease, { reason, nextCheckAt, failedVerifications });
    if ('refusal' in settled) return null;
    state = settled.state;
  } else if (isOutdated(c, before) || (c.state.incident !== undefined && !states.expects(before, c.state.incident))) {
    return null;
  } else if (staysOpen(c)) {
    const incident = { id: incidentIdOf(c), cause: causeOf(c) };
    const checked = c.check !== undefined;
    const deferral = { occurrences: occurrencesOf(c), incident, reason, until: nextCheckAt, checked };
    state = states.awaitCheck(before, deferral, now);
  }
  const ending = lease === undefined ? c.state.incident : state.incident;
  if (!endsIncident(c) || ending === undefined) return state;
  const closed = states.closeIncident(state, ending, now);
  return 'refusal' in closed ? null : closed.state;
};

/** What the function wants to find again: of an act only where the calls were made, or may have been. */
const memoryOf = ({ act, decision, dryRun }: Case) => {
  if (act !== undefined && (decision.kind === 'act' || decision.reason === 'act-unknown')) return act.remember;
  if (dryRun) return decision.kind === 'act' ? decision.otherwise : undefined;
  return decision.remember ?? act?.otherwise;
};

/** The calls were made and AWS took them: what comes next is to verify. */
const goesOn = ({ act, decision }: Case): boolean => act !== undefined && decision.kind === 'act';

/** It is looked at again, because an incident is open or trouble was reported. A dry run opens none. */
const waits = (c: Case): boolean => {
  if (c.decision.kind !== 'defer') return false;
  return c.state.incident !== undefined || (c.mode === 'on' && reportsTrouble({ trigger: triggerOf(c) }));
};

const reportsTrouble = ({ trigger }: { readonly trigger: Trigger }): boolean => ['alarm', 'event'].includes(trigger);

const staysOpen = (c: Case): boolean => goesOn(c) || waits(c);

/** What is too much for one turn of the schedule stays overdue, and is found again by a later one. */
const endsIncident = (c: Case): boolean => !staysOpen(c) && c.decision.reason !== 'enough-for-now';

/** Only what carries the opt-in tag, or once was seen to, leaves a history and makes noise; and what whoever looked takes to a person. */
const isOurs = ({ state, observed, decision }: Case): boolean =>
  state.version > 0 ||
  ('facts' in observed && decision.reason !== 'not-opted-in') ||
  ('decision' in observed && observed.decision.kind === 'escalate');

/** The schedule found what it finds every time. */
const isRoutine = (c: Case): boolean =>
  c.act === undefined &&
  c.decision.kind === 'skip' &&
  c.decision.finding === undefined &&
  triggerOf(c) === 'tick' &&
  c.state.incident === undefined;

const ALWAYS = '';

/** Under which key this is told, so that a repeated finding is told once a day; null: it is not told. */
const tellKey = (c: Case, now: number): string | null => {
  if (!isOurs(c) || isRoutine(c)) return null;
  const { act, decision, state } = c;
  const changed = c.actions.some(({ error }) => error === undefined) || decision.reason === 'act-unknown';
  const stepsBefore = (state.incident?.steps ?? 0) - (c.lease === undefined ? 0 : 1);
  const ends = endsIncident(c) && stepsBefore > 0;
  if ((act !== undefined && changed) || ends || holds(c)) return ALWAYS;
  const key = repeatable(c);
  return key === null || toldLately(c, key, now) ? null : key;
};

const toldLately = ({ state }: Case, key: string, now: number): boolean =>
  now - (state.notified[key] ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS;

const repeatable = (c: Case): string | null => {
  const { act, decision } = c;
  if (c.dryRun)
    return ['dry-run', decision.reason, ...(triggerOf(c) === 'tick' ? [] : [digest(occurrencesOf(c))])].join(' ');
  const tells =
    act !== undefined ||
    decision.kind === 'escalate' ||
    decision.finding !== undefined ||
    (decision.kind === 'defer' && decision.lasting === true) ||
    WORTH_TELLING.includes(decision.reason);
  return tells ? findingOf(c) : null;
};

const findingOf = ({ decision }: Case): string => decision.finding ?? decision.reason;

/** A storm brings hundreds of occurrences, and the ledger's item holds 400 KB. */
const digest = (occurrences: readonly string[]): string =>
  createHash('sha256').update(occurrences.join('\n')).digest('base64url');
