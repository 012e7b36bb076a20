import { styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';
/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Something under way: one line that moves on a terminal, and one line at its end everywhere. */
export interface Step {
  /** What it is doing now; shown on a terminal only. */
  note(text: string): void;
  done(result: string): void;
  failed(result: string): void;
  skipped(result: string): void;
}

export interface Screen {
  readonly paint: Paint;
  /** Columns to write in. */
  readonly width: number;
  line(text?: string): void;
  step(label: string): Step;
  /** Ends what moves; the last state of each step stays on the screen. */
  close(): void;
}

/** The part of a stream that a screen needs. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const labelWidth = 24;

interface Line {
  readonly label: string;
  note: string;
}

/**
 * Writes to a terminal with moving lines, and plainly where there is none (a pipe, CI, TERM=dumb).
 * Colour carries meaning and needs a terminal without NO_COLOR.
 */
export function screen(output: Output, env: Readonly<Record<string, string | undefined>>): Screen {
  const isTerminal = output.isTTY === true && env.TERM !== 'dumb';
  const moves = isTerminal && !env.CI;
  const colours = isTerminal && !env.NO_COLOR;
  const paint: Paint = (style, text) => (colours ? styleText(style, text, { validateStream: false }) : text);
  const width = Math.min(Math.max(output.columns ?? 100, 60), 120);
  const running = new Set<Line>();
  let drawn = 0;
  let frame = 0;

  const erase = () => {
    if (drawn > 0) output.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const draw = () => {
    if (!moves) return;
    for (const { label, note } of running) {
      const text = clipped(note, width - labelWidth - 5);
      output.write(
        `  ${paint('cyan', frames[frame % frames.length] ?? '')} ${label.padEnd(labelWidth)}${paint('dim', text)}\n`,
      );
    }
    drawn = running.size;
  };
  const line = (text = '') => {
    erase();
    output.write(`${text}\n`);
    draw();
  };
  const tick = () => {
    frame += 1;
    erase();
    draw();
  };
  const timer = moves ? setInterval(tick, 120).unref() : undefined;
  if (moves) output.write('\x1b[?25l');

  return {
    paint,
    width,
    line,
    step(label) {
      const own: Line = { label, note: '' };
      running.add(own);
      const end = (style: Style, mark: string) => (result: string) => {
        if (!running.delete(own)) return;
        line(`  ${paint(style, mark)} ${label.padEnd(labelWidth)}${result}`);
      };
      return {
        note(text) {
          own.note = text;
        },
        done: end('green', '✓'),
        failed: end('red', '✗'),
        skipped: end('yellow', '-'),
      };
    },
    close() {
      clearInterval(timer);
      erase();
      for (const { label, note } of running) output.write(`    ${label.padEnd(labelWidth)}${note}\n`);
      running.clear();
      if (moves) output.write('\x1b[?25h');
    },
  };
}

/** At most `length` characters, the last one an ellipsis where more was there. */
export function clipped(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(length - 1, 0))}…`;
}

/** Words in lines of at most `length` characters; a longer word has its own line, a number keeps its percent sign. */
export function wrapped(text: string, length: number): string[] {
  const lines: string[] = [];
  const words = text.replaceAll(/(\d) %/g, '$1\u00a0%').split(/[ \n]+/);
  for (const word of words.filter((part) => part !== '')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= length) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
