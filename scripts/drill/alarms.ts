import { DescribeAlarmsCommand, ListTagsForResourceCommand, type MetricAlarm } from '@aws-sdk/client-cloudwatch';
import type { Aws } from './aws.ts';
import { account, region } from './emulator.ts';
import type { ListView } from './story.ts';

/** Names of alarms that are made here begin with it: `<ResourcePrefix>-tuned-`. */
const prefix = 'reflex-tuned-';

export function alarmName(stream: string, kind: string): string {
  return `${prefix}kinesis-${stream}-${kind}`;
}

export function alarmArn(name: string): string {
  return `arn:aws:cloudwatch:${region}:${account}:alarm:${name}`;
}

/** Alarms on a stream, by name. */
export async function alarmsOf({ metrics }: Aws, stream: string): Promise<Map<string, MetricAlarm>> {
  const { MetricAlarms = [] } = await metrics.send(new DescribeAlarmsCommand({}));
  const own = MetricAlarms.filter((alarm) => streamOf(alarm) === stream);
  return new Map(own.map((alarm) => [alarm.AlarmName ?? '', alarm]));
}

function streamOf({ Dimensions = [], Metrics = [] }: MetricAlarm): string | undefined {
  const all = [...Dimensions, ...Metrics.flatMap(({ MetricStat }) => MetricStat?.Metric?.Dimensions ?? [])];
  return all.find(({ Name }) => Name === 'StreamName')?.Value;
}

export async function alarmTags({ metrics }: Aws, name: string): Promise<Record<string, string>> {
  const { Tags = [] } = await metrics.send(new ListTagsForResourceCommand({ ResourceARN: alarmArn(name) }));
  return Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value]));
}

/** The shards that a utilisation alarm divides by; undefined: it counts none. */
export function countedShards({ Metrics = [] }: MetricAlarm): number | undefined {
  const row = Metrics.find(({ Id }) => Id === 'shards')?.Expression;
  return row === undefined ? undefined : Number(row);
}

/** What an alarm is set to, without when that was and the state it is in. */
export function settingsOf({
  AlarmConfigurationUpdatedTimestamp: _updated,
  StateUpdatedTimestamp: _since,
  StateTransitionedTimestamp: _transitioned,
  StateReason: _reason,
  StateReasonData: _data,
  StateValue: _value,
  ...settings
}: MetricAlarm): string {
  return JSON.stringify(settings);
}

/** Every alarm of the stream, those made here without what their names have in common; its size is what the utilisation alarm takes for the number of shards. */
export async function viewAlarms(aws: Aws, stream: string): Promise<ListView> {
  const alarms = await alarmsOf(aws, stream);
  const counting = alarms.get(alarmName(stream, 'utilization'));
  return {
    noun: 'counted shard',
    size: (counting && countedShards(counting)) ?? 0,
    parts: [...alarms].map(([name, alarm]) => ({ id: name.replace(alarmName(stream, ''), ''), says: saidOf(alarm) })),
  };
}

function saidOf(alarm: MetricAlarm): string {
  const shards = countedShards(alarm);
  const actions = alarm.AlarmActions?.length ?? 0;
  return [
    `above ${alarm.Threshold}`,
    ...(shards === undefined ? [] : [`of ${shards === 1 ? '1 shard' : `${shards} shards`}`]),
    ...(actions === 0 ? [] : ['with an action']),
  ].join(' ');
}
