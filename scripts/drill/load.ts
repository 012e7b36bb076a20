import { type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { Aws } from './aws.ts';
import { viewStream } from './streams.ts';

/** What producers send to each stream: nearly all that one shard takes (1 MiB/s), so that bursts are rejected. */
const demandMiBps = 0.96;
const recordBytes = 2_048;
/** Above this share of its capacity a stream rejects the tips of the bursts. */
const burstRoom = 0.8;
const rejectedPerMinute = 900;

const minuteMs = 60_000;
const historyMinutes = 10;
/** CloudWatch shows a minute a little after it has passed. */
const lateMs = 2_000;

/** The sums that CloudWatch shows of one minute of this demand on so many shards. */
export function minuteOf(openShards: number): { bytes: number; records: number; rejected: number } {
  const bytes = Math.round(demandMiBps * 1_048_576 * 60);
  const rejected = demandMiBps / openShards > burstRoom ? rejectedPerMinute : 0;
  return { bytes, records: Math.round(bytes / recordBytes), rejected };
}

export function metricData(stream: string, minuteStart: number, openShards: number): MetricDatum[] {
  const { bytes, records, rejected } = minuteOf(openShards);
  const common = { Dimensions: [{ Name: 'StreamName', Value: stream }], Timestamp: new Date(minuteStart) };
  return [
    { ...common, MetricName: 'IncomingBytes', Value: bytes, Unit: 'Bytes' },
    { ...common, MetricName: 'IncomingRecords', Value: records, Unit: 'Count' },
    { ...common, MetricName: 'WriteProvisionedThroughputExceeded', Value: rejected, Unit: 'Count' },
  ];
}

/** Producers of every stream of the drill, as far as CloudWatch shows them: a data point per metric and minute. */
export interface Load {
  /** Begins to load a stream, with the last ten minutes already behind it. */
  add(stream: string): Promise<void>;
  stop(): void;
}

export function startLoad(aws: Aws, onError: (error: unknown) => void): Load {
  const streams = new Set<string>();
  const put = (MetricData: MetricDatum[]) =>
    aws.metrics.send(new PutMetricDataCommand({ Namespace: 'AWS/Kinesis', MetricData }));
  const passed = () => Math.floor((Date.now() - lateMs) / minuteMs) * minuteMs;
  let shown = passed();

  const report = async () => {
    const until = passed();
    if (until === shown) return;
    const minute = shown;
    shown = until;
    const views = await Promise.all([...streams].map(async (name) => ({ name, view: await viewStream(aws, name) })));
    await put(views.flatMap(({ name, view }) => metricData(name, minute, view.open.length)));
  };
  const timer = setInterval(() => report().catch(onError), 500).unref();

  return {
    async add(stream) {
      const { open } = await viewStream(aws, stream);
      const minutes = Array.from({ length: historyMinutes }, (_, index) => shown - (index + 1) * minuteMs);
      await put(minutes.flatMap((minute) => metricData(stream, minute, open.length)));
      streams.add(stream);
    },
    stop: () => clearInterval(timer),
  };
}
