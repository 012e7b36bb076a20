import { describe, expect, it } from 'vitest';
import type { GroupSituation } from '../../../functions/relieve-elasticache/facts.ts';
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
  paramsOf,
  READS,
  readHot,
  serverless,
  serving,
  shard,
  verifying,
  writeHot,
} from '../../support/cache-facts.ts';
import { at } from '../../support/event-builders.ts';

/** Groups and loads that are rare, and decisions on them that a person would have to make good. */

const MINUTE = 60_000;
const RISKY = { ...ALL, 'reshard-above-80': 'true' };

describe('cluster mode with one shard', () => {
  const CME: Partial<GroupSituation> = {
    clusterMode: 'enabled',
    shards: [{ id: '0001', status: 'available', slots: 16_384 }],
  };

  it('is divided when it is written, not moved to a larger node', () => {
    const decision = decided(group(shard('0001', writeHot), CME), RISKY);

    expect(outcome(decision)).toBe('act primaries-write-hot');
    expect(paramsOf(decision)).toMatchObject({ NodeGroupCount: 2 });
  });

  it('has no shard that stands out', () => {
    expect(outcome(decided(group(shard('0001', readHot, serving), CME)))).toBe('act read-hot-primary');
  });

  it('is never divided by none', () => {
    const facts = group(shard('0001', IDLE), { ...CME, trigger: 'tick' });
    expect(outcome(decided(facts, { ...ALL, 'scale-in': 'all', 'min-replicas': '0' }))).toBe('skip nothing-to-remove');
  });
});

describe('one family among many calls', () => {
  /** Half of the engine goes to 2,000 ZRANGEs a minute; the mean of all reads is 15 us and shows nothing. */
  const hidden = {
    GetTypeCmds: commands(3_000_000, 15),
    SetTypeCmds: commands(10_000, 9),
    SortedSetBasedCmds: commands(2_000, 15_000),
  };

  it('is found, although reads as a whole look quick', () => {
    const decision = decided(group(shard('0001', hot(96, { commands: hidden }), serving)), ALL);

    expect(outcome(decision)).toBe('escalate slow-commands');
    expect(decision.why).toContain('SortedSetBasedCmds take 50 % of the engine of node-0001-2: 15000 us each');
  });

  it('is told of before one that takes less', () => {
    const slow = { ...hidden, HashBasedCmds: commands(1_000, 7_000) };
    const decision = decided(group(shard('0001', hot(96, { commands: slow }), serving)), ALL);

    expect(decision.why).toContain('SortedSetBasedCmds');
    expect(decision.why).not.toContain('HashBasedCmds');
  });
});

describe('an old engine', () => {
  const old = (engineVersion: string, nodeType: string, allowedTypes: readonly string[], options = {}) =>
    group(shard('0001', writeHot), { engineVersion, nodeType, allowedTypes, ...options });

  it('is upgraded rather than given a node whose I/O threads it does not use', () => {
    const decision = decided(old('5.0.5', 'cache.r6g.xlarge', ['cache.r6g.2xlarge']), ALL);

    expect(outcome(decision)).toBe('escalate migrate-to-cluster-mode');
    expect(decision.why).toContain('Redis 5.0.5 leaves I/O threads of cache.r6g.xlarge unused');
    expect(adviceOf(decision)).toMatch(/modify-replication-group .* --engine-version 7\.1$/);
  });

  it('gets the node where its threads are used', () => {
    const of = (engineVersion: string) =>
      decided(old(engineVersion, 'cache.r6g.large', ['cache.r6g.xlarge'], { vcpus: 4 }), ALL);

    expect(outcome(of('5.0.6'))).toBe('act primary-write-hot');
    expect(outcome(of('5.0.5'))).toBe('escalate migrate-to-cluster-mode');
    expect(of('5.0.5').why).toContain('leaves I/O threads of cache.r6g.xlarge unused');
  });

  it('in cluster mode is told of where every other limit is met', () => {
    const nodes = [...shard('0001', writeHot), ...shard('0002', writeHot)];
    const facts = group(nodes, { engineVersion: '6.0.5', nodeType: 'cache.r7g.xlarge', allowedTypes: [] });
    const decision = decided(facts, { ...RISKY, 'max-shards': '2' });

    expect(outcome(decision)).toBe('escalate at-limits');
    expect(decision.why).toContain('Redis 6.0.5 leaves I/O threads of cache.r7g.xlarge unused');
    expect(adviceOf(decision)).toContain('Key=reflex:max-shards,Value=3');
  });

  it('is no reason where a newer one would use no more', () => {
    const decision = decided(old('5.0.0', 'cache.r7g.large', ['cache.r7g.large'], { vcpus: 4 }), ALL);
    expect(decision.why).toContain('no node type that AWS offers for cache.r7g.large would help');
  });

  it('without a slow log to deliver is told so', () => {
    const load = hot(96, { commands: { ...READS, EvalBasedCmds: commands(60_000, 600) } });
    const advice = (engineVersion: string) =>
      adviceOf(decided(group(shard('0001', load, serving), { engineVersion }), ALL));

    expect(advice('5.0.6')).toContain('Redis 5.0.6 delivers no slow log');
    expect(advice('5.0.6')).toContain('--engine-version 7.1');
    expect(advice('6.0.5')).toContain('--log-delivery-configurations');
  });

  it('before TLS offload is named where connections storm', () => {
    const load = hot(96, { commands: READS, newConnections: { perMinute: 6_000, before: 100 } });
    const advice = (engineVersion: string | null) =>
      adviceOf(decided(group(shard('0001', load, serving), { tls: true, engineVersion }), ALL));

    expect(advice('6.0.5')).toContain('on cache.r7g.xlarge with Redis 6.0.5');
    expect(advice('7.1.0')).not.toContain('TLS');
    expect(advice(null)).not.toContain('TLS');
  });
});

describe('the way into cluster mode', () => {
  it('is not shown where the node types could not be read: they are asked for again, for a quarter of an hour', () => {
    const unread = group(shard('0001', writeHot, serving), { allowedTypes: null });
    const open = (minutesAgo: number) => ({
      ...unread,
      trigger: 'follow-up' as const,
      ledger: { ...unread.ledger, incident: { openedAt: at - minutesAgo * MINUTE, steps: 0 } },
    });

    expect(decided(unread, ALL)).toMatchObject({ kind: 'defer', reason: 'observe-failed', until: at + 2 * MINUTE });
    expect(outcome(decided(open(14), ALL))).toBe('defer observe-failed');
    const decision = decided(open(15), ALL);
    expect(outcome(decision)).toBe('escalate at-limits');
    expect(outcome(decided({ ...unread, trigger: 'tick' }, ALL))).toBe('escalate at-limits');
    expect(decision.why).toContain('could not be read');
    expect(adviceOf(decision)).toContain('list-allowed-node-type-modifications');
  });

  it('starts with cluster mode compatible', () => {
    expect(adviceOf(decided(group(shard('0001', writeHot)), ALL))).toMatch(/ --cluster-mode compatible$/);
  });

  it('starts with an engine that AWS migrates', () => {
    const advice = (engineVersion: string) => adviceOf(decided(group(shard('0001', writeHot), { engineVersion }), ALL));

    expect(advice('6.2.6')).toMatch(/ --engine-version 7\.1$/);
    expect(advice('7.0.7')).toMatch(/ --cluster-mode compatible$/);
  });

  it('of a standalone node starts with a replication group', () => {
    const facts = group(shard('0001', writeHot), { kind: 'cluster' });
    expect(adviceOf(decided(facts, ALL))).toMatch(/create-replication-group .* --primary-cluster-id orders$/);
  });
});

describe('a standalone node', () => {
  it('busy with reads is not sent to a reader endpoint it does not have', () => {
    const decision = decided(group(shard('0001', readHot), { kind: 'cluster' }));

    expect(outcome(decision)).toBe('escalate reads-not-offloaded');
    expect(adviceOf(decision)).toContain('create-replication-group');
    expect(adviceOf(decision)).not.toContain('reflex:reads-offloaded');
  });
});

describe('a global datastore', () => {
  const member = { globalReplicationGroupId: 'abcde-orders' };

  it('with uneven slots is rebalanced by its own call', () => {
    const facts = group([...shard('0001', writeHot, serving), ...shard('0002', hot(20), serving)], {
      ...member,
      shards: [
        { id: '0001', status: 'available', slots: 12_000 },
        { id: '0002', status: 'available', slots: 4_384 },
      ],
    });
    const decision = decided(facts, RISKY);

    expect(outcome(decision)).toBe('escalate global-datastore');
    expect(adviceOf(decision)).toContain(
      'rebalance-slots-in-global-replication-group --global-replication-group-id abcde-orders --apply-immediately',
    );
  });

  it('gets its replicas where its readers are, in any Region', () => {
    expect(outcome(decided(group(shard('0001', readHot, serving), member)))).toBe('act read-hot-primary');
  });
});

describe('a snapshot', () => {
  const saving = { saving: [newest - 2 * MINUTE, newest - MINUTE, newest], commands: READS };

  it('explains the warning level, too', () => {
    const facts = group(shard('0001', hot([20, 20, 75, 75, 75], saving), serving));

    expect(outcome(decided(facts))).toBe('defer snapshot');
    expect(outcome(decided(facts, { 'act-at': 'warning' }))).toBe('defer snapshot');
  });

  it('explains no warning in other minutes', () => {
    const facts = group(shard('0001', hot([20, 75, 75, 75, 75], saving), serving));
    expect(outcome(decided(facts))).toBe('escalate warning-level');
  });
});

describe('a limit', () => {
  it.each<[string, GroupSituation, Record<string, string>, string]>([
    [
      'on replicas is lifted by its tag',
      group(shard('0001', readHot, serving)),
      { 'max-replicas': '1' },
      'Key=reflex:max-replicas,Value=2',
    ],
    [
      'on nodes is lifted by its tag',
      group(shard('0001', readHot, serving)),
      { 'max-nodes': '2' },
      'Key=reflex:max-nodes,Value=3',
    ],
    [
      'of the API is lifted by nothing: what AWS offers is shown',
      group(shard('0001', readHot, serving, serving, serving, serving, serving)),
      {},
      'list-allowed-node-type-modifications --replication-group-id orders',
    ],
    [
      'on shards is lifted by its tag',
      group([...shard('0001', writeHot), ...shard('0002', writeHot)]),
      { 'max-shards': '2' },
      'Key=reflex:max-shards,Value=3',
    ],
  ])('%s', (_, facts, tags, advice) => {
    const decision = decided(facts, { ...RISKY, ...tags });

    expect(outcome(decision)).toBe('escalate at-limits');
    expect(adviceOf(decision)).toContain(advice);
  });

  it('is never said to be liftable beyond what AWS grants', () => {
    const nodes = Array.from({ length: 100 }, (_, i) =>
      shard(String(i + 1).padStart(4, '0'), readHot, serving, serving, serving, serving),
    ).flat();
    const decision = decided(group(nodes), { 'max-nodes': '500', 'reads-offloaded': 'true' });

    expect(adviceOf(decision)).toContain('Key=reflex:max-nodes,Value=500');
  });
});

describe('a serverless cache', () => {
  const open = { attempts: {}, lastActAt: null, incident: { openedAt: at - MINUTE, steps: 1 }, remembered: {} };
  const nothing = { throttled: [], ecpuPerSecond: [] };

  it('of which nothing is published is not said to be well', () => {
    expect(outcome(decided(serverless({ ...nothing, trigger: 'tick' })))).toBe('skip metrics-missing');
    expect(decided(serverless({ ...nothing, ledger: open }))).toMatchObject({
      kind: 'defer',
      reason: 'metrics-missing',
      until: at + 2 * MINUTE,
    });
  });

  it('whose use is not published is not said to be below its limit', () => {
    const decision = decided(serverless({ ecpuPerSecond: [] }), ALL);
    expect(outcome(decision)).toBe('escalate serverless-throttled');
    expect(decision.why).toContain('whether a limit holds it back is not known');
    expect(outcome(decided(serverless({ ecpuPerSecond: [], throttled: minutes(0) }), ALL))).toBe('skip not-saturated');
  });

  it('that is used and not throttled is well', () => {
    expect(outcome(decided(serverless({ throttled: [], ledger: open })))).toBe('skip resolved');
  });

  it('throttled without a limit is told what it used, to keep as much ready', () => {
    const decision = decided(serverless({ ecpuMaximum: null, ecpuPerSecond: minutes(9_500.4) }));
    expect(adviceOf(decision)).toContain(`'{"ECPUPerSecond":{"Minimum":9501}}'`);
  });

  it('throttled far below its limit keeps that limit, and at least what AWS takes', () => {
    const decision = decided(serverless({ ecpuPerSecond: minutes(200) }));
    expect(adviceOf(decision)).toContain(`'{"ECPUPerSecond":{"Maximum":10000,"Minimum":1000}}'`);
  });

  it('at the most there is cannot be allowed more', () => {
    const most = { ecpuMaximum: 15_000_000, ecpuPerSecond: minutes(14_900_000) };
    const decision = decided(serverless(most), ALL);

    expect(outcome(decision)).toBe('escalate at-limits');
    expect(adviceOf(decision)).not.toContain('reflex:max-ecpu-per-second');
  });

  it('below it is allowed half as much again, or the most there is', () => {
    const advice = (ecpuMaximum: number) =>
      adviceOf(
        decided(serverless({ ecpuMaximum, ecpuPerSecond: minutes(ecpuMaximum) }), {
          ...ALL,
          'max-ecpu-per-second': String(ecpuMaximum),
        }),
      );

    expect(advice(10_000)).toContain('Key=reflex:max-ecpu-per-second,Value=15000');
    expect(advice(12_000_000)).toContain('Key=reflex:max-ecpu-per-second,Value=15000000');
  });
});

describe('after a change', () => {
  const change = {
    kind: 'replicas' as const,
    says: 'more',
    at: at - 30 * MINUTE,
    node: null,
    cpu: null,
    nodes: ['node-0001-1', 'node-0001-2'],
    availableSince: at - 16 * MINUTE,
  };

  it('a replica that is gone again is not waited for', () => {
    // AWS had no free address for it: the group is as it was.
    const facts = verifying(group(shard('0001', readHot, serving)), { change });
    expect(outcome(decided(facts))).toBe('act read-hot-primary');
  });

  it('a replica that never came is said not to have come, with the command that tells why', () => {
    const { availableSince: _, ...called } = { ...change, availableSince: 0 };
    const nodes = group(shard('0001', readHot, serving));

    expect(decided(verifying(nodes, { change: called })).why).toContain('available again, without a new node, 30 min');
    expect(decided(verifying(nodes, { change })).why).toContain(
      'The last time no node came; what happened instead: aws elasticache describe-events',
    );
    const came = group(shard('0001', readHot, serving, serving));
    expect(decided(verifying(came, { change: called })).why).toContain('in service 30 min');
    expect(decided(verifying(came, { change })).why).not.toContain('no node came');
  });
});
