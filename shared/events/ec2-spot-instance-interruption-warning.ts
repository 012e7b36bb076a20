import { instanceEvent } from './ec2-fields.ts';
import type { Parsed } from './event.ts';
import { type Fields, read, text } from './fields.ts';

const warning = instanceEvent({ 'instance-action': text });

/** EventBridge `EC2 Spot Instance Interruption Warning`: two minutes, or with `hibernate` none, before EC2 takes the instance. */
export function parseInterruptionWarning(body: Fields): Parsed {
  const { account, region, time, detail } = read(warning, body);
  const { 'instance-id': instanceId, 'instance-action': action } = detail;
  return { kind: 'event', event: { kind: 'spot-interruption', account, region, instanceId, action, at: time } };
}
