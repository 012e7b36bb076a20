import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AwsReply, AwsRequest } from '../aws-endpoint.ts';

type Answer = (request: AwsRequest) => Promise<AwsReply>;

const running = new Map<string, Answer>();

/** What the server at this URL answers, without the way over a socket. */
export const answerAt = (url: string): Answer | undefined => running.get(url);

/** An HTTP/1.1 server on loopback; `answer` may take its time. */
export const startServer = async (answer: Answer) => {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    const target = incoming.headers['x-amz-target'];
    const input = parsed(body);
    const {
      status = 200,
      body: sent = '',
      headers,
      hangUp,
    } = await answer({
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      httpVersion: incoming.httpVersion,
      headers: incoming.headers,
      body,
      operation: typeof target === 'string' ? (target.split('.').at(-1) ?? '') : String(input.Action ?? ''),
      input,
      connection: incoming.socket.remotePort ?? 0,
    });
    if (hangUp) return void incoming.socket.destroy();
    outgoing.writeHead(status, { 'x-amzn-requestid': 'request', ...headers });
    outgoing.end(typeof sent === 'string' ? sent : JSON.stringify(sent));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const url = `http://127.0.0.1:${address.port}`;
  running.set(url, answer);
  return {
    url,
    close: async () => {
      running.delete(url);
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

/** A body's fields: JSON, or a query service's form. */
export const parsed = (body: string): Record<string, unknown> => {
  try {
    return JSON.parse(body);
  } catch {
    return Object.fromEntries(new URLSearchParams(body));
  }
};
