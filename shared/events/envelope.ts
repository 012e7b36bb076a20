import { BrokenMessage } from './event.ts';
import { epochMs, fieldsOf, isObject, kindOf, textOf } from './fields.ts';
import { unbundled } from './reflex-bundle.ts';

/** One thing to parse, whatever brought it. */
export interface Message {
  /** SQS messageId, SNS MessageId, EventBridge id, or the way it came where the delivery has none. */
  readonly id: string;
  readonly via: 'sqs' | 'sns' | 'eventbridge' | 'alarm-action' | 'direct';
  /** The innermost JSON, out of its envelopes; a BrokenMessage where there is none. */
  readonly body: unknown;
  /** Text that has the same message processed again when put into the inbox. */
  readonly raw: string;
  /** When the delivering service took it, epoch ms. */
  readonly sentAt?: number;
  /** Deliveries so far, this one included. */
  readonly receiveCount?: number;
  /** It came in a bundle of ours. */
  readonly bundled?: true;
}

export interface Received {
  /** True only for an SQS batch: its failures are reported by message id. */
  readonly batch: boolean;
  readonly messages: readonly Message[];
}

/**
 * Takes an invocation's payload apart: an SQS batch, SNS records, an EventBridge event, a CloudWatch alarm's
 * invocation, or anything else. Never throws; what cannot be read becomes a message with a broken body.
 */
export function receive(payload: unknown): Received {
  const records = isObject(payload) && Array.isArray(payload.Records) ? Array.from<unknown>(payload.Records) : [];
  if (records.some((record) => isObject(record) && record.eventSource === 'aws:sqs')) {
    return { batch: true, messages: records.map(fromSqs).flatMap(unbundled) };
  }
  if (records.some((record) => isObject(record) && record.EventSource === 'aws:sns')) {
    return { batch: false, messages: records.map(fromSns) };
  }
  return { batch: false, messages: unbundled(fromInvocation(payload)) };
}

function fromSqs(record: unknown, index: number): Message {
  const { messageId, body, attributes } = fieldsOf(record);
  const { SentTimestamp, ApproximateReceiveCount } = fieldsOf(attributes);
  const sentAt = decimal(SentTimestamp);
  const receiveCount = decimal(ApproximateReceiveCount);
  return {
    id: typeof messageId === 'string' ? messageId : `record-${index}`,
    via: 'sqs',
    body: typeof body === 'string' ? unwrap(json('body', body)) : notText(`Records.${index}.body`, body),
    raw: typeof body === 'string' ? body : '',
    ...(sentAt !== undefined && { sentAt }),
    ...(receiveCount !== undefined && { receiveCount }),
  };
}

function fromSns(record: unknown, index: number): Message {
  const { MessageId, Message: body, Timestamp } = fieldsOf(fieldsOf(record).Sns);
  const sentAt = epochMs(Timestamp);
  return {
    id: typeof MessageId === 'string' ? MessageId : `record-${index}`,
    via: 'sns',
    body: typeof body === 'string' ? json('Sns.Message', body) : notText(`Records.${index}.Sns.Message`, body),
    raw: typeof body === 'string' ? body : '',
    ...(sentAt !== undefined && { sentAt }),
  };
}

function fromInvocation(payload: unknown): Message {
  const { id, time, alarmData, 'detail-type': detailType } = fieldsOf(payload);
  const via = alarmData !== undefined ? 'alarm-action' : detailType !== undefined ? 'eventbridge' : 'direct';
  const sentAt = epochMs(time);
  return {
    id: typeof id === 'string' ? id : via,
    via,
    body: unwrap(payload),
    raw: textOf(payload),
    ...(sentAt !== undefined && { sentAt }),
  };
}

/** An SNS subscription without raw message delivery wraps the message in JSON of its own. */
function unwrap(body: unknown): unknown {
  const { Type, Message: inner } = fieldsOf(body);
  if (Type !== 'Notification') return body;
  return typeof inner === 'string' ? json('Message', inner) : notText('Message', inner);
}

function json(field: string, value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return new BrokenMessage(field, 'JSON', `${value.length} characters that are not`);
  }
}

function notText(field: string, value: unknown): BrokenMessage {
  return new BrokenMessage(field, 'a string', kindOf(value));
}

/** SQS gives its numbers as decimal text. */
function decimal(value: unknown): number | undefined {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
