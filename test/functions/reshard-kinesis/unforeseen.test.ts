import { GetResourcesCommand, ResourceGroupsTaggingAPIClient } from '@aws-sdk/client-resource-groups-tagging-api';
import { mockClient } from 'aws-sdk-client-mock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Memory } from '../../../functions/reshard-kinesis/facts.ts';
import { reshardKinesis } from '../../../functions/reshard-kinesis/function.ts';
import {
  acted,
  dayOf,
  decided,
  HOUR,
  loadsOf,
  MIB,
  MINUTE,
  metricsOf,
  now,
  perMinute,
  type StreamOptions,
  shardId,
  shardsFrom,
  uniformShards,
} from '../../support/stream-facts.ts';

/** Streams and loads that are rare, and decisions on them that a person would have to make good. */

const outcome = (...args: Parameters<typeof decided>) => {
  const { kind, reason } = decided(...args);
  return `${kind} ${reason}`;
};
const targetOf = (decision: ReturnType<typeof decided>) => {
  const [call] = acted(decision).calls;
  return call?.call === 'UpdateShardCount' ? call.params.TargetShardCount : call?.call;
};

describe('one hot key whose producers try again and again', () => {
  /** `worth` is accepted, and much more rejected. */
  const storm = (shards: number, worth: number, more: StreamOptions = {}): StreamOptions => ({
    shards,
    metrics: metricsOf(worth, { throttled: perMinute(40 * 102.4 * 60) }),
    ...more,
  });

  it('does not double a stream that accepts less than a quarter of what it could', () => {
    expect(decided(storm(8, 1.9))).toMatchObject({
      kind: 'escalate',
      reason: 'skew-or-burst',
      why: 'Peak of the last minutes 41.90 MiB/s and 4,291 records/s, 1,228,800 records rejected: 523.8 % of 8 shards, though what is accepted is only 23.8 % of them: there is room, so either few shards are hot or the burst is shorter than a minute. No shard-level metrics to tell.',
    });
  });

  it('does not double it either while its consumers work off a backlog: what they read is no load', () => {
    const options = storm(8, 1.9);
    const iteratorAge = [
      [now - 2 * MINUTE, 600_000],
      [now - MINUTE, 300_000],
    ] as const;
    const backlog = { ...options.metrics, iteratorAge, outgoingBytes: perMinute(16 * MIB * 60) };
    expect(outcome({ ...options, metrics: backlog })).toBe('escalate skew-or-burst');
  });

  it('doubles one that accepts a quarter or more: it may be full for a part of the minute', () => {
    expect(targetOf(decided(storm(8, 2)))).toBe(16);
  });

  it('is told by the shards where they are seen', () => {
    const shards = uniformShards(8);
    const all = shards.map(() => 5);
    const seen = acted(decided(storm(8, 1.9, { shards, shardLoads: loadsOf(shards, all, { throttled: 9 }) })));
    expect(targetOf(seen)).toBe(16);
    expect(seen.why).toContain('counting each rejection, 84 would carry it at 50 %');
  });

  it('cannot make a stream grow beyond eight times what it accepts, however it goes on', () => {
    let [n, memory]: [number, Memory] = [1, {}];
    for (let turn = 0; turn < 20; turn++) {
      const decision = decided(storm(n, 1, { memory }), { maxShards: 10_000 });
      if (decision.kind !== 'act') break;
      n = Number(targetOf(decision));
      memory = {};
    }
    expect(n).toBe(8);
  });
});

describe('rejections whose cause nobody sees', () => {
  it('never make a stream grow beyond its bounds, or beyond eight times what it accepts', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.double({ min: 0.001, max: 1_000, noNaN: true }),
        fc.integer({ min: 1, max: 2_000 }),
        (start, share, rejectedWorth, maxShards) => {
          const worth = share * start;
          const metrics = metricsOf(worth, { throttled: perMinute(rejectedWorth * 102.4 * 60) });
          let n = start;
          for (let turn = 0; turn < 20; turn++) {
            const decision = decided({ shards: n, metrics }, { maxShards });
            if (decision.kind !== 'act') break;
            const target = Number(targetOf(decision));
            expect(target).toBeGreaterThan(n);
            expect(target).toBeLessThanOrEqual(Math.min(2 * n, maxShards));
            n = target;
          }
          expect(n).toBeLessThanOrEqual(Math.max(start, Math.ceil(8 * worth)));
        },
      ),
    );
  });
});

describe('a load that goes on growing', () => {
  const open = { openedAt: now - 10 * MINUTE, steps: 1 };
  const reached = (memory: Memory, shards: number): Memory => {
    const active = decided({ shards, memory }, {}, now + 3 * MINUTE);
    return active.kind === 'defer' ? (active.remember ?? {}) : {};
  };
  const first = acted(decided({ shards: 4, worth: 3.2 })).remember ?? {};
  const at = now + 5 * MINUTE;

  it('is no failed verification of a step that is in service as it was sized', () => {
    const memory = reached(first, 8);
    const again = decided({ memory, shards: 8, incident: open, metrics: metricsOf(6.4, {}, at) }, {}, at);
    expect(again).toMatchObject({ kind: 'act', reason: 'scale-up', planned: true });
  });

  it('is one where the step did not come to what it was to be', () => {
    const memory = reached(first, 5);
    const again = decided({ memory, shards: 5, incident: open, metrics: metricsOf(4.5, {}, at) }, {}, at);
    expect(again).toMatchObject({ kind: 'act', reason: 'scale-up', planned: false });
  });

  it('is one after a step downwards: that was too far', () => {
    const down = acted(decided({ worth: 0.4, trigger: 'tick' })).remember ?? {};
    const memory = reached(down, 2);
    const again = decided({ memory, shards: 2, incident: open, metrics: metricsOf(1.8, {}, at) }, {}, at);
    expect(again).toMatchObject({ kind: 'act', reason: 'scale-up', planned: false });
  });

  it('is one where hot shards persist in a stream that is not full', () => {
    const shards = uniformShards(8);
    const memory = reached(first, 8);
    const shardLoads = loadsOf(shards, [1, 1, 1, 1]);
    const again = decided({ memory, shards, shardLoads, incident: open, metrics: metricsOf(4.5, {}, at) }, {}, at);
    expect(again).toMatchObject({ kind: 'act', reason: 'scale-up', planned: false });
  });
});

describe('a scale-in after which records are rejected though there is room', () => {
  const shrunk: Memory = { activeSince: now - 10 * MINUTE, shrunkFrom: 6 };
  const rejects: StreamOptions = { shards: 3, worth: 1, metrics: { throttled: perMinute(5) }, memory: shrunk };

  it('is taken back, and no further', () => {
    const back = acted(decided(rejects));
    expect(back.reason).toBe('scale-up');
    expect(targetOf(back)).toBe(6);
    expect(back.why).toMatch(/: 33\.\d % of 3 shards; with 6 shards, before Reflex shrank it, none was\. 3 -> 6\.$/);
    expect(targetOf(decided({ ...rejects, shards: 5 }))).toBe(6);
  });

  it('is not made again as long as nobody sees the shards', () => {
    const back = acted(decided(rejects)).remember ?? {};
    const active = decided({ shards: 6, memory: back }, {}, now + 3 * MINUTE);
    const memory = { ...(active.kind === 'defer' ? active.remember : {}), activeSince: now - 30 * HOUR };
    const cold: StreamOptions = { shards: 6, worth: 0.6, trigger: 'tick', memory };

    expect(decided(cold)).toEqual({
      kind: 'skip',
      reason: 'skew-unseen',
      why: 'The peak of the last 24 h is 10 % of 6 shards, below 25 %, but when it was shrunk from as many, records were rejected with room left. Without shard-level metrics it stays as it is.',
    });
    const shards = uniformShards(6);
    expect(outcome({ ...cold, shards, shardLoads: loadsOf(shards, [0.1, 0.1, 0.1, 0.1, 0.1, 0.1]) })).toBe(
      'act scale-in',
    );
  });

  it('is taken back where the shards are seen, too, and then not made again: bursts need the room', () => {
    const [few, many] = [uniformShards(3), uniformShards(6)];
    const back = acted(decided({ ...rejects, shards: few, shardLoads: loadsOf(few, [0.3]) }));
    expect(targetOf(back)).toBe(6);
    const active = decided({ shards: 6, memory: back.remember ?? {} }, {}, now + 3 * MINUTE);
    const memory = { ...(active.kind === 'defer' ? active.remember : {}), activeSince: now - 30 * HOUR };
    const shardLoads = loadsOf(many, [0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
    expect(decided({ shards: many, worth: 0.6, trigger: 'tick', memory, shardLoads })).toEqual({
      kind: 'skip',
      reason: 'burst-before',
      why: 'The peak of the last 24 h is 10 % of 6 shards, below 25 %, but when it was shrunk from as many, records were rejected with room left: bursts need it.',
    });
  });

  it('is left to a person where it was not ours', () => {
    expect(outcome({ ...rejects, memory: {} })).toBe('escalate skew-or-burst');
    expect(outcome({ ...rejects, shards: 6 })).toBe('escalate skew-or-burst');
  });

  it('is forgotten once the stream grows for its load', () => {
    const grown = acted(decided({ shards: 3, worth: 2.7, memory: shrunk })).remember;
    expect(grown).not.toHaveProperty('shrunkFrom');
  });

  it('is taken back at the next look where the step back never came about', () => {
    const back = acted(decided(rejects)).remember ?? {};
    const active = decided({ ...rejects, memory: back }, {}, now + 3 * MINUTE);
    const memory = { ...(active.kind === 'defer' ? active.remember : {}), activeSince: now - 10 * MINUTE };
    expect(targetOf(acted(decided({ ...rejects, memory })))).toBe(6);
  });

  it('is forgotten where the step never came about', () => {
    const memory = acted(decided({ shards: 4, worth: 0.4, trigger: 'tick' })).remember ?? {};
    expect(memory).toHaveProperty('shrunkFrom', 4);
    const active = decided({ shards: 4, memory }, {}, now + 3 * MINUTE);
    expect(active.remember).not.toHaveProperty('shrunkFrom');
  });
});

describe('a stream of one shard that rejects records though there is room', () => {
  const rejects = { worth: 0.4, metrics: { throttled: perMinute(5) } };

  it('has a burst, and nobody is told to look for skew: its metrics are those of its shard', () => {
    expect(decided({ ...rejects, shards: 1 })).toMatchObject({
      kind: 'escalate',
      reason: 'burst',
      why: expect.stringMatching(
        /: 40\.\d % of 1 shard, and no shard is hot over a whole minute: a burst inside the minute\.$/,
      ),
    });
    const storm = decided({ shards: 1, worth: 0.2, metrics: { throttled: perMinute(40 * 102.4 * 60) } });
    expect(storm).toMatchObject({ reason: 'burst', why: expect.stringContaining('accepted is only 20 % of it, and') });
  });

  it('may have skewed shards where it has two', () => {
    expect(outcome({ ...rejects, shards: 2 })).toBe('escalate skew-or-burst');
  });
});

describe('a uniform step that left shards of unequal width', () => {
  const edge = (i: bigint) => (2n ** 128n * i) / 8n;
  // Four equal shards made six: two were split, two were not.
  const uneven = shardsFrom([0n, edge(1n), edge(2n), edge(3n), edge(4n), edge(6n)]);
  const memory: Memory = { activeSince: now - 10 * MINUTE, grown: true };
  const rejects: StreamOptions = { worth: 3, metrics: { throttled: perMinute(5) }, memory };

  it('is evened by a doubling where records are rejected, and nobody sees the shards', () => {
    const evened = acted(decided({ ...rejects, shards: uneven }));
    expect(targetOf(evened)).toBe(12);
    expect(evened.why).toMatch(/the last step left shards of unequal width, and doubling evens them\. 6 -> 12\./);
  });

  it('is evened once: where AWS leaves the widths as they are, a person is told', () => {
    const again: StreamOptions = { ...rejects, shards: uneven, memory: { ...memory, more: true } };
    expect(outcome(again)).toBe('escalate skew-or-burst');
  });

  it('is not to blame where the widths are equal, or somebody else made them', () => {
    expect(outcome({ ...rejects, shards: uniformShards(6) })).toBe('escalate skew-or-burst');
    expect(outcome({ ...rejects, shards: uneven, memory: {} })).toBe('escalate skew-or-burst');
  });
});

describe('merges that were queued', () => {
  const shards = uniformShards(8);
  const since = (ms: number): Memory => ({
    settling: { from: 9, to: 8, since: now - ms },
    queue: [{ merge: [shardId(2), shardId(3)] }],
  });
  const at = (ms: number) => decided({ shards, worth: 1, shardLoads: loadsOf(shards, [0.5]), memory: since(ms) });

  it('go on within the hour', () => {
    expect(at(HOUR)).toMatchObject({ kind: 'act', reason: 'merge-cold-shards' });
  });

  it('are decided anew after it: what was cold then may be no more', () => {
    expect(at(HOUR + 1)).toMatchObject({ kind: 'defer', reason: 'measuring' });
    expect(at(HOUR + 1).remember).not.toHaveProperty('queue');
  });
});

describe('an alarm on an on-demand stream that is UPDATING', () => {
  const onDemand: StreamOptions = { mode: 'ON_DEMAND', trigger: 'follow-up' };

  it('is told of when the stream is ACTIVE: the alarm was only deferred', () => {
    expect(outcome({ ...onDemand, trigger: 'alarm', status: 'UPDATING' })).toBe('defer stream-updating');
    expect(outcome({ ...onDemand, incident: { openedAt: now - MINUTE, steps: 0 } })).toBe('escalate on-demand');
  });

  it('is not where somebody switched the mode after we had acted, or nobody asks', () => {
    expect(outcome({ ...onDemand, incident: { openedAt: now - MINUTE, steps: 1 } })).toBe('skip on-demand');
    expect(outcome({ ...onDemand, trigger: 'tick' })).toBe('skip on-demand');
  });
});

describe('consumers whose reserved concurrency cannot be brought in step', () => {
  const consumers = [{ functionName: 'billing', parallelizationFactor: 1, reservedConcurrency: null }];
  const short = { consumers, unreservedConcurrency: 100 };

  it('do not keep a stream from shrinking, which needs less of it', () => {
    const cold: StreamOptions = { ...short, worth: 0.4, trigger: 'tick' };
    expect(outcome(cold, { consumerConcurrency: 5 })).toBe('act scale-in');
    expect(outcome({ ...cold, worth: 2 }, { consumerConcurrency: 5 })).toBe('escalate consumer-concurrency-limit');
  });

  it('are told of before an open incident is closed', () => {
    const incident = { openedAt: now - MINUTE, steps: 1 };
    const open: StreamOptions = { ...short, worth: 0.4, trigger: 'tick', incident };
    expect(outcome(open, { consumerConcurrency: 5 })).toBe('escalate consumer-concurrency-limit');
  });
});

describe('an alarm on the lag of an on-demand stream', () => {
  it('is told as what it is: warm throughput would not mend it', () => {
    const iteratorAge = perMinute(2 * HOUR);
    expect(outcome({ mode: 'ON_DEMAND', metrics: { iteratorAge } })).toBe('escalate consumer-lag');
    expect(outcome({ mode: 'ON_DEMAND' })).toBe('escalate on-demand');
    expect(outcome({ mode: 'ON_DEMAND', metrics: { iteratorAge }, trigger: 'tick' })).toBe('skip on-demand');
  });
});

describe('an alarm on lagging consumers that finds the stream UPDATING', () => {
  const lag: StreamOptions = { trigger: 'follow-up', metrics: { iteratorAge: perMinute(2 * HOUR) } };

  it('is told of when it is ACTIVE, and not after an act: that was for something else', () => {
    expect(outcome({ ...lag, incident: { openedAt: now - MINUTE, steps: 0 } })).toBe('escalate consumer-lag');
    expect(outcome({ ...lag, incident: { openedAt: now - MINUTE, steps: 1 } })).toBe('skip resolved');
  });
});

describe('a consumer that reads other sources, too', () => {
  it('keeps its concurrency: two streams would each set their own', () => {
    const consumer = { functionName: 'billing', parallelizationFactor: 1, reservedConcurrency: 7 };
    const at = (shared: { shared?: true }) =>
      decided(
        {
          trigger: 'follow-up',
          incident: { openedAt: now - MINUTE, steps: 1 },
          unreservedConcurrency: 900,
          consumers: [{ ...consumer, ...shared }],
        },
        { consumerConcurrency: 5 },
      );
    expect(at({})).toMatchObject({ reason: 'consumer-concurrency' });
    expect(at({ shared: true })).toMatchObject({
      reason: 'resolved',
      why: expect.stringContaining('Consumers: billing (reads other sources, too: its concurrency is left alone).'),
    });
  });
});

describe('the schedule', () => {
  it('looks at streams, not at their consumers, which a stack gives the same tags', async () => {
    const orders = 'arn:aws:kinesis:eu-west-1:111122223333:stream/orders';
    const tagging = mockClient(ResourceGroupsTaggingAPIClient);
    tagging.on(GetResourcesCommand).resolves({
      ResourceTagMappingList: [orders, `${orders}/consumer/billing:1700000000`].map((ResourceARN) => ({
        ResourceARN,
        Tags: [{ Key: 'reflex:enabled', Value: 'true' }],
      })),
    });

    const swept = await reshardKinesis({}, () => now).sweep();
    tagging.restore();

    expect(swept).toEqual([orders]);
  });
});

describe('the merge of a shard whose day is not known', () => {
  it('waits until it is, whatever else may be merged', () => {
    const shards = uniformShards(8);
    const loads = loadsOf(shards, [0.6]);
    const young = { ...loads, [shardId(1)]: { now: 0, throttled: 0, day: null } };
    const at = (shardLoads: typeof loads) =>
      acted(decided({ shards, worth: 1, day: dayOf(1), trigger: 'tick', shardLoads })).calls;

    expect(at(loads)).toMatchObject([{ params: { ShardToMerge: shardId(1) } }]);
    expect(at(young)).toMatchObject([{ params: { ShardToMerge: shardId(2) } }]);
  });
});
