import type { Hook, Memory, Notice } from './facts.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** EC2 takes the instance 120 s after the notice; what is not done by then is left to the kept volume. */
export const TWO_MINUTES = 110 * SECOND;
/** A hook of an instance that is in no hurry is held this long at most. */
export const HOLD_AT_MOST = 15 * MINUTE;
/** The same interruption may be told again, with another time; a persistent request's instance is interrupted again only hours later. */
const SAME_INTERRUPTION = 15 * MINUTE;
/** A drain asked for on a recommendation is tried this long. */
const REBALANCE_DRAIN = 10 * MINUTE;

/** What is remembered, with what the notices add. The same notices again change nothing. */
export const heeding = (memory: Memory, notices: readonly Notice[]): Memory =>
  notices.reduce((known, notice) => adding(survived(known, notice) ? {} : known, notice), memory);

/** The instance lives on after an interruption that is long over (it was stopped and started, or spared): that is another story. */
const survived = ({ interruption }: Memory, { at }: Notice): boolean =>
  interruption !== undefined && at - interruption.at > SAME_INTERRUPTION;

const adding = (memory: Memory, notice: Notice): Memory => {
  switch (notice.kind) {
    case 'interruption': {
      const { action, at } = notice;
      const known = memory.interruption;
      if (known !== undefined) return { ...memory, interruption: { action, at: Math.min(at, known.at) } };
      const { hooks } = memory;
      return { interruption: { action, at }, ...(hooks && { hooks }) };
    }
    case 'rebalance':
      return afresh({ ...memory, rebalanceAt: memory.rebalanceAt ?? notice.at });
    case 'scheduled-change':
      return afresh({ ...memory, change: { code: notice.code, startsAt: notice.startsAt } });
    case 'lifecycle': {
      const { kind: _, ...hook } = notice;
      const others = (memory.hooks ?? []).filter(({ token }) => token !== hook.token);
      return afresh({ ...memory, hooks: [...others, hook] });
    }
  }
};

const afresh = ({ tries: _, sends: __, unsafe: ___, ...memory }: Memory): Memory => memory;

/** What is to be done about an instance, by what was told of it. Times are epoch ms. */
export interface Ending {
  /** What the volumes are tagged. */
  readonly rescue: 'armed' | 'pending';
  /** When it was told, or for when. */
  readonly since: number;
  /** What the host ships, and until when; null: nothing, there is no time or no need. */
  readonly ship: { readonly phase: 'pre-copy' | 'interruption'; readonly until: number } | null;
  /** Until when the host is drained; null: it is not. */
  readonly drainUntil: number | null;
  /** The instance is going to die by itself: its Auto Scaling group may replace it now. */
  readonly replace: boolean;
  /** Until when lifecycle hooks are held. */
  readonly holdUntil: number;
  readonly hooks: readonly Hook[];
}

/** null: nothing is known to happen to the instance. */
export const endingOf = (memory: Memory, drainsOnRebalance: boolean, now: number): Ending | null => {
  const { interruption, hooks = [], rebalanceAt, change } = memory;
  const firstHookAt = Math.min(...hooks.map(({ at }) => at));
  const holdUntil =
    interruption === undefined
      ? firstHookAt + HOLD_AT_MOST
      : Math.min(interruption.at + TWO_MINUTES, firstHookAt + HOLD_AT_MOST);
  const common = { hooks, holdUntil, replace: false };
  if (interruption !== undefined) {
    const { action, at } = interruption;
    const leaves = action === 'terminate' || action === 'stop';
    return {
      ...common,
      rescue: action === 'terminate' || hooks.length > 0 ? 'pending' : 'armed',
      since: at,
      ship: leaves ? { phase: 'interruption', until: at + TWO_MINUTES } : null,
      drainUntil: leaves || hooks.length > 0 ? at + TWO_MINUTES : null,
      replace: action === 'terminate',
    };
  }
  if (hooks.length > 0) {
    return {
      ...common,
      rescue: 'pending',
      since: firstHookAt,
      ship: { phase: 'interruption', until: holdUntil },
      drainUntil: holdUntil,
    };
  }
  const preCopy = { phase: 'pre-copy', until: now + PRE_COPY } as const;
  if (rebalanceAt !== undefined) {
    const drainUntil = drainsOnRebalance ? rebalanceAt + REBALANCE_DRAIN : null;
    return { ...common, rescue: 'armed', since: change?.startsAt ?? rebalanceAt, ship: preCopy, drainUntil };
  }
  if (change !== undefined) {
    return { ...common, rescue: 'armed', since: change.startsAt, ship: preCopy, drainUntil: null };
  }
  return null;
};

/** A pre-copy has no deadline of its own, and must not run for ever. */
export const PRE_COPY = 10 * MINUTE;
