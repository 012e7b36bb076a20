import { fromEnv, type Kind, oneOf, orWord, type Values, wholeNumber } from '../../shared/settings.ts';

/** One site of the list. */
export interface Site {
  /** As listed, and its name everywhere. */
  readonly url: string;
  /** Text that the body must contain; null: any body will do. */
  readonly contains: string | null;
}

/** CloudWatch takes nothing else as the name of a site. */
const ASCII = /^[!-~]+$/;

/** What follows `#` never leaves for the site, so it is free to say what the body must contain. */
const siteOf = (text: string): Site | undefined => {
  const url = ASCII.test(text) ? URL.parse(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    return undefined;
  }
  try {
    return { url: text, contains: url.hash === '' ? null : decodeURIComponent(url.hash.slice(1)) };
  } catch {
    return undefined;
  }
};

const sites: Kind<readonly Site[]> = {
  expected: 'http or https URLs of ASCII characters and without user names, each once, separated by spaces',
  parse: (text) => {
    const listed = text.trim().split(/\s+/).map(siteOf);
    const known = listed.filter((site) => site !== undefined);
    return known.length === listed.length && new Set(known.map(({ url }) => url)).size === known.length
      ? known
      : undefined;
  },
};

/** None: a site carries no tags. */
export const settings = {} as const;

/** What is the stack's. See docs/configuration.md. */
const stackSettings = {
  /** What is checked. */
  sites: { env: 'SITES', fallback: 'none', kind: orWord('none', sites) },
  /** ms until the whole answer is there; more is a failure. */
  maxLatencyMs: { env: 'SITE_MAX_LATENCY_MS', fallback: '5000', kind: wholeNumber(50, 10_000, 'ms') },
  /** Days a certificate must still be valid. */
  certificateDays: { env: 'SITE_CERTIFICATE_DAYS', fallback: '14', kind: wholeNumber(0, 365) },
  /** Whether a site may be at a loopback or link-local address; those of a VPC are always allowed. */
  localAddresses: { env: 'SITE_LOCAL_ADDRESSES', fallback: 'refuse', kind: oneOf('refuse', 'allow') },
} as const;

export type Policy = Values<typeof stackSettings>;

/** @throws SettingError naming the variable. */
export const stackPolicy = (env: Readonly<Record<string, string | undefined>>): Policy => fromEnv(stackSettings, env);
