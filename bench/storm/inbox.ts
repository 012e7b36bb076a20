import { createHash } from 'node:crypto';
import { AwsError, account, region, type Service } from '../../test/support/fake-aws/service.ts';
import type { VirtualTime } from './time.ts';

/** An inbox and its event source mapping, as the template states them. */
export interface InboxSettings {
  readonly batchSize: number;
  readonly windowMs: number;
  readonly concurrency: number;
  readonly visibilityMs: number;
}

interface Message {
  readonly id: string;
  readonly body: string;
  readonly sentAt: number;
  received: number;
}

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly DelaySeconds?: number;
}

export type Handler = (event: object) => Promise<{
  readonly batchItemFailures?: readonly { readonly itemIdentifier: string }[];
}>;

/** One receive takes ten messages and a round trip to SQS, ms. */
const RECEIVE_MS = 10;
/** A batch ends at the invocation's payload limit of 6 MB; a message's envelope is some 600 bytes. */
const PAYLOAD = 6_000_000;
const ENVELOPE = 600;
const RECEIVES_AT_MOST = 5;
/** Node and a bundle of 600 kB on an arm64 processor; the first invocation of each instance waits so long. */
export const COLD_START_MS = 600;

/**
 * An SQS queue and the event source mapping behind it: as many pollers as invocations may run at once, each of which takes ten messages at a
 * time, gathers them for the window or until the batch is full, and invokes an instance of its own.
 */
export const inbox = (time: VirtualTime, settings: InboxSettings) => {
  const queue: Message[] = [];
  const waiting: (() => void)[] = [];
  let sent = 0;
  let dead = 0;
  let invocations = 0;

  const arrive = (message: Message): void => {
    queue.push(message);
    for (const wake of waiting.splice(0)) wake();
  };
  const put = (body: string, delayMs: number): void => {
    const message = { id: `message-${++sent}`, body, sentAt: time.clock() + delayMs, received: 0 };
    if (delayMs > 0) void time.sleep(delayMs).then(() => arrive(message));
    else arrive(message);
  };

  const gather = async (): Promise<Message[]> => {
    const batch: Message[] = [];
    let bytes = 0;
    let end = Number.POSITIVE_INFINITY;
    while (batch.length < settings.batchSize && time.clock() < end) {
      if (queue.length === 0) {
        await Promise.race([
          new Promise<void>((resolve) => waiting.push(resolve)),
          ...(end < Number.POSITIVE_INFINITY ? [time.sleep(end - time.clock())] : []),
        ]);
        if (queue.length === 0) continue;
      }
      if (batch.length === 0) end = time.clock() + settings.windowMs;
      const taken = queue.splice(0, Math.min(10, settings.batchSize - batch.length));
      batch.push(...taken);
      bytes += taken.reduce((sum, { body }) => sum + body.length * 1.1 + ENVELOPE, 0);
      if (bytes > PAYLOAD - 10 * 8_000) break;
      await time.sleep(RECEIVE_MS);
    }
    return batch;
  };

  const deliver = async (batch: readonly Message[], handler: Handler): Promise<void> => {
    invocations++;
    for (const message of batch) message.received++;
    const { batchItemFailures = [] } = await handler({ Records: batch.map(record) });
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    for (const message of batch.filter(({ id }) => failed.has(id))) {
      if (message.received >= RECEIVES_AT_MOST) dead++;
      else void time.sleep(settings.visibilityMs).then(() => arrive(message));
    }
  };

  const service: Service = {
    name: 'sqs',
    operations: {
      SendMessageBatch: ({ Entries }: { Entries: readonly Entry[] }) => {
        if (Entries.length > 10) throw new AwsError('TooManyEntriesInBatchRequest', 'Maximum number of entries is 10.');
        for (const { MessageBody, DelaySeconds = 0 } of Entries) put(MessageBody, DelaySeconds * 1_000);
        return {
          Successful: Entries.map(({ Id, MessageBody }) => ({ Id, MessageId: Id, MD5OfMessageBody: md5(MessageBody) })),
        };
      },
    },
  };

  return {
    service,
    /** An event that reaches the queue after so many ms. */
    send: (body: object, afterMs: number): void => put(JSON.stringify(body), afterMs),
    /** Serves the queue for ever, one poller for each handler. */
    serve: (handlers: readonly Handler[]): void => {
      for (const handler of handlers) {
        void (async () => {
          for (let first = true; ; first = false) {
            const batch = await gather();
            if (batch.length === 0) continue;
            if (first) await time.sleep(COLD_START_MS);
            await deliver(batch, handler);
          }
        })();
      }
    },
    counts: () => ({ invocations, dead, left: queue.length }),
  };
};

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

const record = ({ id, body, sentAt, received }: Message) => ({
  messageId: id,
  receiptHandle: `receipt-${id}`,
  body,
  attributes: {
    ApproximateReceiveCount: String(received),
    SentTimestamp: String(Math.floor(sentAt)),
    SenderId: 'AIDAIENQZJOLO23YVJ4VO',
    ApproximateFirstReceiveTimestamp: String(Math.floor(sentAt)),
  },
  messageAttributes: {},
  md5OfBody: '',
  eventSource: 'aws:sqs',
  eventSourceARN: `arn:aws:sqs:${region}:${account}:inbox`,
  awsRegion: region,
});
