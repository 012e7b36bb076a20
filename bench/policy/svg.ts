import { type Trace, worthOf } from './traces.ts';

/** One course of shard counts over a trace. */
export interface Course {
  readonly name: string;
  readonly color: string;
  /** Evenly spaced over the whole trace. */
  readonly shards: ArrayLike<number>;
}

const WIDTH = 760;
const HEIGHT = 240;
const LEFT = 36;
const TOP = 30;
const BOTTOM = 22;
const POINTS = 360;
/** Hours between the marks of the time axis. */
const MARK_HOURS = 12;

/**
 * The load of a trace and the shards that policies hold against it, as a small SVG: of each curve as many highest values as fit,
 * and a red mark where the first course rejects records. The same for the same run.
 */
export const drawn = (trace: Trace, courses: readonly Course[], rejected: readonly number[]): string => {
  const hours = trace.recordsPerSecond.length / 3_600;
  const load = highestOf(worthOf(trace), POINTS);
  const curves = courses.map((course) => ({ ...course, points: highestOf(course.shards, POINTS) }));
  const top = Math.max(1, ...load, ...curves.flatMap(({ points }) => points));
  const x = (i: number): string => (LEFT + (i / POINTS) * (WIDTH - LEFT - 8)).toFixed(1);
  const y = (value: number): string => (HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const stairs = (points: readonly number[]): string => {
    const steps = points.map((value, i) => (i > 0 && value === points[i - 1] ? '' : `H${x(i)}V${y(value)}`));
    return `M${x(0)} ${y(points[0] ?? 0)}${steps.join('')}H${x(POINTS)}`;
  };
  const area = `M${x(0)} ${y(0)}${load.map((value, i) => `L${x(i)} ${y(value)}`).join('')}L${x(POINTS)} ${y(0)}Z`;
  const marks = highestOf(rejected, POINTS)
    .map((records, i) => (records >= 1 ? `M${x(i)} ${HEIGHT - BOTTOM}v5` : ''))
    .join('');
  const ticks = Array.from({ length: Math.floor(hours / MARK_HOURS) + 1 }, (_, i) => {
    const at = i * MARK_HOURS;
    const anchor = at + 1 > hours ? 'end' : 'middle';
    return `<text x="${x((at * POINTS) / hours)}" y="${HEIGHT - 4}" text-anchor="${anchor}">${at} h</text>`;
  });
  const lines = [0, Math.round(top / 2), Math.round(top)].map(
    (value) => `<text x="${LEFT - 6}" y="${Number(y(value)) + 4}" text-anchor="end">${value}</text>`,
  );
  const legend = [
    { name: "load, in shards' worth", color: '#c9d3df' },
    ...curves,
    { name: 'reflex rejects', color: '#d22f27' },
  ].map(
    ({ name, color }, i) =>
      `<rect x="${LEFT + i * 142}" y="8" width="10" height="10" fill="${color}"/><text x="${LEFT + 14 + i * 142}" y="17">${name}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="11" fill="#333">`,
    `<title>${trace.title}: load and open shards over ${Math.round(hours)} hours</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<path d="${area}" fill="#c9d3df"/>`,
    ...curves.map(
      ({ points, color }) => `<path d="${stairs(points)}" fill="none" stroke="${color}" stroke-width="1.5"/>`,
    ),
    `<path d="${marks}" stroke="#d22f27" stroke-width="2"/>`,
    ...legend,
    ...ticks,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
};

/** The highest value of each of `count` equal parts. */
const highestOf = (values: ArrayLike<number>, count: number): number[] =>
  Array.from({ length: count }, (_, i) => {
    let top = 0;
    const end = Math.max(Math.floor((i * values.length) / count) + 1, Math.floor(((i + 1) * values.length) / count));
    for (let at = Math.floor((i * values.length) / count); at < end; at++) top = Math.max(top, values[at] ?? 0);
    return top;
  });
