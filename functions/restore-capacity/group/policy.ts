import { fromEnv, fromTags, oneOf, orWord, type Values, wholeNumber } from '../../../shared/settings.ts';

/** Settings of an Auto Scaling group; the tag wins over the stack's value. See docs/configuration.md. */
export const settings = {
  /** on-demand-base: raise the on-demand base of a mixed instances policy while Spot lacks. */
  fallbackMode: { env: 'GROUP_FALLBACK_MODE', fallback: 'notify', kind: oneOf('notify', 'on-demand-base') },
  /** The on-demand base is never set above this, in the group's own units; none: MaxSize. */
  fallbackMax: { env: 'GROUP_FALLBACK_MAX', fallback: 'none', kind: orWord('none', wholeNumber(1, 100_000)) },
} as const;

export type GroupPolicy = Values<typeof settings>;

/** What save-spot-logs reads on instances, which have it from their group. */
const ALSO_KNOWN = [
  'reflex:log-devices',
  'reflex:log-paths',
  'reflex:filesystem',
  'reflex:on-rebalance',
  'reflex:stop-standalone-tasks',
  'reflex:target-groups',
];

/** @throws SettingError naming the variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): GroupPolicy => fromEnv(settings, env);

/** @throws SettingError for a tag that is unknown or malformed. */
export const groupPolicy = (stack: GroupPolicy, tags: Readonly<Record<string, string>>): GroupPolicy =>
  fromTags(settings, stack, tags, ALSO_KNOWN);
