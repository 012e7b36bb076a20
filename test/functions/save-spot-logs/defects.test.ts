import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { at, healthEvent, instanceId, lifecycleAction, spotInterruption } from '../../support/event-builders.ts';
import { useFleet } from '../../support/fake-aws/fleet.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { reachableOperations } from '../../support/reachable.ts';
import { saver } from '../../support/save-spot-logs.ts';

const fleet = await useFleet();
const SECOND = 1_000;

const begin = () => {
  const s = saver(fleet);
  s.world.now = at + 2 * SECOND;
  return s;
};
const kept = (id: string) =>
  fleet.world.ec2.instances.get(id)?.devices.find(({ name }) => name === '/dev/xvdf')?.deleteOnTermination === false;

describe('what other handlers of Spot interruptions got wrong', () => {
  it('1: the same warning under a new event id drained a second time', async () => {
    const s = begin();
    fleet.addGroup('workers', {});
    const host = fleet.addHost({ group: 'workers', cluster: 'prod' });

    await s.batch({ ...spotInterruption(host.id), id: '00000000-0000-4000-8000-00000000000a' });
    await s.run(10 * SECOND);
    await s.batch({ ...spotInterruption(host.id), id: '00000000-0000-4000-8000-00000000000b' });
    await s.run(30 * SECOND);

    for (const operation of ['ModifyInstanceAttribute', 'SendCommand', 'DetachInstances']) {
      expect(fleet.count(operation), operation).toBe(1);
    }
  });

  it('2: of a scheduled change that names several instances, the first one done made the others forgotten', async () => {
    const s = begin();
    const hosts = [1, 2, 3].map((n) => fleet.addHost({ n }));

    await s.batch(healthEvent({ entities: hosts.map(({ id }) => id) }));

    expect(hosts.map(({ id }) => kept(id))).toEqual([true, true, true]);
  });

  it('3: a message that nobody can read stopped the worker, or came back until it was too old', async () => {
    const s = begin();
    const host = fleet.addHost();

    const { batchItemFailures } = await s.batch('{"source":"aws.ec2","detail-type":', spotInterruption(host.id));

    expect(kept(host.id)).toBe(true);
    expect(batchItemFailures).toHaveLength(1);
  });

  it('4: one instance that does not exist any more failed the read for all', async () => {
    const s = begin();
    const host = fleet.addHost();

    await s.batch(spotInterruption(instanceId(99)), spotInterruption(host.id));

    expect(kept(host.id)).toBe(true);
    expect(s.outcomes().map(({ reason }) => reason)).toContain('instance-gone');
  });

  it('5: the first record of a batch was handled, and the others were not', async () => {
    const s = begin();
    const hosts = Array.from({ length: 25 }, (_, n) => fleet.addHost({ n: n + 1 }));

    await s.batch(...hosts.map(({ id }) => spotInterruption(id)));

    expect(hosts.filter(({ id }) => !kept(id))).toEqual([]);
  });

  it('6: a word that was not true was taken for true', async () => {
    const s = begin();
    const host = fleet.addHost({ tags: { 'reflex:enabled': 'true', 'reflex:stop-standalone-tasks': 'False' } });

    await s.batch(spotInterruption(host.id));

    expect(s.outcomes()).toMatchObject([{ decision: 'escalate', reason: 'bad-tag' }]);
  });

  it('7: an instance without any tag ended the invocation', async () => {
    const s = begin();
    const [bare, host] = [fleet.addHost({ n: 1, tags: {} }), fleet.addHost({ n: 2 })];

    const { batchItemFailures } = await s.batch(spotInterruption(bare.id), spotInterruption(host.id));

    expect([kept(bare.id), kept(host.id)]).toEqual([false, true]);
    expect(batchItemFailures).toEqual([]);
  });

  it.each([
    ['8: a detach that failed cost the commands', 'DetachInstances'],
    ['9: a command that failed cost the volume', 'SendCommand'],
  ])('%s', async (_, operation) => {
    const s = begin();
    fleet.addGroup('workers', {});
    const host = fleet.addHost({ group: 'workers', cluster: 'prod' });
    fleet.fault(operation, new AwsError('ValidationError', 'no'), Number.POSITIVE_INFINITY);

    await s.batch(spotInterruption(host.id));
    await s.run(20 * SECOND);

    expect(kept(host.id)).toBe(true);
    expect(fleet.world.ecs.clusters.get('prod')?.[0]?.status).toBe('DRAINING');
    expect(fleet.count('SendCommand')).toBeGreaterThan(0);
  });

  it('10: a command was given more time than the instance had left', async () => {
    const s = begin();
    s.world.now = at + 60 * SECOND;
    const host = fleet.addHost();

    await s.batch(spotInterruption(host.id));

    const [command] = fleet.made('SendCommand') as { Parameters: Record<string, string[]> }[];
    const { deadline: [deadline] = [], executionTimeout: [seconds] = [] } = command?.Parameters ?? {};
    expect(Number(deadline)).toBeLessThan(at / SECOND + 120);
    expect(Number(seconds)).toBeLessThanOrEqual(60);
  });

  it('11: of several target groups, load balancers and ports, only the first was left', async () => {
    const s = begin();
    const groups = ['web', 'api'].map((name) => fleet.world.elbv2.addGroup(name));
    fleet.addGroup('workers', { targetGroups: groups.map(({ arn }) => arn), balancers: ['old', 'older'] });
    const host = fleet.addHost({ group: 'workers' });
    for (const { targets } of groups) {
      targets.push({ id: host.id, port: 80, state: 'healthy' }, { id: host.id, port: 81, state: 'healthy' });
    }
    for (const name of ['old', 'older']) fleet.world.classic.balancers.set(name, new Set([host.id]));

    await s.batch(spotInterruption(host.id));
    await s.run(20 * SECOND);

    const ports = [`${host.id}:80`, `${host.id}:81`];
    expect(groups.map(({ arn }) => fleet.world.elbv2.targetsIn(arn, 'draining'))).toEqual([ports, ports]);
    expect(['old', 'older'].map((name) => fleet.world.classic.balancers.get(name)?.size)).toEqual([0, 0]);
  });

  it('12: a desired capacity that was read and set again lost replacements, or made the group smaller', async () => {
    const s = begin();
    const group = fleet.addGroup('workers', {});
    const hosts = Array.from({ length: 30 }, (_, n) => fleet.addHost({ n: n + 1, group: 'workers' }));

    await s.batch(...hosts.map(({ id }) => spotInterruption(id)));
    await s.run(20 * SECOND);

    expect(group.desired).toBe(10);
    expect(fleet.made('DetachInstances').flatMap(({ InstanceIds }) => InstanceIds)).toHaveLength(30);
    for (const input of fleet.made('DetachInstances')) {
      expect(input).toMatchObject({ ShouldDecrementDesiredCapacity: 'false' });
    }
  });

  it('13: it terminated instances itself, set capacities, or threw hosts out of their cluster with force', async () => {
    const operations = await reachableOperations(
      join(import.meta.dirname, '../../../functions/save-spot-logs/handler.ts'),
    );
    const names = operations.map(({ operation }) => operation);

    expect(names).toContain('ModifyInstanceAttribute');
    expect(
      names.filter((name) => /Terminate|SetDesired|UpdateAutoScaling|Deregister(Container|Task)/.test(name)),
    ).toEqual([]);
  });

  it('14: of several log volumes only the first was kept', async () => {
    const s = begin();
    const devices = { '/dev/xvdf': true, '/dev/xvdg': true };
    const host = fleet.addHost({ tags: { 'reflex:enabled': 'true', 'reflex:log-devices': 'all' }, devices });

    await s.batch(spotInterruption(host.id));

    const mortal = fleet.world.ec2.instances.get(host.id)?.devices.filter((one) => one.deleteOnTermination);
    expect(mortal?.map(({ name }) => name)).toEqual(['/dev/xvda']);
  });

  it('15: it slept for a minute of the two', async () => {
    const s = begin();
    fleet.addGroup('workers', {});
    const host = fleet.addHost({ group: 'workers', cluster: 'prod' });
    const before = s.world.now;

    await s.batch(spotInterruption(host.id));

    expect(s.world.now - before).toBeLessThan(SECOND);
  });

  describe('the end of an instance that its group terminates', () => {
    const held = (tasks: readonly { lastStatus: string; desiredStatus: string }[], Status: string) => {
      const s = begin();
      const group = fleet.addGroup('orders-workers', { hooks: { 'save-logs': 3_600 } });
      const host = fleet.addHost({ group: 'orders-workers', cluster: 'prod', spot: false });
      group.instances.set(host.id, 'Terminating:Wait');
      const container = fleet.world.ecs.clusters.get('prod')?.[0];
      const cluster = 'arn:aws:ecs:eu-west-1:111122223333:task/prod';
      container?.tasks.push(...tasks.map((task, n) => ({ ...task, arn: `${cluster}/${n}`, group: 'service:web' })));
      const ended = async () => {
        await s.batch(lifecycleAction(host.id));
        await s.run(5 * SECOND);
        for (const invocation of fleet.world.ssm.invocations) invocation.Status = Status;
        await s.run(120 * SECOND);
      };
      return { s, ended, container, completed: fleet.world.autoscaling.completed };
    };

    it('16: was not heeded at all', async () => {
      const { ended, container } = held([], 'Success');
      await ended();
      expect(container?.status).toBe('DRAINING');
    });

    it('17: came while tasks were stopping, which nobody counted', async () => {
      const { ended, completed } = held([{ lastStatus: 'STOPPING', desiredStatus: 'STOPPED' }], 'Success');
      await ended();
      expect(completed).toEqual([]);
    });

    it('18: came while the command was in progress, which was taken for a success', async () => {
      const { ended, completed } = held([], 'InProgress');
      await ended();
      expect(completed).toEqual([]);
    });

    it('19: was brought on at once with ABANDON where shipping failed', async () => {
      const { ended, completed } = held([], 'Failed');
      await ended();
      expect(completed).toMatchObject([{ LifecycleActionResult: 'CONTINUE' }]);
    });

    it('20: was followed by heartbeats for ever', async () => {
      const { s, ended } = held([], 'Success');
      await ended();
      const beats = fleet.count('RecordLifecycleActionHeartbeat');
      await s.run(3_600 * SECOND);
      expect(fleet.count('RecordLifecycleActionHeartbeat')).toBe(beats);
      expect(s.world.inbox).toEqual([]);
    });
  });

  it('21: nobody knew how late the handler was', async () => {
    const s = begin();
    const host = fleet.addHost();

    await s.batch(spotInterruption(host.id));

    expect(s.runtime.measured).toContainEqual(['eventToAction', 'save-spot-logs', expect.any(Number)]);
  });
});
