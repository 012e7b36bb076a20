import * as v from 'valibot';
import { derived } from '../ecs-task.ts';
import type { Message } from './envelope.ts';
import { BrokenMessage, type Parsed, type TaskStateChangeEvent } from './event.ts';
import { type Fields, object, read, text, time } from './fields.ts';

const orNull = v.nullish(v.string(), null);

const stateChange = object({
  time: v.nullish(time),
  detail: object({
    taskArn: text,
    clusterArn: text,
    group: orNull,
    startedBy: orNull,
    taskDefinitionArn: text,
    launchType: orNull,
    capacityProviderName: orNull,
    lastStatus: text,
    desiredStatus: text,
    stopCode: orNull,
    stoppedReason: orNull,
    stoppingAt: v.nullish(time, null),
    updatedAt: v.nullish(time),
    version: v.number(),
    attachments: v.nullish(
      v.array(
        object({
          type: orNull,
          status: orNull,
          details: v.nullish(v.array(object({ name: v.optional(v.unknown()), value: v.optional(v.unknown()) })), []),
        }),
      ),
      [],
    ),
    containers: v.nullish(
      v.array(
        object({
          networkInterfaces: v.nullish(v.array(object({ privateIpv4Address: orNull, ipv6Address: orNull })), []),
        }),
      ),
      [],
    ),
  }),
});

const taskArn = /^arn:[^:]+:ecs:[a-z0-9-]+:\d{12}:task\/[^\s:]+$/;
const clusterArn = /^arn:[^:]+:ecs:[a-z0-9-]+:\d{12}:cluster\/[^\s:/]+$/;

/**
 * EventBridge `ECS Task State Change`. A Fargate Spot notice is one, too: desiredStatus STOPPED while the task still runs.
 * Overrides and environments are left behind: they may hold secrets.
 */
export function parseTaskStateChange(body: Fields, { sentAt }: Pick<Message, 'sentAt'>): Parsed {
  const { time: sent, detail } = read(stateChange, body);
  if (!taskArn.test(detail.taskArn)) throw new BrokenMessage('detail.taskArn', 'the ARN of an ECS task');
  if (!clusterArn.test(detail.clusterArn)) throw new BrokenMessage('detail.clusterArn', 'the ARN of an ECS cluster');
  const { attachments, containers, updatedAt, taskArn: told, ...rest } = detail;
  return {
    kind: 'event',
    event: {
      kind: 'task-state-change',
      at: updatedAt ?? sent ?? sentAt ?? 0,
      task: { ...rest, ...derived({ taskArn: told, clusterArn: rest.clusterArn, attachments, containers }) },
    },
  };
}

/** An event as small as can be that parses to this one. */
export function taskStateChangeBody({ at, task }: TaskStateChangeEvent): object {
  const { arn, ipv4, ipv6, elbStatus, stoppingAt, ...rest } = task;
  return {
    source: 'aws.ecs',
    'detail-type': 'ECS Task State Change',
    detail: {
      ...rest,
      taskArn: arn,
      ...(stoppingAt !== null && { stoppingAt: new Date(stoppingAt).toISOString() }),
      updatedAt: new Date(at).toISOString(),
      attachments: elbStatus === null ? [] : [{ type: 'elb', status: elbStatus }],
      containers: [
        {
          networkInterfaces: [
            ...ipv4.map((privateIpv4Address) => ({ privateIpv4Address })),
            ...ipv6.map((ipv6Address) => ({ ipv6Address })),
          ],
        },
      ],
    },
  };
}
