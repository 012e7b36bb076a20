import fc, { type Scheduler } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Spend } from '../../../shared/decision.ts';
import { ledger, recordId } from '../../../shared/ledger/ledger.ts';
import {
  abandonIntent,
  awaitCheck,
  closeIncident,
  hold,
  orphanOf,
  refusal,
  release,
  settle,
  take,
} from '../../../shared/ledger/state.ts';
import type { HistoryRecord, Intent, ResourceState, TakeRequest } from '../../../shared/ledger/types.ts';
import { type Fault, memoryTable } from '../../support/memory-table.ts';

/**
 * Several invocations, an operator and the passing of time run against one table at once; the scheduler chooses who goes next at every
 * await. Every write to the table and every act is watched from outside, with books of the watcher's own.
 */
const fn = 'reshard-kinesis';
const leaseMs = 50;
const windowMs = 1000;
const limit = 3;
const keptInReserve = 1;

type Crash = 'never' | 'before act' | 'after act' | 'after record';
type Step =
  | {
      readonly do: 'remedy';
      readonly resource: string;
      readonly occurrences: readonly string[];
      readonly check: 'none' | 'expected' | 'earlier';
      readonly urgent: boolean;
      readonly coolDownMs: number;
      readonly staleClock: boolean;
      /** The facts are read before the ledger's answer, or after it. */
      readonly earlyFacts: boolean;
      readonly crash: Crash;
    }
  | { readonly do: 'defer'; readonly resource: string; readonly occurrences: readonly string[] }
  | { readonly do: 'close' | 'hold' | 'release'; readonly resource: string }
  | { readonly do: 'wait'; readonly ms: number };

interface Plan {
  /** What happens at once, wave after wave. */
  readonly waves: readonly (readonly Step[])[];
  readonly faults: readonly Fault[];
}

const resource = fc.constantFrom('arn:a', 'arn:a', 'arn:b');
const occurrences = fc.subarray(['alarm@1', 'alarm@2', 'alarm@3', 'alarm@4', 'alarm@5', 'alarm@6'], {
  minLength: 1,
  maxLength: 2,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('remedy' as const),
      resource,
      occurrences,
      check: fc.constantFrom('none', 'none', 'expected', 'expected', 'earlier'),
      urgent: fc.boolean(),
      coolDownMs: fc.constantFrom(0, 0, 40),
      staleClock: fc.boolean(),
      earlyFacts: fc.boolean(),
      crash: fc.constantFrom<Crash>('never', 'never', 'never', 'before act', 'after act', 'after record'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('defer' as const), resource, occurrences }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close' as const), resource }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hold' as const), resource }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), resource }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, leaseMs - 1, leaseMs, 400, windowMs),
    }),
  },
);
const fault = fc.constantFrom<Fault>(
  'none',
  'none',
  'none',
  'none',
  'none',
  'none',
  'throttled',
  'timed-out',
  'repeated',
  'repeated',
);
const plan: fc.Arbitrary<Plan> = fc.record({
  waves: fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }),
  faults: fc.array(fault, { minLength: 1, maxLength: 20 }),
});

type Violations = Record<'lease' | 'occurrence' | 'budget' | 'intent' | 'hold' | 'facts', string[]>;

/** Runs a plan; returns what broke which invariant, and the kinds of thing that happened. */
async function simulate(scheduler: Scheduler, { waves, faults }: Plan) {
  const violations: Violations = { lease: [], occurrence: [], budget: [], intent: [], hold: [], facts: [] };
  const happened = new Set<string>();
  const note = (what: string) => void happened.add(what);
  let now = 1_000_000;
  let calls = 0;
  let ids = 0;
  let faulty = true;

  const requests = new Map<string, TakeRequest>();
  const taken: Intent[] = [];
  const recorded = new Set<string>();
  const fences = new Map<string, number>();
  const acted = new Set<string>();
  const releasing = new Map<string, number>();

  const table = memoryTable({
    before: async (call) => {
      await scheduler.schedule(Promise.resolve(), call);
      return faulty ? (faults[calls++ % faults.length] ?? 'none') : 'none';
    },
    onWrite: (row, previous) => {
      if (row.sk.startsWith('record#')) recorded.add(row.sk.slice('record#'.length));
      if (row.sk !== 'state') return;
      const next: ResourceState = JSON.parse(row.body);
      const before: ResourceState | undefined = previous && JSON.parse(previous.body);
      watch(next, before);
    },
  });
  const book = ledger({ table, clock: () => now });
  const stateOf = (arn: string): ResourceState | undefined => {
    const row = table.rows().find(({ pk, sk }) => pk === `${fn}#${arn}` && sk === 'state');
    return row && JSON.parse(row.body);
  };

  function watch(next: ResourceState, before: ResourceState | undefined): void {
    const granted = next.lease !== undefined && next.lease.owner !== before?.lease?.owner ? next.lease : undefined;
    if (granted !== undefined) {
      const highest = fences.get(next.resource) ?? 0;
      if (granted.fence <= highest) violations.lease.push(`fence ${granted.fence} after ${highest}`);
      fences.set(next.resource, granted.fence);
      if (before?.lease !== undefined && now < before.lease.until) {
        violations.lease.push('a second lease while one lives');
      }
      if (before?.hold !== undefined) violations.hold.push('a lease on a held resource');
    }
    if (before?.hold !== undefined && next.hold === undefined && !releasing.get(next.resource)) {
      violations.hold.push('a hold lifted by nobody');
    }
    if (next.intent !== undefined && next.intent.recordId !== before?.intent?.recordId) {
      watchBudget(next, next.intent);
      watchFacts(next.intent, next.resource);
      taken.push(next.intent);
    }
    for (const { recordId: id } of taken.filter((intent) => intent.recordId.endsWith(next.resource))) {
      const visible = next.intent?.recordId === id || recorded.has(id) || next.incident !== undefined;
      if (!visible) violations.intent.push(`intent ${id} left neither a result nor an open incident`);
    }
  }

  function watchBudget({ resource: arn }: ResourceState, intent: Intent): void {
    const used = taken.filter(({ recordId: id, at }) => id.endsWith(arn) && at > intent.at - windowMs).length;
    const keep = requests.get(intent.recordId)?.spends[0]?.keep ?? 0;
    if (used + 1 > limit - keep) violations.budget.push(`attempt ${used + 1} with ${keep} of ${limit} in reserve`);
  }

  function watchFacts(intent: Intent, arn: string): void {
    const last = taken.findLast(({ recordId: id }) => id.endsWith(arn));
    const asOf = requests.get(intent.recordId)?.factsAsOf ?? 0;
    if (last !== undefined && asOf <= last.at) violations.facts.push(`facts of ${asOf}, but an act at ${last.at}`);
  }

  function act(arn: string, request: TakeRequest, fence: number): void {
    note('acts');
    const state = stateOf(arn);
    if (state?.intent?.recordId !== request.intent.recordId || state.intent.fence !== fence) {
      violations.intent.push('an act without its recorded intent');
    }
    if (state?.lease?.fence !== fence) violations.lease.push('an act without the lease');
    const check = request.check && `check ${request.check.id}#${request.check.check}`;
    const wakers = [...request.occurrences, ...(check === undefined ? [] : [check])].map((waker) => `${arn} ${waker}`);
    if (wakers.every((waker) => acted.has(waker))) violations.occurrence.push(`${wakers.join(' and ')} acted twice`);
    for (const waker of wakers) acted.add(waker);
  }

  function recordOf(arn: string, id: string): HistoryRecord {
    return {
      fn,
      resource: arn,
      recordId: id,
      at: now,
      incidentId: null,
      trigger: 'alarm',
      cause: 'alarm',
      decision: 'act',
      reason: 'act-failed',
      why: '',
      mode: 'on',
      dryRun: false,
      actions: [],
      facts: null,
    };
  }

  /** Resolves what a crashed predecessor left, as the pipeline does before it decides. */
  async function resolveOrphan(state: ResourceState): Promise<ResourceState | null> {
    const orphan = orphanOf(state, now);
    if (orphan === null) return state;
    await book.recordUnresolved({ ...recordOf(state.resource, orphan.recordId), unresolved: true });
    const abandoned = await book.update(state, state, (current) => abandonIntent(current, orphan, now));
    note('refusal' in abandoned ? 'orphans lost to another' : 'orphans resolved');
    return 'refusal' in abandoned ? null : abandoned.state;
  }

  async function remedy(plan: Extract<Step, { do: 'remedy' }>): Promise<void> {
    const then = now;
    const clock = () => (plan.staleClock ? then : now);
    const key = { fn, resource: plan.resource };
    const early = ++now;
    const read = (await book.read(fn, [plan.resource])).states.get(plan.resource);
    const factsAsOf = plan.earlyFacts ? early : ++now;
    const state = read && (await resolveOrphan(read));
    if (!state) return;
    const follows = plan.check !== 'none' || state !== read ? state.incident : undefined;
    const check = follows && { id: follows.id, check: follows.check - (plan.check === 'earlier' ? 1 : 0) };
    const spend: Spend = { budget: 'UpdateShardCount', limit, windowMs, keep: plan.urgent ? 0 : keptInReserve };
    const owner = `owner-${ids++}`;
    const request: TakeRequest = {
      owner,
      leaseMs,
      occurrences: check === undefined ? plan.occurrences : [],
      ...(check !== undefined && { check }),
      spends: [spend],
      coolDownMs: plan.coolDownMs,
      factsAsOf,
      incident: { id: `incident-${ids++}`, cause: 'alarm' },
      intent: { recordId: recordId(now, `${ids++}-${plan.resource}`), reason: 'act-failed', why: '', calls: [] },
    };
    requests.set(request.intent.recordId, request);

    const refused = refusal(state, request, clock());
    if (refused !== null) return note(`guard: ${refused.reason}`);
    const won = await book.update(key, state, (current) => take(current, request, clock()));
    if ('refusal' in won) return note(`take: ${won.refusal.reason}`);
    if (plan.crash === 'before act') return;
    await scheduler.schedule(Promise.resolve(), 'act');
    if (now < won.lease.until) act(plan.resource, request, won.lease.fence);
    if (plan.crash === 'after act') return;
    await book.record(recordOf(plan.resource, request.intent.recordId));
    if (plan.crash === 'after record') return;
    const settled = await book.update(key, won.state, (current) =>
      settle(current, won.lease, { reason: 'act-failed', nextCheckAt: now + 100, failedVerifications: 0 }),
    );
    note('refusal' in settled ? 'settle: lease-lost' : 'settled');
  }

  async function run(step: Step): Promise<void> {
    if (step.do === 'remedy') return remedy(step);
    if (step.do === 'wait') {
      await scheduler.schedule(Promise.resolve(), 'wait');
      now += step.ms;
      return;
    }
    const key = { fn, resource: step.resource };
    if (step.do === 'defer') {
      const deferral = {
        ...step,
        incident: { id: `incident-${ids++}`, cause: 'alarm' },
        reason: 'frozen',
        until: now + 100,
      } as const;
      await book.update(key, undefined, (state) => ({ state: awaitCheck(state, deferral, now) }));
    }
    if (step.do === 'close') {
      const state = (await book.read(fn, [step.resource])).states.get(step.resource);
      const seen = state?.incident;
      if (state === undefined || seen === undefined) return;
      const closed = await book.update(key, state, (current) => closeIncident(current, seen, now));
      note('refusal' in closed ? `close: ${closed.refusal.reason}` : 'closed');
    }
    if (step.do === 'hold') {
      await book.update(key, undefined, (state) => ({ state: hold(state, { reason: 'test', by: 'operator' }, now) }));
    }
    if (step.do === 'release') {
      releasing.set(step.resource, (releasing.get(step.resource) ?? 0) + 1);
      try {
        await book.update(key, undefined, (state) => ({ state: release(state) }));
      } finally {
        releasing.set(step.resource, (releasing.get(step.resource) ?? 0) - 1);
      }
    }
  }

  for (const wave of waves) {
    await scheduler.waitFor(Promise.all(wave.map((each) => run(each).catch((error: Error) => note(error.message)))));
  }

  // Afterwards one undisturbed visitor finds everything that was left lying about.
  faulty = false;
  now += leaseMs;
  for (const arn of ['arn:a', 'arn:b']) {
    const state = stateOf(arn);
    if (state !== undefined) await scheduler.waitFor(resolveOrphan(state));
    if (stateOf(arn)?.intent !== undefined) violations.intent.push('an intent that cannot be resolved');
  }
  for (const { recordId: id } of taken)
    if (!recorded.has(id)) violations.intent.push(`intent ${id} never got a result`);
  return { violations, happened };
}

describe('the ledger, whatever the interleaving of invocations, crashes, faults and operators', () => {
  const promises = {
    lease: 'grants at most one live lease on a resource, and every lease a higher fence',
    occurrence: 'lets the same occurrence act once',
    budget: 'never lets the attempts of a rolling window exceed the budget or touch its reserve',
    intent: 'lets nobody act without a recorded intent, and no intent end without a result or an open incident',
    hold: 'grants nothing on a held resource until an operator releases it',
    facts: 'lets nobody act on facts from before the last act',
  } satisfies Record<keyof Violations, string>;

  for (const [invariant, promise] of Object.entries(promises) as [keyof Violations, string][]) {
    it(promise, async () => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), plan, async (scheduler, random) => {
          expect((await simulate(scheduler, random)).violations[invariant]).toEqual([]);
        }),
        { numRuns: 1500 },
      );
    });
  }

  it('is tried by everything that can happen', async () => {
    const happened = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), plan, async (scheduler, random) => {
        for (const what of (await simulate(scheduler, random)).happened) happened.add(what);
      }),
      { numRuns: 1500, seed: 1 },
    );

    const refusals = ['held', 'superseded', 'duplicate', 'cool-down', 'budget-exhausted', 'lease-held'];
    expect([...happened]).toEqual(
      expect.arrayContaining([
        'acts',
        'settled',
        'settle: lease-lost',
        'orphans resolved',
        'orphans lost to another',
        'closed',
        'close: superseded',
        'close: lease-held',
        'close: intent-unresolved',
        ...refusals.map((reason) => `guard: ${reason}`),
        ...refusals.map((reason) => `take: ${reason}`),
        'take: intent-unresolved',
        'ThrottlingException',
        'TimeoutError',
      ]),
    );
  });
});
