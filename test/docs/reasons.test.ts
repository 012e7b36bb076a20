import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reasons } from '../../shared/reasons.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/reasons.md'), 'utf8');

/** `| `code` | sentence | what you do |` */
const rows = [...page.matchAll(/^\| `([^`]+)` \| (.+?) \| (.*?) \|$/gm)].map(
  ([, code = '', sentence, advice = '']) => ({
    code,
    sentence,
    advice,
  }),
);

describe('docs/reasons.md', () => {
  it('has a row for every code of shared/reasons.ts', () => {
    const missing = Object.entries(reasons).filter(([code]) => !rows.some((row) => row.code === code));
    expect(missing.map(([code, sentence]) => `| \`${code}\` | ${sentence} | what you do |`)).toEqual([]);
  });

  it('has the codes once, in the order of shared/reasons.ts, and nothing else', () => {
    expect(rows.map(({ code }) => code)).toEqual(Object.keys(reasons));
  });

  it('has no row that could not be read', () => {
    const lines = page.split('\n').filter((line) => line.startsWith('|') && !/^\|(-|\s*code\b)/.test(line));
    expect(lines).toHaveLength(rows.length);
  });

  it("gives each code its catalogue's sentence", () => {
    expect(Object.fromEntries(rows.map(({ code, sentence }) => [code, sentence]))).toEqual(reasons);
  });

  it('says for each what the reader does', () => {
    expect(rows.filter(({ advice }) => !/[.:)]$/.test(advice) || advice.length < 8).map(({ code }) => code)).toEqual(
      [],
    );
  });
});
