/**
 * What Reflex understands of the outside world, after parsing and before any AWS call.
 * Every time is epoch ms. Enums that AWS owns stay open strings: an unknown value never means the default action.
 */

/** One metric an alarm watches. */
export interface AlarmMetric {
  readonly id: string | null;
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** Account of a cross-account metric; null: the alarm's own. */
  readonly accountId: string | null;
}

export interface CompositeAlarm {
  readonly rule: string;
  /** ARNs of the children that triggered it; may be empty (SetAlarmState). */
  readonly children: readonly string[];
  /** Who suppressed the actions (`Alarm`, `WaitPeriod`, `ExtensionPeriod`), or null. */
  readonly suppressedBy: string | null;
}

export interface AlarmEvent {
  readonly kind: 'alarm';
  readonly alarmArn: string;
  readonly alarmName: string;
  readonly account: string;
  readonly region: string;
  /** ALARM, OK, INSUFFICIENT_DATA, or what AWS adds one day. */
  readonly state: string;
  /** The state's own timestamp: with the ARN it names the occurrence. */
  readonly at: number;
  readonly stateReason: string;
  /** Rows with a MetricStat; expression rows are left out. Empty for a composite alarm. */
  readonly metrics: readonly AlarmMetric[];
  readonly composite: CompositeAlarm | null;
  /** ARNs of the alarm's ALARM actions where the delivery carries them (SNS), else empty. */
  readonly alarmActions: readonly string[];
}

/** A schedule's wake-up. `incidents`: only what is already open; `all`: every opted-in resource too. */
export interface TickEvent {
  readonly kind: 'tick';
  readonly at: number;
  readonly scope: 'all' | 'incidents';
}

/** Our own delayed message: look at this resource again. */
export interface FollowUpEvent {
  readonly kind: 'follow-up';
  readonly fn: string;
  readonly resource: string;
  readonly incidentId: string;
  /** Sequence number of the check; the incident expects exactly one. */
  readonly check: number;
  /** Look no earlier than this (SQS delays at most 15 minutes; longer waits are re-delayed). */
  readonly notBefore: number;
}

export type ReflexEvent = AlarmEvent | TickEvent | FollowUpEvent;

/** The three outcomes of parsing, never confused. */
export type Parsed =
  | { readonly kind: 'event'; readonly event: ReflexEvent }
  | { readonly kind: 'not-for-us'; readonly reason: string }
  | { readonly kind: 'broken'; readonly error: BrokenMessage };

/** Says which field is wrong, what was found and what is expected. Never carries the value of an unknown field. */
export class BrokenMessage extends Error {
  override readonly name = 'BrokenMessage';
  readonly field: string;
  constructor(field: string, expected: string, found?: string) {
    super(`${field}: expected ${expected}${found === undefined ? '' : `, found ${found}`}`);
    this.field = field;
  }
}
