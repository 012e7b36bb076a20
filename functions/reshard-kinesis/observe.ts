import { isErrorNamed } from '../../shared/aws/client.ts';
import { getMetricData, type MetricQuery, type Points } from '../../shared/aws/cloudwatch.ts';
import { describeStreamSummary, freeShards, listShards, listTagsForStream } from '../../shared/aws/kinesis.ts';
import {
  hasOtherSources,
  listEventSourceConsumers,
  reservedConcurrency,
  unreservedConcurrency,
} from '../../shared/aws/lambda.ts';
import { tagsOf } from '../../shared/aws/tagging.ts';
import type { Observed, Trigger, Watch } from '../../shared/function.ts';
import { OPT_IN_TAG, tagOf } from '../../shared/settings.ts';
import { nameOf } from '../../shared/words.ts';
import { DAY_SPAN_HOURS, SCALE_IN_COOL_DOWN } from './decide.ts';
import { dayOfDemand, peakDemand, recent, shardsWorth } from './demand.ts';
import type { Consumer, Shard, ShardLoad, StreamFacts, StreamMetrics } from './facts.ts';
import { type Policy, settings } from './policy.ts';
import { byHashKey } from './shards.ts';
import { band } from './sizing.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Streams begun a second: an account may call ListTagsForStream 5 times a second, DescribeStreamSummary 20 times. */
const A_SECOND = 5;

/**
 * Reads the facts of streams. Two round trips: everything that needs only the name, then what the first answers call for
 * (shard-level metrics, a day of history, the consumers). Streams of one batch share DescribeLimits and GetMetricData.
 * `pause`: waits that many ms.
 */
export const observe =
  (stack: Policy, clock: () => number, pause: (ms: number) => Promise<unknown>) =>
  async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<StreamFacts>>> => {
    const asOf = clock();
    const shared = Promise.all([
      freeShards().catch(() => null),
      readMetrics(
        watches.map(({ resource }) => nameOf(resource)),
        { start: asOf - 15 * MINUTE, end: asOf + MINUTE },
      ),
    ]);
    const observed: Promise<readonly [string, Observed<StreamFacts>]>[] = [];
    for (const [i, watch] of watches.entries()) {
      if (i > 0 && i % A_SECOND === 0) await pause(1_000);
      observed.push(observeOne(watch, i, shared, stack, asOf).then((answer) => [watch.resource, answer]));
    }
    return new Map(await Promise.all(observed));
  };

type Shared = Promise<readonly [number | null, readonly StreamMetrics[]]>;

const observeOne = async (
  { resource: arn, trigger }: Watch,
  index: number,
  shared: Shared,
  stack: Policy,
  asOf: number,
): Promise<Observed<StreamFacts>> => {
  try {
    const since = asOf - closedWindow(stack.maxIteratorAge);
    const [summary, listed, tags, [free, allMetrics]] = await Promise.all([
      describeStreamSummary(arn),
      listShards(arn, since),
      listTagsForStream(arn),
      shared,
    ]);
    const name = nameOf(arn);
    const metrics = allMetrics[index] ?? NO_METRICS;
    const policy = tagged(stack, tags);
    const open = listed.filter((shard) => shard.SequenceNumberRange?.EndingSequenceNumber === undefined).map(toShard);
    open.sort(byHashKey);

    const { demand } = recent({ metrics }, undefined, asOf);
    const underused = demand !== null && shardsWorth(demand) / open.length < band(policy.targetUtilization).down;
    const judgesScaleIn = (trigger === 'alarm' || trigger === 'tick') && underused;
    const shardLevel = summary.EnhancedMonitoring?.flatMap(({ ShardLevelMetrics }) => ShardLevelMetrics ?? []) ?? [];
    // A shard may be full by either.
    const hasShardLevel =
      shardLevel.includes('ALL') ||
      ['IncomingBytes', 'IncomingRecords'].every((name) => shardLevel.some((on) => on === name));
    const withConsumers = trigger === 'tick' ? policy.consumerConcurrency !== null : trigger !== 'alarm';

    const [loads, dayMetrics, relisted, consumers] = await Promise.all([
      hasShardLevel ? shardLoads(name, open, asOf, judgesScaleIn) : null,
      judgesScaleIn ? readMetrics([name], { start: asOf - DAY, end: asOf + MINUTE }) : null,
      judgesScaleIn && closedWindow(policy.maxIteratorAge) > closedWindow(stack.maxIteratorAge)
        ? listShards(arn, asOf - closedWindow(policy.maxIteratorAge))
        : listed,
      withConsumers ? readConsumers(arn, policy, trigger) : null,
    ]);
    return {
      facts: {
        asOf,
        arn,
        name,
        tags,
        status: summary.StreamStatus ?? '',
        // Streams from before on-demand mode existed are provisioned.
        mode: summary.StreamModeDetails?.StreamMode ?? 'PROVISIONED',
        warmThroughputMiBps: summary.WarmThroughput?.CurrentMiBps ?? null,
        shards: open,
        closedShardIds: relisted
          .filter((shard) => shard.SequenceNumberRange?.EndingSequenceNumber !== undefined)
          .map(({ ShardId }) => ShardId ?? ''),
        metrics,
        day: dayMetrics === null ? null : dayOfDemand(dayMetrics[0] ?? NO_METRICS),
        shardLoads: loads,
        freeShards: free,
        consumers: consumers?.consumers ?? null,
        unreservedConcurrency: consumers?.unreserved ?? null,
      },
    };
  } catch (error) {
    return isErrorNamed(error, 'ResourceNotFoundException')
      ? { decision: { kind: 'skip', reason: 'stream-gone', why: `${arn} does not exist.` } }
      : { error };
  }
};

/** A shard closed within it may be unread, or belongs to a reshard that scale-in has to wait after. Seconds -> ms. */
const closedWindow = (maxIteratorAge: number): number => Math.max(SCALE_IN_COOL_DOWN, maxIteratorAge * 1_000);

/** What of the tags decides what is read; a malformed one is told of when the policy is parsed. */
const tagged = (stack: Policy, tags: Readonly<Record<string, string>>): Policy => {
  const read = <K extends keyof Policy>(key: K): Policy[K] => {
    const value = settings[key].kind.parse(tags[tagOf(key)] ?? '') as Policy[K] | undefined;
    return value === undefined ? stack[key] : value;
  };
  return {
    ...stack,
    targetUtilization: read('targetUtilization'),
    maxIteratorAge: read('maxIteratorAge'),
    consumerConcurrency: read('consumerConcurrency'),
  };
};

const toShard = (shard: {
  ShardId: string | undefined;
  ParentShardId?: string | undefined;
  HashKeyRange: { StartingHashKey: string | undefined; EndingHashKey: string | undefined } | undefined;
}): Shard => ({
  id: shard.ShardId ?? '',
  startingHashKey: shard.HashKeyRange?.StartingHashKey ?? '0',
  endingHashKey: shard.HashKeyRange?.EndingHashKey ?? '0',
  parentId: shard.ParentShardId ?? null,
});

const NO_METRICS: StreamMetrics = {
  incomingBytes: [],
  incomingRecords: [],
  throttled: [],
  outgoingBytes: [],
  iteratorAge: [],
};

const STREAM_METRICS = [
  ['IncomingBytes', 'Sum'],
  ['IncomingRecords', 'Sum'],
  ['WriteProvisionedThroughputExceeded', 'Sum'],
  ['OutgoingBytes', 'Sum'],
  ['GetRecords.IteratorAgeMilliseconds', 'Maximum'],
  ['GetRecords.Bytes', 'Sum'],
] as const;

/** One-minute metrics of streams, in their order. */
const readMetrics = async (
  names: readonly string[],
  range: { readonly start: number; readonly end: number },
): Promise<StreamMetrics[]> => {
  const queries = names.flatMap((StreamName) =>
    STREAM_METRICS.map(
      ([name, stat]): MetricQuery => ({ namespace: 'AWS/Kinesis', name, dimensions: { StreamName }, stat }),
    ),
  );
  const series = await getMetricData(queries, { ...range, periodSeconds: 60 });
  return names.map((_, i) => {
    const [incomingBytes = [], incomingRecords = [], throttled = [], outgoing = [], iteratorAge = [], read = []] =
      series.slice(i * STREAM_METRICS.length);
    // AWS documents egress of a stream as GetRecords.Bytes, and OutgoingBytes for shards; either is the same bytes.
    const outgoingBytes = read.length > 0 ? read : outgoing;
    return { incomingBytes, incomingRecords, throttled, outgoingBytes, iteratorAge };
  });
};

const SHARD_METRICS = ['IncomingBytes', 'IncomingRecords', 'WriteProvisionedThroughputExceeded'] as const;
const RECENT = 5 * MINUTE;

/**
 * Load of each open shard as a share of its limits: peak of the last minutes and, for scale-in, of the day in five-minute means.
 * null: no shard shows anything.
 */
const shardLoads = async (
  streamName: string,
  shards: readonly Shard[],
  now: number,
  withDay: boolean,
): Promise<Record<string, ShardLoad> | null> => {
  const queries = shards.flatMap(({ id }) =>
    SHARD_METRICS.map(
      (name): MetricQuery => ({
        namespace: 'AWS/Kinesis',
        name,
        dimensions: { StreamName: streamName, ShardId: id },
        stat: 'Sum',
      }),
    ),
  );
  const [newest, day] = await Promise.all([
    getMetricData(queries, { start: now - RECENT - MINUTE, end: now + MINUTE, periodSeconds: 60 }),
    withDay ? getMetricData(queries, { start: now - DAY, end: now + MINUTE, periodSeconds: 300 }) : null,
  ]);
  // Just switched on, or late: that is not the same as idle.
  if (newest.every((series) => series.length === 0)) return null;
  return Object.fromEntries(
    shards.map(({ id }, i) => {
      const ofShard = (all: readonly Points[]) => all.slice(3 * i, 3 * i + 3);
      return [id, shardLoadOf(ofShard(newest), day && ofShard(day))];
    }),
  );
};

/** From a shard's bytes, records and rejections: sums by minute of the last minutes and, where they were read, by five minutes of the day. */
export const shardLoadOf = (newest: readonly Points[], day: readonly Points[] | null): ShardLoad => ({
  now: shardLoad(newest, 60) ?? 0,
  throttled: (newest[2] ?? []).reduce((total, [, value]) => total + value, 0),
  day: day && wholeDayLoad(day),
});

/** null for a shard that opened within the day, or has no data from its beginning: how hot it gets is not known yet. */
const wholeDayLoad = (series: readonly Points[]): number | null => {
  const times = series.slice(0, 2).flatMap((points) => points.map(([at]) => at));
  return times.length > 0 && Math.max(...times) - Math.min(...times) >= DAY_SPAN_HOURS * HOUR
    ? shardLoad(series, 300)
    : null;
};

const shardLoad = (
  [incomingBytes = [], incomingRecords = [], throttled = []]: readonly Points[],
  seconds: number,
): number | null => {
  const demand = peakDemand(
    { incomingBytes, incomingRecords, throttled, outgoingBytes: [], iteratorAge: [] },
    seconds * 1_000,
  );
  return demand === null ? null : shardsWorth(demand);
};

const functionArn = (streamArn: string, name: string): string => {
  const [, partition, , region, account] = streamArn.split(':');
  return `arn:${partition}:lambda:${region}:${account}:function:${name}`;
};

/**
 * The Lambda functions that read the stream. They are a courtesy while the stream is in trouble, which must not wait for Lambda; where the
 * schedule looks at them because a tag asks for it, failing to read them is an error.
 */
const readConsumers = async (
  arn: string,
  policy: Policy,
  trigger: Trigger,
): Promise<{ consumers: Consumer[]; unreserved: number | null } | null> => {
  const asks = policy.consumerConcurrency !== null;
  try {
    const [mapped, unreserved] = await Promise.all([
      listEventSourceConsumers(arn),
      asks ? unreservedConcurrency() : null,
    ]);
    const tags = asks ? tagsOf(mapped.map(({ functionName }) => functionArn(arn, functionName))) : null;
    const consumers = await Promise.all(
      mapped.map(async (consumer) => {
        const [reserved, shared, tagged] = await Promise.all([
          reservedConcurrency(consumer.functionName),
          asks && hasOtherSources(consumer.functionName, arn),
          tags,
        ]);
        const own = tagged?.get(functionArn(arn, consumer.functionName)) ?? {};
        const optedIn = tagged === null || own[OPT_IN_TAG] === 'true';
        return { ...consumer, reserved, ...(shared && { shared }), ...(!optedIn && { optedIn }) };
      }),
    );
    return {
      consumers: consumers.flatMap(({ reserved, ...consumer }) =>
        reserved === undefined ? [] : [{ ...consumer, reservedConcurrency: reserved }],
      ),
      unreserved,
    };
  } catch (error) {
    if (trigger === 'tick') throw error;
    return null;
  }
};
