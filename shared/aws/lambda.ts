import {
  GetAccountSettingsCommand,
  GetFunctionConcurrencyCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  PutFunctionConcurrencyCommand,
} from '@aws-sdk/client-lambda';
import { client } from './client.ts';

/** A Lambda function that an event source mapping feeds. */
export interface SourceConsumer {
  readonly functionName: string;
  readonly parallelizationFactor: number;
}

/** Functions an event source feeds through enabled mappings. */
export const listEventSourceConsumers = async (eventSourceArn: string): Promise<SourceConsumer[]> => {
  const consumers = new Map<string, SourceConsumer>();
  let marker: string | undefined;
  do {
    const page = await client(LambdaClient).send(
      new ListEventSourceMappingsCommand({
        EventSourceArn: eventSourceArn,
        ...(marker !== undefined && { Marker: marker }),
      }),
    );
    for (const { FunctionArn, ParallelizationFactor, State } of page.EventSourceMappings ?? []) {
      // arn:aws:lambda:region:account:function:name[:alias]; concurrency is reserved for the function, not an alias.
      const functionName = FunctionArn?.split(':')[6];
      if (functionName === undefined || State === 'Disabled' || State === 'Disabling') continue;
      consumers.set(functionName, { functionName, parallelizationFactor: ParallelizationFactor ?? 1 });
    }
    marker = page.NextMarker;
  } while (marker !== undefined);
  return [...consumers.values()];
};

/** Reserved concurrency of a function; null: unreserved. */
export const reservedConcurrency = async (functionName: string): Promise<number | null> => {
  const answer = await client(LambdaClient).send(new GetFunctionConcurrencyCommand({ FunctionName: functionName }));
  return answer.ReservedConcurrentExecutions ?? null;
};

/** Concurrency that no function has reserved; null: not said. Lambda refuses to go below 100. */
export const unreservedConcurrency = async (): Promise<number | null> => {
  const { AccountLimit } = await client(LambdaClient).send(new GetAccountSettingsCommand({}));
  return AccountLimit?.UnreservedConcurrentExecutions ?? null;
};

export const putFunctionConcurrency = async (input: {
  readonly FunctionName: string;
  readonly ReservedConcurrentExecutions: number;
}): Promise<void> => {
  await client(LambdaClient).send(new PutFunctionConcurrencyCommand(input));
};
