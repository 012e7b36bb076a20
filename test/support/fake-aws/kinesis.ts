import {
  AwsError,
  account,
  type Clock,
  fromToken,
  page,
  region,
  type Service,
  tokenBucket,
  toToken,
} from './service.ts';

const SECOND = 1_000;
const DAY = 86_400_000;
const HASH_KEYS = 2n ** 128n;

export interface FakeShard {
  readonly id: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly parent?: string;
  readonly adjacentParent?: string;
  closedAt?: number;
}

export interface FakeStream {
  readonly name: string;
  readonly arn: string;
  status: string;
  mode: string;
  warmThroughputMiBps?: number;
  shardLevelMetrics: string[];
  tags: Record<string, string>;
  /** By id, as Kinesis lists them: open and closed. */
  readonly shards: FakeShard[];
  /** When UpdateShardCount was accepted. */
  readonly updates: number[];
  /** How long one UpdateShardCount takes; a split or merge takes 30 s. */
  reshardMs: number;
  /** What is still to happen, in order of time. */
  pending: { readonly at: number; readonly happen: (at: number) => void }[];
}

interface Named {
  readonly StreamARN?: string;
  readonly StreamName?: string;
}

interface Filter {
  readonly Type: string;
  /** Epoch s. */
  readonly Timestamp?: number;
}

/**
 * Kinesis Data Streams' control plane: the stream state machine, resharding with AWS's limits, shard lineage, paging and
 * request rates. Sources: the API reference; texts as AWS-validated emulators have them. The arithmetic of
 * UpdateShardCount follows moto, whose totals are marked as verified against AWS: all shards are split, then neighbours
 * merged from the left until the target is reached.
 */
export const fakeKinesis = (clock: Clock, { shardLimit = 20_000 } = {}) => {
  const streams = new Map<string, FakeStream>();
  const limits = { shards: shardLimit };
  const rate = (perSecond: number) => tokenBucket(clock, perSecond);
  const buckets = {
    DescribeLimits: rate(1),
    DescribeStreamSummary: rate(20),
    ListTagsForStream: rate(5),
    UpdateShardCount: rate(10),
    SplitShard: rate(5),
    MergeShards: rate(5),
  };
  const listings = new Map<string, ReturnType<typeof tokenBucket>>();

  const settle = (stream: FakeStream): FakeStream => {
    for (let next = stream.pending[0]; next !== undefined && next.at <= clock(); next = stream.pending[0]) {
      stream.pending.shift();
      next.happen(next.at);
    }
    return stream;
  };

  const find = ({ StreamARN, StreamName }: Named): FakeStream => {
    const name = StreamName ?? StreamARN?.split('/')[1];
    if (name === undefined) throw new AwsError('InvalidArgumentException', 'Missing StreamName or StreamARN');
    const stream = streams.get(name);
    if (stream === undefined || (StreamARN ?? stream.arn) !== stream.arn) {
      throw new AwsError('ResourceNotFoundException', `Stream ${name} under account ${account} not found.`);
    }
    return settle(stream);
  };

  const limited = (operation: keyof typeof buckets, stream?: FakeStream) =>
    buckets[operation](() => rateExceeded(stream?.name));

  const isOpen = ({ closedAt }: FakeShard): boolean => closedAt === undefined;
  const open = (stream: FakeStream): FakeShard[] =>
    stream.shards.filter(isOpen).sort((a, b) => (a.start < b.start ? -1 : 1));
  const openShards = (): number => [...streams.values()].reduce((n, stream) => n + open(settle(stream)).length, 0);

  const shardRoom = (wanted: number): void => {
    const current = openShards();
    if (current + wanted <= limits.shards) return;
    throw new AwsError(
      'LimitExceededException',
      `This request would exceed the shard limit for the account ${account} in ${region}. ` +
        `Current shard count for the account: ${current}. Limit: ${limits.shards}. ` +
        `Number of additional shards that would have resulted from this request: ${wanted}. ` +
        'Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) ' +
        'for current limits and how to request higher limits.',
    );
  };

  const provisioned = (stream: FakeStream): void => {
    if (stream.mode === 'PROVISIONED') return;
    throw new AwsError(
      'ValidationException',
      `Request is invalid. Stream ${stream.name} under account ${account} is in On-Demand mode.`,
    );
  };

  const active = (stream: FakeStream): void => {
    if (stream.status === 'ACTIVE') return;
    throw new AwsError(
      'ResourceInUseException',
      `Stream ${stream.name} under account ${account} not ACTIVE, instead in state ${stream.status}`,
    );
  };

  const eligible = (stream: FakeStream, id: string): FakeShard => {
    const shard = stream.shards.find((one) => one.id === id);
    if (shard === undefined) {
      throw new AwsError(
        'ResourceNotFoundException',
        `Could not find shard ${id} in stream ${stream.name} under account ${account}.`,
      );
    }
    if (isOpen(shard)) return shard;
    throw new AwsError(
      'InvalidArgumentException',
      `Shard ${id} in stream ${stream.name} under account ${account} has already been merged or split, and thus is not eligible for merging or splitting.`,
    );
  };

  const add = (stream: FakeStream, shard: Omit<FakeShard, 'id'>): void => {
    stream.shards.push({ id: shardId(stream.shards.length), ...shard });
  };

  const split = (stream: FakeStream, shard: FakeShard, key: bigint, at: number): void => {
    shard.closedAt = at;
    add(stream, { start: shard.start, end: key - 1n, parent: shard.id });
    add(stream, { start: key, end: shard.end, parent: shard.id });
  };

  const merge = (stream: FakeStream, left: FakeShard, right: FakeShard, at: number): void => {
    left.closedAt = at;
    right.closedAt = at;
    add(stream, { start: left.start, end: right.end, parent: left.id, adjacentParent: right.id });
  };

  const mergeDownTo = (stream: FakeStream, target: number, at: number): void => {
    for (let shards = open(stream); shards.length > target; shards = open(stream)) {
      let surplus = shards.length - target;
      for (let i = 0; i + 1 < shards.length && surplus > 0; i += 2, surplus--) {
        const [left, right] = [shards[i], shards[i + 1]];
        if (left && right) merge(stream, left, right, at);
      }
    }
  };

  const later = (stream: FakeStream, ms: number, happen: (at: number) => void): void => {
    stream.pending.push({ at: clock() + ms, happen });
  };

  /** UPDATING at once, ACTIVE when all is done. */
  const reshard = (stream: FakeStream, ms: number, ...steps: readonly ((at: number) => void)[]): void => {
    stream.status = 'UPDATING';
    for (const [i, step] of steps.entries()) later(stream, (ms * (i + 1)) / steps.length, step);
    later(stream, ms, () => {
      stream.status = 'ACTIVE';
    });
  };

  const service: Service = {
    name: 'kinesis',
    operations: {
      DescribeLimits: () => {
        limited('DescribeLimits');
        return {
          ShardLimit: limits.shards,
          OpenShardCount: openShards(),
          OnDemandStreamCount: [...streams.values()].filter(({ mode }) => mode === 'ON_DEMAND').length,
          OnDemandStreamCountLimit: 50,
        };
      },

      DescribeStreamSummary: (input: Named) => {
        limited('DescribeStreamSummary');
        const stream = find(input);
        return {
          StreamDescriptionSummary: {
            StreamName: stream.name,
            StreamARN: stream.arn,
            StreamStatus: stream.status,
            StreamModeDetails: { StreamMode: stream.mode },
            RetentionPeriodHours: 24,
            StreamCreationTimestamp: 1_700_000_000,
            EnhancedMonitoring: [{ ShardLevelMetrics: stream.shardLevelMetrics }],
            EncryptionType: 'NONE',
            OpenShardCount: open(stream).length,
            ConsumerCount: 0,
            MaxRecordSizeInKiB: 1024,
            ...(stream.warmThroughputMiBps !== undefined && {
              WarmThroughput: {
                TargetMiBps: stream.warmThroughputMiBps,
                CurrentMiBps: stream.warmThroughputMiBps,
              },
            }),
          },
        };
      },

      ListShards: (input: Named & { NextToken?: string; ShardFilter?: Filter; MaxResults?: number }) => {
        const { NextToken, ShardFilter, MaxResults = 1_000 } = input;
        if (NextToken !== undefined && (input.StreamARN ?? input.StreamName ?? ShardFilter) !== undefined) {
          throw new AwsError(
            'InvalidArgumentException',
            'NextToken and StreamName cannot be provided together, nor can StreamARN or ShardFilter.',
          );
        }
        const asked: Named & { filter?: Filter; from: number; at: number } =
          NextToken === undefined
            ? { ...input, ...(ShardFilter && { filter: ShardFilter }), from: 0, at: clock() }
            : fromToken(NextToken);
        if (clock() - asked.at > 300 * SECOND) {
          throw new AwsError('ExpiredNextTokenException', 'The pagination token has expired.');
        }
        const stream = find(asked);
        const listing = listings.get(stream.name) ?? rate(1_000);
        listings.set(stream.name, listing);
        listing(() => rateExceeded(stream.name));
        const kept = stream.shards
          .filter(({ closedAt }) => (closedAt ?? clock()) > clock() - DAY)
          .filter(passes(asked.filter));
        const { items, next } = page(kept, asked.from, Math.min(1_000, MaxResults));
        return {
          Shards: items.map((shard) => ({
            ShardId: shard.id,
            ...(shard.parent !== undefined && { ParentShardId: shard.parent }),
            ...(shard.adjacentParent !== undefined && { AdjacentParentShardId: shard.adjacentParent }),
            HashKeyRange: { StartingHashKey: String(shard.start), EndingHashKey: String(shard.end) },
            SequenceNumberRange: {
              StartingSequenceNumber: '49600000000000000000000000000000000000000000000000000000',
              ...(!isOpen(shard) && {
                EndingSequenceNumber: '49600000000000000000000000000000000000000000000000000001',
              }),
            },
          })),
          ...(next !== undefined && {
            NextToken: toToken({ StreamARN: stream.arn, filter: asked.filter, from: next, at: clock() }),
          }),
        };
      },

      ListTagsForStream: (input: Named & { ExclusiveStartTagKey?: string; Limit?: number }) => {
        limited('ListTagsForStream');
        const { ExclusiveStartTagKey = '', Limit = 10 } = input;
        const { tags } = find(input);
        const keys = Object.keys(tags).sort();
        const left = keys.filter((key) => key > ExclusiveStartTagKey);
        const { items, next } = page(left, 0, Limit);
        return { Tags: items.map((Key) => ({ Key, Value: tags[Key] })), HasMoreTags: next !== undefined };
      },

      UpdateShardCount: (input: Named & { TargetShardCount: number; ScalingType: string }) => {
        const stream = find(input);
        const { TargetShardCount: target, ScalingType } = input;
        limited('UpdateShardCount', stream);
        if (ScalingType !== 'UNIFORM_SCALING' || !Number.isInteger(target) || target < 1) {
          throw new AwsError('ValidationException', '1 validation error detected');
        }
        provisioned(stream);
        active(stream);
        const from = open(stream);
        const n = from.length;
        // The API reference gives the rules, and no words for breaking them.
        if (target > 2 * n) {
          throw new AwsError('InvalidArgumentException', `Cannot scale up to more than double of ${n} shards.`);
        }
        if (target < Math.ceil(n / 2)) {
          throw new AwsError('InvalidArgumentException', `Cannot scale down below half of ${n} shards.`);
        }
        if (target > 10_000)
          throw new AwsError('InvalidArgumentException', 'Cannot scale up to more than 10000 shards.');
        if (stream.updates.filter((at) => at > clock() - DAY).length >= 10) {
          throw new AwsError(
            'LimitExceededException',
            `Stream ${stream.name} under account ${account} cannot be scaled more than ten times per rolling 24-hour period.`,
          );
        }
        if (target > n) shardRoom(n);
        stream.updates.push(clock());
        reshard(
          stream,
          stream.reshardMs,
          (at) => {
            if (target > n) for (const shard of from) split(stream, shard, (shard.start + shard.end + 1n) / 2n, at);
          },
          (at) => mergeDownTo(stream, target, at),
        );
        return { StreamName: stream.name, StreamARN: stream.arn, CurrentShardCount: n, TargetShardCount: target };
      },

      SplitShard: (input: Named & { ShardToSplit: string; NewStartingHashKey: string }) => {
        const stream = find(input);
        limited('SplitShard', stream);
        provisioned(stream);
        if (!/^(0|[1-9]\d{0,38})$/.test(input.NewStartingHashKey)) {
          throw new AwsError(
            'ValidationException',
            `1 validation error detected: Value '${input.NewStartingHashKey}' at 'newStartingHashKey' failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})`,
          );
        }
        const shard = eligible(stream, input.ShardToSplit);
        const key = BigInt(input.NewStartingHashKey);
        if (key <= shard.start + 1n || key >= shard.end) {
          throw new AwsError(
            'InvalidArgumentException',
            `NewStartingHashKey ${key} used in SplitShard() on shard ${shard.id} in stream ${stream.name} under account ${account} is not both greater than one plus the shard's StartingHashKey ${shard.start} and less than the shard's EndingHashKey ${shard.end - 1n}.`,
          );
        }
        active(stream);
        shardRoom(1);
        reshard(stream, 30 * SECOND, (at) => split(stream, shard, key, at));
        return {};
      },

      MergeShards: (input: Named & { ShardToMerge: string; AdjacentShardToMerge: string }) => {
        const stream = find(input);
        limited('MergeShards', stream);
        provisioned(stream);
        const [one, other] = [eligible(stream, input.ShardToMerge), eligible(stream, input.AdjacentShardToMerge)];
        const [left, right] = one.start < other.start ? [one, other] : [other, one];
        if (left.end + 1n !== right.start) {
          throw new AwsError(
            'InvalidArgumentException',
            `Shards ${one.id} and ${other.id} in stream ${stream.name} under account ${account} are not an adjacent pair of shards eligible for merging`,
          );
        }
        active(stream);
        reshard(stream, 30 * SECOND, (at) => merge(stream, left, right, at));
        return {};
      },
    },
  };

  return {
    service,
    limits,
    /** Creates an ACTIVE, provisioned, opted-in stream of equal shards, unless told otherwise. */
    createStream: (
      name: string,
      shards = 1,
      options: Partial<
        Pick<FakeStream, 'mode' | 'status' | 'tags' | 'shardLevelMetrics' | 'reshardMs' | 'warmThroughputMiBps'>
      > = {},
    ): FakeStream => {
      const stream: FakeStream = {
        name,
        arn: `arn:aws:kinesis:${region}:${account}:stream/${name}`,
        status: 'ACTIVE',
        mode: 'PROVISIONED',
        shardLevelMetrics: [],
        tags: { 'reflex:enabled': 'true' },
        shards: [],
        updates: [],
        reshardMs: 60 * SECOND,
        pending: [],
        ...options,
      };
      for (let i = 0n; i < BigInt(shards); i++) {
        const step = HASH_KEYS / BigInt(shards);
        add(stream, { start: i * step, end: i === BigInt(shards) - 1n ? HASH_KEYS - 1n : (i + 1n) * step - 1n });
      }
      streams.set(name, stream);
      return stream;
    },
    /** A stream as it is now. */
    stream: (name: string): FakeStream => find({ StreamName: name }),
    /** Its open shards in hash order. */
    openShards: (name: string): FakeShard[] => open(find({ StreamName: name })),
    streams: (): FakeStream[] => [...streams.values()].map(settle),
    deleteStream: (name: string): void => void streams.delete(name),
  };
};

export type FakeKinesis = ReturnType<typeof fakeKinesis>;

const rateExceeded = (stream?: string): AwsError =>
  new AwsError(
    'LimitExceededException',
    stream === undefined
      ? `Rate exceeded for account ${account}.`
      : `Rate exceeded for stream ${stream} under account ${account}.`,
  );

const shardId = (index: number): string => `shardId-${String(index).padStart(12, '0')}`;

const passes =
  (filter: Filter | undefined) =>
  ({ closedAt }: FakeShard): boolean => {
    switch (filter?.Type) {
      case undefined:
      case 'FROM_TRIM_HORIZON':
        return true;
      case 'AT_LATEST':
        return closedAt === undefined;
      case 'FROM_TIMESTAMP':
        return closedAt === undefined || closedAt >= (filter?.Timestamp ?? 0) * SECOND;
      default:
        throw new AwsError('InvalidArgumentException', `ShardFilter ${filter?.Type} is not part of this fake`);
    }
  };
