import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureVenv } from '../../scripts/venv.ts';
import { parseRescued, rescuedKey, volumePrefix } from '../../shared/spot-logs.ts';
import { startS3 } from '../support/s3-endpoint.ts';

const bin = await ensureVenv(['requirements.txt', 'requirements-tools.txt']);
const script = join(import.meta.dirname, '../../documents/rescue/rescue.sh');
const s3 = await startS3();
afterAll(() => s3.close());

const VOLUME = 'vol-0123456789abcdef0';
const SNAPSHOT = 'snap-0fedcba9876543210';
const prefix = `logs/${volumePrefix('spot', 'i-0b662ef9931388ba0', VOLUME)}`;
const markerKey = `logs/${rescuedKey('spot', VOLUME)}`;
let root = '';
let mounted = '';

beforeEach(() => {
  s3.objects.clear();
  s3.stored.length = 0;
  s3.refuse = () => false;
  s3.delay = () => 0;
  root = realpathSync(mkdtempSync(join(tmpdir(), 'rescue-')));
  mounted = join(root, 'logs');
  mkdirSync(mounted);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, content: string | number | Buffer): void => {
  const file = join(mounted, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, typeof content === 'number' ? '' : content);
  if (typeof content === 'number') truncateSync(file, content);
};

const rescue = async (env: Readonly<Record<string, string>> = {}): Promise<{ code: number | null; stderr: string }> => {
  const child = spawn('bash', [script], {
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      HOME: root,
      AWS_ENDPOINT_URL: s3.url,
      AWS_ACCESS_KEY_ID: 'AKIDTEST',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'eu-west-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_MAX_ATTEMPTS: '1',
      RESCUE_SOURCE: mounted,
      RESCUE_DESTINATION: `s3://${prefix}`,
      RESCUE_MARKER: `s3://${markerKey}`,
      RESCUE_VOLUME: VOLUME,
      RESCUE_SNAPSHOT: SNAPSHOT,
      ...env,
    },
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, stderr };
};

const marker = () => parseRescued(s3.objects.get(markerKey)?.toString() ?? '');
const files = () => s3.stored.filter((key) => key !== markerKey).map((key) => key.slice(prefix.length + 1));

describe('the script', () => {
  it('is clean to shellcheck, and fits into a task definition', () => {
    expect(execFileSync(join(bin, 'shellcheck'), ['--shell=bash', script]).toString()).toBe('');
  });

  it('copies a tree and writes the marker last', async () => {
    put('app/orders.log', 'one\n');
    put('app/a name, with [odd] characters*.log', 'two\n');
    put('.hidden/deep/er/x.log', 'three\n');
    put('journal', 9 * 1024 * 1024);
    put('empty.log', '');

    const { code, stderr } = await rescue();

    expect(stderr).toContain('5 files');
    expect(code).toBe(0);
    expect(files().sort()).toEqual([
      '.hidden/deep/er/x.log',
      'app/a name, with [odd] characters*.log',
      'app/orders.log',
      'empty.log',
      'journal',
    ]);
    expect(s3.stored.at(-1)).toBe(markerKey);
    expect(s3.objects.get(`${prefix}/app/orders.log`)?.toString()).toBe('one\n');
    expect(marker()).toMatchObject({
      volumeId: VOLUME,
      snapshotId: SNAPSHOT,
      files: 5,
      bytes: 9 * 1024 * 1024 + 14,
      lines: 3,
      filesFailed: 0,
      filesSkipped: 0,
    });
    expect(Math.abs(marker().at - Date.now())).toBeLessThan(30_000);
  });

  it('replaces what the host shipped of a file while it was being written', async () => {
    put('app.log', 'whole text\n');
    s3.objects.set(`${prefix}/app.log`, Buffer.from('half  text\n'));

    const { code } = await rescue();

    expect(code).toBe(0);
    expect(s3.objects.get(`${prefix}/app.log`)?.toString()).toBe('whole text\n');
  });

  it('skips and counts sockets, pipes and links, and is whole without them', async () => {
    put('app.log', 'text\n');
    execFileSync('mkfifo', [join(mounted, 'pipe')]);
    symlinkSync('/etc', join(mounted, 'link'));
    symlinkSync('nowhere', join(mounted, 'dangling'));
    const socket = createServer().listen(join(mounted, 'socket'));
    await once(socket, 'listening');

    const { code } = await rescue();
    socket.close();

    expect(code).toBe(0);
    expect(files()).toEqual(['app.log']);
    expect(marker()).toMatchObject({ files: 1, filesFailed: 0, filesSkipped: 4 });
  });

  it('is no proof where one file was not sent', async () => {
    put('good.log', 'good\n');
    put('bad.log', 'bad\n');
    s3.refuse = (key) => key.endsWith('bad.log');

    const { code, stderr } = await rescue();

    expect(code).toBe(75);
    expect(stderr).toContain('1 files are not in S3');
    expect(marker()).toMatchObject({ files: 1, filesFailed: 1 });
  });

  it('is no proof where a name is no text, which the AWS CLI leaves out', async () => {
    put('good.log', 'good\n');
    writeFileSync(Buffer.concat([Buffer.from(`${mounted}/bad-`), Buffer.from([0xff, 0xfe])]), 'bad\n');
    execFileSync('mkfifo', [join(mounted, 'pipe')]);

    const { code } = await rescue();

    expect(code).toBe(75);
    expect(marker().filesFailed).toBeGreaterThan(0);
  });

  it('is no proof where something cannot even be looked at', async () => {
    put('app.log', 'text\n');
    // Names as long as a name may be, until the whole is longer than a path may be.
    const dive = 'cd "$1"; for i in {1..25}; do mkdir "$2" && cd "$2" || exit 1; done; echo lost > last.log';
    execFileSync('bash', ['-c', dive, 'bash', mounted, 'd'.repeat(200)]);

    const { code, stderr } = await rescue();
    execFileSync('rm', ['-rf', mounted]);

    expect(code).toBe(75);
    expect(stderr).toContain('1 that cannot be read');
    expect(marker()).toMatchObject({ files: 0, filesFailed: 1, filesSkipped: 0 });
  });

  it('copies a file of any name that is text', async () => {
    const names = [
      ...[
        ' lead',
        'trail ',
        '-dash',
        '~',
        'back\\slash',
        '$(x)',
        '..',
        '*',
        '%41',
        'a+b',
        'a&b<c>',
        '🔥',
        'q"\'',
        '#',
        '?',
      ],
      ...['new\nline', 'x\nwarning: y', 'tab\t', 'cr\r', 'e\u0301', '\u00e9', '(dryrun) upload: z'],
    ].map((name) => `${name}.log`);
    for (const name of names) put(name, `${name}\n`);

    const { code } = await rescue();

    expect(code).toBe(0);
    expect(files().sort()).toEqual(names.sort());
    expect(marker()).toMatchObject({ files: names.length, filesFailed: 0 });
  });

  describe('is no proof where the AWS CLI leaves something out', () => {
    /** An AWS CLI that has other words than today's. */
    const other = (words: string, instead = '') => {
      const stubs = join(root, 'bin');
      mkdirSync(stubs);
      const out = join(root, 'out');
      const real = `'${join(bin, 'aws')}' "$@" > '${out}' 2> '${out}.err'; code=$?; sed '${words}' '${out}'; sed '${words}' '${out}.err' >&2; exit $code`;
      writeFileSync(join(stubs, 'aws'), `#!/bin/sh\n${instead}\n${real}\n`, { mode: 0o755 });
      return { PATH: `${stubs}:${bin}:${process.env.PATH}` };
    };

    it('and warns of it in other words', async () => {
      put('good.log', 'good\n');
      const socket = createServer().listen(join(mounted, 'socket'));
      await once(socket, 'listening');

      const { code } = await rescue(other('s/warning/note/'));
      socket.close();

      expect(code).toBe(75);
      expect(marker().filesFailed).toBe(1);
    });

    it('that a second look finds missing, whatever else it has to say', async () => {
      put('good.log', 'good\n');
      execFileSync('mkfifo', [join(mounted, 'a-pipe')]);

      const { code } = await rescue(other('', 'case "$*" in *--recursive*) exit 0 ;; esac'));

      expect(code).toBe(75);
      expect(marker()).toMatchObject({ files: 0, filesFailed: 1 });
    });

    it('and says of it in other words that it is missing', async () => {
      put('good.log', 'good\n');

      const { code } = await rescue(
        other('s/(dryrun) upload/would send/', 'case "$*" in *--recursive*) exit 0 ;; esac'),
      );

      expect(code).toBe(75);
      expect(marker()).toMatchObject({ files: 0, filesFailed: 1 });
    });
  });

  it('is no proof where nothing can be listed in S3', async () => {
    put('app.log', 'text\n');
    s3.refuse = (key) => !key.includes('_RESCUED');

    expect((await rescue()).code).toBe(75);
    expect(marker().filesFailed).toBeGreaterThan(0);
  });

  it('fails where the marker cannot be written', async () => {
    put('app.log', 'text\n');
    s3.refuse = (key) => key === markerKey;

    const { code, stderr } = await rescue();

    expect(code).toBe(75);
    expect(stderr).toContain('the marker was not written');
    expect(s3.objects.has(markerKey)).toBe(false);
  });

  it('finds no file in an empty filesystem, and says so', async () => {
    mkdirSync(join(mounted, 'lost+found'));

    await rescue();

    expect(marker()).toMatchObject({ files: 0, filesFailed: 0 });
  });
});

describe('what it does not begin with', () => {
  it.each([
    [{ RESCUE_SOURCE: '/no/such/directory' }, 'RESCUE_SOURCE'],
    [{ RESCUE_DESTINATION: '/tmp/x' }, 'RESCUE_DESTINATION'],
    [{ RESCUE_MARKER: 's3://bucket' }, 'RESCUE_MARKER'],
    [{ RESCUE_VOLUME: 'vol-x"' }, 'RESCUE_VOLUME'],
    [{ RESCUE_SNAPSHOT: '' }, 'RESCUE_SNAPSHOT'],
  ])('is %j', async (env, named) => {
    const { code, stderr } = await rescue(env);

    expect(code).toBe(64);
    expect(stderr).toContain(named);
    expect(s3.stored).toEqual([]);
  });
});
