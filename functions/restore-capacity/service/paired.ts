import { type Decision, escalate, skip } from '../../../shared/decision.ts';
import { time } from '../../../shared/words.ts';
import { type Memory, type PairedStandIn, type PairState, type ServiceState, turned } from './facts.ts';
import {
  CAUGHT_UP,
  commandToSeeWhy,
  coolDown,
  countOf,
  levelAtEntry,
  minutes,
  nextLook,
  putOff,
  type ServiceCall,
  shortSince,
  update,
  usesSpot,
  type View,
  wholeSince,
} from './view.ts';

const MINUTE = 60_000;
/** Steps down are at least this far apart. */
const TICK = 5 * MINUTE;
/** A step down takes at most this share of the paired service's tasks; one task at least. */
const STEP = 0.25;
/**
 * The pair takes load, so the Spot service's autoscaler may make it smaller; taken for recovery, that would end in overload.
 * For this long the pair covers what the load at entry needed; after that the new size is the normal one.
 */
const HOLD_LOAD = 60 * MINUTE;
/** On-demand tasks that do not run by then want a person. */
const STARTED_WITHIN = 10 * MINUTE;

/** Raises the paired service to what the Spot service lacks. */
export const beginPaired = (view: View): Decision<ServiceCall> => {
  const { facts, service, policy, memory, now } = view;
  const { pair } = facts;
  const unfit = unfitness(view);
  if (unfit !== undefined || pair === null) return unfit ?? noPair(view);
  const wanted = wantedOf(service, service.desired, pair.desired, policy.fallbackMax);
  if (wanted <= pair.desired) {
    return skip(
      'fallback-enough',
      `${countOf(service)}; ${pair.name} is set to ${pair.desired} already${capped(view, service.desired)}.`,
    );
  }
  const standIn: PairedStandIn = {
    mode: 'paired',
    pair: pair.name,
    since: now,
    original: pair.desired,
    wrote: wanted,
    previous: pair.desired,
    need: service.desired,
  };
  return update(
    'spot-fallback',
    `No Spot capacity: ${countOf(service)}. ${pair.name} goes from ${pair.desired} to ${wanted} on-demand tasks${capped(view, service.desired)}.`,
    setTo(pair, wanted),
    { ...turned(memory), level: levelAtEntry(memory, now), standIn },
  );
};

/** Up at once, down in steps when Spot has long been back, and out of the way of whoever else sets the count. */
export const goOnPaired = (view: View, before: PairedStandIn): Decision<ServiceCall> => {
  const { facts, service, policy, memory, now } = view;
  const { pair } = facts;
  const { level = 0 } = memory;
  const shownAt = (facts.ledger.lastActAt ?? 0) + CAUGHT_UP;
  if (pair !== null && pair.desired !== before.wrote && now < shownAt) {
    const why = `${countOf(service)}; ${pair.name} was set to ${before.wrote} a moment ago, and still shows ${pair.desired}.`;
    return putOff('spot-short', { until: shownAt }, why);
  }
  const foreign = takenOver(view, before);
  if (foreign !== undefined) return letGo(view, foreign);
  const unfit = unfitness(view);
  if (unfit !== undefined || pair === null) return unfit ?? noPair(view);

  const standIn = followed(view, before, pair);
  const need = Math.max(service.desired, standIn.need);
  const wanted = wantedOf(service, need, standIn.original, policy.fallbackMax);
  const look = nextLook(standIn.since, now);
  // ECS did not take the last change, or somebody undid it at once: that counts as a try that failed.
  const remember: Memory = { ...memory, standIn };
  const again = { planned: pair.desired === before.wrote, otherwise: remember };
  const change = { previous: pair.desired };
  const counts = `${countOf(service)}; ${pair.name} runs ${pair.running} of ${pair.desired}`;

  if (wanted > pair.desired) {
    const { stepped, ...kept } = standIn;
    return update(
      'spot-fallback',
      `${counts}. It goes up to ${wanted}${capped(view, need)}.`,
      setTo(pair, wanted),
      { ...turned(memory), level: level + (stepped === true ? 1 : 0), standIn: { ...kept, ...change, wrote: wanted } },
      again,
    );
  }
  const cap = Math.max(standIn.original, policy.fallbackMax ?? Number.POSITIVE_INFINITY);
  if (pair.desired > cap) {
    return update(
      'fallback-capped',
      `${counts}, and reflex:fallback-max is ${policy.fallbackMax} now: down to ${cap}.`,
      setTo(pair, cap),
      { ...memory, ...turned(memory), standIn: { ...standIn, ...change, wrote: cap } },
      again,
    );
  }
  const { wholeSince: since } = standIn;
  if (since === undefined) return notBack(view, pair, standIn, counts);
  const due = Math.max(since + coolDown(level), (facts.ledger.lastActAt ?? 0) + TICK);
  if (wanted === pair.desired && wanted > standIn.original) {
    const until = (standIn.lowSince ?? now) + HOLD_LOAD;
    return putOff(
      'load-held',
      look,
      `${counts}. At entry the load needed ${standIn.need}; that is covered until ${time(until)}.`,
      remember,
    );
  }
  if (now < due) {
    return putOff(
      'spot-settling',
      { ...look, until: Math.min(due, look.until) },
      `${counts}. Spot has had all tasks for ${minutes(now - since)}; what is next is due at ${time(due)}.`,
      remember,
    );
  }
  if (pair.desired === standIn.original) {
    return skip('resolved', `${counts}, as before the shortage.`, { ...turned(memory), level, endedAt: now });
  }
  const next = Math.max(wanted, pair.desired - Math.max(1, Math.floor(pair.desired * STEP)));
  return update(
    'spot-failback',
    `${counts}. Spot has had all tasks for ${minutes(now - since)}: down to ${next}, in the end to ${wanted}.`,
    setTo(pair, next),
    { ...memory, ...turned(memory), standIn: { ...standIn, ...change, wrote: next, stepped: true } },
    { ...again, coolDownMs: TICK },
  );
};

/** The command that raises the pair by hand. */
export const shortage = ({ service, facts, policy }: View, pair: string): string =>
  `aws ecs update-service --cluster ${service.clusterArn} --service ${pair} --desired-count ${wantedOf(
    service,
    service.desired,
    facts.pair?.desired ?? 0,
    policy.fallbackMax,
  )}`;

/** Absolute, so that it does not matter how often it is asked for: what is lacking, at most `max`, never below what was there. */
const wantedOf = ({ running }: ServiceState, need: number, original: number, max: number | null): number =>
  Math.max(original, Math.min(need - running, max ?? Number.POSITIVE_INFINITY));

const setTo = ({ clusterArn, name }: PairState, desiredCount: number) => ({
  cluster: clusterArn,
  service: name,
  desiredCount,
});

const capped = ({ policy, service }: View, need: number): string =>
  policy.fallbackMax !== null && need - service.running > policy.fallbackMax
    ? ` (reflex:fallback-max; ${need - service.running} are lacking)`
    : '';

/** What is remembered, brought up to this look. */
const followed = (view: View, before: PairedStandIn, pair: PairState): PairedStandIn => {
  const { service, now } = view;
  const { previous, lowSince, wholeSince: whole, shortSince: lacking, ...kept } = before;
  const rest = {
    ...kept,
    ...wholeSince(view, whole),
    ...shortSince(pair, lacking, now),
    ...(pair.desired !== kept.wrote && { previous: pair.desired }),
  };
  // What is set to 0 is switched off, by a person or a plan: load never makes an autoscaler do that.
  if (service.desired === 0) return { ...rest, need: 0 };
  if (service.desired >= kept.need) return rest;
  const low = lowSince ?? now;
  return now - low >= HOLD_LOAD ? { ...rest, need: service.desired } : { ...rest, lowSince: low };
};

/** Spot is still short, and what may stand in does; unless on-demand tasks do not start either. */
const notBack = (
  { facts, memory, policy, service, now }: View,
  pair: PairState,
  standIn: PairedStandIn,
  counts: string,
): Decision<ServiceCall> => {
  const remember: Memory = { ...memory, standIn };
  const since = Math.max(facts.ledger.lastActAt ?? 0, standIn.shortSince ?? now);
  if (now - since >= STARTED_WITHIN) {
    return escalate(
      'on-demand-short',
      `${counts}: on-demand tasks have been lacking for ${minutes(now - since)}, too.`,
      `See why: ${commandToSeeWhy(pair)}`,
      remember,
    );
  }
  const lacking = service.desired - service.running;
  const atMost = policy.fallbackMax !== null && lacking > policy.fallbackMax ? `, ${policy.fallbackMax} at most` : '';
  return putOff('spot-short', nextLook(standIn.since, now), `${counts}${atMost}. Spot is still short.`, remember);
};

/** Who set something else than Reflex did wants it so. */
const takenOver = ({ facts: { pair }, policy }: View, standIn: PairedStandIn): string | undefined => {
  if (policy.mode !== 'paired' || policy.fallbackService !== standIn.pair) {
    return `the tags do not name ${standIn.pair} any more; it was set to ${standIn.wrote}`;
  }
  if (pair === null || pair.desired === standIn.wrote || pair.desired === standIn.previous) return undefined;
  return `${pair.name} was set to ${pair.desired}, and Reflex had set ${standIn.wrote}`;
};

/** The incident ends, and nothing is touched until the shortage is over. */
const letGo = ({ memory, now }: View, what: string): Decision<ServiceCall> => {
  const { standIn, ...rest } = memory;
  return skip('fallback-released', `Somebody else decides now: ${what}. Reflex leaves it as it is.`, {
    ...rest,
    ...turned(memory),
    released: now,
  });
};

const noPair = ({ service, policy }: View): Decision<ServiceCall> =>
  escalate(
    'fallback-unfit',
    `${countOf(service)}; the cluster has no service ${policy.fallbackService}.`,
    'Make it, on demand (launch type FARGATE), with the same target groups and the tag reflex:enabled = true, or correct reflex:fallback-service.',
  );

/** Why the paired service cannot stand in. */
const unfitness = (view: View): Decision<ServiceCall> | undefined => {
  const { pair } = view.facts;
  if (pair === null) return noPair(view);
  const wrong = PAIR_RULES.find(({ is }) => is(pair, view.service));
  return (
    wrong && escalate('fallback-unfit', `${countOf(view.service)}; ${pair.name} ${wrong.text}.`, wrong.advice(pair))
  );
};

interface PairRule {
  readonly is: (pair: PairState, service: ServiceState) => boolean;
  readonly text: string;
  readonly advice: (pair: PairState) => string;
}

const PAIR_RULES: readonly PairRule[] = [
  {
    is: (pair, service) => pair.arn === service.arn,
    text: 'is the service itself',
    advice: () => 'Name another service of the cluster in reflex:fallback-service.',
  },
  {
    is: ({ status }) => status !== 'ACTIVE',
    text: 'is not ACTIVE',
    advice: () => 'Make it anew, or correct reflex:fallback-service.',
  },
  {
    is: ({ optedIn }) => !optedIn,
    text: 'does not carry the tag reflex:enabled = true',
    advice: ({ arn }) => `aws ecs tag-resource --resource-arn ${arn} --tags key=reflex:enabled,value=true`,
  },
  {
    is: ({ scheduling }) => scheduling !== 'REPLICA',
    text: 'has no desired count that could be set',
    advice: () => 'Name a service with the scheduling strategy REPLICA in reflex:fallback-service.',
  },
  {
    is: ({ strategy }) => usesSpot(strategy),
    text: 'runs on FARGATE_SPOT as well, where there is no capacity',
    advice: () => 'Let it run on demand only: launch type FARGATE, or a strategy without FARGATE_SPOT.',
  },
  {
    is: ({ autoscaled }) => autoscaled,
    text: 'has a desired count that Application Auto Scaling sets',
    advice: ({ clusterArn, name }) =>
      `Let one of the two set it: aws application-autoscaling deregister-scalable-target --service-namespace ecs --scalable-dimension ecs:service:DesiredCount --resource-id service/${clusterArn.slice(clusterArn.lastIndexOf('/') + 1)}/${name}`,
  },
];
