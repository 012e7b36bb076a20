import * as v from 'valibot';
import type { Parsed } from './event.ts';
import { type Fields, object, read, text, time } from './fields.ts';

const arn = v.pipe(v.string(), v.regex(/^arn:[^:]+:[^:]+:[^:]*:[^:]*:./, 'an ARN'));

const change = object({
  time,
  resources: v.tupleWithRest([arn], v.unknown()),
  detail: object({ 'changed-tag-keys': v.array(text) }),
});

/** EventBridge `Tag Change on Resource`, from any service. The tags it carries are left behind: the newest are read. */
export function parseTagChange(body: Fields): Parsed {
  const { time: at, resources, detail } = read(change, body);
  return {
    kind: 'event',
    event: { kind: 'tag-change', at, resource: resources[0], changed: detail['changed-tag-keys'] },
  };
}
