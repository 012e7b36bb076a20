/** What keeps the drill from starting and the person at the terminal can put right. The drill then ends with exit code 2. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly wayOut: string;
  /** The end of a log that says more, if there is one. */
  readonly tail: string;
  constructor(what: string, wayOut: string, tail = '') {
    super(what);
    this.wayOut = wayOut;
    this.tail = tail;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
