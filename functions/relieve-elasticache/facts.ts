import type { CommonFacts, Situation } from '../../shared/function.ts';
import type { Engine } from './engine.ts';

/** Points of one metric, oldest first: [epoch ms of the minute's start, value]. */
export type Series = readonly (readonly [at: number, value: number])[];

/** Families that are looked at for what they take of the engine. One command is in several: a ZRANGE reads, and is of sorted sets. */
export const FAMILIES = [
  'GetTypeCmds',
  'SetTypeCmds',
  'EvalBasedCmds',
  'KeyBasedCmds',
  'NonKeyTypeCmds',
  'StringBasedCmds',
  'HashBasedCmds',
  'ListBasedCmds',
  'SetBasedCmds',
  'SortedSetBasedCmds',
  'StreamBasedCmds',
  'GeoSpatialBasedCmds',
  'HyperLogLogBasedCmds',
  'JsonBasedCmds',
] as const;
export type Family = (typeof FAMILIES)[number];

/** A rate now, and before the last minutes. */
export interface Rate {
  /** Mean of the last five minutes. */
  readonly perMinute: number;
  /** Median of the hour before them; null: not known. */
  readonly before: number | null;
}

export interface Commands extends Rate {
  /** Engine time of one command, microseconds; null: not published. */
  readonly latency: number | null;
}

/** An hour of one-minute points in two numbers. */
export interface Hour {
  readonly minutes: number;
  readonly peak: number;
}

/** What one node's metrics say. Null and absent: not published. */
export interface NodeLoad {
  /** CPUUtilization of the last ten minutes: a mean over all vCPUs, %. */
  readonly cpu: Series;
  /** EngineCPUUtilization of the last ten minutes: of the one engine thread, %. */
  readonly engineCpu: Series;
  /** Minutes among them in which a snapshot or a full sync was written, epoch ms of their start. */
  readonly saving: readonly number[];
  readonly cpuHour: Hour | null;
  readonly engineCpuHour: Hour | null;
  /** CPUCreditBalance; T2 does not publish it. */
  readonly credits: number | null;
  /** TrafficManagementActive: ElastiCache itself holds traffic back because the node is too small. */
  readonly trafficManaged: boolean;
  readonly isMaster: boolean | null;
  /** Families in use; reads and writes also where there were none. */
  readonly commands: Readonly<Partial<Record<Family, Commands>>>;
  readonly newConnections: Rate | null;
  readonly connections: number | null;
  /** Keys evicted in the last five minutes. */
  readonly evictions: number;
  readonly evictionsHour: number;
  /** DatabaseCapacityUsagePercentage, which counts the SSD of data tiering, else DatabaseMemoryUsagePercentage. */
  readonly memory: number | null;
  readonly memoryPeakHour: number | null;
  /** Seconds a replica is behind, at most, in the last five minutes. */
  readonly replicationLag: number | null;
  /** Of the last five minutes, those in which a network allowance was exceeded. */
  readonly networkExceededMinutes: number;
  /** Share of the baseline bandwidth in use, the larger of in and out, %. */
  readonly networkUsage: number | null;
  /** The same in the busiest minute of the hour. */
  readonly networkPeakHour: number | null;
}

export interface CacheNode {
  /** CacheClusterId. */
  readonly id: string;
  /** NodeGroupId; `0001` for a standalone node. */
  readonly shard: string;
  /** By IsMaster in cluster mode, else CurrentRole, or IsMaster where AWS leaves that out; null: neither says. */
  readonly role: 'primary' | 'replica' | null;
  readonly load: NodeLoad;
}

export interface CacheShard {
  /** NodeGroupId. */
  readonly id: string;
  readonly status: string;
  /** Hash slots it holds; null where cluster mode is disabled. */
  readonly slots: number | null;
}

export interface SlowCommand {
  /** The node that logged it. */
  readonly node: string;
  /** The command's name alone; its arguments are not read. */
  readonly command: string;
  readonly count: number;
  readonly totalMicroseconds: number;
  readonly maxMicroseconds: number;
}

export interface SlowLog {
  /** Log group it is delivered to; null: it is not delivered to CloudWatch Logs. */
  readonly logGroup: string | null;
  /** Entries of the last ten minutes by node and command, of each node the longest total first; null: it could not be read. */
  readonly commands: readonly SlowCommand[] | null;
}

/** A replication group, or a standalone cluster. */
export interface GroupFacts extends CommonFacts, Engine {
  readonly kind: 'replication-group' | 'cluster';
  readonly arn: string;
  /** ReplicationGroupId or CacheClusterId. */
  readonly id: string;
  /** redis, valkey, memcached, or what AWS adds one day. */
  readonly engine: string;
  /** available, modifying, snapshotting..., or what AWS adds one day. */
  readonly status: string;
  /** enabled, disabled, compatible. */
  readonly clusterMode: string;
  /** Epoch ms: what is remembered from before is of another group of that name. null: not told. */
  readonly createdAt: number | null;
  readonly nodeType: string;
  /** null: neither the table nor EC2 knows the type. */
  readonly vcpus: number | null;
  readonly shards: readonly CacheShard[];
  readonly nodes: readonly CacheNode[];
  /** Length of MemberClusters: differs from `nodes` while members come or go. */
  readonly members: number;
  readonly resharding: boolean;
  /** Multi-AZ or automatic failover: AWS then keeps one replica at least. */
  readonly failover: boolean;
  readonly globalReplicationGroupId: string | null;
  /** Scalable dimensions that Application Auto Scaling owns: NodeGroups, Replicas, Nodes. */
  readonly autoscaled: readonly string[];
  /** Changes that wait for the maintenance window, in words; null: none. */
  readonly pending: string | null;
  /** `sun:23:00-mon:01:30`, UTC; null: not known. */
  readonly maintenanceWindow: string | null;
  /** `05:00-06:00`, UTC, where snapshots are kept; null: none is taken. */
  readonly snapshotWindow: string | null;
  /** Whether a service update is being applied; null: not known. */
  readonly updating: boolean | null;
  /** ScaleUpModifications, in no order; null: could not be read. */
  readonly allowedTypes: readonly string[] | null;
  readonly slowLog: SlowLog;
}

export interface ServerlessFacts extends CommonFacts {
  readonly kind: 'serverless';
  readonly arn: string;
  readonly id: string;
  readonly status: string;
  /** CacheUsageLimits.ECPUPerSecond; null: not set. */
  readonly ecpuMaximum: number | null;
  readonly ecpuMinimum: number | null;
  /** ElastiCacheProcessingUnits per second by minute, last ten minutes. */
  readonly ecpuPerSecond: Series;
  /** ThrottledCmds by minute, last ten minutes. */
  readonly throttled: Series;
}

export type CacheFacts = GroupFacts | ServerlessFacts;

/** Kinds of remedy; the words of `reflex:allow`. */
export const REMEDIES = ['replicas', 'shards', 'node-type', 'serverless-limit'] as const;
export type RemedyKind = (typeof REMEDIES)[number];

/** A change that was made and has not been verified yet. */
export type Change = {
  readonly kind: RemedyKind;
  readonly says: string;
  /** Epoch ms. */
  readonly at: number;
  /** The hottest node and its engine CPU before, %. */
  readonly node: string | null;
  readonly cpu: number | null;
  /** Nodes there were before replicas were added. */
  readonly nodes?: readonly string[];
  /** First time it was seen available again, epoch ms; older metrics describe another group. */
  readonly availableSince?: number;
};

/** How many there were before Reflex added the first, and how many it has added since; void once somebody else sets another count. */
export type Added = { readonly from: number; readonly count: number };

/** What this function asks the ledger to remember of a cache. */
export type Memory = {
  readonly change?: Change;
  /** The last change that AWS took, epoch ms: cool-downs count from it, not from attempts that changed nothing. */
  readonly changedAt?: number;
  /** When the last change was seen in service, epoch ms: an hour of calm begins there, however long the change took. */
  readonly inServiceAt?: number;
  /** By shard id. */
  readonly addedReplicas?: Readonly<Record<string, Added>>;
  readonly addedShards?: Added;
  /** Replicas that were added for readers, and that clients did not read from. */
  readonly unread?: readonly string[];
};

export type CacheSituation = Situation<CacheFacts>;
export type GroupSituation = Situation<GroupFacts>;
export type ServerlessSituation = Situation<ServerlessFacts>;
