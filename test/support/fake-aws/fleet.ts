import { afterAll, beforeEach, vi } from 'vitest';
import type { AwsReply, AwsRequest } from '../aws-endpoint.ts';
import { account, instanceId, region } from '../event-builders.ts';
import { type FakeGroup, fakeAutoScaling } from './autoscaling.ts';
import { fakeContainerInstances } from './container-instances.ts';
import { ec2Answer, ec2Refusal, fakeEc2 } from './ec2.ts';
import { fakeElbClassic } from './elb-classic.ts';
import { fakeElbv2 } from './elbv2.ts';
import { answerOf, asked, refusal, serviceOf } from './router.ts';
import { fakeRunCommand } from './run-command.ts';
import { startServer } from './server.ts';
import { AwsError, type Input } from './service.ts';
import { waveGate } from './waves.ts';

export interface FleetCall {
  readonly operation: string;
  readonly input: Input;
  /** Epoch ms on the fleet's clock. */
  readonly at: number;
  /** It went through. */
  readonly ok: boolean;
}

/** What goes wrong with a call: AWS refuses, or `hang-up`: no answer, nothing done; `lost`: done, and no answer. */
export type FleetFault = AwsError | 'hang-up' | 'lost';

export interface HostOptions {
  readonly n?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly state?: string;
  readonly zone?: string;
  readonly type?: string;
  readonly spot?: boolean;
  readonly group?: string;
  readonly cluster?: string;
  readonly registered?: boolean;
  /** Devices beside the root, and whether each dies with the instance. */
  readonly devices?: Readonly<Record<string, boolean>>;
}

/** EC2, Auto Scaling, both load balancers, ECS on EC2, Run Command and tags on loopback, for the real SDK. */
const accountOf = (clock: () => number) => {
  const ec2 = fakeEc2();
  const autoscaling = fakeAutoScaling((id) => ec2.instances.get(id));
  const elbv2 = fakeElbv2(clock);
  const classic = fakeElbClassic();
  const ecs = fakeContainerInstances();
  const ssm = fakeRunCommand(clock);
  const tagging = {
    name: 'tagging',
    operations: {
      GetResources: ({ TagFilters }: { TagFilters: { Key: string; Values: string[] }[] }) => ({
        ResourceTagMappingList: [...ec2.volumes.values()]
          .filter(({ tags }) => TagFilters.every(({ Key, Values }) => Values.includes(tags[Key] ?? '')))
          .map(({ id, tags }) => ({
            ResourceARN: `arn:aws:ec2:${region}:${account}:volume/${id}`,
            Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
          })),
        PaginationToken: '',
      }),
    },
  };
  return { ec2, autoscaling, elbv2, classic, ecs, ssm, tagging };
};

export const startFleet = async () => {
  let clock: () => number = () => 0;
  let world = accountOf(() => clock());
  let calls: FleetCall[] = [];
  let faults: { readonly operation: string; readonly fault: FleetFault; times: number }[] = [];
  const gate = waveGate();

  const serviceFor = (request: AwsRequest) => {
    const name = serviceOf(request);
    const { ec2, autoscaling, elbv2, classic, ecs, ssm, tagging } = world;
    if (name === 'elasticloadbalancing') {
      return request.body.includes('Version=2012-06-01') ? classic.service : elbv2.service;
    }
    return [ec2.service, autoscaling.service, ecs.service, ssm.service, tagging].find((one) => one.name === name);
  };

  const serve = async (request: AwsRequest): Promise<AwsReply> => {
    const service = serviceFor(request);
    const { operation, input } = asked(service, request);
    await gate.enter(operation);
    try {
      const planned = faults.find((one) => one.operation === operation && one.times > 0);
      if (planned !== undefined) planned.times--;
      const fault = planned?.fault;
      const note = (ok: boolean) => calls.push({ operation, input, at: clock(), ok });
      if (fault === 'hang-up' || fault instanceof AwsError) {
        note(false);
        if (fault === 'hang-up') return { hangUp: true };
        return service?.name === 'ec2' ? ec2Refusal(fault) : refusal(service, fault);
      }
      const answer = service?.name === 'ec2' ? ec2Reply(operation, input) : answerOf(service, operation, input);
      note((answer.status ?? 200) < 400);
      return fault === 'lost' ? { hangUp: true } : answer;
    } finally {
      gate.left();
    }
  };

  const ec2Reply = (operation: string, input: Input): AwsReply => {
    try {
      const run = world.ec2.service.operations[operation];
      if (run === undefined) throw new AwsError('InvalidAction', `the fake has no ${operation}`);
      return ec2Answer(operation, run(input));
    } catch (error) {
      if (error instanceof AwsError) return ec2Refusal(error);
      throw error;
    }
  };

  const { url, close } = await startServer(serve);
  return {
    url,
    close,
    gate,
    reset: (now: () => number): void => {
      clock = now;
      world = accountOf(() => clock());
      calls = [];
      faults = [];
    },
    fault: (operation: string, fault: FleetFault, times = 1): void => void faults.push({ operation, fault, times }),
    get calls() {
      return calls;
    },
    get world() {
      return world;
    },
    /** Inputs of the calls of an operation that went through, in order. */
    made: (operation: string): Input[] =>
      calls.filter((call) => call.ok && call.operation === operation).map(({ input }) => input),
    count: (operation: string): number => calls.filter((call) => call.operation === operation).length,
    /** An opted-in Spot instance with a log volume at /dev/xvdf that would die with it, unless said otherwise. */
    addHost: (options: HostOptions = {}) => {
      const { n = 1, group, cluster, devices = { '/dev/xvdf': true } } = options;
      const id = instanceId(n);
      const volumeOf = (name: string) => `vol-${`${name.slice(-1)}${n}`.padStart(17, '0').replaceAll(/[g-z]/g, 'e')}`;
      const all = { '/dev/xvda': true, ...devices };
      world.ec2.instances.set(id, {
        id,
        state: options.state ?? 'running',
        tags: {
          ...(options.tags ?? { 'reflex:enabled': 'true' }),
          ...(group !== undefined && { 'aws:autoscaling:groupName': group }),
        },
        type: options.type ?? 'm5.large',
        zone: options.zone ?? 'eu-west-1a',
        spot: options.spot ?? true,
        root: '/dev/xvda',
        devices: Object.entries(all).map(([name, deleteOnTermination]) => ({
          name,
          volume: volumeOf(name),
          deleteOnTermination,
        })),
      });
      for (const device of Object.keys(all)) {
        world.ec2.volumes.set(volumeOf(device), { id: volumeOf(device), tags: {}, attached: { instance: id, device } });
      }
      if (options.registered ?? true) world.ssm.registered.add(id);
      if (group !== undefined) world.autoscaling.groups.get(group)?.instances.set(id, 'InService');
      if (cluster !== undefined) {
        const instances = world.ecs.clusters.get(cluster) ?? [];
        world.ecs.clusters.set(cluster, instances);
        instances.push({
          arn: `arn:aws:ecs:${region}:${account}:container-instance/${cluster}/${n.toString(16).padStart(32, '0')}`,
          ec2InstanceId: id,
          status: 'ACTIVE',
          tasks: [],
        });
      }
      return { id, arn: `arn:aws:ec2:${region}:${account}:instance/${id}`, volume: volumeOf('/dev/xvdf') };
    },
    addGroup: (name: string, options: Partial<Omit<FakeGroup, 'name' | 'instances'>> = {}) => {
      const group: FakeGroup = {
        name,
        desired: 10,
        capacityRebalance: false,
        targetGroups: [],
        balancers: [],
        hooks: {},
        ...options,
        instances: new Map<string, string>(),
      };
      world.autoscaling.groups.set(name, group);
      return group;
    },
  };
};

export type Fleet = Awaited<ReturnType<typeof startFleet>>;

/** The fleet of a test file: every test begins with an empty account and the SDK pointed at it. */
export const useFleet = async (): Promise<Fleet> => {
  const fleet = await startFleet();
  beforeEach(() => {
    vi.stubEnv('AWS_ENDPOINT_URL', fleet.url);
    vi.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterAll(() => fleet.close());
  return fleet;
};
