import { describe, expect, it } from 'vitest';
import { at, spotInterruption } from '../../support/event-builders.ts';
import { type Fleet, useFleet } from '../../support/fake-aws/fleet.ts';
import { saver } from '../../support/save-spot-logs.ts';

const fleet: Fleet = await useFleet();

/** Every call of the ledger is a round trip among those of AWS. */
const counted = (count = 1) => {
  const s = saver(fleet, {
    before: async (port) => {
      await fleet.gate.enter(port);
      fleet.gate.left();
    },
  });
  s.world.now = at + 1_000;
  const web = fleet.world.elbv2.addGroup('web');
  fleet.addGroup('workers', { targetGroups: [web.arn], balancers: ['old'] });
  const hosts = Array.from({ length: count }, (_, i) => fleet.addHost({ n: i + 1, group: 'workers', cluster: 'prod' }));
  for (const { id } of hosts) web.targets.push({ id, port: 80, state: 'healthy' });
  fleet.world.classic.balancers.set('old', new Set(hosts.map(({ id }) => id)));
  return { s, hosts };
};

const kinds = (waves: readonly string[][]) => waves.map((wave) => [...new Set(wave)].sort());

// Waves are told apart by time: on a machine that is busy with other tests one may be cut in two.
describe('a warning, warm', { retry: 5 }, () => {
  it('keeps and tags in two sequential round trips of EC2 after DescribeInstances; the ledger takes one before them', async () => {
    const { s, hosts } = counted();

    const waves = await fleet.gate.during(() => s.batch(spotInterruption(hosts[0]?.id)));

    expect(kinds(waves).slice(0, 5)).toEqual([
      ['DescribeInstances', 'table.getMany'],
      ['table.putIfVersion'],
      ['ModifyInstanceAttribute'],
      ['CreateTags'],
      ['SendCommand'],
    ]);
  });

  it('takes no more of them for a hundred instances', async () => {
    const { s, hosts } = counted(100);

    const waves = await fleet.gate.during(() => s.batch(...hosts.map(({ id }) => spotInterruption(id))));

    const keeping = kinds(waves).filter((wave) =>
      wave.some((name) => ['ModifyInstanceAttribute', 'CreateTags'].includes(name)),
    );
    expect(fleet.count('DescribeInstances')).toBe(1);
    expect(keeping.length).toBeLessThanOrEqual(4);
  });

  it('drains at the next look: what it reads is read side by side', async () => {
    const { s, hosts } = counted();
    await s.batch(spotInterruption(hosts[0]?.id));

    const waves = await fleet.gate.during(() => s.run(1_000));

    const drains = kinds(waves).findIndex((wave) => wave.includes('UpdateContainerInstancesState'));
    expect(kinds(waves).slice(0, 2)).toEqual([['table.getMany'], ['DescribeInstances']]);
    expect(kinds(waves)[drains]).toEqual(['DetachInstances', 'UpdateContainerInstancesState']);
    expect(drains).toBe(6);
    expect(kinds(waves)[drains + 1]).toEqual(['DeregisterInstancesFromLoadBalancer', 'DeregisterTargets']);
  });

  it('of an unmanaged instance is one round trip', async () => {
    const { s } = counted();
    const other = fleet.addHost({ n: 500, tags: {} });

    const waves = await fleet.gate.during(() => s.batch(spotInterruption(other.id)));

    expect(kinds(waves)).toEqual([['DescribeInstances', 'table.getMany']]);
  });
});
