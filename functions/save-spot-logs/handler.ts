import { setTimeout } from 'node:timers/promises';
import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { saveSpotLogs } from './function.ts';
import { subjectOf } from './tell.ts';

const runtime = runtimeFromEnv('save-spot-logs');
const patience = { clock: runtime.clock, sleep: (ms: number) => setTimeout(ms), random: Math.random };

/** No change calendar: docs/decisions/0010-kept-before-all-else.md. */
export const handler = remediation(
  saveSpotLogs(process.env, patience),
  inSwarms({ ...runtime, calendar: null }, subjectOf),
);
