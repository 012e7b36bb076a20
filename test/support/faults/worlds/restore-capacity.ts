import { restoreCapacity } from '../../../../functions/restore-capacity/function.ts';
import { subjectOf } from '../../../../functions/restore-capacity/tell.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { inSwarms } from '../../../../shared/swarm.ts';
import { serviceArn } from '../../fake-aws/ecs.ts';
import { startFakeAws } from '../../fake-aws/fake-aws.ts';
import { serviceAction, spotPair } from '../../restore-capacity.ts';
import { reportsService } from '../reports.ts';
import type { FaultWorld } from '../world.ts';

const MINUTE = 60_000;
const DESIRED = 10;
const PLACED = 9;

/** A Spot service has room for nine of its ten tasks, and after some minutes for all: one runs on demand in between. */
export const open = async (): Promise<FaultWorld> => {
  const aws = await startFakeAws();
  const desiredOf = (name: string) => Number(aws.ecs.getService(name)?.desiredCount);
  return {
    url: aws.url,
    close: aws.close,
    acts: true,
    sweepMs: 5 * MINUTE,
    hiddenMs: 540_000,
    horizonMs: 180 * MINUTE,
    onGuardError: 'stop',
    heedsCalendar: true,
    handler: (runtime, patience) => remediation(restoreCapacity({}, patience), inSwarms(runtime, subjectOf)),
    hear: (events) =>
      restoreCapacity({}, { clock: aws.clock, sleep: async () => undefined, random: () => 0 }).hear(events),
    scene: ({ optedIn }) => {
      aws.reset();
      spotPair(aws, { desired: DESIRED, ...(!optedIn && { tags: { 'reflex:enabled': 'false' } }) });
      let mostOnDemand = 0;
      const place = (spot: number) => {
        aws.ecs.place({ spot });
        mostOnDemand = Math.max(mostOnDemand, desiredOf('web-od'));
      };
      const failed = (after: number) => ({
        after,
        happens: () => {
          place(PLACED);
          return [serviceAction({ at: aws.clock() })];
        },
      });
      const placed = (after: number, spot: number) => ({
        after,
        happens: () => {
          place(spot);
          return [];
        },
      });
      const start = aws.clock();
      return {
        now: aws.clock,
        advance: aws.clock.advance,
        resource: serviceArn('web'),
        steps: [
          failed(0),
          failed(70_000),
          ...[3, 5].map((minutes) => placed(minutes * MINUTE, PLACED)),
          ...[8, 11, 14, 17, 20, 25, 30].map((minutes) => placed(minutes * MINUTE, 100)),
        ],
        done: () => aws.clock() - start > 8 * MINUTE && desiredOf('web-od') === 0,
        harm: () => [
          ...(desiredOf('web') < DESIRED ? ['the capacity of the Spot service was lowered'] : []),
          ...(mostOnDemand > DESIRED - PLACED
            ? [`${mostOnDemand} on demand where ${DESIRED - PLACED} were missing`]
            : []),
        ],
      };
    },
    crowd: () => {
      aws.reset();
      for (const name of ['web', 'api', 'vault']) {
        spotPair(aws, { name, desired: 4, ...(name === 'vault' && { tags: { 'reflex:enabled': 'false' } }) });
      }
      aws.ecs.place({ spot: 0 });
      const marks = (name: string) => ({ names: [name], trace: `${name}-od` });
      const failed = (service: string) => serviceAction({ service, at: aws.clock() });
      return {
        now: aws.clock,
        advance: aws.clock.advance,
        bodies: [failed('web'), serviceAction({ at: aws.clock(), short: true })],
        reports: reportsService,
        good: failed('api'),
        victim: marks('web'),
        customer: marks('api'),
        bystander: marks('vault'),
      };
    },
  };
};
