import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkSite } from '../../../../functions/check-site/function.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { at, tick } from '../../event-builders.ts';
import { fakeClock } from '../../fake-aws/clock.ts';
import { startFakeAws } from '../../fake-aws/fake-aws.ts';
import { storedState } from '../../fake-runtime.ts';
import type { FaultWorld } from '../world.ts';

const MINUTE = 60_000;
const METER = { checked: () => undefined };

/** A site that answers 500: people have to be told. It is asked over a real socket. */
export const open = async (): Promise<FaultWorld> => {
  const fake = await startFakeAws();
  const server = createServer((_, answer) => void answer.writeHead(500).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const env = { SITES: url, SITE_LOCAL_ADDRESSES: 'allow' };
  let clock = fakeClock(at);
  const marks = (name: string) => ({ names: [name], trace: 'nothing is ever written' });
  return {
    url: fake.url,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await fake.close();
    },
    acts: false,
    sweepMs: 5 * MINUTE,
    hiddenMs: 360_000,
    horizonMs: 60 * MINUTE,
    onGuardError: 'stop',
    heedsCalendar: false,
    handler: (runtime, { clock: lambdaClock }) => remediation(checkSite(env, lambdaClock, METER), runtime),
    hear: (events) => checkSite(env, clock, METER).hear(events),
    scene: () => {
      clock = fakeClock(at);
      return {
        now: clock,
        advance: clock.advance,
        resource: url,
        steps: [{ after: 0, happens: () => [tick()] }],
        done: (world) => JSON.stringify(storedState(world, url)?.remembered ?? {}).includes('"told":true'),
        harm: () => [],
      };
    },
    crowd: () => {
      clock = fakeClock(at);
      return {
        now: clock,
        advance: clock.advance,
        bodies: [tick(), tick('incidents')],
        reports: () => false,
        good: tick('all'),
        victim: marks('no site is named by an event'),
        customer: marks(url),
        bystander: marks('http://127.0.0.1:1/'),
      };
    },
  };
};
