import {
  type EventSourceMappingConfiguration,
  GetAccountSettingsCommand,
  GetFunctionConcurrencyCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  type ListEventSourceMappingsRequest,
  PutFunctionConcurrencyCommand,
} from '@aws-sdk/client-lambda';
import { client, isErrorNamed } from './client.ts';
import { allPages } from './pages.ts';

/** A Lambda function that event source mappings feed. */
export interface SourceConsumer {
  readonly functionName: string;
  /** Of all its mappings together: batches of one shard that may run at once. */
  readonly parallelizationFactor: number;
}

const IDLE = ['Disabling', 'Disabled', 'Deleting'];

/** Functions an event source feeds through enabled mappings. */
export const listEventSourceConsumers = async (eventSourceArn: string): Promise<SourceConsumer[]> => {
  const consumers = new Map<string, SourceConsumer>();
  for (const { FunctionArn, ParallelizationFactor, State } of await mappings({ EventSourceArn: eventSourceArn })) {
    // arn:aws:lambda:region:account:function:name[:alias]; concurrency is reserved for the function, not an alias.
    const functionName = FunctionArn?.split(':')[6];
    if (functionName === undefined || IDLE.includes(State ?? '')) continue;
    const others = consumers.get(functionName)?.parallelizationFactor ?? 0;
    consumers.set(functionName, { functionName, parallelizationFactor: others + (ParallelizationFactor ?? 1) });
  }
  return [...consumers.values()];
};

/** Whether enabled mappings feed a function from another event source, too. */
export const hasOtherSources = async (functionName: string, eventSourceArn: string): Promise<boolean> =>
  (await mappings({ FunctionName: functionName })).some(
    ({ EventSourceArn, State }) => EventSourceArn !== eventSourceArn && !IDLE.includes(State ?? ''),
  );

/**
 * Event source mappings, 100 a page.
 * @iam lambda:ListEventSourceMappings
 */
const mappings = (which: ListEventSourceMappingsRequest): Promise<EventSourceMappingConfiguration[]> =>
  allPages(async (Marker) => {
    const page = await client(LambdaClient).send(new ListEventSourceMappingsCommand({ ...which, Marker }));
    return { items: page.EventSourceMappings, next: page.NextMarker };
  });

/**
 * Reserved concurrency of a function; null: unreserved, undefined: the function is gone (its mappings may outlive it).
 * @iam lambda:GetFunctionConcurrency
 */
export const reservedConcurrency = async (functionName: string): Promise<number | null | undefined> => {
  try {
    const answer = await client(LambdaClient).send(new GetFunctionConcurrencyCommand({ FunctionName: functionName }));
    return answer.ReservedConcurrentExecutions ?? null;
  } catch (error) {
    if (isErrorNamed(error, 'ResourceNotFoundException')) return undefined;
    throw error;
  }
};

/**
 * Concurrency that no function has reserved; null: not said. Lambda refuses to go below 100.
 * @iam lambda:GetAccountSettings
 */
export const unreservedConcurrency = async (): Promise<number | null> => {
  const { AccountLimit } = await client(LambdaClient).send(new GetAccountSettingsCommand({}));
  return AccountLimit?.UnreservedConcurrentExecutions ?? null;
};

/**
 * Reserves concurrency for a function; Lambda refuses to leave the account fewer than 100 unreserved.
 * @iam lambda:PutFunctionConcurrency
 */
export const putFunctionConcurrency = async (input: {
  readonly FunctionName: string;
  readonly ReservedConcurrentExecutions: number;
}): Promise<void> => {
  await client(LambdaClient).send(new PutFunctionConcurrencyCommand(input));
};
