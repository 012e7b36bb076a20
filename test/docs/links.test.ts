import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionsOf, readTemplate } from '../../scripts/template.ts';
import { anchorsOf, withoutCode } from '../support/anchors.ts';

const ROOT = join(import.meta.dirname, '../..');
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).sort();
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

describe('the links', () => {
  const links = pages.flatMap((page) =>
    [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target))
      .map((target) => ({ page, target })),
  );

  it('are found', () => {
    expect(links.length).toBeGreaterThan(100);
  });

  it('lead to files and sections that exist', () => {
    const broken = links.filter(({ page, target }) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, file))) return true;
      return anchor !== undefined && !anchorsOf(read(file)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

describe('the README', () => {
  const readme = read('README.md');

  it('has a row for every function that leads to its page', () => {
    const folders = functionsOf(readTemplate()).map(({ folder }) => folder);
    const missing = folders.filter((folder) => !readme.includes(`\n| [${folder}](docs/${folder}.md) |`));
    expect(missing).toEqual([]);
  });

  it('leads to every page', () => {
    expect(globSync('docs/*.md', { cwd: ROOT }).filter((page) => !readme.includes(`](${page}`))).toEqual([]);
  });
});
