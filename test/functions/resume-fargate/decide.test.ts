import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, patienceAfter, saysNoCapacity } from '../../../functions/resume-fargate/decide.ts';
import { joined, type Memory, recall, type TaskSituation } from '../../../functions/resume-fargate/facts.ts';
import { stackPolicy, taskPolicy } from '../../../functions/resume-fargate/policy.ts';
import type { EcsTask } from '../../../shared/ecs-task.ts';
import { at } from '../../support/event-builders.ts';
import { definitionArn } from '../../support/resume-fargate.ts';
import { ecsTask } from '../../support/task-facts.ts';

const policy = { ...stackPolicy({}), resume: true };
const ROOT = '0123456789abcdef0123456789abcdef';
const network = { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: 'DISABLED' } as const;

const situation = ({
  task = {},
  ...more
}: Omit<Partial<TaskSituation>, 'task'> & { readonly task?: Partial<EcsTask> } = {}): TaskSituation => ({
  asOf: at,
  tags: {},
  trigger: 'event',
  task: ecsTask({ group: 'family:nightly', taskDefinitionArn: definitionArn, lastStatus: 'STOPPED', ...task }),
  taskTags: {},
  definitionTags: {},
  upToDate: true,
  stoppedAt: at,
  overrides: {},
  platformVersion: null,
  enableExecuteCommand: false,
  ofService: false,
  volumes: false,
  family: 'nightly',
  containers: ['app'],
  exitCodes: [75],
  subnet: 'subnet-1',
  network,
  attempt: 0,
  root: ROOT,
  successors: null,
  ledger: { attempts: {}, lastActAt: null, incident: null, remembered: {} },
  ...more,
});

const PROVIDERS = ['FARGATE_SPOT', 'FARGATE'];
const task = fc.record({
  lastStatus: fc.constantFrom('RUNNING', 'DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED', 'SOMETHING NEW'),
  stopCode: fc.constantFrom('SpotInterruption', 'TerminationNotice', 'UserInitiated', null),
});
const successor = fc.record({
  arn: fc.constant('arn:aws:ecs:eu-west-1:111122223333:task/prod/next'),
  lastStatus: fc.constantFrom('PROVISIONING', 'RUNNING', 'STOPPED'),
  stopCode: fc.constantFrom(null, 'TaskFailedToStart', 'EssentialContainerExited'),
  stoppedReason: fc.constantFrom(null, 'Capacity is unavailable at this time', 'CannotPullContainerError'),
});
const any = fc.record({
  task,
  trigger: fc.constantFrom('event' as const, 'follow-up' as const, 'tick' as const),
  attempt: fc.nat(6),
  network: fc.constantFrom(network, null),
  ofService: fc.boolean(),
  taskTags: fc.constantFrom({}, { 'aws:batch:job-queue': 'nightly' }),
  volumes: fc.boolean(),
  exitCodes: fc.array(fc.constantFrom(0, 75, 137, null), { maxLength: 2 }),
  upToDate: fc.boolean(),
  successors: fc.option(fc.array(successor, { maxLength: 3 })),
  ledger: fc.record({
    attempts: fc.constant({}),
    lastActAt: fc.constant(null),
    incident: fc.constantFrom(null, { openedAt: at, steps: 1 }),
    remembered: fc.constantFrom({}, { ran: true }, { ran: false, refused: 2 }, { network }),
  }),
});

describe('whatever the facts', () => {
  const decisions = fc.tuple(any, fc.integer({ min: 0, max: 7_200_000 }));

  it('a task is run again only when it has stopped, by a Spot interruption, with its network known, and within the cap', () => {
    fc.assert(
      fc.property(decisions, ([more, age]) => {
        const decision = decide(situation(more), policy, at + age);

        if (decision.kind !== 'act') return;
        expect(more.task.lastStatus).toBe('STOPPED');
        expect(more.task.stopCode).not.toBe('UserInitiated');
        expect(more.network).not.toBeNull();
        expect(more.attempt).toBeLessThan(policy.resumeMax);
        expect(more.volumes).toBe(false);
        expect(more.ofService).toBe(false);
        expect(more.taskTags).toEqual({});
        expect(age).toBeLessThanOrEqual(3_600_000);
        expect(more.successors?.some(({ lastStatus }) => lastStatus !== 'STOPPED') ?? false).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('one call is made, by launch type or by strategy and never both, on demand from the second attempt on', () => {
    fc.assert(
      fc.property(decisions, ([more, age]) => {
        const decision = decide(situation(more), policy, at + age);

        if (decision.kind !== 'act') return;
        expect(decision.calls).toHaveLength(1);
        const { launchType, capacityProviderStrategy, clientToken } = decision.calls[0]?.params ?? {};
        const providers = [launchType, capacityProviderStrategy?.[0]?.capacityProvider].filter(Boolean);
        expect(providers).toHaveLength(1);
        expect(PROVIDERS).toContain(providers[0]);
        if (more.attempt >= 1) expect(launchType).toBe('FARGATE');
        expect(clientToken).toMatch(/^[!-~]{1,64}$/);
      }),
      { numRuns: 500 },
    );
  });

  it('every sentence is whole, and what is deferred is looked at later than now', () => {
    fc.assert(
      fc.property(decisions, ([more, age]) => {
        const decision = decide(situation(more), policy, at + age);

        expect(decision.why).toMatch(/\.$/);
        expect(decision.why).not.toMatch(/undefined|null|NaN/);
        if (decision.kind === 'defer') expect(decision.until).toBeGreaterThan(at + age);
      }),
      { numRuns: 500 },
    );
  });
});

it('no exit code at all is no sign that the work is done', () => {
  const done = { ...policy, resumeDoneOnZero: true };

  expect(decide(situation({ exitCodes: [] }), done, at).reason).toBe('resume-task');
  expect(decide(situation({ exitCodes: [0] }), done, at).reason).toBe('work-done');
});

it('of two memories one is made, whoever was first: with the network that either knows, and the later of what was run', () => {
  const memory: fc.Arbitrary<Memory> = fc.record(
    {
      network: fc.constantFrom(network, { ...network, securityGroups: ['sg-2'] }),
      tags: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2')),
      ran: fc.boolean(),
      refused: fc.nat(3),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(memory, memory, (a, b) => {
      const one = joined(a, b);

      expect(joined(b, a)).toEqual(one);
      expect(joined(one, b)).toEqual(one);
      expect(one.network !== undefined).toBe(a.network !== undefined || b.network !== undefined);
      expect(one.refused ?? 0).toBe(Math.max(a.refused ?? 0, b.refused ?? 0));
    }),
    // The order in which tags came says nothing.
    { examples: [[{ tags: { b: '1', a: '1' } }, { tags: { a: '2', b: '1' } }]], numRuns: 2_000 },
  );
});

it('nothing is remembered of overrides', () => {
  const secret = { containerOverrides: [{ name: 'app', environment: [{ name: 'KEY', value: 'hunter2' }] }] };
  const warned = decide(situation({ overrides: secret, task: { lastStatus: 'RUNNING' } }), policy, at);
  const stopped = decide(situation({ overrides: secret }), policy, at);

  expect(JSON.stringify([warned.remember, stopped.remember])).not.toContain('hunter2');
  expect([warned.kind, stopped.kind]).toEqual(['defer', 'act']);
});

describe('the memory of a notice', () => {
  const tags = { 'reflex:resume': 'true' };

  it('completes a task that has stopped', () => {
    const facts = situation({ network: null, definitionTags: { team: 'data' } });

    expect(recall(facts, { network, tags })).toMatchObject({
      network,
      taskTags: tags,
      tags: { team: 'data', ...tags },
    });
  });

  it('does not outlive what AWS still says: a tag that was taken off a running task is off', () => {
    const facts = situation({ task: { lastStatus: 'RUNNING' }, taskTags: {} });

    expect(recall(facts, { tags }).tags).toEqual({});
  });

  it("never covers the task's own tags", () => {
    const facts = situation({ taskTags: { 'reflex:resume': 'false' } });

    expect(recall(facts, { tags }).tags).toEqual({ 'reflex:resume': 'false' });
  });
});

it.each([
  ['Capacity is unavailable at this time. Please try again later', true],
  ['RESOURCE:FARGATE', true],
  ["You've reached the limit on the number of vCPUs you can run concurrently", true],
  ['CannotPullContainerError: pull image manifest', false],
  ['TaskDefinition is inactive', false],
])('"%s" says that there is no capacity: %s', (text, expected) => {
  expect(saysNoCapacity(text)).toBe(expected);
});

it('waits 5 s, then 1 min, doubling up to 15 min', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 20].map((n) => patienceAfter(n) / 1_000)).toEqual([5, 60, 120, 240, 480, 900, 900, 900]);
});

describe('settings', () => {
  it('default to no resume, three attempts, and nothing taken for done', () => {
    expect(stackPolicy({})).toEqual({
      resume: false,
      resumeMax: 3,
      resumeDoneOnZero: false,
      resumeSubnets: [],
      resumeSecurityGroups: [],
      resumeAssignPublicIp: 'DISABLED',
    });
  });

  it.each([
    ['reflex:resume', 'yes'],
    ['reflex:resume-max', '0'],
    ['reflex:resume-subnets', 'subnet-00000001,subnet-00000002'],
    ['reflex:resume-security-groups', 'default'],
    ['reflex:resume-assign-public-ip', 'true'],
    ['reflex:resumes', 'true'],
  ])('%s = %s is refused', (tag, value) => {
    expect(() => taskPolicy(stackPolicy({}), { [tag]: value })).toThrow(tag);
  });

  it('know the tags that Reflex itself puts on what it runs', () => {
    const tags = { 'reflex:resume-root': ROOT, 'reflex:resume-attempt': '1', 'reflex:resume': 'true' };

    expect(taskPolicy(stackPolicy({}), tags).resume).toBe(true);
  });
});
