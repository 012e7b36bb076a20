/**
 * `npm run drill`: deploys template.yaml to an embedded AWS on this machine, makes trouble, and shows what Reflex does about it.
 * Exit code 0: all as it should be; 1: something was not remediated; 2: the drill could not start, and what to do about it.
 */
import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ROOT } from './build.ts';
import { account, region, releaseFolder, tailOf } from './drill/emulator.ts';
import { page } from './drill/html.ts';
import { errorsIn } from './drill/logs.ts';
import { type Options, readOptions, usage } from './drill/options.ts';
import { play } from './drill/play.ts';
import { type Prepared, prepare } from './drill/prepare.ts';
import { messageOf, Problem } from './drill/problem.ts';
import { scenarios } from './drill/scenarios.ts';
import { clipped, type Screen, screen, wrapped } from './drill/screen.ts';
import { clientEnvironment } from './drill/servers.ts';
import type { Drill, Story } from './drill/story.ts';
import { createStream } from './drill/streams.ts';
import { differenceLines, storyLines, verdictLines } from './drill/terminal.ts';
import { alarmEvent } from './drill/trouble.ts';
import { count } from './drill/words.ts';

const folder = join(ROOT, '.reflex', 'drill');

/** The command line. Gives the exit code. */
async function main(terminal: Screen): Promise<number> {
  const { line, paint } = terminal;
  const known = scenarios.map(({ id }) => id);
  const options = readOptions(process.argv.slice(2), process.env, known);
  if (options.help) {
    line(usage);
    line();
    line('Scenarios:');
    const idWidth = Math.max(...known.map((id) => id.length));
    for (const { id, title } of scenarios) line(`  ${id.padEnd(idWidth)}  ${title}`);
    return 0;
  }
  const report = options.report === null ? null : writable(resolve(options.report));
  line();
  line(`  ${paint('bold', 'Reflex drill')}`);
  line('  The real template on an AWS embedded in this machine. Trouble is made; Reflex puts it right.');
  line();
  const { result, prepared } = await drill(options, terminal);
  for (const story of result.stories) {
    line();
    for (const text of storyLines(story, terminal)) line(text);
  }
  line();
  for (const text of differenceLines(result.differences, terminal)) line(text);
  line();
  for (const text of verdictLines(result, paint)) line(text);
  const failed = result.stories.filter(({ status }) => status === 'failed');
  if (failed.length > 0) for (const text of helpLines(failed, terminal)) line(text);
  if (report !== null) {
    writeFileSync(report, page(result));
    line();
    line(`  Report: ${report}`);
  }
  line();
  if (options.keep) await keep(terminal, prepared);
  return failed.length > 0 ? 1 : 0;
}

async function drill(options: Options, terminal: Screen): Promise<{ result: Drill; prepared: Prepared }> {
  const startedAt = Date.now();
  const { line, paint } = terminal;
  const prepared = await prepare(terminal, folder, options.port);
  const { world, stack, differences } = prepared;
  line();
  const chosen = scenarios.filter(({ id }) => options.only.length === 0 || options.only.includes(id));
  const what = `${count(chosen.length, 'scenario')}, each on a stream, a cache, a service or a site of its own`;
  line(`  ${paint('bold', 'Trouble')}  ${paint('dim', what)}`);
  const stories: Promise<Story>[] = [];
  for (const scenario of chosen) {
    if (scenario.id !== 'dry-run') await world.ledger.setMode('*', 'on', 'drill');
    const { begun, story } = play(scenario, world, terminal.step(scenario.id));
    stories.push(story);
    await begun;
  }
  const setting = { Node: process.versions.node, account, Region: region };
  const result = {
    startedAt,
    stories: await Promise.all(stories),
    endedAt: Date.now(),
    setting: Object.entries(setting),
    resources: stack.resources,
    differences,
  };
  return { result, prepared };
}

/** @throws Problem now, and not when the drill is over. */
function writable(file: string): string {
  try {
    accessSync(dirname(file), constants.W_OK);
    if (!statSync(file, { throwIfNoEntry: false })?.isDirectory()) return file;
  } catch {
    // Told below.
  }
  throw new Problem(`--report: ${file} cannot be written.`, 'Name a file in a folder that exists: --report drill.html');
}

/** Leaves everything up until Ctrl-C, with one more stream in trouble to try things on. */
async function keep({ line, paint }: Screen, { world, servers }: Prepared): Promise<never> {
  const stream = 'drill-play';
  const event = join('.reflex', 'drill', 'alarm.json');
  await createStream(world.aws, stream, true);
  await world.load.add(stream);
  writeFileSync(join(ROOT, event), JSON.stringify(alarmEvent(stream, Date.now()), null, 2));
  const environment = Object.entries(clientEnvironment(servers)).map(([name, value]) => `${name}=${value}`);
  line(`  ${paint('bold', 'Everything stays up.')} In another terminal:`);
  line();
  // The SDK takes a profile before the keys below.
  line('    unset AWS_PROFILE');
  line(`    export ${environment.join(' \\\n           ')}`);
  line(`    npm run ops -- explain stream/${stream}`);
  line(`    npm run invoke -- reshard-kinesis ${event}`);
  line(`    npm run ops -- history ${stream}`);
  line(`    aws kinesis describe-stream-summary --stream-name ${stream}`);
  line();
  line(paint('dim', '  Ctrl-C ends it.'));
  // The emulators' sockets keep nothing alive here, so something has to.
  setInterval(() => {}, 60_000);
  return new Promise(() => {});
}

/** What failed, and how to find out why. */
function helpLines(failed: readonly Story[], { paint, width }: Screen): string[] {
  const log = join('.reflex', 'drill', 'ministack.log');
  const errors = errorsIn(readFileSync(join(ROOT, log), 'utf8')).slice(-8);
  return [
    '',
    ...failed.flatMap(({ id, note }) => wrapped(`${id}: ${note}`, width - 2).map((text) => `  ${paint('red', text)}`)),
    '',
    '  The same alone, and left up to look at:',
    `    npm run drill --${failed.map(({ id }) => ` --only ${id}`).join('')} --keep`,
    '  What the functions logged:',
    `    less ${log}`,
    ...(errors.length === 0 ? [] : ['  Its last errors and warnings:']),
    ...errors.map((text) => paint('dim', `    ${clipped(text, width - 4)}`)),
  ];
}

/** The end of what the emulator, and in it the functions, logged. */
function logLines({ paint, width }: Screen): string[] {
  const tail = tailOf(join(folder, 'ministack.log')).split('\n');
  return [
    `  The end of ${folder}/ministack.log:`,
    ...tail.map((text) => paint('dim', `    ${clipped(text, width - 4)}`)),
  ];
}

function explain(terminal: Screen, error: unknown): void {
  const { line, paint, width } = terminal;
  const details = (text: string, show: (line: string) => string) => {
    if (text !== '') for (const each of text.split('\n')) line(`    ${show(each)}`);
  };
  line();
  line(`  ${paint('red', messageOf(error))}`);
  if (error instanceof Problem) {
    details(error.wayOut, (text) => text);
    details(error.tail, (text) => paint('dim', clipped(text, width - 4)));
  } else {
    for (const text of logLines(terminal)) line(text);
  }
  line();
}

/** The emulators end with the process; this is what they leave behind. */
function leave(terminal: Screen, exitCode: number): never {
  terminal.close();
  process.on('exit', () => releaseFolder(folder));
  process.exit(exitCode);
}

const terminal = screen(process.stdout, process.env);
process.on('SIGINT', () => {
  terminal.close();
  terminal.line('\n  Ended; nothing is left running.');
  leave(terminal, 130);
});
process.on('SIGTERM', () => leave(terminal, 143));
// Whoever read the pipe has left (`| head`).
process.stdout.on('error', () => leave(terminal, 141));
process.on('SIGHUP', () => leave(terminal, 129));

try {
  leave(terminal, await main(terminal));
} catch (error) {
  terminal.close();
  explain(terminal, error);
  leave(terminal, error instanceof Problem ? 2 : 1);
}
