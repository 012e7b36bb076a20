/** Lines over two axes that begin at 0. */
export interface Chart {
  readonly title: string;
  readonly x: { readonly label: string; readonly max: number };
  readonly y: { readonly label: string; readonly max: number };
  readonly lines: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
}

/** Bars, each made of parts that add up. */
export interface Bars {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly {
    readonly name: string;
    readonly parts: readonly { readonly name: string; readonly value: number }[];
  }[];
}

const COLOURS = ['#0b6e4f', '#c2571a', '#6a4c93', '#1f77b4', '#8c8c8c', '#b5a642', '#a23b72'];
const WIDTH = 760;
const STYLE =
  '<style>text{font:13px system-ui,sans-serif;fill:#444}.t{font-size:15px;font-weight:600}.a{stroke:#888;stroke-width:1}' +
  '.g{stroke:#888;stroke-opacity:.25}@media(prefers-color-scheme:dark){text{fill:#ccc}}</style>';

const svg = (height: number, title: string, inner: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">\n` +
  `${STYLE}\n<text class="t" x="16" y="24">${escaped(title)}</text>\n${inner}\n</svg>\n`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

const n = (value: number): string => value.toFixed(1);

/** An SVG of lines; the legend names each. */
export const lineChart = ({ title, x, y, lines }: Chart): string => {
  const [left, top, width, height] = [56, 72, WIDTH - 80, 260];
  const at = ([px, py]: readonly [number, number]): string =>
    `${n(left + (px / x.max) * width)},${n(top + height - (py / y.max) * height)}`;
  const steps = [0, 0.25, 0.5, 0.75, 1];
  const grid = steps.flatMap((step) => {
    const gy = top + height - step * height;
    const gx = left + step * width;
    return [
      `<line class="g" x1="${left}" y1="${n(gy)}" x2="${left + width}" y2="${n(gy)}"/>`,
      `<text x="${left - 8}" y="${n(gy + 4)}" text-anchor="end">${step * y.max}</text>`,
      `<text x="${n(gx)}" y="${top + height + 20}" text-anchor="middle">${step * x.max}</text>`,
    ];
  });
  const drawn = lines.flatMap(({ name, points }, i) => [
    `<polyline fill="none" stroke="${COLOURS[i]}" stroke-width="2.5" points="${points.map(at).join(' ')}"/>`,
    `<rect x="${left + i * 200}" y="44" width="14" height="4" fill="${COLOURS[i]}"/>`,
    `<text x="${left + 20 + i * 200}" y="51">${escaped(name)}</text>`,
  ]);
  const axes = [
    `<text x="${left + width / 2}" y="${top + height + 42}" text-anchor="middle">${escaped(x.label)}</text>`,
    `<text transform="translate(16 ${top + height / 2}) rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>`,
    `<line class="a" x1="${left}" y1="${top + height}" x2="${left + width}" y2="${top + height}"/>`,
  ];
  return svg(top + height + 60, title, [...grid, ...drawn, ...axes].join('\n'));
};

/** An SVG of horizontal bars in parts; the same part has the same colour in each. */
export const barChart = ({ title, unit, bars }: Bars): string => {
  const names = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const longest = Math.max(...bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0)));
  const [left, width, row] = [170, WIDTH - 240, 30];
  const legend = names.map((name, i) => {
    const [lx, ly] = [16 + (i % 4) * 185, 46 + Math.floor(i / 4) * 20];
    return `<rect x="${lx}" y="${ly - 10}" width="12" height="12" fill="${COLOURS[i]}"/><text x="${lx + 18}" y="${ly}">${escaped(name)}</text>`;
  });
  const top = 60 + Math.ceil(names.length / 4) * 20;
  const drawn = bars.flatMap(({ name, parts }, i) => {
    const y = top + i * row;
    let from = left;
    const pieces = parts.map((part) => {
      const wide = (part.value / longest) * width;
      const piece = `<rect x="${n(from)}" y="${y}" width="${n(wide)}" height="20" fill="${COLOURS[names.indexOf(part.name)]}"/>`;
      from += wide;
      return piece;
    });
    const sum = parts.reduce((total, { value }) => total + value, 0);
    return [
      `<text x="${left - 10}" y="${y + 15}" text-anchor="end">${escaped(name)}</text>`,
      ...pieces,
      `<text x="${n(from + 8)}" y="${y + 15}">${sum.toFixed(2)} ${escaped(unit)}</text>`,
    ];
  });
  return svg(top + bars.length * row + 20, title, [...legend, ...drawn].join('\n'));
};
