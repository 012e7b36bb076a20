import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type Traceable, traced } from '../telemetry/tracing.ts';

/**
 * One HTTP/1.1 keep-alive pool for all clients, so that two clients of a service share a warm connection.
 * Kinesis too: over HTTP/2, its default, a warm call takes the client 4.2 ms instead of 1.3 ms (TLS on loopback).
 * An API call that has no answer after 5 s will have none; three attempts stay far inside a function's timeout. To the handler,
 * waiting for one of the pool's 50 sockets is connecting, too, and a storm's thousand calls wait for a second and more.
 */
const requestHandler = new NodeHttpHandler({
  connectionTimeout: 3_000,
  requestTimeout: 5_000,
  throwOnRequestTimeout: true,
});

export interface ClientOverrides {
  /** 1 where an attempt has a price; by default `AWS_MAX_ATTEMPTS`, else 3. */
  readonly maxAttempts?: number;
}

interface ClientConfig extends ClientOverrides {
  readonly requestHandler: NodeHttpHandler;
  readonly retryMode: 'standard';
}

const clients = new Map<unknown, Map<number | undefined, unknown>>();

/**
 * The process's one client of a class (and number of attempts), made when first asked for: traced, standard retries.
 * Region, credentials and `AWS_ENDPOINT_URL[_<SERVICE>]` are the SDK's own.
 */
export function client<C extends Traceable>(
  Client: new (config: ClientConfig) => C,
  overrides: ClientOverrides = {},
): C {
  const ofClass = clients.get(Client) ?? new Map<number | undefined, unknown>();
  clients.set(Client, ofClass);
  const known = ofClass.get(overrides.maxAttempts);
  if (known !== undefined) return known as C;
  const made = traced(new Client({ requestHandler, retryMode: 'standard', ...overrides }), isThrottle);
  ofClass.set(overrides.maxAttempts, made);
  return made;
}

/** Whether AWS gave the error one of these names. JSON services say it in `name`, query services in `Code` as well. */
export function isErrorNamed(error: unknown, ...names: readonly string[]): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { name, Code } = error as { name?: unknown; Code?: unknown };
  return names.some((wanted) => wanted === name || wanted === Code);
}

const throttles = [
  'BandwidthLimitExceeded',
  'EC2ThrottledException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
];

/**
 * AWS asked to slow down; the same call may succeed later. `LimitExceededException` is not among them, although the SDK
 * repeats it: for Kinesis a rate limit and a daily cap share that name.
 */
export function isThrottle(error: unknown): boolean {
  return isErrorNamed(error, ...throttles) || status(error) === 429;
}

/** How often the SDK made the call before it gave up with this error. */
export function attemptsOf(error: unknown): number {
  if (typeof error !== 'object' || error === null) return 1;
  return (error as { $metadata?: { attempts?: number } }).$metadata?.attempts ?? 1;
}

/** The caller's role lacks a permission, or a policy denies it; repeating the call does not help. */
export function isAccessDenied(error: unknown): boolean {
  return isErrorNamed(
    error,
    'AccessDenied',
    'AccessDeniedException',
    'AuthorizationError',
    'AuthorizationErrorException',
    'KMSAccessDeniedException',
    'KmsAccessDenied',
    'NotAuthorized',
    'UnauthorizedOperation',
  );
}

/** No answer, or AWS's own failure; a throttle too. Whether the call took effect is not known. */
export function isTransient(error: unknown): boolean {
  if (isThrottle(error)) return true;
  if (isErrorNamed(error, 'TimeoutError', 'RequestTimeout', 'RequestTimeoutException', 'InternalServerError'))
    return true;
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  if (typeof code === 'string' && networkCodes.has(code)) return true;
  return (status(error) ?? 0) >= 500;
}

const networkCodes = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

function status(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
