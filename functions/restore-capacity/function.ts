import type { ReflexFunction } from '../../shared/function.ts';
import type { Patience } from '../../shared/patience.ts';
import { act } from './act.ts';
import { decide } from './decide.ts';
import { type Facts, isService, type RestoreCall } from './facts.ts';
import { joinMemories } from './group/memory.ts';
import { groupPart } from './group/part.ts';
import { hear } from './hear.ts';
import { observe } from './observe.ts';
import type { Policy } from './policy.ts';
import { joined } from './service/facts.ts';
import { servicePart } from './service/part.ts';

/**
 * Lets on-demand capacity stand in where Spot has none, and takes it back when Spot has.
 * @throws SettingError for a wrong environment variable.
 */
export const restoreCapacity = (
  env: NodeJS.ProcessEnv,
  patience: Patience,
): ReflexFunction<Facts, Policy, RestoreCall> => {
  const services = servicePart(env, patience);
  const groups = groupPart(env, patience.clock);
  return {
    name: 'restore-capacity',
    // What is not recorded is never taken back: docs/decisions/0015-capacity-on-loan.md.
    onGuardError: 'stop',
    hear: hear(services.hear, groups.hear),
    sweep: async () => (await Promise.all([services.sweep(), groups.sweep()])).flat(),
    observe: observe(services.observe, groups.observe),
    // The warnings of a storm come in several batches at once: what each of them counts is added up. Of a service the later memory stands.
    join: (resource, theirs, ours) => (isService({ resource }) ? joined : joinMemories)(theirs, ours),
    policy: (tags) => ({ service: () => services.policy(tags), group: () => groups.policy(tags) }),
    decide,
    act: act(services.act, groups.act),
  };
};
