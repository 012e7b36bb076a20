import { setTimeout } from 'node:timers/promises';
import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { restoreCapacity } from './function.ts';
import { subjectOf } from './tell.ts';

const runtime = runtimeFromEnv('restore-capacity');
const patience = { clock: runtime.clock, sleep: (ms: number) => setTimeout(ms), random: Math.random };

export const handler = remediation(restoreCapacity(process.env, patience), inSwarms(runtime, subjectOf));
