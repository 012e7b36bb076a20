import type { Message } from './envelope.ts';
import { BrokenMessage } from './event.ts';
import { fieldsOf, kindOf, textOf } from './fields.ts';

/** Bytes of one bundle: SQS takes ten messages at a time, of 256 KB together. */
const BYTES_AT_MOST = 25_000;

/** A text for the inbox, and of how many events it is made. */
export interface Bundle {
  readonly body: string;
  readonly size: number;
}

/** Reflex's own message: events of a storm, many in one. Gives as many bundles as it takes, the events in their order. */
export function bundlesOf(events: readonly object[]): Bundle[] {
  const bundles: string[][] = [];
  let bytes = BYTES_AT_MOST;
  for (const text of events.map((event) => JSON.stringify(event))) {
    const own = Buffer.byteLength(text) + 1;
    if (bytes + own > BYTES_AT_MOST) {
      bundles.push([]);
      bytes = 0;
    }
    bytes += own;
    bundles.at(-1)?.push(text);
  }
  return bundles.map((texts) => ({
    body: `{"source":"reflex","detail-type":"Bundle","detail":{"events":[${texts.join(',')}]}}`,
    size: texts.length,
  }));
}

/** The events of a bundle, each a message of its own under the bundle's id: they fail together. Any other message is itself. */
export function unbundled(message: Message): Message[] {
  const { source, 'detail-type': detailType, detail } = fieldsOf(message.body);
  if (source !== 'reflex' || detailType !== 'Bundle') return [message];
  const { events } = fieldsOf(detail);
  if (!Array.isArray(events) || events.length === 0) {
    return [{ ...message, body: new BrokenMessage('detail.events', 'a list with at least one event', kindOf(events)) }];
  }
  return events.map((body) => ({ ...message, body, raw: textOf(body), bundled: true }));
}
