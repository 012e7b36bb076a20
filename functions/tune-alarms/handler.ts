import { setTimeout } from 'node:timers/promises';
import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { tuneAlarms } from './function.ts';
import { tellingWhatMatters } from './tell.ts';

const runtime = runtimeFromEnv('tune-alarms');
const patience = { clock: runtime.clock, sleep: (ms: number) => setTimeout(ms) };

export const handler = remediation(tuneAlarms(process.env, patience), tellingWhatMatters(runtime));
