import { type Act, type Call, type Defer, defer } from '../../../shared/decision.ts';
import type { Memory, ServiceSituation, ServiceState, Strategy } from './facts.ts';
import type { ServicePolicy } from './policy.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** While anything stands in, the service is looked at this often: Spot is back only where it is so at every look. */
export const LOOK = MINUTE;
/** After this long it is looked at less often, and told of once a day. */
const LONG = 12 * HOUR;
const LOOK_SELDOM = 5 * MINUTE;
/** The ECS API is eventually consistent: for this long after a change it may show what was before. */
export const CAUGHT_UP = 30_000;
/** An end and a new beginning within this time are one Spot shortage that comes and goes. */
const RE_ENTRY = 6 * HOUR;
/** Spot has all its tasks for this long before anything is taken back; twice as long at each re-entry. */
const COOL_DOWN = 10 * MINUTE;
const COOL_DOWN_AT_MOST = 4 * HOUR;

export type UpdateParams = {
  readonly cluster: string;
  readonly service: string;
  readonly desiredCount?: number;
  readonly capacityProviderStrategy?: { capacityProvider: string; base: number; weight: number }[];
  readonly forceNewDeployment?: true;
};
export type ServiceCall = Call<'UpdateService', UpdateParams>;

/** What every rule looks at: the facts, and what follows from them. */
export interface View {
  readonly facts: ServiceSituation;
  readonly service: ServiceState;
  readonly policy: ServicePolicy;
  readonly now: number;
  readonly memory: Memory;
  /** An event woke us: ECS has found no Spot capacity a moment ago. */
  readonly told: boolean;
}

/** ms of unbroken health before capacity is taken back, after so many re-entries. */
export const coolDown = (level: number): number => Math.min(COOL_DOWN * 2 ** level, COOL_DOWN_AT_MOST);

/** The count of re-entries that a stand-in begins with. */
export const levelAtEntry = ({ endedAt, level = 0 }: Memory, now: number): number =>
  endedAt !== undefined && now - endedAt < RE_ENTRY ? level + 1 : 0;

/** As many tasks run as are desired. */
export const isWhole = ({ running, desired }: ServiceState): boolean => running >= desired;

/** Since when the service has been whole, at every look, and no placement has failed. */
export const wholeSince = (
  { service, told, now }: View,
  before: number | undefined,
): { readonly wholeSince?: number } => {
  if (!isWhole(service)) return {};
  return { wholeSince: told ? now : (before ?? now) };
};

/** Since when tasks of a service have been lacking, at every look. */
export const shortSince = (
  service: ServiceState,
  before: number | undefined,
  now: number,
): { readonly shortSince?: number } => (isWhole(service) ? {} : { shortSince: before ?? now });

/** How to see why ECS does not start tasks. */
export const commandToSeeWhy = ({ clusterArn, name }: ServiceState): string =>
  `aws ecs describe-services --cluster ${clusterArn} --services ${name} --query 'services[0].events[:5]'`;

/** A provider of weight 0 beside others places no task. */
export const usesSpot = (strategy: Strategy): boolean =>
  strategy.some(
    ({ capacityProvider, base, weight }) =>
      capacityProvider === 'FARGATE_SPOT' && (strategy.length === 1 || base + weight > 0),
  );

/** When to look again, and whether people are told that it lasts. */
export const nextLook = (since: number, now: number): { readonly until: number; readonly lasting: boolean } => {
  const lasting = now - since >= LONG;
  return { until: now + (lasting ? LOOK_SELDOM : LOOK), lasting };
};

/** `8 of 10 tasks run`, and how many are starting. */
export const countOf = ({ running, desired, pending }: ServiceState): string =>
  `${running} of ${desired} tasks run${pending > 0 ? `, ${pending} are starting` : ''}`;

export const minutes = (ms: number): string => `${Math.round(ms / MINUTE)} min`;

/** An act that nothing delays: no cool-down, no budget. */
export const update = (
  reason: Act['reason'],
  why: string,
  params: UpdateParams,
  remember: Memory,
  more: Partial<Pick<Act, 'coolDownMs' | 'planned'>> & { readonly otherwise?: Memory } = {},
): Act<ServiceCall> => ({
  kind: 'act',
  reason,
  why,
  calls: [{ call: 'UpdateService', params }],
  coolDownMs: 0,
  followUpMs: LOOK,
  planned: true,
  ...more,
  remember,
});

/** As a `defer` of any function, and whether people are told that it lasts. */
export const putOff = (
  reason: Defer['reason'],
  { until, lasting = false }: { readonly until: number; readonly lasting?: boolean },
  why: string,
  remember?: Memory,
): Defer => ({ ...defer(reason, until, why, remember), ...(lasting && { lasting }) });
