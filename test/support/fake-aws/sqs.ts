import { createHash } from 'node:crypto';
import { AwsError, account, type Clock, region, type Service } from './service.ts';

const SECOND = 1_000;

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly DelaySeconds?: number;
}

export interface QueuedMessage {
  readonly id: string;
  readonly body: string;
  readonly sentAt: number;
  visibleAt: number;
  receiveCount: number;
}

/** SQS: queues by URL with delays, visibility timeouts and a dead-letter queue after five receives. */
export const fakeSqs = (clock: Clock, { visibilityMs = 360 * SECOND, maxReceiveCount = 5 } = {}) => {
  const queues = new Map<string, QueuedMessage[]>();
  const dead: QueuedMessage[] = [];
  let sent = 0;

  const queue = (url: string): QueuedMessage[] => {
    const known = queues.get(url) ?? [];
    queues.set(url, known);
    return known;
  };

  const put = (url: string, body: string, delaySeconds = 0) => {
    if (delaySeconds < 0 || delaySeconds > 900 || !Number.isInteger(delaySeconds)) {
      throw new AwsError('InvalidParameterValue', `Value ${delaySeconds} for parameter DelaySeconds is invalid.`);
    }
    const id = `00000000-0000-4000-8000-${String(++sent).padStart(12, '0')}`;
    queue(url).push({ id, body, sentAt: clock(), visibleAt: clock() + delaySeconds * SECOND, receiveCount: 0 });
    return { MessageId: id, MD5OfMessageBody: md5(body) };
  };

  const service: Service = {
    name: 'sqs',
    operations: {
      SendMessage: ({ QueueUrl, MessageBody, DelaySeconds }: Omit<Entry, 'Id'> & { QueueUrl: string }) =>
        put(QueueUrl, MessageBody, DelaySeconds),
      SendMessageBatch: ({ QueueUrl, Entries }: { QueueUrl: string; Entries: readonly Entry[] }) => {
        if (Entries.length > 10) {
          throw new AwsError(
            'AWS.SimpleQueueService.TooManyEntriesInBatchRequest',
            'Maximum number of entries per request are 10.',
          );
        }
        return {
          Successful: Entries.map(({ Id, MessageBody, DelaySeconds }) => ({
            Id,
            ...put(QueueUrl, MessageBody, DelaySeconds),
          })),
        };
      },
    },
  };

  return {
    service,
    dead,
    /** Everything in the queue, delivered or not. */
    messages: (url: string): readonly QueuedMessage[] => queue(url),
    send: (url: string, body: unknown): void => void put(url, typeof body === 'string' ? body : JSON.stringify(body)),
    /** When the next message can be received, epoch ms. */
    nextAt: (url: string): number | undefined =>
      queue(url).reduce<number | undefined>(
        (first, { visibleAt }) => Math.min(first ?? visibleAt, visibleAt),
        undefined,
      ),
    /**
     * What an event source mapping does once: receives up to ten messages that are due, invokes, and deletes those the
     * function did not report. undefined: nothing was due.
     */
    poll: async <R>(url: string, invoke: (event: object) => Promise<R>): Promise<R | undefined> => {
      const batch = queue(url)
        .filter(({ visibleAt }) => visibleAt <= clock())
        .slice(0, 10);
      if (batch.length === 0) return undefined;
      for (const message of batch) {
        message.receiveCount++;
        message.visibleAt = clock() + visibilityMs;
      }
      const result = await invoke({ Records: batch.map((message) => record(url, message)) });
      const { batchItemFailures = [] } = result as { batchItemFailures?: readonly { itemIdentifier: string }[] };
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const gone = batch.filter(({ id, receiveCount }) => !failed.has(id) || receiveCount >= maxReceiveCount);
      dead.push(...gone.filter(({ id }) => failed.has(id)));
      queues.set(
        url,
        queue(url).filter((message) => !gone.includes(message)),
      );
      return result;
    },
  };
};

export type FakeSqs = ReturnType<typeof fakeSqs>;

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

const record = (url: string, { id, body, sentAt, receiveCount }: QueuedMessage) => ({
  messageId: id,
  receiptHandle: `receipt-${id}-${receiveCount}`,
  body,
  attributes: {
    ApproximateReceiveCount: String(receiveCount),
    SentTimestamp: String(sentAt),
    SenderId: 'AIDAIENQZJOLO23YVJ4VO',
    ApproximateFirstReceiveTimestamp: String(sentAt),
  },
  messageAttributes: {},
  md5OfBody: md5(body),
  eventSource: 'aws:sqs',
  eventSourceARN: `arn:aws:sqs:${region}:${account}:${url.split('/').at(-1)}`,
  awsRegion: region,
});
