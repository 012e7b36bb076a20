import * as v from 'valibot';
import type { Message } from './envelope.ts';
import type { Parsed } from './event.ts';
import { type Fields, object, read, time } from './fields.ts';

const tick = object({
  time: v.optional(time),
  detail: v.optional(object({ scope: v.optional(v.picklist(['all', 'incidents'], 'all or incidents'), 'all') })),
});

/** A schedule's `{"source": "reflex", "detail-type": "Tick"}`. Without a time it happened when it was sent; 0: unknown. */
export function parseTick(body: Fields, { sentAt }: Pick<Message, 'sentAt'>): Parsed {
  const { time: at, detail } = read(tick, body);
  return { kind: 'event', event: { kind: 'tick', at: at ?? sentAt ?? 0, scope: detail?.scope ?? 'all' } };
}
