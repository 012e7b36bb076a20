import { isTransient } from './aws/client.ts';

/** Time and chance, as a function waits by them. */
export interface Patience {
  /** Epoch ms. */
  readonly clock: () => number;
  /** ms. */
  readonly sleep: (ms: number) => Promise<void>;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
}

/** Full jitter up to 100 ms at first, doubling up to 800 ms. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 800;

/**
 * Makes a call, and again where AWS throttled it or did not answer, until epoch ms `until`. A throttle often comes as
 * HTTP 400, so its name tells, not its status.
 * @throws the call's last error.
 */
export const patiently = async <T>(
  { clock, sleep, random }: Patience,
  until: number,
  call: () => Promise<T>,
): Promise<T> => {
  for (let longest = FIRST_WAIT_MS; ; longest = Math.min(2 * longest, LONGEST_WAIT_MS)) {
    try {
      return await call();
    } catch (error) {
      const wait = random() * longest;
      if (!isTransient(error) || clock() + wait >= until) throw error;
      await sleep(wait);
    }
  }
};

/**
 * A token bucket of our own, to keep within AWS's: a call is let through as soon as AWS would take it, in the order of asking.
 * AWS keeps one bucket an account and Region, so others may still empty it.
 */
export const paced = (
  { burst, perSecond }: { readonly burst: number; readonly perSecond: number },
  { clock, sleep }: Pick<Patience, 'clock' | 'sleep'>,
): (() => Promise<void>) => {
  let tokens = burst;
  let at = clock();
  return async () => {
    const now = clock();
    tokens = Math.min(burst, tokens + ((now - at) / 1_000) * perSecond) - 1;
    at = now;
    if (tokens < 0) await sleep((-tokens / perSecond) * 1_000);
  };
};
