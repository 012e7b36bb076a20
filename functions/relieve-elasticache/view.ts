import type { CacheNode, CacheSituation, Change, GroupFacts, GroupSituation, Memory, Series } from './facts.ts';
import { engineUse, type Level, levelOf, median, useNow, type Work, workOf } from './load.ts';
import { creditBaseline } from './node-types.ts';
import type { Policy } from './policy.ts';
import { isOurs, replicasIn } from './remedies.ts';

/** One node, judged. */
export interface NodeView extends CacheNode {
  /** Engine use since the last change, % of one core. */
  readonly use: Series;
  readonly level: Level;
  /** Mean of the newest points, %. */
  readonly now: number | null;
  /** A burstable node without credits, held to its baseline: no CPU threshold is ever reached. */
  readonly creditless: boolean;
}

/** What every rule looks at: the facts, and what follows from them by arithmetic. */
export interface View {
  readonly facts: GroupSituation;
  readonly policy: Policy;
  /** Epoch ms. */
  readonly now: number;
  readonly memory: Memory;
  readonly nodes: readonly NodeView[];
  /** The worst of the nodes. */
  readonly level: Level;
  /** Nodes at that level, where it is more than calm. */
  readonly hot: readonly NodeView[];
  /** Saturated, and only TrafficManagementActive says so. */
  readonly onlyManaged: boolean;
  /** The warning level, at which this cache is only reported. */
  readonly reportOnly: boolean;
  /** Ids of shards whose hot primary stands out from the median of all primaries. */
  readonly hotShards: readonly string[];
}

/** CPUUtilization at 90 % of the baseline with no credit left. */
const HELD_TO_BASELINE = 0.9;
const NO_CREDIT = 1;
/** A hot primary stands out at this many times the median of primaries, and at least this many points above it. */
const STANDS_OUT = 1.5;
const STANDS_OUT_BY = 15;

export const look = (facts: GroupSituation, policy: Policy, now: number): View => {
  const memory = recollected(facts);
  const nodes = facts.nodes.map((node) => judged(node, facts, memory.change));
  const alarming = nodes.filter((node) => node.level === 'saturated' || node.creditless || node.load.trafficManaged);
  const level = alarming.length > 0 ? 'saturated' : worst(nodes);
  const hot =
    alarming.length > 0 ? alarming : level === 'warning' ? nodes.filter((node) => node.level === 'warning') : [];
  return {
    facts,
    policy,
    now,
    memory,
    nodes,
    level,
    hot,
    onlyManaged: alarming.length > 0 && alarming.every((node) => node.level !== 'saturated' && !node.creditless),
    reportOnly: level === 'warning' && policy.actAt !== 'warning',
    hotShards: facts.clusterMode === 'enabled' ? standOuts(nodes, hot) : [],
  };
};

/** What is under way; undefined: nothing. */
export const occupied = (facts: GroupFacts): string | undefined => {
  if (facts.resharding) return 'resharding';
  if (facts.status !== 'available') return facts.status;
  const shard = facts.shards.find(({ status }) => status !== 'available');
  if (shard !== undefined) return `shard ${shard.id} is ${shard.status}`;
  return facts.members === facts.nodes.length ? undefined : `${facts.members} members, ${facts.nodes.length} in shards`;
};

const AN_ACT = 30_000;

/** Another invocation's change may have been read of beside facts from before it: these say nothing about it yet. */
export const isFromBefore = ({ asOf }: CacheSituation, change: Change): boolean => asOf < change.at + AN_ACT;

/** A cache may be seen available before a change begins: then what was measured since is of before. Undefined: nothing was. */
export const notInService = ({ change, ...kept }: Memory): Memory | undefined => {
  if (change?.availableSince === undefined) return undefined;
  const { availableSince: _, ...awaited } = change;
  return { ...kept, change: awaited };
};

/** Creation is told by AWS's clock, a change by Lambda's. */
const CLOCKS_APART = 15 * 60_000;

/** What is remembered. A change is verified until its incident ends, however it ends: by a refusal or an opt-out, too. */
export const rememberedOf = ({ ledger: { incident, remembered } }: CacheSituation): Memory => {
  const memory: Memory = remembered;
  if (incident !== null || memory.change === undefined) return memory;
  const { change: _, ...kept } = memory;
  return kept;
};

/**
 * What is remembered and still holds: nothing of an earlier group of the same name, and no count that somebody else has set anew. A
 * change that is being verified may not have come yet.
 */
export const recollected = (facts: GroupSituation): Memory => {
  const memory = rememberedOf(facts);
  const { createdAt } = facts;
  if (createdAt !== null && memory.changedAt !== undefined && memory.changedAt < createdAt - CLOCKS_APART) return {};
  if (memory.change !== undefined || occupied(facts) !== undefined) return memory;
  const { addedReplicas = {}, addedShards, ...rest } = memory;
  const all = Object.entries(addedReplicas);
  const ours = all.filter(([shard, added]) => isOurs(added, replicasIn(facts, shard)));
  const shardsAreOurs = isOurs(addedShards, facts.shards.length);
  if (ours.length === all.length && (shardsAreOurs || addedShards === undefined)) return memory;
  return {
    ...rest,
    ...(ours.length > 0 && { addedReplicas: Object.fromEntries(ours) }),
    ...(shardsAreOurs && { addedShards }),
  };
};

const judged = (node: CacheNode, { vcpus, nodeType }: GroupSituation, change: Change | undefined): NodeView => {
  const since = change?.availableSince ?? Number.NEGATIVE_INFINITY;
  const use = vcpus === null ? [] : engineUse(node.load, vcpus).filter(([at]) => at >= since);
  const baseline = creditBaseline(nodeType);
  const cpu = useNow(node.load.cpu);
  const { credits } = node.load;
  return {
    ...node,
    use,
    level: levelOf(use),
    now: useNow(use),
    creditless:
      baseline !== null &&
      credits !== null &&
      credits <= NO_CREDIT &&
      cpu !== null &&
      cpu >= HELD_TO_BASELINE * baseline,
  };
};

/** Nodes without data are left out, unless there is nothing else. */
const worst = (nodes: readonly NodeView[]): Level =>
  (['saturated', 'warning', 'calm'] as const).find((level) => nodes.some((node) => node.level === level)) ?? 'unknown';

const standOuts = (nodes: readonly NodeView[], hot: readonly NodeView[]): string[] => {
  const primaries = nodes.filter(({ role, now }) => role === 'primary' && now !== null);
  const middle = median(primaries.map(({ now }) => now ?? 0));
  if (primaries.length < 2 || middle === null) return [];
  return hot
    .filter(({ role, now }) => role === 'primary' && now !== null)
    .filter(({ now }) => (now ?? 0) >= STANDS_OUT * middle && (now ?? 0) - middle > STANDS_OUT_BY)
    .map(({ shard }) => shard);
};

export const hotPrimaries = ({ hot }: View): NodeView[] => hot.filter(({ role }) => role === 'primary');

/** Ids of the shards these nodes are in, each once. */
export const shardsOf = (nodes: readonly NodeView[]): string[] => [...new Set(nodes.map(({ shard }) => shard))];

export const replicasOf = ({ nodes }: View, shard: string): NodeView[] =>
  nodes.filter((node) => node.shard === shard && node.role === 'replica');

/** What all of these nodes spend their time on; where they differ, mixed. */
export const workOfAll = (nodes: readonly NodeView[]): Work => {
  const [first, ...others] = nodes.map(({ load }) => workOf(load));
  return first === undefined ? 'unknown' : others.every((work) => work === first) ? first : 'mixed';
};

const reads = (nodes: readonly NodeView[]): number =>
  nodes.reduce((total, { load }) => total + (load.commands.GetTypeCmds?.perMinute ?? 0), 0);

/** Share of a shard's reads that these nodes of it serve; null: it has none. */
export const readShareOf = ({ nodes }: View, shard: string, some: readonly NodeView[]): number | null => {
  const all = reads(nodes.filter((node) => node.shard === shard));
  return all === 0 ? null : reads(some.filter((node) => node.shard === shard)) / all;
};

/** Replicas that serve less of a shard's reads than this are not read from. */
export const READS_SERVED = 0.05;

/** Whether one of its shard serves next to none of the reads. */
export const isUnread = (view: View, replica: NodeView): boolean =>
  (readShareOf(view, replica.shard, [replica]) ?? 0) < READS_SERVED;

/** Replicas that Reflex added to a shard, and that clients still do not read from. */
export const addedInVain = (view: View, shard: string): NodeView[] =>
  replicasOf(view, shard).filter((node) => view.memory.unread?.includes(node.id) && isUnread(view, node));

/** Whether clients would read from one replica more: because they read from those there are, or because it is known. */
export const readsReachReplicas = (view: View, shard: string): boolean => {
  const { readsOffloaded } = view.policy;
  const replicas = replicasOf(view, shard);
  if (readsOffloaded === 'false' || addedInVain(view, shard).length > 0) return false;
  if (replicas.length === 0) return readsOffloaded === 'true';
  return (readShareOf(view, shard, replicas) ?? 0) >= READS_SERVED;
};

/** Seconds a replica may be behind. */
const LAG = 5;

/** A shard that is written to and whose replicas do not keep up. */
export const lags = (view: View, shard: string): boolean =>
  replicasOf(view, shard).some(({ load }) => (load.replicationLag ?? 0) > LAG) &&
  view.nodes.some(({ shard: own, load }) => own === shard && (load.commands.SetTypeCmds?.perMinute ?? 0) > 0);

/** A replica was asked for, and none has come: AWS took the call and failed later, for want of an address, say. */
export const cameToNothing = ({ facts, memory: { change } }: View): boolean =>
  change?.nodes !== undefined && facts.nodes.every(({ id }) => change.nodes?.includes(id));

/** The hottest node; undefined: nothing is known of any. */
export const hottest = (nodes: readonly NodeView[]): NodeView | undefined =>
  nodes.filter(({ now }) => now !== null).sort((a, b) => (b.now ?? 0) - (a.now ?? 0))[0];

// --- Words ---

export const percent = (value: number): string => `${Math.round(value)} %`;
export const duration = (ms: number): string =>
  ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;

/** How hot which nodes are, with the metric it was judged by. */
export const heat = ({ facts, hot, nodes }: View): string => {
  const shown = hot.length > 0 ? hot : nodes;
  const first = [...shown].sort((a, b) => (b.now ?? 0) - (a.now ?? 0)).slice(0, 3);
  const more = shown.length > first.length ? ` and ${shown.length - first.length} more` : '';
  const small = facts.vcpus !== null && facts.vcpus <= 2;
  const each = first.map(({ id, role, now, load }) => {
    const managed = load.trafficManaged ? ', TrafficManagementActive' : '';
    return `${id} (${role ?? 'role unknown'}${managed}) ${now === null ? '?' : percent(now)}`;
  });
  return `Engine core in use: ${each.join(', ')}${more}${small ? `, by CPUUtilization x ${facts.vcpus} vCPU` : ''}`;
};
