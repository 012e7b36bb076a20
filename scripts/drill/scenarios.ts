import { setTimeout as sleep } from 'node:timers/promises';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import type { HistoryRecord } from '../../shared/ledger/types.ts';
import { putEvent } from './aws.ts';
import { messageOf } from './problem.ts';
import { callsSince, momentsOf, openShards, patiently, provoke, type Reaction } from './reaction.ts';
import type { Step } from './screen.ts';
import type { Check, Moment, Story } from './story.ts';
import { viewStream } from './streams.ts';
import { alarmEvent, alarmInvocation, alarmNotification } from './trouble.ts';
import { duration } from './waterfall.ts';
import { resultText } from './words.ts';
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

/** What a scenario found; it passed if every check is ok. */
interface Findings {
  readonly event: string;
  readonly reaction: Reaction;
  readonly checks: readonly Check[];
  readonly moments?: readonly Moment[];
}

export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly shows: string;
  /** `watch`: it waits for minutes, so others run meanwhile. */
  readonly pace: 'quick' | 'watch';
  run(world: World, note: (text: string) => void, id: string): Promise<Findings>;
}

const streamOf = (id: string) => `drill-${id}`;
const alarmOf = (stream: string) => `${stream}-utilization-high`;

const dryRun: Scenario = {
  id: 'dry-run',
  title: 'First, a dry run',
  shows: 'As deployed, Reflex only says what it would do. Nothing is written.',
  pace: 'quick',
  async run(world, _note, id) {
    const stream = streamOf(id);
    const make = (now: number) => putEvent(world.aws, alarmEvent(stream, now));
    const reaction = await provoke(world, { stream, optedIn: true, expected: 1, make });
    const planned = reaction.record?.actions.some(({ call }) => call === 'UpdateShardCount') === true;
    return {
      event: `EventBridge: alarm ${alarmOf(stream)} is ALARM`,
      reaction,
      checks: [
        openShards(reaction.after, 1),
        { what: 'The record lists UpdateShardCount as a dry run', ok: planned && reaction.record?.dryRun === true },
        { what: 'The trace has no UpdateShardCount', ok: callsSince(world, 'UpdateShardCount', reaction.madeAt) === 0 },
      ],
    };
  },
};

const eventbridge: Scenario = {
  id: 'eventbridge',
  title: 'An alarm on the event bus',
  shows: 'EventBridge brings every alarm by itself; the alarm needs no action.',
  pace: 'quick',
  async run(world, _note, id) {
    const stream = streamOf(id);
    const make = (now: number) => putEvent(world.aws, alarmEvent(stream, now));
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    return {
      event: `EventBridge: alarm ${alarmOf(stream)} is ALARM`,
      reaction,
      checks: [openShards(reaction.after, 2), acted(reaction.record)],
    };
  },
};

const sns: Scenario = {
  id: 'sns',
  title: 'An alarm through SNS',
  shows: "A CloudWatch alarm goes off by its own metric and publishes to Reflex's alarm topic.",
  pace: 'quick',
  async run(world, _note, id) {
    const stream = streamOf(id);
    const alarm = `${stream}-throttled`;
    const make = () => setOffAlarm(world, alarm, stream);
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    return {
      event: `SNS: alarm ${alarm} is ALARM (412 throttled records in a minute)`,
      reaction,
      checks: [openShards(reaction.after, 2), acted(reaction.record)],
    };
  },
};

const direct: Scenario = {
  id: 'direct',
  title: 'An alarm that invokes the function',
  shows: "An alarm's Lambda action calls the function itself, without any queue.",
  pace: 'quick',
  async run(world, _note, id) {
    const stream = streamOf(id);
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
        acted(reaction.record),
        { what: 'The answer of the invocation lists the act', ok: told.includes('UpdateShardCount') },
      ],
    };
  },
};

const duplicate: Scenario = {
  id: 'duplicate',
  title: 'The same alarm three times',
  shows: 'EventBridge and SNS both bring it, and it is delivered again. It counts once.',
  pace: 'quick',
  async run(world, note, id) {
    const stream = streamOf(id);
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
  title: 'A stream that did not opt in',
  shows: 'Without the tag reflex:enabled = true a stream is left alone, whatever its alarm says.',
  pace: 'quick',
  async run(world, _note, id) {
    const stream = streamOf(id);
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
  title: 'Garbage beside a good message',
  shows: 'Two messages in one batch: the good one is handled at once, the other ends in the dead-letter queue.',
  pace: 'watch',
  async run(world, note, id) {
    const stream = streamOf(id);
    const garbage = '{"source":"aws.cloudwatch","detail-type":"CloudWatch Alarm State Change","detail":';
    const make = (now: number) => putIntoInbox(world, [garbage, JSON.stringify(alarmEvent(stream, now))]);
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    const letter = await patiently(90, async () => {
      note(`good message handled; the other is tried five times (${duration(Date.now() - reaction.madeAt)})`);
      return (await deadLetters(world)).find((body) => body === garbage);
    });
    return {
      event: `SQS: half a JSON document, and alarm ${alarmOf(stream)} is ALARM`,
      reaction,
      checks: [
        openShards(reaction.after, 2),
        acted(reaction.record),
        { what: 'DeadLetterQueue holds the garbage, unchanged', ok: letter !== null },
      ],
    };
  },
};

const followUp: Scenario = {
  id: 'follow-up',
  title: 'It checks its own work',
  shows: 'After the reshard Reflex waits for a full minute of metrics, looks again, and closes the incident.',
  pace: 'watch',
  async run(world, note, id) {
    const stream = streamOf(id);
    const make = (now: number) => putEvent(world.aws, alarmEvent(stream, now));
    const reaction = await provoke(world, { stream, optedIn: true, expected: 2, make });
    const opened = await openIncident(world, reaction.arn);
    const closed =
      opened === undefined
        ? null
        : await patiently(240, async () => {
            const incident = await openIncident(world, reaction.arn);
            if (incident === undefined) return true;
            const left = Math.max(Math.ceil((incident.nextCheckAt - Date.now()) / 1_000), 0);
            note(`1 → 2 done; check ${incident.check} in ${left} s (${incident.lastReason})`);
            return undefined;
          });
    const event = `EventBridge: alarm ${alarmOf(stream)} is ALARM`;
    const records = await recordsSince(world, reaction.arn, reaction.madeAt);
    const last = records.at(-1);
    return {
      event,
      reaction: { ...reaction, after: await viewStream(world.aws, stream) },
      moments: momentsOf(event, reaction.madeAt, records),
      checks: [
        openShards(reaction.after, 2),
        { what: 'Ledger: the act opened an incident', ok: opened !== undefined },
        { what: `Ledger: the incident is closed${last === undefined ? '' : ` (${last.reason})`}`, ok: closed === true },
      ],
    };
  },
};

/** In the order they run: first as deployed (dry run), then with Reflex switched on. */
export const scenarios: readonly Scenario[] = [
  dryRun,
  followUp,
  eventbridge,
  sns,
  direct,
  duplicate,
  notOptedIn,
  broken,
];

function acted(record: HistoryRecord | null): Check {
  const failed = record?.actions.some(({ error }) => error !== undefined) === true;
  return {
    what: 'Ledger: the act is recorded with its reason',
    ok: record?.decision === 'act' && !failed && !record.dryRun,
  };
}

/** Until the inbox has nothing that could be handled now. */
async function drained({ aws, stack }: World): Promise<void> {
  const QueueUrl = stack.physicalId('ReshardKinesisInbox');
  for (let empty = 0; empty < 3; ) {
    await sleep(400);
    const { Attributes = {} } = await aws.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
    const waiting =
      Number(Attributes.ApproximateNumberOfMessages) + Number(Attributes.ApproximateNumberOfMessagesNotVisible);
    empty = waiting === 0 ? empty + 1 : 0;
  }
}

/** Runs a scenario and says on the screen what came of it; never throws. */
export async function play({ id, title, shows, run }: Scenario, world: World, step: Step): Promise<Story> {
  const heading = { id, title, shows };
  const nothing = {
    stream: null,
    event: null,
    decision: null,
    before: null,
    after: null,
    reactionMs: null,
    trace: null,
  };
  try {
    step.note('making trouble');
    const { event, reaction, checks, moments = [] } = await run(world, step.note, id);
    const stream = streamOf(id);
    const told = (await world.told()).find(({ subject, message }) =>
      `${subject} ${message}`.includes(`stream/${stream}`),
    );
    const wrong = checks.filter(({ ok }) => !ok).map(({ what }) => what);
    const story: Story = {
      ...heading,
      status: wrong.length === 0 ? 'passed' : 'failed',
      note: wrong.length === 0 ? null : `Not so: ${wrong.join('; ')}`,
      stream,
      event,
      decision: reaction.record,
      before: reaction.before,
      after: reaction.after,
      reactionMs: reaction.reactionMs,
      trace: reaction.trace,
      moments,
      notification: told?.subject ?? null,
      checks,
    };
    if (story.status === 'passed') step.done(resultText(story));
    else step.failed(resultText(story));
    return story;
  } catch (error) {
    const note = messageOf(error);
    step.failed(note);
    return { ...heading, ...nothing, status: 'failed', note, moments: [], notification: null, checks: [] };
  }
}
