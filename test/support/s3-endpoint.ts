import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';

export interface S3Endpoint {
  readonly url: string;
  /** `bucket/key` -> content. */
  readonly objects: Map<string, Buffer>;
  /** `bucket/key` of every object stored, in order. */
  readonly stored: string[];
  /** Keys whose upload is refused. */
  refuse: (key: string) => boolean;
  /** How long an upload takes, ms. */
  delay: (key: string) => number;
  close(): Promise<void>;
}

/** S3 on loopback, as far as `aws s3 sync` and `aws s3 cp` use it: list, put, multipart, head. */
export const startS3 = async (): Promise<S3Endpoint> => {
  const objects = new Map<string, Buffer>();
  const dates = new Map<string, Date>();
  const stored: string[] = [];
  const uploads = new Map<string, Map<number, Buffer>>();
  const store = (key: string, content: Buffer) => {
    objects.set(key, content);
    dates.set(key, new Date());
    stored.push(key);
  };

  const answer = async (request: IncomingMessage): Promise<{ status: number; body?: string; headers?: object }> => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://s3');
    const key = decodeURIComponent(pathname.slice(1));
    const body = await contentOf(request);
    if (request.method === 'GET' && searchParams.has('list-type')) {
      const prefix = `${key.replace(/\/$/, '')}/${searchParams.get('prefix') ?? ''}`;
      const found = [...objects].filter(([name]) => name.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
      return { status: 200, body: listing(found, dates, searchParams.get('encoding-type') === 'url') };
    }
    if (endpoint.refuse(key)) return { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' };
    if (request.method === 'PUT') await setTimeout(endpoint.delay(key));
    // Whoever began the upload has gone: nothing of it arrives in a later test.
    if (request.socket.destroyed) return { status: 400 };
    const upload = searchParams.get('uploadId');
    if (request.method === 'POST' && searchParams.has('uploads')) {
      const id = `upload-${uploads.size + 1}`;
      uploads.set(id, new Map());
      return {
        status: 200,
        body: `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      };
    }
    if (request.method === 'PUT' && upload !== null) {
      uploads.get(upload)?.set(Number(searchParams.get('partNumber')), body);
      return { status: 200, headers: { etag: '"part"' } };
    }
    if (request.method === 'POST' && upload !== null) {
      const parts = [...(uploads.get(upload) ?? [])].sort(([a], [b]) => a - b).map(([, part]) => part);
      store(key, Buffer.concat(parts));
      return {
        status: 200,
        body: '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>',
      };
    }
    if (request.method === 'PUT') {
      store(key, body);
      return { status: 200, headers: { etag: '"object"' } };
    }
    const content = objects.get(key);
    if (content === undefined) return { status: 404 };
    return request.method === 'HEAD'
      ? {
          status: 200,
          headers: { 'content-length': String(content.length), 'last-modified': new Date(0).toUTCString() },
        }
      : { status: 200, body: content.toString() };
  };

  const server = createServer(async (request, response) => {
    const { status, body, headers = {} } = await answer(request);
    response.writeHead(status, { 'x-amz-request-id': 'request', ...headers });
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const endpoint: S3Endpoint = {
    url: `http://127.0.0.1:${address.port}`,
    objects,
    stored,
    refuse: () => false,
    delay: () => 0,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return endpoint;
};

const contentOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const raw = Buffer.concat(chunks);
  return String(request.headers['x-amz-content-sha256']).startsWith('STREAMING-') ? unchunked(raw) : raw;
};

/** `<hex size>[;signature]\r\n<data>\r\n ... 0\r\n<trailers>`: how the SDKs send a body with a checksum behind it. */
const unchunked = (raw: Buffer): Buffer => {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = raw.indexOf('\r\n', at);
    const size = Number.parseInt(raw.subarray(at, end).toString(), 16);
    if (end < 0 || !(size > 0)) return Buffer.concat(parts);
    parts.push(raw.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
};

/** A key may hold what XML cannot: whoever asks for it gets keys in URL encoding. */
const listing = (found: readonly [string, Buffer][], dates: ReadonlyMap<string, Date>, encoded: boolean): string => {
  const keyOf = (name: string): string => {
    const key = name.slice(name.indexOf('/') + 1);
    return encoded ? encodeURIComponent(key).replaceAll('%2F', '/') : escaped(key);
  };
  const contents = found.map(
    ([name, content]) =>
      `<Contents><Key>${keyOf(name)}</Key><Size>${content.length}</Size>` +
      `<LastModified>${dates.get(name)?.toISOString()}</LastModified><ETag>"e"</ETag><StorageClass>STANDARD</StorageClass></Contents>`,
  );
  const encoding = encoded ? '<EncodingType>url</EncodingType>' : '';
  return `<ListBucketResult>${encoding}<IsTruncated>false</IsTruncated><KeyCount>${found.length}</KeyCount>${contents.join('')}</ListBucketResult>`;
};

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
