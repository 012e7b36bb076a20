import { EventEmitter } from 'node:events';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { Readable } from 'node:stream';
import type { AwsReply, AwsRequest } from '../../test/support/aws-endpoint.ts';
import { answerOf, asked, serviceOf } from '../../test/support/fake-aws/router.ts';
import { parsed } from '../../test/support/fake-aws/server.ts';
import type { Service } from '../../test/support/fake-aws/service.ts';
import type { VirtualTime } from './time.ts';

/** Round trips inside a Region, ms: an assumption, the same for everybody. */
export const roundTrip = (service: string): number => (service === 'dynamodb' ? 10 : 40);

export interface Call {
  readonly service: string;
  readonly operation: string;
  readonly refused: boolean;
  /** Epoch ms. */
  readonly at: number;
}

interface Options {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: { readonly maxSockets: number };
}

/**
 * Puts the SDK of bundled handlers on a wire without sockets: `https.request` hands every request to the fakes, which answer after a round
 * trip. Serialising, signing, repeating and parsing are the SDK's own, and so is the number of connections a host gets.
 */
export const onWire = (time: VirtualTime, services: readonly Service[], calls: Call[]): void => {
  const lines = new WeakMap<object, Map<string, { free: number; readonly waiting: (() => void)[] }>>();

  const lineTo = ({ agent, host }: Options) => {
    const hosts = lines.get(agent) ?? new Map();
    lines.set(agent, hosts);
    const line = hosts.get(host) ?? { free: agent.maxSockets, waiting: [] };
    hosts.set(host, line);
    return line;
  };

  const answered = (options: Options, body: string): AwsReply =>
    time.apart(() => {
      const request = requestOf(options, body);
      const name = serviceOf(request);
      const service = services.find((one) => one.name === name);
      const { operation, input } = asked(service, request);
      const reply = answerOf(service, operation, input);
      calls.push({ service: name, operation, refused: isThrottle(reply), at: time.clock() });
      return reply;
    });

  const send = (options: Options, onResponse: (response: Readable) => void) => {
    const line = lineTo(options);
    let gone = false;
    let holding = false;
    const release = () => {
      if (!holding) return;
      holding = false;
      line.free++;
      line.waiting.shift()?.();
    };
    const request = Object.assign(new EventEmitter(), {
      socket: undefined as object | undefined,
      end: (body: unknown) => {
        const text = typeof body === 'string' ? body : Buffer.from((body ?? '') as Uint8Array).toString('utf8');
        const go = () => {
          if (gone) return void line.waiting.shift()?.();
          line.free--;
          holding = true;
          request.socket = SOCKET;
          request.emit('socket', SOCKET);
          const trip = roundTrip(options.host.includes('ddb') || options.host.includes('dynamodb') ? 'dynamodb' : '');
          setTimeout(() => {
            const reply = answered(options, text);
            setTimeout(() => {
              release();
              if (!gone) onResponse(responseOf(reply));
              request.emit('close');
            }, trip / 2);
          }, trip / 2);
        };
        if (line.free > 0) go();
        else line.waiting.push(go);
      },
      destroy: () => {
        gone = true;
        release();
      },
    });
    return request;
  };

  https.request = send as never;
  syncBuiltinESMExports();
};

const SOCKET = { connecting: false, setKeepAlive: () => {}, setTimeout: () => {}, removeListener: () => {} };

const requestOf = ({ method, path, headers }: Options, body: string): AwsRequest => {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const input = parsed(body);
  const target = lower['x-amz-target'];
  return {
    method,
    path,
    httpVersion: '1.1',
    headers: lower,
    body,
    operation: target === undefined ? String(input.Action ?? '') : (target.split('.').at(-1) ?? ''),
    input,
    connection: 0,
  };
};

const responseOf = ({ status = 200, headers = {}, body = '' }: AwsReply): Readable =>
  Object.assign(Readable.from([Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))]), {
    statusCode: status,
    headers: { 'x-amzn-requestid': 'request', ...headers },
  });

const isThrottle = ({ status = 200, body }: AwsReply): boolean =>
  status >= 400 && /Throttling|RequestLimitExceeded|ThroughputExceeded/.test(JSON.stringify(body ?? ''));
