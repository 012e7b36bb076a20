import { idIn } from '../../shared/arns.ts';
import { describeInstances, describeSnapshotsBy, describeVolumesBy } from '../../shared/aws/ec2.ts';
import { describeTasks, listTasksOfFamily, tasksPerCall } from '../../shared/aws/ecs.ts';
import { chunksOf } from '../../shared/aws/pages.ts';
import { objectText } from '../../shared/aws/s3.ts';
import { escalate, skip } from '../../shared/decision.ts';
import { BrokenMessage } from '../../shared/events/event.ts';
import type { Observed, Watch } from '../../shared/function.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import {
  parseRescued,
  parseShipped,
  parseWorkItem,
  RESCUE_TAGS,
  rescuedKey,
  type Shipped,
  shippedKey,
  startedBy,
  type WorkItem,
} from '../../shared/spot-logs.ts';
import type { RescueTask, Snapshot, Volume, VolumeFacts } from './facts.ts';
import type { Stack } from './policy.ts';

type Tags = Readonly<Record<string, string>>;
type Ec2Volume = Awaited<ReturnType<typeof describeVolumesBy>>[number];
type Ec2Tag = { readonly Key?: string | undefined; readonly Value?: string | undefined };
type Ec2Snapshot = Awaited<ReturnType<typeof describeSnapshotsBy>>[number];

/** A volume that is being deleted is none any more. */
const DELETED = ['deleting', 'deleted'];

/**
 * The volumes and their snapshots, for all resources together; then, of those that are work items, the instances, the rescue
 * tasks and what S3 holds.
 */
export const observe =
  ({ bucket, cluster, taskDefinition }: Stack, clock: () => number) =>
  async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<VolumeFacts>>> => {
    const asOf = clock();
    const ids = watches.map(({ resource }) => idIn(resource));
    const [volumes, snapshots] = await Promise.all([
      describeVolumesBy('volume-id', ids),
      describeSnapshotsBy(`tag:${RESCUE_TAGS.volume}`, ids),
    ]);
    const found = new Map(
      watches.map(({ resource }) => {
        const id = idIn(resource);
        const volume = volumes.find(({ VolumeId, State = '' }) => VolumeId === id && !DELETED.includes(State));
        const own = snapshots.filter(
          // A copy of a snapshot may carry its tags, and is somebody's: EC2 says that it is of another volume.
          ({ VolumeId, Tags }) => VolumeId === id && tagsIn(Tags)[RESCUE_TAGS.volume] === id,
        );
        return [resource, known(id, volume, own)] as const;
      }),
    );
    const items = [...found.values()].flatMap((one) => ('item' in one ? [one] : []));
    const complete = items.filter((one) => one.snapshots.some(({ state }) => state === 'completed'));
    const [instances, tasks] = await Promise.all([
      items.length === 0 ? [] : describeInstances([...new Set(items.map(({ item }) => item.instance))]),
      complete.length === 0 ? [] : rescueTasks(cluster, taskDefinition),
    ]);
    const stateOf = new Map(instances.map(({ InstanceId, State }) => [InstanceId, State?.Name ?? null]));

    const observed = async (arn: string): Promise<Observed<VolumeFacts>> => {
      const one = found.get(arn);
      if (one === undefined) return { error: new Error(`${arn} was not looked for`) };
      if (!('item' in one)) return one;
      const { id, item, tags, volume, snapshots } = one;
      const facts = {
        asOf,
        arn,
        volumeId: id,
        tags,
        item,
        volume,
        instance: stateOf.get(item.instance) ?? null,
        snapshots,
      };
      if (!complete.includes(one)) {
        return { facts: { ...facts, tasks: null, marker: null, shipped: null } };
      }
      try {
        const [marker, shipped] = await Promise.all([
          objectText(bucket, rescuedKey(item.prefix, id)),
          objectText(bucket, shippedKey(item.prefix, item.instance)),
        ]);
        return {
          facts: {
            ...facts,
            tasks: tasks.filter((task) => task.startedBy === startedBy(id)).map(({ startedBy: _, ...task }) => task),
            marker: readable(marker, parseRescued),
            shipped: readable<Shipped>(shipped, parseShipped),
          },
        };
      } catch (error) {
        return { error };
      }
    };
    return new Map(
      await Promise.all(watches.map(async ({ resource }) => [resource, await observed(resource)] as const)),
    );
  };

interface Known {
  readonly id: string;
  readonly tags: Tags;
  readonly item: WorkItem;
  readonly volume: Volume | null;
  readonly snapshots: readonly Snapshot[];
}

/** The work item, from the volume's tags, or from a snapshot's where the volume is gone. */
const known = (
  id: string,
  volume: Ec2Volume | undefined,
  ours: readonly Ec2Snapshot[],
): Known | Exclude<Observed<VolumeFacts>, { facts: unknown }> => {
  const byAge = [...ours].sort(
    (a, b) => startOf(a) - startOf(b) || ((a.SnapshotId ?? '') < (b.SnapshotId ?? '') ? -1 : 1),
  );
  if (volume === undefined && byAge.length === 0) {
    return {
      decision: skip('volume-gone', `Neither ${id} nor a snapshot of it exists any more.`),
    };
  }
  // The newest work item, where a volume was kept more than once.
  const tags = tagsIn(volume === undefined ? byAge.at(-1)?.Tags : volume.Tags);
  try {
    const item = parseWorkItem(tags);
    if (item === null) {
      const why = `${id} is no volume that Reflex has kept: it carries no tag ${RESCUE_TAGS.instance}.`;
      return { decision: skip('not-opted-in', why) };
    }
    return {
      id,
      item,
      tags,
      volume:
        volume === undefined
          ? null
          : {
              state: volume.State ?? '',
              createdAt: volume.CreateTime?.getTime() ?? 0,
              attachedTo: (volume.Attachments ?? []).flatMap(({ InstanceId }) => InstanceId ?? []),
            },
      snapshots: byAge.filter(({ Tags }) => isOf(item, tagsIn(Tags))).map(snapshotOf),
    };
  } catch (error) {
    if (!(error instanceof BrokenMessage)) return { error };
    if (tags[OPT_IN_TAG] !== 'true') {
      return { decision: skip('not-opted-in', `The tag ${OPT_IN_TAG} is not true.`) };
    }
    return {
      decision: escalate(
        'bad-tag',
        `${id}: tag ${error.message}; the volume is kept and nothing is done until it is put right.`,
        'Correct the tag, or remove all reflex: tags from the volume.',
      ),
    };
  }
};

/** A volume that was kept anew, from another instance or at another time, has been written to: older snapshots say nothing of it. */
const isOf = ({ instance, since }: WorkItem, tags: Tags): boolean =>
  tags[RESCUE_TAGS.instance] === instance && tags[RESCUE_TAGS.since] === new Date(since).toISOString();

const snapshotOf = (snapshot: Ec2Snapshot): Snapshot => ({
  id: snapshot.SnapshotId ?? '',
  state: snapshot.State ?? '',
  startedAt: startOf(snapshot),
  message: snapshot.StateMessage ?? '',
  counted: tagsIn(snapshot.Tags)[RESCUE_TAGS.rescue] === 'failed' && snapshot.State === 'error',
});

const startOf = ({ StartTime }: Ec2Snapshot): number => StartTime?.getTime() ?? 0;

const tagsIn = (tags: readonly Ec2Tag[] = []): Tags =>
  Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));

/** `startedBy` filters no stopped tasks: the family does. */
const rescueTasks = async (
  cluster: string,
  taskDefinition: string,
): Promise<(RescueTask & { readonly startedBy: string })[]> => {
  const family = idIn(taskDefinition).split(':')[0] ?? '';
  const listed = await Promise.all([
    listTasksOfFamily(cluster, family, 'RUNNING'),
    listTasksOfFamily(cluster, family, 'STOPPED'),
  ]);
  const arns = [...new Set(listed.flat())];
  const parts = chunksOf(arns, tasksPerCall).map((some) => describeTasks(cluster, some));
  return (await Promise.all(parts))
    .flat()
    .map((task) => ({
      arn: task.taskArn ?? '',
      startedBy: task.startedBy ?? '',
      group: task.group ?? '',
      createdAt: task.createdAt?.getTime() ?? 0,
      lastStatus: task.lastStatus ?? '',
      stopCode: task.stopCode ?? null,
      stoppedReason: task.stoppedReason ?? null,
      exitCodes: (task.containers ?? []).map(({ exitCode }) => exitCode ?? null),
    }))
    .sort((a, b) => b.createdAt - a.createdAt);
};

/** What cannot be read proves nothing. */
const readable = <T>(text: string | null, parse: (json: string) => T): T | null => {
  if (text === null) return null;
  try {
    return parse(text);
  } catch {
    return null;
  }
};
