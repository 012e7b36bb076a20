import type { Reaction } from './reaction.ts';
import type { Check, Moment } from './story.ts';
import type { World } from './world.ts';

/** What a scenario found; it passed if every check is ok. */
export interface Findings {
  readonly event: string;
  readonly reaction: Reaction;
  readonly checks: readonly Check[];
  readonly moments?: readonly Moment[];
}

export interface Scenario {
  readonly id: string;
  /** Folder of the function whose concern it is. */
  readonly fn: string;
  readonly title: string;
  readonly shows: string;
  run(world: World, progress: Progress): Promise<Findings>;
}

/** How a scenario tells where it is. */
export interface Progress {
  /** For the resource it makes. */
  readonly name: string;
  note(text: string): void;
  /** From here on it only waits, so the next may begin. */
  waits(): void;
}
