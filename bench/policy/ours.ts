import { meaning } from '../../functions/reshard-kinesis/act.ts';
import type { KinesisCall } from '../../functions/reshard-kinesis/decide.ts';
import { dayOfDemand, recent, shardsWorth } from '../../functions/reshard-kinesis/demand.ts';
import type { Series, StreamFacts, StreamMetrics } from '../../functions/reshard-kinesis/facts.ts';
import { reshardKinesis } from '../../functions/reshard-kinesis/function.ts';
import { shardLoadOf } from '../../functions/reshard-kinesis/observe.ts';
import { band } from '../../functions/reshard-kinesis/sizing.ts';
import type { Watch } from '../../shared/function.ts';
import { inOrder } from '../../shared/in-order.ts';
import { remediation } from '../../shared/remediation.ts';
import { alarmEvent, streamArn } from '../../test/support/event-builders.ts';
import { type FakeRuntime, fakeRuntime, fakeWorld, pump, put } from '../../test/support/fake-runtime.ts';
import type { Scaler } from './baselines.ts';
import { METRICS_LATE_SECONDS, type Stream } from './stream.ts';

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 24 * HOUR;
const TICK = { source: 'reflex', 'detail-type': 'Tick' };
/** The alarms: in how many of how many minutes the limit is passed. */
const ALARMS = { throttled: { points: 1, of: 1 }, utilization: { points: 2, of: 3 } } as const;
/** From the alarm's evaluation by EventBridge and SQS to the function. */
const DELIVERY_SECONDS = 5;

const asFacts = (seen: ReturnType<Stream['metrics']>): StreamMetrics => ({
  incomingBytes: seen.bytes,
  incomingRecords: seen.records,
  throttled: seen.throttled,
  outgoingBytes: [],
  iteratorAge: seen.iteratorAge,
});

/** What the owner of the stream has chosen. */
export interface Chosen {
  /** reflex:target-utilization. */
  readonly target?: number;
  /** Whether shard-level metrics are on. */
  readonly shardLevel?: boolean;
  /** Further tags of the stream. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** The facts that observe.ts would read of the stream now; consumers keep up. */
export const factsOf = (
  stream: Stream,
  { trigger }: Watch,
  { target, shardLevel, tags }: Required<Chosen>,
): StreamFacts => {
  const shards = stream.shards();
  const metrics = asFacts(stream.metrics(15 * MINUTE));
  const { demand } = recent({ metrics }, undefined, stream.now);
  const judgesScaleIn =
    (trigger === 'alarm' || trigger === 'tick') &&
    demand !== null &&
    shardsWorth(demand) / shards.length < band(target).down;
  const seriesOf = (id: string, seconds: number): Series[] => {
    const { bytes, records, throttled } = stream.metrics(seconds, id);
    return [bytes, records, throttled];
  };
  const newest = new Map(shards.map(({ id }) => [id, shardLevel ? seriesOf(id, 6 * MINUTE) : []]));
  const isSeen = [...newest.values()].some((series) => series.some(({ length }) => length > 0));
  return {
    asOf: stream.now,
    arn: streamArn(),
    name: 'orders',
    tags,
    status: stream.active ? 'ACTIVE' : 'UPDATING',
    mode: 'PROVISIONED',
    warmThroughputMiBps: null,
    shards,
    closedShardIds: stream.closedWithin(HOUR),
    metrics,
    day: judgesScaleIn ? dayOfDemand(asFacts(stream.metrics(DAY))) : null,
    shardLoads: isSeen
      ? Object.fromEntries(
          shards.map(({ id }) => {
            const day = judgesScaleIn ? seriesOf(id, DAY).map((series) => summed(series, 5 * MINUTE)) : null;
            return [id, shardLoadOf(newest.get(id) ?? [], day)];
          }),
        )
      : null,
    freeShards: 10_000,
    consumers: null,
    unreservedConcurrency: null,
  };
};

const summed = (series: Series, seconds: number): Series => {
  const sums = new Map<number, number>();
  for (const [at, value] of series) {
    const start = at - (at % (seconds * 1_000));
    sums.set(start, (sums.get(start) ?? 0) + value);
  }
  return [...sums];
};

const made = (stream: Stream, call: KinesisCall): string | undefined => {
  switch (call.call) {
    case 'UpdateShardCount':
      return stream.updateShardCount(call.params.TargetShardCount);
    case 'SplitShard':
      return stream.splitShard(call.params.ShardToSplit, BigInt(call.params.NewStartingHashKey));
    case 'MergeShards':
      return stream.mergeShards(call.params.ShardToMerge, call.params.AdjacentShardToMerge);
    case 'PutFunctionConcurrency':
      return undefined;
  }
};

export interface Ours extends Scaler {
  /** What was decided, with the time in seconds. */
  readonly decisions: {
    readonly at: number;
    readonly decision: string;
    readonly reason: string;
    readonly why: string;
  }[];
}

/**
 * reshard-kinesis itself: its `decide`, called by the pipeline with its guards, ledger, follow-ups and hourly tick, woken by two alarms:
 * a minute with rejected records, and two minutes of three above the upper edge of the band (75 % at a target of 0.5). Only AWS is
 * the model: what is read, what is called, and the queue.
 */
export const ours = ({ target = 0.5, shardLevel = true, tags = {} }: Chosen = {}): Ours => {
  const decisions: Ours['decisions'] = [];
  const chosen = {
    target,
    shardLevel,
    tags: { ...tags, 'reflex:enabled': 'true', 'reflex:target-utilization': String(target) },
  };
  let stream: Stream | undefined;
  let runtime: FakeRuntime | undefined;
  let handle: ReturnType<typeof remediation> | undefined;
  const alarmed = { throttled: false, utilization: false };
  let counted = 0;

  const begin = (model: Stream): void => {
    stream = model;
    counted = model.count;
    const fake = fakeRuntime({ world: fakeWorld(model.now) });
    const fn = reshardKinesis({}, () => model.now);
    handle = remediation(
      {
        ...fn,
        sweep: async () => [streamArn()],
        observe: async (watches) =>
          new Map(watches.map((watch) => [watch.resource, { facts: factsOf(model, watch, chosen) }])),
        act: inOrder<KinesisCall>(
          async (call) => {
            const refusal = made(model, call);
            if (refusal !== undefined) throw Object.assign(new Error(words[refusal] ?? refusal), { name: refusal });
          },
          (call, error) => meaning(call, error, model.now),
        ),
      },
      fake,
    );
    runtime = fake;
  };

  return {
    name: shardLevel ? 'reflex' : 'reflex, shards unseen',
    decisions,
    look: async (model) => {
      if (stream !== model) begin(model);
      if (runtime === undefined || handle === undefined) return;
      const { world } = runtime;
      world.now = model.now;
      if (model.second % MINUTE === DELIVERY_SECONDS * 2) {
        // tune-alarms looks every 15 minutes whether the alarm still has the right shard count.
        if (model.active && model.second % (15 * MINUTE) < MINUTE) counted = model.count;
        const { throttled, records } = model.metrics(10 * MINUTE);
        const newest = model.now - (MINUTE + METRICS_LATE_SECONDS + 2 * DELIVERY_SECONDS) * 1_000;
        const limits = { throttled: 0, utilization: band(target).up * counted * model.perShard * MINUTE };
        for (const [name, series] of [
          ['throttled', throttled],
          ['utilization', records],
        ] as const) {
          const { points, of } = ALARMS[name];
          const above = series.filter(([at, value]) => at > newest - of * MINUTE * 1_000 && value > limits[name]);
          const breaches = above.length >= points;
          if (breaches === alarmed[name]) continue;
          alarmed[name] = breaches;
          put(world, alarmEvent({ name, at: model.now, state: breaches ? 'ALARM' : 'OK' }));
        }
      }
      if (model.second % HOUR === 0) put(world, TICK);
      const deliver = handle;
      while ((await pump(world, deliver)) !== undefined);
      for (const { decision, reason, why } of runtime.decisions.splice(0)) {
        decisions.push({ at: model.second, decision, reason, why });
      }
    },
  };
};

/** As AWS words them. */
const words: Readonly<Record<string, string>> = {
  ResourceInUseException: 'Stream orders is not ACTIVE, instead in state UPDATING.',
  LimitExceededException: 'UpdateShardCount calls per rolling 24-hour period exceeded for stream orders.',
  InvalidArgumentException: 'TargetShardCount is out of bounds for stream orders.',
};
