import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';

/** What the rescue of log volumes counts beside outcomes. Namespace `Reflex`, dimension function. */
export interface RescueMeter {
  /** `KeptVolumes`, `KeptGiB`, `OldestKeptVolume` (s): the volumes whose logs are not proven to be in S3. Every sweep, also when there are none. */
  kept(kept: { readonly volumes: number; readonly GiB: number; readonly oldestMs: number }): void;
  /** `RescuedFiles`, `RescuedBytes`: proven to be in S3. */
  shipped(shipped: { readonly files: number; readonly bytes: number }): void;
}

/** `POWERTOOLS_METRICS_DISABLED=true` silences it. */
export function rescueMetricsFromEnv(fn: string): RescueMeter {
  const made = (): Metrics => {
    const metrics = new Metrics({ namespace: 'Reflex' });
    metrics.clearDefaultDimensions();
    return metrics.setDefaultDimensions({ function: fn });
  };
  return {
    kept: ({ volumes, GiB, oldestMs }) =>
      made()
        .addMetric('KeptVolumes', MetricUnit.Count, volumes)
        .addMetric('KeptGiB', MetricUnit.Gigabytes, GiB)
        .addMetric('OldestKeptVolume', MetricUnit.Seconds, Math.round(oldestMs / 1_000))
        .publishStoredMetrics(),
    shipped: ({ files, bytes }) =>
      made()
        .addMetric('RescuedFiles', MetricUnit.Count, files)
        .addMetric('RescuedBytes', MetricUnit.Bytes, bytes)
        .publishStoredMetrics(),
  };
}
