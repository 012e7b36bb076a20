import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  type Instance,
  RunInstancesCommand,
  type Tag,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import {
  CreateClusterCommand,
  DescribeContainerInstancesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RegisterContainerInstanceCommand,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { ListCommandsCommand } from '@aws-sdk/client-ssm';
import { instanceArn, volumeArn } from '../../shared/arns.ts';
import { RESCUE_TAGS, startedBy, volumePrefix, workItemTags } from '../../shared/spot-logs.ts';
import { ensureVenv } from '../venv.ts';
import type { Aws } from './aws.ts';
import { account, cleanEnvironment, region } from './emulator.ts';
import type { ListView } from './story.ts';

const here = { account, region };
export const arnOfInstance = (id: string): string => instanceArn(here, id);
export const arnOfVolume = (id: string): string => volumeArn(here, id);

const device = '/dev/xvdf';
export const prefix = 'spot-logs';

export interface Host {
  readonly instance: string;
  /** Its log volume. */
  readonly volume: string;
}

/** A Spot instance that opted in, with a log volume that is deleted with it, as in most launch templates, or is not. */
export async function launchHost({ ec2 }: Aws, name: string, DeleteOnTermination: boolean): Promise<Host> {
  const { Instances: [launched] = [] } = await ec2.send(
    new RunInstancesCommand({
      ImageId: 'ami-12c6146b',
      InstanceType: 'm6g.large',
      MinCount: 1,
      MaxCount: 1,
      InstanceMarketOptions: { MarketType: 'spot' },
      BlockDeviceMappings: [{ DeviceName: device, Ebs: { VolumeSize: 20, DeleteOnTermination } }],
      TagSpecifications: [
        {
          ResourceType: 'instance',
          Tags: tagList({ Name: name, 'reflex:enabled': 'true', 'reflex:filesystem': 'ext4' }),
        },
      ],
    }),
  );
  const instance = launched?.InstanceId ?? '';
  return { instance, volume: (await mappingOf({ ec2 }, instance))?.VolumeId ?? '' };
}

const tagList = (tags: Readonly<Record<string, string>>): Tag[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
const tagsOf = (tags: readonly Tag[] = []): Record<string, string> =>
  Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));

async function mappingOf({ ec2 }: Pick<Aws, 'ec2'>, instance: string) {
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [instance] }));
  const [found]: Instance[] = Reservations.flatMap(({ Instances = [] }) => Instances);
  return found?.BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === device)?.Ebs;
}

/** Makes the instance a host of an ECS cluster; gives its ARN there. */
export async function joinCluster({ hosts }: Aws, cluster: string, instance: string): Promise<string> {
  await hosts.send(new CreateClusterCommand({ clusterName: cluster }));
  const instanceIdentityDocument = JSON.stringify({ instanceId: instance });
  const { containerInstance } = await hosts.send(
    new RegisterContainerInstanceCommand({ cluster, instanceIdentityDocument }),
  );
  return containerInstance?.containerInstanceArn ?? '';
}

/** The host's log volume, and the host in its cluster. */
export async function viewHost(aws: Aws, { instance, volume }: Host, cluster: string, arn: string): Promise<ListView> {
  const [mapping, tags, { containerInstances: [container] = [] }, { Commands = [] }] = await Promise.all([
    mappingOf(aws, instance),
    volumeTags(aws, volume),
    aws.hosts.send(new DescribeContainerInstancesCommand({ cluster, containerInstances: [arn] })),
    aws.ssm.send(new ListCommandsCommand({ InstanceId: instance })),
  ]);
  const fate = mapping?.DeleteOnTermination === false ? 'outlives the instance' : 'is deleted with the instance';
  const [command] = Commands;
  return {
    noun: 'resource',
    parts: [
      { id: volume, says: `${fate}; ${RESCUE_TAGS.rescue}: ${tags[RESCUE_TAGS.rescue] ?? 'none'}` },
      { id: 'container instance', says: container?.status ?? 'none' },
      {
        id: 'Run Command',
        says: command === undefined ? 'nothing' : `${command.DocumentName}, ${command.Parameters?.phase}`,
      },
    ],
  };
}

export async function volumeTags({ ec2 }: Aws, volume: string): Promise<Record<string, string>> {
  const { Volumes: [found] = [] } = await ec2.send(new DescribeVolumesCommand({ VolumeIds: [volume] }));
  return tagsOf(found?.Tags);
}

/** A log volume that was kept from an instance that is gone: its tags are all that is left of it. */
export async function loseHost(aws: Aws, name: string): Promise<Host> {
  const host = await launchHost(aws, name, false);
  const tags = workItemTags({
    rescue: 'pending',
    instance: host.instance,
    device,
    root: false,
    filesystem: 'ext4',
    prefix,
    since: Date.now(),
    attempts: 0,
  });
  await aws.ec2.send(new CreateTagsCommand({ Resources: [host.volume], Tags: tagList(tags) }));
  await aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: [host.instance] }));
  return host;
}

/** The volume and its snapshots. */
export async function viewKept({ ec2 }: Aws, { volume }: Host): Promise<ListView> {
  const [{ Volumes = [] }, { Snapshots = [] }] = await Promise.all([
    ec2.send(new DescribeVolumesCommand({ Filters: [{ Name: 'volume-id', Values: [volume] }] })),
    ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'], Filters: [{ Name: 'volume-id', Values: [volume] }] })),
  ]);
  const says = (state: string | undefined, tags: readonly Tag[] = []): string =>
    `${state}; ${RESCUE_TAGS.rescue}: ${tagsOf(tags)[RESCUE_TAGS.rescue]}`;
  return {
    noun: 'resource',
    parts: [
      ...Volumes.map(({ VolumeId = '', State, Tags }) => ({ id: VolumeId, says: says(State, Tags) })),
      ...Snapshots.map(({ SnapshotId = '', State, Tags }) => ({ id: SnapshotId, says: says(State, Tags) })),
    ],
  };
}

/** The rescue task of a volume, as the embedded ECS has it; undefined: there is none. */
export async function rescueTaskOf({ ecs }: Aws, cluster: string, volume: string): Promise<Task | undefined> {
  const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster, startedBy: startedBy(volume) }));
  if (taskArns.length === 0) return undefined;
  const { tasks: [task] = [] } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: taskArns }));
  return task;
}

/**
 * Runs the container of a task on this machine: the command of its definition, with the environment of its overrides, on a
 * volume that holds `logs` (path: text). Gives its exit code.
 */
export async function runContainer(
  { ecs, endpoint }: Aws,
  { taskDefinitionArn, overrides }: Task,
  logs: Readonly<Record<string, string>>,
): Promise<number> {
  const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: taskDefinitionArn }));
  const [container] = taskDefinition?.containerDefinitions ?? [];
  const [entry = '', ...args] = [...(container?.entryPoint ?? []), ...(container?.command ?? [])];
  const [given] = overrides?.containerOverrides ?? [];
  const environment = Object.fromEntries((given?.environment ?? []).map(({ name = '', value = '' }) => [name, value]));
  const bin = await ensureVenv();
  const mounted = mkdtempSync(join(tmpdir(), 'reflex-drill-'));
  try {
    for (const [path, content] of Object.entries(logs)) {
      mkdirSync(dirname(join(mounted, path)), { recursive: true });
      writeFileSync(join(mounted, path), content);
    }
    const env = {
      ...cleanEnvironment([bin], tmpdir()),
      AWS_ENDPOINT_URL: endpoint,
      ...environment,
      RESCUE_SOURCE: mounted,
    };
    return await new Promise<number>((ended) => {
      execFile(entry, args, { env }, (error) => ended(error === null ? 0 : Number(error.code ?? 1)));
    });
  } finally {
    rmSync(mounted, { recursive: true, force: true });
  }
}

/** ECS's own part in a task's end. */
export async function stopTask({ ecs }: Aws, { clusterArn, taskArn }: Task): Promise<void> {
  await ecs.send(new StopTaskCommand({ cluster: clusterArn, task: taskArn }));
}

/** What lies in S3 of a volume: keys below the bucket. */
export async function objectsOf({ s3 }: Aws, bucket: string, { instance, volume }: Host): Promise<string[]> {
  const { Contents = [] } = await s3.send(
    new ListObjectsV2Command({ Bucket: bucket, Prefix: `${volumePrefix(prefix, instance, volume)}/` }),
  );
  return Contents.flatMap(({ Key }) => Key ?? []);
}
