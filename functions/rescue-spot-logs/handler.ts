import { setTimeout } from 'node:timers/promises';
import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { rescueMetrics } from '../../shared/telemetry/rescue-metrics.ts';
import { rescueSpotLogs } from './function.ts';
import { subjectOf } from './tell.ts';

const runtime = runtimeFromEnv('rescue-spot-logs');
const patience = { clock: runtime.clock, sleep: (ms: number) => setTimeout(ms), random: Math.random };

const meter = rescueMetrics('rescue-spot-logs', runtime.metrics);

export const handler = remediation(rescueSpotLogs(process.env, patience, meter), inSwarms(runtime, subjectOf));
