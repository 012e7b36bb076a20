/**
 * Every reason code Reflex can give, once. A code is stable: dashboards, alarms and people rely on it.
 * `docs/reasons.md` is tested against this catalogue.
 */
export const reasons = {
  // Pipeline and guards
  'not-opted-in': 'The resource does not carry the tag reflex:enabled = true.',
  'bad-tag': 'A reflex: tag is unknown or malformed; nothing is done until it is put right.',
  'mode-off': 'Reflex, or this function, is switched off.',
  frozen: 'A change calendar is closed.',
  'stale-facts': 'The facts grew too old between reading and acting; they are read again.',
  'native-autoscaler': 'Another autoscaler owns this resource.',
  'correlated-failure': 'Too many resources are in trouble at once; the cause is likely elsewhere.',
  held: 'The resource is on hold until a person releases it.',
  'cool-down': 'Too soon after the last act on this resource.',
  'budget-exhausted': 'No attempts left in the rolling window, or only those kept in reserve.',
  'lease-held': 'Another invocation is acting on this resource.',
  duplicate: 'This occurrence was already acted on.',
  superseded: 'A later check of the same incident has already run, or the incident is closed.',
  'guard-error': 'A guard could not be read, so nothing is done.',
  'observe-failed': 'AWS could not be read; the message is retried.',
  'intent-unresolved': 'An earlier invocation ended between acting and recording; the facts were read again.',
  'not-converging': 'The trouble persists after repeated remediation; the resource is put on hold.',
  'access-denied': 'AWS refused the call for lack of permission.',
  'act-failed': 'AWS refused the call for another reason.',
} as const;

export type Reason = keyof typeof reasons;
