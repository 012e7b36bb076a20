import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { siteMetricsFromEnv } from '../../shared/telemetry/site-metrics.ts';
import { checkSite } from './function.ts';

const runtime = runtimeFromEnv('check-site');

export const handler = remediation(checkSite(process.env, runtime.clock, siteMetricsFromEnv('check-site')), runtime);
