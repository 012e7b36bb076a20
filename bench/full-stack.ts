/** A module that a bundle imports, with the names it takes from it. */
export interface Imports {
  readonly client: string;
  readonly names: readonly string[];
}

const clientOf = ({ names }: Imports): string | undefined => names.find((name) => name.endsWith('Client'));

/**
 * A handler as the usual full stack has it, with the clients and commands of one of our functions and nothing of its work: all
 * utilities of Powertools with their instances, zod schemas for the envelope and the event, middy around the handler, every client
 * made at once and traced.
 */
export const fullStack = (imports: readonly Imports[]): string => {
  const lines = imports.map(({ client, names }, i) => {
    const own = names.map((name) => `${name} as n${i}${name}`);
    return `import { ${own.join(', ')} } from '${client}';`;
  });
  const kept = imports.map(
    ({ names }, i) => `globalThis.kept${i} = [${names.map((name) => `n${i}${name}`).join(', ')}];`,
  );
  const made = imports.flatMap((one, i) => {
    const name = clientOf(one);
    return name === undefined ? [] : [`tracer.captureAWSv3Client(new n${i}${name}({}))`];
  });
  return `
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware';
import { SSMProvider } from '@aws-lambda-powertools/parameters/ssm';
import { parse } from '@aws-lambda-powertools/parser';
import { EventBridgeSchema, SqsSchema } from '@aws-lambda-powertools/parser/schemas';
import { Tracer } from '@aws-lambda-powertools/tracer';
import { captureLambdaHandler } from '@aws-lambda-powertools/tracer/middleware';
import middy from '@middy/core';
import { z } from 'zod';
${lines.join('\n')}
const logger = new Logger({ serviceName: 'bench' });
const metrics = new Metrics({ namespace: 'bench' });
const tracer = new Tracer({ serviceName: 'bench' });
const clients = [${made.join(', ')}];
const parameters = new SSMProvider();
const persistenceStore = new DynamoDBPersistenceLayer({ tableName: 'bench' });
const config = new IdempotencyConfig({ eventKeyJmesPath: 'id' });
const event = EventBridgeSchema.extend({
  detail: z.object({ state: z.object({ value: z.enum(['OK', 'ALARM']), timestamp: z.iso.datetime() }) }),
});
const processor = new BatchProcessor(EventType.SQS);
const work = makeIdempotent(
  async (body) => [parse(body, undefined, event), clients.length, await parameters.get('bench')],
  { persistenceStore, config },
);
${kept.join('\n')}
export const handler = middy()
  .use(captureLambdaHandler(tracer))
  .use(injectLambdaContext(logger))
  .use(logMetrics(metrics))
  .handler((batch, context) => {
    parse(batch, undefined, SqsSchema);
    return processPartialResponse(batch, ({ body }) => work(JSON.parse(body)), processor, { context });
  });
`;
};
