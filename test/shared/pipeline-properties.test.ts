import { readdirSync, readFileSync } from 'node:fs';
import fc, { type Scheduler } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../shared/decision.ts';
import { alarmOccurrence } from '../../shared/events/cloudwatch-alarm-state-change.ts';
import { receive } from '../../shared/events/envelope.ts';
import { parse } from '../../shared/events/registry.ts';
import type { JsonObject } from '../../shared/json.ts';
import { hold, release } from '../../shared/ledger/state.ts';
import type { HistoryRecord, Intent, ResourceState } from '../../shared/ledger/types.ts';
import type { Result } from '../../shared/remediation.ts';
import { alarmArn, alarmEvent, at, sqsBatch, streamArn, tick } from '../support/event-builders.ts';
import {
  enabled,
  type Fake,
  hearAlarms,
  instance,
  type MendCall,
  mend,
  type ThingSituation,
  thing,
  type Workshop,
  workshop,
} from '../support/fake-function.ts';
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

/** What a function makes of the pipeline's options. */
interface Manner {
  readonly joins: boolean;
  readonly planned: boolean;
  readonly lasting: boolean;
  readonly finding: boolean;
  /** One look in so many waits, one act in so many is made to wait by AWS, one look in so many asks for a hold. */
  readonly waits: number;
  readonly refused: number;
  readonly holds: number;
}
const manner: fc.Arbitrary<Manner> = fc.record({
  joins: fc.boolean(),
  planned: fc.boolean(),
  lasting: fc.boolean(),
  finding: fc.boolean(),
  waits: fc.constantFrom(2, 3, 1_000_000),
  refused: fc.constantFrom(3, 1_000_000),
  holds: fc.constantFrom(20, 1_000_000, 1_000_000),
});

/** Every event it was told of, and every act that was made. */
type Memory = { readonly heard: JsonObject; readonly made: JsonObject };

const memoryOf = (remembered: JsonObject | undefined): Memory => ({ heard: {}, made: {}, ...remembered });

const union = (_: string, theirs: JsonObject, ours: JsonObject): JsonObject => {
  const [a, b] = [memoryOf(theirs), memoryOf(ours)];
  return { heard: { ...a.heard, ...b.heard }, made: { ...a.made, ...b.made } };
};

const hearWithEvidence: Fake['hear'] = async (events) =>
  (await hearAlarms(events)).map((heard) =>
    'signals' in heard
      ? { signals: heard.signals.map((signal) => ({ ...signal, evidence: signal.occurrence })) }
      : heard,
  );

/** One in so many, at no regular distance. */
const chance = () => {
  let asked = 0;
  return (oneIn: number): boolean => (Math.imul(++asked, 0x9e3779b1) >>> 8) % oneIn === 0;
};

const deciding =
  ({ planned, lasting, finding, waits, holds }: Manner, isTime: (oneIn: number) => boolean, newId: () => string) =>
  (situation: ThingSituation, now: number): Decision<MendCall> => {
    const { heard, made } = memoryOf(situation.ledger.remembered);
    const seen = { heard: { ...heard, ...Object.fromEntries(situation.told.map((key) => [String(key), true])) }, made };
    const found = finding ? { finding: `at ${now}` } : {};
    if (isTime(holds)) {
      return { kind: 'escalate', reason: 'hot-key', why: 'No more.', hold: true, remember: seen, ...found };
    }
    const decision = mend(situation);
    if (decision.kind !== 'act') return { ...decision, remember: seen, ...found };
    if (isTime(waits)) {
      return { kind: 'defer', reason: 'measuring', why: 'Not yet.', until: now + 30_000, lasting, remember: seen };
    }
    return { ...decision, planned, remember: { ...seen, made: { ...made, [newId()]: true } }, otherwise: seen };
  };

type Broken = Record<'occurrence' | 'intent' | 'lost' | 'held' | 'lease' | 'memory' | 'told' | 'end', string[]>;

/** Runs the waves of a plan on two handlers at once; the scheduler chooses who goes next at every call of a port. */
async function simulate(scheduler: Scheduler, manner: Manner, waves: readonly (readonly Step[])[]) {
  const broken: Broken = {
    occurrence: [],
    intent: [],
    lost: [],
    held: [],
    lease: [],
    memory: [],
    told: [],
    end: [],
  };
  const happened = new Set<string>();
  const world = fakeWorld();
  const shop = workshop(Object.fromEntries([...streams, hidden].map((arn) => [arn, { trouble: 3, tags: enabled }])));
  const actedOn = new Map<string, string>();
  const intents: Intent[] = [];
  const made: { resource: string; id: string }[] = [];
  let plans = 0;
  const isTime = chance();
  const decide = deciding(manner, isTime, () => `plan ${++plans}`);
  const sent: { resource: string; key: string }[] = [];
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
      hear: hearWithEvidence,
      ...(manner.joins && { join: union }),
      decide: (situation, _, now) => decide(situation, now),
      act: ({ resource, act }) => {
        watchAct(one.runtime, resource);
        if (isTime(manner.refused)) {
          const problem = {
            kind: 'defer',
            reason: 'rate-limited',
            until: world.now + 30_000,
            why: 'Too fast.',
          } as const;
          return { actions: [], problem };
        }
        for (const id of Object.keys(memoryOf(act.remember).made)) made.push({ resource, id });
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

  const alarmOf = (stream: string, name: string, state = 'ALARM') => {
    const when = at + sent.length + 1;
    const key = alarmOccurrence({ alarmArn: alarmArn(name), at: when, state });
    sent.push({ resource: streamArn(stream), key });
    return alarmEvent({ name, stream, state, at: when });
  };

  const invokeWith = (fate: Trouble, crashAt: number) => {
    const one = start(fate, crashAt);
    return (payload: unknown): Promise<Result | 'crashed'> => invoke(one.runtime, one.handler, payload);
  };

  async function run(step: Step): Promise<void> {
    if (step.do === 'wait') {
      await scheduler.schedule(Promise.resolve(), 'wait');
      world.now += step.ms;
    } else if (step.do === 'alarm') {
      const alarm = alarmOf(step.stream, step.name);
      for (let i = 0; i < step.copies; i++) put(world, alarm);
    } else if (step.do === 'recovery') {
      put(world, alarmOf(step.stream, 'z', 'OK'));
    } else if (step.do === 'trouble') {
      const found = shop.things.get(streamArn(step.stream));
      if (found !== undefined) {
        // Of trouble that comes when all was well CloudWatch tells anew.
        if (found.trouble === 0) put(world, alarmOf(step.stream, 'z'));
        found.trouble += 2;
      }
    } else if (step.do === 'sweep') await invokeWith('none', 0)(sqsBatch(tick(step.scope)));
    else if (step.do === 'direct') {
      const payload = alarmOf(step.stream, step.name);
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
  judgeMemory(broken.memory, world, made, manner.joins ? sent : []);
  for (const arn of streams) {
    const told = [
      ...world.told.map(({ record }) => record),
      ...world.toldLate.map(({ message }): HistoryRecord => JSON.parse(JSON.parse(message).sqs)),
    ];
    const heard = told.some(({ resource, held }) => resource === arn && held === true);
    const held = storedState(world, arn)?.hold !== undefined;
    if (held && !heard) broken.told.push(`${arn} is on hold, and nobody knows`);
  }
  for (const { reason } of storedRecords(world)) happened.add(`recorded ${reason}`);
  return { broken, happened };
}

function judgeMemory(
  broken: string[],
  world: World,
  acts: readonly { readonly resource: string; readonly id: string }[],
  sent: readonly { readonly resource: string; readonly key: string }[],
): void {
  for (const { resource, id } of acts) {
    if (!(id in memoryOf(storedState(world, resource)?.remembered).made)) broken.push(`${id} is forgotten`);
  }
  for (const { resource, key } of sent) {
    if (!(key in memoryOf(storedState(world, resource)?.remembered).heard)) broken.push(`${key} is not counted`);
  }
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
    memory: 'what was done is remembered, and where memories can be joined, what was heard as well',
    told: 'nothing is put on hold without a person being told',
    end: 'nothing stays open, and no message goes round for ever',
  } satisfies Record<keyof Broken, string>;

  it.each(Object.entries(promises) as [keyof Broken, string][])('%s: %s', async (promise) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), manner, plan, async (scheduler, manner, waves) => {
        expect((await simulate(scheduler, manner, waves)).broken[promise]).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('is tried by everything that can happen', async () => {
    const happened = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), manner, plan, async (scheduler, manner, waves) => {
        for (const what of (await simulate(scheduler, manner, waves)).happened) happened.add(what);
      }),
      { numRuns: 300, seed: 4 },
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
        'recorded rate-limited',
        'recorded measuring',
        'recorded hot-key',
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
