import { describe, expect, it } from 'vitest';
import { creditBaseline, ioThreads, offloadsTls, ranked } from '../../../functions/relieve-elasticache/node-types.ts';
import { vcpusOf } from '../../../shared/cache-nodes.ts';

const REDIS_7 = { engine: 'redis', engineVersion: '7.1.0', tls: false };

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

/** The user guide's families and sizes, written out. */
const TABLE: Readonly<Record<string, string>> = {
  t1: 'micro 1',
  t2: 'micro 1 small 1 medium 2',
  t3: 'micro 2 small 2 medium 2',
  t4g: 'micro 2 small 2 medium 2',
  m1: 'small 1 medium 1 large 2 xlarge 4',
  m2: 'xlarge 2 2xlarge 4 4xlarge 8',
  m3: 'medium 1 large 2 xlarge 4 2xlarge 8',
  m4: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 10xlarge 40',
  m5: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 12xlarge 48 24xlarge 96',
  m6g: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 8xlarge 32 12xlarge 48 16xlarge 64',
  m7g: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 8xlarge 32 12xlarge 48 16xlarge 64',
  c1: 'xlarge 8',
  c7gn: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 8xlarge 32 12xlarge 48 16xlarge 64',
  r3: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 8xlarge 32',
  r4: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 8xlarge 32 16xlarge 64',
  r5: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 12xlarge 48 24xlarge 96',
  r6g: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 8xlarge 32 12xlarge 48 16xlarge 64',
  r6gd: 'xlarge 4 2xlarge 8 4xlarge 16 8xlarge 32 12xlarge 48 16xlarge 64',
  r7g: 'large 2 xlarge 4 2xlarge 8 4xlarge 16 8xlarge 32 12xlarge 48 16xlarge 64',
};
const SIZES = 'micro small medium large xlarge 2xlarge 4xlarge 8xlarge 10xlarge 12xlarge 16xlarge 24xlarge'.split(' ');

describe('the table', () => {
  it.each(Object.entries(TABLE))('of %s has exactly the sizes there are: %s', (family, text) => {
    const words = text.split(' ');
    const expected = Object.fromEntries(
      SIZES.map((size) => [size, words.includes(size) ? Number(words[words.indexOf(size) + 1]) : null]),
    );
    expect(Object.fromEntries(SIZES.map((size) => [size, vcpusOf(`cache.${family}.${size}`)]))).toEqual(expected);
  });
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
    expect(offloadsTls(type, REDIS_7)).toBe(expected);
  });
});

describe('the I/O that an engine hands to other threads', () => {
  it.each([
    ['cache.r7g.large', '7.1.0', 0],
    ['cache.r7g.xlarge', '7.1.0', 2],
    ['cache.r7g.xlarge', '6.0.5', 1],
    ['cache.r7g.xlarge', '5.0.5', 0],
    ['cache.m5.large', '7.1.0', 0],
    ['cache.m5.xlarge', '7.1.0', 1],
    ['cache.m5.2xlarge', '7.1.0', 2],
    ['cache.r6gd.xlarge', '7.1.0', 1],
    ['cache.r6gd.2xlarge', '7.1.0', 2],
    ['cache.m4.2xlarge', '7.1.0', 2],
    ['cache.r3.2xlarge', '7.1.0', 0],
    ['cache.t4g.medium', '7.1.0', 0],
    ['cache.c7gn.xlarge', '7.1.0', 2],
    ['cache.m8i.xlarge', '7.1.0', 1],
    ['cache.unknown', '7.1.0', 0],
  ])('on %s with Redis %s: %d', (type, engineVersion, expected) => {
    expect(ioThreads(type, { ...REDIS_7, engineVersion })).toBe(expected);
  });

  it('is no TLS before Redis 6.2.5', () => {
    expect(offloadsTls('cache.r7g.xlarge', { ...REDIS_7, engineVersion: '6.2.4' })).toBe(false);
    expect(offloadsTls('cache.r7g.xlarge', { ...REDIS_7, engineVersion: '6.2.5' })).toBe(true);
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
    expect(ranked(current, EVERYTHING, need, REDIS_7)[0]).toBe(expected);
  });

  it('prefers the same family, then the smallest', () => {
    expect(ranked('cache.r6g.large', EVERYTHING, 'cores', REDIS_7).slice(0, 4)).toEqual([
      'cache.r6g.xlarge',
      'cache.r6g.2xlarge',
      'cache.r6g.4xlarge',
      'cache.r7g.xlarge',
    ]);
  });

  it('is never burstable, of a previous generation, or one with less memory', () => {
    for (const current of ['cache.r6g.xlarge', 'cache.t3.medium', 'cache.r5.2xlarge']) {
      for (const need of ['engine', 'cores', 'memory', 'network', 'credits'] as const) {
        const types = ranked(current, EVERYTHING, need, REDIS_7);
        expect(types.filter((type) => /\.(t|r3|m[123])/.test(type))).toEqual([]);
        expect(types).not.toContain(current);
      }
    }
    expect(ranked('cache.r6g.xlarge', ['cache.m7g.xlarge', 'cache.c7gn.2xlarge'], 'engine', REDIS_7)).toEqual([]);
  });

  it.each([
    // No I/O threads in the engine: a larger node of the family gains nothing, a newer core does.
    ['cache.r6g.large', '5.0.5', 'cache.r7g.xlarge'],
    ['cache.r6g.large', '5.0.6', 'cache.r6g.xlarge'],
    ['cache.m5.xlarge', '6.2.6', 'cache.r7g.xlarge'],
    ['cache.r7g.large', '5.0.0', undefined],
    ['cache.t4g.medium', '5.0.0', 'cache.r6g.large'],
  ])('of %s with Redis %s is %s', (current, engineVersion, expected) => {
    expect(ranked(current, EVERYTHING, 'engine', { ...REDIS_7, engineVersion })[0]).toBe(expected);
  });

  it('of x86 offloads TLS from 2xlarge on, where there is TLS and Redis 6.2.5', () => {
    const of = (engineVersion: string, tls: boolean) =>
      ranked('cache.m5.xlarge', ['cache.m5.2xlarge'], 'engine', { engine: 'redis', engineVersion, tls });

    expect(of('6.2.5', true)).toEqual(['cache.m5.2xlarge']);
    expect(of('6.2.5', false)).toEqual([]);
    expect(of('6.2.4', true)).toEqual([]);
    expect(of('7.0.4', false)).toEqual(['cache.m5.2xlarge']);
  });

  it('never leaves data tiering, nor enters it', () => {
    const both = ['cache.r6gd.2xlarge', 'cache.r6g.2xlarge', 'cache.r7g.2xlarge'];

    expect(ranked('cache.r6gd.xlarge', both, 'memory', REDIS_7)).toEqual(['cache.r6gd.2xlarge']);
    expect(ranked('cache.r6g.xlarge', both, 'memory', REDIS_7)).toEqual(['cache.r6g.2xlarge', 'cache.r7g.2xlarge']);
  });

  it('is the smallest first, then the same kind, then the newest, then by name', () => {
    const allowed = [
      'cache.m7g.xlarge',
      'cache.r7g.xlarge',
      'cache.r6g.xlarge',
      'cache.r5.xlarge',
      'cache.r7g.2xlarge',
    ];

    expect(ranked('cache.r4.large', allowed, 'cores', REDIS_7)).toEqual([
      'cache.r7g.xlarge',
      'cache.r6g.xlarge',
      'cache.r5.xlarge',
      'cache.m7g.xlarge',
      'cache.r7g.2xlarge',
    ]);
    expect(ranked('cache.r4.large', ['cache.r7i.xlarge', 'cache.r7a.xlarge'], 'cores', REDIS_7)).toEqual([
      'cache.r7a.xlarge',
      'cache.r7i.xlarge',
    ]);
  });

  it.each([
    ['cache.r6g.xlarge', 'cache.m7g.2xlarge', true],
    ['cache.r6g.xlarge', 'cache.m7g.xlarge', false],
    ['cache.m6g.xlarge', 'cache.c7gn.2xlarge', true],
    ['cache.m6g.xlarge', 'cache.c7gn.xlarge', false],
    ['cache.t3.medium', 'cache.m5.large', true],
    ['cache.t2.medium', 'cache.m5.large', true],
  ] as const)('of %s may be %s, with no less memory: %s', (current, next, expected) => {
    expect(
      ranked(current, [next], 'cores', REDIS_7).length + ranked(current, [next], 'credits', REDIS_7).length > 0,
    ).toBe(expected);
  });

  it.each([
    ['memory', 'cache.r7g.xlarge', false],
    ['memory', 'cache.r7g.2xlarge', true],
    ['network', 'cache.r7g.xlarge', false],
    ['network', 'cache.r7g.2xlarge', true],
  ] as const)('for %s from r6g.xlarge may be %s: %s', (need, next, expected) => {
    expect(ranked('cache.r6g.xlarge', [next], need, REDIS_7)).toEqual(expected ? [next] : []);
  });

  it('for the network of a T node may have as many vCPUs, for that of another more', () => {
    expect(ranked('cache.t3.medium', ['cache.m5.large'], 'network', REDIS_7)).toEqual(['cache.m5.large']);
    expect(ranked('cache.m4.large', ['cache.m5.large'], 'network', REDIS_7)).toEqual([]);
  });

  it.each([
    'cache.m9.large',
    'cache.m9.8xlarge',
    'cache.m10g.large',
    'cache.x9.large',
    'cache.xm9.large',
    'cache.m9i-flex.large',
    'cache.m9.metal-24xlarge',
    'cache.m9.2xlarges',
    'cache.m9.metal',
    'cache.m9.0xlarge',
    'cache.m4.large',
    'cache.r3.large',
    'm9.large',
  ])('that the table does not have is read by its size where it is one: %s', (type) => {
    const known = ['cache.m9.large', 'cache.m9.8xlarge', 'cache.m10g.large', 'cache.m4.large'].includes(type);
    expect(ranked('cache.t3.medium', [type], 'credits', REDIS_7)).toEqual(known ? [type] : []);
  });

  it('counts generations as numbers: ten comes after nine', () => {
    expect(ranked('cache.m9g.xlarge', ['cache.m10g.xlarge'], 'engine', REDIS_7)).toEqual(['cache.m10g.xlarge']);
    expect(ranked('cache.m10g.xlarge', ['cache.m9g.xlarge'], 'engine', REDIS_7)).toEqual([]);
  });

  it('may be of a family newer than the table', () => {
    expect(ranked('cache.r7g.xlarge', ['cache.r8g.xlarge', 'cache.x9.huge'], 'engine', REDIS_7)).toEqual([
      'cache.r8g.xlarge',
    ]);
  });

  it('is none for a type it cannot read, or where AWS allows none', () => {
    expect(ranked('cache.huge', EVERYTHING, 'engine', REDIS_7)).toEqual([]);
    expect(ranked('cache.r6g.large', [], 'engine', REDIS_7)).toEqual([]);
  });
});
