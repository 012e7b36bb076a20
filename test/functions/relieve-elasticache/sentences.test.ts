import { describe, expect, it } from 'vitest';
import type { Memory, NodeLoad } from '../../../functions/relieve-elasticache/facts.ts';
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
  serverless,
  serving,
  shard,
  verifying,
  WRITES,
} from '../../support/cache-facts.ts';
import { at } from '../../support/event-builders.ts';

const MINUTE = 60_000;
const writeHot = hot(97, { commands: WRITES });
const X86 = { nodeType: 'cache.m5.xlarge', vcpus: 4, allowedTypes: ['cache.m5.2xlarge'] };
const slow = (command: string, count: number) => ({
  node: 'node-0001-2',
  command,
  count,
  totalMicroseconds: count * 20_000,
  maxMicroseconds: 21_400,
});
const change = {
  kind: 'replicas' as const,
  says: 'one replica more in orders',
  at: at - 20 * MINUTE,
  node: 'node-0001-2',
  cpu: 96,
};

/** What a person reads: why, and what to do. */
const said = (facts: Parameters<typeof decided>[0], tags: Readonly<Record<string, string>> = ALL): string => {
  const decision = decided(facts, tags);
  const advice = decision.kind === 'escalate' ? `\n-> ${decision.advice}` : '';
  return `${decision.kind} ${decision.reason}: ${decision.why}${advice}`;
};
const one = (load: NodeLoad, options: Parameters<typeof group>[1] = {}) => group(shard('0001', load, serving), options);
const two = (first: NodeLoad, second: NodeLoad, options: Parameters<typeof group>[1] = {}) =>
  group([...shard('0001', first, serving), ...shard('0002', second, serving)], options);

describe('a person reads', () => {
  it('of gates', () => {
    const busy = { ...readHot };
    expect(
      [
        said(group([], { engine: 'memcached' })),
        said(one(busy, { engine: 'dragonfly' })),
        said(one(busy, { vcpus: null, nodeType: 'cache.x9.large' })),
        said(one(hot([]))),
        said(
          one(hot([]), {
            ledger: { attempts: {}, lastActAt: null, incident: { openedAt: at, steps: 0 }, remembered: {} },
            nodes: shard('0001', hot([])),
          } as never),
        ),
        said(one(busy, { status: 'modifying' })),
        said(one(busy, { resharding: true })),
        said(one(busy, { members: 3 })),
        said(one(busy, { shards: [{ id: '0001', status: 'deleting', slots: null }] })),
        said(one(busy, { status: 'deleted' })),
        said(one(busy, { status: 'odd' })),
        said(one(busy, { clusterMode: 'compatible' })),
        said(one(busy, { autoscaled: ['Replicas'] })),
        said(one(writeHot, { ...X86, globalReplicationGroupId: 'abcde-orders' })),
        said(two(writeHot, writeHot, { globalReplicationGroupId: 'abcde-orders' })),
        said(one(writeHot, { ...X86, pending: 'engine version 7.2' })),
        said(one(writeHot, { ...X86, updating: true })),
        said(one(writeHot, { ...X86, updating: null })),
        said(one(writeHot, { ...X86, maintenanceWindow: 'thu:03:00-thu:04:00' })),
        said(one(writeHot, { ...X86, snapshotWindow: '03:30-04:30' })),
        said(one(hot(70, { commands: READS }))),
        said(two(writeHot, writeHot)),
        said(one(writeHot, X86), {}),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "skip memcached: Memcached is multithreaded and has no replicas: judge it by CPUUtilization above 90 %, and add nodes.
      escalate unexpected-state: Its engine is "dragonfly", which Reflex does not know.
      -> Please report it. What has happened: aws elasticache describe-events --duration 1440 --source-type replication-group --source-identifier orders
      escalate unknown-node-type: cache.x9.large: neither the table nor EC2 says how many vCPUs it has, and the threshold depends on it.
      -> Judge it by hand: up to 2 vCPUs CPUUtilization at 90 / N %, from 4 EngineCPUUtilization at 90 %. N: aws ec2 describe-instance-types --query 'InstanceTypes[0].VCpuInfo.DefaultVCpus' --instance-types x9.large
      defer metrics-missing: No node is saturated, but node-0001-2 has not three one-minute points of its CPU in the last ten minutes.
      defer metrics-missing: No node has three one-minute points of its CPU in the last ten minutes.
      defer not-available: Engine core in use: node-0001-2 (primary) 96 %. Something else is under way (modifying); nothing can be changed until it is over.
      defer resharding: Engine core in use: node-0001-2 (primary) 96 %. Something else is under way (resharding); nothing can be changed until it is over.
      defer not-available: Engine core in use: node-0001-2 (primary) 96 %. Something else is under way (3 members, 2 in shards); nothing can be changed until it is over.
      defer not-available: Engine core in use: node-0001-2 (primary) 96 %. Something else is under way (shard 0001 is deleting); nothing can be changed until it is over.
      skip cache-gone: orders is deleted.
      escalate unexpected-state: The status of orders is "odd".
      -> What has happened: aws elasticache describe-events --duration 1440 --source-type replication-group --source-identifier orders
      escalate compatible-mode: Engine core in use: node-0001-2 (primary) 96 %. Cluster mode is compatible, in which ElastiCache allows no scaling.
      -> Finish the migration: aws elasticache modify-replication-group --replication-group-id orders --apply-immediately --cluster-mode enabled
      defer native-autoscaler: Engine core in use: node-0001-2 (primary) 96 %. The primary is busy with reads, and replicas serve reads. Remedy: IncreaseReplicaCount, one replica more in orders. Application Auto Scaling owns Replicas of this group, so they are left to it.
      escalate global-datastore: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge. The group belongs to global datastore abcde-orders, which changes shards and node types as a whole.
      -> In the primary Region: aws elasticache modify-global-replication-group --global-replication-group-id abcde-orders --apply-immediately --cache-node-type cache.m5.2xlarge
      escalate global-datastore: Engine core in use: node-0001-2 (primary) 97 %, node-0002-2 (primary) 97 %. The primaries are busy with writes; more shards divide that. Remedy: ModifyReplicationGroupShardConfiguration, 2 -> 3 shards. The group belongs to global datastore abcde-orders, which changes shards and node types as a whole.
      -> In the primary Region: aws elasticache increase-node-groups-in-global-replication-group --global-replication-group-id abcde-orders --apply-immediately --node-group-count 3
      escalate pending-modification: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge. But engine version 7.2 waits for the maintenance window, and ApplyImmediately would apply it too.
      -> Apply or withdraw the pending change first; then: aws elasticache modify-replication-group --replication-group-id orders --cache-node-type cache.m5.2xlarge --apply-immediately
      defer maintenance-window: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge. It waits: a service update is being applied.
      defer observe-failed: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge. It waits: the maintenance window or service updates could not be read.
      defer maintenance-window: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge. It waits: maintenance window thu:03:00-thu:04:00.
      defer maintenance-window: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge. It waits: snapshot window 03:30-04:30.
      escalate warning-level: Above 65 %, below 90 %: nothing is changed yet. Engine core in use: node-0001-2 (primary) 70 %. The primary is busy with reads, and replicas serve reads. Remedy: IncreaseReplicaCount, one replica more in orders.
      -> To do it now (reflex:act-at = warning would have it done): aws elasticache increase-replica-count --replication-group-id orders --apply-immediately --new-replica-count 2
      escalate reshard-above-80: Engine core in use: node-0001-2 (primary) 97 %, node-0002-2 (primary) 97 %. The primaries are busy with writes; more shards divide that. Remedy: ModifyReplicationGroupShardConfiguration, 2 -> 3 shards. At 97 % moving slots would make it worse first; AWS advises to reshard below 80 %.
      -> When the load is lower, or at once at your own risk (reflex:reshard-above-80 = true would have it done): aws elasticache modify-replication-group-shard-configuration --replication-group-id orders --node-group-count 3 --apply-immediately
      escalate primary-write-hot: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge. Not allowed by itself: reflex:allow does not list node-type.
      -> aws elasticache modify-replication-group --replication-group-id orders --cache-node-type cache.m5.2xlarge --apply-immediately"
    `);
  });

  it('of findings', () => {
    const slowed = { ...READS, EvalBasedCmds: commands(66_000, 500) };
    const tls = { ...X86, tls: true };
    expect(
      [
        said(one(hot([20, 20, 95, 95, 95], { saving: [newest - 2 * MINUTE, newest - MINUTE, newest] }))),
        said(
          two(hot([20, 20, 95, 95, 95], { saving: [newest - 2 * MINUTE, newest - MINUTE, newest] }), IDLE, {
            snapshotWindow: null,
          }),
        ),
        said(
          group(shard('0001', { ...IDLE, cpu: minutes(19), credits: 0 }), {
            nodeType: 'cache.t4g.medium',
            vcpus: 2,
            allowedTypes: ['cache.m7g.large'],
          }),
        ),
        said(one(hot(96, { commands: slowed }))),
        said(one(hot(96, { commands: slowed }), { kind: 'cluster' })),
        said(one(hot(96, { commands: slowed }), { slowLog: { logGroup: '/redis', commands: null } })),
        said(one(hot(96, { commands: slowed }), { slowLog: { logGroup: '/redis', commands: [] } })),
        said(one(hot(96, { commands: { ...READS, KeyBasedCmds: commands(6_000, 1_500) } }))),
        said(
          one(readHot, {
            slowLog: {
              logGroup: '/redis',
              commands: ['KEYS', 'SORT', 'GET', 'SET', 'DEL', 'INCR'].map((name, i) => slow(name, 12 - i)),
            },
          }),
        ),
        said(one(hot(96, { newConnections: { perMinute: 6_000.4, before: 99.6 } }), tls)),
        said(one(hot(96, { newConnections: { perMinute: 6_000, before: null } }), X86)),
        said(one(hot(96, { connections: 60_000 }))),
        said(one(hot(96, { evictions: 7, memory: 93 }))),
        said(group(shard('0001', readHot).map((node) => ({ ...node, role: null })))),
        said(one(hot(40, { networkExceededMinutes: 3, networkUsage: null }))),
        said(one(hot(40, { networkExceededMinutes: 0, networkUsage: 120.4 }))),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "defer snapshot: Engine core in use: node-0001-2 (primary) 65 %, but only in minutes in which a snapshot was being written. Move the snapshot window (09:00-10:00) to quiet hours, or take it from a replica (SnapshottingClusterId).
      defer snapshot: Engine core in use: node-0001-2 (primary) 65 %, but only in minutes in which a snapshot was being written. Move the snapshot window (none set) to quiet hours.
      act credits-exhausted: Engine core in use: node-0001-1 (primary) 38 %, by CPUUtilization x 2 vCPU. node-0001-1: no CPU credits left, so cache.t4g.medium is held to its baseline, far below any CPU threshold. Remedy: ModifyReplicationGroup, cache.t4g.medium -> cache.m7g.large.
      escalate slow-commands: Engine core in use: node-0001-2 (primary) 96 %. Scripts take 55 % of the engine of node-0001-2. A larger cache runs them no faster. Its slow log is not delivered to CloudWatch Logs.
      -> Switch the slow log on: aws elasticache modify-replication-group --replication-group-id orders --apply-immediately --log-delivery-configurations '[{"LogType":"slow-log","DestinationType":"cloudwatch-logs","DestinationDetails":{"CloudWatchLogsDetails":{"LogGroup":"/elasticache/orders"}},"LogFormat":"json"}]'
      escalate slow-commands: Engine core in use: node-0001-2 (primary) 96 %. Scripts take 55 % of the engine of node-0001-2. A larger cache runs them no faster. Its slow log is not delivered to CloudWatch Logs.
      -> Switch the slow log on: aws elasticache modify-cache-cluster --cache-cluster-id orders --apply-immediately --log-delivery-configurations '[{"LogType":"slow-log","DestinationType":"cloudwatch-logs","DestinationDetails":{"CloudWatchLogsDetails":{"LogGroup":"/elasticache/orders"}},"LogFormat":"json"}]'
      escalate slow-commands: Engine core in use: node-0001-2 (primary) 96 %. Scripts take 55 % of the engine of node-0001-2. A larger cache runs them no faster. Its slow log (/redis) could not be read.
      -> Replace whole-key and keyspace commands (KEYS, SMEMBERS, HGETALL, SORT) by SCAN variants or smaller keys; shorten scripts. All entries: aws logs filter-log-events --log-group-name /redis --start-time 1772679720123
      escalate slow-commands: Engine core in use: node-0001-2 (primary) 96 %. Scripts take 55 % of the engine of node-0001-2. A larger cache runs them no faster. Its slow log (/redis) has no entry of a hot node in the last ten minutes.
      -> Replace whole-key and keyspace commands (KEYS, SMEMBERS, HGETALL, SORT) by SCAN variants or smaller keys; shorten scripts. All entries: aws logs filter-log-events --log-group-name /redis --start-time 1772679720123
      escalate slow-commands: Engine core in use: node-0001-2 (primary) 96 %. KeyBasedCmds take 15 % of the engine of node-0001-2: 1500 us each, at no more than the usual 6000 a minute. A larger cache runs them no faster. Its slow log is not delivered to CloudWatch Logs.
      -> Switch the slow log on: aws elasticache modify-replication-group --replication-group-id orders --apply-immediately --log-delivery-configurations '[{"LogType":"slow-log","DestinationType":"cloudwatch-logs","DestinationDetails":{"CloudWatchLogsDetails":{"LogGroup":"/elasticache/orders"}},"LogFormat":"json"}]'
      act read-hot-primary: Engine core in use: node-0001-2 (primary) 96 %. The primary is busy with reads, and replicas serve reads. Remedy: IncreaseReplicaCount, one replica more in orders.
      escalate connection-storm: Engine core in use: node-0001-2 (primary) 96 %. 6000 new connections a minute at node-0001-2 (usually 100), without more reads and writes: the engine accepts connections instead of commands.
      -> Pool connections in the clients and back off with jitter before reconnecting. TLS handshakes run on the engine's own thread on cache.m5.xlarge with Redis 7.1.0: Graviton from xlarge and x86 from 2xlarge hand them to other threads, from Redis 6.2.5 on. Who connects, CLIENT LIST says at: aws elasticache describe-cache-clusters --show-cache-node-info --query 'CacheClusters[0].CacheNodes[0].Endpoint' --cache-cluster-id node-0001-2
      escalate connection-storm: Engine core in use: node-0001-2 (primary) 96 %. 6000 new connections a minute at node-0001-2, without more reads and writes: the engine accepts connections instead of commands.
      -> Pool connections in the clients and back off with jitter before reconnecting. Who connects, CLIENT LIST says at: aws elasticache describe-cache-clusters --show-cache-node-info --query 'CacheClusters[0].CacheNodes[0].Endpoint' --cache-cluster-id node-0001-2
      escalate connections-near-limit: Engine core in use: node-0001-2 (primary) 96 %. node-0001-2 has 60000 of 65000 connections, and no node takes more.
      -> Pool connections in the clients, and close idle ones (parameter timeout). Who is connected, CLIENT LIST says at: aws elasticache describe-cache-clusters --show-cache-node-info --query 'CacheClusters[0].CacheNodes[0].Endpoint' --cache-cluster-id node-0001-2
      act memory-bound: Engine core in use: node-0001-2 (primary) 96 %. node-0001-2 is full (93 %) and evicted 7 keys in five minutes; replicas would be as full. Remedy: ModifyReplicationGroup, cache.r7g.xlarge -> cache.r7g.2xlarge.
      escalate roles-unknown: Engine core in use: node-0001-1 (role unknown) 96 %. Neither CurrentRole nor the metric IsMaster says which of its nodes is the primary.
      -> The name of a node says nothing after a failover; look at IsMaster in CloudWatch, and at CurrentRole: aws elasticache describe-replication-groups --query 'ReplicationGroups[0].NodeGroups[].NodeGroupMembers[].[CacheClusterId,CurrentRole,ReadEndpoint.Address]' --replication-group-id orders
      act network-bound: Engine core in use: node-0001-2 (primary) 40 %, node-0001-1 (replica) 10 %. The network of node-0001-2 is the limit, not its engine: allowance exceeded in 3 of 5 minutes. Remedy: ModifyReplicationGroup, cache.r7g.xlarge -> cache.r7g.2xlarge.
      act network-bound: Engine core in use: node-0001-2 (primary) 40 %, node-0001-1 (replica) 10 %. The network of node-0001-2 is the limit, not its engine: allowance exceeded in 0 of 5 minutes, 120 % of the baseline bandwidth in use. Remedy: ModifyReplicationGroup, cache.r7g.xlarge -> cache.r7g.2xlarge."
    `);
  });

  it('of remedies', () => {
    const idle = hot(30);
    const risky = { ...ALL, 'reshard-above-80': 'true' };
    const uneven = { shards: [12_000, 4_384].map((slots, i) => ({ id: `000${i + 1}`, status: 'available', slots })) };
    expect(
      [
        said(two(writeHot, idle, uneven), risky),
        said(two(readHot, idle)),
        said(two(writeHot, idle)),
        said(group(shard('0001', readHot, { ...serving, replicationLag: 7 }, { ...serving, replicationLag: 9 }), X86)),
        said(
          group(shard('0001', { ...IDLE, cpu: minutes(70), engineCpu: minutes(50) }), {
            nodeType: 'cache.r7g.large',
            vcpus: 2,
            allowedTypes: ['cache.r7g.xlarge'],
          }),
        ),
        said(group(shard('0001', idle, readHot))),
        said(group(shard('0001', idle, readHot, hot(10), hot(10)))),
        said(one(readHot)),
        said(two(readHot, readHot)),
        said(group(shard('0001', readHot))),
        said(group([...shard('0001', readHot, IDLE), ...shard('0002', readHot, IDLE)]), {}),
        said(group(shard('0001', readHot), X86)),
        said(two(writeHot, writeHot), risky),
        said(one(writeHot, X86)),
        said(one(writeHot)),
        said(two(writeHot, writeHot), { ...risky, 'max-shards': '2' }),
        said(two(writeHot, writeHot), { ...risky, 'max-nodes': '4' }),
        said(two(writeHot, writeHot, { allowedTypes: null }), { ...risky, 'max-nodes': '4' }),
        said(group(shard('0001', readHot, serving), { kind: 'cluster' }), { ...ALL, 'reads-offloaded': 'true' }),
        said(one(hot(50, { commands: READS, trafficManaged: true }))),
        said(group([1, 2, 3, 4].flatMap((id) => shard(`000${id}`, readHot, serving)))),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "act uneven-slots: Engine core in use: node-0001-2 (primary) 97 %. Shard 0001 stands out from the others with 12000 slots, 8192 on average. Remedy: ModifyReplicationGroupShardConfiguration, the slots spread evenly over the 2 shards.
      act hot-shard-reads: Engine core in use: node-0001-2 (primary) 96 %. Shard 0001 stands out from the others and is read, not written; its replicas serve reads. Remedy: IncreaseReplicaCount, one replica more in shard 0001.
      escalate hot-shard-writes: Engine core in use: node-0001-2 (primary) 97 %. Shard 0001 stands out from the others though its slots are no more, and it is busy with writes: most likely a hot key, which no resharding divides.
      -> Find it (redis-cli --hotkeys, CLUSTER SLOT-STATS on Valkey 8), split it over several keys, or cache it in the clients. The node: aws elasticache describe-cache-clusters --show-cache-node-info --query 'CacheClusters[0].CacheNodes[0].Endpoint' --cache-cluster-id node-0001-2
      act replication-lag: Engine core in use: node-0001-3 (primary) 96 %. Replicas are 9 s behind the writes; one more would cost the primary more still. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge.
      act core-starved: Engine core in use: node-0001-1 (primary) 100 %, by CPUUtilization x 2 vCPU. The engine of node-0001-1 gets 50 % of a core that other work fills (snapshots, TLS, the system). Remedy: ModifyReplicationGroup, cache.r7g.large -> cache.r7g.xlarge.
      act replicas-hot: Engine core in use: node-0001-1 (replica) 96 %. The replicas are busy, the primary is not: reads need one more. Remedy: IncreaseReplicaCount, one replica more in orders.
      escalate uneven-reads: Engine core in use: node-0001-1 (replica) 96 %. The replicas of its shard are at 39 % on average: clients stick to some of them.
      -> The reader endpoint is DNS, not a load balancer: let clients open several connections, or spread over the replicas themselves: aws elasticache describe-replication-groups --query 'ReplicationGroups[0].NodeGroups[].NodeGroupMembers[].[CacheClusterId,CurrentRole,ReadEndpoint.Address]' --replication-group-id orders
      act read-hot-primary: Engine core in use: node-0001-2 (primary) 96 %. The primary is busy with reads, and replicas serve reads. Remedy: IncreaseReplicaCount, one replica more in orders.
      act read-hot-primary: Engine core in use: node-0001-2 (primary) 96 %, node-0002-2 (primary) 96 %. The primary is busy with reads, and replicas serve reads. Remedy: IncreaseReplicaCount, one replica more in each of 2 shards.
      escalate reads-not-offloaded: Engine core in use: node-0001-1 (primary) 96 %. The primary is busy with reads, there is no replica, and nothing says that one would be read from.
      -> Point reads at the reader endpoint, and reconnect now and then. If they do already: aws elasticache add-tags-to-resource --resource-name arn:aws:elasticache:eu-west-1:111122223333:replicationgroup:orders --tags Key=reflex:reads-offloaded,Value=true
      escalate reads-not-offloaded: Engine core in use: node-0001-2 (primary) 96 %, node-0002-2 (primary) 96 %. The primary is busy with reads, and its replicas serve none of them: one more would not be read from either.
      -> Let clients read from replicas (READONLY; readFrom, scaleReads or the like), and reconnect now and then. The replicas: aws elasticache describe-replication-groups --query 'ReplicationGroups[0].NodeGroups[].NodeGroupMembers[].[CacheClusterId,CurrentRole,ReadEndpoint.Address]' --replication-group-id orders
      act reads-not-offloaded: Engine core in use: node-0001-1 (primary) 96 %. The primary is busy with reads, there is no replica, and nothing says that one would be read from. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge.
      act primaries-write-hot: Engine core in use: node-0001-2 (primary) 97 %, node-0002-2 (primary) 97 %. The primaries are busy with writes; more shards divide that. Remedy: ModifyReplicationGroupShardConfiguration, 2 -> 3 shards.
      act primary-write-hot: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. Remedy: ModifyReplicationGroup, cache.m5.xlarge -> cache.m5.2xlarge.
      escalate migrate-to-cluster-mode: Engine core in use: node-0001-2 (primary) 97 %. The primary is busy with writes; only a faster node helps here. But no node type that AWS offers for cache.r7g.xlarge would help.
      -> Several primaries share the writes in cluster mode. Clients have to speak the cluster protocol and use database 0 only, and the group needs automatic failover and a replica; then: aws elasticache modify-replication-group --replication-group-id orders --apply-immediately --cluster-mode compatible
      escalate at-limits: Engine core in use: node-0001-2 (primary) 97 %, node-0002-2 (primary) 97 %. The primaries are busy with writes; more shards divide that. Nothing is possible: 2 shards are the most (reflex:max-shards); no node type that AWS offers for cache.r7g.xlarge would help.
      -> Lower the load, or lift a limit. To allow one more: aws elasticache add-tags-to-resource --resource-name arn:aws:elasticache:eu-west-1:111122223333:replicationgroup:orders --tags Key=reflex:max-shards,Value=3
      escalate at-limits: Engine core in use: node-0001-2 (primary) 97 %, node-0002-2 (primary) 97 %. The primaries are busy with writes; more shards divide that. Nothing is possible: 4 nodes are the most (reflex:max-nodes); no node type that AWS offers for cache.r7g.xlarge would help.
      -> Lower the load, or lift a limit. To allow 2 more, as far as quota L-AF354865 does: aws elasticache add-tags-to-resource --resource-name arn:aws:elasticache:eu-west-1:111122223333:replicationgroup:orders --tags Key=reflex:max-nodes,Value=6
      defer observe-failed: Engine core in use: node-0001-2 (primary) 97 %, node-0002-2 (primary) 97 %. The primaries are busy with writes; more shards divide that. Not possible: 4 nodes are the most (reflex:max-nodes); the node types it may change to could not be read.
      escalate at-limits: Engine core in use: node-0001-2 (primary) 96 %. The primary is busy with reads, and replicas serve reads. Nothing is possible: a standalone node has no replicas; no node type that AWS offers for cache.r7g.xlarge would help.
      -> Lower the load, or lift a limit. A replication group around it could have some: aws elasticache create-replication-group --replication-group-id orders-group --replication-group-description orders --primary-cluster-id orders
      act traffic-managed: Engine core in use: node-0001-2 (primary, TrafficManagementActive) 50 %. The primary is busy with reads, and replicas serve reads. Remedy: IncreaseReplicaCount, one replica more in orders.
      act read-hot-primary: Engine core in use: node-0001-2 (primary) 96 %, node-0002-2 (primary) 96 %, node-0003-2 (primary) 96 % and 1 more. The primary is busy with reads, and replicas serve reads. Remedy: IncreaseReplicaCount, one replica more in each of 4 shards."
    `);
  });

  it('of what came of a change', () => {
    const since = (minutesAgo: number, rest = {}) => ({
      change: { ...change, availableSince: at - minutesAgo * MINUTE, ...rest },
    });
    const nodes = (primary: NodeLoad, options = {}) => group(shard('0001', primary, serving), options);
    expect(
      [
        said(verifying(nodes(readHot, { status: 'modifying' }), { change })),
        said(verifying(nodes(readHot), { change })),
        said(verifying(nodes(readHot), since(1))),
        said(verifying(nodes(hot(55)), since(6))),
        said(verifying(nodes(hot(55)), since(6, { cpu: null }))),
        said(verifying(nodes(hot(55)), since(6, { node: 'gone' }))),
        said(verifying(nodes(hot(55)), {})),
        said(verifying(group(shard('0001', readHot, IDLE)), since(6, { nodes: ['node-0001-2'] }))),
        said(verifying(group(shard('0001', readHot, IDLE)), since(16, { nodes: ['node-0001-2'] }))),
        said(
          verifying(
            group([...shard('0001', readHot, IDLE), ...shard('0002', readHot, IDLE)]),
            since(16, { nodes: ['node-0001-2', 'node-0002-2'] }),
          ),
        ),
        said(nodes(hot(55))),
        said(nodes(hot(55), { trigger: 'recovery' })),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "defer changing: one replica more in orders: under way for 20 min (modifying).
      defer measuring: one replica more in orders: in service 20 min after the call; five minutes of metrics are awaited.
      defer measuring: one replica more in orders: in service, not enough metrics since then yet.
      skip resolved: Engine core of node-0001-2: 96 % before, 55 % after one replica more in orders.
      skip resolved: Engine core in use: node-0001-2 (primary) 55 %, node-0001-1 (replica) 10 % after one replica more in orders.
      skip resolved: Engine core in use: node-0001-2 (primary) 55 %, node-0001-1 (replica) 10 % after one replica more in orders.
      skip resolved: Engine core in use: node-0001-2 (primary) 55 %, node-0001-1 (replica) 10 %.
      defer awaiting-reads: Engine core in use: node-0001-2 (primary) 96 %. node-0001-1 in service for 6 min and not read from yet.
      escalate reads-not-offloaded: Engine core in use: node-0001-2 (primary) 96 %. node-0001-1 in service for 16 min, and clients do not read from it; another replica would not be read from either.
      -> Point reads at the reader endpoint, and reconnect now and then. The replicas: aws elasticache describe-replication-groups --query 'ReplicationGroups[0].NodeGroups[].NodeGroupMembers[].[CacheClusterId,CurrentRole,ReadEndpoint.Address]' --replication-group-id orders
      escalate reads-not-offloaded: Engine core in use: node-0001-2 (primary) 96 %, node-0002-2 (primary) 96 %. node-0001-1, node-0002-1 in service for 16 min, and clients do not read from them; another replica would not be read from either.
      -> Let clients read from replicas (READONLY; readFrom, scaleReads or the like), and reconnect now and then. The replicas: aws elasticache describe-replication-groups --query 'ReplicationGroups[0].NodeGroups[].NodeGroupMembers[].[CacheClusterId,CurrentRole,ReadEndpoint.Address]' --replication-group-id orders
      skip not-saturated: Engine core in use: node-0001-2 (primary) 55 %, node-0001-1 (replica) 10 %; nothing is done up to 90 %.
      skip nothing-open: The alarm is OK again and no incident was open."
    `);
  });

  it('of calm', () => {
    const calm = (options = {}, load: NodeLoad = IDLE) =>
      group(shard('0001', load, load, load), { trigger: 'tick', ...options });
    const ago = (ms: number) => ({ ledger: { attempts: {}, lastActAt: at - ms, incident: null, remembered: {} } });
    const shards = group(
      ['0001', '0002', '0003'].flatMap((id) => shard(id, IDLE)),
      { trigger: 'tick' },
    );
    const all = { ...ALL, 'scale-in': 'all' };
    expect(
      [
        said(calm()),
        said(calm(), { 'scale-in': 'off' }),
        said(calm(), { ...all, 'min-replicas': '2' }),
        said(calm(), all),
        said(calm({}, hot(50))),
        said(calm({}, { ...IDLE, engineCpuHour: null })),
        said(calm({}, { ...IDLE, evictionsHour: 3 })),
        said({ ...calm(), ...ago(90_000) }, all),
        said({ ...calm(), ...ago(30 * MINUTE) }, all),
        said(calm({ clusterMode: 'compatible' }), all),
        said(shards, all),
        said({ ...shards, updating: true }, all),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "skip nothing-to-remove: No node was above 45 % for an hour (peak 15 %); nothing that Reflex added can be taken away (reflex:scale-in = all would look further).
      skip not-saturated: No node is saturated, and reflex:scale-in is off.
      skip nothing-to-remove: No node was above 45 % for an hour (peak 15 %); nothing can be taken away.
      act scale-in-cache: No node was above 45 % for an hour (peak 15 %). DecreaseReplicaCount: one replica less in orders.
      skip not-saturated: The hottest minute of the last hour is 50 %, above 45 %.
      skip metrics-missing: No node is saturated, but the last hour has gaps; missing data is no evidence of calm.
      skip not-calm: Keys were evicted within the hour: memory is short.
      skip cool-down: No node was above 45 % for an hour (peak 15 %), but the last change is only 90 s old.
      skip cool-down: No node was above 45 % for an hour (peak 15 %), but the last change is only 30 min old.
      skip compatible-mode: No node is saturated; cluster mode is compatible, in which nothing can be scaled.
      act scale-in-cache: No node was above 45 % for an hour (peak 15 %). ModifyReplicationGroupShardConfiguration: 3 -> 2 shards, without 0003.
      skip maintenance-window: No node was above 45 % for an hour (peak 15 %). It waits: a service update is being applied."
    `);
  });

  it('of serverless caches', () => {
    const raised = {
      change: {
        kind: 'serverless-limit' as const,
        says: 'a limit of 15000 ECPU/s',
        at: at - MINUTE,
        node: null,
        cpu: null,
      },
    };
    const ledger = (remembered: Memory) => ({
      attempts: {},
      lastActAt: at,
      incident: { openedAt: at, steps: 1 },
      remembered,
    });
    expect(
      [
        said(serverless()),
        said(serverless(), {}),
        said(serverless({ ecpuMaximum: null })),
        said(serverless({ ecpuPerSecond: minutes(100) })),
        said(serverless(), { ...ALL, 'max-ecpu-per-second': '10000' }),
        said(serverless({ throttled: [] })),
        said(serverless({ throttled: [], trigger: 'recovery' })),
        said(serverless({ throttled: [], ledger: ledger({}) })),
        said(serverless({ ledger: ledger(raised) })),
        said(serverless({ status: 'modifying' })),
        said(serverless({ status: 'deleting' })),
        said(serverless({ status: 'odd' })),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "act serverless-limit: 180 commands throttled at 9,500 ECPU/s, at the limit that was set: 10,000 -> 15,000 ECPU/s.
      escalate serverless-limit: 180 commands throttled at 9,500 ECPU/s, at the limit that was set: 10,000 -> 15,000 ECPU/s. Not allowed by itself: reflex:allow does not list serverless-limit.
      -> aws elasticache modify-serverless-cache --serverless-cache-name orders --cache-usage-limits '{"ECPUPerSecond":{"Maximum":15000}}'
      escalate serverless-throttled: 180 commands throttled at 9,500 ECPU/s; no ECPU limit is set.
      -> A serverless cache doubles within 10 to 12 minutes at most: spread a hot key, or before a known peak set the least it keeps ready, which is billed: aws elasticache modify-serverless-cache --serverless-cache-name orders --cache-usage-limits '{"ECPUPerSecond":{"Minimum":9500}}'
      escalate serverless-throttled: 180 commands throttled at 100 ECPU/s; the limit of 10,000 is not what holds it back.
      -> A serverless cache doubles within 10 to 12 minutes at most: spread a hot key, or before a known peak set the least it keeps ready, which is billed: aws elasticache modify-serverless-cache --serverless-cache-name orders --cache-usage-limits '{"ECPUPerSecond":{"Maximum":10000,"Minimum":1000}}'
      escalate at-limits: 180 commands throttled at 9,500 ECPU/s, at its limit of 10,000; reflex:max-ecpu-per-second is 10,000.
      -> Lower the load, or allow more: aws elasticache add-tags-to-resource --resource-name arn:aws:elasticache:eu-west-1:111122223333:serverlesscache:orders --tags Key=reflex:max-ecpu-per-second,Value=15000
      skip not-saturated: No command of orders was throttled in the last ten minutes.
      skip nothing-open: The alarm is OK again and no incident was open.
      skip resolved: No command of orders is throttled any more.
      defer measuring: orders is available again with a limit of 15000 ECPU/s; it is measured.
      defer not-available: orders is modifying.
      skip cache-gone: orders is being deleted.
      escalate unexpected-state: The status of orders is "odd".
      -> What has happened: aws elasticache describe-events --duration 1440 --source-type serverless-cache --source-identifier orders"
    `);
  });
});
