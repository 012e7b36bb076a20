/** `npm run ops -- COMMAND`: the operator's commands against a deployed stack. */
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';
import { checkEndpoints } from './endpoints.ts';
import { run } from './ops/cli.ts';
import { stackAt, stackOfTable } from './ops/stack.ts';
import { functionsOf, readTemplate } from './template.ts';

const { env, stdin, stdout, stderr } = process;
const isTerminal = stdout.isTTY === true && env.TERM !== 'dumb';
const functions = functionsOf(readTemplate()).map(({ folder }) => folder);

// Whoever reads the pipe has seen enough (`| head`).
stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), {
  out: (text) => stdout.write(`${text}\n`),
  err: (text) => stderr.write(`${text}\n`),
  paint: (style, text) => (isTerminal && !env.NO_COLOR ? styleText(style, text, { validateStream: false }) : text),
  width: isTerminal ? Math.max(stdout.columns, 60) : 160,
  env,
  now: Date.now,
  user: userInfo().username,
  ask: stdin.isTTY && stderr.isTTY ? confirmed : null,
  connect: async ({ prefix, table }) => {
    checkEndpoints(env);
    return table === undefined ? stackAt({ prefix, functions }, Date.now) : stackOfTable(table, Date.now);
  },
});

/** Ctrl-C and the end of input are a no. */
async function confirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: stdin, output: stderr });
  const closed = once(terminal, 'close').then(() => 'no');
  try {
    const answer = await Promise.race([terminal.question(`${question} [y/N] `), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    terminal.close();
  }
}
