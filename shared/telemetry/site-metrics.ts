import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { metricsOf } from './emf.ts';

/** What a check of a site counts beside outcomes. Namespace `Reflex`, dimensions stack, function and site: three paid metrics a site. */
export interface SiteMeter {
  /**
   * `SiteUp` (1: nothing is wrong with it; 0), `SiteLatency` (ms, only of an answer) and `CertificateDaysLeft` (only where a
   * certificate was seen). `now`: epoch ms.
   */
  checked(
    site: string,
    answer: {
      readonly well: boolean;
      readonly status: number | null;
      readonly latencyMs: number;
      readonly certificateExpiresAt: number | null;
    },
    now: number,
  ): void;
}

const DAY = 86_400_000;
/** CloudWatch takes no longer value of a dimension. */
const LONGEST = 1_024;

/** `POWERTOOLS_METRICS_DISABLED=true` silences it. */
export function siteMetricsFromEnv(fn: string): SiteMeter {
  return {
    checked: (site, { well, status, latencyMs, certificateExpiresAt }, now) => {
      const metrics = metricsOf({ function: fn, site: site.slice(0, LONGEST) });
      metrics.addMetric('SiteUp', MetricUnit.Count, well ? 1 : 0);
      if (status !== null) metrics.addMetric('SiteLatency', MetricUnit.Milliseconds, latencyMs);
      if (certificateExpiresAt !== null) {
        metrics.addMetric('CertificateDaysLeft', MetricUnit.NoUnit, (certificateExpiresAt - now) / DAY);
      }
      metrics.publishStoredMetrics();
    },
  };
}
