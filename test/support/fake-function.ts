import type { Call, Decision } from '../../shared/decision.ts';
import { alarmOccurrence } from '../../shared/events/cloudwatch-alarm-state-change.ts';
import type {
  Acted,
  Approved,
  CommonFacts,
  Heard,
  Observed,
  ReflexFunction,
  Situation,
  Watch,
} from '../../shared/function.ts';
import type { Json } from '../../shared/json.ts';
import { remediation } from '../../shared/remediation.ts';
import { SettingError } from '../../shared/settings.ts';
import { streamArn } from './event-builders.ts';
import { type FakeOptions, type FakeRuntime, fakeRuntime, fakeWorld, type World } from './fake-runtime.ts';

export interface Thing {
  /** Acts it takes until it is well; 0: it is well. */
  trouble: number;
  tags: Readonly<Record<string, string>>;
}

export interface ThingFacts extends CommonFacts {
  readonly arn: string;
  readonly trouble: number;
  /** What the events themselves said. */
  readonly told: readonly Json[];
}

export type MendCall = Call<'Mend', { Resource: string; Password: string }>;
export type ThingSituation = Situation<ThingFacts>;

/** The world outside the ledger: what exists, and what was done to it. */
export interface Workshop {
  readonly things: Map<string, Thing>;
  readonly acts: { readonly resource: string; readonly at: number; readonly calls: readonly Call[] }[];
  readonly watches: Watch[];
}

export const enabled = { 'reflex:enabled': 'true' };

/** A thing in trouble that is opted in. */
export const thing = (trouble = 1, tags: Readonly<Record<string, string>> = enabled): Thing => ({ trouble, tags });

/** One stream in trouble, by default. */
export const workshop = (things: Readonly<Record<string, Thing>> = { [streamArn()]: thing() }): Workshop => ({
  things: new Map(Object.entries(things)),
  acts: [],
  watches: [],
});

export type Fake = ReflexFunction<ThingFacts, null, MendCall>;
type Overrides = Partial<Omit<Fake, 'observe' | 'act'>> & {
  readonly observe?: (watches: readonly Watch[]) => ReturnType<Fake['observe']>;
  /** Runs after the act was noted; what it returns is the act's end. */
  readonly act?: (approved: Approved<MendCall>) => Acted | Promise<Acted>;
};

/**
 * A function that mends things: one act takes one trouble away. Alarms name streams; every part is a port of the runtime, so that it is
 * counted and may fail.
 */
export function fakeFunction(runtime: FakeRuntime, shop: Workshop, overrides: Overrides = {}): Fake {
  const { port } = runtime;
  const { hear = hearAlarms, decide = mend, observe: observeInstead, act: actInstead, sweep: sweepInstead } = overrides;
  const observeOne = ({ resource, signals }: Watch): Observed<ThingFacts> => {
    const told = signals.flatMap(({ evidence }) => evidence ?? []);
    const found = shop.things.get(resource);
    return found === undefined
      ? { decision: { kind: 'skip', reason: 'stream-gone', why: 'It does not exist.' } }
      : { facts: { asOf: runtime.clock(), arn: resource, tags: found.tags, trouble: found.trouble, told } };
  };
  const observe: Fake['observe'] = async (watches) =>
    new Map(watches.map((watch) => [watch.resource, observeOne(watch)] as const));
  const actOn = async (approved: Approved<MendCall>): Promise<Acted> => {
    const { resource, act } = approved;
    shop.acts.push({ resource, at: runtime.clock(), calls: act.calls });
    if (actInstead !== undefined) return actInstead(approved);
    const mended = shop.things.get(resource);
    if (mended !== undefined) mended.trouble = Math.max(0, mended.trouble - 1);
    return { actions: act.calls };
  };
  return {
    name: 'fake',
    onGuardError: 'stop',
    policy: (tags) => {
      if (tags['reflex:nonsense'] !== undefined) throw new SettingError('tag reflex:nonsense: unknown');
      return null;
    },
    decide,
    ...overrides,
    hear: (events) => port('hear', () => hear(events)),
    sweep: () => port('sweep', () => sweepInstead?.() ?? [...shop.things.keys()]),
    observe: (watches) => {
      shop.watches.push(...watches);
      return port('observe', () => (observeInstead ?? observe)(watches));
    },
    act: (approved) =>
      port('act', async () => {
        const ended = await Promise.all(approved.map(async (one) => [one.resource, await actOn(one)] as const));
        return new Map(ended);
      }),
  };
}

/** Each alarm that names a stream is a signal of it. */
export const hearAlarms: Fake['hear'] = async (events) =>
  events.map((event): Heard => {
    if (event.kind !== 'alarm' || !['ALARM', 'OK'].includes(event.state)) return { notForUs: 'alarm-state' };
    const names = [...new Set(event.metrics.flatMap(({ dimensions }) => dimensions.StreamName ?? []))];
    if (names.length === 0) return { notForUs: 'no-stream-dimension' };
    return {
      signals: names.map((name) => ({
        resource: streamArn(name),
        trigger: event.state === 'ALARM' ? 'alarm' : 'recovery',
        cause: `alarm ${event.alarmName} is ${event.state}`,
        occurrence: alarmOccurrence(event),
        at: event.at,
      })),
    };
  });

/** Acts on trouble, else finds it resolved. */
export const mend = ({ arn, trouble, ledger, trigger }: ThingSituation): Decision<MendCall> => {
  if (trouble > 0) {
    return {
      kind: 'act',
      reason: 'scale-up',
      why: `${trouble} troubles.`,
      calls: [{ call: 'Mend', params: { Resource: arn, Password: 'hunter2' } }],
      coolDownMs: 0,
    };
  }
  if (ledger.incident !== null) return { kind: 'skip', reason: 'resolved', why: 'It is well.' };
  return trigger === 'recovery'
    ? { kind: 'skip', reason: 'nothing-open', why: 'It is well, and was.' }
    : { kind: 'skip', reason: 'within-band', why: 'It is well.' };
};

export interface Instance {
  readonly runtime: FakeRuntime;
  readonly handler: ReturnType<typeof remediation>;
  readonly shop: Workshop;
  readonly world: World;
}

/** A deployed instance of the fake function; several may share a world and a workshop. */
export function instance({
  world = fakeWorld(),
  shop = workshop(),
  ...options
}: FakeOptions & Overrides & { readonly shop?: Workshop } = {}): Instance {
  const runtime = fakeRuntime({ world, ...options });
  return { runtime, handler: remediation(fakeFunction(runtime, shop, options), runtime), shop, world };
}
