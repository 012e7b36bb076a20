import { afterAll, beforeEach, vi } from 'vitest';
import { rescueSpotLogs } from '../../functions/rescue-spot-logs/function.ts';
import { subjectOf } from '../../functions/rescue-spot-logs/tell.ts';
import { type Result, remediation } from '../../shared/remediation.ts';
import { inSwarms } from '../../shared/swarm.ts';
import type { RescueMeter } from '../../shared/telemetry/rescue-metrics.ts';
import { type RescueAws, startRescueAws } from './fake-aws/rescue-world.ts';
import { type FakeOptions, fakeRuntime, fakeWorld, invoke, nextDueAt, pump, put } from './fake-runtime.ts';

const arn = (service: string, rest: string) => `arn:aws:${service}:eu-west-1:111122223333:${rest}`;

export const rescuerEnv = {
  AWS_REGION: 'eu-west-1',
  LOG_BUCKET: 'reflex-logs',
  RESCUE_CLUSTER: arn('ecs', 'cluster/reflex'),
  RESCUE_TASK_DEFINITION: arn('ecs', 'task-definition/reflex-rescue:3'),
  RESCUE_INFRASTRUCTURE_ROLE: 'arn:aws:iam::111122223333:role/reflex-rescue-infrastructure',
  RESCUE_SUBNET_IDS: 'subnet-0a1,subnet-0b2',
  RESCUE_SECURITY_GROUP_IDS: 'sg-0c3',
} as const;

/** The account of a test file: every test begins with an empty one and the SDK pointed at it. */
export const useRescueAws = async (): Promise<RescueAws> => {
  const aws = await startRescueAws();
  beforeEach(() => {
    vi.stubEnv('AWS_ENDPOINT_URL', aws.url);
    vi.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterAll(() => aws.close());
  return aws;
};

export const tick = { source: 'reflex', 'detail-type': 'Tick' };

/**
 * rescue-spot-logs on a ledger in memory and an account on loopback, wired as its handler is. A crash at an AWS call ends the
 * invocation: whatever it does afterwards does not happen.
 */
export const rescuer = (
  aws: RescueAws,
  { env = {}, world = fakeWorld(), ...options }: FakeOptions & { readonly env?: NodeJS.ProcessEnv } = {},
) => {
  aws.reset(() => world.now);
  const results: Result[] = [];
  const measured: { readonly name: string; readonly value: object }[] = [];
  const meter: RescueMeter = {
    kept: (value) => void measured.push({ name: 'kept', value }),
    shipped: (value) => void measured.push({ name: 'shipped', value }),
    unrecoverable: (directories) => void measured.push({ name: 'unrecoverable', value: { directories } }),
  };
  const patience = {
    clock: () => world.now,
    sleep: async (ms: number) => {
      world.now += Math.max(1, ms);
    },
    random: () => 0.5,
  };
  let runtime = fakeRuntime({ world, ...options });
  /** One invocation, in a process of its own. */
  const deliver = async (payload: unknown): Promise<Result | 'crashed'> => {
    runtime = fakeRuntime({
      world,
      ...options,
      trouble: (port, n) => (aws.dead ? 'crash' : (options.trouble?.(port, n) ?? 'none')),
    });
    const fn = rescueSpotLogs({ ...rescuerEnv, ...env }, patience, meter);
    const result = await invoke(runtime, remediation(fn, inSwarms(runtime, subjectOf)), payload);
    aws.revive();
    if (result !== 'crashed') results.push(result);
    return result;
  };
  /** Lets time pass, and delivers what is due on the way. */
  const run = async (ms: number): Promise<void> => {
    const until = world.now + ms;
    for (let next = nextDueAt(world); next !== undefined && next <= until; next = nextDueAt(world)) {
      world.now = Math.max(world.now, next);
      await pump(world, deliver);
    }
    world.now = Math.max(world.now, until);
  };
  return {
    world,
    results,
    measured,
    run,
    deliver,
    get runtime() {
      return runtime;
    },
    /** Puts messages into the inbox and delivers what is due. */
    send: async (...bodies: readonly unknown[]): Promise<void> => {
      for (const body of bodies) put(world, body);
      await run(0);
    },
    /** Lets time pass with nothing but the schedule. */
    sweeps: async (ms: number, every = 300_000): Promise<void> => {
      for (const until = world.now + ms; world.now < until; ) {
        put(world, tick);
        await run(every);
      }
    },
    outcomes: () => results.flatMap((result) => result.outcomes),
    reasons: () => results.flatMap((result) => result.outcomes).map(({ reason }) => reason),
  };
};
