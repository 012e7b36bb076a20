import type { Observed, Watch } from '../../shared/function.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import type { SiteMeter } from '../../shared/telemetry/site-metrics.ts';
import type { Answer, SiteFacts } from './facts.ts';
import type { Policy, Site } from './policy.ts';
import { problemsOf } from './problems.ts';

/** Asks every site at once, and measures what it answers. A URL that is not listed is no site. */
export const observe = (
  policy: Policy,
  ask: (site: Site) => Promise<Answer>,
  meter: SiteMeter,
  clock: () => number,
): ((watches: readonly Watch[]) => Promise<ReadonlyMap<string, Observed<SiteFacts>>>) => {
  const check = async (url: string): Promise<Observed<SiteFacts>> => {
    const site = policy.sites?.find((listed) => listed.url === url);
    if (site === undefined) {
      return { decision: { kind: 'skip', reason: 'not-opted-in', why: `${url} is not listed.` } };
    }
    const asOf = clock();
    const answer = await ask(site);
    meter.checked(url, { ...answer, well: problemsOf(answer, policy).length === 0 }, asOf);
    return { facts: { asOf, url, tags: { [OPT_IN_TAG]: 'true' }, ...answer } };
  };
  return async (watches) =>
    new Map(await Promise.all(watches.map(async ({ resource }) => [resource, await check(resource)] as const)));
};
