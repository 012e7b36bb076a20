import { describe, expect, it } from 'vitest';
import { at, spotInterruption } from '../../../support/event-builders.ts';
import { useFleet } from '../../../support/fake-aws/fleet.ts';
import { baseOf, restorer, spotGroup } from '../../../support/restore-groups.ts';

const fleet = await useFleet();
const MINUTE = 60_000;

const withWorkers = (changes: Parameters<typeof spotGroup>[2] = {}) => {
  const s = restorer(fleet);
  s.world.now = at + 1_000;
  const group = spotGroup(fleet, 'workers', { desired: 20, ...changes });
  const hosts = Array.from({ length: 20 }, (_, i) => fleet.addHost({ n: i + 1, group: 'workers' }));
  return { s, group, hosts };
};
const warn = (hosts: readonly { readonly id: string }[]) => hosts.map(({ id }) => spotInterruption(id));

/** What tools of this kind have been seen to do wrong, each once. */
describe('unlike others', () => {
  it('many warnings in separate invocations are not one instance more', async () => {
    const { s, group, hosts } = withWorkers();

    for (const body of warn(hosts.slice(0, 12))) await s.batch(body);
    await s.serve(at + 3 * MINUTE);

    expect(baseOf(group)).toBe(14);
  });

  it('a capacity is never set: a large group is not shrunk to what one event says', async () => {
    const { s, group, hosts } = withWorkers({ min: 10, max: 60 });

    await s.batch(...warn(hosts));
    await s.serve(at + 2 * 60 * MINUTE);

    expect([group.min, group.desired, group.max]).toEqual([10, 20, 60]);
    expect(fleet.count('SetDesiredCapacity')).toBe(0);
  });

  it('a warning under another event id is the same warning', async () => {
    const { s, group, hosts } = withWorkers();
    const [first] = warn(hosts);

    await s.batch(first, { ...first, id: '11111111-bb36-4607-3370-4164db56a40e' });
    await s.batch({ ...first, id: '22222222-bb36-4607-3370-4164db56a40e', time: '2026-03-05T03:12:01Z' });

    expect(baseOf(group)).toBe(2);
    expect(s.outcomes().at(-1)?.why).toContain('1 of 20 lost');
  });

  it('every message of a batch counts, and a broken one fails alone', async () => {
    const { s, group, hosts } = withWorkers();

    const result = await s.batch('{', ...warn(hosts.slice(0, 3)));

    expect(result.batchItemFailures).toHaveLength(1);
    expect(baseOf(group)).toBe(5);
  });

  it.each(['False', 'TRUE', ''])('a tag %j is not taken for true', async (value) => {
    const { s, group, hosts } = withWorkers({
      tags: { 'reflex:enabled': value, 'reflex:fallback-mode': 'on-demand-base' },
    });

    await s.batch(...warn(hosts));

    expect(baseOf(group)).toBe(2);
    expect(s.outcomes()[0]?.reason).toBe('bad-tag');
  });

  it('Spot is not tried again after three minutes, only to fail again', async () => {
    const { s, group, hosts } = withWorkers();

    await s.batch(...warn(hosts.slice(0, 4)));
    await s.serve(at + 29 * MINUTE);

    expect(baseOf(group)).toBe(6);
    expect(fleet.count('UpdateAutoScalingGroup')).toBe(1);
  });

  it('only the group that lost is touched', async () => {
    const { s, hosts } = withWorkers();
    const other = spotGroup(fleet, 'other');

    await s.batch(...warn(hosts));

    expect(baseOf(other)).toBe(2);
  });

  it('an instance that leaves the group before it is looked up is nobody else’s loss', async () => {
    const { s, group, hosts } = withWorkers();
    for (const { id } of hosts) {
      group.instances.delete(id);
      const host = fleet.world.ec2.instances.get(id);
      if (host !== undefined) fleet.world.ec2.instances.set(id, { ...host, tags: {} });
    }

    const result = await s.batch(...warn(hosts));

    expect(result).toMatchObject({ outcomes: [], notForUs: { 'no-group': 20 } });
  });
});
