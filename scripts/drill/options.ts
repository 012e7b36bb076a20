import { parseArgs } from 'node:util';
import { messageOf, Problem } from './problem.ts';
import { wrapped } from './screen.ts';

export interface Options {
  /** Where the page goes, or null. */
  readonly report: string | null;
  /** Leave everything up until Ctrl-C. */
  readonly keep: boolean;
  /** Only these scenarios; empty: all. */
  readonly only: readonly string[];
  /** Port of the embedded AWS; 0: the system picks a free one. */
  readonly port: number;
  readonly help: boolean;
}

export const usage = `npm run drill [-- options]

  --report FILE.html   write the same as one self-contained page
  --only SCENARIO      run this scenario only (may be repeated)
  --keep               leave the embedded AWS up to play with; Ctrl-C ends it
  --help               this text

  PORT=4566            in the environment: the port of the embedded AWS (default: a free one)
  NO_COLOR=1           in the environment: no colour`;

/**
 * Reads the command line and PORT.
 * @throws Problem for an unknown option, an unknown scenario or a PORT that is none.
 */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  scenarios: readonly string[],
): Options {
  const values = parsed(args);
  const only = values.only ?? [];
  const unknown = only.find((name) => !scenarios.includes(name));
  if (unknown !== undefined) {
    throw new Problem(
      `There is no scenario "${unknown}".`,
      wrapped(`Choose among: ${scenarios.join(', ')}`, 90).join('\n'),
    );
  }
  const port = Number(env.PORT || 0);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Problem(
      `PORT=${env.PORT} is not a port.`,
      'Set PORT to a number from 1 to 65535, or unset it: unset PORT',
    );
  }
  return { report: values.report ?? null, keep: values.keep ?? false, help: values.help ?? false, only, port };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        report: { type: 'string' },
        only: { type: 'string', multiple: true },
        keep: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    const [message = ''] = messageOf(error).split('. ');
    throw new Problem(message.replace(/\.?$/, '.'), usage);
  }
}
