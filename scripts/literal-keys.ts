/**
 * `npm run postinstall`, by npm itself after `npm ci`: writes the keys in the AWS SDK's schemas out, `[_m]: 1` as `"min": 1`.
 * The code means the same, but esbuild drops what is unused only where keys are literal: of the EC2 client 550 kB stay otherwise,
 * and take as long to load as all the rest of a function (aws-sdk-js-v3 issue 7607).
 */
import { globSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SCHEMAS = '@aws-sdk/*/dist-es/**/schemas/schemas_*.js';

/** @returns the source with every computed key that is a constant text of the same file written out. */
export const withLiteralKeys = (source: string): string => {
  const texts = new Map([...source.matchAll(/^const (\w+) = ("[^"\\]*");$/gm)].map(([, name, text]) => [name, text]));
  return source.replace(/\[(\w+)\]:/g, (key, name: string) => (texts.has(name) ? `${texts.get(name)}:` : key));
};

/**
 * Rewrites the schemas of the SDK clients in a node_modules folder.
 * @returns how many files changed; none the second time.
 */
export const writeKeysOut = (nodeModules: string): number => {
  let changed = 0;
  for (const name of globSync(SCHEMAS, { cwd: nodeModules })) {
    const file = join(nodeModules, name);
    const source = readFileSync(file, 'utf8');
    const written = withLiteralKeys(source);
    if (written === source) continue;
    // Whole or not at all, for whoever bundles at this moment.
    writeFileSync(`${file}.new`, written);
    renameSync(`${file}.new`, file);
    changed++;
  }
  return changed;
};

if (import.meta.main) writeKeysOut(join(import.meta.dirname, '../node_modules'));
