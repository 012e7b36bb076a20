import { type Decision, skip } from '../../shared/decision.ts';
import type { Added } from './facts.ts';
import { engineHour } from './load.ts';
import { creditBaseline } from './node-types.ts';
import { change, inWindow } from './plan.ts';
import { type ElastiCacheCall, isOurs, type Remedy, removeReplicas, removeShard, replicasIn } from './remedies.ts';
import { duration, type NodeView, percent, replicasOf, type View } from './view.ts';

const MINUTE = 60_000;
const CALM = 60 * MINUTE;
/** Of the hour's 60 one-minute points, so many have to be there: CloudWatch's newest may be late. */
const MINUTES_SEEN = 55;
/** What a node should carry in its busiest minute, %, and the share of it below which an hour is calm (AWS's own scale-in: 75 % of the target). */
const TARGET = 60;
/** Of the bandwidth that a node has for as long as it likes, %. */
const NETWORK = 100;
const CALM_BELOW = 0.75 * TARGET;
/** Memory that shards may hold after one of them is gone, %: it leaves more free than the 1.5 times its data that AWS asks for. */
const MEMORY_AFTER = 70;

/** One step down after an hour of calm, or why not. Never on missing data. */
export const scaleIn = (view: View): Decision<ElastiCacheCall> => {
  const { facts, policy, now } = view;
  const hours = view.nodes.map(({ load }) => (facts.vcpus === null ? null : engineHour(load, facts.vcpus)));
  const peak = Math.max(...hours.map((hour) => hour?.peak ?? 0));
  if (policy.scaleIn === 'off') return skip('not-saturated', 'No node is saturated, and reflex:scale-in is off.');
  if (facts.clusterMode === 'compatible') {
    return skip('compatible-mode', 'No node is saturated; cluster mode is compatible, in which nothing can be scaled.');
  }
  if (peak > CALM_BELOW) {
    return skip('not-saturated', `The hottest minute of the last hour is ${percent(peak)}, above ${CALM_BELOW} %.`);
  }
  if (hours.some((hour) => hour === null || hour.minutes < MINUTES_SEEN)) {
    return skip(
      'metrics-missing',
      'No node is saturated, but the last hour has gaps; missing data is no evidence of calm.',
    );
  }
  if (view.nodes.some(({ load }) => load.evictionsHour > 0)) {
    return skip('not-calm', 'Keys were evicted within the hour: memory is short.');
  }
  const throttled = view.nodes.find(
    ({ load }) => load.networkExceededMinutes > 0 || (load.networkPeakHour ?? 0) > NETWORK,
  );
  if (throttled !== undefined) {
    return skip(
      'not-calm',
      `The network of ${throttled.id} was at its limit within the hour: fewer nodes would have to carry it.`,
    );
  }
  const seen = `No node was above ${CALM_BELOW} % for an hour (peak ${percent(peak)})`;
  const { changedAt = 0, inServiceAt = 0 } = view.memory;
  const last = Math.max(facts.ledger.lastActAt ?? 0, changedAt, inServiceAt);
  if (now - last < CALM) {
    return skip('cool-down', `${seen}, but the last change is only ${duration(now - last)} old.`);
  }
  const remedy = fewerReplicas(view) ?? fewerShards(view);
  if (remedy === undefined) return skip('nothing-to-remove', `${seen}; ${nothing(view)}.`);
  if (remedy.kind === 'shards') {
    const waits = inWindow(view, `${seen}.`);
    if (waits !== undefined) return skip('maintenance-window', waits.why);
  }
  return change(view, 'scale-in-cache', `${seen}. ${remedy.call.call}: ${remedy.says}.`, remedy, CALM);
};

const nothing = ({ policy }: View): string =>
  policy.scaleIn === 'own'
    ? 'nothing that Reflex added can be taken away (reflex:scale-in = all would look further)'
    : 'nothing can be taken away';

/** One replica of each shard that has one to spare: what is left would stay below the target. */
const fewerReplicas = (view: View): Remedy | undefined => {
  const { facts, policy, memory } = view;
  if (!policy.allow.includes('replicas') || facts.autoscaled.includes('Replicas')) return undefined;
  const floor = Math.max(policy.minReplicas, facts.failover ? 1 : 0);
  const shards = facts.shards
    .map(({ id }) => id)
    .filter((id) => {
      const replicas = replicasIn(facts, id);
      return replicas > floor && mayGo(view, memory.addedReplicas?.[id], replicas) && carriesWithout(view, id);
    });
  return shards.length === 0 ? undefined : removeReplicas(facts, shards, memory);
};

/** Whether one of `count` is Reflex's own, or anything may go. */
const mayGo = ({ policy }: View, added: Added | undefined, count: number): boolean =>
  policy.scaleIn === 'all' || isOurs(added, count);

/**
 * Engine and network of a node in the busiest minute of the hour, each as a share of what it should carry: of a burstable node no more
 * than its credits last for.
 */
const burdens = ({ facts: { vcpus, nodeType } }: View, { load }: NodeView): [engine: number, network: number] => {
  const hour = vcpus === null ? null : engineHour(load, vcpus);
  const lasting = (creditBaseline(nodeType) ?? 100) * (vcpus ?? 0);
  return [(hour?.peak ?? Number.POSITIVE_INFINITY) / Math.min(TARGET, lasting), (load.networkPeakHour ?? 0) / NETWORK];
};

/** The load of one replica goes to the others; of the last one, to the primary. */
const carriesWithout = (view: View, shard: string): boolean => {
  const replicas = replicasOf(view, shard);
  const primary = view.nodes.find((node) => node.shard === shard && node.role === 'primary');
  if (primary === undefined || replicas.length === 0) return false;
  const bearers = replicas.length > 1 ? replicas : [...replicas, primary];
  const [engine, network] = bearers
    .map((node) => burdens(view, node))
    .reduce(([a, b], [engine, network]) => [a + engine, b + network]);
  return Math.max(engine, network) < bearers.length - 1;
};

/** The newest shard, where the others, replicas too, have room for its slots and its memory, and no fewer nodes for its load. */
const fewerShards = (view: View): Remedy | undefined => {
  const { facts, policy, memory } = view;
  const count = facts.shards.length;
  if (count < 2 || facts.globalReplicationGroupId !== null) return undefined;
  if (!policy.allow.includes('shards') || facts.autoscaled.includes('NodeGroups')) return undefined;
  if (!mayGo(view, memory.addedShards, count)) return undefined;
  const primaries = view.nodes.filter(({ role }) => role === 'primary');
  const newest = primaries.map(({ shard }) => shard).sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined || primaries.length < count) return undefined;
  const grown = count / (count - 1);
  const fits = ({ load }: NodeView) => (load.memoryPeakHour ?? Number.POSITIVE_INFINITY) * grown < MEMORY_AFTER;
  const carries = (node: NodeView) => Math.max(...burdens(view, node)) * grown < 1;
  const isSmallest = facts.shards.every(({ id }) => replicasIn(facts, newest) <= replicasIn(facts, id));
  return isSmallest && primaries.every(fits) && view.nodes.every(carries)
    ? removeShard(facts, newest, memory)
    : undefined;
};
