import { AwsError } from '../../test/support/fake-aws/service.ts';
import { COLD_START_MS } from './inbox.ts';
import type { VirtualTime } from './time.ts';
import { type Call, roundTrip } from './wire.ts';
import type { Victim, World } from './world.ts';

/** Lambda's default for an account and Region. */
const CONCURRENCY = 1_000;
/** The SDK's standard retries: three attempts, full jitter up to these, ms. Throttles wait from 500 ms, doubling. */
const SDK_WAITS = [500, 1_000];
/** Lambda repeats a failed asynchronous invocation after one minute, and once more after two. */
const LAMBDA_WAITS = [60_000, 120_000];

/**
 * The published way, as a model: one invocation an event, and in it every call for that one task. No memory of what was done, so each of a
 * task's events does it again. `retries`: the SDK's and Lambda's; without, an error ends the event.
 */
export const perEvent = (
  time: VirtualTime,
  { services, victims }: World,
  calls: Call[],
  { retries, random }: { readonly retries: boolean; readonly random: () => number },
): void => {
  let idle = 0;
  let running = 0;
  const waiting: (() => void)[] = [];

  const call = async ({ service, operation, input }: Victim['perEvent'][number]): Promise<void> => {
    const run = services.find(({ name }) => name === service)?.operations[operation];
    const trip = roundTrip(service);
    for (let attempt = 0; ; attempt++) {
      await time.sleep(trip / 2);
      let failure: unknown;
      try {
        if (run === undefined) throw new Error(`the storm has no ${service} ${operation}`);
        run(input);
        calls.push({ service, operation, refused: false, at: time.clock() });
      } catch (error) {
        failure = error;
        const refused = error instanceof AwsError && /Throttling|RequestLimitExceeded/.test(error.code);
        calls.push({ service, operation, refused, at: time.clock() });
      }
      await time.sleep(trip / 2);
      if (failure === undefined) return;
      const longest = retries ? SDK_WAITS[attempt] : undefined;
      if (longest === undefined) throw failure;
      await time.sleep(random() * longest);
    }
  };

  const invoke = async (victim: Victim): Promise<boolean> => {
    if (running >= CONCURRENCY) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    if (idle > 0) idle--;
    else await time.sleep(COLD_START_MS);
    try {
      for (const one of victim.perEvent) await call(one);
      return true;
    } catch {
      return false;
    } finally {
      idle++;
      running--;
      waiting.shift()?.();
    }
  };

  const handle = async (victim: Victim, after: number): Promise<void> => {
    await time.sleep(after);
    for (const wait of retries ? [0, ...LAMBDA_WAITS] : [0]) {
      if (wait > 0) await time.sleep(wait);
      if (await invoke(victim)) return;
    }
  };

  for (const victim of victims) for (const { after } of victim.events) void handle(victim, after);
};
