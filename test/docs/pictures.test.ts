import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const FOLDER = join(import.meta.dirname, '../../docs/images');

/** Width of a letter in a wide font (DejaVu Sans, where a reader has none of the named ones), as a share of its size. */
const LETTER = 0.56;
const BOLD_LETTER = 0.64;

interface Span {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const attribute = (tag: string, name: string): string | undefined => new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];

/** Where each text of a picture begins and ends, from left to right. */
const spansOf = (svg: string): Span[] =>
  [...svg.matchAll(/<text\b([^>]*)>(.*?)<\/text>/g)].flatMap(([, tag = '', content = '']) => {
    // What is turned runs from the bottom up.
    if (tag.includes('rotate')) return [];
    const style = new RegExp(`\\.${attribute(tag, 'class')} \\{([^}]*)\\}`).exec(svg)?.[1] ?? '';
    const size = Number(/font-size: ([\d.]+)px/.exec(style)?.[1] ?? attribute(tag, 'font-size') ?? 12);
    const bold = /font-weight: (600|bold)/.test(style) || /font-weight="(600|bold)"/.test(tag);
    const text = content.replaceAll(/<[^>]*>/g, '').replaceAll(/&\w+;/g, '&');
    const width = text.length * size * (bold ? BOLD_LETTER : LETTER);
    const x = Number(attribute(tag, 'x'));
    const before = { start: 0, middle: width / 2, end: width }[attribute(tag, 'text-anchor') ?? 'start'] ?? 0;
    return [{ text, from: x - before, to: x - before + width }];
  });

it.each(globSync('*.svg', { cwd: FOLDER }).sort())('no text of %s runs over its edge, also in a wide font', (file) => {
  const svg = readFileSync(join(FOLDER, file), 'utf8');
  const right = Number(/viewBox="0 0 ([\d.]+) /.exec(svg)?.[1]);

  const spans = spansOf(svg);

  expect(spans.length).toBeGreaterThan(5);
  expect(spans.filter(({ from, to }) => !(from >= 0 && to <= right))).toEqual([]);
});
