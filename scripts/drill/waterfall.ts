import type { Span, Trace } from './trace.ts';

/** One line of a waterfall. `from` and `to` are shares of the whole trace, 0 to 1. */
export interface Row {
  readonly label: string;
  readonly depth: number;
  readonly from: number;
  readonly to: number;
  readonly ms: number;
  readonly kind: 'step' | 'call';
  readonly trouble: Span['trouble'];
}

/** Services whose name would leave no room for the operation. */
const shortNames: Readonly<Record<string, string>> = {
  ApplicationAutoScaling: 'AppAutoScaling',
  ElasticLoadBalancingV2: 'ELBv2',
  ResourceGroupsTaggingAPI: 'Tagging',
};

/** The lines of a trace, parents before children, each by its start. */
export function rowsOf({ spans, start, end }: Trace): Row[] {
  const whole = Math.max(end - start, 0.001);
  const share = (at: number) => Math.min(Math.max((at - start) / whole, 0), 1);
  const lines = (list: readonly Span[], depth: number): Row[] =>
    list.flatMap((span) => [
      {
        label: span.operation === null ? span.name : `${shortNames[span.name] ?? span.name} ${span.operation}`,
        depth,
        from: share(span.start),
        to: share(span.end),
        ms: span.end - span.start,
        kind: span.operation === null ? 'step' : 'call',
        trouble: span.trouble,
      },
      ...lines(span.children, depth + 1),
    ]);
  return lines(spans, 0);
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of `width` cells, whole cells to the left, eighths to the right; never empty. */
export function bar({ from, to }: Pick<Row, 'from' | 'to'>, width: number): string {
  const first = Math.min(Math.floor(from * width), width - 1);
  const cells = Math.max(to * width - first, 1 / 8);
  const full = Math.floor(cells);
  return ' '.repeat(first) + '█'.repeat(full) + (eighths[Math.floor((cells - full) * 8)] ?? '');
}

/** `87 ms`, `1.31 s`, `2 min 05 s`. */
export function duration(ms: number): string {
  if (ms < 1) return '<1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}
