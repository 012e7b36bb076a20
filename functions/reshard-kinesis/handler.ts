import { remediation } from '../../shared/remediation.ts';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { reshardKinesis } from './function.ts';

const runtime = runtimeFromEnv('reshard-kinesis');

export const handler = remediation(reshardKinesis(process.env, runtime.clock), runtime);
