import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionsOf, readTemplate } from '../../../scripts/template.ts';
import { deployed, memoryQueue, terminal } from './terminal.ts';

const ROOT = join(import.meta.dirname, '../../..');
const files = globSync(['README.md', 'docs/*.md'], { cwd: ROOT });

/** Every command in a code span or on a line of its own. */
const commands = files.flatMap((file) =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/(?<=`|^)npm run ops -- ([^`\n]+)(?=`|$)/gm)].map(
    ([, command = '']) => [command, file] as const,
  ),
);

/** As a shell would split it; placeholders become a stream and an id. */
const words = (command: string): string[] =>
  [...command.matchAll(/"([^"]*)"|(<[^>]*>|\S+)/g)].map(([, quoted, bare]) =>
    (quoted ?? bare ?? '').replace(/^(<.*>|RESOURCE|ID)$/, 'orders'),
  );

const functions = functionsOf(readTemplate()).map(({ folder }) => deployed(folder));

describe('a command in the documentation', () => {
  it('is found', () => {
    expect(commands.length).toBeGreaterThan(25);
  });

  it.each(commands.filter(([command]) => command !== 'COMMAND'))('%s (%s) is one that exists', async (command) => {
    const { run } = terminal({ functions, answer: true, deadLetters: memoryQueue([]) });
    const { err } = await run(...words(command));
    expect(err).not.toMatch(/There is no command|Unknown option|one argument too many|expected (one of|get or set)/);
  });
});
