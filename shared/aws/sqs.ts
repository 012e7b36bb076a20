import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { client } from './client.ts';
import { chunksOf } from './pages.ts';

/** SQS delays a message at most 15 minutes. */
export const maxDelaySeconds = 900;

export interface QueueMessage {
  readonly body: string;
  /** A longer delay than SQS allows is cut to 15 minutes: the message must say itself when it is due. */
  readonly delaySeconds: number;
}

export interface SendFailure {
  /** Index into the messages that were given. */
  readonly index: number;
  readonly message: string;
}

/**
 * Sends one message; gives its id. Throws what SQS throws.
 * @iam sqs:SendMessage
 */
export async function send(queueUrl: string, { body, delaySeconds }: QueueMessage): Promise<string> {
  const { MessageId } = await client(SQSClient).send(
    new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body, DelaySeconds: allowed(delaySeconds) }),
  );
  return MessageId ?? '';
}

/**
 * Sends any number of messages, ten a call (SQS). Never throws: gives those that were not sent, in order.
 * @iam sqs:SendMessage
 */
export async function sendBatch(queueUrl: string, messages: readonly QueueMessage[]): Promise<SendFailure[]> {
  const entries = messages.map(({ body, delaySeconds }, index) => ({
    Id: String(index),
    MessageBody: body,
    DelaySeconds: allowed(delaySeconds),
  }));
  const failures: SendFailure[] = [];
  for (const batch of chunksOf(entries, 10)) {
    try {
      const { Failed = [] } = await client(SQSClient).send(
        new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: batch }),
      );
      for (const { Id, Code, Message } of Failed) {
        failures.push({ index: Number(Id), message: Message === undefined ? `${Code}` : `${Code}: ${Message}` });
      }
    } catch (error) {
      for (const { Id } of batch) failures.push({ index: Number(Id), message: String(error) });
    }
  }
  return failures.sort((a, b) => a.index - b.index);
}

function allowed(seconds: number): number {
  return Math.min(maxDelaySeconds, Math.max(0, Math.ceil(seconds)));
}
