import { describe, expect, it } from 'vitest';
import type { Mode } from '../../../shared/ledger/types.ts';
import { parseWorkItem } from '../../../shared/spot-logs.ts';
import { at, instanceId, rebalanceRecommendation, spotInterruption } from '../../support/event-builders.ts';
import { useFleet } from '../../support/fake-aws/fleet.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { HIDDEN_MS, saver, saverOn } from '../../support/save-spot-logs.ts';

const fleet = await useFleet();
const SECOND = 1_000;

/** An ECS host of an Auto Scaling group behind an ALB on two ports and a classic load balancer, warned two seconds ago. */
const warned = (
  options: {
    capacityRebalance?: boolean;
    tags?: Record<string, string>;
    env?: NodeJS.ProcessEnv;
    stackMode?: Mode;
  } = {},
) => {
  const s = saver(fleet, { env: options.env ?? {}, ...(options.stackMode && { stackMode: options.stackMode }) });
  s.world.now = at + 2 * SECOND;
  const web = fleet.world.elbv2.addGroup('web');
  const group = fleet.addGroup('workers', {
    targetGroups: [web.arn],
    balancers: ['old'],
    capacityRebalance: options.capacityRebalance ?? false,
  });
  const host = fleet.addHost({
    group: 'workers',
    cluster: 'prod',
    ...(options.tags && { tags: { 'reflex:enabled': 'true', ...options.tags } }),
  });
  web.targets.push({ id: host.id, port: 8080, state: 'healthy' }, { id: host.id, port: 9090, state: 'unhealthy' });
  web.targets.push({ id: instanceId(9), port: 8080, state: 'healthy' });
  fleet.world.classic.balancers.set('old', new Set([host.id, instanceId(9)]));
  const container = fleet.world.ecs.clusters.get('prod')?.[0];
  return { s, host, web, group, container };
};

const device = (id: string, name = '/dev/xvdf') =>
  fleet.world.ec2.instances.get(id)?.devices.find((one) => one.name === name)?.deleteOnTermination;
const tagsOf = (volume: string) => fleet.world.ec2.volumes.get(volume)?.tags;
const tagsFrom = ({ Tags }: { readonly Tags: readonly { readonly Key: string; readonly Value: string }[] }) =>
  Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));
const operations = () => fleet.calls.map(({ operation }) => operation);
const writes = () => operations().filter((name) => !/^(Describe|List|Get)/.test(name));
const comesBefore = (first: string, second: string) =>
  expect(operations().indexOf(first), `${first} before ${second}`).toBeLessThan(operations().indexOf(second));

describe('an interruption warning', () => {
  it('keeps the log volume first, then tags it, then does everything else', async () => {
    const { s, host, web, group, container } = warned();

    await s.batch(spotInterruption(host.id));
    await s.run(5 * SECOND);

    expect(device(host.id)).toBe(false);
    expect(tagsOf(host.volume)).toEqual({
      'reflex:enabled': 'true',
      'reflex:rescue': 'pending',
      'reflex:instance': host.id,
      'reflex:device': '/dev/xvdf',
      'reflex:root': 'false',
      'reflex:filesystem': 'xfs',
      'reflex:prefix': 'spot-logs',
      'reflex:since': '2026-03-05T03:12:00.000Z',
      'reflex:attempts': '0',
    });
    expect(writes().slice(0, 3)).toEqual(['ModifyInstanceAttribute', 'CreateTags', 'SendCommand']);
    expect(new Set(writes().slice(3))).toEqual(
      new Set([
        'UpdateContainerInstancesState',
        'DetachInstances',
        'DeregisterTargets',
        'DeregisterInstancesFromLoadBalancer',
      ]),
    );
    expect(container?.status).toBe('DRAINING');
    expect(fleet.world.elbv2.targetsIn(web.arn, 'draining')).toEqual([`${host.id}:8080`, `${host.id}:9090`]);
    expect(fleet.world.classic.balancers.get('old')).toEqual(new Set([instanceId(9)]));
    expect(group.instances.has(host.id)).toBe(false);
    expect(group.desired).toBe(10);
  });

  it('leaves the root device alone', async () => {
    const { s, host } = warned();

    await s.batch(spotInterruption(host.id));

    expect(device(host.id, '/dev/xvda')).toBe(true);
  });

  it('keeps the root device where it is asked to, by the word', async () => {
    const { s, host } = warned({ tags: { 'reflex:log-devices': 'root /dev/xvdf' } });

    await s.batch(spotInterruption(host.id));

    expect(device(host.id, '/dev/xvda')).toBe(false);
    expect(tagsOf(host.volume.replace('f1', 'a1'))).toMatchObject({
      'reflex:root': 'true',
      'reflex:rescue': 'pending',
    });
  });

  it('sends the document its deadline, for a command that one bad host does not stop', async () => {
    const { s, host } = warned();

    await s.batch(spotInterruption(host.id));

    expect(fleet.made('SendCommand')).toEqual([
      {
        DocumentName: 'reflex-ship-logs',
        InstanceIds: [host.id],
        Parameters: {
          source: ['/var/log'],
          destination: ['s3://reflex-logs/spot-logs'],
          phase: ['interruption'],
          deadline: [String(Math.floor(at / SECOND) + 110)],
          executionTimeout: ['108'],
        },
        TimeoutSeconds: 30,
        MaxErrors: '100%',
        Comment: 'reflex save-spot-logs: interruption',
      },
    ]);
  });

  it('detaches before it deregisters, so that the group’s health check does not kill the host', async () => {
    const { s, host } = warned();

    await s.batch(spotInterruption(host.id));
    await s.run(5 * SECOND);

    comesBefore('DetachInstances', 'DeregisterTargets');
    comesBefore('DetachInstances', 'DeregisterInstancesFromLoadBalancer');
  });

  it('leaves the group to itself where it rebalances capacity', async () => {
    const { s, host, group, container } = warned({ capacityRebalance: true });

    await s.batch(spotInterruption(host.id));
    await s.run(60 * SECOND);

    expect(fleet.count('DetachInstances')).toBe(0);
    expect(group.instances.get(host.id)).toBe('InService');
    expect(container?.status).toBe('DRAINING');
  });

  it.each(['Terminating:Wait', 'Terminating:Proceed', 'Detaching', 'Standby'])(
    'does not detach what is %s',
    async (state) => {
      const { s, host, group } = warned();
      group.instances.set(host.id, state);

      await s.batch(spotInterruption(host.id));
      await s.run(60 * SECOND);

      expect(fleet.count('DetachInstances')).toBe(0);
    },
  );

  it('does not flip a container instance that drains already', async () => {
    const { s, host, container } = warned();
    if (container) container.status = 'DRAINING';

    await s.batch(spotInterruption(host.id));
    await s.run(60 * SECOND);

    expect(fleet.count('UpdateContainerInstancesState')).toBe(0);
  });

  it('finds its host in one cluster although another cannot be read, and says which was not', async () => {
    const { s, host, container } = warned({ env: { ECS_CLUSTERS: 'gone prod' } });
    const stranger = fleet.addHost({ n: 2 });
    const { ListContainerInstances: list } = fleet.world.ecs.service.operations;
    Object.assign(fleet.world.ecs.service.operations, {
      ListContainerInstances: (input: { cluster: string }) => {
        if (input.cluster !== 'gone') return list?.(input);
        throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
      },
    });

    await s.batch(spotInterruption(host.id), spotInterruption(stranger.id));
    await s.run(30 * SECOND);

    expect(container?.status).toBe('DRAINING');
    const last = (arn: string) => s.outcomes().findLast(({ resource }) => resource === arn)?.why;
    expect(last(host.arn)).not.toContain('Could not be read');
    expect(last(stranger.arn)).toContain('Could not be read: container (ClusterNotFoundException: Cluster not found.)');
  });

  it('reads what ECS did not accept in an answer that says 200, and tries again', async () => {
    const { s, host, container } = warned();
    await s.batch(spotInterruption(host.id));
    const real = container?.status ?? '';
    // It changes between the read and the call.
    const { UpdateContainerInstancesState: update } = fleet.world.ecs.service.operations;
    let refused = 0;
    Object.assign(fleet.world.ecs.service.operations, {
      UpdateContainerInstancesState: (input: { containerInstances: string[] }) =>
        refused++ === 0
          ? { failures: [{ arn: input.containerInstances[0], reason: 'AGENT_DISCONNECTED', detail: 'later' }] }
          : update?.(input),
    });

    await s.run(60 * SECOND);

    const failed = s.outcomes().flatMap(({ actions }) => actions.filter(({ error }) => error !== undefined));
    expect(failed).toMatchObject([{ call: 'UpdateContainerInstancesState', error: 'AGENT_DISCONNECTED: later' }]);
    expect(real).toBe('ACTIVE');
    expect(container?.status).toBe('DRAINING');
  });

  it('stops standalone tasks only where it is asked to, and after the drain', async () => {
    const tasks = [
      {
        arn: 'arn:aws:ecs:eu-west-1:111122223333:task/prod/aaa',
        group: 'service:web',
        lastStatus: 'RUNNING',
        desiredStatus: 'RUNNING',
      },
      {
        arn: 'arn:aws:ecs:eu-west-1:111122223333:task/prod/bbb',
        group: 'family:batch',
        lastStatus: 'RUNNING',
        desiredStatus: 'RUNNING',
      },
      {
        arn: 'arn:aws:ecs:eu-west-1:111122223333:task/prod/ccc',
        group: 'family:batch',
        lastStatus: 'RUNNING',
        desiredStatus: 'STOPPED',
      },
    ];
    const left = warned();
    left.container?.tasks.push(...structuredClone(tasks));
    await left.s.batch(spotInterruption(left.host.id));
    await left.s.run(60 * SECOND);
    expect(fleet.count('StopTask')).toBe(0);
    expect(fleet.count('ListTasks')).toBe(0);

    const asked = warned({ tags: { 'reflex:stop-standalone-tasks': 'true' } });
    asked.container?.tasks.push(...structuredClone(tasks));
    await asked.s.batch(spotInterruption(asked.host.id));
    await asked.s.run(60 * SECOND);

    expect(fleet.made('StopTask')).toEqual([
      {
        cluster: 'arn:aws:ecs:eu-west-1:111122223333:cluster/prod',
        task: tasks[1]?.arn,
        reason: expect.stringContaining(asked.host.id),
      },
    ]);
    comesBefore('UpdateContainerInstancesState', 'StopTask');
  });

  it('closes when the instance has gone, and never stops the instance itself', async () => {
    const { s, host } = warned();
    await s.batch(spotInterruption(host.id));
    await s.run(119 * SECOND);
    fleet.world.ec2.terminate(host.id);

    await s.run(180 * SECOND);

    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'skip', reason: 'host-left' });
    expect(s.world.inbox).toEqual([]);
    expect(fleet.world.ec2.volumes.get(host.volume)).toMatchObject({ attached: null });
    expect(
      operations().filter((name) => /Terminate|SetDesired|DeleteVolume|StopInstances|UpdateAutoScaling/.test(name)),
    ).toEqual([]);
  });

  it('asks for no change that is made already', async () => {
    const { s, host } = warned();
    const kept = fleet.world.ec2.instances.get(host.id)?.devices.find(({ name }) => name === '/dev/xvdf');
    if (kept) kept.deleteOnTermination = false;

    await s.batch(spotInterruption(host.id));
    await s.run(60 * SECOND);

    expect(fleet.count('ModifyInstanceAttribute')).toBe(0);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
  });

  it('makes a work item again of a volume that the rescue of a former keeping gave up meanwhile', async () => {
    const { s, host } = warned();
    await s.batch(spotInterruption(host.id));
    Object.assign(fleet.world.ec2.volumes.get(host.volume)?.tags ?? {}, { 'reflex:rescue': 'failed' });

    await s.run(30 * SECOND);

    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
  });

  it('finds /dev/sdf where /dev/xvdf is meant: the kernel’s name and EC2’s', async () => {
    const s = saver(fleet);
    const host = fleet.addHost({ devices: { '/dev/sdf': true, '/dev/sdg': true } });

    await s.batch(spotInterruption(host.id));

    expect([device(host.id, '/dev/sdf'), device(host.id, '/dev/sdg')]).toEqual([false, true]);
  });

  it('keeps several volumes with one call, each tagged for itself', async () => {
    const s = saver(fleet, { env: { LOG_DEVICES: 'all' } });
    const host = fleet.addHost({ devices: { '/dev/xvdf': true, '/dev/xvdg': true, '/dev/xvdh': false } });

    await s.batch(spotInterruption(host.id));

    expect(fleet.made('ModifyInstanceAttribute')).toHaveLength(1);
    expect(['f', 'g', 'h'].map((letter) => device(host.id, `/dev/xvd${letter}`))).toEqual([false, false, false]);
    expect(device(host.id, '/dev/xvda')).toBe(true);
    expect(fleet.made('CreateTags')).toHaveLength(3);
  });

  it('says so where there is no log volume, and still ships what the host has', async () => {
    const s = saver(fleet);
    const host = fleet.addHost({ devices: {} });

    await s.batch(spotInterruption(host.id));

    expect(s.outcomes()[0]).toMatchObject({
      reason: 'save-logs',
      why: expect.stringContaining('No volume at /dev/xvdf'),
    });
    expect(fleet.count('SendCommand')).toBe(1);
  });

  it('with a wrong tag does nothing and says which', async () => {
    const { s, host } = warned({ tags: { 'reflex:log-path': '/data' } });

    await s.batch(spotInterruption(host.id));

    expect(s.outcomes()[0]).toMatchObject({
      decision: 'escalate',
      reason: 'bad-tag',
      why: expect.stringContaining('reflex:log-path'),
    });
    expect(writes()).toEqual([]);
  });

  it('bears the tags a group propagates for restore-capacity', async () => {
    const { s, host } = warned({ tags: { 'reflex:fallback-mode': 'on-demand-base', 'reflex:fallback-max': '20' } });

    await s.batch(spotInterruption(host.id));

    expect(s.outcomes()[0]).toMatchObject({ decision: 'act', reason: 'save-logs' });
  });
});

describe('what EC2 is going to do', () => {
  it('stop: ships and drains, arms the volume, and leaves the group alone', async () => {
    const { s, host, container } = warned();

    await s.batch(spotInterruption(host.id, { action: 'stop' }));
    await s.run(60 * SECOND);

    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'armed' });
    expect(device(host.id)).toBe(false);
    expect(container?.status).toBe('DRAINING');
    expect(fleet.count('SendCommand')).toBe(1);
    expect(fleet.count('DetachInstances')).toBe(0);
  });

  it.each(['hibernate', 'teleport'])('%s: keeps and tags, and nothing else', async (action) => {
    const { s, host } = warned();

    await s.batch(spotInterruption(host.id, { action }));
    await s.run(10 * 60 * SECOND);

    expect(writes()).toEqual(['ModifyInstanceAttribute', 'CreateTags']);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'armed' });
  });

  it('says that it does not know the action', async () => {
    const { s, host } = warned();

    await s.batch(spotInterruption(host.id, { action: 'teleport' }));

    expect(s.outcomes()[0]?.why).toMatch(/teleport, which Reflex does not know/);
  });
});

describe('a stale warning', () => {
  it('still keeps and tags, and skips the work of the two minutes', async () => {
    const { s, host } = warned();
    s.world.now = at + 111 * SECOND;

    await s.batch(spotInterruption(host.id));
    await s.run(60 * SECOND);

    expect(writes()).toEqual(['ModifyInstanceAttribute', 'CreateTags']);
  });

  it('does all of it up to 110 s', async () => {
    const { s, host } = warned();
    s.world.now = at - 123 + 110 * SECOND;

    await s.batch(spotInterruption(host.id));

    expect(fleet.count('SendCommand')).toBe(1);
  });

  it('of an instance that has gone is no trouble', async () => {
    const { s, host } = warned();
    fleet.world.ec2.terminate(host.id);
    fleet.world.ec2.instances.delete(host.id);

    await s.batch(spotInterruption(host.id), spotInterruption(instanceId(77)));

    expect(s.outcomes().map(({ reason }) => reason)).toEqual(['instance-gone', 'instance-gone']);
    expect(fleet.calls.map(({ operation }) => operation)).toEqual(['DescribeInstances']);
  });

  it('of an instance of which nothing was kept any more is told as the loss it may be', async () => {
    const { s, host } = warned();
    fleet.world.ec2.terminate(host.id);

    await s.batch(spotInterruption(host.id));

    expect(s.outcomes()).toMatchObject([
      { decision: 'escalate', reason: 'logs-unrecoverable', why: expect.stringContaining('no command was sent') },
    ]);
    expect(s.world.told).toHaveLength(1);
    expect(writes()).toEqual([]);
  });

  it('of an instance that shuts down is told to a person when the volume cannot be kept any more', async () => {
    const { s, host } = warned();
    const instance = fleet.world.ec2.instances.get(host.id);
    if (instance) instance.state = 'shutting-down';

    await s.batch(spotInterruption(host.id));
    await s.run(5 * 60 * SECOND);

    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'escalate', reason: 'volume-not-kept' });
    expect(fleet.count('SendCommand')).toBe(0);
  });

  it('of an instance that shuts down is told although it has gone before the second look', async () => {
    const { s, host } = warned();
    const instance = fleet.world.ec2.instances.get(host.id);
    if (instance) instance.state = 'shutting-down';

    await s.batch(spotInterruption(host.id));
    fleet.world.ec2.terminate(host.id);
    await s.run(60 * SECOND);

    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'escalate', reason: 'volume-not-kept' });
  });

  it.each(['stopping', 'stopped'])(
    'of an instance that is %s keeps and tags: it may be terminated yet',
    async (state) => {
      const { s, host } = warned();
      s.world.now = at + 200 * SECOND;
      const instance = fleet.world.ec2.instances.get(host.id);
      if (instance) instance.state = state;

      await s.batch(spotInterruption(host.id, { action: 'stop' }));
      await s.run(60 * SECOND);

      expect(writes()).toEqual(['ModifyInstanceAttribute', 'CreateTags']);
      expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'armed' });
      expect(s.outcomes().at(-1)).toMatchObject({ decision: 'skip', reason: 'host-left' });
      expect(s.world.inbox).toEqual([]);
    },
  );
});

describe('an instance that is not managed', () => {
  it('costs one DescribeInstances for all of the batch, and nothing else', async () => {
    const s = saver(fleet);
    const hosts = [1, 2, 3].map((n) => fleet.addHost({ n, tags: n === 3 ? { 'reflex:enabled': 'false' } : {} }));

    await s.batch(...hosts.map(({ id }) => spotInterruption(id)));
    await s.run(60 * SECOND);

    expect(operations()).toEqual(['DescribeInstances']);
    expect(s.outcomes().map(({ reason }) => reason)).toEqual(['not-opted-in', 'not-opted-in', 'not-opted-in']);
    expect(s.runtime.calls).toEqual(['table.getMany']);
  });
});

describe('the same warning again', () => {
  it.each([
    ['in one batch', 0],
    ['a moment later', 1],
  ])('%s is acted on once', async (_, later) => {
    const { s, host } = warned();
    const event = spotInterruption(host.id);

    if (later === 0) await s.batch(event, { ...event, id: 'another delivery' });
    else {
      await s.batch(event);
      await s.batch({ ...event, id: 'another delivery' });
    }
    await s.run(100 * SECOND);

    for (const call of ['ModifyInstanceAttribute', 'CreateTags', 'SendCommand', 'DetachInstances']) {
      expect(fleet.count(call), call).toBe(1);
    }
  });

  it('with another time, minutes later, changes nothing', async () => {
    const { s, host } = warned();
    await s.batch(spotInterruption(host.id));
    await s.run(60 * SECOND);

    await s.batch(spotInterruption(host.id, { at: at + 62 * SECOND }));
    await s.run(60 * SECOND);

    expect(fleet.count('ModifyInstanceAttribute')).toBe(1);
    expect(fleet.count('SendCommand')).toBe(1);
  });

  it('hours later, of an instance that was stopped and started, is another one', async () => {
    const { s, host } = warned();
    const instance = fleet.world.ec2.instances.get(host.id);
    await s.batch(spotInterruption(host.id, { action: 'stop' }));
    if (instance) instance.state = 'stopped';
    await s.run(20 * 60 * SECOND);
    expect(s.outcomes().at(-1)?.reason).toBe('host-left');
    if (instance) instance.state = 'running';
    await s.run(3 * 3_600 * SECOND);

    await s.batch(spotInterruption(host.id, { at: s.world.now - SECOND }));
    await s.run(60 * SECOND);

    expect(fleet.count('SendCommand')).toBe(2);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
  });
});

describe('a call that fails', () => {
  const throttled = new AwsError('RequestLimitExceeded', 'Request limit exceeded.', 503);
  const refused = new AwsError('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403);

  it.each([
    ['ModifyInstanceAttribute', refused],
    ['CreateTags', refused],
    ['SendCommand', new AwsError('InvalidDocument', 'The document does not exist.')],
    ['UpdateContainerInstancesState', new AwsError('ClientException', 'no')],
    ['DetachInstances', new AwsError('ScalingActivityInProgress', 'no')],
    ['DeregisterTargets', new AwsError('TargetGroupNotFound', 'no')],
    ['DeregisterInstancesFromLoadBalancer', new AwsError('LoadBalancerNotFound', 'no')],
    ['DescribeVolumes', refused],
    ['ListClusters', new AwsError('AccessDeniedException', 'no')],
    ['DescribeAutoScalingGroups', new AwsError('AccessDenied', 'no', 403)],
    ['DescribeTargetHealth', new AwsError('AccessDenied', 'no', 403)],
    ['DescribeInstanceHealth', new AwsError('LoadBalancerNotFound', 'no')],
    ['ListCommandInvocations', new AwsError('AccessDeniedException', 'no')],
  ])('for good (%s) stops none of the others', async (operation, error) => {
    const { s, host, container } = warned();
    fleet.fault(operation, error, Number.POSITIVE_INFINITY);

    await s.batch(spotInterruption(host.id));
    await s.run(100 * SECOND);

    const unaffected: Record<string, boolean> = {
      ModifyInstanceAttribute: device(host.id) === false,
      CreateTags: tagsOf(host.volume)?.['reflex:rescue'] === 'pending',
      SendCommand: fleet.made('SendCommand').length > 0,
      UpdateContainerInstancesState: container?.status === 'DRAINING',
      DetachInstances: fleet.made('DetachInstances').length === 1,
      DeregisterTargets: fleet.made('DeregisterTargets').length === 1,
      DeregisterInstancesFromLoadBalancer: fleet.world.classic.balancers.get('old')?.has(host.id) === false,
    };
    const lost: Record<string, string[]> = {
      ListClusters: ['UpdateContainerInstancesState'],
      DescribeAutoScalingGroups: ['DetachInstances', 'DeregisterTargets', 'DeregisterInstancesFromLoadBalancer'],
      DescribeTargetHealth: ['DeregisterTargets'],
      DescribeInstanceHealth: ['DeregisterInstancesFromLoadBalancer'],
    };
    const expected = [operation, ...(lost[operation] ?? [])];
    for (const [call, done] of Object.entries(unaffected)) expect(done, call).toBe(!expected.includes(call));
  });

  it.each(['ModifyInstanceAttribute', 'CreateTags', 'SendCommand', 'DetachInstances', 'DeregisterTargets'])(
    'for a moment (%s throttled) is made again at once',
    async (operation) => {
      const { s, host } = warned();
      fleet.fault(operation, throttled, 2);

      await s.batch(spotInterruption(host.id));
      await s.run(4 * SECOND);

      expect(fleet.made(operation)).toHaveLength(1);
      expect(
        s
          .outcomes()
          .flatMap(({ actions }) => actions)
          .filter(({ error }) => error !== undefined),
      ).toEqual([]);
    },
  );

  it('without an answer is found done at the next look, and not made again', async () => {
    const { s, host } = warned();
    fleet.fault('ModifyInstanceAttribute', 'lost', 30);
    fleet.fault('CreateTags', 'lost', 30);

    await s.batch(spotInterruption(host.id));
    expect(s.outcomes()[0]?.actions.map(({ error }) => error !== undefined)).toEqual([true, true, false]);
    await s.run(100 * SECOND);

    expect(fleet.made('ModifyInstanceAttribute').length).toBeGreaterThan(0);
    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'defer', reason: 'host-leaving' });
  });

  it('to tag a kept volume is tried at every look, and then told to a person, with the command', async () => {
    const { s, host } = warned();
    fleet.fault('CreateTags', new AwsError('TagLimitExceeded', 'The maximum number of tags is 50.'), 30);

    await s.batch(spotInterruption(host.id));
    await s.run(100 * SECOND);
    const during = s.outcomes().map(({ why }) => why);
    await s.run(100 * SECOND);

    expect(during.filter((why) => why.includes('kept and tagged'))).toEqual([]);
    expect(device(host.id)).toBe(false);
    const escalation = s.outcomes().at(-1);
    expect(escalation).toMatchObject({
      decision: 'escalate',
      reason: 'volume-not-tagged',
      why: expect.stringContaining(`/dev/xvdf (${host.volume}) is kept`),
    });
    expect(s.world.told.map(({ record }) => record.reason)).toContain('volume-not-tagged');
    const [, tags = ''] = /--cli-input-json '(.*)'$/.exec(escalation?.advice ?? '') ?? [];
    expect(parseWorkItem(tagsFrom(JSON.parse(tags)))).toMatchObject({ rescue: 'pending', instance: host.id });
  });

  it('to tag is told of although the instance goes before all tries are over', async () => {
    const { s, host } = warned();
    fleet.fault('CreateTags', refused, Number.POSITIVE_INFINITY);

    await s.batch(spotInterruption(host.id));
    await s.run(100 * SECOND);
    fleet.world.ec2.terminate(host.id);
    await s.run(60 * SECOND);

    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'escalate', reason: 'volume-not-tagged' });
  });

  it('to tag is told of although the instance goes after the second try, with a command for every volume', async () => {
    const s = saver(fleet);
    s.world.now = at + 2 * SECOND;
    const host = fleet.addHost({
      devices: { '/dev/xvdf': true, '/dev/xvdg': true },
      tags: { 'reflex:enabled': 'true', 'reflex:log-devices': 'all' },
    });
    fleet.fault('CreateTags', refused, Number.POSITIVE_INFINITY);

    await s.batch(spotInterruption(host.id));
    await s.run(5 * SECOND);
    fleet.world.ec2.terminate(host.id);
    await s.run(60 * SECOND);

    const last = s.outcomes().at(-1);
    expect(last).toMatchObject({ decision: 'escalate', reason: 'volume-not-tagged' });
    const commands = (last?.advice ?? '').split(' && ').map((command) => /--cli-input-json '(.*)'$/.exec(command)?.[1]);
    const tagged = commands.map((json = '{}') => JSON.parse(json).Resources);
    expect(tagged).toHaveLength(2);
    expect(new Set(tagged.flat()).size).toBe(2);
  });

  it('to keep a volume and gets no answer is followed by its tag: it may be kept', async () => {
    const { s, host } = warned();
    fleet.fault('ModifyInstanceAttribute', 'lost', Number.POSITIVE_INFINITY);

    await s.batch(spotInterruption(host.id));

    expect(device(host.id)).toBe(false);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
  });

  it('to tag is made good while the instance shuts down', async () => {
    const { s, host } = warned();
    fleet.fault('CreateTags', refused, 1);
    const instance = fleet.world.ec2.instances.get(host.id);

    await s.batch(spotInterruption(host.id));
    if (instance) instance.state = 'shutting-down';
    await s.run(10 * SECOND);

    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'skip', reason: 'host-left' });
  });

  it('to keep one device keeps no other from being kept', async () => {
    const s = saver(fleet);
    s.world.now = at + 2 * SECOND;
    const host = fleet.addHost({
      devices: { '/dev/xvdf': true, '/dev/xvdg': true, '/dev/xvdh': true },
      tags: { 'reflex:enabled': 'true', 'reflex:log-devices': 'all' },
    });
    const { ModifyInstanceAttribute: modify } = fleet.world.ec2.service.operations;
    Object.assign(fleet.world.ec2.service.operations, {
      ModifyInstanceAttribute: (input: { BlockDeviceMapping: { DeviceName: string }[] }) => {
        if (input.BlockDeviceMapping.every(({ DeviceName }) => DeviceName !== '/dev/xvdg')) return modify?.(input);
        throw new AwsError('OperationNotPermitted', 'The volume is managed by ECS.');
      },
    });

    await s.batch(spotInterruption(host.id));
    const [first] = s.outcomes();
    await s.run(5 * 60 * SECOND);

    expect(first?.actions[0]).toMatchObject({ call: 'ModifyInstanceAttribute', error: expect.stringContaining('ECS') });
    const kept = ['/dev/xvdf', '/dev/xvdg', '/dev/xvdh'].map((name) => device(host.id, name));
    expect(kept).toEqual([false, true, false]);
    expect(s.outcomes().find(({ decision }) => decision === 'escalate')?.why).toMatch(/^\/dev\/xvdg /);
  });

  it('to keep the volume is tried again and then told to a person, with the command', async () => {
    const { s, host } = warned();
    fleet.fault('ModifyInstanceAttribute', refused, Number.POSITIVE_INFINITY);

    await s.batch(spotInterruption(host.id));
    await s.run(5 * 60 * SECOND);

    const escalation = s.outcomes().find(({ decision }) => decision === 'escalate');
    expect(fleet.count('ModifyInstanceAttribute')).toBe(9);
    expect(escalation).toMatchObject({ reason: 'volume-not-kept', advice: expect.stringContaining(host.id) });
    // Kept by hand it is to be found by the rescue, too.
    expect(escalation?.advice).toMatch(
      /^aws ec2 modify-instance-attribute .* && aws ec2 create-tags --cli-input-json /,
    );
    expect(s.world.told.map(({ record }) => record.reason)).toContain('volume-not-kept');
  });

  it('to read the ledger does not keep it from acting', async () => {
    const { host } = warned();
    const s = saver(fleet, { trouble: (port) => (port.startsWith('table.') ? 'refused' : 'none') });
    s.world.now = at + 2 * SECOND;
    const again = fleet.addHost();

    await s.batch(spotInterruption(host.id));

    expect(device(again.id)).toBe(false);
    expect(fleet.count('SendCommand')).toBe(1);
  });
});

describe('a host without a log volume', () => {
  const lost = async (options: { status?: string; registered?: boolean; devices?: Record<string, boolean> } = {}) => {
    const s = saver(fleet);
    s.world.now = at + 2 * SECOND;
    const { devices = {}, registered = true } = options;
    const host = fleet.addHost({ group: 'workers', devices, registered });
    fleet.addGroup('workers', {});
    await s.batch(spotInterruption(host.id));
    await s.run(100 * SECOND);
    const [invocation] = fleet.world.ssm.invocations;
    if (invocation !== undefined && options.status !== undefined) invocation.Status = options.status;
    fleet.world.ec2.terminate(host.id);
    await s.run(10 * 60 * SECOND);
    return { s, last: s.outcomes().at(-1) };
  };

  it.each([
    ['did not ship all in time', { status: 'Failed' }, 'the command that ships them is Failed'],
    ['cannot be commanded', { registered: false }, 'no command was sent'],
  ])('that %s loses its logs, which is said and told', async (_, options, why) => {
    const { s, last } = await lost(options);

    expect(last).toMatchObject({
      decision: 'escalate',
      reason: 'logs-unrecoverable',
      why: expect.stringContaining(why),
      advice: expect.stringContaining('reflex:log-devices'),
    });
    expect(s.world.told.map(({ record }) => record.reason)).toContain('logs-unrecoverable');
    expect(s.world.inbox).toEqual([]);
  });

  it.each([
    ['has shipped all', { status: 'Success' }],
    ['has one after all', { status: 'Failed', devices: { '/dev/xvdf': true } }],
  ])('that %s loses nothing', async (_, options) => {
    const { last } = await lost(options);

    expect(last).toMatchObject({ decision: 'skip', reason: 'host-left' });
  });
});

describe('a dry run', () => {
  it('lists every call of the two minutes and makes none', async () => {
    const { s, host, group, container } = warned({ stackMode: 'dry-run' });

    await s.batch(spotInterruption(host.id));
    await s.run(60 * SECOND);

    expect(s.outcomes()).toMatchObject([{ dryRun: true, reason: 'save-logs' }]);
    expect(s.outcomes()[0]?.actions.map(({ call }) => call)).toEqual([
      'ModifyInstanceAttribute',
      'CreateTags',
      'SendCommand',
      'UpdateContainerInstancesState',
      'DetachInstances',
      'DeregisterTargets',
      'DeregisterInstancesFromLoadBalancer',
    ]);
    expect(writes()).toEqual([]);
    expect({ kept: device(host.id), host: container?.status, desired: group.desired }).toEqual({
      kept: true,
      host: 'ACTIVE',
      desired: 10,
    });
  });

  it('lists what it knows where the rest cannot be read', async () => {
    const { s, host } = warned({ stackMode: 'dry-run' });
    fleet.fault('DescribeAutoScalingGroups', new AwsError('AccessDenied', 'no', 403), Number.POSITIVE_INFINITY);

    await s.batch(spotInterruption(host.id));

    expect(s.outcomes()[0]?.actions.map(({ call }) => call)).toEqual([
      'ModifyInstanceAttribute',
      'CreateTags',
      'SendCommand',
      'UpdateContainerInstancesState',
    ]);
  });
});

describe('what outlives its notice', () => {
  it('is armed half an hour later, and told', async () => {
    const { s, host } = warned();
    await s.batch(spotInterruption(host.id));

    await s.run(40 * 60 * SECOND);

    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'armed', 'reflex:instance': host.id });
    expect(s.outcomes().map(({ reason }) => reason)).toContain('notice-outlived');
    expect(s.world.inbox).toEqual([]);
    expect(fleet.count('SendCommand')).toBe(1);
  });

  it('is kept as well as armed where the notice itself came so late', async () => {
    const { s, host } = warned();
    s.world.now = at + 40 * 60 * SECOND;

    await s.batch(spotInterruption(host.id));
    await s.run(10 * 60 * SECOND);

    expect(writes()).toEqual(['ModifyInstanceAttribute', 'CreateTags']);
    expect(device(host.id)).toBe(false);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'armed' });
    expect(s.world.inbox).toEqual([]);
  });
});

describe('an invocation that dies with the lease in hand', () => {
  it('is made good by the next delivery, inside the two minutes', async () => {
    const s = saver(fleet, {
      trouble: (port, n) => (port === 'table.putIfVersion' && n === 1 ? 'crash after' : 'none'),
    });
    s.world.now = at + 2 * SECOND;
    const host = fleet.addHost();
    const dead = await Promise.race([s.batch(spotInterruption(host.id)), s.runtime.crashed]);
    expect([dead, device(host.id)]).toEqual(['crashed', true]);

    s.world.now += HIDDEN_MS;
    const next = saverOn({ world: s.world });
    await next.batch(spotInterruption(host.id));
    await next.run(15 * SECOND);

    expect(device(host.id)).toBe(false);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
    expect(fleet.count('SendCommand')).toBe(1);
    expect(s.world.now - at).toBeLessThan(60 * SECOND);
  });
});

describe('a warning that comes while another notice is acted on', () => {
  it('is not lost', async () => {
    const meanwhile: Promise<unknown>[] = [];
    const s = saver(fleet, {
      // The first one holds the lease until its result is recorded.
      before: async (port) => {
        if (port !== 'table.put' || meanwhile.length > 0) return;
        meanwhile.push(other.batch(spotInterruption(host.id)));
        await meanwhile[0];
      },
    });
    const other = saverOn({ world: s.world });
    s.world.now = at + 2 * SECOND;
    const host = fleet.addHost();

    await s.batch(rebalanceRecommendation(host.id));
    expect(other.outcomes()).toMatchObject([{ decision: 'skip', reason: 'lease-held' }]);
    await s.run(30 * SECOND);

    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
    const phases = fleet.made('SendCommand').map(({ Parameters }) => (Parameters as { phase: string[] }).phase[0]);
    expect(phases).toEqual(['pre-copy', 'interruption']);
    expect(s.world.inbox).toHaveLength(1);
  });
});
