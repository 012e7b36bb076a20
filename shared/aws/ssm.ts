import {
  type CommandInvocation,
  DescribeInstanceInformationCommand,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  type SendCommandRequest,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { client } from './client.ts';

/** SendCommand takes this many instances a call. */
export const commandsPerCall = 50;

/**
 * Runs a document on at most 50 instances; gives the command's id. There is no client token: the document must bear to run twice.
 * InvalidInstanceId where one of them is not registered, not online or going away: then it runs on none.
 * @iam ssm:SendCommand
 */
export const sendCommand = async (input: SendCommandRequest): Promise<string> => {
  const { Command } = await client(SSMClient, { maxAttempts: 1 }).send(new SendCommandCommand(input));
  return Command?.CommandId ?? '';
};

/**
 * Which of the instances (50 at most) Systems Manager knows, online or not.
 * @iam ssm:DescribeInstanceInformation
 */
export const registeredInstances = async (ids: readonly string[]): Promise<string[]> => {
  const answer = await client(SSMClient).send(
    new DescribeInstanceInformationCommand({ Filters: [{ Key: 'InstanceIds', Values: [...ids] }], MaxResults: 50 }),
  );
  return (answer.InstanceInformationList ?? []).flatMap(({ InstanceId }) => InstanceId ?? []);
};

/**
 * How a document has fared on every instance since epoch ms `since`, newest first; 50 a page, `pages` at most.
 * @iam ssm:ListCommandInvocations
 */
export const listCommandInvocations = async (
  document: string,
  since: number,
  pages: number,
): Promise<CommandInvocation[]> => {
  const found: CommandInvocation[] = [];
  let token: string | undefined;
  for (let page = 0; page < pages; page++) {
    const answer = await client(SSMClient).send(
      new ListCommandInvocationsCommand({
        Filters: [
          { key: 'DocumentName', value: document },
          { key: 'InvokedAfter', value: `${new Date(since).toISOString().slice(0, 19)}Z` },
        ],
        MaxResults: 50,
        ...(token !== undefined && { NextToken: token }),
      }),
    );
    found.push(...(answer.CommandInvocations ?? []));
    token = answer.NextToken || undefined;
    if (token === undefined) break;
  }
  return found;
};
