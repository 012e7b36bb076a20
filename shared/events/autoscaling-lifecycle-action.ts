import { account, envelope, instanceId, optionalText } from './ec2-fields.ts';
import type { Parsed } from './event.ts';
import { type Fields, object, read, text, time } from './fields.ts';

const action = {
  LifecycleActionToken: text,
  AutoScalingGroupName: text,
  LifecycleHookName: text,
  EC2InstanceId: instanceId,
  LifecycleTransition: text,
  NotificationMetadata: optionalText,
};

const event = object({ ...envelope, detail: object(action) });
const notification = object({ ...action, AccountId: account, Time: time });

/** EventBridge `EC2 Instance-terminate Lifecycle Action`: an Auto Scaling group waits before it terminates the instance. */
export function parseLifecycleAction(body: Fields): Parsed {
  const { account, region, time: at, detail } = read(event, body);
  return lifecycleAction(detail, { account, region, at });
}

/** The same as a lifecycle hook's own SNS or SQS target gets it. It does not say its Region. */
export function parseLifecycleNotification(body: Fields): Parsed {
  const { AccountId, Time, ...detail } = read(notification, body);
  return lifecycleAction(detail, { account: AccountId, region: '', at: Time });
}

function lifecycleAction(
  detail: {
    readonly LifecycleActionToken: string;
    readonly AutoScalingGroupName: string;
    readonly LifecycleHookName: string;
    readonly EC2InstanceId: string;
    readonly LifecycleTransition: string;
    readonly NotificationMetadata: string | null;
  },
  origin: { readonly account: string; readonly region: string; readonly at: number },
): Parsed {
  return {
    kind: 'event',
    event: {
      kind: 'lifecycle-action',
      ...origin,
      instanceId: detail.EC2InstanceId,
      group: detail.AutoScalingGroupName,
      hook: detail.LifecycleHookName,
      token: detail.LifecycleActionToken,
      transition: detail.LifecycleTransition,
      metadata: detail.NotificationMetadata,
    },
  };
}
