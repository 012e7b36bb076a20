import type { CommonFacts, Situation } from '../../shared/function.ts';
import type { Rescued, Shipped, WorkItem } from '../../shared/spot-logs.ts';

export interface Volume {
  /** creating, available, in-use, error, or what AWS adds one day. */
  readonly state: string;
  /** When it was made, epoch ms. */
  readonly createdAt: number;
  /** Instances it is attached to; a log volume may be attached to several. */
  readonly attachedTo: readonly string[];
}

/** A snapshot we took of the volume for its present work item. Times are epoch ms. */
export interface Snapshot {
  readonly id: string;
  /** pending, completed, error, recoverable, recovering. */
  readonly state: string;
  readonly startedAt: number;
  /** Why it failed; empty: not said. */
  readonly message: string;
  /** Its `reflex:rescue` says failed: the failure was counted. */
  readonly counted: boolean;
}

/** A rescue task of the volume. */
export interface RescueTask {
  readonly arn: string;
  /** Which snapshot it copies, in which attempt: see `taskGroup`. */
  readonly group: string;
  readonly createdAt: number;
  readonly lastStatus: string;
  readonly stopCode: string | null;
  readonly stoppedReason: string | null;
  /** Of every container; null: it has none. */
  readonly exitCodes: readonly (number | null)[];
}

export interface VolumeFacts extends CommonFacts {
  readonly arn: string;
  readonly volumeId: string;
  readonly item: WorkItem;
  /** null: deleted. */
  readonly volume: Volume | null;
  /** State of the instance it was kept from; null: EC2 does not show it any more. */
  readonly instance: string | null;
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[];
  /** Newest first; stopped ones are shown for an hour. null: not read, because no snapshot is complete. */
  readonly tasks: readonly RescueTask[] | null;
  /** What the rescue task wrote last; null: nothing. */
  readonly marker: Rescued | null;
  /** What the host wrote; null: nothing that can be read. It is a hint, never a proof. */
  readonly shipped: Shipped | null;
}

/** What this function asks the ledger to remember of a volume; all of it may be lost. */
export type Memory = {
  /** The task of which attempt was asked for, and when first. */
  readonly run?: { readonly group: string; readonly at: number };
  /** Definite refusals for want of room: of EC2 to take the snapshot, of ECS to run the task of this attempt. */
  readonly refused?: number;
  /** Not before, after a failed attempt. */
  readonly retryAt?: number;
  /** What the proof names, for the metrics. */
  readonly shipped?: { readonly files: number; readonly bytes: number; readonly lines?: number };
  /** Why the last attempt failed. */
  readonly problem?: string;
  /** When people were told that it waits for them. */
  readonly toldAt?: number;
};

/** Everything `decide` looks at; `ledger.remembered` is this function's Memory. */
export type VolumeSituation = Situation<VolumeFacts>;

/** `group` of a rescue task. */
export const taskGroup = (snapshot: string, attempt: number): string => `rescue:${snapshot}:${attempt}`;

/** EC2 shows a terminated instance for about an hour. */
export const isGone = (instance: string | null): boolean => instance === null || instance === 'terminated';
