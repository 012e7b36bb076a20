import type { Act, Call, Decision, Outcome, OutcomeAction } from './decision.ts';
import type { Message } from './events/envelope.ts';
import type { CommonFacts, Observed, Trigger } from './function.ts';
import type { BrakeContext, Reading } from './guards/guard.ts';
import type { Check, HistoryRecord, Lease, LedgerView, Mode, ResourceState } from './ledger/types.ts';
import type { Heeded } from './listen.ts';
import { redact } from './telemetry/logging.ts';
import { traceId } from './telemetry/tracing.ts';

/** One resource on its way through the pipeline. What is `readonly` was read; each stage adds the rest. */
export interface Case<F extends CommonFacts = CommonFacts, C extends Call = Call> {
  readonly resource: string;
  /** Key of its history record, and owner of its lease. */
  readonly recordId: string;
  /** Every message that named the resource. */
  readonly messages: readonly Message[];
  observed: Observed<F>;
  readonly ledgerView: Reading<LedgerView>;
  readonly calendar: BrakeContext['calendar'];
  /** What is in force; the stack's where the ledger could not be read. Where an operator only asks: a dry run. */
  readonly mode: Mode;
  /** An operator asks what would be done: no lease, no record, nobody told. */
  readonly asked: boolean;
  /** What woke us, less what turned out to be a duplicate or superseded. */
  heeded: readonly Heeded[];
  /** The look at the open incident that this is; set where a follow-up or sweep woke us. */
  check?: Check;
  /** The ledger's state as last read or written. */
  state: ResourceState;
  /** What the function remembered of the resource when it decided. */
  known?: ResourceState['remembered'];
  /** In the end: how the act ended, where there was one. */
  decision: Decision<C>;
  /** Verifications in a row that found the trouble persisting, this one included. */
  failedVerifications: number;
  /** The act all guards let pass. */
  act?: Act<C>;
  /** The act was withheld only because of the mode. */
  dryRun: boolean;
  /** Held from taking to settling; absent where a function proceeds without the ledger. */
  lease?: Lease;
  actions: readonly OutcomeAction[];
  incidentId: string | null;
  /** Set where the messages must come again. */
  error?: unknown;
}

/** Weightiest first. */
const TRIGGERS: readonly Trigger[] = ['alarm', 'event', 'follow-up', 'recovery', 'tick'];

/** The weightiest trigger among those that woke us. */
export const triggerOf = ({ heeded }: Pick<Case, 'heeded'>): Trigger =>
  TRIGGERS.find((trigger) => heeded.some(({ signal }) => signal.trigger === trigger)) ?? 'tick';

/** Names of the occurrences that woke us, each once. */
export const occurrencesOf = ({ heeded }: Pick<Case, 'heeded'>): string[] => [
  ...new Set(heeded.map(({ signal }) => signal.occurrence).filter((occurrence) => occurrence !== '')),
];

/** A storm has hundreds; the ledger keeps what is said here as long as the incident. */
const CAUSES_SAID = 10;

/** What woke us, for a person. */
export const causeOf = ({ heeded }: Pick<Case, 'heeded'>): string => {
  const causes = [...new Set(heeded.map(({ signal }) => signal.cause))];
  const more = causes.length - CAUSES_SAID;
  return [...causes.slice(0, CAUSES_SAID), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
};

/** From the oldest AWS event's own time until now, ms; null where only our own messages woke us. */
export const latencyOf = ({ heeded }: Pick<Case, 'heeded'>, now: number): number | null => {
  const times = heeded
    .filter(({ signal }) => signal.trigger !== 'tick' && signal.trigger !== 'follow-up')
    .map(({ signal }) => signal.at);
  return times.length === 0 ? null : now - Math.min(...times);
};

/** The open incident's id, or the one to open: its time, and the record that opened it. */
export const incidentIdOf = ({ state, recordId }: Pick<Case, 'state' | 'recordId'>): string =>
  state.incident?.id ??
  `rfx-${recordId.slice(0, 19).replace(/[-:]/g, '')}-${recordId.slice(recordId.indexOf('#') + 1)}`;

/** Others have acted since the ledger was read: what was decided does not know of it. */
export const isOutdated = ({ ledgerView, state }: Case, now: ResourceState): boolean =>
  'value' in ledgerView && now.lastActAt !== state.lastActAt;

/** Somebody has acted since the facts were read: they describe what was before. The check that an incident expects is newer than its acts. */
export const isOvertaken = ({ observed, state, check }: Case): boolean =>
  check === undefined && 'facts' in observed && state.lastActAt !== undefined && state.lastActAt >= observed.facts.asOf;

/** A dry run holds nothing, and a hold that there is stands. */
export const holds = ({ decision, mode, state }: Case): boolean =>
  decision.kind === 'escalate' && decision.hold === true && mode === 'on' && state.hold === undefined;

/** Calls as they are shown and stored. */
export const withoutSecrets = (actions: readonly (Call | OutcomeAction)[]): OutcomeAction[] =>
  actions.map((action) => ({ ...action, params: redact(action.params) }));

/** The line of history this case is, at epoch ms `at`. */
export const historyOf = (c: Case, at: number): HistoryRecord => {
  const { decision } = c;
  const trace = traceId();
  return {
    fn: c.state.fn,
    resource: c.resource,
    recordId: c.recordId,
    at,
    incidentId: c.incidentId,
    trigger: triggerOf(c),
    cause: causeOf(c),
    decision: decision.kind,
    reason: decision.reason,
    why: decision.why,
    ...adviceOf(decision),
    ...(holds(c) && { held: true }),
    mode: c.mode,
    dryRun: c.dryRun,
    actions: c.actions,
    facts: 'facts' in c.observed ? redact(c.observed.facts) : null,
    ...(trace !== undefined && { traceId: trace }),
  };
};

/** What the handler returns of this case. */
export const outcomeOf = (c: Case): Outcome => ({
  resource: c.resource,
  decision: c.decision.kind,
  reason: c.decision.reason,
  why: c.decision.why,
  actions: c.actions,
  dryRun: c.dryRun,
  incidentId: c.incidentId,
  ...adviceOf(c.decision),
});

const adviceOf = (decision: Decision): { advice?: string } =>
  decision.kind === 'escalate' && decision.advice !== undefined ? { advice: decision.advice } : {};
