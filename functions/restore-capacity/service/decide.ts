import { type Decision, escalate, skip } from '../../../shared/decision.ts';
import { time } from '../../../shared/words.ts';
import { type ServiceSituation, turned } from './facts.ts';
import { beginPaired, goOnPaired, shortage } from './paired.ts';
import type { ServicePolicy } from './policy.ts';
import { beginSwitched, commandToSwitch, goOnSwitched, unswitchable } from './switched.ts';
import { countOf, isWhole, putOff, type ServiceCall, usesSpot, type View } from './view.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Tasks that ECS has placed run, or have failed, within minutes. */
const LOOK_AT_STARTING = 30 * SECOND;
const STARTING_AT_MOST = 30 * MINUTE;
/** A replayed event says nothing of Spot capacity as it is; EventBridge, too, gives up after this long. */
const NEWS = 60 * MINUTE;

export type { ServiceCall } from './view.ts';

/**
 * What to do about a service that lacks Fargate Spot capacity, from facts alone. Pure and total. `now` is epoch ms. Reasons:
 * docs/reasons.md; the course of a fallback: docs/restore-capacity.md.
 */
export const decide = (facts: ServiceSituation, policy: ServicePolicy, now: number): Decision<ServiceCall> => {
  const { service, trigger, toldAt } = facts;
  const told = trigger === 'event' && toldAt !== null && now - toldAt <= NEWS;
  const view: View = { facts, service, policy, now, memory: facts.ledger.remembered, told };
  const { standIn } = view.memory;
  if (service.status !== 'ACTIVE') return notActive(view);
  if (standIn?.mode === 'paired') return goOnPaired(view, standIn);
  if (standIn?.mode === 'strategy') return goOnSwitched(view, standIn);
  return notStarved(view) ?? begin(view);
};

/** A service that is gone needs nothing; what stood in for it may serve on, and is left as it is. */
const notActive = ({ service, memory }: View): Decision<ServiceCall> => {
  if (!['DRAINING', 'INACTIVE'].includes(service.status)) {
    return escalate(
      'unexpected-state',
      `The service's status is "${service.status}", which Reflex does not know; nothing is done.`,
      'Look at the service, and report the status.',
    );
  }
  const { standIn } = memory;
  const left = standIn?.mode === 'paired' ? `; ${standIn.pair} stays at ${standIn.wrote} tasks` : '';
  return skip('service-gone', `The service is ${service.status}${left}.`, standIn && turned(memory));
};

/** Why nothing has to stand in, or not yet. */
const notStarved = ({ facts, service, memory, told, now }: View): Decision<ServiceCall> | undefined => {
  const { incident } = facts.ledger;
  const { released, ...rest } = memory;
  const settled = released === undefined ? undefined : { ...rest, ...turned(memory) };
  if (!usesSpot(service.strategy)) {
    return skip('not-on-spot', 'The capacity provider strategy places no task on FARGATE_SPOT.', settled);
  }
  if (isWhole(service)) {
    return skip(
      incident === null ? 'spot-enough' : 'resolved',
      `${countOf(service)}; nothing has to stand in.`,
      settled,
    );
  }
  if (released !== undefined) {
    return skip(
      'fallback-released',
      `${countOf(service)}. Somebody changed at ${time(released)} what Reflex had set; it keeps out until all tasks run.`,
    );
  }
  if (!told && incident === null) {
    return skip(
      'shortage-unconfirmed',
      `${countOf(service)}, and no event of the last hour says that Spot capacity is why.`,
    );
  }
  if (service.running + service.pending < service.desired) return undefined;
  if (now - (incident?.openedAt ?? now) >= STARTING_AT_MOST) {
    return skip(
      'shortage-unconfirmed',
      `${countOf(service)}: every task has been placed, so capacity is not the trouble.`,
    );
  }
  return putOff(
    'tasks-starting',
    { until: now + LOOK_AT_STARTING },
    `${countOf(service)}: every task has been placed for now.`,
  );
};

const begin = (view: View): Decision<ServiceCall> => {
  const { policy } = view;
  if (policy.mode === 'paired') return beginPaired(view);
  return policy.mode === 'strategy' ? beginSwitched(view) : notify(view);
};

const notify = (view: View): Decision<ServiceCall> => {
  const { service, facts, policy } = view;
  const pair = policy.fallbackService;
  const cannot = unswitchable(service, policy, facts.clusterProviders);
  const advice =
    pair !== null
      ? `Run: ${shortage(view, pair)}`
      : cannot === undefined
        ? `This replaces every task: ${commandToSwitch(service)} - or make a paired on-demand service and name it in the tag reflex:fallback-service.`
        : `The strategy cannot be switched: ${cannot.why}. Make a paired on-demand service and name it in the tag reflex:fallback-service.`;
  return escalate(
    'spot-shortage',
    `Fargate has no Spot capacity: ${countOf(service)}. No fallback is configured.`,
    advice,
  );
};
