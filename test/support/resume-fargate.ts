import { resumeFargate } from '../../functions/resume-fargate/function.ts';
import { subjectOf } from '../../functions/resume-fargate/tell.ts';
import { remediation } from '../../shared/remediation.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { worldAt } from './drain-fargate.ts';
import { at, sqsBatch, type TaskOptions, taskArn, taskDetail, taskId, taskStateChange } from './event-builders.ts';
import type { FakeAws } from './fake-aws/fake-aws.ts';
import { type FakeOptions, fakeRuntime, passed } from './fake-runtime.ts';

const SECOND = 1_000;
export const definitionArn = 'arn:aws:ecs:eu-west-1:111122223333:task-definition/nightly:3';
export const resumable = { 'reflex:enabled': 'true', 'reflex:resume': 'true' };

/** resume-fargate on a ledger in memory and the fake AWS, wired as its handler is. Waiting moves the fake's clock. */
export const resumer = (
  aws: FakeAws,
  {
    world = worldAt(() => aws.clock()),
    env = {},
    sleep = async (ms) => aws.clock.advance(Math.max(1, Math.ceil(ms))),
    ...options
  }: FakeOptions & { readonly env?: NodeJS.ProcessEnv; readonly sleep?: (ms: number) => Promise<void> } = {},
) => {
  const runtime = fakeRuntime({ world, ...options });
  const patience = {
    clock: () => aws.clock(),
    sleep,
    random: () => 0.999,
  };
  const handle = remediation(resumeFargate(env, patience), inSwarms(runtime, subjectOf));
  return {
    runtime,
    world,
    handle,
    /** One batch of events from the inbox. */
    batch: (...events: readonly unknown[]) => handle(sqsBatch(...events)),
    pass: (ms: number) => passed({ world, clock: aws.clock, handle }, ms),
  };
};

export interface WorkerOptions {
  readonly n?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly definitionTags?: Readonly<Record<string, string>>;
  readonly overrides?: object;
  readonly containers?: readonly Readonly<Record<string, unknown>>[];
  readonly publicIp?: string;
  readonly exitCode?: number;
  /** Further fields as DescribeTasks shows them. */
  readonly task?: Readonly<Record<string, unknown>>;
}

/** A standalone worker on Fargate Spot, running, with all it has; and what becomes of it. */
export const worker = (aws: FakeAws, options: WorkerOptions = {}) => {
  const { n = 1, tags = resumable, definitionTags = {}, publicIp, exitCode = 75 } = options;
  const id = taskId(n);
  const arn = taskArn(id);
  const eni = `eni-${n.toString(16).padStart(17, '0')}`;
  const own: TaskOptions = { id, service: null, elb: null, taskDefinition: 'nightly:3' };
  const attachments = [
    {
      id: `attachment-${n}`,
      type: 'eni',
      status: 'ATTACHED',
      details: [
        { name: 'subnetId', value: 'subnet-02aa0123456789abc' },
        { name: 'networkInterfaceId', value: eni },
      ],
    },
  ];
  const overrides = options.overrides ?? {
    containerOverrides: [
      { name: 'app', command: ['run', '--once'], environment: [{ name: 'CHECKPOINT', value: 's3://example/secret' }] },
    ],
  };
  const { startedBy: _, ...detail } = taskDetail({ ...own, attachments });
  aws.ecs.addDefinition(definitionArn, options.containers ?? [{ name: 'app', essential: true }]);
  aws.ecs.tagDefinition(definitionArn, definitionTags);
  aws.ecs.addTask({
    ...detail,
    lastStatus: 'RUNNING',
    desiredStatus: 'RUNNING',
    group: 'family:nightly',
    overrides,
    platformVersion: '1.4.0',
    version: 4,
  });
  aws.ecs.changeTask(arn, {
    stoppingAt: undefined,
    stopCode: undefined,
    stoppedReason: undefined,
    tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
    ...options.task,
  });
  aws.networkInterfaces.add({
    id: eni,
    subnet: 'subnet-02aa0123456789abc',
    groups: ['sg-0123456789abcdef0', 'sg-0123456789abcdef1'],
    ...(publicIp !== undefined && { publicIp }),
  });
  let stoppingAt = at;
  const event = (more: TaskOptions) => taskStateChange({ ...own, attachments, stoppingAt, ...more });
  const interrupted = {
    desiredStatus: 'STOPPED',
    stopCode: 'SpotInterruption',
    stoppedReason: 'Your Spot Task was interrupted.',
  };
  return {
    id,
    arn,
    eni,
    event,
    /** Fargate takes it back: its notice. */
    warn: (more: TaskOptions = {}) => {
      stoppingAt = aws.clock();
      aws.ecs.changeTask(arn, {
        ...interrupted,
        lastStatus: 'DEACTIVATING',
        stoppingAt: stoppingAt / SECOND,
        version: 6,
      });
      return event({ lastStatus: 'DEACTIVATING', version: 6, ...more });
    },
    /** It is gone, with its network interface and its tags; the event that says so. */
    stop: (more: TaskOptions = {}) => {
      aws.networkInterfaces.remove(eni);
      const containers = (options.containers ?? [{ name: 'app' }]).map(({ name }) => ({ name, exitCode }));
      aws.ecs.changeTask(arn, {
        ...interrupted,
        lastStatus: 'STOPPED',
        stoppingAt: stoppingAt / SECOND,
        stoppedAt: aws.clock() / SECOND,
        version: 9,
        tags: [],
        containers,
      });
      return event({ lastStatus: 'STOPPED', version: 9, ...more });
    },
  };
};
