import type { Acted } from '../../shared/function.ts';

/** A check changes nothing: there is never an act to make. */
export const act = async (): Promise<ReadonlyMap<string, Acted>> => new Map();
