import { updateAutoScalingGroup } from '../../../shared/aws/autoscaling.ts';
import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../../shared/aws/client.ts';
import { defer, escalate } from '../../../shared/decision.ts';
import type { Stop } from '../../../shared/guards/guard.ts';
import { inOrder } from '../../../shared/in-order.ts';
import { said } from '../../../shared/words.ts';
import type { GroupCall } from './decide.ts';

const MINUTE = 60_000;

/** Makes the approved calls, all groups at once. */
export const act = (clock: () => number) =>
  inOrder<GroupCall>(
    ({ params }) => updateAutoScalingGroup(params),
    (call, error) => meaning(call, error, clock()),
  );

/** What a failed call means. Whether it took effect is read from the group in any case. */
const meaning = ({ call, params }: GroupCall, error: unknown, now: number): Stop => {
  const message = error instanceof Error ? error.message : said(error);
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `${call} was denied: ${message}`,
      'The permission is bound to the tag reflex:enabled = true; changing a group with a launch template also takes ec2:RunInstances on it. Check the tag, the permissions boundary and service control policies.',
    );
  }
  if (
    isThrottle(error) ||
    isErrorNamed(error, 'ResourceContention', 'ResourceContentionFault', 'ScalingActivityInProgress')
  ) {
    return defer('rate-limited', now + MINUTE, `${call}: ${message}; looked at again in a minute.`);
  }
  if (isTransient(error)) {
    return defer(
      'act-unknown',
      now + MINUTE,
      `${call} ended without an answer (${said(error)}); the group is read again.`,
    );
  }
  return escalate(
    'act-failed',
    `${call} of ${params.AutoScalingGroupName}: ${said(error)}`,
    'Do what AWS asks for; the next Spot warning of the group tries again.',
  );
};
