import { Metrics } from '@aws-lambda-powertools/metrics';
import { chunksOf } from '../aws/pages.ts';
import type { Measured } from './metrics.ts';

/** EMF takes 100 values of a metric; Powertools writes at the hundredth by itself, and leaves the metadata out of what follows. */
const valuesPerLine = 99;

/**
 * A line of metrics of namespace `Reflex` with these dimensions, the stack as `STACK_NAME` has it, so that two stacks in one Region
 * do not count as one, and the version as `REFLEX_VERSION` has it.
 */
const metricsOf = (dimensions: Readonly<Record<string, string>>): Metrics => {
  const metrics = new Metrics({ namespace: 'Reflex' });
  metrics.clearDefaultDimensions();
  return metrics
    .setDefaultDimensions({ stack: process.env.STACK_NAME || 'none', ...dimensions })
    .addMetadata('version', process.env.REFLEX_VERSION || 'development');
};

/** A line for each set of dimensions and each resource; several where it would hold too many values. */
export const writeLines = (measured: readonly Measured[]): void => {
  const lines = Map.groupBy(measured, ({ dimensions, resource }) => JSON.stringify([dimensions, resource]));
  for (const [first, ...others] of [...lines.values()].flatMap((all) => chunksOf(all, valuesPerLine))) {
    if (first === undefined) continue;
    const metrics = metricsOf(first.dimensions);
    if (first.resource !== undefined) metrics.addMetadata('resource', first.resource);
    for (const { name, unit, value } of [first, ...others]) metrics.addMetric(name, unit, value);
    metrics.publishStoredMetrics();
  }
};
