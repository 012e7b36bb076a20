import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimal, fromEnv, fromTags, oneOf, orWord, SettingError, tagOf, wholeNumber } from '../../shared/settings.ts';

const settings = {
  maxThings: { env: 'MAX_THINGS', fallback: '10', kind: wholeNumber(1, 100, 'things') },
  fallbackMode: { env: 'FALLBACK_MODE', fallback: 'notify', kind: oneOf('notify', 'strategy') },
  share: { env: 'SHARE', fallback: '0.5', kind: decimal(0, 1) },
} as const;
const base = { maxThings: 10, fallbackMode: 'notify', share: 0.5 } as const;

describe('wholeNumber', () => {
  const kind = wholeNumber(2, 20);
  it.each([
    ['2', 2],
    ['20', 20],
    ['007', 7],
  ])('reads %j', (text, value) => {
    expect(kind.parse(text)).toBe(value);
  });

  it.each(['1', '21', '', ' 5', '5 ', '5.0', '-5', '+5', '5e0', '0x5', 'five', '५', '9'.repeat(16), 'NaN', 'Infinity'])(
    'refuses %j',
    (text) => {
      expect(kind.parse(text)).toBeUndefined();
    },
  );

  it('tells what it expects, with its unit where it has one', () => {
    expect(kind.expected).toBe('a whole number from 2 to 20');
    expect(wholeNumber(1, 2, 'seconds').expected).toBe('a whole number from 1 to 2 (seconds)');
  });
});

describe('decimal', () => {
  const kind = decimal(0.2, 0.8);
  it.each([
    ['0.2', 0.2],
    ['0.8', 0.8],
    ['0.50', 0.5],
  ])('reads %j', (text, value) => {
    expect(kind.parse(text)).toBe(value);
  });
  it('reads a whole number', () => {
    expect(decimal(0, 5).parse('3')).toBe(3);
    expect(decimal(0, 50).parse('12.5')).toBe(12.5);
  });

  it.each(['0.19', '0.81', '.5', '0.', '0,5', '50%', '5e-1', '-0.5', ' 0.5', '0.5 ', '', 'NaN', '0.0000000001'])(
    'refuses %j',
    (text) => {
      expect(kind.parse(text)).toBeUndefined();
    },
  );

  it('tells what it expects', () => {
    expect(kind.expected).toBe('a number from 0.2 to 0.8');
  });
});

describe('oneOf', () => {
  const kind = oneOf('paired', 'notify');
  it('reads an allowed word', () => {
    expect(kind.parse('notify')).toBe('notify');
  });
  it.each(['Notify', 'notify ', '', 'other'])('refuses %j', (text) => {
    expect(kind.parse(text)).toBeUndefined();
  });
  it('tells what it expects', () => {
    expect(kind.expected).toBe('one of paired, notify');
  });
});

describe('orWord', () => {
  const kind = orWord('off', wholeNumber(1, 9));
  it('reads the word as not set, and anything else as its kind', () => {
    expect(kind.parse('off')).toBeNull();
    expect(kind.parse('9')).toBe(9);
  });
  it.each(['Off', '10', ''])('refuses %j', (text) => {
    expect(kind.parse(text)).toBeUndefined();
  });
  it('tells what it expects', () => {
    expect(kind.expected).toBe('a whole number from 1 to 9, or off');
  });
});

describe('tagOf', () => {
  it.each([
    ['maxShards', 'reflex:max-shards'],
    ['allow', 'reflex:allow'],
    ['reshardAbove80', 'reflex:reshard-above-80'],
    ['resumeDoneOnZero', 'reflex:resume-done-on-zero'],
  ])('of %s is %s', (name, tag) => {
    expect(tagOf(name)).toBe(tag);
  });
});

describe('fromEnv', () => {
  it('falls back where a variable is absent or, as SAM passes it, empty', () => {
    expect(fromEnv(settings, {})).toEqual(base);
    expect(fromEnv(settings, { MAX_THINGS: '', SHARE: undefined })).toEqual(base);
  });

  it('reads what is set', () => {
    expect(fromEnv(settings, { MAX_THINGS: '3', FALLBACK_MODE: 'strategy', SHARE: '1' })).toEqual({
      maxThings: 3,
      fallbackMode: 'strategy',
      share: 1,
    });
  });

  it('names the variable, what is allowed and what was found', () => {
    const read = () => fromEnv(settings, { MAX_THINGS: '101' });
    expect(read).toThrow(SettingError);
    expect(read).toThrow(expect.objectContaining({ name: 'SettingError' }));
    expect(read).toThrow('MAX_THINGS: expected a whole number from 1 to 100 (things), found "101"');
  });

  it('shows forty characters of a value that is longer, and all of one that is not', () => {
    expect(() => fromEnv(settings, { SHARE: 'x'.repeat(41) })).toThrow(`found "${'x'.repeat(40)}..."`);
    expect(() => fromEnv(settings, { SHARE: 'x'.repeat(40) })).toThrow(`found "${'x'.repeat(40)}"`);
  });
});

describe('fromTags', () => {
  it('takes the stack-wide values where the resource says nothing', () => {
    expect(fromTags(settings, base, {})).toEqual(base);
  });

  it('lets a tag win', () => {
    expect(fromTags(settings, base, { 'reflex:max-things': '7' })).toEqual({ ...base, maxThings: 7 });
  });

  it('leaves tags of others alone', () => {
    expect(fromTags(settings, base, { 'max-things': 'many', Name: 'x', 'aws:tag': 'y' })).toEqual(base);
  });

  it('knows the opt-in tag, and the tags of other functions it is told of', () => {
    expect(fromTags(settings, base, { 'reflex:enabled': 'anything' })).toEqual(base);
    expect(fromTags(settings, base, { 'reflex:other': '1' }, ['reflex:other'])).toEqual(base);
  });

  it.each([
    [
      'reflex:max-thing',
      'tag reflex:max-thing: unknown; expected one of reflex:enabled, reflex:max-things, reflex:fallback-mode, reflex:share',
    ],
    ['reflex:Max-Things', 'tag reflex:Max-Things: unknown'],
    ['Reflex:max-things', 'tag Reflex:max-things: unknown'],
    ['reflex:', 'tag reflex:: unknown'],
  ])('refuses the unknown tag %s: a typing error must not be silent', (tag, message) => {
    const read = () => fromTags(settings, base, { [tag]: '7' });
    expect(read).toThrow(SettingError);
    expect(read).toThrow(message);
  });

  it('refuses a malformed tag, and an empty one: a tag says something or is not there', () => {
    expect(() => fromTags(settings, base, { 'reflex:share': 'half' })).toThrow(
      'tag reflex:share: expected a number from 0 to 1, found "half"',
    );
    expect(() => fromTags(settings, base, { 'reflex:max-things': '' })).toThrow('tag reflex:max-things: expected');
  });

  it('gives a value of its kind or throws a SettingError, for any tags', () => {
    const name = fc.oneof(fc.constantFrom('reflex:max-things', 'reflex:share', 'reflex:fallback-mode'), fc.string());
    fc.assert(
      fc.property(fc.dictionary(name, fc.oneof(fc.string(), fc.nat().map(String))), (tags) => {
        try {
          const { maxThings, share, fallbackMode } = fromTags(settings, base, tags);
          expect(maxThings >= 1 && maxThings <= 100 && Number.isInteger(maxThings)).toBe(true);
          expect(share >= 0 && share <= 1).toBe(true);
          expect(['notify', 'strategy']).toContain(fallbackMode);
        } catch (error) {
          if (!(error instanceof SettingError)) throw error;
        }
      }),
    );
  });
});
