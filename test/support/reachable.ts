import { readFileSync } from 'node:fs';
import { build } from 'esbuild';

/** An AWS operation that a bundle can call, e.g. `kinesis:UpdateShardCount`, spelled as the SDK's client and command. */
export interface Operation {
  readonly client: string;
  readonly operation: string;
  readonly file: string;
}

/**
 * Every SDK command that code reachable from `entry` builds. Functions that nothing reachable uses are left out, as in the real bundle.
 * A source file is expected to use one SDK client.
 */
export const reachableOperations = async (entry: string): Promise<Operation[]> => {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    treeShaking: true,
  });
  const bundle = outputFiles[0]?.text ?? '';
  return Object.keys(metafile.inputs).flatMap((file) => {
    const source = readFileSync(file, 'utf8');
    const client = /@aws-sdk\/client-([a-z0-9-]+)/.exec(source)?.[1];
    if (client === undefined) return [];
    const built = new Set(
      [...source.matchAll(/new (\w+)Command\(|\bpaginate([A-Z]\w+)\(/g)].map((m) => m[1] ?? m[2] ?? ''),
    );
    return [...built]
      .filter((operation) => new RegExp(`new ${operation}Command\\d*\\(|paginate${operation}\\d*\\(`).test(bundle))
      .map((operation) => ({ client, operation, file }));
  });
};
