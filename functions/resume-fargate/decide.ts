import { type Decision, defer, escalate, skip } from '../../shared/decision.ts';
import { isSpotInterruption } from '../../shared/ecs-task.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import { nameOf } from '../../shared/words.ts';
import { type Memory, type Network, SHOWN_FOR, type Successor, type TaskFacts, type TaskSituation } from './facts.ts';
import { OVERRIDES_AT_MOST, VARIABLES } from './overrides.ts';
import type { Policy } from './policy.ts';
import { type Provider, type RunCall, runCall } from './run.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Fargate kills after 120 s, and takes the network interface away within the minute after that. */
const STOPPED_BY = 180 * SECOND;
const LOOK_AGAIN = 30 * SECOND;
/** A Fargate task is running, or known not to start, within a minute or two. */
const VERIFY_AFTER = MINUTE;
/** Where DescribeTasks is behind the event. */
const CATCH_UP = 5 * SECOND;
/** RunTask takes this many subnets. */
const SUBNETS_AT_MOST = 16;

/** What every rule looks at: the facts, and what follows from them. */
interface View {
  readonly facts: TaskSituation;
  readonly policy: Policy;
  readonly now: number;
  readonly memory: Memory;
  /** An event woke us, not our own check. */
  readonly told: boolean;
  /** Which resume this would be. */
  readonly attempt: number;
  /** Definite refusals so far: of the call, or of a task that was accepted and then found no capacity. */
  readonly refused: number;
}

type Rule = (view: View) => Decision<RunCall> | undefined;

/**
 * What to do about an interrupted standalone task, from facts alone. Pure and total: the first rule that has an answer gives
 * it. `now` is epoch ms. Reasons: docs/reasons.md; the protocol: docs/resume-fargate.md.
 */
export const decide = (facts: TaskSituation, policy: Policy, now: number): Decision<RunCall> => {
  const memory: Memory = facts.ledger.remembered;
  const starved = (facts.successors ?? []).filter(isStarved);
  const view: View = {
    facts,
    policy,
    now,
    memory,
    told: facts.trigger === 'event',
    attempt: facts.attempt + 1,
    refused: (memory.refused ?? 0) + starved.length,
  };
  for (const rule of rules) {
    const decision = rule(view);
    if (decision !== undefined) return decision;
  }
  return run(view);
};

// --- Did it help? ---

const verified: Rule = ({ facts, now, attempt }) => {
  const alive = (facts.successors ?? []).filter((successor) => !isStarved(successor));
  const [first] = alive;
  if (first === undefined) return undefined;
  const running = alive.find(
    ({ lastStatus, stopCode }) => !STARTING.includes(lastStatus) && stopCode !== FAILED_TO_START,
  );
  if (running !== undefined) {
    return skip('resolved', `Attempt ${attempt} is task ${nameOf(running.arn)}, ${running.lastStatus}.`);
  }
  // One that failed to start is judged when it has stopped: not before is it certain that no second one would run beside it.
  const onItsWay = alive.find(({ lastStatus }) => lastStatus !== 'STOPPED');
  if (onItsWay !== undefined) {
    const why = `Attempt ${attempt}, task ${nameOf(onItsWay.arn)}, is ${onItsWay.lastStatus}.`;
    return defer('resume-starting', now + VERIFY_AFTER, why);
  }
  return escalate(
    'resume-failed',
    `Attempt ${attempt}, task ${nameOf(first.arn)}, did not start: ${asClause(first.stoppedReason ?? 'ECS does not say why')}.`,
    'Mend what the reason names (image, secrets, network), then run the task by hand.',
  );
};

// --- Is it ours to run again? ---

const ofService: Rule = ({ facts }) =>
  facts.ofService
    ? skip('task-of-a-service', 'The task belongs to a service, whose scheduler runs another in its place.')
    : undefined;

const stoppedOtherwise: Rule = ({ facts: { task } }) =>
  isSpotInterruption(task)
    ? undefined
    : skip(
        'stopped-otherwise',
        `The task is ${task.lastStatus} by ${task.stopCode ?? 'no stopCode'}: no Spot interruption ended it.`,
      );

/** A task may say no where its definition says yes; when it has stopped, its own tags may be gone. */
const notWanted: Rule = ({ policy, facts: { taskTags }, memory }) => {
  const remember: Memory = { ...memory, tags: taskTags };
  const enabled = taskTags[OPT_IN_TAG] ?? 'true';
  if (!['true', 'false'].includes(enabled)) {
    const finding = `tag ${OPT_IN_TAG} on the task: expected true or false, found "${enabled.slice(0, 40)}"`;
    return {
      ...escalate('bad-tag', `${finding}; it is not resumed.`, 'Correct or remove the tag.', remember),
      finding,
    };
  }
  if (enabled === 'false') return skip('not-opted-in', `The task's own tag ${OPT_IN_TAG} is false.`, remember);
  return policy.resume
    ? undefined
    : skip(
        'resume-not-wanted',
        'reflex:resume is not true, or true on the definition and false on the task.',
        remember,
      );
};

/** AWS Batch tags what it runs. Its tags are gone when the task has stopped, so they are remembered. */
const runByBatch: Rule = ({ facts, memory }) =>
  Object.keys(facts.taskTags).some((key) => key.startsWith('aws:batch:'))
    ? {
        ...escalate(
          'run-by-batch',
          'AWS Batch ran the task for a job; run again by Reflex it would run twice, and be unknown to the job.',
          'Take reflex:resume off; let the retry strategy of the job retry on the status reason "Your Spot Task was interrupted."',
        ),
        remember: { ...memory, tags: facts.taskTags },
      }
    : undefined;

const alreadyRan: Rule = ({ told, memory }) =>
  told && memory.ran === true ? skip('duplicate', 'The task was run again already.') : undefined;

// --- May it be run again? ---

const stillStopping: Rule = ({ facts, told, memory, now }) => {
  const { task, network, taskTags } = facts;
  if (task.lastStatus === 'STOPPED') return undefined;
  if (told && memory.network !== undefined) {
    return skip('duplicate', `What the task needs to run again is saved; it is ${task.lastStatus}.`);
  }
  const until = told ? Math.max((task.stoppingAt ?? now) + STOPPED_BY, now + LOOK_AGAIN) : now + LOOK_AGAIN;
  const saved = network === null ? 'its network interface could not be read' : `saved: ${shown(network)}`;
  return defer('task-stopping', until, `The task is ${task.lastStatus} and may write its checkpoint; ${saved}.`, {
    ...memory,
    ...(network !== null && { network }),
    tags: taskTags,
  });
};

const finished: Rule = ({ facts, policy, now }) => {
  if (!policy.resumeDoneOnZero) return undefined;
  if (!facts.upToDate) return defer('task-stopping', now + CATCH_UP, 'ECS does not show the exit codes yet.');
  const { exitCodes } = facts;
  return exitCodes.length > 0 && exitCodes.every((code) => code === 0)
    ? skip('work-done', 'Every essential container exited with 0, which reflex:resume-done-on-zero takes for done.')
    : undefined;
};

const limit: Rule = ({ attempt, policy, facts }) =>
  attempt <= policy.resumeMax
    ? undefined
    : escalate(
        'resume-limit',
        `The work that began as task ${facts.root} was resumed ${facts.attempt} times and interrupted again; reflex:resume-max is ${policy.resumeMax}.`,
        'Run it on demand (launch type FARGATE) by hand, or raise reflex:resume-max.',
      );

const volumes: Rule = ({ facts }) =>
  facts.volumes
    ? escalate(
        'volume-unknown',
        'The task had an EBS volume, and ECS does not tell how it was configured.',
        'Run it again by hand with its volumeConfigurations; keep checkpoints in S3 or EFS.',
      )
    : undefined;

const tooLate: Rule = ({ facts, now, refused }) => {
  const age = now - (facts.stoppedAt ?? facts.task.stoppingAt ?? now);
  if (age <= SHOWN_FOR) return undefined;
  return refused > 0
    ? escalate(
        'no-capacity',
        `${refused} tries in ${Math.round(age / MINUTE)} min found no Fargate capacity.`,
        'Name subnets in other Availability Zones in reflex:resume-subnets, and run the task by hand.',
      )
    : escalate(
        'resume-too-late',
        `The task stopped ${Math.round(age / MINUTE)} min ago; after an hour nobody may expect it back.`,
        'Run it again by hand where its work is not done.',
      );
};

const starved: Rule = ({ facts, memory, now, refused }) => {
  const [last] = facts.successors ?? [];
  const fresh = refused - (memory.refused ?? 0);
  // The first refusal is Spot's, and on-demand capacity is another matter: it is asked for at once.
  if (last === undefined || fresh === 0 || refused <= 1 || memory.ran !== true) return undefined;
  const why = `Task ${nameOf(last.arn)} was accepted and found no capacity: ${asClause(last.stoppedReason ?? '')}.`;
  return defer('no-capacity', now + patienceAfter(refused), why, { ...memory, ran: false });
};

// --- Run it ---

const run = ({ facts, policy, attempt, refused, memory }: View): Decision<RunCall> => {
  const network = networkFor(facts, policy);
  if (network === null) {
    return escalate(
      'network-unknown',
      "The notice was missed, and the task's security groups went with its network interface.",
      'Set reflex:resume-security-groups (and reflex:resume-subnets) on the task definition; run this task by hand.',
    );
  }
  const provider: Provider = attempt === 1 && refused === 0 ? 'FARGATE_SPOT' : 'FARGATE';
  const call = runCall(facts, network, { attempt, provider, refused });
  if (call === null) {
    return escalate(
      'overrides-too-large',
      `With ${VARIABLES.attempt} and ${VARIABLES.root} in ${facts.containers.length} containers the overrides exceed the ${OVERRIDES_AT_MOST} characters RunTask takes.`,
      'Move variables from the overrides to the task definition or to a file; run this task by hand.',
    );
  }
  return {
    kind: 'act',
    reason: 'resume-task',
    why:
      `A Spot interruption ended the task${exits(facts)}; attempt ${attempt} of ${policy.resumeMax} ` +
      `${provider === 'FARGATE' ? 'on demand' : 'on Spot'}${onDemandBecause(attempt, refused)}, revision ${nameOf(facts.task.taskDefinitionArn)}, ` +
      `in ${shown(network)}.`,
    calls: [call],
    coolDownMs: 0,
    followUpMs: VERIFY_AFTER,
    planned: memory.ran !== true || refused > (memory.refused ?? 0),
    remember: { ...memory, ran: true, refused: memory.refused ?? 0 },
  };
};

/** First match wins: from "did it help?" and "is it ours?" to "may it be run again?". */
const rules: readonly Rule[] = [
  verified,
  ofService,
  stoppedOtherwise,
  notWanted,
  runByBatch,
  alreadyRan,
  stillStopping,
  finished,
  limit,
  volumes,
  tooLate,
  starved,
];

// --- Words and small parts ---

const FAILED_TO_START = 'TaskFailedToStart';
const STARTING = ['PROVISIONING', 'PENDING', 'ACTIVATING'];

/** Fargate had nothing free, or the account's quota is used up. AWS says so in words alone. */
export const saysNoCapacity = (text: string): boolean =>
  /capacity is unavailable|RESOURCE:FARGATE|reached the limit on the number of/i.test(text);

const isStarved = ({ lastStatus, stopCode, stoppedReason }: Successor): boolean =>
  lastStatus === 'STOPPED' && stopCode === FAILED_TO_START && saysNoCapacity(stoppedReason ?? '');

/** After the first refusal on-demand capacity is asked for; after that, less and less often. */
export const patienceAfter = (refused: number): number =>
  refused <= 1 ? CATCH_UP : Math.min(2 ** (refused - 2) * MINUTE, 15 * MINUTE);

const networkFor = (facts: TaskFacts, policy: Policy): Network | null => {
  const { network, subnet } = facts;
  const own = network ?? (policy.resumeSecurityGroups.length === 0 ? null : configured(policy, subnet));
  if (own === null || own.subnets.length + policy.resumeSubnets.length === 0) return null;
  const subnets = [...new Set([...own.subnets, ...policy.resumeSubnets])].slice(0, SUBNETS_AT_MOST);
  return { ...own, subnets };
};

const configured = ({ resumeSecurityGroups, resumeAssignPublicIp }: Policy, subnet: string | null): Network => ({
  subnets: subnet === null ? [] : [subnet],
  securityGroups: resumeSecurityGroups,
  assignPublicIp: resumeAssignPublicIp,
});

const shown = ({ subnets, securityGroups, assignPublicIp }: Network): string =>
  `${subnets.join(' ')} with ${securityGroups.join(' ') || 'the default security group'}, public IP ${assignPublicIp}`;

/** AWS ends some of its sentences. */
const asClause = (reason: string): string => reason.replace(/\.+$/, '');

const exits = ({ exitCodes }: TaskFacts): string => {
  const known = exitCodes.filter((code) => code !== null);
  return known.length === 0 ? '' : ` (exit code ${known.join(', ')})`;
};

const onDemandBecause = (attempt: number, refused: number): string => {
  if (attempt > 1) return ', as from the second on';
  return refused > 0 ? `, after ${refused} refusals for want of capacity` : '';
};
