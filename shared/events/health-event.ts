import * as v from 'valibot';
import { idIn } from '../arns.ts';
import { account, envelope, optionalText, region } from './ec2-fields.ts';
import type { Parsed } from './event.ts';
import { type Fields, object, read, text } from './fields.ts';

/** AWS Health writes times as RFC 1123: `Sat, 05 Jun 2016 15:10:09 GMT`. */
const healthTime = v.nullish(
  v.pipe(
    v.string(),
    v.check((value) => !Number.isNaN(Date.parse(value)), 'a time'),
    v.transform((value) => Date.parse(value)),
  ),
  null,
);

const event = object({
  ...envelope,
  detail: object({
    eventArn: text,
    service: text,
    eventTypeCode: text,
    eventTypeCategory: text,
    statusCode: optionalText,
    startTime: healthTime,
    endTime: healthTime,
    eventRegion: v.nullish(region, null),
    affectedAccount: v.nullish(account, null),
    affectedEntities: v.nullish(v.array(object({ entityValue: text, status: optionalText })), []),
  }),
});

/**
 * EventBridge `AWS Health Event`. The backup Region gets a copy of each, so account and Region are those of the detail
 * where it names them, not those of the delivery.
 */
export function parseHealthEvent(body: Fields): Parsed {
  const { account, region, time, detail } = read(event, body);
  return {
    kind: 'event',
    event: {
      kind: 'health',
      account: detail.affectedAccount ?? account,
      region: detail.eventRegion ?? region,
      at: time,
      arn: detail.eventArn,
      service: detail.service,
      code: detail.eventTypeCode,
      category: detail.eventTypeCategory,
      status: detail.statusCode,
      startsAt: detail.startTime,
      endsAt: detail.endTime,
      entities: detail.affectedEntities.map(({ entityValue, status }) => ({ id: idIn(entityValue), status })),
    },
  };
}
