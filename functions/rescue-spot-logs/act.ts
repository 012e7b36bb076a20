import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../shared/aws/client.ts';
import { createSnapshot, createTags, deleteSnapshot, deleteVolume } from '../../shared/aws/ec2.ts';
import { runTask } from '../../shared/aws/ecs.ts';
import { chunksOf } from '../../shared/aws/pages.ts';
import { type Act, defer, escalate, type OutcomeAction } from '../../shared/decision.ts';
import type { Acted, Approved } from '../../shared/function.ts';
import type { Stop } from '../../shared/guards/guard.ts';
import { type Patience, paced, patiently } from '../../shared/patience.ts';
import type { Reason } from '../../shared/reasons.ts';
import { said } from '../../shared/words.ts';
import type { RescueCall } from './calls.ts';
import { pauseAfter } from './decide.ts';
import type { Memory } from './facts.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** A throttled call is repeated this long; what AWS has not taken by then waits for the next look. */
const REPEAT_FOR = 5 * SECOND;
const TRY_AGAIN = 5 * MINUTE;
/** The SDK's connections to a service. A call that waits for one runs into its time to connect, and is taken for one without an answer. */
const AT_ONCE = 50;
/** ECS says it in `failures[]` with HTTP 200, or as a ClientException. */
const NO_CAPACITY = /capacity is unavailable/i;
/** So many may be under way at once, of an account and of a volume. */
const SNAPSHOT_LIMITS = [
  'ConcurrentSnapshotLimitExceeded',
  'PendingSnapshotLimitExceeded',
  'SnapshotCreationPerVolumeRateExceeded',
];

/**
 * Makes the approved calls: volumes side by side, the calls of one in order. The first that fails ends its volume's: what was
 * not tagged is not begun, and what was not deleted first is not deleted second.
 */
export const act = (patience: Patience) => {
  const run = paced({ burst: 20, perSecond: 20 }, patience);

  const make = async (call: RescueCall): Promise<string | undefined> => {
    switch (call.call) {
      case 'CreateTags':
        await createTags(call.params);
        return undefined;
      case 'CreateSnapshot':
        await createSnapshot(call.params);
        return undefined;
      case 'RunTask':
        await run();
        return unplaced(call);
      case 'DeleteVolume':
        await deleteVolume(call.params.VolumeId);
        return undefined;
      case 'DeleteSnapshot':
        await deleteSnapshot(call.params.SnapshotId);
        return undefined;
    }
  };

  /** A snapshot has no client token: without an answer it may have been begun, and is looked for first. */
  const repeated = (call: RescueCall): Promise<string | undefined> =>
    call.call === 'CreateSnapshot' ? make(call) : patiently(patience, patience.clock() + REPEAT_FOR, () => make(call));

  const makeAll = async ({ calls, remember = {} }: Act<RescueCall>): Promise<Acted> => {
    const actions: OutcomeAction[] = [];
    for (const call of calls) {
      try {
        const refusal = await repeated(call);
        if (refusal !== undefined) {
          return {
            actions: [...actions, { ...call, error: refusal }],
            problem: notPlaced(refusal, remember, patience.clock()),
          };
        }
      } catch (error) {
        if (!isDone(call, error)) {
          const now = patience.clock();
          const refused = call.call === 'RunTask' && NO_CAPACITY.test(said(error));
          const problem = refused ? notPlaced(said(error), remember, now) : meaning(call, error, remember, now);
          return { actions: [...actions, { ...call, error: said(error) }], problem };
        }
      }
      actions.push(call);
    }
    return { actions };
  };

  return async (approved: readonly Approved<RescueCall>[]): Promise<ReadonlyMap<string, Acted>> => {
    const acted: (readonly [string, Acted])[] = [];
    for (const some of chunksOf(approved, AT_ONCE)) {
      acted.push(
        ...(await Promise.all(some.map(async ({ resource, act }) => [resource, await makeAll(act)] as const))),
      );
    }
    return new Map(acted);
  };
};

/** Why ECS did not run the task, in an answer with HTTP 200; undefined: it did. */
const unplaced = async ({ params }: Extract<RescueCall, { call: 'RunTask' }>): Promise<string | undefined> => {
  const { tasks, failures } = await runTask(params);
  if (tasks.length > 0) return undefined;
  const [{ reason = 'no reason', detail = '' } = {}] = failures;
  return detail === '' ? reason : `${reason} (${detail})`;
};

/** Nothing runs and nothing was asked for: the next call has a token of its own. */
const notPlaced = (refusal: string, { run: _, ...memory }: Memory, now: number): Stop =>
  later('task-not-placed', `ECS did not run the task: ${refusal}.`, memory, now);

/** There is no room now, and there will be: each refusal makes the next pause longer. */
const later = (reason: Reason, why: string, memory: Memory, now: number): Stop => {
  const refused = (memory.refused ?? 0) + 1;
  const retryAt = now + pauseAfter(refused);
  return { ...defer(reason, retryAt, why), remember: { ...memory, refused, retryAt } };
};

/** What the call was to bring about is so already. */
const isDone = ({ call }: RescueCall, error: unknown): boolean => {
  switch (call) {
    case 'RunTask':
      // The token was used: the task was started by a call whose answer was lost.
      return isErrorNamed(error, 'ConflictException');
    case 'DeleteVolume':
      return isErrorNamed(error, 'InvalidVolume.NotFound');
    case 'DeleteSnapshot':
      return isErrorNamed(error, 'InvalidSnapshot.NotFound');
    default:
      return false;
  }
};

const meaning = (call: RescueCall, error: unknown, memory: Memory, now: number): Stop => {
  const what = said(error);
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `${call.call} was refused: ${what}.`,
      'Grant the permission that the error names.',
    );
  }
  if (call.call === 'CreateSnapshot' && (isErrorNamed(error, ...SNAPSHOT_LIMITS) || isThrottle(error))) {
    return later('snapshot-not-taken', `EC2 takes no more snapshots now: ${what}.`, memory, now);
  }
  if (call.call === 'DeleteVolume' && isErrorNamed(error, 'VolumeInUse', 'IncorrectState')) {
    return defer('volume-busy', now + TRY_AGAIN, `${call.params.VolumeId} is not available: ${what}.`);
  }
  if (call.call === 'DeleteSnapshot' && isErrorNamed(error, 'InvalidSnapshot.InUse')) {
    return escalate(
      'snapshot-in-use',
      `${call.params.SnapshotId} is needed by an image, so it is kept: ${what}.`,
      'Deregister the image, then delete the snapshot; or remove its reflex: tags to keep it.',
    );
  }
  if (isTransient(error)) return defer('act-unknown', now + MINUTE, `${call.call} had no answer: ${what}.`);
  return escalate(
    'act-failed',
    `${call.call} was refused: ${what}.`,
    'The volume is kept and the sweep tries again; look at what the error names.',
  );
};
