import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { client } from './client.ts';

export interface TopicMessage {
  /** ASCII, less than 100 characters, no line break (SNS). */
  readonly subject: string;
  /** JSON text: a message per protocol, at least `default`; at most 256 KB as a whole (SNS). */
  readonly message: string;
}

/**
 * Publishes one message with its own text per protocol; gives the message id. Throws what SNS throws.
 * @iam sns:Publish
 */
export async function publish(topicArn: string, { subject, message }: TopicMessage): Promise<string> {
  const { MessageId } = await client(SNSClient).send(
    new PublishCommand({ TopicArn: topicArn, Subject: subject, Message: message, MessageStructure: 'json' }),
  );
  return MessageId ?? '';
}
