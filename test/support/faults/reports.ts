import { field } from './mutate.ts';

/**
 * Which events justify a look at what they name: AWS's published fields, read once more without any of the code under test.
 */
const oneOf = (value: unknown, ...allowed: readonly string[]): boolean =>
  typeof value === 'string' && allowed.includes(value);

const isKind = (event: unknown, source: string, ...detailTypes: readonly string[]): boolean =>
  field(event, 'source') === source && oneOf(field(event, 'detail-type'), ...detailTypes);

/** An alarm changed its state: through EventBridge, SNS or its own Lambda action. */
export const reportsAlarm = (event: unknown): boolean =>
  oneOf(field(event, 'alarmData/state/value'), 'ALARM', 'OK') ||
  oneOf(field(event, 'NewStateValue'), 'ALARM', 'OK') ||
  (isKind(event, 'aws.cloudwatch', 'CloudWatch Alarm State Change') &&
    oneOf(field(event, 'detail/state/value'), 'ALARM', 'OK'));

/** Fargate takes a task back. */
export const reportsSpotTask = (event: unknown): boolean =>
  isKind(event, 'aws.ecs', 'ECS Task State Change') &&
  (oneOf(field(event, 'detail/stopCode'), 'SpotInterruption', 'TerminationNotice') ||
    /spot/i.test(String(field(event, 'detail/stoppedReason'))));

/** An instance is about to go. */
export const reportsLeavingHost = (event: unknown): boolean =>
  isKind(event, 'aws.ec2', 'EC2 Spot Instance Interruption Warning', 'EC2 Instance Rebalance Recommendation') ||
  (isKind(event, 'aws.autoscaling', 'EC2 Instance-terminate Lifecycle Action') &&
    field(event, 'detail/LifecycleTransition') === 'autoscaling:EC2_INSTANCE_TERMINATING') ||
  field(event, 'LifecycleTransition') === 'autoscaling:EC2_INSTANCE_TERMINATING' ||
  (isKind(event, 'aws.health', 'AWS Health Event') && field(event, 'detail/eventTypeCategory') === 'scheduledChange');

/** Something happened to an instance, a snapshot, a command or a task of a rescue. */
export const reportsRescue = (event: unknown): boolean =>
  (isKind(event, 'aws.ec2', 'EC2 Instance State-change Notification') &&
    field(event, 'detail/state') === 'terminated') ||
  (isKind(event, 'aws.ssm', 'EC2 Command Invocation Status-change Notification') &&
    oneOf(field(event, 'detail/status'), 'Success', 'Cancelled', 'TimedOut', 'Failed')) ||
  (isKind(event, 'aws.ec2', 'EBS Snapshot Notification') && field(event, 'detail/event') === 'createSnapshot') ||
  (isKind(event, 'aws.ecs', 'ECS Task State Change') &&
    field(event, 'detail/lastStatus') === 'STOPPED' &&
    String(field(event, 'detail/startedBy')).startsWith('rescue/'));

/** ECS tells of a service, of its tasks' placement or its steadiness. */
export const reportsService = (event: unknown): boolean =>
  isKind(event, 'aws.ecs', 'ECS Service Action') &&
  oneOf(
    field(event, 'detail/eventName'),
    'SERVICE_TASK_PLACEMENT_FAILURE',
    'SERVICE_STEADY_STATE',
    'CAPACITY_PROVIDER_STEADY_STATE',
  );

/** Tags of a resource changed. */
export const reportsTags = (event: unknown): boolean => isKind(event, 'aws.tag', 'Tag Change on Resource');

/** Our own schedule: everything that is opted in is looked at. */
export const isTick = (event: unknown): boolean => isKind(event, 'reflex', 'Tick');
