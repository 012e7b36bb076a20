/** The same at every run, so that the counts in docs/faults.md are; `FUZZ_SEED` looks for new cases. */
export const seed = Number(process.env.FUZZ_SEED || 20_261_121) >>> 0;

export interface Random {
  /** A whole number from 0 up to, but not including, `n`. */
  readonly below: (n: number) => number;
  readonly of: <T>(list: readonly T[]) => T;
}

/** mulberry32: small, fast, and the same everywhere. */
export const randomFrom = (start: number): Random => {
  let state = start >>> 0;
  const below = (n: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((((t ^ (t >>> 14)) >>> 0) * n) / 4_294_967_296) | 0;
  };
  return {
    below,
    of: (list) => list[below(list.length)] as (typeof list)[number],
  };
};
