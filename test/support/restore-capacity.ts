import { restoreCapacity } from '../../functions/restore-capacity/function.ts';
import type {
  Memory,
  PairState,
  ServiceFacts,
  ServiceSituation,
  ServiceState,
} from '../../functions/restore-capacity/service/facts.ts';
import type { ServicePolicy } from '../../functions/restore-capacity/service/policy.ts';
import { subjectOf } from '../../functions/restore-capacity/tell.ts';
import type { Trigger } from '../../shared/function.ts';
import { remediation } from '../../shared/remediation.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { worldAt } from './drain-fargate.ts';
import { account, at, region, sqsBatch } from './event-builders.ts';
import { serviceArn } from './fake-aws/ecs.ts';
import type { FakeAws } from './fake-aws/fake-aws.ts';
import { type FakeOptions, fakeRuntime, passed } from './fake-runtime.ts';

export const spotStrategy = [{ capacityProvider: 'FARGATE_SPOT', base: 0, weight: 1 }];
export const policy: ServicePolicy = {
  fallbackService: 'web-od',
  fallbackMode: null,
  fallbackMax: null,
  mode: 'paired',
};

/** A Spot service of ten tasks, all running, unless said otherwise. */
export const serviceState = (overrides: Partial<ServiceState> = {}): ServiceState => ({
  arn: serviceArn(overrides.name ?? 'web'),
  name: 'web',
  clusterArn: `arn:aws:ecs:${region}:${account}:cluster/prod`,
  status: 'ACTIVE',
  scheduling: 'REPLICA',
  controller: 'ECS',
  deploymentStrategy: 'ROLLING',
  minimumHealthyPercent: 100,
  launchType: null,
  strategy: spotStrategy,
  desired: 10,
  running: 10,
  pending: 0,
  deployedAt: at - 86_400_000,
  deploying: false,
  ...overrides,
});

export const pairState = (overrides: Partial<PairState> = {}): PairState => ({
  ...serviceState({ name: 'web-od', strategy: [], launchType: 'FARGATE', desired: 0, running: 0 }),
  optedIn: true,
  autoscaled: false,
  ...overrides,
});

interface Overrides {
  readonly service?: Partial<ServiceState>;
  readonly pair?: Partial<PairState> | null;
  readonly providers?: ServiceFacts['clusterProviders'];
  readonly trigger?: Trigger;
  readonly memory?: Memory;
  readonly toldAt?: number | null;
  readonly openedAt?: number | null;
  readonly lastActAt?: number | null;
}

/** What `decide` sees when ECS has just told that it found no Spot capacity. */
export const situation = ({
  service = {},
  pair = {},
  providers = null,
  trigger = 'event',
  memory = {},
  toldAt = trigger === 'event' ? at : null,
  openedAt = null,
  lastActAt = null,
}: Overrides = {}): ServiceSituation => ({
  kind: 'service',
  asOf: at,
  tags: { 'reflex:enabled': 'true', 'reflex:fallback-service': 'web-od' },
  service: serviceState(service),
  pair: pair === null ? null : pairState(pair),
  toldAt,
  clusterProviders: providers,
  trigger,
  ledger: {
    attempts: {},
    lastActAt,
    incident: openedAt === null ? null : { openedAt, steps: lastActAt === null ? 0 : 1 },
    remembered: memory,
  },
});

export interface PlacementOptions {
  readonly service?: string;
  readonly eventName?: string;
  readonly providers?: readonly string[] | null;
  readonly reason?: string | null;
  readonly at?: number;
  /** The old short form of the ARN. */
  readonly short?: boolean;
}

/** EventBridge `ECS Service Action`: no Fargate Spot capacity, unless said otherwise. */
export const serviceAction = (options: PlacementOptions = {}) => {
  const {
    service = 'web',
    eventName = 'SERVICE_TASK_PLACEMENT_FAILURE',
    providers = ['FARGATE_SPOT'],
    reason = 'RESOURCE:FARGATE',
    short = false,
  } = options;
  const time = options.at ?? at;
  return {
    version: '0',
    id: `service-action-${service}-${time}`,
    'detail-type': 'ECS Service Action',
    source: 'aws.ecs',
    account,
    time: `${new Date(time).toISOString().slice(0, 19)}Z`,
    region,
    resources: [short ? `arn:aws:ecs:${region}:${account}:service/${service}` : serviceArn(service)],
    detail: {
      eventType: eventName.endsWith('FAILURE') ? 'ERROR' : 'INFO',
      eventName,
      clusterArn: `arn:aws:ecs:${region}:${account}:cluster/prod`,
      ...(providers !== null && {
        capacityProviderArns: providers.map((name) => `arn:aws:ecs:${region}:${account}:capacity-provider/${name}`),
      }),
      ...(reason !== null && { reason }),
      createdAt: new Date(time).toISOString(),
    },
  };
};

export const pairedTags = { 'reflex:enabled': 'true', 'reflex:fallback-service': 'web-od' };
export const switchedTags = { 'reflex:enabled': 'true', 'reflex:fallback-mode': 'strategy' };

/** restore-capacity on a ledger in memory and the fake AWS, wired as its handler is. Waiting moves the fake's clock. */
export const restorer = (
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
  const handle = remediation(restoreCapacity(env, patience), inSwarms(runtime, subjectOf));
  return {
    runtime,
    world,
    handle,
    /** One batch of events from the inbox. */
    batch: (...events: readonly unknown[]) => handle(sqsBatch(...events)),
    pass: (ms: number, before?: () => void) => passed({ world, clock: aws.clock, handle }, ms, before),
  };
};

/** A Spot service of cluster `prod` and its paired on-demand service. */
export const spotPair = (
  aws: FakeAws,
  {
    name = 'web',
    desired = 10,
    running = desired,
    pairDesired = 0,
    tags = {},
    service = {},
    pair = {},
  }: {
    readonly name?: string;
    readonly desired?: number;
    readonly running?: number;
    readonly pairDesired?: number;
    readonly tags?: Readonly<Record<string, string>>;
    readonly service?: Readonly<Record<string, unknown>>;
    readonly pair?: Readonly<Record<string, unknown>>;
  } = {},
): void => {
  const strategy = { capacityProviderStrategy: spotStrategy };
  const own = { 'reflex:enabled': 'true', 'reflex:fallback-service': `${name}-od`, ...tags };
  aws.ecs.addService(name, { ...strategy, desiredCount: desired, runningCount: running, ...service }, own);
  aws.ecs.addService(`${name}-od`, {
    launchType: 'FARGATE',
    capacityProviderStrategy: [],
    desiredCount: pairDesired,
    runningCount: pairDesired,
    ...pair,
  });
};
