import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scenarios } from '../../scripts/drill/scenarios.ts';
import { functionsOf, readTemplate } from '../../scripts/template.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const pages = globSync(['*.md', 'docs/*.md'], { cwd: ROOT }).sort();

/** Every match in every page, with the page; the groups of the expression. */
const found = (expression: RegExp) =>
  pages.flatMap((page) => [...read(page).matchAll(expression)].map(([, ...groups]) => ({ page, groups })));

describe('the commands of the pages', () => {
  it('are scripts of package.json', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = found(/npm run ([\w:-]+)/g);

    expect(named.length).toBeGreaterThan(50);
    expect(named.filter(({ groups: [name = ''] }) => !(name in scripts))).toEqual([]);
  });

  it('invoke functions that exist with events that exist', () => {
    const folders = functionsOf(readTemplate()).map(({ folder }) => folder);
    const invocations = found(/npm run invoke -- ([a-z-]+) (events\/[\w.-]+)/g);

    expect(invocations.length).toBeGreaterThan(1);
    expect(
      invocations.filter(
        ({ groups: [fn = '', event = ''] }) => !folders.includes(fn) || !existsSync(join(ROOT, event)),
      ),
    ).toEqual([]);
  });

  it('drill scenarios that exist', () => {
    const known = scenarios.map(({ id }) => id);
    const named = found(/npm run drill -- --only ([a-z-]+)/g);

    expect(named.length).toBeGreaterThan(1);
    expect(named.filter(({ groups: [id = ''] }) => !known.includes(id))).toEqual([]);
  });
});

describe('the files that the pages name', () => {
  it('exist', () => {
    const named = found(/`((?:test|shared|functions|scripts|docs|documents|bench|events)\/[\w./-]+\w)`/g);

    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(({ groups: [path = ''] }) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
