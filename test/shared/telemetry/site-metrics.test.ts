import { beforeEach, describe, expect, it, vi } from 'vitest';
import { metricsFromEnv } from '../../../shared/telemetry/metrics.ts';
import { siteMetrics } from '../../../shared/telemetry/site-metrics.ts';

const NOW = Date.parse('2026-03-05T03:12:00Z');
const DAY = 86_400_000;

const measured = async (
  answer: Parameters<ReturnType<typeof siteMetrics>['checked']>[1],
  site = 'https://a.example',
) => {
  const printed: string[] = [];
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0);
  const meter = metricsFromEnv();
  siteMetrics('check-site', meter).checked(site, answer, NOW);
  await meter.flush();
  stdout.mockRestore();
  const { _aws, ...line } = JSON.parse(printed.join('')) as Record<string, unknown>;
  return line;
};

beforeEach(() => {
  vi.stubEnv('POWERTOOLS_METRICS_DISABLED', undefined);
  vi.stubEnv('REFLEX_VERSION', '1.2.3');
  vi.stubEnv('STACK_NAME', 'reflex');
});

describe('a check', () => {
  it('of a site that answers counts that it is up, its latency, and the days of its certificate', async () => {
    expect(await measured({ well: true, status: 200, latencyMs: 80, certificateExpiresAt: NOW + 10.5 * DAY })).toEqual({
      stack: 'reflex',
      function: 'check-site',
      site: 'https://a.example',
      version: '1.2.3',
      SiteUp: 1,
      SiteLatency: 80,
      CertificateDaysLeft: 10.5,
    });
  });

  it.each([
    [503, { SiteUp: 0, SiteLatency: 80 }],
    [null, { SiteUp: 0 }],
  ])('with status %s counts that it is not, and no latency that there was not', async (status, expected) => {
    const {
      stack: _stack,
      function: _fn,
      site: _site,
      version: _version,
      ...counted
    } = await measured({ well: false, status, latencyMs: 80, certificateExpiresAt: null });
    expect(counted).toEqual(expected);
  });

  it('of a very long URL keeps within what CloudWatch takes for a dimension', async () => {
    const { site } = await measured(
      { well: true, status: 200, latencyMs: 1, certificateExpiresAt: null },
      `https://a.example/${'x'.repeat(2_000)}`,
    );
    expect(String(site)).toHaveLength(1_024);
  });
});
