import { describe, expect, it } from 'vitest';
import { actionText, duration, field, meant, table, wrapped } from '../../../scripts/ops/words.ts';
import { shortArn } from '../../../shared/words.ts';
import { streamArn } from '../../support/event-builders.ts';

const screen = { paint: (_: string, text: string) => text, width: 60 };

describe('a duration', () => {
  it.each([
    [0, '0 s'],
    [-5_000, '0 s'],
    [45_000, '45 s'],
    [255_000, '4 min 15 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [273_600_000, '3 d 4 h'],
  ])('of %d ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe('a name', () => {
  it('is the end of the ARN, or the text itself', () => {
    expect(shortArn(streamArn())).toBe('stream/orders');
    expect(shortArn('orders')).toBe('orders');
    expect(shortArn('https://[2001:db8:0:1::5]/health')).toBe('https://[2001:db8:0:1::5]/health');
  });
});

describe('a call in short', () => {
  it('leaves out the stream and says that it failed', () => {
    const params = { StreamARN: streamArn(), TargetShardCount: 2, ScalingType: 'UNIFORM_SCALING', Tags: ['a'] };
    expect(actionText({ call: 'UpdateShardCount', params, error: 'no' })).toBe(
      'UpdateShardCount TargetShardCount=2 Tags=[a] FAILED',
    );
    expect(actionText({ call: 'Ping', params: null })).toBe('Ping');
  });
});

describe('a table', () => {
  it('is as wide as its widest cells and cuts only the last column', () => {
    expect(
      table(
        ['A', 'LONG'],
        [
          ['x', 'y'.repeat(80)],
          [{ text: 'xyz' }, '1'],
        ],
        screen,
      ),
    ).toEqual(['A    LONG', `x    ${'y'.repeat(54)}…`, 'xyz  1']);
  });
});

describe('a field', () => {
  it('wraps beside its label, and keeps control characters out', () => {
    expect(field('Why', `${'word '.repeat(12)}\u001b[31mred`, screen)).toEqual([
      `  Why        ${'word '.repeat(9)}`.trimEnd(),
      '             word word word [31mred',
    ]);
    expect(wrapped('', 10)).toEqual([]);
  });
});

describe('what was meant', () => {
  const names = ['mode', 'history', 'hold'];

  it.each([
    ['hist', 'history'],
    ['histroy', 'history'],
    ['hodl', 'hold'],
    ['moed', 'mode'],
  ])('%s is %s', (given, name) => {
    expect(meant(given, names)).toBe(name);
  });

  it.each(['', 'x', 'deployment'])('"%s" is none of them', (given) => {
    expect(meant(given, names)).toBeUndefined();
  });
});
