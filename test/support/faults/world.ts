import type { ReflexEvent } from '../../../shared/events/event.ts';
import type { Heard } from '../../../shared/function.ts';
import type { Patience } from '../../../shared/patience.ts';
import type { Result } from '../../../shared/remediation.ts';
import type { Runtime } from '../../../shared/runtime.ts';
import type { World } from '../fake-runtime.ts';

/** Something happens in the account; what it returns arrives in the inbox. */
export interface Step {
  /** ms since the scene began. */
  readonly after: number;
  readonly happens: () => readonly unknown[];
}

/** One resource in trouble, and how anybody can see what became of it. */
export interface Scene {
  /** AWS's own clock, epoch ms. */
  readonly now: () => number;
  readonly advance: (ms: number) => void;
  /** ARN. */
  readonly resource: string;
  readonly steps: readonly Step[];
  /** The trouble is over, or all that can be done is done. `world`: with the function's ledger. */
  readonly done: (world: World) => boolean;
  /** What must never be, as sentences: acted twice, capacity lowered, a volume deleted unproven. */
  readonly harm: () => readonly string[];
}

/** Three resources in the same trouble, for events of every kind of nonsense. */
export interface Crowd {
  readonly now: () => number;
  readonly advance: (ms: number) => void;
  /** What was heard of all three before, in one batch, and what happened after that. */
  readonly before?: readonly unknown[];
  readonly happens?: () => void;
  /** As AWS sends them, in every shape; each names the victim and nobody else. */
  readonly bodies: readonly unknown[];
  /** By AWS's published fields alone: this event is a reason to look at what it names. */
  readonly reports: (event: unknown) => boolean;
  /** Names the customer, as no other event does: it arrives in the middle of nonsense and has to be heard. */
  readonly good: unknown;
  readonly victim: Marks;
  readonly customer: Marks;
  /** In the same trouble, and not opted in. */
  readonly bystander: Marks;
}

export interface Marks {
  /** The names by which an event may call it. */
  readonly names: readonly string[];
  /** Tells in a request's body that it concerns this resource. */
  readonly trace: string;
}

/** What the fault run and the fuzzing need to know of one function; a file here by the function's name. */
export interface FaultWorld {
  /** The fake's. */
  readonly url: string;
  readonly close: () => Promise<void>;
  /** It changes something in the account; false: it only looks, and tells. */
  readonly acts: boolean;
  /** How often the schedule looks at everything, ms; null: never. */
  readonly sweepMs: number | null;
  /** How long the inbox hides a message, and how often it delivers one at most. */
  readonly hiddenMs: number;
  /** After this time all is over, ms. */
  readonly horizonMs: number;
  readonly onGuardError: 'stop' | 'proceed';
  /** A closed change calendar stops it; false where `handler.ts` leaves the calendar out. */
  readonly heedsCalendar: boolean;
  /** As `handler.ts` wires it. */
  readonly handler: (runtime: Runtime, patience: Patience) => (payload: unknown) => Promise<Result>;
  /** The function's own. */
  readonly hear: (events: readonly ReflexEvent[]) => Promise<readonly Heard[]>;
  readonly scene: (options: { readonly optedIn: boolean }) => Scene;
  readonly crowd: () => Crowd;
}
