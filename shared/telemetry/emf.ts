import { Metrics } from '@aws-lambda-powertools/metrics';

/** A line of metrics of namespace `Reflex` with these dimensions, and the version as `REFLEX_VERSION` has it. */
export const metricsOf = (dimensions: Readonly<Record<string, string>>): Metrics => {
  const metrics = new Metrics({ namespace: 'Reflex' });
  metrics.clearDefaultDimensions();
  return metrics
    .setDefaultDimensions({ ...dimensions })
    .addMetadata('version', process.env.REFLEX_VERSION || 'development');
};
