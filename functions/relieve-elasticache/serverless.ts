import { type Decision, defer, escalate, skip } from '../../shared/decision.ts';
import { commandLine, recentEvents, setTag } from './commands.ts';
import type { ServerlessSituation } from './facts.ts';
import { dataMissing, pace } from './plan.ts';
import type { Policy } from './policy.ts';
import type { ElastiCacheCall } from './remedies.ts';
import { duration, isFromBefore, notInService, rememberedOf } from './view.ts';

const MINUTE = 60_000;
const COOL_DOWN = 10 * MINUTE;
/** Share of the limit in use from which the limit is what throttles. */
const NEAR_LIMIT = 0.8;
/** The limit is raised by half. */
const STEP = 1.5;
/** ECPU per second that ElastiCache takes for a limit. */
const LEAST = 1_000;
const MOST = 15_000_000;

/** A serverless cache scales by itself: the only thing to do is to raise the limit somebody has set. */
export const decideServerless = (
  facts: ServerlessSituation,
  policy: Policy,
  now: number,
): Decision<ElastiCacheCall> => {
  const memory = rememberedOf(facts);
  const { change, ...kept } = memory;
  if (facts.status === 'deleting') return skip('cache-gone', `${facts.id} is being deleted.`);
  if (facts.status !== 'available') {
    return ['creating', 'modifying'].includes(facts.status)
      ? defer('not-available', now + MINUTE, `${facts.id} is ${facts.status}.`, notInService(memory))
      : escalate(
          'unexpected-state',
          `The status of ${facts.id} is "${facts.status}".`,
          `What has happened: ${recentEvents(facts)}`,
        );
  }
  if (change !== undefined && isFromBefore(facts, change)) {
    return defer('changing', now + MINUTE, `${change.says}: called for ${duration(now - change.at)} ago.`);
  }
  if (change !== undefined && change.availableSince === undefined) {
    return defer('measuring', now + 3 * MINUTE, `${facts.id} is available again with ${change.says}; it is measured.`, {
      ...memory,
      change: { ...change, availableSince: now },
    });
  }
  const since = Math.max(now - 10 * MINUTE, change?.availableSince ?? 0);
  const refusals = facts.throttled.filter(([at]) => at >= since);
  const usage = facts.ecpuPerSecond.filter(([at]) => at >= since);
  if (refusals.length === 0 && usage.length === 0) {
    const why = `Nothing is published of ${facts.id} in the last ${duration(now - since)}.`;
    return dataMissing(facts, now, why);
  }
  const throttled = sum(refusals);
  if (throttled === 0) {
    if (facts.ledger.incident !== null) {
      return skip('resolved', `No command of ${facts.id} is throttled any more.`, kept);
    }
    return skip('not-saturated', `No command of ${facts.id} was throttled in the last ten minutes.`);
  }
  if (usage.length === 0) {
    return escalate(
      'serverless-throttled',
      `${throttled.toLocaleString('en-US')} commands throttled; ElastiCacheProcessingUnits are not published, so whether a limit holds it back is not known.`,
      `What has happened: ${recentEvents(facts)}`,
    );
  }
  const used = Math.max(...usage.map(([, value]) => value));
  const { ecpuMaximum: maximum, ecpuMinimum: minimum } = facts;
  const seen = `${throttled.toLocaleString('en-US')} commands throttled at ${Math.round(used).toLocaleString('en-US')} ECPU/s`;
  if (maximum === null || used < NEAR_LIMIT * maximum) {
    // A person's own minimum is never lowered.
    const ahead =
      minimum !== null && minimum >= used
        ? `. It keeps ${minimum.toLocaleString('en-US')} ready. What has happened: ${recentEvents(facts)}`
        : `, or before a known peak set the least it keeps ready, which is billed: ${commandLine(limits(facts.id, maximum, Math.max(LEAST, Math.ceil(used))))}`;
    return escalate(
      'serverless-throttled',
      `${seen}; ${maximum === null ? 'no ECPU limit is set' : `the limit of ${maximum.toLocaleString('en-US')} is not what holds it back`}.`,
      `A serverless cache doubles within 10 to 12 minutes at most: spread a hot key${ahead}`,
    );
  }
  const raised = Math.min(Math.ceil(STEP * maximum), policy.maxEcpuPerSecond);
  if (raised <= maximum) {
    return escalate(
      'at-limits',
      `${seen}, at its limit of ${maximum.toLocaleString('en-US')}; reflex:max-ecpu-per-second is ${policy.maxEcpuPerSecond.toLocaleString('en-US')}.`,
      maximum < MOST
        ? `Lower the load, or allow more: ${setTag(facts, 'max-ecpu-per-second', Math.min(MOST, Math.ceil(STEP * maximum)))}`
        : 'Lower the load, or spread it over several caches; no cache takes more. Their quotas: aws service-quotas list-service-quotas --service-code elasticache',
    );
  }
  const call = limits(facts.id, raised, minimum);
  const why = `${seen}, at the limit that was set: ${maximum.toLocaleString('en-US')} -> ${raised.toLocaleString('en-US')} ECPU/s.`;
  if (!policy.allow.includes('serverless-limit')) {
    return escalate(
      'serverless-limit',
      `${why} Not allowed by itself: reflex:allow does not list serverless-limit.`,
      commandLine(call),
    );
  }
  return {
    kind: 'act',
    reason: 'serverless-limit',
    why,
    calls: [call],
    ...pace(memory, facts.ledger.lastActAt, COOL_DOWN),
    remember: {
      ...memory,
      change: {
        kind: 'serverless-limit',
        says: `a limit of ${raised.toLocaleString('en-US')} ECPU/s`,
        at: now,
        node: null,
        cpu: null,
      },
      changedAt: now,
    },
  };
};

const limits = (name: string, maximum: number | null, minimum: number | null): ElastiCacheCall => ({
  call: 'ModifyServerlessCache',
  params: {
    ServerlessCacheName: name,
    CacheUsageLimits: {
      ECPUPerSecond: { ...(maximum !== null && { Maximum: maximum }), ...(minimum !== null && { Minimum: minimum }) },
    },
  },
});

const sum = (points: ServerlessSituation['throttled']): number => points.reduce((total, [, value]) => total + value, 0);
