import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withLiteralKeys, writeKeysOut } from '../../scripts/literal-keys.ts';

const SOURCE = `const _m = "min";
const _q = 'queryName';
export var Used$ = [3, "ns", "Used", 0, [_m], [1]];
export var Unused$ = [3, "ns", "Unused", 0, [_m], [[1, { [_m]: 1 }]]];
`;

const bundled = async (schemas: string): Promise<string> => {
  const { outputFiles } = await esbuild.build({
    stdin: { contents: 'import { Used$ } from "schemas"; globalThis.kept = Used$;' },
    plugins: [
      {
        name: 'schemas',
        setup: (build) => {
          build.onResolve({ filter: /^schemas$/ }, () => ({ path: 'schemas', namespace: 'test' }));
          build.onLoad({ filter: /.*/, namespace: 'test' }, () => ({ contents: schemas }));
        },
      },
    ],
    bundle: true,
    format: 'esm',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
};

describe('keys written out', () => {
  it('let esbuild drop a schema that nothing uses, and keep the one that is used', async () => {
    const [as, written] = await Promise.all([bundled(SOURCE), bundled(withLiteralKeys(SOURCE))]);

    expect(as).toContain('Unused');
    expect(written).not.toContain('Unused');
    expect(written).toContain('"Used"');
  });

  it('leave values and lists as they are', () => {
    expect(withLiteralKeys(SOURCE)).toBe(SOURCE.replace('{ [_m]: 1 }', '{ "min": 1 }'));
  });

  it.each(['x = { [_other]: 1 };', 'const _m = load(); x = { [_m]: 1 };', 'x = [_m];'])(
    'do not touch %j, whose key is no constant text',
    (source) => {
      expect(withLiteralKeys(source)).toBe(source);
    },
  );
});

describe('the schemas of an installation', () => {
  let modules: string;
  const file = (path: string, text: string) => {
    mkdirSync(join(modules, path, '..'), { recursive: true });
    writeFileSync(join(modules, path), text);
  };

  beforeAll(() => {
    modules = mkdtempSync(join(tmpdir(), 'reflex-keys-'));
    file('@aws-sdk/client-ec2/dist-es/schemas/schemas_0.js', SOURCE);
    file('@aws-sdk/nested-clients/dist-es/submodules/sts/schemas/schemas_0.js', SOURCE);
    file('@aws-sdk/client-ec2/dist-es/commands/RunCommand.js', SOURCE);
    file('other/dist-es/schemas/schemas_0.js', SOURCE);
  });
  afterAll(() => rmSync(modules, { recursive: true, force: true }));

  it('are rewritten once, and nothing else is', () => {
    const counts = [writeKeysOut(modules), writeKeysOut(modules)];

    expect(counts).toEqual([2, 0]);
    const read = (path: string) => readFileSync(join(modules, path), 'utf8');
    expect(read('@aws-sdk/client-ec2/dist-es/schemas/schemas_0.js')).toContain('"min": 1');
    expect(read('@aws-sdk/client-ec2/dist-es/commands/RunCommand.js')).toBe(SOURCE);
    expect(read('other/dist-es/schemas/schemas_0.js')).toBe(SOURCE);
  });
});
