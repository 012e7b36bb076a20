import { describe, expect, it } from 'vitest';
import { clipped, screen, wrapped } from '../../../scripts/drill/screen.ts';

const output = (isTTY: boolean) => {
  const written: string[] = [];
  return { isTTY, columns: 90, write: (text: string) => written.push(text), text: () => written.join('') };
};

describe('a screen', () => {
  it('writes a plain line a step where there is no terminal', () => {
    const pipe = output(false);
    const plain = screen(pipe, {});

    const step = plain.step('Template deployed');
    step.note('half way');
    step.done('25 resources');
    plain.close();

    expect(pipe.text()).toBe('  ✓ Template deployed       25 resources\n');
  });

  it('moves and colours on a terminal, and gives the cursor back', () => {
    const terminal = output(true);
    const lively = screen(terminal, { TERM: 'xterm' });

    lively.step('one').failed('broken');
    lively.close();

    expect(terminal.text()).toContain('\x1b[31m✗');
    expect(terminal.text().endsWith('\x1b[?25h')).toBe(true);
  });

  it.each([
    ['NO_COLOR', { NO_COLOR: '1' }],
    ['a dumb terminal', { TERM: 'dumb' }],
  ])('does not colour with %s', (_, env) => {
    expect(screen(output(true), { CI: '1', ...env }).paint('red', 'text')).toBe('text');
  });

  it('does not move in CI', () => {
    const terminal = output(true);

    screen(terminal, { CI: 'true' }).step('one').note('two');

    expect(terminal.text()).toBe('');
  });

  it('ends a step once', () => {
    const pipe = output(false);
    const step = screen(pipe, {}).step('one');

    step.done('first');
    step.failed('second');

    expect(pipe.text()).not.toContain('second');
  });

  it('shows what was under way when it is closed', () => {
    const pipe = output(false);
    const plain = screen(pipe, {});

    plain.step('follow-up').note('check 2 in 10 s');
    plain.close();

    expect(pipe.text()).toContain('follow-up               check 2 in 10 s');
  });
});

describe('a text', () => {
  it('is wrapped between words and keeps them all', () => {
    expect(wrapped('one two three four', 9)).toEqual(['one two', 'three', 'four']);
    expect(wrapped('incomprehensible', 4)).toEqual(['incomprehensible']);
    expect(wrapped('at 50 % now', 5)).toEqual(['at', '50\u00a0%', 'now']);
  });

  it('is clipped to its length', () => {
    expect(clipped('four', 4)).toBe('four');
    expect(clipped('fiver', 4)).toBe('fiv…');
  });
});
