import type { ParseArgsOptionsConfig } from 'node:util';
import type { Ledger } from '../../shared/ledger/ledger.ts';
import type { Mode } from '../../shared/ledger/types.ts';
import type { Result } from '../../shared/remediation.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { KeptVolume } from './volumes.ts';
import type { Paint } from './words.ts';

/** One function of the deployed stack. */
export interface DeployedFunction {
  /** Folder name, e.g. `reshard-kinesis`. */
  readonly name: string;
  readonly arn: string;
  /** The stack parameter Mode, as this function sees it. */
  readonly mode: Mode;
  readonly inboxUrl: string;
}

/** What the commands work on. */
export interface Stack {
  readonly ledger: Ledger;
  /** Empty where only a ledger table was named. */
  readonly functions: readonly DeployedFunction[];
  /** @throws Stop where only a ledger table was named. */
  deadLetters(): Promise<DeadLetters>;
  /**
   * Asks the deployed function what it would do about a resource, as if this had woken it.
   * @throws Stop where the function itself fails.
   */
  explain(fn: DeployedFunction, resource: string, as: 'alarm' | 'tick'): Promise<Result>;
  /** Every volume that carries a rescue's tags. */
  keptVolumes(): Promise<readonly KeptVolume[]>;
  /** On-demand base by name of an Auto Scaling group; null: the group has no mixed instances policy. One that is gone is absent. */
  onDemandBases(names: readonly string[]): Promise<ReadonlyMap<string, number | null>>;
}

export interface Context {
  /** Finds the stack, when the command line is known to be right. */
  readonly connect: () => Promise<Stack>;
  /** Epoch ms. */
  readonly now: number;
  /** Who is at the terminal; goes into the ledger. */
  readonly by: string;
  readonly paint: Paint;
  /** Columns to write in. */
  readonly width: number;
  /**
   * Shows the lines and asks; true at once with `--yes`.
   * @throws Stop where nobody can answer.
   */
  confirm(lines: readonly string[], question: string): Promise<boolean>;
}

/** What a command found or did, for a person and for a script. */
export interface Report {
  readonly lines: readonly string[];
  readonly json: unknown;
  /** Not all of it was done: exit code 1. */
  readonly failed?: boolean;
}

export interface Args {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
}

export interface Command {
  readonly name: string;
  /** Everything after `npm run ops -- `, a line each. */
  readonly usage: readonly string[];
  readonly summary: string;
  /** Option -> what it does; an option that takes a value is written `limit N`. */
  readonly options: Readonly<Record<string, string>>;
  readonly run: (args: Args, context: Context) => Promise<Report>;
}

/** Ends the command with a message and the way out. Exit code 2: the command line is at fault; 1: anything else. */
export class Stop extends Error {
  override readonly name = 'Stop';
  readonly hint: string;
  readonly exitCode: 1 | 2;
  constructor(message: string, hint: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

export const misused = (message: string, hint = ''): Stop => new Stop(message, hint, 2);

/** `{ 'limit N': '...' }` as parseArgs wants it. */
export const optionsConfig = (options: Command['options']): ParseArgsOptionsConfig =>
  Object.fromEntries(
    Object.keys(options).map((spec) => {
      const [name = '', value] = spec.split(' ');
      return [name, { type: value === undefined ? 'boolean' : 'string' }] as const;
    }),
  );

/** @throws Stop where the option was given without a text. */
export const textOption = ({ values }: Args, name: string): string | undefined => {
  const value = values[name];
  if (value === '') throw misused(`--${name}: expected a text that is not empty.`);
  return typeof value === 'string' ? value : undefined;
};

/** @throws Stop where more positionals are given than the command takes. */
export const positionalsUpTo = ({ positionals }: Args, most: number): readonly string[] => {
  const extra = positionals[most];
  if (extra !== undefined)
    throw misused(`"${extra}" is one argument too many.`, 'Put quotes around a text with spaces.');
  return positionals;
};
