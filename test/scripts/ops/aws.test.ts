import { GetFunctionConfigurationCommand, LambdaClient, ResourceNotFoundException } from '@aws-sdk/client-lambda';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { deadLettersOf } from '../../../scripts/ops/dead-letters.ts';
import { stackAt, stackOfTable } from '../../../scripts/ops/stack.ts';
import { account, region } from '../../support/event-builders.ts';
import { deployed, fn, letter, now } from './terminal.ts';

const lambda = mockClient(LambdaClient);
const sqs = mockClient(SQSClient);
const queueUrl = `https://sqs.${region}.amazonaws.com/${account}/reflex-dead-letters`;
const { arn, inboxUrl } = deployed();
const clock = () => now;

beforeEach(() => {
  lambda.reset();
  sqs.reset();
  sqs.on(GetQueueAttributesCommand).resolves({
    Attributes: { RedrivePolicy: `{"deadLetterTargetArn":"arn:aws:sqs:${region}:${account}:reflex-dead-letters"}` },
  });
  sqs.on(GetQueueUrlCommand).resolves({ QueueUrl: queueUrl });
});

const missing = () => new ResourceNotFoundException({ $metadata: {}, Message: 'no', message: 'no' });

describe('the stack', () => {
  it('is found by its functions, which say what is in force', async () => {
    lambda.on(GetFunctionConfigurationCommand).rejects(missing());
    lambda.on(GetFunctionConfigurationCommand, { FunctionName: `team-${fn}` }).resolves({
      FunctionArn: arn,
      Environment: { Variables: { LEDGER_TABLE: 'ledger', INBOX_URL: inboxUrl, MODE: 'on' } },
    });
    const stack = await stackAt({ prefix: 'team', functions: [fn, 'drain-fargate'] }, clock);
    expect(stack.functions).toEqual([{ name: fn, arn, mode: 'on', inboxUrl }]);
  });

  it('that is not there is named, with the way out', async () => {
    lambda.on(GetFunctionConfigurationCommand).rejects(missing());
    await expect(stackAt({ prefix: 'team', functions: [fn] }, clock)).rejects.toMatchObject({
      message: expect.stringContaining(`team-${fn}`),
      hint: expect.stringContaining('--prefix'),
      exitCode: 1,
    });
  });

  it('whose function is another one of that name is refused', async () => {
    lambda.on(GetFunctionConfigurationCommand).resolves({ FunctionArn: arn, Environment: { Variables: {} } });
    await expect(stackAt({ prefix: 'reflex', functions: [fn] }, clock)).rejects.toThrow('lacks LEDGER_TABLE');
  });

  it('of a table alone has no functions and no queue', async () => {
    const stack = stackOfTable('ledger', clock);
    expect(stack.functions).toEqual([]);
    await expect(stack.deadLetters()).rejects.toThrow('no dead-letter queue');
  });
});

describe('the dead-letter queue', () => {
  it('is the one the inbox names', async () => {
    await deadLettersOf(inboxUrl);
    expect(sqs.commandCalls(GetQueueUrlCommand)[0]?.args[0].input).toEqual({
      QueueName: 'reflex-dead-letters',
      QueueOwnerAWSAccountId: account,
    });
  });

  it('of an inbox that has none is refused', async () => {
    sqs.on(GetQueueAttributesCommand).resolves({});
    await expect(deadLettersOf(inboxUrl)).rejects.toThrow('has no dead-letter queue');
  });

  it('is read until it is empty, every message hidden for five minutes', async () => {
    const message = (id: string) => ({
      MessageId: id,
      Body: '{}',
      ReceiptHandle: `receipt-${id}`,
      Attributes: { SentTimestamp: String(letter('a', '').sentAt), DeadLetterQueueSourceArn: 'arn' },
      MessageAttributes: { ERROR_CODE: { DataType: 'String', StringValue: 'X' } },
    });
    sqs
      .on(ReceiveMessageCommand)
      .resolvesOnce({ Messages: [message('a')] })
      .resolvesOnce({ Messages: [message('b')] })
      .resolves({});
    const letters = await (await deadLettersOf(inboxUrl)).take(100);
    const attributes = { DeadLetterQueueSourceArn: 'arn', ERROR_CODE: 'X' };
    expect(letters).toMatchObject([
      { ...letter('a', '{}'), attributes },
      { ...letter('b', '{}'), attributes },
    ]);
    expect(sqs.commandCalls(ReceiveMessageCommand)[0]?.args[0].input).toMatchObject({
      QueueUrl: queueUrl,
      VisibilityTimeout: 300,
      WaitTimeSeconds: 1,
      MaxNumberOfMessages: 10,
    });
  });

  it('gives no more than asked for', async () => {
    sqs.on(ReceiveMessageCommand).resolves({ Messages: [{ MessageId: 'a', Body: '{}', ReceiptHandle: 'r' }] });
    expect(await (await deadLettersOf(inboxUrl)).take(3)).toHaveLength(3);
  });

  it('puts back, removes and sends as told', async () => {
    sqs.on(SendMessageCommand).resolves({ MessageId: 'x' });
    const queue = await deadLettersOf(inboxUrl);
    await queue.putBack(letter('a', '{}'));
    await queue.remove(letter('b', '{}'));
    await queue.send(inboxUrl, 'body');
    const given = { QueueUrl: queueUrl, ReceiptHandle: 'receipt-a', VisibilityTimeout: 0 };
    expect(sqs.commandCalls(ChangeMessageVisibilityCommand)[0]?.args[0].input).toEqual(given);
    expect(sqs.commandCalls(DeleteMessageCommand)[0]?.args[0].input).toMatchObject({ ReceiptHandle: 'receipt-b' });
    expect(sqs.commandCalls(SendMessageCommand)[0]?.args[0].input).toMatchObject({
      QueueUrl: inboxUrl,
      MessageBody: 'body',
    });
  });
});
