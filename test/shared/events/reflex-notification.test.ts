import fc from 'fast-check';
import { expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import { notificationBody } from '../../../shared/events/reflex-notification.ts';
import { parse } from '../../../shared/events/registry.ts';
import { sqsBatch } from '../../support/event-builders.ts';

const parseOne = (body: unknown) => receive(sqsBatch(body)).messages.map(parse)[0];

it('comes back from the inbox as it was sent', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 });

  fc.assert(
    fc.property(fc.record({ subject: text, message: text }), (notification) => {
      const event = { kind: 'notification', ...notification };
      expect(parseOne(notificationBody(notification))).toEqual({ kind: 'event', event });
    }),
    { numRuns: 500 },
  );
});

it.each([
  ['subject', ''],
  ['subject', undefined],
  ['message', { default: 'told' }],
  ['message', null],
])('is broken where detail.%s is %j', (name, value) => {
  const body = JSON.parse(notificationBody({ subject: 'Reflex acted', message: '{}' }));

  expect(parseOne({ ...body, detail: { ...body.detail, [name]: value } })).toMatchObject({
    kind: 'broken',
    error: { field: `detail.${name}` },
  });
});
