import { readdirSync, readFileSync } from 'node:fs';
import fc, { type Scheduler } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { receive } from '../../shared/events/envelope.ts';
import { parse } from '../../shared/events/registry.ts';
import { hold, release } from '../../shared/ledger/state.ts';
import type { Intent, ResourceState } from '../../shared/ledger/types.ts';
import type { Result } from '../../shared/remediation.ts';
import { alarmEvent, at, sqsBatch, streamArn, tick } from '../support/event-builders.ts';
import { enabled, instance, thing, type Workshop, workshop } from '../support/fake-function.ts';
import {
  type FakeRuntime,
  fakeWorld,
  invoke,
  nextDueAt,
  pump,
  put,
  storedRecords,
  storedState,
  type Trouble,
  type World,
} from '../support/fake-runtime.ts';

const minute = 60_000;
/** Lambda ends an invocation after this long. */
const timeoutMs = minute;

/** A workshop in which every stream there is, is in trouble and opted in. */
const everywhere = (): Workshop => {
  const shop = workshop({});
  const things = Object.assign(shop.things, { get: () => thing(1_000) });
  return { ...shop, things };
};

/** Whether the payload brings an alarm, in a state we know, that names a stream: such a one is for us, however it came to be. */
const isForUs = (payload: unknown): boolean =>
  receive(payload).messages.some((message) => {
    const parsed = parse(message);
    return (
      parsed.kind === 'event' &&
      parsed.event.kind === 'alarm' &&
      ['ALARM', 'OK'].includes(parsed.event.state) &&
      parsed.event.metrics.some(({ dimensions }) => dimensions.StreamName !== undefined)
    );
  });

const folder = new URL('../../events/', import.meta.url);
const samples: unknown[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json') && file !== 'manifest.json')
  .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')));

const pathsIn = (value: unknown, path: readonly string[] = []): (readonly string[])[] =>
  typeof value !== 'object' || value === null
    ? [path]
    : [path, ...Object.entries(value).flatMap(([key, inner]) => pathsIn(inner, [...path, key]))];

const replace = (value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown => {
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === key ? replace(item, rest, by) : item));
  const { [key]: inner, ...others } = value as Record<string, unknown>;
  return by === undefined && rest.length === 0 ? others : { ...others, [key]: replace(inner, rest, by) };
};

const places = samples.flatMap((sample) => pathsIn(sample).map((path) => ({ sample, path })));
const mutated = fc
  .tuple(fc.constantFrom(...places), fc.option(fc.jsonValue(), { nil: undefined }))
  .map(([{ sample, path }, by]) => replace(sample, path, by));
const anything = fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true, maxDepth: 3 });
const event = fc.oneof(
  { weight: 2, arbitrary: anything },
  { weight: 1, arbitrary: anything.map((body) => ({ Records: [{ eventSource: 'aws:sqs', messageId: 'm', body }] })) },
  { weight: 1, arbitrary: anything.map((Sns) => ({ Records: [{ EventSource: 'aws:sns', Sns }] })) },
  { weight: 2, arbitrary: fc.oneof(fc.string({ unit: 'binary' }), fc.json()).map((body) => sqsBatch(body)) },
  { weight: 4, arbitrary: mutated },
  { weight: 2, arbitrary: mutated.map((body) => sqsBatch(body ?? null)) },
);

describe('any event', () => {
  it('of 10,000 never throws, and acts only where it is still a valid alarm', async () => {
    const seen = { valid: 0, acted: 0, broken: 0, notForUs: 0, outcomes: 0 };
    await fc.assert(
      fc.asyncProperty(event, async (payload) => {
        const { handler, shop } = instance({ shop: everywhere(), stormLimit: 1_000 });

        const result = await handler(payload);

        const valid = isForUs(payload);
        if (!valid) expect(shop.acts).toEqual([]);
        expect(result).toHaveProperty('outcomes');
        for (const { why } of result.outcomes) expect(why).not.toBe('');
        seen.valid += valid ? 1 : 0;
        seen.acted += shop.acts.length > 0 ? 1 : 0;
        seen.broken += result.failures.length;
        seen.notForUs += Object.keys(result.notForUs).length;
        seen.outcomes += result.outcomes.length;
      }),
      { numRuns: 10_000 },
    );

    // Otherwise the property would have nothing to say.
    expect(seen.acted).toBe(seen.valid);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100);
  });
});

// --- Interleavings ---

const streams = ['a', 'b'].map((name) => streamArn(name));
const hidden = streamArn('held');
type Step =
  | { readonly do: 'deliver'; readonly handler: 0 | 1; readonly crashAt: number; readonly fate: Trouble }
  | { readonly do: 'alarm'; readonly name: string; readonly stream: string; readonly copies: number }
  | { readonly do: 'recovery' | 'trouble'; readonly stream: string }
  | { readonly do: 'sweep'; readonly scope: 'all' | 'incidents'; readonly handler: 0 | 1 }
  | {
      readonly do: 'direct';
      readonly name: string;
      readonly stream: string;
      readonly fate: Trouble;
      readonly crashAt: number;
    }
  | { readonly do: 'wait'; readonly ms: number };

const names = fc.constantFrom('x', 'y', 'z');
const stream = fc.constantFrom('a', 'a', 'b', 'held');
const handlerOf = fc.constantFrom(0 as const, 1 as const);
const fate = fc.constantFrom<Trouble>('none', 'none', 'none', 'refused', 'lost', 'crash', 'crash after');
const crashAt = fc.integer({ min: 1, max: 12 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), handler: handlerOf, crashAt, fate }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('alarm' as const),
      name: names,
      stream,
      copies: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('recovery' as const, 'trouble' as const), stream }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('sweep' as const),
      scope: fc.constantFrom('all' as const, 'incidents' as const),
      handler: handlerOf,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('direct' as const), name: names, stream, fate, crashAt }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 1_000, minute, 4 * minute, 7 * minute),
    }),
  },
);
const plan = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 });

type Broken = Record<'occurrence' | 'intent' | 'lost' | 'held' | 'lease' | 'end', string[]>;

/** Runs the waves of a plan on two handlers at once; the scheduler chooses who goes next at every call of a port. */
async function simulate(scheduler: Scheduler, waves: readonly (readonly Step[])[]) {
  const broken: Broken = { occurrence: [], intent: [], lost: [], held: [], lease: [], end: [] };
  const happened = new Set<string>();
  const world = fakeWorld();
  const shop = workshop(Object.fromEntries([...streams, hidden].map((arn) => [arn, { trouble: 3, tags: enabled }])));
  const actedOn = new Map<string, string>();
  const intents: Intent[] = [];
  let sent = 0;
  let free = false;

  /** One invocation of a handler; its `crashAt`-th call of any port meets its fate. */
  const start = (fate: Trouble, crashAt: number) => {
    let calls = 0;
    let began: number | undefined;
    const one = instance({
      world,
      shop,
      trouble: (port) => {
        began ??= world.now;
        if (world.now - began > timeoutMs) {
          happened.add(`timeout ${port}`);
          return 'crash';
        }
        const met = ++calls === crashAt ? fate : 'none';
        if (met !== 'none') happened.add(`${met} ${port}`);
        return met;
      },
      before: async (port) => {
        if (free) await scheduler.schedule(Promise.resolve(), port);
        // A moment passes: nothing in the world takes no time at all.
        world.now++;
      },
      act: ({ resource, act }) => {
        watchAct(one.runtime, resource);
        const mended = shop.things.get(resource);
        if (mended !== undefined) mended.trouble--;
        return { actions: act.calls };
      },
    });
    return one;
  };

  function watchAct({ clock }: FakeRuntime, resource: string): void {
    const state = storedState(world, resource);
    if (resource === hidden) broken.held.push('a held resource was acted on');
    if (state?.intent === undefined) return void broken.intent.push('an act without an intent');
    if (state.lease === undefined || clock() >= state.lease.until) broken.lease.push('an act without a live lease');
    if (intents.some(({ recordId }) => recordId === state.intent?.recordId)) broken.lease.push('an intent acted twice');
    intents.push(state.intent);
    for (const [key, when] of Object.entries(state.seen)) {
      if (when !== state.lastActAt) continue;
      const before = actedOn.get(`${resource} ${key}`);
      if (before !== undefined) broken.occurrence.push(`${key} acted twice`);
      actedOn.set(`${resource} ${key}`, state.intent.recordId);
    }
    happened.add('acts');
  }

  const invokeWith = (fate: Trouble, crashAt: number) => {
    const one = start(fate, crashAt);
    return (payload: unknown): Promise<Result | 'crashed'> => invoke(one.runtime, one.handler, payload);
  };

  async function run(step: Step): Promise<void> {
    if (step.do === 'wait') {
      await scheduler.schedule(Promise.resolve(), 'wait');
      world.now += step.ms;
    } else if (step.do === 'alarm') {
      const alarm = alarmEvent({ name: step.name, stream: step.stream, at: at + ++sent });
      for (let i = 0; i < step.copies; i++) put(world, alarm);
    } else if (step.do === 'recovery') {
      put(world, alarmEvent({ stream: step.stream, state: 'OK', at: at + ++sent }));
    } else if (step.do === 'trouble') {
      const found = shop.things.get(streamArn(step.stream));
      if (found !== undefined) found.trouble += 2;
    } else if (step.do === 'sweep') await invokeWith('none', 0)(sqsBatch(tick(step.scope)));
    else if (step.do === 'direct') {
      const payload = alarmEvent({ name: step.name, stream: step.stream, at: at + ++sent });
      const result = await invokeWith(step.fate, step.crashAt)(payload).catch(() => 'crashed' as const);
      // Lambda keeps an asynchronous event whose invocation failed and tries it again.
      if (result === 'crashed') put(world, payload, 60);
    } else if (step.do === 'deliver') await pump(world, invokeWith(step.fate, step.crashAt));
    happened.add(step.do);
  }

  await start('none', 0).runtime.ledger.update({ fn: 'fake', resource: hidden }, undefined, (state: ResourceState) => ({
    state: hold(state, { reason: 'no', by: 'ann' }, at),
  }));
  free = true;
  for (const wave of waves) await scheduler.waitFor(Promise.all(wave.map(run)));

  // Afterwards nothing goes wrong any more: what is due is delivered, the schedule sweeps, and everything has to end.
  free = false;
  const end = world.now + 10 * 60 * minute;
  for (let sweepAt = world.now; world.now < end; ) {
    world.now = Math.min(Math.max(nextDueAt(world) ?? end, world.now + 1), Math.max(sweepAt, world.now + 1));
    if (world.now >= sweepAt) {
      await invokeWith('none', 0)(sqsBatch(tick('incidents')));
      sweepAt = world.now + 5 * minute;
    }
    await pump(world, invokeWith('none', 0));
    if (world.inbox.length === 0 && streams.every((arn) => storedState(world, arn)?.incident === undefined)) break;
  }
  judgeEnd(broken, world, shop, intents, actedOn);
  for (const { reason } of storedRecords(world)) happened.add(`recorded ${reason}`);
  return { broken, happened };
}

function judgeEnd(
  broken: Broken,
  world: World,
  shop: Workshop,
  intents: readonly Intent[],
  actedOn: ReadonlyMap<string, string>,
): void {
  if (world.inbox.length > 0) broken.end.push('messages that never end');
  const records = new Set(storedRecords(world).map(({ recordId }) => recordId));
  for (const { recordId } of intents) if (!records.has(recordId)) broken.intent.push(`${recordId} has no record`);
  for (const arn of streams) {
    const state = storedState(world, arn);
    if (state?.intent !== undefined || state?.incident !== undefined) broken.end.push(`${arn} has something open`);
    const asked = [...actedOn.keys()].some((key) => key.startsWith(arn));
    const trouble = shop.things.get(arn)?.trouble ?? 0;
    if (asked && trouble > 0 && state?.hold === undefined) broken.lost.push(`${arn} has ${trouble} troubles left`);
  }
  const dead = world.deadLetters.map(({ body }) => body);
  if (dead.length > 0) broken.lost.push(`dead letters: ${dead}`);
}

describe('whatever the interleaving of deliveries, crashes, faults and time on two handlers', () => {
  const promises = {
    occurrence: 'no occurrence acts twice',
    intent: 'nothing acts without a recorded intent, and every intent gets its record',
    lease: 'nothing acts without a live lease of its own',
    lost: 'no message is lost: each is handled, delivered again or handed over, and the trouble ends',
    held: 'a held resource is not touched',
    end: 'nothing stays open, and no message goes round for ever',
  } satisfies Record<keyof Broken, string>;

  it.each(Object.entries(promises) as [keyof Broken, string][])('%s: %s', async (promise) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), plan, async (scheduler, waves) => {
        expect((await simulate(scheduler, waves)).broken[promise]).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('is tried by everything that can happen', async () => {
    const happened = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), plan, async (scheduler, waves) => {
        for (const what of (await simulate(scheduler, waves)).happened) happened.add(what);
      }),
      { numRuns: 300, seed: 7 },
    );

    expect([...happened]).toEqual(
      expect.arrayContaining([
        'acts',
        'deliver',
        'direct',
        'sweep',
        'recovery',
        'crash after act',
        'crash act',
        'lost act',
        'refused act',
        'crash after table.putIfVersion',
        'lost table.putIfVersion',
        'crash table.put',
        'refused enqueue',
        'timeout act',
        'recorded intent-unresolved',
        'recorded resolved',
        'recorded held',
        'recorded act-unknown',
        'recorded guard-error',
      ]),
    );
  });

  it('is lifted for a resource that a person releases', async () => {
    const one = instance({ shop: workshop({ [hidden]: thing() }) });
    const key = { fn: 'fake', resource: hidden };
    await one.runtime.ledger.update(key, undefined, (state) => ({
      state: hold(state, { reason: 'no', by: 'ann' }, at),
    }));
    await one.handler(alarmEvent({ stream: 'held' }));
    await one.runtime.ledger.update(key, undefined, (state) => ({ state: release(state) }));
    await one.handler(alarmEvent({ stream: 'held' }));

    expect(one.shop.acts).toHaveLength(1);
  });
});
