import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';
import { build, ROOT } from '../scripts/build.ts';
import { functionsOf, type LambdaFunction, readTemplate } from '../scripts/template.ts';
import { barChart } from './chart.ts';
import { fullStack, type Imports } from './full-stack.ts';
import { telemetryCost } from './storm.ts';

const run = promisify(execFile);
const ROUNDS = 25;
const PROFILES = 3;

/** What a module costs from nothing to imported, in a process of its own: ms of the processor, and MiB of resident memory after it. */
interface Cost {
  readonly ms: number;
  readonly mib: number;
}

const PROBE = `
const before = process.cpuUsage();
await import(process.argv[1]);
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ ms: (user + system) / 1_000, mib: process.memoryUsage.rss() / 2 ** 20 }));
process.exit(0);
`;

/** Values that let every function start; nothing is called. What the template takes from a parameter has a fallback in the code. */
const ARN = 'arn:aws:ecs:eu-west-1:111122223333';
const env = {
  PATH: process.env.PATH,
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench',
  LEDGER_TABLE: 'bench',
  INBOX_URL: 'http://127.0.0.1:1/bench',
  NOTIFICATIONS_TOPIC_ARN: 'arn:aws:sns:eu-west-1:111122223333:bench',
  LOG_BUCKET: 'reflex-logs',
  SHIP_LOGS_DOCUMENT: 'reflex-ship-logs',
  RESCUE_CLUSTER: `${ARN}:cluster/reflex`,
  RESCUE_TASK_DEFINITION: `${ARN}:task-definition/reflex:1`,
  RESCUE_INFRASTRUCTURE_ROLE: 'arn:aws:iam::111122223333:role/reflex',
};

const once = async (file: string): Promise<Cost> => {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', PROBE, file], { env });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Cost;
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** One list of costs a file. Rounds are interleaved, so that a busy moment of the machine falls on all alike. */
const measured = async (files: readonly string[]): Promise<Cost[][]> => {
  const costs: Cost[][] = files.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, file] of files.entries()) costs[i]?.push(await once(file));
    if (process.stderr.isTTY) process.stderr.write(`\r  round ${round + 1} of ${ROUNDS} `);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return costs;
};

/** The median of the ratios of each round: two that were measured a moment apart were measured on the same machine. */
const ratio = (some: readonly Cost[], others: readonly Cost[], of: keyof Cost): number =>
  median(some.map((cost, round) => cost[of] / (others[round]?.[of] ?? Number.NaN)));

/** The SDK clients and commands a function imports at init; what it imports when first used is not among them. */
export const importsOf = async (entry: string): Promise<Imports[]> => {
  const { metafile } = await esbuild.build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    absWorkingDir: ROOT,
    outdir: 'unused',
  });
  const reached = new Set(Object.values(metafile.outputs).flatMap(({ entryPoint }) => entryPoint ?? []));
  for (const file of reached) {
    for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && !external) reached.add(path);
    }
  }
  return [...reached]
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .flatMap((source) => [...source.matchAll(/import \{([^}]+)\} from '(@aws-sdk\/client-[a-z0-9-]+)'/g)])
    .map(([, names = '', client = '']) => ({
      client,
      names: names
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && !name.startsWith('type ')),
    }))
    .filter(({ names }) => names.length > 0);
};

/** The clients and commands alone, and nothing of ours: the least a function could weigh. */
export const bareSdk = (imports: readonly Imports[]): string =>
  imports
    .map(({ client, names }, i) => {
      const own = names.map((name) => `${name} as n${i}${name}`);
      return `import { ${own.join(', ')} } from '${client}'; globalThis.kept${i} = [${names.map((name) => `n${i}${name}`).join(', ')}];`;
    })
    .join('\n');

/** The template's options, less what leaves out or replaces parts of the SDK: a yardstick has it as it comes. */
const asItComes = ({ External, Alias, ...options }: LambdaFunction['bundling']): LambdaFunction['bundling'] => options;

/** Bundles a yardstick as the template bundles a function; gives its entry and the bytes loaded at init. */
const bundled = async (fn: LambdaFunction, dir: string, name: string, source: string) => {
  // Below the repository, where its packages are found.
  const home = mkdtempSync(join(ROOT, 'node_modules/.bench-'));
  try {
    writeFileSync(join(home, 'handler.ts'), source);
    const yardstick = {
      ...fn,
      folder: name,
      codeUri: join('node_modules', basename(home)),
      bundling: asItComes(fn.bundling),
    };
    return await build(yardstick, join(dir, name));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};

// --- Where the time goes ---

interface Profile {
  readonly nodes: readonly {
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly positionTicks?: readonly { readonly line: number; readonly ticks: number }[];
    readonly hitCount?: number;
  }[];
}

const PARTS = [
  [/node_modules\/@aws-sdk\/client-/, 'SDK clients'],
  [/node_modules\/(@aws-sdk|@smithy|@aws)\//, 'SDK core'],
  [/node_modules\/(aws-xray-sdk-core|cls-hooked|atomic-batcher)/, 'X-Ray'],
  [/node_modules\//, 'other packages'],
  [/./, 'Reflex'],
] as const;
const COMPILE = 'compiling';
const NODE = 'Node';

/** A bundle that is not minified, so that a line tells whose code it is. */
const plain = (fn: LambdaFunction, dir: string) =>
  build({ ...fn, bundling: { ...fn.bundling, Minify: false } }, join(dir, `${fn.folder}-plain`));

/** Samples of a process that imports this and ends, by whose code was running. */
const profiled = async (file: string): Promise<Map<string, number>> => {
  const out = dirname(file);
  const maps = new Map(
    readdirSync(out)
      .filter((name) => name.endsWith('.map'))
      .map((name) => [name.slice(0, -'.map'.length), new SourceMap(JSON.parse(readFileSync(join(out, name), 'utf8')))]),
  );
  const sums = new Map<string, number>();
  const add = (part: string, ticks: number) => sums.set(part, (sums.get(part) ?? 0) + ticks);
  for (let i = 0; i < PROFILES; i++) {
    const to = mkdtempSync(join(out, 'profile-'));
    const flags = ['--cpu-prof', '--cpu-prof-interval', '100', '--cpu-prof-dir', to];
    await run(process.execPath, [...flags, '--input-type=module', '-e', 'await import(process.argv[1])', file], {
      env,
      timeout: 60_000,
    });
    for (const name of readdirSync(to)) {
      const { nodes } = JSON.parse(readFileSync(join(to, name), 'utf8')) as Profile;
      for (const { callFrame, positionTicks = [], hitCount = 0 } of nodes) {
        if (callFrame.functionName === '(idle)') continue;
        const map = callFrame.url.startsWith('file:') ? maps.get(basename(fileURLToPath(callFrame.url))) : undefined;
        if (map === undefined) {
          add(callFrame.functionName === 'compileSourceTextModule' ? COMPILE : NODE, hitCount);
          continue;
        }
        for (const { line, ticks } of positionTicks) {
          const found = map.findEntry(line - 1, 0) as { originalSource?: string };
          const source = found.originalSource ?? '';
          add(PARTS.find(([pattern]) => pattern.test(source))?.[1] ?? NODE, ticks);
        }
      }
    }
  }
  return sums;
};

const drawn = async (
  functions: readonly LambdaFunction[],
  dir: string,
  hello: string,
  ratios: readonly number[],
): Promise<void> => {
  const bars = [];
  // Node's own start is not part of the import.
  const start = (await profiled(hello)).get(NODE) ?? 0;
  for (const [i, fn] of functions.entries()) {
    const sums = await profiled((await plain(fn, dir)).file);
    sums.set(NODE, Math.max(0, (sums.get(NODE) ?? 0) - start));
    const all = [...sums.values()].reduce((sum, ticks) => sum + ticks, 0);
    const parts = [COMPILE, ...PARTS.map(([, name]) => name), NODE].flatMap((name) => {
      const ticks = sums.get(name) ?? 0;
      return ticks === 0 ? [] : [{ name, value: ((ratios[i] ?? 0) * ticks) / all }];
    });
    bars.push({ name: fn.folder, parts });
  }
  const chart = { title: 'Init beside the bare SDK, and whose code takes it', unit: 'x', bars };
  writeFileSync(join(ROOT, 'docs/images/bench-cold-start.svg'), barChart(chart));
};

// --- The table ---

const column = (text: string, width: number): string => text.padStart(width);

/** Cold start and weight of each bundle beside a hello-world, the SDK clients it uses, and the usual full stack. */
export const coldStart = async (): Promise<void> => {
  const dir = mkdtempSync(join(tmpdir(), 'reflex-bench-'));
  try {
    const hello = join(dir, 'hello.mjs');
    writeFileSync(hello, 'export const handler = async () => ({ hello: "world" });\n');
    const functions = functionsOf(readTemplate());
    const subjects = [];
    for (const fn of functions) {
      const imports = await importsOf(join(ROOT, fn.codeUri, 'handler.ts'));
      subjects.push({
        folder: fn.folder,
        own: await build(fn, join(dir, fn.folder)),
        bare: await bundled(fn, dir, `${fn.folder}-sdk`, bareSdk(imports)),
        full: await bundled(fn, dir, `${fn.folder}-full`, fullStack(imports)),
      });
    }
    const files = subjects.flatMap(({ own, bare, full }) => [own.file, bare.file, full.file]);
    const [base, ...costs] = await measured([hello, ...files]);
    if (base === undefined) return;
    console.log(
      `\nCold start and weight: processor time, medians of the ratios of ${ROUNDS} interleaved rounds on Node ${process.versions.node}\n`,
    );
    const head = [
      'at init',
      'of the bare SDK',
      'of the full stack',
      'init / bare SDK',
      'init / full stack',
      'init / hello',
      'memory / hello',
    ];
    console.log(`${'function'.padEnd(22)}${head.map((text) => column(text, 19)).join('')}`);
    const ratios: number[] = [];
    for (const [i, { folder, own, bare, full }] of subjects.entries()) {
      const [ours, sdk, stack] = costs.slice(3 * i, 3 * i + 3);
      if (ours === undefined || sdk === undefined || stack === undefined) continue;
      ratios.push(ratio(ours, sdk, 'ms'));
      const cells = [
        `${Math.round(own.bytes / 1_000)} kB`,
        `${(own.bytes / bare.bytes).toFixed(2)} x`,
        `${(own.bytes / full.bytes).toFixed(2)} x`,
        `${ratio(ours, sdk, 'ms').toFixed(2)} x`,
        `${ratio(ours, stack, 'ms').toFixed(2)} x`,
        `${ratio(ours, base, 'ms').toFixed(0)} x`,
        `${ratio(ours, base, 'mib').toFixed(2)} x`,
      ];
      console.log(`${folder.padEnd(22)}${cells.map((text) => column(text, 19)).join('')}`);
    }
    console.log(
      '\nbare SDK: the clients and commands a function imports at init, as they come, bundled alone, none of them made.',
    );
    console.log('full stack: the same, each client made, with all of Powertools, zod and middy. hello: no imports.\n');
    await drawn(functions, dir, hello, ratios);
    await telemetryCost();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};
