import type { Answer } from './facts.ts';
import type { Policy } from './policy.ts';

/** What is wrong with an answer, for a person; empty: nothing. */
export const problemsOf = (
  { status, latencyMs, bodyMatches, error }: Answer,
  policy: Pick<Policy, 'maxLatencyMs'>,
): string[] => [
  ...(error === null ? [] : [error]),
  ...(status !== null && (status < 200 || status > 299) ? [`answered ${status}`] : []),
  ...(status !== null && latencyMs > policy.maxLatencyMs
    ? [`took ${latencyMs} ms, more than ${policy.maxLatencyMs}`]
    : []),
  ...(bodyMatches === false ? ['the body does not contain what it should'] : []),
];
