import { readFileSync } from 'node:fs';

/** One top-level declaration of a file in shared/aws that builds SDK commands, and the permissions its docstring asks for. */
export interface Declared {
  readonly file: string;
  readonly name: string;
  /** As the SDK names them. */
  readonly operations: readonly string[];
  /** After `@iam`: `kinesis:ListShards`. */
  readonly actions: readonly string[];
}

const DECLARATION = /^(?:export )?(?:const|async function|function) (\w+)/gm;
const COMMAND = /new (\w+)Command\(|\bpaginate([A-Z]\w+)\(/g;

export const declaredIn = (file: string): Declared[] => {
  const source = readFileSync(file, 'utf8');
  const found = [...source.matchAll(DECLARATION)];
  return found.flatMap(({ index, 1: name = '' }, i) => {
    const before = source.slice(0, index);
    const body = source.slice(index, found[i + 1]?.index ?? source.length);
    const operations = [...new Set([...body.matchAll(COMMAND)].map(([, one, all]) => one ?? all ?? ''))];
    if (operations.length === 0) return [];
    const docstring = /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/.exec(before)?.[0] ?? '';
    const actions = /@iam ([^*\n]+)/.exec(docstring)?.[1]?.trim().split(/\s+/) ?? [];
    return [{ file, name, operations, actions }];
  });
};
