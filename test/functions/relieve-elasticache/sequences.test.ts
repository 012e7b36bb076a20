import { describe, expect, it } from 'vitest';
import type { Change, GroupSituation, Memory, NodeLoad } from '../../../functions/relieve-elasticache/facts.ts';
import { relieveElastiCache } from '../../../functions/relieve-elasticache/function.ts';
import {
  ALL,
  adviceOf,
  decided,
  group,
  hot,
  IDLE,
  outcome,
  paramsOf,
  readHot,
  serverless,
  serving,
  shard,
  verifying,
  writeHot,
} from '../../support/cache-facts.ts';
import { engineAlarm, offered, readLoad } from '../../support/cache-load.ts';
import { at, tick } from '../../support/event-builders.ts';
import { deployed } from '../../support/fake-aws/deployed.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';

/** What happens one after the other, and what people do in between. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const fake = await useFakeAwsWithDynamodb();

const alarm = (name = 'redis-hot') => engineAlarm(name, fake.clock());
const change = (rest: Partial<Change> = {}): Change => ({
  kind: 'replicas',
  says: 'one replica more in orders',
  at: at - 20 * MINUTE,
  node: 'node-0001-2',
  cpu: 96,
  ...rest,
});
const open = (facts: GroupSituation, minutesAgo: number): GroupSituation => ({
  ...facts,
  trigger: 'follow-up',
  ledger: { ...facts.ledger, incident: { openedAt: at - minutesAgo * MINUTE, steps: 0 } },
});

describe('a replica that Reflex has added', () => {
  /** A replica more for a busy hour, then calm. */
  const grown = async () => {
    fake.elasticache.createGroup('orders', { replicas: 1 });
    let cores = 1.9;
    offered(
      fake,
      'orders',
      readLoad(() => cores),
    );
    const function_ = await deployed(fake, relieveElastiCache);
    function_.send(alarm());
    await function_.run(30 * MINUTE);
    cores = 0.4;
    const [only] = fake.elasticache.group('orders').shards;
    if (only === undefined) throw new Error('no shard');
    expect(only.nodes).toHaveLength(3);
    const hours = async (count: number) => {
      for (let hour = 0; hour < count; hour++) {
        function_.send(tick('all'));
        await function_.run(HOUR);
      }
    };
    return { hours, nodes: only.nodes };
  };
  const takeAway = (nodes: { primary: boolean }[]) =>
    nodes.splice(
      nodes.findIndex(({ primary }) => !primary),
      1,
    );

  it('and that somebody took away and put back later, is theirs', async () => {
    const { hours, nodes } = await grown();

    const [taken] = takeAway(nodes);
    await hours(1);
    if (taken !== undefined) nodes.push({ id: 'orders-004', primary: false });
    await hours(4);

    expect(nodes).toHaveLength(3);
    expect(fake.called('DecreaseReplicaCount')).toEqual([]);
  });

  it('stays where somebody has set a higher count since', async () => {
    const { hours, nodes } = await grown();

    nodes.push({ id: 'orders-004', primary: false });
    await hours(4);

    expect(nodes).toHaveLength(4);
    expect(fake.called('DecreaseReplicaCount')).toEqual([]);
  });

  it('is not looked for in another group of the same name', async () => {
    const { hours } = await grown();

    fake.elasticache.deleteGroup('orders');
    const anew = fake.elasticache.createGroup('orders', { replicas: 2 });
    await hours(4);

    expect(anew.shards[0]?.nodes).toHaveLength(3);
    expect(fake.called('DecreaseReplicaCount')).toEqual([]);
  });

  it.each([
    [15, 'act scale-in-cache'],
    [15.1, 'skip nothing-to-remove'],
  ])('%d minutes before the group was made, by two clocks: %s', (minutes, expected) => {
    const remembered: Memory = { addedReplicas: { '0001': { from: 1, count: 1 } }, changedAt: at - 2 * HOUR };
    const createdAt = at - 2 * HOUR + minutes * MINUTE;
    const facts = group(shard('0001', IDLE, IDLE, IDLE), { trigger: 'tick', remembered, createdAt });

    expect(outcome(decided(facts))).toBe(expected);
  });

  it('that never came does not count', () => {
    const remembered: Memory = {
      addedReplicas: { '0001': { from: 1, count: 1 } },
      change: change({ nodes: ['node-0001-1', 'node-0001-2'], availableSince: at - 6 * MINUTE }),
      changedAt: at - 20 * MINUTE,
    };

    const again = decided(verifying(group(shard('0001', readHot, serving)), remembered));

    expect(again.remember).toMatchObject({ addedReplicas: { '0001': { from: 1, count: 1 } } });
  });
});

describe('shards that Reflex has added', () => {
  const remembered: Memory = { addedShards: { from: 2, count: 1 }, changedAt: at - 2 * HOUR };
  const calm = (count: number, options: Partial<GroupSituation> = {}) =>
    group(Array.from({ length: count }, (_, i) => shard(`000${i + 1}`, IDLE)).flat(), {
      trigger: 'tick',
      remembered,
      ...options,
    });

  it.each([
    [2, {}],
    [4, {}],
  ])('are forgotten where there are %d by now', (count, kept) => {
    const decision = decided(calm(count), { allow: 'shards' });

    expect(outcome(decision)).toBe('skip nothing-to-remove');
    expect(decision.remember).toEqual({ changedAt: at - 2 * HOUR, ...kept });
  });

  it('are remembered while the group is being changed, and where the count is the one it set', () => {
    expect(decided(calm(2, { status: 'modifying' }), { allow: 'shards' }).remember).toBeUndefined();
    expect(outcome(decided(calm(3), { allow: 'shards' }))).toBe('act scale-in-cache');
  });

  it('are counted anew from what somebody else has set', () => {
    const four = group(
      ['0001', '0002', '0003', '0004'].flatMap((id) => shard(id, writeHot)),
      { remembered },
    );

    expect(decided(four, { ...ALL, 'reshard-above-80': 'true' })).toMatchObject({
      kind: 'act',
      remember: { addedShards: { from: 4, count: 1 } },
    });
  });
});

describe('a change that takes its time', () => {
  it('is looked at again at a whole millisecond, whenever it is looked at', () => {
    const busy = group(shard('0001', readHot, serving), { status: 'modifying' });
    for (const waited of [121_001, 200_002, 345_679, 1_199_999]) {
      const decision = decided(verifying(busy, { change: change({ at: at - waited }) }));

      expect(decision).toMatchObject({ kind: 'defer', reason: 'changing' });
      expect(decision.kind === 'defer' && Number.isInteger(decision.until)).toBe(true);
    }
  });

  it('has each of its checks understood, however long a call takes', async () => {
    fake.elasticache.createGroup('orders', { replicas: 1, changeMs: 25 * MINUTE });
    offered(
      fake,
      'orders',
      readLoad(() => 1.9),
    );
    const function_ = await deployed(fake, relieveElastiCache);

    const slowly = () => {
      fake.clock.advance(137);
      return undefined;
    };
    fake.fault('DescribeReplicationGroups', slowly, 100);
    function_.send(alarm());
    await function_.run(40 * MINUTE);

    expect(function_.outcomes.at(-1)).toMatchObject({ decision: 'skip', reason: 'resolved' });
    expect(fake.sqs.dead).toEqual([]);
  });
});

describe('a change whose incident ended before it was verified', () => {
  // A quota, or an opt-out in the middle.
  const remembered: Memory = { change: change({ nodes: ['node-0001-1', 'node-0001-2'] }), changedAt: at - 20 * MINUTE };

  it('delays no look at new trouble', () => {
    const decision = decided(group(shard('0001', readHot, serving), { remembered }));

    expect(outcome(decision)).toBe('act read-hot-primary');
    expect(decision.why).not.toContain('no node came');
  });

  it('and of a serverless cache neither', () => {
    const ledger = { attempts: {}, lastActAt: null, incident: null, remembered };
    const decision = decided(serverless({ ledger }), ALL);

    expect(outcome(decision)).toBe('act serverless-limit');
  });

  it('is forgotten by the schedule', () => {
    const decision = decided(group(shard('0001', IDLE, IDLE), { trigger: 'tick', remembered }));
    expect(decision.remember).toEqual({ changedAt: at - 20 * MINUTE });
  });
});

describe('a replica that clients do not read from', () => {
  const before = ['node-0001-1', 'node-0001-3', 'node-0002-1', 'node-0002-3'];
  const nodes = (second: NodeLoad) => [
    ...shard('0001', readHot, serving, serving),
    ...shard('0002', readHot, serving, second),
  ];
  const unread: NodeLoad = { ...IDLE, commands: {} };
  const since = (minutes: number): Memory => ({
    change: change({ nodes: before, availableSince: at - minutes * MINUTE }),
    changedAt: at - 30 * MINUTE,
  });

  it('is waited for and told of also where that of another shard is read', () => {
    const told = decided(verifying(group(nodes(unread)), since(15)));

    expect(outcome(decided(verifying(group(nodes(unread)), since(14))))).toBe('defer awaiting-reads');
    expect(outcome(told)).toBe('escalate reads-not-offloaded');
    expect(told.remember).toMatchObject({ unread: ['node-0002-2'] });
    expect(told.why).not.toContain('node-0001-2 in service');
  });

  it('while a burst passes gets no sister in the next one, until it is read', () => {
    const burst = (third: NodeLoad) => shard('0001', readHot, serving, third);
    const over = shard('0001', IDLE, serving, unread);
    const done = decided(verifying(group(over), since(6)));
    const remembered = done.remember as Memory;

    expect(outcome(done)).toBe('skip resolved');
    expect(remembered).toMatchObject({ unread: ['node-0001-2'] });
    expect(remembered.change).toBeUndefined();
    expect(outcome(decided(group(burst(unread), { remembered })))).toBe('escalate reads-not-offloaded');
    expect(outcome(decided(group(burst(serving), { remembered })))).toBe('act read-hot-primary');
  });

  it('is not told of where all are read', () => {
    expect(outcome(decided(verifying(group(nodes(serving)), since(15))))).toBe('act read-hot-primary');
  });
});

describe('two replicas that share a burst within the hour', () => {
  it.each([
    [0.8, 'nothing-to-remove'],
    [0.5, 'scale-in-cache'],
  ])('of %d cores, idle otherwise: %s', async (burst, expected) => {
    const tags = { 'reflex:enabled': 'true', 'reflex:scale-in': 'all' };
    fake.elasticache.createGroup('orders', { replicas: 2, tags });
    const since = fake.clock() - 40 * MINUTE;
    const cores = (minute: number) => (minute > since && minute < since + 10 * MINUTE ? burst : 0.05);
    offered(fake, 'orders', (node, shard, _, minute) =>
      readLoad(
        () => cores(minute),
        ({ primary }) => !primary,
      )(node, shard),
    );
    const function_ = await deployed(fake, relieveElastiCache);

    function_.send(tick('all'));
    await function_.run(2_000);

    expect(function_.outcomes.at(-1)).toMatchObject({ reason: expected });
  });
});

describe('two shards that can go', () => {
  it('go with an hour of calm between them, though moving the slots of one takes half of it', async () => {
    const tags = { 'reflex:enabled': 'true', 'reflex:scale-in': 'all', 'reflex:allow': 'shards' };
    fake.elasticache.createGroup('orders', { shards: 4, tags, changeMs: 50 * MINUTE });
    offered(
      fake,
      'orders',
      readLoad(() => 0.1),
    );
    const function_ = await deployed(fake, relieveElastiCache);
    const shards = () => fake.elasticache.group('orders').shards.length;

    for (let hour = 0; hour < 2; hour++) {
      function_.send(tick('all'));
      await function_.run(HOUR);
    }
    expect(fake.called('ModifyReplicationGroupShardConfiguration')).toHaveLength(1);
    expect(function_.outcomes.at(-1)).toMatchObject({ reason: 'cool-down' });
    function_.send(tick('all'));
    await function_.run(HOUR);

    expect(shards()).toBe(2);
  });
});

describe('a change that is seen to begin only after a first look', () => {
  const seen: Memory = {
    change: change({ nodes: ['node-0001-1', 'node-0001-2'], availableSince: at - 6 * MINUTE }),
    changedAt: at - 8 * MINUTE,
  };

  it('is measured from when it is in service, not from that look', () => {
    const busy = verifying(group(shard('0001', readHot, serving), { status: 'modifying' }), seen);
    const begun = decided(busy);
    const arrived = decided(verifying(group(shard('0001', readHot, serving, serving)), begun.remember as Memory));

    expect(outcome(begun)).toBe('defer changing');
    expect(outcome(arrived)).toBe('defer measuring');
    expect(arrived.remember).toMatchObject({ change: { availableSince: at } });
  });

  it('and of a serverless cache, too', () => {
    const raised = { change: change({ kind: 'serverless-limit', availableSince: at - 4 * MINUTE }) };
    const ledger = { attempts: {}, lastActAt: at, incident: { openedAt: at, steps: 1 }, remembered: raised };
    const { availableSince: _, ...begun } = raised.change;

    expect(decided(serverless({ status: 'modifying', ledger }), ALL).remember).toEqual({ change: begun });
  });
});

describe('facts from before the call that another invocation made', () => {
  const made = (secondsAgo: number): Memory => ({ change: change({ at: at - secondsAgo * 1_000 }) });

  it.each([
    [29, 'defer changing'],
    [30, 'defer measuring'],
  ])('say nothing of it: %d s after it was decided: %s', (secondsAgo, expected) => {
    const limit = serverless({ ledger: { ...verifying(group([]), made(secondsAgo)).ledger } });

    expect(outcome(decided(verifying(group(shard('0001', readHot, serving)), made(secondsAgo))))).toBe(expected);
    expect(outcome(decided(limit, ALL))).toBe(expected);
  });
});

describe('the schedule in place of a follow-up that was lost', () => {
  const overdue = (facts: GroupSituation, remembered: Memory = {}): GroupSituation => ({
    ...verifying(facts, remembered),
    trigger: 'tick',
  });

  it('gives no all-clear while the node that was hot is blind', () => {
    const remembered = { change: change({ availableSince: at - 11 * MINUTE }) };
    expect(outcome(decided(overdue(group(shard('0001', hot([]), serving)), remembered)))).toBe('defer metrics-missing');
  });

  it.each([
    [14, 'defer metrics-missing'],
    [15, 'escalate metrics-missing'],
  ])('tells a person where that node is still blind %d minutes after the change: %s', (minutes, expected) => {
    const remembered = { change: change({ at: at - HOUR, availableSince: at - minutes * MINUTE }) };
    const facts = overdue(group(shard('0001', hot([]), serving)), remembered);
    const limit = serverless({ throttled: [], ecpuPerSecond: [], ledger: facts.ledger });

    expect(outcome(decided(facts))).toBe(expected);
    expect(outcome(decided(limit))).toBe(expected);
    if (minutes === 15) expect(adviceOf(decided(facts))).toContain('Whether it helped is not known: one replica more');
  });

  it('gives none while it is blind and another node is at the warning level', () => {
    const remembered = { change: change({ availableSince: at - 11 * MINUTE }) };
    const warm = hot(75, { commands: readHot.commands });

    expect(outcome(decided(overdue(group(shard('0001', hot([]), warm)), remembered)))).toBe('defer metrics-missing');
    expect(outcome(decided(overdue(group(shard('0001', IDLE, warm)), remembered)))).toBe('skip resolved');
  });

  it('gives no all-clear while the network is the limit', () => {
    expect(decided(overdue(group(shard('0001', hot(40, { networkUsage: 120 }), serving)))).reason).toBe(
      'network-bound',
    );
  });

  it('takes a node that cooled down to the warning level for mended', () => {
    const remembered = { change: change({ availableSince: at - 11 * MINUTE }) };
    const facts = group(shard('0001', hot(75, { commands: readHot.commands }), serving));
    expect(outcome(decided(overdue(facts, remembered)))).toBe('skip resolved');
  });
});

describe('an alarm', () => {
  it('that comes before its metrics is looked at again, and after a quarter of an hour told', () => {
    const blind = group(shard('0001', hot([]), hot([])));

    expect(decided(blind)).toMatchObject({ kind: 'defer', reason: 'metrics-missing', until: at + 2 * MINUTE });
    expect(outcome(decided(open(blind, 14)))).toBe('defer metrics-missing');
    expect(outcome(decided(open(blind, 15)))).toBe('escalate metrics-missing');
    expect(adviceOf(decided(open(blind, 15)))).toContain('describe-events');
    expect(outcome(decided({ ...blind, trigger: 'recovery' }))).toBe('skip nothing-open');
  });

  it.each<[string, readonly number[], Record<string, string>, string]>([
    ['its first minute only', [20, 20, 20, 20, 95], {}, 'defer not-saturated'],
    ['a steep rise', [60, 70, 75, 80, 95], {}, 'defer not-saturated'],
    ['a minute that is over', [20, 20, 95, 20, 20], {}, 'skip not-saturated'],
    ['the first minute of a warning that is only reported', [20, 20, 20, 20, 75], {}, 'skip not-saturated'],
    ['the first minute of a warning', [20, 20, 20, 20, 75], { 'act-at': 'warning' }, 'defer not-saturated'],
  ])('with %s: %j %j: %s', (_, points, tags, expected) => {
    const facts = group(shard('0001', hot(points, { commands: readHot.commands }), serving));

    expect(outcome(decided(facts, tags))).toBe(expected);
    expect(outcome(decided({ ...facts, trigger: 'tick' }, tags))).not.toBe('defer not-saturated');
  });

  it.each(['alarm', 'recovery'] as const)(
    'that waits for its metrics is not ended by the %s of another node in between',
    (trigger) => {
      const rising = group(shard('0001', hot([20, 20, 20, 20, 95]), serving));
      const over = group(shard('0001', hot([20, 20, 95, 95, 20]), serving));

      expect(outcome(decided({ ...open(rising, 1), trigger }))).toBe('defer not-saturated');
      expect(outcome(decided({ ...open(over, 1), trigger }))).toBe('skip resolved');
      expect(outcome(decided(open(rising, 4)))).toBe('skip resolved');
    },
  );

  it('of a network at its limit is not ended by the recovery of another', () => {
    const facts = open(group(shard('0001', hot(40, { networkUsage: 120 }), serving)), 5);
    const well = open(group(shard('0001', hot(40), serving)), 5);

    expect(decided({ ...facts, trigger: 'recovery' }).reason).toBe('network-bound');
    expect(outcome(decided({ ...well, trigger: 'recovery' }))).toBe('skip resolved');
  });

  it('of a rise that has only begun ends in a replica, with no other event', async () => {
    fake.elasticache.createGroup('orders', { replicas: 1 });
    const since = Math.floor(fake.clock() / MINUTE) * MINUTE;
    offered(fake, 'orders', (node, shard, _, minute) => readLoad(() => (minute < since ? 0.4 : 1.9))(node, shard));
    const function_ = await deployed(fake, relieveElastiCache);

    await function_.run(MINUTE + 30_000);
    function_.send(alarm());
    await function_.run(5 * MINUTE);

    expect(function_.outcomes.map(({ decision, reason }) => `${decision} ${reason}`).slice(0, 2)).toEqual([
      'defer not-saturated',
      'act read-hot-primary',
    ]);
    expect(fake.called('IncreaseReplicaCount')).toHaveLength(1);
  });
});

describe('what is found by the schedule alone', () => {
  const found: Partial<GroupSituation> = { trigger: 'tick' };
  const X86 = { nodeType: 'cache.m5.xlarge', allowedTypes: ['cache.m5.2xlarge'] };

  it('and left to Application Auto Scaling is told, for no incident waits for it', () => {
    const facts = group(shard('0001', readHot, serving), { autoscaled: ['Replicas'] });

    expect(outcome(decided({ ...facts, ...found }))).toBe('escalate native-autoscaler');
    expect(outcome(decided(facts))).toBe('defer native-autoscaler');
  });

  it.each<[string, Partial<GroupSituation>]>([
    ['service updates', { updating: null }],
    ['the maintenance window', { maintenanceWindow: null }],
  ])(
    'and waits for %s that cannot be read is told with the call; after an alarm in a quarter of an hour',
    (_, unread) => {
      const facts = group(shard('0001', writeHot), { ...X86, ...unread });

      expect(outcome(decided({ ...facts, ...found }, ALL))).toBe('escalate observe-failed');
      expect(outcome(decided(open(facts, 14), ALL))).toBe('defer observe-failed');
      expect(outcome(decided(open(facts, 15), ALL))).toBe('escalate observe-failed');
      expect(adviceOf(decided(open(facts, 15), ALL))).toContain(
        'aws elasticache modify-replication-group --replication-group-id orders --cache-node-type cache.m5.2xlarge',
      );
    },
  );

  it('is done where a window can be read and is over', () => {
    expect(paramsOf(decided(group(shard('0001', writeHot), { ...X86, ...found }), ALL))).toMatchObject({
      CacheNodeType: 'cache.m5.2xlarge',
    });
  });
});

describe('the advice for a throttled serverless cache', () => {
  it('never lowers what a person has it keep ready', () => {
    const throttled = { ecpuMaximum: null, ecpuMinimum: 20_000 };
    const calm = adviceOf(decided(serverless(throttled)));
    const busy = adviceOf(decided(serverless({ ...throttled, ecpuMinimum: 2_000 })));

    expect(calm).not.toContain('modify-serverless-cache');
    expect(calm).toContain('It keeps 20,000 ready');
    expect(busy).toContain('"Minimum":9500');
  });
});
