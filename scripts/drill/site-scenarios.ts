import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { momentsOf, patiently, react } from './reaction.ts';
import type { Scenario } from './scenario.ts';
import type { ListView } from './story.ts';
import { annotated, everySpan } from './trace.ts';
import { tick } from './trouble.ts';
import { putIntoInbox, recordsSince, type World } from './world.ts';

const fn = 'check-site';

const siteDown: Scenario = {
  id: 'site-down',
  fn,
  title: 'A site that fails, and recovers',
  shows: "One failure is often the network's; two in a row are told, once, and so is the recovery.",
  async run(world, { note }) {
    const { sites } = world;
    const resource = sites.shop;
    const key = { fn, resource };
    const begun = Date.now();
    const givenBefore = sites.given.length;
    const notifications = () => viewTold(world, resource);
    const sendTick = () => putIntoInbox(world, 'CheckSiteInbox', [tick()]);
    /** Sends a tick and waits until the shop has been checked. */
    const checked = async (what: string): Promise<void> => {
      note(what);
      const times = checksOf(world, resource);
      await sendTick();
      await patiently(20, () => checksOf(world, resource) > times || undefined);
    };

    await checked('the site is well');
    sites.answer(503);
    const brokenAt = Date.now();
    await checked('it fails once');
    note('it fails twice');
    const reaction = await react(world, {
      arn: resource,
      fn,
      operation: 'Publish',
      view: notifications,
      settled: ({ parts }) => parts.length === 1,
      make: sendTick,
    });
    await checked('it still fails');
    const whileDown = await notifications();
    sites.answer(200);
    await checked('it is well again');
    const after =
      (await patiently(10, async () => {
        const view = await notifications();
        return view.parts.length > whileDown.parts.length ? view : undefined;
      })) ?? whileDown;

    const records = await recordsSince(world, key, brokenAt);
    const told = (await world.told()).filter(({ subject }) => subject.includes(resource));
    const up = await siteUp(world, resource, begun);
    const given = sites.given.slice(givenBefore);
    return {
      event: 'SQS: the tick that the schedule sends every five minutes, the second since the site answers 503',
      reaction: { ...reaction, after },
      moments: momentsOf('The site begins to answer 503', brokenAt, records),
      checks: [
        { what: 'SNS: the first failure is not told', ok: reaction.before.parts.length === 0 },
        {
          what: 'SNS: the second is, with what was found: answered 503',
          ok: told[0]?.subject.includes('(site-failing)') === true && told[0].text.includes('answered 503'),
        },
        { what: 'SNS: the third is not told again', ok: whileDown.parts.length === 1 },
        {
          what: 'SNS: the recovery is told',
          ok: told.length === 2 && told[1]?.subject.includes('(resolved)') === true,
        },
        {
          what: 'SNS: of the other site, which is well, nothing is told',
          ok: (await viewTold(world, sites.blog)).parts.length === 0,
        },
        {
          what: `The site's own log: ${given.length} requests, answered ${given.join(', ')}`,
          ok: given.length >= 5,
        },
        {
          what: `CloudWatch Logs: the metric SiteUp was ${up.join(', ')}`,
          ok: up.join() === given.map((status) => (status === 200 ? 1 : 0)).join(),
        },
      ],
    };
  },
};

export const siteScenarios: readonly Scenario[] = [siteDown];

/** How often a site has been checked: traces of it whose last step has arrived. */
function checksOf({ receiver }: World, site: string): number {
  const looks = annotated(receiver.traces(), 'resource', site);
  return looks.filter(({ spans }) => everySpan(spans).some(({ name }) => name === 'record')).length;
}

/** What people were told of a site. */
async function viewTold(world: World, site: string): Promise<ListView> {
  const told = (await world.told()).filter(({ subject }) => subject.includes(site));
  return {
    noun: 'notification',
    parts: told.map(({ subject }, index) => ({ id: String(index + 1), says: subject.replace(`${site} `, '') })),
  };
}

/** The values of the metric SiteUp, oldest first, as the function printed them for CloudWatch. */
async function siteUp({ aws }: World, site: string, since: number): Promise<number[]> {
  const { events = [] } = await aws.logs.send(
    new FilterLogEventsCommand({ logGroupName: '/aws/lambda/reflex-check-site', startTime: since }),
  );
  return events.flatMap(({ message = '' }) => {
    const line = message.startsWith('{') ? JSON.parse(message) : {};
    return line.site === site && typeof line.SiteUp === 'number' ? [line.SiteUp as number] : [];
  });
}
