import {
  fromEnv,
  fromTags,
  type Kind,
  oneOf,
  orWord,
  SettingError,
  type Values,
  wholeNumber,
} from '../../../shared/settings.ts';

const serviceName: Kind<string> = {
  expected: 'the name of an ECS service in the same cluster',
  parse: (text) => (/^[\w-]{1,255}$/.test(text) ? text : undefined),
};

/** Settings of an ECS service; the tag wins over the stack's value. See docs/configuration.md. */
export const settings = {
  /** The on-demand service that stands in. */
  fallbackService: { env: 'FALLBACK_SERVICE', fallback: 'none', kind: orWord('none', serviceName) },
  /** auto: paired where a fallback service is named, else notify. */
  fallbackMode: {
    env: 'SERVICE_FALLBACK_MODE',
    fallback: 'auto',
    kind: orWord('auto', oneOf('paired', 'strategy', 'notify')),
  },
  /** On-demand tasks at most; none: as many as the Spot service lacks. */
  fallbackMax: { env: 'SERVICE_FALLBACK_MAX', fallback: 'none', kind: orWord('none', wholeNumber(1, 5_000)) },
} as const;

export type StackPolicy = Values<typeof settings>;

export interface ServicePolicy extends StackPolicy {
  readonly mode: 'paired' | 'strategy' | 'notify';
}

/** Read by drain-fargate on the same service. */
const ALSO_KNOWN = ['reflex:keep-last-target', 'reflex:target-groups'];

/** @throws SettingError naming the variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): StackPolicy => fromEnv(settings, env);

/** @throws SettingError for a tag that is unknown, malformed, or lacks the one it needs. */
export const servicePolicy = (stack: StackPolicy, tags: Readonly<Record<string, string>>): ServicePolicy => {
  const values = fromTags(settings, stack, tags, ALSO_KNOWN);
  const mode = values.fallbackMode ?? (values.fallbackService === null ? 'notify' : 'paired');
  if (mode === 'paired' && values.fallbackService === null) {
    throw new SettingError(
      'tag reflex:fallback-mode: paired needs the tag reflex:fallback-service, the name of an on-demand service',
    );
  }
  return { ...values, mode };
};
