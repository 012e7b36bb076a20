import type { FakeCloudwatch } from './cloudwatch.ts';
import type { FakeKinesis, FakeShard } from './kinesis.ts';
import type { Clock } from './service.ts';

const MINUTE = 60_000;
/** What one shard takes a second (Kinesis). */
const SHARD = { bytes: 1_048_576, records: 1_000 };
const HASH_KEYS = 2 ** 128;

/** What producers try to put, per second, and how the consumers keep up. */
export interface Offered {
  readonly bytes: number;
  readonly records: number;
  /** Parts of the hash space (0 to 1) that take a share of all load; the rest is spread evenly. `from` = `to`: one key. */
  readonly hot?: readonly { readonly from: number; readonly to: number; readonly share: number }[];
  /** How far GetRecords consumers lag, ms; null: nobody reads. */
  readonly lagMs?: number | null;
}

interface Account {
  readonly clock: Clock;
  readonly kinesis: FakeKinesis;
  readonly cloudwatch: FakeCloudwatch;
}

/**
 * Producers and consumers of a stream: every minute the open shards take what they can of the load, reject the rest, and
 * CloudWatch has the metrics Kinesis would publish, shard-level ones where the stream has them on.
 */
export const load = ({ clock, kinesis, cloudwatch }: Account, name: string, offered: (at: number) => Offered) => {
  const publish = (at: number): void => {
    const { shardLevelMetrics } = kinesis.stream(name);
    const { bytes, records, hot = [], lagMs = 0 } = offered(at);
    const totals = { IncomingBytes: 0, IncomingRecords: 0, WriteProvisionedThroughputExceeded: 0 };
    const put = (metric: string, value: number, dimensions: Record<string, string> = {}) =>
      cloudwatch.publish(
        { namespace: 'AWS/Kinesis', name: metric, dimensions: { StreamName: name, ...dimensions } },
        at,
        value,
      );
    for (const shard of kinesis.openShards(name)) {
      const share = shareOf(shard, hot);
      const taken = Math.min(1, SHARD.bytes / (bytes * share || 1), SHARD.records / (records * share || 1));
      const minute = {
        IncomingBytes: bytes * share * taken * 60,
        IncomingRecords: records * share * taken * 60,
        WriteProvisionedThroughputExceeded: records * share * (1 - taken) * 60,
      };
      for (const metric of Object.keys(minute) as (keyof typeof minute)[]) {
        totals[metric] += minute[metric];
        if (shardLevelMetrics.includes(metric) || shardLevelMetrics.includes('ALL')) {
          put(metric, minute[metric], { ShardId: shard.id });
        }
      }
    }
    for (const [metric, value] of Object.entries(totals)) put(metric, value);
    if (lagMs === null) return;
    put('GetRecords.Bytes', totals.IncomingBytes);
    put('GetRecords.IteratorAgeMilliseconds', lagMs);
  };

  clock.eachMinute((at) => publish(at - MINUTE));
  return {
    /** The minutes before now, as if the open shards had been these all the time. */
    backfill: (minutes: number): void => {
      const now = Math.floor(clock() / MINUTE) * MINUTE;
      for (let i = minutes; i >= 1; i--) publish(now - i * MINUTE);
    },
  };
};

const shareOf = ({ start, end }: FakeShard, hot: NonNullable<Offered['hot']>): number => {
  const [from, to] = [Number(start) / HASH_KEYS, (Number(end) + 1) / HASH_KEYS];
  const even = 1 - hot.reduce((sum, { share }) => sum + share, 0);
  return hot.reduce(
    (sum, range) => {
      if (range.from === range.to) return sum + (range.from >= from && range.from < to ? range.share : 0);
      const overlap = Math.max(0, Math.min(to, range.to) - Math.max(from, range.from));
      return sum + (range.share * overlap) / (range.to - range.from);
    },
    even * (to - from),
  );
};
