import { parseLaunchUnsuccessful } from './autoscaling-launch-unsuccessful.ts';
import { parseLifecycleAction, parseLifecycleNotification } from './autoscaling-lifecycle-action.ts';
import {
  parseAlarmInvocation,
  parseAlarmNotification,
  parseAlarmStateChange,
} from './cloudwatch-alarm-state-change.ts';
import { parseSnapshotNotification } from './ebs-snapshot-notification.ts';
import { parseRebalanceRecommendation } from './ec2-instance-rebalance-recommendation.ts';
import { parseInstanceStateChange } from './ec2-instance-state-change.ts';
import { parseInterruptionWarning } from './ec2-spot-instance-interruption-warning.ts';
import { parseServiceAction } from './ecs-service-action.ts';
import { parseTaskStateChange } from './ecs-task-state-change.ts';
import type { Message } from './envelope.ts';
import { BrokenMessage, type Parsed } from './event.ts';
import { type Fields, isObject, kindOf } from './fields.ts';
import { parseHealthEvent } from './health-event.ts';
import { parseExplain } from './reflex-explain.ts';
import { parseFollowUp } from './reflex-follow-up.ts';
import { parseNotification } from './reflex-notification.ts';
import { parseTick } from './reflex-tick.ts';
import { parseCommandInvocation } from './ssm-command-invocation.ts';
import { parseTagChange } from './tag-change-on-resource.ts';

/** @throws BrokenMessage for a body of its kind that is not as it should be. */
type Parser = (body: Fields, message: Message) => Parsed;

/** source -> detail-type -> parser. */
const kinds: ReadonlyMap<string, ReadonlyMap<string, Parser>> = new Map([
  [
    'aws.cloudwatch',
    new Map<string, Parser>([
      ['CloudWatch Alarm State Change', parseAlarmStateChange],
      ['CloudWatch Alarm Configuration Change', notForUs('alarm-configuration-change')],
      ['CloudWatch Alarm Contributor State Change', notForUs('alarm-contributor-state-change')],
    ]),
  ],
  [
    'aws.ecs',
    new Map<string, Parser>([
      ['ECS Task State Change', parseTaskStateChange],
      ['ECS Service Action', parseServiceAction],
    ]),
  ],
  [
    'aws.ec2',
    new Map<string, Parser>([
      ['EC2 Spot Instance Interruption Warning', parseInterruptionWarning],
      ['EC2 Instance Rebalance Recommendation', parseRebalanceRecommendation],
      ['EC2 Instance State-change Notification', parseInstanceStateChange],
      ['EBS Snapshot Notification', parseSnapshotNotification],
    ]),
  ],
  [
    'aws.autoscaling',
    new Map<string, Parser>([
      ['EC2 Instance-terminate Lifecycle Action', parseLifecycleAction],
      ['EC2 Instance-launch Lifecycle Action', notForUs('launch-lifecycle-action')],
      ['EC2 Instance Launch Unsuccessful', parseLaunchUnsuccessful],
    ]),
  ],
  ['aws.health', new Map<string, Parser>([['AWS Health Event', parseHealthEvent]])],
  [
    'aws.ssm',
    new Map<string, Parser>([
      ['EC2 Command Invocation Status-change Notification', parseCommandInvocation],
      ['EC2 Command Status-change Notification', notForUs('command-of-many-instances')],
    ]),
  ],
  ['aws.tag', new Map<string, Parser>([['Tag Change on Resource', parseTagChange]])],
  [
    'reflex',
    new Map<string, Parser>([
      ['Tick', parseTick],
      ['Follow-up', parseFollowUp],
      ['Notification', parseNotification],
      ['Explain', parseExplain],
    ]),
  ],
]);

/** What carries no detail-type is known by its fields. */
const shapes: readonly { readonly field: string; readonly values?: readonly string[]; readonly parser: Parser }[] = [
  { field: 'alarmData', parser: parseAlarmInvocation },
  { field: 'alarmArn', parser: parseAlarmInvocation },
  { field: 'AlarmName', parser: parseAlarmNotification },
  { field: 'AlarmArn', parser: parseAlarmNotification },
  { field: 'NewStateValue', parser: parseAlarmNotification },
  {
    field: 'Type',
    values: ['SubscriptionConfirmation', 'UnsubscribeConfirmation'],
    parser: notForUs('sns-subscription-confirmation'),
  },
  { field: 'LifecycleActionToken', parser: parseLifecycleNotification },
  { field: 'Event', values: ['autoscaling:TEST_NOTIFICATION', 's3:TestEvent'], parser: notForUs('test-notification') },
];

/** An event, not for us (and why), or broken (and which field). Pure; never throws. */
export function parse(message: Message): Parsed {
  try {
    const { body } = message;
    if (body instanceof BrokenMessage) throw body;
    if (!isObject(body)) throw new BrokenMessage('message', 'an object', kindOf(body));
    return parserFor(body)(body, message);
  } catch (error) {
    if (error instanceof BrokenMessage) return { kind: 'broken', error };
    throw error;
  }
}

function parserFor(body: Fields): Parser {
  const { source, 'detail-type': detailType } = body;
  if (detailType === undefined) {
    const shape = shapes.find(({ field, values }) =>
      values ? values.some((value) => value === body[field]) : body[field] !== undefined,
    );
    if (shape) return shape.parser;
    // ElastiCache's own notifications: the event is the key, the cache the value.
    if (Object.keys(body).some((key) => key.startsWith('ElastiCache:'))) return notForUs('elasticache-notification');
  }
  if (typeof source !== 'string') throw new BrokenMessage('source', 'a string', kindOf(source));
  if (typeof detailType !== 'string') throw new BrokenMessage('detail-type', 'a string', kindOf(detailType));
  const ofSource = kinds.get(source);
  const parser = ofSource?.get(detailType);
  if (parser !== undefined) return parser;
  // What a later release has put into the inbox is kept for it when the former one is deployed again.
  if (source === 'reflex') throw new BrokenMessage('detail-type', 'one that this release of Reflex knows', 'another');
  return notForUs(ofSource ? 'unknown-detail-type' : 'unknown-source');
}

function notForUs(reason: string): Parser {
  return () => ({ kind: 'not-for-us', reason });
}
