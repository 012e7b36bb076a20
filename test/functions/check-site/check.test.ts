import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { checkSite } from '../../../functions/check-site/function.ts';
import type { SiteMeter } from '../../../shared/telemetry/site-metrics.ts';
import { alarmEvent, tick } from '../../support/event-builders.ts';
import { deployed } from '../../support/fake-aws/deployed.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAwsWithDynamodb();

let status = 200;
const server = createServer((_, response) => response.writeHead(status).end('all is well'));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
afterAll(() => new Promise((resolve) => server.close(resolve)));
const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health#is%20well`;

const start = async (env: Readonly<Record<string, string>> = {}) => {
  status = 200;
  const measured: Parameters<SiteMeter['checked']>[] = [];
  const meter: SiteMeter = { checked: (...args) => void measured.push(args) };
  const all = { SITES: site, SITE_LOCAL_ADDRESSES: 'allow', ...env };
  const fn = await deployed(fake, (given, clock) => checkSite(given, clock, meter), all);
  return { ...fn, measured };
};
/** The schedule, each time with the site in another state. */
const days = async (fn: Awaited<ReturnType<typeof start>>, statuses: readonly number[]) => {
  for (const next of statuses) {
    status = next;
    await fn.invoke(tick());
    fake.clock.advance(5 * 60_000);
  }
};
const history = async (fn: Awaited<ReturnType<typeof start>>) =>
  (await fn.ledger.history({ fn: 'check-site', resource: site }, { limit: 50 })).map(({ reason }) => reason).reverse();

describe('a site on the schedule', () => {
  it.each(['on', 'dry-run'])(
    'is told of when it begins to fail and when it is well again, once each (mode %s)',
    async (MODE) => {
      const fn = await start({ MODE });

      await days(fn, [200, 500, 500, 500, 500, 200, 200]);

      expect(fn.outcomes.map(({ reason }) => reason)).toEqual([
        'site-well',
        'site-failed-once',
        'site-failing',
        'site-still-failing',
        'site-still-failing',
        'resolved',
        'site-well',
      ]);
      expect(fake.sns.published.map(({ Subject }) => Subject?.slice(0, 40))).toEqual([
        expect.stringMatching(/^Reflex needs you: check-site http/),
        expect.stringMatching(/^Reflex closed the incident: check-site/),
      ]);
    },
  );

  it('leaves a history of what changed, and of nothing else', async () => {
    const fn = await start();

    await days(fn, [200, 200, 503, 200, 503, 503, 503, 200]);

    expect(await history(fn)).toEqual(
      expect.arrayContaining(['site-failed-once', 'site-failed-once', 'site-failing', 'resolved']),
    );
    expect(await history(fn)).toHaveLength(4);
  });

  it('is told of again when it fails again the same day', async () => {
    const fn = await start();

    await days(fn, [500, 500, 200, 500, 500]);

    expect(fake.sns.published).toHaveLength(3);
  });

  it('is measured at every check', async () => {
    const fn = await start();

    await days(fn, [200, 500]);

    expect(fn.measured.map(([name, { status, well }]) => [name, status, well])).toEqual([
      [site, 200, true],
      [site, 500, false],
    ]);
  });

  it('opens no incident, for nothing of it is verified later', async () => {
    const fn = await start();

    await days(fn, [500, 500]);

    expect(fn.outcomes.map(({ incidentId }) => incidentId)).toEqual([null, null]);
    expect(fake.sqs.nextAt(fn.inbox)).toBeUndefined();
  });
});

describe('check-site', () => {
  it('checks nothing where no site is listed', async () => {
    const fn = await start({ SITES: 'none' });

    expect(await fn.invoke(tick())).toMatchObject({ outcomes: [], failures: [] });
  });

  it('tells of nothing while it is switched off', async () => {
    const fn = await start({ MODE: 'off' });

    await days(fn, [500, 500]);

    expect(fn.outcomes.map(({ reason }) => reason)).toEqual(['mode-off', 'mode-off']);
    expect(fake.sns.published).toEqual([]);
  });

  it('does not ask a local address unless that is allowed', async () => {
    const fn = await start({ SITE_LOCAL_ADDRESSES: 'refuse' });

    await days(fn, [200]);

    expect(fn.outcomes[0]?.why).toContain('127.0.0.1 is a local address');
  });

  it('says of a site that is asked about how it is, and remembers nothing of it', async () => {
    const fn = await start();
    const explain = (resource: string) => ({ source: 'reflex', 'detail-type': 'Explain', detail: { resource } });

    status = 500;
    const failing = await fn.invoke(explain(site));
    const other = await fn.invoke(explain('https://other.example/'));

    expect(failing).toMatchObject({ outcomes: [{ resource: site, reason: 'site-failed-once' }], failures: [] });
    expect(other).toMatchObject({ outcomes: [{ reason: 'not-opted-in' }], failures: [] });
    expect(await history(fn)).toEqual([]);
  });

  it('is woken by nothing but its schedule', async () => {
    const fn = await start();

    expect(await fn.invoke(alarmEvent())).toMatchObject({ outcomes: [], notForUs: { 'not-a-schedule': 1 } });
  });
});
