import type { Service, TaskDefinition } from '@aws-sdk/client-ecs';
import type { TargetGroup, TargetHealthDescription } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { InstanceSummary } from '@aws-sdk/client-servicediscovery';
import { isErrorNamed } from '../../shared/aws/client.ts';
import {
  describeServices,
  describeTaskDefinition,
  describeTasks,
  servicesPerCall,
  tasksPerCall,
} from '../../shared/aws/ecs.ts';
import {
  describesAtPace,
  describeTargetGroupAttributes,
  describeTargetGroups,
  describeTargetHealth,
  targetGroupsPerCall,
} from '../../shared/aws/elbv2.ts';
import { chunksOf } from '../../shared/aws/pages.ts';
import { listInstances } from '../../shared/aws/servicediscovery.ts';
import { clusterArnOf, type EcsTask, serviceNameOf, taskFromApi, taskIdOf } from '../../shared/ecs-task.ts';
import type { Reading } from '../../shared/guards/guard.ts';
import { type Patience, paced, patiently } from '../../shared/patience.ts';
import { once, reading } from '../../shared/reads.ts';

const SECOND = 1_000;
/** What the decision rests on is asked for this long; a notice is worth two minutes. */
const READ_FOR = 20 * SECOND;
/** What is only worth saying is asked for once, and not for more groups and definitions than this in one batch. */
const ADVISORY_AT_MOST = 20;
const GROUP_IS_GONE = ['TargetGroupNotFound', 'TargetGroupNotFoundException'];
/** A deregistration delay may be changed; it is asked for again after this long. */
const DELAY_LIVES = 10 * 60 * SECOND;
/** The last event of an interruption comes this long after the first at the latest. */
const SERVICE_LIVES = 3 * 60 * SECOND;

/** What is known of a target group while the process lives: all of it unchangeable but the delay. */
interface Group {
  readonly ipAddressType: string | null;
  readonly protocol: string | null;
}

/** What a service looked like last, so that what it will call for is read without waiting for it. */
interface Sketch {
  readonly targetGroups: readonly string[];
  readonly registries: readonly string[];
  readonly runningCount: number;
}

/** Kept from one invocation to the next; nothing is decided on a sketch. */
export interface Warm {
  /** Waits until a load balancer's Describe call would be taken; turns away at once what would come too late. */
  readonly pace: ReturnType<typeof paced>;
  readonly groups: Map<string, Group>;
  readonly delays: Map<string, { readonly seconds: number; readonly at: number }>;
  readonly definitions: Map<string, TaskDefinition>;
  readonly sketches: Map<string, Sketch>;
  /** Services as they were last described. */
  readonly services: Map<string, { readonly service: Service; readonly at: number }>;
  /** Tasks that events told of lately and that are not gone yet, by ARN; with their id and addresses. */
  readonly interrupted: Map<
    string,
    { readonly service: string; readonly at: number; readonly names: readonly string[] }
  >;
}

export const cold = (patience: Patience): Warm => ({
  pace: paced(describesAtPace, patience),
  groups: new Map(),
  delays: new Map(),
  definitions: new Map(),
  sketches: new Map(),
  services: new Map(),
  interrupted: new Map(),
});

/** The service a task belongs to, by the cluster's ARN and its own name. */
export const serviceKeyOf = (task: EcsTask): string => `${clusterArnOf(task.arn)} ${serviceNameOf(task) ?? ''}`;

/**
 * The reads of one batch. What is asked for twice is read once, and what fails fails alone: every answer is a reading, none throws.
 */
export const readsOf = (warm: Warm, patience: Patience) => {
  const { clock } = patience;
  const until = clock() + READ_FOR;
  const ask = <T>(call: () => Promise<T>): Promise<T> => patiently(patience, until, call);
  const askBalancers = <T>(call: () => Promise<T>): Promise<T> =>
    ask(async () => {
      await warm.pace(until);
      return call();
    });

  const chunked = async <T>(
    keys: ReadonlySet<string>,
    size: number,
    describe: (cluster: string, names: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  ): Promise<Map<string, Reading<T | undefined>>> => {
    const answers = new Map<string, Reading<T | undefined>>();
    const clusters = Map.groupBy(keys, (key) => key.split(' ')[0] ?? '');
    const chunks = [...clusters].flatMap(([cluster, all]) => chunksOf(all, size).map((some) => ({ cluster, some })));
    await Promise.all(
      chunks.map(async ({ cluster, some }) => {
        const names = some.map((key) => key.slice(cluster.length + 1));
        const found = await reading(() =>
          ask(() => describe(cluster, names)).catch((error: unknown) => {
            if (isErrorNamed(error, 'ClusterNotFoundException')) return new Map<string, T>();
            throw error;
          }),
        );
        for (const [i, key] of some.entries()) {
          answers.set(key, 'error' in found ? found : { value: found.value.get(names[i] ?? '') });
        }
      }),
    );
    return answers;
  };

  /** By ARN. undefined: ECS does not show the task, or not yet. */
  const tasks = async (arns: readonly string[]): Promise<ReadonlyMap<string, Reading<EcsTask | undefined>>> => {
    const keyOf = (arn: string) => `${clusterArnOf(arn)} ${taskIdOf(arn)}`;
    const answers = await chunked(new Set(arns.map(keyOf)), tasksPerCall, async (cluster, ids) => {
      const shown = (await describeTasks(cluster, ids)).map(taskFromApi);
      return new Map(shown.map((task) => [taskIdOf(task.arn), task]));
    });
    return new Map(arns.map((arn) => [arn, answers.get(keyOf(arn)) ?? { value: undefined }]));
  };

  /** By `serviceKeyOf`. undefined: there is no such service. For tasks `noticed` before, what was read then will do. */
  const services = async (
    of: readonly EcsTask[],
    noticed: readonly EcsTask[] = [],
  ): Promise<ReadonlyMap<string, Reading<Service | undefined>>> => {
    for (const [key, { at }] of warm.services) if (clock() - at > SERVICE_LIVES) warm.services.delete(key);
    const known = new Map<string, Reading<Service>>();
    for (const key of noticed.map(serviceKeyOf)) {
      const before = warm.services.get(key);
      if (before !== undefined) known.set(key, { value: before.service });
    }
    const unknown = noticed.map(serviceKeyOf).filter((key) => !known.has(key));
    const found = await chunked(
      new Set([...of.map(serviceKeyOf), ...unknown]),
      servicesPerCall,
      async (cluster, names) => {
        const found = await describeServices(cluster, names);
        return new Map(found.map(({ events: _, ...service }) => [service.serviceName ?? '', service]));
      },
    );
    for (const [key, answer] of found) {
      if ('value' in answer && answer.value !== undefined)
        warm.services.set(key, { service: answer.value, at: clock() });
    }
    return new Map([...known, ...found]);
  };

  /** A group that does not exist has no targets. */
  const targetHealth = once((arn: string) =>
    reading(() =>
      askBalancers(() => describeTargetHealth(arn)).catch((error: unknown): Health => {
        if (isErrorNamed(error, ...GROUP_IS_GONE)) return [];
        throw error;
      }),
    ),
  );
  const instances = once((serviceId: string) => reading(() => ask(() => listInstances(serviceId))));

  /** Family and protocol. Of a group that does not exist, or cannot be read, nothing is known. */
  const groups = async (arns: ReadonlySet<string>): Promise<void> => {
    const unknown = [...arns].filter((arn) => !warm.groups.has(arn));
    const describe = async (some: readonly string[]): Promise<TargetGroup[]> => {
      const found = await reading(() => askBalancers(() => describeTargetGroups(some)));
      if ('value' in found) return found.value;
      if (some.length === 1 || !isErrorNamed(found.error, ...GROUP_IS_GONE)) return [];
      return (await Promise.all(some.map((arn) => describe([arn])))).flat();
    };
    const found = await Promise.all(chunksOf(unknown, targetGroupsPerCall).map(describe));
    for (const { TargetGroupArn, IpAddressType, Protocol } of found.flat()) {
      if (TargetGroupArn === undefined) continue;
      warm.groups.set(TargetGroupArn, { ipAddressType: IpAddressType ?? null, protocol: Protocol ?? null });
    }
  };

  const delays = async (arns: ReadonlySet<string>): Promise<void> => {
    const wanted = [...arns].filter((arn) => clock() - (warm.delays.get(arn)?.at ?? 0) > DELAY_LIVES);
    // They come out of the bucket that the health of groups does.
    if (wanted.length > ADVISORY_AT_MOST) return;
    await Promise.all(
      wanted.map(async (arn) => {
        const found = await reading(async () => {
          await warm.pace(clock());
          return describeTargetGroupAttributes(arn);
        });
        const seconds = 'value' in found ? Number(found.value['deregistration_delay.timeout_seconds']) : Number.NaN;
        if (!Number.isNaN(seconds)) warm.delays.set(arn, { seconds, at: clock() });
      }),
    );
  };

  const definitions = async (arns: ReadonlySet<string>): Promise<void> => {
    const unknown = [...arns].filter((arn) => !warm.definitions.has(arn));
    if (unknown.length > ADVISORY_AT_MOST) return;
    await Promise.all(
      unknown.map(async (arn) => {
        const found = await reading(() => describeTaskDefinition(arn));
        if ('value' in found) warm.definitions.set(arn, found.value);
      }),
    );
  };

  return { tasks, services, targetHealth, instances, groups, delays, definitions };
};

export type Health = readonly TargetHealthDescription[];
export type Instances = readonly InstanceSummary[];
