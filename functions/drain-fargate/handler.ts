import { setTimeout } from 'node:timers/promises';
import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { drainFargate } from './function.ts';
import { subjectOf } from './tell.ts';

const runtime = runtimeFromEnv('drain-fargate');
const patience = { clock: runtime.clock, sleep: (ms: number) => setTimeout(ms), random: Math.random };

export const handler = remediation(
  drainFargate(process.env, patience, runtime.ledger.note),
  inSwarms(runtime, subjectOf),
);
