import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { relieveElastiCache } from './function.ts';

const runtime = runtimeFromEnv('relieve-elasticache');

export const handler = remediation(relieveElastiCache(process.env, runtime.clock), runtime);
