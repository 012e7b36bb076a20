import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../../scripts/drill/trace.ts';
import { bar, duration, rowsOf } from '../../../scripts/drill/waterfall.ts';

const [trace] = assemble([
  { id: 'act', name: 'act', trace_id: '1', parent_id: 'p', start_time: 1, end_time: 3 },
  {
    id: 'call',
    name: 'Kinesis',
    trace_id: '1',
    parent_id: 'act',
    start_time: 2,
    end_time: 3,
    aws: { operation: 'UpdateShardCount' },
  },
]);

describe('the rows', () => {
  it('name AWS calls by service and operation, below the step that made them', () => {
    const rows = trace === undefined ? [] : rowsOf(trace);

    expect(rows.map(({ label, depth, kind }) => [label, depth, kind])).toEqual([
      ['act', 0, 'step'],
      ['Kinesis UpdateShardCount', 1, 'call'],
    ]);
    expect(rows[1]).toMatchObject({ from: 0.5, to: 1, ms: 1_000 });
  });
});

describe('a bar', () => {
  it.each([
    [{ from: 0, to: 1 }, '██████████'],
    [{ from: 0.5, to: 1 }, '     █████'],
    [{ from: 0, to: 0.25 }, '██▌'],
    [{ from: 0.3, to: 0.3 }, '   ▏'],
    [{ from: 1, to: 1 }, '         █'],
  ])('of %j of ten cells is %j', (share, drawn) => {
    expect(bar(share, 10)).toBe(drawn);
  });

  it('is never empty and never longer than its width', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 80 }),
        (a, b, width) => {
          const drawn = bar({ from: Math.min(a, b), to: Math.max(a, b) }, width);
          return drawn.trim().length > 0 && drawn.length <= width;
        },
      ),
    );
  });
});

describe('a duration', () => {
  it.each([
    [0.2, '<1 ms'],
    [87.4, '87 ms'],
    [1_312, '1.31 s'],
    [125_000, '2 min 05 s'],
  ])('of %d ms reads %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
