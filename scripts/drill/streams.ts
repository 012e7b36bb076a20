import {
  AddTagsToStreamCommand,
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  ListShardsCommand,
  type Shard,
} from '@aws-sdk/client-kinesis';
import type { Aws } from './aws.ts';
import { account, region } from './emulator.ts';
import type { StreamView } from './story.ts';

const hashKeys = 2n ** 128n;

export function streamArn(name: string): string {
  return `arn:aws:kinesis:${region}:${account}:stream/${name}`;
}

/** A stream with one shard. */
export async function createStream({ kinesis }: Aws, name: string, optedIn: boolean): Promise<void> {
  await kinesis.send(new CreateStreamCommand({ StreamName: name, ShardCount: 1 }));
  if (optedIn) await kinesis.send(new AddTagsToStreamCommand({ StreamName: name, Tags: { 'reflex:enabled': 'true' } }));
}

export async function viewStream({ kinesis }: Aws, name: string): Promise<StreamView> {
  const [summary, listed] = await Promise.all([
    kinesis.send(new DescribeStreamSummaryCommand({ StreamName: name })),
    kinesis.send(new ListShardsCommand({ StreamName: name })),
  ]);
  return viewOf(summary.StreamDescriptionSummary?.StreamStatus ?? 'unknown', listed.Shards ?? []);
}

/** Open shards have no last sequence number. */
export function viewOf(status: string, shards: readonly Shard[]): StreamView {
  const isClosed = (shard: Shard) => shard.SequenceNumberRange?.EndingSequenceNumber !== undefined;
  const share = (key: string | undefined, after: bigint) =>
    Number(((BigInt(key ?? 0) + after) * 1_000_000n) / hashKeys) / 1_000_000;
  const open = shards.flatMap((shard) =>
    isClosed(shard)
      ? []
      : {
          id: shard.ShardId ?? '',
          from: share(shard.HashKeyRange?.StartingHashKey, 0n),
          to: share(shard.HashKeyRange?.EndingHashKey, 1n),
        },
  );
  return {
    status,
    open: open.sort((a, b) => a.from - b.from),
    closed: shards.filter(isClosed).map((shard) => shard.ShardId ?? ''),
  };
}
