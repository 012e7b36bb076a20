import type { Measured, Meter } from './metrics.ts';

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

export const siteMetrics = (fn: string, { put }: Pick<Meter, 'put'>): SiteMeter => ({
  checked: (site, { well, status, latencyMs, certificateExpiresAt }, now) => {
    const dimensions = { function: fn, site: site.slice(0, LONGEST) };
    const measured = (name: string, unit: Measured['unit'], value: number) => put({ dimensions, name, unit, value });
    measured('SiteUp', 'Count', well ? 1 : 0);
    if (status !== null) measured('SiteLatency', 'Milliseconds', latencyMs);
    if (certificateExpiresAt !== null) measured('CertificateDaysLeft', 'None', (certificateExpiresAt - now) / DAY);
  },
});
