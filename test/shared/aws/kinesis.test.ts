import { DescribeLimitsCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import {
  describeStreamSummary,
  freeShards,
  listShards,
  listTagsForStream,
  mergeShards,
  splitShard,
  updateShardCount,
} from '../../../shared/aws/kinesis.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const HOUR = 3_600_000;
const fake = await useFakeAws();
const double = (arn: string, target: number) =>
  updateShardCount({ StreamARN: arn, TargetShardCount: target, ScalingType: 'UNIFORM_SCALING' });
const rateExceeded = () => new AwsError('LimitExceededException', 'Rate exceeded for stream orders.');

describe('describeStreamSummary', () => {
  it('gives the summary of the stream with that ARN', async () => {
    const { arn } = fake.kinesis.createStream('orders', 3, { shardLevelMetrics: ['ALL'] });

    const summary = await describeStreamSummary(arn);

    expect(summary).toMatchObject({
      StreamARN: arn,
      StreamStatus: 'ACTIVE',
      OpenShardCount: 3,
      StreamModeDetails: { StreamMode: 'PROVISIONED' },
      EnhancedMonitoring: [{ ShardLevelMetrics: ['ALL'] }],
    });
  });

  it('repeats a read that was throttled or not answered', async () => {
    const { arn } = fake.kinesis.createStream('orders');
    fake.fault('DescribeStreamSummary', rateExceeded());
    fake.fault('DescribeStreamSummary', 'hang-up');

    const summary = await describeStreamSummary(arn);

    expect(summary.StreamStatus).toBe('ACTIVE');
    expect(fake.called('DescribeStreamSummary')).toHaveLength(3);
  });

  it('rejects for a stream that does not exist, at once', async () => {
    await expect(describeStreamSummary('arn:aws:kinesis:eu-west-1:111122223333:stream/gone')).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Stream gone under account 111122223333 not found.',
    });
    expect(fake.called('DescribeStreamSummary')).toHaveLength(1);
  });
});

describe('listShards', () => {
  it.each([
    [1, 1],
    [1_000, 1],
    [1_001, 2],
    [2_500, 3],
  ])('reads %d shards in %d pages, the later ones by their token alone', async (shards, pages) => {
    const { arn } = fake.kinesis.createStream('orders', shards);

    const listed = await listShards(arn, fake.clock() - HOUR);

    expect(new Set(listed.map(({ ShardId }) => ShardId)).size).toBe(shards);
    const [first, ...later] = fake.called('ListShards');
    expect(first).toEqual({
      StreamARN: arn,
      ShardFilter: { Type: 'FROM_TIMESTAMP', Timestamp: (fake.clock() - HOUR) / 1_000 },
    });
    expect(later.map((input) => Object.keys(input))).toEqual(Array(pages - 1).fill(['NextToken']));
  });

  it('gives the shards closed since then beside the open ones, and no older ones', async () => {
    const { arn } = fake.kinesis.createStream('orders', 2);
    await double(arn, 4);
    fake.clock.advance(HOUR);
    await double(arn, 8);
    fake.clock.advance(60_000);

    const closed = async (since: number) =>
      (await listShards(arn, since)).filter(({ SequenceNumberRange }) => SequenceNumberRange?.EndingSequenceNumber);

    expect((await closed(fake.clock() - 10 * 60_000)).map(({ ShardId }) => ShardId?.slice(-1))).toEqual([
      '2',
      '3',
      '4',
      '5',
    ]);
    expect(await closed(fake.clock() - 2 * HOUR)).toHaveLength(6);
    expect(await closed(fake.clock())).toHaveLength(0);
  });
});

describe('listTagsForStream', () => {
  it('reads all of 50 tags', async () => {
    const tags = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`tag-${i}`, `${i}`]));
    const { arn } = fake.kinesis.createStream('orders', 1, { tags });

    const read = await listTagsForStream(arn);

    expect(read).toEqual(tags);
    expect(fake.called('ListTagsForStream')).toHaveLength(5);
  });

  it('gives none for a stream without tags', async () => {
    const { arn } = fake.kinesis.createStream('orders', 1, { tags: {} });

    expect(await listTagsForStream(arn)).toEqual({});
  });
});

describe('freeShards', () => {
  it('is what the account may still open, intermediate shards of a reshard included', async () => {
    fake.reset({ shardLimit: 100 });
    const { arn } = fake.kinesis.createStream('orders', 20);
    fake.kinesis.createStream('payments', 30);
    const before = await freeShards();
    await double(arn, 25);
    fake.clock.advance(31_000);

    const during = await freeShards();

    expect({ before, during }).toEqual({ before: 50, during: 30 });
  });

  it('is 0, not negative, where the quota was lowered below what is open', async () => {
    fake.reset({ shardLimit: 1 });
    fake.kinesis.createStream('orders', 3);

    expect(await freeShards()).toBe(0);
  });

  it('is an error where the answer says nothing: that is not no free shard', async () => {
    const kinesis = mockClient(KinesisClient);
    kinesis.on(DescribeLimitsCommand).resolves({});

    const answer = freeShards();

    await expect(answer).rejects.toThrow('DescribeLimits answered without');
    kinesis.restore();
  });
});

describe('a resharding call', () => {
  const inputs = {
    UpdateShardCount: (arn: string) => double(arn, 4),
    SplitShard: (arn: string) =>
      splitShard({ StreamARN: arn, ShardToSplit: 'shardId-000000000000', NewStartingHashKey: String(2n ** 126n) }),
    MergeShards: (arn: string) =>
      mergeShards({
        StreamARN: arn,
        ShardToMerge: 'shardId-000000000000',
        AdjacentShardToMerge: 'shardId-000000000001',
      }),
  };
  const operations = Object.keys(inputs) as (keyof typeof inputs)[];

  it.each([
    ['UpdateShardCount', 4],
    ['SplitShard', 3],
    ['MergeShards', 1],
  ] as const)('%s leaves %d of 2 shards when the stream is ACTIVE again', async (operation, shards) => {
    const { arn } = fake.kinesis.createStream('orders', 2);

    await inputs[operation](arn);

    const started = fake.kinesis.stream('orders').status;
    fake.clock.advance(60_000);
    expect(started).toBe('UPDATING');
    expect(fake.kinesis.stream('orders').status).toBe('ACTIVE');
    expect(fake.kinesis.openShards('orders')).toHaveLength(shards);
  });

  describe.each(operations)('%s', (operation) => {
    it.each([
      ['LimitExceededException', 400],
      ['ThrottlingException', 400],
      ['ResourceInUseException', 400],
      ['InvalidArgumentException', 400],
      ['AccessDeniedException', 400],
      ['InternalFailure', 500],
      ['ServiceUnavailable', 503],
    ])('is sent once when AWS answers %s', async (code, status) => {
      const { arn } = fake.kinesis.createStream('orders', 2);
      fake.fault(operation, new AwsError(code, 'no', status), Number.POSITIVE_INFINITY);

      await expect(inputs[operation](arn)).rejects.toMatchObject({ name: code, message: 'no' });

      expect(fake.called(operation)).toHaveLength(1);
    });

    it.each(['hang-up', 'lost'] as const)(
      'is sent once when the connection ends without an answer (%s)',
      async (fault) => {
        const { arn } = fake.kinesis.createStream('orders', 2);
        fake.fault(operation, fault);

        await expect(inputs[operation](arn)).rejects.toMatchObject({ code: 'ECONNRESET' });

        expect(fake.called(operation)).toHaveLength(1);
        expect(fake.kinesis.stream('orders').status).toBe(fault === 'lost' ? 'UPDATING' : 'ACTIVE');
      },
    );
  });
});
