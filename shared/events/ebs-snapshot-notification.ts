import * as v from 'valibot';
import { idIn } from '../arns.ts';
import { envelope, optionalText } from './ec2-fields.ts';
import type { Parsed } from './event.ts';
import { type Fields, object, read, text } from './fields.ts';

const notification = object({
  ...envelope,
  detail: object({
    event: text,
    result: text,
    cause: v.nullish(v.string(), ''),
    snapshot_id: text,
    source: optionalText,
  }),
});

/** EventBridge `EBS Snapshot Notification`. Its ARNs have the Region in the account's place; only the ids are of use. */
export function parseSnapshotNotification(body: Fields): Parsed {
  const { account, region, time, detail } = read(notification, body);
  return {
    kind: 'event',
    event: {
      kind: 'snapshot',
      account,
      region,
      at: time,
      event: detail.event,
      result: detail.result,
      cause: detail.cause,
      snapshotId: idIn(detail.snapshot_id),
      sourceId: detail.source === null ? null : idIn(detail.source),
    },
  };
}
