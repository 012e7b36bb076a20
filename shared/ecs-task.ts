import type { Task } from '@aws-sdk/client-ecs';

/**
 * An ECS task as events and DescribeTasks both tell of it. Statuses and codes are AWS's own, open: an unknown one is no
 * Spot interruption and no state to act in.
 */
export interface EcsTask {
  /** Long form, with the cluster's name. */
  readonly arn: string;
  readonly clusterArn: string;
  /** `service:<name>`, `family:<family>`, or the words of whoever ran it; null: not said. */
  readonly group: string | null;
  /** A service's deployment or task set (`ecs-svc/<id>`), or the words of whoever ran it. */
  readonly startedBy: string | null;
  readonly taskDefinitionArn: string;
  readonly launchType: string | null;
  /** null where the task was started by launch type. */
  readonly capacityProviderName: string | null;
  readonly lastStatus: string;
  readonly desiredStatus: string;
  readonly stopCode: string | null;
  readonly stoppedReason: string | null;
  /** Epoch ms; null: not stopping, or not said. */
  readonly stoppingAt: number | null;
  /** Grows with every change; the higher one is the later one. Events come in any order. */
  readonly version: number;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** Status of the attachments `elb`: DELETED says that ECS has deregistered the task itself. null: none is listed. */
  readonly elbStatus: string | null;
}

/** What an event and an API answer share. Both leave out what does not apply. */
export interface TaskParts {
  readonly taskArn: string;
  readonly clusterArn: string;
  readonly attachments: readonly AttachmentParts[];
  readonly containers: readonly {
    readonly networkInterfaces?: readonly AddressParts[] | null | undefined;
  }[];
}

interface AttachmentParts {
  readonly type?: string | null | undefined;
  readonly status?: string | null | undefined;
  /** A value is a text in what is read here; Service Connect's may be anything. */
  readonly details?: readonly { readonly name?: unknown; readonly value?: unknown }[] | null | undefined;
}

interface AddressParts {
  readonly privateIpv4Address?: string | null | undefined;
  readonly ipv6Address?: string | null | undefined;
}

/** `task/<cluster>/<id>` from either form of a task's ARN; the short one has no cluster. */
export const taskIdOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

/** ARN of the cluster of a task, from its ARN in the long form. A name alone may be another account's, or another Region's. */
export const clusterArnOf = (taskArn: string): string => taskArn.replace(/:task\/([^/]+)\/.*$/, ':cluster/$1');

/** The service a task belongs to; null: a standalone task. */
export const serviceNameOf = ({ group }: Pick<EcsTask, 'group'>): string | null =>
  group?.startsWith('service:') ? group.slice('service:'.length) : null;

/** The fields that neither source says plainly. An attachment's place in the list means nothing: the order varies. */
export const derived = ({
  taskArn,
  clusterArn,
  attachments,
  containers,
}: TaskParts): Pick<EcsTask, 'arn' | 'ipv4' | 'ipv6' | 'elbStatus'> => {
  const networks = attachments.filter(({ type }) => isNetworkInterface(type));
  const details = networks.flatMap((attachment) => attachment.details ?? []);
  const interfaces = containers.flatMap(({ networkInterfaces }) => networkInterfaces ?? []);
  const detail = (wanted: string) => details.filter(({ name }) => name === wanted).map(({ value }) => value);
  return {
    arn: longArn(taskArn, clusterArn),
    ipv4: texts([...detail('privateIPv4Address'), ...interfaces.map(({ privateIpv4Address }) => privateIpv4Address)]),
    // No source shows what the attachment calls it; the containers' own interfaces have it.
    ipv6: texts(interfaces.map(({ ipv6Address }) => ipv6Address)),
    elbStatus: balancerStatus(attachments),
  };
};

/** Where there are several, one that is not DELETED speaks for all: ECS is not through with it. */
const balancerStatus = (attachments: readonly AttachmentParts[]): string | null => {
  const statuses = attachments
    .filter(({ type }) => type?.toLowerCase() === 'elb')
    .flatMap(({ status }) => status ?? []);
  return statuses.find((status) => status !== 'DELETED') ?? statuses[0] ?? null;
};

/** Events say `eni`, DescribeTasks says `ElasticNetworkInterface`. */
const isNetworkInterface = (type: string | null | undefined): boolean =>
  ['eni', 'elasticnetworkinterface'].includes(type?.toLowerCase() ?? '');

const texts = (values: readonly unknown[]): string[] => [
  ...new Set(values.filter((value) => typeof value === 'string').filter((value) => value !== '')),
];

const longArn = (taskArn: string, clusterArn: string): string => {
  const cluster = clusterArn.slice(clusterArn.lastIndexOf('/') + 1);
  return `${taskArn.slice(0, taskArn.indexOf(':task/'))}:task/${cluster}/${taskIdOf(taskArn)}`;
};

const INTERRUPTED_CODES = ['SpotInterruption', 'TerminationNotice'];
const INTERRUPTED_REASON = 'Your Spot Task was interrupted';

/**
 * Fargate takes the task's Spot capacity back: SIGKILL comes two minutes after `stoppingAt`. `SpotInterruption` is what AWS
 * sends today, `TerminationNotice` what it documented before, and in between it sent no code but the reason.
 */
export const isSpotInterruption = (task: EcsTask): boolean =>
  task.desiredStatus === 'STOPPED' &&
  task.launchType === 'FARGATE' &&
  (task.capacityProviderName ?? 'FARGATE_SPOT') === 'FARGATE_SPOT' &&
  (task.stopCode
    ? INTERRUPTED_CODES.includes(task.stopCode)
    : (task.stoppedReason ?? '').startsWith(INTERRUPTED_REASON));

/** The later of two readings of one task. What only the earlier one knows (group, addresses, the `elb` attachment) is kept. */
export const later = (a: EcsTask, b: EcsTask): EcsTask => {
  const [old, now] = a.version > b.version ? [b, a] : [a, b];
  return {
    ...now,
    group: now.group ?? old.group,
    stoppingAt: now.stoppingAt ?? old.stoppingAt,
    ipv4: now.ipv4.length > 0 ? now.ipv4 : old.ipv4,
    ipv6: now.ipv6.length > 0 ? now.ipv6 : old.ipv6,
    elbStatus: now.elbStatus ?? old.elbStatus,
  };
};

/** A task as DescribeTasks shows it. */
export const taskFromApi = (task: Task): EcsTask => ({
  ...derived({
    taskArn: task.taskArn ?? '',
    clusterArn: task.clusterArn ?? '',
    attachments: task.attachments ?? [],
    containers: task.containers ?? [],
  }),
  clusterArn: task.clusterArn ?? '',
  group: task.group ?? null,
  startedBy: task.startedBy ?? null,
  taskDefinitionArn: task.taskDefinitionArn ?? '',
  launchType: task.launchType ?? null,
  capacityProviderName: task.capacityProviderName ?? null,
  lastStatus: task.lastStatus ?? '',
  desiredStatus: task.desiredStatus ?? '',
  stopCode: task.stopCode ?? null,
  stoppedReason: task.stoppedReason ?? null,
  stoppingAt: task.stoppingAt?.getTime() ?? null,
  version: task.version ?? 0,
});
