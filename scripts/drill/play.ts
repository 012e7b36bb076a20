import { shortArn } from '../../shared/words.ts';
import { NotDeployed } from './deploy.ts';
import { messageOf } from './problem.ts';
import type { Progress, Scenario } from './scenario.ts';
import type { Step } from './screen.ts';
import type { Story } from './story.ts';
import { resultText } from './words.ts';
import type { World } from './world.ts';

/** Runs a scenario and says on the screen what came of it. Neither promise fails; `begun`: the next may begin. */
export function play(scenario: Scenario, world: World, step: Step): { begun: Promise<void>; story: Promise<Story> } {
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const progress = { name: `drill-${scenario.id}`, note: step.note, waits: resolve };
  step.note('making trouble');
  const story = told(scenario, world, progress).then((result) => {
    const end = { passed: step.done, failed: step.failed, skipped: step.skipped }[result.status];
    end(resultText(result));
    resolve();
    return result;
  });
  return { begun, story };
}

async function told({ id, fn, title, shows, run }: Scenario, world: World, progress: Progress): Promise<Story> {
  const { name } = progress;
  try {
    const { event, reaction, checks, moments = [] } = await run(world, progress);
    const wrong = checks.filter(({ ok }) => !ok).map(({ what }) => what);
    const message = (await world.told()).find(({ subject }) => subject.includes(`${fn} ${shortArn(reaction.arn)} `));
    const { before, after, reactionMs, trace } = reaction;
    return {
      ...{ id, fn, title, shows, name, event, before, after, reactionMs, trace, moments, checks },
      status: wrong.length === 0 ? 'passed' : 'failed',
      note: wrong.length === 0 ? null : `Not so: ${wrong.join('; ')}`,
      decision: reaction.decision,
      notification: message?.subject ?? null,
    };
  } catch (error) {
    const nothing = { event: null, decision: null, before: null, after: null, reactionMs: null, trace: null };
    const status = error instanceof NotDeployed ? 'skipped' : 'failed';
    const none = { moments: [], notification: null, checks: [] };
    return { id, fn, title, shows, name, ...nothing, ...none, status, note: messageOf(error) };
  }
}
