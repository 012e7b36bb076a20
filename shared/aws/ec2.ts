import {
  CreateSnapshotCommand,
  type CreateSnapshotRequest,
  CreateTagsCommand,
  type CreateTagsRequest,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  type DeleteTagsRequest,
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  EC2Client,
  type Instance,
  ModifyInstanceAttributeCommand,
  type ModifyInstanceAttributeRequest,
  type NetworkInterface,
  type Snapshot,
  type Volume,
} from '@aws-sdk/client-ec2';
import { client } from './client.ts';
import { allPages, chunksOf, type Page } from './pages.ts';

const ec2 = () => client(EC2Client);
/** Whoever changes something paces and repeats the calls itself: the SDK's own repetitions would come between. */
const ec2Once = () => client(EC2Client, { maxAttempts: 1 });

/** A filter takes this many values. */
const valuesPerFilter = 200;

/**
 * Instances by id, 200 a call; those that do not exist are left out. By filter: with InstanceIds one unknown id fails the call.
 * A terminated instance is shown for about an hour.
 * @iam ec2:DescribeInstances
 */
export const describeInstances = async (ids: readonly string[]): Promise<Instance[]> => {
  const found = await pages(ids, async (Values, token) => {
    const page = await ec2().send(
      new DescribeInstancesCommand({
        Filters: [{ Name: 'instance-id', Values }],
        MaxResults: 1_000,
        NextToken: token,
      }),
    );
    return { items: page.Reservations, next: page.NextToken };
  });
  return found.flatMap(({ Instances }) => Instances ?? []);
};

/** The volumes attached to instances, with their tags. */
export const describeVolumesOf = (instances: readonly string[]): Promise<Volume[]> =>
  describeVolumesBy('attachment.instance-id', instances);

const pages = async <T>(
  values: readonly string[],
  read: (values: string[], token: string | undefined) => Promise<Page<T>>,
): Promise<T[]> => {
  const found: T[] = [];
  for (const some of chunksOf(values, valuesPerFilter)) {
    found.push(...(await allPages((token) => read(some, token))));
  }
  return found;
};

/**
 * One attribute a call; of the block device mapping several devices at once. Changing calls: 50, then 5 a second, per account.
 * @iam ec2:ModifyInstanceAttribute
 */
export const modifyInstanceAttribute = async (input: ModifyInstanceAttributeRequest): Promise<void> => {
  await ec2Once().send(new ModifyInstanceAttributeCommand(input));
};

/**
 * Adds tags, or gives them new values. 100 calls, then 10 a second, per account.
 * @iam ec2:CreateTags
 */
export const createTags = async (input: CreateTagsRequest): Promise<void> => {
  await ec2Once().send(new CreateTagsCommand(input));
};

/**
 * Takes tags off, whatever their values; one that is not there is a success, too.
 * @iam ec2:DeleteTags
 */
export const deleteTags = async (input: DeleteTagsRequest): Promise<void> => {
  await ec2Once().send(new DeleteTagsCommand(input));
};

/**
 * Network interfaces by id, 200 a call; those that do not exist any more are left out.
 * @iam ec2:DescribeNetworkInterfaces
 */
export const describeNetworkInterfaces = (ids: readonly string[]): Promise<NetworkInterface[]> =>
  pages(ids, async (Values, token) => {
    const page = await ec2().send(
      new DescribeNetworkInterfacesCommand({
        Filters: [{ Name: 'network-interface-id', Values }],
        MaxResults: 1_000,
        NextToken: token,
      }),
    );
    return { items: page.NetworkInterfaces, next: page.NextToken };
  });

/**
 * Volumes by a filter (`volume-id`, `tag-key`, `tag:<key>`), with their tags; 200 values a call, unknown ones are left out.
 * @iam ec2:DescribeVolumes
 */
export const describeVolumesBy = (filter: string, values: readonly string[]): Promise<Volume[]> =>
  pages(values, async (Values, token) => {
    const page = await ec2().send(
      new DescribeVolumesCommand({
        Filters: [{ Name: filter, Values }],
        MaxResults: 1_000,
        NextToken: token,
      }),
    );
    return { items: page.Volumes, next: page.NextToken };
  });

/**
 * The account's own snapshots by a filter, with their tags; 200 values a call.
 * @iam ec2:DescribeSnapshots
 */
export const describeSnapshotsBy = (filter: string, values: readonly string[]): Promise<Snapshot[]> =>
  pages(values, async (Values, token) => {
    const page = await ec2().send(
      new DescribeSnapshotsCommand({
        OwnerIds: ['self'],
        Filters: [{ Name: filter, Values }],
        MaxResults: 1_000,
        NextToken: token,
      }),
    );
    return { items: page.Snapshots, next: page.NextToken };
  });

/**
 * There is no client token: a call without an answer may have made one. Look for it by its tags first.
 * @iam ec2:CreateSnapshot
 */
export const createSnapshot = async (input: CreateSnapshotRequest): Promise<void> => {
  await ec2Once().send(new CreateSnapshotCommand(input));
};

/**
 * Only an `available` volume goes: VolumeInUse otherwise. InvalidVolume.NotFound where it is gone.
 * @iam ec2:DeleteVolume
 */
export const deleteVolume = async (volume: string): Promise<void> => {
  await ec2Once().send(new DeleteVolumeCommand({ VolumeId: volume }));
};

/**
 * InvalidSnapshot.InUse where an image needs it. InvalidSnapshot.NotFound where it is gone.
 * @iam ec2:DeleteSnapshot
 */
export const deleteSnapshot = async (snapshot: string): Promise<void> => {
  await ec2Once().send(new DeleteSnapshotCommand({ SnapshotId: snapshot }));
};
