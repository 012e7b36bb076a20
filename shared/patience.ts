import { isThrottle, isTransient } from './aws/client.ts';

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
 * Makes a call, and again where AWS throttled it or did not answer, until epoch ms `until`; another `isWorthRepeating` where that would do
 * harm. A throttle often comes as HTTP 400, so its name tells, not its status.
 * @throws the call's last error; but where one try got no answer, and those after it were only throttled or not made, that of the
 * unanswered one: it may have taken effect.
 */
export const patiently = async <T>(
  { clock, sleep, random }: Patience,
  until: number,
  call: () => Promise<T>,
  isWorthRepeating: (error: unknown) => boolean = isTransient,
): Promise<T> => {
  let unanswered: unknown;
  for (let longest = FIRST_WAIT_MS; ; longest = Math.min(2 * longest, LONGEST_WAIT_MS)) {
    try {
      return await call();
    } catch (error) {
      const wait = random() * longest;
      if (isNotMade(error)) throw unanswered ?? error;
      if (!isWorthRepeating(error)) throw error;
      if (!isThrottle(error)) unanswered = error;
      if (clock() + wait >= until) throw unanswered ?? error;
      await sleep(wait);
    }
  }
};

/** How the error begins of a call whose turn was too far off: nothing went wrong, it is made later. */
export const NOT_MADE = 'not made: ';

export const isNotMade = (error: unknown): boolean => error instanceof Error && error.message.startsWith(NOT_MADE);

/**
 * A token bucket of our own, to keep within AWS's: a call is let through as soon as AWS would take it, in the order of asking.
 * AWS keeps one bucket an account and Region, so others may still empty it. One whose turn would come after epoch ms `until`
 * is turned away at once, and costs nothing.
 */
export const paced = (
  { burst, perSecond }: { readonly burst: number; readonly perSecond: number },
  { clock, sleep }: Pick<Patience, 'clock' | 'sleep'>,
): ((until?: number) => Promise<void>) => {
  let tokens = burst;
  let at = clock();
  return async (until = Number.POSITIVE_INFINITY) => {
    const now = clock();
    tokens = Math.min(burst, tokens + (Math.max(0, now - at) / 1_000) * perSecond);
    at = now;
    const wait = Math.max(0, ((1 - tokens) / perSecond) * 1_000);
    if (now + wait > until) throw new Error(`${NOT_MADE}AWS takes ${perSecond} a second, and its turn was too far off`);
    tokens -= 1;
    if (wait > 0) await sleep(wait);
  };
};
