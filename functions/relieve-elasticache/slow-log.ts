import type { SlowCommand } from './facts.ts';

/** Commands told of, longest total first. */
const TOLD = 10;

/** Entries of these nodes by command. ElastiCache leaves out most arguments; the rest is not read. An entry of another form is left out. */
export const topCommands = (messages: readonly string[], nodes: readonly string[]): SlowCommand[] => {
  const byCommand = new Map<string, SlowCommand>();
  for (const message of messages) {
    const entry = parse(message);
    if (entry === null || !nodes.includes(entry.node)) continue;
    const { count = 0, totalMicroseconds = 0, maxMicroseconds = 0 } = byCommand.get(entry.command) ?? {};
    byCommand.set(entry.command, {
      command: entry.command,
      count: count + 1,
      totalMicroseconds: totalMicroseconds + entry.microseconds,
      maxMicroseconds: Math.max(maxMicroseconds, entry.microseconds),
    });
  }
  return [...byCommand.values()].sort((a, b) => b.totalMicroseconds - a.totalMicroseconds).slice(0, TOLD);
};

/** A command's name; anything else is data of the user's. */
const COMMAND = /^[A-Za-z][A-Za-z._-]{0,31}(?=\s|$)/;

const parse = (message: string): { node: string; command: string; microseconds: number } | null => {
  let entry: unknown;
  try {
    entry = JSON.parse(message);
  } catch {
    return null;
  }
  if (typeof entry !== 'object' || entry === null) return null;
  const { CacheClusterId, Command, 'Duration (us)': duration } = entry as Readonly<Record<string, unknown>>;
  const command = typeof Command === 'string' ? COMMAND.exec(Command)?.[0] : undefined;
  const microseconds = Number(duration);
  if (typeof CacheClusterId !== 'string' || command === undefined || !Number.isFinite(microseconds)) return null;
  return { node: CacheClusterId, command: command.toUpperCase(), microseconds };
};
