import type { Call } from '../../shared/decision.ts';
import {
  type Filesystem,
  RESCUE_TAGS,
  type RescueState,
  rescuedKey,
  startedBy,
  volumePrefix,
  workItemTags,
} from '../../shared/spot-logs.ts';
import { taskGroup, type VolumeFacts } from './facts.ts';
import type { Policy } from './policy.ts';

type Tag = { readonly Key: string; readonly Value: string };

export type RescueCall =
  | Call<'CreateTags', { Resources: string[]; Tags: Tag[] }>
  | Call<
      'CreateSnapshot',
      {
        VolumeId: string;
        Description: string;
        TagSpecifications: { ResourceType: 'snapshot'; Tags: Tag[] }[];
      }
    >
  | Call<'RunTask', RunParams>
  | Call<'DeleteVolume', { VolumeId: string }>
  | Call<'DeleteSnapshot', { SnapshotId: string }>;

export type RunParams = {
  cluster: string;
  taskDefinition: string;
  launchType: 'FARGATE';
  platformVersion: 'LATEST';
  count: 1;
  clientToken: string;
  startedBy: string;
  group: string;
  propagateTags: 'TASK_DEFINITION';
  enableECSManagedTags: true;
  networkConfiguration: {
    awsvpcConfiguration: { subnets: string[]; securityGroups?: string[]; assignPublicIp: 'DISABLED' | 'ENABLED' };
  };
  overrides: { containerOverrides: { name: string; environment: { name: string; value: string }[] }[] };
  volumeConfigurations: {
    name: string;
    managedEBSVolume: {
      roleArn: string;
      snapshotId: string;
      filesystemType: Filesystem;
      volumeType: 'gp3';
      encrypted: true;
      terminationPolicy: { deleteOnTermination: true };
      tagSpecifications: { resourceType: 'volume'; tags: { key: string; value: string }[]; propagateTags: 'NONE' }[];
    };
  }[];
};

/** Names in the task definition of template.yaml. */
export const CONTAINER = 'ship';
export const TASK_VOLUME = 'logs';
const MOUNT = '/mnt/logs';

/** The volume, while there is one, and the snapshots of its work item carry the same state. */
export const stateCall = (
  { volume, volumeId, snapshots }: VolumeFacts,
  rescue: RescueState,
  attempts: number,
): RescueCall => ({
  call: 'CreateTags',
  params: {
    Resources: [
      ...(volume === null ? [] : [volumeId]),
      ...snapshots.filter(({ counted }) => !counted || rescue === 'done').map(({ id }) => id),
    ],
    Tags: [
      { Key: RESCUE_TAGS.rescue, Value: rescue },
      { Key: RESCUE_TAGS.attempts, Value: String(attempts) },
    ],
  },
});

/** Somebody else writes to it: a rescue after that is of another keeping, and what was snapshotted before proves nothing of it. */
export const reusedCall = ({ volumeId, item }: VolumeFacts, now: number): RescueCall => ({
  call: 'CreateTags',
  params: {
    Resources: [volumeId],
    Tags: [
      { Key: RESCUE_TAGS.rescue, Value: 'failed' },
      { Key: RESCUE_TAGS.attempts, Value: String(item.attempts) },
      { Key: RESCUE_TAGS.since, Value: new Date(now).toISOString() },
    ],
  },
});

/** A failed snapshot's failure is counted once. */
export const countedCall = (snapshots: readonly string[]): RescueCall => ({
  call: 'CreateTags',
  params: { Resources: [...snapshots], Tags: [{ Key: RESCUE_TAGS.rescue, Value: 'failed' }] },
});

/** Carries the work item: the snapshot alone is enough to go on from. */
export const snapshotCall = ({ volumeId, item }: VolumeFacts): RescueCall => ({
  call: 'CreateSnapshot',
  params: {
    VolumeId: volumeId,
    Description: `Reflex: logs of ${item.instance}, ${item.device}`,
    TagSpecifications: [
      {
        ResourceType: 'snapshot',
        Tags: Object.entries({
          ...workItemTags({ ...item, rescue: 'snapshotting' }),
          [RESCUE_TAGS.volume]: volumeId,
        }).map(([Key, Value]) => ({ Key, Value })),
      },
    ],
  },
});

/**
 * The same call again starts no second task; the next attempt, or another revision, has another token. ECS answers a token that it
 * refused with the same refusal for a day, so each definite refusal makes another one, too.
 */
export const runCall = (
  { volumeId, item }: VolumeFacts,
  snapshot: string,
  filesystem: Filesystem,
  subnets: readonly string[],
  refused: number,
  { bucket, cluster, taskDefinition, infrastructureRole, securityGroups, publicIp }: Policy,
): RescueCall => {
  const revision = taskDefinition.slice(taskDefinition.lastIndexOf(':') + 1);
  return {
    call: 'RunTask',
    params: {
      cluster,
      taskDefinition,
      // The logs of a Spot instance shall not wait for Spot capacity.
      launchType: 'FARGATE',
      platformVersion: 'LATEST',
      count: 1,
      clientToken: `${snapshot}:${item.attempts}:${revision}:${refused}`,
      startedBy: startedBy(volumeId),
      group: taskGroup(snapshot, item.attempts),
      propagateTags: 'TASK_DEFINITION',
      enableECSManagedTags: true,
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: [...subnets],
          ...(securityGroups !== null && { securityGroups: [...securityGroups] }),
          assignPublicIp: publicIp,
        },
      },
      overrides: {
        containerOverrides: [
          {
            name: CONTAINER,
            environment: [
              { name: 'RESCUE_SOURCE', value: MOUNT },
              {
                name: 'RESCUE_DESTINATION',
                value: `s3://${bucket}/${volumePrefix(item.prefix, item.instance, volumeId)}`,
              },
              { name: 'RESCUE_MARKER', value: `s3://${bucket}/${rescuedKey(item.prefix, volumeId)}` },
              { name: 'RESCUE_VOLUME', value: volumeId },
              { name: 'RESCUE_SNAPSHOT', value: snapshot },
            ],
          },
        ],
      },
      volumeConfigurations: [
        {
          name: TASK_VOLUME,
          managedEBSVolume: {
            roleArn: infrastructureRole,
            snapshotId: snapshot,
            filesystemType: filesystem,
            volumeType: 'gp3',
            encrypted: true,
            // The copy, not the volume that was kept.
            terminationPolicy: { deleteOnTermination: true },
            tagSpecifications: [
              {
                resourceType: 'volume',
                tags: [{ key: 'Name', value: `reflex rescue of ${volumeId}` }],
                propagateTags: 'NONE',
              },
            ],
          },
        },
      ],
    },
  };
};

/** Tagged first: IAM deletes only what says done. The snapshots last: they are the only other copy. */
export const cleanCalls = (facts: VolumeFacts): RescueCall[] => [
  stateCall(facts, 'done', facts.item.attempts),
  ...(facts.volume === null ? [] : [{ call: 'DeleteVolume', params: { VolumeId: facts.volumeId } } as const]),
  ...facts.snapshots.map(({ id }) => ({ call: 'DeleteSnapshot', params: { SnapshotId: id } }) as const),
];
