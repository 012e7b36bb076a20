import type { RescueTask, Snapshot, VolumeFacts } from './facts.ts';

/**
 * What is missing to the proof that the volume's logs are in S3; null: nothing. The task has copied to the end, and the marker,
 * which it wrote last, is of this very volume and snapshot and knows of no file that failed.
 */
export const missingProof = (facts: VolumeFacts, snapshot: Snapshot, task: RescueTask): string | null =>
  unfinished(task) ?? missingMarker(facts, [snapshot]) ?? outdated(facts, task);

/** Why the task's end proves nothing. A container without an exit code has failed. */
const unfinished = ({ lastStatus, stopCode, stoppedReason, exitCodes }: RescueTask): string | null => {
  if (lastStatus !== 'STOPPED') return `the task is ${lastStatus}`;
  if (stopCode !== 'EssentialContainerExited') {
    return `the task stopped with ${stopCode ?? 'no code'}: ${stoppedReason ?? 'no reason given'}`;
  }
  if (exitCodes.length === 0) return 'the task has no container';
  const bad = exitCodes.find((code) => code !== 0);
  if (bad === undefined) return null;
  return bad === null ? 'the container has no exit code' : `the container ended with exit code ${bad}`;
};

/** A marker of a former attempt says nothing of this one. It tells its time in whole seconds. */
const outdated = ({ marker }: VolumeFacts, { createdAt }: RescueTask): string | null =>
  marker !== null && marker.at + 1_000 < createdAt ? 'the marker is older than the task' : null;

/** Why the marker is no proof for one of these snapshots. */
export const missingMarker = ({ marker, volumeId }: VolumeFacts, snapshots: readonly Snapshot[]): string | null => {
  if (snapshots.length === 0) return 'there is no snapshot of it';
  if (marker === null) return 'there is no marker in S3';
  if (marker.volumeId !== volumeId) return `the marker is of ${marker.volumeId}`;
  if (!snapshots.some(({ id }) => id === marker.snapshotId)) return `the marker is of snapshot ${marker.snapshotId}`;
  if (marker.filesFailed > 0) return `${marker.filesFailed} files are not in S3`;
  return marker.files === 0 ? 'the task found no file at all' : null;
};
