import { fromEnv, fromTags, type Kind, oneOf, type Values } from '../../shared/settings.ts';
import { FILESYSTEMS } from '../../shared/spot-logs.ts';

/** Texts separated by spaces (commas are not legal in every service's tag values), or `none`. */
const listOf = (pattern: RegExp, what: string): Kind<readonly string[]> => ({
  expected: `${what}, separated by spaces, or none`,
  parse: (text) => {
    const items = text === 'none' ? [] : text.trim().split(/\s+/);
    return items.every((item) => pattern.test(item)) ? items : undefined;
  },
});

const yesOrNo: Kind<boolean> = {
  expected: 'true or false',
  parse: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
};

const targetGroupArns = listOf(
  /^arn:[^:\s]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup\/\S+$/,
  'ARNs of target groups',
);

/** Settings of this function; the tag on the instance wins over the stack's value. See docs/configuration.md. */
export const settings = {
  /** Devices that hold logs, as EC2 names them; `all`: every one but the root; `root`: the root device as well. */
  logDevices: {
    env: 'LOG_DEVICES',
    fallback: '/dev/xvdf',
    kind: listOf(/^(\/dev\/[a-z0-9]+|all|root)$/, 'device names, all, root'),
  },
  /** Directories the host ships; the script takes no other characters. */
  logPaths: { env: 'LOG_PATHS', fallback: '/var/log', kind: listOf(/^\/[A-Za-z0-9._/-]*$/, 'absolute paths') },
  /** What the volumes are mounted as where the host does not say. */
  filesystem: { env: 'LOG_FILESYSTEM', fallback: 'xfs', kind: oneOf(...FILESYSTEMS) },
  /** On a rebalance recommendation: copy the logs, or also drain. Of two recommendations hardly one is followed by an interruption. */
  onRebalance: { env: 'ON_REBALANCE', fallback: 'copy', kind: oneOf('copy', 'drain') },
  /** Stop the standalone ECS tasks of a host that is drained; ECS itself only moves services. */
  stopStandaloneTasks: { env: 'STOP_STANDALONE_TASKS', fallback: 'false', kind: yesOrNo },
  /** Target groups that hold the instance without its Auto Scaling group knowing of it. */
  targetGroups: { env: 'TARGET_GROUPS', fallback: 'none', kind: targetGroupArns },
} as const;

type Settings = Values<typeof settings>;

const plain = (pattern: RegExp, expected: string): Kind<string> => ({
  expected,
  parse: (text) => (pattern.test(text) ? text : undefined),
});

/** What is the stack's alone. */
const stackSettings = {
  bucket: {
    env: 'LOG_BUCKET',
    fallback: '',
    kind: plain(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of an S3 bucket'),
  },
  prefix: { env: 'LOG_PREFIX', fallback: 'spot-logs', kind: plain(/^[A-Za-z0-9._/-]*[A-Za-z0-9]$/, 'a key prefix') },
  /** The SSM document of documents/ship-logs. */
  document: {
    env: 'SHIP_LOGS_DOCUMENT',
    fallback: '',
    kind: plain(/^[A-Za-z0-9_.-]{3,128}$/, 'the name of an SSM document'),
  },
  /** ECS clusters to look for the host in; none named: all of them. */
  clusters: { env: 'ECS_CLUSTERS', fallback: 'none', kind: listOf(/^[A-Za-z0-9_:/-]+$/, 'ECS clusters') },
} as const;

export type Stack = Values<typeof stackSettings>;
export type Policy = Settings & Stack;

/** What restore-capacity reads on the group, and the group may propagate to its instances. */
const ALSO_KNOWN = ['reflex:fallback-mode', 'reflex:fallback-max'];

/** @throws SettingError naming the variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): Policy => ({
  ...fromEnv(stackSettings, env),
  ...fromEnv(settings, env),
});

/** @throws SettingError for a tag that is unknown or malformed. */
export const instancePolicy = (stack: Policy, tags: Readonly<Record<string, string>>): Policy => ({
  ...stack,
  ...fromTags(settings, stack, tags, ALSO_KNOWN),
});

/** What of the tags decides what is read; a malformed one is told of when the policy is parsed. */
export const extraTargetGroups = (stack: Policy, tags: Readonly<Record<string, string>>): readonly string[] =>
  targetGroupArns.parse(tags['reflex:target-groups'] ?? '') ?? stack.targetGroups;

export const stopsStandaloneTasks = (stack: Policy, tags: Readonly<Record<string, string>>): boolean =>
  yesOrNo.parse(tags['reflex:stop-standalone-tasks'] ?? '') ?? stack.stopStandaloneTasks;
