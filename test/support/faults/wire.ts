import { AsyncLocalStorage } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { vi } from 'vitest';
import type { AwsReply, AwsRequest } from '../aws-endpoint.ts';
import { ec2Refusal } from '../fake-aws/ec2.ts';
import { refusal, serviceOf } from '../fake-aws/router.ts';
import { answerAt, parsed } from '../fake-aws/server.ts';
import { AwsError } from '../fake-aws/service.ts';

/**
 * What goes wrong with one call of AWS, every attempt of the SDK included:
 * `throttle`, `server-error`: refused. `reset`: no answer, nothing done. `silent`: done, no answer within 5 s, each time.
 * `lost`: done, and the first answer lost. `slow`: answered after 4.9 s. `partial`: of what was asked only a part is done.
 * `crash`, `crash-after`: the invocation ends before the call is made, or after.
 */
export const FAULTS = [
  'throttle',
  'server-error',
  'reset',
  'silent',
  'lost',
  'slow',
  'partial',
  'crash',
  'crash-after',
] as const;
export type Fault = (typeof FAULTS)[number];

/** One call of AWS as it was asked for; attempts of the SDK are one call. */
export interface WireCall {
  readonly service: string;
  readonly operation: string;
  readonly body: string;
}

/** One execution environment of a function: what it calls after its end does not happen. */
export interface Process {
  ended: boolean;
  readonly end: () => void;
  readonly crashed: Promise<'crashed'>;
}

export const startProcess = (): Process => {
  const { promise, resolve } = Promise.withResolvers<'crashed'>();
  const process: Process = {
    ended: false,
    crashed: promise,
    end: () => {
      process.ended = true;
      resolve('crashed');
    },
  };
  return process;
};

const running = new AsyncLocalStorage<Process>();
export const within = <T>(process: Process, run: () => Promise<T>): Promise<T> => running.run(process, run);
export const ended = (): boolean => running.getStore()?.ended ?? false;
/** Ends the invocation that asks. */
export const crash = (): Promise<never> => {
  running.getStore()?.end();
  return never;
};

export const never = new Promise<never>(() => {});
const REQUEST_TIMEOUT = 5_000;
const ROUND_TRIP = 3;

/** What the wire asks and tells; one at a time. */
export interface Line {
  /** The fake that answers, whatever endpoint a client of this process once resolved. */
  readonly url: string;
  /** What goes wrong with this call. Asked once for all its attempts. */
  readonly faultOf: (call: WireCall) => Fault | undefined;
  /** Answers what the account behind `AWS_ENDPOINT_URL` does not: queues and topics. */
  readonly answer: (call: WireCall) => AwsReply | undefined;
  /** A call is about to reach AWS. */
  readonly onServe: (call: WireCall) => void;
  readonly advance: (ms: number) => void;
}

interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/**
 * Puts the real SDK on a wire without sockets: every request of every client is answered in this process, by one fake, in the
 * order of asking. Serialisation, signing, retries and parsing are the SDK's own.
 */
export const onLine = (line: Line): void => {
  const faults = new Map<string, { readonly fault: Fault | undefined; attempts: number }>();
  vi.spyOn(NodeHttpHandler.prototype, 'handle').mockImplementation((async (request: HttpRequest) => {
    if (ended()) return never;
    const asked = requestOf(request);
    const service = serviceOf(asked);
    const call = { service, operation: operationOf(service, asked), body: asked.body };
    const id = `${request.headers['amz-sdk-invocation-id']} ${call.operation}`;
    const planned = faults.get(id) ?? { fault: line.faultOf(call), attempts: 0 };
    faults.set(id, planned);
    planned.attempts++;
    const { fault } = planned;
    if (fault === 'crash') return crash();
    if (fault === 'throttle')
      return answered(refused(service, asked, THROTTLED[service] ?? 'ThrottlingException', 400));
    if (fault === 'server-error') return answered(refused(service, asked, 'InternalServerError', 500));
    if (fault === 'reset') throw broken('ECONNRESET');
    if (fault === 'slow') line.advance(REQUEST_TIMEOUT - 100);
    if (fault === 'partial' && call.operation === 'SendCommand')
      return answered(refused(service, asked, 'InvalidInstanceId', 422));
    const served = fault === 'partial' ? part(call, asked) : asked;
    line.onServe(call);
    line.advance(ROUND_TRIP);
    const reply: AwsReply | undefined =
      served === null ? { body: {} } : (line.answer(call) ?? (await answerAt(line.url)?.(served)));
    if (reply === undefined) throw new Error(`no fake runs at ${line.url}`);
    if (fault === 'crash-after') return crash();
    if (ended()) return never;
    if (fault === 'silent') {
      line.advance(REQUEST_TIMEOUT);
      throw Object.assign(new Error('Request timed out'), { name: 'TimeoutError' });
    }
    if (reply.hangUp || (fault === 'lost' && planned.attempts === 1)) throw broken('ECONNRESET');
    return answered(fault === 'partial' ? lessened(call, reply) : reply);
  }) as never);
};

const broken = (code: string): Error => Object.assign(new Error(`socket: ${code}`), { code });

const answered = ({ status = 200, headers = {}, body = '' }: AwsReply) => ({
  response: {
    statusCode: status,
    headers: { 'x-amzn-requestid': 'request', ...headers },
    body: Readable.from([Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))]),
  },
});

const requestOf = ({ method, path, query = {}, headers, body = '' }: HttpRequest): AwsRequest => {
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const input = parsed(text);
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const search = new URLSearchParams(
    Object.entries(query).flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, one ?? ''])),
  ).toString();
  const target = lower['x-amz-target'];
  return {
    method,
    path: search === '' ? path : `${path}?${search}`,
    httpVersion: '1.1',
    headers: lower,
    body: text,
    operation: target === undefined ? String(input.Action ?? '') : (target.split('.').at(-1) ?? ''),
    input,
    connection: 0,
  };
};

/** REST services name no operation: the method and the kind of path stand for it. */
const operationOf = (service: string, { operation, method, path }: AwsRequest): string =>
  operation !== '' ? operation : service === 's3' ? `${method}Object` : `${method} ${path.split('?')[0]?.slice(0, 60)}`;

/** Each service's own word for it, where it is not ThrottlingException. */
const THROTTLED: Readonly<Record<string, string>> = {
  ec2: 'RequestLimitExceeded',
  s3: 'SlowDown',
  elasticloadbalancing: 'Throttling',
  autoscaling: 'Throttling',
  elasticache: 'Throttling',
  kinesis: 'LimitExceededException',
};

const refused = (service: string, { headers }: AwsRequest, code: string, status: number): AwsReply => {
  const error = new AwsError(code, status === 400 ? 'Rate exceeded.' : 'Internal failure.', status);
  if (service === 'ec2') return ec2Refusal(error);
  if (service === 's3')
    return { status: 503, body: `<Error><Code>${code}</Code><Message>${error.message}</Message></Error>` };
  const xml = headers['content-type']?.includes('x-www-form-urlencoded') ?? false;
  return refusal({ name: service, operations: {}, xml }, error);
};

/** Operations that may do a part of what was asked and say so in an answer with HTTP 200: the whole is refused here. */
const REFUSED_IN_PART: Readonly<Record<string, (input: Readonly<Record<string, unknown>>) => object>> = {
  RunTask: () => ({ tasks: [], failures: [{ reason: 'RESOURCE:MEMORY' }] }),
  UpdateContainerInstancesState: ({ containerInstances }) => ({
    containerInstances: [],
    failures: list(containerInstances).map((arn) => ({ arn, reason: 'INACTIVE' })),
  }),
  SendMessageBatch: ({ Entries }) => ({
    Failed: list(Entries).map((entry) => ({
      Id: (entry as { readonly Id: string }).Id,
      Code: 'InternalError',
      SenderFault: false,
    })),
  }),
};
/** Reads that may come with a part of the answer missing. */
const READ_IN_PART: Readonly<Record<string, (answer: Readonly<Record<string, unknown>>) => object>> = {
  GetMetricData: ({ MetricDataResults }) => ({
    MetricDataResults: list(MetricDataResults).map((result) => ({
      ...(result as object),
      StatusCode: 'InternalError',
      Timestamps: [],
      Values: [],
    })),
  }),
};

export const mayBePartial = (operation: string): boolean =>
  operation === 'SendCommand' || REFUSED_IN_PART[operation] !== undefined || READ_IN_PART[operation] !== undefined;

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** What of the request reaches AWS; null: nothing. */
const part = ({ operation }: WireCall, request: AwsRequest): AwsRequest | null =>
  REFUSED_IN_PART[operation] === undefined ? request : null;

const lessened = ({ operation, body }: WireCall, reply: AwsReply): AwsReply => {
  const refusedIn = REFUSED_IN_PART[operation];
  if (refusedIn !== undefined) return { body: refusedIn(parsed(body)) };
  const readIn = READ_IN_PART[operation];
  return readIn === undefined ? reply : { ...reply, body: readIn(reply.body as Readonly<Record<string, unknown>>) };
};
