import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Memory, NodeLoad } from '../../../functions/relieve-elasticache/facts.ts';
import { decided, group, hot, IDLE, shard } from '../../support/cache-facts.ts';
import { at } from '../../support/event-builders.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const added = (from: number, count: number): Memory => ({ addedReplicas: { '0001': { from, count } } });
const carrying = (peak: number): NodeLoad => ({ ...IDLE, engineCpuHour: { minutes: 60, peak } });
/** The schedule looks at it; two replicas, of which Reflex added one. */
const calm = (options: Parameters<typeof group>[1] = {}, load: Partial<NodeLoad> = {}) => {
  const node = { ...IDLE, ...load };
  return group(shard('0001', node, node, node), { trigger: 'tick', remembered: added(1, 1), ...options });
};
const outcome = ({ kind, reason }: ReturnType<typeof decided>) => `${kind} ${reason}`;
const paramsOf = (decision: ReturnType<typeof decided>) => (decision.kind === 'act' ? decision.calls[0]?.params : null);

describe('after an hour of calm', () => {
  it('a replica that Reflex added goes, and is no longer counted', () => {
    const decision = decided(calm());

    expect(decision).toMatchObject({
      kind: 'act',
      reason: 'scale-in-cache',
      calls: [
        {
          call: 'DecreaseReplicaCount',
          params: { ReplicationGroupId: 'orders', ApplyImmediately: true, NewReplicaCount: 1 },
        },
      ],
      remember: { addedReplicas: { '0001': { from: 1, count: 0 } }, changedAt: at },
    });
  });

  it.each(['alarm', 'recovery', 'follow-up', 'event'] as const)(
    'nothing goes on anything but the schedule: %s',
    (trigger) => {
      expect(decided(calm({ trigger })).kind).toBe('skip');
    },
  );

  it.each<[string, Memory, Record<string, string>, string]>([
    ['nothing was added', {}, {}, 'skip nothing-to-remove'],
    ['all that was added is gone', added(1, 0), {}, 'skip nothing-to-remove'],
    ['somebody else took it away already', added(2, 1), {}, 'skip nothing-to-remove'],
    ['nothing was added, with reflex:scale-in = all', {}, { 'scale-in': 'all' }, 'act scale-in-cache'],
    ['something was added, with reflex:scale-in = off', added(1, 1), { 'scale-in': 'off' }, 'skip not-saturated'],
    ['replicas are not allowed', added(1, 1), { allow: 'shards' }, 'skip nothing-to-remove'],
    ['reflex:min-replicas is reached', added(1, 1), { 'min-replicas': '2' }, 'skip nothing-to-remove'],
  ])('where %s: %s', (_, remembered, tags, expected) => {
    expect(outcome(decided(calm({ remembered }), tags))).toBe(expected);
  });

  it.each([
    [true, 'skip nothing-to-remove'],
    [false, 'act scale-in-cache'],
  ])('the last replica with automatic failover %s: %s', (failover, expected) => {
    const facts = group(shard('0001', IDLE, IDLE), { trigger: 'tick', failover, remembered: added(0, 1) });
    expect(outcome(decided(facts, { 'min-replicas': '0' }))).toBe(expected);
  });

  it.each<[string, Partial<NodeLoad>, string]>([
    ['a minute was above 45 %', { engineCpuHour: { minutes: 60, peak: 45.1 } }, 'skip not-saturated'],
    ['six minutes are missing', { engineCpuHour: { minutes: 54, peak: 15 } }, 'skip metrics-missing'],
    ['five minutes are missing', { engineCpuHour: { minutes: 55, peak: 15 } }, 'act scale-in-cache'],
    ['the hour is missing', { engineCpuHour: null }, 'skip metrics-missing'],
    ['keys were evicted', { evictionsHour: 1 }, 'skip not-calm'],
    ['a network allowance was exceeded', { networkExceededMinutes: 1 }, 'skip not-calm'],
    ['more than the baseline bandwidth was in use', { networkPeakHour: 100.1 }, 'skip not-calm'],
    ['just the baseline bandwidth was in use', { networkPeakHour: 100 }, 'skip nothing-to-remove'],
  ])('where %s: %s', (_, load, expected) => {
    expect(outcome(decided(calm({}, load)))).toBe(expected);
  });

  it('is not calm while one node is blind', () => {
    const blind = hot([], { engineCpuHour: null });
    const facts = group(shard('0001', IDLE, IDLE, blind), { trigger: 'tick', remembered: added(1, 1) });
    expect(outcome(decided(facts))).toBe('skip metrics-missing');
  });

  it.each([
    [59, 'skip cool-down'],
    [60, 'act scale-in-cache'],
  ])('%d minutes after the last change: %s', (minutes, expected) => {
    const facts = calm();
    const ledger = { ...facts.ledger, lastActAt: at - minutes * MINUTE };
    expect(outcome(decided({ ...facts, ledger }))).toBe(expected);
  });

  it.each([
    [59, 'skip cool-down'],
    [60, 'act scale-in-cache'],
  ])('%d minutes after a change that took hours came into service: %s', (minutes, expected) => {
    const remembered = { ...added(1, 1), changedAt: at - 5 * HOUR, inServiceAt: at - minutes * MINUTE };
    expect(outcome(decided(calm({ remembered })))).toBe(expected);
  });

  it('takes an hour between two steps', () => {
    const facts = calm({ remembered: { ...added(1, 1), changedAt: at - HOUR } });
    const decision = decided({ ...facts, ledger: { ...facts.ledger, lastActAt: at - HOUR } });
    expect(decision).toMatchObject({ coolDownMs: HOUR });
  });

  it('one of five replicas that reached 45 % goes', () => {
    const facts = group(shard('0001', IDLE, ...Array(5).fill(carrying(45))), {
      trigger: 'tick',
      remembered: added(4, 1),
    });
    expect(outcome(decided(facts))).toBe('act scale-in-cache');
  });

  it.each([
    [29, 'act scale-in-cache'],
    [30, 'skip nothing-to-remove'],
  ])('two replicas at %d %% in their busiest minute: the other would carry both below 60 %%: %s', (peak, expected) => {
    const facts = group(shard('0001', IDLE, carrying(peak), carrying(peak)), {
      trigger: 'tick',
      remembered: added(1, 1),
    });
    expect(outcome(decided(facts))).toBe(expected);
  });

  it.each([
    [29, 'act scale-in-cache'],
    [30, 'skip nothing-to-remove'],
  ])('one replica at %d %%: the primary at 30 %% would carry both: %s', (peak, expected) => {
    const facts = group(shard('0001', carrying(30), carrying(peak)), {
      trigger: 'tick',
      failover: false,
      remembered: added(0, 1),
    });
    expect(outcome(decided(facts, { 'min-replicas': '0' }))).toBe(expected);
  });

  it.each([
    [49, 'act scale-in-cache'],
    [50, 'skip nothing-to-remove'],
    [null, 'act scale-in-cache'],
  ])('two replicas at %s %% of their bandwidth in their busiest minute: %s', (networkPeakHour, expected) => {
    expect(outcome(decided(calm({}, { networkPeakHour })))).toBe(expected);
  });

  it.each([
    ['cache.t4g.micro', 9, 'act scale-in-cache'],
    ['cache.t4g.micro', 10, 'skip nothing-to-remove'],
    ['cache.m7g.large', 10, 'act scale-in-cache'],
  ])(
    'two replicas of %s at %d %% of a core, of which credits last for 20 %% on a micro: %s',
    (nodeType, peak, expected) => {
      const load = { cpuHour: { minutes: 60, peak: peak / 2 } };
      expect(outcome(decided(calm({ nodeType, vcpus: 2 }, load)))).toBe(expected);
    },
  );

  it('Application Auto Scaling keeps what it owns', () => {
    expect(outcome(decided(calm({ autoscaled: ['Replicas'] })))).toBe('skip nothing-to-remove');
  });

  it('a group that is being changed is left alone', () => {
    expect(outcome(decided(calm({ status: 'snapshotting' })))).toBe('defer not-available');
  });

  it('nothing goes in compatible mode', () => {
    expect(outcome(decided(calm({ clusterMode: 'compatible' })))).toBe('skip compatible-mode');
  });

  it('one replica of each shard that has one to spare goes', () => {
    const nodes = [
      ...shard('0001', IDLE, IDLE, IDLE),
      ...shard('0002', IDLE, IDLE, IDLE),
      ...shard('0003', IDLE, IDLE),
    ];
    const facts = group(nodes, { trigger: 'tick' });
    expect(paramsOf(decided(facts, { 'scale-in': 'all' }))).toMatchObject({
      ReplicaConfiguration: [
        { NodeGroupId: '0001', NewReplicaCount: 1 },
        { NodeGroupId: '0002', NewReplicaCount: 1 },
      ],
    });
  });
});

describe('an hour of which only a part was calm', () => {
  const facts = (odd: Partial<NodeLoad>) =>
    group(shard('0001', IDLE, IDLE, { ...IDLE, ...odd }), { trigger: 'tick', remembered: added(1, 1) });

  it.each<[string, Partial<NodeLoad>, string]>([
    ['one node was busy', { engineCpuHour: { minutes: 60, peak: 46 } }, 'skip not-saturated'],
    ['one node has gaps', { engineCpuHour: { minutes: 54, peak: 15 } }, 'skip metrics-missing'],
    ['one node evicted keys', { evictionsHour: 1 }, 'skip not-calm'],
    ['none did', {}, 'act scale-in-cache'],
  ])('because %s: %s', (_, odd, expected) => {
    expect(outcome(decided(facts(odd)))).toBe(expected);
  });
});

describe('replicas and windows', () => {
  it('a replica goes in a maintenance window, too', () => {
    expect(outcome(decided(calm({ maintenanceWindow: 'thu:03:00-thu:04:00' })))).toBe('act scale-in-cache');
  });
});

describe('the load of a replica that goes', () => {
  const own = (id: string, from: number): Memory => ({ addedReplicas: { [id]: { from, count: 1 } } });

  it('is shared by all that stay', () => {
    const four = (peak: number) =>
      group(shard('0001', IDLE, carrying(peak), carrying(peak), carrying(peak)), {
        trigger: 'tick',
        remembered: own('0001', 2),
      });

    expect(outcome(decided(four(39)))).toBe('act scale-in-cache');
    expect(outcome(decided(four(40)))).toBe('skip nothing-to-remove');
  });

  it('falls on the primary of its own shard', () => {
    const nodes = (first: number, second: number) => [
      ...shard('0001', carrying(first), carrying(20)),
      ...shard('0002', carrying(second), carrying(20)),
    ];
    const goes = (first: number, second: number) => {
      const facts = group(nodes(first, second), { trigger: 'tick', failover: false });
      return paramsOf(decided(facts, { 'scale-in': 'all', 'min-replicas': '0' }));
    };

    expect(goes(45, 10)).toMatchObject({ ReplicaConfiguration: [{ NodeGroupId: '0002', NewReplicaCount: 0 }] });
    expect(goes(10, 45)).toMatchObject({ ReplicaConfiguration: [{ NodeGroupId: '0001', NewReplicaCount: 0 }] });
  });

  it.each<[string, readonly ('primary' | 'replica' | null)[]]>([
    ['the primary', ['replica', 'replica', null]],
    ['the replicas', [null, null, 'primary']],
  ])('falls on nobody where %s is not known', (_, roles) => {
    const nodes = shard('0001', IDLE, IDLE, IDLE).map((node, i) => ({ ...node, role: roles[i] ?? null }));
    const facts = group(nodes, { trigger: 'tick' });
    expect(outcome(decided(facts, { 'scale-in': 'all' }))).toBe('skip nothing-to-remove');
  });
});

describe('a shard that was added', () => {
  const SHARDS = { allow: 'shards' };
  const three = (
    load: Partial<NodeLoad> = {},
    options: Parameters<typeof group>[1] = {},
    last: Partial<NodeLoad> = {},
  ) => {
    const node = { ...IDLE, ...load };
    const nodes = ['0001', '0002', '0010'].flatMap((id) => shard(id, id === '0010' ? { ...node, ...last } : node));
    return group(nodes, { trigger: 'tick', remembered: { addedShards: { from: 2, count: 1 } }, ...options });
  };

  it('goes, the newest first, by number and not by text', () => {
    const decision = decided(three(), SHARDS);

    expect(paramsOf(decision)).toEqual({
      ReplicationGroupId: 'orders',
      NodeGroupCount: 2,
      ApplyImmediately: true,
      NodeGroupsToRemove: ['0010'],
    });
    expect(decision.remember).toMatchObject({ addedShards: { from: 2, count: 0 } });
  });

  it.each<[string, Partial<NodeLoad>, Partial<NodeLoad>, string]>([
    ['the others would be at 70 % of their memory', { memoryPeakHour: 46.7 }, {}, 'skip nothing-to-remove'],
    ['they would be just below', { memoryPeakHour: 46.6 }, {}, 'act scale-in-cache'],
    ['its memory is not known', {}, { memoryPeakHour: null }, 'skip nothing-to-remove'],
    [
      'the others would be at 60 % of their engine',
      { engineCpuHour: { minutes: 60, peak: 40 } },
      {},
      'skip nothing-to-remove',
    ],
    ['they would be just below', { engineCpuHour: { minutes: 60, peak: 39.9 } }, {}, 'act scale-in-cache'],
    ['the others would be at their bandwidth', { networkPeakHour: 67 }, {}, 'skip nothing-to-remove'],
    ['they would be just below it', { networkPeakHour: 66 }, {}, 'act scale-in-cache'],
  ])('where %s: %s', (_, load, last, expected) => {
    expect(outcome(decided(three(load, {}, last), SHARDS))).toBe(expected);
  });

  it.each([
    [34.9, 34.9, 'act scale-in-cache'],
    [35, 34.9, 'skip nothing-to-remove'],
    [34.9, 35, 'skip nothing-to-remove'],
  ])('of two, with memory at %d and %d %%: %s', (first, second, expected) => {
    const nodes = [
      ...shard('0001', { ...IDLE, memoryPeakHour: first }),
      ...shard('0002', { ...IDLE, memoryPeakHour: second }),
    ];
    const facts = group(nodes, { trigger: 'tick', remembered: { addedShards: { from: 1, count: 1 } } });
    expect(outcome(decided(facts, SHARDS))).toBe(expected);
  });

  it('leaves at least one and a half times its data free, as AWS asks, whatever the shards hold', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 2, maxLength: 12 }), (memories) => {
        const nodes = memories.flatMap((memoryPeakHour, i) =>
          shard(String(i + 1).padStart(4, '0'), { ...IDLE, memoryPeakHour }),
        );
        const decision = decided(group(nodes, { trigger: 'tick' }), { ...SHARDS, 'scale-in': 'all' });
        if (decision.kind !== 'act') return;
        const goes = memories.at(-1) ?? 0;
        const free = memories.slice(0, -1).reduce((sum, memory) => sum + 100 - memory, 0);
        expect(free).toBeGreaterThanOrEqual(1.5 * goes);
      }),
    );
  });

  it.each<[string, Partial<NodeLoad>, Partial<NodeLoad>, string]>([
    ['primary', { memoryPeakHour: 60 }, {}, 'skip nothing-to-remove'],
    ['replica, which only follows', {}, { memoryPeakHour: 60 }, 'act scale-in-cache'],
    ['primary by its engine', { engineCpuHour: { minutes: 60, peak: 45 } }, {}, 'skip nothing-to-remove'],
    [
      'replica by its engine, for reads move too',
      {},
      { engineCpuHour: { minutes: 60, peak: 45 } },
      'skip nothing-to-remove',
    ],
  ])('is judged by each %s', (_, primary, replica, expected) => {
    const nodes = [
      ...shard('0001', { ...IDLE, ...primary }, { ...IDLE, ...replica }),
      ...['0002', '0003'].flatMap((id) => shard(id, IDLE, IDLE)),
    ];
    const facts = group(nodes, { trigger: 'tick', remembered: { addedShards: { from: 2, count: 1 } } });
    expect(outcome(decided(facts, SHARDS))).toBe(expected);
  });

  it.each([
    ['0003', 'skip nothing-to-remove'],
    ['0001', 'act scale-in-cache'],
  ])('with one replica more in shard %s: its load finds as many nodes elsewhere: %s', (larger, expected) => {
    const nodes = ['0001', '0002', '0003'].flatMap((id) => shard(id, IDLE, IDLE, ...(id === larger ? [IDLE] : [])));
    const facts = group(nodes, { trigger: 'tick', remembered: { addedShards: { from: 2, count: 1 } } });
    expect(outcome(decided(facts, SHARDS))).toBe(expected);
  });

  it('stays where a primary is not known', () => {
    const facts = three();
    const nodes = facts.nodes.map((node) => (node.shard === '0001' ? { ...node, role: null } : node));
    expect(outcome(decided({ ...facts, nodes }, SHARDS))).toBe('skip nothing-to-remove');
  });

  it.each<[string, Parameters<typeof group>[1], Record<string, string>, string]>([
    ['shards are not allowed', {}, { allow: 'replicas' }, 'skip nothing-to-remove'],
    ['it was not added by Reflex', { remembered: {} }, SHARDS, 'skip nothing-to-remove'],
    [
      'it was not, with reflex:scale-in = all',
      { remembered: {} },
      { ...SHARDS, 'scale-in': 'all' },
      'act scale-in-cache',
    ],
    ['the group is global', { globalReplicationGroupId: 'abcde-orders' }, SHARDS, 'skip nothing-to-remove'],
    ['Application Auto Scaling owns the shards', { autoscaled: ['NodeGroups'] }, SHARDS, 'skip nothing-to-remove'],
    ['it is time for maintenance', { maintenanceWindow: 'thu:03:00-thu:04:00' }, SHARDS, 'skip maintenance-window'],
  ])('where %s: %s', (_, options, tags, expected) => {
    expect(outcome(decided(three({}, options), tags))).toBe(expected);
  });

  it('goes after replicas', () => {
    const nodes = [...shard('0001', IDLE, IDLE, IDLE), ...shard('0002', IDLE, IDLE, IDLE)];
    const decision = decided(group(nodes, { trigger: 'tick' }), { allow: 'replicas shards', 'scale-in': 'all' });
    expect(decision).toMatchObject({ calls: [{ call: 'DecreaseReplicaCount' }] });
  });
});
