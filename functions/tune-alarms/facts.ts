import type { CommonFacts, Situation } from '../../shared/function.ts';
import type { JsonObject } from '../../shared/json.ts';

export interface StreamSubject {
  readonly kind: 'stream';
  readonly name: string;
  /** CREATING, ACTIVE, UPDATING, DELETING, or what AWS adds one day. */
  readonly status: string;
  /** PROVISIONED, ON_DEMAND, or what AWS adds one day. */
  readonly mode: string;
  readonly openShards: number;
}

export interface GroupSubject {
  readonly kind: 'replication-group';
  readonly id: string;
  /** available, creating, modifying, snapshotting, deleting, or what AWS adds one day. */
  readonly status: string;
  readonly nodeType: string;
  /** null: neither the table nor EC2 knows the node type. */
  readonly vcpus: number | null;
  /** Ids of its nodes' cache clusters. */
  readonly nodes: readonly string[];
}

/** What is watched; `gone`: AWS does not know it any more. */
export type Subject = StreamSubject | GroupSubject | { readonly kind: 'gone' };

/** A row of a metric-math alarm. */
export type MetricRow = JsonObject & { readonly Id: string; readonly Expression?: string };

/** An alarm as PutMetricAlarm would make it again: all of its parameters but the tags. */
export type AlarmSettings = JsonObject & {
  readonly AlarmName: string;
  readonly MetricName?: string;
  readonly Threshold?: number;
  readonly Metrics?: readonly MetricRow[];
};

/** An alarm that exists: one of Reflex's for this resource, or whichever has the name of one. */
export interface PresentAlarm {
  readonly tags: Readonly<Record<string, string>>;
  readonly settings: AlarmSettings;
}

/**
 * `tags`: those of the resource. Where it has no opt-in any more and there are alarms of Reflex's left, those of such an alarm: it is
 * then the alarms alone that are changed, and they carry an opt-in of their own.
 */
export interface AlarmFacts extends CommonFacts {
  readonly arn: string;
  readonly subject: Subject;
  /** Whether the resource should have alarms. */
  readonly wanted: boolean;
  readonly alarms: readonly PresentAlarm[];
}

/** What this function asks the ledger to remember of a resource. */
export type Memory = {
  /** By alarm name: the threshold that settings and node type called for when the alarm was last right. */
  readonly thresholds?: Readonly<Record<string, number>>;
  /** More calls than one act makes are needed: the next act goes on. */
  readonly more?: boolean;
};

export type AlarmSituation = Situation<AlarmFacts>;
