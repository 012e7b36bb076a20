import { createHash } from 'node:crypto';
import { AwsError, type Service } from '../../test/support/fake-aws/service.ts';

type Value = { readonly S?: string; readonly N?: string };
type Attributes = Readonly<Record<string, Value>>;

interface Write {
  readonly TableName: string;
  readonly Item: Attributes;
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeValues?: Attributes;
}

interface Update {
  readonly Key: Attributes;
  readonly ExpressionAttributeNames: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues: Attributes;
}

interface Query {
  readonly IndexName?: string;
  readonly ExpressionAttributeValues: Attributes;
}

/** What a new on-demand table takes a second: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html */
const WRITES = 4_000;
const READS = 12_000;
/** What one partition takes a second, of a table or an index. An index of so many writes has as many partitions, and a name is in one. */
const PARTITION_WRITES = 1_000;

/**
 * DynamoDB as far as the ledger speaks to it: conditional puts, updates, consistent reads, the index. Writes are charged by the KB, in
 * the table and in the index, and refused beyond what a new on-demand table and an index partition take.
 */
export const fakeDynamodb = (clock: () => number) => {
  const items = new Map<string, Attributes>();
  const writes = units(clock, WRITES);
  const reads = units(clock, READS);
  const index = Array.from({ length: WRITES / PARTITION_WRITES }, () => units(clock, PARTITION_WRITES));
  const partitionOf = (name: string) => index[createHash('md5').update(name).digest().readUInt32BE() % index.length];
  const idOf = ({ pk, sk }: Attributes): string => `${pk?.S}\n${sk?.S}`;
  const sizeOf = (item: Attributes): number =>
    Object.entries(item).reduce((sum, [name, { S = '', N = '' }]) => sum + name.length + S.length + N.length, 0);

  const store = (item: Attributes): object => {
    const cost = Math.ceil(sizeOf(item) / 1_024);
    const before = items.get(idOf(item))?.attention?.S;
    for (const name of new Set([before, item.attention?.S])) if (name !== undefined) partitionOf(name)?.(cost);
    writes(cost);
    items.set(idOf(item), item);
    return {};
  };

  const service: Service = {
    name: 'dynamodb',
    operations: {
      PutItem: ({ Item, ConditionExpression = '', ExpressionAttributeValues = {} }: Write) => {
        const stored = items.get(idOf(Item));
        const holds = ConditionExpression.includes('attribute_not_exists')
          ? stored === undefined
          : ConditionExpression === '' || stored?.version?.N === ExpressionAttributeValues[':expected']?.N;
        if (!holds) {
          throw new AwsError('ConditionalCheckFailedException', 'The conditional request failed');
        }
        return store(Item);
      },
      UpdateItem: ({ Key, ExpressionAttributeNames: names, ExpressionAttributeValues: values }: Update) => {
        const set = Object.entries(names).map(([alias, name]): [string, Value] => [
          name,
          values[alias.replace('#', ':')] ?? {},
        ]);
        const old = items.get(idOf(Key));
        store({ ...old, ...Key, ...Object.fromEntries(set) });
        return old === undefined ? {} : { Attributes: old };
      },
      BatchGetItem: ({ RequestItems }: { RequestItems: Record<string, { Keys: readonly Attributes[] }> }) => ({
        Responses: Object.fromEntries(
          Object.entries(RequestItems).map(([table, { Keys }]) => {
            const found = Keys.map((key) => items.get(idOf(key))).filter((item) => item !== undefined);
            reads(Math.max(Keys.length, ...found.map((item) => Math.ceil(sizeOf(item) / 4_096))));
            return [table, found];
          }),
        ),
        UnprocessedKeys: {},
      }),
      Query: ({ IndexName, ExpressionAttributeValues: values }: Query) => ({
        Items: [...items.values()].filter((item) =>
          IndexName === undefined
            ? item.pk?.S === values[':pk']?.S && (item.sk?.S ?? '').startsWith(values[':prefix']?.S ?? '')
            : item.attention?.S === values[':name']?.S,
        ),
      }),
    },
  };
  return { service, items };
};

/** Capacity units: a second's worth at once, then as many a second. */
const units = (clock: () => number, perSecond: number) => {
  let left = perSecond;
  let at = clock();
  return (cost: number): void => {
    left = Math.min(perSecond, left + ((clock() - at) / 1_000) * perSecond);
    at = clock();
    if (left < cost) {
      throw new AwsError('ProvisionedThroughputExceededException', 'The level of configured throughput was exceeded.');
    }
    left -= cost;
  };
};
