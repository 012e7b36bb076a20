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
  const check = fc.record({
    resource: text.map((name) => `arn:${name}`),
    incidentId: text,
    check: fc.maxSafeNat(),
  });
  const detail = fc.record({ fn: text, notBefore: fc.maxSafeNat(), checks: fc.array(check, { minLength: 1 }) });

  fc.assert(
    fc.property(detail, (detail) => {
      const event = { kind: 'follow-up', ...detail };
      expect(parseOne(sqsBatch(followUpBody(detail)))).toEqual({ kind: 'event', event });
    }),
    { numRuns: 500 },
  );
});

it.each([
  ['fn', ''],
  ['notBefore', null],
  ['checks', []],
  ['checks', undefined],
])('is broken where detail.%s is %j', (name, value) => {
  const body = followUp();

  expect(parseOne({ ...body, detail: { ...body.detail, [name]: value } })).toMatchObject({
    kind: 'broken',
    error: { field: `detail.${name}` },
  });
});

it.each([
  ['resource', 'orders'],
  ['incidentId', undefined],
  ['check', 1.5],
  ['check', -1],
  ['check', '1'],
])('is broken where a check has %s %j', (name, value) => {
  const body = followUp();
  const [check] = body.detail.checks;

  expect(parseOne({ ...body, detail: { ...body.detail, checks: [check, { ...check, [name]: value }] } })).toMatchObject(
    { kind: 'broken', error: { field: `detail.checks.1.${name}` } },
  );
});
