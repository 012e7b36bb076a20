import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { reasons } from '../../../shared/reasons.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const sources = globSync('functions/relieve-elasticache/*.ts', { cwd: ROOT }).map(read).join('\n');
const page = read('docs/relieve-elasticache.md');
const picture = read('docs/images/relieve-elasticache.svg');

/** Codes of the catalogue that the function gives. */
const given = Object.keys(reasons).filter((code) => sources.includes(`'${code}'`));

/** Told of elsewhere: they are the pipeline's, or need no line to be followed. */
const UNDRAWN = [
  'access-denied',
  'act-failed',
  'act-unknown',
  'cool-down',
  'invalid-argument',
  'not-calm',
  'nothing-open',
  'nothing-to-remove',
  'rate-limited',
  'serverless-throttled',
  'unexpected-state',
];

it('the page or its picture shows every reason the function gives', () => {
  expect(given.length).toBeGreaterThan(40);
  expect(given.filter((code) => !UNDRAWN.includes(code) && !`${page}${picture}`.includes(code))).toEqual([]);
});

it('the picture shows no reason that does not exist', () => {
  const shown = [...picture.matchAll(/<text class="c"[^>]*>([^<]+)</g)].flatMap(([, codes = '']) => codes.split(', '));
  expect(shown.length).toBeGreaterThan(30);
  expect(shown.filter((code) => !code.startsWith('(') && !(code in reasons))).toEqual([]);
});
