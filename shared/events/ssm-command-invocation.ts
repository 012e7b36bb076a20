import { envelope, instanceId } from './ec2-fields.ts';
import type { Parsed } from './event.ts';
import { type Fields, object, read, text } from './fields.ts';

const notification = object({
  ...envelope,
  detail: object({ 'command-id': text, 'document-name': text, 'instance-id': instanceId, status: text }),
});

/** EventBridge `EC2 Command Invocation Status-change Notification`: how Run Command fares on one instance. */
export function parseCommandInvocation(body: Fields): Parsed {
  const { account, region, time, detail } = read(notification, body);
  return {
    kind: 'event',
    event: {
      kind: 'command-invocation',
      account,
      region,
      at: time,
      instanceId: detail['instance-id'],
      commandId: detail['command-id'],
      document: detail['document-name'],
      status: detail.status,
    },
  };
}
