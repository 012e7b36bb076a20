import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { alarmScenarios } from './alarm-scenarios.ts';
import { putEvent } from './aws.ts';
import { cacheScenarios } from './cache-scenarios.ts';
import { fargateScenarios } from './fargate-scenarios.ts';
import { acted, callsSince, momentsOf, openShards, patiently, provoke, untilClosed } from './reaction.ts';
import type { Scenario } from './scenario.ts';
import { siteScenarios } from './site-scenarios.ts';
import { spotScenarios } from './spot-scenarios.ts';
import { viewStream } from './streams.ts';
import { alarmEvent, alarmInvocation, alarmNotification } from './trouble.ts';
import {
  deadLetters,
  invokeFunction,
  openIncident,
  publishAlarm,
  putIntoInbox,
  recordsSince,
  setOffAlarm,
  type World,
} from './world.ts';

const alarmOf = (stream: string) => `${stream}-utilization-high`;

const dryRun: Scenario = {
  id: 'dry-run',
  fn: 'reshard-kinesis',
  title: 'First, a dry run',
  shows: 'As deployed, Reflex only says what it would do. Nothing is written.',
  async run(world, { name: stream }) {
    const make = (now: number) => putEvent(world.aws, alarmEvent(stream, now));
    const reaction = await provoke(world, { stream, optedIn: true, expected: 1, make });
    const planned = reaction.decision?.actions.some(({ call }) => call === 'UpdateShardCount') === true;
    return {
      event: `EventBridge: alarm ${alarmOf(stream)} is ALARM`,
      reaction,
      checks: [
        openShards(reaction.after, 1),
        { what: 'The record lists UpdateShardCount as a dry run', ok: planned && reaction.decision?.dryRun === true },
        { what: 'The trace has no UpdateShardCount', ok: callsSince(world, 'UpdateShardCount', reaction.madeAt) === 0 },
      ],
    };
  },
};

const eventbridge: Scenario = {
  id: 'eventbridge',
  fn: 'reshard-kinesis',
  title: 'An alarm on the event bus',
  shows: 'EventBridge brings every alarm by itself; the alarm needs no action.',
  async run(world, { name: stream }) {
    const make = (now: number) => putEvent(world.aws, alarmEvent(stream, now));
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    return {
      event: `EventBridge: alarm ${alarmOf(stream)} is ALARM`,
      reaction,
      checks: [openShards(reaction.after, 2), acted(reaction.decision)],
    };
  },
};

const sns: Scenario = {
  id: 'sns',
  fn: 'reshard-kinesis',
  title: 'An alarm through SNS',
  shows: "A CloudWatch alarm goes off by its own metric and publishes to Reflex's alarm topic.",
  async run(world, { name: stream }) {
    const alarm = `${stream}-throttled`;
    const make = () => setOffAlarm(world, alarm, stream);
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    return {
      event: `SNS: alarm ${alarm} is ALARM (412 throttled records in a minute)`,
      reaction,
      checks: [openShards(reaction.after, 2), acted(reaction.decision)],
    };
  },
};

const direct: Scenario = {
  id: 'direct',
  fn: 'reshard-kinesis',
  title: 'An alarm that invokes the function',
  shows: "An alarm's Lambda action calls the function itself, without any queue.",
  async run(world, { name: stream }) {
    let answer: unknown;
    const make = async (now: number) => {
      answer = await invokeFunction(world, alarmInvocation(stream, now));
    };
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    const told = JSON.stringify(answer) ?? '';
    return {
      event: `Lambda: invoked with the payload of alarm ${alarmOf(stream)}`,
      reaction,
      checks: [
        openShards(reaction.after, 2),
        acted(reaction.decision),
        { what: 'The answer of the invocation lists the act', ok: told.includes('UpdateShardCount') },
      ],
    };
  },
};

const duplicate: Scenario = {
  id: 'duplicate',
  fn: 'reshard-kinesis',
  title: 'The same alarm three times',
  shows: 'EventBridge and SNS both bring it, and it is delivered again. It counts once.',
  async run(world, { name: stream, note }) {
    const make = async (now: number) => {
      await Promise.all([
        putEvent(world.aws, alarmEvent(stream, now)),
        publishAlarm(world, alarmNotification(stream, now)),
      ]);
    };
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    note('delivering it again');
    await putEvent(world.aws, alarmEvent(stream, reaction.madeAt));
    await drained(world);
    const after = await viewStream(world.aws, stream);
    const calls = callsSince(world, 'UpdateShardCount', reaction.madeAt);
    return {
      event: `EventBridge and SNS: alarm ${alarmOf(stream)} is ALARM; then EventBridge again`,
      reaction: { ...reaction, after },
      checks: [
        openShards(after, 2),
        { what: 'ListShards: 1 closed shard, so one reshard', ok: after.closed.length === 1 },
        { what: `Traces: UpdateShardCount called once (${calls})`, ok: calls === 1 },
      ],
    };
  },
};

const notOptedIn: Scenario = {
  id: 'not-opted-in',
  fn: 'reshard-kinesis',
  title: 'A stream that did not opt in',
  shows: 'Without the tag reflex:enabled = true a stream is left alone, whatever its alarm says.',
  async run(world, { name: stream }) {
    const make = (now: number) => putEvent(world.aws, alarmEvent(stream, now));
    const reaction = await provoke(world, { stream, optedIn: false, expected: 1, make });
    return {
      event: `EventBridge: alarm ${alarmOf(stream)} is ALARM`,
      reaction,
      checks: [
        openShards(reaction.after, 1),
        { what: 'The function looked at it (its trace arrived)', ok: reaction.trace !== null },
        { what: 'The trace has no UpdateShardCount', ok: callsSince(world, 'UpdateShardCount', reaction.madeAt) === 0 },
      ],
    };
  },
};

const broken: Scenario = {
  id: 'broken',
  fn: 'reshard-kinesis',
  title: 'Garbage beside a good message',
  shows: 'Two messages in one batch: the good one is handled at once, the other ends in the dead-letter queue.',
  async run(world, { name: stream, note, waits }) {
    const garbage = '{"source":"aws.cloudwatch","detail-type":"CloudWatch Alarm State Change","detail":';
    const make = (now: number) =>
      putIntoInbox(world, 'ReshardKinesisInbox', [garbage, JSON.stringify(alarmEvent(stream, now))]);
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    waits();
    const letter = await patiently(90, async () => {
      note(
        `good message handled; the other is tried five times, ${Math.round((Date.now() - reaction.madeAt) / 1_000)} s`,
      );
      return (await deadLetters(world)).find((body) => body === garbage);
    });
    return {
      event: `SQS: half a JSON document, and alarm ${alarmOf(stream)} is ALARM`,
      reaction,
      checks: [
        openShards(reaction.after, 2),
        acted(reaction.decision),
        { what: 'DeadLetterQueue holds the garbage, unchanged', ok: letter !== null },
      ],
    };
  },
};

const followUp: Scenario = {
  id: 'follow-up',
  fn: 'reshard-kinesis',
  title: 'It checks its own work',
  shows: 'After the reshard Reflex waits for a full minute of metrics, looks again, and closes the incident.',
  async run(world, { name: stream, note, waits }) {
    const make = (now: number) => putEvent(world.aws, alarmEvent(stream, now));
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    const opened = await openIncident(world, { fn: reaction.fn, resource: reaction.arn });
    waits();
    const closed = opened !== undefined && (await untilClosed(world, reaction, 240, note));
    const event = `EventBridge: alarm ${alarmOf(stream)} is ALARM`;
    const records = await recordsSince(world, { fn: reaction.fn, resource: reaction.arn }, reaction.madeAt);
    const last = records.at(-1);
    return {
      event,
      reaction: { ...reaction, after: await viewStream(world.aws, stream) },
      moments: momentsOf(event, reaction.madeAt, records),
      checks: [
        openShards(reaction.after, 2),
        { what: 'Ledger: the act opened an incident', ok: opened !== undefined },
        { what: `Ledger: the incident is closed${last === undefined ? '' : ` (${last.reason})`}`, ok: closed },
      ],
    };
  },
};

/** In the order they run: first as deployed (dry run), then with Reflex switched on. */
export const scenarios: readonly Scenario[] = [
  dryRun,
  followUp,
  ...fargateScenarios,
  // Early: a tick makes the alarms of every stream and cache that is there, and after five minutes the schedule checks the sites itself.
  ...alarmScenarios,
  ...siteScenarios,
  eventbridge,
  sns,
  direct,
  duplicate,
  notOptedIn,
  broken,
  ...cacheScenarios,
  ...spotScenarios,
];

/** Until the inbox has had nothing to deliver for a second; the function may be at work for 20 s at most. */
async function drained({ aws, stack }: World): Promise<void> {
  const QueueUrl = stack.physicalId('ReshardKinesisInbox');
  let emptySince = Number.POSITIVE_INFINITY;
  await patiently(20, async () => {
    const { Attributes = {} } = await aws.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
    const { ApproximateNumberOfMessages: visible, ApproximateNumberOfMessagesNotVisible: inFlight } = Attributes;
    emptySince = Number(visible) + Number(inFlight) > 0 ? Number.POSITIVE_INFINITY : Math.min(emptySince, Date.now());
    return Date.now() - emptySince > 1_000 || undefined;
  });
}
