/** One page of an operation's answer. */
export interface Page<T> {
  readonly items: readonly T[] | undefined;
  /** The token that asks for the next one. */
  readonly next: string | undefined;
}

/** Every item of every page, in order. Some services end with an empty token, some with none. */
export const allPages = async <T>(read: (token: string | undefined) => Promise<Page<T>>): Promise<T[]> => {
  const found: T[] = [];
  let token: string | undefined;
  do {
    const { items = [], next } = await read(token);
    found.push(...items);
    token = next || undefined;
  } while (token !== undefined);
  return found;
};

/** The list in pieces of at most `size`, in order: AWS takes so many at a time. */
export const chunksOf = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
