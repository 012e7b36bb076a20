import { resourcesTagged } from '../../../shared/aws/tagging.ts';
import type { Patience } from '../../../shared/patience.ts';
import { OPT_IN_TAG, tagOf } from '../../../shared/settings.ts';
import type { Part } from '../part.ts';
import { act } from './act.ts';
import type { ServiceFacts } from './facts.ts';
import { hear } from './hear.ts';
import { observe } from './observe.ts';
import { type ServicePolicy, servicePolicy, stackPolicy } from './policy.ts';
import type { ServiceCall } from './view.ts';

/**
 * Looks after ECS services on Fargate Spot: SERVICE_TASK_PLACEMENT_FAILURE -> UpdateService.
 * @throws SettingError for a wrong environment variable.
 */
export const servicePart = (
  env: NodeJS.ProcessEnv,
  patience: Patience,
): Part<ServiceFacts, ServicePolicy, ServiceCall> => {
  const stack = stackPolicy(env);
  return {
    hear,
    sweep,
    observe: observe(stack, patience),
    policy: (tags) => servicePolicy(stack, tags),
    act: act(patience),
  };
};

/** Services that something may stand in for: what a person interrupted is gone on with, though no event tells of it. */
const sweep = async (): Promise<string[]> => {
  const optedIn = await resourcesTagged('ecs:service', OPT_IN_TAG, 'true');
  const modes = [tagOf('fallbackService'), tagOf('fallbackMode')];
  return optedIn.filter(({ tags }) => modes.some((mode) => tags[mode] !== undefined)).map(({ arn }) => arn);
};
