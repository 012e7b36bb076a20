import type { CommonFacts, Situation } from '../../shared/function.ts';

/** What one check found. */
export interface Answer {
  /** Of the last hop; null: there was no answer. */
  readonly status: number | null;
  /** From the first byte sent to the last one read, redirects included, ms. */
  readonly latencyMs: number;
  /** Of the hop whose certificate expires first, epoch ms; null: none was seen. */
  readonly certificateExpiresAt: number | null;
  /** null: nothing to look for, or no body. */
  readonly bodyMatches: boolean | null;
  /** Why there was no answer; null: there was one. */
  readonly error: string | null;
}

/** `tags`: a site opts in by being listed. */
export interface SiteFacts extends CommonFacts, Answer {
  readonly url: string;
}

/** What this function asks the ledger to remember of a site. */
export type Memory = {
  readonly site?: Streak;
  readonly certificate?: Streak;
};

/** Failures in a row, up to now. */
export type Streak = {
  readonly failures: number;
  /** When the first of them was seen, epoch ms. */
  readonly since: number;
  /** People were told. */
  readonly told: boolean;
};

export type SiteSituation = Situation<SiteFacts>;
