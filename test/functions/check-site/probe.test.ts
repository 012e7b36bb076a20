import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isLocal } from '../../../functions/check-site/addresses.ts';
import { probe } from '../../../functions/check-site/probe.ts';
import { selfSigned } from '../../support/self-signed.ts';

const certificate = selfSigned(30);
const open: Server[] = [];

const listen = async (server: Server): Promise<number> => {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};
const http = async (answer: RequestListener) => `http://127.0.0.1:${await listen(createServer(answer))}`;
const https = async (answer: RequestListener) =>
  `https://localhost:${await listen(createTlsServer(certificate, answer))}`;

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

const ask = (url: string, options: Partial<Parameters<typeof probe>[1]> & { contains?: string } = {}) => {
  const { contains = null, ...rest } = options;
  return probe({ url, contains }, { clock: Date.now, timeoutMs: 5_000, refuses: () => false, ...rest });
};

describe('a site that answers', () => {
  it('gives its status, and how long it took', async () => {
    let now = 1_000;
    const url = await http((_, response) => {
      now += 250;
      response.writeHead(204).end();
    });

    expect(await ask(url, { clock: () => now })).toEqual({
      status: 204,
      latencyMs: 250,
      certificateExpiresAt: null,
      bodyMatches: null,
      error: null,
    });
  });

  it.each([
    ['all is well here', true],
    ['all is lost', false],
  ])('with the body "%s" matches: %s', async (body, matches) => {
    const url = await http((_, response) => response.end(body));

    expect(await ask(url, { contains: 'is well' })).toMatchObject({ status: 200, bodyMatches: matches });
  });

  it('is asked without what follows the #', async () => {
    const paths: (string | undefined)[] = [];
    const url = await http((request, response) => {
      paths.push(request.url);
      response.end('ok');
    });

    await ask(`${url}/health?deep=1#ok`, { contains: 'ok' });

    expect(paths).toEqual(['/health?deep=1']);
  });

  it('without end is read to 64 KiB', async () => {
    let sent = 0;
    const url = await http((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384))) sent += 16_384;
      };
      response.on('drain', more);
      more();
    });

    const answer = await ask(url, { contains: 'y' });

    expect(answer).toMatchObject({ status: 200, bodyMatches: false, error: null });
    expect(sent).toBeLessThan(100 * 1_048_576);
  });
});

describe('a certificate', () => {
  it('is seen, with its end', async () => {
    const url = await https((_, response) => response.end('ok'));

    const { status, certificateExpiresAt } = await ask(url, { trusted: certificate.cert });

    expect(status).toBe(200);
    const days = ((certificateExpiresAt ?? 0) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29);
    expect(days).toBeLessThanOrEqual(30);
  });

  it('that nobody trusts is no answer', async () => {
    const url = await https((_, response) => response.end('ok'));

    const { status, error } = await ask(url);

    expect(status).toBeNull();
    expect(error).toMatch(/self-signed certificate/);
  });

  it('for another name is no answer', async () => {
    const url = await https((_, response) => response.end('ok'));

    const { error } = await ask(url.replace('localhost', '127.0.0.2'), { trusted: certificate.cert });

    expect(error).not.toBeNull();
  });
});

describe('a redirect', () => {
  it('is followed to its end', async () => {
    const url = await http((request, response) => {
      if (request.url === '/there') response.end('here it is');
      else response.writeHead(302, { location: '/there' }).end();
    });

    expect(await ask(url, { contains: 'here' })).toMatchObject({ status: 200, bodyMatches: true });
  });

  it.each([
    ['in circles', '/again', /more than 5 redirects/],
    ['to a file', 'file:///etc/passwd', /no site/],
    ['to nonsense', 'http://[', /no site/],
  ])('%s is given up', async (_, location, error) => {
    const url = await http((_request, response) => response.writeHead(301, { location }).end());

    expect((await ask(url)).error).toMatch(error);
  });

  it('from https to http is refused', async () => {
    const plain = await http((_, response) => response.end('ok'));
    const url = await https((_, response) => response.writeHead(302, { location: plain }).end());

    expect((await ask(url, { trusted: certificate.cert })).error).toMatch(/from https to http/);
  });

  it('without a target is an answer like any other', async () => {
    const url = await http((_, response) => response.writeHead(302).end());

    expect(await ask(url)).toMatchObject({ status: 302, error: null });
  });
});

describe('no answer', () => {
  it('is an answer: nothing listens', async () => {
    const url = await http(() => undefined);
    await new Promise((resolve) => open.pop()?.close(resolve));

    expect(await ask(url)).toMatchObject({ status: null, error: expect.stringMatching(/ECONNREFUSED/) });
  });

  it('is an answer: nothing comes', async () => {
    const url = await http(() => undefined);

    expect(await ask(url, { timeoutMs: 30 })).toMatchObject({ status: null, error: 'no answer within 30 ms' });
  });

  it('is an answer: the body stops coming', async () => {
    const url = await http((_, response) => response.write('begin'));

    expect(await ask(url, { timeoutMs: 50 })).toMatchObject({ status: null, error: 'no answer within 50 ms' });
  });

  it('is an answer: the site turns to another protocol', async () => {
    const url = await http((_, response) =>
      response.writeHead(101, { connection: 'upgrade', upgrade: 'websocket' }).end(),
    );

    expect(await ask(url)).toMatchObject({ status: null, error: expect.stringMatching(/closed without an answer/) });
  });

  it('is an answer: the body ends before its length', async () => {
    const url = await http((_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('begin');
      response.destroy();
    });

    expect((await ask(url)).error).not.toBeNull();
  });
});

describe('a local address', () => {
  it.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '169.254.169.254',
    '169.254.170.2',
    '::1',
    '::',
    'fe80::1',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::ffff:127.0.0.1',
  ])('%s is one', (address) => {
    expect(isLocal(address)).toBe(true);
  });

  it.each([
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '93.184.216.34',
    'fd12::1',
    '2600::1',
    '::ffff:10.0.0.1',
  ])('%s is none', (address) => {
    expect(isLocal(address)).toBe(false);
  });

  it.each(['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '[::1]', '[::ffff:7f00:1]'])(
    'is not asked where it is written %s',
    async (host) => {
      let asked = 0;
      const url = await http((_, response) => {
        asked++;
        response.end();
      });

      const { error } = await ask(`http://${host}:${new URL(url).port}`, { refuses: isLocal });

      expect(error).toMatch(/local address/);
      expect(asked).toBe(0);
    },
  );

  it('is not asked through a redirect', async () => {
    const metadata = 'http://169.254.169.254/latest/meta-data/iam/security-credentials/';
    const url = await http((_, response) => response.writeHead(302, { location: metadata }).end());

    const { error } = await ask(url, { refuses: (address) => address !== '127.0.0.1' && isLocal(address) });

    expect(error).toMatch(/169\.254\.169\.254 is a local address/);
  });
});
