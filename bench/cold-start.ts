import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';
import { build, ROOT } from '../scripts/build.ts';
import { functionsOf, readTemplate } from '../scripts/template.ts';

const ROUNDS = 15;

/** What a module costs from nothing to imported, in a process of its own: ms, and MiB of resident memory after it. */
interface Cost {
  readonly ms: number;
  readonly mib: number;
}

const PROBE = `
const before = performance.now();
await import(process.argv[1]);
console.log(JSON.stringify({ ms: performance.now() - before, mib: process.memoryUsage.rss() / 2 ** 20 }));
process.exit(0);
`;

/** A function's environment with values that let it start; nothing is called. */
const env = {
  PATH: process.env.PATH,
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench',
  LEDGER_TABLE: 'bench',
  INBOX_URL: 'http://127.0.0.1:1/bench',
  NOTIFICATIONS_TOPIC_ARN: 'arn:aws:sns:eu-west-1:111122223333:bench',
};

const once = async (file: string): Promise<Cost> => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROBE, file], { env });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Cost;
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** Rounds are interleaved, so that a busy moment of the machine falls on all alike. */
const measured = async (files: readonly string[]): Promise<Cost[]> => {
  const rounds: Cost[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const costs: Cost[] = [];
    for (const file of files) costs.push(await once(file));
    rounds.push(costs);
    if (process.stderr.isTTY) process.stderr.write(`\r  round ${round + 1} of ${ROUNDS} `);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return files.map((_, i) => ({
    ms: median(rounds.map((costs) => costs[i]?.ms ?? 0)),
    mib: median(rounds.map((costs) => costs[i]?.mib ?? 0)),
  }));
};

/** The SDK clients and commands a function's bundle holds, and nothing of ours: the least it could weigh. */
const bareSdk = async (entry: string, outfile: string): Promise<number> => {
  const { metafile } = await esbuild.build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    outdir: 'unused',
  });
  const imports = Object.keys(metafile.inputs)
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .flatMap((source) => [...source.matchAll(/import \{([^}]+)\} from '(@aws-sdk\/client-[a-z0-9-]+)'/g)])
    .map(([, names = '', client = '']) => ({
      client,
      names: names
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && !name.startsWith('type ')),
    }));
  const lines = imports.map(({ client, names }, i) => {
    const own = names.map((name) => `${name} as n${i}${name}`);
    return `import { ${own.join(', ')} } from '${client}'; globalThis.kept${i} = [${names.map((name) => `n${i}${name}`).join(', ')}];`;
  });
  const { outputFiles } = await esbuild.build({
    stdin: { contents: lines.join('\n'), resolveDir: ROOT },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    outfile,
    write: false,
  });
  const [bundle] = outputFiles;
  writeFileSync(outfile, bundle?.contents ?? '');
  return bundle?.contents.length ?? 0;
};

const column = (text: string, width: number): string => text.padStart(width);

/** Cold start and weight of each bundle beside a hello-world and beside a bundle of nothing but the SDK clients it uses. */
export const coldStart = async (): Promise<void> => {
  const dir = mkdtempSync(join(tmpdir(), 'reflex-bench-'));
  try {
    const hello = join(dir, 'hello.mjs');
    writeFileSync(hello, 'export const handler = async () => ({ hello: "world" });\n');
    const subjects = await Promise.all(
      functionsOf(readTemplate()).map(async (fn) => {
        const bare = join(dir, `${fn.folder}-sdk.mjs`);
        const [{ bytes, file }, sdkBytes] = await Promise.all([
          build(fn),
          bareSdk(join(ROOT, fn.codeUri, 'handler.ts'), bare),
        ]);
        return { folder: fn.folder, bytes, file, bare, sdkBytes };
      }),
    );
    const [base, ...costs] = await measured([hello, ...subjects.flatMap(({ file, bare }) => [file, bare])]);
    if (base === undefined) return;
    console.log(`\nCold start and weight: medians of ${ROUNDS} interleaved rounds on Node ${process.versions.node}\n`);
    const head = ['at init', 'of the bare SDK', 'init / bare SDK', 'init / hello', 'memory / hello'];
    console.log(`${'function'.padEnd(22)}${head.map((text) => column(text, 17)).join('')}`);
    for (const [i, { folder, bytes, sdkBytes }] of subjects.entries()) {
      const [own, sdk] = [costs[2 * i], costs[2 * i + 1]];
      if (own === undefined || sdk === undefined) continue;
      const cells = [
        `${Math.round(bytes / 1_000)} kB`,
        `${(bytes / sdkBytes).toFixed(2)} x`,
        `${(own.ms / sdk.ms).toFixed(2)} x`,
        `${(own.ms / base.ms).toFixed(0)} x`,
        `${(own.mib / base.mib).toFixed(2)} x`,
      ];
      console.log(`${folder.padEnd(22)}${cells.map((text) => column(text, 17)).join('')}`);
    }
    console.log(
      '\nbare SDK: the clients and commands the bundle uses, bundled alone. hello: a handler without imports.\n',
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};
