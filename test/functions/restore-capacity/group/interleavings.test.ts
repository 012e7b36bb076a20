import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decide, type GroupCall } from '../../../../functions/restore-capacity/group/decide.ts';
import type { GroupFacts, News } from '../../../../functions/restore-capacity/group/facts.ts';
import { joinMemories } from '../../../../functions/restore-capacity/group/memory.ts';
import type { GroupPolicy } from '../../../../functions/restore-capacity/group/policy.ts';
import type { ReflexFunction } from '../../../../shared/function.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { at, instanceId, spotInterruption, sqsBatch, tick } from '../../../support/event-builders.ts';
import {
  fakeRuntime,
  fakeWorld,
  invoke,
  nextDueAt,
  pump,
  put,
  storedState,
  type Trouble,
} from '../../../support/fake-runtime.ts';
import { baseSetBy, groupFacts, MINUTE, opted, POOL } from '../../../support/group-facts.ts';

const BASE = 2;

/** The function on a group as AWS keeps it; what hears and observes asks no AWS. */
const account = () => {
  const world = fakeWorld();
  const group = { base: BASE };
  const facts = (news: readonly News[]): GroupFacts => ({
    ...groupFacts({ max: 1_000, desired: 60, present: 60, pools: { [POOL]: 60 }, news }),
    asOf: world.now,
    distribution: { base: group.base, percentageAboveBase: 0, segments: false },
  });
  const { arn } = groupFacts();
  const bases: number[] = [];
  const fn: ReflexFunction<GroupFacts, GroupPolicy, GroupCall> = {
    name: 'restore-capacity',
    onGuardError: 'stop',
    hear: async (events) =>
      events.map((event) => {
        if (event.kind !== 'spot-interruption') return { notForUs: 'other' };
        const evidence: News = { kind: 'interruption', id: event.instanceId, pool: POOL, at: event.at };
        return {
          signals: [
            { resource: arn, trigger: 'event', cause: 'warned', occurrence: event.instanceId, at: event.at, evidence },
          ],
        };
      }),
    sweep: async () => [arn],
    observe: async (watches) =>
      new Map(
        watches.map(({ resource, signals }) => [
          resource,
          { facts: facts(signals.flatMap(({ evidence }) => (evidence === undefined ? [] : (evidence as News)))) },
        ]),
      ),
    policy: () => opted,
    decide,
    join: (_, theirs, ours) => joinMemories(theirs, ours),
    act: async (approved) =>
      new Map(
        approved.map(({ resource, act }) => {
          group.base = baseSetBy(act) ?? group.base;
          bases.push(group.base);
          return [resource, { actions: act.calls }];
        }),
      ),
  };
  /** One execution environment; `yields` says how often each of its port calls lets others go first. */
  const instance = (yields: () => number, trouble: (port: string, n: number) => Trouble = () => 'none') => {
    const runtime = fakeRuntime({
      world,
      trouble,
      before: async () => {
        for (let i = yields(); i > 0; i--) await Promise.resolve();
      },
    });
    return { runtime, handle: remediation(fn, runtime) };
  };
  /** SQS and the schedule, until epoch ms `until`. */
  const settle = async (until: number) => {
    for (let when = world.now; when < until; when += 5 * MINUTE) put(world, tick(), (when - world.now) / 1_000);
    for (;;) {
      const next = nextDueAt(world);
      if (next === undefined || next > until) break;
      world.now = Math.max(world.now, next);
      const { runtime, handle } = instance(() => 0);
      await pump(world, (payload) => invoke(runtime, handle, payload));
    }
    world.now = Math.max(world.now, until);
  };
  return { world, group, bases, instance, settle, arn };
};

const plan = fc.record({
  batches: fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 6 }), {
    minLength: 2,
    maxLength: 6,
  }),
  yields: fc.infiniteStream(fc.nat({ max: 40 })),
  crash: fc.option(
    fc.record({ at: fc.integer({ min: 1, max: 8 }), fate: fc.constantFrom<Trouble>('crash', 'crash after', 'lost') }),
  ),
});

it('batches that are handled at once, some twice and one to its end or not, come to what was lost, and back to what it was', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ batches, yields, crash }) => {
      const { world, group, bases, instance, settle, arn } = account();
      world.now = at + 1_000;
      const warnings = batches.map((ids) => ids.map((n) => spotInterruption(instanceId(n))));
      const lost = new Set(batches.flat()).size;
      let ports = 0;

      await Promise.all(
        warnings.map(async (bodies, i) => {
          const dies = crash !== null && i === 0;
          const { runtime, handle } = instance(
            () => yields.next().value ?? 0,
            (port) => (dies && port.startsWith('table.') && ++ports === crash.at ? crash.fate : 'none'),
          );
          const result = await invoke(runtime, handle, sqsBatch(...bodies));
          // What was not handled comes again when SQS shows it again.
          if (result === 'crashed' || (result.batchItemFailures ?? []).length > 0) {
            for (const body of bodies) put(world, body, 300);
          }
        }),
      );
      await settle(at + 10 * MINUTE);
      const raised = group.base;
      await settle(at + 3 * 60 * MINUTE);

      // A storm that was seen in one piece raises the base by all that was lost, and by nothing else.
      if (crash === null) expect(raised).toBe(lost >= 3 ? BASE + lost : BASE);
      expect(Math.max(BASE, ...bases)).toBeLessThanOrEqual(BASE + lost);
      expect(group.base).toBe(BASE);
      expect([storedState(world, arn)?.incident, storedState(world, arn)?.hold]).toEqual([undefined, undefined]);
    }),
    { numRuns: 150 },
  );
});
