import { fromEnv, fromTags, type Kind, oneOf, type Values, wholeNumber } from '../../shared/settings.ts';

const yesOrNo: Kind<boolean> = {
  expected: 'true or false',
  parse: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
};

const idsOf = (what: string, prefix: string): Kind<readonly string[]> => {
  const id = new RegExp(`^${prefix}-[0-9a-f]{8,17}$`);
  return {
    expected: `ids of ${what}, separated by spaces, or none`,
    parse: (text) => {
      const ids = text === 'none' ? [] : text.split(/\s+/);
      return ids.every((one) => id.test(one)) ? ids : undefined;
    },
  };
};

/** Settings of this function; the tag on the task wins over its definition's, and that over the stack's. See docs/configuration.md. */
export const settings = {
  /** The second half of the opt-in: running a task again is more than looking after it. */
  resume: { env: 'RESUME', fallback: 'false', kind: yesOrNo },
  /** Resumes of one piece of work. */
  resumeMax: { env: 'RESUME_MAX', fallback: '3', kind: wholeNumber(1, 20) },
  /** Exit code 0 of every essential container, after SIGTERM, means that the work is done. */
  resumeDoneOnZero: { env: 'RESUME_DONE_ON_ZERO', fallback: 'false', kind: yesOrNo },
  /** Further subnets: ECS keeps capacity by Availability Zone, and an event tells of one subnet only. */
  resumeSubnets: { env: 'RESUME_SUBNETS', fallback: 'none', kind: idsOf('subnets', 'subnet') },
  /** Where the notice was missed and the task's own went with its network interface. */
  resumeSecurityGroups: { env: 'RESUME_SECURITY_GROUPS', fallback: 'none', kind: idsOf('security groups', 'sg') },
  /** The same. */
  resumeAssignPublicIp: { env: 'RESUME_ASSIGN_PUBLIC_IP', fallback: 'DISABLED', kind: oneOf('ENABLED', 'DISABLED') },
} as const;

export type Policy = Values<typeof settings>;

/** What Reflex itself puts on the tasks it runs. */
export const ROOT_TAG = 'reflex:resume-root';
export const ATTEMPT_TAG = 'reflex:resume-attempt';

/** @throws SettingError naming the variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): Policy => fromEnv(settings, env);

/** @throws SettingError for a tag that is unknown or malformed. */
export const taskPolicy = (stack: Policy, tags: Readonly<Record<string, string>>): Policy =>
  fromTags(settings, stack, tags, [ROOT_TAG, ATTEMPT_TAG]);
