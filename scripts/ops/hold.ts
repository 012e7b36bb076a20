import { hold as held } from '../../shared/ledger/state.ts';
import { asWord, shortArn } from '../../shared/words.ts';
import { type Command, misused, positionalsUpTo, textOption } from './command.ts';
import { findOne } from './find.ts';
import { holdText } from './words.ts';

export const hold: Command = {
  name: 'hold',
  usage: ['hold RESOURCE --reason TEXT'],
  summary: 'stop every act on one resource until it is released',
  options: { 'reason TEXT': 'why, for whoever reads it next' },
  async run(args, { connect, now, by, confirm }) {
    const [text] = positionalsUpTo(args, 1);
    const reason = textOption(args, 'reason');
    if (text === undefined) throw misused('hold: which resource?', 'npm run ops -- hold orders --reason "load test"');
    if (reason === undefined) throw misused('hold: why?', `npm run ops -- hold ${asWord(text)} --reason "load test"`);
    const stack = await connect();
    const states = await findOne(stack, text);
    const resource = states[0]?.resource ?? '';
    const open = states.filter((state) => state.hold === undefined);
    if (open.length === 0) {
      const lines = states.flatMap((state) =>
        state.hold === undefined ? [] : [`${shortArn(resource)} is ${holdText(state.hold)}`],
      );
      return { lines, json: { changed: false, resource, functions: [] } };
    }
    const functions = open.map(({ fn }) => fn);
    const lines = [
      `${resource}: no act by ${functions.join(', ')} until it is released.`,
      ...(open.every(({ version }) => version === 0) ? ['The ledger holds no state of it yet: check the name.'] : []),
      ...(open.some(({ lease }) => lease !== undefined && now < lease.until)
        ? ['An act is under way and may still end.']
        : []),
    ];
    if (!(await confirm(lines, 'Put it on hold?')))
      return { lines: ['Nothing was changed.'], json: { changed: false } };
    for (const state of open) {
      await stack.ledger.update(state, undefined, (before) => ({ state: held(before, { reason, by }, now) }));
    }
    return {
      lines: [`${shortArn(resource)} is on hold. It ends with: npm run ops -- release ${asWord(shortArn(resource))}`],
      json: { changed: true, resource, functions, reason, by },
    };
  },
};
