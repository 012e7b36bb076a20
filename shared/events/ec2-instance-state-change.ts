import { instanceEvent } from './ec2-fields.ts';
import type { Parsed } from './event.ts';
import { type Fields, read, text } from './fields.ts';

const stateChange = instanceEvent({ state: text });

/** EventBridge `EC2 Instance State-change Notification`. */
export function parseInstanceStateChange(body: Fields): Parsed {
  const { account, region, time, detail } = read(stateChange, body);
  const { 'instance-id': instanceId, state } = detail;
  return { kind: 'event', event: { kind: 'instance-state-change', account, region, instanceId, state, at: time } };
}
