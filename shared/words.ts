/** A time as people read it: ISO 8601 to the second, in UTC. */
export const time = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

/** An error as people read it: its name and message, with those of its cause. */
export const said = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const own = `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own} (${said(error.cause)})`;
};

/** The part of an ARN a person knows the resource by. */
export const nameOf = (arn: string): string => arn.split(/[:/]/).at(-1) || arn;
