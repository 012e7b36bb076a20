import { Metrics } from '@aws-lambda-powertools/metrics';
import type { Measured } from './metrics.ts';

/**
 * A line of metrics of namespace `Reflex` with these dimensions, the stack as `STACK_NAME` has it, so that two stacks in one Region
 * do not count as one, and the version as `REFLEX_VERSION` has it.
 */
export const metricsOf = (dimensions: Readonly<Record<string, string>>): Metrics => {
  const metrics = new Metrics({ namespace: 'Reflex' });
  metrics.clearDefaultDimensions();
  return metrics
    .setDefaultDimensions({ stack: process.env.STACK_NAME || 'none', ...dimensions })
    .addMetadata('version', process.env.REFLEX_VERSION || 'development');
};

/** A line for each set of dimensions and each resource. */
export const writeLines = (measured: readonly Measured[]): void => {
  const lines = Map.groupBy(measured, ({ dimensions, resource }) => JSON.stringify([dimensions, resource]));
  for (const [first, ...others] of lines.values()) {
    if (first === undefined) continue;
    const metrics = metricsOf(first.dimensions);
    if (first.resource !== undefined) metrics.addMetadata('resource', first.resource);
    for (const { name, unit, value } of [first, ...others]) metrics.addMetric(name, unit, value);
    metrics.publishStoredMetrics();
  }
};
