import { join } from 'node:path';
import { readTemplate } from '../template.ts';
import { ensureVenv } from '../venv.ts';
import { connect } from './aws.ts';
import { startContainers } from './containers.ts';
import { deploy, deployable, knownTypes, type Parameter, packages, type Stack } from './deploy.ts';
import type { Difference } from './deployable.ts';
import { claimFolder, claimPort, freePort } from './emulator.ts';
import { startLoad } from './load.ts';
import { messageOf, Problem } from './problem.ts';
import type { Screen, Step } from './screen.ts';
import { type Servers, startServers } from './servers.ts';
import { startSites } from './site.ts';
import { startTagging } from './tagging.ts';
import { deployedLines } from './terminal.ts';
import { duration } from './waterfall.ts';
import { count } from './words.ts';
import { enter, type World } from './world.ts';
import { receive } from './xray.ts';

export interface Prepared {
  readonly world: World;
  readonly stack: Stack;
  readonly servers: Servers;
  readonly differences: readonly Difference[];
}

/**
 * Everything up to the first trouble: Python, bundles, emulators, the stack. `directory` is made anew for logs and bundles;
 * `port`: for the embedded AWS, 0: a free one.
 * Whatever is started ends with the process. @throws Problem
 */
export async function prepare(terminal: Screen, directory: string, port: number): Promise<Prepared> {
  const { line, paint } = terminal;
  const awsPort = port === 0 ? await freePort() : await claimPort(port);
  claimFolder(directory);
  // Its own lines tell what is installed, so nothing may move meanwhile.
  const begun = performance.now();
  const bin = await pythonEnvironment();
  terminal.step('Python environment').done(`.venv  ${paint('dim', duration(performance.now() - begun))}`);
  const template = readTemplate();
  const code = await timed(terminal, 'Functions bundled', async () => {
    const built = await packages(template, join(directory, 'dist'));
    const sizes = built.map(({ bytes }) => Math.round(bytes / 1000));
    return [built, `${built.length} functions of ${Math.min(...sizes)} to ${Math.max(...sizes)} kB`];
  });
  const receiver = await receive();
  const servers = await timed(terminal, 'Embedded AWS up', async (step) => {
    step.note('starting ministack and moto');
    const up = await startServers(bin, directory, awsPort, receiver.address);
    return [up, `${up.ministack.endpoint}; Kinesis and metrics ${up.moto.endpoint}`];
  });
  const aws = connect(servers.ministack.endpoint, servers.moto.endpoint);
  const containers = await startContainers(servers.ministack.endpoint);
  const sites = await startSites();
  const here = 'the sites are on this machine, and a local address would be refused';
  const parameters: readonly Parameter[] = [
    { name: 'FollowUpSeconds', value: '10', why: 'the first check of an act is not waited for as long' },
    { name: 'RescueSubnetIds', value: 'subnet-0123456789abcdef0', why: 'a rescue task has to run somewhere' },
    { name: 'Sites', value: `${sites.shop} ${sites.blog}`, why: here },
    { name: 'SiteLocalAddresses', value: 'allow', why: here },
  ];
  const elsewhere = {
    hosts: servers.moto.endpoint,
    containers: containers.endpoint,
    tags: await startTagging(aws),
  };
  const copy = deployable(template, await knownTypes(join(bin, 'python')), elsewhere, parameters);
  const stack = await timed(terminal, 'Template deployed', async () => {
    const made = await deploy(aws, copy.template, code, parameters);
    return [made, `${made.resources.length} resources, Mode dry-run`];
  });
  for (const text of deployedLines(stack.resources, terminal.width)) line(paint('dim', text));
  line(
    paint('dim', `      ${count(copy.differences.length, 'difference')} from template.yaml; they are listed below.`),
  );
  const load = startLoad(aws, (error) => line(paint('yellow', `  Metrics not put: ${messageOf(error)}`)));
  const world = await enter({ aws, stack, receiver, load, containers, sites });
  return { world, stack, servers, differences: copy.differences };
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

type Work<T> = (step: Step) => Promise<readonly [result: T, text: string]>;

/** One step of the preparation, with its time. */
async function timed<T>(terminal: Screen, label: string, work: Work<T>): Promise<T> {
  const begun = performance.now();
  const step = terminal.step(label);
  try {
    const [result, text] = await work(step);
    step.done(`${text}  ${terminal.paint('dim', duration(performance.now() - begun))}`);
    return result;
  } catch (error) {
    step.failed('');
    throw error;
  }
}
