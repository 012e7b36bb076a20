/**
 * Settings: stack parameter -> environment variable -> resource tag, each parsed strictly.
 * A wrong environment variable fails at init; a wrong tag is an escalation. Neither is ever ignored.
 */

/** How a setting's text is read. `expected` completes the sentence "expected ...". */
export interface Kind<T> {
  readonly expected: string;
  /** undefined: the text is not of this kind. */
  parse(text: string): T | undefined;
}

export interface Setting<T> {
  readonly kind: Kind<T>;
  /** Environment variable that sets the stack-wide value. */
  readonly env: string;
  /** Used where neither the environment nor a tag says otherwise; text, as a person would write it. */
  readonly fallback: string;
}

export class SettingError extends Error {
  override readonly name = 'SettingError';
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Prefix of every tag Reflex reads. */
export const TAG_PREFIX = 'reflex:';

/** The tag that lets Reflex touch a resource; IAM asks for the same. */
export const OPT_IN_TAG = `${TAG_PREFIX}enabled`;

const number = (text: string, pattern: RegExp, min: number, max: number): number | undefined => {
  if (!pattern.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
};

export const wholeNumber = (min: number, max: number, unit = ''): Kind<number> => ({
  expected: `a whole number from ${min} to ${max}${unit && ` (${unit})`}`,
  parse: (text) => number(text, /^\d{1,15}$/, min, max),
});

export const decimal = (min: number, max: number): Kind<number> => ({
  expected: `a number from ${min} to ${max}`,
  parse: (text) => number(text, /^\d{1,9}(\.\d{1,9})?$/, min, max),
});

export const oneOf = <T extends string>(...allowed: readonly T[]): Kind<T> => ({
  expected: `one of ${allowed.join(', ')}`,
  parse: (text) => allowed.find((value) => value === text),
});

/** The same kind, or `word` for "not set". */
export const orWord = <T>(word: string, kind: Kind<T>): Kind<T | null> => ({
  expected: `${kind.expected}, or ${word}`,
  parse: (text) => (text === word ? null : kind.parse(text)),
});

const parsed = <T>(kind: Kind<T>, text: string, where: string): T => {
  const value = kind.parse(text);
  if (value === undefined) throw new SettingError(`${where}: expected ${kind.expected}, found "${shown(text)}"`);
  return value;
};

const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}...` : text);

/** A setting's tag: `maxShards` -> `reflex:max-shards`, `reshardAbove80` -> `reflex:reshard-above-80`. */
export const tagOf = (name: string): string =>
  TAG_PREFIX + name.replace(/[A-Z]|\d+/g, (part) => `-${part.toLowerCase()}`);

/**
 * Stack-wide values, read once at init.
 * @throws SettingError naming the variable, the value found and what is allowed.
 */
export const fromEnv = <S extends Settings>(
  settings: S,
  env: Readonly<Record<string, string | undefined>>,
): Values<S> =>
  mapSettings(settings, (setting) => parsed(setting.kind, env[setting.env] || setting.fallback, setting.env));

/**
 * One resource's values: the stack's, overridden by its own `reflex:` tags.
 * @throws SettingError where a tag is unknown or malformed; `alsoKnown` lists tags other functions read on the same resource.
 */
export const fromTags = <S extends Settings>(
  settings: S,
  base: Values<S>,
  tags: Readonly<Record<string, string>>,
  alsoKnown: readonly string[] = [],
): Values<S> => {
  const known = [OPT_IN_TAG, ...Object.keys(settings).map(tagOf), ...alsoKnown];
  // Services compare tag keys by case: Reflex:max-shards is another key, and was meant for us all the same.
  const unknown = Object.keys(tags).find((key) => key.toLowerCase().startsWith(TAG_PREFIX) && !known.includes(key));
  if (unknown !== undefined) {
    throw new SettingError(`tag ${shown(unknown)}: unknown; expected one of ${known.join(', ')}`);
  }
  return mapSettings(settings, (setting, name) => {
    const text = tags[tagOf(name)];
    return text === undefined ? base[name] : parsed(setting.kind, text, `tag ${tagOf(name)}`);
  });
};

const mapSettings = <S extends Settings>(
  settings: S,
  read: (setting: Setting<unknown>, name: string) => unknown,
): Values<S> =>
  Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => [name, read(setting, name)]),
  ) as unknown as Values<S>;
