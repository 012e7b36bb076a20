import type { styleText } from 'node:util';
import type { OutcomeAction } from '../../shared/decision.ts';
import type { HistoryRecord, ResourceState } from '../../shared/ledger/types.ts';
import { callText } from '../calls.ts';

export type Style = Extract<Parameters<typeof styleText>[0], string>;
/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** `2026-03-05 03:12:00`, UTC. */
export const utc = (at: number): string => new Date(at).toISOString().slice(0, 19).replace('T', ' ');

export const count = (n: number, noun: string): string => `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`;

/** `45 s`, `4 min 15 s`, `2 h 5 min`, `3 d 4 h` */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([value]) => value > 0);
  if (first === -1) return '0 s';
  return units
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}

export const actionText = (action: OutcomeAction): string =>
  `${callText(action, ['StreamARN', 'ScalingType'])}${action.error === undefined ? '' : ' FAILED'}`;

export const decisionText = ({ decision, dryRun }: Pick<HistoryRecord, 'decision' | 'dryRun'>): string =>
  dryRun ? `${decision} (dry run)` : decision;

/** Colour by what it means for a person: done, waiting, wanted. */
export const decisionStyle = ({
  decision,
  actions,
}: Pick<HistoryRecord, 'decision' | 'actions'>): Style | undefined => {
  if (decision === 'escalate' || actions.some(({ error }) => error !== undefined)) return 'red';
  return decision === 'act' ? 'green' : undefined;
};

export interface Cell {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** Columns as wide as their widest cell; the last one is cut where the line would be longer than `width`. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
  { paint, width }: { readonly paint: Paint; readonly width: number },
): string[] {
  const cells = rows.map((row) =>
    row.map((cell): Cell => (typeof cell === 'string' ? { text: plain(cell) } : { ...cell, text: plain(cell.text) })),
  );
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.text.length ?? 0)));
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 0);
  const last = Math.max(20, width - before);
  const line = (row: readonly Cell[]): string =>
    row
      .map(({ text, style }, i) => {
        const shown = i === head.length - 1 ? clipped(text, last) : text.padEnd(widths[i] ?? 0);
        return style === undefined ? shown : paint(style, shown);
      })
      .join('  ')
      .trimEnd();
  return [line(head.map((text) => ({ text, style: 'dim' }))), ...cells.map(line)];
}

/** `label` in a column of its own, the text wrapped beside it. */
export function field(
  label: string,
  text: string | readonly string[],
  { paint, width }: { readonly paint: Paint; readonly width: number },
  style?: Style,
): string[] {
  const labelWidth = 11;
  const room = Math.max(30, width - labelWidth - 2);
  const lines = (typeof text === 'string' ? [text] : text).flatMap((part) => wrapped(plain(part), room));
  return lines.map((line, i) => {
    const head = (i === 0 ? label : '').padEnd(labelWidth);
    return `  ${paint('dim', head)}${style === undefined ? line : paint(style, line)}`;
  });
}

/** Without control characters: texts of alarms and messages must not steer a terminal. */
export const plain = (text: string): string => text.replaceAll(/\p{Cc}+/gu, ' ');

/** At most `length` characters, the last one an ellipsis where more was there. */
export const clipped = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, Math.max(length - 1, 0))}…`;

/** Words in lines of at most `length` characters; a longer word has its own line. */
export function wrapped(text: string, length: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= length) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** The nearest of the names, where it is near enough to be meant. */
export function meant(given: string, names: readonly string[]): string | undefined {
  const [nearest] = names
    .map((name) => ({ name, edits: given.length > 1 && name.startsWith(given) ? 0 : distance(given, name) }))
    .filter(({ name, edits }) => edits <= Math.ceil(name.length / 3))
    .sort((a, b) => a.edits - b.edits);
  return nearest?.name;
}

/** Letters to add, leave out, replace or swap with their neighbour, from one text to the other. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const edits = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const swapped =
        a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? edits(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      const replaced = edits(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swapped, replaced, edits(i - 1, j) + 1, edits(i, j - 1) + 1));
    }
  }
  return edits(a.length, b.length);
}

/** `on hold since 2026-03-05 03:12:00 by ada: reason` */
export const holdText = ({ since, by, reason }: NonNullable<ResourceState['hold']>): string =>
  `on hold since ${utc(since)} UTC by ${by}: ${reason}`;
