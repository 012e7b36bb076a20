import { instanceArn } from '../../shared/arns.ts';
import type { HealthEvent, ReflexEvent } from '../../shared/events/event.ts';
import type { Heard, Signal } from '../../shared/function.ts';
import { time } from '../../shared/words.ts';
import type { Notice } from './facts.ts';

/** The instance ends: it is retired, or stopped. After any other scheduled change it lives on where it is. */
const ENDING = [
  'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
  'AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED',
  'AWS_EC2_INSTANCE_STOP_SCHEDULED',
];

/** Which instances an event concerns, and what it says of them. `region`: the function's own. */
export const hear =
  (region: string) =>
  async (events: readonly ReflexEvent[]): Promise<Heard[]> =>
    events.map((event) => heard(event, region));

const heard = (event: ReflexEvent, region: string): Heard => {
  switch (event.kind) {
    case 'spot-interruption': {
      const { action, at } = event;
      const cause = `EC2 takes the Spot instance back at ${time(at + 120_000)}: ${action}`;
      return { signals: [signal(event, { kind: 'interruption', action, at }, cause, `${action} ${time(at)}`)] };
    }
    case 'rebalance-recommendation': {
      const { at } = event;
      // Once an instance: EC2 may say it again and again.
      return { signals: [signal(event, { kind: 'rebalance', at }, 'EC2 recommends rebalancing', 'rebalance')] };
    }
    case 'lifecycle-action': {
      if (event.transition !== 'autoscaling:EC2_INSTANCE_TERMINATING') return { notForUs: 'not-terminating' };
      const { group, hook, token, at } = event;
      const placed = { ...event, region: event.region || region };
      const cause = `Auto Scaling group ${group} terminates the instance and waits at hook ${hook}`;
      return { signals: [signal(placed, { kind: 'lifecycle', group, hook, token, at }, cause, `hook ${token}`)] };
    }
    case 'health':
      return scheduledChange(event);
    default:
      return { notForUs: 'no-notice' };
  }
};

const scheduledChange = (event: HealthEvent): Heard => {
  const { service, category, code, status, at, entities, arn } = event;
  if (service !== 'EC2' || category !== 'scheduledChange') return { notForUs: 'no-scheduled-change' };
  if (!ENDING.includes(code)) return { notForUs: 'instance-stays' };
  if (status === 'closed') return { notForUs: 'scheduled-change-closed' };
  const startsAt = event.startsAt ?? at;
  const instances = entities.filter(({ id, status }) => /^i-[0-9a-f]{8,17}$/.test(id) && status !== 'RESOLVED');
  if (instances.length === 0) return { notForUs: 'no-instance' };
  return {
    signals: instances.map(({ id }) =>
      signal(
        { ...event, instanceId: id },
        { kind: 'scheduled-change', code, startsAt, at },
        `${code}, at ${time(startsAt)}`,
        `${code} ${arn}`,
      ),
    ),
  };
};

const signal = (
  of: { readonly account: string; readonly region: string; readonly instanceId: string },
  notice: Notice,
  cause: string,
  occurrence: string,
): Signal => ({
  resource: instanceArn(of, of.instanceId),
  trigger: 'event',
  cause,
  occurrence: `${of.instanceId} ${occurrence}`,
  at: notice.at,
  evidence: notice,
});
