import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../functions/drain-fargate/decide.ts';
import { keyOf, type Memory } from '../../../functions/drain-fargate/facts.ts';
import { taskIdOf } from '../../../shared/ecs-task.ts';
import { at } from '../../support/event-builders.ts';
import { targetGroupArn } from '../../support/fake-aws/elbv2.ts';
import { policy, registration, situation, target } from '../../support/task-facts.ts';

const SECOND = 1_000;
const web = targetGroupArn('web');
const grpc = targetGroupArn('grpc');
/** The next multiple of five seconds. */
const beat = (ms: number) => Math.ceil(ms / (5 * SECOND)) * 5 * SECOND;

describe('a running task that Fargate takes back', () => {
  it.each(['RUNNING', 'DEACTIVATING', 'STOPPING'])('%s: its target is deregistered with its port', (lastStatus) => {
    const decision = decide(situation({ task: { lastStatus } }), policy, at + 900);

    expect(decision).toEqual({
      kind: 'act',
      reason: 'spot-interruption',
      why: `Spot interruption 0.9 s ago, task ${lastStatus}: deregistering 10.0.2.164:8080 in web.`,
      calls: [
        { call: 'DeregisterTargets', params: { TargetGroupArn: web, Targets: [{ Id: '10.0.2.164', Port: 8080 }] } },
      ],
      coolDownMs: 0,
      followUpAt: beat(at + 30 * SECOND),
      planned: false,
      remember: { since: at, drained: [`${web} 10.0.2.164:8080`], kept: [], emptied: [] },
    });
  });

  it('has one call a target group and one a Cloud Map instance, target groups first', () => {
    const targets = [
      target({ state: 'healthy' }),
      target({ targetGroupArn: grpc, port: 9090 }),
      target({ port: 8081, state: 'unhealthy' }),
    ];

    const decision = decide(situation({ targets, registrations: [registration()] }), policy, at);

    expect(decision).toMatchObject({
      calls: [
        {
          params: {
            TargetGroupArn: web,
            Targets: [
              { Id: '10.0.2.164', Port: 8080 },
              { Id: '10.0.2.164', Port: 8081 },
            ],
          },
        },
        { params: { TargetGroupArn: grpc, Targets: [{ Id: '10.0.2.164', Port: 9090 }] } },
        { call: 'DeregisterInstance', params: { ServiceId: 'srv-web', InstanceId: '1'.padStart(32, '0') } },
      ],
    });
  });

  it('leaves out what is draining or not registered, in target group and Cloud Map', () => {
    const targets = [target({ state: 'draining' }), target({ port: 8081, state: 'unused' }), target({ port: 8082 })];

    const decision = decide(situation({ targets, registrations: [registration({ state: 'unused' })] }), policy, at);

    expect(decision).toMatchObject({ calls: [{ params: { Targets: [{ Id: '10.0.2.164', Port: 8082 }] } }] });
    expect(decision).toHaveProperty('calls.length', 1);
  });

  it('is deregistered from Cloud Map though its instances could not be listed', () => {
    const decision = decide(situation({ targets: [], registrations: [registration({ state: null })] }), policy, at);

    expect(decision).toMatchObject({ kind: 'act', calls: [{ call: 'DeregisterInstance' }] });
  });

  it.each([
    [{}, 30],
    [{ [web]: { protocol: 'HTTP', deregistrationDelay: 300 } }, 90],
    [{ [web]: { protocol: 'HTTP', deregistrationDelay: null } }, 90],
    [{ [web]: { protocol: 'HTTP', deregistrationDelay: 0 } }, 5],
    [
      {
        [web]: { protocol: 'HTTP', deregistrationDelay: 20 },
        [grpc]: { protocol: 'HTTP', deregistrationDelay: 60 },
      },
      60,
    ],
  ])('is looked at again when the longest delay is over, at T0 + 90 s at the latest (%#)', (groups, seconds) => {
    const facts = situation(Object.keys(groups).length > 0 ? { targetGroups: groups } : {});

    expect(decide(facts, policy, at)).toMatchObject({ followUpAt: beat(at + seconds * SECOND) });
  });

  it('is looked at together with the others of its storm', () => {
    const times = [0, 400, 1_100].map((ms) => {
      const decision = decide(situation({ since: beat(at) + 1 + ms }), policy, beat(at) + 2_000);
      return decision.kind === 'act' ? decision.followUpAt : undefined;
    });

    expect(times).toEqual([beat(at) + 35 * SECOND, beat(at) + 35 * SECOND, beat(at) + 35 * SECOND]);
  });
});

describe('a task whose address may be another by now', () => {
  it.each(['DEPROVISIONING', 'STOPPED', 'DELETED'])(
    '%s: nothing is done, and its version is remembered',
    (lastStatus) => {
      const decision = decide(situation({ task: { lastStatus, version: 8 } }), policy, at + SECOND);

      expect(decision).toMatchObject({ kind: 'skip', reason: 'task-gone', remember: { gone: 8 } });
    },
  );

  it('is left alone when a higher version said so, in whatever order they came', () => {
    const late = situation({ task: { lastStatus: 'DEACTIVATING', version: 6 }, memory: { gone: 9 } });

    expect(decide(late, policy, at + SECOND)).toMatchObject({
      kind: 'skip',
      reason: 'task-gone',
      remember: { gone: 9 },
    });
  });

  it('is acted on when what was said before is older', () => {
    const newer = situation({ task: { version: 10 }, memory: { gone: 9 } });

    expect(decide(newer, policy, at)).toMatchObject({ kind: 'act' });
  });

  it('keeps the check of what was done before, and is said to be gone once', () => {
    const memory: Memory = { since: at, drained: [keyOf(target())] };
    const stopped = situation({ task: { lastStatus: 'STOPPED', version: 9 }, open: true, memory });

    const first = decide(stopped, policy, at + 20 * SECOND);
    const second = decide(
      { ...stopped, ledger: { ...stopped.ledger, remembered: { ...memory, gone: 8 } } },
      policy,
      at,
    );

    expect(first).toMatchObject({
      kind: 'defer',
      reason: 'task-gone',
      until: beat(at + 90 * SECOND),
      remember: { ...memory, gone: 9 },
    });
    expect(second).toMatchObject({ kind: 'skip', reason: 'duplicate' });
  });

  it('is acted on 150 s after the notice, and not a moment later', () => {
    expect(decide(situation(), policy, at + 150 * SECOND)).toMatchObject({ kind: 'act' });
    expect(decide(situation(), policy, at + 150 * SECOND + 1)).toMatchObject({ kind: 'skip', reason: 'too-late' });
  });

  it('counts the age from what is remembered where AWS does not say any more', () => {
    const facts = situation({ since: null, memory: { since: at - 200 * SECOND } });

    expect(decide(facts, policy, at)).toMatchObject({ reason: 'too-late' });
    expect(decide(situation({ since: null }), policy, at)).toMatchObject({ kind: 'act' });
  });

  it('leaves an open incident to its check when it is too late', () => {
    const facts = situation({ open: true, memory: { since: at, kept: [keyOf(target())] } });

    expect(decide(facts, policy, at + 200 * SECOND)).toMatchObject({ kind: 'skip', reason: 'duplicate' });
  });
});

describe('a task that does not serve', () => {
  it.each(['PROVISIONING', 'PENDING', 'ACTIVATING'])('%s: is left to its later events', (lastStatus) => {
    expect(decide(situation({ task: { lastStatus } }), policy, at)).toMatchObject({
      kind: 'skip',
      reason: 'not-serving-yet',
    });
  });

  it('in a state nobody knows goes to a person, and is not touched', () => {
    expect(decide(situation({ task: { lastStatus: 'HIBERNATING' } }), policy, at)).toMatchObject({
      kind: 'escalate',
      reason: 'unexpected-state',
    });
  });

  it.each(['event', 'follow-up'] as const)('without an address is asked for again (%s)', (trigger) => {
    const decision = decide(situation({ trigger, targets: [], unknown: [web] }), policy, at);

    expect(decision).toMatchObject({ kind: 'defer', reason: 'address-unknown', until: at + 5 * SECOND });
  });

  it('without an address there is deregistered where it is known, and looked at again in 5 s', () => {
    expect(decide(situation({ unknown: [grpc] }), policy, at)).toMatchObject({
      kind: 'act',
      followUpAt: at + 5 * SECOND,
    });
  });
});

describe('nothing left to do', () => {
  it('says that ECS did it, where the elb attachment is DELETED', () => {
    const decision = decide(situation({ task: { lastStatus: 'STOPPING', elbStatus: 'DELETED' } }), policy, at);

    expect(decision).toMatchObject({ kind: 'skip', reason: 'deregistered-by-ecs' });
  });

  it('leaves Cloud Map to ECS as well then, unless the instance is still listed', () => {
    const task = { lastStatus: 'STOPPING', elbStatus: 'DELETED' };

    expect(decide(situation({ task, registrations: [registration({ state: null })] }), policy, at)).toMatchObject({
      kind: 'skip',
    });
    expect(decide(situation({ task, registrations: [registration()] }), policy, at)).toMatchObject({ kind: 'act' });
  });

  it('still drains target groups that ECS knows nothing of', () => {
    const facts = situation({
      task: { lastStatus: 'STOPPING', elbStatus: 'DELETED' },
      targets: [target(), target({ targetGroupArn: grpc, by: 'tag', state: 'healthy' })],
    });

    expect(decide(facts, policy, at)).toMatchObject({ calls: [{ params: { TargetGroupArn: grpc } }] });
    expect(decide(facts, policy, at)).toHaveProperty('calls.length', 1);
  });

  it('drains a group named by tag though its health was not read', () => {
    const task = { elbStatus: 'DELETED' };

    expect(decide(situation({ task, targets: [target({ by: 'tag' })] }), policy, at)).toMatchObject({ kind: 'act' });
    expect(decide(situation({ task, targets: [target({ by: 'ecs' })] }), policy, at)).toMatchObject({ kind: 'skip' });
  });

  it('believes the target group more than the attachment', () => {
    const facts = situation({ task: { elbStatus: 'DELETED' }, targets: [target({ state: 'healthy' })] });

    expect(decide(facts, policy, at)).toMatchObject({ kind: 'act' });
  });

  it('says so where every target drains', () => {
    expect(decide(situation({ targets: [target({ state: 'draining' })] }), policy, at)).toMatchObject({
      kind: 'skip',
      reason: 'already-draining',
      why: 'Every target of the task is draining or gone: web.',
    });
  });

  it('says so where there is no target group at all', () => {
    expect(decide(situation({ targets: [] }), policy, at)).toMatchObject({ kind: 'skip', reason: 'no-target' });
    expect(
      decide(situation({ targets: [], registrations: [registration({ state: 'unused' })] }), policy, at),
    ).toMatchObject({ reason: 'already-draining' });
  });

  it('is not said while a target group has not told its port', () => {
    expect(decide(situation({ targets: [], unknown: [grpc] }), policy, at)).toMatchObject({
      kind: 'defer',
      reason: 'address-unknown',
      until: at + 5 * SECOND,
    });
  });

  it('is a duplicate where a former event of the same interruption was acted on: the check stands', () => {
    const memory: Memory = { since: at, drained: [keyOf(target()), keyOf(registration())] };
    const facts = situation({ task: { lastStatus: 'STOPPING', version: 7 }, open: true, memory });

    expect(decide(facts, policy, at + 22 * SECOND)).toMatchObject({ kind: 'skip', reason: 'duplicate' });
  });

  it('is acted on again where only another of its targets was', () => {
    const facts = situation({ open: true, memory: { drained: [keyOf(target({ port: 9 }))] } });

    expect(decide(facts, policy, at)).toMatchObject({ kind: 'act', planned: false });
  });
});

describe('the last target', () => {
  const last = target({ state: 'healthy', last: true });

  it('stays, and is looked at again in 15 s', () => {
    const decision = decide(situation({ targets: [last] }), policy, at + SECOND);

    expect(decision).toMatchObject({
      kind: 'defer',
      reason: 'last-target',
      until: at + 16 * SECOND,
      remember: { since: at, kept: [keyOf(last)] },
    });
  });

  it('stays alone: the other target groups and the registry are drained', () => {
    const facts = situation({ targets: [last, target({ targetGroupArn: grpc })], registrations: [registration()] });

    const decision = decide(facts, policy, at);

    expect(decision).toMatchObject({
      kind: 'act',
      why: expect.stringContaining('; 10.0.2.164:8080 in web stays, because nothing else serves there.'),
      calls: [{ params: { TargetGroupArn: grpc } }, { call: 'DeregisterInstance' }],
      followUpAt: at + 15 * SECOND,
      remember: { kept: [keyOf(last)] },
    });
  });

  it('is looked at again with the others where they are due before', () => {
    const targetGroups = { [web]: { protocol: 'HTTP', deregistrationDelay: 10 } };
    const facts = situation({ targets: [last, target({ port: 81 })], targetGroups });

    expect(decide(facts, policy, at + SECOND)).toMatchObject({ kind: 'act', followUpAt: beat(at + 10 * SECOND) });
  });

  it('goes at its own STOPPING, as planned', () => {
    const kept = { since: at, kept: [keyOf(last)] };
    const facts = situation({
      task: { lastStatus: 'STOPPING', version: 7 },
      targets: [{ ...last, last: false }],
      open: true,
      memory: kept,
    });

    expect(decide(facts, policy, at + 22 * SECOND)).toMatchObject({
      kind: 'act',
      planned: true,
      remember: { kept: [], drained: [keyOf(last)] },
    });
  });

  it('goes at once where the stack, or its service, wants no such guard', () => {
    expect(decide(situation({ targets: [last] }), { ...policy, keepLastTarget: false }, at)).toMatchObject({
      kind: 'act',
    });
  });

  it('of a group is remembered of those that go, so that groups others serve go first', () => {
    const targets = [target({ emptied: true }), target({ targetGroupArn: grpc })];

    expect(decide(situation({ targets }), policy, at)).toMatchObject({ remember: { emptied: [web] } });
  });

  it('is left to the invocation that was told of it before, until that has decided', () => {
    const targets = [target({ state: 'healthy', emptied: true, theirs: true })];

    expect(decide(situation({ targets }), policy, at)).toMatchObject({ kind: 'skip', reason: 'lease-held' });
    expect(decide(situation({ targets, open: true }), policy, at)).toMatchObject({ reason: 'last-target' });
    expect(decide(situation({ targets }), { ...policy, keepLastTarget: false }, at)).toMatchObject({ kind: 'act' });
  });

  it('is so in Cloud Map, too', () => {
    const facts = situation({ targets: [], registrations: [registration({ last: true })] });

    expect(decide(facts, policy, at)).toMatchObject({ kind: 'defer', reason: 'last-target' });
    expect(decide(facts, { ...policy, keepLastTarget: false }, at)).toMatchObject({ kind: 'act' });
  });
});

describe('the check afterwards', () => {
  const memory: Memory = { since: at, drained: [keyOf(target())], kept: [] };
  const check = { trigger: 'follow-up', open: true, memory } as const;

  it.each(['draining', 'unused'])('closes the incident where the target is %s', (state) => {
    const decision = decide(situation({ ...check, targets: [target({ state })] }), policy, at + 30 * SECOND);

    expect(decision).toMatchObject({
      kind: 'skip',
      reason: 'resolved',
      why: `30.0 s after the notice: 10.0.2.164:8080 in web is ${state === 'unused' ? 'gone' : state}.`,
    });
  });

  it('deregisters again what is still registered; that is a failed verification', () => {
    const decision = decide(situation({ ...check, targets: [target({ state: 'healthy' })] }), policy, at + 30 * SECOND);

    expect(decision).toMatchObject({
      kind: 'act',
      planned: false,
      followUpAt: beat(at + 35 * SECOND),
    });
  });

  it('tries three times, then tells a person instead of holding a task that dies anyway', () => {
    const facts = situation({ ...check, targets: [target({ state: 'healthy' })] });
    const tried = (steps: number, more = {}) => ({
      ...facts,
      ...more,
      ledger: { ...facts.ledger, incident: { openedAt: at, steps } },
    });

    expect(decide(tried(2), policy, at + 40 * SECOND)).toMatchObject({ kind: 'act' });
    expect(decide(tried(3), policy, at + 40 * SECOND)).toMatchObject({
      kind: 'escalate',
      reason: 'still-registered',
      why: 'Deregistered 3 times, and still registered: 10.0.2.164:8080 in web.',
    });
    expect(decide(tried(3, { trigger: 'event' }), policy, at + 40 * SECOND)).toMatchObject({ kind: 'act' });
  });

  it.each(['STOPPED', 'DEPROVISIONING'])('of a task that is %s never touches the address again', (lastStatus) => {
    for (const state of ['healthy', 'initial', 'unavailable', 'draining', 'unused']) {
      const facts = situation({ ...check, task: { lastStatus }, targets: [target({ state })] });
      expect(decide(facts, policy, at + 60 * SECOND)).toMatchObject({ kind: 'skip', reason: 'resolved' });
    }
  });

  it('tells a person of a dead task that is still registered, with the call to make', () => {
    const dead = situation({ ...check, task: { lastStatus: 'STOPPED' }, targets: [target({ state: 'unhealthy' })] });
    const old = situation({ ...check, targets: [target({ state: 'unhealthy' })] });

    for (const [facts, now] of [
      [dead, at + 60 * SECOND],
      [old, at + 151 * SECOND],
    ] as const) {
      expect(decide(facts, policy, now)).toMatchObject({
        kind: 'escalate',
        reason: 'still-registered',
        advice: `Unless another task has the address: aws elbv2 deregister-targets --target-group-arn ${web} --targets Id=10.0.2.164,Port=8080`,
      });
    }
  });

  it('leaves a task that is being deprovisioned to ECS until the notice is 90 s old', () => {
    const dying = situation({
      ...check,
      task: { lastStatus: 'DEPROVISIONING' },
      targets: [target({ state: 'unhealthy' })],
      registrations: [registration({ instanceId: taskIdOf(situation().task.arn) })],
    });

    expect(decide(dying, policy, at + 17 * SECOND)).toMatchObject({ kind: 'defer', reason: 'task-gone' });
    expect(decide(dying, policy, at + 90 * SECOND)).toMatchObject({ kind: 'escalate', reason: 'still-registered' });
  });

  it('tells a person of an instance in Cloud Map that outlives its task, under the id that is nobody else’s', () => {
    const instanceOf = (instanceId: string, state: 'registered' | 'unused' | null) =>
      situation({
        ...check,
        task: { lastStatus: 'STOPPED' },
        targets: [],
        registrations: [registration({ instanceId, state })],
      });
    const own = instanceOf(taskIdOf(situation().task.arn), 'registered');

    expect(decide(own, policy, at + 90 * SECOND)).toMatchObject({
      kind: 'escalate',
      reason: 'still-registered',
      advice: `aws servicediscovery deregister-instance --service-id srv-web --instance-id ${taskIdOf(own.task.arn)}`,
    });
    for (const other of [instanceOf(taskIdOf(own.task.arn), 'unused'), instanceOf('another', 'registered')]) {
      expect(decide(other, policy, at + 90 * SECOND)).toMatchObject({ kind: 'skip', reason: 'resolved' });
    }
  });

  it.each([
    ['a target', { targets: [target({ state: null })] }],
    ['an instance in Cloud Map', { targets: [], registrations: [registration({ state: null })] }],
  ])('does not call resolved what it could not read: %s', (_, unread) => {
    const memory: Memory = { since: at, drained: [keyOf(target()), keyOf(registration())] };
    for (const lastStatus of ['STOPPING', 'STOPPED']) {
      const facts = situation({ ...check, memory, task: { lastStatus }, ...unread });
      expect(decide(facts, policy, at + 30 * SECOND)).toMatchObject({ kind: 'defer', reason: 'observe-failed' });
    }
  });

  it('of a kept target keeps it while nothing else serves, and lets it go when something does', () => {
    const kept = { ...check, memory: { since: at, kept: [keyOf(target())] } };
    const alone = situation({ ...kept, targets: [target({ state: 'healthy', last: true })] });
    const joined = situation({ ...kept, targets: [target({ state: 'healthy' })] });

    expect(decide(alone, policy, at + 15 * SECOND)).toMatchObject({ kind: 'defer', reason: 'last-target' });
    expect(decide(joined, policy, at + 15 * SECOND)).toMatchObject({ kind: 'act', planned: true });
  });

  it('is the same when the sweep makes it', () => {
    const facts = situation({ ...check, trigger: 'tick', targets: [target({ state: 'unused' })] });

    expect(decide(facts, policy, at + 300 * SECOND)).toMatchObject({ kind: 'skip', reason: 'resolved' });
  });
});

describe('what is said each time', () => {
  const service = situation().service;

  it('is nothing, where nothing is to be said', () => {
    expect(decide(situation(), policy, at).why).toMatch(/in web\.$/);
  });

  it.each([
    [{ stopTimeout: 59 }, 'stopTimeout is 59 s'],
    [
      { targetGroups: { [web]: { protocol: 'HTTP', deregistrationDelay: 120 } } },
      'the deregistration delay of web is 120 s',
    ],
    [
      { targetGroups: { [web]: { protocol: 'TCP', deregistrationDelay: 30 } } },
      'web belongs to a Network Load Balancer',
    ],
    [{ service: { ...service, desiredCount: 1 } }, 'the service has one task'],
    [{ service: { ...service, capacityProviders: ['FARGATE_SPOT'] } }, 'FARGATE_SPOT alone'],
  ])('is the finding %j', (overrides, text) => {
    expect(decide(situation(overrides), policy, at).why).toMatch(/ Findings: [^;]+\)\.$/);
    expect(decide(situation(overrides), policy, at).why).toContain(text);
  });

  it.each([
    { stopTimeout: 60 },
    { stopTimeout: null },
    { targetGroups: { [web]: { protocol: 'HTTPS', deregistrationDelay: 119 } } },
    { targetGroups: { [web]: { protocol: null, deregistrationDelay: null } } },
    { service: { ...service, desiredCount: 2 } },
    { service: { ...service, desiredCount: 0 } },
    { service: { ...service, capacityProviders: null } },
  ])('is not found just below, nor where it was not read (%j)', (overrides) => {
    expect(decide(situation(overrides), policy, at).why).not.toContain('Findings');
  });

  it('is said of a skip as well', () => {
    const facts = situation({ stopTimeout: 30, targets: [target({ state: 'draining' })] });

    expect(decide(facts, policy, at).why).toContain('Findings: stopTimeout is 30 s');
  });

  it('is what ECS does by itself, and what could not be read', () => {
    const facts = situation({ service: { ...service, serviceConnect: true, vpcLattice: true }, unknown: [grpc] });

    const { why } = decide(facts, policy, at);

    expect(why).toContain('Service Connect: ECS takes the task out of it by itself.');
    expect(why).toContain('VPC Lattice: ECS deregisters the task there by itself');
    expect(why).toContain('Not drained, because the address or port of the task there is not known yet: grpc.');
  });
});

describe('over all facts', () => {
  const state = fc.constantFrom(null, 'healthy', 'initial', 'unhealthy', 'draining', 'unused', 'unavailable', 'new');
  const targets = fc.array(
    fc.record({
      targetGroupArn: fc.constantFrom(web, grpc),
      id: fc.constantFrom('10.0.2.164', 'fd00::1'),
      port: fc.integer({ min: 1, max: 4 }),
      by: fc.constantFrom('ecs' as const, 'tag' as const),
      state,
      emptied: fc.boolean(),
      last: fc.boolean(),
    }),
    { maxLength: 5 },
  );
  const registrations = fc.array(
    fc.record({
      serviceId: fc.constantFrom('srv-a', 'srv-b'),
      instanceId: fc.constantFrom('i1', 'i2'),
      state: fc.constantFrom(null, 'registered' as const, 'unused' as const),
      last: fc.boolean(),
    }),
    { maxLength: 2 },
  );
  const facts = fc
    .record({
      lastStatus: fc.constantFrom('RUNNING', 'DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED', 'PENDING', 'NEW'),
      elbStatus: fc.constantFrom(null, 'ATTACHED', 'DELETED'),
      version: fc.integer({ min: 5, max: 9 }),
      gone: fc.option(fc.integer({ min: 5, max: 9 }), { nil: undefined }),
      kept: fc.boolean(),
      open: fc.boolean(),
      trigger: fc.constantFrom('event' as const, 'follow-up' as const, 'tick' as const),
      since: fc.option(fc.integer({ min: at - 200_000, max: at }), { nil: null }),
      targets,
      registrations,
    })
    .map(({ lastStatus, elbStatus, version, gone, kept, ...rest }) => {
      const memory: Memory = {
        ...(gone !== undefined && { gone }),
        ...(kept && { kept: rest.targets.map(keyOf) }),
      };
      return situation({ ...rest, task: { lastStatus, elbStatus, version }, memory });
    });

  it('never touches an address that may be another task by now, and never without its port', () => {
    fc.assert(
      fc.property(facts, fc.boolean(), (one, keepLastTarget) => {
        const decision = decide(one, { ...policy, keepLastTarget }, at);
        if (decision.kind !== 'act') return;
        const memory: Memory = one.ledger.remembered;
        expect(['RUNNING', 'DEACTIVATING', 'STOPPING']).toContain(one.task.lastStatus);
        expect(memory.gone ?? 0).toBeLessThanOrEqual(one.task.version);
        expect(at - (one.since ?? at)).toBeLessThanOrEqual(150_000);
        expect(decision.calls.length).toBeGreaterThan(0);
        for (const call of decision.calls) {
          if (call.call !== 'DeregisterTargets') continue;
          expect(call.params.Targets.length).toBeGreaterThan(0);
          for (const { Id, Port } of call.params.Targets) {
            const own = one.targets.filter(({ id, port, targetGroupArn }) => {
              return targetGroupArn === call.params.TargetGroupArn && id === Id && port === Port;
            });
            expect(
              own.some(({ state, last }) => state !== 'draining' && state !== 'unused' && !(keepLastTarget && last)),
            ).toBe(true);
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('calls each target group once', () => {
    fc.assert(
      fc.property(facts, (one) => {
        const decision = decide(one, policy, at);
        if (decision.kind !== 'act') return;
        const groups = decision.calls.flatMap(({ params }) =>
          'TargetGroupArn' in params ? params.TargetGroupArn : [],
        );
        expect(new Set(groups).size).toBe(groups.length);
      }),
    );
  });

  it('comes back by itself later than now, and never opens what nobody looks at again', () => {
    fc.assert(
      fc.property(facts, (one) => {
        const decision = decide(one, policy, at);
        if (decision.kind === 'defer') expect(decision.until).toBeGreaterThan(at);
        if (decision.kind === 'act') expect(decision.followUpAt).toBeGreaterThanOrEqual(at + 5_000);
        expect(decision.why).not.toMatch(/undefined|null|NaN|Infinity/);
      }),
      { numRuns: 2_000 },
    );
  });
});
