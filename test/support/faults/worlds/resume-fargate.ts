import { resumeFargate } from '../../../../functions/resume-fargate/function.ts';
import { subjectOf } from '../../../../functions/resume-fargate/tell.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { inSwarms } from '../../../../shared/swarm.ts';
import { startFakeAws } from '../../fake-aws/fake-aws.ts';
import { resumable, worker } from '../../resume-fargate.ts';
import { reportsSpotTask } from '../reports.ts';
import type { FaultWorld } from '../world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A standalone worker is warned and stopped; what runs in its place starts within minutes. */
export const open = async (): Promise<FaultWorld> => {
  const aws = await startFakeAws();
  const ran = () => aws.ecs.tasksRun();
  return {
    url: aws.url,
    close: aws.close,
    acts: true,
    sweepMs: null,
    hiddenMs: 540_000,
    horizonMs: 120 * MINUTE,
    onGuardError: 'stop',
    heedsCalendar: true,
    handler: (runtime, patience) => remediation(resumeFargate({}, patience), inSwarms(runtime, subjectOf)),
    hear: (events) =>
      resumeFargate({}, { clock: aws.clock, sleep: async () => undefined, random: () => 0 }).hear(events),
    scene: ({ optedIn }) => {
      aws.reset();
      // By its definition: a stopped task has lost its own tags, and whether it opted in by them nobody can say any more.
      const task = worker(aws, optedIn ? { definitionTags: resumable } : { tags: { 'reflex:resume': 'true' } });
      const start = (after: number) => ({
        after: after * MINUTE,
        happens: () => {
          for (const { taskArn } of ran()) aws.ecs.changeTask(String(taskArn), { lastStatus: 'RUNNING' });
          return [];
        },
      });
      return {
        now: aws.clock,
        advance: aws.clock.advance,
        resource: task.arn,
        steps: [
          { after: 0, happens: () => [task.warn()] },
          { after: 6 * SECOND, happens: () => [task.event({ lastStatus: 'STOPPING', version: 7 })] },
          { after: 50 * SECOND, happens: () => [task.stop()] },
          ...[2, 5, 11, 14, 21, 31].map(start),
        ],
        done: () => ran().length === 1,
        harm: () => (ran().length > 1 ? [`${ran().length} tasks run in place of one`] : []),
      };
    },
    crowd: () => {
      aws.reset();
      const [victim, customer, bystander] = [1, 2, 3].map((n) => worker(aws, { n, ...(n === 3 && { tags: {} }) }));
      if (!victim || !customer || !bystander) throw new Error('no task');
      aws.clock.advance(SECOND);
      const all = [victim, customer, bystander];
      const before = all.map((task) => task.warn());
      const stopped = (task: typeof victim) => task.event({ lastStatus: 'STOPPED', version: 9 });
      const marks = ({ id }: typeof victim) => ({ names: [id], trace: id });
      return {
        now: aws.clock,
        advance: aws.clock.advance,
        before,
        happens: () => {
          aws.clock.advance(50 * SECOND);
          for (const task of all) task.stop();
        },
        bodies: [stopped(victim), victim.event({ lastStatus: 'DEPROVISIONING', version: 8 })],
        reports: reportsSpotTask,
        good: stopped(customer),
        victim: marks(victim),
        customer: marks(customer),
        bystander: marks(bystander),
      };
    },
  };
};
