import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { DecisionKind } from '../decision.ts';
import type { Reason } from '../reasons.ts';
import { metricsOf } from './emf.ts';

/**
 * Metrics of namespace `Reflex`, as EMF lines. Each distinct set of dimension values is a metric that is paid for, so
 * the dimensions are few and closed: function, decision, reason, budget. The resource is a property, found by query.
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
  /** Writes what was counted since the last time. */
  flush(): void;
}

type Dimensions = Readonly<Record<string, string>>;

/** `POWERTOOLS_METRICS_DISABLED=true` silences it. */
export function metricsFromEnv(): Meter {
  const collected = new Map<string, Metrics>();
  const at = (dimensions: Dimensions): Metrics => {
    const key = JSON.stringify(dimensions);
    const metrics = collected.get(key) ?? metricsOf(dimensions);
    collected.set(key, metrics);
    return metrics;
  };
  const count = (fn: string, name: string, n: number): void => {
    if (n > 0) at({ function: fn }).addMetric(name, MetricUnit.Count, n);
  };
  return {
    outcome: (fn, decision, reason, dryRun) => {
      const metrics = at({ function: fn, decision, reason }).addMetric('Outcome', MetricUnit.Count, 1);
      if (dryRun) metrics.addMetric('DryRunOutcome', MetricUnit.Count, 1);
    },
    eventToAction: (fn, ms) => {
      at({ function: fn }).addMetric('EventToAction', MetricUnit.Milliseconds, Math.max(0, ms));
    },
    budgetLeft: (fn, resource, budget, left) => {
      const metrics = metricsOf({ function: fn, budget }).addMetadata('resource', resource);
      metrics.addMetric('BudgetLeft', MetricUnit.Count, left).publishStoredMetrics();
    },
    held: (fn, n) => {
      at({ function: fn }).addMetric('Held', MetricUnit.Count, n);
    },
    brokenMessages: (fn, n) => count(fn, 'BrokenMessage', n),
    notForUs: (fn, n) => count(fn, 'NotForUs', n),
    flush: () => {
      for (const metrics of collected.values()) metrics.publishStoredMetrics();
      collected.clear();
    },
  };
}
