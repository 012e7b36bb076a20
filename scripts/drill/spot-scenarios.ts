import type { Task } from '@aws-sdk/client-ecs';
import { putEvent } from './aws.ts';
import {
  arnOfInstance,
  arnOfVolume,
  type Host,
  joinCluster,
  launchHost,
  loseHost,
  objectsOf,
  rescueTaskOf,
  runContainer,
  stopTask,
  viewHost,
  viewKept,
  volumeTags,
} from './hosts.ts';
import { acted, callsSince, momentsOf, patiently, type Reaction, react } from './reaction.ts';
import type { Findings, Progress, Scenario } from './scenario.ts';
import type { ListView } from './story.ts';
import { sampleEvent } from './trouble.ts';
import { recordsSince, type World } from './world.ts';

const warning: Scenario = {
  id: 'spot-warning',
  fn: 'save-spot-logs',
  title: 'An EC2 Spot instance with two minutes to live',
  shows: 'Its log volume is kept and made a work item first; then its logs are shipped, and its tasks move elsewhere.',
  async run(world, { name }) {
    const { aws } = world;
    const host = await launchHost(aws, name, true);
    const container = await joinCluster(aws, name, host.instance);
    const view = () => viewHost(aws, host, name, container);
    const reaction = await react(world, {
      arn: arnOfInstance(host.instance),
      fn: 'save-spot-logs',
      operation: 'CreateTags',
      view,
      settled: ({ parts }) => parts.some(({ says }) => says === 'DRAINING'),
      make: (now) =>
        putEvent(
          aws,
          sampleEvent('aws.ec2.spot-interruption.terminate.json', { [sampled.instance]: host.instance }, now),
        ),
    });
    const after = says(reaction.after);
    const event = `EventBridge: Spot interruption warning for ${host.instance} (terminate)`;
    const records = await recordsSince(world, { fn: reaction.fn, resource: reaction.arn }, reaction.madeAt);
    return {
      event,
      reaction,
      moments: momentsOf(event, reaction.madeAt, records),
      checks: [
        { what: 'EC2: the log volume outlives the instance, and is tagged pending', ok: after[0] === kept },
        { what: 'ECS: the container instance is DRAINING', ok: after[1] === 'DRAINING' },
        { what: 'SSM: our document was sent, for the interruption', ok: after[2] === 'reflex-ship-logs, interruption' },
        {
          what: 'EC2: the volume says where its logs belong',
          ok: (await volumeTags(aws, host.volume))['reflex:instance'] === host.instance,
        },
        acted(reaction.decision),
      ],
    };
  },
};

const kept = 'outlives the instance; reflex:rescue: pending';

const rescue: Scenario = {
  id: 'spot-rescue',
  fn: 'rescue-spot-logs',
  title: 'The volume of a dead instance',
  shows: 'Snapshot, a task that ships it, the proof in S3; only then the volume and the snapshot are deleted.',
  async run(world, progress) {
    const logs = {
      'app/today.log': 'GET / 200\n'.repeat(2_000),
      'app/yesterday.log.1': 'GET / 500\n',
      messages: 'boot\n',
    };
    const found = await rescued(world, progress, (task) => runContainer(world.aws, task, logs));
    const cleaned = await patiently(10, async () => sizeIs(await viewKept(world.aws, found.host), 0));
    const objects = await objectsOf(world.aws, world.stack.physicalId('LogBucket'), found.host);
    return told(world, found, [
      {
        what: `S3: ${Object.keys(logs).length} files of the volume are there (${objects.length})`,
        ok: objects.length === Object.keys(logs).length,
      },
      { what: 'EC2: the volume is deleted, and so is its snapshot', ok: cleaned === true },
    ]);
  },
};

const unproven: Scenario = {
  id: 'spot-unproven',
  fn: 'rescue-spot-logs',
  title: 'A rescue without a proof',
  shows: 'The task ends with exit code 0, but its marker is not in S3: nothing is deleted, and it is tried again.',
  async run(world, progress) {
    const found = await rescued(world, progress, async () => 0);
    const retried = await patiently(10, async () => {
      const { 'reflex:attempts': attempts } = await volumeTags(world.aws, found.host.volume);
      return attempts === '1' || undefined;
    });
    const { madeAt } = found.reaction;
    const deletes = callsSince(world, 'DeleteVolume', madeAt) + callsSince(world, 'DeleteSnapshot', madeAt);
    const { parts } = await viewKept(world.aws, found.host);
    return told(world, found, [
      { what: 'EC2: the volume and its snapshot are there', ok: parts.length === 2 },
      { what: 'EC2: the volume says reflex:attempts = 1', ok: retried === true },
      { what: `The traces have no DeleteVolume and no DeleteSnapshot (${deletes})`, ok: deletes === 0 },
    ]);
  },
};

/** What the samples are about. */
const sampled = {
  instance: 'i-0b662ef9931388ba0',
  volume: 'vol-01234567890abcdef',
  snapshot: 'snap-01234567890abcdef',
  task: '0f2b6a9c1d3e4f5a8b7c6d5e4f3a2b1c',
} as const;

interface Found {
  readonly host: Host;
  readonly reaction: Reaction<ListView>;
}

/** From the instance's end to the end of the rescue task, whose container is `run`. */
async function rescued(world: World, { name, note }: Progress, run: (task: Task) => Promise<number>): Promise<Found> {
  const { aws, containers } = world;
  const host = await loseHost(aws, name);
  const view = () => viewKept(aws, host);
  const names = { [sampled.instance]: host.instance, [sampled.volume]: host.volume };
  const reaction = await react(world, {
    arn: arnOfVolume(host.volume),
    fn: 'rescue-spot-logs',
    operation: 'CreateSnapshot',
    view,
    settled: ({ parts }) => parts.length === 2,
    make: (now) => putEvent(aws, sampleEvent('aws.ec2.instance-state-change.terminated.json', names, now)),
  });
  const [, { id: snapshot = '' } = {}] = reaction.after.parts;
  note('the snapshot is complete');
  const complete = { ...names, [sampled.snapshot]: snapshot };
  await putEvent(aws, sampleEvent('aws.ec2.snapshot.created.json', complete, Date.now()));
  const cluster = world.stack.physicalId('RescueCluster');
  const task = await patiently(10, () => rescueTaskOf(aws, cluster, host.volume));
  if (task === null) throw new Error('no rescue task was run');
  note('the task runs');
  const exitCode = await run(task);
  containers.ended(task.taskArn ?? '', exitCode);
  await stopTask(aws, task);
  const { taskArn = '' } = task;
  const ended = { ...complete, [sampled.task]: taskArn.slice(taskArn.lastIndexOf('/') + 1) };
  await putEvent(aws, sampleEvent('aws.ecs.task-state-change.rescue-stopped.json', ended, Date.now()));
  note('the task has ended');
  return { host, reaction };
}

/** The whole story, once it is over. */
async function told(world: World, { host, reaction }: Found, checks: Findings['checks']): Promise<Findings> {
  const event = `EventBridge: instance ${host.instance} is terminated`;
  const key = { fn: reaction.fn, resource: reaction.arn };
  const records = await recordsSince(world, key, reaction.madeAt);
  return {
    event,
    reaction: { ...reaction, after: await viewKept(world.aws, host) },
    moments: momentsOf(event, reaction.madeAt, records),
    checks: [...checks, acted(reaction.decision)],
  };
}

const says = ({ parts }: ListView): string[] => parts.map(({ says }) => says);
const sizeIs = ({ parts }: ListView, size: number): true | undefined => parts.length === size || undefined;

export const spotScenarios: readonly Scenario[] = [warning, rescue, unproven];
