import { type MetricAlarm, PutMetricAlarmCommand, TagResourceCommand } from '@aws-sdk/client-cloudwatch';
import { UpdateShardCountCommand } from '@aws-sdk/client-kinesis';
import { alarmArn, alarmName, alarmsOf, alarmTags, countedShards, settingsOf, viewAlarms } from './alarms.ts';
import { type Aws, putEvent } from './aws.ts';
import { acted, momentsOf, patiently, type Reaction, react, untilClosed } from './reaction.ts';
import type { Scenario } from './scenario.ts';
import { type ListView, sizeOf } from './story.ts';
import { createStream, streamArn, viewStream } from './streams.ts';
import { sampleEvent, tick } from './trouble.ts';
import { putIntoInbox, recordsSince, type World } from './world.ts';

const fn = 'tune-alarms';
const kinds = ['utilization', 'throttled', 'iterator-age'];
const event = 'Kinesis: somebody reshards the stream, 1 → 2; SQS: the tick that the schedule sends every 15 minutes';

const follow: Scenario = {
  id: 'alarms-follow',
  fn,
  title: 'Alarms that follow a reshard',
  shows:
    'A stream that opts in gets its alarms. Somebody reshards it by hand; the alarm that counts its shards counts the new ones.',
  async run(world, { name: stream, note, waits }) {
    const { aws } = world;
    const optedInAt = Date.now();
    await optIn(world, stream, note);
    await untilClosed(world, { fn, arn: streamArn(stream) }, 60, note);
    const made = await alarmsOf(aws, stream);
    const tags = await Promise.all([...made.keys()].map((alarm) => alarmTags(aws, alarm)));
    const reaction = await resharded(world, stream, note);
    waits();
    const closed = await untilClosed(world, reaction, 60, note);
    const now = await alarmsOf(aws, stream);
    const changed = changedIn(made, now);
    const { open } = await viewStream(aws, stream);
    const records = await recordsSince(world, { fn, resource: reaction.arn }, optedInAt);
    return {
      event,
      reaction,
      moments: momentsOf(`EventBridge: Tag Change on Resource, ${stream} opts in`, optedInAt, records),
      checks: [
        {
          what: `DescribeAlarms: ${made.size} alarms were made, each tagged as an alarm of this stream`,
          ok:
            kinds.every((kind) => made.has(alarmName(stream, kind))) &&
            tags.every((own) => own['reflex:alarm-of'] === reaction.arn && own['reflex:enabled'] === 'true'),
        },
        { what: `DescribeAlarms: 2 shards are counted, and ListShards has ${open.length}`, ok: counts(now, stream, 2) },
        {
          what: 'DescribeAlarms: nothing else changed, in no alarm',
          ok: changed.length === 1 && exceptShards(made, stream) === exceptShards(now, stream),
        },
        acted(reaction.decision),
        { what: 'Ledger: the follow-up read them again, and closed the incident', ok: closed },
      ],
    };
  },
};

/** What the person sets: they want to hear of it later than Reflex does, and be called. */
const later = 0.9;

const kept: Scenario = {
  id: 'alarms-kept',
  fn,
  title: 'Alarms that a person has changed',
  shows:
    'A threshold and an action set by hand stay, only the count follows; an alarm taken over, and one of their own, are left alone.',
  async run(world, { name: stream, note, waits }) {
    const { aws, stack } = world;
    await optIn(world, stream, note);
    await untilClosed(world, { fn, arn: streamArn(stream) }, 60, note);
    const touchedAt = Date.now();
    const own = await personsTouch(aws, stream, stack.physicalId('AlarmTopic'));
    const before = await alarmsOf(aws, stream);
    const reaction = await resharded(world, stream, note);
    waits();
    const closed = await untilClosed(world, reaction, 60, note);
    const now = await alarmsOf(aws, stream);
    const changed = changedIn(before, now);
    const utilization = now.get(alarmName(stream, 'utilization'));
    const records = await recordsSince(world, { fn, resource: reaction.arn }, touchedAt);
    return {
      event,
      reaction,
      moments: momentsOf(
        'A person sets threshold and action of one alarm, takes one over, makes one',
        touchedAt,
        records,
      ),
      checks: [
        {
          what: `DescribeAlarms: 2 shards are counted; of ${now.size} alarms one has changed (${changed.length})`,
          ok: counts(now, stream, 2) && changed.length === 1,
        },
        {
          what: `DescribeAlarms: its threshold of ${later} and its action are as the person set them`,
          ok: utilization?.Threshold === later && utilization.AlarmActions?.length === 1,
        },
        {
          what: `DescribeAlarms: ${alarmName(stream, 'throttled')}, taken over, is as it was`,
          ok: !changed.includes(alarmName(stream, 'throttled')),
        },
        { what: `DescribeAlarms: ${own}, the person's own, is as it was`, ok: !changed.includes(own) },
        acted(reaction.decision),
        { what: 'Ledger: the follow-up closed the incident', ok: closed },
      ],
    };
  },
};

export const alarmScenarios: readonly Scenario[] = [follow, kept];

/** A stream that is tagged, of which EventBridge tells; waits until its alarms are made. @throws Error where they are not. */
async function optIn(world: World, stream: string, note: (text: string) => void): Promise<void> {
  note('opting in');
  const { aws } = world;
  const since = Date.now();
  await createStream(aws, stream, true);
  await putEvent(aws, sampleEvent('aws.tag.tag-change.kinesis.json', { 'stream/orders': `stream/${stream}` }, since));
  const made = await patiently(30, async () => {
    const [record] = await recordsSince(world, { fn, resource: streamArn(stream) }, since);
    return record?.reason === 'make-alarms' || undefined;
  });
  if (made === null) throw new Error(`no alarms were made for ${stream}`);
}

/** Somebody reshards by hand, and the schedule comes round. */
function resharded(world: World, stream: string, note: (text: string) => void): Promise<Reaction<ListView>> {
  const { aws } = world;
  return react(world, {
    arn: streamArn(stream),
    fn,
    operation: 'PutMetricAlarm',
    view: () => viewAlarms(aws, stream),
    settled: (view) => sizeOf(view) === 2,
    make: async () => {
      note('resharding by hand');
      await aws.kinesis.send(
        new UpdateShardCountCommand({ StreamName: stream, TargetShardCount: 2, ScalingType: 'UNIFORM_SCALING' }),
      );
      await patiently(10, async () => (await viewStream(aws, stream)).status === 'ACTIVE' || undefined);
      await putIntoInbox(world, 'TuneAlarmsInbox', [tick()]);
    },
  });
}

/**
 * One alarm has another threshold and an action since, one is taken over and less strict, and there is one that was never
 * Reflex's, whose name is given.
 */
async function personsTouch(aws: Aws, stream: string, action: string): Promise<string> {
  const put = ({ AlarmArn: _, ...settings }: MetricAlarm) =>
    aws.metrics.send(new PutMetricAlarmCommand(settings as ConstructorParameters<typeof PutMetricAlarmCommand>[0]));
  const made = await alarmsOf(aws, stream);
  const utilization = made.get(alarmName(stream, 'utilization'));
  const throttled = made.get(alarmName(stream, 'throttled'));
  if (utilization === undefined || throttled === undefined) throw new Error(`alarms of ${stream} are missing`);
  await put({ ...utilization, Threshold: later, AlarmActions: [action] });
  await put({ ...throttled, Threshold: 100 });
  await aws.metrics.send(
    new TagResourceCommand({
      ResourceARN: alarmArn(alarmName(stream, 'throttled')),
      Tags: [{ Key: 'reflex:enabled', Value: 'false' }],
    }),
  );
  const own = `${stream}-on-call`;
  await put({ ...utilization, AlarmName: own });
  return own;
}

type Alarms = ReadonlyMap<string, MetricAlarm>;

const counts = (alarms: Alarms, stream: string, shards: number): boolean => {
  const alarm = alarms.get(alarmName(stream, 'utilization'));
  return alarm !== undefined && countedShards(alarm) === shards;
};

/** Names of the alarms that are set to something else, are new, or are gone. */
const changedIn = (before: Alarms, after: Alarms): string[] => {
  const settings = (alarm: MetricAlarm | undefined) => alarm && settingsOf(alarm);
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names.filter((name) => settings(before.get(name)) !== settings(after.get(name)));
};

const exceptShards = (alarms: Alarms, stream: string): string => {
  const { Metrics = [], ...alarm } = alarms.get(alarmName(stream, 'utilization')) ?? {};
  return settingsOf({ ...alarm, Metrics: Metrics.filter(({ Id }) => Id !== 'shards') });
};
