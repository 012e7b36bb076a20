import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import type { DecisionKind, OutcomeAction } from '../decision.ts';
import type { Json } from '../json.ts';
import type { Mode } from '../ledger/types.ts';
import type { Reason } from '../reasons.ts';

/** One decision, whole: what was seen, what was decided and why, what was called. */
export interface DecisionLine {
  /** ARN. */
  readonly resource: string;
  readonly decision: DecisionKind;
  readonly reason: Reason;
  readonly why: string;
  readonly incidentId: string | null;
  readonly mode: Mode;
  readonly dryRun: boolean;
  readonly actions: readonly OutcomeAction[];
  /** From the event's own time to the decision's end, ms; null where the event has no time. */
  readonly latencyMs: number | null;
  readonly facts: Json;
}

type Fields = Readonly<Record<string, unknown>>;

/** JSON lines, each with the function's name and version; every field goes through `redact`. */
export interface Log {
  /** Adds the request's id and cold start to the lines that follow. */
  invocation(context: Context): void;
  decision(line: DecisionLine): void;
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, error: unknown, fields?: Fields): void;
}

const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL', 'SILENT'] as const;

/**
 * The log of one function (folder name), set by `POWERTOOLS_LOG_LEVEL`, else `LOG_LEVEL`, else INFO, and `REFLEX_VERSION`.
 * Throws on a level that does not exist; Powertools by itself would fall back to INFO without a word.
 */
export function logFromEnv(fn: string, env: NodeJS.ProcessEnv = process.env): Log {
  const variable = env.POWERTOOLS_LOG_LEVEL ? 'POWERTOOLS_LOG_LEVEL' : 'LOG_LEVEL';
  const text = env[variable] || 'INFO';
  const logLevel = levels.find((level) => level === text.toUpperCase());
  if (logLevel === undefined) throw new Error(`${variable}: expected one of ${levels.join(', ')}, found "${text}"`);
  let made: Logger | undefined;
  const invocations: Context[] = [];
  /** Made for the first line, which comes after the act: what it takes to write to stdout is no part of a cold start. */
  const logger = (): Logger => {
    made ??= new Logger({
      serviceName: 'reflex',
      logLevel,
      persistentKeys: { function: fn, version: env.REFLEX_VERSION || 'development' },
    });
    for (const context of invocations.splice(0)) made.addContext(context);
    return made;
  };
  const safe = (fields: unknown) => redact(fields) as Record<string, Json>;
  return {
    // The first is the cold start; of the others the last counts.
    invocation: (context) => void invocations.splice(1, 1, context),
    decision: (line) => logger().info('decision', safe(line)),
    debug: (message, fields = {}) => logger().debug(message, safe(fields)),
    info: (message, fields = {}) => logger().info(message, safe(fields)),
    warn: (message, fields = {}) => logger().warn(message, safe(fields)),
    error: (message, error, fields = {}) => logger().error(message, { ...safe(fields), error: whole(error) }),
  };
}

/** With its stack, its cause, and what Node (`code`) and AWS (`$metadata`) say besides; an error may carry the request that failed. */
function whole(error: unknown): Record<string, Json | undefined> {
  const given: Error & { code?: unknown; $metadata?: unknown } =
    error instanceof Error ? error : new Error(String(error));
  const { name, message, stack, code, $metadata, cause } = given;
  return { name, message, stack, ...(redact({ code, $metadata, cause }) as Record<string, Json>) };
}

const mask = '***';
const secret =
  /passw|passphrase|secret|token|authorization|credential|private[-_ ]?key|api[-_ ]?key|access[-_ ]?key|user[-_ ]?data|^command$|^entry[-_ ]?point$/i;
const named = /^(environment|environmentVariables|env|variables|secrets|secretOptions)$/i;

/**
 * A copy as plain JSON without secrets: what stands under a secret's key (password, token, authorization, command,
 * user data...) becomes `***`; of environments and secrets the names stay and the values become `***`; so does the value
 * of a name-value pair whose name tells a secret. Dates become ISO text, bigints decimal text, errors name and message.
 */
export function redact(value: unknown): Json {
  const text = JSON.stringify(value, (key, held: unknown) => {
    if (named.test(key)) return masked(held);
    if (secret.test(key) && held !== null) return mask;
    if (typeof held === 'bigint') return held.toString();
    if (held instanceof Error) return { name: held.name, message: held.message };
    return isSecretPair(held) ? masked(held) : held;
  });
  return text === undefined ? null : (JSON.parse(text) as Json);
}

function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== 'object' || value === null) return mask;
  return Object.fromEntries(
    Object.entries(value).map(([key, held]) => [key, isName(key) && typeof held === 'string' ? held : masked(held)]),
  );
}

function isSecretPair(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.some(([key]) => /^value/i.test(key)) &&
    entries.some(([key, held]) => isName(key) && typeof held === 'string' && secret.test(held))
  );
}

function isName(key: string): boolean {
  return /^(name|key)$/i.test(key);
}
