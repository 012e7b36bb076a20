import { describe, expect, it } from 'vitest';
import type { Decision } from '../../shared/decision.ts';
import { remediation } from '../../shared/remediation.ts';
import { SettingError } from '../../shared/settings.ts';
import { streamArn, tick } from '../support/event-builders.ts';
import { fakeFunction, thing, workshop } from '../support/fake-function.ts';
import { fakeRuntime, storedRecords } from '../support/fake-runtime.ts';

/** Two schedules of one day. */
const twice = async (decision: (now: number) => Decision<never>) => {
  const runtime = fakeRuntime();
  const fn = fakeFunction(runtime, workshop(), { decide: (_, __, now) => decision(now) });
  const handler = remediation(fn, runtime);
  await handler(tick());
  runtime.world.now += 60_000;
  await handler(tick());
  return { told: runtime.world.told.length, recorded: storedRecords(runtime.world).length };
};
const well = { kind: 'skip', reason: 'resolved', why: 'It is well.' } as const;
const ill = { kind: 'escalate', reason: 'site-failing', why: 'It is ill.' } as const;

describe('a finding on the schedule', () => {
  it.each([
    ['nothing to do', well],
    ['an escalation', ill],
  ])('is recorded, and told whatever was told of the same reason today: %s', async (_, decision) => {
    expect(await twice((now) => ({ ...decision, finding: `since ${now}` }))).toEqual({ told: 2, recorded: 2 });
  });

  it('is which tag is wrong, and how: one put right with another mistake is told again, the same one is not', async () => {
    const tagged = async (...tags: Readonly<Record<string, string>>[]) => {
      const shop = workshop();
      const runtime = fakeRuntime();
      const policy = (read: Readonly<Record<string, string>>) => {
        throw new SettingError(`tag reflex:max-shards: found "${read['reflex:max-shards']}"`);
      };
      const handler = remediation(fakeFunction(runtime, shop, { policy }), runtime);
      for (const each of tags) {
        shop.things.set(streamArn(), thing(1, each));
        await handler(tick());
        runtime.world.now += 60_000;
      }
      return runtime.world.told.length;
    };
    const on = { 'reflex:enabled': 'true' };

    expect(await tagged({ 'reflex:enabled': 'yes' }, { 'reflex:enabled': 'True' })).toBe(2);
    expect(await tagged({ 'reflex:enabled': 'yes' }, { 'reflex:enabled': 'yes' })).toBe(1);
    expect(await tagged({ ...on, 'reflex:max-shards': 'ten' }, { ...on, 'reflex:max-shards': '1O' })).toBe(2);
    expect(await tagged({ ...on, 'reflex:max-shards': 'ten' }, { ...on, 'reflex:max-shards': 'ten' })).toBe(1);
  });

  it('that comes again is told once a day', async () => {
    expect(await twice(() => ({ ...ill, finding: 'the same' }))).toEqual({ told: 1, recorded: 2 });
  });

  it('is what says so: otherwise nothing to do leaves no trace, and a reason is told once a day', async () => {
    expect(await twice(() => well)).toEqual({ told: 0, recorded: 0 });
    expect(await twice(() => ill)).toEqual({ told: 1, recorded: 2 });
  });
});
