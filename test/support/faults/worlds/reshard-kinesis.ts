import { reshardKinesis } from '../../../../functions/reshard-kinesis/function.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { alarmArn, alarmEvent, directAlarm, snsAlarm, snsEnvelope, streamArn } from '../../event-builders.ts';
import { startFakeAws } from '../../fake-aws/fake-aws.ts';
import { load } from '../../fake-aws/load.ts';
import { reportsAlarm } from '../reports.ts';
import type { FaultWorld } from '../world.ts';

const MINUTE = 60_000;
const ENABLED = { 'reflex:enabled': 'true' };

/** A stream of one shard whose producers write 0.9 of what it takes. */
export const open = async (): Promise<FaultWorld> => {
  const fake = await startFakeAws();
  const busy = (name: string, tags: Readonly<Record<string, string>>, minutes: number) => {
    fake.kinesis.createStream(name, 1, { tags: { ...tags } });
    load(fake, name, () => ({ bytes: 943_718, records: 500 })).backfill(minutes);
  };
  const alarms = (stream: string) => {
    const options = { name: `${stream}-hot`, stream, at: fake.clock() };
    const composite = {
      rule: `ALARM("${alarmArn(`${stream}-hot`)}")`,
      children: [{ arn: alarmArn(`${stream}-hot`) }],
    };
    return [
      alarmEvent(options),
      snsEnvelope(snsAlarm(options)),
      directAlarm(options),
      alarmEvent({ ...options, name: `${stream}-any`, composite }),
    ];
  };
  return {
    url: fake.url,
    close: fake.close,
    acts: true,
    sweepMs: 60 * MINUTE,
    hiddenMs: 360_000,
    horizonMs: 120 * MINUTE,
    onGuardError: 'stop',
    heedsCalendar: true,
    handler: (runtime, { clock, sleep }) => remediation(reshardKinesis({}, clock, sleep), runtime),
    hear: (events) => reshardKinesis({}, fake.clock).hear(events),
    scene: ({ optedIn }) => {
      fake.reset({ metricDelayMs: 10_000 });
      busy('orders', optedIn ? ENABLED : {}, 15);
      fake.clock.advance(30_000);
      const stream = () => fake.kinesis.stream('orders');
      const shards = () => fake.kinesis.openShards('orders').length;
      return {
        now: fake.clock,
        advance: fake.clock.advance,
        resource: streamArn('orders'),
        steps: [{ after: 0, happens: () => [alarmEvent({ at: fake.clock() })] }],
        done: () => stream().status === 'ACTIVE' && shards() === 2,
        harm: () => [
          ...(stream().updates.length > 1 ? [`UpdateShardCount was accepted ${stream().updates.length} times`] : []),
          ...(shards() > 2 ? [`${shards()} shards where 2 were needed`] : []),
          ...(shards() < 1 ? ['capacity was lowered'] : []),
        ],
      };
    },
    crowd: () => {
      fake.reset();
      for (const [name, tags] of [
        ['orders', ENABLED],
        ['payments', ENABLED],
        ['vault', {}],
      ] as const) {
        busy(name, tags, 10);
      }
      fake.clock.advance(30_000);
      return {
        now: fake.clock,
        advance: fake.clock.advance,
        bodies: alarms('orders'),
        reports: reportsAlarm,
        good: alarms('payments')[0],
        victim: { names: ['orders'], trace: ':stream/orders"' },
        customer: { names: ['payments'], trace: ':stream/payments"' },
        bystander: { names: ['vault'], trace: ':stream/vault"' },
      };
    },
  };
};
