import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
} from '@aws-sdk/client-ecs';
import {
  DeregisterTargetsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import {
  DeregisterInstanceCommand,
  ListInstancesCommand,
  ServiceDiscoveryClient,
} from '@aws-sdk/client-servicediscovery';
import { mockClient } from 'aws-sdk-client-mock';
import { vi } from 'vitest';
import { sqsBatch } from './event-builders.ts';
import { fakeEcs } from './fake-aws/ecs.ts';
import { fakeElbv2 } from './fake-aws/elbv2.ts';
import { AwsError, type Service } from './fake-aws/service.ts';
import { fakeServicediscovery } from './fake-aws/servicediscovery.ts';

export interface VirtualCall {
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Epoch ms, when it was made. */
  readonly at: number;
  readonly refused: boolean;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
export const time = { clock: () => Date.now(), sleep };

const ecsCommands = { DescribeServicesCommand, DescribeTasksCommand, DescribeTaskDefinitionCommand };
const elbCommands = {
  DeregisterTargetsCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetHealthCommand,
};
const discoveryCommands = { ListInstancesCommand, DeregisterInstanceCommand };

/**
 * ECS, ELBv2 and Cloud Map in virtual time (vitest's fake timers): each call takes `latency` ms and is served when it arrives. No socket,
 * so that time moves only when everything waits. The SDK's own repetitions are left out.
 */
export const virtualFargate = ({ latency = 30 }: { readonly latency?: number } = {}) => {
  const clock = () => Date.now();
  const ecs = fakeEcs(clock);
  const elbv2 = fakeElbv2(clock);
  const servicediscovery = fakeServicediscovery();
  const calls: VirtualCall[] = [];

  const serve = async ({ operations }: Service, operation: string, input: Readonly<Record<string, unknown>>) => {
    const at = Date.now();
    await sleep(latency / 2);
    try {
      const answer = dated(operations[operation]?.(input) ?? {});
      calls.push({ operation, input, at, refused: false });
      return answer;
    } catch (error) {
      calls.push({ operation, input, at, refused: true });
      if (!(error instanceof AwsError)) throw error;
      throw Object.assign(new Error(error.message), {
        name: error.code,
        $metadata: { httpStatusCode: error.status },
      });
    } finally {
      await sleep(latency / 2);
    }
  };
  const answering = (mock: object, service: Service, commands: Readonly<Record<string, unknown>>) => {
    for (const [name, Command] of Object.entries(commands)) {
      const { on } = mock as { on: (command: unknown) => { callsFake: (fake: (input: never) => unknown) => void } };
      on.call(mock, Command).callsFake((input) => serve(service, name.slice(0, -'Command'.length), input));
    }
  };
  answering(mockClient(ECSClient), ecs.service, ecsCommands);
  answering(mockClient(ElasticLoadBalancingV2Client), elbv2.service, elbCommands);
  answering(mockClient(ServiceDiscoveryClient), servicediscovery.service, discoveryCommands);

  return {
    ecs,
    elbv2,
    servicediscovery,
    calls,
    called: (operation: string): VirtualCall[] => calls.filter((call) => call.operation === operation),
  };
};

/** JSON carries times as epoch seconds; the SDK makes dates of them. */
const dated = (answer: object): object =>
  'tasks' in answer
    ? {
        ...answer,
        tasks: (answer.tasks as Readonly<Record<string, unknown>>[]).map(({ stoppingAt, ...task }) => ({
          ...task,
          ...(typeof stoppingAt === 'number' && { stoppingAt: new Date(stoppingAt * 1_000) }),
        })),
      }
    : answer;

export interface Arrival {
  /** ms after the storm's beginning. */
  readonly after: number;
  readonly body: unknown;
}

/**
 * Delivers what arrives as an event source mapping does: each poller takes ten messages at a time, gathers them for the batching window, or
 * until the batch is full, and invokes. Resolves when all of it has been handled.
 */
export const deliver = async (
  arrivals: readonly Arrival[],
  handle: ((payload: unknown) => Promise<unknown>)[],
  { batchSize, windowMs }: { readonly batchSize: number; readonly windowMs: number },
): Promise<void> => {
  const queue: unknown[] = [];
  let left = arrivals.length;
  for (const { after, body } of arrivals) setTimeout(() => queue.push(body), after);
  const poller = async (invoke: (payload: unknown) => Promise<unknown>, i: number) => {
    // Pollers take turns.
    await sleep((10 / handle.length) * i);
    while (left > 0) {
      const batch: unknown[] = [];
      const end = () => (opened ?? Number.POSITIVE_INFINITY) + windowMs;
      let opened: number | undefined;
      while (left > 0 && batch.length < batchSize && Date.now() < end()) {
        const taken = queue.splice(0, Math.min(10, batchSize - batch.length));
        left -= taken.length;
        batch.push(...taken);
        if (batch.length > 0) opened ??= Date.now();
        await sleep(10);
      }
      if (batch.length > 0) {
        if (Date.now() < end() && batch.length < batchSize) await sleep(end() - Date.now());
        await invoke(sqsBatch(...batch));
      }
    }
  };
  let over = false;
  const all = Promise.all(handle.map(poller)).finally(() => {
    over = true;
  });
  while (!over) await vi.advanceTimersByTimeAsync(100);
  await all;
};
