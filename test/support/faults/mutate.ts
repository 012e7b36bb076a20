import type { Random } from './random.ts';

/** What is done to a real event. Several at once, now and then. */
export const MUTATIONS = [
  'dropped',
  'duplicated',
  'another type',
  'another kind of event',
  'nested deep',
  'huge',
  'strange text',
  'a number at its limit',
  'a time at its limit',
  'a wrong ARN',
  "somebody else's name",
  'a key that reaches a prototype',
  'broken text',
  'another envelope',
] as const;
export type Mutation = (typeof MUTATIONS)[number];

type Path = readonly (string | number)[];

/** What lies deeper was put there by a mutation. */
const DEEP = 30;

/** Every place in it, the root left out; inside texts that are JSON (SNS), too. */
const placesIn = (value: unknown, path: Path = []): Path[] => {
  if (typeof value !== 'object' || value === null || path.length > DEEP) return [path];
  const inner = Array.isArray(value)
    ? value.flatMap((item, i) => placesIn(item, [...path, i]))
    : Object.entries(value).flatMap(([key, held]) => placesIn(held, [...path, key]));
  return path.length === 0 ? inner : [path, ...inner];
};

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (held, key) =>
      typeof held === 'object' && held !== null ? (held as Record<string | number, unknown>)[key] : undefined,
    value,
  );

const GONE = Symbol('gone');

const withAt = (value: unknown, [key, ...rest]: Path, change: (held: unknown) => unknown): unknown => {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => {
      if (i !== key) return [item];
      const changed = withAt(item, rest, change);
      return changed === GONE ? [] : [changed];
    });
  }
  const entries = Object.entries(value as Record<string, unknown>).flatMap(([name, held]): [string, unknown][] => {
    if (name !== key) return [[name, held]];
    const changed = withAt(held, rest, change);
    return changed === GONE ? [] : [[name, changed]];
  });
  return Object.fromEntries(entries);
};

const OTHER_TYPES: readonly unknown[] = [null, true, false, 0, -1, 1.5, '', ' ', 'x', [], {}, [[]], [null], { '': '' }];
const NUMBERS = [0, -0, -1, 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 53, 2 ** 53 + 2, 2 ** 63, 0.1, 1e21];
const TIMES = [
  '',
  'now',
  '1970-01-01T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '+275760-09-13T00:00:00.000Z',
  '+275760-09-13T00:00:00.001Z',
  '2026-02-30T25:61:61Z',
  '2026-03-05T03:12:00',
  'Thu, 05 Mar 2026 03:12:00 GMT',
  '1772680320',
];
const TEXTS = [
  '\u0000',
  '\ud800',
  '\u202egnp.exe',
  '\u{1f4a5}'.repeat(50),
  'ﷺ'.repeat(300),
  '\n\r\t',
  '../../../etc/passwd',
  '{{jndi:ldap://x}}',
  '$(reboot)',
  "'; DROP TABLE ledger; --",
  '*',
  'arn:',
  'true',
  'null',
  'undefined',
  'İ'.repeat(40),
];
const PROTOTYPES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'length', 'valueOf'];
const ARN_PARTS: readonly (readonly [number, readonly string[]])[] = [
  [0, ['urn', '']],
  [1, ['aws-cn', 'aws-us-gov', '']],
  [2, ['s3', 'kinesis', '']],
  [3, ['us-east-1', '', 'eu-west-1a']],
  [4, ['999999999999', '', '1', 'aws']],
  [5, ['', '*', 'x/y', ':']],
];
const DETAIL_TYPES = [
  'CloudWatch Alarm State Change',
  'ECS Task State Change',
  'EC2 Spot Instance Interruption Warning',
  'EC2 Instance Rebalance Recommendation',
  'EC2 Instance State-change Notification',
  'EC2 Instance-terminate Lifecycle Action',
  'EBS Snapshot Notification',
  'AWS Health Event',
  'EC2 Command Invocation Status-change Notification',
  'EC2 Instance Launch Unsuccessful',
  'Follow-up',
  'ECS Service Action',
  'toString',
  '',
];
const SOURCES = [
  'aws.cloudwatch',
  'aws.ecs',
  'aws.ec2',
  'aws.autoscaling',
  'aws.health',
  'aws.ssm',
  'reflex',
  'my.app',
  '__proto__',
];

/** What is said of a value in a text: that it is JSON itself. */
const opened = (value: unknown): unknown => {
  if (typeof value !== 'string' || !/^[{[]/.test(value)) return undefined;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
};

/** The event with one thing done to it: an event still, or the text of one that is none. */
export const mutated = (event: unknown, kind: Mutation, random: Random, strangers: readonly string[]): unknown => {
  if (typeof event !== 'object' || event === null) return event;
  const { Message: message } = event as { readonly Message?: unknown };
  const inside = opened(message);
  if (inside !== undefined && random.below(3) > 0) {
    const changed = mutated(inside, kind, random, strangers);
    return { ...event, Message: typeof changed === 'string' ? changed : JSON.stringify(changed) };
  }
  const places = placesIn(event);
  const path = places.length === 0 ? [] : random.of(places);
  const change = (work: (held: unknown) => unknown) => withAt(event, path, work);
  const changeText = (wanted: (text: string) => boolean, work: (text: string) => unknown) => {
    const texts = places.filter((place) => {
      const held = at(event, place);
      return typeof held === 'string' && wanted(held);
    });
    return texts.length === 0
      ? change(() => random.of(OTHER_TYPES))
      : withAt(event, random.of(texts), (held) => work(String(held)));
  };
  switch (kind) {
    case 'dropped':
      return change(() => GONE);
    case 'duplicated':
      return change((held) => (Array.isArray(held) ? [...held, ...held] : [held, held]));
    case 'another type':
      return change(() => random.of(OTHER_TYPES));
    case 'another kind of event':
      return random.below(2) === 0
        ? { ...event, 'detail-type': random.of(DETAIL_TYPES) }
        : { ...event, source: random.of(SOURCES) };
    case 'nested deep': {
      const depth = 50 + random.below(random.below(20) === 0 ? 4_000 : 200);
      return change((held) => {
        let nested = held;
        for (let i = 0; i < depth; i++) nested = i % 2 === 0 ? [nested] : { a: nested };
        return nested;
      });
    }
    case 'huge':
      return change(
        (held) =>
          `${typeof held === 'string' ? held : ''}${'A:/-'.repeat(1 + random.below(random.below(20) === 0 ? 20_000 : 500))}`,
      );
    case 'strange text':
      return random.below(2) === 0
        ? change(() => random.of(TEXTS))
        : changeText(
            () => true,
            (text) => text.slice(0, random.below(text.length + 1)) + random.of(TEXTS),
          );
    case 'a number at its limit':
      return change(() => random.of(NUMBERS));
    case 'a time at its limit':
      return changeText(
        (text) => /^\d{4}-\d\d-\d\dT/.test(text),
        () => random.of(TIMES),
      );
    case 'a wrong ARN':
      return changeText(
        (text) => text.startsWith('arn:'),
        (text) => {
          const parts = text.split(':');
          const [index, instead] = random.of(ARN_PARTS);
          if (index < 5) parts[index] = random.of(instead);
          else parts.splice(5, parts.length - 5, random.of(instead));
          return parts.join(':');
        },
      );
    case "somebody else's name":
      return changeText(
        (text) => text.length > 3,
        () => random.of(strangers),
      );
    case 'a key that reaches a prototype': {
      const key = random.of(PROTOTYPES);
      const poison = random.of<unknown>([
        { polluted: true },
        'polluted',
        null,
        { source: 'reflex', 'detail-type': 'Tick' },
      ]);
      // Only a text can carry __proto__ as a key of its own.
      return JSON.stringify(
        change((held) => ({ ...(typeof held === 'object' && held !== null ? held : { held }), POISON: poison })),
      ).replace('"POISON"', JSON.stringify(key));
    }
    case 'broken text': {
      const text = JSON.stringify(event);
      const cut = random.below(text.length);
      return random.of([
        text.slice(0, cut),
        text.slice(0, cut) + random.of(TEXTS) + text.slice(cut),
        text.slice(0, cut) + text.slice(cut + 1 + random.below(9)),
        `${text}${text}`,
        JSON.stringify(text),
        `\ufeff${text}`,
        '',
      ]);
    }
    case 'another envelope':
      return random.of<unknown>([
        [event],
        { Records: [event] },
        { detail: event },
        { Message: JSON.stringify(event) },
        {
          Type: 'Notification',
          Message: JSON.stringify(event),
          TopicArn: 'arn:aws:sns:eu-west-1:111122223333:alarms',
          MessageId: 'x',
        },
        { ...event, Records: [] },
        { responsePayload: event },
      ]);
  }
};

/** Every text it holds, with its keys (places in lists left out); inside texts that are JSON, too: `.detail.taskArn`. */
export const textsIn = (value: unknown, path = '', depth = 0): (readonly [string, string])[] => {
  if (depth > DEEP) return [];
  if (typeof value === 'string') {
    const inside = opened(value);
    return [[path, value], ...(inside === undefined ? [] : textsIn(inside, path, depth + 1))];
  }
  if (Array.isArray(value)) return value.flatMap((item) => textsIn(item, path, depth + 1));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, held]) => textsIn(held, `${path}.${key}`, depth + 1));
};

/** The field at a path of keys; undefined where it is not there. */
export const field = (value: unknown, path: string): unknown => at(value, path.split('/'));
export { opened };
