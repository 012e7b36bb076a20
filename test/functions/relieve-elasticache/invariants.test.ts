import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../functions/relieve-elasticache/decide.ts';
import type {
  CacheNode,
  Commands,
  GroupSituation,
  Memory,
  NodeLoad,
  Rate,
} from '../../../functions/relieve-elasticache/facts.ts';
import { cachePolicy, stackPolicy } from '../../../functions/relieve-elasticache/policy.ts';
import type { ElastiCacheCall } from '../../../functions/relieve-elasticache/remedies.ts';
import { reasons } from '../../../shared/reasons.ts';
import { group, hot, IDLE, minutes, newest, READS, WRITES } from '../../support/cache-facts.ts';
import { at } from '../../support/event-builders.ts';
import { fakeClock } from '../../support/fake-aws/clock.ts';
import { type FakeGroup, fakeElastiCache, toForm } from '../../support/fake-aws/elasticache.ts';

const MINUTE = 60_000;
const RUNS = 3_000;

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null, freq: 5 });
/** Mostly the first. */
const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const percent = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(20, 64, 66, 79, 81, 89, 91, 97));
const points = fc.oneof(
  { weight: 6, arbitrary: percent.map((value) => minutes(value)) },
  { weight: 2, arbitrary: fc.array(percent, { maxLength: 10 }).map((values) => minutes(values)) },
  { weight: 1, arbitrary: fc.constant([]) },
);
const rate: fc.Arbitrary<Rate> = fc.record({
  perMinute: fc.integer({ min: 0, max: 9_000_000 }),
  before: maybe(fc.integer({ min: 0, max: 9_000_000 })),
});
const some: fc.Arbitrary<Commands> = fc
  .tuple(rate, maybe(fc.integer({ min: 1, max: 3_000 })))
  .map(([each, latency]) => ({ ...each, latency }));
const hour = maybe(fc.record({ minutes: fc.integer({ min: 1, max: 60 }), peak: percent }));
const calmHour = fc.constant({ minutes: 60, peak: 20 });

const anything: fc.Arbitrary<NodeLoad> = fc.record({
  cpu: points,
  engineCpu: points,
  saving: fc.subarray([newest - 2 * MINUTE, newest - MINUTE, newest]),
  cpuHour: fc.oneof(hour, calmHour),
  engineCpuHour: fc.oneof(hour, calmHour),
  credits: maybe(fc.integer({ min: 0, max: 5 })),
  trafficManaged: fc.boolean(),
  isMaster: fc.constant(null),
  commands: fc.record(
    { GetTypeCmds: some, SetTypeCmds: some, EvalBasedCmds: some, KeyBasedCmds: some },
    { requiredKeys: [] },
  ),
  newConnections: maybe(rate.map((one) => ({ ...one, perMinute: one.perMinute % 8_000 }))),
  connections: maybe(fc.integer({ min: 0, max: 65_000 })),
  evictions: fc.constantFrom(0, 0, 5),
  evictionsHour: fc.constantFrom(0, 0, 5),
  memory: maybe(percent),
  memoryPeakHour: maybe(percent),
  replicationLag: maybe(fc.integer({ min: 0, max: 10 })),
  networkExceededMinutes: fc.integer({ min: 0, max: 5 }),
  networkUsage: maybe(fc.integer({ min: 0, max: 150 })),
  networkPeakHour: maybe(fc.integer({ min: 0, max: 150 })),
});

const plain = fc.constantFrom(
  IDLE,
  IDLE,
  hot(96, { commands: READS, cpu: minutes(48) }),
  hot(97, { commands: WRITES, cpu: minutes(49) }),
  hot(75, { commands: READS, cpu: minutes(38) }),
  hot(20, { commands: READS }),
);
const FIELDS = Object.keys(IDLE) as (keyof NodeLoad)[];

/** A node as there are many, with nothing, one thing or a few things out of the ordinary; or with anything at all. */
const load: fc.Arbitrary<NodeLoad> = fc.oneof(
  { weight: 5, arbitrary: plain },
  {
    weight: 2,
    arbitrary: fc
      .tuple(plain, anything, fc.subarray(FIELDS, { maxLength: 2 }))
      .map(([base, odd, fields]) => ({ ...base, ...Object.fromEntries(fields.map((field) => [field, odd[field]])) })),
  },
  { weight: 1, arbitrary: anything },
);

const added = fc.record({ from: fc.integer({ min: 0, max: 5 }), count: fc.integer({ min: 0, max: 3 }) });
const memory: fc.Arbitrary<Memory> = fc.record(
  {
    change: fc.record(
      {
        kind: fc.constantFrom('replicas', 'shards', 'node-type'),
        says: fc.constant('one replica more'),
        at: fc.integer({ min: at - 90 * MINUTE, max: at }),
        node: maybe(fc.constantFrom('orders-001', 'orders-0001-001', 'gone')),
        cpu: maybe(percent),
        nodes: fc.subarray(['orders-001', 'orders-002', 'orders-0001-001']),
        availableSince: fc.integer({ min: at - 30 * MINUTE, max: at }),
      },
      { requiredKeys: ['kind', 'says', 'at', 'node', 'cpu'] },
    ),
    changedAt: fc.integer({ min: at - 90 * MINUTE, max: at }),
    addedReplicas: fc.dictionary(fc.constantFrom('0001', '0002'), added),
    addedShards: added,
    unread: fc.subarray(['orders-001', 'orders-0001-001']),
  },
  { requiredKeys: [] },
);

const tags = fc
  .record(
    {
      allow: fc.constantFrom(
        'replicas',
        ...Array<string>(4).fill('replicas shards node-type'),
        'shards',
        'node-type',
        'none',
      ),
      'act-at': fc.constantFrom('saturated', 'warning'),
      'max-replicas': fc.constantFrom('1', '2', '5'),
      'max-shards': fc.constantFrom('1', '3', '10'),
      'max-nodes': fc.constantFrom('4', '12', '90'),
      'reads-offloaded': fc.constantFrom('detect', 'true', 'false'),
      'reshard-above-80': fc.constantFrom('true', 'false'),
      'scale-in': fc.constantFrom('own', 'all', 'off'),
    },
    { requiredKeys: [] },
  )
  .map((given) =>
    Object.fromEntries(Object.entries(given).map(([tag, value]): [string, string] => [`reflex:${tag}`, value])),
  );

interface World {
  readonly fake: ReturnType<typeof fakeElastiCache>;
  readonly before: FakeGroup;
  readonly facts: GroupSituation;
}

/** A group as the fake has it, and facts that say the same of its shape; its metrics are anything. */
const world = fc
  .record({
    shards: fc.integer({ min: 1, max: 6 }),
    replicas: fc.integer({ min: 0, max: 5 }),
    failover: fc.boolean(),
    loads: fc.oneof(
      fc.array(load, { minLength: 6, maxLength: 12 }),
      plain.map((one) => [one, one, one, one, one, one]),
      fc.tuple(plain, plain).map(([one, other]) => [one, other, other]),
    ),
    rolesKnown: mostly(true, false),
    type: fc.constantFrom(
      ['cache.r7g.xlarge', 4],
      ['cache.m5.large', 2],
      ['cache.t4g.medium', 2],
      ['cache.t2.micro', 1],
    ),
    trigger: fc.constantFrom('alarm', 'tick', 'follow-up', 'recovery', 'event'),
    remembered: fc.oneof({ weight: 6, arbitrary: fc.constant<Memory>({}) }, { weight: 1, arbitrary: memory }),
    open: fc.constantFrom(false, false, true),
    lastActAt: fc.constantFrom(null, null, at - 70 * MINUTE, at - 5 * MINUTE),
    status: mostly('available', 'modifying', 'snapshotting', 'odd'),
    clusterMode: mostly('as is', 'compatible'),
    global: mostly<string | null>(null, 'abcde-orders'),
    autoscaled: mostly<string[]>([], ['Replicas'], ['NodeGroups']),
    pending: mostly<string | null>(null, 'engine version 7.2'),
    updating: mostly<boolean | null>(false, true, null),
    slots: fc.constantFrom('even', 'uneven'),
    engineVersion: mostly<string | null>('7.1.0', null, '5.0.0', '6.2.6'),
    allowed: fc.constantFrom(null, [], ['cache.r7g.2xlarge', 'cache.m7g.xlarge', 'cache.r7g.xlarge']),
  })
  .map((given): World => {
    const fake = fakeElastiCache(fakeClock(at));
    const [nodeType, vcpus] = given.type as [string, number];
    const before = fake.createGroup('orders', {
      shards: given.shards,
      replicas: given.replicas,
      failover: given.failover,
      nodeType,
      scaleUp: [...(given.allowed ?? [])],
    });
    const nodes = before.shards.flatMap(({ id, nodes: own }, s) =>
      own.map(({ id: node, primary }, n): CacheNode => {
        const role = primary ? 'primary' : 'replica';
        const its = given.loads[(s * 7 + n) % given.loads.length] as NodeLoad;
        return { id: node, shard: id, role: given.rolesKnown || given.shards === 1 ? role : null, load: its };
      }),
    );
    const facts = group(nodes, {
      vcpus,
      nodeType,
      engineVersion: given.engineVersion,
      failover: given.failover,
      trigger: given.trigger,
      status: given.status,
      clusterMode: given.clusterMode === 'as is' ? before.clusterMode : 'compatible',
      globalReplicationGroupId: given.global,
      autoscaled: given.autoscaled,
      pending: given.pending,
      updating: given.updating,
      allowedTypes: given.allowed,
      shards: before.shards.map(({ id, slots }, i) => ({
        id,
        status: 'available',
        slots: before.clusterMode === 'disabled' ? null : given.slots === 'uneven' && i === 0 ? 4 * slots : slots,
      })),
      ledger: {
        attempts: {},
        lastActAt: given.lastActAt,
        incident: given.open ? { openedAt: at - 20 * MINUTE, steps: 1 } : null,
        remembered: given.remembered,
      },
    });
    return { fake, before, facts };
  });

const decisionOn = (facts: GroupSituation, given: Readonly<Record<string, string>>) => {
  const policy = cachePolicy(stackPolicy({ MIN_REPLICAS: '0' }), given);
  return { policy, decision: decide(facts, policy, at) };
};

/** Runs `check` on every act, and sees to it that there were acts enough to mean something. */
const onActs = (
  check: (world: World, call: ElastiCacheCall, given: Readonly<Record<string, string>>) => void,
): void => {
  let acts = 0;
  fc.assert(
    fc.property(world, tags, (one, given) => {
      const { decision } = decisionOn(one.facts, given);
      if (decision.kind !== 'act') return;
      acts++;
      expect(decision.calls).toHaveLength(1);
      for (const call of decision.calls) check(one, call, given);
    }),
    { numRuns: RUNS },
  );
  expect(acts).toBeGreaterThan(RUNS / 50);
};

/** Throws what AWS would answer where it refuses. */
const taken = ({ fake }: World, { call, params }: ElastiCacheCall): void => {
  const operation = fake.service.operations[call];
  if (operation === undefined) throw new Error(`the fake has no ${call}`);
  operation(toForm(params));
};
/** The group when the change is over. */
const changed = (one: World, call: ElastiCacheCall): FakeGroup => {
  taken(one, call);
  const group = one.before;
  group.ends?.happen();
  return group;
};

/** A person can paste it: from `aws` to the end of the line it is one command, with its quotes closed. */
const COMMAND =
  /(^|: )aws (elasticache|application-autoscaling|logs|ec2) [a-z-]+( --[a-z-]+( ([\w:/.=@,+-]+|'[^']*'))?)+$/;

describe('whatever the group and its metrics', () => {
  it('there is one decision, with a reason of the catalogue and a sentence', () => {
    fc.assert(
      fc.property(world, tags, ({ facts }, given) => {
        const { decision } = decisionOn(facts, given);
        expect(reasons).toHaveProperty(decision.reason);
        expect(decision.why.length).toBeGreaterThan(10);
        expect(decision.why).not.toMatch(/NaN|undefined|Infinity|null/);
        if (decision.kind === 'defer') {
          expect(decision.until).toBeGreaterThan(at);
          // The follow-up's message takes no fraction of a millisecond.
          expect(decision.until).toSatisfy(Number.isSafeInteger);
        }
        if (decision.kind === 'escalate') expect(decision.advice).toMatch(COMMAND);
      }),
      { numRuns: RUNS },
    );
  });

  it('an act is exactly one call, and AWS takes it', () => {
    onActs((one, call) => void taken(one, call));
  });

  it('no shard has more than five replicas, no group more nodes or shards than it may', () => {
    onActs((one, call, given) => {
      const { policy } = decisionOn(one.facts, given);
      const counts = (group: FakeGroup) => ({
        replicas: Math.max(...group.shards.map(({ nodes }) => nodes.length - 1)),
        nodes: group.shards.reduce((sum, { nodes }) => sum + nodes.length, 0),
        shards: group.shards.length,
      });
      const before = counts(one.before);

      const after = counts(changed(one, call));

      expect(after.replicas).toBeLessThanOrEqual(Math.max(before.replicas, policy.maxReplicas));
      expect(after.replicas).toBeLessThanOrEqual(5);
      expect(after.nodes).toBeLessThanOrEqual(Math.max(before.nodes, policy.maxNodes));
      expect(after.shards).toBeLessThanOrEqual(Math.max(before.shards, policy.maxShards));
    });
  });

  it('only what is allowed is done, and nothing to a group that is not available', () => {
    onActs(({ facts }, { call }, given) => {
      const kind = /Replica(Count)/.test(call) ? 'replicas' : /Shard/.test(call) ? 'shards' : 'node-type';
      expect((given['reflex:allow'] ?? 'replicas').split(' ')).toContain(kind);
      expect(facts.status).toBe('available');
      expect(facts.clusterMode).not.toBe('compatible');
      if (kind !== 'replicas') expect(facts.globalReplicationGroupId).toBeNull();
      if (kind === 'replicas') expect(facts.autoscaled).not.toContain('Replicas');
      if (kind === 'shards') expect(facts.autoscaled).not.toContain('NodeGroups');
      if (kind === 'node-type') expect(facts.pending).toBeNull();
      if (kind !== 'replicas') expect(facts.updating).toBe(false);
    });
  });

  it('it never shrinks on missing data, or on anything but the schedule', () => {
    let shrunk = 0;
    fc.assert(
      fc.property(world, tags, (one, given) => {
        const { decision } = decisionOn({ ...one.facts, trigger: 'tick' }, { ...given, 'reflex:scale-in': 'all' });
        if (decision.reason !== 'scale-in-cache') return;
        shrunk++;
        for (const { load: its } of one.facts.nodes) {
          const seen = (one.facts.vcpus ?? 0) <= 2 ? its.cpuHour : its.engineCpuHour;
          expect(seen?.minutes).toBeGreaterThanOrEqual(55);
          expect(its.evictionsHour).toBe(0);
        }
      }),
      { numRuns: RUNS },
    );
    fc.assert(
      fc.property(world, tags, ({ facts }, given) => {
        const { decision } = decisionOn(facts, { ...given, 'reflex:scale-in': 'all' });
        if (facts.trigger !== 'tick') expect(decision.reason).not.toBe('scale-in-cache');
      }),
      { numRuns: RUNS },
    );
    expect(shrunk).toBeGreaterThan(0);
  });

  it('what it took away never leaves fewer replicas than the floor', () => {
    fc.assert(
      fc.property(world, tags, (one, given) => {
        const { decision } = decisionOn({ ...one.facts, trigger: 'tick' }, { ...given, 'reflex:scale-in': 'all' });
        if (decision.kind !== 'act' || decision.reason !== 'scale-in-cache') return;
        const [call] = decision.calls;
        if (call === undefined) return;
        const group = changed(one, call);
        const floor = one.facts.failover ? 1 : 0;
        if (call.call !== 'DecreaseReplicaCount') return;
        for (const { nodes } of group.shards)
          expect(nodes.length - 1).toBeGreaterThanOrEqual(Math.min(floor, nodes.length));
      }),
      { numRuns: RUNS },
    );
  });
});
