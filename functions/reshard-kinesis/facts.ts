import type { CommonFacts, Situation } from '../../shared/function.ts';

/** Points of one metric, oldest first: [epoch ms of the minute's start, value]. Sums are per period. */
export type Series = readonly (readonly [at: number, value: number])[];

export interface StreamMetrics {
  readonly incomingBytes: Series;
  readonly incomingRecords: Series;
  /** Rejected records (WriteProvisionedThroughputExceeded). */
  readonly throttled: Series;
  readonly outgoingBytes: Series;
  /** GetRecords.IteratorAgeMilliseconds, maximum. Empty: nobody reads with GetRecords, or nothing is known. */
  readonly iteratorAge: Series;
}

/** What producers and shared consumers ask for, per second. Throttled records are part of it. */
export interface Demand {
  readonly bytesPerSecond: number;
  readonly recordsPerSecond: number;
  readonly egressBytesPerSecond: number;
}

/** Peak demand of the last 24 h and how much of that day was really seen. */
export interface DayOfDemand {
  readonly peak: Demand;
  /** Hours between the oldest and the newest data point. */
  readonly spanHours: number;
  /** Clock hours with at least one data point, of 25 that a 24 h window touches. */
  readonly hoursSeen: number;
  readonly throttledRecords: number;
}

export interface Shard {
  readonly id: string;
  /** Decimal 128-bit hash keys; they do not fit a Number. */
  readonly startingHashKey: string;
  readonly endingHashKey: string;
  readonly parentId: string | null;
}

/** Load of one shard as a share of its limits: 1 is full. */
export interface ShardLoad {
  /** Peak of the last minutes. */
  readonly now: number;
  readonly throttled: number;
  /** Peak of the last 24 h; null where it was not read. */
  readonly day: number | null;
}

export interface Consumer {
  readonly functionName: string;
  readonly parallelizationFactor: number;
  /** null: unreserved. */
  readonly reservedConcurrency: number | null;
  /** It reads something else as well: the shards of this stream do not say what it needs. Absent: it does not, or nobody asked. */
  readonly shared?: true;
  /** It does not carry the opt-in tag itself. Absent: it does, or nobody asked. */
  readonly optedIn?: false;
}

export interface StreamFacts extends CommonFacts {
  readonly arn: string;
  readonly name: string;
  /** CREATING, ACTIVE, UPDATING, DELETING, or what AWS adds one day. */
  readonly status: string;
  /** PROVISIONED, ON_DEMAND, or what AWS adds one day. */
  readonly mode: string;
  /** MiB/s of an on-demand stream's warm throughput; null: not offered. */
  readonly warmThroughputMiBps: number | null;
  /** Open shards in hash order. */
  readonly shards: readonly Shard[];
  /** Shards closed inside the longer of an hour and the stream's iterator-age limit: consumers may still be reading them. */
  readonly closedShardIds: readonly string[];
  readonly metrics: StreamMetrics;
  readonly day: DayOfDemand | null;
  /** By shard id; null: shard-level metrics are off. */
  readonly shardLoads: Readonly<Record<string, ShardLoad>> | null;
  /** Free shards of the account and Region; null: DescribeLimits (1 call a second) could not say. */
  readonly freeShards: number | null;
  /** Lambda functions that read the stream; null: not looked up on this path. */
  readonly consumers: readonly Consumer[] | null;
  /** Concurrency the account would have unreserved now; null: not looked up. */
  readonly unreservedConcurrency: number | null;
}

/** What this function asks the ledger to remember of a stream. */
export type Memory = {
  /** A reshard was started and has not been seen finished; `to` open shards are expected (null: not ours, unknown). */
  readonly settling?: { readonly from: number; readonly to: number | null; readonly since: number };
  /** When the stream was first seen ACTIVE after its last reshard. Older metrics describe another stream. */
  readonly activeSince?: number;
  /** Splits or merges of one decision that are still to be made, one per turn. */
  readonly queue?: readonly QueuedStep[];
  /** The last step was known not to be enough: acting again is going on, not having failed. */
  readonly more?: boolean;
  /** The last step upwards is in service as it was sized: if that is too little, the load has grown since. */
  readonly grown?: boolean;
  /** Open shards before the last scale-in, until the stream grows for its load. */
  readonly shrunkFrom?: number;
  /** They were given back because bursts were rejected: all shards were seen, and none was hot. */
  readonly burst?: boolean;
  /** Shard we split -> how many one-sided splits in a row led to it. */
  readonly splits?: Readonly<Record<string, number>>;
};

export type QueuedStep = { readonly split: string } | { readonly merge: readonly [string, string] };

/** Everything `decide` looks at; `ledger.remembered` is this function's Memory. */
export type StreamSituation = Situation<StreamFacts>;
