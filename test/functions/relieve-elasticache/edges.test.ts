import { describe, expect, it } from 'vitest';
import type { NodeLoad } from '../../../functions/relieve-elasticache/facts.ts';
import {
  ALL,
  commands,
  decided,
  group,
  hot,
  IDLE,
  minutes,
  newest,
  outcome,
  paramsOf,
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

describe('one of several nodes', () => {
  const saving = [newest - 2 * MINUTE, newest - MINUTE, newest];
  const whileSaving = hot([20, 20, 95, 95, 95], { saving, commands: READS });

  it('busy without a snapshot is not explained by the other’s', () => {
    const nodes = [...shard('0001', whileSaving, serving), ...shard('0002', readHot, serving)];
    expect(outcome(decided(group(nodes)))).toBe('act read-hot-primary');
  });

  it('of unknown role is enough to ask a person', () => {
    const nodes = group([...shard('0001', readHot, serving), ...shard('0002', readHot, serving)]).nodes.map(
      (node, i) => (i === 1 ? { ...node, role: null } : node),
    );
    expect(outcome(decided(group(nodes)))).toBe('escalate roles-unknown');
  });

  it('blind is no calm, while the others are', () => {
    const facts = group(shard('0001', hot([], { engineCpuHour: null }), IDLE));

    expect(outcome(decided(facts))).toBe('defer metrics-missing');
    expect(decided(facts).why).toContain('node-0001-2');
    expect(outcome(decided(verifying(facts, {})))).toBe('defer metrics-missing');
    expect(outcome(decided({ ...facts, trigger: 'tick' }))).toBe('skip metrics-missing');
  });

  it('blind does not keep a hot one waiting', () => {
    expect(outcome(decided(group(shard('0001', readHot, serving, hot([])))))).toBe('act read-hot-primary');
  });

  it('starved of its core does not speak for one whose engine fills it', () => {
    const small = (engine: number): NodeLoad => ({
      ...IDLE,
      cpu: minutes(70),
      engineCpu: minutes(engine),
      commands: WRITES,
    });
    const facts = group([...shard('0001', small(50)), ...shard('0002', small(90))], {
      vcpus: 2,
      nodeType: 'cache.r7g.large',
      allowedTypes: ['cache.r7g.xlarge'],
    });
    expect(outcome(decided(facts, { ...ALL, 'reshard-above-80': 'true' }))).toBe('act primaries-write-hot');
  });

  it('busy with reads among others busy with writes is no reason for replicas', () => {
    const nodes = [...shard('0001', readHot, serving), ...shard('0002', writeHot, serving)];
    expect(outcome(decided(group(nodes), { ...ALL, 'reshard-above-80': 'true' }))).toBe('act primaries-write-hot');
  });

  it('without readers keeps all from getting replicas', () => {
    const nodes = [...shard('0001', readHot, serving), ...shard('0002', readHot, IDLE)];
    expect(outcome(decided(group(nodes)))).toBe('escalate reads-not-offloaded');
  });

  it('that lags decides for its shard', () => {
    const nodes = shard('0001', readHot, serving, { ...serving, replicationLag: 6 });
    expect(outcome(decided(group(nodes)))).toBe('escalate at-limits');
  });

  it('that lags in a shard that is not hot is no obstacle', () => {
    const nodes = [
      ...shard('0001', readHot, serving),
      ...shard('0002', hot(85, { commands: READS }), { ...serving, replicationLag: 60 }),
    ];
    expect(outcome(decided(group(nodes)))).toBe('act read-hot-primary');
  });
});

describe('shards that stand out', () => {
  const cool = () => hot(20);
  const five = (first: NodeLoad, second: NodeLoad, slots: readonly number[]) =>
    group(
      [
        ...shard('0001', first, serving),
        ...shard('0002', second, serving),
        ...['0003', '0004', '0005'].flatMap((id) => shard(id, cool(), serving)),
      ],
      { shards: slots.map((count, i) => ({ id: `000${i + 1}`, status: 'available', slots: count })) },
    );
  const even = [3_276, 3_277, 3_277, 3_277, 3_277];
  const risky = { ...ALL, 'reshard-above-80': 'true' };

  it('are both given a replica', () => {
    expect(paramsOf(decided(five(readHot, readHot, even)))).toMatchObject({
      ReplicaConfiguration: [
        { NodeGroupId: '0001', NewReplicaCount: 2 },
        { NodeGroupId: '0002', NewReplicaCount: 2 },
      ],
    });
  });

  it('are not spread where only one of them holds more slots', () => {
    expect(outcome(decided(five(writeHot, writeHot, [6_000, 2_596, 2_596, 2_596, 2_596]), risky))).toBe(
      'escalate hot-shard-writes',
    );
    expect(outcome(decided(five(writeHot, writeHot, [5_000, 5_000, 2_128, 2_128, 2_128]), risky))).toBe(
      'act uneven-slots',
    );
  });

  it('by exactly 1.2 times the slots are not uneven', () => {
    expect(outcome(decided(five(writeHot, cool(), [3_600, 2_850, 2_850, 2_850, 2_850]), risky))).toBe(
      'escalate hot-shard-writes',
    );
    expect(outcome(decided(five(writeHot, cool(), [3_601, 2_850, 2_850, 2_850, 2_849]), risky))).toBe(
      'act uneven-slots',
    );
  });

  it('of which one lags get no replica, but a faster node', () => {
    const facts = five(readHot, readHot, even);
    const nodes = facts.nodes.map((node) =>
      node.shard === '0002' && node.role === 'replica' ? { ...node, load: { ...node.load, replicationLag: 9 } } : node,
    );
    expect(decided({ ...facts, nodes }, risky).reason).toBe('replication-lag');
  });

  it('is the shard of a primary, not of a replica', () => {
    const nodes = [
      ...shard('0001', hot(20), readHot),
      ...shard('0002', hot(20), serving),
      ...shard('0003', hot(20), serving),
    ];
    expect(outcome(decided(group(nodes)))).toBe('act replicas-hot');
  });
});

describe('just at the edge', () => {
  it.each([
    [60, 'act replicas-hot'],
    [59, 'escalate uneven-reads'],
  ])('replicas at %d %% on average: %s', (average, expected) => {
    const other = 2 * average - 96;
    expect(outcome(decided(group(shard('0001', hot(20), hot(96), hot(other)))))).toBe(expected);
  });

  it.each([
    [64.9, 'act core-starved'],
    [65, 'act read-hot-primary'],
  ])('an engine at %d %% of a full core: %s', (engine, expected) => {
    const load: NodeLoad = { ...IDLE, cpu: minutes(60), engineCpu: minutes(engine), commands: READS };
    const facts = group(shard('0001', load, serving), {
      vcpus: 2,
      nodeType: 'cache.r7g.large',
      allowedTypes: ['cache.r7g.xlarge'],
    });
    expect(outcome(decided(facts, ALL))).toBe(expected);
  });

  it('a core whose engine is not published is not called starved', () => {
    const load: NodeLoad = { ...IDLE, cpu: minutes(60), engineCpu: [], commands: READS };
    expect(outcome(decided(group(shard('0001', load, serving), { vcpus: 2, nodeType: 'cache.r7g.large' })))).toBe(
      'act read-hot-primary',
    );
  });

  it.each([
    [18, 1, 'act credits-exhausted'],
    [17.9, 1, 'skip not-saturated'],
    [18, 1.1, 'skip not-saturated'],
  ])('a t4g.medium at %d %% with %d credits: %s', (cpu, credits, expected) => {
    const facts = group(shard('0001', { ...IDLE, cpu: minutes(cpu), credits }), {
      nodeType: 'cache.t4g.medium',
      vcpus: 2,
      allowedTypes: ['cache.m7g.large'],
    });
    expect(outcome(decided(facts, ALL))).toBe(expected);
  });

  it.each([
    [80, 'act primaries-write-hot'],
    [80.1, 'escalate reshard-above-80'],
  ])('resharding at %d %%: %s', (use, expected) => {
    const warm = hot(use, { commands: WRITES });
    const facts = group([...shard('0001', warm), ...shard('0002', warm)]);
    expect(outcome(decided(facts, { ...ALL, 'act-at': 'warning' }))).toBe(expected);
  });

  it('a usual rate of reads and writes that is not known hides no storm', () => {
    const load = hot(96, {
      newConnections: { perMinute: 6_000, before: 100 },
      commands: { GetTypeCmds: commands(6_000_000, 9, null), SetTypeCmds: commands(1, 9, 1) },
    });
    expect(outcome(decided(group(shard('0001', load, serving))))).toBe('escalate connection-storm');
  });

  it('connections that are not published are no storm', () => {
    expect(outcome(decided(group(shard('0001', { ...readHot, newConnections: null }, serving))))).toBe(
      'act read-hot-primary',
    );
  });

  it('valkey is judged like redis', () => {
    expect(outcome(decided(group(shard('0001', readHot, serving), { engine: 'valkey' })))).toBe('act read-hot-primary');
  });

  it('R2b takes what is allowed, though another remedy would come first', () => {
    const nodes = [...shard('0001', readHot, IDLE), ...shard('0002', readHot, IDLE)];
    const facts = group(nodes, { nodeType: 'cache.m5.xlarge', allowedTypes: ['cache.m5.2xlarge'] });
    expect(paramsOf(decided(facts, { allow: 'node-type' }))).toMatchObject({ CacheNodeType: 'cache.m5.2xlarge' });
  });
});

describe('while a change is measured', () => {
  const since = (minutesAgo: number) => ({
    change: {
      kind: 'replicas' as const,
      says: 'more',
      at: at - 30 * MINUTE,
      node: 'node-0001-2',
      cpu: 96,
      availableSince: at - minutesAgo * MINUTE,
    },
  });

  it.each([
    [10, 'defer measuring'],
    [10.1, 'defer metrics-missing'],
  ])('%d minutes without the hot node’s metrics: %s', (minutesAgo, expected) => {
    expect(outcome(decided(verifying(group(shard('0001', hot([]), serving)), since(minutesAgo))))).toBe(expected);
  });

  it('another node’s gap does not hold the verdict up', () => {
    expect(outcome(decided(verifying(group(shard('0001', readHot, hot([]))), since(6))))).not.toContain('measuring');
  });

  it('a node that is gone does not hold it up', () => {
    const facts = verifying(group(shard('0009', hot(50), serving)), since(6));
    expect(outcome(decided(facts))).toBe('skip resolved');
  });

  it('what was remembered besides stays, and of what goes on again the measurements do not', () => {
    const remembered = { ...since(6), addedReplicas: { '0001': { from: 1, count: 1 } } };
    const waiting = decided(verifying(group(shard('0001', readHot, serving), { status: 'modifying' }), remembered));
    const over = decided(verifying(group(shard('0001', hot(50), serving)), remembered));

    const { availableSince: _, ...begun } = remembered.change;
    expect(waiting.remember).toEqual({ ...remembered, change: begun });
    expect(over.remember).toEqual({ addedReplicas: { '0001': { from: 1, count: 1 } } });
  });

  it('nothing is remembered where nothing was changed', () => {
    expect(decided(verifying(group(shard('0001', hot(50))), {})).remember).toBeUndefined();
  });
});

describe('a serverless cache', () => {
  const change = { kind: 'serverless-limit' as const, says: 'more', at: at - 20 * MINUTE, node: null, cpu: null };
  const raisedAgo = (minutesAgo: number) =>
    serverless({
      ledger: {
        attempts: {},
        lastActAt: at - 20 * MINUTE,
        incident: { openedAt: at - 21 * MINUTE, steps: 1 },
        remembered: { change: { ...change, availableSince: at - minutesAgo * MINUTE }, changedAt: at - 20 * MINUTE },
      },
    });

  it('still throttled since the limit was raised gets more, after ten minutes', () => {
    const decision = decided(raisedAgo(4), ALL);

    expect(decision).toMatchObject({
      kind: 'act',
      reason: 'serverless-limit',
      coolDownMs: 10 * MINUTE,
      planned: false,
    });
    expect(decision.remember).toMatchObject({ change: { at }, changedAt: at });
  });

  it('is not judged by what was throttled before', () => {
    const facts = { ...raisedAgo(4), throttled: [[at - 5 * MINUTE, 300]] as const };
    expect(outcome(decided(facts, ALL))).toBe('skip resolved');
  });

  it('is measured for three minutes', () => {
    const { availableSince: _, ...fresh } = { ...change, availableSince: 0 };
    const facts = raisedAgo(4);
    const decision = decided({ ...facts, ledger: { ...facts.ledger, remembered: { change: fresh } } }, ALL);
    expect(decision).toMatchObject({
      kind: 'defer',
      until: at + 3 * MINUTE,
      remember: { change: { availableSince: at } },
    });
  });

  it('comes back in a minute while it is modifying', () => {
    expect(decided(serverless({ status: 'creating' }))).toMatchObject({ kind: 'defer', until: at + MINUTE });
  });
});
