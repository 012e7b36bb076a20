import type { Deployment, Service } from '@aws-sdk/client-ecs';
import { scalableDimensions } from '../../../shared/aws/application-autoscaling.ts';
import { isErrorNamed } from '../../../shared/aws/client.ts';
import { clusterProviders, describeServices, servicesPerCall } from '../../../shared/aws/ecs.ts';
import { chunksOf } from '../../../shared/aws/pages.ts';
import { skip } from '../../../shared/decision.ts';
import type { Observed, Watch } from '../../../shared/function.ts';
import type { Reading } from '../../../shared/guards/guard.ts';
import { type Patience, patiently } from '../../../shared/patience.ts';
import { reading } from '../../../shared/reads.ts';
import { OPT_IN_TAG, SettingError } from '../../../shared/settings.ts';
import type { PairState, ServiceFacts, ServiceState } from './facts.ts';
import { type ServicePolicy, type StackPolicy, servicePolicy } from './policy.ts';

/** A throttled read is repeated for this long. */
const READ_FOR = 20_000;

/** A service by the two names DescribeServices asks for. */
interface Name {
  readonly clusterArn: string;
  readonly service: string;
}

type Tags = Readonly<Record<string, string>>;

/**
 * Reads the facts of services, all together: the services in tens by cluster, then what may stand in for those that have
 * opted in: their paired services, who else scales these, and the cluster's providers where a strategy is to be switched.
 */
export const observe =
  (stack: StackPolicy, patience: Patience) =>
  async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<ServiceFacts>>> => {
    const asOf = patience.clock();
    const ask = <T>(call: () => Promise<T>): Promise<Reading<T>> =>
      reading(() => patiently(patience, asOf + READ_FOR, call));

    const names = watches.map(({ resource }) => nameOf(resource));
    const services = await servicesOf(names, ask);
    const members = watches.map((watch, i) => {
      const shown = services.get(keyOf(names[i] ?? { clusterArn: '', service: '' }));
      const raw = shown !== undefined && 'value' in shown ? shown.value : undefined;
      const tags = raw === undefined ? {} : tagsOf(raw);
      return { watch, shown, raw, tags, policy: policyOf(stack, tags), clusterArn: names[i]?.clusterArn ?? '' };
    });
    const wanted = members.flatMap(({ clusterArn, policy }) => pairOf(clusterArn, policy));
    const clusters = members.flatMap(({ clusterArn, policy }) => (policy?.mode === 'strategy' ? [clusterArn] : []));
    const [pairs, scaled, providers] = await Promise.all([
      servicesOf(wanted, ask),
      ask(() => scalableDimensions('ecs', [...new Set(wanted.map(scalableId))])),
      ask(() => clusterProviders([...new Set(clusters)])),
    ]);

    return new Map(
      members.map(({ watch, shown, raw, tags, policy, clusterArn }): [string, Observed<ServiceFacts>] => {
        const { resource } = watch;
        if (shown !== undefined && 'error' in shown) return [resource, shown];
        if (raw === undefined) return [resource, GONE];
        const [pairName] = pairOf(clusterArn, policy);
        const pair = pairName && pairs.get(keyOf(pairName));
        const failed = [pair, pairName && scaled, policy?.mode === 'strategy' ? providers : undefined].find(isFailed);
        if (failed !== undefined) return [resource, failed];
        return [
          resource,
          {
            facts: {
              kind: 'service',
              asOf,
              tags,
              service: stateOf(raw),
              pair: pairName === undefined ? null : pairState(readIn(pair), readIn(scaled)?.has(scalableId(pairName))),
              toldAt: toldAt(watch),
              clusterProviders: policy?.mode === 'strategy' ? (readIn(providers)?.get(clusterArn) ?? []) : null,
            },
          },
        ];
      }),
    );
  };

const GONE: Observed<ServiceFacts> = {
  decision: skip('service-gone', 'ECS does not know the service.'),
};

const toldAt = ({ signals }: Watch): number | null =>
  signals
    .filter(({ trigger }) => trigger === 'event')
    .reduce<number | null>((latest, { at }) => Math.max(latest ?? at, at), null);

/** By `keyOf`; one that does not exist (nor may its cluster) is undefined, one whose call failed is an error. */
const servicesOf = async (
  names: readonly Name[],
  ask: <T>(call: () => Promise<T>) => Promise<Reading<T>>,
): Promise<ReadonlyMap<string, Reading<Service | undefined>>> => {
  const distinct = [...new Map(names.map((name) => [keyOf(name), name])).values()];
  const chunks = [...Map.groupBy(distinct, ({ clusterArn }) => clusterArn)].flatMap(([clusterArn, all]) =>
    chunksOf(all, servicesPerCall).map((some) => ({ clusterArn, some })),
  );
  const answers = await Promise.all(
    chunks.map(async ({ clusterArn, some }) => {
      const found = await ask(() =>
        describeServices(
          clusterArn,
          some.map(({ service }) => service),
        ),
      );
      return some.map((name): [string, Reading<Service | undefined>] => [
        keyOf(name),
        'value' in found
          ? { value: found.value.find(({ serviceName }) => serviceName === name.service) }
          : isErrorNamed(found.error, 'ClusterNotFoundException')
            ? { value: undefined }
            : found,
      ]);
    }),
  );
  return new Map(answers.flat());
};

/** `arn:...:service/<cluster>/<service>`. */
const nameOf = (arn: string): Name => {
  const [owner = '', path = ''] = arn.split(':service/');
  const [cluster = '', service = ''] = path.split('/');
  return { clusterArn: `${owner}:cluster/${cluster}`, service };
};

const keyOf = ({ clusterArn, service }: Name): string => `${clusterArn} ${service}`;
const scalableId = ({ clusterArn, service }: Name): string =>
  `service/${clusterArn.slice(clusterArn.lastIndexOf('/') + 1)}/${service}`;

/** undefined: nothing more is read, because the service has not opted in, or its tags are wrong and `decide` says so. */
const policyOf = (stack: StackPolicy, tags: Tags): ServicePolicy | undefined => {
  if (tags[OPT_IN_TAG] !== 'true') return undefined;
  try {
    return servicePolicy(stack, tags);
  } catch (error) {
    if (error instanceof SettingError) return undefined;
    throw error;
  }
};

/** One or none. A paired service is looked for in the cluster of its Spot service only. */
const pairOf = (clusterArn: string, policy: ServicePolicy | undefined): Name[] =>
  policy?.fallbackService == null ? [] : [{ clusterArn, service: policy.fallbackService }];

const isFailed = (answer: Reading<unknown> | undefined): answer is { readonly error: unknown } =>
  answer !== undefined && 'error' in answer;
const readIn = <T>(answer: Reading<T> | undefined): T | undefined =>
  answer !== undefined && 'value' in answer ? answer.value : undefined;

const tagsOf = ({ tags = [] }: Service): Tags =>
  Object.fromEntries(tags.map(({ key, value }) => [key ?? '', value ?? '']));

const pairState = (raw: Service | undefined, autoscaled = false): PairState | null =>
  raw === undefined ? null : { ...stateOf(raw), optedIn: tagsOf(raw)[OPT_IN_TAG] === 'true', autoscaled };

/** What ECS leaves out is what it documents as its default. */
const stateOf = (raw: Service): ServiceState => {
  const deployments = raw.deployments ?? [];
  const primary = deployments.find(({ status }) => status === 'PRIMARY');
  return {
    arn: raw.serviceArn ?? '',
    name: raw.serviceName ?? '',
    clusterArn: raw.clusterArn ?? '',
    status: raw.status ?? '',
    scheduling: raw.schedulingStrategy ?? 'REPLICA',
    controller: raw.deploymentController?.type ?? 'ECS',
    deploymentStrategy: raw.deploymentConfiguration?.strategy ?? 'ROLLING',
    minimumHealthyPercent: raw.deploymentConfiguration?.minimumHealthyPercent ?? 100,
    launchType: raw.launchType ?? null,
    strategy: (raw.capacityProviderStrategy ?? []).map(({ capacityProvider = '', base = 0, weight = 0 }) => ({
      capacityProvider,
      base,
      weight,
    })),
    desired: raw.desiredCount ?? 0,
    running: raw.runningCount ?? 0,
    pending: raw.pendingCount ?? 0,
    deployedAt: primary?.createdAt?.getTime() ?? null,
    deploying: isUnderWay(deployments, primary),
  };
};

/** Until a deployment is through, ECS shows it beside the one it replaces. */
const isUnderWay = (deployments: readonly Deployment[], primary: Deployment | undefined): boolean =>
  deployments.length > 1 || primary?.rolloutState === 'IN_PROGRESS';
