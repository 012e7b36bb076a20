import {
  decimal,
  fromEnv,
  fromTags,
  type Kind,
  oneOf,
  tagOf,
  type Values,
  wholeNumber,
} from '../../shared/settings.ts';

/**
 * Settings of the functions that hear the alarms; an alarm fires where they would act. The tag on the resource wins over the stack's
 * value. See docs/configuration.md.
 */
export const settings = {
  /** As of reshard-kinesis: utilisation alarms fire where it scales up. */
  targetUtilization: { env: 'TARGET_UTILIZATION', fallback: '0.5', kind: decimal(0.2, 0.8) },
  /** As of reshard-kinesis: seconds a consumer may lag. */
  maxIteratorAge: { env: 'MAX_ITERATOR_AGE', fallback: '1800', kind: wholeNumber(60, 43_200, 'seconds') },
  /** As of relieve-elasticache: from which level of the engine's core on it acts. */
  actAt: { env: 'ACT_AT', fallback: 'saturated', kind: oneOf('saturated', 'warning') },
} as const;

const prefix: Kind<string> = {
  expected: 'up to 60 lower-case letters, digits and hyphens, a letter first',
  parse: (text) => (/^[a-z][a-z0-9-]{0,59}$/.test(text) ? text : undefined),
};

/** What is the stack's alone. */
const stackSettings = {
  /** Begins the name of every alarm made here. */
  alarmPrefix: { env: 'ALARM_PREFIX', fallback: 'reflex-tuned-', kind: prefix },
} as const;

export type Policy = Values<typeof settings> & Values<typeof stackSettings>;

/** @throws SettingError naming the variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): Policy => ({
  ...fromEnv(settings, env),
  ...fromEnv(stackSettings, env),
});

/** Other tags are judged by the functions that read them. @throws SettingError for one of its own that is malformed. */
export const alarmPolicy = (stack: Policy, tags: Readonly<Record<string, string>>): Policy => {
  const own = Object.keys(settings).map(tagOf);
  const read = Object.fromEntries(Object.entries(tags).filter(([key]) => own.includes(key)));
  return { ...stack, ...fromTags(settings, stack, read) };
};
