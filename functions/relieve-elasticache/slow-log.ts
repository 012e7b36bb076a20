import type { SlowCommand } from './facts.ts';

/** Commands told of, longest total first. */
const TOLD = 10;

/**
 * Entries of these nodes by command, in JSON or text, whichever is delivered. ElastiCache leaves out most arguments; the rest is
 * not read. An entry of another form is left out.
 */
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

/** Node, CacheNodeId, perhaps the entry's id, Unix time, microseconds, command: `orders-001,0001,1605631822,30,GET ... (1 more arguments),...` */
const TEXT = /^([^,]+),[^,]*,(?:\d+,)?\d+,(\d+),([^,]+)/;

const parse = (message: string): { node: string; command: string; microseconds: number } | null => {
  const [node, duration, text] = fieldsOf(message);
  const command = typeof text === 'string' ? COMMAND.exec(text)?.[0] : undefined;
  const microseconds = Number(duration);
  if (typeof node !== 'string' || command === undefined || !Number.isFinite(microseconds)) return null;
  return { node, command: command.toUpperCase(), microseconds };
};

/** Node, duration and command, each as it stands. */
const fieldsOf = (message: string): readonly unknown[] => {
  try {
    const entry = JSON.parse(message) as Readonly<Record<string, unknown>>;
    const { CacheClusterId, Command, 'Duration (us)': duration } = entry;
    return [CacheClusterId, duration, Command];
  } catch {
    return TEXT.exec(message)?.slice(1) ?? [];
  }
};
