import { drainFargate } from '../../functions/drain-fargate/function.ts';
import { subjectOf } from '../../functions/drain-fargate/tell.ts';
import { remediation } from '../../shared/remediation.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { sqsBatch } from './event-builders.ts';
import { type FakeOptions, fakeRuntime, fakeWorld, pump, type World } from './fake-runtime.ts';

interface Time {
  readonly clock: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** A world whose time is another's. */
export const worldAt = (clock: () => number): World =>
  Object.defineProperty(fakeWorld(), 'now', { get: clock, set: () => undefined });

/** drain-fargate on a ledger in memory, wired as its handler is; jitter waits its longest. */
export const drainer = (
  time: Time,
  { world = worldAt(time.clock), env = {}, ...options }: FakeOptions & { readonly env?: NodeJS.ProcessEnv } = {},
) => {
  const runtime = fakeRuntime({ world, ...options });
  const fn = drainFargate(env, { ...time, random: () => 0.999 }, runtime.ledger.note);
  const handle = remediation(fn, inSwarms(runtime, subjectOf));
  return {
    runtime,
    world,
    handle,
    /** One batch of events from the inbox. */
    batch: (...events: readonly unknown[]) => handle(sqsBatch(...events)),
    /** Delivers what has become due in the inbox. */
    pump: async () => {
      const result = await pump(world, handle);
      if (result === 'crashed') throw new Error('the invocation crashed');
      return result;
    },
  };
};
