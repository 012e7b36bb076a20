export { band } from '../../shared/utilization-band.ts';

/** Most open shards UpdateShardCount accepts. */
export const API_MAX_SHARDS = 10_000;

export interface Bounds {
  readonly min: number;
  readonly max: number;
  /** Free shards of the account; null: unknown, the API will tell. */
  readonly free: number | null;
}

/**
 * Splits of a uniform reshard from n to m: m - gcd(n, m). They come before the merges, so this is also how many shards
 * the account must have free while it runs.
 */
const splitsNeeded = (n: number, m: number): number => m - gcd(n, m);

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** AWS asks for multiples of 25 % of the present count; other steps may take longer. */
const quarters = (n: number, from: number): number[] =>
  [1, 2, 3].map((k) => from + (k * n) / 4).filter((m) => Number.isInteger(m));

/**
 * Open shards after one upward UpdateShardCount; `n` where none is possible.
 * Doubling first: it is the only step that splits every shard once and merges none. Then the smallest multiple of 25 %
 * that suffices, else the largest; then whatever the bounds leave.
 */
export const grown = (n: number, required: number, bounds: Bounds): number => {
  const ceiling = Math.min(2 * n, bounds.max, API_MAX_SHARDS);
  const fits = (m: number) => m <= ceiling && splitsNeeded(n, m) <= (bounds.free ?? Infinity);
  if (fits(2 * n)) return 2 * n;
  const steps = quarters(n, n).filter(fits);
  const step = steps.find((m) => m >= required) ?? steps.at(-1);
  if (step !== undefined) return step;
  for (let m = ceiling; m > n; m--) if (fits(m)) return m;
  return n;
};

/**
 * Open shards after one downward UpdateShardCount; `n` where none is possible.
 * The API refuses less than half; how it rounds half of an odd count is undocumented, so up.
 */
export const shrunk = (n: number, required: number, bounds: Bounds): number => {
  const floor = Math.max(Math.ceil(n / 2), required, bounds.min);
  // A stream above the API's maximum may only go below it.
  const fits = (m: number) =>
    m < Math.min(n, API_MAX_SHARDS) && m >= floor && splitsNeeded(n, m) <= (bounds.free ?? Infinity);
  const step = quarters(n, 0).find(fits);
  if (step !== undefined) return step;
  for (let m = floor; m < n; m++) if (fits(m)) return m;
  return n;
};
