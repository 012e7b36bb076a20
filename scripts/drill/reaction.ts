import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryRecord } from '../../shared/ledger/types.ts';
import { type Reason, reasons } from '../../shared/reasons.ts';
import type { Check, Moment, Story, StreamView } from './story.ts';
import { createStream, streamArn, viewStream } from './streams.ts';
import { annotated, everySpan, type Trace } from './trace.ts';
import { answeredAt, recordsSince, type World } from './world.ts';

/** Trouble for one stream of its own. */
export interface Trouble {
  readonly stream: string;
  readonly optedIn: boolean;
  /** Open shards that the remediation should lead to. */
  readonly expected: number;
  /** `now`: epoch ms. */
  readonly make: (now: number) => Promise<unknown>;
}

/** What came of it, as far as it came. */
export interface Reaction {
  readonly arn: string;
  readonly madeAt: number;
  readonly before: StreamView;
  readonly after: StreamView;
  /** From the ledger; of what is not worth a record, from the trace. */
  readonly decision: Story['decision'];
  readonly trace: Trace | null;
  readonly reactionMs: number | null;
}

/** Asks until there is an answer, or null after so many seconds. */
export async function patiently<T>(
  seconds: number,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T | null> {
  const limit = Date.now() + seconds * 1_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > limit) return null;
    await sleep(100);
  }
}

/** Makes the stream, its load and the trouble, and waits for what Reflex makes of it. */
export async function provoke(world: World, { stream, optedIn, expected, make }: Trouble): Promise<Reaction> {
  const { aws, load } = world;
  const arn = streamArn(stream);
  await createStream(aws, stream, optedIn);
  await load.add(stream);
  const before = await viewStream(aws, stream);
  const madeAt = Date.now();
  await make(madeAt);
  const trace = await patiently(30, async () => {
    const [record] = await recordsSince(world, arn, madeAt);
    return finished(world, arn, record?.traceId);
  });
  const [record] = await recordsSince(world, arn, madeAt);
  await patiently(5, async () => (await viewStream(aws, stream)).open.length === expected || undefined);
  const acted = trace === null ? undefined : answeredAt(trace, 'UpdateShardCount');
  return {
    arn,
    madeAt,
    before,
    after: await viewStream(aws, stream),
    decision: record ?? (trace === null ? null : annotatedDecision(trace, arn)),
    trace,
    reactionMs: acted === undefined ? null : acted - madeAt,
  };
}

/** The trace that a record names, else one about the resource; only once its last step has arrived. */
function finished({ receiver }: World, arn: string, traceId: string | undefined): Trace | undefined {
  const traces = receiver.traces();
  const found = traceId === undefined ? annotated(traces, 'resource', arn)[0] : traces.find(({ id }) => id === traceId);
  return found?.spans.some(({ name }) => name === 'record') ? found : undefined;
}

/** What the span of a resource says about its decision. */
function annotatedDecision({ spans }: Trace, arn: string): Story['decision'] {
  const about = everySpan(spans).find(({ annotations }) => annotations.resource === arn)?.annotations;
  const isReason = (code: unknown): code is Reason => typeof code === 'string' && Object.hasOwn(reasons, code);
  if (about?.decision !== 'skip' || !isReason(about.reason)) return null;
  const mode = about.mode === 'on' || about.mode === 'off' ? about.mode : 'dry-run';
  return { decision: 'skip', reason: about.reason, why: reasons[about.reason], mode, dryRun: false, actions: [] };
}

/** How often an operation was called in the traces since a time. */
export function callsSince({ receiver }: World, operation: string, since: number): number {
  const spans = receiver.traces().flatMap((trace) => (trace.start >= since ? everySpan(trace.spans) : []));
  return spans.filter((span) => span.operation === operation).length;
}

/** The ledger's history as a story, after the trouble itself. */
export function momentsOf(event: string, madeAt: number, records: readonly HistoryRecord[]): Moment[] {
  return [
    { at: madeAt, what: event },
    ...records.map(({ at, decision, reason, why }) => ({ at, what: `${decision} ${reason}: ${why}` })),
  ];
}

/** The stream has as many open shards as it should. */
export function openShards(after: StreamView, expected: number): Check {
  const changed = expected === 1 ? 'still 1 open shard' : `${expected} open shards`;
  return { what: `ListShards: ${changed}`, ok: after.open.length === expected };
}
