import { release as released } from '../../shared/ledger/state.ts';
import { shortArn } from '../../shared/words.ts';
import { type Command, misused, positionalsUpTo } from './command.ts';
import { findOne } from './find.ts';
import { holdText } from './words.ts';

export const release: Command = {
  name: 'release',
  usage: ['release RESOURCE'],
  summary: 'end the hold on one resource',
  options: {},
  async run(args, { connect, confirm }) {
    const [text] = positionalsUpTo(args, 1);
    if (text === undefined)
      throw misused('release: which resource?', 'npm run ops -- incidents shows what is on hold.');
    const stack = await connect();
    const states = await findOne(stack, text);
    const resource = states[0]?.resource ?? '';
    const held = states.flatMap((state) => (state.hold === undefined ? [] : [{ ...state, hold: state.hold }]));
    if (held.length === 0)
      return { lines: [`${shortArn(resource)} is not on hold.`], json: { changed: false, resource } };
    const lines = held.map(({ fn, hold }) => `${resource}, ${fn}: ${holdText(hold)}`);
    if (!(await confirm(lines, 'Release it?'))) return { lines: ['Nothing was changed.'], json: { changed: false } };
    for (const state of held) {
      await stack.ledger.update(state, undefined, (before) => ({ state: released(before) }));
    }
    return {
      lines: [`${shortArn(resource)} is released. The next event, or the schedule, looks at it.`],
      json: { changed: true, resource, functions: held.map(({ fn }) => fn) },
    };
  },
};
