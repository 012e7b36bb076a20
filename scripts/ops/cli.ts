import { parseArgs } from 'node:util';
import { DEFAULT_PREFIX, inStack } from '../../shared/words.ts';
import { budgetsCommand } from './budgets.ts';
import { type Args, type Command, misused, optionsConfig, type Stack, Stop, textOption } from './command.ts';
import { explain } from './explain.ts';
import { history } from './history.ts';
import { hold } from './hold.ts';
import { incidents } from './incidents.ts';
import { mode } from './mode.ts';
import { pools } from './pools.ts';
import { explained } from './problems.ts';
import { release } from './release.ts';
import { replay } from './replay.ts';
import { volumes } from './volumes.ts';
import { meant, type Paint } from './words.ts';

/** The process around the commands; everything that is not logic. */
export interface Edge {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly paint: Paint;
  /** Columns to write in. */
  readonly width: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Epoch ms. */
  readonly now: () => number;
  readonly user: string;
  /** Asks a person yes or no; null: nobody is there. */
  readonly ask: ((question: string) => Promise<boolean>) | null;
  readonly connect: (where: { readonly prefix: string; readonly table: string | undefined }) => Promise<Stack>;
}

const commands: readonly Command[] = [
  mode,
  history,
  incidents,
  explain,
  budgetsCommand,
  volumes,
  pools,
  hold,
  release,
  replay,
];

const common = {
  'prefix NAME': `the stack's ResourcePrefix (default ${DEFAULT_PREFIX})`,
  'table NAME': 'read this ledger table only (or LEDGER_TABLE)',
  json: 'the result as JSON, for scripts',
  yes: 'do not ask before a change',
  help: 'this text',
};

/** Runs one command line. 0: done; 1: it could not be done; 2: the command line is wrong. */
export async function run(argv: readonly string[], edge: Edge): Promise<0 | 1 | 2> {
  const { env } = edge;
  let prefix = DEFAULT_PREFIX;
  const out = (text: string) => edge.out(inStack(text, prefix));
  const err = (text: string) => edge.err(inStack(text, prefix));
  try {
    const [name, ...rest] = argv;
    if (name === undefined) {
      err(overview());
      return 2;
    }
    if (name === 'help' || name === '--help' || name === '-h') {
      out(rest[0] === undefined ? overview() : helpOf(commandNamed(rest[0])));
      return 0;
    }
    const command = commandNamed(name);
    const args = parsed(command, rest);
    if (args.values.help === true) {
      out(helpOf(command));
      return 0;
    }
    prefix = textOption(args, 'prefix') ?? DEFAULT_PREFIX;
    const report = await perform(command, args, prefix, { ...edge, out, err });
    if (args.values.json === true) edge.out(JSON.stringify(report.json, null, 2));
    else out(report.lines.join('\n'));
    return report.failed === true ? 1 : 0;
  } catch (error) {
    const { message, hint, exitCode } = explained(error, env);
    err([edge.paint('red', message), ...(hint === '' ? [] : [hint])].join('\n'));
    return exitCode;
  }
}

async function perform(command: Command, args: Args, prefix: string, edge: Edge) {
  const { paint, width, now, user, ask, env } = edge;
  const table = textOption(args, 'table') ?? (env.LEDGER_TABLE || undefined);
  const where = { prefix, table };
  const show = args.values.json === true ? edge.err : edge.out;
  return command.run(args, {
    connect: () => edge.connect(where),
    now: now(),
    by: user,
    paint,
    width,
    async confirm(lines, question) {
      if (lines.length > 0) show(lines.join('\n'));
      if (args.values.yes === true) return true;
      if (ask === null) {
        throw misused('Nobody is there to confirm this; nothing was changed.', 'Add --yes to do it without asking.');
      }
      return ask(question);
    },
  });
}

function commandNamed(name: string): Command {
  const command = commands.find((each) => each.name === name);
  if (command !== undefined) return command;
  if (name.startsWith('-')) throw misused(`${name}: the command comes first.`, 'npm run ops -- --help');
  const near = meant(
    name,
    commands.map((each) => each.name),
  );
  throw misused(
    `There is no command "${name}".`,
    near === undefined
      ? `Commands: ${commands.map((each) => each.name).join(', ')}`
      : `Did you mean: npm run ops -- ${near}`,
  );
}

function parsed(command: Command, argv: readonly string[]): Args {
  const options = optionsConfig({ ...command.options, ...common });
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { ...options, help: { type: 'boolean', short: 'h' }, yes: { type: 'boolean', short: 'y' } },
    }) as Args;
  } catch (error) {
    const [message = ''] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/);
    const given = /'--?([^'\s=]+)/.exec(message)?.[1] ?? '';
    const near = options[given] === undefined ? meant(given, Object.keys(options)) : undefined;
    throw new Stop(
      `${command.name}: ${message.replace(/\.?$/, '.')}`,
      near === undefined ? `npm run ops -- ${command.name} --help` : `Did you mean: --${near}`,
      2,
    );
  }
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    'npm run ops -- COMMAND',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Each takes --help. Options of all:',
    ...optionLines(common),
    '',
    'Times are UTC. NO_COLOR=1: no colour. Exit code 0: done; 1: it could not be done; 2: wrong command line.',
  ].join('\n');
}

function helpOf({ usage, summary, options }: Command): string {
  return [
    ...usage.map((line) => `npm run ops -- ${line}`),
    '',
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    '',
    ...optionLines({ ...options, ...common }),
  ].join('\n');
}

function optionLines(options: Readonly<Record<string, string>>): string[] {
  const specs = Object.entries(options);
  const width = Math.max(...specs.map(([spec]) => spec.length));
  return specs.map(([spec, text]) => `  --${spec.padEnd(width)}  ${text}`);
}
