import {
  type Act,
  type Call,
  type Decision,
  defer,
  type Escalate,
  escalate,
  type Skip,
  skip,
} from '../../shared/decision.ts';
import { type Recent, recent, shardsRequired, shardsWorth } from './demand.ts';
import type { Consumer, Demand, Memory, QueuedStep, Shard, ShardLoad, StreamSituation } from './facts.ts';
import type { Policy } from './policy.ts';
import { adjacent, coldPairs, hottestAfter, isUneven, midpoint, oneSidedSplits } from './shards.ts';
import { API_MAX_SHARDS, band, grown, shrunk } from './sizing.ts';

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
/** A reshard may take this long to show in StreamStatus after AWS has accepted it. */
const BEGINS_WITHIN = MINUTE;
/** After this long without a data point since the reshard, its absence is judged like any missing metric. */
const MEASURING_AT_MOST = 10 * MINUTE;
/** An incident is kept open this long for metrics to come back; a stream nobody writes to has none. */
const SILENT_AT_MOST = HOUR;
/** Scale-in waits this long after any reshard. */
export const SCALE_IN_COOL_DOWN = HOUR;
/**
 * Ten UpdateShardCount calls per stream in a rolling 24 h (AWS); scale-in leaves three of them to scale-up.
 * AWS counts from the call, the ledger from just before it: five minutes more keep the ledger on the safe side.
 */
const DAILY_CALLS = { budget: 'UpdateShardCount', limit: 10, windowMs: 24 * HOUR + 5 * MINUTE };
export const RESERVED_CALLS = 3;
/** One daily cycle, less the hour that CloudWatch and the schedule may cut off. */
export const DAY_SPAN_HOURS = 23;
/** A stream that is silent at night still shows half of the day's hours. */
const DAY_HOURS_SEEN = 12;
/** At and above this the stream clips demand: what is really needed is unknown. */
const SATURATED = 0.95;
/** What was queued is decided anew after this long: the load it was decided on is another by then. */
const QUEUE_LIVES = HOUR;
/** Shards this near to the upper edge of the band will pass it as those that have. */
const NEARLY = 0.9;
/** A lag longer than this is a backlog, which is read faster than it was written. */
const BACKLOG = MINUTE;
/** One-sided splits in a row after which a hot key is the only explanation left. */
const HOT_KEY_SPLITS = 2;
/** Most splits or merges of one decision: AWS makes them one at a time, about 30 s each. More hot shards are helped sooner by a uniform step. */
const STEPS_AT_MOST = 50;
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
  /** Hottest first; empty where shard-level metrics are off. */
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
  const memory = pruned(facts.ledger.remembered, facts.shards);
  const seen = asDemanded(recent(facts, memory.activeSince, now));
  const n = facts.shards.length;
  const { up, down } = band(policy.targetUtilization);
  const loads = facts.shardLoads ?? {};
  // Shard-level metrics reach back behind the reshard, when shards just opened took what had piled up before.
  const rejects = memory.activeSince === undefined || seen.throttledRecords > 0;
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
    hot: facts.shards
      .filter(({ id }) => isHot(loads[id], up, rejects ? policy.targetUtilization : up))
      .sort((a, b) => loadNow({ facts }, b) - loadNow({ facts }, a)),
  };
};

/** What consumers read while they catch up with a backlog is not what they will ask for; new shards would not hold the backlog. */
const asDemanded = (seen: Recent): Recent =>
  seen.demand !== null && seen.catchingUp && (seen.iteratorAge ?? 0) > BACKLOG
    ? { ...seen, demand: written(seen.demand), accepted: seen.accepted && written(seen.accepted) }
    : seen;

const written = (demand: Demand): Demand => ({ ...demand, egressBytesPerSecond: 0 });

/** A shard that rejects records at `target` or less has bursts inside the minute: no split mends them, and a merge may leave a shard that full. */
const isHot = (load: ShardLoad | undefined, up: number, target: number): boolean =>
  load !== undefined && (load.now > up || (load.throttled > 0 && load.now > target));

/** An alarm asks: now, or it found the stream UPDATING and has only been deferred since. */
const alarmed = ({ facts }: View): boolean => facts.trigger === 'alarm' || facts.ledger.incident?.steps === 0;
const throttled = ({ recent }: View): boolean => recent.throttledRecords > 0;

/**
 * What a full shard rejects is sent, and counted, again and again. A stream that accepts less than the band's lower edge is not full:
 * without shard-level metrics to tell more, its rejections are a few shards' or a burst's.
 */
const overloaded = (view: View): boolean =>
  view.utilization !== null &&
  view.utilization > view.up &&
  (view.facts.shardLoads !== null || accepted(view) >= view.down);

const accepted = ({ recent, n }: View): number => (recent.accepted === null ? 0 : shardsWorth(recent.accepted) / n);

// --- May this stream be touched now? ---

const wrongState: Rule = ({ facts, n, memory, now }) => {
  switch (facts.status) {
    case 'ACTIVE':
      return n > 0
        ? undefined
        : skip('unexpected-state', 'The stream is ACTIVE and ListShards shows no open shard; nothing can be sized.');
    case 'CREATING':
    case 'UPDATING': {
      const settling = memory.settling ?? { from: n, to: null, since: now };
      const { from, to, since } = settling;
      const step = to === null ? '' : ` (${count(from)} -> ${count(to)}, asked for ${duration(now - since)} ago)`;
      return defer(
        'stream-updating',
        again(since, now),
        `The stream is ${facts.status}${step}; it is looked at again.`,
        {
          ...memory,
          settling,
        },
      );
    }
    case 'DELETING':
      return skip('stream-deleting', 'The stream is being deleted.');
    default:
      return unknownState('StreamStatus', facts.status);
  }
};

/** When to look again at what has not come about since: a minute of throttling hangs on it, but some reshards take hours. */
const again = (since: number, now: number): number =>
  now + Math.min(5 * MINUTE, Math.max(10 * SECOND, (now - since) / 10));

const unknownState = (field: string, value: string): Escalate =>
  escalate(
    'unexpected-state',
    `${field} is "${value}", which Reflex does not know.`,
    'Look at the stream in the console; it is left alone until Reflex knows this value.',
  );

const notProvisioned: Rule = (view) => {
  const { facts } = view;
  if (facts.mode === 'PROVISIONED') return undefined;
  if (facts.mode !== 'ON_DEMAND') {
    return unknownState('StreamMode', facts.mode);
  }
  const why = 'The stream is in on-demand mode: AWS resizes it, up to twice the peak of the last 30 days.';
  if (!alarmed(view)) return skip('on-demand', why);
  const lag = consumersLag(view);
  if (lag !== undefined) return lag;
  return escalate(
    'on-demand',
    why,
    facts.warmThroughputMiBps === null
      ? 'If records are rejected: wait about 15 minutes, look for a hot partition key, or ask for a higher throughput quota.'
      : `aws kinesis update-stream-warm-throughput --stream-arn ${facts.arn} --warm-throughput-mi-bps <more than ${facts.warmThroughputMiBps}>`,
  );
};

/** The stream has become ACTIVE after a reshard: go on with what was queued, or measure the new capacity first. */
const settled: Rule = (view) => {
  const { memory, now, n } = view;
  if (memory.settling === undefined) return undefined;
  const { settling, shrunkFrom, burst, ...rest } = memory;
  const begins = settling.since + BEGINS_WITHIN;
  if (settling.to !== null && settling.to !== n && now < begins) {
    return defer('stream-updating', begins, `The reshard ${settling.from} -> ${settling.to} does not show yet.`);
  }
  const asAsked = settling.to === n;
  // Of a scale-in that never came about there is nothing to take back; of one whose taking back never did, there still is.
  const givesBack = settling.to !== null && settling.to > settling.from;
  const next: Memory = {
    ...rest,
    activeSince: now,
    ...(asAsked && n > settling.from && { grown: true }),
    ...((asAsked || givesBack) && shrunkFrom !== undefined && { shrunkFrom, ...(burst && { burst }) }),
  };
  const step = now - settling.since <= QUEUE_LIVES ? nextQueued({ ...view, memory: next }) : undefined;
  if (step !== undefined) return step;
  const fullMinute = Math.ceil(now / MINUTE) * MINUTE + MINUTE;
  return defer(
    'measuring',
    fullMinute + METRIC_DELAY,
    `The stream is ACTIVE with ${shards(n)} (${count(settling.from)} before); one full minute of metrics is awaited.`,
    withoutQueue(next),
  );
};

const measuring: Rule = ({ memory, recent, n, policy, now }) => {
  const { activeSince } = memory;
  if (activeSince === undefined || recent.fullMinute || now - activeSince > MEASURING_AT_MOST) return undefined;
  // Nobody writes to a stream that is made ready for a launch, and its minimum is no matter of load.
  if (recent.demand === null && n < policy.minShards) return undefined;
  return defer('measuring', again(activeSince, now), 'The stream is ACTIVE; no full minute of metrics since then yet.');
};

// --- Does it need more? ---

const throttledUnseen: Rule = (view) => {
  const { recent, n } = view;
  if (recent.demand !== null || !throttled(view)) return undefined;
  const why = `${records(recent.throttledRecords)} rejected and none seen accepted; demand is unknown.`;
  return grow(view, 'throttled-unseen', 2 * n, why);
};

/** A uniform step comes before single splits, which it would undo. */
const belowMinimum: Rule = (view) => {
  const { n, policy } = view;
  if (n >= policy.minShards || overloaded(view)) return undefined;
  const why = `${shards(n)} open, reflex:min-shards is ${policy.minShards}.`;
  return grow(view, 'below-min-shards', policy.minShards, why, { atMost: policy.minShards });
};

/** Few hot shards among cold ones: splitting just them costs one shard each and no call of the daily ten. */
const splitHot: Rule = (view) => {
  const { facts, hot, n, recent, policy, memory } = view;
  const loads = facts.shardLoads;
  if (loads === null || recent.demand === null || n < policy.minShards || !isFew(hot.length, n)) return undefined;
  if (othersNearlyFull(view)) return undefined;

  const known = memory.splits ?? {};
  const depth = (shard: Shard) => oneSidedSplits(shard, facts.shards, loads, known);
  const splittable = hot.filter((shard) => midpoint(shard) !== null && depth(shard) < HOT_KEY_SPLITS);
  const [first, ...others] = splittable;
  const shown = hotShards(view);
  if (first === undefined) {
    return escalate(
      'hot-key',
      `Hot: ${shown}. ${HOT_KEY_SPLITS} splits in a row left the load on one side, or the shard is too narrow to split: one partition key carries it.`,
      'Spread the key over several partition keys (a suffix), or aggregate its records; splitting the shard again would not help.',
    );
  }
  if (capped(view)) {
    const more = splittable.length;
    const need = `Hot: ${shown}. To split ${more === 1 ? 'it' : 'them'} takes ${some(more, 'more shard')}`;
    return atLimit(view, n + more, need);
  }
  return split(view, first, {
    reason: 'split-hot-shards',
    why: `${hot.length} of ${shards(n)} ${hot.length === 1 ? 'is' : 'are'} hot (${shown}) and the others are not. Splitting ${first.id}${others.length > 0 ? `, then ${others.length} more, one after the other` : ''}.`,
    memory: {
      ...memory,
      splits: { ...known, ...Object.fromEntries(splittable.map((shard) => [shard.id, depth(shard)])) },
    },
    queue: others.map(({ id }) => ({ split: id })),
    more: loadNow(view, first) / 2 > view.up,
    elsewhere: splittable.some(({ parentId }) => parentId === null || !Object.hasOwn(known, parentId)),
  });
};

/**
 * Whether the shards that are not hot will soon be, too: of an even load one after the other passes the edge. They are judged alone,
 * because what a hot shard rejects comes again and is counted again, and a few can make all of the stream look overloaded.
 */
const othersNearlyFull = (view: View): boolean => {
  const { recent, hot, n, up } = view;
  if (recent.demand === null) return false;
  const hotLoad = hot.reduce((sum, shard) => sum + loadNow(view, shard), 0);
  return (shardsWorth(recent.demand) - hotLoad) / (n - hot.length) > NEARLY * up;
};

/** Fewer than half: a turn of ours takes about a minute, AWS's own splits half of one, and a uniform step would split all shards. */
const isFew = (hot: number, n: number): boolean => hot > 0 && hot <= STEPS_AT_MOST && 2 * hot < n;

const growUniformly: Rule = (view) => {
  const { recent, policy, utilization, n } = view;
  if (recent.demand === null || utilization === null || !overloaded(view)) return undefined;
  const required = shardsRequired(recent.demand, policy.targetUtilization);
  const target = percent(policy.targetUtilization);
  return throttled(view) && utilization >= SATURATED
    ? grow(
        view,
        'scale-up',
        Math.max(required, 2 * n),
        `${load(view)}; counting each rejection, ${count(required)} would carry it at ${target}.`,
        { unknownNeed: true },
      )
    : grow(view, 'scale-up', required, `${load(view)}; ${count(required)} would carry it at ${target}.`);
};

/** Too many hot shards to split them singly: the stream carries no more than its hottest shard lets it. */
const growHot: Rule = (view) => {
  const { hot, n, recent, policy } = view;
  if (recent.demand === null || hot.length === 0) return undefined;
  const required = Math.max(n + 1, shardsRequired(recent.demand, policy.targetUtilization));
  return grow(view, 'scale-up', required, `${load(view)}, and ${hot.length} of them hot (${hotShards(view)}).`);
};

const throttledWithRoom: Rule = (view) => {
  const { facts, utilization, up, n, memory } = view;
  if (!throttled(view) || utilization === null) return undefined;
  const { shrunkFrom = 0 } = memory;
  if (n < shrunkFrom) {
    const why = `${load(view)}; with ${shards(shrunkFrom)}, before Reflex shrank it, none was.`;
    const keep = { shrunkFrom, ...(facts.shardLoads !== null && { burst: true }) };
    return grow(view, 'scale-up', shrunkFrom, why, { atMost: shrunkFrom, keep });
  }
  // Once: AWS says that a uniform step makes equal shards; where the last one did not, this one may not either.
  if (facts.shardLoads === null && memory.grown === true && memory.more !== true && isUneven(facts.shards)) {
    const why = `${load(view)}; the last step left shards of unequal width, and doubling evens them.`;
    return grow(view, 'scale-up', 2 * n, why, { unknownNeed: true });
  }
  const taken =
    utilization > up
      ? `, though what is accepted is only ${percent(accepted(view))} of ${n === 1 ? 'it' : 'them'}`
      : '';
  // What the metrics say of a stream of one shard they say of the shard.
  return facts.shardLoads === null && n > 1
    ? escalate(
        'skew-or-burst',
        `${load(view)}${taken}: there is room, so either few shards are hot or the burst is shorter than a minute. No shard-level metrics to tell.`,
        `aws kinesis enable-enhanced-monitoring --stream-name ${facts.name} --shard-level-metrics IncomingBytes IncomingRecords WriteProvisionedThroughputExceeded`,
      )
    : escalate(
        'burst',
        `${load(view)}${taken}, and no shard is hot over a whole minute: a burst inside the minute.`,
        'Let producers retry with jitter and smaller batches, or raise reflex:min-shards to hold room for the burst.',
      );
};

interface Growth {
  /** What is needed shows only when the step is in service. */
  readonly unknownNeed?: boolean;
  /** More is only taken for load. */
  readonly atMost?: number;
  /** Remembered beside the step. */
  readonly keep?: Memory;
}

/** A uniform step upwards, as far as AWS, the account and the tags allow; a person is told where they allow none. */
const grow = (
  view: View,
  reason: Act['reason'],
  required: number,
  why: string,
  { unknownNeed = false, atMost = Infinity, keep = {} }: Growth = {},
): Act<KinesisCall> | Escalate => {
  const { n, policy, facts } = view;
  const wanted = Math.max(required, policy.minShards);
  const max = Math.min(policy.maxShards, atMost);
  const target = grown(n, wanted, { min: policy.minShards, max, free: facts.freeShards });
  if (target === n) {
    const need = `${load(view)}; ${count(wanted)} are needed`;
    return atLimit(view, wanted, need, `a uniform reshard of ${count(n)} needs at least ${count(n)} while it runs`);
  }
  const rest =
    wanted <= target
      ? ''
      : policy.maxShards <= target
        ? ` reflex:max-shards is ${policy.maxShards}.`
        : ' The rest follows when these are in service.';
  return {
    kind: 'act',
    reason,
    why: `${why} ${count(n)} -> ${count(target)}.${rest}`,
    calls: [updateShardCount(view, target)],
    spends: [{ ...DAILY_CALLS, keep: 0 }],
    coolDownMs: MINUTE,
    planned: view.memory.more === true || (view.memory.grown === true && overloaded(view)),
    remember: { ...settlingTo(view, target), ...keep, ...((wanted > target || unknownNeed) && { more: true }) },
  };
};

/** Not even one more shard is allowed: by the tag or AWS, or by the account. */
const capped = ({ policy, facts, n }: View): boolean => n >= policy.maxShards || facts.freeShards === 0;

const atLimit = (view: View, required: number, need: string, uniform?: string): Escalate => {
  const { policy, facts, n } = view;
  if (n >= policy.maxShards) {
    return escalate(
      'at-max-shards',
      `${need}, but ${count(n)} are open and reflex:max-shards is ${policy.maxShards}.`,
      policy.maxShards < API_MAX_SHARDS
        ? `aws kinesis add-tags-to-stream --stream-name ${facts.name} --tags '{"reflex:max-shards":"${Math.min(required, API_MAX_SHARDS)}"}'`
        : `UpdateShardCount goes no further than ${count(API_MAX_SHARDS)} shards: spread the load over a second stream, or switch to on-demand mode.`,
    );
  }
  return escalate(
    'account-shard-limit',
    `${need}, but the account has ${some(facts.freeShards ?? 0, 'free shard')}${uniform === undefined ? '' : `; ${uniform}`}.`,
    'Request a higher shards-per-Region quota for Kinesis Data Streams, or delete shards that are not used.',
  );
};

// --- It carries its writes. Is all well, then? ---

const consumersLag: Rule = (view) => {
  const { recent, policy } = view;
  if (!alarmed(view) || !behind(recent, policy)) return undefined;
  return escalate(
    'consumer-lag',
    `Consumers are ${duration(recent.iteratorAge ?? 0)} behind${recent.catchingUp ? ' and catching up' : ''} (limit ${duration(policy.maxIteratorAge * SECOND)}). ${load(view)}: more shards do not mend that.`,
    'Look at the consumer: errors that block a batch, ParallelizationFactor, reserved concurrency, or one slow key.',
  );
};

const behind = (recent: Recent, policy: Policy): boolean => (recent.iteratorAge ?? 0) > policy.maxIteratorAge * SECOND;

const metricsMissing: Rule = ({ facts, recent, memory, now }) => {
  if (recent.demand !== null) return undefined;
  const why = 'No IncomingBytes or IncomingRecords data point in the last 10 minutes';
  const { incident } = facts.ledger;
  if (incident === null) return skip('metrics-missing', `${why}.`);
  const silent = now - Math.max(incident.openedAt, memory.activeSince ?? 0);
  return silent < SILENT_AT_MOST
    ? defer('metrics-missing', now + 2 * MINUTE, `${why}; they are awaited up to ${duration(SILENT_AT_MOST)}.`)
    : skip(
        'metrics-missing',
        `${why}, ${duration(silent)} into the incident: nothing is written, so nothing is rejected. The shards stay as they are.`,
      );
};

/** Why the reserved concurrency of a consumer is not touched. A person stops a function by reserving none for it. */
const leftAlone = ({ shared, optedIn, reservedConcurrency }: Consumer): string | undefined => {
  if (shared === true) return 'reads other sources, too';
  if (optedIn === false) return 'has not opted in';
  return reservedConcurrency === 0 ? 'stopped, with none reserved' : undefined;
};

/** Keeps the consumers' reserved concurrency in step with the shards, where the tag asks for it. */
const keepConsumersInStep: Rule = (view) => {
  const { facts, policy, n } = view;
  const { consumers } = facts;
  if (policy.consumerConcurrency === null || consumers === null) return undefined;
  const wanted = policy.consumerConcurrency * n;
  // What is freed comes first, or a later increase would find too little left.
  const changes = consumers
    .filter((consumer) => consumer.reservedConcurrency !== wanted && leftAlone(consumer) === undefined)
    .sort((a, b) => (b.reservedConcurrency ?? 0) - (a.reservedConcurrency ?? 0));
  if (changes.length === 0) return undefined;
  // A step downwards changes their number anyway, and must not wait for what a person has to put right here.
  const fewer = facts.ledger.incident === null ? scaleIn(view) : undefined;
  if (fewer?.kind === 'act') return fewer;
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
  const each = facts.consumers.map((consumer) => {
    const { functionName, parallelizationFactor, reservedConcurrency } = consumer;
    const why = leftAlone(consumer);
    if (why !== undefined) return `${functionName} (${why}: its concurrency is left alone)`;
    const concurrent = n * parallelizationFactor;
    if (reservedConcurrency === null) return `${functionName} (unreserved, up to ${concurrent} at once)`;
    const short = reservedConcurrency < concurrent ? `, fewer than the ${concurrent} it could use` : '';
    return `${functionName} (reserved ${reservedConcurrency}${short})`;
  });
  return ` Consumers: ${each.join('; ')}.`;
};

// --- Could it do with less? ---

const scaleIn: Rule = (view) => {
  const { facts, policy, n, now, down, memory, recent, utilization } = view;
  const { day } = facts;
  if (recent.demand === null || utilization === null || utilization >= down) return undefined;
  if (day === null || day.spanHours < DAY_SPAN_HOURS || day.hoursSeen < DAY_HOURS_SEEN) {
    const seen =
      day === null ? 'no day of metrics' : `${day.hoursSeen} hours with data within ${day.spanHours.toFixed(1)} h`;
    return skip('insufficient-metrics', `${load(view)}; ${seen}, too little to judge scale-in by.`);
  }
  const worth = Math.max(shardsWorth(day.peak), shardsWorth(recent.demand));
  const peak = worth / n;
  if (peak >= down) return undefined;
  const seen = `The peak of the last 24 h is ${percent(peak)} of ${shards(n)}, below ${percent(down)}`;
  if (n <= policy.minShards) return skip('at-min-shards', `${seen}, but reflex:min-shards is ${policy.minShards}.`);
  if (day.throttledRecords > 0) {
    return skip(
      'throttled-lately',
      `${seen}, but with ${records(day.throttledRecords)} rejected: bursts need the room.`,
    );
  }
  if (n === memory.shrunkFrom && (facts.shardLoads === null || memory.burst)) {
    const before = `${seen}, but when it was shrunk from as many, records were rejected with room left`;
    return memory.burst
      ? skip('burst-before', `${before}: bursts need it.`)
      : skip('skew-unseen', `${before}. Without shard-level metrics it stays as it is.`);
  }

  const last = Math.max(facts.ledger.lastActAt ?? 0, memory.activeSince ?? 0);
  if (now - last < SCALE_IN_COOL_DOWN) {
    return skip(
      'cool-down',
      `${seen}, but the last act was ${duration(now - last)} ago; scale-in waits ${duration(SCALE_IN_COOL_DOWN)}.`,
    );
  }
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

  const required = Math.max(1, Math.ceil(worth / policy.targetUtilization));
  const bounds = { min: policy.minShards, max: policy.maxShards };
  const wanted = shrunk(n, required, { ...bounds, free: null });
  if (skewed(view, wanted)) return merge(view, n - wanted, seen);
  const target = shrunk(n, required, { ...bounds, free: facts.freeShards });
  if (target === n) {
    return skip(
      'account-shard-limit',
      `${seen}, but no step fits the account's ${some(facts.freeShards ?? 0, 'free shard')}.`,
    );
  }
  return {
    kind: 'act',
    reason: 'scale-in',
    why: `${seen}; ${count(required)} would carry it at ${percent(policy.targetUtilization)}. ${count(n)} -> ${count(target)}.`,
    calls: [updateShardCount(view, target)],
    spends: [{ ...DAILY_CALLS, keep: RESERVED_CALLS }],
    coolDownMs: SCALE_IN_COOL_DOWN,
    remember: { ...settlingTo(view, target), shrunkFrom: n },
  };
};

/**
 * A uniform step re-joins what was split for good reason. So a stream shrinks by merging cold neighbours where we split it,
 * or where one of `target` equal shards could get more than the target utilisation.
 */
const skewed = ({ facts, memory, policy }: View, target: number): boolean => {
  if (memory.splits !== undefined) return true;
  const loads = facts.shardLoads;
  return (
    loads !== null && hottestAfter(facts.shards, ({ id }) => dayLoad(loads[id]), target) > policy.targetUtilization
  );
};

const dayLoad = (load: ShardLoad | undefined): number => Math.max(load?.day ?? 0, load?.now ?? 0);

const merge = (view: View, want: number, seen: string): Act<KinesisCall> | Skip => {
  const { facts, policy, memory } = view;
  const loads = facts.shardLoads ?? {};
  const isKnown = ({ id }: Shard) => (loads[id]?.day ?? null) !== null;
  const most = Math.min(want, STEPS_AT_MOST);
  const coldest = (shard: Shard) => (isKnown(shard) ? dayLoad(loads[shard.id]) : Infinity);
  const pairs = coldPairs(facts.shards, coldest, policy.targetUtilization, most);
  const [first, ...others] = pairs;
  if (first === undefined && !facts.shards.every(isKnown)) {
    return skip('skew-unseen', `${seen}, but its shards are loaded unevenly and not each one's last 24 h are known.`);
  }
  if (first === undefined) {
    return skip(
      'no-mergeable-pair',
      `${seen}, but no two neighbours stay within ${percent(policy.targetUtilization)} together.`,
    );
  }
  const [left, right] = first;
  return mergePair(view, first, {
    reason: 'merge-cold-shards',
    why: `${seen}, unevenly spread. Merging the cold neighbours ${left.id} and ${right.id}${others.length > 0 ? `, then ${others.length} more pairs, one after the other` : ''}.`,
    memory,
    queue: others.map(([left, right]): QueuedStep => ({ merge: [left.id, right.id] })),
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
  /** Goes on with a decision of several steps; the first step of a decision may be one that has not helped before. */
  readonly queued?: boolean;
  /** Known not to be enough: half of what is split would still be hot. */
  readonly more?: boolean;
  /** Also on other shards than the splits before: a rising load makes one after the other hot, and in time their halves. */
  readonly elsewhere?: boolean;
}

/** The next queued split or merge that still makes sense; those that do not are dropped. */
const nextQueued = (view: View): Act<KinesisCall> | undefined => {
  const { memory } = view;
  const queue = memory.queue ?? [];
  for (const [i, step] of queue.entries()) {
    const rest = queue.slice(i + 1);
    const more = rest.length > 0 ? ` ${rest.length} more to follow.` : '';
    if ('split' in step) {
      const shard = stillHot(view, step.split);
      if (shard === undefined) continue;
      const why = `Next of the hot shards: ${shard.id} (${percent(loadNow(view, shard))}).${more}`;
      return split(view, shard, { reason: 'split-hot-shards', queued: true, why, memory, queue: rest });
    }
    const pair = stillCold(view, step.merge);
    if (pair === undefined) continue;
    const why = `Next pair of cold neighbours: ${pair[0].id} and ${pair[1].id}.${more}`;
    return mergePair(view, pair, { reason: 'merge-cold-shards', queued: true, why, memory, queue: rest });
  }
  return undefined;
};

const stillHot = (view: View, id: string): Shard | undefined => {
  const shard = view.hot.find((hot) => hot.id === id);
  return shard !== undefined && midpoint(shard) !== null && !capped(view) ? shard : undefined;
};

const stillCold = (view: View, ids: readonly [string, string]): [Shard, Shard] | undefined => {
  const { facts, n, recent, policy } = view;
  const [left, right] = ids.map((id) => facts.shards.find((shard) => shard.id === id));
  if (!left || !right || !adjacent(left, right) || n <= policy.minShards || throttled(view)) return undefined;
  if (recent.demand === null || recent.iteratorAge === null || behind(recent, policy)) return undefined;
  const [a, b] = [facts.shardLoads?.[left.id], facts.shardLoads?.[right.id]];
  return a && b && a.now + b.now <= policy.targetUtilization ? [left, right] : undefined;
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

const oneStep = (view: View, step: Step, target: number, call: KinesisCall): Act<KinesisCall> => {
  const expected = view.memory.more === true;
  const more = step.queued === true ? expected : step.more === true;
  return {
    kind: 'act',
    reason: step.reason,
    why: step.why,
    calls: [call],
    coolDownMs: step.coolDownMs ?? 0,
    planned: step.queued === true || step.elsewhere === true || expected,
    remember: {
      ...settlingTo({ ...view, memory: step.memory }, target),
      ...(step.queue.length > 0 && { queue: step.queue }),
      ...(more && { more }),
    },
  };
};

/** First match wins: from "may it be touched?" over "does it need more?" to "could it do with less?". */
const rules: readonly Rule[] = [
  wrongState,
  notProvisioned,
  settled,
  measuring,
  throttledUnseen,
  belowMinimum,
  splitHot,
  growUniformly,
  growHot,
  throttledWithRoom,
  consumersLag,
  metricsMissing,
  keepConsumersInStep,
  closeIncident,
  scaleIn,
];

// --- Words and small parts ---

const updateShardCount = ({ facts }: View, target: number): KinesisCall => ({
  call: 'UpdateShardCount',
  params: { StreamARN: facts.arn, TargetShardCount: target, ScalingType: 'UNIFORM_SCALING' },
});

const settlingTo = ({ memory, n, now }: View, to: number): Memory => {
  const {
    activeSince: _old,
    more: _before,
    grown: _reached,
    shrunkFrom: _other,
    burst: _why,
    ...rest
  } = withoutQueue(memory);
  return { ...rest, settling: { from: n, to, since: now } };
};

const withoutQueue = ({ queue: _done, ...memory }: Memory): Memory => memory;

/** Without the splits whose shard and children are all closed: they explain nothing any more. */
const pruned = ({ splits = {}, ...memory }: Memory, open: readonly Shard[]): Memory => {
  const known = new Set(open.flatMap(({ id, parentId }) => [id, parentId]));
  const kept = Object.entries(splits).filter(([id]) => known.has(id));
  return { ...memory, ...(kept.length > 0 && { splits: Object.fromEntries(kept) }) };
};

const loadNow = ({ facts }: Pick<View, 'facts'>, { id }: Shard): number => facts.shardLoads?.[id]?.now ?? 0;

const hotShards = (view: View): string => {
  const { hot } = view;
  const shown = hot.slice(0, 5).map((shard) => `${shard.id} ${percent(loadNow(view, shard))}`);
  return [...shown, ...(hot.length > shown.length ? [`${hot.length - shown.length} more`] : [])].join(', ');
};

const load = ({ recent, utilization, n }: View): string => {
  const rejected = recent.throttledRecords > 0 ? `, ${records(recent.throttledRecords)} rejected` : '';
  if (recent.demand === null) return `${shards(n)} open, demand unknown${rejected}`;
  const { bytesPerSecond, recordsPerSecond, egressBytesPerSecond } = recent.demand;
  const read = egressBytesPerSecond > 0 ? `, ${mib(egressBytesPerSecond)} MiB/s read` : '';
  return `Peak of the last minutes ${mib(bytesPerSecond)} MiB/s and ${count(recordsPerSecond)} records/s${read}${rejected}: ${percent(utilization ?? 0)} of ${shards(n)}`;
};

const mib = (bytes: number): string => (bytes / 1_048_576).toFixed(2);
const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`;
const count = (value: number): string => Math.ceil(value).toLocaleString('en-US');
const some = (n: number, thing: string): string => `${count(n)} ${thing}${n === 1 ? '' : 's'}`;
const shards = (n: number): string => some(n, 'shard');
const records = (n: number): string => some(n, 'record');
const duration = (ms: number): string =>
  ms < 2 * MINUTE
    ? `${Math.round(ms / SECOND)} s`
    : ms < 2 * HOUR
      ? `${Math.round(ms / MINUTE)} min`
      : `${Math.round(ms / HOUR)} h`;
