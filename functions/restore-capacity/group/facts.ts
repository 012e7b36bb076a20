import type { CommonFacts, Situation } from '../../../shared/function.ts';

/** One thing an event tells of a group's Spot pools. `pool` as of `poolOf`; `at` is the event's own time, epoch ms. */
export type News =
  | { readonly kind: 'interruption'; readonly id: string; readonly pool: string; readonly at: number }
  | { readonly kind: 'launch-failure'; readonly id: string; readonly pool: string; readonly at: number };

/** An Auto Scaling group as DescribeAutoScalingGroups shows it. Sizes are in the group's own units: instances, or their weights. */
export interface GroupFacts extends CommonFacts {
  readonly kind: 'group';
  readonly arn: string;
  readonly name: string;
  readonly deleting: boolean;
  readonly max: number;
  readonly desired: number;
  /** What is in service or on its way. */
  readonly present: number;
  /** units, vcpu, memory-mib. */
  readonly desiredType: string;
  /** How purchases are distributed; null: the group has no mixed instances policy. */
  readonly distribution: {
    readonly base: number;
    readonly percentageAboveBase: number;
    /** Distribution segments take the base's place; setting a base would remove them. */
    readonly segments: boolean;
  } | null;
  /** Its own launch template, where it has no mixed instances policy. */
  readonly launchTemplate: { readonly id: string; readonly version: string } | null;
  /** Instances by pool, whatever they were bought as: the group does not tell. */
  readonly pools: Readonly<Record<string, number>>;
  /** Units an instance of a type counts for; a type that is absent counts for 1. */
  readonly weights: Readonly<Record<string, number>>;
  readonly news: readonly News[];
}

/** Everything `decide` looks at; `ledger.remembered` is this part's Memory. */
export type GroupSituation = Situation<GroupFacts>;

/** Where a launch failed for every type that was tried. */
export const ANY_TYPE = '*';

/** What EC2 takes back together: instances of one type in one Availability Zone. */
export const poolOf = (type: string, zone: string): string => `${type} ${zone}`;
export const typeIn = (pool: string): string => pool.split(' ')[0] ?? '';
export const zoneIn = (pool: string): string => pool.split(' ')[1] ?? '';

const NAME = 'autoScalingGroupName/';
/** The name in a group's ARN, `...:autoScalingGroup:<uuid>:autoScalingGroupName/<name>`; it may hold slashes. */
export const groupNameIn = (arn: string): string => arn.slice(arn.indexOf(NAME) + NAME.length);
