import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';

/** One HTTP request as an SDK client put it on the wire. */
export interface AwsRequest {
  readonly method: string;
  readonly path: string;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** From `X-Amz-Target` or, in query services, `Action`; empty where neither is there. */
  readonly operation: string;
  /** The body's fields: JSON, or a query service's form. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Tells connections apart: the client's port. */
  readonly connection: number;
}

export interface AwsReply {
  /** 200 by default. */
  readonly status?: number;
  /** An object is sent as JSON, text as it is. */
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Drops the connection instead of answering. */
  readonly hangUp?: boolean;
  /** Never answers. */
  readonly silent?: boolean;
}

export interface AwsEndpoint {
  readonly url: string;
  readonly requests: AwsRequest[];
  /** Answers every request from now on; `{}` with 200 by default. */
  reply(answer: (request: AwsRequest) => AwsReply): void;
  close(): Promise<void>;
}

/** An HTTP/1.1 endpoint on loopback that records what arrives and answers as told; for tests of the wire. */
export async function startAwsEndpoint(): Promise<AwsEndpoint> {
  let answer: (request: AwsRequest) => AwsReply = () => ({});
  const requests: AwsRequest[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    const input = parsed(body);
    const target = incoming.headers['x-amz-target'];
    const request: AwsRequest = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      httpVersion: incoming.httpVersion,
      headers: incoming.headers,
      body,
      operation: typeof target === 'string' ? (target.split('.').at(-1) ?? '') : String(input.Action ?? ''),
      input,
      connection: incoming.socket.remotePort ?? 0,
    };
    requests.push(request);
    const { status = 200, body: sent = {}, headers = {}, hangUp = false, silent = false } = answer(request);
    if (hangUp) return void incoming.socket.destroy();
    if (silent) return;
    outgoing.writeHead(status, { 'x-amzn-requestid': `request-${requests.length}`, ...headers });
    outgoing.end(typeof sent === 'string' ? sent : JSON.stringify(sent));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the endpoint has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    reply: (next) => {
      answer = next;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function parsed(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return Object.fromEntries(new URLSearchParams(body));
  }
}
