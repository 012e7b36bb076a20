import {
  type Act,
  type Call,
  type Decision,
  defer,
  type Escalate,
  escalate,
  type Skip,
  skip,
} from '../../../shared/decision.ts';
import { quoted, time } from '../../../shared/words.ts';
import type { GroupFacts, GroupSituation } from './facts.ts';
import { type Fallback, heeding, isOfStorm, type Memory, pruned, QUIET } from './memory.ts';
import type { GroupPolicy } from './policy.ts';
import { poolsInWords, type Storm, stormOf } from './storm.ts';

/** The base alone: whatever else the policy and the group say stays as it is. */
export type GroupCall = Call<
  'UpdateAutoScalingGroup',
  {
    AutoScalingGroupName: string;
    MixedInstancesPolicy: { InstancesDistribution: { OnDemandBaseCapacity: number } };
  }
>;

const MINUTE = 60_000;
/** The base is raised at most so often: what comes in between goes into one call. */
const RAISE_EVERY = MINUTE;
/** The base goes back in steps of this share of what was added, one in so long: each has the group buy Spot capacity first. */
const STEP = 0.25;
const STEP_EVERY = 5 * MINUTE;

/** What every rule looks at: the facts, and what follows from them and from what is remembered. */
interface View {
  readonly facts: GroupSituation;
  readonly policy: GroupPolicy;
  readonly now: number;
  readonly storm: Storm;
  /** With what the facts say about it; to be remembered whatever is decided. */
  readonly memory: Memory;
  /** The base Reflex has raised, and nobody else has changed since. */
  readonly held: Fallback | null;
  /** The base as it was before, and is again. */
  readonly reverted: number | null;
  /** Somebody else has, just now. */
  readonly released: Fallback | null;
  /** The last call did not take effect. */
  readonly again: boolean;
  /** The base is never set above this. */
  readonly cap: number;
}

type Rule = (view: View) => Decision<GroupCall> | undefined;

/**
 * What to do about a group whose Spot capacity goes, from facts alone. Pure and total: the first rule that has an answer gives
 * it. `now` is epoch ms. Reasons: docs/reasons.md; the numbers and where they come from: docs/restore-capacity.md.
 */
export const decide = (facts: GroupSituation, policy: GroupPolicy, now: number): Decision<GroupCall> => {
  const view = look(facts, policy, now);
  for (const rule of rules) {
    const decision = rule(view);
    if (decision !== undefined) return { remember: view.memory, ...decision };
  }
  return { ...calm(view), remember: view.memory };
};

const look = (facts: GroupSituation, policy: GroupPolicy, now: number): View => {
  const heard = heeding(facts.ledger.remembered as Memory, facts, now);
  const storm = stormOf(heard, facts, now);
  const known = heard.fallback === undefined ? null : owned(heard.fallback, facts, now);
  const { storm: _, fallback: __, ...rest } = heard;
  const memory = pruned(
    { ...rest, ...(storm.memory && { storm: storm.memory }), ...(known && { fallback: known.fallback }) },
    now,
  );
  return {
    facts,
    policy,
    now,
    storm,
    memory,
    held: known !== null && known.fallback.end === undefined ? known.fallback : null,
    reverted: known?.fallback.end === 'reverted' ? known.fallback.original : null,
    released: known?.takenOver ? known.fallback : null,
    again: known?.again ?? false,
    cap: Math.min(policy.fallbackMax ?? facts.max, facts.max),
  };
};

/** Whose base it is, and how high: another value than Reflex set is somebody else's, but for that of a call that was lost. */
const owned = (fallback: Fallback, { distribution }: GroupFacts, now: number) => {
  const known = { fallback, takenOver: false, again: false };
  if (fallback.end !== undefined) return known;
  const base = distribution?.base ?? null;
  const lost = !fallback.confirmed && base === fallback.was && fallback.was !== fallback.set;
  if (base !== fallback.set && !lost) {
    return { ...known, fallback: { ...fallback, end: 'taken-over', at: now } as const, takenOver: true };
  }
  const confirmed: Fallback = lost ? { ...fallback, set: fallback.was, at: now } : fallback;
  const reverted = confirmed.set === confirmed.original;
  return {
    ...known,
    again: lost,
    fallback: { ...confirmed, confirmed: true, ...(reverted && { end: 'reverted' as const, at: now }) },
  };
};

// --- Is there anything to look after? ---

const gone: Rule = ({ facts }) => (facts.deleting ? skip('group-gone', `${facts.name} is being deleted.`) : undefined);

/** Two that set the same number answer each other: what somebody else has set stands, at least for this storm. */
const taken: Rule = ({ facts, memory: { fallback }, storm, released }) => {
  const base = facts.distribution?.base ?? 'gone';
  if (released !== null) {
    return skip(
      'fallback-released',
      `The on-demand base is ${base}, and Reflex had set ${released.set} (${released.original} before): somebody else changed it, so it is theirs.`,
    );
  }
  if (fallback?.end !== 'taken-over' || storm.memory === null || !isOfStorm(fallback, storm.memory)) return undefined;
  return storm.strikes
    ? skip('fallback-released', `Somebody else set the on-demand base to ${base} in this storm. ${stormInWords(storm)}`)
    : undefined;
};

// --- The base is raised ---

/** MaxSize, or the tag, was lowered meanwhile. */
const tooHigh: Rule = (view) => {
  const { held, cap, facts } = view;
  if (held === null) return undefined;
  const next = Math.max(held.original, cap);
  if (held.set <= next) return undefined;
  return lower(
    view,
    held,
    next,
    `The on-demand base of ${held.set} is above ${cap}, ${limitName(view)} of ${facts.name}`,
  );
};

const raise: Rule = (view) => {
  const { held, storm, policy, facts, now } = view;
  if (held === null || storm.memory === null || policy.fallbackMode !== 'on-demand-base') return undefined;
  if (now >= storm.memory.last + QUIET) return undefined;
  const before = isOfStorm(held, storm.memory) ? held.before : held.set;
  const target = Math.min(view.cap, before + storm.lost);
  if (target <= held.set) return undefined;
  const dueAt = (facts.ledger.lastActAt ?? Number.NEGATIVE_INFINITY) + RAISE_EVERY;
  if (now < dueAt) {
    return defer(
      'fallback-in-force',
      dueAt,
      `${stormInWords(storm)} The on-demand base goes from ${held.set} to ${target} at ${time(dueAt)}.`,
    );
  }
  return raising(view, held, before, target);
};

const lowerAgain: Rule = (view) => {
  const { held, storm, now, facts } = view;
  if (held === null || storm.memory === null) return undefined;
  const quietAt = storm.memory.last + QUIET;
  if (now < quietAt) {
    return defer(
      'fallback-in-force',
      quietAt,
      `The on-demand base is ${held.set} instead of ${held.original}${facts.present < facts.desired ? `, ${facts.present} of ${facts.desired} present` : ''}; it goes back from ${time(quietAt)} on, unless a pool is depleted again. ${stormInWords(storm)}`,
    );
  }
  if (facts.present < facts.desired) {
    return defer(
      'fallback-in-force',
      now + STEP_EVERY,
      `Spot has been quiet since ${time(storm.memory.last)}, but only ${facts.present} of ${facts.desired} are present: the on-demand base stays at ${held.set}.`,
    );
  }
  const dueAt = (facts.ledger.lastActAt ?? Number.NEGATIVE_INFINITY) + STEP_EVERY;
  if (now < dueAt) {
    return defer(
      'fallback-in-force',
      dueAt,
      `The on-demand base is ${held.set}; the next step down is due at ${time(dueAt)}.`,
    );
  }
  const step = Math.max(1, Math.ceil(STEP * (held.peak - held.original)));
  const next = Math.max(held.original, held.set - step);
  return lower(view, held, next, `No Spot pool was depleted since ${time(storm.memory.last)}`);
};

// --- It is as it was ---

const needsPerson: Rule = (view) => {
  const { facts, storm, policy, cap } = view;
  const { distribution: bought, name } = facts;
  if (!storm.strikes || storm.lost === 0) return undefined;
  const why = stormInWords(storm);
  const tell = (reason: Escalate['reason'], what: string, advice: string): Escalate => ({
    ...escalate(reason, `${why} ${what}`, advice),
    finding: `storm of ${time(storm.memory?.since ?? view.now)}`,
  });
  if (bought === null) {
    return tell(
      'no-on-demand-base',
      `${name} has no mixed instances policy: it buys Spot capacity alone.`,
      mixedPolicyAdvice(facts, Math.min(cap, storm.lost)),
    );
  }
  if (bought.segments) {
    return tell(
      'no-on-demand-base',
      `${name} buys by distribution segments, which a base would remove.`,
      `Put on-demand into the segments of ${name}: aws autoscaling update-auto-scaling-group, MixedInstancesPolicy.InstancesDistribution.DistributionSegments`,
    );
  }
  if (facts.desiredType !== 'units') {
    return tell(
      'no-on-demand-base',
      `${name} counts in ${facts.desiredType}, and a Spot warning in instances.`,
      `Choose N in ${facts.desiredType}: ${command(name, 'N')}`,
    );
  }
  if (bought.percentageAboveBase === 100) {
    return skip(
      'on-demand-already',
      `${why} ${name} replaces them on demand: OnDemandPercentageAboveBaseCapacity is 100.`,
    );
  }
  const target = Math.min(cap, bought.base + storm.lost);
  if (target <= bought.base) {
    return tell(
      'fallback-limit',
      `The on-demand base of ${bought.base} cannot go above ${cap}, ${limitName(view)}.`,
      `Raise ${limitName(view)} of ${name}, if on-demand capacity is wanted.`,
    );
  }
  if (policy.fallbackMode === 'on-demand-base') return undefined;
  return tell(
    reasonOf(storm),
    `${name} has ${facts.present} of ${facts.desired}; nothing is changed, because reflex:fallback-mode is notify.`,
    `To buy on demand what is lost: ${command(name, String(target))} Back again later with ${bought.base}. Reflex does both with the tag reflex:fallback-mode = on-demand-base.`,
  );
};

const begin: Rule = (view) => {
  const { storm, facts, cap, now } = view;
  const base = facts.distribution?.base;
  if (!storm.strikes || storm.lost === 0 || storm.memory === null || base === undefined) return undefined;
  const { since } = storm.memory;
  const found = {
    original: base,
    set: base,
    was: base,
    peak: base,
    before: base,
    storm: since,
    at: now,
    confirmed: true,
  };
  return raising(view, found, base, Math.min(cap, base + storm.lost));
};

const calm = ({ storm, facts, reverted }: View): Skip => {
  if (facts.ledger.incident !== null) {
    const ended = reverted === null ? '' : ` The on-demand base is ${reverted} again.`;
    return skip('resolved', `${facts.name} lacks no Spot capacity.${ended}`);
  }
  return skip('pools-hold', `${stormInWords(storm)} ${facts.present} of ${facts.desired} present.`);
};

/** First match wins. */
const rules: readonly Rule[] = [gone, taken, tooHigh, raise, lowerAgain, needsPerson, begin];

// --- The two acts ---

const raising = (view: View, from: Fallback, before: number, target: number): Act<GroupCall> => {
  const { storm, facts, now, memory } = view;
  const limited = target < before + storm.lost ? `, ${limitName(view)}` : '';
  return changing(
    view,
    {
      ...from,
      before,
      set: target,
      was: from.set,
      peak: Math.max(from.peak, target),
      storm: memory.storm?.since ?? now,
      at: now,
      confirmed: false,
    },
    reasonOf(storm),
    `${stormInWords(storm)} ${storm.lost} lost since ${time(storm.memory?.since ?? now)}, ${facts.present} of ${facts.desired} present: the on-demand base goes from ${from.set} to ${target}${limited}. All pools of all groups: npm run ops -- pools`,
    RAISE_EVERY,
  );
};

const lower = (view: View, held: Fallback, next: number, because: string): Act<GroupCall> =>
  changing(
    view,
    { ...held, set: next, was: held.set, at: view.now, confirmed: false },
    'return-to-spot',
    `${because}: it goes from ${held.set} to ${next}, on its way back to ${held.original}.`,
    next === held.original ? MINUTE : STEP_EVERY,
  );

const changing = (
  { facts, memory, again }: View,
  fallback: Fallback,
  reason: Act['reason'],
  why: string,
  followUpMs: number,
): Act<GroupCall> => {
  const remember = { ...memory, fallback };
  return {
    kind: 'act',
    reason,
    why,
    calls: [
      {
        call: 'UpdateAutoScalingGroup',
        params: {
          AutoScalingGroupName: facts.name,
          MixedInstancesPolicy: { InstancesDistribution: { OnDemandBaseCapacity: fallback.set } },
        },
      },
    ],
    coolDownMs: 0,
    followUpMs,
    planned: !again,
    remember,
    otherwise: memory,
  };
};

// --- Words and small parts ---

const reasonOf = ({ mass }: Storm): 'mass-interruption' | 'pool-depleted' =>
  mass ? 'mass-interruption' : 'pool-depleted';

const stormInWords = ({ pools }: Storm): string => {
  const words = poolsInWords(pools);
  return words === ''
    ? 'No Spot capacity was lost in the last five minutes.'
    : `Spot in the last five minutes: ${words}.`;
};

const limitName = ({ policy, facts }: View): string =>
  policy.fallbackMax !== null && policy.fallbackMax <= facts.max ? 'reflex:fallback-max' : 'MaxSize';

const command = (name: string, base: string): string =>
  `aws autoscaling update-auto-scaling-group --auto-scaling-group-name ${quoted(name)} --mixed-instances-policy '{"InstancesDistribution":{"OnDemandBaseCapacity":${base}}}'`;

/** A launch template of a mixed instances policy must not ask for Spot itself. */
const mixedPolicyAdvice = ({ name, launchTemplate }: GroupFacts, base: number): string => {
  if (launchTemplate === null) {
    return `Give ${name} a launch template in place of its launch configuration, without a Spot request, then a mixed instances policy with it.`;
  }
  const { id, version } = launchTemplate;
  const policy = {
    LaunchTemplate: { LaunchTemplateSpecification: { LaunchTemplateId: id, Version: version } },
    InstancesDistribution: {
      OnDemandBaseCapacity: base,
      OnDemandPercentageAboveBaseCapacity: 0,
      SpotAllocationStrategy: 'price-capacity-optimized',
    },
  };
  return `Take the Spot request (InstanceMarketOptions) out of launch template ${id}, then: aws autoscaling update-auto-scaling-group --auto-scaling-group-name ${quoted(name)} --mixed-instances-policy ${quoted(JSON.stringify(policy))}`;
};
