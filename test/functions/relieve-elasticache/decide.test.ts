import { describe, expect, it } from 'vitest';
import type { Commands, GroupSituation, Memory, NodeLoad } from '../../../functions/relieve-elasticache/facts.ts';
import {
  ALL,
  adviceOf,
  commands,
  decided,
  group,
  hot,
  IDLE,
  minutes,
  newest,
  outcome,
  READS,
  readHot,
  serverless,
  serving,
  shard,
  verifying,
  WRITES,
  writeHot,
} from '../../support/cache-facts.ts';
import { at } from '../../support/event-builders.ts';

const MINUTE = 60_000;
const SATURATED = 96;
const small = (cpu: number | readonly number[], engine: number, rest: Partial<NodeLoad> = {}): NodeLoad => ({
  ...IDLE,
  cpu: minutes(cpu),
  engineCpu: minutes(engine),
  ...rest,
});
const LARGE = { nodeType: 'cache.r7g.large', vcpus: 2, allowedTypes: ['cache.r7g.xlarge', 'cache.r7g.2xlarge'] };

/** A type whose larger sizes have I/O threads it has not. */
const X86 = { nodeType: 'cache.m5.xlarge', vcpus: 4, allowedTypes: ['cache.m5.2xlarge', 'cache.m5.4xlarge'] };

const callsOf = (decision: ReturnType<typeof decided>) => (decision.kind === 'act' ? decision.calls : []);
const callOf = (decision: ReturnType<typeof decided>) => {
  expect(callsOf(decision)).toHaveLength(1);
  return callsOf(decision)[0];
};

describe('saturation', () => {
  const of = (load: NodeLoad, options: Parameters<typeof group>[1] = {}) =>
    outcome(decided(group(shard('0001', load, serving), options), ALL));

  it.each<[string, number, number, boolean]>([
    ['cache.t2.micro', 1, 91, true],
    ['cache.t2.micro', 1, 89, false],
    ['cache.r7g.large', 2, 46, true],
    ['cache.r7g.large', 2, 45, false],
  ])('of %s (%d vCPU) at %d %% CPUUtilization: %s, whatever the engine says', (nodeType, vcpus, cpu, expected) => {
    const load = small(cpu, 66, { commands: READS });

    const reason = of(load, { nodeType, vcpus });

    expect(reason).toBe(expected ? 'act read-hot-primary' : 'escalate warning-level');
  });

  it('of a two-vCPU node is not its engine’s minute at 100 %', () => {
    expect(of(small(20, 100), LARGE)).toBe('skip not-saturated');
  });

  it.each([
    [91, 'act read-hot-primary'],
    [90, 'escalate warning-level'],
  ])('of a four-vCPU node with its engine at %d %%: %s', (use, expected) => {
    expect(of(hot(use, { commands: READS }))).toBe(expected);
  });

  it('of a four-vCPU node is not 85 % of all its vCPUs', () => {
    expect(of(hot(38, { cpu: minutes(85) }))).toBe('skip not-saturated');
  });

  it.each([
    [[20, 95, 95, 20, 95], 'act read-hot-primary'],
    [[95, 95, 20, 20, 20], 'skip not-saturated'],
    [[95, 95, 95, 95, 20, 20, 20, 20, 20], 'skip not-saturated'],
    [[95, 95, 95], 'act read-hot-primary'],
  ])('needs three of the newest five points: %j', (points, expected) => {
    expect(of(hot(points, { commands: READS }))).toBe(expected);
  });

  it('is not judged on two points', () => {
    const facts = group(shard('0001', hot([95, 95])));
    expect(outcome(decided({ ...facts, trigger: 'tick' }))).toBe('skip metrics-missing');
  });
});

describe('a group nothing is known of', () => {
  const blind = hot([]);

  it('is left alone', () => {
    expect(outcome(decided(group(shard('0001', blind, blind), { trigger: 'tick' })))).toBe('skip metrics-missing');
  });

  it('is looked at again while an incident is open', () => {
    const decision = decided(verifying(group(shard('0001', blind)), {}));

    expect(decision).toMatchObject({ kind: 'defer', reason: 'metrics-missing', until: at + 2 * MINUTE });
  });
});

describe('the gates', () => {
  const busy = (options: Parameters<typeof group>[1]) => group(shard('0001', readHot, serving), options);

  it('leaves memcached alone', () => {
    expect(outcome(decided(group([], { engine: 'memcached', kind: 'cluster' })))).toBe('skip memcached');
  });

  it('hands an engine it does not know to a person', () => {
    expect(outcome(decided(busy({ engine: 'dragonfly' })))).toBe('escalate unexpected-state');
  });

  it('hands a node type without known vCPUs to a person', () => {
    expect(outcome(decided(busy({ vcpus: null, nodeType: 'cache.x9.large' })))).toBe('escalate unknown-node-type');
  });

  it.each(['modifying', 'snapshotting', 'creating'])('comes back when the group is no longer %s', (status) => {
    expect(decided(busy({ status }))).toMatchObject({ kind: 'defer', reason: 'not-available', until: at + 2 * MINUTE });
  });

  it('comes back when a shard is available again', () => {
    const facts = busy({ shards: [{ id: '0001', status: 'modifying', slots: null }] });
    expect(outcome(decided(facts))).toBe('defer not-available');
  });

  it('comes back when members and nodes agree', () => {
    expect(outcome(decided(busy({ members: 3 })))).toBe('defer not-available');
  });

  it('comes back when resharding is over', () => {
    expect(outcome(decided(busy({ resharding: true })))).toBe('defer resharding');
  });

  it.each([
    ['deleting', 'skip cache-gone'],
    ['create-failed', 'escalate unexpected-state'],
    ['paused', 'escalate unexpected-state'],
  ])('a group that is %s: %s', (status, expected) => {
    expect(outcome(decided(busy({ status })))).toBe(expected);
  });

  it('cannot scale in compatible mode', () => {
    const decision = decided(busy({ clusterMode: 'compatible' }), ALL);

    expect(outcome(decision)).toBe('escalate compatible-mode');
    expect(adviceOf(decision)).toContain('--cluster-mode enabled');
  });

  it('adds replicas to a member of a global datastore, and nothing else', () => {
    const global = { ...X86, globalReplicationGroupId: 'abcde-orders' };
    const writes = decided(group(shard('0001', writeHot), global), ALL);

    expect(outcome(decided(busy(global)))).toBe('act read-hot-primary');
    expect(outcome(writes)).toBe('escalate global-datastore');
    expect(adviceOf(writes)).toContain('modify-global-replication-group --global-replication-group-id abcde-orders');
    expect(adviceOf(writes)).toContain('--cache-node-type cache.');
  });

  it('leaves the shards of a global datastore to its own call', () => {
    const nodes = [...shard('0001', writeHot), ...shard('0002', writeHot)];
    const decision = decided(group(nodes, { globalReplicationGroupId: 'abcde-orders' }), ALL);

    expect(adviceOf(decision)).toContain('increase-node-groups-in-global-replication-group');
    expect(adviceOf(decision)).toContain('--node-group-count 3');
  });

  it('gives Application Auto Scaling a quarter of an hour, then tells a person', () => {
    const facts = busy({ autoscaled: ['Replicas'] });
    const later = { ...facts.ledger, incident: { openedAt: at - 15 * MINUTE, steps: 0 } };

    expect(decided(facts)).toMatchObject({ kind: 'defer', reason: 'native-autoscaler', until: at + 15 * MINUTE });
    expect(outcome(decided({ ...facts, ledger: later }))).toBe('escalate native-autoscaler');
  });

  it('does what Application Auto Scaling does not', () => {
    expect(outcome(decided(busy({ autoscaled: ['NodeGroups'] })))).toBe('act read-hot-primary');
  });

  it('does not apply a pending upgrade along with a node type', () => {
    const pending = { ...X86, pending: 'engine version 7.1' };
    const decision = decided(group(shard('0001', writeHot), pending), ALL);

    expect(outcome(decision)).toBe('escalate pending-modification');
    expect(decision.why).toContain('engine version 7.1');
    expect(outcome(decided(busy(pending)))).toBe('act read-hot-primary');
  });

  it.each<[string, Partial<GroupSituation>, number, string]>([
    [
      'the maintenance window is over',
      { maintenanceWindow: 'thu:03:00-thu:04:00' },
      Date.parse('2026-03-05T04:01:00Z'),
      'maintenance-window',
    ],
    [
      'the snapshot is over',
      { snapshotWindow: '03:40-04:40' },
      Date.parse('2026-03-05T04:41:00Z'),
      'maintenance-window',
    ],
    ['the service update may be over', { updating: true }, at + 15 * MINUTE, 'maintenance-window'],
    ['service updates can be read', { updating: null }, at + 15 * MINUTE, 'observe-failed'],
    ['the maintenance window can be read', { maintenanceWindow: null }, at + 15 * MINUTE, 'observe-failed'],
  ])('changes a node type when %s; replicas do not wait', (_, options, until, reason) => {
    expect(decided(group(shard('0001', writeHot), { ...X86, ...options }), ALL)).toMatchObject({
      kind: 'defer',
      reason,
      until,
    });
    expect(outcome(decided(busy(options)))).toBe('act read-hot-primary');
  });

  it('waits for no snapshot that begins in more than half an hour', () => {
    const facts = group(shard('0001', writeHot), { ...X86, snapshotWindow: '03:43-04:43' });
    expect(outcome(decided(facts, ALL))).toBe('act primary-write-hot');
  });
});

describe('the cool-down', () => {
  const facts = (lastActAt: number | null, remembered: Memory) => {
    const base = group(shard('0001', readHot, serving), { remembered });
    return { ...base, ledger: { ...base.ledger, lastActAt } };
  };

  it('is ten minutes from the last change', () => {
    const changedAt = at - 5 * MINUTE;
    expect(decided(facts(changedAt + 2_000, { changedAt }))).toMatchObject({
      kind: 'act',
      coolDownMs: 10 * MINUTE - 2_000,
      planned: false,
    });
  });

  it('does not count from an attempt that changed nothing, and that attempt is no failed remedy', () => {
    const changedAt = at - 30 * MINUTE;
    expect(decided(facts(at - 3 * MINUTE, { changedAt }))).toMatchObject({ coolDownMs: 0, planned: true });
    expect(decided(facts(at - 3 * MINUTE, {}))).toMatchObject({ coolDownMs: 0, planned: true });
  });

  it('still counts from the change where an attempt failed after it', () => {
    const changedAt = at - 8 * MINUTE;
    expect(decided(facts(at - MINUTE, { changedAt }))).toMatchObject({ coolDownMs: 3 * MINUTE, planned: true });
  });

  it('is none for the first act', () => {
    expect(decided(facts(null, {}))).toMatchObject({ coolDownMs: 0, planned: false });
  });
});

describe('D1 a snapshot', () => {
  const saving = { saving: [newest - 2 * MINUTE, newest - MINUTE, newest] };

  it('is waited for where the engine is only busy while it is written', () => {
    const decision = decided(group(shard('0001', hot([20, 20, 95, 95, 95], saving), serving)));

    expect(decision).toMatchObject({ kind: 'defer', reason: 'snapshot', until: at + 10 * MINUTE });
    expect(decision.why).toContain('SnapshottingClusterId');
  });

  it('explains nothing where the engine is busy without it', () => {
    const load = hot([20, 95, 95, 95, 95], { ...saving, commands: READS });
    expect(outcome(decided(group(shard('0001', load, serving))))).toBe('act read-hot-primary');
  });
});

describe('D2 CPU credits', () => {
  const t4g = {
    nodeType: 'cache.t4g.medium',
    vcpus: 2,
    allowedTypes: ['cache.t4g.medium', 'cache.m7g.large', 'cache.r7g.large', 'cache.m7g.xlarge'],
  };
  const broke = small(19, 30, { credits: 0 });

  it('that are used up move it to a type without credits, far below any threshold', () => {
    const decision = decided(group(shard('0001', broke), t4g), ALL);

    expect(outcome(decision)).toBe('act credits-exhausted');
    expect(callOf(decision)).toEqual({
      call: 'ModifyReplicationGroup',
      params: { ReplicationGroupId: 'orders', CacheNodeType: 'cache.m7g.large', ApplyImmediately: true },
    });
  });

  it.each([
    ['are left', small(19, 30, { credits: 2 })],
    ['are used up on an idle node', small(17, 30, { credits: 0 })],
    ['are not published', small(19, 30)],
  ])('that %s change nothing', (_, load) => {
    expect(outcome(decided(group(shard('0001', load), t4g), ALL))).toBe('skip not-saturated');
  });
});

describe('D3 slow commands', () => {
  const with_ = (name: string, each: Commands) =>
    group(shard('0001', hot(SATURATED, { commands: { ...READS, [name]: each } }), serving));

  it('are scripts that take half of the engine', () => {
    const decision = decided(with_('EvalBasedCmds', commands(60_000, 500)), ALL);

    expect(outcome(decision)).toBe('escalate slow-commands');
    expect(decision.why).toContain('50 %');
  });

  it('are not scripts that take less', () => {
    expect(outcome(decided(with_('EvalBasedCmds', commands(60_000, 499))))).toBe('act read-hot-primary');
  });

  it('are a family that takes a millisecond each at no more calls than usual', () => {
    const decision = decided(with_('KeyBasedCmds', commands(6_000, 1_000, 4_000)));

    expect(outcome(decision)).toBe('escalate slow-commands');
    expect(decision.why).toContain('KeyBasedCmds');
  });

  it.each([
    ['there are more calls than usual', commands(6_001, 1_000, 4_000)],
    ['each takes less than a millisecond', commands(8_000, 999, 8_000)],
    ['they take less than a tenth of the engine', commands(5_999, 1_000, 4_000)],
    ['the usual is not known', commands(6_000, 1_000, null)],
    ['their time is not known', commands(6_000, null, 6_000)],
  ])('are not the cause where %s', (_, each) => {
    expect(outcome(decided(with_('KeyBasedCmds', each)))).toBe('act read-hot-primary');
  });

  const slow = (command: string, count: number, each = 20_000) => ({
    node: 'node-0001-2',
    command,
    count,
    totalMicroseconds: count * each,
    maxMicroseconds: each,
  });
  const logged = (...entries: ReturnType<typeof slow>[]) =>
    group(shard('0001', readHot, serving), { slowLog: { logGroup: '/redis/slow', commands: entries } });

  it.each(['KEYS', 'SORT', 'SMEMBERS', 'HGETALL', 'EVAL', 'EVALSHA', 'FLUSHALL'])(
    'are %s where the slow log is mostly that; the top commands are told',
    (command) => {
      const decision = decided(logged(slow(command, 10), slow('GET', 10)));

      expect(outcome(decision)).toBe('escalate slow-commands');
      expect(decision.why).toContain(`${command} 10 times, 200 ms in all, 20 ms at most`);
    },
  );

  it.each([
    ['there are few', [slow('KEYS', 9)]],
    ['they take less than half of the time', [slow('KEYS', 10), slow('ZUNIONSTORE', 11)]],
    ['others fill the log', [slow('GET', 100)]],
  ])('are not to blame where %s', (_, entries) => {
    expect(outcome(decided(logged(...entries)))).toBe('act read-hot-primary');
  });

  it('on a replica, where reports are run, are no reason for a hot primary', () => {
    const onReplica = { ...slow('KEYS', 50), node: 'node-0001-1' };
    expect(outcome(decided(logged(onReplica)))).toBe('act read-hot-primary');
  });

  it('of several hot nodes are told as one', () => {
    const facts = group([...shard('0001', readHot, serving), ...shard('0002', readHot, serving)], {
      slowLog: { logGroup: '/redis/slow', commands: [slow('KEYS', 8), { ...slow('KEYS', 4), node: 'node-0002-2' }] },
    });
    expect(decided(facts).why).toContain('Slowest in ten minutes: KEYS 12 times, 240 ms in all, 20 ms at most.');
  });

  it('without a slow log come with the command that switches it on', () => {
    const decision = decided(with_('EvalBasedCmds', commands(60_000, 600)));

    expect(adviceOf(decision)).toContain('aws elasticache modify-replication-group --replication-group-id orders');
    expect(adviceOf(decision)).toContain('"LogType":"slow-log"');
  });

  it('of a log that cannot be read say so', () => {
    const facts = with_('EvalBasedCmds', commands(60_000, 600));
    const decision = decided({ ...facts, slowLog: { logGroup: '/redis/slow', commands: null } });
    expect(decision.why).toContain('/redis/slow) could not be read');
  });
});

describe('D4 a connection storm', () => {
  const arriving = (perMinute: number, before: number | null, data = READS, options = {}) =>
    decided(
      group(shard('0001', hot(SATURATED, { commands: data, newConnections: { perMinute, before } }), serving), options),
    );

  it.each([
    [5_000, 4_900],
    [5_000, null],
    [1_000, 200],
  ])('is %d a minute where %s are usual', (perMinute, before) => {
    expect(outcome(arriving(perMinute, before))).toBe('escalate connection-storm');
  });

  it.each([
    [4_999, 4_900],
    [999, 10],
    [1_000, 201],
    [4_999, null],
  ])('is not %d a minute where %s are usual', (perMinute, before) => {
    expect(outcome(arriving(perMinute, before))).toBe('act read-hot-primary');
  });

  it('is none where reads and writes grew as well', () => {
    const data = { GetTypeCmds: commands(6_000_000, 9, 3_900_000), SetTypeCmds: commands(100_000, 12, 100_000) };
    expect(outcome(arriving(6_000, 100, data))).toBe('act read-hot-primary');
  });

  it('suggests a node that offloads TLS only where TLS is on and this one does not', () => {
    expect(adviceOf(arriving(6_000, 100, READS, { tls: true, nodeType: 'cache.m5.xlarge' }))).toContain('TLS');
    expect(adviceOf(arriving(6_000, 100, READS, { tls: true }))).not.toContain('TLS');
    expect(adviceOf(arriving(6_000, 100, READS, { nodeType: 'cache.m5.xlarge' }))).not.toContain('TLS');
  });
});

describe('D5 connections', () => {
  it.each([
    [52_000, 'escalate connections-near-limit'],
    [51_999, 'act read-hot-primary'],
  ])('%d of 65,000: %s', (connections, expected) => {
    const load = hot(SATURATED, { commands: READS, connections });
    expect(outcome(decided(group(shard('0001', load, serving))))).toBe(expected);
  });
});

describe('D6 memory', () => {
  const full = hot(75, { commands: READS, evictions: 7, memory: 90 });

  it('that is full takes more shards in cluster mode, never replicas', () => {
    const nodes = [...shard('0001', full, serving), ...shard('0002', full, serving)];
    const decision = decided(group(nodes), { ...ALL, 'act-at': 'warning' });

    expect(outcome(decision)).toBe('act memory-bound');
    expect(callOf(decision)).toMatchObject({ call: 'ModifyReplicationGroupShardConfiguration' });
  });

  it('that is full takes a larger node without it', () => {
    const decision = decided(group(shard('0001', full, serving)), { ...ALL, 'act-at': 'warning' });
    expect(callOf(decision)).toMatchObject({ params: { CacheNodeType: 'cache.r7g.2xlarge' } });
  });

  it.each([
    ['nothing was evicted', { evictions: 0, memory: 99 }],
    ['it is not full', { evictions: 7, memory: 89 }],
    ['it is not known', { evictions: 7, memory: null }],
  ])('is not the cause where %s', (_, load) => {
    const facts = group(shard('0001', { ...readHot, ...load }, serving));
    expect(outcome(decided(facts))).toBe('act read-hot-primary');
  });
});

describe('D7 the network', () => {
  it.each<[string, Partial<NodeLoad>]>([
    ['an allowance is exceeded in three of five minutes', { networkExceededMinutes: 3 }],
    ['more than the baseline is in use', { networkUsage: 101 }],
  ])('is the reason where %s and the engine has room', (_, load) => {
    const decision = decided(group(shard('0001', hot(40, load), serving)), ALL);

    expect(outcome(decision)).toBe('act network-bound');
    expect(callOf(decision)).toMatchObject({ params: { CacheNodeType: 'cache.r7g.2xlarge' } });
  });

  it('is the reason at the warning level too', () => {
    const facts = group(shard('0001', hot(75, { networkUsage: 120 }), serving));
    expect(outcome(decided(facts))).toBe('escalate network-bound');
  });

  it.each<[string, NodeLoad, Partial<GroupSituation>, string]>([
    ['the engine is saturated', { ...readHot, networkUsage: 120 }, {}, 'act read-hot-primary'],
    ['it was a burst', hot(40, { networkExceededMinutes: 2, networkUsage: 100 }), {}, 'skip not-saturated'],
    [
      'only the schedule asks',
      hot(40, { networkUsage: 120, networkPeakHour: 120 }),
      { trigger: 'tick' },
      'skip not-calm',
    ],
    ['nothing can be changed now', hot(40, { networkUsage: 120 }), { status: 'modifying' }, 'defer not-available'],
  ])('is not where %s', (_, load, options, expected) => {
    expect(outcome(decided(group(shard('0001', load, serving), options)))).toBe(expected);
  });
});

describe('D8 a shard that stands out', () => {
  const cool = hot(30);
  const three = (first: NodeLoad, replica = serving, slots: readonly number[] = [5_461, 5_462, 5_461]) =>
    group([...shard('0001', first, replica), ...shard('0002', cool, serving), ...shard('0003', cool, serving)], {
      shards: slots.map((count, i) => ({ id: `000${i + 1}`, status: 'available', slots: count })),
    });

  it('R3 with more slots than the others: the slots are spread at the present count', () => {
    const decision = decided(three(writeHot, serving, [8_000, 4_192, 4_192]), {
      ...ALL,
      'reshard-above-80': 'true',
    });

    expect(outcome(decision)).toBe('act uneven-slots');
    expect(callOf(decision)).toEqual({
      call: 'ModifyReplicationGroupShardConfiguration',
      params: { ReplicationGroupId: 'orders', NodeGroupCount: 3, ApplyImmediately: true },
    });
  });

  it('R3 is not it where another shard holds the slots', () => {
    expect(outcome(decided(three(writeHot, serving, [4_192, 8_000, 4_192]), ALL))).toBe('escalate hot-shard-writes');
  });

  it('R3b that is read: one replica more in that shard alone', () => {
    const decision = decided(three(readHot));

    expect(outcome(decision)).toBe('act hot-shard-reads');
    expect(callOf(decision)).toEqual({
      call: 'IncreaseReplicaCount',
      params: {
        ReplicationGroupId: 'orders',
        ApplyImmediately: true,
        ReplicaConfiguration: [{ NodeGroupId: '0001', NewReplicaCount: 2 }],
      },
    });
  });

  it('R3b is not it where its replicas serve no reads', () => {
    expect(outcome(decided(three(readHot, IDLE)))).toBe('escalate reads-not-offloaded');
  });

  it('R3c that is written: a hot key, which no call divides', () => {
    expect(outcome(decided(three(writeHot), ALL))).toBe('escalate hot-shard-writes');
  });

  it.each([
    [60, true],
    [65, false],
  ])('against a median of %d %%: %s', (others, expected) => {
    const nodes = [...shard('0001', writeHot), ...shard('0002', hot(others)), ...shard('0003', hot(others))];
    const { reason } = decided(group(nodes), { ...ALL, 'reshard-above-80': 'true' });
    expect(reason).toBe(expected ? 'hot-shard-writes' : 'primaries-write-hot');
  });

  it('is found between two shards as well', () => {
    const nodes = [...shard('0001', writeHot), ...shard('0002', hot(40))];
    expect(outcome(decided(group(nodes), ALL))).toBe('escalate hot-shard-writes');
  });
});

describe('R7 replicas that lag', () => {
  const lagging = { ...serving, replicationLag: 6 };

  it('get no sister, but a faster primary', () => {
    const decision = decided(group(shard('0001', readHot, lagging), X86), ALL);

    expect(outcome(decision)).toBe('act replication-lag');
    expect(callOf(decision)).toMatchObject({ call: 'ModifyReplicationGroup' });
  });

  it('or more shards', () => {
    const nodes = [...shard('0001', writeHot, lagging), ...shard('0002', writeHot, serving)];
    const decision = decided(group(nodes), { ...ALL, 'reshard-above-80': 'true' });

    expect(outcome(decision)).toBe('act replication-lag');
    expect(callOf(decision)).toMatchObject({ params: { NodeGroupCount: 3 } });
  });

  it('before the replicas themselves are relieved (R1)', () => {
    const facts = group(shard('0001', hot(40, { commands: READS }), { ...readHot, replicationLag: 6 }), X86);
    expect(outcome(decided(facts, ALL))).toBe('act replication-lag');
  });

  it.each<[string, NodeLoad, NodeLoad]>([
    ['they are no more than five seconds behind', readHot, { ...serving, replicationLag: 5 }],
    [
      'nothing is written',
      hot(SATURATED, { commands: { ...READS, SetTypeCmds: commands(0, null) } }),
      { ...lagging, commands: { ...READS, SetTypeCmds: commands(0, null) } },
    ],
  ])('are no obstacle where %s', (_, primary, replica) => {
    expect(outcome(decided(group(shard('0001', primary, replica))))).toBe('act read-hot-primary');
  });
});

describe('R1 hot replicas', () => {
  const calmPrimary = hot(40);

  it('get one more', () => {
    const decision = decided(group(shard('0001', calmPrimary, readHot, hot(70))));

    expect(outcome(decision)).toBe('act replicas-hot');
    expect(callOf(decision)).toEqual({
      call: 'IncreaseReplicaCount',
      params: { ReplicationGroupId: 'orders', ApplyImmediately: true, NewReplicaCount: 3 },
    });
  });

  it('only in the shards where they are hot', () => {
    const nodes = [...shard('0001', calmPrimary, readHot), ...shard('0002', calmPrimary, hot(20))];
    expect(callOf(decided(group(nodes)))).toMatchObject({
      params: { ReplicaConfiguration: [{ NodeGroupId: '0001', NewReplicaCount: 2 }] },
    });
  });

  it('in every shard by one count where all are alike', () => {
    const nodes = [...shard('0001', calmPrimary, readHot), ...shard('0002', calmPrimary, readHot)];
    expect(callOf(decided(group(nodes)))).toMatchObject({ params: { NewReplicaCount: 2 } });
  });

  it('in every shard by its own count where they differ', () => {
    const nodes = [...shard('0001', calmPrimary, readHot), ...shard('0002', calmPrimary, readHot, readHot)];
    expect(callOf(decided(group(nodes)))).toMatchObject({
      params: {
        ReplicaConfiguration: [
          { NodeGroupId: '0001', NewReplicaCount: 2 },
          { NodeGroupId: '0002', NewReplicaCount: 3 },
        ],
      },
    });
  });

  it('whose sisters are idle get none: clients stick to one of them', () => {
    const decision = decided(group(shard('0001', calmPrimary, readHot, hot(10))));
    expect(outcome(decision)).toBe('escalate uneven-reads');
  });
});

describe('R2 a primary hot with reads', () => {
  it('gets a replica where replicas serve reads', () => {
    const decision = decided(group(shard('0001', readHot, serving)));

    expect(outcome(decision)).toBe('act read-hot-primary');
    expect(callOf(decision)).toMatchObject({ call: 'IncreaseReplicaCount', params: { NewReplicaCount: 2 } });
  });

  it.each([
    [0.051, 'act read-hot-primary'],
    [0.049, 'escalate reads-not-offloaded'],
  ])('R2b with replicas that serve %d of the reads: %s', (part, expected) => {
    const replica = { ...IDLE, commands: { GetTypeCmds: commands((6_000_000 * part) / (1 - part), 9) } };
    expect(outcome(decided(group(shard('0001', readHot, replica))))).toBe(expected);
  });

  it('R2b without replicas asks a person, and says how to point reads at the reader endpoint', () => {
    const decision = decided(group(shard('0001', readHot)));

    expect(outcome(decision)).toBe('escalate reads-not-offloaded');
    expect(adviceOf(decision)).toContain('reader endpoint');
    expect(adviceOf(decision)).toContain('Key=reflex:reads-offloaded,Value=true');
  });

  it('gets its first replica where clients are known to read from replicas', () => {
    const decision = decided(group(shard('0001', readHot)), { 'reads-offloaded': 'true' });
    expect(callOf(decision)).toMatchObject({ params: { NewReplicaCount: 1 } });
  });

  it('gets none where clients are known not to', () => {
    const decision = decided(group(shard('0001', readHot, serving)), { 'reads-offloaded': 'false' });
    expect(outcome(decision)).toBe('escalate reads-not-offloaded');
    expect(decision.why).toContain('reflex:reads-offloaded says that clients read from no replica');
    expect(adviceOf(decision)).toContain('Key=reflex:reads-offloaded,Value=true');
  });

  it('offers no tag where replicas are there and nobody reads from them: it would change nothing', () => {
    const idle = group(shard('0001', readHot, IDLE));

    expect(outcome(decided(idle, { 'reads-offloaded': 'true' }))).toBe('escalate reads-not-offloaded');
    expect(adviceOf(decided(idle))).not.toContain('reflex:reads-offloaded');
    expect(adviceOf(decided(idle))).toContain('aws elasticache describe-replication-groups');
  });

  it('R2b takes the remedy for writes where that is allowed', () => {
    const decision = decided(group(shard('0001', readHot), X86), { allow: 'node-type' });

    expect(outcome(decision)).toBe('act reads-not-offloaded');
    expect(callOf(decision)).toMatchObject({ params: { CacheNodeType: 'cache.m5.2xlarge' } });
  });

  it('counts a node’s time, not its calls', () => {
    const mixed = { GetTypeCmds: commands(9_000_000, 1), SetTypeCmds: commands(1_000_000, 40) };
    const decision = decided(group(shard('0001', hot(SATURATED, { commands: mixed }), serving)));
    expect(decision.reason).toBe('migrate-to-cluster-mode');
  });

  it('counts calls where no time is published', () => {
    const counted = { GetTypeCmds: commands(9_000_000, null), SetTypeCmds: commands(1_000_000, null) };
    const decision = decided(group(shard('0001', hot(SATURATED, { commands: counted }), serving)));
    expect(outcome(decision)).toBe('act read-hot-primary');
  });

  it.each([
    [70, 'act read-hot-primary'],
    [69, 'escalate migrate-to-cluster-mode'],
  ])('is one that reads %d %% of the time: %s', (part, expected) => {
    const some = { GetTypeCmds: commands(part, 10), SetTypeCmds: commands(100 - part, 10) };
    const facts = group(shard('0001', hot(SATURATED, { commands: some }), { ...IDLE, commands: some }));
    expect(outcome(decided(facts, ALL))).toBe(expected);
  });
});

describe('R4 primaries hot with writes', () => {
  const grown = (n: number, tags: Record<string, string> = {}, replicas = 0) => {
    const sisters = Array.from({ length: replicas }, () => IDLE);
    const nodes = Array.from({ length: n }, (_, i) => shard(String(i + 1).padStart(4, '0'), writeHot, ...sisters));
    return decided(group(nodes.flat()), { ...ALL, 'reshard-above-80': 'true', ...tags });
  };

  it.each([
    [2, 3],
    [5, 6],
    [6, 8],
    [9, 10],
  ])('get a fifth more shards, at least one and at most reflex:max-shards: %d -> %d', (n, expected) => {
    const decision = grown(n);

    expect(outcome(decision)).toBe('act primaries-write-hot');
    expect(callOf(decision)).toMatchObject({ params: { NodeGroupCount: expected } });
  });

  it.each([
    ['89', 9, 10],
    ['27', 9, 9],
    ['29', 9, 9],
    ['30', 9, 10],
  ])('within reflex:max-nodes %s: %d shards of three -> %d', (nodes, n, expected) => {
    const decision = grown(n, { 'max-nodes': nodes }, 2);
    if (expected > n) expect(callOf(decision)).toMatchObject({ params: { NodeGroupCount: expected } });
    else expect(outcome(decision)).toBe('escalate at-limits');
  });

  it('R8 get a faster node where no shard more is allowed, and say why', () => {
    const nodes = [...shard('0001', writeHot), ...shard('0002', writeHot)];
    const decision = decided(group(nodes, X86), { ...ALL, 'max-shards': '2' });

    expect(callOf(decision)).toMatchObject({ params: { CacheNodeType: 'cache.m5.2xlarge' } });
    expect(decision.why).toContain('2 shards are the most (reflex:max-shards)');
  });

  it('R8 hand over where everything is at its limit', () => {
    const nodes = [...shard('0001', writeHot), ...shard('0002', writeHot)];
    const decision = decided(group(nodes), { ...ALL, 'max-shards': '2' });

    expect(outcome(decision)).toBe('escalate at-limits');
    expect(decision.why).toContain('no node type');
  });

  it('are not resharded above 80 % unless that is allowed; the call is told', () => {
    const nodes = [...shard('0001', writeHot), ...shard('0002', writeHot)];
    const decision = decided(group(nodes), ALL);

    expect(outcome(decision)).toBe('escalate reshard-above-80');
    expect(adviceOf(decision)).toContain(
      'aws elasticache modify-replication-group-shard-configuration --replication-group-id orders --node-group-count 3 --apply-immediately',
    );
  });

  it('are resharded at 80 % with reflex:act-at = warning', () => {
    const warm = hot(80, { commands: WRITES });
    const facts = group([...shard('0001', warm), ...shard('0002', warm)]);
    expect(outcome(decided(facts, { ...ALL, 'act-at': 'warning' }))).toBe('act primaries-write-hot');
  });
});

describe('R5 one primary hot with writes', () => {
  it('gets a node with more I/O threads', () => {
    const decision = decided(group(shard('0001', writeHot), X86), ALL);

    expect(outcome(decision)).toBe('act primary-write-hot');
    expect(callOf(decision)).toEqual({
      call: 'ModifyReplicationGroup',
      params: { ReplicationGroupId: 'orders', CacheNodeType: 'cache.m5.2xlarge', ApplyImmediately: true },
    });
  });

  it('that is standalone is modified by its own call', () => {
    const facts = group(shard('0001', writeHot), { ...X86, kind: 'cluster' });
    expect(callOf(decided(facts, ALL))).toEqual({
      call: 'ModifyCacheCluster',
      params: { CacheClusterId: 'orders', CacheNodeType: 'cache.m5.2xlarge', ApplyImmediately: true },
    });
  });

  it('has to move to cluster mode where no type helps', () => {
    expect(outcome(decided(group(shard('0001', writeHot)), ALL))).toBe('escalate migrate-to-cluster-mode');
  });

  it('is reported where the allowed types cannot be read', () => {
    const decision = decided(group(shard('0001', writeHot), { allowedTypes: null }), ALL);
    expect(decision.why).toContain('could not be read');
  });

  it('that is starved of its core gets four vCPUs, not replicas', () => {
    const starved = small(70, 50, { commands: READS });
    const decision = decided(group(shard('0001', starved, serving), LARGE), ALL);

    expect(outcome(decision)).toBe('act core-starved');
    expect(callOf(decision)).toMatchObject({ params: { CacheNodeType: 'cache.r7g.xlarge' } });
  });

  it('is not starved where the engine itself fills the core', () => {
    const facts = group(shard('0001', small(48, 65, { commands: READS }), serving), LARGE);
    expect(outcome(decided(facts, ALL))).toBe('act read-hot-primary');
  });
});

describe('R6 traffic management', () => {
  it.each([50, 75])('is acted on at any CPU, under its own reason: %d %%', (use) => {
    const managed = hot(use, { commands: READS, trafficManaged: true });
    const decision = decided(group(shard('0001', managed, serving)));

    expect(outcome(decision)).toBe('act traffic-managed');
    expect(callOf(decision)).toMatchObject({ call: 'IncreaseReplicaCount' });
  });

  it.each([
    [[50], 'act traffic-managed'],
    [[50, 50], 'act traffic-managed'],
    [[50, 5], 'escalate uneven-reads'],
  ])(
    'of replicas at %j %%, held back from 50 %% on, is no sign of uneven reads where all are: %s',
    (uses, expected) => {
      const replicas = uses.map((use) => hot(use, { commands: READS, trafficManaged: use === 50 }));
      expect(outcome(decided(group(shard('0001', IDLE, ...replicas))))).toBe(expected);
    },
  );

  it('lends a saturated engine no other reason', () => {
    const facts = group(shard('0001', { ...readHot, trafficManaged: true }, serving));
    expect(outcome(decided(facts))).toBe('act read-hot-primary');
  });
});

describe('R8 replicas at their limit', () => {
  it.each<[number, Record<string, string>, string]>([
    [5, {}, '5 replicas a shard are the most'],
    [2, { 'max-replicas': '2' }, '2 replicas a shard are the most'],
    [1, { 'max-nodes': '2' }, '2 nodes are the most (reflex:max-nodes)'],
  ])('of %d with %j give way to a larger node, and say why', (count, tags, why) => {
    const replicas = Array.from({ length: count }, () => serving);
    const decision = decided(group(shard('0001', readHot, ...replicas), X86), { ...ALL, ...tags });

    expect(callOf(decision)).toMatchObject({ call: 'ModifyReplicationGroup' });
    expect(decision.why).toContain(why);
  });

  it('are filled shard by shard up to reflex:max-nodes', () => {
    const nodes = [...shard('0001', readHot, serving), ...shard('0002', readHot, serving)];
    expect(callOf(decided(group(nodes), { 'max-nodes': '5' }))).toMatchObject({
      params: { ReplicaConfiguration: [{ NodeGroupId: '0001', NewReplicaCount: 2 }] },
    });
  });
});

describe('what is allowed', () => {
  const writes = group(shard('0001', writeHot), X86);
  const reads = group(shard('0001', readHot, serving));

  it('is replicas, unless said otherwise', () => {
    expect(outcome(decided(reads))).toBe('act read-hot-primary');
    expect(outcome(decided(writes))).toBe('escalate primary-write-hot');
  });

  it('is only what the tag lists', () => {
    expect(outcome(decided(writes, { allow: 'node-type' }))).toBe('act primary-write-hot');
    expect(outcome(decided(reads, { allow: 'node-type' }))).toBe('escalate read-hot-primary');
  });

  it('is nothing with none; the exact call is told', () => {
    const decision = decided(reads, { allow: 'none' });

    expect(outcome(decision)).toBe('escalate read-hot-primary');
    expect(adviceOf(decision)).toBe(
      'aws elasticache increase-replica-count --replication-group-id orders --apply-immediately --new-replica-count 2',
    );
  });
});

describe('the warning level', () => {
  const warm = hot(70, { commands: READS });
  const facts = group(shard('0001', warm, serving));

  it('is reported with the plan', () => {
    const decision = decided(facts);

    expect(outcome(decision)).toBe('escalate warning-level');
    expect(decision.why).toContain('IncreaseReplicaCount, one replica more in orders');
    expect(adviceOf(decision)).toContain('aws elasticache increase-replica-count');
  });

  it('is acted on with reflex:act-at = warning', () => {
    expect(outcome(decided(facts, { 'act-at': 'warning' }))).toBe('act read-hot-primary');
  });

  it('ends an incident that was about saturation', () => {
    expect(outcome(decided(verifying(facts, {})))).toBe('skip resolved');
    expect(outcome(decided({ ...facts, trigger: 'recovery' }))).toBe('skip nothing-open');
  });

  it('does not end one with reflex:act-at = warning', () => {
    expect(outcome(decided(verifying(facts, {}), { 'act-at': 'warning' }))).toBe('act read-hot-primary');
  });
});

describe('roles', () => {
  it('that are unknown are never guessed', () => {
    const nodes = shard('0001', readHot, serving).map((node) => ({ ...node, role: null }));
    expect(outcome(decided(group(nodes), ALL))).toBe('escalate roles-unknown');
  });
});

describe('after a change', () => {
  const change = {
    kind: 'replicas' as const,
    says: 'one replica more in orders',
    at: at - 20 * MINUTE,
    node: 'node-0001-3',
    cpu: 96,
    nodes: ['node-0001-3', 'node-0001-1'],
  };
  const remembered = (rest: object = {}): Memory => ({ change: { ...change, ...rest }, changedAt: change.at });
  const now = (primary: NodeLoad, added: NodeLoad, options = {}) =>
    group(shard('0001', primary, serving, added), options);

  it('waits until the group is available, a quarter of the time passed, five minutes at most', () => {
    const facts = (ms: number) =>
      decided(verifying(now(readHot, IDLE, { status: 'modifying' }), { change: { ...change, at: at - ms } }));

    expect(facts(30_000)).toMatchObject({ kind: 'defer', reason: 'changing', until: at + 30_000 });
    expect(facts(8 * MINUTE)).toMatchObject({ reason: 'changing', until: at + 2 * MINUTE });
    expect(facts(60 * MINUTE)).toMatchObject({ reason: 'changing', until: at + 5 * MINUTE });
  });

  it('is over where the group failed', () => {
    const facts = verifying(now(readHot, IDLE, { status: 'create-failed' }), remembered());
    expect(outcome(decided(facts))).toBe('escalate unexpected-state');
  });

  it('waits for five minutes of metrics once it is, and remembers since when', () => {
    const decision = decided(verifying(now(readHot, IDLE), remembered()));

    expect(decision).toMatchObject({
      kind: 'defer',
      reason: 'measuring',
      until: at + 5 * MINUTE + 15_000,
      remember: { change: { ...change, availableSince: at } },
    });
  });

  it('does not judge by metrics from before', () => {
    const since = remembered({ availableSince: newest - MINUTE });
    expect(decided(verifying(now(readHot, IDLE), since))).toMatchObject({ kind: 'defer', reason: 'measuring' });
  });

  it('tells how far the hot node cooled down, and forgets the change', () => {
    const since = remembered({ availableSince: at - 6 * MINUTE });
    const decision = decided(verifying(now(hot(55), serving), { ...since, addedReplicas: {} }));

    expect(outcome(decision)).toBe('skip resolved');
    expect(decision.why).toBe('Engine core of node-0001-3: 96 % before, 55 % after one replica more in orders.');
    expect(decision.remember).toEqual({ changedAt: change.at, addedReplicas: {} });
  });

  it('tells who is hotter now, where the load went to another node', () => {
    const since = remembered({ availableSince: at - 6 * MINUTE });
    const decision = decided(verifying(now(hot(20), hot(80)), since));

    expect(outcome(decision)).toBe('skip resolved');
    expect(decision.why).toMatch(/96 % before, 20 % after .*\. Engine core in use: node-0001-2 \(replica\) 80 %\.$/);
  });

  it('gives clients a quarter of an hour to read from the new replica', () => {
    const since = remembered({ availableSince: at - 6 * MINUTE });
    expect(decided(verifying(now(readHot, IDLE), since))).toMatchObject({
      kind: 'defer',
      reason: 'awaiting-reads',
      until: at + 9 * MINUTE,
    });
  });

  it('then says so, and adds no other', () => {
    const since = remembered({ availableSince: at - 15 * MINUTE });
    const decision = decided(verifying(now(readHot, IDLE), since), ALL);

    expect(outcome(decision)).toBe('escalate reads-not-offloaded');
    expect(decision.why).toContain('node-0001-2 in service for 15 min');
    expect(decision.remember).toEqual({ changedAt: change.at, unread: ['node-0001-2'] });
  });

  it('remembers a replica added in vain, and adds no other although an older one is read from', () => {
    const nodes = group(shard('0001', readHot, serving, IDLE)).nodes;
    const later = (loads: typeof nodes) =>
      group(loads, { trigger: 'tick', remembered: { changedAt: change.at, unread: ['node-0001-2'] } });

    const decision = decided(later(nodes));
    expect(outcome(decision)).toBe('escalate reads-not-offloaded');
    expect(decision.why).toContain('node-0001-2, added for it, serves none of them');
    const read = nodes.map((node) => (node.id === 'node-0001-2' ? { ...node, load: serving } : node));
    expect(outcome(decided(later(read)))).toBe('act read-hot-primary');
  });

  it('adds no replica to hot ones beside one that was added in vain', () => {
    const nodes = shard('0001', hot(20), readHot, readHot, { ...IDLE, commands: {} });
    const facts = (unread: string[]) => group(nodes, { remembered: { unread } });

    expect(outcome(decided(facts(['node-0001-3'])))).toBe('escalate uneven-reads');
    expect(outcome(decided(facts([])))).toBe('act replicas-hot');
  });

  it('keeps no other shard waiting for a replica that is idle where nothing is hot any more', () => {
    const before = ['node-0001-1', 'node-0001-3', 'node-0002-1', 'node-0002-2'];
    const nodes = [...shard('0001', hot(20), serving, IDLE), ...shard('0002', readHot, serving)];
    const since = { change: { ...change, nodes: before, availableSince: at - 16 * MINUTE }, changedAt: change.at };

    expect(outcome(decided(verifying(group(nodes), since)))).toBe('act hot-shard-reads');
  });

  it('adds another where the new one is read from and it is not enough', () => {
    const since = remembered({ availableSince: at - 15 * MINUTE });
    const decision = decided(verifying(now(readHot, serving), since));

    expect(callOf(decision)).toMatchObject({ params: { NewReplicaCount: 3 } });
    expect(decision.remember).toMatchObject({ change: { at, nodes: expect.any(Array) }, changedAt: at });
  });

  it('goes on where metrics do not come', () => {
    const since = remembered({ availableSince: at - 11 * MINUTE });
    expect(outcome(decided(verifying(now(hot([]), hot([])), since)))).not.toContain('measuring');
  });
});

describe('what is remembered of a replica that was added', () => {
  it('is the count before the first, and how many are ours', () => {
    const first = decided(group(shard('0001', readHot, serving)));
    const again = decided(
      group(shard('0001', readHot, serving, serving), {
        remembered: { addedReplicas: { '0001': { from: 1, count: 1 } } },
      }),
    );

    expect(first.remember).toMatchObject({ addedReplicas: { '0001': { from: 1, count: 1 } } });
    expect(again.remember).toMatchObject({ addedReplicas: { '0001': { from: 1, count: 2 } } });
  });
});

describe('a recovery', () => {
  it('without an incident closes nothing', () => {
    expect(outcome(decided(group(shard('0001', IDLE), { trigger: 'recovery' })))).toBe('skip nothing-open');
  });

  it('is no alarm: without an incident it changes nothing, whatever the load', () => {
    expect(outcome(decided(group(shard('0001', readHot, serving), { trigger: 'recovery' })))).toBe('skip nothing-open');
    expect(outcome(decided(serverless({ trigger: 'recovery' }), ALL))).toBe('skip nothing-open');
  });

  it('does not end an incident that goes on', () => {
    const facts = { ...verifying(group(shard('0001', readHot, serving)), {}), trigger: 'recovery' as const };
    expect(outcome(decided(facts))).toBe('act read-hot-primary');
  });
});

describe('R12 a serverless cache', () => {
  it('throttled at its limit gets half as much again, where that is allowed', () => {
    const decision = decided(serverless(), ALL);

    expect(outcome(decision)).toBe('act serverless-limit');
    expect(callOf(decision)).toEqual({
      call: 'ModifyServerlessCache',
      params: { ServerlessCacheName: 'orders', CacheUsageLimits: { ECPUPerSecond: { Maximum: 15_000 } } },
    });
  });

  it('keeps its minimum', () => {
    expect(callOf(decided(serverless({ ecpuMinimum: 2_000 }), ALL))).toMatchObject({
      params: { CacheUsageLimits: { ECPUPerSecond: { Maximum: 15_000, Minimum: 2_000 } } },
    });
  });

  it('comes with the exact call where it is not allowed', () => {
    const decision = decided(serverless());

    expect(outcome(decision)).toBe('escalate serverless-limit');
    expect(adviceOf(decision)).toBe(
      `aws elasticache modify-serverless-cache --serverless-cache-name orders --cache-usage-limits '{"ECPUPerSecond":{"Maximum":15000}}'`,
    );
  });

  it('is raised to reflex:max-ecpu-per-second at most', () => {
    const limited = { ...ALL, 'max-ecpu-per-second': '12000' };

    expect(callOf(decided(serverless(), limited))).toMatchObject({
      params: { CacheUsageLimits: { ECPUPerSecond: { Maximum: 12_000 } } },
    });
    expect(outcome(decided(serverless({ ecpuMaximum: 12_000, ecpuPerSecond: minutes(12_000) }), limited))).toBe(
      'escalate at-limits',
    );
  });

  it.each([
    ['no limit is set', { ecpuMaximum: null }, 'escalate serverless-throttled'],
    ['the limit is not near', { ecpuPerSecond: minutes(7_999) }, 'escalate serverless-throttled'],
    ['the limit is near', { ecpuPerSecond: minutes(8_000) }, 'act serverless-limit'],
    ['nothing is throttled', { throttled: minutes(0) }, 'skip not-saturated'],
    ['nothing is known', { throttled: [], ecpuPerSecond: [], trigger: 'tick' as const }, 'skip metrics-missing'],
    ['only what is used is known', { throttled: [] }, 'skip not-saturated'],
    ['it is modifying', { status: 'modifying' }, 'defer not-available'],
    ['it is being deleted', { status: 'deleting' }, 'skip cache-gone'],
    ['its status is new', { status: 'resting' }, 'escalate unexpected-state'],
  ])('where %s: %s', (_, options, expected) => {
    expect(outcome(decided(serverless(options), ALL))).toBe(expected);
  });

  it('is measured anew after the limit was raised', () => {
    const change = { kind: 'serverless-limit' as const, says: 'more', at: at - MINUTE, node: null, cpu: null };
    const ledger = (rest: object) => ({
      attempts: {},
      lastActAt: at - MINUTE,
      incident: { openedAt: at - 2 * MINUTE, steps: 1 },
      remembered: { change: { ...change, ...rest } },
    });

    expect(outcome(decided(serverless({ ledger: ledger({}) }), ALL))).toBe('defer measuring');
    const since = { throttled: [[at - 5 * MINUTE, 300]] as const, ledger: ledger({ availableSince: at - 3 * MINUTE }) };
    const decision = decided(serverless(since), ALL);
    expect(outcome(decision)).toBe('skip resolved');
    expect(decision.remember).toEqual({});
    // What it used before says nothing of the new limit.
    expect(outcome(decided(serverless({ ...since, ecpuPerSecond: [[at - 4 * MINUTE, 9_500]] }), ALL))).toBe(
      'defer metrics-missing',
    );
  });
});
