import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Mode } from '../../../../shared/ledger/types.ts';
import { at, spotInterruption, sqsBatch } from '../../../support/event-builders.ts';
import { groupArn } from '../../../support/fake-aws/autoscaling.ts';
import { useFleet } from '../../../support/fake-aws/fleet.ts';
import { storedRecords, storedState } from '../../../support/fake-runtime.ts';
import { baseOf, restorer, spotGroup } from '../../../support/restore-groups.ts';

const fleet = await useFleet();
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** 200 warnings over 4 pools and 3 groups: 150 instances of groups, of which 10 are told twice, and 40 of none. */
const storm = (tags?: Readonly<Record<string, string>>, stackMode: Mode = 'on') => {
  const s = restorer(fleet, { stackMode });
  const pools = [
    ['m5.large', 'eu-west-1a'],
    ['m5.large', 'eu-west-1b'],
    ['c5.large', 'eu-west-1a'],
    ['c5.large', 'eu-west-1c'],
  ] as const;
  const groups = ['a', 'b', 'c'].map((name) => spotGroup(fleet, name, tags === undefined ? {} : { tags }));
  const managed = Array.from({ length: 150 }, (_, i) => {
    const [type, zone] = pools[i % pools.length] ?? pools[0];
    return fleet.addHost({ n: i + 1, type, zone, group: groups[i % groups.length]?.name ?? '' });
  });
  const others = Array.from({ length: 40 }, (_, i) => fleet.addHost({ n: 1_000 + i, tags: {} }));
  const all = [...managed, ...others, ...managed.slice(0, 10)];
  const order = all.map((host, i) => ({ host, rank: (i * 2_654_435_761) % 4_294_967_296 }));
  const warned = order.sort((a, b) => a.rank - b.rank).map(({ host }) => host);
  const arrivals = (spread: number) =>
    warned.map(({ id }, i) => {
      const when = at + Math.floor(((i / warned.length) * spread) / SECOND) * SECOND;
      return { at: when, body: spotInterruption(id, { at: when }) };
    });
  return { s, groups, arrivals };
};

const updates = () => fleet.made('UpdateAutoScalingGroup') as { AutoScalingGroupName: string }[];
const writes = ({ runtime }: ReturnType<typeof restorer>) =>
  runtime.calls.filter((call) => ['table.put', 'table.putIfVersion'].includes(call)).length;

describe('200 warnings in a minute: 4 pools, 3 groups, 40 of no group, 10 told twice', () => {
  it('at once: one read of the instances, one change a group by exactly what it lost, one notification', async () => {
    const { s, groups, arrivals } = storm();
    s.arrive(arrivals(0));

    await s.serve(at + 10 * SECOND);

    expect(groups.map(baseOf)).toEqual([52, 52, 52]);
    expect(
      updates()
        .map(({ AutoScalingGroupName }) => AutoScalingGroupName)
        .sort(),
    ).toEqual(['a', 'b', 'c']);
    expect(fleet.count('DescribeInstances')).toBe(1);
    expect(s.world.told.map(({ record }) => record.reason)).toEqual(['mass-interruption']);
    expect(s.results[0]?.notForUs).toEqual({ 'no-group': 40 });
    expect(s.results.flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('over a minute: the same bases, with two changes a group, 40 reads of instances and one notification at most', async () => {
    const { s, groups, arrivals } = storm();
    s.arrive(arrivals(60 * SECOND));

    await s.serve(at + 3 * MINUTE);

    expect(groups.map(baseOf)).toEqual([52, 52, 52]);
    expect(updates().length).toBeLessThanOrEqual(6);
    expect(fleet.count('DescribeInstances')).toBeLessThanOrEqual(40);
    expect(s.world.told.map(({ record }) => record.reason)).toHaveLength(1);
    // A record and a state for each group and batch; not for each warning.
    expect(writes(s)).toBeLessThanOrEqual(2.5 * 3 * s.results.length);
  });

  it('costs what the page says', async () => {
    const page = readFileSync(new URL('../../../../docs/restore-capacity.md', import.meta.url), 'utf8');
    const measured = [];
    for (const spread of [0, 60 * SECOND]) {
      const { s, arrivals } = storm();
      s.arrive(arrivals(spread));
      await s.serve(at + spread + 120 * SECOND);
      measured.push([fleet.count('DescribeInstances'), updates().length, s.world.told.length, writes(s)]);
    }

    const [atOnce = [], overAMinute = []] = measured;
    const rows = ['DescribeInstances', 'UpdateAutoScalingGroup', 'notifications', 'writes to the ledger'];
    for (const [i, row] of rows.entries()) expect(page).toContain(`| ${row} | ${atOnce[i]} | ${overAMinute[i]} |`);
  });

  it('is over half an hour later, and every base is back in four steps; nobody is told again', async () => {
    const { s, groups, arrivals } = storm();
    s.arrive(arrivals(0));

    await s.serve(at + 2 * 60 * MINUTE);

    expect(groups.map(baseOf)).toEqual([2, 2, 2]);
    expect(updates()).toHaveLength(3 * (1 + 4));
    expect(s.world.told).toHaveLength(1);
    for (const { name } of groups) expect(storedState(s.world, groupArn(name))?.incident).toBeUndefined();
  });

  it('never touches anything but the base', async () => {
    const { s, groups, arrivals } = storm();
    const before = groups.map(({ mixed, ...rest }) =>
      structuredClone({ ...rest, LaunchTemplate: mixed?.LaunchTemplate }),
    );
    s.arrive(arrivals(0));

    await s.serve(at + 2 * 60 * MINUTE);

    for (const input of updates()) {
      expect(input).toEqual({
        Version: '2011-01-01',
        AutoScalingGroupName: expect.any(String),
        MixedInstancesPolicy: { InstancesDistribution: { OnDemandBaseCapacity: expect.any(String) } },
      });
    }
    expect(groups.map(({ mixed, ...rest }) => ({ ...rest, LaunchTemplate: mixed?.LaunchTemplate }))).toEqual(before);
    expect(groups.map(({ mixed }) => mixed?.InstancesDistribution)).toEqual(
      groups.map(() =>
        expect.objectContaining({ OnDemandPercentageAboveBaseCapacity: 0, OnDemandAllocationStrategy: 'prioritized' }),
      ),
    );
  });

  it('a second storm is told again', async () => {
    const { s, arrivals } = storm();
    s.arrive(arrivals(0));
    await s.serve(at + 2 * 60 * MINUTE);
    const later = Array.from({ length: 9 }, (_, i) => fleet.addHost({ n: 5_000 + i, group: 'a' }));

    s.arrive(later.map(({ id }) => ({ at: s.world.now, body: spotInterruption(id, { at: s.world.now }) })));
    await s.serve(s.world.now + MINUTE);

    expect(s.world.told).toHaveLength(2);
  });

  it('a process that starts in the middle of it tells nothing again', async () => {
    const { s, arrivals } = storm();
    s.arrive(arrivals(0));
    await s.serve(at + 10 * SECOND);
    const [one, two, three] = [1, 2, 3].map((i) => fleet.addHost({ n: 6_000 + i, group: 'b' }).id);
    s.world.now = at + 2 * MINUTE;

    const body = [one, two, three].map((id) => spotInterruption(id, { at: s.world.now }));
    await s.instance().handle(sqsBatch(...body));

    expect(updates()).toHaveLength(4);
    expect(s.world.told).toHaveLength(1);
  });

  it('groups that only notify: each is told of once, with its command, and nothing is changed', async () => {
    const { s, arrivals } = storm({ 'reflex:enabled': 'true' });
    s.arrive(arrivals(60 * SECOND));

    await s.serve(at + 3 * MINUTE);

    expect(s.world.told.map(({ record }) => record.resource).sort()).toEqual(['a', 'b', 'c'].map(groupArn));
    for (const { record } of s.world.told) expect(record.advice).toContain('OnDemandBaseCapacity');
    expect(updates()).toEqual([]);
  });

  it('groups that are not opted in are left alone, and nobody is told', async () => {
    const { s, arrivals } = storm({ 'reflex:fallback-mode': 'on-demand-base' });
    s.arrive(arrivals(0));

    await s.serve(at + MINUTE);

    expect(new Set(s.outcomes().map(({ reason }) => reason))).toEqual(new Set(['not-opted-in']));
    expect([updates(), s.world.told, storedRecords(s.world)]).toEqual([[], [], []]);
  });

  it('in dry run: the same plan, no write, one notification', async () => {
    const { s, groups, arrivals } = storm(undefined, 'dry-run');
    s.arrive(arrivals(0));

    await s.serve(at + MINUTE);

    const outcomes = s.outcomes().sort((one, other) => (one.resource < other.resource ? -1 : 1));
    expect(outcomes.map(({ dryRun, actions }) => [dryRun, actions[0]?.params])).toEqual(
      groups.map(({ name }) => [
        true,
        {
          AutoScalingGroupName: name,
          MixedInstancesPolicy: { InstancesDistribution: { OnDemandBaseCapacity: 52 } },
        },
      ]),
    );
    expect(updates()).toEqual([]);
    expect(s.world.told).toHaveLength(1);
  });
});
