import { describe, expect, it } from 'vitest';
import { fakeDynamodb } from '../../bench/storm/dynamodb.ts';
import { type Handler, inbox } from '../../bench/storm/inbox.ts';
import { perEvent } from '../../bench/storm/per-event.ts';
import { virtualTime } from '../../bench/storm/time.ts';
import type { Call } from '../../bench/storm/wire.ts';
import { ec2World, fargateWorld, seeded } from '../../bench/storm/world.ts';
import { inboxOf } from '../../bench/storm.ts';
import { readTemplate } from '../../scripts/template.ts';
import { at } from '../support/event-builders.ts';

const SECOND = 1_000;
const still = () => virtualTime(at, { computing: false });

describe('virtual time', () => {
  it('skips waiting, and fires timers in the order of their time', async () => {
    const time = still();
    const seen: number[] = [];
    const wait = async (ms: number) => {
      await time.sleep(ms);
      seen.push(time.clock() - at);
    };

    await time.until(Promise.all([wait(50_000), wait(20), wait(20_000)]));

    expect(seen).toEqual([20, 20_000, 50_000]);
  });

  it('does not fire what was cancelled', async () => {
    const time = still();
    let fired = false;
    const cancel = time.after(10, () => {
      fired = true;
    });

    cancel();
    await time.until(time.sleep(20));

    expect(fired).toBe(false);
  });

  it('moves on while something is computed, unless it is computed apart', async () => {
    const time = virtualTime(at);
    const busy = () => {
      const { user, system } = process.threadCpuUsage();
      const end = user + system + 20_000;
      for (let now = 0; now < end; now = sum(process.threadCpuUsage()));
    };
    const sum = ({ user, system }: { user: number; system: number }) => user + system;

    const [begun, , own, , apart] = [time.clock(), busy(), time.clock(), time.apart(busy), time.clock()];

    expect(own - begun).toBeGreaterThanOrEqual(20);
    expect(apart - own).toBeLessThan(20);
  });

  it('says so where nothing is left to wait for', async () => {
    await expect(still().until(new Promise(() => {}))).rejects.toThrow('stands still');
  });
});

describe('an inbox', () => {
  const settings = { batchSize: 25, windowMs: 2 * SECOND, concurrency: 1, visibilityMs: 30 * SECOND };
  const served = async (
    send: (queue: ReturnType<typeof inbox>) => void,
    fail: (body: string) => boolean = () => false,
  ) => {
    const time = still();
    const queue = inbox(time, settings);
    const batches: { readonly after: number; readonly bodies: string[] }[] = [];
    const handler: Handler = async (event) => {
      const { Records } = event as { Records: { body: string; messageId: string }[] };
      batches.push({ after: time.clock() - at, bodies: Records.map(({ body }) => body) });
      const failed = Records.filter(({ body }) => fail(body));
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
    };
    queue.serve([handler]);
    send(queue);
    await time.until(time.sleep(400 * SECOND));
    return { batches, counts: queue.counts() };
  };

  it('gathers what comes within the window, and starts an instance once', async () => {
    const { batches } = await served((queue) => {
      for (const after of [0, 1_000, 1_900, 2_700, 9_000]) queue.send({ after }, after);
    });

    expect(batches.map(({ bodies }) => bodies.length)).toEqual([3, 1, 1]);
    expect(batches[0]?.after).toBeGreaterThanOrEqual(2_600);
    expect(batches[2]?.after).toBeLessThan(11_100);
  });

  it('ends a batch that is full before its window does', async () => {
    const { batches } = await served((queue) => {
      for (let i = 0; i < 60; i++) queue.send({ i }, 0);
    });

    expect(batches.map(({ bodies }) => bodies.length)).toEqual([25, 25, 10]);
  });

  it('delivers again what failed, five times in all, and nothing else', async () => {
    const { batches, counts } = await served(
      (queue) => {
        queue.send({ good: true }, 0);
        queue.send({ good: false }, 0);
      },
      (body) => body.includes('false'),
    );

    expect(batches.map(({ bodies }) => bodies.length)).toEqual([2, 1, 1, 1, 1]);
    expect(counts).toMatchObject({ dead: 1, left: 0 });
  });
});

describe('the ledger of a storm', () => {
  const item = (version: number, body = 'x') => ({
    pk: { S: 'a' },
    sk: { S: 'state' },
    body: { S: body },
    version: { N: String(version) },
    attention: { S: 'fn' },
  });
  const put = (Item: object, expected?: number) => ({
    Item,
    ...(expected === 0 && { ConditionExpression: 'attribute_not_exists(#pk)' }),
    ...(expected !== undefined &&
      expected > 0 && {
        ConditionExpression: '#version = :expected',
        ExpressionAttributeValues: { ':expected': { N: String(expected) } },
      }),
  });

  it('stores an item whose condition holds, and refuses one whose does not', () => {
    const { PutItem } = fakeDynamodb(() => at).service.operations;

    PutItem?.(put(item(1), 0));
    PutItem?.(put(item(2), 1));

    expect(() => PutItem?.(put(item(1), 0))).toThrow('conditional request failed');
    expect(() => PutItem?.(put(item(3), 1))).toThrow('conditional request failed');
  });

  it('takes 1,000 KB a second into one partition of the index, and as much into another', () => {
    const { PutItem } = fakeDynamodb(() => at).service.operations;
    const big = (name: string) => put({ ...item(1, 'x'.repeat(99 * 1_024)), pk: { S: name }, attention: { S: name } });
    const takes = (name: string): boolean => {
      try {
        PutItem?.(big(name));
        return true;
      } catch {
        return false;
      }
    };

    const taken = Array.from({ length: 10 }, () => takes('fn#0'));
    const others = ['fn#1', 'fn#2', 'fn#3', 'fn#4', 'fn#5', 'fn#6', 'fn#7'].filter(takes);

    expect(taken).not.toContain(false);
    expect(takes('fn#0')).toBe(false);
    expect(others).not.toEqual([]);
  });

  it('takes more into a partition a second later', () => {
    let now = at;
    const { PutItem } = fakeDynamodb(() => now).service.operations;
    const big = put(item(1, 'x'.repeat(99 * 1_024)));

    for (let i = 0; i < 10; i++) PutItem?.(big);
    expect(() => PutItem?.(big)).toThrow('throughput');
    now += SECOND;
    expect(() => PutItem?.(big)).not.toThrow();
  });
});

describe('a storm', () => {
  const size = { tasks: 40, groups: 8, spreadMs: SECOND };

  it('tells of every task five times, of some twice, and not in order', () => {
    const { victims } = fargateWorld(() => at, size);

    const events = victims.flatMap((victim) => victim.events);
    expect(victims).toHaveLength(40);
    expect(events.length).toBeGreaterThan(5 * 40);
    expect(events.length).toBeLessThan(6 * 40);
    expect(victims.some(({ events: [first, second] }) => (first?.after ?? 0) > (second?.after ?? 0))).toBe(true);
  });

  it('is the same every time', () => {
    expect(fargateWorld(() => at, size).victims).toEqual(fargateWorld(() => at, size).victims);
    expect(ec2World(() => at, size).victims).toEqual(ec2World(() => at, size).victims);
  });

  it.each([
    ['Fargate', fargateWorld, 40],
    ['EC2', ec2World, 40],
  ])('of few %s interruptions is no trouble to one invocation an event', async (_, worldOf, count) => {
    const time = still();
    const world = worldOf(time.clock, size);
    const calls: Call[] = [];

    perEvent(time, world, calls, { retries: true, random: seeded(1) });
    await time.until(time.sleep(200 * SECOND));

    expect(world.handledAt.size).toBe(count);
  });

  it('of many loses, to one invocation an event, what AWS throttles', async () => {
    const time = still();
    const world = fargateWorld(time.clock, { tasks: 300, groups: 60, spreadMs: SECOND });
    const calls: Call[] = [];

    perEvent(time, world, calls, { retries: false, random: seeded(1) });
    await time.until(time.sleep(30 * SECOND));

    expect(calls.some(({ refused }) => refused)).toBe(true);
    expect(world.handledAt.size).toBeLessThan(300);
  });
});

describe('the settings of an inbox', () => {
  it('are those of the template', () => {
    expect(inboxOf('drain-fargate', readTemplate())).toMatchObject({
      batchSize: 1_000,
      windowMs: 3_000,
      concurrency: 2,
    });
  });

  it('are missed where the template lacks one', () => {
    const template = readTemplate();
    const { DrainFargate, ...others } = template.Resources;
    const bare = {
      ...template,
      Resources: {
        ...others,
        DrainFargate: {
          ...DrainFargate,
          Type: 'AWS::Serverless::Function',
          Properties: {
            CodeUri: 'functions/drain-fargate',
            Events: { Messages: { Properties: { Queue: { 'Fn::GetAtt': ['DrainFargateInbox', 'Arn'] } } } },
          },
        },
      },
    };
    expect(() => inboxOf('drain-fargate', bare)).toThrow('DrainFargate: BatchSize is not a number');
  });
});
