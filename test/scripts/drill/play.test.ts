import { describe, expect, it } from 'vitest';
import { NotDeployed } from '../../../scripts/drill/deploy.ts';
import { play } from '../../../scripts/drill/play.ts';
import type { Findings, Scenario } from '../../../scripts/drill/scenario.ts';
import type { World } from '../../../scripts/drill/world.ts';

const view = { status: 'ACTIVE', open: [], closed: [] };
const findings = (ok: boolean): Findings => ({
  event: 'an alarm',
  reaction: {
    arn: 'arn:aws:kinesis:us-east-1:123456789012:stream/drill-sns',
    fn: 'reshard-kinesis',
    madeAt: 0,
    before: view,
    after: view,
    decision: null,
    trace: null,
    reactionMs: null,
  },
  checks: [{ what: '2 open shards', ok }],
});
const scenario = (run: Scenario['run']): Scenario => ({
  id: 'sns',
  fn: 'reshard-kinesis',
  title: 'Title',
  shows: 'Shows.',
  run,
});
const world = {
  told: async () => [{ subject: 'Reflex acted: reshard-kinesis stream/drill-sns (scale-up)', text: '' }],
} as unknown as World;

const played = async (run: Scenario['run']) => {
  const marks: string[] = [];
  const mark = (name: string) => (text: string) => marks.push(`${name} ${text}`.trim());
  const step = { note: () => {}, done: mark('done'), failed: mark('failed'), skipped: mark('skipped') };
  const { begun, story } = play(scenario(run), world, step);
  await begun;
  return { story: await story, marks };
};

describe('a scenario', () => {
  it('passes when every check is so, and has what a person was told', async () => {
    const { story, marks } = await played(async () => findings(true));

    expect(story).toMatchObject({
      status: 'passed',
      note: null,
      notification: expect.stringContaining('Reflex acted'),
    });
    expect(marks[0]).toMatch(/^done/);
  });

  it('fails when a check is not so, and says which', async () => {
    const { story, marks } = await played(async () => findings(false));

    expect(story).toMatchObject({ status: 'failed', note: 'Not so: 2 open shards' });
    expect(marks).toEqual(['failed Not so: 2 open shards']);
  });

  it('fails with the message of an error', async () => {
    const { story } = await played(() => Promise.reject(new Error('PutEvents: refused')));

    expect(story).toMatchObject({ status: 'failed', note: 'PutEvents: refused' });
  });

  it('is skipped, with the reason, where the emulator cannot make what it needs', async () => {
    const { story, marks } = await played(() => Promise.reject(new NotDeployed('AlarmTopic')));

    expect(story).toMatchObject({ status: 'skipped', note: expect.stringContaining('AlarmTopic is not in the stack') });
    expect(marks[0]).toMatch(/^skipped/);
  });

  it('lets the next begin while it only waits', async () => {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const step = { note: () => {}, done: () => {}, failed: () => {}, skipped: () => {} };

    const { begun, story } = play(
      scenario(async (_world, { waits }) => {
        waits();
        await end;
        return findings(true);
      }),
      world,
      step,
    );

    await begun;
    resolve();
    expect(await story).toMatchObject({ status: 'passed' });
  });
});
