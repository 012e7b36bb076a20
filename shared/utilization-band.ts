/** Between which utilisations nothing is done. From 0.5: scale up above 0.75, scale in below 0.25. */
export interface Band {
  readonly up: number;
  readonly down: number;
}

/**
 * `down < up / 2` for every target, so that no doubling lands below `down`; and a stream shrunk to `target` lies below `up`.
 * Together: no decision leads straight to its opposite.
 */
export const band = (target: number): Band => ({ up: Math.min(1.5 * target, (1 + target) / 2), down: target / 2 });
