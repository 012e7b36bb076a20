import { rescueSpotLogs } from '../../../../functions/rescue-spot-logs/function.ts';
import { subjectOf } from '../../../../functions/rescue-spot-logs/tell.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { inSwarms } from '../../../../shared/swarm.ts';
import {
  at,
  commandInvocation,
  instanceStateChange,
  snapshotNotification,
  taskStateChange,
} from '../../event-builders.ts';
import { startRescueAws } from '../../fake-aws/rescue-world.ts';
import { rescuerEnv } from '../../rescue-spot-logs.ts';
import { reportsRescue } from '../reports.ts';
import type { FaultWorld } from '../world.ts';

const MINUTE = 60_000;
const METER = { kept: () => undefined, shipped: () => undefined, unrecoverable: () => undefined };

/** A kept volume whose instance is gone: snapshot, rescue task, proof, clean-up. */
export const open = async (): Promise<FaultWorld> => {
  const aws = await startRescueAws();
  let time = at;
  const now = () => time;
  const advance = (ms: number) => {
    time += ms;
  };
  const begin = () => {
    time = at;
    aws.reset(now);
  };
  return {
    url: aws.url,
    close: aws.close,
    acts: true,
    sweepMs: 5 * MINUTE,
    hiddenMs: 360_000,
    horizonMs: 180 * MINUTE,
    onGuardError: 'stop',
    heedsCalendar: true,
    handler: (runtime, patience) =>
      remediation(rescueSpotLogs({ ...rescuerEnv }, patience, METER), inSwarms(runtime, subjectOf)),
    hear: (events) =>
      rescueSpotLogs({ ...rescuerEnv }, { clock: now, sleep: async () => undefined, random: () => 0 }, METER).hear(
        events,
      ),
    scene: ({ optedIn }) => {
      begin();
      const { arn, id, instance } = aws.addVolume(1, optedIn ? {} : { 'reflex:enabled': 'false' });
      return {
        now,
        advance,
        resource: arn,
        steps: [{ after: 0, happens: () => [instanceStateChange(instance)] }],
        done: () => aws.volumes.size + aws.snapshots.size === 0,
        harm: () => [
          ...aws.lost.map((file) => `${file} was deleted with its last copy`),
          ...(aws.made('CreateSnapshot').length > 1 ? [`${aws.made('CreateSnapshot').length} snapshots of ${id}`] : []),
          ...(aws.tasks.length > 1 ? [`${aws.tasks.length} rescue tasks for ${id}`] : []),
        ],
      };
    },
    crowd: () => {
      begin();
      const [victim, customer, bystander] = [1, 2, 3].map((n) =>
        aws.addVolume(n, n === 3 ? { 'reflex:enabled': 'false' } : {}),
      );
      if (!victim || !customer || !bystander) throw new Error('no volume');
      const marks = ({ id, instance }: typeof victim) => ({ names: [id, instance], trace: id });
      const stopped = taskStateChange();
      return {
        now,
        advance,
        bodies: [
          instanceStateChange(victim.instance),
          commandInvocation(victim.instance, { status: 'Success' }),
          snapshotNotification({ volume: victim.id }),
          { ...stopped, detail: { ...stopped.detail, startedBy: `rescue/${victim.id}`, lastStatus: 'STOPPED' } },
        ],
        reports: reportsRescue,
        good: instanceStateChange(customer.instance),
        victim: marks(victim),
        customer: marks(customer),
        bystander: marks(bystander),
      };
    },
  };
};
