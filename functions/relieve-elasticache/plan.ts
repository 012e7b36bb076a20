import {
  type Act,
  type Decision,
  type Defer,
  defer,
  type Escalate,
  escalate,
  type Skip,
  skip,
} from '../../shared/decision.ts';
import type { Reason } from '../../shared/reasons.ts';
import { commandLine, listTypes, recentEvents } from './commands.ts';
import type { CacheSituation, Change, Memory } from './facts.ts';
import { type ElastiCacheCall, type Impossible, isPossible, type Remedy } from './remedies.ts';
import { cameToNothing, heat, hottest, percent, rememberedOf, type View } from './view.ts';
import { maintenanceEnds, snapshotEnds } from './windows.ts';

const MINUTE = 60_000;
/** Between two changes, AWS's own default for scaling out. */
const COOL_DOWN = 10 * MINUTE;
const LOOK_AGAIN = 15 * MINUTE;
/** Above this engine use AWS advises against resharding: it costs the hot shard more CPU first. */
const RESHARD_BELOW = 80;

/** What was found, and in which words. */
export interface Finding {
  readonly reason: Reason;
  readonly why: string;
}

/**
 * The first remedy that is possible, as far as it is allowed: one call, or why not and the exact call that a person would approve.
 * Where none is possible a person is told of all limits met.
 */
export const plan = (
  view: View,
  found: Finding,
  remedies: readonly (Remedy | Impossible)[],
  elsewise: (limits: string, unless: string) => Escalate = (limits, unless) =>
    escalate('at-limits', `${found.why} Nothing is possible: ${limits}.`, `Lower the load, or lift a limit. ${unless}`),
): Decision<ElastiCacheCall> => {
  const index = remedies.findIndex(isPossible);
  const remedy = remedies[index];
  const met = remedies.slice(0, index === -1 ? undefined : index).flatMap((each) => (isPossible(each) ? [] : [each]));
  const limits = met.map(({ because }) => because).join('; ');
  if (remedy === undefined || !isPossible(remedy)) {
    const unread = askedAgain(view, `${found.why} Not possible: ${limits}.`);
    if (unread !== undefined) return unread;
    return elsewise(limits, met.find(({ unless }) => unless !== undefined)?.unless ?? listTypes(view.facts));
  }
  const why = limits === '' ? found.why : `${found.why} Not possible: ${limits}.`;
  return gated(view, { reason: view.onlyManaged ? 'traffic-managed' : found.reason, why }, remedy);
};

/** Node types that could not be read are no limit: they are asked for again for a quarter of an hour, by the schedule at its next turn. */
const askedAgain = ({ facts, now }: View, why: string): Defer | undefined =>
  facts.allowedTypes !== null || waitedEnough(facts, now) ? undefined : defer('observe-failed', now + 2 * MINUTE, why);

/** A quarter of an hour; what the schedule alone has found is not waited for by any incident, and has waited. */
const waitedEnough = ({ trigger, ledger: { incident } }: CacheSituation, now: number): boolean =>
  incident === null ? trigger === 'tick' : now - incident.openedAt >= LOOK_AGAIN;

/** No evidence is none of calm: after an alarm or a change it is waited for, and after a quarter of an hour a person is told. */
export const dataMissing = (facts: CacheSituation, now: number, why: string): Skip | Defer | Escalate => {
  const { incident } = facts.ledger;
  if (incident === null && facts.trigger !== 'alarm') return skip('metrics-missing', why);
  const { change } = rememberedOf(facts);
  const since = change === undefined ? (incident?.openedAt ?? now) : (change.availableSince ?? now);
  return now - since >= LOOK_AGAIN
    ? escalate(
        'metrics-missing',
        why,
        `${change === undefined ? 'An alarm has fired' : `Whether it helped is not known: ${change.says}`}. What has happened: ${recentEvents(facts)}`,
      )
    : defer('metrics-missing', now + 2 * MINUTE, why);
};

const gated = (view: View, found: Finding, remedy: Remedy): Decision<ElastiCacheCall> => {
  const { facts, policy } = view;
  const plan = `${found.why} Remedy: ${remedy.call.call}, ${remedy.says}.`;
  const approve = commandLine(remedy.call);
  if (facts.globalReplicationGroupId !== null && remedy.kind !== 'replicas') {
    return escalate(
      'global-datastore',
      `${plan} The group belongs to global datastore ${facts.globalReplicationGroupId}, which changes shards and node types as a whole.`,
      globalAdvice(facts.globalReplicationGroupId, remedy.call, facts.shards.length),
    );
  }
  const owner = remedy.kind === 'replicas' ? 'Replicas' : remedy.kind === 'shards' ? 'NodeGroups' : null;
  if (owner !== null && facts.autoscaled.includes(owner)) return autoscaled(view, plan, owner);
  if (view.reportOnly) {
    return escalate(
      'warning-level',
      `Above 65 %, below 90 %: nothing is changed yet. ${plan}`,
      `To do it now (reflex:act-at = warning would have it done): ${approve}`,
    );
  }
  if (facts.pending !== null && remedy.kind === 'node-type') {
    return escalate(
      'pending-modification',
      `${plan} But ${facts.pending} waits for the maintenance window, and ApplyImmediately would apply it too.`,
      `Apply or withdraw the pending change first; then: ${approve}`,
    );
  }
  if (!policy.allow.includes(remedy.kind)) {
    return escalate(found.reason, `${plan} Not allowed by itself: reflex:allow does not list ${remedy.kind}.`, approve);
  }
  if (remedy.kind === 'shards') {
    const top = hottest(view.nodes)?.now ?? 0;
    if (top > RESHARD_BELOW && policy.reshardAbove80 === 'false') {
      return escalate(
        'reshard-above-80',
        `${plan} At ${percent(top)} moving slots would make it worse first; AWS advises to reshard below ${RESHARD_BELOW} %.`,
        `When the load is lower, or at once at your own risk (reflex:reshard-above-80 = true would have it done): ${approve}`,
      );
    }
  }
  const waits = remedy.kind === 'replicas' ? undefined : inWindow(view, plan);
  if (waits?.reason === 'observe-failed' && waitedEnough(facts, view.now)) {
    return escalate('observe-failed', waits.why, `Where neither is under way: ${approve}`);
  }
  return waits ?? change(view, found.reason, plan, remedy);
};

/** Application Auto Scaling gets a quarter of an hour; then a person hears what it did not mend. */
const autoscaled = ({ facts, now }: View, plan: string, dimension: string): Defer | Escalate => {
  const why = `${plan} Application Auto Scaling owns ${dimension} of this group, so they are left to it.`;
  return waitedEnough(facts, now)
    ? escalate(
        'native-autoscaler',
        why,
        `It averages all shards, so a hot one is hidden. Look at its limits and target: aws application-autoscaling describe-scaling-policies --service-namespace elasticache --resource-id replication-group/${facts.id}`,
      )
    : defer('native-autoscaler', now + LOOK_AGAIN, why);
};

/** Changes of shards and node types wait for maintenance, service updates and snapshots to be over. */
export const inWindow = ({ facts, now }: View, plan: string): Defer | undefined => {
  const later = (until: number, because: string, reason: Reason = 'maintenance-window'): Defer =>
    defer(reason, until, `${plan} It waits: ${because}.`);
  if (facts.maintenanceWindow === null || facts.updating === null) {
    return later(now + LOOK_AGAIN, 'the maintenance window or service updates could not be read', 'observe-failed');
  }
  if (facts.updating) return later(now + LOOK_AGAIN, 'a service update is being applied');
  const maintained = maintenanceEnds(facts.maintenanceWindow, now);
  if (maintained !== null) return later(maintained + MINUTE, `maintenance window ${facts.maintenanceWindow}`);
  const snapshot = snapshotEnds(facts.snapshotWindow, now);
  return snapshot === null ? undefined : later(snapshot + MINUTE, `snapshot window ${facts.snapshotWindow}`);
};

/** The act, and what is to be found again when it is verified. */
export const change = (
  view: View,
  reason: Reason,
  why: string,
  remedy: Remedy,
  coolDown: number = COOL_DOWN,
): Act<ElastiCacheCall> => {
  const { facts, now, memory } = view;
  const top = hottest(view.hot);
  const again = cameToNothing(view)
    ? ` The last time no node came; what happened instead: ${recentEvents(facts)}.`
    : '';
  const made: Change = {
    kind: remedy.kind,
    says: remedy.says,
    at: now,
    node: top?.id ?? null,
    cpu: top?.now ?? null,
    ...(remedy.call.call === 'IncreaseReplicaCount' && { nodes: facts.nodes.map(({ id }) => id) }),
  };
  return {
    kind: 'act',
    reason,
    why: `${why}${again}`,
    calls: [remedy.call],
    ...pace(memory, facts.ledger.lastActAt, coolDown),
    remember: { ...memory, ...remedy.adds, change: made, changedAt: now },
  };
};

/**
 * The cool-down counts from the last change that AWS took: an attempt that found no capacity, or a busy group, changed nothing,
 * needs no pause and is no remedy that failed.
 */
export const pace = (
  { changedAt }: Memory,
  lastActAt: number | null,
  coolDown: number,
): { coolDownMs: number; planned: boolean } => {
  const attempted = lastActAt ?? Number.NEGATIVE_INFINITY;
  const changed = changedAt ?? Number.NEGATIVE_INFINITY;
  return {
    coolDownMs:
      changedAt === undefined || lastActAt === null
        ? 0
        : Math.min(coolDown, Math.max(0, changedAt + coolDown - lastActAt)),
    // The act is recorded within its lease of four minutes after it was decided.
    planned: attempted > changed + 4 * MINUTE,
  };
};

const globalAdvice = (id: string, { call, params }: ElastiCacheCall, shards: number): string => {
  const command = (verb: string, ...options: readonly string[]) =>
    [
      `In the primary Region: aws elasticache ${verb}-global-replication-group --global-replication-group-id ${id} --apply-immediately`,
      ...options,
    ].join(' ');
  if (call !== 'ModifyReplicationGroupShardConfiguration') {
    return command('modify', ...('CacheNodeType' in params ? [`--cache-node-type ${params.CacheNodeType}`] : []));
  }
  return params.NodeGroupCount === shards
    ? command('rebalance-slots-in')
    : command('increase-node-groups-in', `--node-group-count ${params.NodeGroupCount}`);
};

/** For a finding that starts with how hot it is. */
export const found = (view: View, reason: Reason, why: string): Finding => ({ reason, why: `${heat(view)}. ${why}` });
