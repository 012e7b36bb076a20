import type { Act, Call, Decision, Defer, Escalate, Skip } from '../../shared/decision.ts';
import { type Recent, recent, SHARD_LIMITS, shardsRequired, shardsWorth } from './demand.ts';
import type { Memory, QueuedStep, Shard, ShardLoad, StreamSituation } from './facts.ts';
import type { Policy } from './policy.ts';
import { coldPairs, midpoint, oneSidedSplits } from './shards.ts';
import { band, grown, shrunk } from './sizing.ts';

export type KinesisCall =
  | Call<'UpdateShardCount', { StreamARN: string; TargetShardCount: number; ScalingType: 'UNIFORM_SCALING' }>
  | Call<'SplitShard', { StreamARN: string; ShardToSplit: string; NewStartingHashKey: string }>
  | Call<'MergeShards', { StreamARN: string; ShardToMerge: string; AdjacentShardToMerge: string }>
  | Call<'PutFunctionConcurrency', { FunctionName: string; ReservedConcurrentExecutions: number }>;

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

/** CloudWatch shows a minute some seconds after it has passed. */
const METRIC_DELAY = 15 * SECOND;
/** After this long without a data point since the reshard, its absence is judged like any missing metric. */
const MEASURING_AT_MOST = 10 * MINUTE;
/** Scale-in waits this long after any reshard. */
export const SCALE_IN_COOL_DOWN = HOUR;
/**
 * Ten UpdateShardCount calls per stream in a rolling 24 h (AWS); scale-in leaves three of them to scale-up.
 * AWS counts from the call, the ledger from just before it: five minutes more keep the ledger on the safe side.
 */
const DAILY_CALLS = { budget: 'UpdateShardCount', limit: 10, windowMs: 24 * HOUR + 5 * MINUTE };
export const RESERVED_CALLS = 3;
/** One daily cycle, less the hour that CloudWatch and the schedule may cut off. */
const DAY_SPAN_HOURS = 23;
/** A stream that is silent at night still shows half of the day's hours. */
const DAY_HOURS_SEEN = 12;
/** At and above this the stream clips demand: what is really needed is unknown. */
const SATURATED = 0.95;
/** One-sided splits in a row after which a hot key is the only explanation left. */
const HOT_KEY_SPLITS = 2;
/** A stream whose hottest shard carries this many times the mean is skewed; halving it uniformly would make it hot. */
const SKEW = 1.5;
/** Lambda keeps at least this much concurrency unreserved in an account. */
const UNRESERVED_AT_LEAST = 100;

/** What every rule looks at: the facts, and what follows from them by arithmetic. */
interface View {
  readonly facts: StreamSituation;
  readonly policy: Policy;
  readonly now: number;
  readonly memory: Memory;
  /** Open shards. */
  readonly n: number;
  readonly recent: Recent;
  /** Peak demand as a share of what n shards carry; null: unknown. */
  readonly utilization: number | null;
  readonly up: number;
  readonly down: number;
  readonly hot: readonly Shard[];
}

type Rule = (view: View) => Decision<KinesisCall> | undefined;

/**
 * What to do about a stream, from facts alone. Pure and total: the first rule that has an answer gives it.
 * `now` is epoch ms. Reasons: docs/reasons.md; thresholds and their sources: docs/reshard-kinesis.md.
 */
export const decide = (facts: StreamSituation, policy: Policy, now: number): Decision<KinesisCall> => {
  const view = look(facts, policy, now);
  for (const rule of rules) {
    const decision = rule(view);
    if (decision !== undefined) return decision;
  }
  return withinBand(view);
};

const look = (facts: StreamSituation, policy: Policy, now: number): View => {
  const memory: Memory = facts.ledger.remembered;
  const seen = recent(facts, memory.activeSince, now);
  const n = facts.shards.length;
  const { up, down } = band(policy.targetUtilization);
  const loads = facts.shardLoads ?? {};
  return {
    facts,
    policy,
    now,
    memory,
    n,
    recent: seen,
    utilization: seen.demand && n > 0 ? shardsWorth(seen.demand) / n : null,
    up,
    down,
    hot: facts.shards.filter(({ id }) => isHot(loads[id], up)),
  };
};

const isHot = (load: ShardLoad | undefined, up: number): boolean =>
  load !== undefined && (load.now > up || load.throttled > 0);

const throttled = ({ recent }: View): boolean => recent.throttledRecords > 0;
const overloaded = ({ utilization, up }: View): boolean => utilization !== null && utilization > up;

// --- May this stream be touched now? ---

const wrongState: Rule = ({ facts, n, memory, now }) => {
  switch (facts.status) {
    case 'ACTIVE':
      return n > 0 ? undefined : skip('metrics-missing', 'ListShards shows no open shard; nothing can be sized.');
    case 'CREATING':
    case 'UPDATING': {
      const settling = memory.settling ?? { from: n, to: null, since: now };
      const wait = Math.min(5 * MINUTE, Math.max(30 * SECOND, (now - settling.since) / 4));
      return defer('stream-updating', now + wait, `The stream is ${facts.status}; its shards are looked at again.`, {
        ...memory,
        settling,
      });
    }
    case 'DELETING':
      return skip('stream-deleting', 'The stream is being deleted.');
    default:
      return escalate('unexpected-state', `StreamStatus is "${facts.status}", which Reflex does not know.`);
  }
};

const notProvisioned: Rule = ({ facts }) => {
  if (facts.mode === 'PROVISIONED') return undefined;
  if (facts.mode !== 'ON_DEMAND') {
    return escalate('unexpected-state', `StreamMode is "${facts.mode}", which Reflex does not know.`);
  }
  const why = 'The stream is in on-demand mode: AWS resizes it, up to twice the peak of the last 30 days.';
  if (facts.trigger !== 'alarm') return skip('on-demand', why);
  return escalate(
    'on-demand',
    why,
    facts.warmThroughputMiBps === null
      ? 'If records are rejected: wait about 15 minutes, look for a hot partition key, or ask for a higher throughput quota.'
      : `aws kinesis update-stream-warm-throughput --stream-arn ${facts.arn} --warm-throughput-mibps <more than ${facts.warmThroughputMiBps}>`,
  );
};

/** The stream has become ACTIVE after a reshard: go on with what was queued, or measure the new capacity first. */
const settled: Rule = (view) => {
  const { memory, now, n } = view;
  if (memory.settling === undefined) return undefined;
  const { settling, ...rest } = memory;
  const next = { ...rest, activeSince: now };
  const step = nextQueued({ ...view, memory: next });
  if (step !== undefined) return step;
  const fullMinute = Math.ceil(now / MINUTE) * MINUTE + MINUTE;
  return defer(
    'measuring',
    fullMinute + METRIC_DELAY,
    `The stream is ACTIVE with ${n} open shards (${settling.from} before); one full minute of metrics is awaited.`,
    withoutQueue(next),
  );
};

const measuring: Rule = ({ memory, recent, now }) => {
  const { activeSince } = memory;
  if (activeSince === undefined || recent.fullMinute || now - activeSince > MEASURING_AT_MOST) return undefined;
  return defer('measuring', now + 30 * SECOND, 'The stream is ACTIVE; no full minute of metrics since then yet.');
};

// --- Does it need more? ---

const unseen: Rule = (view) => {
  const { facts, recent, n, now, policy } = view;
  if (recent.demand !== null || n < policy.minShards) return undefined;
  if (throttled(view)) {
    const why = `${count(recent.throttledRecords)} records were rejected and none is seen accepted; demand is unknown.`;
    return grow(view, 'throttled-unseen', 2 * n, why, true);
  }
  const why = 'No IncomingBytes or IncomingRecords data point in the last 10 minutes.';
  return facts.ledger.incident === null
    ? skip('metrics-missing', why)
    : defer('metrics-missing', now + 2 * MINUTE, why);
};

/** Few hot shards among cold ones: splitting just them costs one shard each and no call of the daily ten. */
const splitHot: Rule = (view) => {
  const { facts, hot, n, recent, policy, memory } = view;
  const loads = facts.shardLoads;
  const few = hot.length > 0 && hot.length <= Math.ceil(n / 4) && 2 * hot.length < n;
  if (loads === null || !few) return undefined;
  const required = recent.demand === null ? n : shardsRequired(recent.demand, policy.targetUtilization);
  if (required >= 1.5 * n) return undefined;

  const known = memory.splits ?? {};
  const depth = (shard: Shard) => oneSidedSplits(shard, facts.shards, loads, known);
  const splittable = hot.filter((shard) => midpoint(shard) !== null && depth(shard) < HOT_KEY_SPLITS);
  const [first, ...others] = splittable;
  const shown = hot.map(({ id }) => `${id} ${percent(loads[id]?.now ?? 0)}`).join(', ');
  if (first === undefined) {
    return escalate(
      'hot-key',
      `Hot: ${shown}. ${HOT_KEY_SPLITS} splits in a row left all the load on one side: one partition key carries it.`,
      'Spread the key over several partition keys (a suffix), or aggregate its records; splitting the shard again would not help.',
    );
  }
  const atCap = cap(view, n + 1);
  if (atCap !== undefined) return atCap;
  const splits = { ...known, ...Object.fromEntries(splittable.map((shard) => [shard.id, depth(shard)])) };
  return split(view, first, {
    reason: 'split-hot-shards',
    why: `${hot.length} of ${n} shards are hot (${shown}) and the others are not; splitting those, one after the other.`,
    memory: { ...memory, splits: ancestorsOf(facts.shards, splits) },
    queue: others.map(({ id }) => ({ split: id })),
  });
};

const growUniformly: Rule = (view) => {
  const { recent, policy, utilization } = view;
  if (recent.demand === null || utilization === null || !overloaded(view)) return undefined;
  const required = shardsRequired(recent.demand, policy.targetUtilization);
  const saturated = throttled(view) && utilization >= SATURATED;
  return grow(
    view,
    'scale-up',
    required,
    `${load(view)}; ${required} would carry it at ${percent(policy.targetUtilization)}.`,
    saturated,
  );
};

const throttledWithRoom: Rule = (view) => {
  const { facts, recent, utilization, policy } = view;
  if (!throttled(view) || utilization === null) return undefined;
  if (facts.shardLoads !== null && view.hot.length > 0) {
    const required = Math.max(
      view.n + 1,
      recent.demand === null ? 0 : shardsRequired(recent.demand, policy.targetUtilization),
    );
    return grow(
      view,
      'scale-up',
      required,
      `${load(view)}, and ${view.hot.length} of ${view.n} shards are hot.`,
      false,
    );
  }
  return facts.shardLoads === null
    ? escalate(
        'skew-or-burst',
        `${load(view)}: there is room, so either few shards are hot or the burst is shorter than a minute. No shard-level metrics to tell.`,
        `aws kinesis enable-enhanced-monitoring --stream-name ${facts.name} --shard-level-metrics IncomingBytes IncomingRecords WriteProvisionedThroughputExceeded`,
      )
    : escalate(
        'burst',
        `${load(view)}, and no shard is hot over a whole minute: a burst inside the minute.`,
        'Let producers retry with jitter and smaller batches, or raise reflex:min-shards to hold room for the burst.',
      );
};

const belowMinimum: Rule = (view) => {
  const { n, policy } = view;
  if (n >= policy.minShards) return undefined;
  return grow(
    view,
    'below-min-shards',
    policy.minShards,
    `${shards(n)} open, reflex:min-shards is ${policy.minShards}.`,
    false,
  );
};

/** A uniform step upwards, as far as AWS, the account and the tags allow; a person is told where they allow none. */
const grow = (
  view: View,
  reason: Act['reason'],
  required: number,
  why: string,
  unknownNeed: boolean,
): Act<KinesisCall> | Escalate => {
  const { n, policy, facts } = view;
  const bounds = { min: policy.minShards, max: policy.maxShards, free: facts.freeShards };
  const wanted = Math.max(required, policy.minShards);
  // Below the minimum, more than the minimum is only taken for load.
  const limit = reason === 'below-min-shards' ? { ...bounds, max: Math.min(policy.maxShards, wanted) } : bounds;
  const target = grown(n, wanted, limit);
  if (target === n) return cap(view, n + 1) ?? atLimit(view, n + 1, required);
  const rest = wanted > target ? ' The rest follows when these are in service.' : '';
  return {
    kind: 'act',
    reason,
    why: `${why} ${n} -> ${target}.${rest}`,
    calls: [updateShardCount(view, target)],
    spends: [{ ...DAILY_CALLS, keep: 0 }],
    coolDownMs: MINUTE,
    planned: view.memory.more === true,
    remember: { ...settlingTo(view, target), ...((wanted > target || unknownNeed) && { more: true }) },
  };
};

/** Where not even one more shard is allowed: by the tag or AWS, or by the account. */
const cap = (view: View, wanted: number): Escalate | undefined => {
  const { policy, facts, n } = view;
  if (wanted > policy.maxShards || (facts.freeShards ?? Infinity) < wanted - n) return atLimit(view, wanted, wanted);
  return undefined;
};

const atLimit = (view: View, wanted: number, required: number): Escalate => {
  const { policy, facts, n } = view;
  if (wanted > policy.maxShards) {
    return escalate(
      'at-max-shards',
      `${load(view)}; ${required} are needed, but ${n} are open and reflex:max-shards is ${policy.maxShards}.`,
      `aws kinesis add-tags-to-stream --stream-name ${facts.name} --tags '{"reflex:max-shards":"${required}"}'`,
    );
  }
  return escalate(
    'account-shard-limit',
    `${load(view)}; ${required} are needed, but the account has ${facts.freeShards} free shards, and a uniform reshard needs some while it runs.`,
    'Request a higher shards-per-Region quota for Kinesis Data Streams, or delete shards that are not used.',
  );
};

// --- It carries its writes. Is all well, then? ---

const consumersLag: Rule = ({ facts, recent, policy, utilization }) => {
  if (facts.trigger !== 'alarm' || !behind(recent, policy)) return undefined;
  return escalate(
    'consumer-lag',
    `Consumers are ${duration(recent.iteratorAge ?? 0)} behind (limit ${duration(policy.maxIteratorAge * SECOND)}) while writes use ${percent(utilization ?? 0)}: more shards do not mend that.`,
    'Look at the consumer: errors that block a batch, ParallelizationFactor, reserved concurrency, or one slow key.',
  );
};

const behind = (recent: Recent, policy: Policy): boolean => (recent.iteratorAge ?? 0) > policy.maxIteratorAge * SECOND;

/** Keeps the consumers' reserved concurrency in step with the shards, where the tag asks for it. */
const keepConsumersInStep: Rule = ({ facts, policy, n }) => {
  const { consumers } = facts;
  if (policy.consumerConcurrency === null || consumers === null) return undefined;
  const wanted = policy.consumerConcurrency * n;
  const changes = consumers.filter(({ reservedConcurrency }) => reservedConcurrency !== wanted);
  if (changes.length === 0) return undefined;
  const names = changes.map(({ functionName }) => functionName).join(', ');
  const added = changes.reduce((total, { reservedConcurrency }) => total + wanted - (reservedConcurrency ?? 0), 0);
  const left = facts.unreservedConcurrency === null ? null : facts.unreservedConcurrency - added;
  if (left === null || left < UNRESERVED_AT_LEAST) {
    return escalate(
      'consumer-concurrency-limit',
      `${names} should have reserved concurrency ${wanted} for ${shards(n)}, which would leave ${left ?? 'an unknown number of'} unreserved in the account; Lambda keeps ${UNRESERVED_AT_LEAST}.`,
      'Raise the account concurrency quota, or lower reflex:consumer-concurrency.',
    );
  }
  return {
    kind: 'act',
    reason: 'consumer-concurrency',
    why: `${shards(n)} at ${policy.consumerConcurrency} each: reserved concurrency of ${names} becomes ${wanted}.`,
    calls: changes.map(({ functionName }) => ({
      call: 'PutFunctionConcurrency',
      params: { FunctionName: functionName, ReservedConcurrentExecutions: wanted },
    })),
    coolDownMs: 0,
    planned: true,
  };
};

const closeIncident: Rule = (view) => {
  const { facts, memory } = view;
  const { incident } = facts.ledger;
  if (incident === null) {
    return facts.trigger === 'recovery'
      ? skip('nothing-open', 'The alarm is OK again and no incident was open.')
      : undefined;
  }
  const ready =
    memory.activeSince !== undefined && memory.activeSince >= incident.openedAt && incident.steps > 0
      ? ` Capacity was in service ${duration(memory.activeSince - incident.openedAt)} after the incident opened.`
      : '';
  return skip('resolved', `${load(view)}.${ready}${consumersReport(view)}`);
};

const consumersReport = ({ facts, n }: View): string => {
  if (facts.consumers === null || facts.consumers.length === 0) return '';
  const each = facts.consumers.map(({ functionName, parallelizationFactor, reservedConcurrency }) => {
    const concurrent = n * parallelizationFactor;
    if (reservedConcurrency === null) return `${functionName} (unreserved, up to ${concurrent} at once)`;
    const short = reservedConcurrency < concurrent ? `, fewer than the ${concurrent} it could use` : '';
    return `${functionName} (reserved ${reservedConcurrency}${short})`;
  });
  return ` Consumers: ${each.join('; ')}.`;
};

// --- Could it do with less? ---

const scaleIn: Rule = (view) => {
  const { facts, policy, n, now, down, memory, recent } = view;
  const { day } = facts;
  if (recent.demand === null || day === null || day.spanHours < DAY_SPAN_HOURS || day.hoursSeen < DAY_HOURS_SEEN) {
    return skip(
      'insufficient-metrics',
      `${load(view)}; ${day === null ? 'no' : `${day.spanHours.toFixed(1)} h of`} history is too little to judge scale-in by.`,
    );
  }
  const peak = shardsWorth(day.peak) / n;
  if (peak >= down) return undefined;
  const seen = `The peak of the last 24 h is ${percent(peak)} of ${shards(n)}, below ${percent(down)}`;
  if (n <= policy.minShards) return skip('at-min-shards', `${seen}, but reflex:min-shards is ${policy.minShards}.`);

  const last = Math.max(facts.ledger.lastActAt ?? 0, memory.activeSince ?? 0);
  if (now - last < SCALE_IN_COOL_DOWN)
    return skip('cool-down', `${seen}, but the last reshard is ${duration(now - last)} old.`);
  if (facts.closedShardIds.length > 0) {
    return skip(
      'closed-shards-draining',
      `${seen}, but ${shards(facts.closedShardIds.length)} closed lately may be unread.`,
    );
  }
  if (recent.iteratorAge === null) return skip('consumers-unseen', `${seen}, but no consumer is seen reading.`);
  if (behind(recent, policy)) {
    return skip('consumers-behind', `${seen}, but consumers are ${duration(recent.iteratorAge)} behind.`);
  }

  const required = shardsRequired(day.peak, policy.targetUtilization);
  const target = shrunk(n, required, { min: policy.minShards, max: policy.maxShards, free: facts.freeShards });
  if (target === n) return undefined;
  if (skewed(view)) return merge(view, n - target, seen);
  return {
    kind: 'act',
    reason: 'scale-in',
    why: `${seen}; ${required} would carry it at ${percent(policy.targetUtilization)}. ${n} -> ${target}.`,
    calls: [updateShardCount(view, target)],
    spends: [{ ...DAILY_CALLS, keep: RESERVED_CALLS }],
    coolDownMs: SCALE_IN_COOL_DOWN,
    remember: settlingTo(view, target),
  };
};

/** Uniform halving re-joins what was split for good reason; a skewed stream shrinks by merging its cold neighbours. */
const skewed = ({ facts, memory }: View): boolean => {
  if (Object.keys(memory.splits ?? {}).length > 0) return true;
  const loads = Object.values(facts.shardLoads ?? {}).map((load) => load.day ?? load.now);
  const mean = loads.reduce((a, b) => a + b, 0) / loads.length;
  return loads.some((load) => load > SKEW * mean);
};

const merge = (view: View, want: number, seen: string): Act<KinesisCall> | Skip => {
  const { facts, policy, memory } = view;
  const loads = facts.shardLoads;
  if (loads === null || facts.shards.some(({ id }) => (loads[id]?.day ?? null) === null)) {
    return skip('skew-unseen', `${seen}, but the stream was split unevenly and its shards' own day is not known.`);
  }
  const pairs = coldPairs(facts.shards, ({ id }) => loads[id]?.day ?? 1, policy.targetUtilization, want);
  const steps = pairs.map(([left, right]): QueuedStep => ({ merge: [left.id, right.id] }));
  const first = pairs[0];
  if (first === undefined) {
    return skip(
      'no-mergeable-pair',
      `${seen}, but no two neighbours stay within ${percent(policy.targetUtilization)} together.`,
    );
  }
  return mergePair(view, first, {
    reason: 'merge-cold-shards',
    why: `${seen}, unevenly spread; merging ${pairs.length} pairs of cold neighbours, one after the other.`,
    memory,
    queue: steps.slice(1),
    coolDownMs: SCALE_IN_COOL_DOWN,
  });
};

const withinBand = (view: View): Skip =>
  skip('within-band', `${load(view)}; nothing is done between ${percent(view.down)} and ${percent(view.up)}.`);

// --- Steps of one decision that AWS takes one at a time ---

interface Step {
  readonly reason: Act['reason'];
  readonly why: string;
  readonly memory: Memory;
  readonly queue: readonly QueuedStep[];
  readonly coolDownMs?: number;
}

/** The next queued split or merge that still makes sense; those that do not are dropped. */
const nextQueued = (view: View): Act<KinesisCall> | undefined => {
  const { facts, memory, n, recent, policy } = view;
  const queue = memory.queue ?? [];
  for (const [i, step] of queue.entries()) {
    const rest = queue.slice(i + 1);
    if ('split' in step) {
      const shard = facts.shards.find(({ id }) => id === step.split);
      if (shard === undefined || midpoint(shard) === null || cap(view, n + 1) !== undefined) continue;
      const why = `Next of the hot shards: ${shard.id}; ${rest.length} more to follow.`;
      return split(view, shard, { reason: 'split-hot-shards', why, memory, queue: rest });
    }
    const [left, right] = step.merge.map((id) => facts.shards.find((shard) => shard.id === id));
    if (!left || !right || n <= policy.minShards || throttled(view) || behind(recent, policy)) continue;
    const why = `Next pair of cold neighbours: ${left.id} and ${right.id}; ${rest.length} more to follow.`;
    return mergePair(view, [left, right], { reason: 'merge-cold-shards', why, memory, queue: rest });
  }
  return undefined;
};

const split = (view: View, shard: Shard, step: Step): Act<KinesisCall> =>
  oneStep(view, step, view.n + 1, {
    call: 'SplitShard',
    params: { StreamARN: view.facts.arn, ShardToSplit: shard.id, NewStartingHashKey: midpoint(shard) ?? '' },
  });

const mergePair = (view: View, [left, right]: readonly [Shard, Shard], step: Step): Act<KinesisCall> =>
  oneStep(view, step, view.n - 1, {
    call: 'MergeShards',
    params: { StreamARN: view.facts.arn, ShardToMerge: left.id, AdjacentShardToMerge: right.id },
  });

const oneStep = (view: View, step: Step, target: number, call: KinesisCall): Act<KinesisCall> => ({
  kind: 'act',
  reason: step.reason,
  why: step.why,
  calls: [call],
  coolDownMs: step.coolDownMs ?? 0,
  planned: true,
  remember: {
    ...settlingTo({ ...view, memory: step.memory }, target),
    ...(step.queue.length > 0 && { queue: step.queue }),
  },
});

/** First match wins: from "may it be touched?" over "does it need more?" to "could it do with less?". */
const rules: readonly Rule[] = [
  wrongState,
  notProvisioned,
  settled,
  measuring,
  unseen,
  splitHot,
  growUniformly,
  throttledWithRoom,
  belowMinimum,
  consumersLag,
  keepConsumersInStep,
  closeIncident,
  scaleIn,
];

// --- Words and small parts ---

const skip = (reason: Skip['reason'], why: string): Skip => ({ kind: 'skip', reason, why });
const escalate = (reason: Escalate['reason'], why: string, advice?: string): Escalate => ({
  kind: 'escalate',
  reason,
  why,
  ...(advice !== undefined && { advice }),
});
const defer = (reason: Defer['reason'], until: number, why: string, remember?: Memory): Defer => ({
  kind: 'defer',
  reason,
  until,
  why,
  ...(remember && { remember }),
});

const updateShardCount = ({ facts }: View, target: number): KinesisCall => ({
  call: 'UpdateShardCount',
  params: { StreamARN: facts.arn, TargetShardCount: target, ScalingType: 'UNIFORM_SCALING' },
});

const settlingTo = ({ memory, n, now }: View, to: number): Memory => {
  const { activeSince: _old, more: _before, ...rest } = withoutQueue(memory);
  return { ...rest, settling: { from: n, to, since: now } };
};

const withoutQueue = ({ queue: _done, ...memory }: Memory): Memory => memory;

/** Splits whose children are still open; older ones explain nothing any more. */
const ancestorsOf = (open: readonly Shard[], splits: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(splits).filter(([id]) => open.some((shard) => shard.id === id || shard.parentId === id)),
  );

const load = ({ recent, utilization, n }: View): string => {
  const rejected = recent.throttledRecords > 0 ? `, ${count(recent.throttledRecords)} records rejected` : '';
  if (recent.demand === null) return `${shards(n)} open, demand unknown${rejected}`;
  const { bytesPerSecond, recordsPerSecond } = recent.demand;
  const mib = (bytesPerSecond / SHARD_LIMITS.bytesPerSecond).toFixed(2);
  return `Peak of the last minutes ${mib} MiB/s and ${count(recordsPerSecond)} records/s${rejected}: ${percent(utilization ?? 0)} of ${shards(n)}`;
};

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const count = (value: number): string => Math.ceil(value).toLocaleString('en-US');
const shards = (n: number): string => `${count(n)} shard${n === 1 ? '' : 's'}`;
const duration = (ms: number): string =>
  ms < 2 * MINUTE ? `${Math.round(ms / SECOND)} s` : `${Math.round(ms / MINUTE)} min`;
