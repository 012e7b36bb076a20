import type { MetricUnit } from '@aws-lambda-powertools/metrics';
import type { DecisionKind } from '../decision.ts';
import type { Reason } from '../reasons.ts';

/**
 * Metrics of namespace `Reflex`, as EMF lines. Each distinct set of dimension values is a metric that is paid for, so
 * the dimensions are few and closed: stack, function, decision, reason, budget. The resource is a property, found by query.
 */
export interface Meter {
  /** `Outcome` by function, decision and reason; `DryRunOutcome` as well where nothing was written. */
  outcome(fn: string, decision: DecisionKind, reason: Reason, dryRun: boolean): void;
  /** `EventToAction`, ms, from the event's own time; a clock that runs ahead counts as 0. */
  eventToAction(fn: string, ms: number): void;
  /** `BudgetLeft`: attempts left in the rolling window. */
  budgetLeft(fn: string, resource: string, budget: string, left: number): void;
  /** `Held`: resources that wait for a person. */
  held(fn: string, count: number): void;
  /** `BrokenMessage`: messages that could not be parsed. */
  brokenMessages(fn: string, n: number): void;
  /** `NotForUs`: messages that were understood and concern nobody here. */
  notForUs(fn: string, n: number): void;
  /** `NotificationRefused`, of the whole stack: a notification that SNS did not take; it is tried again. */
  notificationRefused(): void;
  /** A value of a function's own. */
  put(measured: Measured): void;
  /** Writes what was counted since the last time. */
  flush(): Promise<void>;
}

/** A value as `emf.ts` writes it. */
export interface Measured {
  readonly dimensions: Readonly<Record<string, string>>;
  readonly name: string;
  readonly unit: (typeof MetricUnit)[keyof typeof MetricUnit];
  readonly value: number;
  /** ARN; a property of the line. */
  readonly resource?: string;
}

/**
 * What writes the lines is loaded at the first flush, which comes after the act. `POWERTOOLS_METRICS_DISABLED=true`
 * silences it.
 */
export function metricsFromEnv(): Meter {
  let collected: Measured[] = [];
  const put = (measured: Measured): void => void collected.push(measured);
  const count = (dimensions: Measured['dimensions'], name: string, value: number, resource?: string): void =>
    put({ dimensions, name, unit: 'Count', value, ...(resource !== undefined && { resource }) });
  return {
    outcome: (fn, decision, reason, dryRun) => {
      count({ function: fn, decision, reason }, 'Outcome', 1);
      if (dryRun) count({ function: fn, decision, reason }, 'DryRunOutcome', 1);
    },
    eventToAction: (fn, ms) => {
      const value = Math.max(0, ms);
      put({ dimensions: { function: fn }, name: 'EventToAction', unit: 'Milliseconds', value });
    },
    budgetLeft: (fn, resource, budget, left) => count({ function: fn, budget }, 'BudgetLeft', left, resource),
    held: (fn, n) => count({ function: fn }, 'Held', n),
    brokenMessages: (fn, n) => {
      if (n > 0) count({ function: fn }, 'BrokenMessage', n);
    },
    notForUs: (fn, n) => {
      if (n > 0) count({ function: fn }, 'NotForUs', n);
    },
    notificationRefused: () => count({}, 'NotificationRefused', 1),
    put,
    flush: async () => {
      if (collected.length === 0) return;
      const values = collected;
      collected = [];
      const { writeLines } = await import('./emf.ts');
      writeLines(values);
    },
  };
}
