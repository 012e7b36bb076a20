import { describe, expect, it } from 'vitest';
import type { Series } from '../../../functions/relieve-elasticache/facts.ts';
import {
  engineHour,
  engineUse,
  levelOf,
  loadOf,
  median,
  type NodeMetric,
  share,
  useNow,
  workOf,
} from '../../../functions/relieve-elasticache/load.ts';
import { commands, IDLE, minutes, newest } from '../../support/cache-facts.ts';
import { at } from '../../support/event-builders.ts';

const MINUTE = 60_000;
/** One point every minute, `count` of them, the newest last. */
const every = (value: number | ((i: number) => number), count = 70): Series =>
  Array.from({ length: count }, (_, i) => [
    newest - (count - 1 - i) * MINUTE,
    typeof value === 'number' ? value : value(count - 1 - i),
  ]);
const of = (series: Partial<Record<NodeMetric, Series>>) => loadOf((metric) => series[metric] ?? [], at);

describe('a load', () => {
  it('of a node that publishes nothing is unknown, not zero', () => {
    expect(of({})).toEqual({
      cpu: [],
      engineCpu: [],
      saving: [],
      cpuHour: null,
      engineCpuHour: null,
      credits: null,
      trafficManaged: false,
      isMaster: null,
      commands: {},
      newConnections: null,
      connections: null,
      evictions: 0,
      evictionsHour: 0,
      memory: null,
      memoryPeakHour: null,
      replicationLag: null,
      networkExceededMinutes: 0,
      networkUsage: null,
      networkPeakHour: null,
    });
  });

  it('keeps ten minutes of CPU, and an hour in two numbers', () => {
    const { engineCpu, engineCpuHour } = of({ EngineCPUUtilization: every((ago) => (ago === 30 ? 80 : 20)) });

    expect(engineCpu[0]?.[0]).toBeGreaterThanOrEqual(at - 10 * MINUTE);
    expect(engineCpu).toHaveLength(9);
    expect(engineCpuHour).toEqual({ minutes: 59, peak: 80 });
  });

  it('takes no part of what is older than the hour, or yet to come', () => {
    const old: Series = [[at - 61 * MINUTE, 99]];
    const later: Series = [[at + MINUTE, 99]];
    expect(of({ EngineCPUUtilization: old }).engineCpuHour).toBeNull();
    expect(of({ EngineCPUUtilization: later }).engineCpu).toEqual([]);
  });

  it('compares the newest five minutes with the median of the hour before the last ten', () => {
    const { newConnections } = of({
      NewConnections: every((ago) => (ago < 5 ? 600 : ago < 10 ? 9_999 : ago === 40 ? 5_000 : 100)),
    });
    expect(newConnections).toEqual({ perMinute: 600, before: 100 });
  });

  it('knows no usual rate of a node that has just come', () => {
    expect(of({ NewConnections: every(600, 5) }).newConnections).toEqual({ perMinute: 600, before: null });
  });

  it('has the time of a family’s commands beside their number', () => {
    const { commands: all } = of({ GetTypeCmds: every(6_000), GetTypeCmdsLatency: every(9), SetTypeCmds: every(10) });
    expect(all).toEqual({
      GetTypeCmds: { perMinute: 6_000, before: 6_000, latency: 9 },
      SetTypeCmds: { perMinute: 10, before: 10, latency: null },
    });
  });

  it('counts minutes in which any network allowance was exceeded, each once', () => {
    const { networkExceededMinutes } = of({
      NetworkBandwidthInAllowanceExceeded: every((ago) => (ago === 0 ? 5 : 0)),
      NetworkBandwidthOutAllowanceExceeded: every((ago) => (ago <= 1 ? 5 : 0)),
      NetworkPacketsPerSecondAllowanceExceeded: every((ago) => (ago === 3 ? 1 : 0)),
      NetworkConntrackAllowanceExceeded: every((ago) => (ago === 4 ? 1 : 0)),
    });
    expect(networkExceededMinutes).toBe(4);
  });

  it('takes the larger of bandwidth in and out', () => {
    expect(
      of({ NetworkBaselineUsageInPercentage: every(30), NetworkBaselineUsageOutPercentage: every(130) }).networkUsage,
    ).toBe(130);
    expect(of({ NetworkBaselineUsageInPercentage: every(30) }).networkUsage).toBe(30);
  });

  it('knows the busiest minute of the hour of either way', () => {
    const { networkPeakHour } = of({
      NetworkBaselineUsageInPercentage: every((ago) => (ago === 50 ? 90 : 30)),
      NetworkBaselineUsageOutPercentage: every(40),
    });
    expect(networkPeakHour).toBe(90);
  });

  it('sees credits that come every five minutes, and no older ones', () => {
    expect(of({ CPUCreditBalance: [[at - 19 * MINUTE, 3]] }).credits).toBe(3);
    expect(of({ CPUCreditBalance: [[at - 21 * MINUTE, 3]] }).credits).toBeNull();
  });

  it('takes the newest of what changes, and the highest of what hurts', () => {
    const load = of({
      IsMaster: every((ago) => (ago < 3 ? 0 : 1)),
      TrafficManagementActive: every((ago) => (ago === 0 ? 1 : 0)),
      SaveInProgress: every((ago) => (ago === 2 ? 1 : 0)),
      CurrConnections: every((ago) => (ago === 4 ? 60_000 : ago === 5 ? 65_000 : 100)),
      ReplicationLag: every((ago) => (ago === 4 ? 7 : 0)),
      Evictions: every((ago) => (ago === 4 || ago === 20 ? 3 : 0)),
      DatabaseMemoryUsagePercentage: every((ago) => (ago === 0 ? 50 : 60)),
    });
    expect(load).toMatchObject({
      isMaster: false,
      trafficManaged: true,
      saving: [newest - 2 * MINUTE],
      connections: 60_000,
      replicationLag: 7,
      evictions: 3,
      evictionsHour: 6,
      memory: 50,
      memoryPeakHour: 60,
    });
  });
});

describe('the engine’s use', () => {
  it('of one core is CPUUtilization times its vCPUs up to two of them, and EngineCPUUtilization above', () => {
    const load = { cpu: minutes([30, 60]), engineCpu: minutes([7, 8]) };
    const values = (vcpus: number) => engineUse(load, vcpus).map(([, value]) => value);
    expect([values(1), values(2), values(4)]).toEqual([
      [30, 60],
      [60, 100],
      [7, 8],
    ]);
  });

  it('of an hour is in the same unit', () => {
    const load = { ...IDLE, cpuHour: { minutes: 60, peak: 70 } };
    expect(engineHour(load, 2)).toEqual({ minutes: 60, peak: 100 });
    expect(engineHour(load, 4)).toBe(IDLE.engineCpuHour);
    expect(engineHour({ ...IDLE, cpuHour: null }, 2)).toBeNull();
  });

  it('now is the mean of the newest five', () => {
    expect(useNow(minutes([100, 10, 20, 30, 40, 50]))).toBe(30);
    expect(useNow([])).toBeNull();
  });
});

describe('the level', () => {
  it.each([
    [[91, 91, 91], 'saturated'],
    [[90, 91, 91], 'warning'],
    [[66, 66, 66], 'warning'],
    [[65, 66, 66], 'calm'],
    [[99, 99], 'unknown'],
    [[], 'unknown'],
  ])('of %j is %s', (values, level) => {
    expect(levelOf(minutes(values))).toBe(level);
  });
});

describe('a family’s share of the engine', () => {
  it('is its calls times the time of each', () => {
    expect(share({ ...IDLE, commands: { GetTypeCmds: commands(6_000_000, 5) } }, 'GetTypeCmds')).toBe(0.5);
  });

  it('of no calls is none, and without times is unknown', () => {
    expect(share({ ...IDLE, commands: { GetTypeCmds: commands(0, null) } }, 'GetTypeCmds')).toBe(0);
    expect(share({ ...IDLE, commands: { GetTypeCmds: commands(5, null) } }, 'GetTypeCmds')).toBeNull();
    expect(share({ ...IDLE, commands: {} }, 'GetTypeCmds')).toBeNull();
  });
});

describe('the work', () => {
  it.each([
    [70, 30, 'reads'],
    [69, 31, 'mixed'],
    [41, 59, 'mixed'],
    [40, 60, 'writes'],
    [0, 0, 'unknown'],
  ])('of %d to %d is %s', (reads, writes, work) => {
    const load = { ...IDLE, commands: { GetTypeCmds: commands(reads, 10), SetTypeCmds: commands(writes, 10) } };
    expect(workOf(load)).toBe(work);
  });

  it('leaves scripts out: what they call is counted in its own family', () => {
    const all = { GetTypeCmds: commands(80, 10), SetTypeCmds: commands(20, 10), EvalBasedCmds: commands(900, 99) };
    expect(workOf({ ...IDLE, commands: all })).toBe('reads');
  });

  it('of half a measurement is unknown', () => {
    expect(workOf({ ...IDLE, commands: { GetTypeCmds: commands(80, 10) } })).toBe('unknown');
  });
});

describe('the median', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1], 1],
    [[1, 2, 3, 4], 2],
    [[], null],
  ])('of %j is %s', (numbers, expected) => {
    expect(median(numbers)).toBe(expected);
  });
});
