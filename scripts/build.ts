/**
 * `npm run build [-- <function-folder>...] [--check-budget]`
 * Bundles functions into dist/<function-folder>/index.mjs, with esbuild's options as template.yaml states them for `sam build`.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { functionNamed, functionsOf, type LambdaFunction, type Props, readTemplate } from './template.ts';

/** Most a function's minified bundle may weigh: what Lambda has to load before the first event is looked at. */
export const BUNDLE_BUDGET_KB = 600;

export const ROOT = join(import.meta.dirname, '..');

export interface Bundle {
  readonly folder: string;
  /** Absolute path of the module that exports `handler`. */
  readonly file: string;
  /** Bytes as loaded and as zipped, without the source map. */
  readonly bytes: number;
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
  const flags = [...esbuildFlags(fn.bundling), `--outdir=${outDir}`, '--entry-names=index', '--log-level=warning'];
  const esbuild = join(ROOT, 'node_modules/.bin/esbuild');
  await promisify(execFile)(esbuild, flags, { cwd: join(ROOT, fn.codeUri) }).catch((error: { stderr?: string }) => {
    throw new Error(`${fn.folder} does not bundle:\n${error.stderr ?? error}`);
  });
  const file = join(outDir, 'index.mjs');
  return { folder: fn.folder, file, bytes: statSync(file).size, zipped: gzipSync(readFileSync(file)).length };
};

const kb = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;

export const sizeTable = (bundles: readonly Bundle[], budgetKb = BUNDLE_BUDGET_KB): string =>
  [
    ['function', 'bundle', 'zipped', `budget ${budgetKb} kB`],
    ...bundles.map(({ folder, bytes, zipped }) => [folder, kb(bytes), kb(zipped), verdict(bytes, budgetKb)]),
  ]
    .map(([name = '', ...cells]) => name.padEnd(24) + cells.map((cell) => cell.padStart(16)).join(''))
    .join('\n');

const verdict = (bytes: number, budgetKb: number): string =>
  overBudget({ bytes }, budgetKb) ? `${kb(bytes - budgetKb * 1000)} over` : `${kb(budgetKb * 1000 - bytes)} left`;

export const overBudget = ({ bytes }: Pick<Bundle, 'bytes'>, budgetKb = BUNDLE_BUDGET_KB): boolean =>
  bytes > budgetKb * 1000;

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
    throw new Error('A bundle is over its budget. Import less, or load a rarely needed client when it is first used.');
  }
};

if (import.meta.main) {
  main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
