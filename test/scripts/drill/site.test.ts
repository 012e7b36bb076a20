import { expect, it } from 'vitest';
import { stackPolicy } from '../../../functions/check-site/policy.ts';
import { startSites } from '../../../scripts/drill/site.ts';

it('the sites are ones that check-site takes; one can be broken, and keeps account', async () => {
  const { shop, blog, answer, given } = await startSites();
  const { sites } = stackPolicy({ SITES: `${shop} ${blog}` });

  const well = await (await fetch(shop)).text();
  answer(503);
  const broken = await fetch(shop);
  const neighbour = await fetch(blog);

  expect(sites?.map(({ url }) => url)).toEqual([shop, blog]);
  expect(well).toBe(sites?.[0]?.contains);
  expect(broken.status).toBe(503);
  expect(await broken.text()).not.toContain(sites?.[0]?.contains);
  expect(neighbour.status).toBe(200);
  expect(given).toEqual([200, 503]);
});
