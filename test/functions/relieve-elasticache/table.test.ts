import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GroupSituation, Memory, NodeLoad } from '../../../functions/relieve-elasticache/facts.ts';
import type { Decision } from '../../../shared/decision.ts';
import {
  ALL,
  commands,
  decided,
  group,
  hot,
  IDLE,
  minutes,
  newest,
  READS,
  readHot,
  serving,
  shard,
  verifying,
  WRITES,
  writeHot,
} from '../../support/cache-facts.ts';
import { at } from '../../support/event-builders.ts';

/** The decision table that people follow, as it is drawn, against the decisions that are made. */

const MINUTE = 60_000;
const picture = readFileSync(join(import.meta.dirname, '../../../docs/images/relieve-elasticache.svg'), 'utf8');
const ROW =
  /<text class="n"[^>]*>(\d+)<\/text><text class="q"[^>]*>([^<]*)<\/text>\s*<rect class="(\w+)"[^>]*\/>\s*<text class="w"[^>]*>[^<]*<\/text><text class="c"[^>]*>([^<]*)</g;
const rows = [...picture.matchAll(ROW)].map(([, number = '', condition = '', colour = '', codes = '']) => ({
  number: Number(number),
  condition,
  colour,
  codes: codes.startsWith('(') ? [] : codes.split(', '),
}));
const COLOURS: Readonly<Record<Decision['kind'], string>> = {
  act: 'act',
  escalate: 'ask',
  defer: 'later',
  skip: 'none',
};

interface Case {
  readonly facts: GroupSituation;
  readonly tags?: Readonly<Record<string, string>>;
}
const case_ = (facts: GroupSituation, tags: Readonly<Record<string, string>> = ALL): Case => ({ facts, tags });

const X86 = { nodeType: 'cache.m5.xlarge', vcpus: 4, allowedTypes: ['cache.m5.2xlarge'] };
const T4G = { nodeType: 'cache.t4g.medium', vcpus: 2, allowedTypes: ['cache.m7g.large'] };
const one = (load: NodeLoad, options: Parameters<typeof group>[1] = {}) => group(shard('0001', load, serving), options);
const two = (first: NodeLoad, second: NodeLoad, options: Parameters<typeof group>[1] = {}) =>
  group([...shard('0001', first, serving), ...shard('0002', second, serving)], options);
const slots = (...counts: readonly number[]) =>
  counts.map((n, i) => ({ id: `000${i + 1}`, status: 'available', slots: n }));
const change = (rest: object = {}): Memory => ({
  change: { kind: 'replicas', says: 'one more', at: at - 30 * MINUTE, node: 'node-0001-2', cpu: 96, ...rest },
});
const RISKY = { ...ALL, 'reshard-above-80': 'true' };

/** For every row of the picture, what makes it the first that is true. */
const CASES: Readonly<Record<number, readonly Case[]>> = {
  1: [
    case_(verifying(one(readHot, { status: 'modifying' }), change())),
    case_(verifying(one(readHot), change({ availableSince: at - MINUTE }))),
  ],
  2: [case_(one(readHot, { engine: 'memcached' })), case_(one(readHot, { vcpus: null }))],
  3: [
    case_(group(shard('0001', hot([]), hot([])))),
    case_(group(shard('0001', hot([]), hot([])), { trigger: 'tick' })),
  ],
  4: [case_(one(hot(40, { networkUsage: 120 })))],
  5: [
    case_(verifying(one(hot(30)), change({ availableSince: at - 9 * MINUTE }))),
    case_(one(hot(30))),
    case_(group(shard('0001', IDLE, IDLE, IDLE), { trigger: 'tick' }), { 'scale-in': 'all' }),
  ],
  6: [case_(one(readHot, { status: 'snapshotting' })), case_(one(readHot, { resharding: true }))],
  7: [case_(one(readHot, { clusterMode: 'compatible' }))],
  8: [
    case_(verifying(group(shard('0001', readHot, IDLE)), change({ nodes: [], availableSince: at - 6 * MINUTE }))),
    case_(verifying(group(shard('0001', readHot, IDLE)), change({ nodes: [], availableSince: at - 16 * MINUTE }))),
  ],
  9: [case_(one(hot([20, 20, 95, 95, 95], { saving: [newest - 2 * MINUTE, newest - MINUTE, newest] })))],
  10: [case_(one({ ...IDLE, cpu: minutes(19), credits: 0 }, T4G))],
  11: [case_(one(hot(96, { commands: { ...READS, EvalBasedCmds: commands(60_000, 500) } })))],
  12: [case_(one(hot(96, { commands: READS, newConnections: { perMinute: 5_000, before: 4_000 } })))],
  13: [case_(one(hot(96, { commands: READS, connections: 52_000 })))],
  14: [case_(one({ ...readHot, evictions: 1, memory: 90 }))],
  15: [case_(group(shard('0001', readHot).map((node) => ({ ...node, role: null }))))],
  16: [case_(two(writeHot, hot(20), { shards: slots(12_000, 4_384) }), RISKY)],
  17: [case_(two(readHot, hot(20)))],
  18: [case_(two(writeHot, hot(20)))],
  19: [case_(group(shard('0001', readHot, { ...serving, replicationLag: 6 }), X86))],
  20: [
    case_(
      one(
        { ...IDLE, cpu: minutes(48), engineCpu: minutes(60), commands: READS },
        { nodeType: 'cache.r7g.large', vcpus: 2, allowedTypes: ['cache.r7g.xlarge'] },
      ),
    ),
  ],
  21: [case_(group(shard('0001', hot(30), readHot)))],
  22: [case_(group(shard('0001', hot(30), readHot, hot(10))))],
  23: [case_(one(readHot))],
  24: [case_(group(shard('0001', readHot, IDLE)), {}), case_(group(shard('0001', readHot)), {})],
  25: [case_(two(writeHot, writeHot), RISKY)],
  26: [case_(one(writeHot, X86))],
  27: [case_(one(writeHot))],
  28: [case_(two(writeHot, writeHot), { ...ALL, 'max-shards': '2' })],
  29: [case_(one(writeHot, { ...X86, globalReplicationGroupId: 'abcde-orders' }))],
  30: [case_(one(readHot, { autoscaled: ['Replicas'] }))],
  31: [case_(one(hot(75, { commands: READS })))],
  32: [case_(one(writeHot, { ...X86, pending: 'engine version 7.2' }))],
  33: [case_(one(readHot), { allow: 'none' })],
  34: [case_(two(writeHot, writeHot))],
  35: [case_(one(writeHot, { ...X86, maintenanceWindow: 'thu:03:00-thu:04:00' }))],
  36: [case_(one(readHot))],
};
const decisionsOf = (row: number) => (CASES[row] ?? []).map(({ facts, tags }) => decided(facts, tags));

describe('the picture of the decision table', () => {
  it('has rows that are numbered from one on, each with a case here', () => {
    expect(rows.map(({ number }) => number)).toEqual(rows.map((_, i) => i + 1));
    expect(Object.keys(CASES).map(Number)).toEqual(rows.map(({ number }) => number));
  });

  it.each(rows)('row $number ($condition) is what is decided: $codes', ({ number, colour, codes }) => {
    const decisions = decisionsOf(number);

    const reasons = new Set(decisions.map(({ reason }) => reason as string));
    if (codes.length > 0) expect([...reasons].toSorted()).toEqual(codes.toSorted());
    expect(decisions.map(({ kind }) => COLOURS[kind])).toContain(colour);
  });

  /** From the bottom of the table to its top: what is added at each step stands higher, and takes over from all below it. */
  it('is in the order in which it is decided: higher rows win', () => {
    const change_ = change({ nodes: ['node-0001-2'], availableSince: at - 16 * MINUTE });
    const hotNode: NodeLoad = { ...IDLE, cpu: minutes(48), engineCpu: minutes(90), commands: WRITES };
    const T = { nodeType: 'cache.t4g.medium', vcpus: 2, allowedTypes: ['cache.m7g.large', 'cache.m7g.xlarge'] };
    const with_ = (facts: GroupSituation, load: Partial<NodeLoad>): GroupSituation => ({
      ...facts,
      nodes: facts.nodes.map((node) => ({ ...node, load: { ...node.load, ...load } })),
    });
    const shardOf = (facts: GroupSituation, id: string, load: Partial<NodeLoad>): GroupSituation => ({
      ...facts,
      nodes: facts.nodes.map((node) => (node.shard === id ? { ...node, load: { ...node.load, ...load } } : node)),
    });
    const base = two(hotNode, hotNode, T);
    const ladder: readonly (readonly [number, (facts: GroupSituation) => GroupSituation])[] = [
      [25, (facts) => facts],
      [20, (facts) => with_(facts, { engineCpu: minutes(50) })],
      [19, (facts) => with_(facts, { replicationLag: 9 })],
      [18, (facts) => shardOf(facts, '0002', { cpu: minutes(5) })],
      [16, (facts) => ({ ...facts, shards: slots(12_000, 4_384) })],
      [15, (facts) => ({ ...facts, nodes: facts.nodes.map((node) => ({ ...node, role: null })) })],
      [14, (facts) => with_(facts, { evictions: 5, memory: 95 })],
      [13, (facts) => with_(facts, { connections: 60_000 })],
      [12, (facts) => with_(facts, { newConnections: { perMinute: 9_000, before: 10 } })],
      [11, (facts) => with_(facts, { commands: { ...WRITES, EvalBasedCmds: commands(90_000, 500) } })],
      [10, (facts) => shardOf(facts, '0001', { credits: 0 })],
      [9, (facts) => with_(facts, { saving: minutes(1).map(([minute]) => minute) })],
      [8, (facts) => withReplicaNobodyReads({ ...facts, ...verifying(facts, change_) })],
      [7, (facts) => ({ ...facts, clusterMode: 'compatible' })],
      [6, (facts) => ({ ...facts, resharding: true, ledger: { ...facts.ledger, remembered: {} } })],
      [2, (facts) => ({ ...facts, engine: 'memcached' })],
      [1, (facts) => ({ ...facts, ledger: { ...facts.ledger, remembered: change() } })],
    ];
    let facts = base;
    const won = ladder.map(([, add]) => {
      facts = add(facts);
      return decided(facts, RISKY).reason;
    });

    const expected = ladder.map(([row]) => rows.find(({ number }) => number === row)?.codes ?? []);
    for (const [i, codes] of expected.entries()) expect(codes).toContain(won[i]);
    expect(ladder.map(([row]) => row)).toEqual(ladder.map(([row]) => row).toSorted((a, b) => b - a));
  });

  it('asks what may be done in the order that is drawn', () => {
    const at_ = (use: number, options: Parameters<typeof group>[1] = {}) =>
      two(hot(use, { commands: WRITES }), hot(use, { commands: WRITES }), options);
    const WINDOW = { maintenanceWindow: 'thu:03:00-thu:04:00' };
    const steps: readonly (readonly [number, Case])[] = [
      [36, case_(at_(75), { ...ALL, 'act-at': 'warning' })],
      [35, case_(at_(75, WINDOW), { ...ALL, 'act-at': 'warning' })],
      [34, case_(at_(96, WINDOW), ALL)],
      [33, case_(at_(96, WINDOW), {})],
      [31, case_(at_(75, WINDOW), {})],
      [30, case_(at_(75, { ...WINDOW, autoscaled: ['NodeGroups'] }), {})],
      [29, case_(at_(75, { ...WINDOW, autoscaled: ['NodeGroups'], globalReplicationGroupId: 'abcde-orders' }), {})],
      [28, case_(at_(75, { ...WINDOW, autoscaled: ['NodeGroups'] }), { 'max-shards': '2' })],
    ];

    const won = steps.map(([, { facts, tags }]) => decided(facts, tags).reason as string);

    // What is not allowed, or is done, goes by the finding's own reason.
    const own = 'primaries-write-hot';
    for (const [i, [row]] of steps.entries()) {
      const codes = rows.find(({ number }) => number === row)?.codes ?? [];
      expect(codes.length === 0 ? [own] : codes, `row ${row}`).toContain(won[i]);
    }
  });
});

/** The replica that was added stays idle. */
const withReplicaNobodyReads = (facts: GroupSituation): GroupSituation => ({
  ...facts,
  nodes: facts.nodes.map((node) =>
    node.id === 'node-0001-1'
      ? { ...node, role: 'replica', load: { ...node.load, commands: { GetTypeCmds: commands(0, null) } } }
      : { ...node, role: 'primary' },
  ),
});
