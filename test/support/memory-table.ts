import type { Found, Item, ItemKey, Table } from '../../shared/aws/dynamodb.ts';

/**
 * What may go wrong with one call: `throttled` is refused before it does anything; `timed-out` is done, but the caller gets an error;
 * `repeated` is done twice, because the SDK lost the first answer: the caller gets the second one.
 */
export type Fault = 'none' | 'throttled' | 'timed-out' | 'repeated';

interface Row extends ItemKey {
  readonly body: string;
  readonly version?: number;
  readonly attention?: string;
  readonly expiresAt?: number;
  readonly marks: Readonly<Record<string, number>>;
}

export interface MemoryTable extends Table {
  /** Every stored row, for assertions. */
  rows(): Row[];
}

export interface MemoryTableOptions {
  /** Runs before every call and decides how it fares. Awaiting here is what lets other callers in between. */
  readonly before?: (call: keyof Table) => Promise<Fault>;
  /** Sees every row as it is written, with the one it replaces. */
  readonly onWrite?: (row: Row, previous: Row | undefined) => void;
}

/**
 * A model of DynamoDB's conditional writes: each call is atomic, and other calls may come before it. Checked against an emulator in
 * `test/shared/aws/dynamodb.test.ts`.
 */
export function memoryTable({ before, onWrite }: MemoryTableOptions = {}): MemoryTable {
  const stored = new Map<string, Row>();
  const id = ({ pk, sk }: ItemKey) => JSON.stringify([pk, sk]);
  const found = ({ pk, sk, body, marks }: Row): Found => ({ pk, sk, body, marks });
  const where = (test: (row: Row) => boolean) => [...stored.values()].filter(test);

  function write(row: Row): void {
    onWrite?.(row, stored.get(id(row)));
    stored.set(id(row), row);
  }

  async function call<T>(name: keyof Table, run: () => T): Promise<T> {
    const fault = before === undefined ? 'none' : await before(name);
    if (fault === 'throttled') throw new Error('ThrottlingException');
    const answer = run();
    if (fault === 'timed-out') throw new Error('TimeoutError');
    return fault === 'repeated' ? run() : answer;
  }

  return {
    rows: () => [...stored.values()],

    getMany: (keys) =>
      call('getMany', () => {
        const wanted = new Set(keys.map(id));
        return where((row) => wanted.has(id(row))).map(found);
      }),

    put: (item) => call('put', () => write({ ...item, marks: {} })),

    putIfVersion: (item: Item, expected) =>
      call('putIfVersion', () => {
        const current = stored.get(id(item));
        if (expected === 0 ? current !== undefined : current?.version !== expected) return false;
        write({ ...item, marks: {} });
        return true;
      }),

    mark: (key, marks, expiresAt) =>
      call('mark', () => {
        if (Object.keys(marks).length === 0) return {};
        const current = stored.get(id(key)) ?? { ...key, body: '', marks: {} };
        write({ ...current, marks: { ...current.marks, ...marks }, expiresAt });
        return current.marks;
      }),

    query: (pk, { prefix = '', limit } = {}) =>
      call('query', () =>
        where((row) => row.pk === pk && row.sk.startsWith(prefix))
          .sort((a, b) => (a.sk < b.sk ? 1 : -1))
          .slice(0, limit)
          .map(found),
      ),

    queryAttention: (name) => call('queryAttention', () => where((row) => row.attention === name).map(found)),

    scan: (sk, text) => call('scan', () => where((row) => row.sk === sk && row.pk.includes(text)).map(found)),
  };
}
