import { describe, expect, it } from 'vitest';
import { at, rebalanceRecommendation, spotInterruption } from '../../support/event-builders.ts';
import { useFleet } from '../../support/fake-aws/fleet.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { type Saver, saver } from '../../support/save-spot-logs.ts';

const fleet = await useFleet();
const SECOND = 1_000;
/** As the template sets it on the event source mapping. */
const BATCH = 200;
const WINDOW = 2 * SECOND;

/** EC2 takes 50 changes at once, and 5 a second after that. */
const limitChanges = (s: Saver): void => {
  let tokens = 50;
  let filledAt = at;
  const { ModifyInstanceAttribute: modify } = fleet.world.ec2.service.operations;
  Object.assign(fleet.world.ec2.service.operations, {
    ModifyInstanceAttribute: (input: object) => {
      tokens = Math.min(50, tokens + ((s.world.now - filledAt) / SECOND) * 5);
      filledAt = s.world.now;
      if (tokens < 1) throw new AwsError('RequestLimitExceeded', 'Request limit exceeded.', 503);
      tokens -= 1;
      return modify?.(input);
    },
  });
};

/** 200 warnings over 4 pools and 3 groups: 160 managed hosts of which 10 are told twice, and 40 that are nobody's here. */
const storm = () => {
  const s = saver(fleet);
  s.world.now = at;
  const pools = [
    ['m5.large', 'eu-west-1a'],
    ['m5.large', 'eu-west-1b'],
    ['c5.large', 'eu-west-1a'],
    ['c5.large', 'eu-west-1c'],
  ] as const;
  const groups = ['a', 'b', 'c'].map((name) => {
    const web = fleet.world.elbv2.addGroup(name);
    return { web, group: fleet.addGroup(name, { targetGroups: [web.arn] }) };
  });
  const managed = Array.from({ length: 150 }, (_, i) => {
    const [type, zone] = pools[i % pools.length] ?? pools[0];
    const of = groups[i % groups.length];
    const host = fleet.addHost({ n: i + 1, type, zone, group: of?.group.name ?? '', cluster: 'prod' });
    of?.web.targets.push({ id: host.id, port: 8080, state: 'healthy' });
    return host;
  });
  const others = Array.from({ length: 40 }, (_, i) => fleet.addHost({ n: 1_000 + i, tags: {} }));
  const all = [...managed, ...others, ...managed.slice(0, 10)];
  const order = all.map((host, i) => ({ host, rank: (i * 2_654_435_761) % 4_294_967_296 }));
  const warned = order.sort((a, b) => a.rank - b.rank).map(({ host }) => host);
  return { s, managed, others, groups, warned };
};

/** The inbox as SQS and one poller serve it: what has come within the window is one batch, follow-ups among it. */
const serve = async (s: Saver, arrivals: readonly { readonly at: number; readonly body: unknown }[], until: number) => {
  for (const { at, body } of arrivals) {
    s.world.inbox.push({ id: `arrival-${s.world.ids++}`, body: JSON.stringify(body), dueAt: at, received: 0 });
  }
  for (;;) {
    const first = Math.min(...s.world.inbox.map(({ dueAt }) => dueAt));
    if (first > until) break;
    s.world.now = Math.max(s.world.now, first + WINDOW);
    const due = s.world.inbox.filter(({ dueAt }) => dueAt <= s.world.now).slice(0, BATCH);
    s.world.inbox.splice(0, s.world.inbox.length, ...s.world.inbox.filter((message) => !due.includes(message)));
    await s.batch(...due.map(({ body }) => body));
  }
};

const countsBy = (operation: string, ids: (input: Record<string, unknown>) => string[]) =>
  Map.groupBy(
    fleet.made(operation).flatMap((input) => ids(input as Record<string, unknown>)),
    (id) => id,
  );
const idsOf = (key: string) => (input: Record<string, unknown>) => [input[key]].flat() as string[];

describe('200 warnings in a minute: 4 pools, 3 groups, 40 unmanaged, 10 told twice', () => {
  it.each([
    ['at once', 0],
    ['one after the other', 60 * SECOND],
  ])('%s: every managed instance is kept exactly once, with at most 40 DescribeInstances', async (_, spread) => {
    const { s, managed, warned } = storm();
    const arrivals = warned.map(({ id }, i) => {
      const when = at + Math.floor((i / warned.length) * spread);
      return { at: when, body: spotInterruption(id, { at: when }) };
    });

    await serve(s, arrivals, at + 60 * SECOND);

    const kept = countsBy('ModifyInstanceAttribute', idsOf('InstanceId'));
    expect([...kept.keys()].sort()).toEqual(managed.map(({ id }) => id).sort());
    expect([...kept.values()].filter((calls) => calls.length > 1)).toEqual([]);
    for (const { id, volume } of managed) {
      expect(fleet.world.ec2.volumes.get(volume)?.tags, id).toMatchObject({
        'reflex:rescue': 'pending',
        'reflex:instance': id,
      });
    }
    expect(fleet.count('DescribeInstances')).toBeLessThanOrEqual(40);
  });

  it('at once: commands go in fifties, drains in tens, detaches in twenties, and one call a target group', async () => {
    const { s, managed, groups, warned } = storm();

    await serve(
      s,
      warned.map(({ id }) => ({ at, body: spotInterruption(id) })),
      at + 60 * SECOND,
    );

    const sizes = (operation: string, key: string) =>
      fleet.made(operation).map((input) => ((input as Record<string, unknown>)[key] as unknown[]).length);
    expect(sizes('SendCommand', 'InstanceIds')).toEqual([50, 50, 50]);
    expect(sizes('UpdateContainerInstancesState', 'containerInstances')).toEqual(Array.from({ length: 15 }, () => 10));
    expect(sizes('DetachInstances', 'InstanceIds').sort()).toEqual([10, 10, 10, 20, 20, 20, 20, 20, 20]);
    expect(fleet.count('DeregisterTargets')).toBe(3);
    for (const { web, group } of groups) {
      expect(fleet.world.elbv2.targetsIn(web.arn, 'healthy')).toEqual([]);
      expect(group.desired).toBe(10);
    }
    expect(countsBy('SendCommand', idsOf('InstanceIds')).size).toBe(managed.length);
    expect(s.results.flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('are told once for each group', async () => {
    const { s, warned } = storm();

    await serve(
      s,
      warned.map(({ id }) => ({ at, body: spotInterruption(id) })),
      at + 180 * SECOND,
    );

    expect(s.world.told.map(({ record }) => record.reason)).toEqual(['save-logs', 'save-logs', 'save-logs']);
  });

  it('are all kept although EC2 takes only 50 changes at once, and 5 a second after that', async () => {
    const { s, managed, warned } = storm();
    limitChanges(s);

    await serve(
      s,
      warned.map(({ id }) => ({ at, body: spotInterruption(id) })),
      at + 100 * SECOND,
    );

    expect(countsBy('ModifyInstanceAttribute', idsOf('InstanceId')).size).toBe(managed.length);
    const last = Math.max(
      ...fleet.calls.filter(({ operation, ok }) => ok && operation === 'ModifyInstanceAttribute').map(({ at }) => at),
    );
    expect(last - at).toBeLessThan(60 * SECOND);
  });
});

describe('300 warnings at once', () => {
  it('are all kept, although EC2 takes as many changes only in 50 s', async () => {
    const s = saver(fleet);
    s.world.now = at;
    const hosts = Array.from({ length: 300 }, (_, i) => fleet.addHost({ n: i + 1 }));
    limitChanges(s);

    await serve(
      s,
      hosts.map(({ id }) => ({ at, body: spotInterruption(id) })),
      at + 110 * SECOND,
    );

    expect(countsBy('ModifyInstanceAttribute', idsOf('InstanceId')).size).toBe(300);
  });
});

it('EC2 is not asked for more changes than it takes', async () => {
  const s = saver(fleet);
  s.world.now = at + SECOND;
  const hosts = Array.from({ length: 150 }, (_, i) => fleet.addHost({ n: i + 1 }));

  await s.batch(...hosts.map(({ id }) => spotInterruption(id)));

  // 50 at once, and five a second while they are worth waiting for.
  expect(fleet.count('ModifyInstanceAttribute')).toBeGreaterThanOrEqual(50);
  expect(fleet.count('ModifyInstanceAttribute')).toBeLessThanOrEqual(75);
  await s.run(100 * SECOND);
  expect(countsBy('ModifyInstanceAttribute', idsOf('InstanceId')).size).toBe(150);
});

describe('a command for fifty of which some have no agent', () => {
  it('reaches all others', async () => {
    const s = saver(fleet);
    s.world.now = at + SECOND;
    const hosts = Array.from({ length: 50 }, (_, i) => fleet.addHost({ n: i + 1, registered: i % 7 !== 0 }));

    await s.batch(...hosts.map(({ id }) => spotInterruption(id)));

    expect(fleet.made('SendCommand')).toHaveLength(1);
    expect(fleet.count('SendCommand')).toBe(2);
    const failed = s
      .outcomes()
      .filter(({ actions }) => actions.some(({ call, error }) => call === 'SendCommand' && error));
    expect(failed).toHaveLength(8);
    expect(new Set(fleet.world.ssm.invocations.map(({ InstanceId }) => InstanceId)).size).toBe(42);
  });

  it('costs two commands where none has one', async () => {
    const s = saver(fleet);
    s.world.now = at + SECOND;
    const hosts = Array.from({ length: 50 }, (_, i) => fleet.addHost({ n: i + 1, registered: false }));

    await s.batch(...hosts.map(({ id }) => spotInterruption(id)));
    await s.run(90 * SECOND);

    expect(fleet.made('SendCommand')).toEqual([]);
    expect(fleet.count('SendCommand')).toBe(2);
    expect(fleet.made('ModifyInstanceAttribute')).toHaveLength(50);
  });
});

describe('one target, member or container instance that AWS does not accept', () => {
  it('does not keep the others where they are', async () => {
    const s = saver(fleet);
    s.world.now = at + SECOND;
    const web = fleet.world.elbv2.addGroup('web');
    const group = fleet.addGroup('workers', { targetGroups: [web.arn] });
    const hosts = Array.from({ length: 20 }, (_, i) => fleet.addHost({ n: i + 1, group: 'workers', cluster: 'prod' }));
    for (const { id } of hosts) web.targets.push({ id, port: 80, state: 'healthy' });
    const { DetachInstances: detach } = fleet.world.autoscaling.service.operations;
    let first = true;
    Object.assign(fleet.world.autoscaling.service.operations, {
      DetachInstances: (input: object) => {
        // It leaves by itself between the read and the call.
        if (first) group.instances.set(hosts[3]?.id ?? '', 'Terminating');
        first = false;
        return detach?.(input);
      },
    });

    await s.batch(...hosts.map(({ id }) => spotInterruption(id)));
    await s.run(10 * SECOND);

    expect([...group.instances.keys()]).toEqual([hosts[3]?.id]);
    expect(fleet.world.elbv2.targetsIn(web.arn, 'healthy')).toEqual([]);
  });
});

describe('more notices than EC2 takes changes', () => {
  const keptIds = () => [...countsBy('ModifyInstanceAttribute', idsOf('InstanceId')).keys()];

  it('have no volume tagged before EC2 was asked to keep it', async () => {
    const s = saver(fleet);
    s.world.now = at;
    limitChanges(s);
    const hosts = Array.from({ length: 120 }, (_, i) => fleet.addHost({ n: i + 1 }));

    await s.batch(...hosts.map(({ id }) => spotInterruption(id)));

    const kept = keptIds();
    const tagged = [...countsBy('CreateTags', idsOf('ResourceId')).keys()];
    expect(kept.length).toBeGreaterThan(40);
    expect(kept.length).toBeLessThan(hosts.length);
    expect(tagged.sort()).toEqual(
      hosts
        .filter(({ id }) => kept.includes(id))
        .map(({ volume }) => volume)
        .sort(),
    );
  });

  it('keep those that are about to die before those that are only advised to leave', async () => {
    const s = saver(fleet);
    s.world.now = at;
    limitChanges(s);
    const hosts = Array.from({ length: 160 }, (_, i) => fleet.addHost({ n: i + 1 }));
    const [advised, dying] = [hosts.slice(0, 120), hosts.slice(120)];

    await s.batch(
      ...advised.map(({ id }) => rebalanceRecommendation(id, at)),
      ...dying.map(({ id }) => spotInterruption(id)),
    );

    const kept = keptIds();
    expect(kept.length).toBeLessThan(hosts.length);
    expect(dying.filter(({ id }) => !kept.includes(id))).toEqual([]);
  });
});

it('a target group is not asked for instances that their Auto Scaling group has let go', async () => {
  const s = saver(fleet);
  s.world.now = at + SECOND;
  const web = fleet.world.elbv2.addGroup('web');
  fleet.addGroup('workers', { targetGroups: [web.arn] });
  const hosts = Array.from({ length: 5 }, (_, i) => fleet.addHost({ n: i + 1, group: 'workers' }));
  for (const { id } of hosts) web.targets.push({ id, port: 80, state: 'healthy' });

  await s.batch(...hosts.map(({ id }) => spotInterruption(id)));
  await s.run(200 * SECOND);

  expect(fleet.world.elbv2.targetsIn(web.arn, 'healthy')).toEqual([]);
  expect(fleet.count('DescribeTargetHealth')).toBe(1);
});
