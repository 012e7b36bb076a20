import { taskStateChangeBody } from '../../shared/events/ecs-task-state-change.ts';
import type { ReflexFunction } from '../../shared/function.ts';
import type { Patience } from '../../shared/patience.ts';
import { act } from './act.ts';
import { type DrainCall, decide } from './decide.ts';
import type { TaskFacts } from './facts.ts';
import { hear } from './hear.ts';
import { type Note, observe } from './observe.ts';
import { type Policy, servicePolicy, stackPolicy } from './policy.ts';

/**
 * Takes interrupted Fargate Spot tasks out of their target groups and Cloud Map before they are killed. `note`: the ledger's.
 * @throws SettingError for a wrong environment variable.
 */
export const drainFargate = (
  env: NodeJS.ProcessEnv,
  patience: Patience,
  note: Note,
): ReflexFunction<TaskFacts, Policy, DrainCall> => {
  const stack = stackPolicy(env);
  return {
    name: 'drain-fargate',
    // A dying task that stays registered is the worse harm: docs/decisions/0006-drain-without-guards.md.
    onGuardError: 'proceed',
    // Deregistering twice does no harm; a crash must be made good while the task still has time.
    leaseMs: 40_000,
    hear,
    // A registration call takes out all tasks of a group, and AWS takes four a second.
    condense: (event) => (event.kind === 'task-state-change' ? taskStateChangeBody(event) : null),
    // An interruption is told by events alone, and over in two minutes.
    sweep: async () => [],
    observe: observe(stack, patience, note),
    policy: (tags) => servicePolicy(stack, tags),
    decide,
    act: act(patience),
  };
};
