import { tuneAlarms } from '../../../../functions/tune-alarms/function.ts';
import { tellingWhatMatters } from '../../../../functions/tune-alarms/tell.ts';
import { remediation } from '../../../../shared/remediation.ts';
import { account, region, streamArn, tagChange } from '../../event-builders.ts';
import { startFakeAws } from '../../fake-aws/fake-aws.ts';
import { reportsTags } from '../reports.ts';
import type { FaultWorld } from '../world.ts';

const MINUTE = 60_000;
const ENABLED = { 'reflex:enabled': 'true' };
const BY_HAND = 'orders-by-hand';

/** A stream opts in: it has to have its three alarms, and the one a person made stays as it is. */
export const open = async (): Promise<FaultWorld> => {
  const fake = await startFakeAws();
  const opted = (stream: string) => tagChange(streamArn(stream), ['reflex:enabled'], ENABLED);
  return {
    url: fake.url,
    close: fake.close,
    acts: true,
    sweepMs: 15 * MINUTE,
    hiddenMs: 1_080_000,
    horizonMs: 180 * MINUTE,
    onGuardError: 'stop',
    heedsCalendar: true,
    handler: (runtime, patience) => remediation(tuneAlarms({}, patience), tellingWhatMatters(runtime)),
    hear: (events) => tuneAlarms({}, { clock: fake.clock, sleep: async () => undefined }).hear(events),
    scene: ({ optedIn }) => {
      fake.reset();
      fake.kinesis.createStream('orders', 3, { tags: optedIn ? ENABLED : {} });
      const byHand = {
        AlarmName: BY_HAND,
        AlarmArn: `arn:aws:cloudwatch:${region}:${account}:alarm:${BY_HAND}`,
        MetricName: 'IncomingBytes',
        Threshold: 1,
      };
      fake.cloudwatch.alarms.push(byHand);
      return {
        now: fake.clock,
        advance: fake.clock.advance,
        resource: streamArn('orders'),
        steps: [{ after: 0, happens: () => [opted('orders')] }],
        done: () => fake.cloudwatch.alarms.length === 4,
        harm: () => [
          ...(fake.cloudwatch.alarms.includes(byHand) ? [] : ["a person's alarm was touched"]),
          ...(fake.cloudwatch.alarms.length > 4 ? ['more alarms than three'] : []),
        ],
      };
    },
    crowd: () => {
      fake.reset();
      for (const name of ['orders', 'payments', 'vault']) {
        fake.kinesis.createStream(name, 1, { tags: name === 'vault' ? {} : ENABLED });
      }
      const marks = (name: string) => ({ names: [name], trace: `-kinesis-${name}-` });
      return {
        now: fake.clock,
        advance: fake.clock.advance,
        bodies: [opted('orders'), tagChange(streamArn('orders'), ['team', 'reflex:max-shards'], {})],
        reports: reportsTags,
        good: opted('payments'),
        victim: marks('orders'),
        customer: marks('payments'),
        bystander: marks('vault'),
      };
    },
  };
};
