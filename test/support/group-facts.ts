import { decide } from '../../functions/restore-capacity/group/decide.ts';
import type { GroupFacts, News } from '../../functions/restore-capacity/group/facts.ts';
import type { Memory } from '../../functions/restore-capacity/group/memory.ts';
import type { GroupPolicy } from '../../functions/restore-capacity/group/policy.ts';
import type { Decision } from '../../shared/decision.ts';
import type { LedgerFacts, Situation, Trigger } from '../../shared/function.ts';
import { at, instanceId } from './event-builders.ts';
import { groupArn } from './fake-aws/autoscaling.ts';

export const MINUTE = 60_000;
export const POOL = 'm5.large eu-west-1a';
export const OTHER_POOL = 'c5.large eu-west-1b';

export const opted: GroupPolicy = { fallbackMode: 'on-demand-base', fallbackMax: null };
export const notifies: GroupPolicy = { fallbackMode: 'notify', fallbackMax: null };

/** A group of ten Spot instances in one pool and ten in another. */
export const groupFacts = (changes: Partial<GroupFacts> = {}): GroupFacts => ({
  asOf: at,
  kind: 'group',
  arn: groupArn('workers'),
  name: 'workers',
  tags: { 'reflex:enabled': 'true' },
  deleting: false,
  max: 40,
  desired: 20,
  present: 20,
  desiredType: 'units',
  distribution: { base: 2, percentageAboveBase: 0, segments: false },
  launchTemplate: null,
  pools: { [POOL]: 10, [OTHER_POOL]: 10 },
  weights: {},
  news: [],
  ...changes,
});

/** Warnings of `count` instances of a pool, numbered from `first`. */
export const warnings = (count: number, { pool = POOL, first = 1, at: when = at } = {}): News[] =>
  Array.from({ length: count }, (_, i) => ({
    kind: 'interruption',
    id: instanceId(first + i),
    pool,
    at: when,
  }));

export const failures = (count: number, { pool = '* eu-west-1a', first = 1, at: when = at } = {}): News[] =>
  Array.from({ length: count }, (_, i) => ({ kind: 'launch-failure', id: `activity-${first + i}`, pool, at: when }));

export const situation = (
  changes: Partial<GroupFacts> & { readonly trigger?: Trigger } = {},
  ledger: Partial<LedgerFacts> = {},
): Situation<GroupFacts> => {
  const { trigger = 'event', ...facts } = changes;
  return {
    ...groupFacts(facts),
    trigger,
    ledger: { attempts: {}, lastActAt: null, incident: null, remembered: {}, ...ledger },
  };
};

/** The base an act sets; null: the decision is no act. */
export const baseSetBy = (decision: Decision): number | null => {
  if (decision.kind !== 'act') return null;
  const [call] = decision.calls as readonly {
    params: { MixedInstancesPolicy: { InstancesDistribution: { OnDemandBaseCapacity: number } } };
  }[];
  return call?.params.MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity ?? null;
};

/**
 * A group as AWS keeps it, with the memory the ledger keeps of it: decides, and does what was decided. What nobody looks at does not
 * happen.
 */
export const groupDriver = (start: Partial<GroupFacts> = {}, policy: GroupPolicy = opted) => {
  let facts = groupFacts(start);
  let ledger: LedgerFacts = { attempts: {}, lastActAt: null, incident: null, remembered: {} };
  const bases: number[] = [];
  const look = (now: number, news: readonly News[] = []): Decision => {
    const trigger = news.length > 0 ? 'event' : 'follow-up';
    const decision = decide({ ...facts, asOf: now, news, trigger, ledger }, policy, now);
    const { remember = ledger.remembered } = decision;
    const incident = decision.kind === 'act' || decision.kind === 'defer' ? { openedAt: now, steps: 0 } : null;
    ledger = { ...ledger, remembered: remember, incident };
    const base = baseSetBy(decision);
    if (base !== null && facts.distribution !== null) {
      facts = { ...facts, distribution: { ...facts.distribution, base } };
      ledger = { ...ledger, lastActAt: now };
      bases.push(base);
    }
    return decision;
  };
  return {
    look,
    /** Looks again whenever a decision says so, until none does or `until` is past; gives the last time. */
    settle: (from: number, until: number): number => {
      let now = from;
      for (;;) {
        const decision = look(now);
        if (decision.kind === 'defer') now = Math.max(now + 1, decision.until);
        else if (decision.kind === 'act') now += decision.followUpMs ?? MINUTE;
        else return now;
        if (now > until) return now;
      }
    },
    change: (changes: Partial<GroupFacts>) => {
      facts = { ...facts, ...changes };
    },
    setBase: (base: number) => {
      if (facts.distribution !== null) facts = { ...facts, distribution: { ...facts.distribution, base } };
    },
    get base() {
      return facts.distribution?.base ?? null;
    },
    get memory(): Memory {
      return ledger.remembered as Memory;
    },
    /** Every base that was set, in order. */
    bases,
  };
};
