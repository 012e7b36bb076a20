import { describe, expect, it, vi } from 'vitest';
import { metricsFromEnv } from '../../../shared/telemetry/metrics.ts';
import { printedLines } from '../../support/printed.ts';

interface Emf {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
  readonly [key: string]: unknown;
}

const printed = printedLines();
const emitted = (): Emf[] => printed.map((line) => JSON.parse(line) as Emf);

describe('the meter', () => {
  it('counts outcomes by function, decision and reason in namespace Reflex, one line for equal ones', async () => {
    const meter = metricsFromEnv();

    meter.outcome('reshard-kinesis', 'skip', 'not-opted-in', false);
    meter.outcome('reshard-kinesis', 'skip', 'not-opted-in', false);
    meter.outcome('reshard-kinesis', 'escalate', 'bad-tag', false);
    await meter.flush();

    expect(emitted()).toMatchObject([
      { function: 'reshard-kinesis', decision: 'skip', reason: 'not-opted-in', Outcome: [1, 1] },
      { function: 'reshard-kinesis', decision: 'escalate', reason: 'bad-tag', Outcome: 1 },
    ]);
    expect(emitted()[0]?._aws.CloudWatchMetrics).toEqual([
      {
        Namespace: 'Reflex',
        Dimensions: [['stack', 'function', 'decision', 'reason']],
        Metrics: [{ Name: 'Outcome', Unit: 'Count' }],
      },
    ]);
  });

  it('writes what a storm counts in lines that CloudWatch takes, each with the version', async () => {
    const meter = metricsFromEnv();

    for (let n = 0; n < 250; n++) meter.outcome('drain-fargate', 'skip', 'duplicate', false);
    await meter.flush();

    const counted = emitted().map(({ Outcome }) => (Outcome as number[]).length);
    expect(counted.reduce((sum, n) => sum + n)).toBe(250);
    expect(Math.max(...counted)).toBeLessThanOrEqual(100);
    expect(new Set(emitted().map(({ version }) => version))).toEqual(new Set(['development']));
  });

  it('counts a dry run as such too', async () => {
    const meter = metricsFromEnv();

    meter.outcome('reshard-kinesis', 'act', 'frozen', true);
    await meter.flush();

    expect(emitted()).toMatchObject([{ Outcome: 1, DryRunOutcome: 1 }]);
  });

  it('collects what a function counts into one line', async () => {
    const meter = metricsFromEnv();

    meter.eventToAction('reshard-kinesis', 1_300);
    meter.held('reshard-kinesis', 0);
    meter.brokenMessages('reshard-kinesis', 2);
    meter.notForUs('reshard-kinesis', 3);
    await meter.flush();

    expect(emitted()).toMatchObject([
      { function: 'reshard-kinesis', EventToAction: 1_300, Held: 0, BrokenMessage: 2, NotForUs: 3 },
    ]);
    expect(emitted()[0]?._aws.CloudWatchMetrics[0]?.Dimensions).toEqual([['stack', 'function']]);
    expect(emitted()[0]?._aws.CloudWatchMetrics[0]?.Metrics[0]).toEqual({
      Name: 'EventToAction',
      Unit: 'Milliseconds',
    });
  });

  it('counts for its own stack, and outside of one for none', async () => {
    vi.stubEnv('STACK_NAME', 'reflex-staging');
    const meter = metricsFromEnv();

    meter.held('reshard-kinesis', 1);
    await meter.flush();
    vi.stubEnv('STACK_NAME', undefined);
    meter.held('reshard-kinesis', 1);
    await meter.flush();

    expect(emitted().map(({ stack }) => stack)).toEqual(['reflex-staging', 'none']);
  });

  it('counts what SNS refused for the stack as a whole', async () => {
    const meter = metricsFromEnv();

    meter.notificationRefused();
    meter.notificationRefused();
    await meter.flush();

    expect(emitted()).toMatchObject([{ NotificationRefused: [1, 1] }]);
    expect(emitted()[0]?._aws.CloudWatchMetrics[0]?.Dimensions).toEqual([['stack']]);
  });

  it('counts an event from the future as no delay', async () => {
    const meter = metricsFromEnv();

    meter.eventToAction('reshard-kinesis', -250);
    await meter.flush();

    expect(emitted()).toMatchObject([{ EventToAction: 0 }]);
  });

  it('keeps the resource out of the dimensions and in the line', async () => {
    const meter = metricsFromEnv();

    meter.budgetLeft('reshard-kinesis', 'arn:a', 'UpdateShardCount', 7);
    meter.budgetLeft('reshard-kinesis', 'arn:b', 'UpdateShardCount', 0);
    await meter.flush();

    expect(emitted()).toMatchObject([
      { budget: 'UpdateShardCount', resource: 'arn:a', BudgetLeft: 7 },
      { budget: 'UpdateShardCount', resource: 'arn:b', BudgetLeft: 0 },
    ]);
    expect(emitted()[0]?._aws.CloudWatchMetrics[0]?.Dimensions).toEqual([['stack', 'function', 'budget']]);
  });

  it('writes each count once, and nothing when nothing was counted', async () => {
    const meter = metricsFromEnv();

    meter.notForUs('reshard-kinesis', 0);
    meter.brokenMessages('reshard-kinesis', 0);
    await meter.flush();
    meter.notForUs('reshard-kinesis', 1);
    await meter.flush();
    await meter.flush();

    expect(emitted()).toHaveLength(1);
  });

  it('loses no count in a storm of more than a hundred equal outcomes', async () => {
    const meter = metricsFromEnv();

    for (let index = 0; index < 250; index++) meter.outcome('drain-fargate', 'act', 'frozen', false);
    await meter.flush();

    expect(emitted().flatMap(({ Outcome }) => Outcome)).toEqual(Array.from({ length: 250 }, () => 1));
    expect(emitted().every(({ reason }) => reason === 'frozen')).toBe(true);
  });

  it('is silent where metrics are switched off', async () => {
    vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'true');
    const meter = metricsFromEnv();

    meter.outcome('reshard-kinesis', 'act', 'frozen', true);
    meter.budgetLeft('reshard-kinesis', 'arn:a', 'UpdateShardCount', 7);
    await meter.flush();

    expect(printed).toEqual([]);
  });
});
