import { type Commands, FAMILIES, type Family, type Hour, type NodeLoad, type Rate, type Series } from './facts.ts';

const MINUTE = 60_000;
/** CloudWatch runs one to a few minutes behind; older than this is no evidence of the present. */
const RECENT = 10 * MINUTE;
/** What is judged: the newest five one-minute points. */
const JUDGED = 5;
/** CPUCreditBalance comes every five minutes only. */
const CREDITS_RECENT = 20 * MINUTE;
/** History of one decision, ms: an hour before the last ten minutes. */
export const HISTORY = 70 * MINUTE;

/** Network allowances of a node; each metric counts what was held back for one of them. */
const ALLOWANCES = [
  'NetworkBandwidthInAllowanceExceeded',
  'NetworkBandwidthOutAllowanceExceeded',
  'NetworkPacketsPerSecondAllowanceExceeded',
  'NetworkConntrackAllowanceExceeded',
] as const;

/** Share of the baseline bandwidth in use. */
const BASELINE = ['NetworkBaselineUsageInPercentage', 'NetworkBaselineUsageOutPercentage'] as const;

/** Metrics of a node, each with its statistic. ElastiCache publishes one sample a node and minute: all statistics agree but Sum of a gauge. */
export const NODE_METRICS = [
  ['EngineCPUUtilization', 'Maximum'],
  ['CPUUtilization', 'Maximum'],
  ['CPUCreditBalance', 'Minimum'],
  ['TrafficManagementActive', 'Maximum'],
  ['IsMaster', 'Maximum'],
  ['SaveInProgress', 'Maximum'],
  ['NewConnections', 'Sum'],
  ['CurrConnections', 'Maximum'],
  ['Evictions', 'Sum'],
  ['DatabaseMemoryUsagePercentage', 'Maximum'],
  ['DatabaseCapacityUsagePercentage', 'Maximum'],
  ['ReplicationLag', 'Maximum'],
  ...ALLOWANCES.map((name) => [name, 'Sum'] as const),
  ...BASELINE.map((name) => [name, 'Maximum'] as const),
  ...FAMILIES.flatMap((family) => [[family, 'Sum'] as const, [`${family}Latency`, 'Maximum'] as const]),
] as const;

/** None of these is known from none of them published. */
const READ_AND_WRITTEN: readonly Family[] = ['GetTypeCmds', 'SetTypeCmds'];

export type NodeMetric = (typeof NODE_METRICS)[number][0];

/** A node's series of `HISTORY`, by metric, as the numbers that decisions rest on. `asOf`: epoch ms. */
export const loadOf = (series: (metric: NodeMetric) => Series, asOf: number): NodeLoad => {
  const recent = (metric: NodeMetric): Series => series(metric).filter(([at]) => at >= asOf - RECENT && at <= asOf);
  const last = (metric: NodeMetric): Series => recent(metric).slice(-JUDGED);
  const earlier = (metric: NodeMetric): Series => series(metric).filter(([at]) => at < asOf - RECENT);
  const hour = (metric: NodeMetric): Series => series(metric).filter(([at]) => at >= asOf - HISTORY + RECENT);
  const top = (points: Series): number | null => (points.length === 0 ? null : Math.max(...values(points)));
  const newest = (points: Series): number | null => points.at(-1)?.[1] ?? null;
  const rate = (metric: NodeMetric): Rate | null => {
    const points = last(metric);
    return points.length === 0 ? null : { perMinute: mean(points), before: median(values(earlier(metric))) };
  };
  const exceeded = new Set(
    ALLOWANCES.flatMap((metric) => last(metric).flatMap(([at, value]) => (value > 0 ? [at] : []))),
  );
  const usage = BASELINE.flatMap((metric) => (last(metric).length === 0 ? [] : [mean(last(metric))]));
  const isMaster = newest(recent('IsMaster'));
  const capacity =
    recent('DatabaseCapacityUsagePercentage').length > 0
      ? 'DatabaseCapacityUsagePercentage'
      : 'DatabaseMemoryUsagePercentage';
  return {
    cpu: recent('CPUUtilization'),
    engineCpu: recent('EngineCPUUtilization'),
    saving: recent('SaveInProgress').flatMap(([at, value]) => (value > 0 ? [at] : [])),
    cpuHour: hourOf(hour('CPUUtilization')),
    engineCpuHour: hourOf(hour('EngineCPUUtilization')),
    credits: newest(series('CPUCreditBalance').filter(([at]) => at >= asOf - CREDITS_RECENT)),
    trafficManaged: (newest(recent('TrafficManagementActive')) ?? 0) > 0,
    isMaster: isMaster === null ? null : isMaster > 0,
    commands: Object.fromEntries(
      FAMILIES.flatMap((family): [Family, Commands][] => {
        const calls = rate(family);
        if (calls === null || (calls.perMinute === 0 && !READ_AND_WRITTEN.includes(family))) return [];
        const latency = last(`${family}Latency`);
        return [[family, { ...calls, latency: latency.length === 0 ? null : mean(latency) }]];
      }),
    ),
    newConnections: rate('NewConnections'),
    connections: top(last('CurrConnections')),
    evictions: sum(last('Evictions')),
    evictionsHour: sum(hour('Evictions')),
    memory: newest(recent(capacity)),
    memoryPeakHour: top(hour(capacity)),
    replicationLag: top(last('ReplicationLag')),
    networkExceededMinutes: exceeded.size,
    networkUsage: usage.length === 0 ? null : Math.max(...usage),
    networkPeakHour: top(BASELINE.flatMap((metric) => hour(metric))),
  };
};

/** % of the engine's core above which a node is saturated, and above which it will be soon. */
export const SATURATED = 90;
export const WARNING = 65;
/** Of the newest five points, this many have to be above. */
const OUT_OF_FIVE = 3;

/**
 * The engine's use of its core by minute, %. Up to two vCPUs the operating system, snapshots and TLS compete for that core, so all
 * CPU counts: 90 / N % of CPUUtilization is 90 % of one core. From four vCPUs on other threads use the other cores, and only
 * EngineCPUUtilization tells.
 */
export const engineUse = ({ cpu, engineCpu }: Pick<NodeLoad, 'cpu' | 'engineCpu'>, vcpus: number): Series =>
  vcpus <= 2 ? cpu.map(([at, value]) => [at, Math.min(100, value * vcpus)] as const) : engineCpu;

/** The hour's engine use in the same unit. */
export const engineHour = ({ cpuHour, engineCpuHour }: NodeLoad, vcpus: number): Hour | null => {
  if (vcpus > 2) return engineCpuHour;
  if (cpuHour === null) return null;
  return { ...cpuHour, peak: Math.min(100, cpuHour.peak * vcpus) };
};

export type Level = 'saturated' | 'warning' | 'calm' | 'unknown';

/** Three of the newest five points decide; fewer than three points decide nothing. */
export const levelOf = (use: Series): Level => {
  const points = use.slice(-JUDGED);
  const above = (limit: number) => points.filter(([, value]) => value > limit).length >= OUT_OF_FIVE;
  if (points.length < OUT_OF_FIVE) return 'unknown';
  return above(SATURATED) ? 'saturated' : above(WARNING) ? 'warning' : 'calm';
};

/** Mean of the newest five points; null: there are none. */
export const useNow = (use: Series): number | null => (use.length === 0 ? null : mean(use.slice(-JUDGED)));

/** Fraction of the engine's core spent on a family: calls x time each; null: not published. */
export const share = (load: NodeLoad, family: Family): number | null => {
  const commands = load.commands[family];
  if (commands === undefined) return null;
  if (commands.perMinute === 0) return 0;
  return commands.latency === null ? null : (commands.perMinute * commands.latency) / 60e6;
};

export type Work = 'reads' | 'writes' | 'mixed' | 'unknown';

const READ_DOMINANT = 0.7;
const WRITE_DOMINANT = 0.4;

/**
 * What the engine spends its time on, by calls x time, or by calls alone where no time is published. Scripts are left out: what they
 * call is counted in its own family as well.
 */
export const workOf = (load: NodeLoad): Work => {
  const { GetTypeCmds: gets, SetTypeCmds: sets } = load.commands;
  if (gets === undefined || sets === undefined) return 'unknown';
  const [readTime, writeTime] = [share(load, 'GetTypeCmds'), share(load, 'SetTypeCmds')];
  const timed = readTime !== null && writeTime !== null;
  const [reads, writes] = timed ? [readTime, writeTime] : [gets.perMinute, sets.perMinute];
  if (reads + writes === 0) return 'unknown';
  const readShare = reads / (reads + writes);
  return readShare >= READ_DOMINANT ? 'reads' : readShare <= WRITE_DOMINANT ? 'writes' : 'mixed';
};

/** Reads and writes a minute, now and before the last minutes; null: not known. */
export const dataCommands = (load: NodeLoad): Rate | null => {
  const { GetTypeCmds: gets, SetTypeCmds: sets } = load.commands;
  if (gets === undefined || sets === undefined) return null;
  const before = gets.before === null || sets.before === null ? null : gets.before + sets.before;
  return { perMinute: gets.perMinute + sets.perMinute, before };
};

const values = (points: Series): number[] => points.map(([, value]) => value);
const sum = (points: Series): number => points.reduce((total, [, value]) => total + value, 0);
const mean = (points: Series): number => (points.length === 0 ? 0 : sum(points) / points.length);

const hourOf = (points: Series): Hour | null =>
  points.length === 0 ? null : { minutes: points.length, peak: Math.max(...values(points)) };

/** The middle value; of two, the lower, so that one high value among two is still seen as high. Null: none. */
export const median = (numbers: readonly number[]): number | null => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
};
