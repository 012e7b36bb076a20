import type { Context } from 'aws-lambda';
import { isAccessDenied } from './aws/client.ts';
import type { Act, Call, Decision, Outcome, OutcomeAction } from './decision.ts';
import { type Message, receive } from './events/envelope.ts';
import type { CommonFacts, Observed, ReflexFunction, Signal, Trigger } from './function.ts';
import { TOGETHER_MS } from './guards/correlated-failure.ts';
import { type BrakeContext, escalate, type Reading, type Stop, skip } from './guards/guard.ts';
import { admit, refused, restrain } from './guards/index.ts';
import { effectiveMode } from './guards/mode.ts';
import type { Json } from './json.ts';
import * as states from './ledger/state.ts';
import type { Check, HistoryRecord, Intent, Lease, LedgerView, Mode, ResourceState } from './ledger/types.ts';
import { type Heeded, type Listened, listen, sendFollowUps } from './listen.ts';
import type { Runtime } from './runtime.ts';
import { SettingError } from './settings.ts';
import { redact } from './telemetry/logging.ts';
import { span, traceId, withTrace } from './telemetry/tracing.ts';

/** What every handler returns; a person running `sam local invoke` sees the whole story. */
export interface Result {
  /** Only for SQS batches: messages to deliver again. */
  readonly batchItemFailures?: readonly { readonly itemIdentifier: string }[];
  readonly outcomes: readonly Outcome[];
  /** Messages that were understood and concern nobody here, counted by reason. */
  readonly notForUs: Readonly<Record<string, number>>;
  /** Messages that failed, and why. An SQS batch has them delivered again; any other was put into the inbox. */
  readonly failures: readonly { readonly message: string; readonly error: string }[];
}

/** An act must end within its lease: longer than any function's timeout. */
const LEASE_MS = 4 * 60_000;
/** Verifications in a row that may find the trouble persisting before a person takes over. */
const FAILED_VERIFICATIONS_AT_MOST = 3;
/** An incident still open after this long goes to a person; the largest reshards take hours. */
const INCIDENT_AT_MOST_MS = 24 * 3_600_000;
/** A repeated finding is told once in this time. */
const TELL_AGAIN_MS = 24 * 3_600_000;
/** An older event is a replay or a sample; its age says nothing about our speed. */
const LATENCY_WORTH_MEASURING_MS = 3_600_000;
/** A message that failed outside SQS is tried again after this long. */
const HAND_OVER_DELAY_SECONDS = 30;

/** Weightiest first. */
const TRIGGERS: readonly Trigger[] = ['alarm', 'event', 'follow-up', 'recovery', 'tick'];
/** What these bring to light is trouble: to wait for it opens an incident. */
const REPORTS_TROUBLE: readonly Trigger[] = ['alarm', 'event', 'follow-up'];
/** Somebody else is at work on the resource, or was: the ledger's state is theirs. */
const THEIRS: readonly string[] = ['duplicate', 'superseded', 'lease-held', 'intent-unresolved'];

/** One resource on its way through the pipeline; each stage adds its part. */
interface Case<F, C extends Call> {
  readonly resource: string;
  readonly messages: readonly Message[];
  readonly recordId: string;
  readonly observed: Observed<F>;
  readonly ledgerView: Reading<LedgerView>;
  readonly calendar: BrakeContext['calendar'];
  readonly mode: Mode;
  signals: readonly Signal[];
  trigger: Trigger;
  /** Which look at which incident this is; set by follow-ups and sweeps. */
  check: Check | undefined;
  state: ResourceState;
  decision: Decision<C>;
  /** What was decided, where it was approved or would have been; `decision` may then tell how it ended. */
  act?: Act<C>;
  approved: boolean;
  /** Held from taking to settling; absent where a function proceeds without its guards. */
  lease?: Lease;
  actions: readonly OutcomeAction[];
  dryRun: boolean;
  /** Puts the resource on hold when it is recorded. */
  hold: boolean;
  incidentId: string | null;
  /** Set where the message must come again. */
  error?: unknown;
}

/**
 * THE pipeline: receive -> parse -> observe -> decide -> guard -> act -> record -> follow up.
 * Makes a Lambda handler of a function's own parts. Accepts an SQS batch, SNS records, a raw EventBridge event and a
 * CloudWatch alarm's direct invocation. Throws only where a message that did not come from SQS could be neither handled
 * nor put into the inbox: then Lambda keeps it.
 */
export const remediation = <F extends CommonFacts, P, C extends Call>(
  fn: ReflexFunction<F, P, C>,
  runtime: Runtime,
): ((payload: unknown, context?: Context) => Promise<Result>) => {
  const { ledger, log, metrics, clock } = runtime;
  type OneCase = Case<F, C>;

  return (payload, context) =>
    withTrace(undefined, async () => {
      if (context !== undefined) log.invocation(context);
      try {
        return await handle(payload);
      } finally {
        metrics.flush();
      }
    });

  async function handle(payload: unknown): Promise<Result> {
    const { batch, messages } = receive(payload);
    const heard = await span('receive', () => listen(fn, runtime, messages));
    const cases = await span('observe', () => observe(heard.heeded));
    await span('decide', () => Promise.all(cases.map(decide)));
    await span('guard', () => guard(cases.filter(({ decision }) => decision.kind === 'act')));
    await span('act', () => act(cases.filter(({ approved }) => approved)));
    await span('record', () => Promise.all(cases.map(record)));
    return report(cases, batch, heard);
  }

  // --- observe: everything that is read, at once ---

  async function observe(heeded: readonly Heeded[]): Promise<OneCase[]> {
    const byResource = [...Map.groupBy(heeded, ({ signal }) => signal.resource)];
    if (byResource.length === 0) return [];
    const resources = byResource.map(([resource]) => resource);
    const watches = byResource.map(([resource, given]) => {
      const signals = given.map(({ signal }) => signal);
      return { resource, signals, trigger: weightiest(signals) };
    });
    const [ledgerView, observed, calendar] = await Promise.all([
      reading(() => ledger.read(fn.name, resources)),
      reading(() => fn.observe(watches)),
      runtime.calendar === null ? null : reading(runtime.calendar),
    ]);
    const modes = 'value' in ledgerView ? ledgerView.value.modes : {};
    return byResource.map(([resource, given]) => {
      const state =
        ('value' in ledgerView ? ledgerView.value.states.get(resource) : undefined) ??
        states.fresh({ fn: fn.name, resource });
      const signals = given.map(({ signal }) => signal);
      return {
        resource,
        messages: [...new Set(given.map(({ message }) => message))],
        recordId: `${new Date(clock()).toISOString()}#${runtime.newId()}`,
        observed:
          'error' in observed
            ? observed
            : (observed.value.get(resource) ?? { error: new Error(`${resource} was not observed`) }),
        ledgerView,
        calendar,
        mode: effectiveMode(modes, runtime.stackMode),
        signals,
        trigger: weightiest(signals),
        check: given.find(({ check }) => check !== undefined)?.check,
        state,
        decision: skip('observe-failed', ''),
        approved: false,
        actions: [],
        dryRun: false,
        hold: false,
        incidentId: state.incident?.id ?? null,
      };
    });
  }

  // --- decide: from facts to one decision ---

  async function decide(c: OneCase): Promise<void> {
    await span(nameOf(c.resource), async ({ annotate }) => {
      try {
        c.decision = await decisionOn(c);
      } catch (error) {
        guardFailed(c, error);
      }
      annotate('resource', c.resource);
      annotate('decision', c.decision.kind);
      annotate('reason', c.decision.reason);
      annotate('mode', c.mode);
      if (c.incidentId !== null) annotate('incident', c.incidentId);
    });
  }

  async function decisionOn(c: OneCase): Promise<Decision<C>> {
    const { observed, ledgerView, mode } = c;
    if ('error' in observed) return unobserved(c, observed.error);
    if ('decision' in observed) return observed.decision;
    const { facts } = observed;
    const stop = admit({ fn: fn.name, tags: facts.tags, mode });
    if (stop !== undefined) return stop;
    if ('error' in ledgerView && fn.onGuardError === 'stop') throw ledgerView.error;
    return (await adopt(c)) ?? converging(c, decideWith(c, facts));
  }

  function decideWith(c: OneCase, facts: F): Decision<C> {
    const { attempts, lastActAt, incident, remembered } = c.state;
    const situation = {
      ...facts,
      trigger: c.trigger,
      ledger: {
        attempts,
        lastActAt: lastActAt ?? null,
        incident: incident === undefined ? null : { openedAt: incident.openedAt, steps: incident.steps },
        remembered: remembered ?? {},
      },
    };
    try {
      return fn.decide(situation, fn.policy(facts.tags), clock());
    } catch (error) {
      if (!(error instanceof SettingError)) throw error;
      return escalate(
        'bad-tag',
        `${error.message}; nothing is done until it is put right.`,
        'Correct or remove the tag.',
      );
    }
  }

  /** Sees to what a crashed predecessor left, and leaves out signals that were already acted on. */
  async function adopt(c: OneCase): Promise<Stop | undefined> {
    const now = clock();
    if (c.state.intent !== undefined) {
      const orphan = states.orphanOf(c.state, now);
      if (orphan === null) return skip('lease-held', 'Another invocation is acting on this resource.');
      await ledger.recordUnresolved(unresolved(c, orphan));
      const abandoned = await ledger.update(c.state, c.state, (state) => states.abandonIntent(state, orphan, now));
      if ('refusal' in abandoned) return skip('superseded', 'Another invocation has seen to it.');
      c.state = abandoned.state;
      const { incident } = c.state;
      if (c.check !== undefined && incident !== undefined) c.check = { id: incident.id, check: incident.check };
    }
    const { incident } = c.state;
    const due = c.check === undefined || (incident?.id === c.check.id && incident.check === c.check.check);
    const fresh = c.signals.filter(({ occurrence }) =>
      occurrence === '' ? due : !states.wasSeen(c.state, occurrence, now),
    );
    if (fresh.length === 0) {
      return due
        ? skip('duplicate', 'This occurrence was already acted on.')
        : skip('superseded', 'A later check of this incident has run, or the incident is closed.');
    }
    c.signals = fresh;
    c.trigger = weightiest(fresh);
    if (!due || !fresh.some(({ occurrence }) => occurrence === '')) c.check = undefined;
    return undefined;
  }

  /** A remedy that does not help, or an incident that does not end, goes to a person and stays there. */
  function converging(c: OneCase, decision: Decision<C>): Decision<C> {
    const { incident } = c.state;
    if (incident === undefined) return decision;
    const helpless = decision.kind === 'act' && failedVerifications(c, decision) >= FAILED_VERIFICATIONS_AT_MOST;
    const endless = decision.kind === 'defer' && clock() - incident.openedAt > INCIDENT_AT_MOST_MS;
    if (!helpless && !endless) return decision;
    c.hold = true;
    const tried = helpless ? `${incident.steps} acts did not end the trouble` : 'The incident has been open for a day';
    return escalate(
      'not-converging',
      `${tried}; the resource is on hold. Last: ${decision.why}`,
      `When it is well: npm run ops -- release ${c.resource}`,
    );
  }

  function unobserved(c: OneCase, error: unknown): Stop {
    c.error = error;
    return isAccessDenied(error)
      ? escalate(
          'access-denied',
          `AWS could not be read: ${said(error)}.`,
          'Grant the permission the message names, then replay the dead-letter queue.',
        )
      : {
          kind: 'defer',
          reason: 'observe-failed',
          until: clock(),
          why: `AWS could not be read: ${said(error)}; the message is retried.`,
        };
  }

  // --- guard: may it happen now? The last guard takes the lease and writes the intent ---

  async function guard(acts: readonly OneCase[]): Promise<void> {
    const now = clock();
    const view = acts[0]?.ledgerView;
    const pulse = view !== undefined && 'value' in view ? view.value.pulse : new Map<string, number>();
    const together = new Set([...pulse].filter(([, at]) => now - at < TOGETHER_MS).map(([resource]) => resource));
    for (const { resource } of acts) together.add(resource);
    await Promise.all(acts.map((c) => guardOne(c, together.size)));
  }

  async function guardOne(c: OneCase, troubled: number): Promise<void> {
    if (c.decision.kind !== 'act' || 'error' in c.observed || 'decision' in c.observed) return;
    const decided = c.decision;
    c.act = decided;
    const request = {
      occurrences: occurrencesOf(c),
      ...(c.check && { check: c.check }),
      spends: decided.spends ?? [],
      coolDownMs: decided.coolDownMs,
      factsAsOf: c.observed.facts.asOf,
    };
    const context: BrakeContext = {
      fn: fn.name,
      resource: c.resource,
      now: clock(),
      factsAsOf: c.observed.facts.asOf,
      managedBy: c.signals.find(({ managedBy }) => managedBy !== undefined)?.managedBy ?? null,
      calendar: c.calendar,
      troubled,
      stormLimit: runtime.stormLimit,
      refusal: states.refusal(c.state, request, clock()),
      act: decided,
    };
    try {
      const stop = restrain(context);
      if (stop !== undefined) {
        c.decision = stop;
        return;
      }
      if (c.mode === 'dry-run') {
        c.dryRun = true;
        c.actions = decided.calls.map(({ call, params }) => ({ call, params: redact(params) }));
        return;
      }
      const taken = await ledger.update(c.state, c.state, (state) =>
        states.take(state, { ...request, ...intentOf(c, decided) }, clock()),
      );
      if ('refusal' in taken) {
        c.decision =
          refused({ ...context, refusal: taken.refusal }) ?? skip('lease-held', 'The ledger refused the lease.');
        return;
      }
      c.state = taken.state;
      c.incidentId = taken.state.incident?.id ?? null;
      c.lease = taken.lease;
      c.approved = true;
    } catch (error) {
      if (fn.onGuardError === 'proceed') {
        log.error('a guard could not be read; proceeding, as this function declares', error, { resource: c.resource });
        c.approved = true;
      } else guardFailed(c, error);
    }
  }

  function guardFailed(c: OneCase, error: unknown): void {
    c.error = error;
    c.decision = escalate(
      'guard-error',
      `Nothing is done: ${said(error)}.`,
      'The message is retried, then kept in the dead-letter queue; look at the named service.',
    );
  }

  function intentOf(c: OneCase, { reason, why, calls }: Act<C>) {
    return {
      owner: c.recordId,
      leaseMs: LEASE_MS,
      incident: { id: incidentIdOf(c), cause: causeOf(c) },
      intent: {
        recordId: c.recordId,
        reason,
        why,
        calls: calls.map(({ call, params }) => ({ call, params: redact(params) as object })),
      },
    };
  }

  // --- act: the only stage that changes anything outside the ledger ---

  async function act(cases: readonly OneCase[]): Promise<void> {
    const approved = cases.flatMap(({ resource, act }) => (act === undefined ? [] : [{ resource, act }]));
    if (approved.length === 0) return;
    const results = await reading(() => fn.act(approved));
    for (const c of cases) {
      const acted = 'value' in results ? results.value.get(c.resource) : undefined;
      c.actions = (acted?.actions ?? []).map((action) => ({ ...action, params: redact(action.params) }));
      if (acted === undefined) {
        const why = `The calls ended without an answer${'error' in results ? `: ${said(results.error)}` : ''}; the facts are read again.`;
        c.decision = { kind: 'defer', reason: 'act-unknown', until: clock() + runtime.followUpMs, why };
      } else if (acted.problem !== undefined) c.decision = acted.problem;
      measure(c);
    }
  }

  function measure(c: OneCase): void {
    const latency = clock() - Math.min(...c.signals.map(({ at }) => at));
    if (c.trigger !== 'tick' && latency < LATENCY_WORTH_MEASURING_MS) metrics.eventToAction(fn.name, latency);
    for (const { budget, limit, windowMs } of c.act?.spends ?? []) {
      const used = (c.state.attempts[budget] ?? []).filter((at) => clock() < at + windowMs).length;
      metrics.budgetLeft(fn.name, c.resource, budget, limit - used);
    }
  }

  // --- record, follow up, tell ---

  async function record(c: OneCase): Promise<void> {
    const now = clock();
    const { decision } = c;
    const acted = c.approved;
    if (c.error !== undefined) return tellUnrecorded(c);
    if (THEIRS.includes(decision.reason)) return;
    const quiet = !acted && decision.kind === 'skip' && c.trigger === 'tick' && c.state.incident === undefined;
    const told = quiet ? null : tellKey(c, now);
    if (waits(c)) c.incidentId = incidentIdOf(c);
    try {
      const entry = historyOf(c, now);
      if (!quiet && optedIn(c)) await ledger.record(entry);
      const next = await advance(c, told, now);
      if (next !== null) await sendFollowUps(runtime, [next]);
      await Promise.all([
        told !== null ? runtime.notify(entry, next?.notBefore ?? null) : undefined,
        acted ? ledger.beat(fn.name, [c.resource]) : undefined,
      ]);
    } catch (error) {
      log.error('not recorded', error, { resource: c.resource, recordId: c.recordId });
      // After an act its intent stands in the ledger and the sweep resumes there; anything else the message must bring again.
      if (!acted) c.error = error;
      else await runtime.notify(historyOf(c, now), null);
    }
  }

  /** Moves the ledger's state on, in one write; gives the follow-up that is due then. */
  async function advance(c: OneCase, told: string | null, now: number) {
    const { decision, act } = c;
    const nextCheckAt = decision.kind === 'defer' ? decision.until : now + (act?.followUpMs ?? runtime.followUpMs);
    const memory =
      c.approved && (goesOn(c) || decision.reason === 'act-unknown')
        ? act?.remember
        : c.dryRun
          ? undefined
          : decision.remember;

    const { state } = await ledger.update(c.state, c.state, (before) => {
      let state = moved(c, before, nextCheckAt, now);
      if (state !== null && memory !== undefined) state = states.remember(state, memory);
      state ??= before;
      if (c.hold) state = states.hold(state, { reason: decision.why, by: 'reflex' }, now);
      return { state: told ? states.noteNotified(state, told, now) : state };
    });
    c.state = state;
    const { incident } = state;
    if (incident === undefined || !(waits(c) || goesOn(c))) return null;
    return {
      kind: 'follow-up',
      fn: fn.name,
      resource: c.resource,
      incidentId: incident.id,
      check: incident.check,
      notBefore: nextCheckAt,
    } as const;
  }

  /** The state after this case: settled, awaiting its next check, or without its incident; null where others were faster. */
  function moved(c: OneCase, before: ResourceState, nextCheckAt: number, now: number): ResourceState | null {
    const { reason } = c.decision;
    let state = before;
    if (c.lease !== undefined) {
      const failed = c.act === undefined ? 0 : failedVerifications(c, c.act);
      const settled = states.settle(state, c.lease, { reason, nextCheckAt, failedVerifications: failed });
      if ('refusal' in settled) return null;
      state = settled.state;
    } else if (waits(c)) {
      const incident = { id: incidentIdOf(c), cause: causeOf(c) };
      state = states.awaitCheck(state, { occurrences: occurrencesOf(c), incident, reason, until: nextCheckAt }, now);
    }
    if (waits(c) || goesOn(c) || state.incident === undefined) return state;
    const seen = c.lease === undefined ? (c.state.incident ?? state.incident) : state.incident;
    const closed = states.closeIncident(state, seen, now);
    return 'refusal' in closed ? null : closed.state;
  }

  /** Under which key this is told, so that a repeated finding is told once a day; '' is always told, null never. */
  function tellKey(c: OneCase, now: number): string | null {
    const { decision } = c;
    const closing = decision.kind === 'skip' && (c.state.incident?.steps ?? 0) > 0;
    if (c.approved || closing || c.hold) return '';
    if (!optedIn(c)) return null;
    const key =
      decision.kind === 'act'
        ? ['dry-run', decision.reason, ...(c.trigger === 'tick' ? [] : occurrencesOf(c))].join(' ')
        : decision.kind === 'escalate' || decision.reason === 'frozen' || decision.reason === 'held'
          ? decision.reason
          : null;
    return key !== null && now - (c.state.notified[key] ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS ? null : key;
  }

  /** Where the ledger or AWS cannot be read there is no memory of what was told; the first delivery tells. */
  async function tellUnrecorded(c: OneCase): Promise<void> {
    const again = c.messages.every(({ receiveCount }) => (receiveCount ?? 1) > 1);
    if (c.decision.kind === 'escalate' && !again) await runtime.notify(historyOf(c, clock()), null);
  }

  function historyOf(c: OneCase, now: number): HistoryRecord {
    const { decision } = c;
    const trace = traceId();
    return {
      fn: fn.name,
      resource: c.resource,
      recordId: c.recordId,
      at: now,
      incidentId: c.incidentId,
      trigger: c.trigger,
      cause: causeOf(c),
      decision: decision.kind,
      reason: decision.reason,
      why: decision.why,
      ...(decision.kind === 'escalate' && decision.advice !== undefined && { advice: decision.advice }),
      mode: c.mode,
      dryRun: c.dryRun,
      actions: c.actions,
      facts: factsOf(c),
      ...(trace !== undefined && { traceId: trace }),
    };
  }

  function unresolved(c: OneCase, orphan: Intent): HistoryRecord {
    return {
      ...historyOf(c, orphan.at),
      recordId: orphan.recordId,
      incidentId: orphan.incidentId,
      decision: 'act',
      reason: 'intent-unresolved',
      why: `${orphan.why} (The invocation ended before its result was recorded; the facts were read again afterwards.)`,
      actions: orphan.calls.map(({ call, params }) => ({ call, params: redact(params) })),
      facts: null,
      unresolved: true,
    };
  }

  // --- report ---

  async function report(cases: readonly OneCase[], batch: boolean, heard: Listened): Promise<Result> {
    for (const c of cases) {
      const { decision } = c;
      metrics.outcome(fn.name, decision.kind, decision.reason, c.dryRun);
      log.decision({
        ...historyOf(c, clock()),
        latencyMs: c.trigger === 'tick' ? null : clock() - Math.min(...c.signals.map(({ at }) => at)),
      });
    }
    metrics.notForUs(fn.name, heard.notForUs.length);
    metrics.brokenMessages(fn.name, heard.failed.filter(({ broken }) => broken).length);
    const failed = [
      ...heard.failed,
      ...cases.flatMap(({ error, messages }) =>
        error === undefined ? [] : messages.map((message) => ({ message, error, broken: false })),
      ),
    ];
    for (const { message, error } of failed)
      log.error('message failed', error, { messageId: message.id, via: message.via });
    if (!batch) await handOver(failed);
    const ids = [...new Set(failed.map(({ message }) => message.id))];
    return {
      ...(batch && { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) }),
      outcomes: cases.map(outcomeOf),
      notForUs: Object.fromEntries(
        [...Map.groupBy(heard.notForUs, (reason) => reason)].map(([reason, all]) => [reason, all.length]),
      ),
      failures: failed.map(({ message, error }) => ({ message: message.id, error: said(error) })),
    };
  }

  /** A direct invocation has nobody to deliver it again: the inbox does, and in the end the dead-letter queue keeps it. */
  async function handOver(failed: Listened['failed']): Promise<void> {
    const messages = [...new Map(failed.map((failure) => [failure.message, failure])).values()];
    if (messages.length === 0) return;
    const refused = await runtime
      .enqueue(messages.map(({ message }) => ({ body: message.raw, delaySeconds: HAND_OVER_DELAY_SECONDS })))
      .catch((error: unknown) => messages.map((_, index) => ({ index, message: said(error) })));
    for (const { index, message } of refused) {
      log.error('not put into the inbox', new Error(message), { messageId: messages[index]?.message.id });
    }
    const lost = refused.filter(({ index }) => messages[index]?.broken === false);
    if (lost.length > 0) {
      throw new AggregateError(
        lost.map(({ index }) => messages[index]?.error),
        `${lost.length} messages failed and the inbox did not take them`,
      );
    }
  }
};

const weightiest = (signals: readonly Signal[]): Trigger =>
  TRIGGERS.find((trigger) => signals.some((signal) => signal.trigger === trigger)) ?? 'tick';

const reading = async <T>(read: () => Promise<T>): Promise<Reading<T>> => {
  try {
    return { value: await read() };
  } catch (error) {
    return { error };
  }
};

const failedVerifications = ({ state }: { readonly state: ResourceState }, act: Act): number => {
  const { incident } = state;
  return incident === undefined || incident.steps === 0 || act.planned === true ? 0 : incident.failedVerifications + 1;
};

const occurrencesOf = ({ signals }: { readonly signals: readonly Signal[] }): string[] =>
  signals.map(({ occurrence }) => occurrence).filter((occurrence) => occurrence !== '');

const causeOf = ({ signals }: { readonly signals: readonly Signal[] }): string =>
  [...new Set(signals.map(({ cause }) => cause))].join('; ');

const factsOf = <F extends CommonFacts>({ observed }: { readonly observed: Observed<F> }): Json =>
  'facts' in observed ? redact(observed.facts) : null;

/** The decision is to look again, and there is an incident to look at, or trouble to open one for. */
const waits = ({
  decision,
  state,
  trigger,
}: {
  readonly decision: Decision;
  readonly state: ResourceState;
  readonly trigger: Trigger;
}): boolean => decision.kind === 'defer' && (state.incident !== undefined || REPORTS_TROUBLE.includes(trigger));

/** The calls were made and AWS took them; what comes next is to verify. */
const goesOn = ({ approved, decision }: { readonly approved: boolean; readonly decision: Decision }): boolean =>
  approved && decision.kind === 'act';

/** The open incident's id, or the one to open: its time, and the record that opened it. */
const incidentIdOf = ({
  incidentId,
  recordId,
}: {
  readonly incidentId: string | null;
  readonly recordId: string;
}): string =>
  incidentId ?? `rfx-${recordId.slice(0, 19).replace(/[-:]/g, '')}-${recordId.slice(recordId.indexOf('#') + 1)}`;

/** Only what carries the opt-in tag, or once did, leaves a history and makes noise. */
const optedIn = <F extends CommonFacts>(c: {
  readonly observed: Observed<F>;
  readonly state: ResourceState;
  readonly decision: Decision;
}): boolean => c.decision.reason !== 'not-opted-in' && ('facts' in c.observed || c.state.version > 0);

const outcomeOf = <F, C extends Call>(c: Case<F, C>): Outcome => ({
  resource: c.resource,
  decision: c.decision.kind,
  reason: c.decision.reason,
  why: c.decision.why,
  actions: c.actions,
  dryRun: c.dryRun,
  incidentId: c.incidentId,
  ...(c.decision.kind === 'escalate' && c.decision.advice !== undefined && { advice: c.decision.advice }),
});

/** The part of an ARN a person knows the resource by. */
const nameOf = (arn: string): string => arn.split(/[:/]/).at(-1) || arn;

const said = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
