import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { at } from '../../../support/event-builders.ts';
import { useFleet } from '../../../support/fake-aws/fleet.ts';
import { baseOf, restorer, spotGroup } from '../../../support/restore-groups.ts';

const fleet = await useFleet();

const sample = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../../events/${name}.json`, import.meta.url), 'utf8'));

/** Group `orders-workers` as the samples know it, the warned instances in one pool of ten. */
const workers = () => {
  const group = spotGroup(fleet, 'orders-workers', { desired: 10 });
  for (let n = 0; n < 10; n++) {
    const id = `i-0b662ef9931388b${(0xa0 + n).toString(16)}`;
    const { id: made } = fleet.addHost({ n: n + 1, zone: 'eu-west-1b', group: group.name });
    const host = fleet.world.ec2.instances.get(made);
    if (host === undefined) throw new Error('the host was not added');
    fleet.world.ec2.instances.set(id, { ...host, id });
    group.instances.delete(made);
    group.instances.set(id, 'InService');
  }
  return group;
};

it.each([
  ['aws.ec2.spot-interruption.terminate', 'skip pools-hold', 2],
  ['aws.ec2.spot-interruption.stop', 'skip pools-hold', 2],
  ['aws.ec2.spot-interruption.hibernate', 'skip pools-hold', 2],
  ['aws.ec2.rebalance-recommendation', 'not-of-a-group', 2],
  ['aws.ec2.instance-state-change.terminated', 'not-of-a-group', 2],
  ['aws.autoscaling.launch-unsuccessful', 'skip pools-hold', 2],
  ['aws.autoscaling.launch-unsuccessful.unfulfillable', 'skip pools-hold', 2],
  ['aws.autoscaling.launch-unsuccessful.on-demand', 'other-launch-failure', 2],
  ['aws.autoscaling.launch-unsuccessful.quota', 'other-launch-failure', 2],
  ['aws.autoscaling.terminate-lifecycle-action', 'not-of-a-group', 2],
  ['aws.sqs.batch.ec2-spot', 'act mass-interruption', 5],
])('the sample %s ends as %s, with a base of %i', async (name, expected, base) => {
  const s = restorer(fleet);
  s.world.now = at + 1_000;
  const group = workers();

  const { outcomes, notForUs } = await s.handle(sample(name));

  expect([...outcomes.map(({ decision, reason }) => `${decision} ${reason}`), ...Object.keys(notForUs)]).toEqual([
    expected,
  ]);
  expect(baseOf(group)).toBe(base);
});
