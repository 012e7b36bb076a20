import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../../scripts/build.ts';
import { scenarios } from '../../../scripts/drill/scenarios.ts';
import { functionsOf, readTemplate } from '../../../scripts/template.ts';

it('every function of the template has a scenario, and none is of another', () => {
  const shown = new Set(scenarios.map(({ fn }) => fn));

  expect([...shown].toSorted()).toEqual(
    functionsOf(readTemplate())
      .map(({ folder }) => folder)
      .toSorted(),
  );
});

it('no two scenarios have one name', () => {
  expect(new Set(scenarios.map(({ id }) => id)).size).toBe(scenarios.length);
});

it('the README says how many there are', () => {
  const [, count] = /\bin (\d+) scenarios\b/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];

  expect(Number(count)).toBe(scenarios.length);
});
