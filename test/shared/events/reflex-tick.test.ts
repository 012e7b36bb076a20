import { expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import { at, sqsBatch, tick } from '../../support/event-builders.ts';

function parseOne(payload: unknown) {
  return receive(payload).messages.map(parse)[0];
}

it('wakes for everything when the schedule says nothing more', () => {
  expect(parseOne(sqsBatch(tick()))).toEqual({ kind: 'event', event: { kind: 'tick', at: at + 500, scope: 'all' } });
});

it.each(['all', 'incidents'] as const)('keeps the scope %s', (scope) => {
  expect(parseOne(tick(scope))).toMatchObject({ event: { scope } });
});

it('prefers its own time, then the time of sending, and says 0 without either', () => {
  const time = '2026-03-05T03:15:00Z';

  expect(parseOne(sqsBatch({ ...tick(), time }))).toMatchObject({ event: { at: Date.parse(time) } });
  expect(parseOne(sqsBatch(tick()))).toMatchObject({ event: { at: at + 500 } });
  expect(parseOne(tick())).toMatchObject({ event: { at: 0 } });
});

it.each([
  ['detail.scope', { detail: { scope: 'everything' } }],
  ['detail', { detail: 'incidents' }],
  ['time', { time: 'noon' }],
])('is broken at %s rather than waking for everything', (field, change) => {
  expect(parseOne({ ...tick(), ...change })).toMatchObject({ kind: 'broken', error: { field } });
});
