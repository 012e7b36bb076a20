import type { ReflexFunction } from '../../shared/function.ts';
import type { Patience } from '../../shared/patience.ts';
import { act } from './act.ts';
import { decide } from './decide.ts';
import { joined, recall, type TaskFacts } from './facts.ts';
import { hear } from './hear.ts';
import { observe } from './observe.ts';
import { type Policy, stackPolicy, taskPolicy } from './policy.ts';
import type { RunCall } from './run.ts';

/**
 * Runs standalone Fargate tasks again that a Spot interruption ended.
 * @throws SettingError for a wrong environment variable.
 */
export const resumeFargate = (
  env: NodeJS.ProcessEnv,
  patience: Patience,
): ReflexFunction<TaskFacts, Policy, RunCall> => {
  const stack = stackPolicy(env);
  return {
    name: 'resume-fargate',
    onGuardError: 'stop',
    hear,
    // An interruption is told by events alone; what was begun stays open until it is done.
    sweep: async () => [],
    observe: observe(patience),
    recall,
    join: (_, theirs, ours) => joined(theirs, ours),
    policy: (tags) => taskPolicy(stack, tags),
    decide,
    act: act(patience),
  };
};
