import {
  BatchGetItemCommand,
  DynamoDBClient,
  ProvisionedThroughputExceededException,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dynamoTable, type Found, type ItemKey, type Table } from '../../../shared/aws/dynamodb.ts';
import { ledger } from '../../../shared/ledger/ledger.ts';
import { type Dynalite, startDynalite } from '../../support/dynalite.ts';
import { memoryTable } from '../../support/memory-table.ts';

const noPause = async () => {};

describe('dynamoTable on the wire', () => {
  const mock = mockClient(DynamoDBClient);
  const table = dynamoTable(new DynamoDBClient({ region: 'eu-west-1' }), 'Ledger', noPause);
  const keys = (count: number): ItemKey[] => Array.from({ length: count }, (_, i) => ({ pk: `p${i}`, sk: 's' }));
  const keysAsked = () =>
    mock.commandCalls(BatchGetItemCommand).map((call) => call.args[0].input.RequestItems?.Ledger?.Keys?.length);
  const inputsOf = (command: Parameters<typeof mock.commandCalls>[0]) =>
    mock.commandCalls(command).map((call) => call.args[0].input);
  afterEach(() => mock.reset());
  afterAll(() => mock.restore());

  /** Answers a BatchGetItem with every key it asks for, but no more than `served` of them. */
  const serve = (served: number) => (input: { RequestItems?: Record<string, { Keys?: object[] | undefined }> }) => {
    const asked = input.RequestItems?.Ledger?.Keys ?? [];
    return {
      Responses: { Ledger: asked.slice(0, served) },
      UnprocessedKeys: asked.length > served ? { Ledger: { Keys: asked.slice(served) } } : {},
    };
  };

  it('reads 30 resources for the guards in one consistent BatchGetItem', async () => {
    mock.on(BatchGetItemCommand).resolves({});
    const resources = Array.from({ length: 30 }, (_, i) => `arn:${i}`);

    const view = await ledger({ table, clock: () => 7_200_000 }).read('fn', resources);

    expect(view.states.size).toBe(30);
    expect(mock.calls()).toHaveLength(1);
    expect(inputsOf(BatchGetItemCommand)).toEqual([
      {
        RequestItems: {
          Ledger: {
            ConsistentRead: true,
            Keys: [
              { pk: { S: 'mode' }, sk: { S: '*' } },
              { pk: { S: 'mode' }, sk: { S: 'fn' } },
              { pk: { S: 'pulse' }, sk: { S: 'fn#2' } },
              { pk: { S: 'pulse' }, sk: { S: 'fn#1' } },
              ...resources.map((arn) => ({ pk: { S: `fn#${arn}` }, sk: { S: 'state' } })),
            ],
          },
        },
      },
    ]);
  });

  it('reads 150 keys in two BatchGetItem calls of 100 and 50 that run at the same time', async () => {
    let running = 0;
    let most = 0;
    mock.on(BatchGetItemCommand).callsFake(async (input) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      return serve(100)(input);
    });

    const found = await table.getMany(keys(150));

    expect(found.map(({ pk }) => pk)).toEqual(keys(150).map(({ pk }) => pk));
    expect(keysAsked()).toEqual([100, 50]);
    expect(most).toBe(2);
  });

  it('asks for 100 keys in one call, for none in none, and for the same key once', async () => {
    mock.on(BatchGetItemCommand).callsFake(serve(100));

    await table.getMany(keys(100));
    expect(mock.calls()).toHaveLength(1);
    await table.getMany([]);
    expect(mock.calls()).toHaveLength(1);
    await table.getMany([...keys(2), ...keys(2)]);
    expect(keysAsked()).toEqual([100, 2]);
  });

  it('asks again for unprocessed keys after a pause, and gives up after five repetitions', async () => {
    const pauses: number[] = [];
    const patient = dynamoTable(new DynamoDBClient({ region: 'eu-west-1' }), 'Ledger', async (n) => {
      pauses.push(n);
    });
    mock.on(BatchGetItemCommand).callsFake(serve(1));

    expect((await patient.getMany(keys(6))).map(({ pk }) => pk)).toEqual(keys(6).map(({ pk }) => pk));
    expect(pauses).toEqual([1, 2, 3, 4, 5]);
    await expect(patient.getMany(keys(7))).rejects.toThrow(
      'table Ledger: 1 keys still unprocessed after 6 BatchGetItem calls',
    );
  });

  it('writes a first version only where there is no item, a later one only over its predecessor', async () => {
    mock.on(PutItemCommand).resolves({});

    await table.putIfVersion({ pk: 'p', sk: 's', body: '{}', version: 1, expiresAt: 12 }, 0);
    await table.putIfVersion({ pk: 'p', sk: 's', body: '{}', version: 8, attention: 'fn' }, 7);
    await table.put({ pk: 'p', sk: 's', body: '{}' });

    const key = { pk: { S: 'p' }, sk: { S: 's' }, body: { S: '{}' } };
    expect(inputsOf(PutItemCommand)).toEqual([
      {
        TableName: 'Ledger',
        Item: { ...key, version: { N: '1' }, expiresAt: { N: '12' } },
        ConditionExpression: 'attribute_not_exists(#pk)',
        ExpressionAttributeNames: { '#pk': 'pk' },
      },
      {
        TableName: 'Ledger',
        Item: { ...key, version: { N: '8' }, attention: { S: 'fn' } },
        ConditionExpression: '#version = :expected',
        ExpressionAttributeNames: { '#version': 'version' },
        ExpressionAttributeValues: { ':expected': { N: '7' } },
      },
      { TableName: 'Ledger', Item: key },
    ]);
  });

  it('sets 100 marks in one UpdateItem and 101 in two', async () => {
    mock.on(UpdateItemCommand).resolves({});
    const marks = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`arn:${i}`, i]));

    await table.mark({ pk: 'pulse', sk: 'fn#1' }, marks(100), 9);
    expect(mock.calls()).toHaveLength(1);
    await table.mark({ pk: 'pulse', sk: 'fn#1' }, marks(101), 9);
    expect(mock.calls()).toHaveLength(3);
    expect(inputsOf(UpdateItemCommand)[2]).toEqual({
      TableName: 'Ledger',
      Key: { pk: { S: 'pulse' }, sk: { S: 'fn#1' } },
      UpdateExpression: 'SET #expiresAt = :expiresAt, #m0 = :m0',
      ExpressionAttributeNames: { '#expiresAt': 'expiresAt', '#m0': 'mark#arn:100' },
      ExpressionAttributeValues: { ':expiresAt': { N: '9' }, ':m0': { N: '100' } },
      ReturnValues: 'ALL_OLD',
    });
    expect(String(inputsOf(UpdateItemCommand)[0]?.UpdateExpression).length).toBeLessThan(4096);
  });

  it('answers with the marks that were there before, and takes none of its own for one', async () => {
    const marks = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`new-${i}`, 2]));
    // The second UpdateItem finds what the first has set.
    mock
      .on(UpdateItemCommand)
      .resolvesOnce({ Attributes: { 'mark#old': { N: '1' }, 'mark#new-7': { N: '1' } } })
      .resolvesOnce({ Attributes: { 'mark#old': { N: '1' }, 'mark#new-7': { N: '1' }, 'mark#new-8': { N: '2' } } });

    expect(await table.mark({ pk: 'p', sk: 's' }, marks, 9)).toEqual({ old: 1, 'new-7': 1 });
  });

  it('reads every page of a query, an index and a scan, and stops at the limit', async () => {
    const page = (pk: string, more: boolean) => ({
      Items: [{ pk: { S: pk } }, { pk: { S: `${pk}2` } }],
      ...(more && { LastEvaluatedKey: { pk: { S: pk } } }),
    });
    for (const command of [QueryCommand, ScanCommand]) {
      mock.on(command).resolvesOnce(page('a', true)).resolvesOnce(page('b', false));
      const all = command === QueryCommand ? await table.queryAttention('fn') : await table.scan('state', 'x');
      expect(all.map(({ pk }) => pk)).toEqual(['a', 'a2', 'b', 'b2']);
      expect(inputsOf(command).map((input) => input.ExclusiveStartKey)).toEqual([undefined, { pk: { S: 'a' } }]);
      mock.reset();
    }
    mock.on(QueryCommand).resolves(page('a', true));
    expect(await table.query('p', { limit: 3 })).toHaveLength(3);
    expect(mock.calls()).toHaveLength(2);
    expect(await table.query('p', { limit: 2 })).toHaveLength(2);
    expect(mock.calls()).toHaveLength(3);
    expect(inputsOf(QueryCommand)[2]).toMatchObject({ Limit: 2, ConsistentRead: true, ScanIndexForward: false });
  });

  it('aliases every attribute name and value in every expression, and declares no more than it uses', async () => {
    mock.onAnyCommand().resolves({});

    await table.putIfVersion({ pk: 'p', sk: 's', body: '' }, 0);
    await table.putIfVersion({ pk: 'p', sk: 's', body: '' }, 1);
    await table.mark({ pk: 'p', sk: 's' }, { status: 1 }, 2);
    await table.query('p');
    await table.query('p', { prefix: 'x' });
    await table.queryAttention('fn');
    await table.scan('state', 'x');

    const inputs = mock.calls().map((call): Record<string, unknown> => ({ ...call.args[0].input }));
    expect(inputs).toHaveLength(7);
    for (const input of inputs) {
      const expressions = Object.entries(input).filter(([name]) => name.endsWith('Expression'));
      const words = expressions.flatMap(([, text]) => String(text).match(/[#:]?\w+/g) ?? []);
      const bare = words.filter((word) => !/^[#:]/.test(word));
      const declared = [input.ExpressionAttributeNames, input.ExpressionAttributeValues].flatMap((names) =>
        Object.keys(names ?? {}),
      );
      expect(expressions).toHaveLength(1);
      expect(['SET', 'AND', 'attribute_not_exists', 'begins_with', 'contains']).toEqual(expect.arrayContaining(bare));
      expect(declared.sort()).toEqual([...new Set(words.filter((word) => /^[#:]/.test(word)))].sort());
    }
  });

  it('tells a failed condition by its value and throws every other refusal', async () => {
    mock
      .on(PutItemCommand)
      .rejects(new ProvisionedThroughputExceededException({ message: 'slow down', $metadata: {} }));

    await expect(table.putIfVersion({ pk: 'p', sk: 's', body: '' }, 1)).rejects.toThrow('slow down');
  });

  it('repeats a throttled write after a pause, and gives up after ten repetitions', async () => {
    const pauses: number[] = [];
    const patient = dynamoTable(new DynamoDBClient({ region: 'eu-west-1' }), 'Ledger', async (n) => {
      pauses.push(n);
    });
    const throttled = new ProvisionedThroughputExceededException({ message: 'slow down', $metadata: {} });
    mock.on(PutItemCommand).rejectsOnce(throttled).rejectsOnce(throttled).resolvesOnce({}).rejects(throttled);

    await patient.put({ pk: 'p', sk: 's', body: '' });
    const repeated = [...pauses];
    await expect(patient.put({ pk: 'p', sk: 's', body: '' })).rejects.toThrow('slow down');

    expect(repeated).toEqual([1, 2]);
    expect(pauses.slice(2)).toEqual([1, 2, 3, 3, 3, 3, 3, 3, 3, 3]);
    expect(mock.commandCalls(PutItemCommand)).toHaveLength(3 + 11);
  });

  it('counts what the SDK has repeated itself, so that a write takes no longer for it', async () => {
    const pauses: number[] = [];
    const patient = dynamoTable(new DynamoDBClient({ region: 'eu-west-1' }), 'Ledger', async (n) => {
      pauses.push(n);
    });
    const $metadata = { attempts: 3 };
    mock.on(PutItemCommand).rejects(new ProvisionedThroughputExceededException({ message: 'slow down', $metadata }));

    await expect(patient.put({ pk: 'p', sk: 's', body: '' })).rejects.toThrow('slow down');

    expect(pauses).toEqual([3, 3, 3]);
    expect(mock.commandCalls(PutItemCommand)).toHaveLength(4);
  });

  it('does not repeat a write whose answer did not come: it may have been made', async () => {
    mock.on(PutItemCommand).rejects(Object.assign(new Error('no answer'), { name: 'TimeoutError' }));

    await expect(table.put({ pk: 'p', sk: 's', body: '' })).rejects.toThrow('no answer');
    expect(mock.commandCalls(PutItemCommand)).toHaveLength(1);
  });
});

describe('dynamoTable against an emulator', () => {
  let dynalite: Dynalite;
  let tables = 0;
  beforeAll(async () => {
    dynalite = await startDynalite();
  });
  afterAll(() => dynalite.stop());

  async function emulated(): Promise<Table> {
    const name = `Ledger${tables++}`;
    await dynalite.createTable(name);
    return dynamoTable(dynalite.client, name, noPause);
  }

  const key = fc.record({ pk: fc.constantFrom('a', 'ab', 'b'), sk: fc.constantFrom('state', 'record#1', 'record#2') });
  const item = fc
    .record(
      {
        body: fc.oneof(fc.constant(''), fc.json()),
        version: fc.integer({ min: 1, max: 3 }),
        attention: fc.constantFrom('f', 'g'),
        expiresAt: fc.nat(),
      },
      { requiredKeys: ['body'] },
    )
    .chain((rest) => key.map((itsKey) => ({ ...itsKey, ...rest })));
  const marks = fc.dictionary(fc.constantFrom('arn:1', 'arn:2', 'status'), fc.nat(), { maxKeys: 3 });
  const sorted = (items: Found[]) => items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

  /** One random call, applied to either table; what it answers must not tell which it was. */
  const call = fc.oneof<fc.WeightedArbitrary<(table: Table) => Promise<unknown>>[]>(
    { weight: 2, arbitrary: item.map((it) => (table: Table) => table.put(it)) },
    {
      weight: 6,
      arbitrary: fc.tuple(item, fc.integer({ min: 0, max: 3 })).map(
        ([it, expected]) =>
          (table: Table) =>
            table.putIfVersion(it, expected),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(key, marks).map(
        ([at, set]) =>
          (table: Table) =>
            table.mark(at, set, 5),
      ),
    },
    {
      weight: 2,
      arbitrary: fc
        .array(key, { maxLength: 5 })
        .map((keys) => async (table: Table) => sorted(await table.getMany(keys))),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(
          fc.constantFrom('a', 'ab', 'none'),
          fc.record(
            { prefix: fc.constantFrom('record#', 's'), limit: fc.integer({ min: 1, max: 3 }) },
            { requiredKeys: [] },
          ),
        )
        .map(
          ([pk, options]) =>
            (table: Table) =>
              table.query(pk, options),
        ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('f', 'g').map((fn) => async (table: Table) => sorted(await table.queryAttention(fn))),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('a', 'b', 'x')
        .map((text) => async (table: Table) => sorted(await table.scan('state', text))),
    },
  );

  it('answers every sequence of calls as the model in memory does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 5, maxLength: 25 }), async (calls) => {
        const real = await emulated();
        const model = memoryTable();
        for (const run of calls) expect(await run(model)).toEqual(await run(real));
      }),
      { numRuns: 60 },
    );
  });

  it('lets exactly one of many simultaneous writers of a version win', async () => {
    const table = await emulated();
    const race = (version: number) =>
      Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          table.putIfVersion({ pk: 'p', sk: 's', body: `${i}`, version }, version - 1),
        ),
      );

    for (const version of [1, 2, 3]) expect((await race(version)).filter((won) => won)).toHaveLength(1);
  });

  it('gives back any text, deep nesting and odd numbers as they were stored', async () => {
    const table = await emulated();
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 40 }), async (body) => {
        await table.put({ pk: 'p', sk: 's', body });
        expect(await table.getMany([{ pk: 'p', sk: 's' }])).toEqual([{ pk: 'p', sk: 's', body, marks: {} }]);
      }),
      { numRuns: 50 },
    );
  });
});
