import { createSocket } from 'node:dgram';
import { host } from './emulator.ts';
import { assemble, type Document, readDatagram, type Trace } from './trace.ts';

/** Takes the place of the X-Ray daemon. */
export interface Receiver {
  /** For AWS_XRAY_DAEMON_ADDRESS. */
  readonly address: string;
  /** What has arrived so far. */
  traces(): Trace[];
  close(): Promise<void>;
}

/** Listens on a free loopback port for the functions' segments. */
export async function receive(): Promise<Receiver> {
  const documents: Document[] = [];
  const socket = createSocket('udp4').on('message', (datagram) => {
    const document = readDatagram(datagram.toString('utf8'));
    if (document !== undefined) documents.push(document);
  });
  const bound = Promise.withResolvers<void>();
  socket.on('error', bound.reject).bind(0, host, bound.resolve);
  await bound.promise;
  return {
    address: `${host}:${socket.address().port}`,
    traces: () => assemble(documents),
    close() {
      const closed = Promise.withResolvers<void>();
      socket.close(() => closed.resolve());
      return closed.promise;
    },
  };
}
