import type { AwsRequest } from '../aws-endpoint.ts';
import { bucket } from './bucket.ts';
import { AwsError, account, type Input, region, type Service } from './service.ts';

export interface FakeTarget {
  readonly id: string;
  readonly port: number;
  state: string;
  /** When it was deregistered, epoch ms. */
  drainingSince?: number;
}

export interface FakeTargetGroup {
  readonly arn: string;
  /** The group's default port: a DeregisterTargets without a Port means this one. */
  readonly port: number;
  readonly protocol: string;
  readonly ipAddressType: 'ipv4' | 'ipv6';
  readonly delaySeconds: number;
  readonly targets: FakeTarget[];
}

interface TargetInput {
  readonly Id: string;
  readonly Port?: number;
}

export const targetGroupArn = (name: string): string =>
  `arn:aws:elasticloadbalancing:${region}:${account}:targetgroup/${name}/0123456789abcdef`;

/**
 * ELBv2 as it treats targets: found by id and port exactly, draining until the delay has passed, gone then. A Port left out is
 * the group's own. What is not registered is deregistered with success. An address of the wrong family fails the whole call.
 */
export const fakeElbv2 = (clock: () => number) => {
  const groups = new Map<string, FakeTargetGroup>();
  const registration = bucket(clock, 20, 4);
  const describe = bucket(clock, 40, 10);

  const group = (arn: string): FakeTargetGroup => {
    const found = groups.get(arn);
    if (found === undefined) throw new AwsError('TargetGroupNotFound', `Target groups '${arn}' not found`);
    const gone = ({ drainingSince = Number.POSITIVE_INFINITY }: FakeTarget) =>
      clock() - drainingSince >= found.delaySeconds * 1_000;
    for (const target of found.targets.filter(gone)) found.targets.splice(found.targets.indexOf(target), 1);
    return found;
  };

  const isOf = ({ id, port }: FakeTarget, { Id, Port }: TargetInput, { port: own }: FakeTargetGroup): boolean =>
    id === Id && port === (Port ?? own);

  const operations: Service['operations'] = {
    DeregisterTargets: ({ TargetGroupArn, Targets }: { TargetGroupArn: string; Targets: TargetInput[] }) => {
      registration();
      const found = group(TargetGroupArn);
      const stray = Targets.find(({ Id }) => Id.includes(':') !== (found.ipAddressType === 'ipv6'));
      if (stray !== undefined) {
        throw new AwsError(
          'InvalidTarget',
          `The IP address '${stray.Id}' is not a valid ${found.ipAddressType} address`,
        );
      }
      for (const target of found.targets) {
        if (target.state === 'draining' || !Targets.some((wanted) => isOf(target, wanted, found))) continue;
        target.state = 'draining';
        target.drainingSince = clock();
      }
      return {};
    },

    DescribeTargetHealth: ({ TargetGroupArn, Targets }: { TargetGroupArn: string; Targets?: TargetInput[] }) => {
      describe();
      const found = group(TargetGroupArn);
      const shown = found.targets.filter((target) => Targets?.some((wanted) => isOf(target, wanted, found)) ?? true);
      const unknown = (Targets ?? []).filter((wanted) => !found.targets.some((target) => isOf(target, wanted, found)));
      return {
        TargetHealthDescriptions: [
          ...shown.map(({ id, port, state }) => ({ Target: { Id: id, Port: port }, TargetHealth: { State: state } })),
          ...unknown.map((target) => ({
            Target: target,
            TargetHealth: { State: 'unused', Reason: 'Target.NotRegistered' },
          })),
        ],
      };
    },

    DescribeTargetGroups: ({ TargetGroupArns }: { TargetGroupArns: string[] }) => {
      describe();
      return {
        TargetGroups: TargetGroupArns.map(group).map(({ arn, port, protocol, ipAddressType }) => ({
          TargetGroupArn: arn,
          Port: port,
          Protocol: protocol,
          IpAddressType: ipAddressType,
          TargetType: 'ip',
        })),
      };
    },

    DescribeTargetGroupAttributes: ({ TargetGroupArn }: { TargetGroupArn: string }) => {
      describe();
      return {
        Attributes: [
          { Key: 'stickiness.enabled', Value: 'false' },
          { Key: 'deregistration_delay.timeout_seconds', Value: String(group(TargetGroupArn).delaySeconds) },
        ],
      };
    },
  };

  const service: Service = {
    name: 'elasticloadbalancing',
    xml: true,
    operations,
    route: ({ body }: AwsRequest) => {
      const { Action, ...input } = fromForm(body);
      return { operation: String(Action), input };
    },
  };

  return {
    service,
    groups,
    /** A target group; HTTP over IPv4 with a delay of 30 s unless said otherwise. */
    addGroup: (name: string, options: Partial<Omit<FakeTargetGroup, 'arn'>> = {}): FakeTargetGroup => {
      const made = {
        arn: targetGroupArn(name),
        port: 80,
        protocol: 'HTTP',
        ipAddressType: 'ipv4' as const,
        delaySeconds: 30,
        targets: [],
        ...options,
      };
      groups.set(made.arn, made);
      return made;
    },
    /** `id:port` of every target of the group in one of these states. */
    targetsIn: (arn: string, ...states: readonly string[]): string[] =>
      group(arn)
        .targets.filter(({ state }) => states.includes(state))
        .map(({ id, port }) => `${id}:${port}`),
  };
};

/** `Targets.member.1.Id=10.0.0.1` -> { Targets: [{ Id: '10.0.0.1' }] }; a Port is a number. */
export const fromForm = (body: string): Input => {
  const root: Record<string, unknown> = {};
  for (const [path, value] of new URLSearchParams(body)) {
    const steps = path.split('.').filter((step) => step !== 'member');
    let place: Record<string, unknown> | unknown[] = root;
    for (const [i, step] of steps.entries()) {
      const key = Array.isArray(place) ? Number(step) - 1 : step;
      const next = steps[i + 1];
      const inner: unknown =
        next === undefined ? (step === 'Port' ? Number(value) : value) : /^\d+$/.test(next) ? [] : {};
      const holder = place as Record<string | number, unknown>;
      holder[key] ??= inner;
      place = holder[key] as typeof place;
    }
  }
  return root;
};
