import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionsOf, type Props, props, readTemplate } from '../../scripts/template.ts';
import { OPT_IN_TAG, type Settings, tagOf } from '../../shared/settings.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
const template = readTemplate();
const functions = functionsOf(template);

/** The first three cells of every row, from the tables with this first column. */
function rowsOf(column: string): string[][] {
  const tables = page.split(/\n\n/).filter((block) => block.startsWith(`| ${column} |`));
  const lines = tables.flatMap((block) => block.trim().split('\n').slice(2));
  return lines.map((line) => line.slice(2, -2).split(' | ').map(unquoted).slice(0, 3)).sort();
}

/** Two functions may read the same tag. */
const unique = (rows: readonly string[][]): string[][] =>
  [...new Map(rows.map((row) => [row.join(' | '), row])).values()].sort();

const unquoted = (cell: string): string => cell.trim().replace(/^`([^`]*)`$/, '$1');

/** The settings of every function, by folder name; a function of several parts has several. */
const policies = await Promise.all(
  functions.map(async ({ folder }) => {
    const { settings }: { settings: Settings | readonly Settings[] } = await import(
      `../../functions/${folder}/policy.ts`
    );
    return { folder, settings: [settings].flat().flatMap((part: Settings) => Object.entries(part)) };
  }),
);

describe('the stack parameters', () => {
  const allowed = ({ AllowedValues, MinValue, MaxValue, ConstraintDescription }: Props): string => {
    if (Array.isArray(AllowedValues)) return AllowedValues.join(', ');
    return MinValue === undefined ? String(ConstraintDescription) : `${MinValue} to ${MaxValue}`;
  };

  it('are those of template.yaml, with default and bounds', () => {
    const expected = Object.entries(template.Parameters).map(([name, parameter]) => [
      name,
      String(parameter.Default),
      allowed(parameter),
    ]);
    expect(rowsOf('parameter')).toEqual(expected.sort());
  });
});

describe('the environment variables', () => {
  /** A variable that functions set differently is each function's own. */
  const fromOf = (name: string): string => {
    const values = functions.flatMap(({ environment }) => (name in environment ? [environment[name]] : []));
    const sources = new Set(values.map((value) => props(value).Ref ?? 'fixed'));
    return sources.size > 1 ? "the function's own" : String([...sources][0] ?? 'not set');
  };

  it('are those that template.yaml sets and the functions read, from where the page says', () => {
    const set = functions.flatMap(({ environment }) => Object.keys(environment));
    const read = policies.flatMap(({ settings }) => settings.map(([, { env }]) => env));
    const expected = [...new Set([...set, ...read])].map((name) => [name, fromOf(name)]);
    expect(rowsOf('variable').map(([name, from]) => [name, from])).toEqual(expected.sort());
  });
});

describe('the tags', () => {
  it('are those that the functions read, with default and what is allowed', () => {
    const read = policies.flatMap(({ settings }) =>
      settings.map(([name, { fallback, kind }]) => [tagOf(name), fallback, kind.expected]),
    );
    expect(unique(rowsOf('tag'))).toEqual(unique([[OPT_IN_TAG, '', 'true or false'], ...read]));
  });
});
