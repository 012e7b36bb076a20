import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { budgetOf, build, esbuildFlags, overBudget, sizeTable } from '../../scripts/build.ts';
import { functionNamed, functionsOf, parseTemplate, readTemplate } from '../../scripts/template.ts';

describe('the command line for esbuild', () => {
  it('spells options as SAM does', () => {
    const flags = esbuildFlags({
      EntryPoints: ['handler.ts'],
      Format: 'esm',
      Splitting: true,
      Metafile: false,
      OutExtension: ['.js=.mjs'],
    });

    expect(flags).toEqual([
      'handler.ts',
      '--bundle',
      '--platform=node',
      '--format=esm',
      '--splitting',
      '--out-extension:.js=.mjs',
    ]);
  });

  it.each([[{}], [{ EntryPoints: [] }], [{ EntryPoints: 'handler.ts' }]])(
    'refuses %j, which names no entry',
    (options) => {
      expect(() => esbuildFlags(options)).toThrow('BuildProperties.EntryPoints');
    },
  );

  it.each([[{ js: 'x' }], [1], [null]])('refuses the value %j, as SAM does', (Banner) => {
    expect(() => esbuildFlags({ EntryPoints: ['handler.ts'], Banner })).toThrow('BuildProperties.Banner');
  });
});

const [template] = functionsOf(readTemplate());

describe('a bundle', () => {
  let folder: string;
  const fn = () => ({ ...functionNamed(template?.folder ?? ''), codeUri: '../'.repeat(20) + folder });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'reflex-build-'));
    writeFileSync(
      join(folder, 'handler.ts'),
      'const path: typeof import("node:path") = require("node:path");\n' +
        'export const handler = async (event: { a: number }) => ({ sum: event.a + 1, base: path.basename("/x/y") });\n',
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('loads as an ES module, exports its handler, and can require modules of Node', async () => {
    const bundle = await build(fn(), join(folder, 'out'));

    const { handler } = (await import(bundle.file)) as { handler: (event: object) => Promise<object> };
    expect(bundle.file).toMatch(/index\.mjs$/);
    expect(await handler({ a: 1 })).toEqual({ sum: 2, base: 'y' });
  });

  it('comes with a source map that holds no sources, and that Node does not read', async () => {
    const { file } = await build(fn(), join(folder, 'mapped'));

    const map = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as object;
    expect(map).toHaveProperty('mappings');
    expect(map).not.toHaveProperty('sourcesContent');
    expect(readFileSync(file, 'utf8')).not.toContain('sourceMappingURL');
  });

  it('counts at init what is imported at once, not what is imported when first used', async () => {
    const split = mkdtempSync(join(folder, 'split-'));
    const weight = (name: string) => `export const ${name} = '${name.repeat(10_000)}';`;
    writeFileSync(join(split, 'now.ts'), weight('now'));
    writeFileSync(join(split, 'later.ts'), weight('later'));
    const source =
      'import { now } from "./now.ts"; export const handler = async () => [now, (await import("./later.ts")).later];';
    writeFileSync(join(split, 'handler.ts'), source);

    const { bytes, total } = await build({ ...fn(), codeUri: '../'.repeat(20) + split }, join(folder, 'two'));

    expect(bytes).toBeGreaterThan(30_000);
    expect(bytes).toBeLessThan(40_000);
    expect(total).toBeGreaterThan(bytes + 50_000);
  });

  it('that does not build says which function and where', async () => {
    const broken = mkdtempSync(join(folder, 'broken-'));
    writeFileSync(join(broken, 'handler.ts'), 'import "./missing.ts";');

    const failed = build({ ...fn(), codeUri: '../'.repeat(20) + broken }, join(folder, 'none'));
    await expect(failed).rejects.toThrow(/does not bundle:[\s\S]*missing\.ts/);
  });
});

describe('the bundles of all functions', () => {
  it('are made with the same options', () => {
    const [first, ...others] = functionsOf(readTemplate()).map(({ bundling }) => bundling);

    expect(others.length).toBeGreaterThan(0);
    for (const options of others) expect(options).toEqual(first);
  });

  it('have no credential source that the SDK imports when the environment holds none', () => {
    const provider = 'node_modules/@aws-sdk/credential-provider-node/dist-es';
    const sources = ['defaultProvider.js', 'remoteProvider.js'].map((file) =>
      readFileSync(join(provider, file), 'utf8'),
    );
    const imported = sources.flatMap((source) => [...source.matchAll(/import\("([^"]+)"\)/g)].map(([, name]) => name));

    expect(imported).not.toHaveLength(0);
    expect(template?.bundling.External).toEqual([...new Set(imported)].toSorted());
  });
});

describe("the module that stands for some of Node's", () => {
  it('gives what they give, and nothing else', async () => {
    const given: Readonly<Record<string, unknown>> = await import('../../shared/builtins.ts');
    const aliases = (template?.bundling.Alias ?? []) as readonly string[];
    const replaced = aliases.map((alias) => alias.split('=')[0] ?? '');

    const theirs = replaced.flatMap((name) =>
      Object.entries(process.getBuiltinModule(name) as Readonly<Record<string, unknown>>),
    );

    expect(replaced).toContain('node:crypto');
    expect(Object.keys(given)).not.toHaveLength(0);
    for (const [name, value] of Object.entries(given)) expect(theirs).toContainEqual([name, value]);
  });
});

describe('the budget', () => {
  const bundle = (folder: string, bytes: number) => ({ folder, bytes, file: '', total: 900_000, zipped: 100_000 });

  it.each(['reshard-kinesis', 'save-spot-logs'])(
    'of %s is kept by a bundle of its size, and broken by one byte more',
    (folder) => {
      const limit = budgetOf(folder) * 1_000;
      expect(overBudget(bundle(folder, limit))).toBe(false);
      expect(overBudget(bundle(folder, limit + 1))).toBe(true);
    },
  );

  it("is a function's own where it has reasons for more", () => {
    expect(budgetOf('save-spot-logs')).toBeGreaterThan(budgetOf('reshard-kinesis'));
  });

  it('is shown with what is left or over', () => {
    const limit = budgetOf('reshard-kinesis') * 1_000;
    expect(sizeTable([bundle('reshard-kinesis', limit - 100_000)])).toContain('100 kB left');
    expect(sizeTable([bundle('reshard-kinesis', limit + 100_000)])).toContain('100 kB over');
  });
});

describe('the template, as the scripts read it', () => {
  it('writes short forms out and resolves anchors', () => {
    const text =
      'Outputs:\n  A: &a {Value: !GetAtt Queue.Arn}\n  B: *a\n  C: {Value: !If [X, !Ref Y, !Sub "z-q"], Condition: X}\n';

    expect(parseTemplate(text).Outputs).toEqual({
      A: { Value: { 'Fn::GetAtt': ['Queue', 'Arn'] } },
      B: { Value: { 'Fn::GetAtt': ['Queue', 'Arn'] } },
      C: { Value: { 'Fn::If': ['X', { Ref: 'Y' }, { 'Fn::Sub': 'z-q' }] }, Condition: 'X' },
    });
  });

  it('says where it is not YAML', () => {
    expect(() => parseTemplate('a: [1\nb: 2')).toThrow(/line \d/);
  });

  it('gives a function its own variables over the globals', () => {
    const environment = functionNamed('reshard-kinesis').environment;
    expect(environment).toMatchObject({ LEDGER_TABLE: { Ref: 'Ledger' }, INBOX_URL: { Ref: 'ReshardKinesisInbox' } });
  });

  it('knows its functions, and says so when asked for another', () => {
    expect(() => functionNamed('reshard')).toThrow(/"reshard".*Known functions: .*reshard-kinesis/);
  });
});
