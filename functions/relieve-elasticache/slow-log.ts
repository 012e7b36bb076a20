import type { SlowCommand } from './facts.ts';

/** Commands kept of a node, longest total first. */
const KEPT = 10;

type Command = Omit<SlowCommand, 'node'>;

/**
 * Entries of these nodes by node and command, in JSON or text, whichever is delivered. ElastiCache leaves out most arguments; the
 * rest is not read. An entry of another form is left out.
 */
export const topCommands = (messages: readonly string[], nodes: readonly string[]): SlowCommand[] => {
  const entries = messages.map(parse).filter((entry) => entry !== null);
  const ofNode = Map.groupBy(entries, ({ node }) => node);
  return nodes.flatMap((node) =>
    byCommand(ofNode.get(node) ?? [])
      .slice(0, KEPT)
      .map((command) => ({ node, ...command })),
  );
};

/** One line a command, whichever node logged it; longest total first. */
export const byCommand = (entries: readonly Command[]): Command[] =>
  [...Map.groupBy(entries, ({ command }) => command)]
    .map(([command, all]) => ({
      command,
      count: all.reduce((sum, { count }) => sum + count, 0),
      totalMicroseconds: all.reduce((sum, { totalMicroseconds }) => sum + totalMicroseconds, 0),
      maxMicroseconds: Math.max(...all.map(({ maxMicroseconds }) => maxMicroseconds)),
    }))
    .sort((a, b) => b.totalMicroseconds - a.totalMicroseconds);

/** A command's name; anything else is data of the user's. */
const COMMAND = /^[A-Za-z][A-Za-z._-]{0,31}(?=\s|$)/;

/** Node, CacheNodeId, perhaps the entry's id, Unix time, microseconds, command: `orders-001,0001,1605631822,30,GET ... (1 more arguments),...` */
const TEXT = /^([^,]+),[^,]*,(?:\d+,)?\d+,(\d+),([^,]+)/;

const parse = (message: string): SlowCommand | null => {
  const [node, duration, text] = fieldsOf(message);
  const command = typeof text === 'string' ? COMMAND.exec(text)?.[0] : undefined;
  const microseconds = Number(duration);
  if (typeof node !== 'string' || command === undefined || !Number.isFinite(microseconds)) return null;
  return {
    node,
    command: command.toUpperCase(),
    count: 1,
    totalMicroseconds: microseconds,
    maxMicroseconds: microseconds,
  };
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
