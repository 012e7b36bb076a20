import {
  type Act,
  type Decision,
  type Defer,
  defer,
  type Escalate,
  escalate,
  type Skip,
  skip,
} from '../../shared/decision.ts';
import type { JsonObject } from '../../shared/json.ts';
import type { Reason } from '../../shared/reasons.ts';
import { FILESYSTEMS, type Filesystem, WORK_ITEM_TAGS } from '../../shared/spot-logs.ts';
import { time } from '../../shared/words.ts';
import { cleanCalls, countedCall, type RescueCall, reusedCall, runCall, snapshotCall, stateCall } from './calls.ts';
import { isGone, type Memory, type RescueTask, type Snapshot, taskGroup, type VolumeSituation } from './facts.ts';
import type { Policy } from './policy.ts';
import { missingMarker, missingProof } from './proof.ts';

export type { RescueCall } from './calls.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A rescue that failed so often is left to a person. */
export const ATTEMPTS = 5;
/** After the first failure, the second...; all of it is over within two days. */
export const BACKOFF = [5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR] as const;
/** ms. Ever longer, up to the longest. */
export const pauseAfter = (failures: number): number => BACKOFF[failures - 1] ?? 4 * HOUR;
/** ECS shows a stopped task for an hour. A task that is seen nowhere after that has stopped, and nobody knows how. */
const TASK_SHOWN = HOUR;
/** A task that was asked for is listed after some seconds. */
const TASK_LISTED = 2 * MINUTE;
/** An instance needs some seconds to let go of its volumes. */
const LETTING_GO = 30 * SECOND;
const LOOK_AGAIN = MINUTE;
/** Makes a loop end that neither tags nor listings would: two days of five tries, and their doubles. */
const spends = (budget: string) => [{ budget, limit: 2 * ATTEMPTS, windowMs: 2 * DAY, keep: 0 }];

type Rule = (s: VolumeSituation, policy: Policy, now: number) => Decision<RescueCall> | undefined;

/**
 * The next step of a kept volume, from what AWS shows of it and not from what woke us: events come late, twice, in any order, or
 * never. The first rule that has an answer decides. A volume is deleted by `cleanUp` alone.
 */
export const decide = (s: VolumeSituation, policy: Policy, now: number): Decision<RescueCall> => {
  for (const rule of rules) {
    const decision = rule(s, policy, now);
    if (decision !== undefined) return decision;
  }
  return skip('volume-gone', `${s.volumeId} is deleted, and no snapshot holds its logs.`);
};

// --- Not ours to touch now ---

const attached: Rule = (s, _, now) => {
  const { volume, item, instance, volumeId } = s;
  if (volume === null || volume.attachedTo.length === 0) return undefined;
  const others = volume.attachedTo.filter((id) => id !== item.instance);
  if (others.length > 0) {
    const why = `${volumeId} was kept from ${item.instance} and is now attached to ${others.join(', ')}`;
    if (item.rescue === 'failed') return skip('volume-attached', `${why}; it is left alone.`);
    return step('volume-reused', `${why}: somebody uses it, so it is taken off the rescue.`, [reusedCall(s, now)]);
  }
  if (isGone(instance) || instance === 'shutting-down') {
    return defer('volume-detaching', now + LETTING_GO, `${item.instance} has not let go of ${volumeId} yet.`);
  }
  return skip('volume-attached', `${volumeId} is attached to ${item.instance}, which is ${instance}.`);
};

/** A backup that is restored brings the tags of what was backed up. */
const copied: Rule = ({ volume, item, volumeId }) =>
  volume === null || volume.createdAt <= item.since
    ? undefined
    : escalate(
        'volume-copied',
        `${volumeId} carries the tags of a volume that was kept at ${time(item.since)}, and was made at ${time(volume.createdAt)}: a copy, which is left alone.`,
        `Take the tags off: aws ec2 delete-tags --resources ${volumeId} --tags ${WORK_ITEM_TAGS.map((key) => `Key=${key}`).join(' ')}`,
      );

const instanceLives: Rule = ({ instance, item, volumeId, volume }, _, now) => {
  if (volume === null || isGone(instance)) return undefined;
  if (instance === 'shutting-down') {
    return defer('volume-detaching', now + LETTING_GO, `${item.instance} is still shutting down.`);
  }
  return skip(
    'instance-lives',
    `${volumeId} was detached from ${item.instance}, which is ${instance}: whoever did so wants it.`,
  );
};

const unavailable: Rule = ({ volume, volumeId }) =>
  volume === null || volume.state === 'available'
    ? undefined
    : escalate(
        'unexpected-state',
        `${volumeId} is ${volume.state || 'in no known state'} and attached to nothing.`,
        'Look at the volume in the EC2 console.',
      );

// --- The end ---

/** The proof was complete; it is looked at once more, because what follows cannot be undone. */
const cleanUp: Rule = (s) => {
  const { item, snapshots, volume, volumeId, marker } = s;
  if (item.rescue !== 'proven' && item.rescue !== 'done') return undefined;
  const missing = missingMarker(s, snapshots);
  if (missing !== null) {
    return escalate(
      'proof-lost',
      `The logs of ${volumeId} were proven to be in S3, and now ${missing}; nothing is deleted.`,
      `Look for the logs in the bucket. To ship them again: aws ec2 create-tags --resources ${resourcesOf(s)} --tags Key=reflex:rescue,Value=pending`,
    );
  }
  const what = [...(volume === null ? [] : [volumeId]), ...snapshots.map(({ id }) => id)].join(', then ');
  const why = `${marker?.files} files (${marker?.bytes} bytes) are proven to be in S3; ${what} ${volume === null ? 'is' : 'are'} deleted.`;
  return { ...step('clean-up', why, cleanCalls(s)), followUpMs: MINUTE };
};

// --- A person's turn ---

const failed: Rule = (s, policy, now) => {
  if (s.item.rescue !== 'failed') return undefined;
  const why = `The rescue of ${s.volumeId} was given up${lastProblem(s)}; ${s.volume === null ? 'its snapshots are' : 'the volume is'} kept.`;
  const told = toPerson(s, policy, now, 'rescue-failed', why);
  return told.kind === 'escalate' ? { ...told, hold: true } : told;
};

const lastProblem = (s: VolumeSituation): string => {
  const { problem } = memoryOf(s);
  return problem === undefined ? '' : ` (last: ${problem})`;
};

/** The volume was kept again later, and is gone: the same keys hold newer logs. */
const former: Rule = (s, policy, now) => {
  const { volume, marker, snapshots, volumeId } = s;
  if (volume !== null || marker === null || snapshots.some(({ id }) => id === marker.snapshotId)) return undefined;
  const ids = snapshots.map(({ id }) => id).join(', ');
  const why = `${volumeId} is gone, and its logs in S3 are from ${marker.snapshotId}; ${ids} would overwrite them, and is kept.`;
  return toPerson(s, policy, now, 'former-snapshot', why);
};

const unmountable: Rule = (s, policy, now) => {
  const filesystem = filesystemOf(s);
  const why = s.item.root
    ? `${s.volumeId} was the root device: it has partitions, and ECS mounts whole volumes only`
    : filesystem.mountable
      ? null
      : `${s.volumeId} holds ${filesystem.name}, and ECS mounts ${FILESYSTEMS.join(', ')} only`;
  return why === null ? undefined : toPerson(s, policy, now, 'not-mountable', `${why}; the volume is kept.`);
};

const unconfigured: Rule = (s, policy, now) =>
  policy.subnets === null
    ? toPerson(
        s,
        policy,
        now,
        'rescue-not-configured',
        `No subnet is set (stack parameter RescueSubnetIds), so no task can ship ${s.volumeId}; it is kept until one is.`,
      )
    : undefined;

// --- Snapshot ---

const snapshotFailed: Rule = (s, _, now) => {
  const broken = s.snapshots.filter(({ state, counted }) => state === 'error' && !counted);
  const [first] = broken;
  if (first === undefined) return undefined;
  const why = `snapshot ${first.id} failed: ${first.message || 'no reason given'}`;
  return attemptFailed(s, why, now, [countedCall(broken.map(({ id }) => id))]);
};

const takeSnapshot: Rule = (s, _, now) => {
  if (usable(s.snapshots).length > 0 || s.volume === null) return undefined;
  const { volumeId, item } = s;
  const { refused } = memoryOf(s);
  const why = `${volumeId} was kept from ${item.instance}, which is gone, and no snapshot of it exists.`;
  const calls = [stateCall(s, 'snapshotting', item.attempts), snapshotCall(s)];
  return (
    backingOff(s, now) ?? {
      ...step('take-snapshot', why, calls, refused === undefined ? {} : { refused }),
      spends: spends('CreateSnapshot'),
    }
  );
};

const awaitSnapshot: Rule = (s, _, now) => {
  const [pending] = usable(s.snapshots);
  if (pending === undefined || pending.state === 'completed') return undefined;
  const why = `Snapshot ${pending.id} of ${s.volumeId}, begun ${time(pending.startedAt)}, is ${pending.state}.`;
  return defer('snapshot-pending', now + LOOK_AGAIN, why);
};

// --- Task ---

const ship: Rule = (s, policy, now) => {
  const [snapshot] = usable(s.snapshots);
  if (snapshot?.state !== 'completed' || policy.subnets === null) return undefined;
  const { item, volumeId } = s;
  const group = taskGroup(snapshot.id, item.attempts);
  const task = s.tasks?.find((one) => one.group === group);
  if (task !== undefined) return judge(s, snapshot, task, now);
  const { run, refused = 0 } = memoryOf(s);
  const asked = run?.group === group ? run.at : null;
  if (asked !== null && now - asked > TASK_SHOWN) {
    return attemptFailed(
      s,
      `the task asked for at ${time(asked)} is shown nowhere, and nobody knows how it ended`,
      now,
    );
  }
  if (asked !== null && now - asked < TASK_LISTED) {
    return defer('shipping-logs', now + LOOK_AGAIN, `The task that ships ${volumeId} is not listed yet.`);
  }
  const filesystem = filesystemOf(s);
  if (!filesystem.mountable) return undefined;
  const why = `Attempt ${item.attempts + 1} of ${ATTEMPTS} to ship ${volumeId} from snapshot ${snapshot.id}, as ${filesystem.name}.`;
  const calls = [
    stateCall(s, 'shipping', item.attempts),
    runCall(s, snapshot.id, filesystem.name, policy.subnets, refused, policy),
  ];
  return (
    backingOff(s, now) ?? {
      ...step('ship-snapshot', why, calls, {
        run: { group, at: asked ?? now },
        ...(refused > 0 && { refused }),
      }),
      spends: spends('RunTask'),
    }
  );
};

const judge = (s: VolumeSituation, snapshot: Snapshot, task: RescueTask, now: number): Decision<RescueCall> => {
  const { volumeId, item } = s;
  if (task.lastStatus !== 'STOPPED') {
    const why = `Task ${task.arn} ships ${volumeId}: ${task.lastStatus || 'no status'}.`;
    return defer('shipping-logs', now + LOOK_AGAIN, why);
  }
  const missing = missingProof(s, snapshot, task);
  if (missing !== null || s.marker === null) return attemptFailed(s, missing ?? 'there is no marker in S3', now);
  const { files, bytes, lines, filesSkipped } = s.marker;
  const why = `Task ${task.arn} has copied ${files} files (${bytes} bytes) of ${volumeId}, none failed, ${filesSkipped} are no regular files; its marker names snapshot ${snapshot.id}.`;
  return {
    ...step('logs-proven', why, [stateCall(s, 'proven', item.attempts)], {
      shipped: { files, bytes, ...(lines !== undefined && { lines }) },
    }),
    followUpMs: SECOND,
  };
};

/** The first that holds everything; a second one is what a call without an answer left. */
const usable = (snapshots: readonly Snapshot[]): Snapshot[] => {
  const rank = ({ state }: Snapshot): number => (state === 'completed' ? 0 : 1);
  return snapshots.filter(({ state }) => state !== 'error').sort((a, b) => rank(a) - rank(b));
};

type Mountable = { readonly mountable: true; readonly name: Filesystem };

/** What the host said of it is better than what was configured. */
const filesystemOf = ({ shipped, volumeId, item }: VolumeSituation): Mountable | { mountable: false; name: string } => {
  const said = shipped?.sources.find(({ volume }) => volume === volumeId)?.filesystem ?? '';
  if (said === '' || said === 'unknown') return { mountable: true, name: item.filesystem };
  const name = FILESYSTEMS.find((one) => one === said);
  return name === undefined ? { mountable: false, name: said } : { mountable: true, name };
};

// --- What rules share ---

const attemptFailed = (
  s: VolumeSituation,
  problem: string,
  now: number,
  first: readonly RescueCall[] = [],
): Act<RescueCall> => {
  const attempts = s.item.attempts + 1;
  const { volumeId } = s;
  if (attempts >= ATTEMPTS) {
    const why = `Attempt ${attempts} to rescue the logs of ${volumeId} failed: ${problem}. No further one is made; the volume is kept.`;
    return {
      ...step('rescue-failed', why, [...first, stateCall(s, 'failed', attempts)], { problem }),
      followUpMs: SECOND,
    };
  }
  const pause = pauseAfter(attempts);
  const why = `Attempt ${attempts} of ${ATTEMPTS} to rescue the logs of ${volumeId} failed: ${problem}. The next is made at ${time(now + pause)}.`;
  const state = s.snapshots.some(({ state }) => state === 'completed') ? 'shipping' : 'snapshotting';
  return {
    ...step('rescue-retry', why, [...first, stateCall(s, state, attempts)], { retryAt: now + pause }),
    followUpMs: pause,
  };
};

const backingOff = (s: VolumeSituation, now: number): Defer | undefined => {
  const { retryAt = 0 } = memoryOf(s);
  return now < retryAt
    ? defer('rescue-backoff', retryAt, `The next attempt to rescue ${s.volumeId} is made at ${time(retryAt)}.`)
    : undefined;
};

/** Told once, and once a day when it has been kept for too long. */
const toPerson = (
  s: VolumeSituation,
  { keepLogVolumesDays }: Policy,
  now: number,
  reason: Reason,
  why: string,
): Escalate | Skip => {
  const { toldAt } = memoryOf(s);
  const days = Math.floor((now - s.item.since) / DAY);
  if (toldAt !== undefined && (days < keepLogVolumesDays || now - toldAt < DAY)) {
    return skip('kept-unproven', `${why} People were told at ${time(toldAt)}.`);
  }
  const told = days < keepLogVolumesDays ? why : `${why} It is ${days} days old.`;
  return escalate(reason, told, runbook(s), { ...memoryOf(s), toldAt: now } as JsonObject);
};

/** By hand: another instance reads the volume. Nothing that may hold logs is deleted by it. */
const runbook = (s: VolumeSituation): string => {
  const { arn, volumeId, item, volume, snapshots } = s;
  const [snapshot] = usable(snapshots);
  if (volume === null && snapshot === undefined) {
    const commands = snapshots.map(({ id }) => `aws ec2 delete-snapshot --snapshot-id ${id}`);
    return `The volume is gone and no snapshot of it is whole: what is not in the bucket is lost. To take away what is left: ${commands.join(' && ')}`;
  }
  const ids = snapshots.map(({ id }) => id).join(' ');
  const again =
    item.rescue === 'failed'
      ? `One more attempt, as ${filesystemOf(s).name} (tag reflex:filesystem): aws ec2 create-tags --resources ${resourcesOf(s)} --tags Key=reflex:rescue,Value=pending && npm run ops -- release ${arn}. Or by`
      : 'By';
  const made =
    volume === null
      ? `aws ec2 create-volume --snapshot-id ${snapshot?.id} --availability-zone <zone>; aws ec2 attach-volume --volume-id <volume>`
      : `aws ec2 attach-volume --volume-id ${volumeId}`;
  return [
    `${again} hand, from an instance in ${volume === null ? 'that' : "the volume's"} Availability Zone: ${made} --instance-id <instance> --device /dev/sdf;`,
    'mount -o ro /dev/nvme1n1p1 /mnt (lsblk names the partition; XFS: -o ro,nouuid);',
    `aws s3 sync /mnt/${item.root ? 'var/log' : ''} s3://<log bucket>/${item.prefix}/${item.instance}/${volumeId}/${item.root ? 'var/log' : ''};`,
    `then unmount, detach, and delete the volume yourself${ids === '' ? '' : `, and ${ids}`}.`,
  ].join(' ');
};

/** What carries the work item. */
const resourcesOf = ({ volume, volumeId, snapshots }: VolumeSituation): string =>
  volume === null ? snapshots.map(({ id }) => id).join(' ') : volumeId;

const step = (reason: Reason, why: string, calls: readonly RescueCall[], remember: Memory = {}): Act<RescueCall> => ({
  kind: 'act',
  reason,
  why,
  calls,
  coolDownMs: 0,
  followUpMs: LOOK_AGAIN,
  // Every step has a next one; what does not help is counted in `attempts`.
  planned: true,
  remember: remember as JsonObject,
});

const memoryOf = ({ ledger }: VolumeSituation): Memory => ledger.remembered as Memory;

const rules: readonly Rule[] = [
  copied,
  attached,
  instanceLives,
  unavailable,
  failed,
  cleanUp,
  former,
  unmountable,
  unconfigured,
  snapshotFailed,
  takeSnapshot,
  awaitSnapshot,
  ship,
];
