/**
 * Everything Reflex knows of X-Ray. The active trace is kept in our own AsyncLocalStorage, so that parallel work never
 * sees another's span, and each finished subsegment is sent to the daemon on its own, as Lambda expects.
 * Outside Lambda (no trace id or no daemon address), when not sampled and whenever anything fails, it is silent.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:dgram';
import type Subsegment from 'aws-xray-sdk-core/dist/lib/segments/attributes/subsegment.js';

export type Annotation = string | number | boolean;

/** The running part of a trace, as its function sees it. */
export interface Span {
  /** Adds a searchable key (letters, digits, underscore) to this span. */
  annotate(key: string, value: Annotation): void;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Trace {
  readonly traceId: string;
  /** Id of the segment or subsegment that the next one hangs under. */
  readonly parentId: string;
  /** Fields after Root, Parent and Sampled: Lambda's loop detection reads `Lineage`. */
  readonly extra: string;
  readonly daemon: Address;
  readonly Subsegment: typeof Subsegment;
  /** Absent directly under Lambda's own segment. */
  readonly subsegment?: Subsegment;
}

interface Opened extends Trace {
  readonly subsegment: Subsegment;
}

const current = new AsyncLocalStorage<Trace | undefined>();
const silent: Span = { annotate: () => {} };

/**
 * Runs `fn` inside the trace of `header` (`Root=...;Parent=...;Sampled=1`), by default the invocation's own, which Lambda
 * puts anew into `_X_AMZN_TRACE_ID` each time. Resolves when the spans have left, at most 100 ms after `fn`:
 * Lambda freezes the process as soon as the handler is done.
 */
export async function withTrace<T>(header: string | undefined, fn: () => Promise<T> | T): Promise<T> {
  const trace = await recorded(header ?? process.env._X_AMZN_TRACE_ID);
  try {
    return await current.run(trace, fn);
  } finally {
    await drained();
  }
}

/** Runs `fn` as a span of the current trace. An error of `fn` marks the span as a fault and is thrown on unchanged. */
export async function span<T>(
  name: string,
  fn: (span: Span) => Promise<T> | T,
  annotations: Readonly<Record<string, Annotation>> = {},
): Promise<T> {
  const opened = open(name);
  if (opened === undefined) return fn(silent);
  const self: Span = { annotate: (key, value) => note(opened, key, value) };
  for (const [key, value] of Object.entries(annotations)) self.annotate(key, value);
  try {
    const result = await current.run(opened, () => fn(self));
    close(opened);
    return result;
  } catch (error) {
    quietly(() => opened.subsegment.addError(described(error)));
    close(opened);
    throw error;
  }
}

/** Annotates the innermost running span, if any. */
export function annotate(key: string, value: Annotation): void {
  const trace = current.getStore();
  if (trace !== undefined) note(trace, key, value);
}

/** Id of the trace that is being recorded, to be found in the X-Ray console; undefined where nothing is recorded. */
export function traceId(): string | undefined {
  return current.getStore()?.traceId;
}

/** The part of an AWS SDK v3 client that tracing touches; `never`, because each service types its own middleware. */
export interface Traceable {
  readonly middlewareStack: { readonly add: (middleware: never, options: never) => void };
  readonly config: { readonly region: () => Promise<string> };
}

type Next = (args: unknown) => Promise<unknown>;
interface CallContext {
  readonly clientName?: string;
  readonly commandName?: string;
}

/**
 * Makes every call of an SDK client a subsegment of namespace `aws` under the current span: service, operation, region,
 * request id, retries and HTTP status; never a parameter, and not the error's message, because AWS repeats parameter
 * values in it. The call carries the trace onward.
 */
export function traced<C extends Traceable>(client: C, isThrottle: (error: unknown) => boolean): C {
  const middleware = (next: Next, context: CallContext) => async (args: unknown) => {
    const opened = open(context.clientName?.replace(/Client$/, '') ?? 'AWS');
    if (opened === undefined) return next(args);
    quietly(() => carry(opened, args));
    const region = await client.config.region().catch(() => undefined);
    const operation = context.commandName?.replace(/Command$/, '');
    const finish = (failure: { error: unknown } | undefined, metadata: unknown) => {
      quietly(() => describeCall(opened.subsegment, { operation, region, metadata, failure, isThrottle }));
      close(opened);
    };
    try {
      const result = await current.run(opened, () => next(args));
      finish(undefined, field(field(result, 'output'), '$metadata'));
      return result;
    } catch (error) {
      finish({ error }, field(error, '$metadata'));
      throw error;
    }
  };
  client.middlewareStack.add(middleware as never, { step: 'build', name: 'reflexTracing', override: true } as never);
  return client;
}

function carry(opened: Opened, args: unknown): void {
  const headers = field(field(args, 'request'), 'headers');
  if (typeof headers !== 'object' || headers === null) return;
  const header = `Root=${opened.traceId};Parent=${opened.subsegment.id};Sampled=1${opened.extra}`;
  Object.assign(headers, { 'X-Amzn-Trace-Id': header });
}

interface CallDescription {
  readonly operation: string | undefined;
  readonly region: string | undefined;
  readonly metadata: unknown;
  readonly failure: { readonly error: unknown } | undefined;
  readonly isThrottle: (error: unknown) => boolean;
}

function describeCall(subsegment: Subsegment, { operation, region, metadata, failure, isThrottle }: CallDescription) {
  const status = field(metadata, 'httpStatusCode');
  const attempts = field(metadata, 'attempts');
  subsegment.addAttribute('namespace', 'aws');
  subsegment.addAttribute('aws', {
    operation,
    region,
    request_id: field(metadata, 'requestId'),
    retries: typeof attempts === 'number' ? attempts - 1 : undefined,
  });
  if (typeof status === 'number') subsegment.addAttribute('http', { response: { status } });
  if (failure === undefined) return;
  subsegment.addError(described(failure.error), true);
  if (isThrottle(failure.error)) subsegment.addThrottleFlag();
  if (typeof status === 'number' && status < 500) {
    subsegment.addErrorFlag();
    subsegment.addAttribute('fault', undefined);
  }
}

function described(error: unknown): Error {
  const source = error instanceof Error ? error : new Error(String(error));
  const message = field(error, '$metadata') === undefined ? source.message : source.name;
  const frames = (source.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return { name: source.name, message, stack: [source.name, ...frames].join('\n') };
}

function open(name: string): Opened | undefined {
  const parent = current.getStore();
  if (parent === undefined) return undefined;
  return quietly(() => {
    const subsegment = new parent.Subsegment(name);
    subsegment.addAttribute('trace_id', parent.traceId);
    subsegment.addAttribute('parent_id', parent.parentId);
    return { ...parent, parentId: subsegment.id, subsegment };
  });
}

// X-Ray keeps up to 1,000 characters of an annotation's value.
function note(trace: Trace, key: string, value: Annotation): void {
  const clipped = typeof value === 'string' ? value.slice(0, 1_000) : value;
  quietly(() => trace.subsegment?.addAnnotation(key.replaceAll(/\W/g, '_'), clipped));
}

function close({ subsegment, daemon }: Opened): void {
  quietly(() => {
    subsegment.close();
    send(subsegment.format(), daemon);
  });
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function quietly<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch {
    return undefined;
  }
}

async function recorded(header: string | undefined): Promise<Trace | undefined> {
  const daemon = daemonAddress();
  if (header === undefined || daemon === undefined) return undefined;
  const parts = header.split(';').map((part) => part.trim());
  const fields = new Map(parts.map((part) => [part.split('=')[0], part.split('=')[1]]));
  const [root, parentId] = [fields.get('Root'), fields.get('Parent')];
  if (fields.get('Sampled') !== '1' || root === undefined || parentId === undefined) return undefined;
  if (!/^1-[\da-f]{8}-[\da-f]{24}$/i.test(root) || !/^[\da-f]{16}$/i.test(parentId)) return undefined;
  const Subsegment = await loaded();
  if (Subsegment === undefined) return undefined;
  const extra = parts.filter((part) => part !== '' && !/^(Root|Parent|Sampled)=/.test(part));
  return {
    traceId: root,
    parentId,
    extra: extra.map((part) => `;${part}`).join(''),
    daemon,
    Subsegment,
  };
}

/** `host:port`, or `udp:host:port tcp:host:port`. */
function daemonAddress(): Address | undefined {
  const [, host, digits] =
    /(?:^|\budp:)([\w.-]+):(\d{1,5})(?:\s|$)/.exec(process.env.AWS_XRAY_DAEMON_ADDRESS ?? '') ?? [];
  const port = Number(digits);
  return host !== undefined && port > 0 && port < 65_536 ? { host, port } : undefined;
}

let loading: Promise<typeof Subsegment | undefined> | undefined;

// Only this part of the package: its index adds 97 kB and 16 ms to a cold start (cls-hooked, patchers, sampling).
function loaded(): Promise<typeof Subsegment | undefined> {
  loading ??= (async () => {
    const { default: logger } = await import('aws-xray-sdk-core/dist/lib/logger.js');
    const ignore = () => {};
    logger.setLogger({ debug: ignore, info: ignore, warn: ignore, error: ignore });
    return (await import('aws-xray-sdk-core/dist/lib/segments/attributes/subsegment.js')).default;
  })().catch(() => undefined);
  return loading;
}

// Lambda gives the initialisation phase more CPU than the first invocation.
if (daemonAddress() !== undefined) void loaded();

let socket: Socket | undefined;
const leaving = new Set<Promise<void>>();

function send(document: string, { host, port }: Address): void {
  socket ??= process
    .getBuiltinModule('node:dgram')
    .createSocket('udp4')
    .unref()
    .on('error', () => {
      socket = undefined;
    });
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.send(`{"format":"json","version":1}\n${document}`, port, host, () => resolve());
  leaving.add(promise);
  void promise.then(() => leaving.delete(promise));
}

async function drained(): Promise<void> {
  if (leaving.size === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const limit = setTimeout(resolve, 100);
  await Promise.race([Promise.all(leaving), promise]);
  clearTimeout(limit);
}
