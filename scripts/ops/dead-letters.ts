import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { client } from '../../shared/aws/client.ts';
import { send } from '../../shared/aws/sqs.ts';
import { Stop } from './command.ts';

export interface DeadLetter {
  readonly id: string;
  readonly body: string;
  /** When it was first sent, epoch ms; 0: not said. */
  readonly sentAt: number;
  /** SQS's own attributes and the sender's, by name. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly receipt: string;
}

/** The dead-letter queue. Every method throws what SQS throws. */
export interface DeadLetters {
  /** Takes up to `most` messages and hides them from others for five minutes. */
  take(most: number): Promise<DeadLetter[]>;
  /** Shows a taken message again. */
  putBack(letter: DeadLetter): Promise<void>;
  remove(letter: DeadLetter): Promise<void>;
  send(queueUrl: string, body: string): Promise<void>;
}

const hiddenSeconds = 300;

/** The dead-letter queue of an inbox. @throws Stop where the inbox has none. */
export async function deadLettersOf(inboxUrl: string): Promise<DeadLetters> {
  const sqs = client(SQSClient);
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: inboxUrl, AttributeNames: ['RedrivePolicy'] }),
  );
  const { deadLetterTargetArn = '' } = JSON.parse(Attributes?.RedrivePolicy ?? '{}');
  const [, , , , account, name] = String(deadLetterTargetArn).split(':');
  if (account === undefined || name === undefined) {
    throw new Stop(`${inboxUrl} has no dead-letter queue.`, 'The stack was changed by hand; deploy it again.');
  }
  const { QueueUrl = '' } = await sqs.send(
    new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account }),
  );
  return {
    async take(most) {
      const taken: DeadLetter[] = [];
      while (taken.length < most) {
        // A wait of a second or more asks every server of the queue, so that an empty answer means an empty queue.
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl,
            MaxNumberOfMessages: Math.min(10, most - taken.length),
            VisibilityTimeout: hiddenSeconds,
            WaitTimeSeconds: 1,
            MessageSystemAttributeNames: ['All'],
            MessageAttributeNames: ['All'],
          }),
        );
        if (Messages.length === 0) break;
        taken.push(...Messages.map(toLetter));
      }
      return taken;
    },
    async putBack({ receipt }) {
      await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: receipt, VisibilityTimeout: 0 }));
    },
    async remove({ receipt }) {
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: receipt }));
    },
    async send(queueUrl, body) {
      await send(queueUrl, { body, delaySeconds: 0 });
    },
  };
}

function toLetter({ MessageId = '', Body = '', ReceiptHandle = '', Attributes = {}, ...message }: Message): DeadLetter {
  const own = Object.entries(message.MessageAttributes ?? {}).map(([key, { StringValue = '' }]) => [key, StringValue]);
  return {
    id: MessageId,
    body: Body,
    sentAt: Number(Attributes.SentTimestamp ?? 0),
    attributes: { ...Attributes, ...Object.fromEntries(own) },
    receipt: ReceiptHandle,
  };
}
