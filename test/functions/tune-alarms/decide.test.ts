import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALARM_OF_TAG, wantedAlarms } from '../../../functions/tune-alarms/alarms.ts';
import { type AlarmCall, decide } from '../../../functions/tune-alarms/decide.ts';
import type { AlarmSituation, PresentAlarm, Subject } from '../../../functions/tune-alarms/facts.ts';
import { stackPolicy } from '../../../functions/tune-alarms/policy.ts';
import type { JsonObject } from '../../../shared/json.ts';
import { account, region, streamArn } from '../../support/event-builders.ts';

const NOW = Date.parse('2026-03-05T03:12:00Z');
const ARN = streamArn();
const enabled = { 'reflex:enabled': 'true' };
const ours = { ...enabled, [ALARM_OF_TAG]: ARN };

const stream = (openShards = 2, mode = 'PROVISIONED'): Subject => ({
  kind: 'stream',
  name: 'orders',
  status: 'ACTIVE',
  mode,
  openShards,
});
const situation = (part: Partial<AlarmSituation>, remembered: JsonObject = {}): AlarmSituation => ({
  asOf: NOW,
  arn: ARN,
  tags: enabled,
  subject: stream(),
  wanted: true,
  alarms: [],
  trigger: 'tick',
  ledger: { attempts: {}, lastActAt: null, incident: null, remembered },
  ...part,
});

/** CloudWatch, as far as the calls go. */
const after = (alarms: readonly PresentAlarm[], calls: readonly AlarmCall[]): PresentAlarm[] => {
  const all = new Map(alarms.map((alarm) => [alarm.settings.AlarmName, alarm]));
  for (const { call, params } of calls) {
    if (call === 'DeleteAlarms') for (const name of params.AlarmNames) all.delete(name);
    else {
      const { Tags = [], ...settings } = params;
      const tags = all.get(params.AlarmName)?.tags ?? Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));
      all.set(params.AlarmName, { tags, settings });
    }
  }
  return [...all.values()];
};
const named = (calls: readonly AlarmCall[]): string[] =>
  calls.flatMap(({ call, params }) => (call === 'DeleteAlarms' ? params.AlarmNames : [params.AlarmName]));

const policies = fc
  .record({
    TARGET_UTILIZATION: fc.constantFrom('0.2', '0.5', '0.8'),
    MAX_ITERATOR_AGE: fc.constantFrom('60', '1800'),
    ACT_AT: fc.constantFrom('saturated', 'warning'),
  })
  .map(stackPolicy);
const subjects: fc.Arbitrary<Subject> = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom('PROVISIONED', 'ON_DEMAND'))
    .map(([shards, mode]) => stream(shards, mode)),
  fc.record({
    kind: fc.constant('replication-group' as const),
    id: fc.constant('sessions'),
    status: fc.constant('available'),
    nodeType: fc.constant('cache.r7g.large'),
    vcpus: fc.constantFrom(1, 2, 4, 8),
    nodes: fc.uniqueArray(fc.constantFrom(...Array.from({ length: 40 }, (_, i) => `sessions-${i}`))),
  }),
  fc.constant<Subject>({ kind: 'gone' }),
);
const tags = fc.constantFrom(
  ours,
  { ...ours, 'reflex:enabled': 'false' },
  { ...enabled, [ALARM_OF_TAG]: streamArn('another') },
  {},
);

/** Alarms as they may stand: right ones, drifted ones, those of another subject or policy, in anybody's hands. */
const situations = fc
  .record({
    now: subjects,
    formerly: subjects,
    policy: policies,
    former: policies,
    wanted: fc.boolean(),
    remembers: fc.boolean(),
  })
  .chain((world) => {
    const made = [
      ...(wantedAlarms(world.formerly, world.former) ?? []),
      ...(wantedAlarms(world.now, world.former) ?? []),
    ];
    const byName = [...new Map(made.map((settings) => [settings.AlarmName, settings])).values()];
    return fc
      .tuple(
        fc.subarray(byName),
        fc.array(tags, { minLength: byName.length, maxLength: byName.length }),
        fc.option(fc.integer({ min: 1, max: 5 }), { nil: null }),
      )
      .map(([alarms, owners, threshold]) => ({
        ...world,
        alarms: alarms.map((settings, i) => ({
          tags: owners[i] ?? {},
          settings: threshold === null ? settings : { ...settings, Threshold: threshold },
        })),
        remembered: (world.remembers
          ? { thresholds: Object.fromEntries(byName.map(({ AlarmName, Threshold = 0 }) => [AlarmName, Threshold])) }
          : {}) as JsonObject,
      }));
  });

describe('whatever alarms there are', () => {
  it('it never calls for one that a person made, or has taken over', () => {
    fc.assert(
      fc.property(situations, ({ now, policy, wanted, alarms, remembered }) => {
        const decision = decide(situation({ subject: now, wanted, alarms }, remembered), policy, NOW);
        const calls = decision.kind === 'act' ? decision.calls : [];

        const others = alarms.filter((alarm) => alarm.tags !== ours).map(({ settings }) => settings.AlarmName);
        expect(named(calls).filter((name) => others.includes(name))).toEqual([]);
      }),
    );
  });

  it('it comes to an end: after a few looks nothing is left to do, and what is ours fits', () => {
    fc.assert(
      fc.property(situations, ({ now, policy, wanted, alarms, remembered }) => {
        let present: PresentAlarm[] = [...alarms];
        let memory = remembered;
        let looks = 0;
        for (; looks < 5; looks++) {
          const decision = decide(situation({ subject: now, wanted, alarms: present }, memory), policy, NOW);
          memory = decision.remember ?? memory;
          if (decision.kind !== 'act') break;
          expect(decision.calls.length).toBeGreaterThan(0);
          expect(decision.calls.length).toBeLessThanOrEqual(30);
          present = after(present, decision.calls);
        }

        expect(looks).toBeLessThan(5);
        const left = present.filter(
          (alarm) => alarm.tags[ALARM_OF_TAG] === ARN && alarm.tags['reflex:enabled'] === 'true',
        );
        const right = wanted && now.kind !== 'gone' ? (wantedAlarms(now, policy) ?? []) : [];
        const taken = present.filter((alarm) => !left.includes(alarm)).map(({ settings }) => settings.AlarmName);
        expect(left.map(({ settings }) => settings.AlarmName).sort()).toEqual(
          right
            .map(({ AlarmName }) => AlarmName)
            .filter((name) => !taken.includes(name))
            .sort(),
        );
        for (const { settings } of left) {
          const fitting = right.find(({ AlarmName }) => AlarmName === settings.AlarmName);
          expect(settings.MetricName).toBe(fitting?.MetricName);
          expect(settings.Metrics).toEqual(fitting?.Metrics);
        }
      }),
    );
  });
});

describe('a resource that is not ready', () => {
  it.each([
    [{ ...stream(), status: 'UPDATING' }, 'stream-updating'],
    [{ ...stream(), status: 'CREATING' }, 'stream-updating'],
    [{ ...stream(), status: 'SOMETHING_NEW' }, 'stream-updating'],
    [{ ...stream(), status: 'DELETING' }, 'stream-deleting'],
  ])('%o is waited for: %s', (subject, reason) => {
    expect(decide(situation({ subject: subject as Subject }), stackPolicy({}), NOW).reason).toBe(reason);
  });

  it.each(['creating', 'modifying', 'something-new'])('a group that is %s is waited for', (status) => {
    const group: Subject = {
      kind: 'replication-group',
      id: 'g',
      status,
      nodeType: 'cache.m5.large',
      vcpus: 2,
      nodes: ['g-1'],
    };
    expect(decide(situation({ subject: group }), stackPolicy({}), NOW).reason).toBe('not-available');
  });

  it.each(['available', 'snapshotting'])('a group that is %s is not', (status) => {
    const group: Subject = {
      kind: 'replication-group',
      id: 'g',
      status,
      nodeType: 'cache.m5.large',
      vcpus: 2,
      nodes: ['g-1'],
    };
    expect(decide(situation({ subject: group }), stackPolicy({}), NOW).reason).toBe('make-alarms');
  });
});

describe('what is said', () => {
  const name = (kind: string) => `reflex-tuned-kinesis-orders-${kind}`;
  const right = (wantedAlarms(stream(2), stackPolicy({})) ?? []).map((settings) => ({ tags: ours, settings }));

  it('names the resource and the alarms that are made', () => {
    const { why } = decide(situation({}), stackPolicy({}), NOW);

    expect(why).toBe(
      `Alarms of stream/orders: to make ${name('utilization')}, ${name('throttled')}, ${name('iterator-age')}.`,
    );
  });

  it('is what changes in an alarm that does not fit, and which ones are too many', () => {
    const resharded = decide(situation({ alarms: right, subject: stream(4) }), stackPolicy({}), NOW);
    const levelled = decide(
      situation({ alarms: right }, { thresholds: { [name('utilization')]: 0.75 } }),
      stackPolicy({ TARGET_UTILIZATION: '0.4' }),
      NOW,
    );
    const onDemand = decide(situation({ alarms: right, subject: stream(2, 'ON_DEMAND') }), stackPolicy({}), NOW);

    expect(resharded.why).toBe(`Alarms of stream/orders: to tune ${name('utilization')} (shards 2 -> 4).`);
    expect(levelled.why).toBe(`Alarms of stream/orders: to tune ${name('utilization')} (threshold 0.75 -> 0.6).`);
    expect(onDemand.why).toBe(`Alarms of stream/orders: to delete ${name('utilization')}.`);
  });

  it('of a resource that is gone is which alarms go with it', () => {
    const { why } = decide(situation({ alarms: right.slice(0, 1), subject: { kind: 'gone' } }), stackPolicy({}), NOW);

    expect(why).toBe(`${ARN} does not exist any more: to delete ${name('utilization')}.`);
  });

  it('is short of a group with many nodes, too', () => {
    const nodes = Array.from({ length: 90 }, (_, index) => `g-${index}`);
    const group: Subject = {
      kind: 'replication-group',
      id: 'g',
      status: 'available',
      nodeType: 'cache.m5.large',
      vcpus: 2,
      nodes,
    };

    const { why } = decide(situation({ subject: group }), stackPolicy({}), NOW);

    expect(why).toMatch(/g-4-cpu and 85 more\.$/);
    expect(why).not.toContain('g-5-cpu');
  });

  it('of a taken name is how to give it back', () => {
    const alarms = (wantedAlarms(stream(), stackPolicy({})) ?? []).map((settings) => ({ tags: {}, settings }));
    const decision = decide(situation({ alarms }), stackPolicy({}), NOW);

    expect(decision).toMatchObject({ kind: 'escalate', reason: 'alarm-name-taken' });
    expect(decision.kind === 'escalate' && decision.advice).toContain(`${ALARM_OF_TAG} = ${ARN}`);
    expect(ARN).toContain(`${region}:${account}`);
  });
});
