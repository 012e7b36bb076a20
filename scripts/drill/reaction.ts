import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryRecord } from '../../shared/ledger/types.ts';
import { type Reason, reasons } from '../../shared/reasons.ts';
import type { Check, Moment, Story, StreamView, View } from './story.ts';
import { createStream, streamArn, viewStream } from './streams.ts';
import { annotated, everySpan, type Trace } from './trace.ts';
import { answeredAt, openIncident, recordsSince, type World } from './world.ts';

/** Trouble for one stream of its own. */
export interface StreamTrouble {
  readonly stream: string;
  readonly optedIn: boolean;
  /** Open shards that the remediation should lead to. */
  readonly expected: number;
  /** `now`: epoch ms. */
  readonly make: (now: number) => Promise<unknown>;
}

/** Trouble for a resource that is there already. */
export interface Trouble<V extends View> {
  readonly arn: string;
  /** Folder of the function whose concern it is. */
  readonly fn: string;
  /** The call that is expected to remedy it. */
  readonly operation: string;
  readonly view: () => Promise<V>;
  /** What is not opted in leaves a trace, but no record in the ledger. */
  readonly recorded?: boolean;
  /** It is as the remediation should leave it. */
  readonly settled: (view: V) => boolean;
  /** `now`: epoch ms. */
  readonly make: (now: number) => Promise<unknown>;
}

/** What came of it, as far as it came. */
export interface Reaction<V extends View = View> {
  readonly arn: string;
  readonly fn: string;
  readonly madeAt: number;
  readonly before: V;
  readonly after: V;
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
export async function provoke(
  world: World,
  { stream, optedIn, expected, make }: StreamTrouble,
): Promise<Reaction<StreamView>> {
  const { aws, load } = world;
  await createStream(aws, stream, optedIn);
  await load.add(stream);
  return react(world, {
    arn: streamArn(stream),
    fn: 'reshard-kinesis',
    operation: 'UpdateShardCount',
    recorded: optedIn,
    view: () => viewStream(aws, stream),
    settled: ({ open }) => open.length === expected,
    make,
  });
}

/** Makes the trouble and waits for what Reflex makes of it. */
export async function react<V extends View>(
  world: World,
  { arn, fn, operation, view, recorded = true, settled, make }: Trouble<V>,
): Promise<Reaction<V>> {
  const before = await view();
  const madeAt = Date.now();
  await make(madeAt);
  const trace = await patiently(30, async () => {
    const [record] = await recordsSince(world, { fn, resource: arn }, madeAt);
    return recorded && record === undefined ? undefined : finished(world, arn, record?.traceId);
  });
  const [record] = await recordsSince(world, { fn, resource: arn }, madeAt);
  await patiently(5, async () => settled(await view()) || undefined);
  const acted = trace === null ? undefined : answeredAt(trace, operation);
  return {
    arn,
    fn,
    madeAt,
    before,
    after: await view(),
    decision: record ?? (trace === null ? null : annotatedDecision(trace, arn)),
    trace,
    reactionMs: acted === undefined ? null : acted - madeAt,
  };
}

/** Waits until the incident of what was just acted on is closed; `note` is told how long it takes. false: it is still open after so many seconds. */
export async function untilClosed(
  world: World,
  { fn, arn: resource }: Pick<Reaction, 'fn' | 'arn'>,
  seconds: number,
  note: (text: string) => void,
): Promise<boolean> {
  const closed = await patiently(seconds, async () => {
    const incident = await openIncident(world, { fn, resource });
    if (incident === undefined) return true;
    const left = Math.max(Math.ceil((incident.nextCheckAt - Date.now()) / 1_000), 0);
    note(`acted; check ${incident.check} in ${left} s (${incident.lastReason})`);
    return undefined;
  });
  return closed === true;
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

/** The ledger says that it acted, and AWS took it. */
export function acted(decision: Story['decision']): Check {
  const failed = decision?.actions.some(({ error }) => error !== undefined) === true;
  const ok = decision?.decision === 'act' && !decision.dryRun && !failed;
  return { what: 'Ledger: the act is recorded with its reason', ok };
}
