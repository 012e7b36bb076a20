/** X-Ray subsegments, as functions send them to the daemon, put together into traces. Pure. */

/** One bar of a waterfall. Times are epoch ms. */
export interface Span {
  readonly id: string;
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** Of a call of AWS: its operation. */
  readonly operation: string | null;
  readonly annotations: Readonly<Record<string, string | number | boolean>>;
  /** How it failed, or null: `error` (AWS refused), `throttle`, `fault`. */
  readonly trouble: 'error' | 'throttle' | 'fault' | null;
  readonly children: readonly Span[];
}

export interface Trace {
  readonly id: string;
  readonly start: number;
  readonly end: number;
  readonly spans: readonly Span[];
}

/** The daemon's JSON, as far as it is used here. Times are epoch seconds. */
export interface Document {
  readonly id: string;
  readonly name: string;
  readonly trace_id: string;
  readonly parent_id?: string;
  readonly start_time: number;
  readonly end_time: number;
  readonly annotations?: Readonly<Record<string, string | number | boolean>>;
  readonly aws?: { readonly operation?: string };
  readonly error?: boolean;
  readonly throttle?: boolean;
  readonly fault?: boolean;
  readonly subsegments?: readonly Document[];
}

/** A datagram's document, or undefined for anything else, also for a span that is still running. */
export function readDatagram(datagram: string): Document | undefined {
  const newline = datagram.indexOf('\n');
  try {
    const document = JSON.parse(datagram.slice(newline + 1)) as Partial<Document>;
    const { id, name, trace_id: traceId, start_time: start, end_time: end } = document;
    const isWhole = typeof id === 'string' && typeof name === 'string' && typeof traceId === 'string';
    return isWhole && typeof start === 'number' && typeof end === 'number' ? (document as Document) : undefined;
  } catch {
    return undefined;
  }
}

/** All traces, oldest first. Spans nest by parent id and by containment; one without a known parent is a root. */
export function assemble(documents: readonly Document[]): Trace[] {
  const byTrace = Map.groupBy(documents, (document) => document.trace_id);
  return [...byTrace].map(([id, own]) => traceOf(id, own)).sort((a, b) => a.start - b.start);
}

function traceOf(id: string, documents: readonly Document[]): Trace {
  const flat = documents.flatMap((document) => unnested(document));
  const known = new Map(flat.map((document) => [document.id, document]));
  const children = Map.groupBy(known.values(), ({ parent_id: parent = '' }) => (known.has(parent) ? parent : ''));
  const spansUnder = (parent: string): Span[] =>
    (children.get(parent) ?? [])
      .map((document) => spanOf(document, spansUnder(document.id)))
      .sort((a, b) => a.start - b.start);
  const spans = spansUnder('');
  return {
    id,
    start: Math.min(...spans.map((span) => span.start)),
    end: Math.max(...spans.map((span) => span.end)),
    spans,
  };
}

function unnested({ subsegments = [], ...document }: Document): Document[] {
  return [
    document,
    ...subsegments.flatMap((inner) => unnested({ ...inner, trace_id: document.trace_id, parent_id: document.id })),
  ];
}

function spanOf(document: Document, children: readonly Span[]): Span {
  const { id, name, start_time: start, end_time: end, annotations = {}, aws } = document;
  const trouble = document.throttle ? 'throttle' : document.fault ? 'fault' : document.error ? 'error' : null;
  return {
    id,
    name,
    start: start * 1000,
    end: end * 1000,
    operation: aws?.operation ?? null,
    annotations,
    trouble,
    children,
  };
}

/** Every span of a trace, parents before children. */
export function everySpan(spans: readonly Span[]): Span[] {
  return spans.flatMap((span) => [span, ...everySpan(span.children)]);
}

/** The traces in which a span carries this annotation. */
export function annotated(traces: readonly Trace[], key: string, value: string): Trace[] {
  return traces.filter(({ spans }) => everySpan(spans).some((span) => span.annotations[key] === value));
}
