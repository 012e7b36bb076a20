import type { Part } from '../part.ts';
import { act } from './act.ts';
import type { GroupCall } from './decide.ts';
import type { GroupFacts } from './facts.ts';
import { hear } from './hear.ts';
import { observe, sweep } from './observe.ts';
import { type GroupPolicy, groupPolicy, stackPolicy } from './policy.ts';

/**
 * Looks after Auto Scaling groups: counts what EC2 takes from their Spot pools, and raises the on-demand base meanwhile.
 * @throws SettingError for a wrong environment variable.
 */
export const groupPart = (env: NodeJS.ProcessEnv, clock: () => number): Part<GroupFacts, GroupPolicy, GroupCall> => {
  const stack = stackPolicy(env);
  return {
    hear,
    sweep,
    observe: observe(clock),
    policy: (tags) => groupPolicy(stack, tags),
    act: act(clock),
  };
};
