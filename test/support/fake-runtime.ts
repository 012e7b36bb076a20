import type { Context } from 'aws-lambda';
import type { TopicMessage } from '../../shared/aws/sns.ts';
import type { Outcome } from '../../shared/decision.ts';
import { receive } from '../../shared/events/envelope.ts';
import { ledger } from '../../shared/ledger/ledger.ts';
import type { HistoryRecord, Mode, ResourceState } from '../../shared/ledger/types.ts';
import type { Result } from '../../shared/remediation.ts';
import type { Runtime } from '../../shared/runtime.ts';
import type { DecisionLine } from '../../shared/telemetry/logging.ts';
import { notify } from '../../shared/telemetry/notify.ts';
import { at, sqsBatch } from './event-builders.ts';
import type { Clock } from './fake-aws/service.ts';
import { type MemoryTable, memoryTable } from './memory-table.ts';

/**
 * What may go wrong with one call of a port: `refused` fails before it does anything; `lost` is done, but the caller gets an error;
 * `crash` and `crash after` end the invocation before or after it is done: it never goes on.
 */
export type Trouble = 'none' | 'refused' | 'lost' | 'crash' | 'crash after';

export interface InboxMessage {
  readonly id: string;
  readonly body: string;
  /** Epoch ms. */
  dueAt: number;
  received: number;
}

export interface Told {
  readonly record: HistoryRecord;
  readonly nextCheckAt: number | null;
}

/** What outlives an invocation: the table, the inbox, the clock, what people were told. */
export interface World {
  /** Epoch ms; set it to let time pass. */
  now: number;
  readonly table: MemoryTable;
  readonly inbox: InboxMessage[];
  readonly deadLetters: InboxMessage[];
  readonly told: Told[];
  /** What came to the topic from the inbox. */
  readonly toldLate: TopicMessage[];
  ids: number;
}

export interface FakeRuntime extends Runtime {
  readonly world: World;
  /** Names of the port calls so far, in order, e.g. `table.getMany`, `enqueue`, `act`. */
  readonly calls: string[];
  readonly decisions: DecisionLine[];
  readonly errors: { readonly message: string; readonly error: unknown }[];
  /** Metric name with its arguments, e.g. `['outcome', 'fake', 'act', 'scale-up', false]`. */
  readonly measured: unknown[][];
  readonly invocations: Context[];
  /** Resolves when a `crash` has ended the invocation. */
  readonly crashed: Promise<'crashed'>;
  /** Lets a further port (a part of the function) be counted and fail like the others. */
  port<T>(name: string, run: () => Promise<T> | T): Promise<T>;
}

export interface FakeOptions {
  /** Shared with other runtimes: as two instances of one function share the table. */
  readonly world?: World;
  readonly stackMode?: Mode;
  readonly stormLimit?: number;
  readonly followUpMs?: number;
  readonly calendar?: Runtime['calendar'];
  /** How the n-th call (from 1) of a port fares. */
  readonly trouble?: (port: string, n: number) => Trouble;
  /** Awaited before each call: lets others go first. */
  readonly before?: (port: string) => Promise<unknown>;
}

/** SQS takes a message at most this often to the function (maxReceiveCount), and hides it meanwhile. */
export const inboxSettings = { receivesAtMost: 5, hiddenMs: 360_000 };

export const fakeWorld = (now = at): World => ({
  now,
  table: memoryTable(),
  inbox: [],
  deadLetters: [],
  told: [],
  toldLate: [],
  ids: 0,
});

const never = new Promise<never>(() => {});

const place = { version: 'test', region: 'eu-west-1', account: '111122223333', prefix: 'reflex' };

/** A Runtime on a table in memory with a clock that stands still until it is set. */
export function fakeRuntime({
  world = fakeWorld(),
  stackMode = 'on',
  stormLimit = 10,
  followUpMs = 60_000,
  calendar = null,
  trouble = () => 'none',
  before = async () => undefined,
}: FakeOptions = {}): FakeRuntime {
  const calls: string[] = [];
  const counts = new Map<string, number>();
  const decisions: DecisionLine[] = [];
  const errors: FakeRuntime['errors'] = [];
  const measured: unknown[][] = [];
  const invocations: Context[] = [];
  const { promise: crashed, resolve: crash } = Promise.withResolvers<'crashed'>();
  let dead = false;

  async function port<T>(name: string, run: () => Promise<T> | T): Promise<T> {
    if (!dead) await before(name);
    if (dead) return never;
    calls.push(name);
    const n = (counts.get(name) ?? 0) + 1;
    counts.set(name, n);
    const fate = trouble(name, n);
    if (fate === 'refused') throw new Error(`${name} refused`);
    const ends = () => {
      dead = true;
      crash('crashed');
      return never;
    };
    if (fate === 'crash') return ends();
    const answer = await run();
    if (dead) return never;
    if (fate === 'crash after') return ends();
    if (fate === 'lost') throw new Error(`${name} gave no answer`);
    return answer;
  }

  const { table } = world;
  const measure =
    (name: string) =>
    (...args: unknown[]) =>
      void measured.push([name, ...args]);
  const quiet = () => undefined;
  const log: Runtime['log'] = {
    invocation: (context) => void invocations.push(context),
    decision: (line) => void decisions.push(line),
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (message, error) => void errors.push({ message, error }),
  };
  const enqueue: Runtime['enqueue'] = (messages) =>
    port('enqueue', () => {
      for (const { body, delaySeconds } of messages) put(world, body, Math.min(delaySeconds, 900));
      return [];
    });
  return {
    world,
    calls,
    decisions,
    errors,
    measured,
    invocations,
    crashed,
    port,
    clock: () => world.now,
    newId: () => (++world.ids).toString(16).padStart(8, '0'),
    stackMode,
    followUpMs,
    stormLimit,
    ledger: ledger({
      clock: () => world.now,
      table: {
        getMany: (keys) => port('table.getMany', () => table.getMany(keys)),
        put: (item) => port('table.put', () => table.put(item)),
        putIfVersion: (item, expected) => port('table.putIfVersion', () => table.putIfVersion(item, expected)),
        mark: (key, marks, expiresAt) => port('table.mark', () => table.mark(key, marks, expiresAt)),
        query: (pk, options) => port('table.query', () => table.query(pk, options)),
        queryAttention: (name) => port('table.queryAttention', () => table.queryAttention(name)),
        scan: (sk, text) => port('table.scan', () => table.scan(sk, text)),
      },
    }),
    calendar: calendar === null ? null : () => port('calendar', calendar),
    enqueue,
    publish: (message) => port('publish', () => void world.toldLate.push(message)),
    notify: (record, nextCheckAt) => {
      const publish = () => port('notify', () => void world.told.push({ record, nextCheckAt }));
      return notify({ publish, enqueue, log }, record, { ...place, nextCheckAt });
    },
    log,
    metrics: {
      outcome: measure('outcome'),
      eventToAction: measure('eventToAction'),
      budgetLeft: measure('budgetLeft'),
      held: measure('held'),
      brokenMessages: measure('brokenMessages'),
      notForUs: measure('notForUs'),
      notificationRefused: measure('notificationRefused'),
      put: measure('put'),
      flush: async () => measure('flush')(),
    },
  };
}

/** Puts a message into the inbox, as EventBridge, SNS or the function itself would. */
export function put(world: World, body: unknown, delaySeconds = 0): void {
  const id = `message-${++world.ids}`;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  world.inbox.push({ id, body: text, dueAt: world.now + delaySeconds * 1_000, received: 0 });
}

/** One invocation, until it returns or crashes. */
export const invoke = (
  runtime: FakeRuntime,
  handler: (payload: unknown) => Promise<Result>,
  payload: unknown,
): Promise<Result | 'crashed'> => Promise.race([handler(payload), runtime.crashed]);

/**
 * What SQS and Lambda do with the messages that are due, ten at most: delivers them as one batch, deletes what succeeded, hides the rest
 * for six minutes, and keeps in the dead-letter queue what failed too often. Undefined: nothing was due.
 */
export async function pump(
  world: World,
  deliver: (payload: unknown) => Promise<Result | 'crashed'>,
): Promise<Result | 'crashed' | undefined> {
  const due = world.inbox.filter(({ dueAt }) => dueAt <= world.now).slice(0, 10);
  if (due.length === 0) return undefined;
  for (const message of due) {
    message.received++;
    message.dueAt = world.now + inboxSettings.hiddenMs;
  }
  const result = await deliver(batchOf(due));
  const failed = result === 'crashed' ? due.map(({ id }) => id) : failuresOf(result);
  for (const message of due) {
    const dead = message.received >= inboxSettings.receivesAtMost;
    if (failed.includes(message.id) && !dead) continue;
    world.inbox.splice(world.inbox.indexOf(message), 1);
    if (failed.includes(message.id)) world.deadLetters.push(message);
  }
  return result;
}

function batchOf(messages: readonly InboxMessage[]) {
  const { Records } = sqsBatch(...messages.map(({ body }) => body));
  return {
    Records: Records.map((record, i) => ({
      ...record,
      messageId: messages[i]?.id ?? '',
      attributes: { ...record.attributes, ApproximateReceiveCount: String(messages[i]?.received) },
    })),
  };
}

const failuresOf = ({ batchItemFailures = [] }: Result): string[] =>
  batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);

/** The time of the earliest message in the inbox, epoch ms. */
export const nextDueAt = ({ inbox }: World): number | undefined =>
  inbox.length === 0 ? undefined : Math.min(...inbox.map(({ dueAt }) => dueAt));

/** What is stored of a resource. */
export function storedState({ table }: World, resource: string): ResourceState | undefined {
  const row = table.rows().find(({ pk, sk }) => sk === 'state' && pk.endsWith(`#${resource}`));
  return row && JSON.parse(row.body);
}

/** Every history record, oldest first. */
export function storedRecords({ table }: World): HistoryRecord[] {
  return table
    .rows()
    .filter(({ sk }) => sk.startsWith('record#'))
    .map(({ body }): HistoryRecord => JSON.parse(body))
    .sort((a, b) => (a.recordId < b.recordId ? -1 : 1));
}

/** The text of every message in the inbox, as the pipeline would read it. */
export const inboxBodies = ({ inbox }: World): unknown[] =>
  inbox.flatMap(({ body }) => receive(sqsBatch(body)).messages.map((message) => message.body));

/** Lets time pass and delivers what becomes due on the way, after `before` each time; the outcomes of checks that were not superseded. */
export const passed = async (
  {
    world,
    clock,
    handle,
  }: { readonly world: World; readonly clock: Clock; readonly handle: Parameters<typeof pump>[1] },
  ms: number,
  before: () => void = () => undefined,
) => {
  const until = clock() + ms;
  const outcomes: Outcome[] = [];
  for (;;) {
    const next = Math.min(...world.inbox.map(({ dueAt }) => dueAt));
    if (next > until) break;
    clock.advance(Math.max(0, next - clock()));
    before();
    const result = await pump(world, handle);
    if (result === 'crashed') throw new Error('the invocation crashed');
    outcomes.push(...(result?.outcomes ?? []));
  }
  clock.advance(Math.max(0, until - clock()));
  return outcomes.filter(({ reason }) => reason !== 'superseded');
};
