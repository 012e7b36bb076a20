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
    notBefore: whole,
    checks: v.pipe(
      v.array(object({ resource: v.pipe(v.string(), v.startsWith('arn:', 'an ARN')), incidentId: text, check: whole })),
      v.minLength(1, 'at least one check'),
    ),
  }),
});

/** Reflex's own delayed message, as `followUpBody` writes it. */
export function parseFollowUp(body: Fields): Parsed {
  return { kind: 'event', event: { kind: 'follow-up', ...read(followUp, body).detail } };
}

/** The text to put into the inbox; parsed, it is the same event again. */
export function followUpBody(detail: Omit<FollowUpEvent, 'kind'>): string {
  return JSON.stringify({ source: 'reflex', 'detail-type': 'Follow-up', detail });
}
