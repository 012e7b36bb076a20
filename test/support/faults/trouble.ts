import * as states from '../../../shared/ledger/state.ts';
import type { ResourceState } from '../../../shared/ledger/types.ts';
import { storedState, type World } from '../fake-runtime.ts';
import type { Random } from './random.ts';
import { type Ending, type Play, writeLedger } from './stage.ts';
import { FAULTS, type Fault, mayBePartial } from './wire.ts';
import type { FaultWorld, Scene } from './world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** After so many calls of one kind, another of it has met everything before: of these, one in four gets one fault, by turns. */
const OFTEN = 2;

/** What can go wrong with the n-th of these calls (from 0). Reads that fail differently fail no less: each gets one way to fail, by turns. */
export const faultsOf = (calls: readonly string[], n: number): readonly Fault[] => {
  const label = calls[n] ?? '';
  const [service = '', operation = ''] = label.split(':');
  const partial: readonly Fault[] = service !== 'ledger' && mayBePartial(operation) ? ['partial'] : [];
  const failing: readonly Fault[] = ['throttle', 'server-error', 'reset', 'silent'];
  const reads = /^(Describe|List|Get|GET|get|query)/.test(operation);
  const all: readonly Fault[] = reads
    ? [failing[n % failing.length] ?? 'throttle', 'slow', 'crash-after', ...partial]
    : [...FAULTS.filter((fault) => fault !== 'partial'), ...partial];
  const before = calls.slice(0, n).filter((one) => one === label).length;
  if (before < OFTEN) return all;
  return n % 4 === 0 ? all.filter((_, i) => i === (n / 4) % all.length) : [];
};

const lasting = (prefix: RegExp, fault: Fault, ms: number) => (): Play => {
  let from: number | undefined;
  return {
    fault: (label, _, now) => {
      from ??= now;
      return prefix.test(label) && now - from < ms ? fault : undefined;
    },
  };
};

export const LEDGER_GONE = 'the ledger unreachable all the time';
const ALWAYS = Number.POSITIVE_INFINITY;

/** What lasts longer than one call; each makes a play of its own. */
export const conditions: Readonly<Record<string, () => Play>> = {
  'every event delivered twice, and once more, the last first': () => ({ order: 'twice' }),
  'events in reverse order': () => ({ order: 'reversed' }),
  'Lambda five minutes ahead of AWS': () => ({ skew: () => 5 * MINUTE }),
  'Lambda five minutes behind AWS': () => ({ skew: () => -5 * MINUTE }),
  "Lambda's clock steps back two minutes": () => ({ skew: (elapsed) => (elapsed > 20 * SECOND ? -2 * MINUTE : 0) }),
  'the ledger unreachable for ten minutes': lasting(/^ledger:/, 'reset', 10 * MINUTE),
  [LEDGER_GONE]: lasting(/^ledger:/, 'reset', ALWAYS),
  'the topic unreachable all the time': lasting(/^sns:/, 'reset', ALWAYS),
  'the inbox takes nothing from the function': lasting(/^sqs:/, 'partial', ALWAYS),
  'AWS throttles every call for three minutes': lasting(/^(?!ledger|sqs|sns)/, 'throttle', 3 * MINUTE),
  'AWS does not answer for three minutes': lasting(/^(?!ledger|sqs|sns)/, 'reset', 3 * MINUTE),
  'AWS answers every call after 4.9 s': lasting(/^(?!ledger|sqs|sns)/, 'slow', ALWAYS),
};

/** Up to three calls that go wrong, in some order of deliveries, by some clock; and the words for it. */
export const several = (
  random: Random,
  calls: readonly string[],
): { readonly options: Play; readonly words: string } => {
  const faults = new Map(
    Array.from({ length: 1 + random.below(3) }, (): [number, Fault] => {
      const n = random.below(calls.length);
      return [n + 1, random.of(FAULTS)];
    }),
  );
  const order = random.of([undefined, undefined, 'twice', 'reversed'] as const);
  const skew = random.of([0, 0, 90 * SECOND, -90 * SECOND]);
  return {
    options: { fault: (_, n) => faults.get(n), skew: () => skew, ...(order && { order }) },
    words: JSON.stringify({ faults: [...faults], order, skew }),
  };
};

export interface Braked {
  readonly play: Play;
  /** It is read before each act; what it cannot read does not stop a function that proceeds on a guard's error. */
  readonly overlookable: boolean;
  /** Writes that it forbids. */
  readonly forbids: (end: Ending) => readonly string[];
}

const all = ({ writes }: Ending): readonly string[] => writes;
const horizonMs = 12 * MINUTE;

const changed = async (
  world: World,
  { resource, now }: Scene,
  name: string,
  change: (state: ResourceState) => ResourceState,
) => {
  await writeLedger(world, now).update({ fn: name, resource }, undefined, (state) => ({ state: change(state) }));
};

/** What stops a function; null: this one it does not stop, by design, or it has no such thing. */
export const brakes: Readonly<
  Record<string, (name: string, world: FaultWorld, undisturbed: Ending, resource: string) => Braked | null>
> = {
  'its mode is off': () => ({ play: { stackMode: 'off', horizonMs }, overlookable: false, forbids: all }),
  'its mode is dry-run': () => ({ play: { stackMode: 'dry-run', horizonMs }, overlookable: false, forbids: all }),
  'a person has switched it off': (name) => ({
    play: { horizonMs, before: (world, { now }) => writeLedger(world, now).setMode(name, 'off', 'a person') },
    overlookable: true,
    forbids: all,
  }),
  'a person has switched everything off': () => ({
    play: { horizonMs, before: (world, { now }) => writeLedger(world, now).setMode('*', 'off', 'a person') },
    overlookable: true,
    forbids: all,
  }),
  'the resource is on hold': (name) => ({
    play: {
      horizonMs,
      before: (world, scene) =>
        changed(world, scene, name, (state) => states.hold(state, { reason: 'not now', by: 'a person' }, scene.now())),
    },
    overlookable: true,
    forbids: all,
  }),
  'the resource is not opted in': () => ({ play: { horizonMs, optedIn: false }, overlookable: false, forbids: all }),
  'the change calendar is closed': (_, { heedsCalendar }) =>
    heedsCalendar
      ? {
          play: { horizonMs, calendar: async () => ({ open: false, until: null }) },
          overlookable: true,
          forbids: all,
        }
      : null,
  'its budget is spent': (name, _, { world }, resource) => {
    const budgets = Object.keys(storedState(world, resource)?.attempts ?? {});
    if (budgets.length === 0) return null;
    return {
      play: {
        horizonMs,
        before: (fresh, scene) =>
          changed(fresh, scene, name, (state) => ({
            ...state,
            attempts: Object.fromEntries(
              budgets.map((budget) => [budget, Array.from({ length: 100 }, () => scene.now() - 60 * MINUTE)]),
            ),
          })),
      },
      overlookable: true,
      forbids: ({ writes }) => writes.filter((operation) => budgets.includes(operation)),
    };
  },
};
