import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, it } from 'vitest';

const script = join(import.meta.dirname, '../../../docs/examples/resumable-worker/worker.mjs');
const folder = mkdtempSync(join(tmpdir(), 'worker-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  readonly event: string;
  readonly [name: string]: unknown;
}

/** Runs the worker to its end; `on` sees every line as it is said and may send a signal. */
const run = async (
  file: string,
  env: Readonly<Record<string, string>>,
  on: (line: Line, kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
) => {
  const child = spawn(process.execPath, [script], {
    env: { CHECKPOINT_FILE: join(folder, file), ITEMS: '40', ITEM_MS: '1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: Line[] = [];
  const exited = once(child, 'exit');
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    on(line, (signal) => child.kill(signal));
  }
  const [code, signal] = (await exited) as [number | null, string | null];
  return { code, signal, first: lines[0], last: lines.at(-1) };
};

const SUM = (40 * 41 * 81) / 6;

it('exits with 75 on SIGTERM after writing its place, and goes on from there to the same result', async () => {
  const first = await run('term', { ITEM_MS: '20' }, (line, kill) => line.item === 5 && kill('SIGTERM'));
  const saved = JSON.parse(readFileSync(join(folder, 'term'), 'utf8'));
  const second = await run('term', { REFLEX_RESUME_ATTEMPT: '1', REFLEX_RESUME_ROOT: 'a'.repeat(32) });

  expect(first).toMatchObject({ code: 75, last: { event: 'interrupted' } });
  expect(saved.next).toBeGreaterThan(5);
  expect(saved.next).toBeLessThan(40);
  expect(second.first).toEqual({ event: 'resumed', next: saved.next, attempt: 1, root: 'a'.repeat(32) });
  expect(second).toMatchObject({ code: 0, last: { event: 'done', sum: SUM } });
});

it('loses at most ten items to a SIGKILL', async () => {
  const killed = await run('kill', { ITEM_MS: '20' }, (line, kill) => line.item === 12 && kill('SIGKILL'));
  const second = await run('kill', {});

  expect(killed).toMatchObject({ code: null, signal: 'SIGKILL' });
  expect(second.first).toMatchObject({ event: 'resumed', next: 10 });
  expect(second).toMatchObject({ code: 0, last: { sum: SUM } });
});

it('exits with 0 when nobody interrupts it', async () => {
  const only = await run('whole', {});

  expect(only).toMatchObject({ code: 0, first: { event: 'started', attempt: 0 }, last: { event: 'done', sum: SUM } });
});
