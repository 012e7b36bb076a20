import { instanceArn, placeOf } from '../../shared/arns.ts';
import { resourcesTagged } from '../../shared/aws/tagging.ts';
import type { ReflexFunction } from '../../shared/function.ts';
import type { Patience } from '../../shared/patience.ts';
import { RESCUE_TAGS } from '../../shared/spot-logs.ts';
import { act } from './act.ts';
import { decide, type HostCall } from './decide.ts';
import type { InstanceFacts } from './facts.ts';
import { hear } from './hear.ts';
import { foresee, observe } from './observe.ts';
import { instancePolicy, type Policy, stackPolicy } from './policy.ts';

/**
 * Keeps the log volumes of an EC2 instance that is about to go, ships its logs, and takes the host out of service.
 * @throws SettingError for a wrong environment variable.
 */
export const saveSpotLogs = (
  env: NodeJS.ProcessEnv,
  patience: Patience,
): ReflexFunction<InstanceFacts, Policy, HostCall> => {
  const stack = stackPolicy(env);
  return {
    name: 'save-spot-logs',
    onGuardError: 'proceed',
    // Above the function's timeout, and over before the inbox delivers again: a crash is made good while the instance lives.
    leaseMs: 33_000,
    hear: hear(env.AWS_REGION ?? ''),
    sweep,
    observe: observe(stack, patience),
    policy: (tags) => instancePolicy(stack, tags),
    decide,
    foresee: foresee(stack, patience),
    act: act(patience),
  };
};

/** Instances with an armed volume: those that outlived a recommendation are disarmed. The volumes' tags know them all. */
const sweep = async (): Promise<readonly string[]> => {
  const volumes = await resourcesTagged('ec2:volume', RESCUE_TAGS.rescue, 'armed');
  const instances = volumes.flatMap(({ arn, tags }) => {
    const id = tags[RESCUE_TAGS.instance];
    return id === undefined ? [] : instanceArn(placeOf(arn), id);
  });
  return [...new Set(instances)];
};
