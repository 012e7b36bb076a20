import { relieveElastiCache } from '../../../../functions/relieve-elasticache/function.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { offered, readLoad } from '../../cache-load.ts';
import { alarmEvent, directAlarm, snsAlarm, snsEnvelope } from '../../event-builders.ts';
import { startFakeAws } from '../../fake-aws/fake-aws.ts';
import { reportsAlarm } from '../reports.ts';
import type { FaultWorld } from '../world.ts';

const MINUTE = 60_000;

/** A replication group whose two nodes are busy with reads: a third is needed. */
export const open = async (): Promise<FaultWorld> => {
  const fake = await startFakeAws();
  const busy = (id: string, optedIn: boolean, minutes?: number) => {
    fake.elasticache.createGroup(id, { replicas: 1, ...(!optedIn && { tags: {} }) });
    offered(
      fake,
      id,
      readLoad(() => 1.9),
      minutes,
    );
  };
  const alarms = (id: string) =>
    [{ ReplicationGroupId: id }, { CacheClusterId: `${id}-001`, CacheNodeId: '0001' }].flatMap((dimensions, i) => {
      const rows = [{ id: 'm1', namespace: 'AWS/ElastiCache', metric: 'EngineCPUUtilization', dimensions }];
      const options = { name: `redis-hot-${id}-${i}`, at: fake.clock(), rows };
      return [alarmEvent(options), snsEnvelope(snsAlarm(options)), directAlarm(options)];
    });
  return {
    url: fake.url,
    close: fake.close,
    acts: true,
    sweepMs: 60 * MINUTE,
    hiddenMs: 360_000,
    horizonMs: 120 * MINUTE,
    onGuardError: 'stop',
    heedsCalendar: true,
    handler: (runtime, { clock }) => remediation(relieveElastiCache({}, clock), runtime),
    hear: (events) => relieveElastiCache({}, fake.clock).hear(events),
    scene: ({ optedIn }) => {
      fake.reset();
      busy('orders', optedIn);
      const group = () => fake.elasticache.group('orders');
      const nodes = () => group().shards.flatMap((shard) => shard.nodes).length;
      return {
        now: fake.clock,
        advance: fake.clock.advance,
        resource: group().arn,
        steps: [{ after: 0, happens: () => alarms('orders').slice(0, 1) }],
        done: () => group().status === 'available' && nodes() === 3,
        harm: () => [
          ...(nodes() > 3 ? [`${nodes()} nodes where 3 were needed`] : []),
          ...(nodes() < 2 ? ['capacity was lowered'] : []),
        ],
      };
    },
    crowd: () => {
      fake.reset();
      for (const id of ['orders', 'payments', 'vault']) busy(id, id !== 'vault', 20);
      const marks = (id: string) => ({ names: [id, `${id}-001`], trace: `ReplicationGroupId=${id}&` });
      return {
        now: fake.clock,
        advance: fake.clock.advance,
        bodies: alarms('orders'),
        reports: reportsAlarm,
        good: alarms('payments')[0],
        victim: marks('orders'),
        customer: marks('payments'),
        bystander: marks('vault'),
      };
    },
  };
};
