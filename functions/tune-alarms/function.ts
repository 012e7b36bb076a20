import { resourcesTagged } from '../../shared/aws/tagging.ts';
import type { ReflexFunction } from '../../shared/function.ts';
import type { Patience } from '../../shared/patience.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import { act } from './act.ts';
import { ALARM_OF_TAG } from './alarms.ts';
import { type AlarmCall, decide } from './decide.ts';
import type { AlarmFacts } from './facts.ts';
import { hear, isWatched } from './hear.ts';
import { observe } from './observe.ts';
import { alarmPolicy, type Policy, stackPolicy } from './policy.ts';

/**
 * Keeps the alarms that wake the other functions: schedule, tag changes -> PutMetricAlarm, DeleteAlarms.
 * @throws SettingError for a wrong environment variable.
 */
export const tuneAlarms = (
  env: NodeJS.ProcessEnv,
  patience: Pick<Patience, 'clock' | 'sleep'>,
): ReflexFunction<AlarmFacts, Policy, AlarmCall> => {
  const stack = stackPolicy(env);
  return {
    name: 'tune-alarms',
    onGuardError: 'stop',
    hear,
    sweep,
    observe: observe(stack, patience.clock, patience.sleep),
    policy: (tags) => alarmPolicy(stack, tags),
    decide,
    act: act(patience),
  };
};

/** What opted in, and what alarms of Reflex's are still there for. */
const sweep = async (): Promise<string[]> => {
  const [streams, groups, alarms] = await Promise.all([
    resourcesTagged('kinesis:stream', OPT_IN_TAG, 'true'),
    resourcesTagged('elasticache:replicationgroup', OPT_IN_TAG, 'true'),
    resourcesTagged('cloudwatch:alarm', ALARM_OF_TAG),
  ]);
  const watched = alarms.flatMap(({ tags }) => tags[ALARM_OF_TAG] ?? []);
  // A consumer is of its stream's type, and a stack gives it its tags.
  return [...new Set([...[...streams, ...groups].map(({ arn }) => arn), ...watched])].filter(isWatched);
};
