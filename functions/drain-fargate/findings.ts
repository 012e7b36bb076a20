import { nameOf } from '../../shared/words.ts';
import type { TaskFacts } from './facts.ts';

export interface Finding {
  readonly code: string;
  /** What is the case, and what to do about it. */
  readonly text: string;
}

/** With less between SIGTERM and SIGKILL the task dies before its load balancer has let go of it. Seconds. */
const STOP_TIMEOUT_AT_LEAST = 60;
/** The task is killed 120 s after the notice: connections that drain for longer are cut. Seconds. */
const DELAY_BELOW = 120;
/** Protocols of a Network Load Balancer's target groups. */
const NLB = ['TCP', 'TLS', 'UDP', 'TCP_UDP', 'QUIC', 'TCP_QUIC'];

/** What of a service's set-up makes interruptions hurt, whatever is done when one comes. Only what was read is found. */
export const findings = ({ service, stopTimeout, targetGroups }: TaskFacts): Finding[] => {
  const groups = Object.entries(targetGroups);
  const slow = groups.filter(([, { deregistrationDelay }]) => (deregistrationDelay ?? 0) >= DELAY_BELOW);
  const network = groups.filter(([, { protocol }]) => NLB.includes(protocol ?? ''));
  const found: (Finding | false)[] = [
    stopTimeout !== null &&
      stopTimeout < STOP_TIMEOUT_AT_LEAST && {
        code: 'short-stop-timeout',
        text: `stopTimeout is ${stopTimeout} s, so SIGKILL cuts off requests soon after SIGTERM (set it to 120)`,
      },
    slow.length > 0 && {
      code: 'long-deregistration-delay',
      text: `the deregistration delay of ${named(slow)} is ${slow.map(([, group]) => group.deregistrationDelay).join(' and ')} s, longer than the task lives (set it to 90 or less)`,
    },
    network.length > 0 && {
      code: 'nlb-propagation',
      text: `${named(network)} belongs to a Network Load Balancer, which may send new connections for up to 120 s after deregistration (let the task serve until SIGKILL)`,
    },
    service.desiredCount === 1 && {
      code: 'single-task',
      text: 'the service has one task, and none until another runs (set desiredCount to 2)',
    },
    service.capacityProviders?.every((provider) => provider === 'FARGATE_SPOT') === true && {
      code: 'spot-only',
      text: 'the capacity provider strategy has FARGATE_SPOT alone, so nothing replaces the task while there is no Spot capacity (add FARGATE)',
    },
  ];
  return found.filter((finding) => finding !== false);
};

const named = (groups: readonly (readonly [string, unknown])[]): string =>
  groups.map(([arn]) => groupName(arn)).join(' and ');

/** `arn:...:targetgroup/<name>/<id>` -> name. */
export const groupName = (arn: string): string => arn.split('/')[1] ?? nameOf(arn);
