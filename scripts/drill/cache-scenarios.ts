import { putEvent } from './aws.ts';
import { cacheArn, createCache, type NodeMinute, nodeId, putNodeMetrics, viewCache, writeSlowLog } from './caches.ts';
import { acted, callsSince, patiently, type Reaction, react } from './reaction.ts';
import type { Scenario } from './scenario.ts';
import { type Check, type ListView, sizeOf } from './story.ts';
import { nodeAlarmEvent, tick } from './trouble.ts';
import { putIntoInbox, recordsSince, type World } from './world.ts';

const engineAlarm = 'aws.cloudwatch.alarm-state-change.elasticache-node.json';
const smallNodeAlarm = 'aws.cloudwatch.alarm-state-change.elasticache-small-node.json';
/** CloudWatch's last minutes, as far as a decision looks; and those of scale-in, which wants an hour of calm. */
const lastMinutes = 8;
const hourAndMore = 65;

/** Reads and writes a minute, each with the engine's time for one, microseconds. */
const commands = (reads: number, writes: number): NodeMinute => ({
  GetTypeCmds: reads,
  GetTypeCmdsLatency: 42,
  SetTypeCmds: writes,
  SetTypeCmdsLatency: 51,
});

const readHot: Scenario = {
  id: 'read-hot',
  fn: 'relieve-elasticache',
  title: 'A cache whose replicas are busy',
  shows: 'Reads keep both replicas busy, the primary is not: the group gains a replica.',
  async run(world, { name }) {
    const replica = { EngineCPUUtilization: 96, CPUUtilization: 31, ...commands(1_300_000, 40_000) };
    await createCache(world.aws, { name, nodeType: 'cache.r6g.xlarge', replicas: 2 });
    await putNodeMetrics(
      world.aws,
      {
        [nodeId(name, 1)]: { EngineCPUUtilization: 34, CPUUtilization: 12, ...commands(100_000, 40_000) },
        [nodeId(name, 2)]: replica,
        [nodeId(name, 3)]: replica,
      },
      lastMinutes,
    );
    const node = nodeId(name, 2);
    const reaction = await relieved(world, name, 'IncreaseReplicaCount', 4, (now) =>
      putEvent(world.aws, nodeAlarmEvent(engineAlarm, name, node, now)),
    );
    const waiting = await patiently(40, async () =>
      (await recordsSince(world, { fn: reaction.fn, resource: reaction.arn }, reaction.madeAt)).find(
        ({ reason }) => reason === 'changing',
      ),
    );
    return {
      event: `EventBridge: alarm on EngineCPUUtilization of ${node} is ALARM`,
      reaction,
      checks: [
        nodes(reaction.after, 4, 'one replica more'),
        acted(reaction.decision),
        { what: 'The reason is replicas-hot', ok: reaction.decision?.reason === 'replicas-hot' },
        {
          what: 'Ledger: the follow-up calls nothing done while MemberClusters does not show the replica: changing',
          ok: waiting?.decision === 'defer' && waiting.why.includes('3 members, 4 in shards'),
        },
      ],
    };
  },
};

const smallNode: Scenario = {
  id: 'small-node',
  fn: 'relieve-elasticache',
  title: 'A cache node of two vCPUs',
  shows: 'EngineCPUUtilization is below 90 %, but on two vCPUs 45 % of CPUUtilization (90 / 2) is a full core.',
  async run(world, { name }) {
    await createCache(world.aws, { name, nodeType: 'cache.r6g.large', replicas: 1 });
    await putNodeMetrics(
      world.aws,
      {
        [nodeId(name, 1)]: { EngineCPUUtilization: 84, CPUUtilization: 48.5, ...commands(1_100_000, 60_000) },
        [nodeId(name, 2)]: { EngineCPUUtilization: 38, CPUUtilization: 22, ...commands(500_000, 60_000) },
      },
      lastMinutes,
    );
    const node = nodeId(name, 1);
    const reaction = await relieved(world, name, 'IncreaseReplicaCount', 3, (now) =>
      putEvent(world.aws, nodeAlarmEvent(smallNodeAlarm, name, node, now)),
    );
    const why = reaction.decision?.why ?? '';
    return {
      event: `EventBridge: alarm on CPUUtilization of ${node} is ALARM (above 45 %)`,
      reaction,
      checks: [
        nodes(reaction.after, 3, 'one replica more'),
        acted(reaction.decision),
        {
          what: 'Its why: 97 % of one core, by CPUUtilization x 2 vCPU',
          ok: why.includes(`${node} (primary) 97 %`) && why.includes('by CPUUtilization x 2 vCPU'),
        },
      ],
    };
  },
};

const slowCommands: Scenario = {
  id: 'slow-commands',
  fn: 'relieve-elasticache',
  title: 'A cache busy with slow commands',
  shows:
    'KEYS over the whole keyspace fills the engine. No larger cache runs it faster, so none is made; the slow log tells who.',
  async run(world, { name }) {
    const slowLog = `/elasticache/${name}`;
    const primary = nodeId(name, 1);
    await createCache(world.aws, { name, nodeType: 'cache.r6g.xlarge', replicas: 1, slowLog });
    await writeSlowLog(world.aws, slowLog, primary, [
      { command: 'KEYS (1 more arguments)', times: 24, microseconds: 412_000 },
      { command: 'HGETALL (1 more arguments)', times: 9, microseconds: 88_000 },
      { command: 'GET (1 more arguments)', times: 3, microseconds: 11_000 },
    ]);
    await putNodeMetrics(
      world.aws,
      {
        [primary]: { EngineCPUUtilization: 97, CPUUtilization: 30, ...commands(90_000, 20_000) },
        [nodeId(name, 2)]: { EngineCPUUtilization: 12, CPUUtilization: 6, ...commands(60_000, 20_000) },
      },
      lastMinutes,
    );
    const reaction = await relieved(world, name, 'IncreaseReplicaCount', 2, (now) =>
      putEvent(world.aws, nodeAlarmEvent(engineAlarm, name, primary, now)),
    );
    const told = await patiently(5, async () =>
      (await world.told()).find(({ subject }) => subject.includes(`${name} (slow-commands)`)),
    );
    const top = /KEYS 24 times, 9888 ms in all.*HGETALL 9 times, 792 ms in all/s;
    return {
      event: `EventBridge: alarm on EngineCPUUtilization of ${primary} is ALARM`,
      reaction,
      checks: [
        nodes(reaction.after, 2, 'nothing was added'),
        {
          what: 'Ledger: refused, the reason is slow-commands',
          ok: reaction.decision?.decision === 'escalate' && reaction.decision.reason === 'slow-commands',
        },
        { what: 'The notification lists the top commands of the slow log', ok: told !== null && top.test(told.text) },
        {
          what: 'The trace has FilterLogEvents and no IncreaseReplicaCount',
          ok:
            callsSince(world, 'FilterLogEvents', reaction.madeAt) > 0 &&
            callsSince(world, 'IncreaseReplicaCount', reaction.madeAt) === 0,
        },
      ],
    };
  },
};

const calm: Scenario = {
  id: 'calm',
  fn: 'relieve-elasticache',
  title: 'A cache after an hour of calm',
  shows:
    'The schedule finds a replica too many (reflex:scale-in = all), and no node above 45 % for an hour: one replica goes.',
  async run(world, { name }) {
    const node = { EngineCPUUtilization: 11, CPUUtilization: 6 };
    await createCache(world.aws, {
      name,
      nodeType: 'cache.r6g.xlarge',
      replicas: 2,
      tags: { 'reflex:scale-in': 'all' },
    });
    const own = Object.fromEntries([1, 2, 3].map((nth) => [nodeId(name, nth), node]));
    await putNodeMetrics(world.aws, own, hourAndMore);
    const reaction = await relieved(world, name, 'DecreaseReplicaCount', 2, () =>
      putIntoInbox(world, 'RelieveElasticacheInbox', [tick()]),
    );
    return {
      event: 'SQS: the tick that the schedule sends every five minutes',
      reaction,
      checks: [
        nodes(reaction.after, 2, 'one replica less'),
        acted(reaction.decision),
        { what: 'The reason is scale-in-cache', ok: reaction.decision?.reason === 'scale-in-cache' },
      ],
    };
  },
};

export const cacheScenarios: readonly Scenario[] = [readHot, smallNode, slowCommands, calm];

/** `expected`: nodes that the remediation should lead to. */
function relieved(
  world: World,
  name: string,
  operation: string,
  expected: number,
  make: (now: number) => Promise<unknown>,
): Promise<Reaction<ListView>> {
  return react(world, {
    arn: cacheArn(name),
    fn: 'relieve-elasticache',
    operation,
    view: () => viewCache(world.aws, name),
    settled: (view) => sizeOf(view) === expected,
    make,
  });
}

function nodes(after: ListView, expected: number, meaning: string): Check {
  return { what: `DescribeReplicationGroups: ${expected} nodes, ${meaning}`, ok: sizeOf(after) === expected };
}
