import {
  type AttributeValue,
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  type QueryCommandOutput,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { attemptsOf, isThrottle } from './client.ts';
import { chunksOf } from './pages.ts';

/**
 * The table: partition key `pk` (S), sort key `sk` (S), TTL attribute `expiresAt` (N, epoch s), and a sparse index `attention`
 * (partition key `attention` S, sort key `pk` S, projection ALL). `body` is JSON in one string: it comes back exactly as it went in,
 * without DynamoDB's limits on nesting (32 levels) and numbers. A mark is a number attribute of its own, so that concurrent writers
 * of different marks need neither a condition nor an existing map.
 */
export interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

/** An item as it is written. */
export interface Item extends ItemKey {
  readonly body: string;
  /** What `putIfVersion` compares. */
  readonly version?: number;
  /** Puts the item into the `attention` index under this name. */
  readonly attention?: string;
  /** Epoch s; DynamoDB deletes the item some time after it. */
  readonly expiresAt?: number;
}

/** An item as it is read. `body` is empty where only marks were ever set. */
export interface Found extends ItemKey {
  readonly body: string;
  readonly marks: Readonly<Record<string, number>>;
}

/** One table. Reads are consistent, except `queryAttention`. Every method rejects with the SDK's error where DynamoDB refuses the call. */
export interface Table {
  /** The items that exist, in no order: one BatchGetItem for every 100 distinct keys, in parallel. */
  getMany(keys: readonly ItemKey[]): Promise<Found[]>;
  put(item: Item): Promise<void>;
  /** Stores the item where the stored version is `expected` (0: where there is none) and says whether it did. */
  putIfVersion(item: Item, expected: number): Promise<boolean>;
  /**
   * Sets these marks and the expiry, leaves all else; creates the item where there is none. One UpdateItem for every 100 marks, in parallel.
   * Answers with the marks that were there before: of two writers who mark at once, one finds the other's.
   */
  mark(
    key: ItemKey,
    marks: Readonly<Record<string, number>>,
    expiresAt: number,
  ): Promise<Readonly<Record<string, number>>>;
  /** The items of one partition by sort key, newest (highest) first. */
  query(pk: string, options?: { readonly prefix?: string; readonly limit?: number }): Promise<Found[]>;
  /** The items with this `attention`. An index lags by a moment: read an item again before changing it. */
  queryAttention(name: string): Promise<Found[]>;
  /** Every item with this sort key whose partition key contains the text (not empty). Reads the whole table. */
  scan(sk: string, text: string): Promise<Found[]>;
}

const batchGetMax = 100;
const batchGetTries = 6;
/**
 * With the pauses of `runtime-env.ts` some two seconds, up to four where the SDK repeats it besides: a partition takes 1,000 KB a second, and
 * who acts in a storm has no more time.
 */
const writeRepetitions = 10;
/** Later repetitions wait no longer than this one. */
const longestPauseAt = 3;
/** An update expression holds 4 KB; `#mNN=:mNN,` takes at most 10 bytes. */
const marksPerUpdate = 100;
const markPrefix = 'mark#';

/**
 * The only place that builds DynamoDB commands. `pause` waits before the given repetition (1, 2, ...) of the keys a BatchGetItem left
 * unprocessed (throttling, or 16 MB), or of a throttled put; after five repetitions the read fails, after ten, the SDK's own included,
 * the put.
 * @iam dynamodb:BatchGetItem dynamodb:PutItem dynamodb:UpdateItem dynamodb:Query dynamodb:Scan
 */
export function dynamoTable(
  client: DynamoDBClient,
  tableName: string,
  pause: (repetition: number) => Promise<void>,
): Table {
  /** The SDK's own repetitions come out of a quota that a storm's throttles use up. A throttled write was not made. */
  async function patient(write: () => Promise<unknown>): Promise<void> {
    for (let tried = 0; ; ) {
      try {
        await write();
        return;
      } catch (error) {
        tried += attemptsOf(error);
        if (!isThrottle(error) || tried > writeRepetitions) throw error;
        await pause(Math.min(tried, longestPauseAt));
      }
    }
  }

  async function getChunk(keys: readonly ItemKey[]): Promise<Found[]> {
    const items: Found[] = [];
    let left = keys.map(toKey);
    for (let tried = 0; tried < batchGetTries; tried++) {
      if (tried > 0) await pause(tried);
      const answer = await client.send(
        new BatchGetItemCommand({ RequestItems: { [tableName]: { Keys: left, ConsistentRead: true } } }),
      );
      items.push(...(answer.Responses?.[tableName] ?? []).map(toFound));
      left = answer.UnprocessedKeys?.[tableName]?.Keys ?? [];
      if (left.length === 0) return items;
    }
    throw new Error(
      `table ${tableName}: ${left.length} keys still unprocessed after ${batchGetTries} BatchGetItem calls; the table is throttled, try again later`,
    );
  }

  return {
    async getMany(keys) {
      const distinct = [...new Map(keys.map((key) => [JSON.stringify([key.pk, key.sk]), key])).values()];
      return (await Promise.all(chunksOf(distinct, batchGetMax).map(getChunk))).flat();
    },

    async put(item) {
      await patient(() => client.send(new PutItemCommand({ TableName: tableName, Item: toAttributes(item) })));
    },

    async putIfVersion(item, expected) {
      const condition =
        expected === 0
          ? { ConditionExpression: 'attribute_not_exists(#pk)', ExpressionAttributeNames: { '#pk': 'pk' } }
          : {
              ConditionExpression: '#version = :expected',
              ExpressionAttributeNames: { '#version': 'version' },
              ExpressionAttributeValues: { ':expected': { N: String(expected) } },
            };
      try {
        await patient(() =>
          client.send(new PutItemCommand({ TableName: tableName, Item: toAttributes(item), ...condition })),
        );
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    },

    async mark(key, marks, expiresAt) {
      const update = async (chunk: readonly [string, number][]): Promise<[string, number][]> => {
        const { Attributes: old = {} } = await client.send(
          new UpdateItemCommand({
            TableName: tableName,
            Key: toKey(key),
            UpdateExpression: `SET #expiresAt = :expiresAt, ${chunk.map((_, i) => `#m${i} = :m${i}`).join(', ')}`,
            ExpressionAttributeNames: {
              '#expiresAt': 'expiresAt',
              ...Object.fromEntries(chunk.map(([name], i) => [`#m${i}`, markPrefix + name])),
            },
            ExpressionAttributeValues: {
              ':expiresAt': { N: String(expiresAt) },
              ...Object.fromEntries(chunk.map(([, value], i) => [`:m${i}`, { N: String(value) }])),
            },
            ReturnValues: 'ALL_OLD',
          }),
        );
        // What another piece of the same marks has just set was not there before.
        const own = new Set(chunk.map(([name]) => name));
        return Object.entries(toFound(old).marks).filter(([name]) => own.has(name) || !Object.hasOwn(marks, name));
      };
      const before = await Promise.all(chunksOf(Object.entries(marks), marksPerUpdate).map(update));
      return Object.fromEntries(before.flat());
    },

    query(pk, { prefix, limit } = {}) {
      const named = { ExpressionAttributeNames: { '#pk': 'pk' }, ExpressionAttributeValues: { ':pk': { S: pk } } };
      const keys =
        prefix === undefined
          ? { ...named, KeyConditionExpression: '#pk = :pk' }
          : {
              KeyConditionExpression: '#pk = :pk AND begins_with(#sk, :prefix)',
              ExpressionAttributeNames: { ...named.ExpressionAttributeNames, '#sk': 'sk' },
              ExpressionAttributeValues: { ...named.ExpressionAttributeValues, ':prefix': { S: prefix } },
            };
      const input = { TableName: tableName, ConsistentRead: true, ScanIndexForward: false, Limit: limit, ...keys };
      return pages((from) => client.send(new QueryCommand({ ...input, ExclusiveStartKey: from })), limit);
    },

    queryAttention(name) {
      const input = {
        TableName: tableName,
        IndexName: 'attention',
        KeyConditionExpression: '#attention = :name',
        ExpressionAttributeNames: { '#attention': 'attention' },
        ExpressionAttributeValues: { ':name': { S: name } },
      };
      return pages((from) => client.send(new QueryCommand({ ...input, ExclusiveStartKey: from })));
    },

    scan(sk, text) {
      const input = {
        TableName: tableName,
        ConsistentRead: true,
        FilterExpression: '#sk = :sk AND contains(#pk, :text)',
        ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
        ExpressionAttributeValues: { ':sk': { S: sk }, ':text': { S: text } },
      };
      return pages((from) => client.send(new ScanCommand({ ...input, ExclusiveStartKey: from })));
    },
  };
}

type Attributes = Record<string, AttributeValue>;

/** All pages, or as many as hold `limit` items: a page ends at 1 MB. */
async function pages(
  next: (from: Attributes | undefined) => Promise<Pick<QueryCommandOutput, 'Items' | 'LastEvaluatedKey'>>,
  limit = Number.POSITIVE_INFINITY,
): Promise<Found[]> {
  const items: Found[] = [];
  let from: Attributes | undefined;
  do {
    const page = await next(from);
    items.push(...(page.Items ?? []).map(toFound));
    from = page.LastEvaluatedKey;
  } while (from !== undefined && items.length < limit);
  return items.slice(0, limit);
}

function toKey({ pk, sk }: ItemKey): Attributes {
  return { pk: { S: pk }, sk: { S: sk } };
}

function toAttributes({ body, version, attention, expiresAt, ...key }: Item): Attributes {
  return {
    ...toKey(key),
    body: { S: body },
    ...(version !== undefined && { version: { N: String(version) } }),
    ...(attention !== undefined && { attention: { S: attention } }),
    ...(expiresAt !== undefined && { expiresAt: { N: String(expiresAt) } }),
  };
}

function toFound(attributes: Attributes): Found {
  const marks = Object.entries(attributes).filter(([name]) => name.startsWith(markPrefix));
  return {
    pk: attributes.pk?.S ?? '',
    sk: attributes.sk?.S ?? '',
    body: attributes.body?.S ?? '',
    marks: Object.fromEntries(marks.map(([name, value]) => [name.slice(markPrefix.length), Number(value.N)])),
  };
}
