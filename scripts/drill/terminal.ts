import { type Paint, type Screen, wrapped } from './screen.ts';
import { type Drill, type Story, type StreamView, type View, verdict } from './story.ts';
import { bar, duration, type Row, rowsOf } from './waterfall.ts';
import { actionText, clockText, count, resultText, viewText } from './words.ts';

const labelWidth = 12;
const streamWidth = 32;
const spanWidth = 36;

/** A scenario's story, line by line. */
export function storyLines(story: Story, { paint, width }: Pick<Screen, 'paint' | 'width'>): string[] {
  const field = (label: string, text: string | readonly string[], style?: Parameters<Paint>[0]): string[] =>
    (typeof text === 'string' ? wrapped(text, width - labelWidth - 4) : text).map((line, index) => {
      const head = paint('dim', (index === 0 ? label : '').padEnd(labelWidth));
      return `    ${head}${style === undefined ? line : paint(style, line)}`;
    });
  const { decision, before, after, trace, moments, notification, checks } = story;
  const verb = decision?.dryRun ? 'Would call' : 'Calls';
  return [
    `  ${markOf(story, paint)} ${paint('bold', story.title)}  ${paint('dim', story.id)}`,
    ...field('', story.shows),
    ...(story.note === null ? [] : field('', story.note, story.status === 'failed' ? 'red' : 'yellow')),
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
          ...(decision.actions.length === 0 ? [] : field(verb, decision.actions.map(actionText))),
        ]),
    ...(before === null ? [] : field('AWS before', viewLines(before))),
    ...(after === null ? [] : field('AWS after', viewLines(after))),
    ...(story.reactionMs === null ? [] : field('Reaction', `${duration(story.reactionMs)} from the event to the act`)),
    ...(trace === null ? [] : field('Trace', `${trace.id}  ${duration(trace.end - trace.start)}`)),
    ...(trace === null ? [] : rowsOf(trace).map((row) => `    ${rowLine(row, width - 4, paint)}`)),
    ...moments.flatMap(({ at, what }, index) =>
      field(index === 0 ? 'Story' : '', dated(at, what, width - labelWidth - 4)),
    ),
    ...(notification === null ? [] : field('Told', notification)),
    ...checks.flatMap(({ what, ok }, index) =>
      field(index === 0 ? 'Checked' : '', `${ok ? paint('green', '✓') : paint('red', '✗')} ${what}`),
    ),
  ];
}

/** A time, and the text beside it. */
function dated(at: number, what: string, length: number): string[] {
  const clock = clockText(at);
  const beside = length - clock.length - 2;
  return wrapped(what, beside).map((line, index) => `${(index === 0 ? clock : '').padEnd(clock.length)}  ${line}`);
}

/** `1 open shard                  ├───────┤`, or a line for each node or target. */
function viewLines(view: View): string[] {
  if ('open' in view) return [`${viewText(view).padEnd(26)}${shardBar(view, streamWidth)}`];
  return view.parts.length === 0
    ? [viewText(view)]
    : view.parts.map(({ id, says }, index) => `${(index === 0 ? viewText(view) : '').padEnd(12)}${id}  ${says}`);
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
  const text = `${'  '.repeat(depth)}${label}`.slice(0, spanWidth - 1).padEnd(spanWidth);
  const drawn = bar(share, cells).padEnd(cells);
  const colour = trouble !== null ? 'red' : kind === 'call' ? 'cyan' : 'green';
  return `${kind === 'call' ? paint('dim', text) : text}${paint(colour, drawn)}  ${paint('dim', time)}${trouble === null ? '' : ` ${trouble}`}`;
}

/** What was deployed, by type, and what that has otherwise than template.yaml. */
export function deployedLines(
  resources: Drill['resources'],
  differences: Drill['differences'],
  width: number,
): string[] {
  const byType = Map.groupBy(resources, ({ type }) => type.replace(/^AWS::/, ''));
  const types = [...byType].map(([type, own]) => (own.length === 1 ? type : `${type}×${own.length}`)).sort();
  const indented = (text: string, indent: number) =>
    wrapped(text, width - indent).map((line) => ' '.repeat(indent) + line);
  return [
    ...indented(types.join(' '), 6),
    ...(differences.length === 0 ? [] : ['      Otherwise than in template.yaml:']),
    ...differences.flatMap(({ what, why }) => [...indented(what, 8), ...indented(why, 10)]),
  ];
}

/** One line a scenario, and the verdict. */
export function verdictLines({ stories, startedAt, endedAt }: Drill, paint: Paint): string[] {
  const { passed, failed, skipped } = verdict(stories);
  const parts = [
    paint('green', `${passed} as it should be`),
    ...(skipped === 0 ? [] : [paint('yellow', `${skipped} skipped`)]),
    ...(failed === 0 ? [] : [paint('red', `${count(failed, 'scenario')} not remediated`)]),
  ];
  const idWidth = Math.max(...stories.map(({ id }) => id.length)) + 2;
  return [
    ...stories.map((story) => `  ${markOf(story, paint)} ${story.id.padEnd(idWidth)}${resultText(story)}`),
    '',
    `  ${paint('bold', parts.join(', '))}  ${paint('dim', duration(endedAt - startedAt))}`,
  ];
}

function markOf({ status }: Story, paint: Paint): string {
  return { passed: paint('green', '✓'), failed: paint('red', '✗'), skipped: paint('yellow', '-') }[status];
}
