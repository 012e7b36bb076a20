import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import { BrokenMessage, type Parsed } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';
import {
  alarmEvent,
  directAlarm,
  followUp,
  snsAlarm,
  snsEnvelope,
  snsRecords,
  sqsBatch,
  tick,
} from '../../support/event-builders.ts';

const folder = new URL('../../../events/', import.meta.url);
const samples: unknown[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json') && file !== 'manifest.json')
  .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')));

/** Bodies without envelopes, so that a mutation hits the fields that matter. */
const bodies: unknown[] = [
  alarmEvent(),
  alarmEvent({ composite: { rule: 'ALARM(a)', children: [{ arn: 'arn:a' }], suppressedBy: 'Alarm' } }),
  directAlarm(),
  snsAlarm(),
  snsAlarm({
    rows: [
      { id: 'e1', expression: 'm1' },
      { id: 'm1', metric: 'IncomingBytes', dimensions: { StreamName: 's' } },
    ],
  }),
  snsAlarm({ composite: { rule: 'ALARM(a)', children: [{ arn: 'arn:a' }] } }),
  tick('incidents'),
  followUp(),
];

function check(payload: unknown): Parsed[] {
  return receive(payload).messages.map((message) => {
    const parsed = parse(message);
    expect(['event', 'not-for-us', 'broken']).toContain(parsed.kind);
    if (parsed.kind === 'broken') {
      expect(parsed.error).toBeInstanceOf(BrokenMessage);
      expect(parsed.error.field).not.toBe('');
      expect(parsed.error.message.length).toBeLessThan(600);
    }
    return parsed;
  });
}

/** Paths to every value inside, e.g. ['detail', 'state', 'value']. */
function pathsIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsIn(inner, [...path, key]))];
}

function replace(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === key ? replace(item, rest, by) : item));
  const { [key]: inner, ...others } = value as Record<string, unknown>;
  return by === undefined && rest.length === 0 ? others : { ...others, [key]: replace(inner, rest, by) };
}

/** Real payloads in which one value is taken away or replaced by anything JSON can say. */
function mutated(originals: readonly unknown[]) {
  const places = originals.flatMap((original) =>
    pathsIn(original)
      .slice(1)
      .map((path) => ({ original, path })),
  );
  return fc
    .tuple(fc.constantFrom(...places), fc.option(fc.jsonValue(), { nil: undefined }))
    .map(([{ original, path }, by]) => replace(original, path, by));
}

describe('receive and parse never throw', () => {
  it('on anything', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true }), (payload) => {
        check(payload);
        check({ Records: [payload, { eventSource: 'aws:sqs', body: payload }] });
        check({ Records: [payload, { EventSource: 'aws:sns', Sns: payload }] });
      }),
      { numRuns: 3_000 },
    );
  });

  it('on any text in an inbox message', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.json().map(snsEnvelope)), (body) => {
        check(sqsBatch(body));
      }),
      { numRuns: 2_000 },
    );
  });

  it('on mutated samples', () => {
    fc.assert(
      fc.property(mutated(samples), (payload) => {
        check(payload);
      }),
      { numRuns: 2_000 },
    );
  });

  it('on mutated bodies, whatever envelope they are in', () => {
    fc.assert(
      fc.property(mutated(bodies), (body) => {
        const [first, ...others] = [body, sqsBatch(body), sqsBatch(snsEnvelope(body)), snsRecords(body)].map(
          (payload) => check(payload)[0]?.kind,
        );
        for (const kind of others) expect(kind).toBe(first);
      }),
      { numRuns: 3_000 },
    );
  });
});

it('does not fall for keys that would reach a prototype', () => {
  const body = '{"__proto__":{"source":"reflex","detail-type":"Tick"},"constructor":{"prototype":{"polluted":true}}}';

  const [parsed] = check(sqsBatch(body));

  expect(parsed).toMatchObject({ kind: 'broken', error: { field: 'source' } });
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

describe('a megabyte of garbage', () => {
  const megabyte = 1_000_000;
  const deep = '['.repeat(megabyte / 2) + ']'.repeat(megabyte / 2);
  const event = alarmEvent();
  const garbage: readonly [string, unknown][] = [
    ['bytes', sqsBatch('\u0000x'.repeat(megabyte / 2))],
    ['brackets', sqsBatch(deep)],
    ['brackets in an invocation', JSON.parse(deep)],
    ['quotes', sqsBatch(`{"source":"${'"'.repeat(megabyte)}`)],
    ['a key', sqsBatch({ ['k'.repeat(megabyte)]: 1 })],
    [
      'a dimension',
      {
        ...event,
        detail: {
          ...event.detail,
          configuration: {
            metrics: [
              { metricStat: { metric: { namespace: 'n', name: 'm', dimensions: { ['k'.repeat(megabyte)]: 1 } } } },
            ],
          },
        },
      },
    ],
    [
      'wrong rows',
      {
        ...event,
        detail: { ...event.detail, configuration: { metrics: Array.from({ length: megabyte / 4 }, () => 1) } },
      },
    ],
    ['an ARN', { ...event, resources: [`arn:${':'.repeat(megabyte)}`] }],
    [
      'a time',
      { ...event, detail: { ...event.detail, state: { ...event.detail.state, timestamp: '1'.repeat(megabyte) } } },
    ],
    [
      'a rule',
      {
        ...event,
        detail: {
          ...event.detail,
          configuration: { alarmRule: 'ALARM('.repeat(megabyte / 6) },
          state: { ...event.detail.state, reasonData: '['.repeat(megabyte) },
        },
      },
    ],
    ['records', { Records: Array.from({ length: 10_000 }, () => ({ eventSource: 'aws:sqs' })) }],
  ];

  it.each(garbage)('of %s is dealt with in well under a second, and not repeated', (_, payload) => {
    const start = performance.now();
    const parsed = receive(payload).messages.map(parse);
    const elapsed = performance.now() - start;

    expect(elapsed).toBeLessThan(1_000);
    for (const each of parsed) if (each.kind === 'broken') expect(each.error.message.length).toBeLessThan(600);
  });
});
