import { describe, expect, it } from 'vitest';
import { stackPolicy } from '../../../functions/check-site/policy.ts';
import { functionsOf, readTemplate } from '../../../scripts/template.ts';
import { SettingError } from '../../../shared/settings.ts';

const sites = (SITES: string) => stackPolicy({ SITES }).sites;
const template = readTemplate();
const pattern = new RegExp(String(template.Parameters.Sites?.AllowedPattern));

describe('the list of sites', () => {
  it.each([
    ['none', null],
    ['', null],
    ['https://a.example', [{ url: 'https://a.example', contains: null }]],
    ['https://a.example/x?y=1#all%20well', [{ url: 'https://a.example/x?y=1#all%20well', contains: 'all well' }]],
    [
      'http://a.example:8080 https://b.example',
      [
        { url: 'http://a.example:8080', contains: null },
        { url: 'https://b.example', contains: null },
      ],
    ],
  ])('"%s" is read', (text, expected) => {
    expect(sites(text)).toEqual(expected);
  });

  it.each([
    'ftp://a.example',
    'file:///etc/passwd',
    'a.example',
    'https://',
    'https://user:secret@a.example',
    'https://a.example#%',
    'https://a.example https://a.example',
    'https://bücher.example',
    'https://a.example#schön',
  ])('"%s" is refused, and the variable named', (text) => {
    expect(() => sites(text)).toThrow(SettingError);
    expect(() => sites(text)).toThrow(/^SITES: expected http or https URLs/);
  });

  it.each([
    ['none', true],
    ['https://a.example', true],
    ['https://a.example/x#ok http://b.example', true],
    ['https://user:secret@a.example', false],
    ['https://xn--bcher-kva.example/%40me#sch%C3%B6n', true],
    ['https://bücher.example', false],
    ['https://a.example http://b.example#schön', false],
    ['a.example', false],
    ['', false],
  ])('the stack takes "%s": %s', (text, expected) => {
    expect(pattern.test(text)).toBe(expected);
  });

  it('may name fifty, each with a thread to be resolved in: Node has half of its threads for that', () => {
    const { environment } = functionsOf(template).find(({ folder }) => folder === 'check-site') ?? {};

    expect(Number(environment?.UV_THREADPOOL_SIZE) / 2).toBeGreaterThanOrEqual(50);
  });
});
