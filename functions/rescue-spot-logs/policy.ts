import { fromEnv, fromTags, type Kind, oneOf, orWord, type Values, wholeNumber } from '../../shared/settings.ts';
import { WORK_ITEM_TAGS } from '../../shared/spot-logs.ts';

/** Settings of this function; the tag on the volume wins over the stack's value. See docs/configuration.md. */
export const settings = {
  /** Days after which people are told again, daily, of a volume whose logs are not proven. It deletes nothing and delays nothing. */
  keepLogVolumesDays: { env: 'KEEP_LOG_VOLUMES_DAYS', fallback: '7', kind: wholeNumber(1, 365) },
} as const;

type Settings = Values<typeof settings>;

const plain = (pattern: RegExp, expected: string): Kind<string> => ({
  expected,
  parse: (text) => (pattern.test(text) ? text : undefined),
});

const idsOf = (pattern: RegExp, what: string): Kind<readonly string[]> => ({
  expected: `${what}, separated by commas or spaces`,
  parse: (text) => {
    const ids = text.trim().split(/[\s,]+/);
    return ids.every((id) => pattern.test(id)) ? ids : undefined;
  },
});

/** What is the stack's alone. */
const stackSettings = {
  bucket: {
    env: 'LOG_BUCKET',
    fallback: '',
    kind: plain(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of an S3 bucket'),
  },
  cluster: {
    env: 'RESCUE_CLUSTER',
    fallback: '',
    kind: plain(/^arn:[^:]+:ecs:[a-z0-9-]+:\d{12}:cluster\/\S+$/, 'the ARN of an ECS cluster'),
  },
  /** Its account and Region are those of the volumes. */
  taskDefinition: {
    env: 'RESCUE_TASK_DEFINITION',
    fallback: '',
    kind: plain(
      /^arn:[^:]+:ecs:[a-z0-9-]+:\d{12}:task-definition\/[A-Za-z0-9_-]+:\d+$/,
      'the ARN of a task definition with its revision',
    ),
  },
  /** Lets ECS make a volume from the snapshot and attach it. */
  infrastructureRole: {
    env: 'RESCUE_INFRASTRUCTURE_ROLE',
    fallback: '',
    kind: plain(/^arn:[^:]+:iam::\d{12}:role\/\S+$/, 'the ARN of an IAM role'),
  },
  /** null: no task can run, and people are told. */
  subnets: {
    env: 'RESCUE_SUBNET_IDS',
    fallback: 'none',
    kind: orWord('none', idsOf(/^subnet-[0-9a-f]+$/, 'subnet ids')),
  },
  /** null: the default one of the subnets' VPC. */
  securityGroups: {
    env: 'RESCUE_SECURITY_GROUP_IDS',
    fallback: 'none',
    kind: orWord('none', idsOf(/^sg-[0-9a-f]+$/, 'security group ids')),
  },
  /** ENABLED in public subnets without a NAT gateway: the task has to reach S3 and its image. */
  publicIp: { env: 'RESCUE_PUBLIC_IP', fallback: 'DISABLED', kind: oneOf('DISABLED', 'ENABLED') },
} as const;

export type Stack = Values<typeof stackSettings>;
export type Policy = Settings & Stack;

/** Tags of the instance that a launch template also puts on its volumes. */
const ALSO_KNOWN = [
  'log-devices',
  'log-paths',
  'on-rebalance',
  'stop-standalone-tasks',
  'target-groups',
  'fallback-mode',
  'fallback-max',
].map((name) => `reflex:${name}`);

/** @throws SettingError naming the variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): Policy => ({
  ...fromEnv(stackSettings, env),
  ...fromEnv(settings, env),
});

/** @throws SettingError for a tag that is unknown or malformed. */
export const volumePolicy = (stack: Policy, tags: Readonly<Record<string, string>>): Policy => ({
  ...stack,
  ...fromTags(settings, stack, tags, [...WORK_ITEM_TAGS, ...ALSO_KNOWN]),
});
