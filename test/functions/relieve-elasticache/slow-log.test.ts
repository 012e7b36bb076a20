import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { topCommands } from '../../../functions/relieve-elasticache/slow-log.ts';

const entry = (Command: unknown, us: unknown = 10_000, CacheClusterId: unknown = 'orders-001') =>
  JSON.stringify({ CacheClusterId, Command, 'Duration (us)': us });

describe('the slow log', () => {
  it('is told by command, longest total first', () => {
    const top = topCommands(
      [entry('get a'), entry('SORT x ... (8 more arguments)', 25_000), entry('GET b', 12_000)],
      ['orders-001'],
    );

    expect(top).toEqual([
      { command: 'SORT', count: 1, totalMicroseconds: 25_000, maxMicroseconds: 25_000 },
      { command: 'GET', count: 2, totalMicroseconds: 22_000, maxMicroseconds: 12_000 },
    ]);
  });

  it('tells of ten commands at most, and of no argument', () => {
    const many = Array.from({ length: 12 }, (_, i) => entry(`${String.fromCharCode(65 + i)}SET secret-${i}`));
    const top = topCommands(many, ['orders-001']);

    expect(top).toHaveLength(10);
    expect(JSON.stringify(top)).not.toContain('secret');
  });

  it.each([
    ['text', 'Timestamp: 1772680300 GET'],
    ['a list', '[1]'],
    ['null', 'null'],
    ['an entry of another cache', entry('GET', 1, 'payments-001')],
    ['an entry without a command', entry(undefined)],
    ['an entry whose command is data', entry('"\\x00\\x01"')],
    ['an entry without a duration', entry('GET', 'long')],
  ])('leaves out %s', (_, message) => {
    expect(topCommands([message], ['orders-001'])).toEqual([]);
  });

  it('never fails, whatever is in the log', () => {
    fc.assert(fc.property(fc.array(fc.oneof(fc.string(), fc.json())), (messages) => void topCommands(messages, ['a'])));
  });
});
