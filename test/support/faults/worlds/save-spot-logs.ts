import { saveSpotLogs } from '../../../../functions/save-spot-logs/function.ts';
import { subjectOf } from '../../../../functions/save-spot-logs/tell.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { inSwarms } from '../../../../shared/swarm.ts';
import { at, healthEvent, lifecycleAction, rebalanceRecommendation, spotInterruption } from '../../event-builders.ts';
import { startFleet } from '../../fake-aws/fleet.ts';
import { saverEnv } from '../../save-spot-logs.ts';
import { reportsLeavingHost } from '../reports.ts';
import type { FaultWorld } from '../world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A Spot instance in a group, a cluster and behind two load balancers is warned, and gone two minutes later. */
export const open = async (): Promise<FaultWorld> => {
  const fleet = await startFleet();
  let time = at;
  const now = () => time;
  const advance = (ms: number) => {
    time += ms;
  };
  const begin = () => {
    time = at;
    fleet.reset(now);
  };
  return {
    url: fleet.url,
    close: fleet.close,
    acts: true,
    sweepMs: 60 * MINUTE,
    hiddenMs: 35_000,
    horizonMs: 40 * MINUTE,
    onGuardError: 'proceed',
    heedsCalendar: false,
    handler: (runtime, patience) =>
      remediation(saveSpotLogs({ ...saverEnv }, patience), inSwarms({ ...runtime, calendar: null }, subjectOf)),
    hear: (events) =>
      saveSpotLogs({ ...saverEnv }, { clock: now, sleep: async () => undefined, random: () => 0 }).hear(events),
    scene: ({ optedIn }) => {
      begin();
      const web = fleet.world.elbv2.addGroup('web');
      const group = fleet.addGroup('orders-workers', { targetGroups: [web.arn], balancers: ['old'] });
      const host = fleet.addHost({ group: 'orders-workers', cluster: 'prod', ...(!optedIn && { tags: {} }) });
      web.targets.push({ id: host.id, port: 80, state: 'healthy' });
      fleet.world.classic.balancers.set('old', new Set([host.id]));
      const volume = () => fleet.world.ec2.volumes.get(host.volume);
      return {
        now,
        advance,
        resource: host.arn,
        steps: [
          { after: SECOND, happens: () => [spotInterruption(host.id, { at: time })] },
          {
            after: 121 * SECOND,
            happens: () => {
              fleet.world.ec2.terminate(host.id);
              return [];
            },
          },
        ],
        done: () => volume()?.tags['reflex:rescue'] === 'pending' && volume()?.tags['reflex:instance'] === host.id,
        harm: () => [
          ...(group.desired === 10 ? [] : ['capacity was lowered']),
          ...(fleet.made('DetachInstances').some((input) => input.ShouldDecrementDesiredCapacity !== 'false')
            ? ['the group was told to want less']
            : []),
          ...(fleet.made('TerminateInstances').length > 0 ? ['an instance was terminated'] : []),
          ...(fleet.made('SendCommand').length > 2 ? ['more than one command and its one repetition'] : []),
        ],
      };
    },
    crowd: () => {
      begin();
      time += SECOND;
      const [victim, customer, bystander] = [1, 2, 3].map((n) => fleet.addHost({ n, ...(n === 3 && { tags: {} }) }));
      if (!victim || !customer || !bystander) throw new Error('no host');
      const marks = ({ id }: typeof victim) => ({ names: [id], trace: id });
      return {
        now,
        advance,
        bodies: [
          spotInterruption(victim.id),
          spotInterruption(victim.id, { action: 'hibernate' }),
          rebalanceRecommendation(victim.id),
          lifecycleAction(victim.id),
          healthEvent({ entities: [victim.id] }),
        ],
        reports: reportsLeavingHost,
        good: spotInterruption(customer.id),
        victim: marks(victim),
        customer: marks(customer),
        bystander: marks(bystander),
      };
    },
  };
};
