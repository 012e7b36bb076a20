import { type Call, type Decision, defer, escalate, type Skip, skip } from '../../shared/decision.ts';
import { taskIdOf } from '../../shared/ecs-task.ts';
import { nameOf } from '../../shared/words.ts';
import {
  GONE,
  keyOf,
  type Memory,
  type Registration,
  SERVING,
  type Target,
  type TaskFacts,
  type TaskSituation,
} from './facts.ts';
import { findings, groupName } from './findings.ts';
import type { Policy } from './policy.ts';

export type DrainCall =
  | Call<'DeregisterTargets', { TargetGroupArn: string; Targets: { Id: string; Port: number }[] }>
  | Call<'DeregisterInstance', { ServiceId: string; InstanceId: string }>;

const SECOND = 1_000;
/** After this long the address may be another task's. Fargate kills at 120 s. */
export const TOO_LATE = 150 * SECOND;
/** What was deregistered is looked at again when its deregistration delay is over, at the latest this long after the notice. */
const CHECK_AT = 90 * SECOND;
/** How often a target that was kept is looked at: another may serve by now. */
const KEPT_AGAIN = 15 * SECOND;
const ADDRESS_AGAIN = 5 * SECOND;
/** A check sooner than this would ask the same of the same. */
const CHECK_AFTER = 5 * SECOND;
/** Cloud Map lists an instance until it has taken its DNS records out. AWS says no time for it. */
const INSTANCE_AFTER = 30 * SECOND;
/** Checks fall on multiples of this: those of a storm come together, and ask for each group's health once. */
const CHECK_EVERY = 5 * SECOND;
/** A task on hold would wait for a person for ever, and be dead in a minute: this many tries, and one is told. */
const TRIES = 3;
/** The task runs, and its address is its own. */
const ACTS_ON = ['RUNNING', 'DEACTIVATING', 'STOPPING'];
const NOT_YET = ['PROVISIONING', 'PENDING', 'ACTIVATING'];
/** The load balancer, or Cloud Map, sends nothing new there. `unused`: not registered. */
const LEFT: readonly (string | null)[] = ['draining', 'unused'];

type Entry = Target | Registration;

/** What every rule looks at: the facts, and what follows from them. */
interface View {
  readonly facts: TaskSituation;
  readonly now: number;
  readonly memory: Memory;
  /** When the task was told to stop. */
  readonly since: number;
  /** Our own check looks, no event. */
  readonly checking: boolean;
  /** Still registered, as far as is known, and to be deregistered. */
  readonly open: readonly Entry[];
  /** Of these, what stays because nothing else would be left. */
  readonly kept: readonly Entry[];
}

type Rule = (view: View) => Decision<DrainCall> | undefined;

/**
 * What to do about an interrupted task, from facts alone. Pure and total: the first rule that has an answer gives it.
 * `now` is epoch ms. Reasons: docs/reasons.md; the timeline behind the numbers: docs/drain-fargate.md.
 */
export const decide = (facts: TaskSituation, policy: Policy, now: number): Decision<DrainCall> => {
  const view = look(facts, policy, now);
  const decision = firstOf(view) ?? nothingLeft(view);
  return { ...decision, why: `${decision.why}${remarks(facts)}` };
};

const firstOf = (view: View): Decision<DrainCall> | undefined => {
  for (const rule of rules) {
    const decision = rule(view);
    if (decision !== undefined) return decision;
  }
  return undefined;
};

const look = (facts: TaskSituation, policy: Policy, now: number): View => {
  const memory: Memory = facts.ledger.remembered;
  const checking = facts.trigger !== 'event';
  const byEcs = facts.task.elbStatus === 'DELETED';
  const isOpen = (entry: Entry): boolean => {
    if (entry.state !== null) return !LEFT.includes(entry.state);
    const ecsHasIt = !('by' in entry) || entry.by === 'ecs';
    return !(byEcs && ecsHasIt) && !(memory.drained ?? []).includes(keyOf(entry));
  };
  const open = [...facts.targets, ...facts.registrations].filter(isOpen);
  return {
    facts,
    now,
    memory,
    since: sinceOf(facts, memory, now),
    checking,
    open,
    kept: policy.keepLastTarget ? open.filter(({ last, theirs }) => last || theirs) : [],
  };
};

/** A notice from the future would never be too late. */
const sinceOf = ({ since }: TaskFacts, memory: Memory, now: number): number =>
  since !== null && since <= now ? since : (memory.since ?? now);

// --- May the address still be touched? ---

const gone: Rule = (view) => {
  const { facts, memory, checking } = view;
  const { lastStatus, version } = facts.task;
  const before = memory.gone !== undefined && memory.gone > version;
  if (!before && !GONE.includes(lastStatus)) return undefined;
  if (checking) return afterwards(view);
  const why = before
    ? `A later event (version ${memory.gone}) said the task is gone; this one (version ${version}) is old.`
    : `The task is ${lastStatus}; its address may be another task's.`;
  if (facts.ledger.incident === null) return skip('task-gone', why, { ...memory, gone: memory.gone ?? version });
  if (memory.gone !== undefined) return alreadyDone(view);
  const until = onBeat(Math.max(view.now + CHECK_AFTER, view.since + CHECK_AT));
  return defer('task-gone', until, `${why} What was done is verified as planned.`, { ...memory, gone: version });
};

const tooLate: Rule = (view) => {
  const { facts, now, since, checking } = view;
  if (now - since <= TOO_LATE) return undefined;
  if (checking) return afterwards(view);
  if (facts.ledger.incident !== null) return alreadyDone(view);
  return skip('too-late', `The notice is ${seconds(now - since)} old; the address may be another task's by now.`);
};

const notRunning: Rule = ({ facts }) => {
  const { lastStatus } = facts.task;
  if (ACTS_ON.includes(lastStatus)) return undefined;
  if (NOT_YET.includes(lastStatus)) {
    return skip('not-serving-yet', `The task was interrupted while ${lastStatus}; no target of it serves.`);
  }
  return escalate(
    'unexpected-state',
    `The task's lastStatus is "${lastStatus}", which Reflex does not know; nothing is deregistered.`,
    'If the task runs in this state, deregister it by hand, and report the state.',
  );
};

// --- What is there to deregister? ---

const drain: Rule = (view) => {
  const { facts, now, since, open, kept, memory } = view;
  const todo = open.filter((entry) => !kept.includes(entry));
  if (todo.length === 0) return undefined;
  const planned = (memory.kept ?? []).length > 0;
  if (view.checking && !planned && (facts.ledger.incident?.steps ?? 0) >= TRIES) {
    return escalate(
      'still-registered',
      `Deregistered ${TRIES} times, and still registered: ${listed(todo)}.`,
      'Look who registers it again; ECS and Reflex both take it out.',
    );
  }
  const drained = [...new Set([...(memory.drained ?? []), ...todo.map(keyOf)])];
  const emptied = todo.flatMap((entry) => ('targetGroupArn' in entry && entry.emptied ? entry.targetGroupArn : []));
  return {
    kind: 'act',
    reason: 'spot-interruption',
    why:
      `Spot interruption ${seconds(now - since)} ago, task ${facts.task.lastStatus}: deregistering ${listed(todo)}` +
      `${kept.length === 0 ? '' : `; ${listed(kept)} stays, because nothing else serves there`}.`,
    calls: callsFor(todo),
    coolDownMs: 0,
    followUpAt: Math.min(
      dueAt(view, todo),
      ...(kept.length > 0 ? [now + KEPT_AGAIN] : []),
      ...(facts.unknown.length > 0 ? [now + ADDRESS_AGAIN] : []),
    ),
    planned,
    remember: { ...memory, since, drained, kept: kept.map(keyOf), emptied },
  };
};

const stay: Rule = (view) => {
  const { facts, kept, now, memory, since } = view;
  if (kept.length === 0) return undefined;
  if (kept.every(({ theirs }) => theirs) && facts.ledger.incident === null) {
    return skip(
      'lease-held',
      `Another invocation was told of this task before, and says whether ${listed(kept)} stays.`,
    );
  }
  return defer(
    'last-target',
    now + KEPT_AGAIN,
    `Nothing else serves: ${listed(kept)} stays until its task is STOPPING, or another serves.`,
    { ...memory, since, kept: kept.map(keyOf) },
  );
};

const notKnown: Rule = ({ facts, now, memory, since }) =>
  facts.unknown.length === 0
    ? undefined
    : defer('address-unknown', now + ADDRESS_AGAIN, 'Neither event nor AWS tells what is registered.', {
        ...memory,
        since,
      });

const nothingLeft = (view: View): Decision<DrainCall> => {
  const { facts, checking } = view;
  if (checking) return notRead(view) ?? resolved(view);
  if (facts.ledger.incident !== null) return alreadyDone(view);
  const places = Object.keys(facts.targetGroups).map(groupName);
  if (places.length === 0 && facts.registrations.length === 0) {
    return skip('no-target', 'The service has no target group and no Cloud Map service.');
  }
  if (facts.task.elbStatus === 'DELETED') {
    return skip('deregistered-by-ecs', `ECS has deregistered the task itself (attachment elb is DELETED).`);
  }
  return skip('already-draining', `Every target of the task is draining or gone: ${places.join(', ')}.`);
};

// --- Did it help? ---

const resolved = (view: View): Skip =>
  skip(
    'resolved',
    `${seconds(view.now - view.since)} after the notice: ${[...view.facts.targets, ...view.facts.registrations].map(shown).join(', ') || 'no target'}.`,
  );

/** Nothing is called resolved that was not seen. */
const notRead = ({ facts, now }: View): Decision<DrainCall> | undefined => {
  const unread = [...facts.targets, ...facts.registrations].filter(({ state }) => state === null);
  if (unread.length === 0) return undefined;
  return defer(
    'observe-failed',
    onBeat(now + KEPT_AGAIN),
    `Whether it is still there was not read: ${listed(unread)}.`,
  );
};

/**
 * The address is not the task's own any more. Healthy there is another task; unhealthy may be the dead one. An instance in Cloud Map under
 * the task's id is nobody else's.
 */
const afterwards = (view: View): Decision<DrainCall> => {
  const { facts } = view;
  const id = taskIdOf(facts.task.arn);
  const dead = [
    ...facts.targets.filter(({ state }) => state !== null && !LEFT.includes(state) && !SERVING.includes(state)),
    ...facts.registrations.filter(({ state, instanceId }) => state === 'registered' && instanceId === id),
  ];
  const [first] = dead;
  if (first === undefined) return neverKnown(view) ?? notRead(view) ?? resolved(view);
  const { lastStatus } = facts.task;
  if (lastStatus === 'DEPROVISIONING' && view.now < view.since + CHECK_AT) {
    const why = `The task is ${lastStatus}, and ECS may still be taking it out: ${dead.map(shown).join(', ')}.`;
    return defer('task-gone', onBeat(view.since + CHECK_AT), why);
  }
  return escalate(
    'still-registered',
    `The task is ${lastStatus}, and ${dead.map(shown).join(', ')}.`,
    'targetGroupArn' in first
      ? `Unless another task has the address: aws elbv2 deregister-targets --target-group-arn ${first.targetGroupArn} --targets Id=${first.id},Port=${first.port}`
      : `aws servicediscovery deregister-instance --service-id ${first.serviceId} --instance-id ${first.instanceId}`,
  );
};

const neverKnown = ({ facts, memory }: View): Decision<DrainCall> | undefined => {
  const never = facts.unknown.filter((group) => !memory.drained?.some((key) => key.startsWith(`${group} `)));
  if (never.length === 0) return undefined;
  return escalate(
    'address-unknown',
    `The task is ${facts.task.lastStatus}, and was not drained from ${never.map(groupName).join(', ')}: neither its events nor ECS told its address there.`,
    'See whether the target group wants IPv6 addresses and the tasks have none.',
  );
};

/** First match wins: from "may it be touched?" to "is there anything to do?". */
const rules: readonly Rule[] = [gone, tooLate, notRunning, drain, stay, notKnown];

// --- Words and small parts ---

/** A later event of an interruption that is seen to: the open incident and its check stand as they are. */
const alreadyDone = ({ facts }: View): Skip =>
  skip('duplicate', `This interruption was acted on already; task ${facts.task.lastStatus}.`);

/** When what was deregistered should be gone, or is as good as gone. */
const dueAt = ({ facts, since, now }: View, todo: readonly Entry[]): number => {
  const delays = Object.values(facts.targetGroups).map(({ deregistrationDelay }) => deregistrationDelay);
  const toRegistries = todo.some((entry) => 'serviceId' in entry);
  const longest = Math.max(0, ...(toRegistries ? [Infinity] : delays.map((delay) => (delay ?? Infinity) * SECOND)));
  const soonest = now + (toRegistries ? INSTANCE_AFTER : CHECK_AFTER);
  return onBeat(Math.max(soonest, since + Math.min(longest, CHECK_AT)));
};

const onBeat = (at: number): number => Math.ceil(at / CHECK_EVERY) * CHECK_EVERY;

/** One call a target group, one an instance; target groups first. */
const callsFor = (entries: readonly Entry[]): DrainCall[] => {
  const targets = entries.filter((entry) => 'targetGroupArn' in entry);
  const instances = entries.filter((entry) => 'serviceId' in entry);
  return [
    ...[...Map.groupBy(targets, ({ targetGroupArn }) => targetGroupArn)].map(
      ([arn, own]): DrainCall => ({
        call: 'DeregisterTargets',
        params: { TargetGroupArn: arn, Targets: own.map(({ id, port }) => ({ Id: id, Port: port })) },
      }),
    ),
    ...instances.map(
      ({ serviceId, instanceId }): DrainCall => ({
        call: 'DeregisterInstance',
        params: { ServiceId: serviceId, InstanceId: instanceId },
      }),
    ),
  ];
};

/** What is not done here, and what the service's set-up costs; said each time. */
const remarks = (facts: TaskFacts): string => {
  const said = [
    facts.unknown.length > 0 &&
      `Not drained, because the address or port of the task there is not known yet: ${facts.unknown.map(groupName).join(', ')}.`,
    facts.service.serviceConnect && 'Service Connect: ECS takes the task out of it by itself.',
    facts.service.vpcLattice &&
      'VPC Lattice: ECS deregisters the task there by itself when it stops it; Reflex does not.',
  ];
  const found = findings(facts).map(({ text }) => text);
  return [...said, found.length > 0 && `Findings: ${found.join('; ')}.`]
    .filter((text) => text !== false)
    .map((text) => ` ${text}`)
    .join('');
};

const listed = (entries: readonly Entry[]): string => entries.map(named).join(', ');
const named = (entry: Entry): string =>
  'targetGroupArn' in entry
    ? `${entry.id}:${entry.port} in ${groupName(entry.targetGroupArn)}`
    : `${entry.instanceId} in Cloud Map ${nameOf(entry.serviceId)}`;
const shown = (entry: Entry): string =>
  `${named(entry)} is ${entry.state === 'unused' ? 'gone' : (entry.state ?? 'not read')}`;
const seconds = (ms: number): string => `${(ms / SECOND).toFixed(1)} s`;
