/** Warm invocations of one function, one event each, in a process of its own; sends the processor time of one, ms, and ends. */
import { sqsBatch } from '../../test/support/event-builders.ts';
import { fakeDynamodb } from './dynamodb.ts';
import { inbox } from './inbox.ts';
import { started } from './instances.ts';
import type { Scenario } from './scenario.ts';
import { installed, virtualTime } from './time.ts';
import { onWire } from './wire.ts';
import { ec2World, fargateWorld } from './world.ts';

export interface Warm extends Pick<Scenario, 'kind' | 'bundle' | 'inbox'> {
  readonly telemetry: boolean;
}

const INVOCATIONS = 300;
const WARM_UP = 100;

const ON = {
  AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1:2000',
  _X_AMZN_TRACE_ID: 'Root=1-69a8f1c0-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1',
};
const OFF = { POWERTOOLS_LOG_LEVEL: 'SILENT', POWERTOOLS_METRICS_DISABLED: 'true' };

const measured = async ({ kind, bundle, inbox: settings, telemetry }: Warm): Promise<number> => {
  const time = installed(virtualTime(Date.parse('2026-03-05T03:12:00.000Z')));
  const size = { tasks: INVOCATIONS, groups: 30, spreadMs: 1_000 };
  const world = (kind === 'fargate' ? fargateWorld : ec2World)(time.clock, size);
  onWire(time, [...world.services, inbox(time, settings).service, fakeDynamodb(time.clock).service], []);
  const [handler] = await started(bundle, 1, { ...world.env, ...(telemetry ? ON : OFF) });
  const costs: number[] = [];
  for (const { events } of world.victims) {
    const before = time.computed();
    const notice = kind === 'fargate' ? events[0] : events.at(-1);
    if (handler !== undefined) await time.until(handler(sqsBatch(notice?.body)));
    costs.push(time.computed() - before);
  }
  return costs.slice(WARM_UP).toSorted((a, b) => a - b)[(INVOCATIONS - WARM_UP) >> 1] ?? 0;
};

const cost = await measured(JSON.parse(process.argv[2] ?? '{}') as Warm);
process.send?.(cost, () => process.exit(0));
