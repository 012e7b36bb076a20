import { existsSync, readdirSync } from 'node:fs';
import type { FaultWorld } from './world.ts';

const root = new URL('../../../', import.meta.url);

/** Every function there is, by its folder. */
export const functions: readonly string[] = readdirSync(new URL('functions/', root)).filter((name) =>
  existsSync(new URL(`functions/${name}/function.ts`, root)),
);

const fileOf = (name: string): string => `test/support/faults/worlds/${name}.ts`;

export const hasWorld = (name: string): boolean => existsSync(new URL(fileOf(name), root));

export const howToAdd = (name: string): string =>
  `functions/${name} has no world for the fault run and the fuzzing: add ${fileOf(name)} with \`export const open = async (): ` +
  'Promise<FaultWorld>`, which says how a resource gets into trouble, when the work is done, what must never be, and which events ' +
  'tell it (test/support/faults/world.ts).';

export const openWorld = async (name: string): Promise<FaultWorld> => {
  const { open } = (await import(`./worlds/${name}.ts`)) as { readonly open: () => Promise<FaultWorld> };
  return open();
};
