import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  inWords,
  ioThreadsUsed,
  isValkeyOrRedis,
  lagInSeconds,
} from '../../../functions/relieve-elasticache/engine.ts';

const redis = (engineVersion: string | null, tls = false) => ({ engine: 'redis', engineVersion, tls });
const valkey = (engineVersion: string) => ({ engine: 'valkey', engineVersion, tls: false });

describe('a version', () => {
  it.each([
    ['6.2.5', '6.2.5', true],
    ['6.2.4', '6.2.5', false],
    ['6.2.10', '6.2.5', true],
    ['6.10.0', '6.2.5', true],
    ['7.0', '6.2.5', true],
    ['5.0.6', '6.0', false],
    // ElastiCache has written 6.x for the newest 6.
    ['6.x', '6.2.5', true],
    ['6', '6.2.5', true],
    ['5.x', '6.2.5', false],
    ['soon', '6.2.5', true],
  ])('%s of Redis is at least %s: %s', (version, wanted, expected) => {
    expect(isValkeyOrRedis(redis(version), wanted)).toBe(expected);
  });

  it('that is not known is taken for a new one', () => {
    expect(isValkeyOrRedis(redis(null), '7.1')).toBe(true);
  });

  it('of Valkey is always new enough: the first was 7.2', () => {
    expect(isValkeyOrRedis(valkey('7.2.6'), '9.9')).toBe(true);
  });

  it('is at least itself and all before, whatever it is', () => {
    const part = fc.nat(20);
    fc.assert(
      fc.property(part, part, part, part, (major, minor, patch, more) => {
        const version = `${major}.${minor}.${patch}`;
        expect(isValkeyOrRedis(redis(version), version)).toBe(true);
        expect(isValkeyOrRedis(redis(`${major}.${minor + more}.${patch}`), version)).toBe(true);
        expect(isValkeyOrRedis(redis(version), `${major}.${minor}.${patch + more + 1}`)).toBe(false);
      }),
    );
  });
});

describe('the I/O threads that an engine uses', () => {
  it.each([
    [redis('5.0.5'), 0],
    [redis('5.0.6'), 1],
    // TLS offload is worth nothing without TLS.
    [redis('6.2.6'), 1],
    [redis('6.2.6', true), 2],
    [redis('6.2.4', true), 1],
    [redis('7.0.3'), 1],
    [redis('7.0.4'), 2],
    [redis(null), 2],
    [valkey('7.2.6'), 2],
    [valkey('8.1.0'), 2],
  ])('%j: %d', (engine, expected) => {
    expect(ioThreadsUsed(engine)).toBe(expected);
  });
});

describe('replication lag', () => {
  it.each([
    [redis('5.0.6'), 4_000, 4],
    [redis('5.0.5'), 4_000, 4_000],
    [redis('6.2.6'), 4, 4],
    [redis('5.0.6'), null, null],
    [redis('5.0.6'), 0, 0],
  ])('of %j published as %s is %s s', (engine, lag, expected) => {
    expect(lagInSeconds(lag, engine)).toBe(expected);
  });
});

describe('an engine in words', () => {
  it.each([
    [redis('7.1.0'), 'Redis 7.1.0'],
    [redis(null), 'Redis'],
    [valkey('8.0.1'), 'Valkey 8.0.1'],
  ])('%j: %s', (engine, expected) => {
    expect(inWords(engine)).toBe(expected);
  });
});
