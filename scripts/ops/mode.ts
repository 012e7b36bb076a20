import { effectiveMode } from '../../shared/guards/mode.ts';
import type { Mode, ModeSetting } from '../../shared/ledger/types.ts';
import { type Command, type Context, misused, positionalsUpTo, type Report, textOption } from './command.ts';
import { meant, table, utc } from './words.ts';

const modes: readonly Mode[] = ['off', 'dry-run', 'on'];
const all = '*';

export const mode: Command = {
  name: 'mode',
  usage: ['mode [get]', 'mode set off|dry-run|on [--function NAME]'],
  summary: 'what Reflex may do: read it, set it',
  options: { 'function NAME': 'set: only this function, e.g. reshard-kinesis' },
  async run(args, context) {
    const [verb = 'get', value, ...rest] = positionalsUpTo(args, 2);
    const fn = textOption(args, 'function');
    if (verb === 'set') return set(value, fn, context);
    if (verb !== 'get') throw misused(`mode ${verb}: expected get or set.`, hintFor(verb));
    if (value !== undefined || fn !== undefined || rest.length > 0) throw misused('mode get takes no argument.');
    return get(context);
  },
};

const hintFor = (verb: string): string =>
  modes.some((name) => name === verb) ? `Did you mean: npm run ops -- mode set ${verb}` : '';

async function get({ connect, paint, width }: Context): Promise<Report> {
  const stack = await connect();
  const settings = await stack.ledger.getModes();
  const global = settings.find(({ scope }) => scope === all);
  const names = stack.functions.length > 0 ? stack.functions.map(({ name }) => name) : scopesOf(settings);
  const functions = names.map((name) => {
    const own = settings.find(({ scope }) => scope === name);
    const stackMode = stack.functions.find((fn) => fn.name === name)?.mode ?? null;
    return { name, own: own ?? null, stackMode, ...inForce(global?.mode, own?.mode, stackMode) };
  });
  const stackModes = [...new Set(functions.map(({ stackMode }) => stackMode))].filter((each) => each !== null);
  return {
    lines: [
      `all functions    ${global === undefined ? '-        not set' : `${global.mode.padEnd(7)}  ${setBy(global)}`}`,
      `stack parameter  ${stackModes.length === 0 ? '-        not known: only the ledger was read' : `${stackModes.join(', ').padEnd(7)}  counts where nothing else is set`}`,
      '',
      ...table(
        ['FUNCTION', 'OWN MODE', 'IN FORCE', 'BECAUSE OF'],
        functions.map(({ name, own, mode, because }) => [
          name,
          own?.mode ?? '-',
          { text: mode ?? '?', style: mode === 'on' ? 'green' : mode === 'off' ? 'red' : 'yellow' },
          because === 'its own mode' && own !== null ? `${because}, ${setBy(own)}` : because,
        ]),
        { paint, width },
      ),
    ],
    json: { all: global ?? null, functions },
  };
}

/** The pipeline's own rule, and which part of it decided. */
function inForce(global: Mode | undefined, own: Mode | undefined, stack: Mode | null) {
  const because =
    global === 'off'
      ? 'the mode for all, off'
      : own !== undefined
        ? 'its own mode'
        : global !== undefined
          ? 'the mode for all'
          : 'the stack parameter Mode';
  if (stack === null && because === 'the stack parameter Mode') return { mode: null, because };
  const known = { ...(global !== undefined && { global }), ...(own !== undefined && { fn: own }) };
  return { mode: effectiveMode(known, stack ?? 'off'), because };
}

async function set(value: string | undefined, fn: string | undefined, context: Context): Promise<Report> {
  const { connect, by, paint, confirm } = context;
  const wanted = modes.find((name) => name === value);
  if (wanted === undefined) {
    const near = value === undefined ? undefined : meant(value, modes);
    throw misused(
      `mode set: expected one of ${modes.join(', ')}${value === undefined ? '' : `, found "${value}"`}.`,
      near === undefined ? '' : `Did you mean: npm run ops -- mode set ${near}`,
    );
  }
  const stack = await connect();
  const names = stack.functions.map(({ name }) => name);
  if (fn !== undefined && names.length > 0 && !names.includes(fn)) {
    throw misused(`--function: expected one of ${names.join(', ')}, found "${fn}".`);
  }
  const scope = fn ?? all;
  const settings = await stack.ledger.getModes();
  const before = settings.find((setting) => setting.scope === scope)?.mode ?? 'not set';
  const who = fn ?? 'all functions';
  const others = settings.filter(({ scope: other, mode }) => fn === undefined && other !== all && mode !== wanted);
  const lines = [
    `${who}: ${before} -> ${paint('bold', wanted)}`,
    ...(wanted === 'on' ? ['From the next message on, resources tagged reflex:enabled = true are changed.'] : []),
    ...(wanted === 'off'
      ? ['Read at every invocation: nothing new is started. A call already made is not undone.']
      : []),
    ...(wanted === 'off' ? [] : others.map(({ scope: name, mode }) => `${name} keeps its own mode, ${mode}.`)),
    ...(fn !== undefined && wanted !== 'off' && settings.some((each) => each.scope === all && each.mode === 'off')
      ? ['The mode for all is off, and wins.']
      : []),
  ];
  if (!(await confirm(lines, 'Set it?'))) return { lines: ['Nothing was changed.'], json: { changed: false } };
  await stack.ledger.setMode(scope, wanted, by);
  return { lines: [`The mode of ${who} is ${wanted}.`], json: { changed: true, scope, mode: wanted, by } };
}

const scopesOf = (settings: readonly ModeSetting[]): string[] =>
  settings.map(({ scope }) => scope).filter((scope) => scope !== all);

const setBy = ({ by, at }: ModeSetting): string => `set by ${by}, ${utc(at)} UTC`;
