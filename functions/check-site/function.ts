import type { ReflexFunction } from '../../shared/function.ts';
import type { SiteMeter } from '../../shared/telemetry/site-metrics.ts';
import { act } from './act.ts';
import { isLocal } from './addresses.ts';
import { decide } from './decide.ts';
import type { SiteFacts } from './facts.ts';
import { observe } from './observe.ts';
import { type Policy, stackPolicy } from './policy.ts';
import { probe } from './probe.ts';

/** A whole check, redirects included; a site's own latency limit is lower. */
const TIMEOUT_MS = 15_000;

/**
 * Checks sites on a schedule: status, latency, certificate, body. Changes nothing; tells people of what changed.
 * `trusted`: certificates of authorities to trust beside the usual ones, PEM.
 * @throws SettingError for a wrong environment variable.
 */
export const checkSite = (
  env: NodeJS.ProcessEnv,
  clock: () => number,
  meter: SiteMeter,
  trusted?: string,
): ReflexFunction<SiteFacts, Policy, never> => {
  const stack = stackPolicy(env);
  const options = {
    clock,
    timeoutMs: TIMEOUT_MS,
    refuses: stack.localAddresses === 'allow' ? () => false : isLocal,
    ...(trusted !== undefined && { trusted }),
  };
  return {
    name: 'check-site',
    onGuardError: 'stop',
    hear: async (events) => events.map(() => ({ notForUs: 'not-a-schedule' })),
    sweep: async () => (stack.sites ?? []).map(({ url }) => url),
    observe: observe(stack, (site) => probe(site, options), meter, clock),
    policy: () => stack,
    decide,
    act,
  };
};
