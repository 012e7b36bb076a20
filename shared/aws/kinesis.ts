import {
  DescribeLimitsCommand,
  DescribeStreamSummaryCommand,
  type DescribeStreamSummaryOutput,
  KinesisClient,
  ListShardsCommand,
  ListTagsForStreamCommand,
  MergeShardsCommand,
  type MergeShardsInput,
  type Shard,
  SplitShardCommand,
  type SplitShardInput,
  UpdateShardCountCommand,
  type UpdateShardCountInput,
} from '@aws-sdk/client-kinesis';
import { client } from './client.ts';
import { allPages } from './pages.ts';

const kinesis = () => client(KinesisClient);

/**
 * Resharding calls are made once: UpdateShardCount has a daily budget, and the SDK would repeat
 * `LimitExceededException` as if it were throttling. Whether to try again is decided from the facts.
 */
const kinesisOnce = () => client(KinesisClient, { maxAttempts: 1 });

/**
 * 20 calls a second per account.
 * @iam kinesis:DescribeStreamSummary
 */
export const describeStreamSummary = async (
  streamArn: string,
): Promise<NonNullable<DescribeStreamSummaryOutput['StreamDescriptionSummary']>> => {
  const { StreamDescriptionSummary } = await kinesis().send(new DescribeStreamSummaryCommand({ StreamARN: streamArn }));
  if (StreamDescriptionSummary === undefined) throw new Error('DescribeStreamSummary answered without a summary');
  return StreamDescriptionSummary;
};

/**
 * Open shards and those closed after `since` (epoch ms); 1,000 a page.
 * @iam kinesis:ListShards
 */
export const listShards = (streamArn: string, since: number): Promise<Shard[]> =>
  allPages(async (token) => {
    // A page is asked for by its token alone: the stream or a filter beside it is an InvalidArgument.
    const page = await kinesis().send(
      new ListShardsCommand(
        token === undefined
          ? { StreamARN: streamArn, ShardFilter: { Type: 'FROM_TIMESTAMP', Timestamp: new Date(since) } }
          : { NextToken: token },
      ),
    );
    return { items: page.Shards, next: page.NextToken };
  });

/**
 * The stream's tags; 50 at most, 5 calls a second per account.
 * @iam kinesis:ListTagsForStream
 */
export const listTagsForStream = async (streamArn: string): Promise<Record<string, string>> => {
  const tags: Record<string, string> = {};
  let after: string | undefined;
  do {
    const page = await kinesis().send(
      new ListTagsForStreamCommand({
        StreamARN: streamArn,
        ...(after !== undefined && { ExclusiveStartTagKey: after }),
      }),
    );
    for (const { Key, Value } of page.Tags ?? []) if (Key !== undefined) tags[Key] = Value ?? '';
    after = page.HasMoreTags ? page.Tags?.at(-1)?.Key : undefined;
  } while (after !== undefined);
  return tags;
};

/**
 * Shards the account may still open in this Region; 1 call a second per account.
 * @iam kinesis:DescribeLimits
 */
export const freeShards = async (): Promise<number> => {
  const { ShardLimit, OpenShardCount } = await kinesis().send(new DescribeLimitsCommand({}));
  if (ShardLimit === undefined || OpenShardCount === undefined) {
    throw new Error('DescribeLimits answered without ShardLimit or OpenShardCount');
  }
  return Math.max(0, ShardLimit - OpenShardCount);
};

/**
 * At most 10 calls per stream in a rolling 24 h, to at most double and at least half. Asynchronous.
 * @iam kinesis:UpdateShardCount
 */
export const updateShardCount = (input: UpdateShardCountInput) =>
  kinesisOnce().send(new UpdateShardCountCommand(input));

/**
 * One at a time per stream, 5 calls a second per account. Asynchronous.
 * @iam kinesis:SplitShard
 */
export const splitShard = (input: SplitShardInput) => kinesisOnce().send(new SplitShardCommand(input));

/**
 * One at a time per stream, 5 calls a second per account. Asynchronous.
 * @iam kinesis:MergeShards
 */
export const mergeShards = (input: MergeShardsInput) => kinesisOnce().send(new MergeShardsCommand(input));
