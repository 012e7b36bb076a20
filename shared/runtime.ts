import type { TopicMessage } from './aws/sns.ts';
import type { SendFailure } from './aws/sqs.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { HistoryRecord, Mode } from './ledger/types.ts';
import type { Log } from './telemetry/logging.ts';
import type { Meter } from './telemetry/metrics.ts';

/** What the pipeline needs of the world; the production one is made from the environment in `runtime-env.ts`. */
export interface Runtime {
  /** Epoch ms. */
  readonly clock: () => number;
  /** A short random text, for record and incident ids. */
  readonly newId: () => string;
  /** Stack parameter Mode: in force while the ledger holds none. */
  readonly stackMode: Mode;
  /** First verification after an act, ms. */
  readonly followUpMs: number;
  /** More resources than this acted on together stop the correlated-failure guard. */
  readonly stormLimit: number;
  readonly ledger: Ledger;
  /** null: no change calendar is set. */
  readonly calendar: (() => Promise<{ readonly open: boolean; readonly until: number | null }>) | null;
  /** Puts messages into the function's own inbox; gives those that were not taken. */
  readonly enqueue: (
    messages: readonly { readonly body: string; readonly delaySeconds: number }[],
  ) => Promise<readonly SendFailure[]>;
  /** Publishes to the stack's topic. Throws what SNS throws. */
  readonly publish: (message: TopicMessage) => Promise<unknown>;
  /** Tells people; never throws: what SNS does not take waits in the inbox. `nextCheckAt`: epoch ms, null where nothing is planned. */
  readonly notify: (record: HistoryRecord, nextCheckAt: number | null) => Promise<void>;
  readonly log: Log;
  readonly metrics: Meter;
}
