import { describe, expect, it } from 'vitest';
import { decide } from '../../../../functions/restore-capacity/group/decide.ts';
import type { GroupFacts } from '../../../../functions/restore-capacity/group/facts.ts';
import type { GroupPolicy } from '../../../../functions/restore-capacity/group/policy.ts';
import type { Escalate } from '../../../../shared/decision.ts';
import { at } from '../../../support/event-builders.ts';
import {
  baseSetBy,
  failures,
  groupDriver,
  MINUTE,
  notifies,
  OTHER_POOL,
  opted,
  POOL,
  situation,
  warnings,
} from '../../../support/group-facts.ts';

const decided = (facts: Partial<GroupFacts>, policy: GroupPolicy = opted) => decide(situation(facts), policy, at);

describe('a pool is depleted', () => {
  it.each([
    ['two of ten', { news: warnings(2) }, false],
    ['three of ten', { news: warnings(3) }, true],
    ['three of a hundred', { news: warnings(3), pools: { [POOL]: 100 }, desired: 100, present: 100 }, true],
    ['one of four', { news: warnings(1), pools: { [POOL]: 4, [OTHER_POOL]: 10 } }, false],
    ['one of three', { news: warnings(1), pools: { [POOL]: 3, [OTHER_POOL]: 10 } }, true],
    ['the last one, which has left the group already', { news: warnings(1), pools: { [OTHER_POOL]: 10 } }, true],
    ['two launch failures', { news: failures(2) }, false],
    ['three launch failures', { news: failures(3), present: 17 }, true],
    [
      'one warning and two launch failures of one pool',
      { news: [...warnings(1), ...failures(2, { pool: POOL })] },
      true,
    ],
    ['one warning and two launch failures of any type', { news: [...warnings(1), ...failures(2)] }, false],
    [
      'three in two zones',
      {
        news: [...warnings(2), ...warnings(1, { pool: 'm5.large eu-west-1b', first: 7 })],
        pools: { [POOL]: 10, 'm5.large eu-west-1b': 10 },
      },
      false,
    ],
  ])('%s: %#', (_, facts, expected) => {
    expect(decided(facts).kind === 'act').toBe(expected);
  });

  it('by distinct instances: one told three times is one', () => {
    const [one] = warnings(1);
    expect(one === undefined ? null : decided({ news: [one, { ...one, at: at + 1_000 }, one] }).reason).toBe(
      'pools-hold',
    );
  });

  it('at the latest now: a warning that claims to come from the future does not make a storm of years', () => {
    const decision = decided({ news: warnings(3, { at: at + 365 * 24 * 60 * MINUTE }) });

    expect(decision.reason).toBe('pool-depleted');
    expect(decision.remember).toMatchObject({ storm: { since: at, last: at } });
  });

  it('within five minutes: what is older does not count', () => {
    const old = warnings(2, { at: at - 5 * MINUTE });
    expect(decided({ news: [...old, ...warnings(1, { first: 9 })] }).reason).toBe('pools-hold');
    const recent = warnings(2, { at: at - 5 * MINUTE + 1 });
    expect(decided({ news: [...recent, ...warnings(1, { first: 9 })] }).reason).toBe('pool-depleted');
  });

  it('over several looks: what was told before is remembered', () => {
    const group = groupDriver();
    expect(group.look(at, warnings(2)).reason).toBe('pools-hold');
    expect(group.look(at + MINUTE, warnings(1, { first: 3, at: at + MINUTE })).reason).toBe('pool-depleted');
    expect(group.base).toBe(5);
  });
});

describe('a mass interruption', () => {
  it.each([
    ['one pool of many instances', { news: warnings(3), desired: 20 }, 'pool-depleted'],
    [
      'two pools',
      { news: [...warnings(3), ...warnings(3, { pool: OTHER_POOL, first: 20 })], desired: 100, present: 94 },
      'mass-interruption',
    ],
    [
      'a fifth of the group, whatever its pools',
      { news: [...warnings(2), ...warnings(2, { pool: OTHER_POOL, first: 20 })] },
      'mass-interruption',
    ],
    ['less than a fifth', { news: [...warnings(2), ...warnings(1, { pool: OTHER_POOL, first: 20 })] }, 'pools-hold'],
  ] as const)('%s', (_, facts, reason) => {
    expect(decided(facts).reason).toBe(reason);
  });
});

describe('the on-demand base', () => {
  it('is raised by what was lost, and nothing else is changed', () => {
    expect(decided({ news: warnings(5) })).toMatchObject({
      kind: 'act',
      calls: [
        {
          call: 'UpdateAutoScalingGroup',
          params: {
            AutoScalingGroupName: 'workers',
            MixedInstancesPolicy: { InstancesDistribution: { OnDemandBaseCapacity: 7 } },
          },
        },
      ],
    });
  });

  it('is raised by weights where the group counts in weights', () => {
    expect(baseSetBy(decided({ news: warnings(3), weights: { 'm5.large': 2 }, desired: 40, present: 40 }))).toBe(8);
  });

  it.each([
    ['MaxSize', { news: warnings(9), max: 8 }, null, 8],
    ['reflex:fallback-max', { news: warnings(9) }, 4, 4],
    ['MaxSize, where the tag says more', { news: warnings(9), max: 6 }, 30, 6],
  ])('is never above %s', (_, facts, fallbackMax, base) => {
    expect(baseSetBy(decided(facts, { ...opted, fallbackMax }))).toBe(base);
  });

  it('is raised by what the group lacks where launches fail, each of them once', () => {
    expect(baseSetBy(decided({ news: failures(3), present: 14 }))).toBe(8);
    expect(baseSetBy(decided({ news: [...failures(3), ...warnings(4)], present: 14 }))).toBe(8);
    expect(baseSetBy(decided({ news: [...failures(3), ...warnings(8)], present: 14 }))).toBe(10);
  });

  it('goes up at once, then once a minute at most, with all that came in between', () => {
    const group = groupDriver({ max: 100, desired: 60, present: 60, pools: { [POOL]: 60 } });

    expect(group.look(at, warnings(3)).kind).toBe('act');
    for (let second = 2; second < 60; second += 2) {
      const when = at + second * 1_000;
      const waits = group.look(when, warnings(1, { first: 2 + second, at: when }));
      expect(waits).toMatchObject({ kind: 'defer', reason: 'fallback-in-force', until: at + MINUTE });
    }
    group.look(at + MINUTE);

    expect(group.bases).toEqual([5, 34]);
  });

  it('stays for half an hour after the last depletion, then goes back by quarters, one in five minutes', () => {
    const group = groupDriver();
    group.look(at, warnings(8));
    const times: number[] = [];
    let now = at + MINUTE;
    for (;;) {
      const decision = group.look(now);
      if (decision.kind === 'act') times.push((now - at) / MINUTE);
      if (decision.kind === 'skip') {
        expect(decision).toMatchObject({
          reason: 'resolved',
          why: expect.stringContaining('The on-demand base is 2 again'),
        });
        break;
      }
      now =
        decision.kind === 'defer' ? decision.until : now + (decision.kind === 'act' ? (decision.followUpMs ?? 0) : 0);
    }

    expect(group.bases).toEqual([10, 8, 6, 4, 2]);
    expect(times).toEqual([30, 35, 40, 45]);
    expect(group.memory.fallback).toBeUndefined();
  });

  it('does not go back while the group is not whole', () => {
    const group = groupDriver();
    group.look(at, warnings(5));
    group.change({ present: 17 });
    group.look(at + MINUTE);

    expect(group.look(at + 31 * MINUTE)).toMatchObject({
      kind: 'defer',
      reason: 'fallback-in-force',
      until: at + 36 * MINUTE,
    });
    group.change({ present: 20 });
    expect(group.look(at + 36 * MINUTE).kind).toBe('act');
  });

  it('is not held up by single interruptions, and held by another depletion', () => {
    const calm = groupDriver();
    calm.look(at, warnings(5));
    calm.look(at + 29 * MINUTE, warnings(1, { first: 30, at: at + 29 * MINUTE }));
    expect(calm.look(at + 31 * MINUTE).reason).toBe('return-to-spot');

    const struck = groupDriver();
    struck.look(at, warnings(5));
    struck.look(at + 29 * MINUTE, warnings(3, { first: 30, at: at + 29 * MINUTE }));
    expect(struck.look(at + 31 * MINUTE).reason).toBe('fallback-in-force');
    expect(struck.base).toBe(10);
  });

  it('goes up from where it stands, when a new storm comes on its way back', () => {
    const group = groupDriver();
    group.look(at, warnings(8));
    const again = group.settle(at + MINUTE, at + 35 * MINUTE);
    expect(group.base).toBe(6);

    group.look(again, warnings(4, { first: 50, at: again }));

    expect(group.base).toBe(10);
    group.settle(again + MINUTE, again + 120 * MINUTE);
    expect(group.base).toBe(2);
  });

  it('comes down at once where MaxSize, or the tag, is lowered below it', () => {
    const group = groupDriver();
    group.look(at, warnings(8));
    group.change({ max: 6 });

    expect(group.look(at + MINUTE)).toMatchObject({ reason: 'return-to-spot' });
    expect(group.base).toBe(6);
  });

  it('is lowered again though the tag says notify now, and not raised further', () => {
    const group = groupDriver();
    group.look(at, warnings(5));
    const { memory } = group;
    const news = warnings(3, { first: 40, at: at + MINUTE });
    const held = { distribution: { base: 7, percentageAboveBase: 0, segments: false } };

    const struck = decide(situation({ ...held, news }, { remembered: memory }), notifies, at + MINUTE);
    const quiet = decide(situation(held, { remembered: memory }), notifies, at + 31 * MINUTE);

    expect(struck.reason).toBe('fallback-in-force');
    expect(quiet.reason).toBe('return-to-spot');
  });
});

describe('a base that somebody else has changed', () => {
  it.each([
    ['back to what it was', 2],
    ['up', 12],
    ['to none', 0],
  ])('%s is theirs, for the rest of the storm', (_, base) => {
    const group = groupDriver();
    group.look(at, warnings(5));
    group.look(at + MINUTE);
    group.setBase(base);

    expect(group.look(at + 2 * MINUTE)).toMatchObject({ kind: 'skip', reason: 'fallback-released' });
    expect(group.look(at + 3 * MINUTE, warnings(5, { first: 40, at: at + 3 * MINUTE })).reason).toBe(
      'fallback-released',
    );
    expect(group.settle(at + 60 * MINUTE, at + 90 * MINUTE)).toBe(at + 60 * MINUTE);
    expect(group.base).toBe(base);
  });

  it('is helped again in the next storm', () => {
    const group = groupDriver();
    group.look(at, warnings(5));
    group.look(at + MINUTE);
    group.setBase(3);
    group.look(at + 2 * MINUTE);

    group.look(at + 50 * MINUTE, warnings(4, { first: 40, at: at + 50 * MINUTE }));

    expect(group.base).toBe(7);
    group.settle(at + 51 * MINUTE, at + 200 * MINUTE);
    expect(group.base).toBe(3);
  });

  it('is theirs where the policy itself is gone', () => {
    const group = groupDriver();
    group.look(at, warnings(5));
    group.change({ distribution: null });

    expect(group.look(at + MINUTE).reason).toBe('fallback-released');
  });
});

describe('a call that was lost', () => {
  it('is made again, and counted as a verification that failed', () => {
    const group = groupDriver();
    group.look(at, warnings(5));
    group.setBase(2);

    const again = group.look(at + MINUTE);

    expect(again).toMatchObject({ kind: 'act', reason: 'mass-interruption', planned: false });
    expect(group.base).toBe(7);
  });

  it('is not made again when the storm is over by then', () => {
    const group = groupDriver();
    group.look(at, warnings(5));
    group.setBase(2);

    expect(group.look(at + 31 * MINUTE)).toMatchObject({ kind: 'skip', reason: 'resolved' });
    expect(group.base).toBe(2);
  });

  it('of a step down is made again', () => {
    const group = groupDriver();
    group.look(at, warnings(8));
    group.look(at + MINUTE);
    group.look(at + 31 * MINUTE);
    group.setBase(10);

    expect(group.look(at + 36 * MINUTE)).toMatchObject({ reason: 'return-to-spot', planned: false });
    expect(group.base).toBe(8);
  });
});

describe('a person is told', () => {
  const struck = { news: warnings(5), present: 15 };

  it('of the pools and of the exact command, unless the tag says otherwise', () => {
    expect(decided(struck, notifies)).toMatchObject({
      kind: 'escalate',
      reason: 'mass-interruption',
      why: expect.stringContaining('m5.large eu-west-1a: 5 of 10 lost, depleted'),
      advice: expect.stringContaining(
        `aws autoscaling update-auto-scaling-group --auto-scaling-group-name 'workers' --mixed-instances-policy '{"InstancesDistribution":{"OnDemandBaseCapacity":7}}'`,
      ),
    });
  });

  it('by a command that a shell takes as it is meant, whatever the name of the group', () => {
    const { advice } = decided({ ...struck, name: "it's $(workers)" }, notifies) as Escalate;
    expect(advice).toContain(`--auto-scaling-group-name 'it'\\''s $(workers)' --mixed-instances-policy`);
  });

  it('under one name a storm, and another for the next', () => {
    const group = groupDriver({}, notifies);
    const names = [0, 1, 2, 50, 51].map((minute) => {
      const when = at + minute * MINUTE;
      const decision = group.look(when, warnings(4, { first: 10 * minute + 1, at: when }));
      return decision.kind === 'escalate' ? decision.finding : null;
    });

    expect(new Set(names.slice(0, 3)).size).toBe(1);
    expect(new Set(names).size).toBe(2);
    expect(names).not.toContain(null);
  });

  it.each([
    [
      'a group without a mixed instances policy',
      { distribution: null, launchTemplate: { id: 'lt-1', version: '3' } },
      /"LaunchTemplateId":"lt-1","Version":"3".*"OnDemandBaseCapacity":5/,
    ],
    [
      'a group with a launch configuration',
      { distribution: null },
      /launch template in place of its launch configuration/,
    ],
    [
      'distribution segments, which a base would remove',
      { distribution: { base: 0, percentageAboveBase: 0, segments: true } },
      /DistributionSegments/,
    ],
    ['a group that counts in vCPUs', { desiredType: 'vcpu' }, /in vcpu/],
  ])('of %s, and nothing is changed', (_, facts, advice) => {
    expect(decided({ ...struck, ...facts })).toMatchObject({
      kind: 'escalate',
      reason: 'no-on-demand-base',
      advice: expect.stringMatching(advice),
    });
  });

  it.each([
    ['MaxSize', { max: 2 }, opted],
    ['reflex:fallback-max', {}, { ...opted, fallbackMax: 1 }],
  ])('where the base is at %s already', (limit, facts, policy) => {
    expect(decided({ ...struck, ...facts }, policy)).toMatchObject({
      kind: 'escalate',
      reason: 'fallback-limit',
      advice: expect.stringContaining(limit),
    });
  });
});

describe('nothing is done', () => {
  it.each([
    ['for a group that is being deleted', { deleting: true, news: warnings(5) }, 'group-gone'],
    [
      'for a group that buys on demand anyway',
      { news: warnings(5), distribution: { base: 0, percentageAboveBase: 100, segments: false } },
      'on-demand-already',
    ],
    ['on a look without news', {}, 'pools-hold'],
    ['where launches fail and the group has all it wants', { news: failures(5) }, 'pools-hold'],
  ] as const)('%s', (_, facts, reason) => {
    expect(decided(facts)).toMatchObject({ kind: 'skip', reason });
  });
});
