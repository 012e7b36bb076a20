import { describe, expect, it } from 'vitest';
import { hear as hearCache } from '../../../functions/relieve-elasticache/hear.ts';
import { hear as hearStream } from '../../../functions/reshard-kinesis/hear.ts';
import { tuneAlarms } from '../../../functions/tune-alarms/function.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import { account, alarmEvent, region, streamArn, tagChange, tick } from '../../support/event-builders.ts';
import type { FakeAlarm } from '../../support/fake-aws/cloudwatch.ts';
import { deployed } from '../../support/fake-aws/deployed.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';

const MINUTE = 60_000;
const fake = await useFakeAwsWithDynamodb();

const start = (
  env: Readonly<Record<string, string>> = {},
  sleep: (ms: number) => Promise<void> = async (ms) => fake.clock.advance(ms),
) => deployed(fake, (all, clock) => tuneAlarms(all, { clock, sleep }), env);
/** Sleepers wake in order, each when what the one before it asked for is done. */
const oneByOne = () => {
  let last = Promise.resolve();
  return (ms: number): Promise<void> => {
    const until = fake.clock() + ms;
    last = last.then(async () => {
      await fake.quiet();
      fake.clock.advance(Math.max(0, until - fake.clock()));
    });
    return last;
  };
};
type Deployed = Awaited<ReturnType<typeof start>>;

/** The schedule, and whatever follows from it. */
const schedule = async (fn: Deployed, ms = 5 * MINUTE) => {
  fn.send(tick());
  await fn.run(ms);
};
const names = () => fake.cloudwatch.alarms.map(({ AlarmName }) => AlarmName).sort();
const alarm = (name: string): FakeAlarm => {
  const found = fake.cloudwatch.alarms.find(({ AlarmName }) => AlarmName === name);
  if (found === undefined) throw new Error(`no alarm ${name}; there are ${names().join(', ')}`);
  return found;
};
/** As somebody at the console does it. */
const edit = (name: string, change: object) => {
  const index = fake.cloudwatch.alarms.indexOf(alarm(name));
  fake.cloudwatch.alarms[index] = { ...alarm(name), ...change };
};
const arnOf = (name: string) => `arn:aws:cloudwatch:${region}:${account}:alarm:${name}`;
const byHand = (name: string, tags: Readonly<Record<string, string>> = {}): void => {
  fake.cloudwatch.alarms.push({ AlarmName: name, AlarmArn: arnOf(name), MetricName: 'Mine', Threshold: 1 });
  fake.cloudwatch.tags.set(arnOf(name), tags);
};
const writes = () =>
  fake.calls.map(({ operation }) => operation).filter((name) => /^(Put|Delete)/.test(name) && /Alarm/.test(name));
const story = ({ outcomes }: Deployed) => outcomes.map(({ decision, reason }) => `${decision} ${reason}`);
const rowsOf = ({ Metrics }: FakeAlarm) => Metrics as { Id: string; Expression?: string }[];
const shardsOf = (stream: string) =>
  rowsOf(alarm(`reflex-tuned-kinesis-${stream}-utilization`)).find(({ Id }) => Id === 'shards')?.Expression;

const UTILIZATION = 'reflex-tuned-kinesis-orders-utilization';
const OF_ORDERS = ['iterator-age', 'throttled', 'utilization'].map((kind) => `reflex-tuned-kinesis-orders-${kind}`);

describe('a stream that opted in', () => {
  it('gets its three alarms, with the shards it has, and they are found to be right', async () => {
    fake.kinesis.createStream('orders', 3);
    const fn = await start();

    await schedule(fn);

    expect(story(fn)).toEqual(['act make-alarms', 'skip resolved']);
    expect(names()).toEqual(OF_ORDERS);
    expect(alarm(UTILIZATION)).toMatchObject({
      Threshold: 0.75,
      EvaluationPeriods: 3,
      DatapointsToAlarm: 2,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'notBreaching',
    });
    expect(rowsOf(alarm(UTILIZATION)).map(({ Id, Expression }) => [Id, Expression])).toEqual([
      ['utilization', 'MAX([bytesShare, recordsShare])'],
      ['bytesShare', 'bytes / 60 / 1048576 / shards'],
      ['recordsShare', 'records / 60 / 1000 / shards'],
      ['shards', '3'],
      ['bytes', undefined],
      ['records', undefined],
    ]);
    expect(alarm('reflex-tuned-kinesis-orders-throttled')).toMatchObject({
      MetricName: 'WriteProvisionedThroughputExceeded',
      Statistic: 'Sum',
      Threshold: 0,
      EvaluationPeriods: 1,
      DatapointsToAlarm: 1,
    });
    expect(alarm('reflex-tuned-kinesis-orders-iterator-age')).toMatchObject({
      MetricName: 'GetRecords.IteratorAgeMilliseconds',
      Statistic: 'Maximum',
      Threshold: 1_800_000,
      // A consumer that stopped reading has no lag to show; the alarm must not end by that.
      TreatMissingData: 'ignore',
    });
    expect(fake.cloudwatch.tags.get(arnOf(UTILIZATION))).toEqual({
      'reflex:enabled': 'true',
      'reflex:alarm-of': streamArn(),
    });
  });

  it('is left alone once they are right', async () => {
    fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);
    const before = writes().length;

    await schedule(fn);

    expect(story(fn).at(-1)).toBe('skip alarms-right');
    expect(writes()).toHaveLength(before);
  });

  it('has them at once when it is tagged', async () => {
    fake.kinesis.createStream('orders');
    const fn = await start();

    fn.send(tagChange(streamArn(), ['reflex:enabled']));
    await fn.run(5 * MINUTE);

    expect(names()).toEqual(OF_ORDERS);
  });

  it('has no utilisation alarm while it is on demand, and loses the one it had', async () => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);

    stream.mode = 'ON_DEMAND';
    await schedule(fn);

    expect(story(fn)).toContain('act remove-alarms');
    expect(names()).toEqual(OF_ORDERS.filter((name) => name !== UTILIZATION));
  });

  it('is waited for while it is being resharded', async () => {
    fake.kinesis.createStream('orders', 2, { status: 'UPDATING' });
    const fn = await start();

    await schedule(fn);

    expect(story(fn)).toEqual(['defer stream-updating']);
    expect(names()).toEqual([]);
  });

  it('gets none in a dry run, which lists every call', async () => {
    fake.kinesis.createStream('orders');
    const fn = await start({ MODE: 'dry-run' });

    await schedule(fn);

    const [outcome] = fn.outcomes;
    expect(outcome).toMatchObject({ decision: 'act', reason: 'make-alarms', dryRun: true });
    expect(
      outcome?.actions.map(({ call, params }) => [call, (params as { AlarmName: string }).AlarmName]).sort(),
    ).toEqual(OF_ORDERS.map((name) => ['PutMetricAlarm', name]));
    expect(writes()).toEqual([]);
  });

  it('gets none without the opt-in', async () => {
    fake.kinesis.createStream('orders', 1, { tags: { team: 'shop' } });
    const fn = await start();

    fn.send(tagChange(streamArn(), ['reflex:enabled']));
    await schedule(fn);

    expect(story(fn)).toEqual(['skip not-opted-in']);
    expect(writes()).toEqual([]);
  });

  it('gets none for an opt-in that is misspelt, and loses none', async () => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);

    stream.tags = { 'reflex:enabled': 'True' };
    await schedule(fn);

    expect(story(fn).at(-1)).toBe('escalate bad-tag');
    expect(names()).toEqual(OF_ORDERS);
  });
});

describe('after a reshard', () => {
  it('only the count is changed: what a person has made of the alarm stays', async () => {
    fake.kinesis.createStream('orders', 2);
    const fn = await start();
    await schedule(fn);
    edit(UTILIZATION, {
      Threshold: 0.6,
      EvaluationPeriods: 5,
      DatapointsToAlarm: 4,
      AlarmDescription: 'page the shop team',
      AlarmActions: [`arn:aws:sns:${region}:${account}:pager`],
      TreatMissingData: 'ignore',
      StateValue: 'ALARM',
    });
    const { AlarmConfigurationUpdatedTimestamp: _then, ...before } = alarm(UTILIZATION);

    fake.kinesis.deleteStream('orders');
    fake.kinesis.createStream('orders', 4);
    await schedule(fn);

    const { AlarmConfigurationUpdatedTimestamp: _now, ...after } = alarm(UTILIZATION);
    expect(shardsOf('orders')).toBe('4');
    expect(after).toEqual({
      ...before,
      Metrics: rowsOf(alarm(UTILIZATION)),
    });
    expect(rowsOf(alarm(UTILIZATION)).filter(({ Id }) => Id !== 'shards')).toEqual(
      (before.Metrics as { Id: string }[]).filter(({ Id }) => Id !== 'shards'),
    );
    expect(story(fn)).toContain('act retune-alarms');
    expect(writes()).toHaveLength(4);
  });

  it('a count that drifted heals', async () => {
    fake.kinesis.createStream('orders', 2);
    const fn = await start();
    await schedule(fn);
    const drifted = rowsOf(alarm(UTILIZATION)).map((row) => (row.Id === 'shards' ? { ...row, Expression: '1' } : row));
    edit(UTILIZATION, { Metrics: drifted });

    await schedule(fn);

    expect(shardsOf('orders')).toBe('2');
  });

  it('an alarm that a person has given another sense is not made a utilisation alarm again', async () => {
    fake.kinesis.createStream('orders', 2);
    const fn = await start();
    await schedule(fn);
    edit(UTILIZATION, { Metrics: [{ Id: 'mine', Expression: 'bytes + 1', ReturnData: true }] });

    await schedule(fn);

    expect(rowsOf(alarm(UTILIZATION))).toEqual([{ Id: 'mine', Expression: 'bytes + 1', ReturnData: true }]);
  });
});

describe('a threshold', () => {
  it('follows the tag on the stream', async () => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);

    stream.tags = { ...stream.tags, 'reflex:target-utilization': '0.4', 'reflex:max-iterator-age': '60' };
    await schedule(fn);

    expect(alarm(UTILIZATION).Threshold).toBeCloseTo(0.6);
    expect(alarm('reflex-tuned-kinesis-orders-iterator-age').Threshold).toBe(60_000);
  });

  it("is a person's until what calls for it changes", async () => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);
    edit(UTILIZATION, { Threshold: 0.9 });

    await schedule(fn);
    const kept = alarm(UTILIZATION).Threshold;
    stream.tags = { ...stream.tags, 'reflex:target-utilization': '0.2' };
    await schedule(fn);

    expect(kept).toBe(0.9);
    expect(alarm(UTILIZATION).Threshold).toBeCloseTo(0.3);
  });

  it('follows at the next look where the call that was to change it got no answer', async () => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);

    stream.tags = { ...stream.tags, 'reflex:target-utilization': '0.4' };
    fake.fault('PutMetricAlarm', new AwsError('InternalServiceFault', 'try later', 500), 3);
    await schedule(fn);

    expect(story(fn)).toContain('defer act-unknown');
    expect(alarm(UTILIZATION).Threshold).toBeCloseTo(0.6);
  });

  it("is a person's again once it was seen to have followed", async () => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);
    stream.tags = { ...stream.tags, 'reflex:target-utilization': '0.4' };
    await schedule(fn);

    edit(UTILIZATION, { Threshold: 0.9 });
    await schedule(fn);

    expect(alarm(UTILIZATION).Threshold).toBe(0.9);
  });

  it('stays where a person has made another alarm of it, whatever is called for', async () => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);
    const ITERATOR_AGE = 'reflex-tuned-kinesis-orders-iterator-age';
    edit(UTILIZATION, { Metrics: [{ Id: 'mine', Expression: 'bytes', ReturnData: true }], Threshold: 5_000_000 });
    edit(ITERATOR_AGE, { MetricName: 'ReadProvisionedThroughputExceeded', Threshold: 7 });

    stream.tags = { ...stream.tags, 'reflex:target-utilization': '0.8', 'reflex:max-iterator-age': '3600' };
    await schedule(fn);

    expect(alarm(UTILIZATION).Threshold).toBe(5_000_000);
    expect(alarm(ITERATOR_AGE).Threshold).toBe(7);
  });

  it('is not guessed from a tag that is malformed', async () => {
    const stream = fake.kinesis.createStream('orders');
    stream.tags = { ...stream.tags, 'reflex:target-utilization': 'half' };
    const fn = await start();

    await schedule(fn);

    expect(story(fn)).toEqual(['escalate bad-tag']);
    expect(writes()).toEqual([]);
  });
});

describe('an alarm that a person made', () => {
  it('is not touched, whatever it watches', async () => {
    fake.kinesis.createStream('orders');
    byHand('orders-hot', { 'reflex:enabled': 'true' });
    const before = alarm('orders-hot');
    const fn = await start();

    await schedule(fn);

    expect(alarm('orders-hot')).toBe(before);
  });

  it('is not overwritten where it has the name of one of ours; a person is told once, the others are made', async () => {
    fake.kinesis.createStream('orders');
    byHand(UTILIZATION);
    const before = alarm(UTILIZATION);
    const fn = await start();

    await schedule(fn);
    await schedule(fn);

    expect(alarm(UTILIZATION)).toBe(before);
    expect(names()).toEqual(OF_ORDERS);
    expect(story(fn)).toEqual(['act make-alarms', 'escalate alarm-name-taken', 'escalate alarm-name-taken']);
    expect(fake.sns.published.filter(({ Subject }) => Subject?.includes('alarm-name-taken'))).toHaveLength(1);
  });

  it('is not overwritten where it is a composite one, either', async () => {
    fake.kinesis.createStream('orders');
    fake.cloudwatch.alarms.push({ AlarmName: UTILIZATION, AlarmArn: arnOf(UTILIZATION), AlarmRule: 'ALARM(mine)' });
    const fn = await start();

    await schedule(fn);

    expect(alarm(UTILIZATION).AlarmRule).toBe('ALARM(mine)');
    expect(story(fn)).toEqual(['act make-alarms', 'escalate alarm-name-taken']);
  });

  it('is not taken for ours because it names another resource as its own', async () => {
    fake.kinesis.createStream('orders');
    byHand(UTILIZATION, { 'reflex:enabled': 'true', 'reflex:alarm-of': streamArn('other') });
    const before = alarm(UTILIZATION);
    const fn = await start();

    await fn.invoke(tagChange(streamArn(), ['reflex:enabled']));

    expect(alarm(UTILIZATION)).toBe(before);
  });

  it('may be one of another stack, which keeps its own', async () => {
    fake.kinesis.createStream('orders');
    const [fn, other] = [await start(), await start({ ALARM_PREFIX: 'other-tuned-' })];

    await schedule(fn);
    await schedule(other);
    await schedule(fn);

    expect(names()).toEqual([...OF_ORDERS.map((name) => name.replace('reflex', 'other')), ...OF_ORDERS]);
    expect(story(fn).at(-1)).toBe('skip alarms-right');
  });

  it('may be one of ours that was taken over: reflex:enabled = false on the alarm', async () => {
    const stream = fake.kinesis.createStream('orders', 1);
    const fn = await start();
    await schedule(fn);
    fake.cloudwatch.tags.set(arnOf(UTILIZATION), { 'reflex:enabled': 'false', 'reflex:alarm-of': streamArn() });
    fake.kinesis.deleteStream('orders');
    fake.kinesis.createStream('orders', 5);
    await schedule(fn);
    const count = shardsOf('orders');

    fake.kinesis.deleteStream(stream.name);
    await schedule(fn);

    expect(count).toBe('1');
    expect(names()).toEqual([UTILIZATION]);
  });
});

describe('a resource that should have alarms no more', () => {
  it.each([
    ['loses them when the tag is taken off, by its event', {}, tagChange(streamArn(), ['reflex:enabled'])],
    ['loses them when the tag says false, by the schedule', { 'reflex:enabled': 'false' }, tick()],
  ])('%s', async (_, tags, event) => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);
    byHand('orders-hot');

    stream.tags = tags;
    fn.send(event);
    await fn.run(5 * MINUTE);

    expect(story(fn).slice(-2)).toEqual(['act remove-alarms', 'skip not-opted-in']);
    expect(names()).toEqual(['orders-hot']);
  });

  it('loses them when it is deleted', async () => {
    fake.kinesis.createStream('orders');
    fake.elasticache.createGroup('sessions', { replicas: 1 });
    const fn = await start();
    await schedule(fn);

    fake.kinesis.deleteStream('orders');
    fake.elasticache.deleteGroup('sessions');
    await schedule(fn);

    expect(names()).toEqual([]);
    expect(story(fn).slice(-2).sort()).toEqual(['skip cache-gone', 'skip stream-gone']);
  });

  it('keeps them while ElastiCache cannot tell its tags', async () => {
    const group = fake.elasticache.createGroup('sessions', { replicas: 0 });
    const fn = await start();
    await schedule(fn);

    group.tags = {};
    group.status = 'modifying';
    await schedule(fn);
    const during = names();
    group.status = 'available';
    await schedule(fn);

    expect(during).toHaveLength(1);
    expect(names()).toEqual([]);
  });
});

describe('a replication group', () => {
  const cpu = (node: string) => alarm(`reflex-tuned-elasticache-${node}-cpu`);

  it.each([
    ['cache.t2.small', 'CPUUtilization', 90],
    ['cache.t3.small', 'CPUUtilization', 45],
    ['cache.r7g.large', 'CPUUtilization', 45],
    ['cache.r7g.xlarge', 'EngineCPUUtilization', 90],
  ])('of %s is watched by %s above %d, node by node', async (nodeType, metric, threshold) => {
    fake.elasticache.createGroup('sessions', { replicas: 1, nodeType });
    const fn = await start();

    await schedule(fn);

    for (const node of ['sessions-001', 'sessions-002']) {
      expect(cpu(node)).toMatchObject({
        MetricName: metric,
        Threshold: threshold,
        Statistic: 'Maximum',
        Dimensions: [
          { Name: 'CacheClusterId', Value: node },
          { Name: 'CacheNodeId', Value: '0001' },
        ],
      });
    }
    expect(names()).toHaveLength(2);
  });

  it('has metric and threshold changed with its node type, and nothing else', async () => {
    const group = fake.elasticache.createGroup('sessions', { replicas: 0, nodeType: 'cache.r7g.large' });
    const fn = await start();
    await schedule(fn);
    edit('reflex-tuned-elasticache-sessions-001-cpu', {
      EvaluationPeriods: 10,
      AlarmDescription: 'ours',
      Threshold: 40,
    });

    group.nodeType = 'cache.r7g.2xlarge';
    await schedule(fn);

    expect(cpu('sessions-001')).toMatchObject({
      MetricName: 'EngineCPUUtilization',
      Threshold: 90,
      EvaluationPeriods: 10,
      AlarmDescription: 'ours',
    });
  });

  it('has the threshold changed where the vCPUs double and the metric stays', async () => {
    const group = fake.elasticache.createGroup('sessions', { replicas: 0, nodeType: 'cache.t2.small' });
    const fn = await start();
    await schedule(fn);

    group.nodeType = 'cache.t2.medium';
    await schedule(fn);

    expect(cpu('sessions-001')).toMatchObject({ MetricName: 'CPUUtilization', Threshold: 45 });
  });

  it('is watched from the level on at which it is acted on', async () => {
    const group = fake.elasticache.createGroup('sessions', { replicas: 0, nodeType: 'cache.r7g.large' });
    group.tags = { ...group.tags, 'reflex:act-at': 'warning' };
    const fn = await start();

    await schedule(fn);

    expect(cpu('sessions-001').Threshold).toBe(32.5);
  });

  it('has an alarm for a new node, and none for one that is gone', async () => {
    const group = fake.elasticache.createGroup('sessions', { replicas: 1 });
    const fn = await start();
    await schedule(fn);

    group.shards[0]?.nodes.splice(0, 1, { id: 'sessions-009', primary: true });
    await schedule(fn);

    expect(names()).toEqual(['reflex-tuned-elasticache-sessions-002-cpu', 'reflex-tuned-elasticache-sessions-009-cpu']);
  });

  it('of ninety nodes gets its alarms in steps of thirty, within the rate of three a second', async () => {
    fake.elasticache.createGroup('sessions', { shards: 15, replicas: 5 });
    const fn = await start();

    await schedule(fn, 20 * MINUTE);

    expect(names()).toHaveLength(90);
    expect(story(fn)).toEqual(['act make-alarms', 'act make-alarms', 'act make-alarms', 'skip resolved']);
    expect(fake.called('PutMetricAlarm')).toHaveLength(90);
  });

  it('of a node type that nobody knows goes to a person', async () => {
    fake.elasticache.createGroup('sessions', { replicas: 0, nodeType: 'standalone' });
    const fn = await start();

    await schedule(fn);

    expect(story(fn)).toEqual(['escalate unknown-node-type']);
    expect(names()).toEqual([]);
  });

  it('that cannot be read keeps no stream from its alarms', async () => {
    fake.elasticache.createGroup('sessions');
    fake.kinesis.createStream('orders');
    fake.fault('DescribeReplicationGroups', new AwsError('InternalFailure', 'not now', 500), 3);
    const fn = await start();

    const { failures } = await fn.invoke(tick());

    expect(names()).toEqual(OF_ORDERS);
    expect(story(fn).sort()).toEqual(['act make-alarms', 'defer observe-failed']);
    expect(failures).toHaveLength(1);
  });

  it('is waited for while it is being changed', async () => {
    fake.elasticache.createGroup('sessions', { status: 'modifying' });
    const fn = await start();

    await schedule(fn);

    expect(story(fn)).toEqual(['defer not-available']);
  });
});

describe('the alarms that are made', () => {
  it('are heard by the functions that act on them', async () => {
    fake.kinesis.createStream('orders');
    fake.elasticache.createGroup('sessions', { replicas: 0 });
    const fn = await start();
    await schedule(fn);

    const heard = await Promise.all(
      fake.cloudwatch.alarms.map(async (made) => {
        const stats = (made.Metrics as
          | { Id: string; Expression?: string; MetricStat?: { Metric: Metric } }[]
          | undefined) ?? [{ Id: 'm1', MetricStat: { Metric: made as unknown as Metric } }];
        const rows = stats.map(({ Id, Expression, MetricStat }) =>
          MetricStat === undefined
            ? { id: Id, expression: Expression ?? '' }
            : {
                id: Id,
                namespace: MetricStat.Metric.Namespace,
                metric: MetricStat.Metric.MetricName,
                dimensions: Object.fromEntries(MetricStat.Metric.Dimensions.map(({ Name, Value }) => [Name, Value])),
              },
        );
        const [message] = receive(alarmEvent({ name: made.AlarmName, rows })).messages;
        const parsed = message && parse(message);
        if (parsed?.kind !== 'event') throw new Error('not understood');
        const answers = await Promise.all([hearStream([parsed.event]), hearCache([parsed.event])]);
        return answers
          .flat()
          .flatMap((answer) => ('signals' in answer ? answer.signals.map(({ resource }) => resource) : []));
      }),
    );

    const group = `arn:aws:elasticache:${region}:${account}:replicationgroup:sessions`;
    expect(heard.flat().sort()).toEqual([group, streamArn(), streamArn(), streamArn()].sort());
  });
});

interface Metric {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
}

describe('many at once', () => {
  it('take their turns: as many as StormLimit allows now, the rest with the schedule', async () => {
    const streams = ['a', 'b', 'c', 'd'];
    for (const name of streams) fake.kinesis.createStream(name);
    const fn = await start({ STORM_LIMIT: '3' }, oneByOne());
    const watched = () => new Set(names().map((name) => name.split('-')[3])).size;

    for (const name of streams) fn.send(tagChange(streamArn(name), ['reflex:enabled']));
    await fn.run(MINUTE);
    const first = watched();
    await fn.run(15 * MINUTE);
    await schedule(fn);

    expect(first).toBe(3);
    expect(watched()).toBe(4);
    expect(story(fn).filter((line) => line.startsWith('escalate'))).toEqual([]);
  });
});

describe('what AWS refuses', () => {
  it('for the quota goes to a person', async () => {
    fake.kinesis.createStream('orders');
    fake.cloudwatch.settings.alarmsAtMost = 1;
    const fn = await start();

    await schedule(fn);

    expect(fn.outcomes.at(-1)).toMatchObject({ decision: 'escalate', reason: 'alarm-quota' });
    expect(names()).toHaveLength(1);
  });

  it('for want of permission goes to a person, with the tag it is bound to', async () => {
    fake.kinesis.createStream('orders');
    fake.fault(
      'PutMetricAlarm',
      new AwsError('AccessDenied', 'not authorized to perform cloudwatch:PutMetricAlarm', 403),
    );
    const fn = await start();

    await schedule(fn);

    expect(fn.outcomes[0]).toMatchObject({ decision: 'escalate', reason: 'access-denied' });
  });

  it('once is done at the next look', async () => {
    fake.kinesis.createStream('orders');
    fake.fault('PutMetricAlarm', new AwsError('InternalServiceFault', 'try later', 500), 3);
    const fn = await start();

    await schedule(fn);

    expect(names()).toEqual(OF_ORDERS);
  });

  it('to delete, because it is gone already, is no trouble', async () => {
    const stream = fake.kinesis.createStream('orders');
    const fn = await start();
    await schedule(fn);

    stream.tags = {};
    fake.fault('DeleteAlarms', () => {
      fake.cloudwatch.alarms.splice(0, 1);
      return undefined;
    });
    await schedule(fn);

    expect(names()).toEqual([]);
  });
});
