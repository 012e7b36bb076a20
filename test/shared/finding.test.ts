import { describe, expect, it } from 'vitest';
import type { Decision } from '../../shared/decision.ts';
import { remediation } from '../../shared/remediation.ts';
import { tick } from '../support/event-builders.ts';
import { fakeFunction, workshop } from '../support/fake-function.ts';
import { fakeRuntime, storedRecords } from '../support/fake-runtime.ts';

/** The same decision at two schedules of one day. */
const twice = async (decision: Decision<never>) => {
  const runtime = fakeRuntime();
  const fn = fakeFunction(runtime, workshop(), { decide: () => decision });
  const handler = remediation(fn, runtime);
  await handler(tick());
  runtime.world.now += 60_000;
  await handler(tick());
  return { told: runtime.world.told.length, recorded: storedRecords(runtime.world).length };
};
const well = { kind: 'skip', reason: 'resolved', why: 'It is well.' } as const;
const ill = { kind: 'escalate', reason: 'site-failing', why: 'It is ill.' } as const;

describe('news on the schedule', () => {
  it('is recorded and told each time, whatever was told of the same reason today', async () => {
    expect(await twice({ ...well, news: true })).toEqual({ told: 2, recorded: 2 });
    expect(await twice({ ...ill, news: true })).toEqual({ told: 2, recorded: 2 });
  });

  it('is what says so: otherwise nothing to do leaves no trace, and a finding is told once a day', async () => {
    expect(await twice(well)).toEqual({ told: 0, recorded: 0 });
    expect(await twice(ill)).toEqual({ told: 1, recorded: 2 });
  });
});
