import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, ROOT } from '../scripts/build.ts';
import { functionNamed, functionsOf, props, readTemplate, type Template } from '../scripts/template.ts';
import { type Chart, lineChart } from './chart.ts';
import type { InboxSettings } from './storm/inbox.ts';
import type { Outcome, Scenario, Way } from './storm/scenario.ts';
import type { Warm } from './storm/warm.ts';
import type { Size } from './storm/world.ts';

const WAYS: readonly Way[] = ['reflex', 'per event', 'per event, retried'];
const KINDS = {
  fargate: { folder: 'drain-fargate', title: 'Fargate Spot: the target drains', of: 'services' },
  ec2: { folder: 'save-spot-logs', title: 'EC2 Spot: the log volume is kept', of: 'groups' },
} as const;

const AT_ONCE = 1_000;
const SIZES: Readonly<Record<Scenario['kind'], readonly Size[]>> = {
  fargate: [
    { tasks: 100, groups: 60, spreadMs: AT_ONCE },
    { tasks: 300, groups: 1, spreadMs: AT_ONCE },
    { tasks: 300, groups: 60, spreadMs: AT_ONCE },
    { tasks: 300, groups: 60, spreadMs: 3_000 },
    { tasks: 300, groups: 60, spreadMs: 10_000 },
    { tasks: 300, groups: 300, spreadMs: AT_ONCE },
    { tasks: 1_000, groups: 60, spreadMs: AT_ONCE },
    { tasks: 5_000, groups: 60, spreadMs: AT_ONCE },
  ],
  ec2: [
    { tasks: 100, groups: 60, spreadMs: AT_ONCE },
    { tasks: 300, groups: 1, spreadMs: AT_ONCE },
    { tasks: 300, groups: 60, spreadMs: AT_ONCE },
    { tasks: 300, groups: 300, spreadMs: AT_ONCE },
    { tasks: 1_000, groups: 60, spreadMs: AT_ONCE },
    { tasks: 5_000, groups: 60, spreadMs: AT_ONCE },
  ],
};

/** A function's inbox and its event source mapping, from the template. */
export const inboxOf = (folder: string, template: Template): InboxSettings => {
  const { logicalId } = functionNamed(folder, functionsOf(template));
  const { Events } = props(template.Resources[logicalId]?.Properties);
  const mapping = props(props(props(Events).Messages).Properties);
  const [queue] = props(mapping.Queue)['Fn::GetAtt'] as [string];
  const number = (value: unknown, name: string): number => {
    if (typeof value === 'number') return value;
    throw new Error(`${logicalId}: ${name} is not a number in template.yaml`);
  };
  return {
    batchSize: number(mapping.BatchSize, 'BatchSize'),
    windowMs: 1_000 * number(mapping.MaximumBatchingWindowInSeconds, 'MaximumBatchingWindowInSeconds'),
    concurrency: number(props(mapping.ScalingConfig).MaximumConcurrency, 'MaximumConcurrency'),
    visibilityMs:
      1_000 * number(template.Resources[queue]?.Properties?.VisibilityTimeout, `VisibilityTimeout of ${queue}`),
  };
};

/** Runs a module of `storm/` in a process of its own, because it changes what time is; gives what it sends. */
const apart = <T>(module: 'scenario' | 'warm', input: object): Promise<T> =>
  new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, `storm/${module}.ts`), [JSON.stringify(input)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let errors = '';
    child.stderr?.on('data', (chunk) => {
      errors = `${errors}${chunk}`.slice(-4_000);
    });
    child.once('message', (sent) => resolve(sent as T));
    child.once('exit', (code) => reject(new Error(`a storm ended with ${code}:\n${errors}`)));
  });

const all = async (scenarios: readonly Scenario[]): Promise<Outcome[]> => {
  const outcomes: Outcome[] = [];
  const queue = [...scenarios.entries()].sort(([, a], [, b]) => b.tasks - a.tasks).values();
  const worker = async (): Promise<void> => {
    for (const [i, scenario] of queue) {
      outcomes[i] = await apart<Outcome>('scenario', scenario);
      if (process.stderr.isTTY) process.stderr.write('.');
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return outcomes;
};

const percent = (share: number): string => `${(100 * share).toFixed(share > 0.995 && share < 1 ? 1 : 0)} %`;
const seconds = (value: number | null): string => (value === null ? 'never' : value.toFixed(0));
const perTask = (calls: number, { tasks }: Size): string => (calls / tasks).toFixed(1);

const HEAD = ['handled', 'in 30 s', 'in 120 s', 'p50', 'p99', 'calls/task', 'throttles', 'own calls/task'];

const cells = (size: Size, outcome: Outcome): string[] => [
  percent(outcome.latencies.length / size.tasks),
  percent(outcome.in30),
  percent(outcome.in120),
  seconds(outcome.p50),
  seconds(outcome.p99),
  perTask(outcome.calls, size),
  String(outcome.throttles),
  perTask(outcome.ownCalls, size),
];

const sizeName = ({ tasks, groups, spreadMs }: Size): string =>
  `${tasks} over ${groups}${spreadMs === AT_ONCE ? '' : ` in ${spreadMs / 1_000} s`}`;

/** What telemetry costs a warm invocation that acts on one event: its processor time, with logs, metrics and traces, and without. */
export const telemetryCost = async (): Promise<void> => {
  await inFolder(async (dir) => {
    console.log('\nProcessor time of a warm invocation that acts on one event, with telemetry against without\n');
    for (const [kind, folder, bundle, inbox] of await built(dir)) {
      const cost = (telemetry: boolean) => apart<number>('warm', { kind, bundle, inbox, telemetry } satisfies Warm);
      const [without, with_] = [await cost(false), await cost(true)];
      console.log(`${folder.padEnd(22)}${(with_ / without).toFixed(2).padStart(10)} x`);
    }
  });
};

type Built = readonly [kind: Scenario['kind'], folder: string, bundle: string, inbox: InboxSettings];

const built = async (dir: string): Promise<Built[]> => {
  const template = readTemplate();
  const made: Built[] = [];
  for (const [kind, { folder }] of Object.entries(KINDS) as [Scenario['kind'], (typeof KINDS)['ec2']][]) {
    const { file } = await build(functionNamed(folder, functionsOf(template)), join(dir, folder));
    made.push([kind, folder, file, inboxOf(folder, template)]);
  }
  return made;
};

const inFolder = async (work: (dir: string) => Promise<void>): Promise<void> => {
  const dir = mkdtempSync(join(tmpdir(), 'reflex-storm-'));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

/** Share handled by seconds after the notice. */
const curves = (
  title: string,
  rows: readonly { readonly way: Way; readonly outcome: Outcome }[],
  tasks: number,
): Chart => ({
  title,
  x: { label: 'seconds after the notice', max: 120 },
  y: { label: '% handled', max: 100 },
  lines: rows.map(({ way, outcome: { latencies } }) => ({
    name: way,
    points: Array.from({ length: 121 }, (_, second): [number, number] => [
      second,
      (100 * latencies.filter((latency) => latency <= second).length) / tasks,
    ]),
  })),
});

/** Spot interruptions in a storm, through the built handlers and beside the published way; draws the 300 over 60. */
export const storm = (): Promise<void> => inFolder(tables);

const tables = async (dir: string): Promise<void> => {
  for (const [kind, , bundle, inbox] of await built(dir)) {
    const { title, of } = KINDS[kind];
    const scenarios = SIZES[kind].flatMap((size) =>
      WAYS.map((way): Scenario => ({ ...size, kind, way, bundle, inbox })),
    );
    const outcomes = await all(scenarios);
    console.log(`\n${title}. Interruptions over ${of}; seconds from the notice to the action, in virtual time\n`);
    console.log(`${''.padEnd(40)}${HEAD.map((text) => text.padStart(15)).join('')}`);
    for (const [i, scenario] of scenarios.entries()) {
      const outcome = outcomes[i];
      if (outcome === undefined) continue;
      const name = `${sizeName(scenario).padEnd(20)}${scenario.way}`;
      console.log(
        `${name.padEnd(40)}${cells(scenario, outcome)
          .map((cell) => cell.padStart(15))
          .join('')}`,
      );
    }
    const drawn = scenarios.flatMap(({ tasks, groups, spreadMs, way }, i) => {
      const outcome = outcomes[i];
      return tasks === 300 && groups === 60 && spreadMs === AT_ONCE && outcome !== undefined ? [{ way, outcome }] : [];
    });
    const chart = curves(`${title}: 300 interruptions over 60 ${of}`, drawn, 300);
    writeFileSync(join(ROOT, `docs/images/bench-storm-${kind}.svg`), lineChart(chart));
  }
  console.log('\ncalls/task: attempts at APIs that the account shares. own: our table, queue and topic.\n');
};
