import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSpotInterruption, later, serviceNameOf, taskFromApi, taskIdOf } from '../../../shared/ecs-task.ts';
import { taskStateChangeBody } from '../../../shared/events/ecs-task-state-change.ts';
import { receive } from '../../../shared/events/envelope.ts';
import type { Parsed } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';
import { at, sqsBatch, taskArn, taskDetail, taskStateChange } from '../../support/event-builders.ts';
import { ecsTask } from '../../support/task-facts.ts';

const parsed = (payload: unknown): Parsed | undefined => receive(sqsBatch(payload)).messages.map(parse)[0];

const sample = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../events/aws.ecs.task-state-change.${name}.json`, import.meta.url), 'utf8'));

const taskIn = (payload: unknown) => {
  const result = parsed(payload);
  if (result?.kind !== 'event' || result.event.kind !== 'task-state-change') throw new Error(JSON.stringify(result));
  return result.event.task;
};

const broken = (payload: unknown): string | undefined => {
  const result = parsed(payload);
  return result?.kind === 'broken' ? result.error.field : undefined;
};

const withDetail = (change: object) => {
  const event = taskStateChange();
  return { ...event, detail: { ...event.detail, ...change } };
};

describe('a task state change', () => {
  it('is read whole', () => {
    expect(parsed(taskStateChange({ ipv6: 'fd00::1' }))).toEqual({
      kind: 'event',
      event: { kind: 'task-state-change', at, task: ecsTask({ ipv6: ['fd00::1'] }) },
    });
  });

  it.each([
    ['spot-interruption', {}],
    ['spot-interruption-running', { lastStatus: 'RUNNING', version: 5 }],
    ['spot-interruption-elb-first', {}],
    ['spot-interruption-two-elb', {}],
    ['spot-interruption-network-interface', {}],
    ['spot-interruption-termination-notice', { stopCode: 'TerminationNotice' }],
    ['spot-interruption-no-stop-code', { stopCode: null }],
    ['spot-interruption-no-attachments', { ipv4: [], elbStatus: null }],
    ['spot-interruption-dual-stack', { ipv6: ['2a05:d018:0:1:2:3:4:5'] }],
    ['spot-interruption-short-arn', {}],
    ['spot-interruption-service-connect', {}],
    ['spot-interruption-stopping', { lastStatus: 'STOPPING', elbStatus: 'DELETED', version: 7 }],
    ['spot-interruption-deprovisioning', { lastStatus: 'DEPROVISIONING', elbStatus: 'DELETED', version: 8 }],
    ['spot-interruption-stopped', { lastStatus: 'STOPPED', elbStatus: 'DELETED', version: 9 }],
  ])('is a Spot interruption of the same task in the sample %s', (name, change) => {
    const task = taskIn(sample(name));

    expect(task).toEqual(ecsTask({ arn: taskArn('7a75e7b735c14174aefbca3d0c1dd2c9'), ...change }));
    expect(isSpotInterruption(task)).toBe(true);
    expect(serviceNameOf(task)).toBe('web');
  });

  it('is no Spot interruption in the sample of a deployment', () => {
    expect(isSpotInterruption(taskIn(sample('deployment')))).toBe(false);
  });

  it('leaves overrides behind: they may hold secrets', () => {
    expect(JSON.stringify(parsed(sample('spot-interruption-standalone')))).not.toContain('checkpoint');
  });

  it('happened when it was updated, else when it was sent, else when the inbox took it', () => {
    const { time: _time, ...timeless } = taskStateChange();
    const { updatedAt: _updated, ...detail } = timeless.detail;

    const times = [taskStateChange(), { ...timeless, detail, time: '2026-03-05T03:12:09Z' }, { ...timeless, detail }];

    expect(times.map((event) => parsed(event))).toMatchObject([
      { event: { at } },
      { event: { at: Date.parse('2026-03-05T03:12:09Z') } },
      { event: { at: at + 500 } },
    ]);
  });

  it('has an address once, wherever it is written', () => {
    const [network] = taskDetail().attachments;
    const task = taskIn(withDetail({ attachments: [network, network] }));

    expect(task.ipv4).toEqual(['10.0.2.164']);
  });

  it.each([
    ['attachments', { attachments: null }],
    ['containers', { containers: null }],
    ['details', { attachments: [{ type: 'eni' }] }],
    ['empty addresses', { containers: [{ networkInterfaces: [{ privateIpv4Address: '', ipv6Address: null }] }] }],
  ])('is read without %s', (_, change) => {
    expect(taskIn(withDetail({ attachments: [], containers: [], ...change }))).toMatchObject({ ipv4: [], ipv6: [] });
  });

  it.each([
    ['detail.taskArn', { taskArn: 'arn:aws:ecs:eu-west-1:111122223333:service/prod/web' }],
    ['detail.taskArn', { taskArn: 7 }],
    ['detail.clusterArn', { clusterArn: 'prod' }],
    ['detail.clusterArn', { clusterArn: undefined }],
    ['detail.lastStatus', { lastStatus: '' }],
    ['detail.version', { version: '6' }],
    ['detail.stoppingAt', { stoppingAt: 'soon' }],
    ['detail.attachments', { attachments: 'none' }],
  ])('is broken where %s is wrong, and names it', (field, change) => {
    expect(broken(withDetail(change))).toBe(field);
  });
});

describe('a Spot interruption', () => {
  it.each([
    [{ stopCode: 'SpotInterruption', stoppedReason: null }, true],
    [{ stopCode: 'TerminationNotice', stoppedReason: null }, true],
    [{ stopCode: null, stoppedReason: 'Your Spot Task was interrupted.' }, true],
    [{ stopCode: null, stoppedReason: 'Your Spot Task was interrupted. More words one day' }, true],
    [{ stopCode: null, stoppedReason: null }, false],
    [{ stopCode: null, stoppedReason: 'It said: Your Spot Task was interrupted.' }, false],
    [{ stopCode: 'UserInitiated' }, false],
    [{ stopCode: 'InfrastructureHealth' }, false],
    [{ capacityProviderName: null }, true],
    [{ capacityProviderName: 'FARGATE' }, false],
    [{ launchType: 'EC2' }, false],
    [{ launchType: null }, false],
    [{ desiredStatus: 'RUNNING' }, false],
  ])('is told by %j: %s', (change, expected) => {
    expect(isSpotInterruption(ecsTask(change))).toBe(expected);
  });
});

describe('the service of a task', () => {
  it.each([
    ['service:web', 'web'],
    ['family:web', null],
    ['my-service:web', null],
    [null, null],
  ])('of group %s is %s', (group, name) => {
    expect(serviceNameOf({ group })).toBe(name);
  });
});

it('the id of a task is the last part of either form of its ARN', () => {
  expect(taskIdOf('arn:aws:ecs:eu-west-1:111122223333:task/prod/abc')).toBe('abc');
  expect(taskIdOf('arn:aws:ecs:eu-west-1:111122223333:task/abc')).toBe('abc');
});

describe('two readings of one task', () => {
  it('give the later one, in either order', () => {
    const old = ecsTask({ version: 6 });
    const now = ecsTask({ version: 7, lastStatus: 'STOPPING', elbStatus: 'DELETED', ipv4: ['10.0.0.9'] });

    expect(later(old, now)).toEqual(now);
    expect(later(now, old)).toEqual(now);
  });

  it('keep what only the earlier one knows', () => {
    const old = ecsTask({ version: 6, ipv6: ['fd00::1'] });
    const bare = ecsTask({ version: 7, ipv4: [], ipv6: [], elbStatus: null, stoppingAt: null });

    expect(later(bare, old)).toEqual({ ...old, version: 7 });
  });

  it('never go back, whatever they are', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), (a, b) => {
        expect(later(ecsTask({ version: a }), ecsTask({ version: b })).version).toBe(Math.max(a, b));
      }),
    );
  });
});

describe('DescribeTasks', () => {
  it.each([
    [['DELETED', 'ATTACHED'], 'ATTACHED'],
    [['ATTACHED', 'DELETED'], 'ATTACHED'],
    [['DELETED', 'DELETED'], 'DELETED'],
    [[], null],
  ])('with attachments elb %j is taken for %s: ECS is through with all of them, or it is not', (statuses, expected) => {
    const attachments = statuses.map((status, i) => ({
      id: `elb-${i}`,
      type: i === 0 ? 'elb' : 'ELB',
      status,
      details: [],
    }));

    expect(taskIn(taskStateChange({ attachments })).elbStatus).toBe(expected);
  });

  it('tells the same of a task as its event, but for the elb attachment', () => {
    const { stoppingAt, updatedAt: _, attachments, ...detail } = taskDetail();
    const [network] = attachments;
    const api = {
      ...detail,
      attachments: [{ ...network, type: 'ElasticNetworkInterface' }],
      stoppingAt: new Date(stoppingAt ?? ''),
    } as unknown as Parameters<typeof taskFromApi>[0];

    expect(taskFromApi(api)).toEqual(ecsTask({ elbStatus: null }));
  });

  it('is read though it leaves everything out', () => {
    expect(
      taskFromApi({ taskArn: taskArn(), clusterArn: 'arn:aws:ecs:eu-west-1:111122223333:cluster/prod' }),
    ).toMatchObject({
      arn: taskArn(),
      version: 0,
      stoppingAt: null,
      launchType: null,
      ipv4: [],
    });
  });
});

describe('a task state change, made small', () => {
  it.each([
    ['an interruption', taskStateChange()],
    ['one with two addresses', taskStateChange({ ipv6: 'fd00::1' })],
    ['one that ECS has deregistered', taskStateChange({ elb: 'DELETED', lastStatus: 'STOPPING', version: 8 })],
    [
      'one that tells no address, no balancer and no time',
      taskStateChange({ ipv4: null, elb: null, stoppingAt: null }),
    ],
    ['one of a standalone task', taskStateChange({ service: null, stopCode: null, capacityProviderName: null })],
  ])('parses to the same: %s', (_, whole) => {
    const before = parsed(whole);
    if (before?.kind !== 'event' || before.event.kind !== 'task-state-change') throw new Error(JSON.stringify(before));

    const small = taskStateChangeBody(before.event);

    expect(parsed(small)).toEqual(before);
    expect(JSON.stringify(small).length).toBeLessThan(JSON.stringify(whole).length / 1.7);
  });
});
