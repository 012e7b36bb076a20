import * as v from 'valibot';
import type { Message } from './envelope.ts';
import { BrokenMessage, type Parsed } from './event.ts';
import { type Fields, object, read, text, time } from './fields.ts';

const serviceAction = object({
  time: v.nullish(time),
  resources: v.pipe(v.array(text), v.minLength(1, 'a list with the ARN of the service')),
  detail: object({
    eventType: v.nullish(v.string(), null),
    eventName: text,
    clusterArn: text,
    capacityProviderArns: v.nullish(v.array(v.string()), []),
    reason: v.nullish(v.string(), null),
    createdAt: v.nullish(time, null),
  }),
});

const serviceArn = /^(arn:[^:]+:ecs:[a-z0-9-]+:\d{12}):service\/(?:[^\s:/]+\/)?([^\s:/]+)$/;
const clusterArn = /^arn:[^:]+:ecs:[a-z0-9-]+:\d{12}:cluster\/([^\s:/]+)$/;

/**
 * EventBridge `ECS Service Action`. The service is named by `resources` alone, by its long ARN or by the old one without the
 * cluster. `createdAt` may be days older than the event: AWS's own sample is.
 */
export function parseServiceAction(body: Fields, { sentAt }: Pick<Message, 'sentAt'>): Parsed {
  const { time: sent, resources, detail } = read(serviceAction, body);
  const [, owner, service] = serviceArn.exec(resources[0] ?? '') ?? [];
  if (owner === undefined || service === undefined) throw new BrokenMessage('resources.0', 'the ARN of an ECS service');
  const [, cluster] = clusterArn.exec(detail.clusterArn) ?? [];
  if (cluster === undefined) throw new BrokenMessage('detail.clusterArn', 'the ARN of an ECS cluster');
  return {
    kind: 'event',
    event: {
      kind: 'service-action',
      at: sent ?? sentAt ?? detail.createdAt ?? 0,
      serviceArn: `${owner}:service/${cluster}/${service}`,
      clusterArn: detail.clusterArn,
      name: detail.eventName,
      providers: detail.capacityProviderArns.map((arn) => arn.slice(arn.lastIndexOf('/') + 1)),
      reason: detail.reason,
      createdAt: detail.createdAt,
    },
  };
}
