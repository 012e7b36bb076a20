import type { OutcomeAction } from '../../shared/decision.ts';
import { clipped, type Paint, type Screen, wrapped } from './screen.ts';
import { type Drill, type Story, type StreamView, type View, verdict } from './story.ts';
import { bar, duration, type Row, rowsOf } from './waterfall.ts';
import { actionText, clockText, resultText, viewText } from './words.ts';

const labelWidth = 12;
const streamWidth = 32;
const spanWidth = 38;
/** Lines of one call; the page has all of it. */
const callLines = 4;

type Look = Pick<Screen, 'paint' | 'width'>;

/** A scenario's story, line by line. */
export function storyLines(story: Story, { paint, width }: Look): string[] {
  const room = width - labelWidth - 4;
  const field = (label: string, text: string | readonly string[], style?: Parameters<Paint>[0]): string[] =>
    (typeof text === 'string' ? wrapped(text, room) : text).map((line, index) => {
      const head = paint('dim', (index === 0 ? label : '').padEnd(labelWidth));
      return `    ${head}${style === undefined ? line : paint(style, line)}`;
    });
  const { decision, before, after, trace, moments, notification, checks } = story;
  const verb = decision?.dryRun ? 'Would call' : 'Calls';
  return [
    `  ${markOf(story, paint)} ${paint('bold', story.title)}  ${paint('dim', story.id)}`,
    ...field('', story.shows),
    ...(story.note === null ? [] : field('', story.note, story.status === 'failed' ? 'red' : 'yellow')),
    ...field('Function', story.fn),
    ...(story.event === null ? [] : field('Event', story.event)),
    ...(decision === null
      ? []
      : [
          ...field(
            'Decision',
            `${decision.decision}  ${decision.reason}${decision.dryRun ? '  (dry run)' : ''}`,
            'bold',
          ),
          ...field('Why', decision.why),
          ...field(
            verb,
            decision.actions.flatMap((action) => callText(action, room)),
          ),
        ]),
    ...(before === null ? [] : field('AWS before', viewLines(before, room))),
    ...(after === null ? [] : field('AWS after', viewLines(after, room))),
    ...(story.reactionMs === null
      ? []
      : field('Reaction', `${duration(story.reactionMs)} from the event to the answer of the call`)),
    ...(trace === null ? [] : field('Trace', `${trace.id}  ${duration(trace.end - trace.start)}`)),
    ...(trace === null ? [] : rowsOf(trace).map((row) => `    ${rowLine(row, width - 4, paint)}`)),
    ...moments.flatMap(({ at, what }, index) => field(index === 0 ? 'Story' : '', dated(at, what, room))),
    ...(notification === null ? [] : field('Told', notification)),
    ...checks.flatMap(({ what, ok }, index) => {
      const mark = ok ? paint('green', '✓') : paint('red', '✗');
      const lines = wrapped(what, room - 2).map((line, nth) => `${nth === 0 ? mark : ' '} ${line}`);
      return field(index === 0 ? 'Checked' : '', lines);
    }),
  ];
}

/** A call and its parameters, its further lines indented; cut where it is long. */
function callText(action: OutcomeAction, length: number): string[] {
  const lines = wrapped(actionText(action), length - 2).map((line, index) => (index === 0 ? line : `  ${line}`));
  return lines.length <= callLines ? lines : [...lines.slice(0, callLines - 1), '  …'];
}

/** A time, and the text beside it. */
function dated(at: number, what: string, length: number): string[] {
  const clock = clockText(at);
  const beside = length - clock.length - 2;
  return wrapped(what, beside).map((line, index) => `${(index === 0 ? clock : '').padEnd(clock.length)}  ${line}`);
}

/** `1 open shard                  ├───────┤`, or a line for each node or target. */
function viewLines(view: View, length: number): string[] {
  const head = viewText(view);
  if ('open' in view) return [`${head.padEnd(26)}${shardBar(view, streamWidth)}`];
  if (view.parts.length === 0) return [head];
  // In steps, so that one more or less of them is in the same place.
  const column = Math.max(12, Math.ceil((head.length + 2) / 4) * 4);
  const idWidth = Math.max(...view.parts.map(({ id }) => id.length));
  return view.parts
    .flatMap(({ id, says }) =>
      wrapped(says, length - column - idWidth - 2).map(
        (line, index) => `${(index === 0 ? id : '').padEnd(idWidth)}  ${line}`,
      ),
    )
    .map((line, index) => `${(index === 0 ? head : '').padEnd(column)}${line}`);
}

/** The hash key space with a mark where one open shard ends and the next begins. */
export function shardBar({ open }: StreamView, width: number): string {
  const cells = Array.from({ length: width + 1 }, () => '─');
  for (const { from } of open) cells[Math.round(from * width)] = '┼';
  return `├${cells.slice(1, -1).join('')}┤`;
}

function rowLine({ label, depth, ms, kind, trouble, ...share }: Row, width: number, paint: Paint): string {
  const time = duration(ms).padStart(8);
  const cells = Math.max(width - spanWidth - time.length - 2, 10);
  const text = clipped(`${'  '.repeat(depth)}${label}`, spanWidth - 1).padEnd(spanWidth);
  const drawn = bar(share, cells).padEnd(cells);
  const colour = trouble !== null ? 'red' : kind === 'call' ? 'cyan' : 'green';
  return `${kind === 'call' ? paint('dim', text) : text}${paint(colour, drawn)}  ${paint('dim', time)}${trouble === null ? '' : ` ${trouble}`}`;
}

/** What was deployed, by type. */
export function deployedLines(resources: Drill['resources'], width: number): string[] {
  const byType = Map.groupBy(resources, ({ type }) => type.replace(/^AWS::/, ''));
  const types = [...byType].map(([type, own]) => (own.length === 1 ? type : `${type}×${own.length}`)).sort();
  return wrapped(types.join(' '), width - 6).map((line) => `      ${line}`);
}

/** What that has otherwise than template.yaml, with the reason. */
export function differenceLines(differences: Drill['differences'], { paint, width }: Look): string[] {
  if (differences.length === 0) return [];
  return [
    `  ${paint('bold', 'Otherwise than in template.yaml')}`,
    ...[...Map.groupBy(differences, ({ why }) => why)].flatMap(([why, own]) => {
      const [first = '', ...more] = wrapped(`${own.map(({ what }) => what).join(', ')} (${why})`, width - 6);
      return [`    ${first}`, ...more.map((line) => `      ${line}`)];
    }),
  ];
}

/** One line a scenario, and the verdict. */
export function verdictLines({ stories, startedAt, endedAt }: Drill, paint: Paint): string[] {
  const { passed, failed, skipped } = verdict(stories);
  const parts = [
    paint('green', `${passed} as it should be`),
    ...(skipped === 0 ? [] : [paint('yellow', `${skipped} skipped`)]),
    ...(failed === 0 ? [] : [paint('red', `${failed} failed`)]),
  ];
  const idWidth = Math.max(...stories.map(({ id }) => id.length)) + 2;
  const fnWidth = Math.max(...stories.map(({ fn }) => fn.length)) + 2;
  return [
    ...stories.map((story) => {
      const who = paint('dim', story.fn.padEnd(fnWidth));
      return `  ${markOf(story, paint)} ${story.id.padEnd(idWidth)}${who}${resultText(story)}`;
    }),
    '',
    `  ${paint('bold', parts.join(', '))}  ${paint('dim', duration(endedAt - startedAt))}`,
  ];
}

function markOf({ status }: Story, paint: Paint): string {
  return { passed: paint('green', '✓'), failed: paint('red', '✗'), skipped: paint('yellow', '-') }[status];
}
