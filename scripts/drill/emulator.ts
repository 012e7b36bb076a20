import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from './problem.ts';

export const host = '127.0.0.1';
/** moto's own account, which therefore is everybody's. */
export const account = '123456789012';
export const region = 'us-east-1';

export interface Server {
  readonly name: string;
  readonly endpoint: string;
  readonly log: string;
  /** Ends the whole process group: function workers outlive their emulator otherwise. */
  stop(): void;
}

export interface Launch {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  /** Path that answers 200 as soon as the server is ready. */
  readonly health: string;
  /** Where logs and temporary files go. */
  readonly directory: string;
}

const startLimitMs = 60_000;

/** A free loopback port, as the system picks it. */
export function freePort(): Promise<number> {
  return probe(0);
}

/** @throws Problem where another process has the port. */
export async function claimPort(port: number): Promise<number> {
  try {
    return await probe(port);
  } catch {
    throw new Problem(
      `Port ${port} is taken.`,
      `Let the drill pick a free one:  unset PORT\nor see who has it:             lsof -i :${port}`,
    );
  }
}

function probe(port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer().on('error', reject);
  server.listen(port, host, () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
  });
  return promise;
}

/**
 * What the emulators, and with them the functions, see of this machine: nothing of the user's AWS settings, proxies or
 * profile. The project's own Node comes first on the path, so the functions run on the version they are built for.
 */
export function cleanEnvironment(binaries: readonly string[], temporary: string): Record<string, string> {
  const kept = ['HOME', 'LANG', 'LC_ALL', 'SYSTEMROOT'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(kept),
    PATH: [...binaries, process.env.PATH ?? ''].join(delimiter),
    TMPDIR: temporary,
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: 'drill',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
  };
}

/**
 * Starts a server in a process group of its own and waits until it is healthy.
 * @throws Problem with the end of its log where it ends or does not answer.
 */
export async function start({ name, command, args, port, env, health, directory }: Launch): Promise<Server> {
  const log = join(directory, `${name}.log`);
  mkdirSync(directory, { recursive: true });
  const output = openSync(log, 'w');
  const child = spawn(command, args, { detached: true, env, stdio: ['ignore', output, output] });
  let ended: string | undefined;
  child.on('error', (error) => {
    ended = error.message;
  });
  child.on('exit', (code, signal) => {
    ended ??= `exit ${code ?? signal}`;
  });
  const group = child.pid;
  const stop = () => {
    try {
      if (group !== undefined) process.kill(-group, 'SIGKILL');
    } catch {
      // The group is gone already.
    }
  };
  // However the drill ends, and at once: nothing in an emulator is worth waiting for.
  process.on('exit', stop);

  const endpoint = `http://${host}:${port}`;
  const limit = Date.now() + startLimitMs;
  while (!(await answers(endpoint + health))) {
    if (ended === undefined && Date.now() < limit) {
      await sleep(100);
      continue;
    }
    stop();
    throw new Problem(
      ended === undefined ? `${name} did not answer within ${startLimitMs / 1000} s.` : `${name} ended: ${ended}.`,
      `Its log says why: ${log}\nA broken Python environment is made anew after: rm -rf .venv`,
      tailOf(log),
    );
  }
  return { name, endpoint, log, stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

/** The last lines of a log. */
export function tailOf(log: string, lines = 20): string {
  try {
    return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

export function emptied(directory: string): string {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

/**
 * Makes the folder anew, for this process alone.
 * @throws Problem while another drill has it: the functions run from there.
 */
export function claimFolder(directory: string): void {
  const owner = ownerOf(directory);
  if (owner !== undefined && isRunning(owner)) {
    throw new Problem(
      `Another drill is under way in this checkout: process ${owner}.`,
      `Let it end, or end it with Ctrl-C. If that is no drill:  rm -r ${directory}`,
    );
  }
  writeFileSync(ownerFile(emptied(directory)), String(process.pid));
}

/** Gives up what `claimFolder` took: logs and bundles stay, to be looked at. The folder of another drill is left alone. */
export function releaseFolder(directory: string): void {
  if (ownerOf(directory) !== process.pid) return;
  rmSync(join(directory, 'tmp'), { recursive: true, force: true, maxRetries: 3 });
  rmSync(ownerFile(directory));
}

const ownerFile = (directory: string): string => join(directory, 'pid');

function ownerOf(directory: string): number | undefined {
  try {
    return Number(readFileSync(ownerFile(directory), 'utf8'));
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process may not be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
