import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../functions/save-spot-logs/decide.ts';
import { logDevicesOf } from '../../../functions/save-spot-logs/devices.ts';
import type { Host, InstanceSituation, Memory, Notice } from '../../../functions/save-spot-logs/facts.ts';
import { endingOf, heeding } from '../../../functions/save-spot-logs/notices.ts';
import { instancePolicy, type Policy, stackPolicy } from '../../../functions/save-spot-logs/policy.ts';
import { tagOf } from '../../../shared/settings.ts';
import { at } from '../../support/event-builders.ts';
import { saverEnv } from '../../support/save-spot-logs.ts';

const policy: Policy = stackPolicy(saverEnv);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const situation = (over: Partial<InstanceSituation> = {}, memory: Memory = {}): InstanceSituation => ({
  asOf: at,
  arn: 'arn:aws:ec2:eu-west-1:111122223333:instance/i-00000000000000001',
  instanceId: 'i-00000000000000001',
  tags: { 'reflex:enabled': 'true' },
  state: 'running',
  type: 'm5.large',
  zone: 'eu-west-1a',
  spot: true,
  devices: [
    { name: '/dev/xvda', volume: 'vol-a', root: true, deleteOnTermination: true },
    { name: '/dev/xvdf', volume: 'vol-f', root: false, deleteOnTermination: true },
  ],
  notices: [],
  host: null,
  trigger: 'event',
  ledger: { attempts: {}, lastActAt: null, incident: null, remembered: memory },
  ...over,
});

const notices = fc.oneof(
  fc.record({
    kind: fc.constant('interruption' as const),
    action: fc.constantFrom('terminate', 'stop', 'hibernate', '?'),
    at: fc.integer({ min: at - 3 * 3_600_000, max: at }),
  }),
  fc.record({ kind: fc.constant('rebalance' as const), at: fc.integer({ min: at - 3 * 3_600_000, max: at }) }),
  fc.record({
    kind: fc.constant('lifecycle' as const),
    group: fc.constant('g'),
    hook: fc.constant('h'),
    token: fc.constantFrom('1', '2'),
    at: fc.integer({ min: at - 20 * MINUTE, max: at }),
  }),
  fc.record({
    kind: fc.constant('scheduled-change' as const),
    code: fc.constant('C'),
    startsAt: fc.integer({ min: at, max: at + 10 ** 9 }),
    at: fc.constant(at),
  }),
) satisfies fc.Arbitrary<Notice>;

const known = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof(
    value.map((one) => ({ value: one })),
    fc.constant({ unknown: 'denied' }),
  );
const hosts: fc.Arbitrary<Host> = fc.record({
  volumes: known(
    fc.constantFrom<Record<string, Record<string, string>>>(
      {},
      { 'vol-f': { 'reflex:rescue': 'armed', 'reflex:instance': 'i-00000000000000001' } },
      { 'vol-f': { 'reflex:rescue': 'pending', 'reflex:instance': 'i-00000000000000001' } },
      { 'vol-f': { 'reflex:rescue': 'shipping', 'reflex:instance': 'i-00000000000000001' } },
    ),
  ),
  group: known(
    fc.option(
      fc.record({
        name: fc.constant('g'),
        lifecycleState: fc.constantFrom(null, 'InService', 'Terminating:Wait', 'Detaching', 'Pending'),
        capacityRebalance: fc.boolean(),
        heartbeatTimeouts: fc.constantFrom<Record<string, number>>({}, { h: 30 }),
      }),
    ),
  ),
  container: known(
    fc.option(
      fc.record({
        cluster: fc.constant('c'),
        arn: fc.constant('arn:ci'),
        status: fc.constantFrom('ACTIVE', 'DRAINING', 'REGISTERING'),
        tasks: known(
          fc.array(fc.record({ arn: fc.constant('arn:t'), standalone: fc.boolean(), wanted: fc.boolean() }), {
            maxLength: 2,
          }),
        ),
      }),
    ),
  ),
  targets: known(
    fc.array(fc.record({ targetGroupArn: fc.constant('arn:x:targetgroup/web/1'), ports: fc.constant([80]) }), {
      maxLength: 1,
    }),
  ),
  balancers: known(fc.array(fc.constant('old'), { maxLength: 1 })),
  command: known(
    fc.option(
      fc.record({
        status: fc.constantFrom('InProgress', 'Success', 'Failed'),
        at: fc.integer({ min: at - MINUTE, max: at }),
      }),
    ),
  ),
});

const situations = fc
  .record({
    state: fc.constantFrom('pending', 'running', 'shutting-down', 'terminated', 'stopping', 'stopped', 'dreaming'),
    notices: fc.array(notices, { maxLength: 3 }),
    host: fc.option(hosts),
    trigger: fc.constantFrom('event' as const, 'follow-up' as const, 'tick' as const),
    deleteOnTermination: fc.boolean(),
    open: fc.boolean(),
    tries: fc.nat({ max: 7 }),
  })
  .map(({ deleteOnTermination, open, tries, ...facts }) =>
    situation(
      {
        ...facts,
        devices: [
          { name: '/dev/xvda', volume: 'vol-a', root: true, deleteOnTermination: true },
          { name: '/dev/xvdf', volume: 'vol-f', root: false, deleteOnTermination },
        ],
        ledger: {
          attempts: {},
          lastActAt: null,
          incident: open ? { openedAt: at, steps: 1 } : null,
          remembered: { tries },
        },
      },
      {},
    ),
  );

describe('decide, whatever the facts', () => {
  it('always answers, with a reason a person can read, and looks again in the future', () => {
    fc.assert(
      fc.property(situations, fc.nat({ max: 3_600_000 }), (facts, later) => {
        const decision = decide(facts, policy, at + later);

        expect(decision.why).toMatch(/\S/);
        if (decision.kind === 'defer') expect(decision.until).toBeGreaterThanOrEqual(at + later);
        if (decision.kind === 'act') {
          expect(decision.calls.length).toBeGreaterThan(0);
          expect(decision.followUpAt).toBeGreaterThanOrEqual(at + later);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('never touches the root device unasked, never takes capacity, and drains nothing outside its time', () => {
    fc.assert(
      fc.property(situations, fc.nat({ max: 3_600_000 }), (facts, later) => {
        const decision = decide(facts, policy, at + later);
        const calls = decision.kind === 'act' ? decision.calls : [];
        const memory = heeding(facts.ledger.remembered, facts.notices);
        const ending = endingOf(memory, false, at + later);

        expect(JSON.stringify(calls)).not.toContain('vol-a');
        for (const { call, params } of calls) {
          if (call === 'DetachInstances') {
            expect(params.ShouldDecrementDesiredCapacity).toBe(false);
            expect(memory.interruption?.action).toBe('terminate');
            expect(at + later - (memory.interruption?.at ?? 0)).toBeLessThanOrEqual(110 * SECOND);
          }
          if (['UpdateContainerInstancesState', 'DeregisterTargets', 'StopTask'].includes(call)) {
            expect(at + later).toBeLessThanOrEqual(ending?.drainUntil ?? 0);
            expect(facts.state).toMatch(/running|pending/);
          }
          if (call === 'DeleteTags') expect(ending === null || facts.trigger === 'tick').toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('puts keeping before tagging before all else', () => {
    const rank = (call: string) => ['ModifyInstanceAttribute', 'CreateTags'].indexOf(call);
    fc.assert(
      fc.property(situations, (facts) => {
        const decision = decide(facts, policy, at);
        const ranks =
          decision.kind === 'act' ? decision.calls.map(({ call }) => (rank(call) < 0 ? 2 : rank(call))) : [];

        expect(ranks).toEqual(ranks.toSorted());
      }),
      { numRuns: 1_000 },
    );
  });

  it('leaves alone what the rescue is at', () => {
    const volumes = { value: { 'vol-f': { 'reflex:rescue': 'shipping', 'reflex:instance': 'i-00000000000000001' } } };
    const nothing = { value: null };
    const host: Host = {
      volumes,
      group: nothing,
      container: nothing,
      targets: { value: [] },
      balancers: { value: [] },
      command: nothing,
    };

    const decision = decide(
      situation({
        host,
        trigger: 'follow-up',
        notices: [{ kind: 'interruption', action: 'terminate', at }],
        state: 'shutting-down',
      }),
      policy,
      at + SECOND,
    );

    expect(decision.kind === 'act' && decision.calls.map(({ call }) => call)).toEqual(['ModifyInstanceAttribute']);
  });
});

describe('heeding notices', () => {
  it('gives the same, however often and in whatever order those of one occurrence come', () => {
    const close = fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('interruption' as const),
          action: fc.constant('terminate'),
          at: fc.integer({ min: at, max: at + 5 * MINUTE }),
        }),
        fc.record({ kind: fc.constant('rebalance' as const), at: fc.constant(at) }),
        fc.record({
          kind: fc.constant('lifecycle' as const),
          group: fc.constant('g'),
          hook: fc.constant('h'),
          token: fc.constant('1'),
          at: fc.constant(at),
        }),
      ),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(close, fc.infiniteStream(fc.nat()), (list, ranks) => {
        const order = list.map((notice) => ({ notice, rank: ranks.next().value ?? 0 })).sort((a, b) => a.rank - b.rank);
        const shuffled = order.map(({ notice }) => notice);

        const once = endingOf(heeding({}, list), false, at);
        const twice = endingOf(heeding(heeding({}, shuffled), list), false, at);

        expect(twice).toEqual(once);
      }),
    );
  });
});

describe('the log devices', () => {
  const device = (name: string, root = false) => ({ name, root, volume: `vol-${name}`, deleteOnTermination: true });
  const all = [device('/dev/xvda', true), device('/dev/sdf'), device('/dev/xvdg'), device('/dev/nvme1n1')];
  const chosen = (...wanted: string[]) => logDevicesOf(all, wanted).map(({ name }) => name);

  it.each([
    [['/dev/xvdf'], ['/dev/sdf']],
    [
      ['/dev/sdg', '/dev/nvme1n1'],
      ['/dev/xvdg', '/dev/nvme1n1'],
    ],
    [['all'], ['/dev/sdf', '/dev/xvdg', '/dev/nvme1n1']],
    [['root'], ['/dev/xvda']],
    [['/dev/xvda'], []],
    [[], []],
  ])('%j are %j', (wanted, found) => {
    expect(chosen(...wanted)).toEqual(found);
  });
});

describe('a setting', () => {
  it.each([
    ['logDevices', '/dev/xvdf,/dev/xvdg'],
    ['logDevices', 'xvdf'],
    ['logPaths', 'var/log'],
    ['logPaths', '/var/log;reboot'],
    ['filesystem', 'btrfs'],
    ['onRebalance', 'terminate'],
    ['stopStandaloneTasks', 'yes'],
    ['targetGroups', 'web'],
  ])('%s that is "%s" is refused by name', (name, value) => {
    expect(() => instancePolicy(policy, { [tagOf(name)]: value })).toThrow(tagOf(name));
  });

  it('without which the function cannot work is asked for at init', () => {
    expect(() => stackPolicy({})).toThrow('LOG_BUCKET');
    expect(() => stackPolicy({ LOG_BUCKET: 'logs' })).toThrow('SHIP_LOGS_DOCUMENT');
  });
});
