import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';

/** A subsegment as it arrives at the daemon. */
export interface SegmentDocument {
  readonly id: string;
  readonly name: string;
  readonly type?: string;
  readonly trace_id?: string;
  readonly parent_id?: string;
  readonly start_time: number;
  readonly end_time?: number;
  readonly in_progress?: boolean;
  readonly namespace?: string;
  readonly annotations?: Readonly<Record<string, string | number | boolean>>;
  readonly aws?: Readonly<Record<string, unknown>>;
  readonly http?: { readonly response?: { readonly status?: number } };
  readonly fault?: boolean;
  readonly error?: boolean;
  readonly throttle?: boolean;
  readonly cause?: { readonly exceptions: readonly { readonly type: string; readonly message: string }[] };
}

export interface XrayDaemon {
  /** `127.0.0.1:<port>`, for `AWS_XRAY_DAEMON_ADDRESS`. */
  readonly address: string;
  /** Everything that has arrived, oldest first; throws where a datagram is not header, newline, document. */
  segments(): Promise<SegmentDocument[]>;
  clear(): void;
  close(): Promise<void>;
}

/** A receiver of X-Ray datagrams on loopback. */
export async function startXrayDaemon(): Promise<XrayDaemon> {
  const datagrams: string[] = [];
  const socket = createSocket('udp4').on('message', (message) => datagrams.push(message.toString('utf8')));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    segments: async () => {
      // What was sent on loopback is readable already; the event loop has to turn once or twice to read it.
      for (let turn = 0, seen = -1; turn < 5 || seen !== datagrams.length; turn++) {
        seen = datagrams.length;
        await setImmediate();
      }
      return datagrams.map(document);
    },
    clear: () => {
      datagrams.length = 0;
    },
    close: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function document(datagram: string): SegmentDocument {
  const [header, body, ...rest] = datagram.split('\n');
  if (header !== '{"format":"json","version":1}' || body === undefined || rest.length > 0) {
    throw new Error(`not an X-Ray datagram: ${datagram.slice(0, 200)}`);
  }
  return JSON.parse(body) as SegmentDocument;
}
