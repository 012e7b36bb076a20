import type { Stream } from './stream.ts';

/** What resizes a stream: looks at it every ten seconds and may call its API. */
export interface Scaler {
  readonly name: string;
  readonly look: (stream: Stream) => void | Promise<void>;
}

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 24 * HOUR;

/** Means of consecutive windows of `seconds` that end with the newest visible minute, newest first: shares of what `n` shards carry. Missing minutes are 0. */
const utilization = (stream: Stream, windows: number, seconds: number, n = stream.count): number[] => {
  const span = windows * seconds;
  const { bytes, records } = stream.metrics(span + 10 * MINUTE);
  const newest = bytes.at(-1)?.[0] ?? 0;
  const end = Math.max(newest, stream.now - 3 * MINUTE * 1_000);
  const sums = (series: typeof bytes): number[] => {
    const total = new Array<number>(windows).fill(0);
    for (const [at, value] of series) {
      const i = Math.floor((end - at) / (seconds * 1_000));
      if (i >= 0 && i < windows) total[i] = (total[i] ?? 0) + value;
    }
    return total;
  };
  const counted = sums(records);
  return sums(bytes).map((sum, i) =>
    Math.max(sum / (1_048_576 * seconds * n), (counted[i] ?? 0) / (1_000 * seconds * n)),
  );
};

/** Looks once a minute, and not while the stream is UPDATING. */
const eachMinute = (name: string, rule: (stream: Stream) => void): Scaler => ({
  name,
  look: (stream) => {
    if (stream.second % MINUTE === 0 && stream.active) rule(stream);
  },
});

/** Attempts that AWS would refuse are made all the same: each is a call. */
const resize = (stream: Stream, target: number): void => {
  if (target !== stream.count && target >= 1) stream.updateShardCount(target);
};

/**
 * Doubling on an alarm (aws-samples/kinesis-auto-scaling): x2 at 75 % or more in five of five 5-minute windows; half, rounded down, below 25 %
 * in 57 of 60. Alarms follow the shard count and fire again. Not modelled: its iterator-age term, consumers' concurrency.
 */
export const doubling = (): Scaler =>
  eachMinute('doubling on alarm', (stream) => {
    const day = utilization(stream, 60, 5 * MINUTE);
    if (day.slice(0, 5).every((share) => share >= 0.75)) resize(stream, 2 * stream.count);
    else if (stream.second >= 5 * HOUR && day.filter((share) => share < 0.25).length >= 57) {
      resize(stream, Math.floor(stream.count / 2));
    }
  });

/**
 * One shard at a time (aws-samples/aws-application-auto-scaling-kinesis): +1 above 80 % in a minute, -1 below 16 % over 15 minutes,
 * 600 s apart; its alarms' actions repeat each minute. Not modelled: the first thresholds, which are wrong until it has acted once.
 */
export const stepwise = (): Scaler => {
  let last = -Infinity;
  return eachMinute('+1 at 80 %', (stream) => {
    if (stream.second < last + 600) return;
    const [minute = 0] = utilization(stream, 1, MINUTE);
    const quiet = utilization(stream, 3, 5 * MINUTE);
    const before = stream.count;
    if (minute > 0.8) resize(stream, before + 1);
    else if (stream.second >= HOUR && quiet.every((share) => share < 0.16)) resize(stream, before - 1);
    if (!stream.active) last = stream.second;
  });
};

/**
 * By size (brexhq/substation): x2 below 5 shards, x1.75 below 13, x1.5 below 33, else x1.25, rounded down; at 70 % or more in five minutes of five.
 * The same factors down, rounded up, at 35 % or less in all of 60. Three minutes apart, 30 before a scale-in.
 */
export const bySize = (): Scaler => {
  let last = -Infinity;
  return eachMinute('x2 to x1.25 by size', (stream) => {
    const n = stream.count;
    const factor = n < 5 ? 2 : n < 13 ? 1.75 : n < 33 ? 1.5 : 1.25;
    const hour = utilization(stream, 60, MINUTE);
    if (hour.slice(0, 5).every((share) => share >= 0.7)) {
      if (stream.second >= last + 3 * MINUTE) resize(stream, Math.floor(n * factor));
    } else if (stream.second >= Math.max(HOUR, last + 30 * MINUTE) && hour.every((share) => share <= 0.35)) {
      resize(stream, Math.ceil(n / factor));
    }
    if (!stream.active) last = stream.second;
  });
};

/**
 * 24-hour maximum (epsagon/kinesis-autoscaler): x2 up to 3 shards, x1.5 up to 50, else x1.25, rounded up, at 75 % or more in one 5-minute window;
 * twice the maximum of 24 h, at least half, where that maximum is 25 % or less.
 */
export const dayMaximum = (): Scaler =>
  eachMinute('24 h maximum', (stream) => {
    const n = stream.count;
    const [newest = 0] = utilization(stream, 1, 5 * MINUTE);
    if (newest >= 0.75) resize(stream, Math.ceil(n * (n <= 3 ? 2 : n <= 50 ? 1.5 : 1.25)));
    // Its down alarm looks at a day in windows of five minutes; once a window is enough here.
    else if (stream.second >= DAY && stream.second % (5 * MINUTE) === 0) {
      const most = utilization(stream, 288, 5 * MINUTE).reduce((top, share) => Math.max(top, share), 0);
      if (most <= 0.25) resize(stream, Math.max(1, Math.ceil(n / 2), Math.ceil(2 * most * n)));
    }
  });

/**
 * On-demand mode: twice the highest minute of the last 30 days, at least 4 MB/s, 15 minutes after the peak. AWS does not bill it by the shard:
 * the shard-hours are those of the capacity it holds. Starts with twice the trace's first hour.
 */
export const onDemand = (): Scaler => {
  let peak = 0;
  const due: { readonly at: number; readonly count: number }[] = [];
  return {
    name: 'on-demand mode',
    look: (stream) => {
      if (stream.second % MINUTE !== 0) return;
      const [minute = 0] = utilization(stream, 1, MINUTE, 1);
      if (stream.second === MINUTE) {
        const hour = stream.trace.recordsPerSecond.subarray(0, HOUR);
        peak = hour.reduce((sum, records) => sum + records, 0) / HOUR / stream.perShard;
        stream.provide(Math.max(4, Math.ceil(2 * peak)));
      }
      if (minute > peak) {
        peak = minute;
        due.push({ at: stream.second + 15 * MINUTE, count: Math.max(4, Math.ceil(2 * peak)) });
      }
      for (let next = due[0]; next !== undefined && next.at <= stream.second; next = due[0]) {
        due.shift();
        if (next.count > stream.count) stream.provide(next.count);
      }
    },
  };
};

export const baselines: readonly (() => Scaler)[] = [doubling, stepwise, bySize, dayMaximum, onDemand];
