import type { Outcome } from '../../shared/decision.ts';
import { effectiveMode } from '../../shared/guards/mode.ts';
import type { Mode } from '../../shared/ledger/types.ts';
import { reasons } from '../../shared/reasons.ts';
import type { Result } from '../../shared/remediation.ts';
import { type Command, type Context, type DeployedFunction, misused, positionalsUpTo, Stop } from './command.ts';
import { findOne } from './find.ts';
import { standing } from './story.ts';
import { actionText, decisionStyle, field } from './words.ts';

const triggers = { alarm: 'an alarm', tick: 'the schedule' } as const;

export const explain: Command = {
  name: 'explain',
  usage: ['explain RESOURCE', 'explain RESOURCE --as tick'],
  summary: 'what would be done about a resource now, and why; nothing is done',
  options: { 'as TRIGGER': 'what is thought to wake it: alarm (default; of a site tick) or tick, the schedule' },
  async run(args, context) {
    const [text] = positionalsUpTo(args, 1);
    if (text === undefined) throw misused('explain: which resource?', 'npm run ops -- explain orders');
    // No alarm wakes for a site.
    const as = args.values.as ?? (/^https?:/.test(text) ? 'tick' : 'alarm');
    if (as !== 'alarm' && as !== 'tick') throw misused(`--as: expected alarm or tick, found "${as}".`);
    const stack = await context.connect();
    const states = await findOne(stack, text);
    const resource = states[0]?.resource ?? '';
    const asked = states.flatMap((state) => {
      const fn = stack.functions.find(({ name }) => name === state.fn);
      return fn === undefined ? [] : [{ state, fn }];
    });
    if (asked.length === 0) {
      throw new Stop(
        `No deployed function looks after ${resource}.`,
        'Leave out --table: a ledger alone explains nothing.',
      );
    }
    const answers = await Promise.all(
      asked.map(async ({ state, fn }) => {
        const [result, { modes }] = await Promise.all([
          stack.explain(fn, resource, as),
          stack.ledger.read(fn.name, [resource]),
        ]);
        return { fn, state, result, mode: effectiveMode(modes, fn.mode) };
      }),
    );
    return {
      lines: [
        context.paint('bold', resource),
        `What ${triggers[as]} would lead to now. Nothing was done.`,
        ...answers.flatMap(({ fn, state, result, mode }) => [
          '',
          ...answerLines(fn, result, mode, context),
          ...standing(state, context.now).map((line) => `  ${line}`),
        ]),
      ],
      json: answers.map(({ fn, result, mode }) => ({ fn: fn.name, mode, ...result })),
      failed: answers.some(({ result }) => result.failures.length > 0),
    };
  },
};

function answerLines(
  { name }: DeployedFunction,
  { outcomes, failures }: Result,
  mode: Mode,
  context: Context,
): string[] {
  return [
    ...failures.flatMap(({ error }) => [
      context.paint('red', `${name} could not find out`),
      ...field('Because', error, context),
    ]),
    ...outcomes.flatMap((outcome) => outcomeLines(name, outcome, mode, context)),
  ];
}

function outcomeLines(fn: string, outcome: Outcome, mode: Mode, context: Context): string[] {
  const { decision, reason, why, actions, advice } = outcome;
  const style = decisionStyle(outcome);
  const verdict = `${decision}, ${reason}`;
  const withheld = mode === 'on' ? 'it would be made' : `in ${mode} it is only recorded`;
  return [
    `${context.paint('bold', fn)} -> ${style === undefined ? verdict : context.paint(style, verdict)}`,
    ...field('Why', why, context),
    ...field('Meaning', reasons[reason] ?? 'a reason this version does not know', context, 'dim'),
    ...(actions.length === 0
      ? []
      : field(
          'Calls',
          actions.map((action) => `${actionText(action)} (${withheld})`),
          context,
        )),
    ...(advice === undefined ? [] : field('To do', advice, context, 'yellow')),
  ];
}
