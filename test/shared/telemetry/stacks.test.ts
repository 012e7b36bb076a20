import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build, ROOT } from '../../../scripts/build.ts';
import { functionsOf, readTemplate } from '../../../scripts/template.ts';

const SOURCE = `
import { stacksNameTheSource } from '${join(import.meta.dirname, '../../../shared/telemetry/stacks.ts')}';
stacksNameTheSource();
const failing = (): string => {
  throw new TypeError('boom');
};
try {
  failing();
} catch (error) {
  console.log((error as Error).stack);
}
`;

let folder: string;
let file: string;

beforeAll(async () => {
  // As deep below the checkout as a function is: the template's aliases are relative.
  folder = mkdtempSync(join(ROOT, 'node_modules/.stacks-'));
  writeFileSync(join(folder, 'handler.ts'), SOURCE);
  const [fn] = functionsOf(readTemplate());
  if (fn === undefined) throw new Error('The template has no function.');
  ({ file } = await build({ ...fn, codeUri: join('node_modules', basename(folder)) }, join(folder, 'out')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A process of its own: how stacks are written is the whole process's. */
const printed = (): string[] => execFileSync(process.execPath, [file], { encoding: 'utf8' }).split('\n');

describe('the stack of an error in a bundle', () => {
  it('names file, line and column of the source', () => {
    const [headline, ...frames] = printed();

    expect(headline).toBe('TypeError: boom');
    expect(frames[0]).toMatch(/^ {4}at .*handler\.ts:5:9\)?$/);
    expect(frames[1]).toMatch(/handler\.ts:8:3\)?$/);
  });

  it('names the place in the bundle where no map lies beside it', () => {
    rmSync(`${file}.map`);

    const [headline, ...frames] = printed();

    expect(headline).toBe('TypeError: boom');
    expect(frames[0]).toMatch(/index\.mjs:\d+:\d+\)?$/);
  });
});
