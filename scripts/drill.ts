/**
 * `npm run drill`: deploys template.yaml to an embedded AWS on this machine, makes trouble, and shows what Reflex does about it.
 * Exit code 0: all as it should be; 1: something was not remediated; 2: the drill could not start, and what to do about it.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROOT } from './build.ts';
import { connect } from './drill/aws.ts';
import { deploy, deployable, knownTypes, packages } from './drill/deploy.ts';
import {
  account,
  claimPort,
  cleanEnvironment,
  emptied,
  freePort,
  region,
  type Server,
  start,
  tailOf,
} from './drill/emulator.ts';
import { page } from './drill/html.ts';
import { startLoad } from './drill/load.ts';
import { type Options, readOptions, usage } from './drill/options.ts';
import { messageOf, Problem } from './drill/problem.ts';
import { play, scenarios } from './drill/scenarios.ts';
import { type Screen, type Step, screen } from './drill/screen.ts';
import type { Drill, Story } from './drill/story.ts';
import { storyLines, verdictLines } from './drill/terminal.ts';
import { duration } from './drill/waterfall.ts';
import { enter } from './drill/world.ts';
import { receive } from './drill/xray.ts';
import { readTemplate } from './template.ts';
import { ensureVenv } from './venv.ts';

const folder = join(ROOT, '.reflex', 'drill');

/** What has been started; ended last first. */
const started: (() => unknown)[] = [];
/** Of the embedded AWS and of its Kinesis, once they are up. */
let endpoints: readonly string[] = [];

async function drill(options: Options, terminal: Screen): Promise<Drill> {
  const startedAt = Date.now();
  const { line, paint } = terminal;
  line();
  line(`  ${paint('bold', 'Reflex drill')}`);
  line('  The real template on an AWS embedded in this machine. Trouble is made; Reflex puts it right.');
  line();

  const bin = await timed(terminal, 'Python environment', async () => [await pythonEnvironment(), '.venv']);
  const python = join(bin, 'python');
  const template = readTemplate();
  const code = await timed(terminal, 'Functions bundled', async () => {
    const built = await packages(template, join(emptied(folder), 'dist'));
    return [built, built.map((each) => `${each.folder} ${Math.round(each.bytes / 1000)} kB`).join(', ')];
  });

  const receiver = await receive();
  started.push(() => receiver.close());
  const servers = await timed(terminal, 'Embedded AWS up', async (step) => {
    const up = await startServers(bin, options, receiver.address, step);
    return [up, `${up.aws.endpoint}  Kinesis ${up.kinesis.endpoint}`];
  });
  endpoints = [servers.aws.endpoint, servers.kinesis.endpoint];
  const aws = connect(servers.aws.endpoint, servers.kinesis.endpoint);

  const known = await knownTypes(python);
  const copy = deployable(template, known);
  const stack = await timed(terminal, 'Template deployed', async () => {
    const made = await deploy(aws, copy.template, code, { FollowUpSeconds: '10' });
    return [made, `${made.resources.length} resources, as Mode dry-run`];
  });
  for (const { what, why } of copy.differences) {
    line(paint('dim', `      otherwise than in template.yaml: ${what}`));
    line(paint('dim', `        ${why}`));
  }

  const load = startLoad(aws, (error) => line(paint('yellow', `  Metrics not put: ${messageOf(error)}`)));
  started.push(() => load.stop());
  const world = await enter({ aws, stack, receiver, load });

  line();
  line(`  ${paint('bold', 'Trouble')}  ${paint('dim', 'each on a stream of its own, one shard, nearly full')}`);
  const chosen = scenarios.filter(({ id }) => options.only.length === 0 || options.only.includes(id));
  const stories: Promise<Story>[] = [];
  for (const scenario of chosen) {
    if (scenario.id !== 'dry-run') await world.ledger.setMode('*', 'on', 'drill');
    const story = play(scenario, world, terminal.step(scenario.id));
    stories.push(story);
    if (scenario.pace === 'quick') await story;
  }
  return {
    startedAt,
    stories: await Promise.all(stories),
    endedAt: Date.now(),
    setting: [
      ['Node', process.versions.node],
      ['account', account],
      ['Region', region],
    ],
    resources: stack.resources,
    differences: copy.differences,
  };
}

/** @throws Problem with what is missing and how to get it. */
async function pythonEnvironment(): Promise<string> {
  try {
    return await ensureVenv();
  } catch (error) {
    const [what = '', ...wayOut] = messageOf(error).split('\n');
    throw new Problem(what, wayOut.join('\n'));
  }
}

async function startServers(bin: string, { port }: Options, xray: string, step: Step) {
  const awsPort = port === 0 ? await freePort() : await claimPort(port);
  const kinesisPort = await freePort();
  const temporary = emptied(join(folder, 'tmp'));
  const env = cleanEnvironment([join(ROOT, 'node_modules', '.bin'), bin], temporary);
  const python = join(bin, 'python');
  const common = { command: python, directory: folder };
  const begin = async (launch: Parameters<typeof start>[0]): Promise<Server> => {
    const server = await start(launch);
    started.push(server.stop);
    return server;
  };
  step.note('starting');
  const [kinesis, aws] = await Promise.all([
    begin({
      ...common,
      name: 'moto',
      args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(kinesisPort)],
      port: kinesisPort,
      env,
      health: '/moto-api/',
    }),
    begin({
      ...common,
      name: 'ministack',
      args: ['-m', 'ministack'],
      port: awsPort,
      env: {
        ...env,
        BIND_HOST: '127.0.0.1',
        GATEWAY_PORT: String(awsPort),
        IOT_MTLS_ENABLED: '0',
        MINISTACK_ACCOUNT_ID: account,
        MINISTACK_REGION: region,
        AWS_XRAY_DAEMON_ADDRESS: xray,
        AWS_ENDPOINT_URL: `http://127.0.0.1:${awsPort}`,
        // moto keeps closed shards and answers DescribeLimits.
        AWS_ENDPOINT_URL_KINESIS: `http://127.0.0.1:${kinesisPort}`,
      },
      health: '/_ministack/health',
    }),
  ]);
  return { aws, kinesis };
}

/** One step of the preparation, with its time. */
async function timed<T>(
  terminal: Screen,
  label: string,
  work: (step: Step) => Promise<readonly [T, string]>,
): Promise<T> {
  const begun = performance.now();
  const step = terminal.step(label);
  try {
    const [result, text] = await work(step);
    step.done(`${text}  ${terminal.paint('dim', duration(performance.now() - begun))}`);
    return result;
  } catch (error) {
    step.failed(messageOf(error).split('\n')[0] ?? '');
    throw error;
  }
}

/** The command line. Gives the exit code. */
async function main(terminal: Screen): Promise<number> {
  const { line, paint } = terminal;
  const options = readOptions(
    process.argv.slice(2),
    process.env,
    scenarios.map(({ id }) => id),
  );
  if (options.help) {
    line(usage);
    return 0;
  }
  const result = await drill(options, terminal);
  for (const story of result.stories) {
    line();
    for (const text of storyLines(story, terminal)) line(text);
  }
  line();
  for (const text of verdictLines(result, paint)) line(text);
  const failed = result.stories.some(({ status }) => status === 'failed');
  if (failed) line(paint('dim', `  Logs: ${folder}/*.log\n${indented(tailOf(join(folder, 'ministack.log')))}`));
  if (options.report !== null) {
    const file = resolve(options.report);
    writeFileSync(file, page(result));
    line(`  Report: ${file}`);
  }
  line();
  if (options.keep) await keep(terminal);
  return failed ? 1 : 0;
}

/** Leaves everything up until Ctrl-C. */
function keep({ line, paint }: Screen): Promise<never> {
  const [aws = '', kinesis = ''] = endpoints;
  const environment = [
    `AWS_ENDPOINT_URL=${aws}`,
    `AWS_ENDPOINT_URL_KINESIS=${kinesis}`,
    `AWS_ACCESS_KEY_ID=${account}`,
    'AWS_SECRET_ACCESS_KEY=drill',
    `AWS_REGION=${region}`,
  ];
  line(`  ${paint('bold', 'Everything stays up.')} In another terminal:`);
  line();
  line(`    export ${environment.join(' \\\n           ')}`);
  line('    aws kinesis list-streams');
  line('    npm run ops -- history drill-eventbridge');
  line('    npm run invoke -- reshard-kinesis events/aws.cloudwatch.alarm-state-change.kinesis.json');
  line();
  line(paint('dim', '  Ctrl-C ends it.'));
  // The emulators' sockets keep nothing alive here, so something has to.
  setInterval(() => {}, 60_000);
  return new Promise(() => {});
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}

async function end(): Promise<void> {
  for (const stop of started.splice(0).reverse()) await stop();
  rmSync(join(folder, 'tmp'), { recursive: true, force: true });
}

const terminal = screen(process.stdout, process.env);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, async () => {
    terminal.close();
    terminal.line('  Stopping.');
    await end();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
}

try {
  process.exitCode = await main(terminal);
} catch (error) {
  terminal.close();
  const { line, paint } = terminal;
  line();
  line(`  ${paint('red', messageOf(error))}`);
  if (error instanceof Problem) {
    if (error.wayOut !== '') line(indented(error.wayOut));
    if (error.tail !== '') line(paint('dim', indented(error.tail)));
  } else {
    line(paint('dim', `  Logs: ${folder}/*.log\n${indented(tailOf(join(folder, 'ministack.log')))}`));
  }
  process.exitCode = error instanceof Problem ? 2 : 1;
} finally {
  terminal.close();
  await end();
}
process.exit();
