import { decide } from '../../functions/relieve-elasticache/decide.ts';
import type {
  CacheNode,
  Commands,
  Family,
  GroupSituation,
  Memory,
  NodeLoad,
  ServerlessSituation,
} from '../../functions/relieve-elasticache/facts.ts';
import { cachePolicy, type Policy, stackPolicy } from '../../functions/relieve-elasticache/policy.ts';
import { account, at, region } from './event-builders.ts';

const MINUTE = 60_000;

/** The minute that is the newest with data, for decisions at `at`. */
export const newest = Math.floor(at / MINUTE) * MINUTE - MINUTE;

export const groupArn = (id = 'orders'): string => `arn:aws:elasticache:${region}:${account}:replicationgroup:${id}`;

/** Ten one-minute points up to the newest; one value for all, or the last of them. */
export const minutes = (values: number | readonly number[]): [number, number][] => {
  const given = typeof values === 'number' ? Array.from({ length: 10 }, () => values) : values;
  return given.map((value, i) => [newest - (given.length - 1 - i) * MINUTE, value]);
};

export const commands = (perMinute: number, latency: number | null, before: number | null = perMinute): Commands => ({
  perMinute,
  latency,
  before,
});

/** Reads at 90 % and writes at 2 % of the core, or the other way round. */
export const READS: Partial<Record<Family, Commands>> = {
  GetTypeCmds: commands(6_000_000, 9),
  SetTypeCmds: commands(100_000, 12),
};
export const WRITES: Partial<Record<Family, Commands>> = {
  GetTypeCmds: commands(100_000, 12),
  SetTypeCmds: commands(6_000_000, 9),
};

/** An idle node; an hour of calm behind it. */
export const IDLE: NodeLoad = {
  cpu: minutes(5),
  engineCpu: minutes(10),
  saving: [],
  cpuHour: { minutes: 60, peak: 8 },
  engineCpuHour: { minutes: 60, peak: 15 },
  credits: null,
  trafficManaged: false,
  isMaster: null,
  commands: { GetTypeCmds: commands(60_000, 9), SetTypeCmds: commands(1_000, 12) },
  newConnections: { perMinute: 10, before: 10 },
  connections: 500,
  evictions: 0,
  evictionsHour: 0,
  memory: 40,
  memoryPeakHour: 40,
  replicationLag: 0,
  networkExceededMinutes: 0,
  networkUsage: 10,
  networkPeakHour: 10,
};

/** An idle node with a hotter engine. */
export const hot = (use: number | readonly number[], rest: Partial<NodeLoad> = {}): NodeLoad => {
  const peak = Math.max(...[use].flat());
  return {
    ...IDLE,
    engineCpu: minutes(use),
    cpu: minutes(20),
    engineCpuHour: { minutes: 60, peak },
    ...rest,
  };
};

/** A primary and its replicas. Ids tell nothing: the primary is not the first. */
export const shard = (id: string, primary: NodeLoad, ...replicas: readonly NodeLoad[]): CacheNode[] => [
  ...replicas.map((load, i): CacheNode => ({ id: `node-${id}-${i + 1}`, shard: id, role: 'replica', load })),
  { id: `node-${id}-${replicas.length + 1}`, shard: id, role: 'primary', load: primary },
];

type Options = Partial<Omit<GroupSituation, 'nodes'>> & { readonly remembered?: Memory };

/** A group of r7g.xlarge that is available; cluster mode enabled where it has several shards. An alarm woke us, nothing is open. */
export const group = (nodes: readonly CacheNode[], { remembered = {}, ...options }: Options = {}): GroupSituation => {
  const ids = [...new Set(nodes.map((node) => node.shard))];
  const slots = Math.floor(16_384 / ids.length);
  return {
    kind: 'replication-group',
    asOf: at,
    arn: groupArn(),
    id: 'orders',
    tags: { 'reflex:enabled': 'true' },
    engine: 'redis',
    engineVersion: '7.1.0',
    status: 'available',
    clusterMode: ids.length > 1 ? 'enabled' : 'disabled',
    createdAt: null,
    nodeType: 'cache.r7g.xlarge',
    vcpus: 4,
    shards: ids.map((id) => ({ id, status: 'available', slots: ids.length > 1 ? slots : null })),
    nodes,
    members: nodes.length,
    resharding: false,
    tls: false,
    failover: true,
    globalReplicationGroupId: null,
    autoscaled: [],
    pending: null,
    maintenanceWindow: 'sun:23:00-mon:01:30',
    snapshotWindow: '09:00-10:00',
    updating: false,
    allowedTypes: ['cache.r7g.2xlarge', 'cache.r7g.4xlarge', 'cache.m7g.2xlarge'],
    slowLog: { logGroup: null, commands: null },
    trigger: 'alarm',
    ledger: { attempts: {}, lastActAt: null, incident: null, remembered },
    ...options,
  };
};

/** With an open incident that has acted once, ten minutes ago. */
export const verifying = (facts: GroupSituation, remembered: Memory): GroupSituation => ({
  ...facts,
  trigger: 'follow-up',
  ledger: {
    attempts: {},
    lastActAt: remembered.changedAt ?? at - 10 * MINUTE,
    incident: { openedAt: at - 11 * MINUTE, steps: 1 },
    remembered,
  },
});

export const serverless = (options: Partial<ServerlessSituation> = {}): ServerlessSituation => ({
  kind: 'serverless',
  asOf: at,
  arn: `arn:aws:elasticache:${region}:${account}:serverlesscache:orders`,
  id: 'orders',
  tags: { 'reflex:enabled': 'true' },
  status: 'available',
  ecpuMaximum: 10_000,
  ecpuMinimum: null,
  ecpuPerSecond: minutes(9_500),
  throttled: minutes(20),
  trigger: 'alarm',
  ledger: { attempts: {}, lastActAt: null, incident: null, remembered: {} },
  ...options,
});

export const policy = (tags: Readonly<Record<string, string>> = {}): Policy =>
  cachePolicy(
    stackPolicy({}),
    Object.fromEntries(Object.entries(tags).map(([tag, value]) => [`reflex:${tag}`, value])),
  );

export const ALL = { allow: 'replicas shards node-type serverless-limit' };

/** What is decided at `at`, with these tags. */
export const decided = (
  facts: GroupSituation | ServerlessSituation,
  tags: Readonly<Record<string, string>> = {},
  now = at,
) => decide(facts, policy(tags), now);

/** Reads, or writes, keep the engine busy. */
export const readHot = hot(96, { commands: READS });
export const writeHot = hot(96, { commands: WRITES });
/** A replica that serves half of the shard's reads. */
export const serving: NodeLoad = { ...IDLE, commands: READS };

type Decided = ReturnType<typeof decided>;
export const outcome = ({ kind, reason }: Decided): string => `${kind} ${reason}`;
export const paramsOf = (decision: Decided) => (decision.kind === 'act' ? decision.calls[0]?.params : null);
export const adviceOf = (decision: Decided): string => (decision.kind === 'escalate' ? (decision.advice ?? '') : '');
