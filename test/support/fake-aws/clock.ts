import type { Clock } from './service.ts';

const MINUTE = 60_000;

/** A clock that stands still until it is moved. */
export const fakeClock = (start: number): Clock => {
  let now = start;
  const listeners: ((at: number) => void)[] = [];
  return Object.assign(() => now, {
    advance: (ms: number) => {
      const until = now + ms;
      for (let next = nextMinute(now); next <= until; next = nextMinute(now)) {
        now = next;
        for (const listener of listeners) listener(next);
      }
      now = until;
    },
    eachMinute: (listener: (at: number) => void) => void listeners.push(listener),
  });
};

const nextMinute = (at: number): number => (Math.floor(at / MINUTE) + 1) * MINUTE;
