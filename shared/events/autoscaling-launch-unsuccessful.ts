import * as v from 'valibot';
import { envelope, optionalText } from './ec2-fields.ts';
import type { Parsed } from './event.ts';
import { type Fields, object, read, text } from './fields.ts';

const event = object({
  ...envelope,
  detail: object({
    AutoScalingGroupName: text,
    ActivityId: text,
    StatusCode: v.nullish(v.string(), ''),
    StatusMessage: v.nullish(v.string(), ''),
    Cause: v.nullish(v.string(), ''),
    Details: v.nullish(object({ 'Availability Zone': optionalText, 'Subnet ID': optionalText })),
  }),
});

/** EventBridge `EC2 Instance Launch Unsuccessful`: an Auto Scaling group could not launch; `message` says why, for want of capacity too. */
export function parseLaunchUnsuccessful(body: Fields): Parsed {
  const { account, region, time, detail } = read(event, body);
  return {
    kind: 'event',
    event: {
      kind: 'launch-unsuccessful',
      account,
      region,
      at: time,
      group: detail.AutoScalingGroupName,
      activity: detail.ActivityId,
      zone: detail.Details?.['Availability Zone'] ?? null,
      subnet: detail.Details?.['Subnet ID'] ?? null,
      status: detail.StatusCode,
      message: detail.StatusMessage,
      cause: detail.Cause,
    },
  };
}
