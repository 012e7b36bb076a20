import type { Item, ItemKey, Table } from '../aws/dynamodb.ts';
import { type Changed, fresh, type Refused } from './state.ts';
import type { HistoryRecord, LedgerView, Mode, ModeSetting, ResourceKey, ResourceState } from './types.ts';

/**
 * The ledger's items. A resource's state is one item, so that one conditional write changes all of it or nothing.
 *
 *   pk                sk                      body             expires
 *   <fn>#<resource>   state                   ResourceState    90 days after its last change, unless an incident is open or it is held
 *   <fn>#<resource>   record#<recordId>       HistoryRecord    after 90 days
 *   mode              * or <fn>               ModeSetting      never
 *   pulse             <fn>#<hour of epoch>    marks: resource  2 hours after its last mark
 *   <fn>@<about>      <hour of epoch>         marks: name      2 hours after its last mark
 */
export interface Ledger {
  /** Everything the ledger-backed guards need: one BatchGetItem round trip, whatever the number of resources. */
  read(fn: string, resources: readonly string[]): Promise<LedgerView>;
  /**
   * Applies a transition by compare-and-swap and returns its result with the state as stored. Tries on `known` first (a refusal is as fresh
   * as `known`); where another writer was faster, reads again and applies the transition anew. A transition that returns the state itself
   * writes nothing. Throws LedgerConflict after ten lost races.
   */
  update<T extends Changed | Refused<unknown>>(
    key: ResourceKey,
    known: ResourceState | undefined,
    change: (state: ResourceState) => T,
  ): Promise<T>;
  /** Stores a record; overwrites the one with the same `recordId`. What exceeds 300 KB is left out, and the record says so. */
  record(record: HistoryRecord): Promise<void>;
  /** Stores the record of an intent whose result is not known, unless the result has been recorded after all. */
  recordUnresolved(record: HistoryRecord): Promise<void>;
  /** Newest first. */
  history(key: ResourceKey, options: { readonly limit: number }): Promise<HistoryRecord[]>;
  /** States with an open incident or a hold, a moment late: pass none of them to `update` as known. */
  attention(fn: string): Promise<ResourceState[]>;
  /** States of every function whose `<fn>#<resource>` contains the text. Reads the whole table: for a person at a terminal. */
  findStates(text: string): Promise<ResourceState[]>;
  /** `scope`: a function, or `*` for all. */
  setMode(scope: string, mode: Mode, by: string): Promise<void>;
  getModes(): Promise<ModeSetting[]>;
  /** Notes that the function acted on these resources now. */
  beat(fn: string, resources: readonly string[]): Promise<void>;
  /**
   * Notes these names of something, with the time, and tells what was noted before: of two invocations that note at once, one finds the
   * other's. What is older than five minutes may be missing.
   */
  note(fn: string, about: string, names: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** Other writers won every race for one resource's state. */
export class LedgerConflict extends Error {
  override readonly name = 'LedgerConflict';
}

const hourMs = 3_600_000;
/** What was noted is found again this long; at the turn of the hour, too, where the last hour's item is asked as well. */
const noteMs = 5 * 60_000;
const keptMs = 90 * 24 * hourMs;
const updateTries = 10;
/** A partition of the index takes 1,000 KB a second; a storm opens thousands of incidents of one function in seconds. */
const attentionParts = 8;
const everyFunction = '*';
const modes: readonly string[] = ['off', 'dry-run', 'on'] satisfies Mode[];
/** A DynamoDB item holds 400 KB; the rest is for keys and attribute names. */
const recordMaxBytes = 300_000;

/** `clock`: epoch ms. */
export function ledger({ table, clock }: { readonly table: Table; readonly clock: () => number }): Ledger {
  async function stored(key: ResourceKey): Promise<{ readonly body: string; readonly state: ResourceState }> {
    const [found] = await table.getMany([stateKey(key)]);
    return found === undefined ? { body: '', state: fresh(key) } : { body: found.body, state: parseState(found.body) };
  }

  function stateItem(state: ResourceState): Item {
    const item = { ...stateKey(state), body: JSON.stringify(state), version: state.version };
    return state.incident !== undefined || state.hold !== undefined
      ? { ...item, attention: attentionOf(state) }
      : { ...item, expiresAt: seconds(clock() + keptMs) };
  }

  return {
    async read(fn, resources) {
      const now = clock();
      const found = await table.getMany([
        modeKey(everyFunction),
        modeKey(fn),
        pulseKey(fn, now),
        pulseKey(fn, now - hourMs),
        ...resources.map((resource) => stateKey({ fn, resource })),
      ]);
      const settings = found.filter((item) => item.pk === 'mode').map((item) => parseMode(item.body));
      const global = settings.find(({ scope }) => scope === everyFunction)?.mode;
      const own = settings.find(({ scope }) => scope === fn)?.mode;
      const known = found.filter((item) => item.sk === 'state').map((item) => parseState(item.body));
      const beats = found.flatMap((item) => Object.entries(item.marks)).sort(([, a], [, b]) => a - b);
      return {
        modes: { ...(global !== undefined && { global }), ...(own !== undefined && { fn: own }) },
        states: new Map([
          ...resources.map((resource) => [resource, fresh({ fn, resource })] as const),
          ...known.map((state) => [state.resource, state] as const),
        ]),
        pulse: new Map(beats.filter(([, at]) => at > now - hourMs)),
      };
    },

    async update(key, known, change) {
      let state = known ?? (await stored(key)).state;
      for (let tried = 0; tried < updateTries; tried++) {
        const result = change(state);
        if ('refusal' in result || result.state === state) return result;
        const next = { ...result.state, version: state.version + 1 };
        const item = stateItem(next);
        if (await table.putIfVersion(item, state.version)) return { ...result, state: next };
        const current = await stored(key);
        // The SDK repeats a write whose answer was lost; the repetition then fails on the version its first try has stored.
        if (current.body === item.body) return { ...result, state: next };
        state = current.state;
      }
      throw new LedgerConflict(
        `${key.fn} ${key.resource}: ${updateTries} writes in a row met a newer version; let the message be retried`,
      );
    },

    async record(record) {
      await table.put(recordItem(record));
    },

    async recordUnresolved(record) {
      await table.putIfVersion(recordItem(record), 0);
    },

    async history(key, { limit }) {
      const found = await table.query(partition(key), { prefix: 'record#', limit });
      return found.map((item): HistoryRecord => JSON.parse(item.body));
    },

    async attention(fn) {
      const names = [fn, ...Array.from({ length: attentionParts }, (_, part) => `${fn}#${part}`)];
      const found = (await Promise.all(names.map((name) => table.queryAttention(name)))).flat();
      const oldestFirst = found.map((item) => parseState(item.body)).sort((a, b) => a.version - b.version);
      return [...new Map(oldestFirst.map((state) => [state.resource, state])).values()];
    },

    async findStates(text) {
      return (await table.scan('state', text)).map((item) => parseState(item.body));
    },

    async setMode(scope, mode, by) {
      const setting: ModeSetting = { scope, mode, by, at: clock() };
      await table.put({ ...modeKey(scope), body: JSON.stringify(setting) });
    },

    async getModes() {
      return (await table.query('mode')).map((item) => parseMode(item.body));
    },

    async beat(fn, resources) {
      const now = clock();
      const marks = Object.fromEntries(resources.map((resource) => [resource, now]));
      await table.mark(pulseKey(fn, now), marks, seconds(now + 2 * hourMs));
    },

    async note(fn, about, names) {
      const now = clock();
      const hours = new Set([now - noteMs, now].map((at) => String(Math.floor(at / hourMs))));
      const marks = Object.fromEntries(names.map((name) => [name, now]));
      const before = await Promise.all(
        [...hours].map((sk) => table.mark({ pk: `${fn}@${about}`, sk }, marks, seconds(now + 2 * hourMs))),
      );
      return new Map(before.flatMap((found) => Object.entries(found)));
    },
  };
}

/** The id under which a record sorts by time, newest last. `suffix` tells records of the same ms apart. */
export function recordId(at: number, suffix: string): string {
  return `${new Date(at).toISOString()}#${suffix}`;
}

function partition({ fn, resource }: ResourceKey): string {
  return `${fn}#${resource}`;
}

function stateKey(key: ResourceKey): ItemKey {
  return { pk: partition(key), sk: 'state' };
}

function modeKey(scope: string): ItemKey {
  return { pk: 'mode', sk: scope };
}

/** One of the names under which a function's open incidents and holds are found. The former one, the function's alone, is read as well. */
function attentionOf({ fn, resource }: ResourceKey): string {
  let hash = 0;
  for (let i = 0; i < resource.length; i++) hash = (Math.imul(hash, 31) + resource.charCodeAt(i)) >>> 0;
  return `${fn}#${hash % attentionParts}`;
}

/** An item an hour: a pulse is read from two of them, and DynamoDB forgets the old ones. */
function pulseKey(fn: string, now: number): ItemKey {
  return { pk: 'pulse', sk: `${fn}#${Math.floor(now / hourMs)}` };
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

function parseState(body: string): ResourceState {
  return JSON.parse(body);
}

function parseMode(body: string): ModeSetting {
  const setting: ModeSetting = JSON.parse(body);
  if (modes.includes(setting.mode)) return setting;
  throw new Error(
    `mode of ${setting.scope}: expected ${modes.join(', ')}, found ${setting.mode}; set it with npm run ops -- mode`,
  );
}

function recordItem(record: HistoryRecord): Item {
  return {
    pk: partition(record),
    sk: `record#${record.recordId}`,
    body: fitting(record),
    expiresAt: seconds(record.at + keptMs),
  };
}

/** The record as JSON of at most 300 KB: whole, else without facts, else with its first 100 actions and the start of every text. */
function fitting(record: HistoryRecord): string {
  const whole = JSON.stringify(record);
  if (fits(whole)) return whole;
  const factless = { ...record, facts: leftOut(record.facts) };
  const short = JSON.stringify(factless);
  if (fits(short)) return short;
  const { trigger, cause, why, advice, actions } = record;
  return JSON.stringify({
    ...factless,
    trigger: start(trigger),
    cause: start(cause),
    why: start(why),
    ...(advice !== undefined && { advice: start(advice) }),
    actions: actions.slice(0, 100).map(({ call, params, error }) => ({
      call,
      params: leftOut(params),
      ...(error !== undefined && { error: start(error) }),
    })),
  });
}

function fits(body: string): boolean {
  return Buffer.byteLength(body) <= recordMaxBytes;
}

function leftOut(value: unknown): { leftOut: string } {
  return { leftOut: `${Buffer.byteLength(JSON.stringify(value))} bytes` };
}

function start(text: string): string {
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
