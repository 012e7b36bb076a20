import type { Decision } from '../../shared/decision.ts';
import type { JsonObject } from '../../shared/json.ts';
import { time } from '../../shared/words.ts';
import type { Memory, SiteSituation, Streak } from './facts.ts';
import type { Policy } from './policy.ts';
import { problemsOf } from './problems.ts';

const DAY = 86_400_000;
/** One failure is often the network's. */
const TOLD_AT = 2;
const QUIET: Streak = { failures: 0, since: 0, told: false };

/**
 * Pure: two failures in a row from a quiet state are told, once, and so is the first success after that. The site and its certificate
 * are two questions, each with its own streak; where both have news, the certificate's waits for the next look.
 */
export const decide = (situation: SiteSituation, policy: Policy, now: number): Decision<never> => {
  const { url, certificateExpiresAt, ledger } = situation;
  const before = ledger.remembered as Memory;
  const found = problemsOf(situation, policy);
  const site = counted(before.site, found.length > 0, now);
  const certificate =
    certificateExpiresAt === null
      ? (before.certificate ?? QUIET)
      : counted(before.certificate, certificateExpiresAt - now < policy.certificateDays * DAY, now);

  if (isNews(site)) {
    return {
      kind: 'escalate',
      reason: 'site-failing',
      finding: `failing since ${time(site.since)}`,
      why: `${url}: ${found.join(', ')}; ${site.failures} checks in a row failed since ${time(site.since)}.`,
      advice: 'Look at the site. It is checked on, and you are told when it is well again.',
      remember: memory({ ...site, told: true }, before.certificate),
    };
  }
  if (isOver(site)) {
    const why = `${url} answers again; it failed since ${time(before.site?.since ?? now)}.`;
    const finding = `well since ${time(now)}`;
    return { kind: 'skip', reason: 'resolved', finding, why, remember: memory(QUIET, before.certificate) };
  }
  const expiry = `the certificate of ${url} expires at ${time(certificateExpiresAt ?? now)}`;
  if (isNews(certificate)) {
    return {
      kind: 'escalate',
      reason: 'certificate-expiring',
      finding: `expiring since ${time(certificate.since)}`,
      why: `${expiry}, in less than ${policy.certificateDays} days.`,
      advice: 'Renew the certificate.',
      remember: memory(site, { ...certificate, told: true }),
    };
  }
  if (isOver(certificate)) {
    const why = `${expiry}, no longer in less than ${policy.certificateDays} days.`;
    const finding = `not expiring since ${time(now)}`;
    return { kind: 'skip', reason: 'resolved', finding, why, remember: memory(site, QUIET) };
  }
  const remember = memory(site, certificate);
  if (site.failures === 0) {
    const why = `${url} answered ${situation.status} in ${situation.latencyMs} ms.`;
    return { kind: 'skip', reason: 'site-well', why, remember };
  }
  const why = `${url}: ${found.join(', ')}; ${site.failures} in a row.`;
  return site.told
    ? { kind: 'skip', reason: 'site-still-failing', why, remember }
    : { kind: 'defer', reason: 'site-failed-once', until: now, why: `${why} A second one is told.`, remember };
};

const counted = (before: Streak = QUIET, failed: boolean, now: number): Streak => ({
  failures: failed ? before.failures + 1 : 0,
  since: before.failures === 0 ? now : before.since,
  told: before.told,
});

const isNews = ({ failures, told }: Streak): boolean => failures >= TOLD_AT && !told;
const isOver = ({ failures, told }: Streak): boolean => failures === 0 && told;

const memory = (site: Streak, certificate: Streak = QUIET): JsonObject => ({ site, certificate });
