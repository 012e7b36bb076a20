import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect, loopback } from '../../../scripts/drill/aws.ts';
import {
  claimFolder,
  claimPort,
  cleanEnvironment,
  freePort,
  releaseFolder,
  start,
} from '../../../scripts/drill/emulator.ts';
import { readOptions } from '../../../scripts/drill/options.ts';
import { Problem } from '../../../scripts/drill/problem.ts';
import { zip } from '../../../scripts/drill/zip.ts';

describe('the command line', () => {
  it('has defaults for everything', () => {
    expect(readOptions([], {}, [])).toEqual({ report: null, keep: false, help: false, only: [], port: 0 });
  });

  it('takes a report, scenarios, keep and a port', () => {
    const args = ['--report', 'a.html', '--only', 'sns', '--only', 'direct', '--keep'];

    expect(readOptions(args, { PORT: '4566' }, ['sns', 'direct'])).toMatchObject({
      report: 'a.html',
      only: ['sns', 'direct'],
      keep: true,
      port: 4566,
    });
  });

  it.each([
    [['--nope'], {}, '--nope'],
    [['--only', 'nope'], {}, 'There is no scenario "nope".'],
    [[], { PORT: 'http' }, 'PORT=http is not a port.'],
    [[], { PORT: '70000' }, 'PORT=70000 is not a port.'],
  ])('refuses %j with %j and tells the way out', (args, env, message) => {
    const read = () => readOptions(args, env, ['sns']);

    expect(read).toThrow(Problem);
    expect(read).toThrow(message);
    expect(read).toThrow(expect.objectContaining({ wayOut: expect.stringMatching(/\S/) }));
  });
});

describe('a port', () => {
  let taken: Server | undefined;
  afterEach(() => taken?.close());

  it('is free when the system picks it', async () => {
    const port = await freePort();

    await expect(claimPort(port)).resolves.toBe(port);
  });

  it('is refused when it is taken, with the way out', async () => {
    const port = await freePort();
    const { promise, resolve } = Promise.withResolvers<void>();
    taken = createServer().listen(port, '127.0.0.1', () => resolve());
    await promise;

    await expect(claimPort(port)).rejects.toMatchObject({
      message: `Port ${port} is taken.`,
      wayOut: expect.stringContaining('unset PORT'),
    });
  });
});

describe('the folder of a drill', () => {
  const directory = mkdtempSync(join(tmpdir(), 'drill-folder-'));
  const tmp = join(directory, 'tmp');
  beforeEach(() => mkdirSync(tmp, { recursive: true }));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const ownedBy = (pid: number | undefined) => writeFileSync(join(directory, 'pid'), String(pid));

  it('is refused while the drill that has it runs, and left as it is', () => {
    ownedBy(process.ppid);

    expect(() => claimFolder(directory)).toThrow(
      `Another drill is under way in this checkout: process ${process.ppid}.`,
    );
    releaseFolder(directory);

    expect(existsSync(tmp)).toBe(true);
  });

  it('is made anew after a drill that is gone', () => {
    ownedBy(spawnSync(process.execPath, ['--version']).pid);

    claimFolder(directory);

    expect(existsSync(tmp)).toBe(false);
  });

  it('can be had again once it is given up', () => {
    claimFolder(directory);
    mkdirSync(tmp);

    releaseFolder(directory);

    expect(existsSync(tmp)).toBe(false);
    expect(() => claimFolder(directory)).not.toThrow();
  });
});

describe('what the emulators see of this machine', () => {
  it("is none of the user's AWS settings", () => {
    vi.stubEnv('AWS_PROFILE', 'production');
    vi.stubEnv('AWS_SESSION_TOKEN', 'secret');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDREAL');

    const env = cleanEnvironment(['/project/bin'], '/tmp/drill');

    expect(env).not.toHaveProperty('AWS_PROFILE');
    expect(JSON.stringify(env)).not.toMatch(/secret|AKIDREAL/);
    expect(env.PATH?.startsWith('/project/bin:')).toBe(true);
  });
});

describe('the clients', () => {
  it.each(['https://kinesis.eu-west-1.amazonaws.com', 'http://10.0.0.1:4566', 'http://127.0.0.1.example.com'])(
    'never speak to %s',
    (url) => {
      expect(() => loopback(url)).toThrow('not on this machine');
      expect(() => connect('http://127.0.0.1:1', url)).toThrow('not on this machine');
    },
  );

  it('speak to loopback', () => {
    expect(loopback('http://127.0.0.1:4566')).toBe('http://127.0.0.1:4566');
  });
});

describe('an emulator', () => {
  const directory = mkdtempSync(join(tmpdir(), 'drill-test-'));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const launch = async (script: string) => {
    const port = await freePort();
    const env = { PATH: process.env.PATH ?? '', PORT: String(port) };
    return { name: 'fake', command: process.execPath, args: ['-e', script], port, env, health: '/', directory };
  };

  it('is up when it answers, and is gone with its children when it is stopped', async () => {
    const worker = `setInterval(() => {}, 1000)`;
    const server = await start(
      await launch(`
        const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(worker)}], { stdio: 'ignore' });
        require('node:http').createServer((_, res) => res.end(String(child.pid))).listen(process.env.PORT, '127.0.0.1');`),
    );
    const child = Number(await (await fetch(server.endpoint)).text());

    server.stop();

    await vi.waitFor(() => expect(isRunning(child)).toBe(false), { timeout: 5_000 });
    await expect(fetch(server.endpoint)).rejects.toThrow();
  });

  it('that ends at once is a problem that shows the end of its log', async () => {
    await expect(start(await launch(`console.error('no module named moto'); process.exit(3)`))).rejects.toMatchObject({
      name: 'Problem',
      message: 'fake ended: exit 3.',
      tail: 'no module named moto',
    });
  });

  it('that cannot be run is a problem too', async () => {
    await expect(start({ ...(await launch('')), command: '/nowhere/python' })).rejects.toMatchObject({
      name: 'Problem',
      message: expect.stringContaining('ENOENT'),
    });
  });
});

/** A killed process whose parent has not looked yet is a zombie: it answers signals but does not run. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a zip', () => {
  it('gives back what went in, byte for byte the same each time', () => {
    const data = Buffer.from('export const handler = () => {};'.repeat(20));
    const archive = zip([{ name: 'index.mjs', data }]);

    const packedSize = archive.readUInt32LE(18);
    const begin = 30 + 'index.mjs'.length;

    expect(archive.readUInt32LE(0)).toBe(0x04034b50);
    expect(inflateRawSync(archive.subarray(begin, begin + packedSize))).toEqual(data);
    expect(zip([{ name: 'index.mjs', data }])).toEqual(archive);
  });
});
