/** A time as people read it: ISO 8601 to the second, in UTC. */
export const time = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

/** An error as people read it: its name and message, with those of its causes. */
export const said = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const own = error.message === '' ? error.name : `${error.name}: ${error.message}`;
  // Node's own, where no address of a host answers, has no message.
  const causes = error instanceof AggregateError ? error.errors : error.cause === undefined ? [] : [error.cause];
  return causes.length === 0 ? own : `${own} (${causes.map(said).join(', ')})`;
};

/** A text as a shell takes it for one word, whatever is in it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The same, in quotes only where it needs them: a name of an Auto Scaling group may hold anything. */
export const asWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text));

/** The part of an ARN a person knows the resource by. */
export const nameOf = (arn: string): string => arn.split(/[:/]/).at(-1) || arn;

/** An ARN without partition, service, Region and account: `stream/orders`. */
export const shortArn = (arn: string): string => arn.replace(/^arn:(?:[^:]*:){4}/, '');

/** What a stack's ResourcePrefix is where nobody says otherwise. */
export const DEFAULT_PREFIX = 'reflex';

/** A text whose operator's commands reach the stack of this ResourcePrefix. */
export const inStack = (text: string, prefix: string): string =>
  prefix === DEFAULT_PREFIX
    ? text
    : text.replaceAll(/(npm run ops -- [a-z]+)(?! --prefix)\b/g, `$1 --prefix ${prefix}`);
