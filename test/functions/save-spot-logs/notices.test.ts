import { describe, expect, it } from 'vitest';
import { hear } from '../../../functions/save-spot-logs/hear.ts';
import { receive } from '../../../shared/events/envelope.ts';
import type { ReflexEvent } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';
import {
  alarmEvent,
  at,
  healthEvent,
  instanceId,
  instanceStateChange,
  lifecycleAction,
  lifecycleNotification,
  rebalanceRecommendation,
  spotInterruption,
  sqsBatch,
} from '../../support/event-builders.ts';
import { useFleet } from '../../support/fake-aws/fleet.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { saver } from '../../support/save-spot-logs.ts';

const fleet = await useFleet();
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const eventOf = (body: unknown): ReflexEvent => {
  const [parsed] = receive(sqsBatch(body)).messages.map(parse);
  if (parsed?.kind !== 'event') throw new Error('no event');
  return parsed.event;
};
const heardOf = async (body: unknown) => (await hear('eu-west-1')([eventOf(body)]))[0];

const tagsOf = (volume: string) => fleet.world.ec2.volumes.get(volume)?.tags;
const writes = () => fleet.calls.map(({ operation }) => operation).filter((name) => !/^(Describe|List|Get)/.test(name));

describe('hear', () => {
  const id = instanceId(7);
  const arn = `arn:aws:ec2:eu-west-1:111122223333:instance/${id}`;

  it.each([
    ['a warning', spotInterruption(id), `${id} terminate 2026-03-05T03:12:00Z`, 'interruption'],
    ['a recommendation', rebalanceRecommendation(id), `${id} rebalance`, 'rebalance'],
    ['a lifecycle action', lifecycleAction(id), `${id} hook 0befcbdb-6ecd-498a-9ff7-ae9b54447cd6`, 'lifecycle'],
    [
      'a hook’s own notification',
      lifecycleNotification(id),
      `${id} hook 0befcbdb-6ecd-498a-9ff7-ae9b54447cd6`,
      'lifecycle',
    ],
  ])('names the instance and the occurrence of %s', async (_, body, occurrence, kind) => {
    expect(await heardOf(body)).toMatchObject({
      signals: [{ resource: arn, trigger: 'event', occurrence, evidence: { kind } }],
    });
  });

  it('names every instance a scheduled change ends', async () => {
    const heard = await heardOf(
      healthEvent({ entities: [instanceId(1), instanceId(2), 'vol-1'], startsAt: at + HOUR }),
    );

    expect(heard).toMatchObject({
      signals: [1, 2].map((n) => ({
        resource: expect.stringContaining(instanceId(n)),
        evidence: { kind: 'scheduled-change', startsAt: Math.floor(at / SECOND) * SECOND + HOUR },
      })),
    });
  });

  it.each([
    ['not-terminating', lifecycleAction(id, { transition: 'autoscaling:EC2_INSTANCE_LAUNCHING' })],
    ['no-scheduled-change', healthEvent({ category: 'issue' })],
    ['no-scheduled-change', healthEvent({ service: 'RDS' })],
    ['instance-stays', healthEvent({ code: 'AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED' })],
    ['instance-stays', healthEvent({ code: 'AWS_EC2_SOMETHING_NEW' })],
    ['scheduled-change-closed', healthEvent({ status: 'closed' })],
    ['no-instance', healthEvent({ entities: ['vol-1'] })],
    ['no-notice', instanceStateChange(id)],
    ['no-notice', alarmEvent()],
  ])('leaves alone: %s', async (notForUs, body) => {
    expect(await heardOf(body)).toEqual({ notForUs });
  });
});

describe('a rebalance recommendation', () => {
  const recommended = (tags: Record<string, string> = {}) => {
    const s = saver(fleet);
    s.world.now = at + SECOND;
    fleet.addGroup('workers', { targetGroups: [fleet.world.elbv2.addGroup('web').arn] });
    const host = fleet.addHost({ group: 'workers', cluster: 'prod', tags: { 'reflex:enabled': 'true', ...tags } });
    return { s, host };
  };

  it('arms and copies ahead, and takes nothing out of service', async () => {
    const { s, host } = recommended();

    await s.batch(rebalanceRecommendation(host.id));
    await s.run(30 * MINUTE);

    expect(writes()).toEqual(['ModifyInstanceAttribute', 'CreateTags', 'SendCommand']);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'armed' });
    expect(fleet.made('SendCommand')).toMatchObject([
      { Parameters: { phase: ['pre-copy'], executionTimeout: ['600'] } },
    ]);
    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'skip', reason: 'logs-armed' });
    expect(s.world.inbox).toEqual([]);
  });

  it('drains where the instance asks for it, and still does not give it away', async () => {
    const { s, host } = recommended({ 'reflex:on-rebalance': 'drain' });

    await s.batch(rebalanceRecommendation(host.id));
    await s.run(30 * MINUTE);

    expect(writes()).toEqual(['ModifyInstanceAttribute', 'CreateTags', 'SendCommand', 'UpdateContainerInstancesState']);
    expect(s.world.inbox).toEqual([]);
  });

  it('is heeded once an instance', async () => {
    const { s, host } = recommended();

    for (let i = 0; i < 5; i++) {
      await s.batch(rebalanceRecommendation(host.id, at + i * 10 * MINUTE));
      await s.run(10 * MINUTE);
    }

    expect(writes()).toEqual(['ModifyInstanceAttribute', 'CreateTags', 'SendCommand']);
  });

  it('is followed by the interruption: the volume is kept already, its tag moves on, the delta is shipped', async () => {
    const { s, host } = recommended();
    await s.batch(rebalanceRecommendation(host.id));
    await s.run(20 * MINUTE);

    await s.batch(spotInterruption(host.id, { at: s.world.now - SECOND }));

    expect(writes().slice(3)).toEqual(['CreateTags', 'SendCommand']);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
    expect(fleet.made('SendCommand')[1]).toMatchObject({ Parameters: { phase: ['interruption'] } });
  });

  it('together with the interruption, in either order, is the interruption', async () => {
    for (const order of ['first', 'last']) {
      const { s, host } = recommended();
      const both = [rebalanceRecommendation(host.id), spotInterruption(host.id)];

      await s.batch(...(order === 'first' ? both : both.toReversed()));
      await s.run(60 * SECOND);

      expect(tagsOf(host.volume), order).toMatchObject({ 'reflex:rescue': 'pending' });
      expect(fleet.made('SendCommand')).toMatchObject([{ Parameters: { phase: ['interruption'] } }]);
      expect(fleet.count('ModifyInstanceAttribute')).toBe(1);
    }
  });

  it('is disarmed after a day: the tag goes, the volume and what tells of it stay', async () => {
    const { s, host } = recommended();
    await s.batch(rebalanceRecommendation(host.id));
    const tick = { source: 'reflex', 'detail-type': 'Tick' };
    await s.run(23 * HOUR);
    await s.batch(tick);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'armed' });

    await s.run(HOUR + MINUTE);
    await s.batch(tick);
    await s.run(2 * HOUR);

    expect(tagsOf(host.volume)?.['reflex:rescue']).toBeUndefined();
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:instance': host.id, 'reflex:device': '/dev/xvdf' });
    expect(fleet.world.ec2.instances.get(host.id)?.devices.find(({ volume }) => volume === host.volume)).toMatchObject({
      deleteOnTermination: false,
    });
    expect(s.outcomes().map(({ reason }) => reason)).toContain('disarm-logs');
    expect(s.world.inbox).toEqual([]);
  });

  it('is not disarmed while the instance is stopped: it may be terminated yet', async () => {
    const { s, host } = recommended();
    await s.batch(rebalanceRecommendation(host.id));
    await s.run(25 * HOUR);
    const instance = fleet.world.ec2.instances.get(host.id);
    if (instance) instance.state = 'stopped';

    await s.batch({ source: 'reflex', 'detail-type': 'Tick' });

    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'armed' });
  });
});

describe('a scheduled retirement', () => {
  it('arms until a day after it is due', async () => {
    const s = saver(fleet);
    s.world.now = at + SECOND;
    const host = fleet.addHost({ spot: false });
    const startsAt = at + 14 * 24 * HOUR;
    await s.batch(healthEvent({ entities: [host.id], startsAt }));
    await s.run(13 * 24 * HOUR);
    await s.batch({ source: 'reflex', 'detail-type': 'Tick' });

    expect(tagsOf(host.volume)).toMatchObject({
      'reflex:rescue': 'armed',
      'reflex:since': new Date(Math.floor(startsAt / 1_000) * 1_000).toISOString(),
    });
    expect(writes()).toEqual(['ModifyInstanceAttribute', 'CreateTags', 'SendCommand']);
  });
});

describe('a lifecycle hook', () => {
  const task = (n: number, lastStatus = 'RUNNING') => ({
    arn: `arn:aws:ecs:eu-west-1:111122223333:task/prod/${n}`,
    group: 'service:web',
    lastStatus,
    desiredStatus: 'RUNNING',
  });

  const held = ({ timeout = 3_600, spot = false, tasks = 1 } = {}) => {
    const s = saver(fleet);
    s.world.now = at + SECOND;
    const group = fleet.addGroup('orders-workers', { hooks: { 'save-logs': timeout } });
    const host = fleet.addHost({ group: 'orders-workers', cluster: 'prod', spot });
    group.instances.set(host.id, 'Terminating:Wait');
    const container = fleet.world.ecs.clusters.get('prod')?.[0];
    container?.tasks.push(...Array.from({ length: tasks }, (_, n) => task(n)));
    const completed = () => fleet.world.autoscaling.completed;
    const shipped = (Status = 'Success') => {
      for (const invocation of fleet.world.ssm.invocations) invocation.Status = Status;
    };
    return { s, group, host, container, completed, shipped };
  };

  it('is held while tasks run or logs are shipped, then let go once, with CONTINUE', async () => {
    const { s, host, container, completed, shipped } = held();
    await s.batch(lifecycleAction(host.id));
    await s.run(2 * MINUTE);
    expect(tagsOf(host.volume)).toMatchObject({ 'reflex:rescue': 'pending' });
    expect(container?.status).toBe('DRAINING');
    shipped();
    await s.run(2 * MINUTE);
    expect(completed()).toEqual([]);

    // It stops: RUNNING it is no more, but it is not gone.
    Object.assign(container?.tasks[0] ?? {}, { lastStatus: 'STOPPING', desiredStatus: 'STOPPED' });
    await s.run(MINUTE);
    expect(completed()).toEqual([]);
    Object.assign(container?.tasks[0] ?? {}, { lastStatus: 'STOPPED' });
    await s.run(10 * MINUTE);

    expect(completed()).toEqual([
      {
        AutoScalingGroupName: 'orders-workers',
        LifecycleHookName: 'save-logs',
        LifecycleActionToken: '0befcbdb-6ecd-498a-9ff7-ae9b54447cd6',
        InstanceId: host.id,
        LifecycleActionResult: 'CONTINUE',
        Version: '2011-01-01',
      },
    ]);
    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'skip', reason: 'host-left' });
    expect(fleet.count('DetachInstances')).toBe(0);
    expect(s.world.inbox).toEqual([]);
  });

  it('after a recommendation is the end all the same: nobody says that the instance lives on', async () => {
    const { s, group, host, completed, shipped } = held({ tasks: 0 });
    group.instances.set(host.id, 'InService');
    await s.batch(rebalanceRecommendation(host.id));
    await s.run(5 * MINUTE);
    group.instances.set(host.id, 'Terminating:Wait');
    await s.batch(lifecycleAction(host.id, { at: s.world.now }));
    await s.run(15 * SECOND);
    shipped();

    await s.run(10 * MINUTE);

    expect(completed()).toHaveLength(1);
    expect(s.outcomes().at(-1)).toMatchObject({
      reason: 'host-left',
      why: 'No lifecycle hook holds the instance any more; it is being terminated.',
    });
  });

  it('waits for the command that ships, although another that was sent twice found it at work and ended', async () => {
    const { s, host, completed, shipped } = held({ tasks: 0 });
    fleet.fault('SendCommand', 'lost');
    await s.batch(lifecycleAction(host.id));
    const [first, second] = fleet.world.ssm.invocations;
    if (second) second.Status = 'Success';

    await s.run(3 * MINUTE);
    expect([first?.Status, completed()]).toEqual(['InProgress', []]);
    shipped();
    await s.run(MINUTE);

    expect(completed()).toHaveLength(1);
  });

  it('that ends before the volume is kept does not end the keeping', async () => {
    const { s, group, host, completed } = held({ tasks: 0 });
    fleet.fault('ModifyInstanceAttribute', new AwsError('InvalidParameterValue', 'not now'), 1);
    await s.batch(lifecycleAction(host.id));
    group.instances.set(host.id, 'Terminating:Proceed');

    await s.run(MINUTE);

    const device = fleet.world.ec2.instances.get(host.id)?.devices.find(({ volume }) => volume === host.volume);
    expect(device).toMatchObject({ deleteOnTermination: false });
    expect(completed()).toEqual([]);
    expect(s.outcomes().map(({ reason }) => reason)).toEqual(['save-logs', 'save-logs', 'host-left']);
    expect(s.outcomes()[1]?.why).toMatch(/^Auto Scaling group orders-workers terminates the instance. keep /);
  });

  it('that ends with a volume that could not be kept is told to a person', async () => {
    const { s, group, host } = held({ tasks: 0 });
    fleet.fault('ModifyInstanceAttribute', new AwsError('InvalidParameterValue', 'never'), Number.POSITIVE_INFINITY);
    await s.batch(lifecycleAction(host.id));
    group.instances.set(host.id, 'Terminating:Proceed');

    await s.run(5 * MINUTE);

    expect(s.outcomes().at(-1)).toMatchObject({ decision: 'escalate', reason: 'volume-not-kept' });
    expect(s.world.inbox).toEqual([]);
  });

  it('keeps its quarter of an hour for the logs beside an instance that has two minutes', async () => {
    const { s, host } = held({ tasks: 0 });
    const warned = fleet.addHost({ n: 9 });

    await s.batch(lifecycleAction(host.id), spotInterruption(warned.id));

    const commandFor = (id: string, timeout: string) =>
      expect.objectContaining({
        InstanceIds: [id],
        Parameters: expect.objectContaining({ executionTimeout: [timeout] }),
      });
    expect(fleet.made('SendCommand')).toHaveLength(2);
    expect(fleet.made('SendCommand')).toContainEqual(commandFor(host.id, '899'));
    expect(fleet.made('SendCommand')).toContainEqual(commandFor(warned.id, '109'));
  });

  it('waits for the logs where no task runs', async () => {
    const { s, host, completed, shipped } = held({ tasks: 0 });
    await s.batch(lifecycleAction(host.id));
    await s.run(3 * MINUTE);
    expect(completed()).toEqual([]);

    shipped('Failed');
    await s.run(MINUTE);

    expect(completed()).toHaveLength(1);
  });

  it('is held for 15 minutes at most', async () => {
    const { s, host, completed } = held();
    await s.batch(lifecycleAction(host.id));
    await s.run(14 * MINUTE + 40 * SECOND);
    expect(completed()).toEqual([]);

    await s.run(MINUTE);

    expect(completed()).toHaveLength(1);
  });

  it('of a Spot host that is warned is held until 110 s after the warning', async () => {
    const { s, host, completed } = held({ spot: true });
    await s.batch(lifecycleAction(host.id), spotInterruption(host.id));
    await s.run(105 * SECOND);
    expect(completed()).toEqual([]);

    await s.run(15 * SECOND);

    expect(completed()).toHaveLength(1);
  });

  it.each([
    [30, 10],
    [3_600, 0],
  ])(
    'with a timeout of %i s is told that somebody is at work, but no more often than it needs',
    async (timeout, least) => {
      const { s, host } = held({ timeout });

      await s.batch(lifecycleAction(host.id));
      await s.run(10 * MINUTE);

      const beats = fleet.calls.filter(({ operation, ok }) => ok && operation === 'RecordLifecycleActionHeartbeat');
      expect(beats.length).toBeGreaterThanOrEqual(least);
      const gaps = beats.slice(1).map(({ at }, i) => at - (beats[i]?.at ?? 0));
      for (const gap of gaps) expect(gap).toBeLessThan(timeout * SECOND);
      if (least === 0) expect(beats).toEqual([]);
    },
  );

  it('that nothing holds any more is no trouble', async () => {
    const { s, group, host, completed } = held({ tasks: 0 });
    await s.batch(lifecycleAction(host.id));
    await s.run(5 * SECOND);
    group.instances.delete(host.id);

    await s.run(20 * MINUTE);

    expect(completed()).toEqual([]);
    expect(s.outcomes().at(-1)).toMatchObject({ reason: 'host-left' });
    expect(s.outcomes().filter(({ decision }) => decision === 'escalate')).toEqual([]);
  });

  it('is let go although the action has just ended elsewhere', async () => {
    const { s, group, host, shipped } = held({ tasks: 0 });
    await s.batch(lifecycleAction(host.id));
    await s.run(25 * SECOND);
    shipped();
    const { DescribeAutoScalingGroups: describe } = fleet.world.autoscaling.service.operations;
    Object.assign(fleet.world.autoscaling.service.operations, {
      DescribeAutoScalingGroups: (input: object) => {
        const answer = describe?.(input);
        group.instances.set(host.id, 'Terminating:Proceed');
        return answer;
      },
    });

    await s.run(5 * MINUTE);

    expect(fleet.calls.filter(({ operation, ok }) => operation === 'CompleteLifecycleAction' && !ok)).toHaveLength(1);
    const outcome = s.outcomes().find(({ reason }) => reason === 'release-hook');
    expect(outcome?.actions).toMatchObject([{ call: 'CompleteLifecycleAction' }]);
    expect(outcome?.actions[0]?.error).toBeUndefined();
  });

  it('is let go in the end, whatever cannot be read', async () => {
    const { s, host, completed } = held();
    const denied = new (await import('../../support/fake-aws/service.ts')).AwsError('AccessDeniedException', 'no', 400);
    for (const read of ['ListClusters', 'DescribeAutoScalingGroups', 'ListCommandInvocations']) {
      fleet.fault(read, denied, Number.POSITIVE_INFINITY);
    }

    await s.batch(lifecycleAction(host.id));
    await s.run(16 * MINUTE);

    expect(completed()).toHaveLength(1);
  });
});
