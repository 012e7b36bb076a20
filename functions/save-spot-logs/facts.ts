import type { CommonFacts, Situation } from '../../shared/function.ts';

/** What an event says is about to happen to an instance. Times are epoch ms. */
export type Notice =
  | { readonly kind: 'interruption'; readonly action: string; readonly at: number }
  | { readonly kind: 'rebalance'; readonly at: number }
  | {
      readonly kind: 'lifecycle';
      readonly group: string;
      readonly hook: string;
      readonly token: string;
      readonly at: number;
    }
  | { readonly kind: 'scheduled-change'; readonly code: string; readonly startsAt: number; readonly at: number };

/** A fact that is read for its own sake: where that fails, the others stand. */
export type Known<T> = { readonly value: T } | { readonly unknown: string };

/** One EBS volume of the instance. */
export type Device = {
  /** As EC2 names it: /dev/xvdf. */
  readonly name: string;
  readonly volume: string;
  readonly root: boolean;
  readonly deleteOnTermination: boolean;
};

export interface Group {
  readonly name: string;
  /** Of this instance: InService, Terminating:Wait... null: it is not in the group (any more). */
  readonly lifecycleState: string | null;
  readonly capacityRebalance: boolean;
  /** Seconds after which a hook gives up without a heartbeat, by hook. */
  readonly heartbeatTimeouts: Readonly<Record<string, number>>;
}

export interface HostTask {
  readonly arn: string;
  readonly standalone: boolean;
  /** False where it is told to stop already. */
  readonly wanted: boolean;
}

export interface Container {
  readonly cluster: string;
  readonly arn: string;
  /** ACTIVE, DRAINING, REGISTERING, or what AWS adds one day. */
  readonly status: string;
  /** What is not STOPPED yet. */
  readonly tasks: Known<readonly HostTask[]>;
}

/** The instance as a target, once for every port it is registered with. */
export interface Registration {
  readonly targetGroupArn: string;
  readonly ports: readonly number[];
}

/** Of a command, by its status. */
export const isUnderWay = (status: string): boolean =>
  ['Pending', 'InProgress', 'Delayed', 'Cancelling'].includes(status);

/** What a second look adds to the instance itself. */
export interface Host {
  /** Tags of its volumes, by volume id. */
  readonly volumes: Known<Readonly<Record<string, Readonly<Record<string, string>>>>>;
  readonly group: Known<Group | null>;
  readonly container: Known<Container | null>;
  /** Where it still takes traffic. */
  readonly targets: Known<readonly Registration[]>;
  /** Classic load balancers it is registered with. */
  readonly balancers: Known<readonly string[]>;
  /** Status of our command on it, and when it was sent; null: none was. Of several the newest, and one under way before those that ended. */
  readonly command: Known<{ readonly status: string; readonly at: number } | null>;
}

export interface InstanceFacts extends CommonFacts {
  readonly arn: string;
  readonly instanceId: string;
  /** pending, running, shutting-down, stopping, stopped, or what AWS adds one day. */
  readonly state: string;
  readonly type: string;
  readonly zone: string;
  readonly spot: boolean;
  readonly devices: readonly Device[];
  readonly notices: readonly Notice[];
  /** null: not read, because the volumes come first. */
  readonly host: Host | null;
}

export type Hook = { readonly group: string; readonly hook: string; readonly token: string; readonly at: number };

/** What this function asks the ledger to remember of an instance. */
export type Memory = {
  readonly interruption?: { readonly action: string; readonly at: number };
  readonly rebalanceAt?: number;
  readonly change?: { readonly code: string; readonly startsAt: number };
  /** Lifecycle actions that wait for us. */
  readonly hooks?: readonly Hook[];
  /** State the volumes were tagged with. */
  readonly tagged?: 'armed' | 'pending';
  /** When a command was last sent, by what it is for. */
  readonly commands?: Readonly<Partial<Record<'pre-copy' | 'interruption', number>>>;
  /** Acts that tried to keep a volume, since the last notice. */
  readonly tries?: number;
  /** Commands that were sent, since the last notice. */
  readonly sends?: number;
  readonly heartbeatAt?: number;
  /** Log devices that were not kept, or not tagged, when last seen after a try. */
  readonly unsafe?: readonly Device[];
  /** The instance outlived its interruption. */
  readonly outlived?: true;
};

/** Everything `decide` looks at; `ledger.remembered` is this function's Memory. */
export type InstanceSituation = Situation<InstanceFacts>;
