import type { Failure } from '@aws-sdk/client-ecs';
import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../shared/aws/client.ts';
import { runTask } from '../../shared/aws/ecs.ts';
import { withoutSecrets } from '../../shared/case.ts';
import { defer, escalate } from '../../shared/decision.ts';
import type { Acted, Approved } from '../../shared/function.ts';
import type { Stop } from '../../shared/guards/guard.ts';
import { type Patience, paced, patiently } from '../../shared/patience.ts';
import { said } from '../../shared/words.ts';
import { patienceAfter, saysNoCapacity } from './decide.ts';
import type { Memory } from './facts.ts';
import type { RunCall } from './run.ts';

const SECOND = 1_000;
/** A call without an answer is made again with the same token, which runs no second task. */
const RETRY_FOR = 20 * SECOND;
/** What AWS did not take by then is looked at again after this long. */
const AGAIN = 10 * SECOND;
/** RunTask on Fargate: 20 calls a second, per account and Region. */
const RUNS = { burst: 20, perSecond: 20 };

/** ECS refused to run the task, in an answer with HTTP 200. */
class RunRefused extends Error {
  override readonly name = 'RunRefused';
}

/** Runs each task by itself: one that is refused stops no other. */
export const act = (patience: Patience) => {
  const pace = paced(RUNS, patience);

  return async (approved: readonly Approved<RunCall>[]): Promise<ReadonlyMap<string, Acted>> => {
    const ended = await Promise.all(approved.map(async (one) => [one.resource, await runOne(one)] as const));
    return new Map(ended);
  };

  async function runOne({ act: { calls, remember } }: Approved<RunCall>): Promise<Acted> {
    const memory: Memory = remember ?? {};
    const actions = withoutSecrets(calls);
    for (const call of calls) {
      const error = await ending(call);
      if (error === undefined) continue;
      const failed = actions.map((action) => ({ ...action, error: said(error) }));
      return { actions: failed, problem: meaning(error, memory, patience.clock()) };
    }
    return { actions };
  }

  async function ending({ params }: RunCall): Promise<unknown> {
    try {
      await pace();
      const { tasks, failures } = await patiently(patience, patience.clock() + RETRY_FOR, () => runTask(params));
      return tasks.length > 0 ? undefined : new RunRefused(reasonsOf(failures));
    } catch (error) {
      // The token was used with other parameters: the task it ran is there, and the check finds it.
      return isErrorNamed(error, 'ConflictException') ? undefined : error;
    }
  }
};

/** EC2 throttled what ECS asked of it for the task; ECS calls that an InvalidParameterException. */
const saysThrottled = (text: string): boolean => /\bRequestLimitExceeded\b/.test(text);

const reasonsOf = (failures: readonly Failure[]): string =>
  failures.map(({ reason, detail }) => [reason, detail].filter(Boolean).join(': ')).join('; ') ||
  'no task and no failure in the answer';

/** What a call that did not end well means for its task. */
const meaning = (error: unknown, memory: Memory, now: number): Stop => {
  const text = said(error);
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `RunTask was denied: ${text}`,
      "Grant iam:PassRole for the task's roles (stack parameter ResumeRoleArns), and check the permissions boundary; then run the task by hand.",
    );
  }
  if (isThrottle(error) || saysThrottled(text))
    return defer('rate-limited', now + AGAIN, 'RunTask was throttled; it is called again.');
  if (saysNoCapacity(text)) {
    const refused = (memory.refused ?? 0) + 1;
    return {
      ...defer('no-capacity', now + patienceAfter(refused), `${text}; on-demand capacity is asked for next.`),
      remember: { ...memory, ran: false, refused },
    };
  }
  if (isTransient(error)) {
    return defer('act-unknown', now + AGAIN, `RunTask ended without an answer (${text}); it is looked for the task.`);
  }
  return escalate('act-failed', `RunTask failed: ${text}`, 'See the error; mend it, and run the task by hand.');
};
