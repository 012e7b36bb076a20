import type { HistoryRecord } from '../../shared/ledger/types.ts';
import type { Difference } from './deployable.ts';
import type { Trace } from './trace.ts';

/** An open shard as its part of the hash key space, 0 to 1. */
export interface ShardRange {
  readonly id: string;
  readonly from: number;
  readonly to: number;
}

/** A stream as DescribeStreamSummary and ListShards of the embedded AWS show it. */
export interface StreamView {
  readonly status: string;
  readonly open: readonly ShardRange[];
  /** Ids of the shards that were split or merged away. */
  readonly closed: readonly string[];
}

/** What a cache or a target group consists of, as the embedded AWS lists it. */
export interface ListView {
  /** What one of them is called. */
  readonly noun: string;
  readonly parts: readonly { readonly id: string; readonly says: string }[];
  /** How many there are, where that is not the number of parts. */
  readonly size?: number;
}

/** A resource as the embedded AWS shows it. */
export type View = StreamView | ListView;

/** How many open shards, nodes or targets it has. */
export function sizeOf(view: View): number {
  return 'open' in view ? view.open.length : (view.size ?? view.parts.length);
}

/** Something that had to be so, read from the embedded AWS. */
export interface Check {
  readonly what: string;
  readonly ok: boolean;
}

/** A line of the incident's story. */
export interface Moment {
  /** Epoch ms. */
  readonly at: number;
  readonly what: string;
}

/** What one scenario showed. */
export interface Story {
  readonly id: string;
  readonly title: string;
  /** One sentence: what this shows. */
  readonly shows: string;
  /** Folder of the function whose concern it is. */
  readonly fn: string;
  /** passed, failed, or skipped with the reason in `note`. */
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly note: string | null;
  /** Name of the resource that is in trouble. */
  readonly name: string | null;
  /** The trouble, on one line. */
  readonly event: string | null;
  readonly decision: Pick<
    HistoryRecord,
    'decision' | 'reason' | 'why' | 'mode' | 'dryRun' | 'actions' | 'advice'
  > | null;
  readonly before: View | null;
  readonly after: View | null;
  /** From sending the event to AWS's answer to the action, ms. */
  readonly reactionMs: number | null;
  readonly trace: Trace | null;
  readonly moments: readonly Moment[];
  /** What a person was told, if anything. */
  readonly notification: string | null;
  readonly checks: readonly Check[];
}

/** Everything the terminal and the page show. */
export interface Drill {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Name and version of what ran it. */
  readonly setting: readonly (readonly [name: string, value: string])[];
  readonly resources: readonly { readonly id: string; readonly type: string }[];
  readonly differences: readonly Difference[];
  readonly stories: readonly Story[];
}

export function verdict(stories: readonly Story[]): { passed: number; failed: number; skipped: number } {
  const count = (status: Story['status']) => stories.filter((story) => story.status === status).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}
