import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureVenv } from '../../scripts/venv.ts';
import { parseShipped } from '../../shared/spot-logs.ts';
import { startS3 } from '../support/s3-endpoint.ts';

const bin = await ensureVenv(['requirements.txt', 'requirements-tools.txt']);
const script = join(import.meta.dirname, '../../documents/ship-logs/ship-logs.sh');
const s3 = await startS3();
afterAll(() => s3.close());

const INSTANCE = 'i-0b662ef9931388ba0';
const prefix = `logs/spot/${INSTANCE}`;
let root = '';
let logs = '';
/** Every test has its own host: a lock, a device tree, and what `findmnt` says of it. */
let stubs = '';

beforeEach(() => {
  s3.objects.clear();
  s3.stored.length = 0;
  s3.refuse = () => false;
  s3.delay = () => 0;
  root = realpathSync(mkdtempSync(join(tmpdir(), 'ship-')));
  logs = join(root, 'log');
  stubs = join(root, 'bin');
  mkdirSync(logs);
  mkdirSync(stubs);
  mount(logs, '/dev/nvme1n1', 'ext4');
  disk('nvme1n1', 'vol0123456789abcdef0');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** What `findmnt --target` answers for anything. */
const mount = (target: string, source: string, filesystem: string): void =>
  writeFileSync(
    join(stubs, 'findmnt'),
    `#!/bin/sh\ncase "$*" in *SOURCE*) echo '${source}' ;; *FSTYPE*) echo ${filesystem} ;; *) echo '${target}' ;; esac\n`,
    { mode: 0o755 },
  );

/** A command that is found before the host's own. */
const stub = (name: string, script: string): void =>
  writeFileSync(join(stubs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });

/** A disk as the kernel shows it in /sys. */
const disk = (name: string, serial: string): void => {
  mkdirSync(join(root, 'sys/block', name, 'device'), { recursive: true });
  mkdirSync(join(root, 'sys/class/block'), { recursive: true });
  writeFileSync(join(root, 'sys/block', name, 'device/serial'), `${serial}   \n`);
  rmSync(join(root, 'sys/class/block', name), { force: true });
  symlinkSync(`../../block/${name}`, join(root, 'sys/class/block', name));
};

const put = (path: string, content: string | number): void => {
  const file = join(logs, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : '');
  if (typeof content === 'number') truncateSync(file, content);
};

interface Run {
  readonly code: number | null;
  readonly stderr: string;
}

const start = (env: Readonly<Record<string, string>> = {}): { child: ChildProcess; ended: Promise<Run> } => {
  const child = spawn('sh', [script], {
    env: {
      PATH: `${stubs}:${bin}:${process.env.PATH}`,
      HOME: root,
      AWS_ENDPOINT_URL: s3.url,
      AWS_ACCESS_KEY_ID: 'AKIDTEST',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'eu-west-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_MAX_ATTEMPTS: '1',
      AWS_SSM_INSTANCE_ID: INSTANCE,
      SHIP_LOCK: join(root, 'lock'),
      SHIP_SYS: join(root, 'sys'),
      SHIP_SOURCE: logs,
      SHIP_DESTINATION: 's3://logs/spot',
      SHIP_PHASE: 'interruption',
      SHIP_DEADLINE: String(Math.floor(Date.now() / 1_000) + 60),
      ...env,
    },
  });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return { child, ended: once(child, 'close').then(([code]) => ({ code, stderr })) };
};

const ship = (env?: Readonly<Record<string, string>>): Promise<Run> => start(env).ended;
const marker = () => parseShipped(s3.objects.get(`${prefix}/_SHIPPED.json`)?.toString() ?? '');
const shipped = (): string[] => s3.stored.map((key) => key.slice(prefix.length + 1));

describe('the script', () => {
  it('is clean to shellcheck, and stays portable', () => {
    expect(execFileSync(join(bin, 'shellcheck'), ['--shell=sh', script]).toString()).toBe('');
    expect(readFileSync(script, 'utf8')).not.toContain('{{');
  });

  it('ships a tree to its volume’s prefix and writes the marker last', async () => {
    put('app/orders.log', 'one\n');
    put('app/a name, with [odd] characters.log', 'two\n');
    put('syslog', 'three\n');

    const { code } = await ship();

    expect(code).toBe(0);
    expect(shipped().sort()).toEqual([
      '_SHIPPED.json',
      'vol-0123456789abcdef0/app/a name, with [odd] characters.log',
      'vol-0123456789abcdef0/app/orders.log',
      'vol-0123456789abcdef0/syslog',
    ]);
    expect(shipped().at(-1)).toBe('_SHIPPED.json');
    expect(s3.objects.get(`${prefix}/vol-0123456789abcdef0/syslog`)?.toString()).toBe('three\n');
    expect(marker()).toMatchObject({
      instance: INSTANCE,
      phase: 'interruption',
      files: 3,
      bytes: 14,
      partial: false,
      sources: [{ path: logs, volume: 'vol-0123456789abcdef0', filesystem: 'ext4' }],
    });
    expect(Math.abs(marker().at - Date.now())).toBeLessThan(10_000);
  });

  it('ships only what a former phase did not', async () => {
    put('old.log', 'old\n');
    await ship({ SHIP_PHASE: 'pre-copy' });
    expect(marker().phase).toBe('pre-copy');
    s3.stored.length = 0;
    put('new.log', 'new\n');

    await ship();

    expect(shipped()).toEqual(['vol-0123456789abcdef0/new.log', '_SHIPPED.json']);
    expect(marker()).toMatchObject({ phase: 'interruption', files: 2, partial: false });
  });

  it('ships large files after all others', async () => {
    put('a-large.log', 9 * 1024 * 1024);
    put('b[x]*.log', 10 * 1024 * 1024);
    for (const name of ['c', 'd', 'e']) put(`${name}/small.log`, `${name}\n`);

    const { code } = await ship();

    expect(code).toBe(0);
    const order = shipped();
    expect(order.slice(0, 3).every((key) => key.endsWith('small.log'))).toBe(true);
    expect(order.slice(3, 5).sort()).toEqual(['vol-0123456789abcdef0/a-large.log', 'vol-0123456789abcdef0/b[x]*.log']);
    expect(order).toHaveLength(6);
    expect(s3.objects.get(`${prefix}/vol-0123456789abcdef0/a-large.log`)?.length).toBe(9 * 1024 * 1024);
  });

  it('ships the small files of every directory before the large ones of any', async () => {
    put('a/large.log', 9 * 1024 * 1024);
    put('b/small.log', 'text\n');

    await ship({ SHIP_SOURCE: `${logs}/a ${logs}/b` });

    expect(shipped()).toEqual([
      'vol-0123456789abcdef0/b/small.log',
      'vol-0123456789abcdef0/a/large.log',
      '_SHIPPED.json',
    ]);
  }, 60_000);

  it('does not wait for a disk that takes what is in memory too slowly', async () => {
    put('app.log', 'text\n');
    const over = join(root, 'over');
    stub('sync', `trap '' TERM; while [ ! -e '${over}' ]; do sleep 0.1; done`);

    const { code } = await ship();
    writeFileSync(over, '');

    expect(code).toBe(0);
    expect(shipped()).toEqual(['vol-0123456789abcdef0/app.log', '_SHIPPED.json']);
  });

  it('writes the marker also where its files take too long to count', async () => {
    put('app.log', 'text\n');
    const counted = join(root, 'counted');
    stub('find', `case "$*" in *%s*) sleep 60; touch '${counted}' ;; *) exec /usr/bin/find "$@" ;; esac`);

    await ship({ SHIP_DEADLINE: String(Math.floor(Date.now() / 1_000) + 8) });

    expect(existsSync(counted)).toBe(false);
    expect(marker()).toMatchObject({ files: 0, sources: [{ volume: 'vol-0123456789abcdef0', filesystem: 'ext4' }] });
  });

  it('leaves out sockets, pipes and links, and is whole without them', async () => {
    put('app.log', 'text\n');
    execFileSync('mkfifo', [join(logs, 'pipe')]);
    symlinkSync('/etc', join(logs, 'link'));
    const socket = createServer().listen(join(logs, 'socket'));
    await once(socket, 'listening');

    const { code } = await ship();
    socket.close();

    expect(code).toBe(0);
    expect(shipped()).toEqual(['vol-0123456789abcdef0/app.log', '_SHIPPED.json']);
    expect(marker()).toMatchObject({ files: 1, partial: false });
  });

  it('ships a large file whose name looks like an option after all others, too', async () => {
    put('-a.log', 9 * 1024 * 1024);
    put('small.log', 'text\n');

    const { code, stderr } = await ship();

    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(shipped()).toEqual(['vol-0123456789abcdef0/small.log', 'vol-0123456789abcdef0/-a.log', '_SHIPPED.json']);
  });

  it('names a directory in the marker as it was asked for, whatever it links to', async () => {
    const odd = join(root, 'an "odd" name');
    mkdirSync(odd);
    writeFileSync(join(odd, 'app.log'), 'text\n');
    symlinkSync(odd, join(root, 'link'));
    mount(root, '/dev/nvme1n1', 'ext4');

    const { code } = await ship({ SHIP_SOURCE: join(root, 'link') });

    expect(code).toBe(0);
    expect(shipped()[0]).toBe('vol-0123456789abcdef0/an "odd" name/app.log');
    expect(marker().sources).toMatchObject([{ path: join(root, 'link') }]);
  });

  it('says that a file was not sent', async () => {
    put('good.log', 'good\n');
    put('bad.log', 'bad\n');
    s3.refuse = (key) => key.endsWith('bad.log');

    const { code } = await ship();

    expect(code).toBe(75);
    expect(shipped()).toEqual(['vol-0123456789abcdef0/good.log', '_SHIPPED.json']);
    expect(marker()).toMatchObject({ files: 2, partial: true });
  });

  it('stops at the deadline in time to write the marker', async () => {
    put('slow.log', 'slow\n');
    s3.delay = (key) => (key.endsWith('slow.log') ? 20_000 : 0);
    const began = Date.now();

    const { code } = await ship({ SHIP_DEADLINE: String(Math.floor(Date.now() / 1_000) + 8) });

    expect(code).toBe(75);
    expect(Date.now() - began).toBeLessThan(8_500);
    expect(marker()).toMatchObject({ partial: true, files: 1 });
  });

  it('does not begin after the deadline, and says so', async () => {
    put('late.log', 'late\n');

    const { code } = await ship({ SHIP_DEADLINE: String(Math.floor(Date.now() / 1_000) - 1) });

    expect(code).toBe(75);
    expect(shipped()).toEqual(['_SHIPPED.json']);
    expect(marker().partial).toBe(true);
  });

  it('fails where the marker cannot be written', async () => {
    put('app.log', 'text\n');
    s3.refuse = (key) => key.endsWith('_SHIPPED.json');

    expect((await ship()).code).toBe(75);
  });
});

describe('where a directory lies', () => {
  it('keeps the path inside a volume that is mounted above it', async () => {
    put('app.log', 'text\n');
    mount(root, '/dev/nvme1n1', 'xfs');

    await ship();

    expect(shipped()[0]).toBe('vol-0123456789abcdef0/log/app.log');
    expect(marker().sources).toEqual([{ path: logs, volume: 'vol-0123456789abcdef0', filesystem: 'xfs' }]);
  });

  it('finds the volume of a partition, and what is bound from inside it', async () => {
    put('app.log', 'text\n');
    mount(logs, '/dev/nvme1n1p1[/var/log]', 'xfs');
    mkdirSync(join(root, 'sys/block/nvme1n1/nvme1n1p1'));
    writeFileSync(join(root, 'sys/block/nvme1n1/nvme1n1p1/partition'), '1\n');
    symlinkSync('../../block/nvme1n1/nvme1n1p1', join(root, 'sys/class/block/nvme1n1p1'));

    await ship();

    expect(shipped()[0]).toBe('vol-0123456789abcdef0/var/log/app.log');
  });

  it.each([
    ['instance store', '/dev/nvme2n1', 'AWS22222222222222222'],
    ['a volume group', '/dev/mapper/vg-logs', ''],
  ])('ships %s under the host, with its absolute path', async (_, source, serial) => {
    put('app.log', 'text\n');
    mount(logs, source, 'xfs');
    if (serial !== '') disk('nvme2n1', serial);

    const { code } = await ship();

    expect(code).toBe(0);
    expect(shipped()[0]).toBe(`host${logs}/app.log`);
    expect(marker().sources).toEqual([{ path: logs, volume: null, filesystem: 'xfs' }]);
  });

  it('finds the volume that is mounted upon another, as by an automount', async () => {
    put('app.log', 'text\n');
    stub(
      'findmnt',
      `case "$*" in *SOURCE*) echo systemd-1; echo /dev/nvme1n1 ;; *FSTYPE*) echo autofs; echo ext4 ;; *) echo '${logs}'; echo '${logs}' ;; esac`,
    );

    await ship();

    expect(marker().sources).toEqual([{ path: logs, volume: 'vol-0123456789abcdef0', filesystem: 'ext4' }]);
  });

  it('ships several directories, and passes over one that is not there', async () => {
    put('a/one.log', '1\n');
    put('b/two.log', '2\n');

    await ship({ SHIP_SOURCE: `${logs}/a ${logs}/b ${logs}/none` });

    expect(marker()).toMatchObject({ files: 2, sources: [{ path: `${logs}/a` }, { path: `${logs}/b` }] });
  }, 60_000);
});

describe('two commands at once', () => {
  const running = async (env: Readonly<Record<string, string>>) => {
    put('slow.log', 'slow\n');
    s3.delay = () => 20_000;
    const first = start(env);
    for (let tries = 0; tries < 200; tries++) {
      const holder = readFileSync(join(root, 'lock'), { encoding: 'utf8', flag: 'a+' });
      if (holder.includes(' ')) break;
      await setTimeout(25);
    }
    await setTimeout(200);
    return first;
  };

  it('ship once: the second sees that the first is at it', async () => {
    const first = await running({});

    const second = await ship();

    expect(second.code).toBe(0);
    expect(second.stderr).toMatch(/run \d+ is at it/);
    expect(s3.stored).toEqual([]);
    first.child.kill('SIGTERM');
    await first.ended;
  });

  it('make a pre-copy give way to the interruption', async () => {
    const first = await running({ SHIP_PHASE: 'pre-copy' });
    s3.delay = () => 0;

    const second = await ship();

    expect((await first.ended).code).toBe(75);
    expect(second.code).toBe(0);
    expect(marker()).toMatchObject({ phase: 'interruption', partial: false });
  });

  it('make what a lifecycle hook gave a quarter of an hour give way to the warning', async () => {
    const deadline = Math.floor(Date.now() / 1_000);
    const first = await running({ SHIP_DEADLINE: String(deadline + 900) });
    s3.delay = () => 0;

    const second = await ship({ SHIP_DEADLINE: String(deadline + 110) });

    expect((await first.ended).code).toBe(75);
    expect(second.code).toBe(0);
    expect(marker()).toMatchObject({ phase: 'interruption', partial: false });
  });

  it('end no process whose number a run had that is long over', async () => {
    const stranger = spawn('sleep', ['60']);
    writeFileSync(join(root, 'lock'), `${stranger.pid} pre-copy\n`);
    stub('flock', 'exit 1');

    const { stderr } = await ship();

    expect(stderr).toContain(`pre-copy ${stranger.pid} does not end`);
    expect(stranger.signalCode).toBe(null);
    expect(stranger.kill()).toBe(true);
    expect(await once(stranger, 'close')).toEqual([null, 'SIGTERM']);
  });

  it('cannot be kept out by another user: nobody else can open the lock', async () => {
    put('app.log', 'text\n');

    await ship();

    expect(statSync(join(root, 'lock')).mode & 0o077).toBe(0);
    expect(readFileSync(script, 'utf8')).toContain(':-/run/reflex-ship-logs}');
  });

  it('have the interruption wait until its deadline for a pre-copy that is at its end', async () => {
    const holder = spawn('sleep', ['60']);
    writeFileSync(join(root, 'lock'), `${holder.pid} pre-copy\n`);
    // Somebody has the lock; how long it is waited for is written down.
    writeFileSync(
      join(stubs, 'flock'),
      `#!/bin/sh\ncase "$*" in *-w*) echo "$2" > '${join(root, 'waited')}' ;; esac\nexit 1\n`,
      { mode: 0o755 },
    );

    const { code, stderr } = await ship();
    holder.kill();

    expect(code).toBe(75);
    expect(stderr).toContain('does not end');
    expect(Number(readFileSync(join(root, 'waited'), 'utf8'))).toBeGreaterThan(45);
  });
});

describe('what it does not begin with', () => {
  it.each([
    [{ SHIP_SOURCE: '' }, 'SHIP_SOURCE'],
    [{ SHIP_SOURCE: '/var/log; reboot' }, 'SHIP_SOURCE'],
    [{ SHIP_SOURCE: '$(reboot)' }, 'SHIP_SOURCE'],
    [{ SHIP_DESTINATION: '/tmp' }, 'SHIP_DESTINATION'],
    [{ SHIP_PHASE: 'later' }, 'SHIP_PHASE'],
    [{ SHIP_DEADLINE: 'soon' }, 'SHIP_DEADLINE'],
  ])('is %j', async (env, named) => {
    const { code, stderr } = await ship(env);

    expect(code).toBe(64);
    expect(stderr).toContain(named);
    expect(s3.stored).toEqual([]);
  });

  it('is a host on which none of the directories exists', async () => {
    put('app.log', 'text\n');

    const { code, stderr } = await ship({ SHIP_SOURCE: `${logs}/none ${logs}/app.log` });

    expect(code).toBe(69);
    expect(stderr).toContain(`no directory: ${logs}/none ${logs}/app.log`);
    expect(s3.stored).toEqual([]);
  });

  it('is a host on which the lock cannot be written', async () => {
    const { code, stderr } = await ship({ SHIP_LOCK: join(root, 'none/lock') });

    expect(code).toBe(69);
    expect(stderr).toContain('none/lock cannot be written');
  });

  it('is a host without the AWS CLI', async () => {
    for (const tool of ['sh', 'date', 'head']) symlinkSync(`/usr/bin/${tool}`, join(stubs, tool));

    const { code, stderr } = await ship({ PATH: stubs });

    expect(code).toBe(69);
    expect(stderr).toContain('the AWS CLI is not installed');
  });
});
