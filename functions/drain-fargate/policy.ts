import { fromEnv, fromTags, type Kind, type Values } from '../../shared/settings.ts';

const yesOrNo: Kind<boolean> = {
  expected: 'true or false',
  parse: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
};

const TARGET_GROUP_ARN = /^arn:[^:\s]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup\/[\w/-]+$/;

const targetGroupArns: Kind<readonly string[]> = {
  expected: 'ARNs of target groups, separated by spaces, or none',
  parse: (text) => {
    const arns = text === 'none' ? [] : text.split(/\s+/);
    return arns.every((arn) => TARGET_GROUP_ARN.test(arn)) ? arns : undefined;
  },
};

/** Settings of this function; the tag on the ECS service wins over the stack's value. See docs/configuration.md. */
export const settings = {
  /** While every serving target of a group is interrupted, one stays until its own task is STOPPING; so with Cloud Map. */
  keepLastTarget: { env: 'KEEP_LAST_TARGET', fallback: 'true', kind: yesOrNo },
  /** Target groups that hold the service's tasks without ECS knowing of it. */
  targetGroups: { env: 'TARGET_GROUPS', fallback: 'none', kind: targetGroupArns },
} as const;

export type Policy = Values<typeof settings>;

/** Read by restore-capacity on the same service. */
const ALSO_KNOWN = ['reflex:fallback-service', 'reflex:fallback-mode', 'reflex:fallback-max'];

/** @throws SettingError naming the variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): Policy => fromEnv(settings, env);

/** @throws SettingError for a tag that is unknown or malformed. */
export const servicePolicy = (stack: Policy, tags: Readonly<Record<string, string>>): Policy =>
  fromTags(settings, stack, tags, ALSO_KNOWN);

/** What of the tags decides what is read; a malformed one is told of when the policy is parsed. */
export const extraTargetGroups = (stack: Policy, tags: Readonly<Record<string, string>>): readonly string[] =>
  targetGroupArns.parse(tags['reflex:target-groups'] ?? '') ?? stack.targetGroups;
