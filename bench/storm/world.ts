import { instanceId, rebalanceRecommendation, region, spotInterruption } from '../../test/support/event-builders.ts';
import { fakeAutoScaling } from '../../test/support/fake-aws/autoscaling.ts';
import { bucket } from '../../test/support/fake-aws/bucket.ts';
import { fakeContainerInstances } from '../../test/support/fake-aws/container-instances.ts';
import { ec2Answer, ec2Refusal, fakeEc2 } from '../../test/support/fake-aws/ec2.ts';
import { fakeEcs } from '../../test/support/fake-aws/ecs.ts';
import { fakeElbv2 } from '../../test/support/fake-aws/elbv2.ts';
import { fakeRunCommand } from '../../test/support/fake-aws/run-command.ts';
import { AwsError, type Operation, type Service } from '../../test/support/fake-aws/service.ts';
import { fakeServicediscovery } from '../../test/support/fake-aws/servicediscovery.ts';
import { fakeSns } from '../../test/support/fake-aws/sns.ts';
import { INTERRUPTED_LIFE, spotService } from '../../test/support/fargate-world.ts';

/** How many interruptions, spread evenly over how many services (Fargate) or Auto Scaling groups (EC2). */
export interface Size {
  readonly tasks: number;
  readonly groups: number;
  /** Capacity goes within this time, ms. */
  readonly spreadMs: number;
}

/** What is interrupted: a task with its target, or an instance with its log volume. */
export interface Victim {
  readonly id: string;
  /** When AWS took it back, ms after the storm's beginning. */
  readonly at: number;
  /** Its events, ms after the storm's beginning; one that comes twice is here twice. */
  readonly events: readonly { readonly after: number; readonly body: object }[];
  /** What a handler of one event calls for it, in order, as the published ones do. */
  readonly perEvent: readonly { readonly service: string; readonly operation: string; readonly input: object }[];
}

export interface World {
  readonly services: readonly Service[];
  readonly victims: readonly Victim[];
  /** When each victim was handled, epoch ms: its target drains, or its volume is kept. */
  readonly handledAt: ReadonlyMap<string, number>;
  readonly env: Readonly<Record<string, string>>;
}

/** EventBridge takes so long at least, and so much more at most. */
const DELIVERY = 200;
const DELIVERY_MORE = 1_300;
const TWICE = 0.1;
const SECOND_DELIVERY = 10_000;

type Random = () => number;

/** A fixed row of chances, so that every policy meets the same storm (mulberry32). */
export const seeded = (seed: number): Random => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

const delivered = (random: Random, at: number, body: object): { after: number; body: object }[] => {
  const once = { after: at + DELIVERY + random() * DELIVERY_MORE, body };
  return random() < TWICE ? [once, { after: once.after + random() * SECOND_DELIVERY, body }] : [once];
};

const shares = ({ tasks, groups }: Size): number[] =>
  Array.from({ length: groups }, (_, i) => Math.floor(tasks / groups) + (i < tasks % groups ? 1 : 0)).filter(
    (n) => n > 0,
  );

/** Sees every call of an operation that went through. */
const watched = (service: Service, operation: string, onDone: (input: never) => void): Service => {
  const run = service.operations[operation] as Operation;
  const seen: Operation = (input) => {
    const answer = run(input);
    onDone(input as never);
    return answer;
  };
  return { ...service, operations: { ...service.operations, [operation]: seen } };
};

/**
 * Half of every service's tasks on Fargate Spot are taken back. ECS does not deregister them itself, as it has been seen not to: their
 * `elb` attachment stays ATTACHED.
 */
export const fargateWorld = (clock: () => number, size: Size): World => {
  const random = seeded(size.tasks * 1_000 + size.groups);
  const start = clock();
  const aws = { ecs: fakeEcs(clock), elbv2: fakeElbv2(clock), servicediscovery: fakeServicediscovery() };
  const describeSubnets = bucket(clock, 100, 20);
  const ec2: Service = {
    name: 'ec2',
    operations: {
      DescribeSubnets: () => {
        describeSubnets();
        return {};
      },
    },
  };
  const handledAt = new Map<string, number>();
  let from = 1;
  const victims = shares(size).flatMap((hit, i): Victim[] => {
    const name = `service-${i}`;
    const { group, tasks } = spotService(aws, { name, tasks: 2 * hit, from });
    from += 2 * hit;
    return tasks.slice(0, hit).map(({ ipv4, event }): Victim => {
      const at = random() * size.spreadMs;
      return {
        id: `${group.arn} ${ipv4}`,
        at,
        events: INTERRUPTED_LIFE.flatMap(([after, lastStatus], state) => {
          const body = event({ lastStatus, version: 6 + state, stoppingAt: Math.floor(start + at) });
          return delivered(random, at + after, body);
        }),
        perEvent: [
          { service: 'ecs', operation: 'DescribeServices', input: { cluster: 'prod', services: [name] } },
          { service: 'ec2', operation: 'DescribeSubnets', input: {} },
          {
            service: 'elasticloadbalancing',
            operation: 'DeregisterTargets',
            input: { TargetGroupArn: group.arn, Targets: [{ Id: ipv4, Port: 8080 }] },
          },
        ],
      };
    });
  });
  const deregistered = ({
    TargetGroupArn,
    Targets,
  }: {
    TargetGroupArn: string;
    Targets: readonly { Id: string }[];
  }) => {
    for (const { Id } of Targets) {
      const id = `${TargetGroupArn} ${Id}`;
      if (!handledAt.has(id)) handledAt.set(id, clock());
    }
  };
  return {
    services: [
      aws.ecs.service,
      watched(aws.elbv2.service, 'DeregisterTargets', deregistered),
      aws.servicediscovery.service,
      ec2,
      fakeSns().service,
    ],
    victims,
    handledAt,
    env: {},
  };
};

/** EC2 evaluates each API by itself: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html */
const EC2_BUCKETS = {
  ModifyInstanceAttribute: [50, 5],
  CreateTags: [100, 10],
  DescribeInstances: [100, 20],
  DescribeVolumes: [100, 20],
} as const;

const throttledByEc2 = (clock: () => number, service: Service): Service => {
  const limited = Object.entries(EC2_BUCKETS).map(([name, [burst, perSecond]]): [string, Operation] => {
    const take = bucket(clock, burst, perSecond);
    const run = service.operations[name] as Operation;
    return [
      name,
      (input) => {
        try {
          take();
        } catch {
          throw new AwsError('RequestLimitExceeded', 'Request limit exceeded.', 503);
        }
        return run(input);
      },
    ];
  });
  return { ...service, operations: { ...service.operations, ...Object.fromEntries(limited) } };
};

/** Half of every group's instances are taken back: a recommendation and a warning each, and a log volume that would die with them. */
export const ec2World = (clock: () => number, size: Size): World => {
  const random = seeded(size.tasks * 1_000 + size.groups);
  const start = clock();
  const ec2 = fakeEc2();
  const autoscaling = fakeAutoScaling();
  const elbv2 = fakeElbv2(clock);
  const ssm = fakeRunCommand(clock);
  const handledAt = new Map<string, number>();
  let n = 0;
  const addInstance = (group: string): { readonly id: string; readonly volume: string } => {
    const id = instanceId(++n);
    const volume = `vol-${n.toString(16).padStart(17, '0')}`;
    const root = `vol-${(n + 0x1_000_000).toString(16).padStart(17, '0')}`;
    const devices = [
      { name: '/dev/xvda', volume: root, deleteOnTermination: true },
      { name: '/dev/xvdf', volume, deleteOnTermination: true },
    ];
    ec2.instances.set(id, {
      id,
      state: 'running',
      tags: { 'reflex:enabled': 'true', 'aws:autoscaling:groupName': group },
      type: 'm5.large',
      zone: `${region}${'abc'[n % 3]}`,
      spot: true,
      root: '/dev/xvda',
      devices,
    });
    for (const { name, volume } of devices) {
      ec2.volumes.set(volume, { id: volume, tags: {}, attached: { instance: id, device: name } });
    }
    ssm.registered.add(id);
    return { id, volume };
  };
  const victims = shares(size).flatMap((hit, i): Victim[] => {
    const name = `group-${i}`;
    const web = elbv2.addGroup(name);
    const members = Array.from({ length: 2 * hit }, () => addInstance(name));
    for (const { id } of members) web.targets.push({ id, port: 8080, state: 'healthy' });
    autoscaling.groups.set(name, {
      name,
      desired: 2 * hit,
      capacityRebalance: false,
      targetGroups: [web.arn],
      balancers: [],
      hooks: {},
      instances: new Map(members.map(({ id }) => [id, 'InService'])),
    });
    return members.slice(0, hit).map(({ id, volume }): Victim => {
      const at = random() * size.spreadMs;
      const when = Math.floor(start + at);
      return {
        id,
        at,
        events: [rebalanceRecommendation(id, when), spotInterruption(id, { at: when })].flatMap((body) =>
          delivered(random, at, body),
        ),
        perEvent: [
          { service: 'ec2', operation: 'DescribeInstances', input: { Filter: [{ Name: 'instance-id', Value: [id] }] } },
          {
            service: 'ec2',
            operation: 'ModifyInstanceAttribute',
            input: {
              InstanceId: id,
              BlockDeviceMapping: [
                { DeviceName: '/dev/xvdf', Ebs: { VolumeId: volume, DeleteOnTermination: 'false' } },
              ],
            },
          },
          {
            service: 'ssm',
            operation: 'SendCommand',
            input: { DocumentName: 'AWS-RunShellScript', InstanceIds: [id], Parameters: {}, TimeoutSeconds: 30 },
          },
          {
            service: 'autoscaling',
            operation: 'DetachInstances',
            input: { AutoScalingGroupName: name, InstanceIds: [id], ShouldDecrementDesiredCapacity: 'false' },
          },
        ],
      };
    });
  });
  const kept = ({ InstanceId }: { InstanceId: string }) => {
    if (!handledAt.has(InstanceId)) handledAt.set(InstanceId, clock());
  };
  return {
    services: [
      {
        ...watched(throttledByEc2(clock, ec2.service), 'ModifyInstanceAttribute', kept),
        dialect: { answer: ec2Answer, refuse: ec2Refusal },
      },
      autoscaling.service,
      elbv2.service,
      fakeContainerInstances().service,
      ssm.service,
      fakeSns().service,
    ],
    victims,
    handledAt,
    env: { LOG_BUCKET: 'reflex-logs', SHIP_LOGS_DOCUMENT: 'reflex-ship-logs' },
  };
};
