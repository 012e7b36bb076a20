import { type Decision, defer, escalate, skip } from '../../shared/decision.ts';
import { addressOf, groupAround, listMembers, modify, recentEvents, setTag } from './commands.ts';
import { inWords, isValkeyOrRedis, NEWEST_REDIS } from './engine.ts';
import type { CacheSituation, Family, GroupSituation, Memory } from './facts.ts';
import { dataCommands, SATURATED, share, WARNING } from './load.ts';
import { type Need, offloadsTls } from './node-types.ts';
import { dataMissing, found, plan } from './plan.ts';
import type { Policy } from './policy.ts';
import {
  addReplicas,
  addShards,
  type ElastiCacheCall,
  type Impossible,
  isPossible,
  type Remedy,
  rebalance,
  scaleUp,
} from './remedies.ts';
import { scaleIn } from './scale-in.ts';
import { decideServerless } from './serverless.ts';
import { byCommand } from './slow-log.ts';
import {
  addedInVain,
  cameToNothing,
  duration,
  heat,
  hotPrimaries,
  hottest,
  isFromBefore,
  isUnread,
  lags,
  look,
  type NodeView,
  notInService,
  occupied,
  percent,
  readsReachReplicas,
  recollected,
  rememberedOf,
  replicasOf,
  shardsOf,
  type View,
  workOfAll,
} from './view.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
/** CloudWatch shows a minute some seconds after it has passed. */
const METRIC_DELAY = 15 * SECOND;
/** Five one-minute points after a change: what is judged. */
const MEASURE = 5 * MINUTE;
/** After this long without data points since the change, their absence is judged like any missing metric. */
const MEASURING_AT_MOST = 10 * MINUTE;
/** Clients resolve the reader endpoint anew only when they reconnect. */
const READS_WITHIN = 15 * MINUTE;

/** A script share of the engine, and the mean time of a command (microseconds), that no scaling mends. */
const SCRIPTS = 0.5;
const SLOW = 1_000;
/** A family has to take this share of the engine before its slowness is the cause. */
const MATTERS = 0.1;
/** Traffic up to this many times the usual is not more traffic. */
const USUAL = 1.5;
/** Commands that read or scan whole keys or keyspaces. */
const HEAVY = /^(KEYS|SORT|SMEMBERS|HGETALL|EVAL\w*|FLUSH\w*)$/;
/** Slow log entries in ten minutes that make a pattern. */
const SLOW_ENTRIES = 10;
const SLOW_LOG_TOLD = 10 * MINUTE;
/** New connections a minute: a storm; and one where it is five times the usual. */
const STORM = 5_000;
const STORM_IF_UNUSUAL = 1_000;
const UNUSUAL = 5;
/** A node takes 65,000 connections. */
const CONNECTIONS = 65_000;
const CONNECTIONS_NEAR = 0.8;
const MEMORY_FULL = 90;
/** Of the last five minutes, those with an exceeded allowance that make it more than a burst. */
const NETWORK_MINUTES = 3;
/** A shard with this many times its share of slots is hot because of them. */
const UNEVEN = 1.2;
/** Replicas of a shard that carry this much on average need another; below it, they are unevenly used. */
const REPLICAS_BUSY = 60;
/** Up to two vCPUs: an engine below this on a core that is full is starved by other work. */
const STARVED_BELOW = 65;

type Rule = (view: View) => Decision<ElastiCacheCall> | undefined;

/**
 * What to do about a cache, from facts alone. Pure and total: the first rule that has an answer gives it.
 * `now` is epoch ms. Thresholds and their sources: docs/relieve-elasticache.md.
 */
export const decide = (given: CacheSituation, policy: Policy, now: number): Decision<ElastiCacheCall> => {
  // With an incident open the schedule stands in for a follow-up that was lost.
  const lost = given.trigger === 'tick' && given.ledger.incident !== null;
  const facts: CacheSituation = lost ? { ...given, trigger: 'follow-up' } : given;
  return forgetting(facts, decided(facts, policy, now));
};

const decided = (facts: CacheSituation, policy: Policy, now: number): Decision<ElastiCacheCall> => {
  if (facts.trigger === 'recovery' && facts.ledger.incident === null) {
    return skip('nothing-open', 'The alarm is OK again and no incident was open.');
  }
  return facts.kind === 'serverless' ? decideServerless(facts, policy, now) : decideGroup(facts, policy, now);
};

const decideGroup = (facts: GroupSituation, policy: Policy, now: number): Decision<ElastiCacheCall> => {
  const view = look(facts, policy, now);
  for (const rule of rules) {
    const decision = rule(view);
    if (decision !== undefined) return decision;
  }
  return escalate(
    'at-limits',
    `${heat(view)}, and no rule knows a remedy.`,
    `Please report it. What has happened: ${recentEvents(facts)}`,
  );
};

/** A change is verified until the incident ends; then it is history, as is what does not hold any more. */
const forgetting = (facts: CacheSituation, decision: Decision<ElastiCacheCall>): Decision<ElastiCacheCall> => {
  if (decision.remember !== undefined) return decision;
  const memory = facts.kind === 'serverless' ? rememberedOf(facts) : recollected(facts);
  const { change, ...kept } = memory;
  if (change !== undefined && (decision.kind === 'skip' || decision.kind === 'escalate')) {
    return { ...decision, remember: kept };
  }
  return memory === facts.ledger.remembered ? decision : { ...decision, remember: memory };
};

// --- A change that was made: wait until it is in service, and measure it ---

const settling: Rule = (view) => {
  const { facts, memory, now } = view;
  const { change } = memory;
  if (change === undefined) return undefined;
  const waited = now - change.at;
  const underWay = occupied(facts);
  if (!PASSING.includes(facts.status)) return undefined;
  if (underWay !== undefined) {
    const wait = Math.min(5 * MINUTE, Math.max(30 * SECOND, Math.round(waited / 4)));
    const why = `${change.says}: under way for ${duration(waited)} (${underWay}).`;
    return defer('changing', now + wait, why, notInService(memory));
  }
  if (isFromBefore(facts, change)) {
    return defer('changing', now + 30 * SECOND, `${change.says}: called for ${duration(waited)} ago.`);
  }
  if (change.availableSince === undefined) {
    return defer(
      'measuring',
      now + MEASURE + METRIC_DELAY,
      `${change.says}: ${cameToNothing(view) ? 'available again, without a new node,' : 'in service'} ${duration(waited)} after the call; five minutes of metrics are awaited.`,
      { ...memory, inServiceAt: now, change: { ...change, availableSince: now } },
    );
  }
  const measured =
    view.nodes.some(({ level }) => level !== 'unknown') &&
    view.nodes.find(({ id }) => id === change.node)?.level !== 'unknown';
  return measured || now - change.availableSince > MEASURING_AT_MOST
    ? undefined
    : defer('measuring', now + MINUTE, `${change.says}: in service, not enough metrics since then yet.`);
};

/** The commonest failure in the field: the replica is there and nobody reads from it. */
const readsArrive: Rule = (view) => {
  const { now, facts } = view;
  const { change, ...kept } = view.memory;
  if (change?.nodes === undefined || change.availableSince === undefined) return undefined;
  const before = change.nodes;
  const added = shardsOf(view.hot).map((shard) => replicasOf(view, shard).filter(({ id }) => !before.includes(id)));
  const idle = added.filter((nodes) => nodes.every((node) => isUnread(view, node))).flat();
  if (idle.length === 0) return undefined;
  const names = idle.map(({ id }) => id).join(', ');
  const since = now - change.availableSince;
  if (since < READS_WITHIN) {
    return defer(
      'awaiting-reads',
      change.availableSince + READS_WITHIN,
      `${heat(view)}. ${names} in service for ${duration(since)} and not read from yet.`,
    );
  }
  return escalate(
    'reads-not-offloaded',
    `${heat(view)}. ${names} in service for ${duration(since)}, and clients do not read from ${idle.length === 1 ? 'it' : 'them'}; another replica would not be read from either.`,
    readAdvice(facts, false),
    { ...kept, unread: [...(kept.unread ?? []), ...idle.map(({ id }) => id)] },
  );
};

// --- May it be judged at all? ---

const memcached: Rule = ({ facts }) =>
  facts.engine === 'memcached'
    ? skip(
        'memcached',
        'Memcached is multithreaded and has no replicas: judge it by CPUUtilization above 90 %, and add nodes.',
      )
    : facts.engine === 'redis' || facts.engine === 'valkey'
      ? undefined
      : escalate(
          'unexpected-state',
          `Its engine is "${facts.engine}", which Reflex does not know.`,
          `Please report it. What has happened: ${recentEvents(facts)}`,
        );

const unknownType: Rule = ({ facts }) =>
  facts.vcpus === null
    ? escalate(
        'unknown-node-type',
        `${facts.nodeType}: neither the table nor EC2 says how many vCPUs it has, and the threshold depends on it.`,
        `Judge it by hand: up to 2 vCPUs CPUUtilization at 90 / N %, from 4 EngineCPUUtilization at 90 %. N: aws ec2 describe-instance-types --query 'InstanceTypes[0].VCpuInfo.DefaultVCpus' --instance-types ${facts.nodeType.replace(/^cache\./, '')}`,
      )
    : undefined;

const unseen: Rule = (view) => {
  const { level, nodes, facts, now } = view;
  const blind = nodes.filter((node) => node.level === 'unknown').map(({ id }) => id);
  // The schedule goes on: what is blind stops scale-in there.
  if (level !== 'unknown' && (!isWell(view) || blind.length === 0 || facts.trigger === 'tick')) return undefined;
  const which = blind.length === nodes.length ? 'No node has' : `No node is saturated, but ${blind.join(', ')} has not`;
  return dataMissing(facts, now, `${which} three one-minute points of its CPU in the last ten minutes.`);
};

/**
 * An alarm comes once: one that came before its metrics, or with only its newest minute of them, is looked at again, whatever other
 * alarms say in between: those of two nodes come seconds apart, and one may be over while the other has just begun.
 */
const early: Rule = ({ facts, policy, level, nodes, now }) => {
  const limit = policy.actAt === 'warning' ? WARNING : SATURATED;
  const rising = nodes.find(({ use }) => (use.at(-1)?.[1] ?? 0) > limit);
  if (level === 'saturated' || level === policy.actAt || rising === undefined) return undefined;
  if (facts.trigger !== 'alarm' && facts.trigger !== 'recovery') return undefined;
  return defer(
    'not-saturated',
    now + 3 * MINUTE,
    `The newest minute of ${rising.id} is above ${limit} %, but not three of five yet; looked at again in three minutes.`,
  );
};

/** The engine has room, the network has none: bandwidth grows with the node. */
const networkBound: Rule = (view) => {
  const { facts, level } = view;
  if (level === 'saturated' || facts.trigger === 'tick') return undefined;
  const bound = view.nodes.filter(
    ({ load }) => load.networkExceededMinutes >= NETWORK_MINUTES || (load.networkUsage ?? 0) > 100,
  );
  const [worst] = bound;
  if (worst === undefined) return undefined;
  const { networkExceededMinutes: minutes, networkUsage: usage } = worst.load;
  const why = `The network of ${worst.id} is the limit, not its engine: allowance exceeded in ${minutes} of 5 minutes${usage === null ? '' : `, ${percent(usage)} of the baseline bandwidth in use`}.`;
  return (
    notAvailable(view) ??
    compatible(view) ??
    plan({ ...view, reportOnly: false }, found(view, 'network-bound', why), larger(view, 'network').toReversed())
  );
};

const isWell = ({ level, facts, reportOnly }: View): boolean => {
  const verifying = facts.trigger === 'follow-up' || facts.trigger === 'recovery';
  return level === 'calm' || (level === 'warning' && reportOnly && verifying);
};

/** Nothing is wrong, any more or after all. */
const calm: Rule = (view) => {
  const { facts, memory } = view;
  if (!isWell(view)) return undefined;
  if (facts.ledger.incident !== null) return skip('resolved', story(view, memory), notYetRead(view));
  if (facts.trigger !== 'tick') return skip('not-saturated', `${heat(view)}; nothing is done up to ${SATURATED} %.`);
  return notAvailable(view) ?? scaleIn(view);
};

/** A load that goes by itself proves nothing of a replica: one that is idle when it is over has to be read before its shard gets another. */
const notYetRead = (view: View): Memory | undefined => {
  const { change, ...kept } = view.memory;
  const before = change?.nodes;
  if (before === undefined) return undefined;
  const idle = view.nodes.filter(
    (node) => node.role === 'replica' && !before.includes(node.id) && isUnread(view, node),
  );
  return idle.length === 0 ? undefined : { ...kept, unread: [...(kept.unread ?? []), ...idle.map(({ id }) => id)] };
};

/** Did the hot node cool down? */
const story = (view: View, { change }: Memory): string => {
  if (change === undefined) return `${heat(view)}.`;
  const node = view.nodes.find(({ id }) => id === change.node);
  if (change.cpu === null || node === undefined || node.now === null) return `${heat(view)} after ${change.says}.`;
  const elsewhere = view.level === 'warning' && node.level === 'calm' ? ` ${heat(view)}.` : '';
  return `Engine core of ${node.id}: ${percent(change.cpu)} before, ${percent(node.now)} after ${change.says}.${elsewhere}`;
};

// --- May it be changed now? ---

const PASSING = ['available', 'creating', 'modifying', 'snapshotting', 'rebooting cluster nodes'];

const notAvailable: Rule = (view) => {
  const { facts, now } = view;
  if (facts.status === 'deleting' || facts.status === 'deleted')
    return skip('cache-gone', `${facts.id} is ${facts.status}.`);
  if (!PASSING.includes(facts.status)) {
    return escalate(
      'unexpected-state',
      `The status of ${facts.id} is "${facts.status}".`,
      `What has happened: ${recentEvents(facts)}`,
    );
  }
  const what = occupied(facts);
  if (what === undefined) return undefined;
  return defer(
    facts.resharding ? 'resharding' : 'not-available',
    now + 2 * MINUTE,
    `${heat(view)}. Something else is under way (${what}); nothing can be changed until it is over.`,
  );
};

const compatible: Rule = (view) =>
  view.facts.clusterMode === 'compatible'
    ? escalate(
        'compatible-mode',
        `${heat(view)}. Cluster mode is compatible, in which ElastiCache allows no scaling.`,
        `Finish the migration: ${modify(view.facts, '--cluster-mode enabled')}`,
      )
    : undefined;

// --- What is it? Findings that more capacity does not mend, or a special kind of it does ---

const snapshot: Rule = (view) => {
  const { facts, hot, now } = view;
  const limit = view.level === 'saturated' ? SATURATED : WARNING;
  const onlyWhileSaving = ({ use, load }: NodeView): boolean => {
    const hotMinutes = use.filter(([, value]) => value > limit).map(([at]) => at);
    return hotMinutes.length > 0 && hotMinutes.every((at) => load.saving.includes(at));
  };
  if (hot.length === 0 || !hot.every(onlyWhileSaving)) return undefined;
  const other =
    facts.clusterMode === 'enabled' || facts.kind === 'cluster'
      ? ''
      : ', or take it from a replica (SnapshottingClusterId)';
  return defer(
    'snapshot',
    now + 10 * MINUTE,
    `${heat(view)}, but only in minutes in which a snapshot was being written. Move the snapshot window (${facts.snapshotWindow ?? 'none set'}) to quiet hours${other}.`,
  );
};

const creditsExhausted: Rule = (view) => {
  const broke = view.nodes.filter(({ creditless }) => creditless);
  if (broke.length === 0) return undefined;
  const names = broke.map(({ id }) => id).join(', ');
  const why = `${names}: no CPU credits left, so ${view.facts.nodeType} is held to its baseline, far below any CPU threshold.`;
  return plan(view, found(view, 'credits-exhausted', why), [scaleUp(view.facts, 'credits')]);
};

const slowCommands: Rule = (view) => {
  const { hot } = view;
  const scripted = hot.find(({ load }) => (share(load, 'EvalBasedCmds') ?? 0) >= SCRIPTS);
  const [slowest] = hot.flatMap(slowFamilies).sort((a, b) => b.part - a.part);
  const logged = loggedHot(view);
  const heavy = logged.filter(({ command }) => HEAVY.test(command));
  const dominated = entries(heavy) >= SLOW_ENTRIES && time(heavy) >= time(logged) / 2;
  if (scripted === undefined && slowest === undefined && !dominated) return undefined;
  const why =
    scripted !== undefined
      ? `Scripts take ${percent(100 * (share(scripted.load, 'EvalBasedCmds') ?? 0))} of the engine of ${scripted.id}.`
      : (slowest?.says ?? `The slow log is mostly ${heavy.map(({ command }) => command).join(', ')}.`);
  return escalate(
    'slow-commands',
    `${heat(view)}. ${why} A larger cache runs them no faster. ${logWords(view)}`,
    logAdvice(view),
  );
};

/** Families that take a millisecond each and a tenth of the engine, at no more calls than usual. */
const slowFamilies = ({ id, load }: NodeView): { part: number; says: string }[] =>
  Object.entries(load.commands).flatMap(([family, { latency, perMinute, before }]) => {
    const part = share(load, family as Family) ?? 0;
    if (latency === null || latency < SLOW || part < MATTERS) return [];
    if (before === null || perMinute > USUAL * before) return [];
    const says = `${family} take ${percent(100 * part)} of the engine of ${id}: ${Math.round(latency)} us each, at no more than the usual ${Math.round(before)} a minute.`;
    return [{ part, says }];
  });

type Logged = ReturnType<typeof byCommand>;

/** What the hot nodes logged: a slow command on another one is no reason for their heat. */
const loggedHot = ({ facts, hot }: View): Logged =>
  byCommand((facts.slowLog.commands ?? []).filter(({ node }) => hot.some(({ id }) => id === node)));

const entries = (commands: Logged): number => commands.reduce((sum, { count }) => sum + count, 0);
const time = (commands: Logged): number => commands.reduce((sum, { totalMicroseconds }) => sum + totalMicroseconds, 0);

const logWords = (view: View): string => {
  const { slowLog } = view.facts;
  if (slowLog.logGroup === null) return 'Its slow log is not delivered to CloudWatch Logs.';
  if (slowLog.commands === null) return `Its slow log (${slowLog.logGroup}) could not be read.`;
  const top = loggedHot(view).slice(0, 5);
  if (top.length === 0) return `Its slow log (${slowLog.logGroup}) has no entry of a hot node in the last ten minutes.`;
  const each = top.map(
    ({ command, count, totalMicroseconds, maxMicroseconds }) =>
      `${command} ${count === 1 ? 'once' : `${count} times`}, ${Math.round(totalMicroseconds / 1_000)} ms in all, ${Math.round(maxMicroseconds / 1_000)} ms at most`,
  );
  return `Slowest in ten minutes: ${each.join('; ')}.`;
};

const logAdvice = ({ facts, now }: View): string => {
  const { slowLog, id } = facts;
  if (slowLog.logGroup !== null) {
    return `Replace whole-key and keyspace commands (KEYS, SMEMBERS, HGETALL, SORT) by SCAN variants or smaller keys; shorten scripts. All entries: aws logs filter-log-events --log-group-name ${slowLog.logGroup} --start-time ${now - SLOW_LOG_TOLD}`;
  }
  if (!isValkeyOrRedis(facts, '6.0')) {
    return `${inWords(facts)} delivers no slow log (SLOWLOG GET 128 shows it); upgrade the engine: ${upgrade(facts)}`;
  }
  const options = `--log-delivery-configurations '[{"LogType":"slow-log","DestinationType":"cloudwatch-logs","DestinationDetails":{"CloudWatchLogsDetails":{"LogGroup":"/elasticache/${id}"}},"LogFormat":"json"}]'`;
  return `Switch the slow log on: ${modify(facts, options)}`;
};

const upgrade = (facts: GroupSituation): string => modify(facts, `--engine-version ${NEWEST_REDIS}`);

const connectionStorm: Rule = (view) => {
  const { facts } = view;
  const storming = view.hot.find(({ load }) => {
    const { newConnections: arriving } = load;
    const data = dataCommands(load);
    if (arriving === null) return false;
    const storm =
      arriving.perMinute >= STORM ||
      (arriving.perMinute >= STORM_IF_UNUSUAL &&
        arriving.before !== null &&
        arriving.perMinute >= UNUSUAL * arriving.before);
    const busier = data !== null && data.before !== null && data.perMinute > USUAL * data.before;
    return storm && !busier;
  });
  if (storming === undefined) return undefined;
  const { perMinute = 0, before = null } = storming.load.newConnections ?? {};
  const usual = before === null ? '' : ` (usually ${Math.round(before)})`;
  const tls =
    facts.tls && !offloadsTls(facts.nodeType, facts)
      ? ` TLS handshakes run on the engine's own thread on ${facts.nodeType}${facts.engineVersion === null ? '' : ` with ${inWords(facts)}`}: Graviton from xlarge and x86 from 2xlarge hand them to other threads, from Redis 6.2.5 on.`
      : '';
  return escalate(
    'connection-storm',
    `${heat(view)}. ${Math.round(perMinute)} new connections a minute at ${storming.id}${usual}, without more reads and writes: the engine accepts connections instead of commands.`,
    `Pool connections in the clients and back off with jitter before reconnecting.${tls} Who connects, CLIENT LIST says at: ${addressOf(storming.id)}`,
  );
};

const connectionsNearLimit: Rule = (view) => {
  const full = view.hot.find(({ load }) => (load.connections ?? 0) >= CONNECTIONS_NEAR * CONNECTIONS);
  return full === undefined
    ? undefined
    : escalate(
        'connections-near-limit',
        `${heat(view)}. ${full.id} has ${full.load.connections} of ${CONNECTIONS} connections, and no node takes more.`,
        `Pool connections in the clients, and close idle ones (parameter timeout). Who is connected, CLIENT LIST says at: ${addressOf(full.id)}`,
      );
};

const memoryBound: Rule = (view) => {
  const full = view.hot.find(({ load }) => load.evictions > 0 && (load.memory ?? 0) >= MEMORY_FULL);
  if (full === undefined) return undefined;
  const why = `${full.id} is full (${percent(full.load.memory ?? 0)}) and evicted ${full.load.evictions} keys in five minutes; replicas would be as full.`;
  return plan(view, found(view, 'memory-bound', why), larger(view, 'memory'));
};

const rolesUnknown: Rule = (view) =>
  view.hot.some(({ role }) => role === null)
    ? escalate(
        'roles-unknown',
        `${heat(view)}. Neither CurrentRole nor the metric IsMaster says which of its nodes is the primary.`,
        `The name of a node says nothing after a failover; look at IsMaster in CloudWatch, and at CurrentRole: ${listMembers(view.facts.id)}`,
      )
    : undefined;

// --- What helps ---

const shardStandsOut: Rule = (view) => {
  const { facts, policy, memory, hotShards } = view;
  if (hotShards.length === 0) return undefined;
  const primaries = hotPrimaries(view).filter(({ shard }) => hotShards.includes(shard));
  const hottestPrimary = hottest(primaries)?.id ?? facts.id;
  const names = `Shard ${hotShards.join(', ')} stands out from the others`;
  const mean = facts.shards.reduce((sum, { slots }) => sum + (slots ?? 0), 0) / facts.shards.length;
  const slots = (shard: string) => facts.shards.find(({ id }) => id === shard)?.slots ?? 0;
  if (hotShards.every((shard) => slots(shard) > UNEVEN * mean)) {
    const held = hotShards.map((shard) => `${slots(shard)} slots`).join(', ');
    return plan(view, found(view, 'uneven-slots', `${names} with ${held}, ${Math.round(mean)} on average.`), [
      rebalance(facts),
    ]);
  }
  const work = workOfAll(primaries);
  if (work === 'reads') {
    if (hotShards.some((shard) => lags(view, shard) || !readsReachReplicas(view, shard))) return undefined;
    return plan(view, found(view, 'hot-shard-reads', `${names} and is read, not written; its replicas serve reads.`), [
      addReplicas(facts, policy, hotShards, memory),
      scaleUp(facts, 'engine'),
    ]);
  }
  return escalate(
    'hot-shard-writes',
    `${heat(view)}. ${names} though its slots are no more, and it is busy with ${BUSY_WITH[work]}: most likely a hot key, which no resharding divides.`,
    `Find it (redis-cli --hotkeys, CLUSTER SLOT-STATS on Valkey 8), split it over several keys, or cache it in the clients. The node: ${addressOf(hottestPrimary)}`,
  );
};

const replicasLag: Rule = (view) => {
  const behind = shardsOf(view.hot).filter((shard) => lags(view, shard));
  if (behind.length === 0) return undefined;
  const most = Math.max(
    ...behind.flatMap((shard) => replicasOf(view, shard).map(({ load }) => load.replicationLag ?? 0)),
  );
  const why = `Replicas are ${Math.round(most)} s behind the writes; one more would cost the primary more still.`;
  return plan(view, found(view, 'replication-lag', why), larger(view, 'engine'));
};

/** Up to two vCPUs: the core is full, and it is not the engine that fills it. */
const coreStarved: Rule = (view) => {
  const { facts, hot } = view;
  const small = (facts.vcpus ?? 0) <= 2;
  const engine = ({ load }: NodeView) => {
    const points = load.engineCpu.slice(-5).map(([, value]) => value);
    return points.length === 0 ? null : points.reduce((a, b) => a + b, 0) / points.length;
  };
  const starved = small ? hot.filter((node) => node.level !== 'calm' && (engine(node) ?? 100) < STARVED_BELOW) : [];
  const [first] = starved;
  if (first === undefined || starved.length < hot.length) return undefined;
  const why = `The engine of ${first.id} gets ${percent(engine(first) ?? 0)} of a core that other work fills (snapshots, TLS, the system).`;
  return plan(view, found(view, 'core-starved', why), [scaleUp(facts, 'cores')]);
};

const replicasHot: Rule = (view) => {
  const { facts, policy, memory, hot } = view;
  if (hot.length === 0 || hotPrimaries(view).length > 0) return undefined;
  const shards = shardsOf(hot);
  const average = (shard: string): number => {
    const all = replicasOf(view, shard);
    return all.reduce((sum, { now, load }) => sum + (load.trafficManaged ? 100 : (now ?? 0)), 0) / all.length;
  };
  const busy = shards.filter((shard) => average(shard) >= REPLICAS_BUSY && addedInVain(view, shard).length === 0);
  if (busy.length === 0) {
    return escalate(
      'uneven-reads',
      `${heat(view)}. The replicas of its shard are at ${percent(Math.max(...shards.map(average)))} on average: clients stick to some of them.`,
      `The reader endpoint is DNS, not a load balancer: let clients open several connections, or spread over the replicas themselves: ${listMembers(facts.id)}`,
    );
  }
  return plan(view, found(view, 'replicas-hot', 'The replicas are busy, the primary is not: reads need one more.'), [
    addReplicas(facts, policy, busy, memory),
    ...larger(view, 'engine'),
  ]);
};

const readHotPrimary: Rule = (view) => {
  const { facts, policy, memory } = view;
  const primaries = hotPrimaries(view);
  if (primaries.length === 0 || workOfAll(primaries) !== 'reads') return undefined;
  const shards = shardsOf(primaries);
  // More shards do not divide what one shard alone is hot with.
  const otherwise = view.hotShards.length > 0 ? [scaleUp(facts, 'engine')] : larger(view, 'engine');
  if (shards.every((shard) => readsReachReplicas(view, shard))) {
    return plan(view, found(view, 'read-hot-primary', 'The primary is busy with reads, and replicas serve reads.'), [
      addReplicas(facts, policy, shards, memory),
      ...otherwise,
    ]);
  }
  const finding = found(view, 'reads-not-offloaded', `The primary is busy with reads, ${unreadBecause(view, shards)}`);
  const allowed = otherwise.filter((remedy) => isPossible(remedy) && policy.allow.includes(remedy.kind));
  return allowed.length > 0
    ? plan(view, finding, allowed)
    : escalate(
        'reads-not-offloaded',
        finding.why,
        readAdvice(facts, policy.readsOffloaded === 'false' || !replicated(view, shards)),
      );
};

const replicated = (view: View, shards: readonly string[]): boolean =>
  shards.some((shard) => replicasOf(view, shard).length > 0);

/** Why one replica more would not be read from; completes "The primary is busy with reads, ...". */
const unreadBecause = (view: View, shards: readonly string[]): string => {
  if (!replicated(view, shards)) return 'there is no replica, and nothing says that one would be read from.';
  if (view.policy.readsOffloaded === 'false')
    return 'and reflex:reads-offloaded says that clients read from no replica.';
  const vain = shards.flatMap((shard) => addedInVain(view, shard)).map(({ id }) => id);
  const idle =
    vain.length === 0 ? 'its replicas serve' : `${vain.join(', ')}, added for it, serve${vain.length === 1 ? 's' : ''}`;
  return `and ${idle} none of them: one more would not be read from either.`;
};

/** `byTag`: the tag would change the decision. Where replicas are there, only what they serve does. */
const readAdvice = (facts: GroupSituation, byTag: boolean): string => {
  if (facts.kind === 'cluster') {
    return `A standalone node has no replicas; a replication group around it can have some, and a reader endpoint: ${groupAround(facts.id)}`;
  }
  const how =
    facts.clusterMode === 'enabled'
      ? 'Let clients read from replicas (READONLY; readFrom, scaleReads or the like)'
      : 'Point reads at the reader endpoint';
  const next = byTag
    ? `If they do already: ${setTag(facts, 'reads-offloaded', 'true')}`
    : `The replicas: ${listMembers(facts.id)}`;
  return `${how}, and reconnect now and then. ${next}`;
};

const writeHotPrimary: Rule = (view) => {
  const primaries = hotPrimaries(view);
  if (primaries.length === 0) return undefined;
  const work = BUSY_WITH[workOfAll(primaries)];
  if (view.facts.clusterMode === 'enabled') {
    const why = `The primaries are busy with ${work}; more shards divide that.`;
    return plan(view, found(view, 'primaries-write-hot', why), larger(view, 'engine'));
  }
  const finding = found(view, 'primary-write-hot', `The primary is busy with ${work}; only a faster node helps here.`);
  // What could not be read is no reason to move to another kind of cache.
  if (view.facts.allowedTypes === null) return plan(view, finding, larger(view, 'engine'));
  return plan(view, finding, larger(view, 'engine'), (limits) =>
    escalate('migrate-to-cluster-mode', `${finding.why} But ${limits}.`, migration(view.facts)),
  );
};

/** AWS migrates a group in place from Redis 7.0 on, a standalone node never. */
const migration = (facts: GroupSituation): string => {
  const to = 'Several primaries share the writes in cluster mode';
  if (facts.kind === 'cluster') return `${to}; the first step is a replication group: ${groupAround(facts.id)}`;
  if (!isValkeyOrRedis(facts, '7.0')) {
    return `${to}; the first step is an engine that AWS migrates, which uses I/O threads as well: ${upgrade(facts)}`;
  }
  return `${to}. Clients have to speak the cluster protocol and use database 0 only, and the group needs automatic failover and a replica; then: ${modify(facts, '--cluster-mode compatible')}`;
};

const BUSY_WITH = { reads: 'reads', writes: 'writes', mixed: 'reads and writes', unknown: 'commands of unknown kind' };

/** What helps writes: more shards, where there can be several, and a larger node. */
const larger = ({ facts, policy, memory }: View, need: Need): (Remedy | Impossible)[] => [
  ...(facts.clusterMode === 'enabled' ? [addShards(facts, policy, memory)] : []),
  scaleUp(facts, need),
];

/** First match wins: from "is it over?" over "may it be changed?" and "what is it?" to "what helps?". */
const rules: readonly Rule[] = [
  settling,
  memcached,
  unknownType,
  unseen,
  networkBound,
  early,
  calm,
  notAvailable,
  compatible,
  readsArrive,
  snapshot,
  creditsExhausted,
  slowCommands,
  connectionStorm,
  connectionsNearLimit,
  memoryBound,
  rolesUnknown,
  shardStandsOut,
  replicasLag,
  coreStarved,
  replicasHot,
  readHotPrimary,
  writeHotPrimary,
];
