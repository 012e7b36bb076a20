import fc from 'fast-check';
import { expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import { followUpBody } from '../../../shared/events/reflex-follow-up.ts';
import { parse } from '../../../shared/events/registry.ts';
import { followUp, sqsBatch } from '../../support/event-builders.ts';

function parseOne(payload: unknown) {
  return receive(payload).messages.map(parse)[0];
}

it('comes back from the inbox as it was sent', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 });
  const event = fc.record({
    kind: fc.constant('follow-up' as const),
    fn: text,
    resource: text.map((name) => `arn:${name}`),
    incidentId: text,
    check: fc.maxSafeNat(),
    notBefore: fc.maxSafeNat(),
  });

  fc.assert(
    fc.property(event, (event) => {
      expect(parseOne(sqsBatch(followUpBody(event)))).toEqual({ kind: 'event', event });
    }),
    { numRuns: 500 },
  );
});

it.each([
  ['fn', ''],
  ['resource', 'orders'],
  ['incidentId', undefined],
  ['check', 1.5],
  ['check', -1],
  ['check', '1'],
  ['notBefore', null],
])('is broken where detail.%s is %j', (name, value) => {
  const body = followUp();

  expect(parseOne({ ...body, detail: { ...body.detail, [name]: value } })).toMatchObject({
    kind: 'broken',
    error: { field: `detail.${name}` },
  });
});
