import { setTimeout } from 'node:timers/promises';
import { resourcesTagged } from '../../shared/aws/tagging.ts';
import type { ReflexFunction } from '../../shared/function.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import { act } from './act.ts';
import { decide, type KinesisCall } from './decide.ts';
import type { StreamFacts } from './facts.ts';
import { hear } from './hear.ts';
import { observe } from './observe.ts';
import { type Policy, stackPolicy, streamPolicy } from './policy.ts';

/** The consumers of a stream are of its type, and a stack gives them its tags: `...:stream/orders/consumer/billing:1`. */
const isStream = (arn: string): boolean => /:stream\/[^/]+$/.test(arn);

/**
 * Resizes Kinesis data streams: CloudWatch alarm, schedule -> UpdateShardCount, SplitShard, MergeShards.
 * `pause`: waits that many ms; between the streams of a large batch.
 * @throws SettingError for a wrong environment variable.
 */
export const reshardKinesis = (
  env: NodeJS.ProcessEnv,
  clock: () => number,
  pause: (ms: number) => Promise<unknown> = setTimeout,
): ReflexFunction<StreamFacts, Policy, KinesisCall> => {
  const stack = stackPolicy(env);
  return {
    name: 'reshard-kinesis',
    onGuardError: 'stop',
    hear,
    sweep: async () =>
      (await resourcesTagged('kinesis:stream', OPT_IN_TAG, 'true')).map(({ arn }) => arn).filter(isStream),
    observe: observe(stack, clock, pause),
    policy: (tags) => streamPolicy(stack, tags),
    decide,
    act: act(clock),
  };
};
