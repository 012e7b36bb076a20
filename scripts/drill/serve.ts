import { createServer, type RequestListener } from 'node:http';
import { host } from './emulator.ts';

/** A server on a free loopback port, which ends with the process. Gives its endpoint. */
export async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.unref();
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.on('error', reject).listen(0, host, resolve);
  await listening;
  const address = server.address();
  return `http://${host}:${typeof address === 'object' && address !== null ? address.port : 0}`;
}
