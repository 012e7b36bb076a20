import { setTimeout as sleep } from 'node:timers/promises';
import { PutMetricAlarmCommand, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { PublishCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { dynamoTable } from '../../shared/aws/dynamodb.ts';
import { type Ledger, ledger } from '../../shared/ledger/ledger.ts';
import type { HistoryRecord, Incident, ResourceKey } from '../../shared/ledger/types.ts';
import type { Aws } from './aws.ts';
import type { Containers } from './containers.ts';
import type { Stack } from './deploy.ts';
import { account, region } from './emulator.ts';
import type { Load } from './load.ts';
import type { Sites } from './site.ts';
import { everySpan, type Trace } from './trace.ts';
import type { Receiver } from './xray.ts';

/** What a scenario can do and see. */
export interface World {
  readonly aws: Aws;
  readonly stack: Stack;
  readonly receiver: Receiver;
  readonly ledger: Ledger;
  readonly load: Load;
  readonly containers: Containers;
  readonly sites: Sites;
  readonly told: () => Promise<readonly Told[]>;
}

/** What subscribers of the notifications topic got. */
export interface Told {
  readonly subject: string;
  readonly text: string;
}

export async function enter(parts: Omit<World, 'ledger' | 'told'>): Promise<World> {
  const { aws, stack } = parts;
  const table = dynamoTable(aws.dynamodb, stack.physicalId('Ledger'), (repetition) => sleep(50 * repetition));
  const told = await subscriber(aws, stack.physicalId('Notifications'));
  return { ...parts, ledger: ledger({ table, clock: Date.now }), told };
}

async function subscriber({ sqs, sns }: Aws, topicArn: string): Promise<() => Promise<readonly Told[]>> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'drill-told' }));
  const Endpoint = `arn:aws:sqs:${region}:${account}:drill-told`;
  await sns.send(new SubscribeCommand({ TopicArn: topicArn, Protocol: 'sqs', Endpoint }));
  const all: Told[] = [];
  return async () => {
    for (;;) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 3_600 }),
      );
      if (Messages.length === 0) return all;
      for (const { Body = '{}' } of Messages) {
        const { Subject = '', Message = '' } = JSON.parse(Body);
        all.push({ subject: Subject, text: Message });
      }
    }
  };
}

/** What a function recorded of a resource since a time, oldest first. */
export async function recordsSince({ ledger }: World, key: ResourceKey, since: number): Promise<HistoryRecord[]> {
  const newest = await ledger.history(key, { limit: 50 });
  return newest.filter(({ at }) => at >= since).reverse();
}

export async function openIncident({ ledger }: World, { fn, resource }: ResourceKey): Promise<Incident | undefined> {
  return (await ledger.read(fn, [resource])).states.get(resource)?.incident;
}

/** When a call of this operation was answered in the trace, epoch ms. */
export function answeredAt(trace: Trace, operation: string): number | undefined {
  return everySpan(trace.spans).find((span) => span.operation === operation)?.end;
}

/** `inbox`: logical id of the queue. */
export async function putIntoInbox({ aws, stack }: World, inbox: string, bodies: readonly string[]): Promise<void> {
  const Entries = bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody }));
  await aws.sqs.send(new SendMessageBatchCommand({ QueueUrl: stack.physicalId(inbox), Entries }));
}

export async function publishAlarm({ aws, stack }: World, notification: unknown): Promise<void> {
  const TopicArn = stack.physicalId('AlarmTopic');
  await aws.sns.send(new PublishCommand({ TopicArn, Message: JSON.stringify(notification) }));
}

/** Invokes the function as an alarm's Lambda action does, but waits for its answer. @throws Error where it fails. */
export async function invokeFunction({ aws, stack }: World, payload: unknown): Promise<unknown> {
  const FunctionName = stack.physicalId('ReshardKinesis');
  const answer = await aws.lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(payload) }));
  const text = Buffer.from(answer.Payload ?? []).toString();
  if (answer.FunctionError !== undefined) throw new Error(`${FunctionName}: ${text}`);
  return JSON.parse(text);
}

/** An alarm on the stream that publishes to the alarm topic, and the data point at which it goes off by itself. */
export async function setOffAlarm({ aws, stack }: World, name: string, stream: string): Promise<void> {
  const metric = { Namespace: 'AWS/Kinesis', MetricName: 'PutRecords.ThrottledRecords' };
  const Dimensions = [{ Name: 'StreamName', Value: stream }];
  await aws.alarms.send(
    new PutMetricAlarmCommand({
      AlarmName: name,
      AlarmDescription: `Producers of stream ${stream} are throttled`,
      ...metric,
      Dimensions,
      Statistic: 'Sum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      AlarmActions: [stack.physicalId('AlarmTopic')],
    }),
  );
  await aws.alarms.send(
    new PutMetricDataCommand({
      Namespace: metric.Namespace,
      MetricData: [{ MetricName: metric.MetricName, Dimensions, Value: 412, Unit: 'Count', Timestamp: new Date() }],
    }),
  );
}

/** Takes what lies in the dead-letter queue. */
export async function deadLetters({ aws, stack }: World): Promise<string[]> {
  const QueueUrl = stack.physicalId('DeadLetterQueue');
  const { Messages = [] } = await aws.sqs.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0 }),
  );
  return Messages.map(({ Body = '' }) => Body);
}

/**
 * As if so many minutes had passed for the resource: every time in its state in the ledger is set back by as much, and the
 * schedule looks at what is overdue. `inbox`: logical id of the queue.
 */
export async function letPass(
  world: World,
  { fn, resource }: ResourceKey,
  minutes: number,
  inbox: string,
): Promise<void> {
  const now = Date.now();
  await world.ledger.update({ fn, resource }, undefined, ({ fn: _, resource: __, version, fence, ...state }) => ({
    state: { fn, resource, version, fence, ...(setBack(state, minutes * 60_000, now) as typeof state) },
  }));
  await putIntoInbox(world, inbox, [
    JSON.stringify({ source: 'reflex', 'detail-type': 'Tick', detail: { scope: 'incidents' } }),
  ]);
}

/** Every number that is a time of the last days or the next ones, epoch ms. Pure. */
export function setBack(value: unknown, ms: number, now: number): unknown {
  if (typeof value === 'number') return Math.abs(value - now) < 30 * 24 * 3_600_000 ? value - ms : value;
  if (Array.isArray(value)) return value.map((item) => setBack(item, ms, now));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, setBack(item, ms, now)]));
}
