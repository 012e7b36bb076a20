import type { Context } from 'aws-lambda';
import { record } from './aftermath.ts';
import { isAccessDenied } from './aws/client.ts';
import {
  type Case,
  causeOf,
  historyOf,
  incidentIdOf,
  isOutdated,
  isOvertaken,
  latencyOf,
  occurrencesOf,
  outcomeOf,
  triggerOf,
  withoutSecrets,
} from './case.ts';
import { type Act, type Call, type Decision, type Defer, defer, escalate, type Outcome, skip } from './decision.ts';
import { receive } from './events/envelope.ts';
import { isQuestion } from './events/reflex-explain.ts';
import type { CommonFacts, Observed, ReflexFunction } from './function.ts';
import { TOGETHER_MS } from './guards/correlated-failure.ts';
import type { BrakeContext, Reading, Stop } from './guards/guard.ts';
import { admit, refused, restrain } from './guards/index.ts';
import { effectiveMode } from './guards/mode.ts';
import { recordId } from './ledger/ledger.ts';
import * as states from './ledger/state.ts';
import type { HistoryRecord, Incident, Intent, LedgerView, Mode, ResourceState } from './ledger/types.ts';
import { type FollowUp, type Heeded, type Listened, listen, sendFollowUps } from './listen.ts';
import { reading } from './reads.ts';
import type { Runtime } from './runtime.ts';
import { SettingError } from './settings.ts';
import { redact } from './telemetry/logging.ts';
import { span, withTrace } from './telemetry/tracing.ts';
import { asWord, nameOf, said } from './words.ts';

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

/** Longer than any function's timeout, so that an act ends within its lease; shorter than the inbox hides a message. */
export const LEASE_MS = 4 * 60_000;
/** Verifications that may find the trouble persisting before a person takes over. */
const FAILED_VERIFICATIONS_AT_MOST = 3;
/** What still waits this long after its last act goes to a person; the largest reshards take hours. */
const WAIT_AT_MOST_MS = 24 * 3_600_000;
/** Looks at one incident; a day of waiting takes some 300. It ends what a function would defer for ever. */
const CHECKS_AT_MOST = 1_000;
/** Acts in one incident. It ends what a function would plan for ever. */
const ACTS_AT_MOST = 1_000;
/** An older event is a replay or a sample; its age says nothing about our speed. */
const LATENCY_WORTH_MEASURING_MS = 3_600_000;
/** Outcomes of an SQS batch, whose answer nobody reads: Lambda refuses one of more than 6 MB, and would deliver all of it again. */
const ANSWERED_AT_MOST = 4_000;
/** A message that failed outside SQS is tried again after this long. */
const HAND_OVER_DELAY_SECONDS = 30;

/**
 * THE pipeline: receive -> parse -> observe -> decide -> guard -> act -> record -> follow up.
 * Makes a Lambda handler of a function's own parts. Accepts an SQS batch, SNS records, a raw EventBridge event and a
 * CloudWatch alarm's direct invocation. Throws only where a message that did not come from SQS could be neither handled
 * nor put into the inbox: then Lambda keeps it.
 *
 * Where things are decided: what woke us, `listen.ts`; what to do, the function's `decide`; whether it may, `guards/`;
 * who is told and what comes next, `aftermath.ts`.
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
        await metrics.flush();
      }
    });

  async function handle(payload: unknown): Promise<Result> {
    const { batch, messages } = receive(payload);
    const heard = await span('receive', () => listen(fn, runtime, messages));
    const cases = await span('observe', () => observe(heard.heeded));
    await stage('decide', cases, decide);
    const acts = cases.filter(({ decision }) => decision.kind === 'act');
    await stage('guard', acts, guardAmong(acts));
    await foresee(acts.filter(({ dryRun }) => dryRun));
    await span('act', () => act(cases));
    const ours = cases.filter(({ asked }) => !asked);
    const followUps: FollowUp[] = [];
    await stage('record', ours, async (c) => {
      const followUp = await record(runtime, c, joining(c));
      if (followUp !== null) followUps.push(followUp);
    });
    const [refused] = await Promise.all([tellLate(heard.untold), followUpOn(followUps)]);
    return report(cases, batch, { ...heard, failed: [...heard.failed, ...refused] });
  }

  /** Behind all that is urgent. What SNS refuses again comes again, and in the end the dead-letter queue keeps it. */
  async function tellLate(untold: Listened['untold']): Promise<Listened['failed']> {
    const told = untold.map(async ({ message, notification }) => ({
      message,
      result: await reading(() => runtime.publish(notification)),
    }));
    return (await Promise.all(told)).flatMap(({ message, result }) =>
      'error' in result ? [{ message, error: result.error, broken: false }] : [],
    );
  }

  async function followUpOn(followUps: readonly FollowUp[]): Promise<void> {
    try {
      await sendFollowUps(runtime, fn.name, followUps);
    } catch (error) {
      const resources = followUps.map(({ resource }) => resource);
      log.error('follow-ups not sent; the sweep will find their incidents', error, { resources });
    }
  }

  async function stage(name: string, cases: readonly OneCase[], work: (c: OneCase) => Promise<void>): Promise<void> {
    const each = (c: OneCase) =>
      span(nameOf(c.resource), async ({ annotate }) => {
        await work(c);
        annotate('resource', c.resource);
        annotate('decision', c.decision.kind);
        annotate('reason', c.decision.reason);
        annotate('mode', c.mode);
        if (c.incidentId !== null) annotate('incident', c.incidentId);
      });
    await span(name, () => Promise.all(cases.map(each)));
  }

  // --- observe: everything that is read, at once ---

  async function observe(heeded: readonly Heeded[]): Promise<OneCase[]> {
    const byResource = Map.groupBy(heeded, ({ signal }) => signal.resource);
    if (byResource.size === 0) return [];
    const asked = reading(() => ledger.read(fn.name, [...byResource.keys()]));
    const woken = [...byResource];
    const checksAlone = woken.every(([, given]) => given.every(({ check }) => check !== undefined));
    const [ledgerView, observed, calendar] = await Promise.all([
      asked,
      // Checks have time to ask first whether they are still expected: what is read comes out of limits that an account shares. Beside
      // what is urgent they share its reads.
      checksAlone ? asked.then((view) => look(woken.filter((one) => isExpected(view, one)))) : look(woken),
      runtime.calendar === null ? null : reading(runtime.calendar),
    ]);
    const view = 'value' in ledgerView ? ledgerView.value : undefined;
    const again = await look(woken.flatMap((one) => weakened(one, view?.states.get(one[0]), clock())));
    return woken.map(([resource, given]) => {
      const state = view?.states.get(resource) ?? states.fresh({ fn: fn.name, resource });
      return {
        resource,
        recordId: recordId(clock(), runtime.newId()),
        messages: [...new Set(given.map(({ message }) => message))],
        observed: again.get(resource) ?? observed.get(resource) ?? { decision: SUPERSEDED },
        ledgerView,
        calendar,
        ...asking(given, effectiveMode(view?.modes ?? {}, runtime.stackMode)),
        heeded: given,
        state,
        decision: skip('observe-failed', ''),
        failedVerifications: 0,
        dryRun: false,
        actions: [],
        incidentId: state.incident?.id ?? null,
      };
    });
  }

  async function look(woken: readonly Woken[]): Promise<ReadonlyMap<string, Observed<F>>> {
    if (woken.length === 0) return new Map();
    const watches = woken.map(([resource, heeded]) => ({
      resource,
      trigger: triggerOf({ heeded }),
      signals: heeded.map(({ signal }) => signal),
    }));
    const observed = await reading(() => fn.observe(watches));
    const of = (resource: string): Observed<F> =>
      'error' in observed
        ? observed
        : (observed.value.get(resource) ?? { error: new Error(`${resource} was not observed`) });
    return new Map(watches.map(({ resource }) => [resource, of(resource)]));
  }

  function asking(heeded: readonly Heeded[], mode: Mode): Pick<OneCase, 'asked' | 'mode'> {
    const asked = heeded.every((each) => each.asked === true);
    return { asked, mode: asked && mode === 'on' ? 'dry-run' : mode };
  }

  function recalled(facts: F, { remembered }: ResourceState): F {
    return fn.recall === undefined || remembered === undefined ? facts : fn.recall(facts, remembered);
  }

  // --- decide: from facts to one decision ---

  async function decide(c: OneCase): Promise<void> {
    try {
      c.decision = converging(c, await decisionOn(c));
    } catch (error) {
      guardFailed(c, error);
    }
  }

  async function decisionOn(c: OneCase): Promise<Decision<C>> {
    if ('error' in c.observed) return unobserved(c, c.observed.error);
    const underWay = await overlooking(c, undefined, () => resolveIntent(c));
    if (underWay !== undefined) return underWay;
    c.known = c.state.remembered;
    if ('decision' in c.observed) {
      const { decision, begun = decision } = c.observed;
      return c.state.incident === undefined ? decision : begun;
    }
    const facts = recalled(c.observed.facts, c.state);
    c.observed = { facts };
    const mode = 'error' in c.ledgerView && !mayOverlook(c) ? c.ledgerView : { value: c.mode };
    return admit({ fn: fn.name, tags: facts.tags, mode }) ?? heed(c) ?? overtaken(c) ?? decideWith(c, facts);
  }

  function unobserved(c: OneCase, error: unknown): Stop {
    c.error = error;
    const why = `AWS could not be read: ${said(error)}; the message is retried.`;
    return isAccessDenied(error)
      ? escalate(
          'access-denied',
          why,
          'Grant the permission that the error names, then replay the dead-letter queue if the message got there.',
        )
      : defer('observe-failed', clock(), why);
  }

  /** Records what a crashed predecessor may have done. Whatever woke us then serves as the check its incident expects. */
  async function resolveIntent(c: OneCase): Promise<Stop | undefined> {
    if (c.state.intent === undefined) return undefined;
    const now = clock();
    const orphan = states.orphanOf(c.state, now);
    if (orphan === null) return skip('lease-held', 'Another invocation is acting on this resource.');
    if (c.asked) return undefined;
    const entry = unresolved(c, orphan);
    await ledger.recordUnresolved(entry);
    const join = joining(c);
    const abandoned = await ledger.update(c.state, c.state, (state) => states.abandonIntent(state, orphan, now, join));
    if ('refusal' in abandoned) return skip('superseded', 'Another invocation sees to what a crashed one left.');
    await runtime.notify(entry, now);
    c.state = abandoned.state;
    const check = abandoned.state.incident;
    if (check !== undefined) c.heeded = c.heeded.map((heeded) => ({ ...heeded, check }));
    return undefined;
  }

  function unresolved(c: OneCase, { recordId, incidentId, at, reason, why, calls }: Intent): HistoryRecord {
    const { traceId: _, ...finder } = historyOf(c, at);
    return {
      ...finder,
      recordId,
      incidentId,
      cause: c.state.incident?.cause ?? finder.cause,
      decision: 'act',
      reason: 'intent-unresolved',
      why: `${why} (${reason}) The invocation ended before its result was recorded, so the calls may or may not have been made; the facts are read again.`,
      mode: 'on',
      actions: withoutSecrets(calls),
      facts: null,
      unresolved: true,
    };
  }

  /** Leaves out what was acted on before, and checks that are not the one the incident expects. */
  function heed(c: OneCase): Stop | undefined {
    const counts = counting(c.heeded, c.state, clock());
    if (counts.length === 0) {
      return c.heeded.some(({ check }) => check === undefined)
        ? skip('duplicate', 'This occurrence was already acted on.')
        : SUPERSEDED;
    }
    c.heeded = counts;
    const check = counts.find(({ check }) => check !== undefined)?.check;
    if (check !== undefined) c.check = check;
    return undefined;
  }

  /** The ledger is read beside the facts, and may know of an act that they do not. */
  function overtaken(c: OneCase): Stop | undefined {
    return isOvertaken(c) ? skip('superseded', 'Another invocation has acted since the facts were read.') : undefined;
  }

  function decideWith(c: OneCase, facts: F): Decision<C> {
    const { attempts, lastActAt = null, incident, remembered = {} } = c.state;
    const known = incident === undefined ? null : { openedAt: incident.openedAt, steps: incident.steps };
    const situation = { ...facts, trigger: triggerOf(c), ledger: { attempts, lastActAt, incident: known, remembered } };
    try {
      return fn.decide(situation, fn.policy(facts.tags), clock());
    } catch (error) {
      if (!(error instanceof SettingError)) throw error;
      const why = `${error.message}; nothing is done until it is put right.`;
      return { ...escalate('bad-tag', why, 'Correct or remove the tag.'), finding: error.message };
    }
  }

  /** A remedy that does not help, or an incident that does not end, goes to a person and stays there. */
  function converging(c: OneCase, decision: Decision<C>): Decision<C> {
    const { incident, lastActAt = 0 } = c.state;
    if (incident === undefined || c.error !== undefined || (decision.kind !== 'act' && decision.kind !== 'defer')) {
      return decision;
    }
    const found = decision.kind === 'act' ? tried(c, decision, incident) : waited(decision, incident, lastActAt);
    if (found === undefined) return decision;
    const memory = decision.kind === 'act' ? decision.otherwise : decision.remember;
    const state = c.mode === 'on' ? 'the resource is on hold' : 'a dry run holds nothing';
    return {
      ...escalate(
        'not-converging',
        `${found}; ${state}. Last: ${decision.why}`,
        `When it is well again: npm run ops -- release ${asWord(c.resource)}`,
      ),
      hold: true,
      ...(memory && { remember: memory }),
    };
  }

  function tried(c: OneCase, { planned }: Act<C>, { steps, failedVerifications }: Incident): string | undefined {
    const verifies = steps > 0 && planned !== true;
    c.failedVerifications = failedVerifications + (verifies ? 1 : 0);
    const failed = verifies && c.failedVerifications >= FAILED_VERIFICATIONS_AT_MOST;
    return failed || steps >= ACTS_AT_MOST ? `${steps} acts did not end the trouble` : undefined;
  }

  function waited(
    { lasting }: Defer,
    { check, openedAt, lastReason }: Incident,
    lastActAt: number,
  ): string | undefined {
    if (lasting === true) return undefined;
    const long = clock() - Math.max(openedAt, lastActAt) > WAIT_AT_MOST_MS && lastReason !== 'frozen';
    if (long) return 'More than a day of waiting did not end the incident';
    return check >= CHECKS_AT_MOST ? `${check} checks did not end the incident` : undefined;
  }

  // --- guard: may it happen now? The last guard takes the lease and writes the intent ---

  function guardAmong(acts: readonly OneCase[]): (c: OneCase) => Promise<void> {
    const now = clock();
    const together = new Set(acts.filter((c) => triggerOf(c) !== 'tick').map(({ resource }) => resource));
    for (const { ledgerView } of acts.slice(0, 1)) {
      const pulse = 'value' in ledgerView ? ledgerView.value.pulse : [];
      for (const [resource, at] of pulse) if (now - at < TOGETHER_MS) together.add(resource);
    }
    // What only the schedule brings up is not in trouble: each takes its turn behind what is.
    const turns = acts.filter(({ resource }) => !together.has(resource));
    return async (c) => {
      if (c.decision.kind !== 'act' || !('facts' in c.observed)) return;
      try {
        await guard(c, c.decision, c.observed.facts.asOf, together.size + turns.indexOf(c) + 1);
      } catch (error) {
        guardFailed(c, error);
      }
    };
  }

  async function guard(c: OneCase, decided: Act<C>, factsAsOf: number, troubled: number): Promise<void> {
    const { spends = [], coolDownMs } = decided;
    const question = {
      occurrences: occurrencesOf(c).filter((occurrence) => !states.wasSeen(c.state, occurrence, clock())),
      ...(c.check && { check: c.check }),
      spends,
      coolDownMs,
      factsAsOf,
    };
    const context: BrakeContext = {
      fn: fn.name,
      resource: c.resource,
      now: clock(),
      factsAsOf,
      managedBy: c.heeded.find(({ signal }) => signal.managedBy !== undefined)?.signal.managedBy ?? null,
      calendar: readableCalendar(c),
      scheduled: triggerOf(c) === 'tick',
      troubled,
      stormLimit: runtime.stormLimit,
      refusal: states.refusal(c.state, question, clock()),
      act: decided,
    };
    const stop = restrain(context);
    if (stop !== undefined) {
      c.decision = withheld(decided, stop);
      return;
    }
    if (c.mode === 'dry-run') {
      c.dryRun = true;
      c.actions = withoutSecrets(decided.calls);
      return;
    }
    const request = { ...question, ...intentOf(c, decided) };
    const taken = await overlooking(c, null, () =>
      ledger.update(c.state, c.state, (state) => {
        const granted = states.take(state, request, clock());
        const late = 'lease' in granted && isOutdated(c, state);
        return late ? { refusal: { reason: 'superseded' as const } } : granted;
      }),
    );
    if (taken !== null && 'refusal' in taken) {
      const lost = refused({ ...context, refusal: taken.refusal });
      c.decision = withheld(decided, lost ?? skip('lease-held', 'The ledger refused the lease.'));
      return;
    }
    c.act = decided;
    if (taken === null) return;
    c.state = taken.state;
    c.lease = taken.lease;
    c.incidentId = taken.state.incident?.id ?? null;
  }

  /** A plan that only begins is shown to its end; where that cannot be read, its beginning is. */
  async function foresee(planned: readonly OneCase[]): Promise<void> {
    const known = planned.flatMap((c) => ('facts' in c.observed ? [{ c, facts: c.observed.facts }] : []));
    if (fn.foresee === undefined || known.length === 0) return;
    try {
      const whole = await fn.foresee(known.map(({ facts }) => facts));
      for (const [index, { c, facts }] of known.entries()) {
        const decision = decideWith(c, whole[index] ?? facts);
        if (decision.kind !== 'act') continue;
        c.decision = decision;
        c.actions = withoutSecrets(decision.calls);
      }
    } catch (error) {
      log.error('the plan is shown as far as it is known', error, { resources: known.map(({ c }) => c.resource) });
    }
  }

  /** What was seen is remembered, although nothing was done. */
  function withheld({ otherwise }: Act<C>, stop: Stop): Stop {
    return otherwise === undefined ? stop : { ...stop, remember: otherwise };
  }

  function joining({ resource }: OneCase): states.Join | undefined {
    const { join } = fn;
    return join && ((theirs, ours) => join(resource, theirs, ours));
  }

  function intentOf(c: OneCase, { reason, why, calls, remember }: Act<C>) {
    return {
      owner: c.recordId,
      leaseMs: fn.leaseMs ?? LEASE_MS,
      incident: { id: incidentIdOf(c), cause: causeOf(c) },
      intent: { recordId: c.recordId, reason, why, calls: calls.map(withoutSecret), ...(remember && { remember }) },
    };
  }

  /** A guard that cannot be read stops the act, unless not acting is the worse harm. A check has time: it always stops. */
  function mayOverlook({ heeded }: OneCase): boolean {
    return fn.onGuardError === 'proceed' && heeded.some(({ check }) => check === undefined);
  }

  async function overlooking<T>(c: OneCase, instead: T, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!mayOverlook(c)) throw error;
      overlooked(c, error);
      return instead;
    }
  }

  function readableCalendar(c: OneCase): BrakeContext['calendar'] {
    if (c.calendar === null || 'value' in c.calendar || !mayOverlook(c)) return c.calendar;
    overlooked(c, c.calendar.error);
    return null;
  }

  function overlooked({ resource }: OneCase, error: unknown): void {
    log.error('a guard could not be read; proceeding, as this function declares', error, { resource });
  }

  function guardFailed(c: OneCase, error: unknown): void {
    c.error = error;
    c.decision = escalate(
      'guard-error',
      `Nothing is done: ${said(error)}.`,
      'The message is retried, then kept in the dead-letter queue; look at the service that the error names.',
    );
  }

  // --- act: the only stage that changes anything outside the ledger ---

  async function act(cases: readonly OneCase[]): Promise<void> {
    const approved = cases.flatMap(({ resource, act }) => (act === undefined ? [] : [{ resource, act }]));
    if (approved.length === 0) return;
    const [results, pulse] = await Promise.all([
      reading(() => fn.act(approved)),
      reading(() => beat(approved.map(({ resource }) => resource))),
    ]);
    if ('error' in pulse) log.error('the correlated-failure guard will not know of these acts', pulse.error);
    for (const c of cases) {
      if (c.act === undefined) continue;
      const acted = 'value' in results ? results.value.get(c.resource) : undefined;
      if (acted === undefined) {
        const error = 'error' in results ? said(results.error) : 'no answer';
        c.actions = withoutSecrets(c.act.calls).map((action) => ({ ...action, error }));
        const why = `Whether the calls took effect is not known (${error}); the facts are read again.`;
        c.decision = defer('act-unknown', clock() + runtime.followUpMs, why);
      } else {
        c.actions = withoutSecrets(acted.actions);
        c.decision = acted.problem ?? c.decision;
      }
      measure(c, c.act);
    }
  }

  /** Where no number of resources stops an act, nobody asks how many there were, and a storm's would outgrow DynamoDB's item. */
  async function beat(resources: readonly string[]): Promise<void> {
    if (Number.isFinite(runtime.stormLimit)) await ledger.beat(fn.name, resources);
  }

  function measure(c: OneCase, { spends = [] }: Act<C>): void {
    const latency = latencyOf(c, clock());
    if (latency !== null && latency < LATENCY_WORTH_MEASURING_MS) metrics.eventToAction(fn.name, latency);
    for (const { budget, limit, windowMs } of spends) {
      const used = (c.state.attempts[budget] ?? []).filter((at) => clock() < at + windowMs).length;
      metrics.budgetLeft(fn.name, c.resource, budget, limit - used);
    }
  }

  // --- report ---

  async function report(cases: readonly OneCase[], batch: boolean, heard: Listened): Promise<Result> {
    for (const c of cases.filter(({ asked }) => !asked)) {
      metrics.outcome(fn.name, c.decision.kind, c.decision.reason, c.dryRun);
      log.decision({ ...historyOf(c, clock()), latencyMs: latencyOf(c, clock()) });
    }
    metrics.notForUs(fn.name, heard.notForUs.length);
    metrics.brokenMessages(fn.name, heard.failed.filter(({ broken }) => broken).length);
    const unhandled = cases.flatMap(({ error, messages }) =>
      error === undefined ? [] : messages.map((message) => ({ message, error, broken: false })),
    );
    const failed = [...new Map([...heard.failed, ...unhandled].map((failure) => [failure.message, failure])).values()];
    for (const { message, error } of failed) {
      log.error('message failed', error, { messageId: message.id, via: message.via });
    }
    if (!batch) await handOver(failed.filter(({ message }) => !isQuestion(message.body)));
    return {
      ...(batch && {
        batchItemFailures: [...new Set(failed.map(({ message }) => message.id))].map((itemIdentifier) => ({
          itemIdentifier,
        })),
      }),
      outcomes: (batch ? cases.slice(0, ANSWERED_AT_MOST) : cases).map(outcomeOf),
      notForUs: countBy(heard.notForUs),
      failures: failed.map(({ message, error }) => ({ message: message.id, error: said(error) })),
    };
  }

  /** A direct invocation has nobody to deliver it again: the inbox does, and in the end the dead-letter queue keeps it. */
  async function handOver(failed: Listened['failed']): Promise<void> {
    if (failed.length === 0) return;
    const messages = failed.map(({ message }) => ({ body: message.raw, delaySeconds: HAND_OVER_DELAY_SECONDS }));
    const refused = await runtime
      .enqueue(messages)
      .catch((error: unknown) => failed.map((_, index) => ({ index, message: said(error) })));
    for (const { index, message } of refused) {
      log.error('not put into the inbox', new Error(message), { messageId: failed[index]?.message.id });
    }
    const lost = refused.flatMap(({ index }) => failed[index] ?? []).filter(({ broken }) => !broken);
    if (lost.length > 0) {
      throw new AggregateError(
        lost.map(({ error }) => error),
        `failed messages that the inbox did not take: ${lost.length}`,
      );
    }
  }
};

/** A resource, and all that woke us for it. */
type Woken = readonly [resource: string, heeded: readonly Heeded[]];

/** Whether one of these is the check that the incident expects. Also where the ledger does not answer, or a crash is to be made good. */
const isExpected = (view: Reading<LedgerView>, [resource, heeded]: Woken): boolean => {
  if ('error' in view) return true;
  const state = view.value.states.get(resource);
  if (state?.intent !== undefined) return true;
  return heeded.some(({ check }) => check !== undefined && state !== undefined && states.expects(state, check));
};

const counting = (heeded: readonly Heeded[], state: ResourceState, now: number): Heeded[] =>
  heeded.filter(({ signal: { occurrence }, check }) =>
    check === undefined ? occurrence === '' || !states.wasSeen(state, occurrence, now) : states.expects(state, check),
  );

/** What is left of a resource's signals, where the weightiest was acted on before: a function may read other facts for what is left. */
const weakened = ([resource, heeded]: Woken, state: ResourceState | undefined, now: number): Woken[] => {
  if (state === undefined || state.intent !== undefined) return [];
  const counts = counting(heeded, state, now);
  return counts.length === 0 || triggerOf({ heeded: counts }) === triggerOf({ heeded }) ? [] : [[resource, counts]];
};

const SUPERSEDED = skip('superseded', 'A later check of this incident has run already, or the incident is closed.');

const withoutSecret = ({ call, params }: Call): Call => ({ call, params: redact(params) as object });

const countBy = (reasons: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(reasons, (reason) => reason)].map(([reason, all]) => [reason, all.length]));
