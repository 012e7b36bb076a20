import { describe, expect, it } from 'vitest';
import { annotated, assemble, type Document, everySpan, readDatagram } from '../../../scripts/drill/trace.ts';

const document = (id: string, parent: string, start: number, end: number, more: Partial<Document> = {}): Document => ({
  id,
  name: id,
  trace_id: '1-a',
  parent_id: parent,
  start_time: start,
  end_time: end,
  ...more,
});

const datagram = (body: unknown) => `{"format":"json","version":1}\n${JSON.stringify(body)}`;

describe('a datagram', () => {
  it('is a document after its header line', () => {
    expect(readDatagram(datagram(document('a', 'p', 1, 2)))).toMatchObject({ id: 'a', start_time: 1 });
  });

  it.each([
    ['garbage', 'no json at all'],
    ['a header alone', '{"format":"json","version":1}\n'],
    ['a span that still runs', datagram({ id: 'a', name: 'a', trace_id: '1-a', start_time: 1, in_progress: true })],
    ['a list', datagram([1])],
    ['nothing', datagram(null)],
  ])('is ignored where it is %s', (_, text) => {
    expect(readDatagram(text)).toBeUndefined();
  });
});

describe('the traces', () => {
  it('nest by parent id, whatever order the spans arrive in', () => {
    const [trace] = assemble([
      document('call', 'act', 2, 3),
      document('act', 'lambda', 1, 4),
      document('observe', 'lambda', 0, 1),
    ]);

    expect(trace?.spans.map(({ name }) => name)).toEqual(['observe', 'act']);
    expect(trace?.spans[1]?.children.map(({ name }) => name)).toEqual(['call']);
    expect([trace?.start, trace?.end]).toEqual([0, 4_000]);
  });

  it('nest by containment too', () => {
    const inner = { ...document('call', '', 2, 3), trace_id: '' };

    const [trace] = assemble([document('act', 'lambda', 1, 4, { subsegments: [inner] })]);

    expect(trace?.spans[0]?.children[0]?.name).toBe('call');
  });

  it('take a span that was sent twice once', () => {
    const [trace] = assemble([document('a', 'p', 0, 1), document('a', 'p', 0, 2)]);

    expect(trace?.spans.map(({ end }) => end)).toEqual([2_000]);
  });

  it('are kept apart and come oldest first', () => {
    const traces = assemble([document('late', 'p', 5, 6, { trace_id: '1-b' }), document('early', 'p', 1, 2)]);

    expect(traces.map(({ id }) => id)).toEqual(['1-a', '1-b']);
  });

  it('tell how a span failed, the throttle first', () => {
    const [trace] = assemble([
      document('a', 'p', 0, 1, { error: true, throttle: true }),
      document('b', 'p', 1, 2, { error: true }),
      document('c', 'p', 2, 3, { fault: true }),
      document('d', 'p', 3, 4),
    ]);

    expect(trace?.spans.map(({ trouble }) => trouble)).toEqual(['throttle', 'error', 'fault', null]);
  });

  it('are found by an annotation at any depth, and only by its value', () => {
    const traces = assemble([
      document('act', 'p', 0, 2),
      document('x', 'act', 0, 1, { annotations: { resource: 'arn' } }),
    ]);

    expect(annotated(traces, 'resource', 'arn')).toHaveLength(1);
    expect(annotated(traces, 'resource', 'other')).toHaveLength(0);
    expect(everySpan(traces[0]?.spans ?? []).map(({ name }) => name)).toEqual(['act', 'x']);
  });
});
