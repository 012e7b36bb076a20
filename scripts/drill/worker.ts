import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../build.ts';

/** A line that the worker of docs/examples/resumable-worker wrote. */
export interface WorkerLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The example's worker as the process of a task: the embedded AWS lists tasks and runs nothing. */
export interface Worker {
  readonly lines: readonly WorkerLine[];
  /** As ECS does with its notice. */
  terminate(): void;
  /** Its exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** `environment`: as the task's overrides have it; the worker gets no other variable. */
export function startWorker(environment: Readonly<Record<string, string>>): Worker {
  const script = join(ROOT, 'docs/examples/resumable-worker/worker.mjs');
  const child: ChildProcess = spawn(process.execPath, [script], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: WorkerLine[] = [];
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const [last = '', ...whole] = `${rest}${text}`.split('\n').reverse();
    rest = last;
    lines.push(...whole.reverse().map((line) => JSON.parse(line) as WorkerLine));
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject).on('close', resolve);
  return { lines, terminate: () => child.kill('SIGTERM'), ended };
}
