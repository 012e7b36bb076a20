import type { EcsTask } from '../ecs-task.ts';

/**
 * What Reflex understands of the outside world, after parsing and before any AWS call.
 * Every time is epoch ms. Enums that AWS owns stay open strings: an unknown value never means the default action.
 */

/** One metric an alarm watches. */
export interface AlarmMetric {
  readonly id: string | null;
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** Account of a cross-account metric; null: the alarm's own. */
  readonly accountId: string | null;
}

export interface CompositeAlarm {
  readonly rule: string;
  /** ARNs of the children that triggered it; may be empty (SetAlarmState). */
  readonly children: readonly string[];
  /** Who suppressed the actions (`Alarm`, `WaitPeriod`, `ExtensionPeriod`), or null. */
  readonly suppressedBy: string | null;
}

export interface AlarmEvent {
  readonly kind: 'alarm';
  readonly alarmArn: string;
  readonly alarmName: string;
  readonly account: string;
  readonly region: string;
  /** ALARM, OK, INSUFFICIENT_DATA, or what AWS adds one day. */
  readonly state: string;
  /** The state's own timestamp: with the ARN it names the occurrence. */
  readonly at: number;
  readonly stateReason: string;
  /** Rows with a MetricStat; expression rows are left out. Empty for a composite alarm. */
  readonly metrics: readonly AlarmMetric[];
  readonly composite: CompositeAlarm | null;
  /** ARNs of the alarm's ALARM actions where the delivery carries them (SNS), else empty. */
  readonly alarmActions: readonly string[];
}

/** A schedule's wake-up. `incidents`: only what is already open; `all`: every opted-in resource too. */
export interface TickEvent {
  readonly kind: 'tick';
  readonly at: number;
  readonly scope: 'all' | 'incidents';
}

/** Our own delayed message: look at these resources again. What is due at the same time travels together. */
export interface FollowUpEvent {
  readonly kind: 'follow-up';
  readonly fn: string;
  /** Look no earlier than this (SQS delays at most 15 minutes; longer waits are re-delayed). */
  readonly notBefore: number;
  readonly checks: readonly {
    readonly resource: string;
    readonly incidentId: string;
    /** Sequence number of the check; the incident expects exactly one. */
    readonly check: number;
  }[];
}

/** Our own notification that SNS did not take: publish it. */
export interface NotificationEvent {
  readonly kind: 'notification';
  readonly subject: string;
  /** JSON text: a message per protocol. */
  readonly message: string;
}

/** An operator asks what would be done about a resource now. */
export interface ExplainEvent {
  readonly kind: 'explain';
  readonly at: number;
  /** ARN. */
  readonly resource: string;
  /** As if an alarm had come, or the schedule. */
  readonly as: 'alarm' | 'tick';
}

/** An ECS task changed; its notice of a Spot interruption is such an event, too. */
export interface TaskStateChangeEvent {
  readonly kind: 'task-state-change';
  /** When it changed. */
  readonly at: number;
  readonly task: EcsTask;
}

/** What ECS tells of a service: that it found no capacity for a task, or that all is steady. */
export interface ServiceActionEvent {
  readonly kind: 'service-action';
  readonly at: number;
  /** Long form, with the cluster's name. */
  readonly serviceArn: string;
  readonly clusterArn: string;
  /** SERVICE_TASK_PLACEMENT_FAILURE, SERVICE_STEADY_STATE, or what AWS adds one day. */
  readonly name: string;
  /** Names of the capacity providers concerned; empty where the service runs by launch type. */
  readonly providers: readonly string[];
  /** RESOURCE:FARGATE, RESOURCE:CPU... null: not said. */
  readonly reason: string | null;
  /** Epoch ms; may be days before the event. */
  readonly createdAt: number | null;
}

/** Two minutes before EC2 takes a Spot instance; before it hibernates one, none. */
export interface SpotInterruptionEvent {
  readonly kind: 'spot-interruption';
  readonly account: string;
  readonly region: string;
  readonly instanceId: string;
  /** terminate, stop, hibernate, or what AWS adds one day. */
  readonly action: string;
  readonly at: number;
}

/** A Spot instance is at elevated risk; whether and when it is interrupted is open. */
export interface RebalanceRecommendationEvent {
  readonly kind: 'rebalance-recommendation';
  readonly account: string;
  readonly region: string;
  readonly instanceId: string;
  readonly at: number;
}

export interface InstanceStateChangeEvent {
  readonly kind: 'instance-state-change';
  readonly account: string;
  readonly region: string;
  readonly instanceId: string;
  /** pending, running, shutting-down, terminated, stopping, stopped, or what AWS adds one day. */
  readonly state: string;
  readonly at: number;
}

/** An Auto Scaling group waits at a lifecycle hook. */
export interface LifecycleActionEvent {
  readonly kind: 'lifecycle-action';
  readonly account: string;
  /** Empty where a hook's own SNS or SQS target brought it: it is then the function's own Region. */
  readonly region: string;
  readonly instanceId: string;
  readonly group: string;
  readonly hook: string;
  readonly token: string;
  /** autoscaling:EC2_INSTANCE_TERMINATING, autoscaling:EC2_INSTANCE_LAUNCHING. */
  readonly transition: string;
  readonly metadata: string | null;
  readonly at: number;
}

/** An Auto Scaling group could not launch an instance. */
export interface LaunchUnsuccessfulEvent {
  readonly kind: 'launch-unsuccessful';
  readonly account: string;
  readonly region: string;
  readonly group: string;
  readonly activity: string;
  /** Availability Zone it was tried in; null: not said. */
  readonly zone: string | null;
  readonly subnet: string | null;
  readonly status: string;
  /** Why, in AWS's words: for want of capacity too. */
  readonly message: string;
  readonly cause: string;
  readonly at: number;
}

/** AWS Health tells of an event and of the resources it affects. */
export interface HealthEvent {
  readonly kind: 'health';
  /** Where it happens, which is not always where it was delivered. */
  readonly account: string;
  readonly region: string;
  readonly at: number;
  readonly arn: string;
  /** EC2, RDS... */
  readonly service: string;
  /** AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED... */
  readonly code: string;
  /** issue, accountNotification, scheduledChange, investigation. */
  readonly category: string;
  /** open, upcoming, closed; null: not said. */
  readonly status: string | null;
  readonly startsAt: number | null;
  readonly endsAt: number | null;
  readonly entities: readonly { readonly id: string; readonly status: string | null }[];
}

/** EBS has finished with a snapshot. */
export interface SnapshotEvent {
  readonly kind: 'snapshot';
  readonly account: string;
  readonly region: string;
  readonly at: number;
  /** createSnapshot, copySnapshot... */
  readonly event: string;
  /** succeeded, failed. */
  readonly result: string;
  readonly cause: string;
  readonly snapshotId: string;
  /** The volume (createSnapshot) or snapshot (copySnapshot) it was made from; null: not said. */
  readonly sourceId: string | null;
}

/** Tags of a resource have changed; what they are now is read. */
export interface TagChangeEvent {
  readonly kind: 'tag-change';
  readonly at: number;
  /** ARN. */
  readonly resource: string;
  /** Keys that were added, changed or removed. */
  readonly changed: readonly string[];
}

/** How a Run Command command fares on one instance. */
export interface CommandInvocationEvent {
  readonly kind: 'command-invocation';
  readonly account: string;
  readonly region: string;
  readonly at: number;
  readonly instanceId: string;
  readonly commandId: string;
  readonly document: string;
  /** Pending, InProgress, Delayed, Success, Cancelled, TimedOut, Failed, Cancelling. */
  readonly status: string;
}

export type ReflexEvent =
  | AlarmEvent
  | TickEvent
  | FollowUpEvent
  | NotificationEvent
  | ExplainEvent
  | TaskStateChangeEvent
  | ServiceActionEvent
  | SpotInterruptionEvent
  | RebalanceRecommendationEvent
  | InstanceStateChangeEvent
  | LifecycleActionEvent
  | LaunchUnsuccessfulEvent
  | HealthEvent
  | SnapshotEvent
  | CommandInvocationEvent
  | TagChangeEvent;

/** The three outcomes of parsing, never confused. */
export type Parsed =
  | { readonly kind: 'event'; readonly event: ReflexEvent }
  | { readonly kind: 'not-for-us'; readonly reason: string }
  | { readonly kind: 'broken'; readonly error: BrokenMessage };

/** Says which field is wrong, what was found and what is expected. Never carries the value of an unknown field. */
export class BrokenMessage extends Error {
  override readonly name = 'BrokenMessage';
  readonly field: string;
  constructor(field: string, expected: string, found?: string) {
    super(`${field}: expected ${expected}${found === undefined ? '' : `, found ${found}`}`);
    this.field = field;
  }
}
