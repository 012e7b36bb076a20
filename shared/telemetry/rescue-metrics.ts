import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { metricsOf } from './emf.ts';

/** What came to S3 of an instance: copied ahead by the host, in its last two minutes, or from the volume that was kept. */
export interface Shipment {
  readonly phase: 'pre-copy' | 'interruption' | 'rescue';
  readonly files: number;
  readonly bytes: number;
  /** Counted by the rescue, which has the time. */
  readonly lines?: number | undefined;
}

/** What the rescue of log volumes counts beside outcomes. Namespace `Reflex`, dimensions stack and function. */
export interface RescueMeter {
  /** `KeptVolumes`, `KeptGiB`, `OldestKeptVolume` (s): the volumes whose logs are not proven to be in S3. Every sweep, also when there are none. */
  kept(kept: { readonly volumes: number; readonly GiB: number; readonly oldestMs: number }): void;
  /** `ShippedFiles`, `ShippedBytes`, `ShippedLines`, by dimension phase as well. */
  shipped(shipment: Shipment): void;
  /** `Unrecoverable`: directories on instance store that a host could not ship whole before it was gone. */
  unrecoverable(directories: number): void;
}

/** `POWERTOOLS_METRICS_DISABLED=true` silences it. */
export function rescueMetricsFromEnv(fn: string): RescueMeter {
  const made = (dimensions: Readonly<Record<string, string>> = {}) => metricsOf({ function: fn, ...dimensions });
  return {
    kept: ({ volumes, GiB, oldestMs }) =>
      made()
        .addMetric('KeptVolumes', MetricUnit.Count, volumes)
        .addMetric('KeptGiB', MetricUnit.Gigabytes, GiB)
        .addMetric('OldestKeptVolume', MetricUnit.Seconds, Math.round(oldestMs / 1_000))
        .publishStoredMetrics(),
    shipped: ({ phase, files, bytes, lines }) => {
      const metrics = made({ phase })
        .addMetric('ShippedFiles', MetricUnit.Count, files)
        .addMetric('ShippedBytes', MetricUnit.Bytes, bytes);
      if (lines !== undefined) metrics.addMetric('ShippedLines', MetricUnit.Count, lines);
      metrics.publishStoredMetrics();
    },
    unrecoverable: (directories) =>
      made().addMetric('Unrecoverable', MetricUnit.Count, directories).publishStoredMetrics(),
  };
}
