import type { Reading } from './guards/guard.ts';

/** What was read, or that it could not be: one failed read is a value, and stops no other. */
export const reading = async <T>(read: () => Promise<T>): Promise<Reading<T>> => {
  try {
    return { value: await read() };
  } catch (error) {
    return { error };
  }
};

/** Reads each key once; whoever asks again shares the answer, a refusal too. */
export const once = <T>(read: (key: string) => Promise<T>): ((key: string) => Promise<T>) => {
  const asked = new Map<string, Promise<T>>();
  return (key) => {
    const answer = asked.get(key) ?? read(key);
    asked.set(key, answer);
    return answer;
  };
};
