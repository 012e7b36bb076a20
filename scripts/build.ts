/**
 * `npm run build [-- <function-folder>...] [--check-budget]`
 * Bundles functions into dist/<function-folder>/index.mjs, with esbuild's options as template.yaml states them for `sam build`.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Metafile } from 'esbuild';
import { functionNamed, functionsOf, type LambdaFunction, type Props, readTemplate } from './template.ts';

/**
 * Most that Lambda may have to load before a function looks at its first event, kB; what is imported later does not count. A new
 * instance's start grows with it: most of an import is compiling. Every function carries 310 kB (the SDK's core, the ledger's and
 * the inbox's clients, the logger and the pipeline); a client more is 15 to 50 kB, and a function's own rules are 10 to 60.
 */
const BUDGET_KB = 355;
/** More, for the clients of the services that a function looks at before it decides. */
const BUDGETS_KB: Readonly<Record<string, number>> = {
  'reshard-kinesis': 505,
  'drain-fargate': 450,
  'resume-fargate': 410,
  'restore-capacity': 485,
  'relieve-elasticache': 525,
  'save-spot-logs': 595,
  'rescue-spot-logs': 555,
  'tune-alarms': 475,
};

export const budgetOf = (folder: string): number => BUDGETS_KB[folder] ?? BUDGET_KB;

export const ROOT = join(import.meta.dirname, '..');

export interface Bundle {
  readonly folder: string;
  /** Absolute path of the module that exports `handler`. */
  readonly file: string;
  /** Bytes that are loaded at init: the module and what it imports statically. */
  readonly bytes: number;
  /** Bytes of all modules, as they are and compressed. Source maps are not counted. */
  readonly total: number;
  readonly zipped: number;
}

/**
 * The command line SAM would give esbuild: true is a bare flag, false is left out, a text is `--key=text`, a list `--key:item`.
 * @throws Error for a kind of value that SAM refuses.
 */
export const esbuildFlags = ({ EntryPoints, ...options }: Props): string[] => {
  if (!Array.isArray(EntryPoints) || EntryPoints.length === 0)
    throw new Error('BuildProperties.EntryPoints: expected a list');
  const flags = Object.entries(options).flatMap(([key, value]) => {
    const flag = `--${key.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase()}`;
    if (value === true) return [flag];
    if (value === false) return [];
    if (typeof value === 'string') return [`${flag}=${value}`];
    if (Array.isArray(value)) return value.map((item) => `${flag}:${item}`);
    throw new Error(`BuildProperties.${key}: expected true, false, a text or a list`);
  });
  return [...EntryPoints.map(String), '--bundle', '--platform=node', ...flags];
};

/**
 * Bundles one function.
 * @param outDir made anew; by default dist/<function-folder>
 * @throws Error with esbuild's own message where the source does not bundle.
 */
export const build = async (fn: LambdaFunction, outDir = join(ROOT, 'dist', fn.folder)): Promise<Bundle> => {
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  const metafile = `${outDir}.meta.json`;
  const flags = [...esbuildFlags(fn.bundling), `--outdir=${outDir}`, '--entry-names=index', `--metafile=${metafile}`];
  const esbuild = join(ROOT, 'node_modules/.bin/esbuild');
  await promisify(execFile)(esbuild, [...flags, '--log-level=warning'], { cwd: join(ROOT, fn.codeUri) }).catch(
    (error: { stderr?: string }) => {
      throw new Error(`${fn.folder} does not bundle:\n${error.stderr ?? error}`);
    },
  );
  const modules = readdirSync(outDir).filter((name) => name.endsWith('.mjs'));
  const size = (names: Iterable<string>): number =>
    [...names].reduce((sum, name) => sum + statSync(join(outDir, name)).size, 0);
  return {
    folder: fn.folder,
    file: join(outDir, 'index.mjs'),
    bytes: size(loadedAtInit(JSON.parse(readFileSync(metafile, 'utf8')) as Metafile)),
    total: size(modules),
    zipped: modules.reduce((sum, name) => sum + gzipSync(readFileSync(join(outDir, name))).length, 0),
  };
};

/** File names of the entry and of all it imports statically, directly or not. */
const loadedAtInit = ({ outputs }: Metafile): Set<string> => {
  const imports = new Map(
    Object.entries(outputs).map(([path, output]) => [
      basename(path),
      output.imports
        .filter(({ kind, external }) => kind === 'import-statement' && !external)
        .map((i) => basename(i.path)),
    ]),
  );
  const loaded = new Set(['index.mjs']);
  for (const name of loaded) for (const imported of imports.get(name) ?? []) loaded.add(imported);
  return loaded;
};

const kb = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;

export const sizeTable = (bundles: readonly Bundle[]): string =>
  [
    ['function', 'at init', 'in all', 'zipped', 'budget', ''],
    ...bundles.map((bundle) => [
      bundle.folder,
      ...[bundle.bytes, bundle.total, bundle.zipped, budgetOf(bundle.folder) * 1_000].map(kb),
      verdict(bundle),
    ]),
  ]
    .map(([name = '', ...cells]) => name.padEnd(22) + cells.map((cell) => cell.padStart(15)).join(''))
    .join('\n');

const verdict = ({ folder, bytes }: Bundle): string => {
  const left = budgetOf(folder) * 1_000 - bytes;
  return left < 0 ? `${kb(-left)} over` : `${kb(left)} left`;
};

export const overBudget = ({ folder, bytes }: Pick<Bundle, 'folder' | 'bytes'>): boolean =>
  bytes > budgetOf(folder) * 1_000;

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    options: { 'check-budget': { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const all = functionsOf(readTemplate());
  const chosen = positionals.length === 0 ? all : positionals.map((folder) => functionNamed(folder, all));
  const bundles = await Promise.all(chosen.map((fn) => build(fn)));
  console.log(sizeTable(bundles));
  if (values['check-budget'] && bundles.some((bundle) => overBudget(bundle))) {
    throw new Error(
      'A bundle is over its budget. Import less, or load a rarely needed client when it is first used. ' +
        'After `npm install <package>`, which runs no scripts of ours: npm run postinstall.',
    );
  }
};

if (import.meta.main) {
  main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
