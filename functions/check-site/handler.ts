import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { siteMetrics } from '../../shared/telemetry/site-metrics.ts';
import { checkSite } from './function.ts';

const runtime = runtimeFromEnv('check-site');

export const handler = remediation(
  checkSite(process.env, runtime.clock, siteMetrics('check-site', runtime.metrics)),
  runtime,
);
