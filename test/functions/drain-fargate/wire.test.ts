import { describe, expect, it } from 'vitest';
import type { Result } from '../../../shared/remediation.ts';
import { drainer } from '../../support/drain-fargate.ts';
import { at, taskArn, taskDetail, taskStateChange } from '../../support/event-builders.ts';
import { serviceArn } from '../../support/fake-aws/ecs.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { registryArn } from '../../support/fake-aws/servicediscovery.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';
import { storedRecords, storedState } from '../../support/fake-runtime.ts';
import { spotService } from '../../support/fargate-world.ts';

const aws = await useFakeAws();
const time = { clock: () => aws.clock(), sleep: async (ms: number) => aws.clock.advance(ms) };
const SECOND = 1_000;

const draining = (name = 'web'): string[] => aws.elbv2.targetsIn(groupArn(name), 'draining');
const groupArn = (name: string): string =>
  `arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/${name}/0123456789abcdef`;
const reasons = ({ outcomes }: Result): string[] => outcomes.map(({ decision, reason }) => `${decision} ${reason}`);
const deregistered = () => aws.called('DeregisterTargets');
const { attachments: usual } = taskDetail({ ipv4: '10.0.0.1' });

describe('a notice', () => {
  it("takes the target out by its own port, which is not its group's", async () => {
    const { tasks } = spotService(aws);
    const { batch } = drainer(time);

    const result = await batch(tasks[0]?.event());

    expect(reasons(result)).toEqual(['act spot-interruption']);
    expect(draining()).toEqual(['10.0.0.1:8080']);
    expect(aws.elbv2.targetsIn(groupArn('web'), 'healthy')).toHaveLength(3);
  });

  it('would leave the target where it is without the port, and nobody would know', async () => {
    spotService(aws);
    const { DeregisterTargetsCommand, ElasticLoadBalancingV2Client } = await import(
      '@aws-sdk/client-elastic-load-balancing-v2'
    );

    await new ElasticLoadBalancingV2Client().send(
      new DeregisterTargetsCommand({ TargetGroupArn: groupArn('web'), Targets: [{ Id: '10.0.0.1' }] }),
    );

    expect(draining()).toEqual([]);
  });

  it.each([
    ['SpotInterruption', { stopCode: 'SpotInterruption', stoppedReason: '' }],
    ['TerminationNotice', { stopCode: 'TerminationNotice', stoppedReason: '' }],
    ['no stopCode, but the reason', { stopCode: null, stoppedReason: 'Your Spot Task was interrupted.' }],
    ['no provider named', { capacityProviderName: null }],
  ])('is known by %s', async (_, options) => {
    const { tasks } = spotService(aws);

    await drainer(time).batch(tasks[0]?.event(options));

    expect(draining()).toEqual(['10.0.0.1:8080']);
  });

  it.each([
    ['another stopCode, whatever the reason says', { stopCode: 'UserInitiated' }],
    ['a stopCode of tomorrow', { stopCode: 'InfrastructureHealth' }],
    ['a deployment', { stopCode: 'ServiceSchedulerInitiated', stoppedReason: 'Scaling activity initiated by' }],
    ['no stopCode and another reason', { stopCode: null, stoppedReason: 'Essential container in task exited' }],
    ['on-demand capacity', { capacityProviderName: 'FARGATE' }],
    ['an EC2 task', { launchType: 'EC2' }],
    ['a task that shall run', { desiredStatus: 'RUNNING' }],
  ])('is not %s', async (_, options) => {
    const { tasks } = spotService(aws);

    const result = await drainer(time).batch(tasks[0]?.event(options));

    expect(result).toMatchObject({ outcomes: [], notForUs: { 'not-a-spot-interruption': 1 } });
    expect(aws.calls).toEqual([]);
  });

  it('of a standalone task costs no call', async () => {
    const result = await drainer(time).batch(taskStateChange({ service: null }));

    expect(result.notForUs).toEqual({ 'standalone-task': 1 });
    expect(aws.calls).toEqual([]);
  });

  it.each([
    ['with the elb attachment first', { attachments: [...usual].reverse() }],
    [
      'with the attachment as DescribeTasks calls it',
      { attachments: usual.map((one) => (one.type === 'eni' ? { ...one, type: 'ElasticNetworkInterface' } : one)) },
    ],
    ['with attachments of every kind around it', { attachments: [strange('Service Connect'), ...usual, strange('x')] }],
    ['without attachments, the address in its container', { attachments: [] }],
    ['without any address, which DescribeTasks has', { attachments: [], containers: [] }],
  ])('is understood %s', async (_, options) => {
    const { tasks } = spotService(aws);

    await drainer(time).batch(tasks[0]?.event({ ...options, ipv4: '10.0.0.1' }));

    expect(draining()).toEqual(['10.0.0.1:8080']);
  });

  it('is understood with a short task ARN and without envelope time, as AWS documents it', async () => {
    const { tasks } = spotService(aws);
    const { time: _time, region: _region, detail, ...envelope } = tasks[0]?.event() ?? taskStateChange();
    const short = detail.taskArn.replace('task/prod/', 'task/');

    const result = await drainer(time).batch({ ...envelope, detail: { ...detail, taskArn: short } });

    expect(result.outcomes.map(({ resource }) => resource)).toEqual([tasks[0]?.arn]);
    expect(draining()).toEqual(['10.0.0.1:8080']);
  });

  it('without an address never swallows the next, which has it, even where DescribeTasks does not answer', async () => {
    const { tasks } = spotService(aws);
    const { batch } = drainer(time);
    aws.fault('DescribeTasks', new AwsError('AccessDeniedException', 'no'), 9);

    const bare = await batch(tasks[0]?.event({ lastStatus: 'RUNNING', version: 5, attachments: [], containers: [] }));
    const next = await batch(tasks[0]?.event());

    expect([...reasons(bare), ...reasons(next)]).toEqual(['defer address-unknown', 'act spot-interruption']);
    expect(draining()).toEqual(['10.0.0.1:8080']);
  });

  it.each(['DEPROVISIONING', 'STOPPED'])('that says %s touches nothing', async (lastStatus) => {
    const { tasks } = spotService(aws);

    const result = await drainer(time).batch(tasks[0]?.event({ lastStatus, version: 8 }));

    expect(reasons(result)).toEqual(['skip task-gone']);
    expect(deregistered()).toEqual([]);
  });

  it('that is 151 s old touches nothing: the address may be another task by now', async () => {
    const { tasks } = spotService(aws);
    aws.clock.advance(151 * SECOND);

    const result = await drainer(time).batch(tasks[0]?.event());

    expect(reasons(result)).toEqual(['skip too-late']);
    expect(deregistered()).toEqual([]);
  });

  it('whose elb attachment is DELETED is left to ECS, which says it has done it', async () => {
    const { tasks } = spotService(aws);

    const result = await drainer(time).batch(tasks[0]?.event({ lastStatus: 'STOPPING', elb: 'DELETED', version: 7 }));

    expect(reasons(result)).toEqual(['skip deregistered-by-ecs']);
    expect(deregistered()).toEqual([]);
  });

  it('never brings secrets from overrides into the log or the ledger', async () => {
    const { tasks } = spotService(aws);
    const event = tasks[0]?.event() ?? taskStateChange();
    const overrides = { containerOverrides: [{ name: 'app', environment: [{ name: 'DB', value: 'swordfish' }] }] };
    const { batch, runtime, world } = drainer(time);

    await batch({ ...event, detail: { ...event.detail, overrides } });

    expect(deregistered()).toHaveLength(1);
    expect(JSON.stringify([runtime.decisions, storedRecords(world), world.inbox])).not.toContain('swordfish');
  });
});

function strange(type: string) {
  return { id: type, type, status: 'ATTACHED', details: [{ name: 'clientAliases', value: ['not', 'a', 'text'] }] };
}

describe('one interruption in five events', () => {
  const events = (task: { event: (o?: object) => unknown } | undefined) => [
    task?.event({ lastStatus: 'RUNNING', version: 5 }),
    task?.event({ lastStatus: 'DEACTIVATING', version: 6 }),
    task?.event({ lastStatus: 'STOPPING', version: 7, elb: 'DELETED' }),
    task?.event({ lastStatus: 'DEPROVISIONING', version: 8, elb: 'DELETED' }),
    task?.event({ lastStatus: 'STOPPED', version: 9, elb: 'DELETED' }),
  ];

  it('makes one call, one incident and one check, which closes it', async () => {
    const { tasks } = spotService(aws);
    const { batch, pump, world } = drainer(time);
    const task = tasks[0];

    const seen: string[] = [];
    for (const event of events(task)) {
      seen.push(...reasons(await batch(event)));
      aws.clock.advance(5 * SECOND);
    }
    aws.clock.advance(15 * SECOND);
    const checks: string[] = [];
    for (let result = await pump(); result !== undefined; result = await pump()) checks.push(...reasons(result));

    expect(seen).toEqual([
      'act spot-interruption',
      'skip duplicate',
      'skip duplicate',
      'defer task-gone',
      'skip duplicate',
    ]);
    expect(deregistered()).toHaveLength(1);
    expect(checks.filter((one) => one !== 'skip superseded')).toEqual(['skip resolved']);
    expect(storedState(world, task?.arn ?? '')?.incident).toBeUndefined();
  });

  it('in one batch makes no call at all: the latest of them says the task has stopped', async () => {
    const { tasks } = spotService(aws);

    const result = await drainer(time).batch(...events(tasks[0]));

    expect(reasons(result)).toEqual(['skip task-gone']);
    expect(deregistered()).toEqual([]);
  });

  it('backwards makes no call at all, though DescribeTasks still shows the task running', async () => {
    const { tasks } = spotService(aws);
    const { batch } = drainer(time);

    const seen: string[] = [];
    for (const event of events(tasks[0]).reverse()) seen.push(...reasons(await batch(event)));

    expect(seen).toEqual(Array.from({ length: 5 }, () => 'skip task-gone'));
    expect(deregistered()).toEqual([]);
  });

  it('of a task that ECS does not know touches only what its target group knows', async () => {
    const { tasks } = spotService(aws);
    for (const { arn } of tasks) aws.ecs.removeTask(arn);
    const { batch } = drainer(time);

    const stranger = await batch(tasks[0]?.event({ ipv4: '10.9.9.9' }));
    const known = await batch(tasks[1]?.event());

    expect([...reasons(stranger), ...reasons(known)]).toEqual(['skip already-draining', 'act spot-interruption']);
    expect(deregistered()).toHaveLength(1);
    expect(draining()).toEqual(['10.0.0.2:8080']);
  });

  it('is too late where DescribeTasks knows that the task has stopped', async () => {
    const { tasks } = spotService(aws);
    aws.ecs.addTask(tasks[0]?.event({ lastStatus: 'STOPPED', version: 9 }).detail ?? {});

    const result = await drainer(time).batch(tasks[0]?.event());

    expect(reasons(result)).toEqual(['skip task-gone']);
  });

  it('goes on with the event where DescribeTasks does not answer', async () => {
    const { tasks } = spotService(aws);
    aws.fault('DescribeTasks', new AwsError('AccessDeniedException', 'no'), 9);

    await drainer(time).batch(tasks[0]?.event());

    expect(draining()).toEqual(['10.0.0.1:8080']);
  });

  it('delivered twice acts once', async () => {
    const { tasks } = spotService(aws);
    const { batch } = drainer(time);

    await batch(tasks[0]?.event());
    const again = await batch(tasks[0]?.event());

    expect(reasons(again)).toEqual(['skip duplicate']);
    expect(deregistered()).toHaveLength(1);
  });
});

describe('target groups', () => {
  const places = (...groups: readonly [name: string, port: number][]) =>
    groups.map(([name, containerPort]) => ({ targetGroupArn: groupArn(name), containerName: 'app', containerPort }));

  it('are all drained, each with its own port, one call each for the whole batch', async () => {
    const { tasks } = spotService(aws, { service: { loadBalancers: places(['web', 8080], ['grpc', 9090]) } });
    const targets = tasks.map(({ ipv4 }) => ({ id: ipv4, port: 9090, state: 'healthy' }));
    aws.elbv2.addGroup('grpc', { targets });

    await drainer(time).batch(tasks[0]?.event());
    await drainer(time).batch(...tasks.slice(1, 3).map((task) => task.event()));

    expect(draining('web')).toEqual(['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080']);
    expect(draining('grpc')).toEqual(['10.0.0.1:9090', '10.0.0.2:9090', '10.0.0.3:9090']);
    expect(deregistered()).toHaveLength(4);
  });

  it('of a blue/green service are drained on both sides: either may be live', async () => {
    const alternate = { alternateTargetGroupArn: groupArn('green') };
    const [place] = places(['web', 8080]);
    const { tasks } = spotService(aws, {
      service: { loadBalancers: [{ ...place, advancedConfiguration: alternate }] },
    });
    aws.elbv2.addGroup('green', { targets: [{ id: '10.0.0.1', port: 8080, state: 'healthy' }] });

    await drainer(time).batch(tasks[0]?.event());

    expect([draining('web'), draining('green')]).toEqual([['10.0.0.1:8080'], ['10.0.0.1:8080']]);
  });

  it.each([
    ['of the task set that started it', 'ecs-svc/2', [[], ['10.0.0.1:8080']]],
    ['of every task set where none is known to have started it', 'ecs-svc/9', [['10.0.0.1:8080'], ['10.0.0.1:8080']]],
  ])('are those %s', async (_, startedBy, drained) => {
    const taskSets = [
      { id: 'ecs-svc/1', loadBalancers: places(['web', 8080]) },
      { id: 'ecs-svc/2', loadBalancers: places(['green', 8080]) },
    ];
    const { tasks } = spotService(aws, {
      service: { loadBalancers: [], taskSets, deploymentController: { type: 'CODE_DEPLOY' } },
    });
    const targets = ['10.0.0.1', '10.0.0.2'].map((id) => ({ id, port: 8080, state: 'healthy' }));
    aws.elbv2.addGroup('green', { targets });
    aws.ecs.removeTask(tasks[0]?.arn ?? '');

    await drainer(time).batch(tasks[0]?.event({ startedBy }));

    expect([draining('web'), draining('green')]).toEqual(drained);
  });

  it('that the service names by tag are drained with the ports they know themselves', async () => {
    const tags = { 'reflex:enabled': 'true', 'reflex:target-groups': `${groupArn('web')} ${groupArn('extra')}` };
    const { tasks } = spotService(aws, { tags });
    const others = [{ id: '10.0.0.2', port: 7000, state: 'healthy' }];
    const own = [7000, 7001].map((port) => ({ id: '10.0.0.1', port, state: 'healthy' }));
    aws.elbv2.addGroup('extra', { targets: [...own, ...others] });

    await drainer(time).batch(tasks[0]?.event());

    expect(draining('extra')).toEqual(['10.0.0.1:7000', '10.0.0.1:7001']);
    expect(draining('web')).toEqual(['10.0.0.1:8080']);
  });

  it('of IPv6 get the IPv6 address of a dual-stack task, those of IPv4 the other', async () => {
    const { tasks, group } = spotService(aws, { service: { loadBalancers: places(['web', 8080], ['six', 8080]) } });
    const targets = [{ id: 'fd00::1', port: 8080, state: 'healthy' }];
    aws.elbv2.addGroup('six', { ipAddressType: 'ipv6', targets });

    const result = await drainer(time).batch(tasks[0]?.event({ ipv6: 'fd00::1' }));

    expect(result.outcomes[0]?.actions.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(draining('six')).toEqual(['fd00::1:8080']);
    expect(aws.elbv2.targetsIn(group.arn, 'draining')).toEqual(['10.0.0.1:8080']);
  });

  it.each([
    ['IPv6', places(['six', 8080]), 'defer address-unknown'],
    ['IPv6 beside IPv4', places(['web', 8080], ['six', 8080]), 'act spot-interruption'],
  ])('of %s, where only the IPv4 address is known, are asked for again', async (_, loadBalancers, expected) => {
    const { tasks } = spotService(aws, { service: { loadBalancers } });
    const targets = ['fd00::1', 'fd00::2'].map((id) => ({ id, port: 8080, state: 'healthy' }));
    aws.elbv2.addGroup('six', { ipAddressType: 'ipv6', targets });
    const { batch, pump } = drainer(time);

    const result = await batch(tasks[0]?.event());
    aws.ecs.addTask(taskDetail({ id: tasks[0]?.id ?? '', ipv4: '10.0.0.1', ipv6: 'fd00::1', version: 7 }));
    aws.clock.advance(5 * SECOND);
    await pump();

    expect(reasons(result)).toEqual([expected]);
    expect(result.outcomes[0]?.why).toContain('six');
    expect(draining('six')).toEqual(['fd00::1:8080']);
  });

  it('that are deleted before the check end the incident', async () => {
    const { tasks, group } = spotService(aws);
    const { batch, pump, world } = drainer(time);
    await batch(tasks[0]?.event());
    aws.elbv2.groups.delete(group.arn);
    aws.clock.advance(35 * SECOND);

    const check = await pump();

    expect(check && reasons(check)).toEqual(['skip resolved']);
    expect(check?.batchItemFailures).toEqual([]);
    expect(storedState(world, tasks[0]?.arn ?? '')?.incident).toBeUndefined();
  });

  it('that do not exist any more stop no other, and are no failure', async () => {
    const { tasks } = spotService(aws, { service: { loadBalancers: places(['gone', 8080], ['web', 8080]) } });

    const result = await drainer(time).batch(tasks[0]?.event());

    expect(reasons(result)).toEqual(['act spot-interruption']);
    expect(draining()).toEqual(['10.0.0.1:8080']);
  });

  it.each([
    ['AccessDenied', 'escalate access-denied'],
    ['SomethingNew', 'escalate act-failed'],
  ])('of which one answers %s stop no other task and no other group', async (code, reason) => {
    const one = spotService(aws, { name: 'one' });
    const two = spotService(aws, { name: 'two', from: 11 });
    aws.fault(
      'DeregisterTargets',
      (input) => (input.TargetGroupArn === one.group.arn ? new AwsError(code, 'no') : undefined),
      9,
    );

    const result = await drainer(time).batch(one.tasks[0]?.event(), two.tasks[0]?.event());

    expect(reasons(result)).toEqual([reason, 'act spot-interruption']);
    expect(result.outcomes[0]?.actions).toMatchObject([{ error: expect.stringContaining(code) }]);
    expect(draining('two')).toEqual(['10.0.0.11:8080']);
  });

  it('that refuse one target of many are asked for the others apart', async () => {
    const { tasks, group } = spotService(aws, { tasks: 12 });
    group.targets.splice(0, 5);
    const refuse = (input: { readonly Targets?: unknown }) =>
      JSON.stringify(input.Targets).includes('"10.0.0.7"')
        ? new AwsError('InvalidTarget', 'no such address')
        : undefined;
    aws.fault('DeregisterTargets', refuse, 99);

    const result = await drainer(time).batch(...tasks.slice(5, 9).map((task) => task.event()));

    expect(draining()).toEqual(['10.0.0.6:8080', '10.0.0.8:8080', '10.0.0.9:8080']);
    expect(reasons(result)).toEqual([
      'act spot-interruption',
      'escalate act-failed',
      'act spot-interruption',
      'act spot-interruption',
    ]);
  });
});

describe('another account', () => {
  it('with the same names of cluster and service is never taken for this one', async () => {
    const { tasks } = spotService(aws);
    const event = JSON.parse(JSON.stringify(tasks[0]?.event()).replaceAll('111122223333', '999988887777'));

    const result = await drainer(time).batch(event);

    expect(reasons(result)).toEqual(['skip service-gone']);
    expect(deregistered()).toEqual([]);
  });

  it('nor another Region', async () => {
    const { tasks } = spotService(aws);
    const event = JSON.parse(JSON.stringify(tasks[0]?.event()).replaceAll('eu-west-1', 'us-east-1'));

    const result = await drainer(time).batch(event);

    expect(reasons(result)).toEqual(['skip service-gone']);
    expect(deregistered()).toEqual([]);
  });
});

describe('an event that says otherwise than ECS', () => {
  it.each([
    ['of the address takes its own target out, not another task’s', '10.0.0.1', '10.0.0.2'],
    ['of the service is about the one that ECS names', 'service:web', 'service:api'],
  ])('%s', async (_, own, others) => {
    const { tasks } = spotService(aws);
    const event = JSON.parse(JSON.stringify(tasks[0]?.event({ version: 99 })).replaceAll(`"${own}"`, `"${others}"`));

    const result = await drainer(time).batch(event);

    expect(reasons(result)).toEqual(['act spot-interruption']);
    expect(draining()).toEqual(['10.0.0.1:8080']);
  });
});

describe('services that have not opted in', () => {
  it('cost no read of their target groups and registries, cold or warm', async () => {
    const { tasks } = spotService(aws, { tags: {}, registry: 'srv-web' });
    const { batch } = drainer(time);

    await batch(...tasks.map((task) => task.event()));
    await batch(...tasks.map((task) => task.event({ lastStatus: 'STOPPING', version: 7 })));

    expect(new Set(aws.calls.map(({ operation }) => operation))).toEqual(
      new Set(['DescribeTasks', 'DescribeServices', 'DescribeTaskDefinition']),
    );
  });
});

describe('throttling, which comes as HTTP 400', () => {
  const throttled = new AwsError('ThrottlingException', 'Rate exceeded');

  it('is waited out inside the invocation', async () => {
    const { tasks } = spotService(aws);
    aws.fault('DeregisterTargets', throttled, 20);

    const result = await drainer(time).batch(tasks[0]?.event());

    expect(reasons(result)).toEqual(['act spot-interruption']);
    expect(draining()).toEqual(['10.0.0.1:8080']);
    expect(aws.clock() - at).toBeLessThan(60 * SECOND);
  });

  it('is given up when the task is gone meanwhile: its address may be another’s', async () => {
    const { tasks } = spotService(aws);
    const [task] = tasks;
    const busy = new AwsError('ThrottlingException', 'Rate exceeded');
    const untilGone = () => {
      if (aws.clock() < at + 20 * SECOND) return busy;
      aws.ecs.changeTask(task?.arn ?? '', { lastStatus: 'STOPPED', desiredStatus: 'STOPPED', version: 9 });
      return aws.clock() < at + 33 * SECOND ? busy : undefined;
    };
    aws.fault('DeregisterTargets', untilGone, 1_000);

    const result = await drainer(time).batch(task?.event());

    expect(reasons(result)).toEqual(['skip task-gone']);
    expect(aws.clock()).toBeLessThan(at + 60 * SECOND);
    expect(draining()).toEqual([]);
  });

  it('is given up at T0 + 60 s, and looked at again', async () => {
    const { tasks } = spotService(aws);
    aws.fault('DeregisterTargets', throttled, 9_999);

    const result = await drainer(time).batch(tasks[0]?.event());

    expect(reasons(result)).toEqual(['defer rate-limited']);
    expect(aws.clock() - at).toBeGreaterThan(58 * SECOND);
    expect(aws.clock() - at).toBeLessThan(60 * SECOND);
  });

  it('of what is read is waited out as well', async () => {
    const { tasks } = spotService(aws);
    aws.fault('DescribeServices', throttled, 12);

    await drainer(time).batch(tasks[0]?.event());

    expect(draining()).toEqual(['10.0.0.1:8080']);
  });
});

describe('Cloud Map', () => {
  it('loses the instance of the task, known by its id', async () => {
    const { tasks } = spotService(aws, { registry: 'srv-web' });

    const result = await drainer(time).batch(tasks[0]?.event());

    expect(result.outcomes[0]?.actions.map(({ call }) => call)).toEqual(['DeregisterTargets', 'DeregisterInstance']);
    expect(aws.servicediscovery.instances('srv-web')).toEqual(tasks.slice(1).map(({ id }) => id));
  });

  it('loses the instance of the task, known by its address alone', async () => {
    const { tasks } = spotService(aws, { registry: 'srv-web' });
    aws.servicediscovery.addService('srv-web');
    aws.servicediscovery.register('srv-web', 'one', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    aws.servicediscovery.register('srv-web', 'two', { AWS_INSTANCE_IPV4: '10.0.0.2' });

    await drainer(time).batch(tasks[0]?.event());

    expect(aws.servicediscovery.instances('srv-web')).toEqual(['two']);
  });

  it('keeps its last instance until the task is STOPPING', async () => {
    const { tasks } = spotService(aws, { tasks: 2, registry: 'srv-web' });
    const { batch } = drainer(time);

    await batch(...tasks.map((task) => task.event()));
    const kept = aws.servicediscovery.instances('srv-web');
    await batch(...tasks.map((task) => task.event({ lastStatus: 'STOPPING', version: 7 })));

    expect(kept).toEqual([tasks[0]?.id]);
    expect(aws.servicediscovery.instances('srv-web')).toEqual([]);
  });

  it('keeps its last instance though those of the batch before are still listed: deregistering takes its time', async () => {
    const { tasks } = spotService(aws, { registry: 'srv-web' });
    const { batch } = drainer(time);

    await batch(...tasks.slice(0, 2).map((task) => task.event()));
    for (const { id, ipv4 } of tasks.slice(0, 2))
      aws.servicediscovery.register('srv-web', id, { AWS_INSTANCE_IPV4: ipv4 });
    await batch(...tasks.slice(2).map((task) => task.event()));

    const [first] = tasks.slice(2);
    expect(aws.servicediscovery.instances('srv-web')).toContain(first?.id);
  });

  it('that takes half a minute to deregister is given it: no second call, and nobody is told', async () => {
    const { tasks } = spotService(aws, {
      registry: 'srv-web',
      service: { loadBalancers: [], serviceRegistries: [{ registryArn: registryArn('srv-web') }] },
    });
    const { batch, pump, world } = drainer(time);
    const seen = reasons(await batch(tasks[0]?.event()));
    aws.servicediscovery.register('srv-web', tasks[0]?.id ?? '', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    aws.ecs.addTask(tasks[0]?.event({ lastStatus: 'STOPPING', version: 7 }).detail ?? {});
    for (let second = 1; second <= 100; second++) {
      aws.clock.advance(SECOND);
      if (second === 30) aws.servicediscovery.remove('srv-web', tasks[0]?.id ?? '');
      const result = await pump();
      if (result !== undefined) seen.push(...reasons(result));
    }

    expect(seen).toEqual(['act spot-interruption', 'skip resolved']);
    expect(aws.called('DeregisterInstance')).toHaveLength(1);
    expect(world.told.map(({ record }) => record.reason)).toEqual(['spot-interruption']);
  });

  it('that never deregisters its instance is told of when the task is gone, with the call to make', async () => {
    const { tasks } = spotService(aws, { registry: 'srv-web' });
    const { batch, pump } = drainer(time);
    await batch(tasks[0]?.event());
    aws.servicediscovery.register('srv-web', tasks[0]?.id ?? '', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    aws.ecs.addTask(tasks[0]?.event({ lastStatus: 'STOPPED', version: 9 }).detail ?? {});
    aws.clock.advance(95 * SECOND);
    const check = await pump();

    expect(check?.outcomes).toMatchObject([
      {
        decision: 'escalate',
        reason: 'still-registered',
        advice: `aws servicediscovery deregister-instance --service-id srv-web --instance-id ${tasks[0]?.id}`,
      },
    ]);
  });

  it('never loses the instance of the task that has the address now, though nobody tells that the other is dead', async () => {
    const { tasks } = spotService(aws, { registry: 'srv-web' });
    const [dead, next, ...rest] = tasks;
    const kept = [next?.id, ...rest.map(({ id }) => id)];
    aws.servicediscovery.remove('srv-web', dead?.id ?? '');
    aws.servicediscovery.remove('srv-web', next?.id ?? '');
    aws.servicediscovery.register('srv-web', next?.id ?? '', { AWS_INSTANCE_IPV4: dead?.ipv4 ?? '' });
    aws.fault('DescribeTasks', new AwsError('ServerException', 'oops', 500), 1_000);

    await drainer(time).batch(dead?.event());

    expect(aws.servicediscovery.instances('srv-web').sort()).toEqual(kept.sort());
  });

  it('never loses what another service registered under the same address', async () => {
    const { tasks } = spotService(aws, { registry: 'srv-web' });
    aws.servicediscovery.addService('srv-web');
    const named = (ECS_SERVICE_NAME: string) => ({ AWS_INSTANCE_IPV4: '10.0.0.1', ECS_SERVICE_NAME });
    aws.servicediscovery.register('srv-web', 'theirs', named('other'));
    aws.servicediscovery.register('srv-web', 'ours', named('web'));
    aws.servicediscovery.register('srv-web', 'third', { AWS_INSTANCE_IPV4: '10.0.0.2' });

    await drainer(time).batch(tasks[0]?.event());

    expect(aws.servicediscovery.instances('srv-web')).toEqual(['theirs', 'third']);
  });

  it('that another account shares is named by its ARN', async () => {
    const arn = registryArn('srv-shared', '999988887777');
    const { tasks } = spotService(aws, { service: { serviceRegistries: [{ registryArn: arn }] } });
    aws.servicediscovery.addService(arn);
    for (const { id } of tasks) aws.servicediscovery.register(arn, id);

    await drainer(time).batch(tasks[0]?.event());

    expect(aws.called('DeregisterInstance')).toEqual([{ ServiceId: arn, InstanceId: tasks[0]?.id }]);
  });

  it.each(['InstanceNotFound', 'DuplicateRequest', 'ServiceNotFound'])('that says %s is done', async (code) => {
    const { tasks } = spotService(aws, { registry: 'srv-web' });
    aws.fault('DeregisterInstance', new AwsError(code, 'gone already'));

    expect(reasons(await drainer(time).batch(tasks[0]?.event()))).toEqual(['act spot-interruption']);
  });

  it('that cannot be listed is asked by the id of the task, and stops no target group', async () => {
    const { tasks } = spotService(aws, { registry: 'srv-web' });
    aws.fault('ListInstances', new AwsError('AccessDeniedException', 'no'), 9);

    await drainer(time).batch(tasks[0]?.event());

    expect(draining()).toEqual(['10.0.0.1:8080']);
    expect(aws.servicediscovery.instances('srv-web')).not.toContain(tasks[0]?.id);
  });
});

describe('the last target', () => {
  it('stays while its whole group goes, until its own STOPPING', async () => {
    const { tasks } = spotService(aws);
    const { batch } = drainer(time);

    const first = await batch(...tasks.map((task) => task.event()));
    const kept = aws.elbv2.targetsIn(groupArn('web'), 'healthy');
    aws.clock.advance(22 * SECOND);
    const second = await batch(...tasks.map((task) => task.event({ lastStatus: 'STOPPING', version: 7 })));

    expect(kept).toEqual(['10.0.0.1:8080']);
    expect(reasons(first)).toEqual(['defer last-target', ...Array.from({ length: 3 }, () => 'act spot-interruption')]);
    expect(reasons(second)).toEqual(['act spot-interruption', ...Array.from({ length: 3 }, () => 'skip duplicate')]);
    expect(draining()).toHaveLength(4);
  });

  it('is let go as soon as a replacement serves', async () => {
    const { tasks, group } = spotService(aws, { tasks: 1 });
    const { batch, pump } = drainer(time);

    const first = await batch(tasks[0]?.event());
    aws.ecs.addTask(tasks[0]?.event().detail ?? {});
    group.targets.push({ id: '10.0.0.99', port: 8080, state: 'initial' });
    aws.clock.advance(15 * SECOND);
    const check = await pump();

    expect(reasons(first)).toEqual(['defer last-target']);
    expect(check && reasons(check)).toEqual(['act spot-interruption']);
    expect(draining()).toEqual(['10.0.0.1:8080']);
  });

  it.each([
    ['in two batches', 2],
    ['one by one', 4],
  ])('stays though the group goes %s', async (_, batches) => {
    const { tasks } = spotService(aws);
    const { batch } = drainer(time);
    const size = tasks.length / batches;

    for (let i = 0; i < tasks.length; i += size) await batch(...tasks.slice(i, i + size).map((task) => task.event()));

    expect(aws.elbv2.targetsIn(groupArn('web'), 'healthy')).toHaveLength(1);
  });

  it('stays where one whole task set goes, though others of the service run elsewhere', async () => {
    const loadBalancers = [{ targetGroupArn: groupArn('green'), containerName: 'app', containerPort: 8080 }];
    const green = { id: 'ecs-svc/2', runningCount: 2, loadBalancers };
    const blue = { id: 'ecs-svc/1', runningCount: 10, loadBalancers: [] };
    const { tasks } = spotService(aws, { tasks: 2, service: { runningCount: 12, taskSets: [blue, green] } });
    const targets = tasks.map(({ ipv4 }) => ({ id: ipv4, port: 8080, state: 'healthy' }));
    aws.elbv2.addGroup('green', { targets });
    for (const { arn } of tasks) aws.ecs.removeTask(arn);

    await drainer(time).batch(...tasks.map((task) => task.event({ startedBy: 'ecs-svc/2' })));

    expect(aws.elbv2.targetsIn(groupArn('green'), 'healthy')).toEqual(['10.0.0.1:8080']);
  });

  it('is not one that is interrupted as well and stays for now: the later one stays, too', async () => {
    const { tasks, group } = spotService(aws, { tasks: 1 });
    const { batch } = drainer(time);
    const later = spotService(aws, { name: 'later', tasks: 1, from: 9 });
    aws.ecs.changeService('later', { loadBalancers: aws.ecs.getService('web').loadBalancers });

    await batch(tasks[0]?.event());
    group.targets.push({ id: '10.0.0.9', port: 8080, state: 'healthy' });
    aws.clock.advance(10 * SECOND);
    const second = await batch(later.tasks[0]?.event({ stoppingAt: aws.clock() }));

    expect(reasons(second)).toEqual(['defer last-target']);
    expect(aws.elbv2.targetsIn(group.arn, 'healthy')).toEqual(['10.0.0.1:8080', '10.0.0.9:8080']);
  });

  it('is not one that another invocation is taking out, whose event brought no address', async () => {
    const { tasks, group } = spotService(aws, { tasks: 3 });
    const [bare, full, before] = tasks;
    const one = drainer(time);
    const two = drainer(time, { world: one.world });
    await one.batch(before?.event());
    group.targets.pop();

    await one.batch(bare?.event({ attachments: [], containers: [] }));
    for (const target of group.targets) target.state = 'healthy';
    const read = await two.batch(full?.event());

    expect(reasons(read)).toEqual(['defer last-target']);
  });

  it('is another that still serves, though it belongs to another service', async () => {
    const { tasks, group } = spotService(aws);
    group.targets.push({ id: '10.0.9.9', port: 8080, state: 'healthy' });

    await drainer(time).batch(...tasks.map((task) => task.event()));

    expect(draining()).toHaveLength(4);
  });

  it('is none that is ill or drains already', async () => {
    const { tasks, group } = spotService(aws);
    group.targets.push({ id: '10.0.9.9', port: 8080, state: 'unhealthy' });
    group.targets.push({ id: '10.0.9.8', port: 8080, state: 'draining', drainingSince: at });

    await drainer(time).batch(...tasks.map((task) => task.event()));

    expect(aws.elbv2.targetsIn(groupArn('web'), 'healthy')).toEqual(['10.0.0.1:8080']);
  });

  it.each([
    ['stack', { KEEP_LAST_TARGET: 'false' }, {}],
    ['service', {}, { 'reflex:keep-last-target': 'false' }],
  ])('goes with the others where its %s wants it so', async (_, env, tags) => {
    const { tasks } = spotService(aws, { tags: { 'reflex:enabled': 'true', ...tags } });

    await drainer(time, { env }).batch(...tasks.map((task) => task.event()));

    expect(draining()).toHaveLength(4);
  });
});

describe('permission to act', () => {
  it.each([
    ['no tag', {}, 'skip not-opted-in'],
    ['a tag that says false', { 'reflex:enabled': 'false' }, 'skip not-opted-in'],
    ['a tag it does not know', { 'reflex:enabled': 'true', 'reflex:keep-last': 'yes' }, 'escalate bad-tag'],
    ['target groups that are none', { 'reflex:enabled': 'true', 'reflex:target-groups': 'web' }, 'escalate bad-tag'],
  ])('is not given by %s', async (_, tags, reason) => {
    const { tasks } = spotService(aws, { tags });

    const result = await drainer(time).batch(tasks[0]?.event());

    expect(reasons(result)).toEqual([reason]);
    expect(deregistered()).toEqual([]);
  });

  it('leaves no trace of tasks whose service has not opted in', async () => {
    const { tasks } = spotService(aws, { tags: {} });
    const { batch, world } = drainer(time);

    await batch(tasks[0]?.event());
    await batch(tasks[0]?.event({ lastStatus: 'STOPPED', version: 9 }));

    expect(world.table.rows()).toEqual([]);
  });

  it('is shared with the tags of restore-capacity', async () => {
    const { tasks } = spotService(aws, { tags: { 'reflex:enabled': 'true', 'reflex:fallback-service': 'web-od' } });

    expect(reasons(await drainer(time).batch(tasks[0]?.event()))).toEqual(['act spot-interruption']);
  });

  it('is not given in a dry run, which names the same call', async () => {
    const { tasks } = spotService(aws);

    const { outcomes } = await drainer(time, { stackMode: 'dry-run' }).batch(tasks[0]?.event());

    expect(outcomes).toMatchObject([
      {
        decision: 'act',
        dryRun: true,
        actions: [{ call: 'DeregisterTargets', params: { Targets: [{ Id: '10.0.0.1', Port: 8080 }] } }],
      },
    ]);
    expect(deregistered()).toEqual([]);
  });

  it.each(['read', 'written'])('needs no ledger that can be %s, but the tag', async (when) => {
    const web = spotService(aws);
    const other = spotService(aws, { name: 'other', from: 11, tags: {} });
    const port = when === 'read' ? 'table.getMany' : 'table.putIfVersion';
    const { batch } = drainer(time, { trouble: (name) => (name === port ? 'refused' : 'none') });

    const result = await batch(web.tasks[0]?.event(), other.tasks[0]?.event());

    expect(reasons(result)).toEqual(['act spot-interruption', 'skip not-opted-in']);
    expect(draining()).toEqual(['10.0.0.1:8080']);
  });

  it('is not found in a calendar that cannot be read, nor in one and a dry run', async () => {
    const { tasks } = spotService(aws);
    const calendar = async () => {
      throw new Error('no calendar');
    };

    const dry = await drainer(time, { calendar, stackMode: 'dry-run' }).batch(tasks[0]?.event());
    const before = deregistered().length;
    const real = await drainer(time, { calendar }).batch(tasks[0]?.event());

    expect(dry.outcomes).toMatchObject([{ decision: 'act', dryRun: true }]);
    expect(before).toBe(0);
    expect(reasons(real)).toEqual(['act spot-interruption']);
  });

  it('is no matter of numbers: thirty tasks at once are thirty tasks to drain', async () => {
    const { tasks } = spotService(aws, { tasks: 40 });

    const result = await drainer(time, { stormLimit: 10 }).batch(...tasks.slice(0, 30).map((task) => task.event()));

    expect(new Set(reasons(result))).toEqual(new Set(['act spot-interruption']));
    expect(deregistered()).toHaveLength(1);
  });
});

it('never stops a task, changes a target group or raises a count', async () => {
  const { tasks } = spotService(aws, { registry: 'srv-web', stopTimeout: 30, group: { delaySeconds: 300 } });
  const { batch, pump } = drainer(time);

  await batch(...tasks.map((task) => task.event()));
  await batch(...tasks.map((task) => task.event({ lastStatus: 'STOPPING', version: 7 })));
  aws.clock.advance(120 * SECOND);
  while ((await pump()) !== undefined);

  const writes = aws.calls.map(({ operation }) => operation).filter((name) => !/^(Describe|List)/.test(name));
  expect(new Set(writes)).toEqual(new Set(['DeregisterTargets', 'DeregisterInstance']));
});

it('a target that somebody registers again is told of after three tries, and nothing is held', async () => {
  const { tasks, group } = spotService(aws);
  const { batch, pump, world } = drainer(time);
  aws.ecs.addTask(tasks[0]?.event().detail ?? {});
  const seen: string[] = [];

  seen.push(...reasons(await batch(tasks[0]?.event())));
  for (let i = 0; i < 3; i++) {
    Object.assign(group.targets[0] ?? {}, { state: 'healthy', drainingSince: Number.POSITIVE_INFINITY });
    aws.clock.advance(34 * SECOND);
    for (let result = await pump(); result !== undefined; result = await pump()) seen.push(...reasons(result));
    aws.clock.advance(SECOND);
    for (let result = await pump(); result !== undefined; result = await pump()) seen.push(...reasons(result));
  }

  expect(seen).toEqual([...Array.from({ length: 3 }, () => 'act spot-interruption'), 'escalate still-registered']);
  expect(storedState(world, tasks[0]?.arn ?? '')).not.toHaveProperty('hold');
});

describe('what cannot be found', () => {
  it('a service that is gone is said to be gone', async () => {
    const result = await drainer(time).batch(taskStateChange({ service: 'deleted' }));

    expect(reasons(result)).toEqual(['skip service-gone']);
  });

  it('a cluster that cannot be read fails its own messages only', async () => {
    const { tasks } = spotService(aws);
    const denied = new AwsError('AccessDeniedException', 'not authorized to perform ecs:DescribeServices');
    aws.fault(
      'DescribeServices',
      (input) => (String(input.cluster).endsWith('cluster/other') ? denied : undefined),
      99,
    );

    const result = await drainer(time).batch(taskStateChange({ cluster: 'other' }), tasks[0]?.event());

    expect(reasons(result)).toEqual(['escalate access-denied', 'act spot-interruption']);
    expect(result.batchItemFailures).toHaveLength(1);
  });

  it('what was never known to be drained is told, and not called resolved', async () => {
    const { tasks } = spotService(aws, { group: { ipAddressType: 'ipv6' } });
    const { batch, pump } = drainer(time);
    await batch(tasks[0]?.event());

    const seen: string[] = [];
    for (let i = 0; i < 40; i++) {
      aws.clock.advance(5 * SECOND);
      const check = await pump();
      if (check !== undefined) seen.push(...reasons(check));
    }

    expect(seen.at(-1)).toBe('escalate address-unknown');
    expect(seen).not.toContain('skip resolved');
  });

  it('a notice that claims to come from the future is of now, and its check comes in time', async () => {
    const { tasks } = spotService(aws);
    const { batch, world } = drainer(time);

    const { outcomes } = await batch(tasks[0]?.event({ stoppingAt: aws.clock() + 10 * 365 * 86_400 * SECOND }));

    expect(outcomes[0]?.why).toMatch(/Spot interruption 0\.\d s ago/);
    expect(world.inbox.map(({ dueAt }) => dueAt - aws.clock() <= 100 * SECOND)).toEqual([true]);
  });

  it('a check that comes with a later event of the task still looks', async () => {
    const { tasks } = spotService(aws);
    const { batch, pump, world } = drainer(time);
    await batch(tasks[0]?.event());
    aws.clock.advance(35 * SECOND);
    const [check] = world.inbox.splice(0);

    const together = await batch(
      tasks[0]?.event({ lastStatus: 'STOPPING', version: 7 }),
      JSON.parse(check?.body ?? ''),
    );
    aws.clock.advance(5 * SECOND);
    const again = await pump();

    expect(reasons(together)).toEqual(['skip duplicate']);
    expect(again && reasons(again)).toEqual(['skip resolved']);
  });

  it('a check that comes with an event that was seen looks at the target all the same, and drains it again', async () => {
    const { tasks, group } = spotService(aws);
    const { batch, world } = drainer(time);
    await batch(tasks[0]?.event());
    Object.assign(group.targets[0] ?? {}, { state: 'healthy', drainingSince: Number.POSITIVE_INFINITY });
    aws.clock.advance(35 * SECOND);
    const [check] = world.inbox.splice(0);

    const together = await batch(
      tasks[0]?.event({ lastStatus: 'DEACTIVATING', version: 6 }),
      JSON.parse(check?.body ?? ''),
    );

    expect(reasons(together)).toEqual(['act spot-interruption']);
  });

  it('a check that comes with the second event of a task that is gone still tells what stayed registered', async () => {
    const { tasks, group } = spotService(aws);
    const { batch, world } = drainer(time);
    await batch(tasks[0]?.event());
    aws.clock.advance(30 * SECOND);
    await batch(tasks[0]?.event({ lastStatus: 'DEPROVISIONING', version: 8 }));
    aws.ecs.addTask(tasks[0]?.event({ lastStatus: 'STOPPED', version: 9 }).detail ?? {});
    Object.assign(group.targets[0] ?? {}, { state: 'unhealthy', drainingSince: Number.POSITIVE_INFINITY });
    aws.clock.advance(70 * SECOND);
    const due = world.inbox.splice(0).map(({ body }) => JSON.parse(body));

    const together = await batch(
      tasks[0]?.event({ lastStatus: 'STOPPED', version: 9, attachments: [], containers: [] }),
      ...due,
    );

    expect(reasons(together)).toEqual(['escalate still-registered']);
  });

  it('a task that ECS shows no more at its check closes the incident', async () => {
    const { tasks } = spotService(aws);
    const { batch, pump, world } = drainer(time);

    await batch(tasks[0]?.event());
    aws.ecs.removeTask(tasks[0]?.arn ?? '');
    aws.clock.advance(35 * SECOND);
    const check = await pump();

    expect(check && reasons(check)).toEqual(['skip task-gone']);
    expect(storedState(world, taskArn(tasks[0]?.id))?.incident).toBeUndefined();
  });
});

describe('people', () => {
  it('are told once a day of each service, with what its set-up costs', async () => {
    const web = spotService(aws, { tasks: 10, stopTimeout: 30, group: { delaySeconds: 300 } });
    const api = spotService(aws, { name: 'api', tasks: 10, from: 11 });
    const { batch, world } = drainer(time);

    await batch(...[...web.tasks.slice(0, 3), ...api.tasks.slice(0, 3)].map((task) => task.event()));
    aws.clock.advance(23 * 3_600 * SECOND);
    await batch(web.tasks[4]?.event({ stoppingAt: aws.clock() }));
    const within = world.told.map(({ record }) => record.why.replace(/.*in (\w+)\..*$/, '$1'));
    aws.clock.advance(2 * 3_600 * SECOND);
    await batch(web.tasks[5]?.event({ stoppingAt: aws.clock() }));

    expect(within).toEqual(['web', 'api']);
    expect(world.told).toHaveLength(3);
    expect(world.told[0]?.record.why).toMatch(/Findings: stopTimeout is 30 s.*deregistration delay of web is 300 s/);
  });

  it('are told by one of several instances', async () => {
    const { tasks } = spotService(aws, { tasks: 10 });
    const one = drainer(time);
    const two = drainer(time, { world: one.world });

    await Promise.all([one.batch(tasks[0]?.event()), two.batch(tasks[1]?.event())]);

    expect(one.world.told).toHaveLength(1);
  });

  it('are told of a new finding the same day, and of a failure', async () => {
    const { tasks } = spotService(aws, { tasks: 10 });
    const { batch, world } = drainer(time);

    await batch(tasks[0]?.event());
    aws.ecs.addService('web', { desiredCount: 1, runningCount: 10, loadBalancers: loadBalancersOfWeb });
    await batch(tasks[1]?.event());
    aws.fault('DeregisterTargets', new AwsError('AccessDenied', 'no'));
    await batch(tasks[2]?.event());

    expect(world.told.map(({ record }) => record.reason)).toEqual([
      'spot-interruption',
      'spot-interruption',
      'access-denied',
    ]);
  });

  it('are told though the ledger cannot keep it, once for each process', async () => {
    const { tasks } = spotService(aws, { tasks: 10 });
    const { batch, world } = drainer(time, { trouble: (name) => (name.startsWith('table') ? 'refused' : 'none') });

    await batch(tasks[0]?.event(), tasks[1]?.event());
    await batch(tasks[2]?.event());

    expect(world.told).toHaveLength(1);
  });

  it('find the service under its own name in the ledger', async () => {
    const { tasks } = spotService(aws);
    const { batch, world } = drainer(time);

    await batch(tasks[0]?.event());

    expect(Object.keys(storedState(world, serviceArn('web'))?.notified ?? {})).toEqual(['act spot-interruption']);
  });
});

const loadBalancersOfWeb = [{ targetGroupArn: groupArn('web'), containerName: 'app', containerPort: 8080 }];
