import * as v from 'valibot';
import type { Message } from './envelope.ts';
import type { Parsed } from './event.ts';
import { type Fields, fieldsOf, object, read } from './fields.ts';

const explain = object({
  detail: object({
    resource: v.pipe(v.string(), v.regex(/^(arn:[\w-]+:[\w-]+:[\w-]*:\d*:|https?:\/\/)\S+$/, 'an ARN or a URL')),
    as: v.optional(v.picklist(['alarm', 'tick'], 'alarm or tick'), 'alarm'),
  }),
});

/** Whether an operator asks, well or badly: nobody but the asker is to hear of it. */
export const isQuestion = (body: unknown): boolean => {
  const { source, 'detail-type': detailType } = fieldsOf(body);
  return source === 'reflex' && detailType === 'Explain';
};

/**
 * An operator's `{"source": "reflex", "detail-type": "Explain"}`: what would be done now? Only a direct invocation gets its answer,
 * so anything else that brings it is not for us.
 */
export function parseExplain(body: Fields, { via, sentAt }: Pick<Message, 'via' | 'sentAt'>): Parsed {
  const { resource, as } = read(explain, body).detail;
  if (via === 'sqs' || via === 'sns') return { kind: 'not-for-us', reason: 'explain-without-an-asker' };
  return { kind: 'event', event: { kind: 'explain', at: sentAt ?? 0, resource, as } };
}
