import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const files = globSync('{functions,shared}/**/*.ts', { cwd: ROOT }).sort();

interface Import {
  readonly from: string;
  /** Path inside the repository, or a package's name. */
  readonly to: string;
  readonly typeOnly: boolean;
}

const STATEMENT =
  /^(?:import|export)\s+(type\s+)?([^;'"]*?)\s*from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm;

const isTypeList = (names = ''): boolean => /^\{\s*(type\s+\w+(\s+as\s+\w+)?\s*,?\s*)+\}$/.test(names);

const importsIn = (from: string): Import[] =>
  [...readFileSync(join(ROOT, from), 'utf8').matchAll(STATEMENT)].map(([, type, names, named, bare, dynamic]) => {
    const target = named ?? bare ?? dynamic ?? '';
    return {
      from,
      to: target.startsWith('.') ? relative(ROOT, join(ROOT, dirname(from), target)) : target,
      typeOnly: type !== undefined || isTypeList(names),
    };
  });

const imports = files.flatMap(importsIn);
const described = ({ from, to }: Import): string => `${from} -> ${to}`;
const folder = (path: string): string => path.split('/').slice(0, 2).join('/');

/** Everything that `file` loads at run time, itself included. */
const loadedBy = (file: string, seen = new Set<string>()): Set<string> => {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { from, to, typeOnly } of imports) if (from === file && !typeOnly) loadedBy(to, seen);
  return seen;
};

describe('the direction of imports', () => {
  it('reads every kind of import statement', () => {
    expect(imports.length).toBeGreaterThan(files.length);
    expect(imports.some(({ typeOnly }) => typeOnly)).toBe(true);
    expect(imports.some(({ to }) => to.startsWith('@aws-sdk/client-'))).toBe(true);
  });

  it('goes from functions to shared, never to another function', () => {
    const strays = imports.filter(
      ({ from, to }) => from.startsWith('functions/') && to.startsWith('functions/') && folder(from) !== folder(to),
    );
    expect(strays.map(described)).toEqual([]);
  });

  it('never goes from shared to a function, a script or a test', () => {
    const strays = imports.filter(
      ({ from, to }) => from.startsWith('shared/') && /^(functions|scripts|test|bench)\//.test(to),
    );
    expect(strays.map(described)).toEqual([]);
  });

  it('never leaves functions and shared for scripts or tests', () => {
    expect(imports.filter(({ to }) => /^(scripts|test|bench)\//.test(to)).map(described)).toEqual([]);
  });

  it('brings shared/aws nothing of ours at run time but itself and telemetry', () => {
    const strays = imports.filter(
      ({ from, to, typeOnly }) =>
        from.startsWith('shared/aws/') &&
        !typeOnly &&
        /^(functions|shared)\//.test(to) &&
        !/^shared\/(aws|telemetry)\//.test(to),
    );
    expect(strays.map(described)).toEqual([]);
  });

  it('lets only shared/aws build SDK commands', () => {
    const building = files.filter((file) =>
      /new \w+Command\(|\bpaginate[A-Z]\w+\(/.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(building).toContain('shared/aws/kinesis.ts');
    expect(building.filter((file) => !file.startsWith('shared/aws/'))).toEqual([]);
  });

  it('keeps X-Ray in one file', () => {
    const users = imports.filter(({ to }) => to.startsWith('aws-xray-sdk-core'));
    expect([...new Set(users.map(({ from }) => from))]).toEqual(['shared/telemetry/tracing.ts']);
  });
});

describe('a decision', () => {
  const decisions = files.filter((file) => /^functions\/[^/]+\/decide\.ts$/.test(file));

  it.each(decisions)('%s loads pure helpers only: no client, no ledger, no telemetry, no platform', (file) => {
    const impure = [...loadedBy(file)].filter((path) =>
      /^shared\/(aws|ledger|guards|telemetry)\/|^@aws-sdk\/|^node:|\/(observe|act|handler)\.ts$/.test(path),
    );
    expect(impure).toEqual([]);
  });

  it.each(decisions)('%s and its helpers read no clock, no environment and no chance', (file) => {
    const ours = [...loadedBy(file)].filter((path) => path.endsWith('.ts'));
    const readers = ours.filter((path) =>
      /Date\.now\(|new Date\(\)|process\.env|Math\.random|randomUUID/.test(readFileSync(join(ROOT, path), 'utf8')),
    );
    expect(readers).toEqual([]);
  });
});

describe('a handler', () => {
  const handlers = files.filter((file) => file.endsWith('/handler.ts'));

  it.each(handlers)('%s is wiring, at most 60 lines', (file) => {
    expect(readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(60);
  });
});
