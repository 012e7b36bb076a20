/**
 * What the bundles use of some of Node's modules. An `import` of one evaluates all that it exports: of node:crypto WebCrypto, of node:process
 * stdin and stdout. esbuild puts this module in their place (`Alias` in template.yaml), and fails where a name is missing here.
 */
export const { createHash, createHmac, getRandomValues, randomBytes, randomInt } =
  process.getBuiltinModule('node:crypto');
export const { ReadStream, createReadStream, fstatSync, lstatSync, readFileSync } = process.getBuiltinModule('node:fs');
export const { readFile } = process.getBuiltinModule('node:fs/promises');
export const { env, versions } = process;
