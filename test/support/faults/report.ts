import { readFileSync, writeFileSync } from 'node:fs';

/** A table as Markdown has it; numbers to the right. */
export const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string => {
  const shown = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...shown.map((row) => row[i]?.length ?? 0)));
  const right = head.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (right[i] ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`;
  const [first = [], ...others] = shown;
  return [line(first), rule, ...others.map(line)].join('\n');
};

/** Prints a part of the report, and puts it between its marks into the file that FAULTS_REPORT names. */
export const report = (part: string, text: string): void => {
  process.stdout.write(`\n${text}\n\n`);
  const file = process.env.FAULTS_REPORT;
  if (file === undefined || file === '') return;
  const [begin, end] = [`<!-- ${part}: begin -->`, `<!-- ${part}: end -->`];
  const before = readFileSync(file, 'utf8');
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file}: expected the marks ${begin} and ${end}`);
  writeFileSync(file, `${before.slice(0, from + begin.length)}\n\n${text}\n\n${before.slice(to)}`);
};
