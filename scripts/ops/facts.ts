import { peakDemand, shardsWorth } from '../../functions/reshard-kinesis/demand.ts';
import type { Demand, Series, StreamFacts } from '../../functions/reshard-kinesis/facts.ts';
import type { Json, JsonObject } from '../../shared/json.ts';
import { count, duration } from './words.ts';

/** What was seen, as a person would say it. Facts that are not of the expected shape are given value by value. */
export function factsInWords(fn: string, facts: Json): string[] {
  if (!isObject(facts)) return [];
  if (typeof facts.leftOut === 'string') return [`Facts left out of the record: ${facts.leftOut}.`];
  try {
    return tellers[fn]?.(facts) ?? valueByValue(facts);
  } catch {
    return valueByValue(facts);
  }
}

const tellers: Readonly<Record<string, (facts: JsonObject) => string[]>> = {
  'reshard-kinesis': (facts) => streamInWords(facts as unknown as StreamFacts),
};

function streamInWords(facts: StreamFacts): string[] {
  const { shards, closedShardIds, status, mode, day, shardLoads, freeShards, consumers, tags } = facts;
  const n = shards.length;
  const hot = Object.entries(shardLoads ?? {})
    .filter(([, load]) => load.now > 0.75 || load.throttled > 0)
    .map(([id, load]) => `${id} ${percent(load.now)}`);
  const settings = Object.entries(tags).filter(([key]) => key.startsWith('reflex:'));
  return [
    `${count(n, 'open shard')}${closedShardIds.length > 0 ? `, ${closedShardIds.length} closed lately` : ''}; ${status}, ${mode}`,
    newestMinute(facts),
    ...(day === null ? [] : [`peak of 24 h: ${load(day.peak, n)}, from ${day.spanHours.toFixed(1)} h of metrics`]),
    iteratorAge(facts),
    shardLoads === null
      ? 'no shard-level metrics'
      : hot.length === 0
        ? 'no shard is hot'
        : `hot shards: ${hot.join(', ')}`,
    ...(freeShards === null ? [] : [`free shards in the account: ${freeShards.toLocaleString('en-US')}`]),
    ...(consumers === null || consumers.length === 0
      ? []
      : [`consumer functions: ${consumers.map(({ functionName }) => functionName).join(', ')}`]),
    `tags: ${settings.map(([key, value]) => `${key}=${value}`).join(' ') || 'none of reflex'}`,
  ];
}

/** The last minute CloudWatch had, without interpretation: the decision's own sentence says what it made of it. */
function newestMinute({ metrics, shards }: StreamFacts): string {
  const points = [...metrics.incomingBytes, ...metrics.incomingRecords, ...metrics.throttled];
  if (points.length === 0) return 'no IncomingBytes or IncomingRecords data point';
  const newest = points.reduce((latest, [at]) => Math.max(latest, at), 0);
  const only = (series: Series) => series.filter(([at]) => at === newest);
  const demand = peakDemand({
    incomingBytes: only(metrics.incomingBytes),
    incomingRecords: only(metrics.incomingRecords),
    throttled: only(metrics.throttled),
    outgoingBytes: only(metrics.outgoingBytes),
    iteratorAge: [],
  });
  const rejected = only(metrics.throttled).reduce((sum, [, value]) => sum + value, 0);
  const minute = `newest minute of metrics (${new Date(newest).toISOString().slice(11, 16)} UTC)`;
  return `${minute}: ${demand === null ? 'nothing accepted' : load(demand, shards.length)}, ${count(rejected, 'record')} rejected`;
}

function load(demand: Demand, n: number): string {
  const mib = (demand.bytesPerSecond / 1_048_576).toFixed(2);
  const records = Math.ceil(demand.recordsPerSecond).toLocaleString('en-US');
  return `${mib} MiB/s and ${records} records/s${n > 0 ? `, ${percent(shardsWorth(demand) / n)} of ${count(n, 'shard')}` : ''}`;
}

function iteratorAge({ metrics }: StreamFacts): string {
  const newest = metrics.iteratorAge.at(-1);
  return newest === undefined ? 'no consumer seen reading with GetRecords' : `consumers ${duration(newest[1])} behind`;
}

/** Numbers, texts and lists' lengths; what is deeper is in --json. */
function valueByValue(facts: JsonObject): string[] {
  return Object.entries(facts).flatMap(([name, value]) => {
    if (Array.isArray(value)) return [`${name}: ${count(value.length, 'element')}`];
    if (isObject(value)) return [`${name}: ${clippedJson(value)}`];
    return value === null ? [] : [`${name}: ${String(value)}`];
  });
}

const clippedJson = (value: JsonObject): string => {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
};

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const percent = (share: number): string => `${Math.round(share * 100)} %`;
