import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../build.ts';
import type { EventBridgeEvent } from './aws.ts';
import { account, region } from './emulator.ts';

/** What the samples in events/ are about. */
const sample = { account: '111122223333', region: 'eu-west-1' };

/**
 * A sample event as it would come from this account, about this resource, now. Only names and times change.
 * `sampled`: the resource's name in the sample. `now`: epoch ms.
 */
function adapted(text: string, sampled: string, name: string, now: number): string {
  const iso = new Date(now).toISOString();
  return text
    .replaceAll(sample.account, account)
    .replaceAll(sample.region, region)
    .replaceAll(new RegExp(`\\b${sampled}\\b`, 'g'), name)
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, `${iso.slice(0, 19)}Z`)
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000/g, iso.replace('Z', '+0000'));
}

function event(file: string, stream: string, now: number): unknown {
  return JSON.parse(adapted(readFileSync(join(ROOT, 'events', file), 'utf8'), 'orders', stream, now));
}

/** What CloudWatch puts on the event bus when an alarm of the stream goes off. */
export function alarmEvent(stream: string, now: number): EventBridgeEvent {
  return event('aws.cloudwatch.alarm-state-change.kinesis.json', stream, now) as EventBridgeEvent;
}

/** What an alarm of the stream invokes a function with. */
export function alarmInvocation(stream: string, now: number): unknown {
  return event('aws.cloudwatch.alarm-action.kinesis.json', stream, now);
}

/** What an alarm of the stream publishes to its topic. */
export function alarmNotification(stream: string, now: number): unknown {
  const { Records } = event('aws.sns.alarm.kinesis.json', stream, now) as { Records: { Sns: { Message: string } }[] };
  return JSON.parse(Records[0]?.Sns.Message ?? '');
}

/** What CloudWatch puts on the event bus when an alarm of a cache node goes off. `file`: a sample about node `sessions-002`. */
export function nodeAlarmEvent(file: string, group: string, node: string, now: number): EventBridgeEvent {
  const text = readFileSync(join(ROOT, 'events', file), 'utf8').replaceAll(/\bsessions-002\b/g, node);
  return JSON.parse(adapted(text, 'sessions', group, now)) as EventBridgeEvent;
}

/** What the schedule puts into an inbox. */
export function tick(): string {
  return readFileSync(join(ROOT, 'events', 'reflex.tick.json'), 'utf8');
}

/** What ECS puts on the event bus when the Spot capacity of a task of service `web` is taken back now. `now`: epoch ms. */
export function spotInterruption(cluster: string, now: number): EventBridgeEvent {
  const file = 'aws.ecs.task-state-change.spot-interruption.json';
  // The first revision that is registered.
  return taskEvent(file, { cluster, 'task-definition/web:38': 'task-definition/web:1' }, 'stoppingAt', now);
}

/** A standalone task, as the embedded AWS runs it. */
export interface Standalone {
  readonly cluster: string;
  readonly family: string;
  readonly taskId: string;
}

/** What ECS tells of an interrupted standalone task: `stopping` with the notice, `stopped` at its end. `now`: epoch ms. */
export function standaloneInterrupted(
  phase: 'stopping' | 'stopped',
  { cluster, family, taskId }: Standalone,
  now: number,
): EventBridgeEvent {
  const suffix = phase === 'stopping' ? '' : '-stopped';
  return taskEvent(
    `aws.ecs.task-state-change.spot-interruption-standalone${suffix}.json`,
    {
      cluster,
      '7a75e7b735c14174aefbca3d0c1dd2c9': taskId,
      'task-definition/nightly:3': `task-definition/${family}:1`,
      'family:nightly': `family:${family}`,
    },
    phase === 'stopping' ? 'stoppingAt' : 'stoppedAt',
    now,
  );
}

/** A sample with other names, and its times moved so that `anchor` is now; the times before it stay as far back. */
function taskEvent(
  file: string,
  { cluster, ...names }: Readonly<Record<string, string>> & { readonly cluster: string },
  anchor: 'stoppingAt' | 'stoppedAt',
  now: number,
): EventBridgeEvent {
  const text = readFileSync(join(ROOT, 'events', file), 'utf8');
  const { detail } = JSON.parse(text) as { readonly detail: Readonly<Record<string, string>> };
  let here = text
    .replaceAll(sample.account, account)
    .replaceAll(sample.region, region)
    .replaceAll(/:(cluster|task|container)\/prod\b/g, `:$1/${cluster}`);
  for (const [sampled, name] of Object.entries(names)) here = here.replaceAll(sampled, name);
  return JSON.parse(movedBy(here, now - Date.parse(detail[anchor] ?? ''))) as EventBridgeEvent;
}

/** A text with every ISO time in it moved by so many ms. */
export function movedBy(text: string, ms: number): string {
  return text.replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) =>
    new Date(Date.parse(time) + ms).toISOString(),
  );
}

/** A sample event of this account about other things, now, with the times in it as far back as in the sample. `names`: sample's name, theirs. */
export function sampleEvent(file: string, names: Readonly<Record<string, string>>, now: number): EventBridgeEvent {
  const text = readFileSync(join(ROOT, 'events', file), 'utf8');
  const { time } = JSON.parse(text) as EventBridgeEvent;
  let here = text.replaceAll(sample.account, account).replaceAll(sample.region, region);
  for (const [sampled, name] of Object.entries(names)) here = here.replaceAll(sampled, name);
  return JSON.parse(movedBy(here, now - Date.parse(time))) as EventBridgeEvent;
}
