import * as v from 'valibot';
import { object, text, time } from './fields.ts';

const matching = (pattern: RegExp, what: string) => v.pipe(v.string(), v.regex(pattern, what));

/** In `resources` an id is not to be trusted: EC2's own Spot events carry a malformed ARN there. */
export const instanceId = matching(/^i-[0-9a-f]{8,17}$/, 'an instance id');
export const account = matching(/^\d{12}$/, 'an account id');
export const region = matching(/^[a-z]+(-[a-z]+)+-\d+$/, 'a Region');

/** What every EventBridge event says beside its detail. */
export const envelope = { account, region, time };

/** An event whose detail has these fields and names one instance. */
export const instanceEvent = <const Entries extends v.ObjectEntries>(detail: Entries) =>
  object({ ...envelope, detail: object({ 'instance-id': instanceId, ...detail }) });

/** Text that may be absent. */
export const optionalText = v.nullish(text, null);
