import { describe, expect, it } from 'vitest';
import type { Table } from '../../../shared/aws/dynamodb.ts';
import { LedgerConflict, ledger, recordId } from '../../../shared/ledger/ledger.ts';
import { awaitCheck, fresh, hold, release, remember } from '../../../shared/ledger/state.ts';
import type { HistoryRecord, ResourceState } from '../../../shared/ledger/types.ts';
import { type Fault, memoryTable } from '../../support/memory-table.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const start = 472_222 * hour;
const fn = 'reshard-kinesis';
const key = { fn, resource: 'arn:s' };
const deferral = { occurrences: [], incident: { id: 'i', cause: 'alarm' }, reason: 'frozen', until: 9 } as const;
const record: HistoryRecord = {
  ...key,
  recordId: recordId(start, 'a'),
  at: start,
  incidentId: 'i',
  trigger: 'alarm',
  cause: 'arn:alarm',
  decision: 'act',
  reason: 'act-failed',
  why: 'because',
  mode: 'on',
  dryRun: false,
  actions: [{ call: 'UpdateShardCount', params: { TargetShardCount: 2 } }],
  facts: { shards: 1 },
};

function prepare(faults: Fault[] = []) {
  const calls: (keyof Table)[] = [];
  const table = memoryTable({
    before: async (call) => {
      calls.push(call);
      return faults.shift() ?? 'none';
    },
  });
  const time = { now: start };
  return { table, calls, time, book: ledger({ table, clock: () => time.now }) };
}

const memory = (value: number) => (state: ResourceState) => ({ state: remember(state, { value }) });

describe('note', () => {
  it('tells what was noted of the same before, whoever did, and not what is noted now', async () => {
    const { book, time } = prepare();

    const first = await book.note(fn, 'web', ['a', 'b']);
    await book.note('other', 'web', ['x']);
    await book.note(fn, 'api', ['y']);
    time.now += 5;
    const second = await book.note(fn, 'web', ['b', 'c']);

    expect(first).toEqual(new Map());
    expect(second).toEqual(
      new Map([
        ['a', start],
        ['b', start],
      ]),
    );
  });

  it('tells one of two that note at once of the other', async () => {
    const { book } = prepare();

    const answers = await Promise.all([book.note(fn, 'web', ['a']), book.note(fn, 'web', ['b'])]);

    expect(answers.map((before) => [...before.keys()])).toEqual([[], ['a']]);
  });

  it('tells one of two of the other where an hour turns between them, in either order', async () => {
    const before = prepare();
    before.time.now = start + hour - 100;
    await before.book.note(fn, 'web', ['a']);
    before.time.now = start + hour + 100;
    const later = await before.book.note(fn, 'web', ['b']);

    const skewed = prepare();
    skewed.time.now = start + hour + 100;
    await skewed.book.note(fn, 'web', ['a']);
    skewed.time.now = start + hour - 100;
    const behind = await skewed.book.note(fn, 'web', ['b']);

    expect(later).toEqual(new Map([['a', start + hour - 100]]));
    expect(behind).toEqual(new Map([['a', start + hour + 100]]));
  });

  it('is forgotten with the hour, and two hours later by the table', async () => {
    const { book, time, table } = prepare();
    time.now = start + 10 * minute;
    await book.note(fn, 'web', ['a']);
    time.now += hour;

    expect(await book.note(fn, 'web', ['b'])).toEqual(new Map());
    expect(table.rows().map(({ expiresAt }) => expiresAt)).toEqual([
      (start + 2 * hour + 10 * minute) / 1_000,
      (start + 3 * hour + 10 * minute) / 1_000,
    ]);
  });
});

describe('read', () => {
  it('answers with a fresh state for every resource, no modes and no pulse where nothing is stored', async () => {
    const { book, calls } = prepare();

    expect(await book.read(fn, ['arn:a', 'arn:b'])).toEqual({
      modes: {},
      states: new Map(['arn:a', 'arn:b'].map((resource) => [resource, fresh({ fn, resource })])),
      pulse: new Map(),
    });
    expect(calls).toEqual(['getMany']);
  });

  it('finds the states of its own function, both modes and the pulse in one call', async () => {
    const { book, calls } = prepare();
    const { state } = await book.update(key, undefined, memory(1));
    await book.update({ ...key, fn: 'other' }, undefined, memory(2));
    await book.setMode('*', 'on', 'ann');
    await book.setMode(fn, 'dry-run', 'bob');
    await book.setMode('other', 'off', 'bob');
    await book.beat(fn, ['arn:s', 'arn:t']);
    await book.beat('other', ['arn:u']);
    calls.length = 0;

    expect(await book.read(fn, ['arn:s'])).toEqual({
      modes: { global: 'on', fn: 'dry-run' },
      states: new Map([['arn:s', state]]),
      pulse: new Map([
        ['arn:s', start],
        ['arn:t', start],
      ]),
    });
    expect(calls).toEqual(['getMany']);
  });

  it('tells one mode from the other', async () => {
    const { book } = prepare();
    await book.setMode('*', 'off', 'ann');
    expect((await book.read(fn, [])).modes).toStrictEqual({ global: 'off' });
    const other = prepare();
    await other.book.setMode(fn, 'off', 'ann');
    expect((await other.book.read(fn, [])).modes).toStrictEqual({ fn: 'off' });
  });

  it('refuses a stored mode it does not know, and says what is allowed', async () => {
    const { book, table } = prepare();
    await table.put({ pk: 'mode', sk: '*', body: '{"scope":"*","mode":"paused"}' });

    await expect(book.read(fn, [])).rejects.toThrow(
      'mode of *: expected off, dry-run, on, found paused; set it with npm run ops -- mode',
    );
  });
});

describe('pulse', () => {
  it('beats for an hour to the millisecond, across the hour', async () => {
    const { book, time } = prepare();
    time.now = start + hour - 1;
    await book.beat(fn, ['arn:s']);

    time.now += hour - 1;
    expect((await book.read(fn, [])).pulse).toEqual(new Map([['arn:s', start + hour - 1]]));
    time.now += 1;
    expect((await book.read(fn, [])).pulse).toEqual(new Map());
  });

  it('knows the latest beat of each resource', async () => {
    const { book, time } = prepare();
    time.now = start + hour + 5;
    await book.beat(fn, ['arn:s']);
    time.now = start + hour - 1;
    await book.beat(fn, ['arn:s', 'arn:t']);

    time.now = start + hour + 10;
    expect((await book.read(fn, [])).pulse).toEqual(
      new Map([
        ['arn:t', start + hour - 1],
        ['arn:s', start + hour + 5],
      ]),
    );
  });

  it('is forgotten by the table two hours later', async () => {
    const { book, table } = prepare();
    await book.beat(fn, ['arn:s']);
    expect(table.rows()).toMatchObject([{ pk: 'pulse', sk: `${fn}#472222`, expiresAt: (start + 2 * hour) / 1000 }]);
  });
});

describe('update', () => {
  it('stores the first version and each next one, and returns the state as stored', async () => {
    const { book } = prepare();

    const first = await book.update(key, undefined, memory(1));
    const second = await book.update(key, first.state, memory(2));

    expect(first.state).toEqual({ ...fresh(key), version: 1, remembered: { value: 1 } });
    expect(second.state).toEqual({ ...fresh(key), version: 2, remembered: { value: 2 } });
    expect((await book.read(fn, ['arn:s'])).states.get('arn:s')).toEqual(second.state);
  });

  it('writes once and reads nothing where the known state is the stored one', async () => {
    const { book, calls } = prepare();
    await book.update(key, fresh(key), memory(1));
    expect(calls).toEqual(['putIfVersion']);
  });

  it('applies the transition anew to what another writer has stored', async () => {
    const { book } = prepare();
    const { state: old } = await book.update(key, undefined, memory(1));
    await book.update(key, old, (state) => ({ state: hold(state, { reason: 'r', by: 'ann' }, start) }));

    const { state } = await book.update(key, old, memory(3));

    expect(state).toMatchObject({ version: 3, hold: { by: 'ann' }, remembered: { value: 3 } });
  });

  it('returns a refusal, whether found at once or after losing a race, and writes nothing', async () => {
    const { book, table } = prepare();
    const refuseOnceStored = (state: ResourceState) =>
      state.version > 0 ? { refusal: { reason: 'held' } as const } : { state: remember(state, {}) };
    await book.update(key, undefined, memory(1));
    const rows = table.rows();

    expect(await book.update(key, undefined, refuseOnceStored)).toEqual({ refusal: { reason: 'held' } });
    expect(await book.update(key, fresh(key), refuseOnceStored)).toEqual({ refusal: { reason: 'held' } });
    expect(table.rows()).toEqual(rows);
  });

  it('passes on what the transition found out beside the state', async () => {
    const { book } = prepare();
    const result = await book.update(key, undefined, (state) => ({ state: remember(state, {}), lease: 'mine' }));
    expect(result).toMatchObject({ lease: 'mine', state: { version: 1 } });
  });

  it('writes nothing where the transition changes nothing', async () => {
    const { book, table } = prepare();
    expect(await book.update(key, undefined, (state) => ({ state: release(state) }))).toEqual({ state: fresh(key) });
    expect(table.rows()).toEqual([]);
  });

  it('recognises its own write where the SDK lost the answer and repeated it', async () => {
    const { book, calls } = prepare(['repeated']);
    let times = 0;

    const { state } = await book.update(key, fresh(key), (before) => ({ state: remember(before, { value: ++times }) }));

    expect(state).toMatchObject({ version: 1, remembered: { value: 1 } });
    expect(calls).toEqual(['putIfVersion', 'getMany']);
  });

  it('starts over from nothing where the item has expired meanwhile', async () => {
    const { book } = prepare();
    const { state } = await book.update(key, { ...fresh(key), version: 7, remembered: { old: true } }, (before) => ({
      state: remember(before, { was: before.version }),
    }));
    expect(state).toEqual({ ...fresh(key), version: 1, remembered: { was: 0 } });
  });

  it('gives up after ten lost races and names the resource', async () => {
    const { book, table } = prepare();
    let tries = 0;
    const lose: Table = { ...table, putIfVersion: async () => ++tries < 0 };

    const losing = ledger({ table: lose, clock: () => start }).update(key, undefined, memory(1));

    await expect(losing).rejects.toBeInstanceOf(LedgerConflict);
    await expect(losing).rejects.toHaveProperty('name', 'LedgerConflict');
    await expect(losing).rejects.toThrow('reshard-kinesis arn:s: 10 writes in a row');
    expect(tries).toBe(10);
    expect((await book.read(fn, ['arn:s'])).states.get('arn:s')).toEqual(fresh(key));
  });

  it('wins on the tenth try', async () => {
    const { table } = prepare();
    let tries = 0;
    const slow: Table = {
      ...table,
      putIfVersion: async (item, expected) => ++tries === 10 && table.putIfVersion(item, expected),
    };
    expect(await ledger({ table: slow, clock: () => start }).update(key, undefined, memory(1))).toMatchObject({
      state: { version: 1 },
    });
  });

  it('throws what the table throws', async () => {
    const { book } = prepare(['throttled']);
    await expect(book.update(key, fresh(key), memory(1))).rejects.toThrow('ThrottlingException');
  });
});

describe('attention', () => {
  it('lists open incidents and holds of one function, and neither what is quiet nor what was closed', async () => {
    const { book } = prepare();
    const change = (resource: string, to: (state: ResourceState) => ResourceState, of = fn) =>
      book.update({ fn: of, resource }, undefined, (state) => ({ state: to(state) }));
    await change('arn:open', (state) => awaitCheck(state, deferral, start));
    await change('arn:held', (state) => hold(state, { reason: 'r', by: 'ann' }, start));
    await change('arn:quiet', (state) => remember(state, {}));
    await change('arn:released', (state) => hold(state, { reason: 'r', by: 'ann' }, start));
    await change('arn:released', release);
    await change('arn:foreign', (state) => awaitCheck(state, deferral, start), 'other');

    expect((await book.attention(fn)).map(({ resource }) => resource).sort()).toEqual(['arn:held', 'arn:open']);
  });

  it('spreads a storm over the index, so that no partition of it takes more than a fifth', async () => {
    const { book, table } = prepare();
    const arns = Array.from(
      { length: 1_000 },
      (_, i) => `arn:aws:ecs:eu-west-1:111122223333:task/prod/${i.toString(16)}`,
    );
    for (const resource of arns) {
      await book.update({ fn, resource }, undefined, (state) => ({ state: awaitCheck(state, deferral, start) }));
    }

    const shares = [...Map.groupBy(table.rows(), ({ attention }) => attention)].map(([, rows]) => rows.length);
    expect(shares).toHaveLength(8);
    expect(Math.max(...shares)).toBeLessThan(200);
    expect((await book.attention(fn)).map(({ resource }) => resource).sort()).toEqual([...arns].sort());
  });

  it('finds what was written under the function alone, and moves it with its next write', async () => {
    const { book, table } = prepare();
    const open = { ...awaitCheck(fresh(key), deferral, start), version: 1 };
    await table.put({
      pk: `${fn}#${key.resource}`,
      sk: 'state',
      body: JSON.stringify(open),
      version: 1,
      attention: fn,
    });

    const [found] = await book.attention(fn);
    await book.update(key, undefined, (state) => ({ state: hold(state, { reason: 'r', by: 'ann' }, start) }));

    expect(found).toEqual(open);
    expect(table.rows()).toMatchObject([{ attention: expect.stringMatching(`^${fn}#[0-7]$`) }]);
    expect(await book.attention(fn)).toHaveLength(1);
  });

  it('shows what moves while it is looked for once, as it was stored last', async () => {
    const { book, table } = prepare();
    const open = { ...awaitCheck(fresh(key), deferral, start), version: 1 };
    const twice: Table = {
      ...table,
      queryAttention: async (name) =>
        [1, 2]
          .filter((version) => (version === 1) === (name === fn) && (name === fn || name === `${fn}#0`))
          .map((version) => ({ pk: '', sk: '', marks: {}, body: JSON.stringify({ ...open, version }) })),
    };

    expect(await ledger({ table: twice, clock: () => start }).attention(fn)).toEqual([{ ...open, version: 2 }]);
    expect(await book.attention(fn)).toEqual([]);
  });

  it('keeps what needs attention for ever, and the rest for 90 days after its last change', async () => {
    const { book, table } = prepare();
    await book.update(key, undefined, (state) => ({ state: hold(state, { reason: 'r', by: 'ann' }, start) }));
    expect(table.rows()).toMatchObject([{ attention: expect.stringMatching(`^${fn}#[0-7]$`) }]);
    expect(table.rows()[0]).not.toHaveProperty('expiresAt');

    await book.update(key, undefined, (state) => ({ state: release(state) }));
    expect(table.rows()).toMatchObject([{ expiresAt: (start + 90 * day) / 1000 }]);
    expect(table.rows()[0]).not.toHaveProperty('attention');
  });
});

describe('findStates', () => {
  it('finds states by a part of function or resource, and no history', async () => {
    const { book } = prepare();
    await book.update(key, undefined, memory(1));
    await book.update({ fn: 'other', resource: 'arn:t' }, undefined, memory(2));
    await book.record(record);

    expect((await book.findStates('arn:s')).map((state) => state.resource)).toEqual(['arn:s']);
    expect((await book.findStates('arn:')).map((state) => state.resource)).toEqual(['arn:s', 'arn:t']);
    expect(await book.findStates('nowhere')).toEqual([]);
  });
});

describe('modes', () => {
  it('are listed with who set them and when', async () => {
    const { book, time } = prepare();
    await book.setMode('*', 'off', 'ann');
    time.now += 5;
    await book.setMode('*', 'on', 'bob');

    expect(await book.getModes()).toEqual([{ scope: '*', mode: 'on', by: 'bob', at: start + 5 }]);
  });
});

describe('history', () => {
  const at = (ms: number, suffix: string): HistoryRecord => ({
    ...record,
    recordId: recordId(start + ms, suffix),
    at: start + ms,
  });

  it('names records so that they sort by time', () => {
    expect(recordId(0, 'x')).toBe('1970-01-01T00:00:00.000Z#x');
  });

  it('comes back newest first, no more than asked for, and only that of the resource', async () => {
    const { book } = prepare();
    for (const each of [at(2, 'c'), at(0, 'a'), at(1, 'b')]) await book.record(each);
    await book.record({ ...record, resource: 'arn:other' });
    await book.update(key, undefined, memory(1));

    expect(await book.history(key, { limit: 2 })).toEqual([at(2, 'c'), at(1, 'b')]);
    expect(await book.history(key, { limit: 9 })).toHaveLength(3);
  });

  it('expires after 90 days', async () => {
    const { book, table } = prepare();
    await book.record({ ...record, at: start + 1 });
    expect(table.rows()).toMatchObject([{ expiresAt: (start + 90 * day) / 1000 + 1 }]);
  });

  it('overwrites an unresolved record with the result, and never a result with an unresolved one', async () => {
    const { book } = prepare();

    await book.recordUnresolved({ ...record, unresolved: true });
    expect(await book.history(key, { limit: 9 })).toEqual([{ ...record, unresolved: true }]);
    await book.record(record);
    await book.recordUnresolved({ ...record, unresolved: true });

    expect(await book.history(key, { limit: 9 })).toEqual([record]);
  });

  describe('of records too large for an item', () => {
    const room = 300_000 - JSON.stringify({ ...record, facts: '' }).length;
    const stored = async (large: HistoryRecord) => {
      const { book, table } = prepare();
      await book.record(large);
      expect(Buffer.byteLength(table.rows()[0]?.body ?? '')).toBeLessThanOrEqual(300_000);
      const [found] = await book.history(key, { limit: 1 });
      return found;
    };

    it('keeps facts of up to 300 KB and leaves out larger ones', async () => {
      const fits = { ...record, facts: 'x'.repeat(room) };
      expect(await stored(fits)).toEqual(fits);
      expect(await stored({ ...record, facts: 'x'.repeat(room + 1) })).toEqual({
        ...record,
        facts: { leftOut: `${room + 3} bytes` },
      });
    });

    it('counts bytes, not characters', async () => {
      const facts = 'é'.repeat(room / 2 + 1);
      expect((await stored({ ...record, facts }))?.facts).toEqual({ leftOut: `${Buffer.byteLength(facts) + 2} bytes` });
    });

    it('keeps the first 100 actions without parameters and the start of every text where facts are not all', async () => {
      const long = '\u0000'.repeat(30_000);
      const clipped = `${'\u0000'.repeat(400)}…`;
      const actions = Array.from({ length: 101 }, (_, i) => ({ call: `C${i}`, params: long, error: long }));

      const found = await stored({ ...record, trigger: long, cause: long, why: long, advice: long, actions });

      expect(found).toEqual({
        ...record,
        facts: { leftOut: '12 bytes' },
        trigger: clipped,
        cause: clipped,
        why: clipped,
        advice: clipped,
        actions: actions
          .slice(0, 100)
          .map(({ call }) => ({ call, params: { leftOut: '180002 bytes' }, error: clipped })),
      });
    });

    it('adds neither advice nor errors where there were none, and clips no text of 400 characters', async () => {
      const why = 'w'.repeat(400);
      const actions = [{ call: 'C', params: 'x'.repeat(300_000) }];

      expect(await stored({ ...record, why, actions })).toEqual({
        ...record,
        why,
        facts: { leftOut: '12 bytes' },
        actions: [{ call: 'C', params: { leftOut: '300002 bytes' } }],
      });
    });
  });
});
