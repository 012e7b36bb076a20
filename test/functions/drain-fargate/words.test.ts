import { describe, expect, it } from 'vitest';
import { decide } from '../../../functions/drain-fargate/decide.ts';
import { findings, groupName } from '../../../functions/drain-fargate/findings.ts';
import { subjectOf } from '../../../functions/drain-fargate/tell.ts';
import type { HistoryRecord } from '../../../shared/ledger/types.ts';
import { at, taskArn } from '../../support/event-builders.ts';
import { serviceArn } from '../../support/fake-aws/ecs.ts';
import { targetGroupArn } from '../../support/fake-aws/elbv2.ts';
import { policy, registration, situation, target } from '../../support/task-facts.ts';

const grpc = targetGroupArn('grpc');
const two = [target(), target({ targetGroupArn: grpc, port: 9090 })];
const check = { trigger: 'follow-up', open: true } as const;

describe('a person reads', () => {
  it.each([
    [
      'what is deregistered',
      {},
      'Spot interruption 12.0 s ago, task DEACTIVATING: deregistering 10.0.2.164:8080 in web.',
    ],
    [
      'all of it',
      { targets: two, registrations: [registration({ instanceId: 'one' })] },
      'Spot interruption 12.0 s ago, task DEACTIVATING: deregistering 10.0.2.164:8080 in web, 10.0.2.164:9090 in grpc, one in Cloud Map srv-web.',
    ],
    [
      'what stays, and why',
      { targets: two.map((one) => ({ ...one, last: true })) },
      'Nothing else serves: 10.0.2.164:8080 in web, 10.0.2.164:9090 in grpc stays until its task is STOPPING, or another serves.',
    ],
    [
      'that the task is gone',
      { task: { lastStatus: 'STOPPED' } },
      "The task is STOPPED; its address may be another task's.",
    ],
    [
      'that the check stands all the same',
      { task: { lastStatus: 'STOPPED' }, open: true },
      "The task is STOPPED; its address may be another task's. What was done is verified as planned.",
    ],
    [
      'that an event is old',
      { memory: { gone: 9 } },
      'A later event (version 9) said the task is gone; this one (version 6) is old.',
    ],
    ['how late it is', { since: at - 600_000 }, "The notice is 612.0 s old; the address may be another task's by now."],
    [
      'that it is too early',
      { task: { lastStatus: 'PENDING' } },
      'The task was interrupted while PENDING; no target of it serves.',
    ],
    [
      'a state nobody knows',
      { task: { lastStatus: 'NEW' } },
      'The task\'s lastStatus is "NEW", which Reflex does not know; nothing is deregistered.',
    ],
    [
      'that addresses or ports are missing',
      { targets: [], unknown: ['a/one', 'a/two'] },
      'Neither event nor AWS tells what is registered. Not drained, because the address or port of the task there is not known yet: one, two.',
    ],
    ['that there is nothing', { targets: [] }, 'The service has no target group and no Cloud Map service.'],
    [
      'that ECS did it',
      { task: { elbStatus: 'DELETED' } },
      'ECS has deregistered the task itself (attachment elb is DELETED).',
    ],
    [
      'that all of it drains',
      { targets: two.map((one) => ({ ...one, state: 'draining' })) },
      'Every target of the task is draining or gone: web, grpc.',
    ],
    [
      'that it was seen to',
      { open: true, targets: [target({ state: 'draining' })] },
      'This interruption was acted on already; task DEACTIVATING.',
    ],
    [
      'how it ended',
      {
        ...check,
        targets: [target({ state: 'draining' }), target({ targetGroupArn: grpc, port: 9090, state: 'unused' })],
      },
      '12.0 s after the notice: 10.0.2.164:8080 in web is draining, 10.0.2.164:9090 in grpc is gone.',
    ],
    ['that there was nothing to end', { ...check, targets: [] }, '12.0 s after the notice: no target.'],
    [
      'what outlived the task',
      {
        ...check,
        task: { lastStatus: 'STOPPED' },
        targets: two.map((one) => ({ ...one, state: 'unhealthy' })),
      },
      'The task is STOPPED, and 10.0.2.164:8080 in web is unhealthy, 10.0.2.164:9090 in grpc is unhealthy.',
    ],
  ] as const)('%s', (_, overrides, why) => {
    const text = decide(situation(overrides), policy, at + 12_000).why;

    expect(text.startsWith(why)).toBe(true);
  });

  it('findings one after the other, and nothing else behind them', () => {
    const facts = situation({
      stopTimeout: 2,
      service: { ...situation().service, desiredCount: 1 },
      unknown: [grpc, 'a/b'],
    });

    expect(decide(facts, policy, at).why).toBe(
      'Spot interruption 0.0 s ago, task DEACTIVATING: deregistering 10.0.2.164:8080 in web. ' +
        'Not drained, because the address or port of the task there is not known yet: grpc, b. ' +
        'Findings: stopTimeout is 2 s, so SIGKILL cuts off requests soon after SIGTERM (set it to 120); ' +
        'the service has one task, and none until another runs (set desiredCount to 2).',
    );
  });

  it('every target group that a finding is about', () => {
    const groups = Object.fromEntries(
      ['web', 'grpc'].map((name) => [targetGroupArn(name), { protocol: 'TLS', deregistrationDelay: 300 }]),
    );

    const [slow, network] = findings(situation({ targetGroups: groups }));

    expect(slow?.text).toMatch(/^the deregistration delay of web and grpc is 300 and 300 s/);
    expect(network?.text).toMatch(/^web and grpc belongs to a Network Load Balancer/);
  });
});

it.each(['TCP', 'TLS', 'UDP', 'TCP_UDP', 'QUIC', 'TCP_QUIC'])(
  '%s is the protocol of a Network Load Balancer',
  (protocol) => {
    const targetGroups = { [grpc]: { protocol, deregistrationDelay: 30 } };

    expect(findings(situation({ targetGroups })).map(({ code }) => code)).toEqual(['nlb-propagation']);
  },
);

it('every finding has a code of its own', () => {
  const facts = situation({
    stopTimeout: 30,
    targetGroups: { [grpc]: { protocol: 'TCP', deregistrationDelay: 300 } },
    service: { ...situation().service, desiredCount: 1, capacityProviders: ['FARGATE_SPOT'] },
  });

  expect(findings(facts).map(({ code }) => code)).toEqual([
    'short-stop-timeout',
    'long-deregistration-delay',
    'nlb-propagation',
    'single-task',
    'spot-only',
  ]);
});

it('a target group is known by its name', () => {
  expect(groupName(grpc)).toBe('grpc');
  expect(groupName('odd')).toBe('odd');
});

describe('a notification is about', () => {
  const record: HistoryRecord = {
    fn: 'drain-fargate',
    resource: taskArn(),
    recordId: '',
    at,
    incidentId: null,
    trigger: 'event',
    cause: '',
    decision: 'act',
    reason: 'spot-interruption',
    why: '',
    mode: 'on',
    dryRun: false,
    actions: [],
    facts: { ...situation({ stopTimeout: 30, service: { ...situation().service, capacityProviders: [] } }) } as never,
  };

  it('the service, what was done, and what was found', () => {
    expect(subjectOf(record)).toEqual({
      about: serviceArn('web'),
      key: 'act spot-interruption short-stop-timeout spot-only',
    });
  });

  it('the cluster, where nothing is known of the service', () => {
    expect(subjectOf({ ...record, facts: null, decision: 'escalate', reason: 'access-denied' })).toEqual({
      about: 'arn:aws:ecs:eu-west-1:111122223333:cluster/prod',
      key: 'escalate access-denied',
    });
  });

  it('a dry run of its own', () => {
    expect(subjectOf({ ...record, dryRun: true })?.key).toBe('dry-run spot-interruption short-stop-timeout spot-only');
  });

  it('nothing, where nothing was done', () => {
    expect(subjectOf({ ...record, decision: 'skip', reason: 'resolved' })).toBeNull();
  });
});
