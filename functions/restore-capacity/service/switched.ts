import { type Decision, escalate, skip } from '../../../shared/decision.ts';
import { time } from '../../../shared/words.ts';
import { type Memory, type ServiceState, type Strategy, type SwitchedStandIn, turned } from './facts.ts';
import type { ServicePolicy } from './policy.ts';
import {
  CAUGHT_UP,
  commandToSeeWhy,
  coolDown,
  countOf,
  isWhole,
  LOOK,
  levelAtEntry,
  minutes,
  nextLook,
  putOff,
  type ServiceCall,
  shortSince,
  type UpdateParams,
  update,
  type View,
  wholeSince,
} from './view.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** While no task asks for Spot, only a deployment can tell whether it is back. The first one comes after this long, ... */
const PROBE_AFTER = 30 * MINUTE;
/** ... and at most this long after the last, since each that fails doubles the wait. */
const PROBE_AFTER_AT_MOST = 6 * HOUR;
/** A deployment that Reflex forces replaces every task; no two of them come closer than this. */
const ROLLS_APART = 15 * MINUTE;
/** A probe that is not through by then has failed, whether ECS tells of it or not. */
const PROBE_AT_MOST = 30 * MINUTE;
/** A deployment that Reflex forces is through by then, or on-demand tasks do not start. */
const STARTED_WITHIN = 30 * MINUTE;
/** Somebody else's deployment is waited for; after this long a person is told. */
const OTHERS_AT_MOST = 30 * MINUTE;

/** Has every task replaced by on-demand ones. */
export const beginSwitched = (view: View): Decision<ServiceCall> => {
  const { facts, service, policy, memory, now } = view;
  const cannot = unswitchable(service, policy, facts.clusterProviders);
  if (cannot !== undefined) {
    const advice = `${cannot.advice} A paired on-demand service (tag reflex:fallback-service) needs none of this.`;
    return escalate('not-switchable', `${countOf(service)}; ${cannot.why}.`, advice);
  }
  if (service.deploying) {
    const opened = facts.ledger.incident?.openedAt ?? now;
    if (now - opened < OTHERS_AT_MOST) return deploying(view);
    return escalate(
      'deployment-in-progress',
      `${countOf(service)}; a deployment has been in progress for more than ${minutes(now - opened)}, and another would supersede it.`,
      `End the deployment, or, if it waits for Spot capacity only: ${commandToSwitch(service)}`,
    );
  }
  const standIn: SwitchedStandIn = {
    mode: 'strategy',
    since: now,
    original: service.strategy,
    standIn: ON_DEMAND,
    probing: false,
    unverified: true,
    rolledAt: now,
  };
  return update(
    'spot-fallback',
    `No Spot capacity: ${countOf(service)}. Every task is replaced by way of ${shown(standIn.standIn)}; it was ${shown(standIn.original)}.`,
    roll(service, standIn.standIn),
    { ...turned(memory), level: levelAtEntry(memory, now), standIn },
  );
};

/** Back to the original strategy after a while; that is a probe until every task runs, and a failed one is taken back. */
export const goOnSwitched = (view: View, before: SwitchedStandIn): Decision<ServiceCall> => {
  const { service, policy, memory, now } = view;
  const [set, other] = before.probing ? [before.original, before.standIn] : [before.standIn, before.original];
  const taken = isSame(service.strategy, set);
  const shownAt = before.rolledAt + CAUGHT_UP;
  if (!taken && now < shownAt) {
    const why = `${countOf(service)}; the strategy was set to ${shown(set)} a moment ago, and still shows ${shown(service.strategy)}.`;
    return putOff(before.probing ? 'spot-settling' : 'spot-short', { until: shownAt }, why);
  }
  const lost = !taken && before.unverified === true && isSame(service.strategy, other);
  const rolledBack = !taken && !lost && before.probing && isSame(service.strategy, other);
  if (policy.mode !== 'strategy' || !(taken || lost || rolledBack)) return letGo(view, before);

  const { unverified, wholeSince: whole, shortSince: lacking, ...kept } = before;
  const standIn: SwitchedStandIn = {
    ...kept,
    ...wholeSince(view, whole),
    ...shortSince(service, lacking, now),
    ...(lost && { unverified: true }),
  };
  if (lost) return again(view, standIn);
  if (rolledBack) {
    const level = (memory.level ?? 0) + 1;
    return putOff(
      'spot-short',
      nextLook(standIn.since, now),
      `ECS took the probe back: the strategy is ${shown(service.strategy)} again.`,
      { ...memory, ...turned(memory), level, standIn: onDemandAgain(standIn) },
    );
  }
  return standIn.probing ? probing(view, standIn) : standingIn(view, standIn);
};

interface Obstacle {
  readonly why: string;
  readonly advice: string;
}

/** Why no deployment of a service can be forced, or none without harm. Asked before each, for a template may change it in between. */
const unrollable = (service: ServiceState): Obstacle | undefined => {
  const { controller, deploymentStrategy, minimumHealthyPercent, scheduling } = service;
  if (controller !== 'ECS') {
    return {
      why: `its deployment controller is ${controller}, which takes no change of strategy`,
      advice: 'Raise its on-demand share by its own deployments.',
    };
  }
  if (deploymentStrategy !== 'ROLLING' || scheduling !== 'REPLICA') {
    return {
      why: `its deployments are ${deploymentStrategy} (${scheduling}), and a forced one would shift traffic`,
      advice: 'Raise its on-demand share by its own deployments.',
    };
  }
  if (minimumHealthyPercent < 100) {
    return {
      why: `its deployments may stop tasks before others run (minimumHealthyPercent ${minimumHealthyPercent})`,
      advice: 'Set minimumHealthyPercent to 100.',
    };
  }
  return undefined;
};

/** Why the strategy of a service cannot be switched. */
export const unswitchable = (
  service: ServiceState,
  { fallbackMax }: ServicePolicy,
  clusterProviders: readonly string[] | null,
): Obstacle | undefined => {
  const cannot = unrollable(service);
  if (cannot !== undefined) return cannot;
  if (fallbackMax !== null && service.desired > fallbackMax) {
    return {
      why: `it would run ${service.desired} tasks on demand, and reflex:fallback-max is ${fallbackMax}`,
      advice: 'Raise reflex:fallback-max.',
    };
  }
  if (clusterProviders !== null && !clusterProviders.includes('FARGATE')) {
    return {
      why: 'its cluster has no capacity provider FARGATE',
      advice:
        'Associate it with aws ecs put-cluster-capacity-providers, which replaces the whole list: name the present ones, too.',
    };
  }
  return undefined;
};

/** The command that switches by hand: on demand, unless said otherwise. */
export const commandToSwitch = ({ clusterArn, name }: ServiceState, strategy: Strategy = ON_DEMAND): string =>
  `aws ecs update-service --cluster ${clusterArn} --service ${name} --capacity-provider-strategy ${shown(strategy)} --force-new-deployment`;

/** A provider of weight 0 places no task: every task runs on demand. */
const ON_DEMAND: Strategy = [
  { capacityProvider: 'FARGATE', base: 0, weight: 1 },
  { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 0 },
];

/** ECS refuses a changed strategy without a new deployment. */
const roll = ({ clusterArn, name }: ServiceState, strategy: Strategy): UpdateParams => ({
  cluster: clusterArn,
  service: name,
  capacityProviderStrategy: strategy.map((row) => ({ ...row })),
  forceNewDeployment: true,
});

const standingIn = (view: View, standIn: SwitchedStandIn): Decision<ServiceCall> => {
  const { service, memory, now } = view;
  const { level = 0 } = memory;
  const look = nextLook(standIn.since, now);
  const remember = { ...memory, standIn };
  const lackingSince = Math.max(standIn.rolledAt, standIn.shortSince ?? now);
  if (now - lackingSince >= STARTED_WITHIN) {
    return escalate(
      'on-demand-short',
      `${countOf(service)} by way of ${shown(service.strategy)}: on-demand tasks have been lacking for ${minutes(now - lackingSince)}.`,
      `See why: ${commandToSeeWhy(service)}`,
      remember,
    );
  }
  const due = standIn.rolledAt + Math.min(PROBE_AFTER * 2 ** level, PROBE_AFTER_AT_MOST);
  if (now < due || standIn.wholeSince === undefined) {
    return putOff(
      'spot-short',
      { ...look, until: now < due ? Math.min(due, look.until) : look.until },
      `${countOf(service)} by way of ${shown(service.strategy)}; Spot is tried again from ${time(due)} on, when all run.`,
      remember,
    );
  }
  if (service.deploying) return deploying(view, standIn);
  const cannot = unrollable(service);
  if (cannot !== undefined) return leftToPerson(service, cannot, standIn.original, remember);
  return update(
    'spot-failback',
    `${countOf(service)}. After ${minutes(now - standIn.rolledAt)} Spot is tried again, by way of ${shown(standIn.original)} as it was.`,
    roll(service, standIn.original),
    { ...memory, ...turned(memory), standIn: { ...standIn, probing: true, unverified: true, rolledAt: now } },
    { otherwise: remember },
  );
};

const probing = (view: View, standIn: SwitchedStandIn): Decision<ServiceCall> => {
  const { facts, service, memory, now } = view;
  const { level = 0 } = memory;
  const look = nextLook(standIn.since, now);
  const isThrough = isWhole(service) && !service.deploying;
  const { failedAt: earlier, ...kept } = standIn;
  // An event may come late: of a shortage before the probe it says nothing new.
  const told = view.told && (facts.toldAt ?? 0) >= standIn.rolledAt;
  const failedAt = told || now - standIn.rolledAt >= PROBE_AT_MOST ? (earlier ?? now) : earlier;

  if (isThrough) {
    const since = standIn.wholeSince ?? now;
    const due = Math.max(Math.max(since, standIn.rolledAt) + coolDown(level), standIn.rolledAt + ROLLS_APART);
    if (now >= due)
      return skip('resolved', `${countOf(service)} by the original strategy.`, {
        ...turned(memory),
        level,
        endedAt: now,
      });
    return putOff(
      'spot-settling',
      { ...look, until: Math.min(due, look.until) },
      `${countOf(service)} by the original strategy; it counts as recovered at ${time(due)}.`,
      { ...memory, standIn: kept },
    );
  }
  const remember = { ...memory, standIn: { ...kept, ...(failedAt !== undefined && { failedAt }) } };
  const earliest = standIn.rolledAt + ROLLS_APART;
  if (failedAt === undefined || now < earliest) {
    return putOff(
      'spot-settling',
      look,
      `${countOf(service)}; Spot is being tried${failedAt === undefined ? '' : `, and failed; it is taken back at ${time(earliest)}`}.`,
      remember,
    );
  }
  if (isOthers(service, standIn)) return deploying(view, remember.standIn);
  const cannot = unrollable(service);
  if (cannot !== undefined) return leftToPerson(service, cannot, standIn.standIn, remember);
  const { wholeSince: _, ...started } = kept;
  return update(
    'spot-fallback',
    `${countOf(service)}: Spot has no capacity yet. Back to ${shown(standIn.standIn)}; the next try waits twice as long.`,
    roll(service, standIn.standIn),
    {
      ...memory,
      ...turned(memory),
      level: level + 1,
      standIn: { ...started, probing: false, unverified: true, rolledAt: now },
    },
    { otherwise: remember },
  );
};

/** ECS is seen not to have taken the last change: it is made again, which counts as a try that failed. */
const again = ({ service, memory, now }: View, standIn: SwitchedStandIn): Decision<ServiceCall> => {
  const strategy = standIn.probing ? standIn.original : standIn.standIn;
  const otherwise = { ...memory, standIn };
  const cannot = unrollable(service);
  if (cannot !== undefined) return leftToPerson(service, cannot, strategy, otherwise);
  return update(
    standIn.probing ? 'spot-failback' : 'spot-fallback',
    `${countOf(service)}; the strategy is still ${shown(service.strategy)}, so it is set again.`,
    roll(service, strategy),
    { ...memory, ...turned(memory), standIn: { ...standIn, rolledAt: now } },
    { planned: false, otherwise },
  );
};

/** Once that is put right, the schedule goes on from what is remembered; a strategy that a person sets is theirs. */
const leftToPerson = (
  service: ServiceState,
  { why, advice }: Obstacle,
  strategy: Strategy,
  remember: Memory,
): Decision<ServiceCall> =>
  escalate(
    'not-switchable',
    `${countOf(service)} by way of ${shown(service.strategy)}; ${why}.`,
    `${advice} To replace every task by hand: ${commandToSwitch(service, strategy)}`,
    remember,
  );

/** The probe is over without a call of ours. */
const onDemandAgain = ({ failedAt, wholeSince: whole, ...kept }: SwitchedStandIn): SwitchedStandIn => ({
  ...kept,
  probing: false,
});

/** A deployment that began after ours is somebody else's, and not superseded. */
const isOthers = ({ deploying: underWay, deployedAt }: ServiceState, { rolledAt }: SwitchedStandIn): boolean =>
  underWay && deployedAt !== null && deployedAt > rolledAt + LOOK;

const deploying = ({ service, memory, now }: View, standIn?: SwitchedStandIn): Decision<ServiceCall> =>
  putOff(
    'deployment-in-progress',
    standIn === undefined ? { until: now + LOOK } : nextLook(standIn.since, now),
    `${countOf(service)}; a deployment is in progress, and a forced one would supersede it.`,
    standIn && { ...memory, standIn },
  );

/** Somebody else has set a strategy, or does not want this mode any more. */
const letGo = ({ service, policy, memory, now }: View, { original }: SwitchedStandIn): Decision<ServiceCall> => {
  const { standIn: _, ...rest } = memory;
  const what =
    policy.mode === 'strategy'
      ? `the strategy is ${shown(service.strategy)}, which Reflex did not set`
      : 'the tags do not ask for a strategy switch any more';
  return skip(
    'fallback-released',
    `Somebody else decides now: ${what}. Reflex leaves it as it is; before the shortage it was ${shown(original)}.`,
    { ...rest, ...turned(memory), released: now },
  );
};

/** ECS may list the rows in another order. */
const isSame = (a: Strategy, b: Strategy): boolean => keyOf(a) === keyOf(b);

const keyOf = (strategy: Strategy): string =>
  strategy
    .map(({ capacityProvider, base, weight }) => `${capacityProvider} ${base} ${weight}`)
    .sort()
    .join(',');

/** As the AWS CLI takes it. */
const shown = (strategy: Strategy): string =>
  strategy
    .map(({ capacityProvider, base, weight }) => `capacityProvider=${capacityProvider},base=${base},weight=${weight}`)
    .join(' ') || 'no strategy';
