import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../build.ts';
import type { EventBridgeEvent } from './aws.ts';
import { account, region } from './emulator.ts';

/** What the samples in events/ are about. */
const sample = { stream: 'orders', account: '111122223333', region: 'eu-west-1' };

/**
 * A sample event as it would come from this account, about this stream, now. Only names and times change.
 * `now`: epoch ms.
 */
function adapted(text: string, stream: string, now: number): string {
  const iso = new Date(now).toISOString();
  return text
    .replaceAll(sample.account, account)
    .replaceAll(sample.region, region)
    .replaceAll(new RegExp(`\\b${sample.stream}\\b`, 'g'), stream)
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, `${iso.slice(0, 19)}Z`)
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000/g, iso.replace('Z', '+0000'));
}

function event(file: string, stream: string, now: number): unknown {
  return JSON.parse(adapted(readFileSync(join(ROOT, 'events', file), 'utf8'), stream, now));
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
