import { AwsError } from './service.ts';

/** AWS's token bucket: `burst` calls at once, then `perSecond`. An empty one refuses with HTTP 400. */
export const bucket = (clock: () => number, burst: number, perSecond: number): (() => void) => {
  let tokens = burst;
  let filledAt = clock();
  return () => {
    tokens = Math.min(burst, tokens + ((clock() - filledAt) / 1_000) * perSecond);
    filledAt = clock();
    // A call that waited for exactly its token shall have it, whatever floating point makes of the sum.
    if (tokens < 1 - 1e-6) throw new AwsError('ThrottlingException', 'Rate exceeded');
    tokens -= 1;
  };
};
