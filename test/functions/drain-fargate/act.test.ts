import { describe, expect, it } from 'vitest';
import { act } from '../../../functions/drain-fargate/act.ts';
import type { DrainCall } from '../../../functions/drain-fargate/decide.ts';
import type { Memory } from '../../../functions/drain-fargate/facts.ts';
import type { Approved } from '../../../shared/function.ts';
import { at, taskArn, taskId } from '../../support/event-builders.ts';
import { targetGroupArn } from '../../support/fake-aws/elbv2.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const aws = await useFakeAws();
const time = { clock: () => aws.clock(), sleep: async (ms: number) => aws.clock.advance(ms), random: () => 0.5 };
const SECOND = 1_000;

const targets = (group: string, ...ids: readonly string[]): DrainCall => ({
  call: 'DeregisterTargets',
  params: { TargetGroupArn: targetGroupArn(group), Targets: ids.map((Id) => ({ Id, Port: 80 })) },
});
const instance = (ServiceId: string, InstanceId: string): DrainCall => ({
  call: 'DeregisterInstance',
  params: { ServiceId, InstanceId },
});

const approved = (n: number, calls: readonly DrainCall[], memory: Memory = {}): Approved<DrainCall> => ({
  resource: taskArn(taskId(n)),
  act: {
    kind: 'act',
    reason: 'spot-interruption',
    why: '',
    calls,
    coolDownMs: 0,
    remember: { since: at, ...memory },
  },
});

const problems = async (...all: readonly Approved<DrainCall>[]) =>
  [...(await act(time)(all)).values()].map(({ problem }) => problem?.reason);

describe('one call a target group', () => {
  it('carries the targets of every task, and each task is told its own part', async () => {
    aws.elbv2.addGroup('web');

    const acted = await act(time)([
      approved(1, [targets('web', '10.0.0.1')]),
      approved(2, [targets('web', '10.0.0.2')]),
    ]);

    expect(aws.called('DeregisterTargets')).toMatchObject([{ Targets: [{ Id: '10.0.0.1' }, { Id: '10.0.0.2' }] }]);
    expect(acted.get(taskArn(taskId(2)))).toEqual({ actions: [targets('web', '10.0.0.2')] });
  });

  it('goes first where it takes most tasks out, and last where it takes all that serve', async () => {
    for (const name of ['few', 'many', 'all']) aws.elbv2.addGroup(name);

    await act(time)([
      approved(1, [targets('few', '10.0.0.1')]),
      approved(2, [targets('all', '10.0.0.2', '10.0.0.3', '10.0.0.4')], { emptied: [targetGroupArn('all')] }),
      approved(3, [targets('many', '10.0.0.5')]),
      approved(4, [targets('many', '10.0.0.6')]),
    ]);

    const order = aws.called('DeregisterTargets').map(({ TargetGroupArn }) => TargetGroupArn);
    expect(order).toEqual(['many', 'few', 'all'].map(targetGroupArn));
  });

  it('has 200 targets at most', async () => {
    aws.elbv2.addGroup('web');
    const all = Array.from({ length: 450 }, (_, i) => approved(i, [targets('web', `10.0.${i >> 8}.${i & 255}`)]));

    await act(time)(all);

    expect(aws.called('DeregisterTargets').map(({ Targets }) => (Targets as unknown[]).length)).toEqual([200, 200, 50]);
  });

  it('is never made for a task whose notice is more than 150 s old when its turn comes', async () => {
    aws.elbv2.addGroup('web');
    const old = approved(1, [targets('web', '10.0.0.1')], { since: at - 150 * SECOND - 1 });
    const young = approved(2, [targets('web', '10.0.0.2')], { since: at - 150 * SECOND });

    const acted = await act(time)([old, young]);

    expect(aws.called('DeregisterTargets')).toMatchObject([{ Targets: [{ Id: '10.0.0.2' }] }]);
    expect(aws.called('DeregisterTargets')[0]?.Targets).toHaveLength(1);
    expect(acted.get(old.resource)).toMatchObject({ actions: [], problem: { kind: 'skip', reason: 'too-late' } });
    expect(acted.get(young.resource)).not.toHaveProperty('problem');
  });

  it('is not made at all where every task is too old, nor for Cloud Map', async () => {
    aws.elbv2.addGroup('web');
    aws.servicediscovery.addService('srv');
    const calls = [targets('web', '10.0.0.1'), instance('srv', 'one')];

    expect(await problems(approved(1, calls, { since: at - 151 * SECOND }))).toEqual(['too-late']);
    expect(aws.calls).toEqual([]);
  });

  it('waits for others no longer than its youngest task allows', async () => {
    aws.elbv2.addGroup('web');
    aws.fault('DeregisterTargets', new AwsError('ThrottlingException', 'Rate exceeded'), 9_999);

    const reasons = await problems(
      approved(1, [targets('web', '10.0.0.1')], { since: at - 50 * SECOND }),
      approved(2, [targets('web', '10.0.0.2')]),
    );

    expect(reasons).toEqual(['rate-limited', 'rate-limited']);
    expect(aws.clock() - at).toBeGreaterThan(55 * SECOND);
    expect(aws.clock() - at).toBeLessThan(60 * SECOND);
  });
});

describe('what a failed call means', () => {
  it.each([
    ['AccessDenied', 'escalate', 'access-denied'],
    ['Throttling', 'defer', 'rate-limited'],
    ['InvalidTarget', 'escalate', 'act-failed'],
    ['ValidationError', 'escalate', 'act-failed'],
  ])('%s: %s (%s)', async (code, kind, reason) => {
    aws.elbv2.addGroup('web');
    aws.fault('DeregisterTargets', new AwsError(code, 'words'), 9_999);

    const [acted] = (await act(time)([approved(1, [targets('web', '10.0.0.1')])])).values();

    expect(acted).toMatchObject({ problem: { kind, reason }, actions: [{ error: expect.stringContaining('words') }] });
  });

  it('no answer until T0 + 60 s: looked at again, ten seconds later', async () => {
    aws.elbv2.addGroup('web');
    aws.fault('DeregisterTargets', 'hang-up', 9_999);

    const [acted] = (await act(time)([approved(1, [targets('web', '10.0.0.1')])])).values();

    expect(acted?.problem).toMatchObject({ kind: 'defer', reason: 'act-unknown', until: aws.clock() + 10 * SECOND });
  });

  it('a lost answer is asked for again, and done', async () => {
    const { targets: registered } = aws.elbv2.addGroup('web', {
      targets: [{ id: '10.0.0.1', port: 80, state: 'healthy' }],
    });
    aws.fault('DeregisterTargets', 'lost');

    expect(await problems(approved(1, [targets('web', '10.0.0.1')]))).toEqual([undefined]);
    expect(registered[0]?.state).toBe('draining');
  });

  it('denied, it tells which tag the permission is bound to', async () => {
    aws.elbv2.addGroup('web');
    aws.fault('DeregisterTargets', new AwsError('AccessDenied', 'no'));

    const [acted] = (await act(time)([approved(1, [targets('web', '10.0.0.1')])])).values();

    expect(acted?.problem).toHaveProperty(
      'advice',
      expect.stringContaining('reflex:enabled = true on the target group'),
    );
  });

  it('a failing Cloud Map leaves the target groups done, and the other way round', async () => {
    aws.elbv2.addGroup('web');
    aws.servicediscovery.addService('srv');
    aws.servicediscovery.register('srv', 'one');
    aws.servicediscovery.register('srv', 'two');
    aws.fault('DeregisterInstance', new AwsError('AccessDeniedException', 'no'));

    const reasons = await problems(approved(1, [targets('web', '10.0.0.1'), instance('srv', 'one')]));
    const others = await problems(approved(2, [targets('gone', '10.0.0.1'), instance('srv', 'two')]));

    expect(reasons).toEqual(['access-denied']);
    expect(aws.called('DeregisterTargets')).toHaveLength(2);
    expect(others).toEqual([undefined]);
    expect(aws.servicediscovery.instances('srv')).toEqual(['one']);
  });
});

it('every Cloud Map instance of a storm is deregistered', async () => {
  aws.servicediscovery.addService('srv');
  const ids = Array.from({ length: 50 }, (_, i) => `instance-${i}`);
  for (const id of ids) aws.servicediscovery.register('srv', id);

  await problems(...ids.map((id, i) => approved(i, [instance('srv', id)])));

  expect(aws.servicediscovery.instances('srv')).toEqual([]);
});
