import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import {
  CreateTargetGroupCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { type Aws, putEvent } from './aws.ts';
import { account, region } from './emulator.ts';
import { acted, momentsOf, patiently, react, untilClosed } from './reaction.ts';
import type { Scenario } from './scenario.ts';
import { type ListView, sizeOf } from './story.ts';
import { sampleEvent, spotInterruption, standaloneInterrupted } from './trouble.ts';
import { startWorker } from './worker.ts';
import { letPass, openIncident, recordsSince } from './world.ts';

/** As in the sample event. */
const task = { id: '7a75e7b735c14174aefbca3d0c1dd2c9', address: '10.0.2.164' };
const sister = '10.0.1.31';
const containerPort = 8_080;
const subnet = 'subnet-02aa0123456789abc';
const securityGroup = 'sg-0123456789abcdef0';

const spotDrain: Scenario = {
  id: 'spot-drain',
  fn: 'drain-fargate',
  title: 'A Fargate Spot task is interrupted',
  shows:
    'Two minutes before the task is gone, the load balancer stops sending it requests; its sister goes on serving.',
  async run(world, { name, note, waits }) {
    const { aws } = world;
    const targetGroupArn = await createService(aws, name);
    const event = `EventBridge: ECS Task State Change, task ${task.id} is DEACTIVATING (SpotInterruption)`;
    const reaction = await react(world, {
      arn: taskArn(name, task.id),
      fn: 'drain-fargate',
      operation: 'DeregisterTargets',
      view: () => viewTargets(aws, targetGroupArn),
      settled: ({ parts }) => parts.every(({ id }) => !id.startsWith(task.address)),
      make: (now) => putEvent(aws, spotInterruption(name, now)),
    });
    waits();
    const closed = await untilClosed(world, reaction, 150, note);
    const records = await recordsSince(world, { fn: reaction.fn, resource: reaction.arn }, reaction.madeAt);
    const left = reaction.after.parts.map(({ id }) => id);
    const asked = reaction.decision?.actions.find(({ call }) => call === 'DeregisterTargets');
    const named = JSON.stringify(asked?.params ?? null).includes(
      JSON.stringify({ Id: task.address, Port: containerPort }),
    );
    return {
      event,
      reaction,
      moments: momentsOf(event, reaction.madeAt, records),
      checks: [
        {
          what: `DescribeTargetHealth: ${task.address}:${containerPort} is gone, ${sister}:${containerPort} is left`,
          ok: left.length === 1 && left[0] === `${sister}:${containerPort}`,
        },
        acted(reaction.decision),
        { what: `DeregisterTargets named port ${containerPort}, not the target group's own 80`, ok: named },
        {
          what: `Ledger: the follow-up closed the incident (${records.at(-1)?.reason}; the task is the sample's, so the embedded ECS has none)`,
          ok: closed,
        },
      ],
    };
  },
};

/** Items of the worker's job, and how many it does before the notice comes. */
const job = { items: 40, itemMs: 50, doneBefore: 12 };
/** As the sample of the STOPPED event has it. */
const interrupted = {
  stopCode: 'SpotInterruption',
  stoppedReason: 'Your Spot Task was interrupted.',
  version: 9,
  launchType: 'FARGATE',
  capacityProviderName: 'FARGATE_SPOT',
};
const sumOfSquares = (n: number): number => (n * (n + 1) * (2 * n + 1)) / 6;

const spotResume: Scenario = {
  id: 'spot-resume',
  fn: 'resume-fargate',
  title: 'A worker on Fargate Spot is interrupted',
  shows: 'A standalone task would simply be gone; it is run again, and goes on from its checkpoint.',
  async run(world, { name, note, waits }) {
    const { aws, containers } = world;
    const folder = await mkdtemp(join(tmpdir(), 'reflex-drill-'));
    try {
      const first = await runWorkerTask(aws, name, join(folder, 'checkpoint.json'));
      const standalone = { cluster: name, family: name, taskId: first.id };
      const key = { fn: 'resume-fargate', resource: taskArn(name, first.id) };
      const worker = startWorker(first.environment);
      await patiently(20, () => worker.lines.length > job.doneBefore || undefined);

      note('the notice: SIGTERM');
      const noticedAt = Date.now();
      await putEvent(aws, standaloneInterrupted('stopping', standalone, noticedAt));
      worker.terminate();
      const exitCode = await worker.ended;
      await patiently(20, async () => (await recordsSince(world, key, noticedAt))[0]);
      await aws.ecs.send(new StopTaskCommand({ cluster: name, task: first.id }));
      containers.ended(key.resource, exitCode ?? 1, interrupted);

      note('the task is STOPPED');
      const reaction = await react(world, {
        arn: key.resource,
        fn: key.fn,
        operation: 'RunTask',
        view: () => viewTasks(aws, name),
        settled: ({ parts }) => parts.length === 2,
        make: (now) => putEvent(aws, standaloneInterrupted('stopped', standalone, now)),
      });
      const second = (await tasksOf(aws, name)).find(({ id }) => id !== first.id);
      const successor = startWorker(second?.environment ?? {});
      await successor.ended;
      waits();
      const closed = await untilClosed(world, reaction, 150, note);

      const event = `EventBridge: ECS Task State Change, task ${first.id} is STOPPED (SpotInterruption)`;
      const begun = successor.lines[0];
      const saved = worker.lines.at(-1);
      const done = successor.lines.at(-1);
      return {
        event,
        reaction,
        moments: momentsOf('EventBridge: the notice; SIGTERM', noticedAt, await recordsSince(world, key, noticedAt)),
        checks: [
          {
            what: `The worker wrote its checkpoint at item ${saved?.next} and exited with 75`,
            ok: exitCode === 75,
          },
          acted(reaction.decision),
          { what: 'ListTasks: one task more, RUNNING', ok: second?.status === 'RUNNING' },
          {
            what: `The second worker went on at item ${begun?.next}, as attempt ${begun?.attempt}`,
            ok: begun?.event === 'resumed' && begun.next === saved?.next && begun.attempt === 1,
          },
          {
            what: `Its sum is that of all ${job.items} items: nothing left out, nothing done twice`,
            ok: done?.event === 'done' && done.sum === sumOfSquares(job.items),
          },
          { what: 'Ledger: the follow-up saw it run, and closed the incident', ok: closed },
        ],
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** Tasks of the Spot service, and how many of them find capacity during the shortage. */
const web = { desired: 12, running: 4 };
const pair = 'web-on-demand';
/** Longer than the patience after the first shortage, and than the time between two steps down. */
const minutesAtATime = 12;

const spotFallback: Scenario = {
  id: 'spot-fallback',
  fn: 'restore-capacity',
  title: 'Fargate Spot has no capacity',
  shows: 'On-demand tasks stand in for what is missing; when Spot is back they go in steps of a quarter at most.',
  async run(world, { name, note, waits }) {
    const { aws, containers } = world;
    await createPair(aws, name);
    containers.runs('web', web.running);
    const event = `EventBridge: ECS Service Action, SERVICE_TASK_PLACEMENT_FAILURE of service web (FARGATE_SPOT)`;
    const file = 'aws.ecs.service-action.placement-failure.json';
    const names = { ':service/prod/': `:service/${name}/`, ':cluster/prod': `:cluster/${name}` };
    const lacking = web.desired - web.running;
    const reaction = await react(world, {
      arn: `arn:aws:ecs:${region}:${account}:service/${name}/web`,
      fn: 'restore-capacity',
      operation: 'UpdateService',
      view: () => viewServices(aws, name),
      settled: (view) => sizeOf(view) === lacking,
      make: (now) => putEvent(aws, sampleEvent(file, names, now)),
    });
    waits();

    note('Spot is back');
    containers.runs('web', null);
    const key = { fn: reaction.fn, resource: reaction.arn };
    const desired = [lacking];
    const closed = await patiently(60, async () => {
      const looks = (await recordsSince(world, key, reaction.madeAt)).length;
      await letPass(world, key, minutesAtATime, 'RestoreCapacityInbox');
      await patiently(10, async () => (await recordsSince(world, key, reaction.madeAt)).length > looks || undefined);
      const now = await desiredOf(aws, name, pair);
      if (now !== desired.at(-1)) desired.push(now);
      note(`on-demand tasks: ${desired.join(' → ')}`);
      return (await openIncident(world, key)) === undefined || undefined;
    });
    const steps = desired.slice(1).map((after, i) => ({ before: desired[i] ?? 0, after }));
    return {
      event,
      reaction,
      moments: momentsOf(event, reaction.madeAt, await recordsSince(world, key, reaction.madeAt)),
      checks: [
        {
          what: `DescribeServices: ${pair} was set to ${lacking}, what web lacked`,
          ok: sizeOf(reaction.after) === lacking,
        },
        acted(reaction.decision),
        {
          what: `Then down in steps of a quarter at most: ${desired.join(' → ')}`,
          ok: steps.every(({ before, after }) => before - after <= Math.max(1, Math.floor(before / 4))),
        },
        { what: 'DescribeServices: in the end as before the shortage', ok: desired.at(-1) === 0 },
        {
          what: `Ledger: the incident is closed; between the looks ${minutesAtATime} minutes were let pass`,
          ok: closed === true,
        },
      ],
    };
  },
};

export const fargateScenarios: readonly Scenario[] = [spotDrain, spotResume, spotFallback];

/** A service on Fargate Spot, and the on-demand service that may stand in for it. */
async function createPair({ ecs }: Aws, cluster: string): Promise<void> {
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  const { taskDefinition } = await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: cluster,
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'app', image: 'nginx' }],
    }),
  );
  const common = { cluster, taskDefinition: taskDefinition?.taskDefinitionArn };
  const enabled = { key: 'reflex:enabled', value: 'true' };
  await ecs.send(
    new CreateServiceCommand({
      ...common,
      serviceName: 'web',
      desiredCount: web.desired,
      tags: [enabled, { key: 'reflex:fallback-service', value: pair }],
    }),
  );
  // The embedded ECS forgets the strategy that a service is created with.
  await ecs.send(
    new UpdateServiceCommand({
      cluster,
      service: 'web',
      capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }],
    }),
  );
  await ecs.send(
    new CreateServiceCommand({ ...common, serviceName: pair, desiredCount: 0, launchType: 'FARGATE', tags: [enabled] }),
  );
}

async function viewServices({ ecs }: Aws, cluster: string): Promise<ListView> {
  const { services = [] } = await ecs.send(new DescribeServicesCommand({ cluster, services: ['web', pair] }));
  return {
    noun: 'on-demand task',
    size: services.find(({ serviceName }) => serviceName === pair)?.desiredCount ?? 0,
    parts: services.map(({ serviceName = '', desiredCount, runningCount }) => ({
      id: serviceName,
      says: serviceName === 'web' ? `${desiredCount} tasks wanted` : `${runningCount} of ${desiredCount}`,
    })),
  };
}

async function desiredOf({ ecs }: Aws, cluster: string, service: string): Promise<number> {
  const { services = [] } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
  return services[0]?.desiredCount ?? 0;
}

const taskArn = (cluster: string, id: string): string => `arn:aws:ecs:${region}:${account}:task/${cluster}/${id}`;

/** A task as ListTasks and DescribeTasks show it. */
interface RunTaskView {
  readonly id: string;
  readonly status: string;
  /** The variables in its overrides. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs the worker's task as a person or a pipeline would, on Spot, with its checkpoint's place in an override. */
async function runWorkerTask(aws: Aws, name: string, checkpoint: string): Promise<RunTaskView> {
  const { ecs } = aws;
  await ecs.send(new CreateClusterCommand({ clusterName: name }));
  const { taskDefinition } = await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: name,
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'app', image: 'worker', stopTimeout: 120 }],
      tags: [
        { key: 'reflex:enabled', value: 'true' },
        { key: 'reflex:resume', value: 'true' },
        // The embedded AWS gives its tasks no network interface to read these from.
        { key: 'reflex:resume-subnets', value: subnet },
        { key: 'reflex:resume-security-groups', value: securityGroup },
      ],
    }),
  );
  const variables = { CHECKPOINT_FILE: checkpoint, ITEMS: String(job.items), ITEM_MS: String(job.itemMs) };
  const environment = Object.entries(variables).map(([key, value]) => ({ name: key, value }));
  await ecs.send(
    new RunTaskCommand({
      cluster: name,
      taskDefinition: taskDefinition?.taskDefinitionArn,
      capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }],
      networkConfiguration: { awsvpcConfiguration: { subnets: [subnet], securityGroups: [securityGroup] } },
      overrides: { containerOverrides: [{ name: 'app', environment }] },
    }),
  );
  const [task] = await tasksOf(aws, name);
  if (task === undefined) throw new Error('the embedded AWS ran no task');
  return task;
}

async function tasksOf({ ecs }: Aws, cluster: string): Promise<RunTaskView[]> {
  const [running, stopped] = await Promise.all([
    ecs.send(new ListTasksCommand({ cluster, desiredStatus: 'RUNNING' })),
    ecs.send(new ListTasksCommand({ cluster, desiredStatus: 'STOPPED' })),
  ]);
  const arns = [...(stopped.taskArns ?? []), ...(running.taskArns ?? [])];
  if (arns.length === 0) return [];
  const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: arns }));
  return tasks.map(({ taskArn = '', lastStatus = '', overrides }) => ({
    id: taskArn.split('/').at(-1) ?? '',
    status: lastStatus,
    environment: Object.fromEntries(
      (overrides?.containerOverrides?.[0]?.environment ?? []).map(({ name = '', value = '' }) => [name, value]),
    ),
  }));
}

async function viewTasks(aws: Aws, cluster: string): Promise<ListView> {
  const tasks = await tasksOf(aws, cluster);
  return {
    noun: 'task',
    parts: tasks.map(({ id, status, environment: { REFLEX_RESUME_ATTEMPT: attempt } }) => ({
      id: id.slice(0, 8),
      says: attempt === undefined ? status : `${status}, attempt ${attempt}`,
    })),
  };
}

/**
 * A service whose two tasks are registered in a target group that has another port of its own. It wants no tasks: the
 * emulator would start containers. Gives the target group's ARN.
 */
async function createService({ ecs, elbv2 }: Aws, cluster: string): Promise<string> {
  const { TargetGroups: [group] = [] } = await elbv2.send(
    new CreateTargetGroupCommand({
      Name: cluster,
      Protocol: 'HTTP',
      Port: 80,
      VpcId: 'vpc-0123456789abcdef0',
      TargetType: 'ip',
    }),
  );
  const targetGroupArn = group?.TargetGroupArn ?? '';
  const Targets = [task.address, sister].map((Id) => ({ Id, Port: containerPort }));
  await elbv2.send(new RegisterTargetsCommand({ TargetGroupArn: targetGroupArn, Targets }));
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  const { taskDefinition } = await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'web',
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'app', image: 'nginx', portMappings: [{ containerPort }], stopTimeout: 120 }],
    }),
  );
  await ecs.send(
    new CreateServiceCommand({
      cluster,
      serviceName: 'web',
      taskDefinition: taskDefinition?.taskDefinitionArn,
      desiredCount: 0,
      loadBalancers: [{ targetGroupArn, containerName: 'app', containerPort }],
      tags: [{ key: 'reflex:enabled', value: 'true' }],
    }),
  );
  return targetGroupArn;
}

async function viewTargets({ elbv2 }: Aws, targetGroupArn: string): Promise<ListView> {
  const { TargetHealthDescriptions = [] } = await elbv2.send(
    new DescribeTargetHealthCommand({ TargetGroupArn: targetGroupArn }),
  );
  return {
    noun: 'target',
    parts: TargetHealthDescriptions.map(({ Target, TargetHealth }) => ({
      id: `${Target?.Id}:${Target?.Port}`,
      says: TargetHealth?.State ?? '',
    })),
  };
}
