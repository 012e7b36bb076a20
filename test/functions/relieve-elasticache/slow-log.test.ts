import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { topCommands } from '../../../functions/relieve-elasticache/slow-log.ts';

const entry = (Command: unknown, us: unknown = 10_000, CacheClusterId: unknown = 'orders-001') =>
  JSON.stringify({ CacheClusterId, Command, 'Duration (us)': us });

const line = (command: string, us: number | string = 10_000, node = 'orders-001', id = '') =>
  `${node},0001,${id}1605631822,${us},${command},192.168.12.104:55452,worker,with,commas`;

describe('the slow log in text', () => {
  it('is told like the one in JSON; both may be in one group', () => {
    const top = topCommands(
      [line('SORT ... (8 more arguments)', 25_000), line('get ... (1 more arguments)'), entry('GET b', 12_000)],
      ['orders-001'],
    );

    expect(top).toEqual([
      { node: 'orders-001', command: 'SORT', count: 1, totalMicroseconds: 25_000, maxMicroseconds: 25_000 },
      { node: 'orders-001', command: 'GET', count: 2, totalMicroseconds: 22_000, maxMicroseconds: 12_000 },
    ]);
  });

  it('may tell the id of each entry as well', () => {
    expect(topCommands([line('KEYS ... (1 more arguments)', 30, 'orders-001', '296,')], ['orders-001'])).toEqual([
      { node: 'orders-001', command: 'KEYS', count: 1, totalMicroseconds: 30, maxMicroseconds: 30 },
    ]);
  });

  it.each([
    ['another cache', line('GET a', 1, 'payments-001')],
    ['a duration in words', line('GET a', 'long')],
    ['a command that is data', line('\\x00\\x01')],
    ['a line of the engine log', 'orders-001,0001,12 Nov 2020 01:28:57.994 UTC,VERBOSE,M,Replica is waiting'],
    ['half a line', 'orders-001,0001,1605631822'],
    ['a JSON text', '"orders-001,0001,1605631822,30,GET"'],
  ])('leaves out %s', (_, message) => {
    expect(topCommands([message], ['orders-001'])).toEqual([]);
  });
});

describe('the slow log', () => {
  it('is told by node and command, longest total first', () => {
    const top = topCommands(
      [entry('get a'), entry('SORT x ... (8 more arguments)', 25_000), entry('GET b', 12_000)],
      ['orders-001'],
    );

    expect(top).toEqual([
      { node: 'orders-001', command: 'SORT', count: 1, totalMicroseconds: 25_000, maxMicroseconds: 25_000 },
      { node: 'orders-001', command: 'GET', count: 2, totalMicroseconds: 22_000, maxMicroseconds: 12_000 },
    ]);
  });

  it('tells of ten commands of a node at most, and of no argument', () => {
    const many = Array.from({ length: 12 }, (_, i) => entry(`${String.fromCharCode(65 + i)}SET secret-${i}`));
    const top = topCommands(many, ['orders-001']);

    expect(top).toHaveLength(10);
    expect(JSON.stringify(top)).not.toContain('secret');
  });

  it('is told for each node, so that a busy one hides no other', () => {
    const many = Array.from({ length: 12 }, (_, i) => entry(`${String.fromCharCode(65 + i)}SET`, 90_000));
    const top = topCommands([...many, entry('KEYS', 10_000, 'orders-002')], ['orders-001', 'orders-002']);

    expect(top.filter(({ node }) => node === 'orders-002')).toMatchObject([{ command: 'KEYS', count: 1 }]);
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
