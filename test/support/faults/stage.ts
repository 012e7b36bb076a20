import { publish } from '../../../shared/aws/sns.ts';
import { sendBatch } from '../../../shared/aws/sqs.ts';
import type { Outcome } from '../../../shared/decision.ts';
import { ledger } from '../../../shared/ledger/ledger.ts';
import type { HistoryRecord, ResourceState } from '../../../shared/ledger/types.ts';
import type { Result } from '../../../shared/remediation.ts';
import type { Runtime } from '../../../shared/runtime.ts';
import { notify } from '../../../shared/telemetry/notify.ts';
import { parsed } from '../fake-aws/server.ts';
import { type FakeOptions, fakeRuntime, fakeWorld, storedState, type Trouble, type World } from '../fake-runtime.ts';
import {
  crash,
  ended,
  type Fault,
  type Line,
  onLine,
  type Process,
  startProcess,
  type WireCall,
  within,
} from './wire.ts';
import type { FaultWorld, Scene } from './world.ts';

const MINUTE = 60_000;
/** Nobody listens there. */
export const ENDPOINT = 'http://127.0.0.1:1';
const INBOX = `${ENDPOINT}/111122223333/inbox`;
const TOPIC = 'arn:aws:sns:eu-west-1:111122223333:reflex';
const RECEIVES_AT_MOST = 5;
const READS = /^(Describe|List|Get|Search|Discover|HEAD|GET)/;

export const isWrite = ({ service, operation }: WireCall): boolean =>
  !['sqs', 'sns'].includes(service) && !READS.test(operation);

export interface Play {
  /** What goes wrong with the n-th call (from 1) of AWS, the ledger included. */
  readonly fault?: (label: string, n: number, now: number) => Fault | undefined;
  /** How far Lambda's clock is from AWS's, ms, so long after the beginning. */
  readonly skew?: (elapsed: number) => number;
  /** `twice`: each message in two copies at once and a third later. `reversed`: held back, and the last first. */
  readonly order?: 'twice' | 'reversed';
  readonly optedIn?: boolean;
  /** Prepares the ledger. */
  readonly before?: (world: World, scene: Scene) => Promise<void> | void;
  readonly stackMode?: FakeOptions['stackMode'];
  readonly calendar?: FakeOptions['calendar'];
  /** Shorter than the world's own, ms. */
  readonly horizonMs?: number;
}

export interface Ending {
  readonly ended: 'done' | 'told' | 'neither';
  /** Every call of AWS and the ledger, in order: `ecs:RunTask`, `ledger:put`. */
  readonly calls: readonly string[];
  readonly writes: readonly string[];
  /** How often a call went wrong as planned. */
  readonly injected: number;
  readonly violations: readonly string[];
  readonly outcomes: readonly Outcome[];
  readonly world: World;
}

interface Queued {
  readonly id: string;
  readonly body: string;
  dueAt: number;
  received: number;
}

/** Plays one scene to its end: events, deliveries, sweeps, crashes and redeliveries, on the real SDK. */
export const play = async (of: FaultWorld, options: Play = {}): Promise<Ending> => {
  const scene = of.scene({ optedIn: options.optedIn ?? true });
  const start = scene.now();
  const lambdaClock = () => scene.now() + (options.skew?.(scene.now() - start) ?? 0);
  const world: World = Object.defineProperty(fakeWorld(), 'now', { get: lambdaClock, set: () => undefined });
  const inbox: Queued[] = [];
  const dead: Queued[] = [];
  const told: HistoryRecord[] = [];
  const calls: string[] = [];
  const writes: string[] = [];
  const outcomes: Outcome[] = [];
  const violations: string[] = [];
  let injected = 0;
  let ledgerFaults = 0;
  let ids = 0;

  const faultOf = (label: string): Fault | undefined => {
    calls.push(label);
    const fault = options.fault?.(label, calls.length, scene.now());
    if (fault !== undefined) injected++;
    return fault;
  };
  const put = (body: string, delayMs = 0) =>
    void inbox.push({ id: `message-${++ids}`, body, dueAt: scene.now() + delayMs, received: 0 });

  const line: Line = {
    url: of.url,
    advance: scene.advance,
    faultOf: ({ service, operation }) => faultOf(`${service}:${operation}`),
    onServe: (call) => {
      if (!isWrite(call)) return;
      writes.push(call.operation);
      if (of.onGuardError === 'proceed' && ledgerFaults > 0) return;
      if (!isIntended(world, call.operation)) violations.push(`${call.operation} without a recorded intent`);
    },
    answer: ({ service, body }) => {
      if (service === 'sqs') {
        const { Entries } = parsed(body) as unknown as {
          Entries: { Id: string; MessageBody: string; DelaySeconds: number }[];
        };
        for (const { MessageBody, DelaySeconds } of Entries) put(MessageBody, DelaySeconds * 1_000);
        return { body: { Successful: Entries.map(({ Id }) => ({ Id, MessageId: Id })) } };
      }
      if (service === 'sns')
        return { body: '<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>' };
      return undefined;
    },
  };
  onLine(line);

  /** The ledger's calls fare like AWS's. */
  const trouble = (port: string): Trouble => {
    if (ended()) return 'crash';
    const fault = faultOf(port.replace('table.', 'ledger:'));
    if (fault === undefined || fault === 'partial') return 'none';
    if (fault === 'slow' || fault === 'silent') scene.advance(4_900);
    if (fault === 'slow') return 'none';
    if (fault === 'crash' || fault === 'crash-after') {
      queueMicrotask(() => void crash());
      return fault === 'crash' ? 'crash' : 'crash after';
    }
    ledgerFaults++;
    return fault === 'lost' || fault === 'silent' ? 'lost' : 'refused';
  };

  const environment = (): { process: Process; handle: (payload: unknown) => Promise<Result> } => {
    const runtime = fakeRuntime({
      world,
      trouble,
      ...(options.stackMode && { stackMode: options.stackMode }),
      ...(options.calendar && { calendar: options.calendar }),
    });
    const post: Pick<Runtime, 'enqueue' | 'publish'> = {
      enqueue: (messages) => sendBatch(INBOX, messages),
      publish: async (message) => {
        await publish(TOPIC, message);
        told.push(JSON.parse(JSON.parse(message.message).sqs));
      },
    };
    const handle = of.handler(
      {
        ...runtime,
        ...post,
        notify: (record, nextCheckAt) =>
          notify({ ...runtime, ...post }, record, {
            version: 'test',
            region: 'eu-west-1',
            account: '111122223333',
            prefix: 'reflex',
            nextCheckAt,
          }),
      },
      { clock: lambdaClock, sleep: async (ms) => scene.advance(Math.max(1, Math.ceil(ms))), random: () => 0.5 },
    );
    return { process: startProcess(), handle };
  };
  let alive = environment();

  const invoke = async (batch: readonly Queued[]): Promise<void> => {
    const { process, handle } = alive;
    const result = await Promise.race([within(process, () => handle(batchOf(batch))), process.crashed]);
    if (result === 'crashed') alive = environment();
    else outcomes.push(...result.outcomes);
    const failed = result === 'crashed' ? null : new Set(result.batchItemFailures?.map((one) => one.itemIdentifier));
    for (const message of batch) {
      const stays = failed === null || failed.has(message.id);
      if (stays && message.received < RECEIVES_AT_MOST) continue;
      inbox.splice(inbox.indexOf(message), 1);
      if (stays) dead.push(message);
    }
  };

  const deliver = async (): Promise<void> => {
    for (;;) {
      const batch = inbox.filter(({ dueAt }) => dueAt <= scene.now()).slice(0, 10);
      if (batch.length === 0) return;
      for (const message of batch) {
        message.received++;
        message.dueAt = scene.now() + of.hiddenMs;
      }
      await invoke(batch);
    }
  };

  await options.before?.(world, scene);
  const plan = timetable(scene, of, options.order, start);
  const isOver = () =>
    plan.every(({ ofScene }) => !ofScene) &&
    inbox.length === 0 &&
    isSettled(world, scene.resource) &&
    (scene.done(world) || isTold());
  const isTold = () => dead.length > 0 || told.some(({ decision }) => decision === 'escalate');
  const until = start + (options.horizonMs ?? of.horizonMs);
  while (scene.now() < until) {
    const next = Math.min(...plan.map(({ at }) => at), ...inbox.map(({ dueAt }) => dueAt));
    if (next > until) break;
    scene.advance(Math.max(0, next - scene.now()));
    while (plan[0] !== undefined && plan[0].at <= scene.now()) {
      for (const body of plan.shift()?.happens() ?? []) put(typeof body === 'string' ? body : JSON.stringify(body));
    }
    await deliver();
    if (isOver()) break;
  }
  violations.push(...scene.harm());
  if (storedState(world, scene.resource)?.intent !== undefined) violations.push('an intent is left without a result');
  if (inbox.length > 0 && !isTold())
    violations.push(`messages go round for ever: ${inbox.map(({ body }) => body.slice(0, 200))}`);
  return {
    ended: scene.done(world) ? 'done' : isTold() ? 'told' : 'neither',
    calls,
    writes,
    injected,
    violations,
    outcomes,
    world,
  };
};

interface Planned {
  readonly at: number;
  readonly happens: () => readonly unknown[];
  /** It belongs to the scene; false: the schedule. */
  readonly ofScene: boolean;
}

const INCIDENTS = { source: 'reflex', 'detail-type': 'Tick', detail: { scope: 'incidents' } };
const EVERYTHING = { source: 'reflex', 'detail-type': 'Tick' };

/** Messages that are held back arrive so long after the first of them. */
const HELD_BACK = 10_000;

/** The scene's steps, and the schedule, in order of time. */
const timetable = (
  scene: Scene,
  { sweepMs, horizonMs }: FaultWorld,
  order: Play['order'],
  start: number,
): Planned[] => {
  const steps = scene.steps.map(({ after, happens }) => ({ at: start + after, happens, ofScene: true }));
  const held: unknown[] = [];
  const hold = (step: Planned, also: (bodies: readonly unknown[]) => readonly unknown[]): Planned[] => [
    {
      ...step,
      happens: () => {
        const bodies = step.happens();
        held.push(...bodies);
        return also(bodies);
      },
    },
    // What came last until then arrives first.
    { at: step.at + HELD_BACK, happens: () => held.splice(0).reverse(), ofScene: true },
  ];
  const ordered: Planned[] =
    order === undefined
      ? steps
      : steps.flatMap((step) => hold(step, (bodies) => (order === 'twice' ? [...bodies, ...bodies] : [])));
  const every = (ms: number, body: unknown): Planned[] =>
    Array.from({ length: Math.floor(horizonMs / ms) }, (_, i) => ({
      at: start + (i + 1) * ms,
      happens: () => [body],
      ofScene: false,
    }));
  return [...ordered, ...every(5 * MINUTE, INCIDENTS), ...(sweepMs === null ? [] : every(sweepMs, EVERYTHING))].sort(
    (a, b) => a.at - b.at,
  );
};

const batchOf = (messages: readonly Queued[]) => ({
  Records: messages.map(({ id, body, received }) => ({
    messageId: id,
    receiptHandle: id,
    body,
    attributes: {
      ApproximateReceiveCount: String(received),
      SentTimestamp: '0',
      SenderId: 'reflex',
      ApproximateFirstReceiveTimestamp: '0',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:eu-west-1:111122223333:inbox',
    awsRegion: 'eu-west-1',
  })),
});

const statesIn = ({ table }: World): ResourceState[] =>
  table.rows().flatMap(({ sk, body }) => (sk === 'state' ? [JSON.parse(body) as ResourceState] : []));

const isIntended = (world: World, operation: string): boolean =>
  statesIn(world).some(({ intent }) => intent?.calls.some(({ call }) => call === operation) ?? false);

const isSettled = (world: World, resource: string): boolean => {
  const state = storedState(world, resource);
  return state?.incident === undefined && state?.intent === undefined;
};

/** What a person or a former day left in the ledger. */
export const writeLedger = ({ table }: World, clock: () => number) => ledger({ table, clock });
