import { isAccessDenied, isErrorNamed, isTransient } from '../../shared/aws/client.ts';
import { createSnapshot, createTags, deleteSnapshot, deleteVolume } from '../../shared/aws/ec2.ts';
import { runTask } from '../../shared/aws/ecs.ts';
import type { OutcomeAction } from '../../shared/decision.ts';
import type { Acted, Approved } from '../../shared/function.ts';
import { defer, escalate, type Stop } from '../../shared/guards/guard.ts';
import { type Patience, paced, patiently } from '../../shared/patience.ts';
import { said } from '../../shared/words.ts';
import type { RescueCall } from './calls.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** A throttled call is repeated this long; what AWS has not taken by then waits for the next look. */
const REPEAT_FOR = 5 * SECOND;
const TRY_AGAIN = 5 * MINUTE;

/**
 * Makes the approved calls: volumes side by side, the calls of one in order. The first that fails ends its volume's: what was
 * not tagged is not begun, and what was not deleted first is not deleted second.
 */
export const act = (patience: Patience) => {
  const run = paced({ burst: 20, perSecond: 20 }, patience);

  const make = async (call: RescueCall): Promise<Stop | undefined> => {
    switch (call.call) {
      case 'CreateTags':
        await createTags(call.params);
        return undefined;
      case 'CreateSnapshot':
        await createSnapshot(call.params);
        return undefined;
      case 'RunTask':
        await run();
        return placed(call, patience.clock());
      case 'DeleteVolume':
        await deleteVolume(call.params.VolumeId);
        return undefined;
      case 'DeleteSnapshot':
        await deleteSnapshot(call.params.SnapshotId);
        return undefined;
    }
  };

  /** A snapshot has no client token: without an answer it may have been begun, and is looked for first. */
  const repeated = (call: RescueCall): Promise<Stop | undefined> =>
    call.call === 'CreateSnapshot' ? make(call) : patiently(patience, patience.clock() + REPEAT_FOR, () => make(call));

  const makeAll = async (calls: readonly RescueCall[]): Promise<Acted> => {
    const actions: OutcomeAction[] = [];
    for (const call of calls) {
      try {
        const problem = await repeated(call);
        if (problem !== undefined) return { actions: [...actions, { ...call, error: problem.why }], problem };
      } catch (error) {
        if (!isDone(call, error)) {
          const problem = meaning(call, error, patience.clock());
          return { actions: [...actions, { ...call, error: said(error) }], problem };
        }
      }
      actions.push(call);
    }
    return { actions };
  };

  return async (approved: readonly Approved<RescueCall>[]): Promise<ReadonlyMap<string, Acted>> =>
    new Map(
      await Promise.all(approved.map(async ({ resource, act }) => [resource, await makeAll(act.calls)] as const)),
    );
};

/** ECS says with HTTP 200 what it could not place. */
const placed = async ({ params }: Extract<RescueCall, { call: 'RunTask' }>, now: number): Promise<Stop | undefined> => {
  const { failures } = await runTask(params);
  const [failure] = failures;
  if (failure === undefined) return undefined;
  const why = `ECS did not run the task: ${failure.reason ?? 'no reason'}${failure.detail === undefined ? '' : ` (${failure.detail})`}.`;
  return defer('task-not-placed', now + TRY_AGAIN, why);
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

const meaning = (call: RescueCall, error: unknown, now: number): Stop => {
  const what = said(error);
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `${call.call} was refused: ${what}.`,
      'Grant the permission that the error names.',
    );
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
