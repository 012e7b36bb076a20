import { describe, expect, it } from 'vitest';
import { creditBaseline, offloadsTls, ranked, vcpusOf } from '../../../functions/relieve-elasticache/node-types.ts';

describe('vCPUs', () => {
  it.each([
    ['cache.t2.small', 1],
    ['cache.t3.small', 2],
    ['cache.t2.medium', 2],
    ['cache.t4g.micro', 2],
    ['cache.m1.medium', 1],
    ['cache.m2.xlarge', 2],
    ['cache.m3.medium', 1],
    ['cache.r6g.large', 2],
    ['cache.r6gd.xlarge', 4],
    ['cache.m5.2xlarge', 8],
    ['cache.m4.10xlarge', 40],
    ['cache.r7g.16xlarge', 64],
    ['cache.c7gn.4xlarge', 16],
    ['cache.r5.24xlarge', 96],
    ['cache.c1.xlarge', 8],
  ])('of %s: %d', (type, vcpus) => {
    expect(vcpusOf(type)).toBe(vcpus);
  });

  it.each(['cache.r6gd.large', 'cache.m9g.large', 'cache.r7g', 'constructor.constructor.constructor', ''])(
    'of %s are not in the table',
    (type) => {
      expect(vcpusOf(type)).toBeNull();
    },
  );
});

describe('the credit baseline', () => {
  it.each([
    ['cache.t3.micro', 10],
    ['cache.t4g.small', 20],
    ['cache.t4g.medium', 20],
    ['cache.t2.medium', null],
    ['cache.r7g.large', null],
  ])('of %s: %s', (type, baseline) => {
    expect(creditBaseline(type)).toBe(baseline);
  });
});

describe('TLS on other threads', () => {
  it.each([
    ['cache.r7g.xlarge', true],
    ['cache.r7g.large', false],
    ['cache.m5.xlarge', false],
    ['cache.m5.2xlarge', true],
    ['cache.r6gd.xlarge', false],
    ['cache.r6gd.2xlarge', true],
    ['cache.t4g.medium', false],
    ['cache.unknown', false],
  ])('%s: %s', (type, expected) => {
    expect(offloadsTls(type)).toBe(expected);
  });
});

describe('the next node type', () => {
  const EVERYTHING = [
    'cache.m4.2xlarge',
    'cache.r3.2xlarge',
    'cache.t4g.medium',
    'cache.r7g.2xlarge',
    'cache.r7g.xlarge',
    'cache.r6g.xlarge',
    'cache.r6g.2xlarge',
    'cache.r6g.large',
    'cache.m7g.2xlarge',
    'cache.r6g.4xlarge',
  ];

  it.each([
    // I/O threads come with xlarge on Graviton.
    ['cache.r6g.large', 'engine', 'cache.r6g.xlarge'],
    // More of the same core helps one thread nothing; the next generation does.
    ['cache.r6g.xlarge', 'engine', 'cache.r7g.xlarge'],
    ['cache.r7g.xlarge', 'engine', undefined],
    ['cache.r6g.xlarge', 'memory', 'cache.r6g.2xlarge'],
    ['cache.r7g.xlarge', 'network', 'cache.r7g.2xlarge'],
    ['cache.r6g.large', 'cores', 'cache.r6g.xlarge'],
    ['cache.t4g.medium', 'credits', 'cache.r6g.large'],
    ['cache.t4g.medium', 'engine', 'cache.r6g.large'],
    ['cache.t4g.medium', 'cores', 'cache.r7g.xlarge'],
    ['cache.r5.xlarge', 'engine', 'cache.r7g.xlarge'],
    ['cache.m5.xlarge', 'engine', 'cache.r7g.xlarge'],
  ] as const)('of %s for %s is %s', (current, need, expected) => {
    expect(ranked(current, EVERYTHING, need)[0]).toBe(expected);
  });

  it('prefers the same family, then the smallest', () => {
    expect(ranked('cache.r6g.large', EVERYTHING, 'cores').slice(0, 4)).toEqual([
      'cache.r6g.xlarge',
      'cache.r6g.2xlarge',
      'cache.r6g.4xlarge',
      'cache.r7g.xlarge',
    ]);
  });

  it('is never burstable, of a previous generation, or one with less memory', () => {
    for (const current of ['cache.r6g.xlarge', 'cache.t3.medium', 'cache.r5.2xlarge']) {
      for (const need of ['engine', 'cores', 'memory', 'network', 'credits'] as const) {
        const types = ranked(current, EVERYTHING, need);
        expect(types.filter((type) => /\.(t|r3|m[123])/.test(type))).toEqual([]);
        expect(types).not.toContain(current);
      }
    }
    expect(ranked('cache.r6g.xlarge', ['cache.m7g.xlarge', 'cache.c7gn.2xlarge'], 'engine')).toEqual([]);
  });

  it('may be of a family newer than the table', () => {
    expect(ranked('cache.r7g.xlarge', ['cache.r8g.xlarge', 'cache.x9.huge'], 'engine')).toEqual(['cache.r8g.xlarge']);
  });

  it('is none for a type it cannot read, or where AWS allows none', () => {
    expect(ranked('cache.huge', EVERYTHING, 'engine')).toEqual([]);
    expect(ranked('cache.r6g.large', [], 'engine')).toEqual([]);
  });
});
