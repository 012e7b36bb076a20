import { said } from '../../shared/words.ts';
import { lookupBut, type Refuses, refuseHost } from './addresses.ts';
import type { Answer } from './facts.ts';
import type { Site } from './policy.ts';

// An import of Node's modules evaluates all that they export: of node:http undici (nodejs/node issue 59686), a quarter of a cold
// start; of node:tls the certificates of every authority.
const { TLSSocket } = process.getBuiltinModule('node:tls');

export interface ProbeOptions {
  /** Epoch ms. */
  readonly clock: () => number;
  readonly timeoutMs: number;
  readonly refuses: Refuses;
  /** Certificates of authorities to trust beside the usual ones, PEM. */
  readonly trusted?: string;
}

/** Redirects that are followed. */
const REDIRECTS_AT_MOST = 5;
/** Of the body, from its beginning; what is looked for is expected there. */
const BODY_BYTES_AT_MOST = 65_536;

/** One GET, with its redirects. Never throws: that there was no answer is an answer. */
export const probe = async ({ url, contains }: Site, options: ProbeOptions): Promise<Answer> => {
  const { clock, timeoutMs } = options;
  const began = clock();
  const signal = AbortSignal.timeout(timeoutMs);
  const expiries: number[] = [];
  const seen = () => ({
    latencyMs: clock() - began,
    certificateExpiresAt: expiries.length === 0 ? null : Math.min(...expiries),
  });
  try {
    let next = new URL(url);
    for (let redirects = 0; ; redirects++) {
      const hop = await get(next, signal, options);
      if (hop.certificateExpiresAt !== null) expiries.push(hop.certificateExpiresAt);
      if (hop.location === null) {
        const bodyMatches = contains === null ? null : hop.body.includes(contains);
        return { ...seen(), status: hop.status, bodyMatches, error: null };
      }
      if (redirects === REDIRECTS_AT_MOST) throw new Error(`more than ${REDIRECTS_AT_MOST} redirects`);
      next = redirected(next, hop.location);
    }
  } catch (error) {
    const reason = signal.aborted ? `no answer within ${timeoutMs} ms` : said(error);
    return { ...seen(), status: null, bodyMatches: null, error: reason.trim().slice(0, 300) };
  }
};

const redirected = (from: URL, location: string): URL => {
  const to = URL.parse(location, from.href);
  if (to === null || !['http:', 'https:'].includes(to.protocol))
    throw new Error('redirected to something that is no site');
  if (from.protocol === 'https:' && to.protocol === 'http:') throw new Error('redirected from https to http');
  to.username = '';
  to.password = '';
  return to;
};

interface Hop {
  readonly status: number;
  /** Where it redirects to; null: it does not. */
  readonly location: string | null;
  readonly certificateExpiresAt: number | null;
  readonly body: string;
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

const get = async (url: URL, signal: AbortSignal, { refuses, trusted }: ProbeOptions): Promise<Hop> => {
  refuseHost(url.hostname, refuses);
  const { promise, resolve, reject } = Promise.withResolvers<Hop>();
  const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
  const sent = request(url, {
    // A connection of its own: one that is kept open shows neither the certificate nor the latency of today.
    agent: false,
    signal,
    headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'reflex-check-site' },
    lookup: lookupBut(refuses),
    ...(trusted !== undefined && { ca: trusted }),
  });
  sent.on('error', reject);
  // Node destroys a connection that is switched to another protocol, and calls that no error.
  sent.on('close', () => reject(new Error('the connection was closed without an answer')));
  sent.on('response', (response) => {
    const { statusCode: status = 0, headers, socket } = response;
    const certificateExpiresAt = socket instanceof TLSSocket ? Date.parse(socket.getPeerCertificate().valid_to) : null;
    const location = REDIRECTS.includes(status) ? (headers.location ?? null) : null;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const done = () => {
      resolve({ status, location, certificateExpiresAt, body: Buffer.concat(chunks).toString('utf8') });
      sent.destroy();
    };
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk.subarray(0, BODY_BYTES_AT_MOST - bytes));
      bytes += chunk.length;
      if (bytes >= BODY_BYTES_AT_MOST) done();
    });
    response.on('end', done);
    response.on('error', reject);
  });
  sent.end();
  return promise;
};
