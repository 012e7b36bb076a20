import type { AwsReply, AwsRequest } from '../aws-endpoint.ts';

export const account = '111122223333';
export const region = 'eu-west-1';

/** Epoch ms; moves only when told. */
export interface Clock {
  (): number;
  /** Moves on, minute by minute, so that what happens every minute happens in order. */
  advance(ms: number): void;
  /** Calls at every full minute (UTC) that the clock reaches, with its time. */
  eachMinute(listener: (at: number) => void): void;
}

export type Input = Readonly<Record<string, unknown>>;

/** One AWS operation: its input to its output. Throws AwsError where AWS would refuse. */
// biome-ignore lint/suspicious/noExplicitAny: what arrives on the wire; each operation names the fields it reads.
export type Operation = (input: any) => object;

/** One AWS service behind the router. */
export interface Service {
  /** As in a request's credential scope. */
  readonly name: string;
  readonly operations: Readonly<Record<string, Operation>>;
  /** REST services: which operation, and its input; the others name it in a header or the body. */
  readonly route?: (request: AwsRequest) => { readonly operation: string; readonly input: Input };
  /** Query services answer in XML. */
  readonly xml?: boolean;
  /** A service with a protocol of its own. */
  readonly dialect?: {
    readonly answer: (operation: string, output: object) => AwsReply;
    readonly refuse: (error: AwsError) => AwsReply;
  };
}

/** A list whose elements have a name of their own in XML; a plain array's are called `member`. */
export class Items {
  readonly element: string;
  readonly items: readonly unknown[];
  constructor(element: string, items: readonly unknown[]) {
    this.element = element;
    this.items = items;
  }
}

/** What AWS answers when it refuses. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Lets `rate` calls a second pass, at most as many at once; any other is refused with `error`. */
export const tokenBucket = (clock: () => number, rate: number) => {
  let tokens = rate;
  let filledAt = clock();
  return (error: () => AwsError): void => {
    tokens = Math.min(rate, tokens + ((clock() - filledAt) / 1_000) * rate);
    filledAt = clock();
    if (tokens < 1) throw error();
    tokens -= 1;
  };
};

/** A page of a list, and the token of the next. Tokens are opaque to clients; here, a JSON text in base64. */
export const page = <T>(items: readonly T[], from: number, size: number): { items: T[]; next: number | undefined } => ({
  items: items.slice(from, from + size),
  next: from + size < items.length ? from + size : undefined,
});

export const toToken = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
export const fromToken = <T>(token: string): T => JSON.parse(Buffer.from(token, 'base64url').toString()) as T;
