import * as v from 'valibot';
import type { FollowUpEvent, Parsed } from './event.ts';
import { type Fields, object, read, text } from './fields.ts';

const whole = v.pipe(
  v.number(),
  v.check((value) => Number.isSafeInteger(value) && value >= 0, 'a whole number of 0 or more'),
);

const followUp = object({
  detail: object({
    fn: text,
    resource: v.pipe(v.string(), v.startsWith('arn:', 'an ARN')),
    incidentId: text,
    check: whole,
    notBefore: whole,
  }),
});

/** Reflex's own delayed message, as `followUpBody` writes it. */
export function parseFollowUp(body: Fields): Parsed {
  return { kind: 'event', event: { kind: 'follow-up', ...read(followUp, body).detail } };
}

/** The text to put into the inbox; parsed, it is the same event again. */
export function followUpBody({ kind: _, ...detail }: FollowUpEvent): string {
  return JSON.stringify({ source: 'reflex', 'detail-type': 'Follow-up', detail });
}
