import type { DayOfDemand, Demand, Series, StreamMetrics, StreamSituation } from './facts.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** Per-shard limits of the Kinesis data plane: write 1 MiB/s or 1,000 records/s, shared read 2 MiB/s. */
export const SHARD_LIMITS = { bytesPerSecond: 1_048_576, recordsPerSecond: 1_000, egressBytesPerSecond: 2_097_152 };

/** Shards' worth of load, at 100 % of their limits; fractional. */
export const shardsWorth = (demand: Demand): number =>
  Math.max(
    demand.bytesPerSecond / SHARD_LIMITS.bytesPerSecond,
    demand.recordsPerSecond / SHARD_LIMITS.recordsPerSecond,
    demand.egressBytesPerSecond / SHARD_LIMITS.egressBytesPerSecond,
  );

/** Shards that carry the demand at target utilisation, at least one. */
export const shardsRequired = (demand: Demand, targetUtilization: number): number =>
  Math.max(1, Math.ceil(shardsWorth(demand) / targetUtilization));

/**
 * Highest per-second demand of any period in the series; null where no Incoming data point exists.
 * Incoming* count only successful puts and clip at capacity, so rejected records are added at the mean record size
 * (retries make that an upper bound).
 */
export const peakDemand = (metrics: StreamMetrics, periodMs = MINUTE): Demand | null => {
  if (metrics.incomingBytes.length + metrics.incomingRecords.length === 0) return null;
  const bytes = new Map(metrics.incomingBytes);
  const records = new Map(metrics.incomingRecords);
  const throttled = new Map(metrics.throttled);
  const seconds = periodMs / 1_000;
  const totalRecords = sum(metrics.incomingRecords);
  const meanSize = totalRecords >= 1 ? sum(metrics.incomingBytes) / totalRecords : 0;

  let bytesPerSecond = 0;
  let recordsPerSecond = 0;
  for (const at of new Set([...bytes.keys(), ...records.keys(), ...throttled.keys()])) {
    const accepted = records.get(at) ?? 0;
    const rejected = throttled.get(at) ?? 0;
    const size = accepted >= 1 ? (bytes.get(at) ?? 0) / accepted : meanSize;
    recordsPerSecond = Math.max(recordsPerSecond, (accepted + rejected) / seconds);
    bytesPerSecond = Math.max(bytesPerSecond, ((bytes.get(at) ?? 0) + rejected * size) / seconds);
  }
  return { bytesPerSecond, recordsPerSecond, egressBytesPerSecond: highest(metrics.outgoingBytes) / seconds };
};

/** What a day of one-minute metrics comes to; null where nothing was published. */
export const dayOfDemand = (metrics: StreamMetrics): DayOfDemand | null => {
  const peak = peakDemand(metrics);
  if (peak === null) return null;
  const times = [...metrics.incomingBytes, ...metrics.incomingRecords].map(([at]) => at);
  const oldest = times.reduce((a, b) => Math.min(a, b));
  const newest = times.reduce((a, b) => Math.max(a, b));
  return {
    peak,
    spanHours: (newest - oldest) / HOUR,
    hoursSeen: new Set(times.map((at) => Math.floor(at / HOUR))).size,
    throttledRecords: sum(metrics.throttled),
  };
};

/** What the last minutes say, from the stream's last reshard on. */
export interface Recent {
  /** null: no Incoming data point; nothing can be sized by it. */
  readonly demand: Demand | null;
  /** Of the demand what was not rejected. */
  readonly accepted: Demand | null;
  readonly throttledRecords: number;
  /** Highest iterator age, ms; null: no consumer seen. */
  readonly iteratorAge: number | null;
  /** True while the iterator age falls: consumers read faster than is written. */
  readonly catchingUp: boolean;
  /** True once a whole minute after the last reshard is among them. */
  readonly fullMinute: boolean;
}

/** CloudWatch runs one to a few minutes behind; older than this is no evidence of the present. */
const FRESH_MS = 10 * MINUTE;
/** Sizing looks at the peak of this many newest minutes. */
const WINDOW_MS = 5 * MINUTE;

export const recent = (
  facts: Pick<StreamSituation, 'metrics'>,
  activeSince: number | undefined,
  now: number,
): Recent => {
  const from = Math.max(now - FRESH_MS, activeSince ?? 0);
  const fresh = mapSeries(facts.metrics, (series) => series.filter(([at]) => at >= from && at <= now));
  const load = [...fresh.incomingBytes, ...fresh.incomingRecords, ...fresh.throttled, ...fresh.outgoingBytes];
  const newest = load.reduce((latest, [at]) => Math.max(latest, at), 0);
  const window = mapSeries(fresh, (series) => series.filter(([at]) => at > newest - WINDOW_MS));
  return {
    demand: peakDemand(window),
    accepted: peakDemand({ ...window, throttled: [] }),
    throttledRecords: sum(window.throttled),
    iteratorAge: fresh.iteratorAge.length > 0 ? highest(fresh.iteratorAge) : null,
    catchingUp: (fresh.iteratorAge.at(-1)?.[1] ?? 0) < (fresh.iteratorAge[0]?.[1] ?? 0),
    fullMinute: load.some(([at]) => at + MINUTE <= now),
  };
};

const mapSeries = (metrics: StreamMetrics, change: (series: Series) => Series): StreamMetrics => ({
  incomingBytes: change(metrics.incomingBytes),
  incomingRecords: change(metrics.incomingRecords),
  throttled: change(metrics.throttled),
  outgoingBytes: change(metrics.outgoingBytes),
  iteratorAge: change(metrics.iteratorAge),
});

const sum = (series: Series): number => series.reduce((total, [, value]) => total + value, 0);
const highest = (series: Series): number => series.reduce((top, [, value]) => Math.max(top, value), 0);
