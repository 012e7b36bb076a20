import type { CommonFacts, Situation } from '../../../shared/function.ts';

/** One row of a capacity provider strategy, complete: ECS takes a base and a weight that are left out for 0. */
export type StrategyRow = {
  readonly capacityProvider: string;
  readonly base: number;
  readonly weight: number;
};
/** Empty: the service runs by launch type. */
export type Strategy = readonly StrategyRow[];

/** An ECS service as DescribeServices shows it. Statuses and types are AWS's own, open. */
export interface ServiceState {
  readonly arn: string;
  readonly name: string;
  readonly clusterArn: string;
  /** ACTIVE, DRAINING, INACTIVE. */
  readonly status: string;
  /** REPLICA, DAEMON. */
  readonly scheduling: string;
  /** ECS, CODE_DEPLOY, EXTERNAL. */
  readonly controller: string;
  /** ROLLING, BLUE_GREEN, LINEAR, CANARY. */
  readonly deploymentStrategy: string;
  /** Percent of the desired tasks that a deployment leaves running. */
  readonly minimumHealthyPercent: number;
  readonly launchType: string | null;
  readonly strategy: Strategy;
  readonly desired: number;
  readonly running: number;
  readonly pending: number;
  /** When the newest deployment began, epoch ms; null: not said. */
  readonly deployedAt: number | null;
  readonly deploying: boolean;
}

/** The on-demand service that may stand in for a Spot service. */
export interface PairState extends ServiceState {
  readonly optedIn: boolean;
  /** Application Auto Scaling sets its desired count. */
  readonly autoscaled: boolean;
}

export interface ServiceFacts extends CommonFacts {
  readonly kind: 'service';
  readonly service: ServiceState;
  /** null: none is named, or it is not there. */
  readonly pair: PairState | null;
  /** The time of the newest event that told of a placement failure, epoch ms; null: none woke us. */
  readonly toldAt: number | null;
  /** Capacity providers of the cluster; null: not read, only a strategy switch needs them. */
  readonly clusterProviders: readonly string[] | null;
}

/** The paired service runs more tasks than its own. */
export type PairedStandIn = {
  readonly mode: 'paired';
  /** Name of the paired service. */
  readonly pair: string;
  /** Epoch ms. */
  readonly since: number;
  /** Desired count of the pair before Reflex touched it. */
  readonly original: number;
  /** The desired count Reflex set last. */
  readonly wrote: number;
  /** What it was before that, until ECS is seen to have taken the new one. */
  readonly previous?: number;
  /** Tasks that the load needed at the beginning. */
  readonly need: number;
  /** Since when the Spot service has been set to fewer than these, epoch ms. */
  readonly lowSince?: number;
  /** Since when the Spot service has all its tasks, epoch ms. */
  readonly wholeSince?: number;
  /** Since when on-demand tasks have been lacking, at every look, epoch ms. */
  readonly shortSince?: number;
  /** A step down was made since the last step up. */
  readonly stepped?: boolean;
};

/** The service itself runs by another capacity provider strategy. */
export type SwitchedStandIn = {
  readonly mode: 'strategy';
  readonly since: number;
  /** As it was, in its order. */
  readonly original: Strategy;
  readonly standIn: Strategy;
  /** The original was set again, and it is not certain yet that Spot has the capacity. */
  readonly probing: boolean;
  /** ECS is not seen yet to have taken the last change. */
  readonly unverified?: boolean;
  /** When Reflex forced the last deployment, epoch ms. */
  readonly rolledAt: number;
  /** When the probe was seen to fail, epoch ms. */
  readonly failedAt?: number;
  readonly wholeSince?: number;
  readonly shortSince?: number;
};

/** What this part asks the ledger to remember of a service. */
export type Memory = {
  /** Counts the changes of what stands in: of two memories the one with more is the later. */
  readonly turn?: number;
  readonly standIn?: PairedStandIn | SwitchedStandIn;
  /** How often in a row Spot capacity came back and went again: each doubles the patience. */
  readonly level?: number;
  /** When the last stand-in ended, epoch ms. */
  readonly endedAt?: number;
  /** Somebody else changed what Reflex had set, epoch ms: it keeps out until the shortage is over. */
  readonly released?: number;
};

export type ServiceSituation = Situation<ServiceFacts>;

/** What is remembered of a change, beside its outcome. */
export const turned = ({ turn = 0 }: Memory): { readonly turn: number } => ({ turn: turn + 1 });

/**
 * One memory of two that invocations at the same time would have: the later one. Of two changes the one that made something
 * stand in, because that has to be taken back; of two looks the one that is less sure of Spot.
 */
export const joined = (a: Memory, b: Memory): Memory => {
  const [x, y] = [rank(a), rank(b)];
  const i = x.findIndex((value, at) => value !== y[at]);
  return (x[i] ?? 0) < (y[i] ?? 0) ? b : a;
};

const rank = ({ turn = 0, standIn }: Memory): readonly number[] => [
  turn,
  standIn === undefined ? 0 : 1,
  standIn?.wholeSince ?? Number.POSITIVE_INFINITY,
];
