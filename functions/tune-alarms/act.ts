import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../shared/aws/client.ts';
import { deleteAlarms, putMetricAlarm } from '../../shared/aws/cloudwatch.ts';
import { defer, escalate } from '../../shared/decision.ts';
import type { Stop } from '../../shared/guards/guard.ts';
import { inOrder } from '../../shared/in-order.ts';
import { type Patience, paced } from '../../shared/patience.ts';
import { said } from '../../shared/words.ts';
import type { AlarmCall } from './decide.ts';

const MINUTE = 60_000;
/** PutMetricAlarm takes three calls a second per account and Region; a little is left to others. */
const RATE = { burst: 2, perSecond: 2.5 };

/** Makes the approved calls, those of one resource in order up to the first that fails, all together at AWS's rate. */
export const act = (patience: Pick<Patience, 'clock' | 'sleep'>) => {
  const turn = paced(RATE, patience);
  const make = async (call: AlarmCall): Promise<unknown> => {
    await turn();
    if (call.call === 'DeleteAlarms') return deleteAlarms(call.params);
    return putMetricAlarm(call.params);
  };
  return inOrder(make, (call: AlarmCall, error) => meaning(call, error, patience.clock()));
};

/** What a failed call means. Both calls may be made again, so what waits is simply decided anew. */
export const meaning = ({ call }: AlarmCall, error: unknown, now: number): Stop | undefined => {
  const text = said(error);
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `${call} was denied: ${text}`,
      'The permission is bound to the tag reflex:enabled = true on the alarm; check it, the permissions boundary and service control policies.',
    );
  }
  if (isThrottle(error)) return defer('rate-limited', now + MINUTE, `${call}: ${text}; looked at again in a minute.`);
  if (isTransient(error)) {
    return defer('act-unknown', now + MINUTE, `${call} ended without an answer (${text}); the alarms are read again.`);
  }
  // None is deleted where one is gone already: the next look has the rest.
  if (call === 'DeleteAlarms' && isErrorNamed(error, 'ResourceNotFound')) {
    return defer('rate-limited', now + MINUTE, `${call}: ${text}; looked at again in a minute.`);
  }
  if (isErrorNamed(error, 'LimitExceeded', 'LimitExceededFault')) {
    return escalate('alarm-quota', `${call}: ${text}`, 'Raise the quota of CloudWatch alarms in this Region.');
  }
  return escalate('act-failed', `${call} failed: ${text}`, 'See the error; this call changed nothing.');
};
