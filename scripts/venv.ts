/**
 * `node scripts/venv.ts [--in FOLDER] [requirements file...]` prepares the project's own Python, by default in .venv; nothing
 * outside the checkout is touched.
 * A requirements file is installed once, and again when it changes.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');

/** The versions that every package of the requirements files runs on. */
const PYTHONS = { oldest: 10, newest: 14 } as const;

/**
 * Makes sure that the folder holds these requirements files.
 * @returns the folder of its executables (`ministack`, `cfn-lint`, `sam`...)
 * @throws Error that says what is missing and how to get it.
 */
export const ensureVenv = async (
  files: readonly string[] = ['requirements.txt'],
  folder = '.venv',
): Promise<string> => {
  const venv = join(ROOT, folder);
  const bin = join(venv, 'bin');
  const python = join(bin, 'python');
  if ((await minorVersion(python)) === undefined) {
    rmSync(venv, { recursive: true, force: true });
    console.error(`Making ${folder}`);
    await make(await findPython(), venv);
  }
  for (const file of files) {
    const wanted = readFileSync(join(ROOT, file), 'utf8');
    const stamp = join(venv, `.${file}.installed`);
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) continue;
    console.error(`Installing ${file} into ${folder}`);
    await install(python, file);
    writeFileSync(stamp, wanted);
  }
  return bin;
};

/** @returns 11 for Python 3.11; undefined where the command does not run or is no Python 3. */
const minorVersion = async (command: string): Promise<number | undefined> => {
  const script = 'import sys; print(sys.version_info[1] if sys.version_info[0] == 3 else "")';
  const answer = await run(command, ['-c', script]).catch(() => undefined);
  const minor = Number.parseInt(answer?.stdout ?? '', 10);
  return Number.isNaN(minor) ? undefined : minor;
};

const findPython = async (): Promise<string> => {
  const candidates = [process.env.PYTHON ?? [], 'python3', '/usr/bin/python3', 'python'].flat();
  for (const command of candidates) {
    const minor = await minorVersion(command);
    if (minor !== undefined && minor >= PYTHONS.oldest && minor <= PYTHONS.newest) return command;
  }
  throw new Error(
    `Python 3.${PYTHONS.oldest} to 3.${PYTHONS.newest} is needed and was not found (tried ${candidates.join(', ')}). ` +
      'Install it, or name one: PYTHON=/path/to/python3.',
  );
};

const make = async (python: string, venv: string): Promise<void> => {
  await run(python, ['-m', 'venv', venv]).catch((error: Failure) => {
    rmSync(venv, { recursive: true, force: true });
    throw new Error(
      `${python} cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv.\n${said(error)}`,
    );
  });
};

const install = async (python: string, file: string): Promise<void> => {
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', file];
  await run(python, pip, { cwd: ROOT }).catch((error: Failure) => {
    throw new Error(`pip could not install ${file}; is its package index reachable?\n${said(error)}`);
  });
};

type Failure = Error & { readonly stdout?: string; readonly stderr?: string };
const said = ({ stdout = '', stderr = '', message }: Failure): string =>
  `${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n') || message;

if (import.meta.main) {
  const { values, positionals: files } = parseArgs({
    allowPositionals: true,
    options: { in: { type: 'string' } },
  });
  ensureVenv(files.length === 0 ? undefined : files, values.in).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
