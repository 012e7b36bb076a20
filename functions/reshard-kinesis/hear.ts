import { type Concerned, type HeardAlarm, hearAlarms } from '../../shared/alarms.ts';
import type { ReflexEvent } from '../../shared/events/event.ts';
import type { Heard } from '../../shared/function.ts';

/**
 * Which streams an event concerns: every stream named by a StreamName dimension of the alarm's metrics, a composite
 * alarm's by those of the children that triggered it. Producers of your own count, too (the Kinesis Producer Library has the
 * dimension); of AWS's services Kinesis Data Streams alone: Kinesis Video has streams of another kind.
 */
export const hear = (events: readonly ReflexEvent[]): Promise<Heard[]> =>
  hearAlarms(events, (alarms) => alarms.map(streamsOf));

/** Anything else cannot be a stream, and CloudWatch or Kinesis would refuse the whole batch for it. */
const STREAM_NAME = /^[\w.-]{1,128}$/;

const streamsOf = ({ alarm, metrics }: HeardAlarm): Concerned => {
  const [, partition] = alarm.alarmArn.split(':');
  const resources = metrics
    .filter(({ namespace }) => namespace === 'AWS/Kinesis' || !namespace.startsWith('AWS/'))
    .map(({ dimensions }) => dimensions.StreamName)
    .filter((name) => name !== undefined && STREAM_NAME.test(name))
    .map((name) => `arn:${partition}:kinesis:${alarm.region}:${alarm.account}:stream/${name}`);
  return resources.length > 0 ? { resources } : { notForUs: 'no-stream-dimension' };
};
