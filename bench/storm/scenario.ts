/** One storm, in a process of its own: it changes what time is. Started by `bench/storm.ts`; sends its result and ends. */
import { fakeDynamodb } from './dynamodb.ts';
import { type InboxSettings, inbox } from './inbox.ts';
import { started } from './instances.ts';
import { perEvent } from './per-event.ts';
import { installed, virtualTime } from './time.ts';
import { type Call, onWire } from './wire.ts';
import { ec2World, fargateWorld, type Size, seeded } from './world.ts';

export type Way = 'reflex' | 'per event' | 'per event, retried';

export interface Scenario extends Size {
  readonly kind: 'fargate' | 'ec2';
  readonly way: Way;
  /** The built handler, and its inbox as the template states it. */
  readonly bundle: string;
  readonly inbox: InboxSettings;
}

export interface Outcome {
  /** Share of the victims handled so soon after their notice. */
  readonly in30: number;
  readonly in120: number;
  /** From the notice to the action, s; null where so many were never handled. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** Calls of the APIs that an account shares, and that are throttled for all of it. */
  readonly calls: number;
  /** Calls to our own table, queue and topic. */
  readonly ownCalls: number;
  readonly throttles: number;
  readonly ownThrottles: number;
  /** Calls by service and operation. */
  readonly by: Readonly<Record<string, number>>;
  readonly invocations: number;
  readonly dead: number;
  /** Seconds from the notice at which each victim was handled, in order; never handled ones are left out. */
  readonly latencies: readonly number[];
}

const SECOND = 1_000;
const START = Date.parse('2026-03-05T03:12:00.000Z');
/** The last task is dead by then, and what was done was verified. */
const WATCHED = 200 * SECOND;
const OWN = ['dynamodb', 'sqs', 'sns'];

const runScenario = async (scenario: Scenario): Promise<Outcome> => {
  const time = installed(virtualTime(START));
  const world = (scenario.kind === 'fargate' ? fargateWorld : ec2World)(time.clock, scenario);
  const random = seeded(1);
  Math.random = random;
  const calls: Call[] = [];
  const queue = inbox(time, scenario.inbox);
  if (scenario.way === 'reflex') {
    const services = [...world.services, queue.service, fakeDynamodb(time.clock).service];
    onWire(time, services, calls);
    const handlers = await started(scenario.bundle, scenario.inbox.concurrency, world.env);
    queue.serve(handlers);
    for (const { events } of world.victims) for (const { after, body } of events) queue.send(body, after);
  } else {
    perEvent(time, world, calls, { retries: scenario.way === 'per event, retried', random });
  }
  const begun = time.clock();
  await time.until(time.sleep(WATCHED));
  if (calls.length === 0) throw new Error(`${scenario.way}: no call was made, so nothing was measured; run it again`);
  const latencies = world.victims
    .flatMap(({ id, at }) => {
      const handled = world.handledAt.get(id);
      return handled === undefined ? [] : (handled - begun - at) / SECOND;
    })
    .sort((a, b) => a - b);
  const count = world.victims.length;
  const within = (seconds: number) => latencies.filter((latency) => latency <= seconds).length / count;
  const percentile = (share: number) => latencies[Math.ceil(share * count) - 1] ?? null;
  const own = calls.filter(({ service }) => OWN.includes(service));
  const foreign = calls.filter(({ service }) => !OWN.includes(service));
  const refused = (some: readonly Call[]) => some.filter((call) => call.refused).length;
  const { invocations, dead } = queue.counts();
  return {
    in30: within(30),
    in120: within(120),
    p50: percentile(0.5),
    p99: percentile(0.99),
    calls: foreign.length,
    ownCalls: own.length,
    throttles: refused(foreign),
    ownThrottles: refused(own),
    by: Object.fromEntries(
      [...Map.groupBy(calls, ({ service, operation }) => `${service} ${operation}`)]
        .map(([name, all]): [string, number] => [name, all.length])
        .sort(([, a], [, b]) => b - a),
    ),
    invocations,
    dead,
    latencies,
  };
};

const outcome = await runScenario(JSON.parse(process.argv[2] ?? '{}') as Scenario);
process.send?.(outcome, () => process.exit(0));
