import { drainFargate } from '../../../../functions/drain-fargate/function.ts';
import { subjectOf } from '../../../../functions/drain-fargate/tell.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { inSwarms } from '../../../../shared/swarm.ts';
import { startFakeAws } from '../../fake-aws/fake-aws.ts';
import { spotService } from '../../fargate-world.ts';
import { reportsSpotTask } from '../reports.ts';
import type { FaultWorld } from '../world.ts';

const remove = <T>(list: T[], which: (item: T) => boolean): void => {
  const at = list.findIndex(which);
  if (at >= 0) list.splice(at, 1);
};
const SECOND = 1_000;

/** One of four tasks behind a target group is interrupted: ECS tells it three times on the way to STOPPED. */
export const open = async (): Promise<FaultWorld> => {
  const aws = await startFakeAws();
  return {
    url: aws.url,
    close: aws.close,
    acts: true,
    sweepMs: null,
    hiddenMs: 100_000,
    horizonMs: 60 * 60 * SECOND,
    onGuardError: 'proceed',
    heedsCalendar: true,
    handler: (runtime, patience) =>
      remediation(drainFargate({}, patience, runtime.ledger.note), inSwarms(runtime, subjectOf)),
    hear: (events) =>
      drainFargate({}, { clock: aws.clock, sleep: async () => undefined, random: () => 0 }, async () => new Map()).hear(
        events,
      ),
    scene: ({ optedIn }) => {
      aws.reset();
      const { group, tasks } = spotService(aws, optedIn ? {} : { tags: {} });
      const [task] = tasks;
      if (task === undefined) throw new Error('no task');
      const healthy = () => group.targets.filter(({ state }) => state === 'healthy').map(({ id }) => id);
      const told = (after: number, lastStatus: string, version: number) => ({
        after: after * SECOND,
        happens: () => {
          aws.ecs.changeTask(task.arn, { lastStatus, desiredStatus: 'STOPPED', version });
          // ECS takes the target of a task that has stopped out by itself.
          if (lastStatus === 'STOPPED') remove(group.targets, ({ id }) => id === task.ipv4);
          return [task.event({ lastStatus, version })];
        },
      });
      return {
        now: aws.clock,
        advance: aws.clock.advance,
        resource: task.arn,
        steps: [
          told(0, 'DEACTIVATING', 6),
          told(6, 'STOPPING', 7),
          told(40, 'DEPROVISIONING', 8),
          told(60, 'STOPPED', 9),
        ],
        done: () => !healthy().includes(task.ipv4),
        harm: () => (healthy().length < 3 ? ['a target of another task was taken out'] : []),
      };
    },
    crowd: () => {
      aws.reset();
      const [victim, customer, bystander] = [
        { name: 'web', from: 1 },
        { name: 'api', from: 50 },
        { name: 'vault', from: 90, tags: {} },
      ].map((options) => spotService(aws, { ...options, tasks: 2 }).tasks[0]);
      if (!victim || !customer || !bystander) throw new Error('no task');
      const marks = ({ id, ipv4 }: typeof victim) => ({ names: [id, ipv4], trace: `Id=${ipv4}&` });
      return {
        now: aws.clock,
        advance: aws.clock.advance,
        bodies: ['DEACTIVATING', 'STOPPING'].map((lastStatus) => victim.event({ lastStatus })),
        reports: reportsSpotTask,
        good: customer.event(),
        victim: marks(victim),
        customer: marks(customer),
        bystander: marks(bystander),
      };
    },
  };
};
