import { chunksOf } from './aws/pages.ts';
import type { Call } from './decision.ts';
import type { Message } from './events/envelope.ts';
import type { FollowUpEvent, NotificationEvent, ReflexEvent } from './events/event.ts';
import { bundlesOf } from './events/reflex-bundle.ts';
import { followUpBody } from './events/reflex-follow-up.ts';
import { parse } from './events/registry.ts';
import type { CommonFacts, Heard, ReflexFunction, Signal } from './function.ts';
import { earlyMs } from './ledger/state.ts';
import type { Check } from './ledger/types.ts';
import type { Runtime } from './runtime.ts';
import { said } from './words.ts';

/** A signal with the message that brought it and, for our own checks, which look at which incident it is. */
export interface Heeded {
  readonly signal: Signal;
  readonly message: Message;
  readonly check?: Check;
  /** An operator only asks; nothing is done, recorded or told. */
  readonly asked?: true;
}

export interface Listened {
  readonly heeded: readonly Heeded[];
  /** What SNS did not take before. */
  readonly untold: readonly { readonly message: Message; readonly notification: NotificationEvent }[];
  readonly notForUs: readonly string[];
  readonly failed: readonly { readonly message: Message; readonly error: unknown; readonly broken: boolean }[];
}

/** The sweep leaves a follow-up this much time to arrive by itself. */
const OVERDUE_MS = 2 * 60_000;
/** What is farther off is left to the sweep; in between, a check goes round at most 96 times. */
const SENT_AHEAD_MS = 24 * 3_600_000;
/** Checks of one message: some 12 KB. SQS takes ten messages at a time, of 256 KB together. */
const TOGETHER_AT_MOST = 50;

/** Lambda ends a batch at 1,000 messages or 6 MB; one as full as this has more behind it. */
const FULL = { messages: 800, bytes: 4_000_000 };
/** What is behind comes first, and the bundles of several batches come together. */
const BUNDLED_FOR_SECONDS = 2;

/** An event of AWS's, and the message that brought it. */
interface Foreign {
  readonly message: Message;
  readonly event: ReflexEvent;
}

/** One check to come. */
export type FollowUp = FollowUpEvent['checks'][number] & Pick<FollowUpEvent, 'notBefore'>;

/** receive -> parse: what the messages say about which resources. One bad message never fails its batch. */
export const listen = async <F extends CommonFacts, P, C extends Call>(
  fn: ReflexFunction<F, P, C>,
  runtime: Runtime,
  messages: readonly Message[],
): Promise<Listened> => {
  const heeded: Heeded[] = [];
  const untold: { message: Message; notification: NotificationEvent }[] = [];
  const notForUs: string[] = [];
  const failed: { message: Message; error: unknown; broken: boolean }[] = [];
  const foreign: Foreign[] = [];

  const hear = async (message: Message): Promise<void> => {
    const parsed = parse(message);
    if (parsed.kind === 'broken') failed.push({ message, error: parsed.error, broken: true });
    else if (parsed.kind === 'not-for-us') notForUs.push(parsed.reason);
    else if (parsed.event.kind === 'tick') {
      for (const entry of await swept(fn, runtime, parsed.event.scope)) heeded.push({ ...entry, message });
    } else if (parsed.event.kind === 'follow-up') {
      const { event } = parsed;
      if (event.fn !== fn.name) notForUs.push('another-function');
      else if (event.notBefore - runtime.clock() > earlyMs) {
        await sendFollowUps(runtime, fn.name, followUpsOf(event));
        notForUs.push('not-due-yet');
      } else for (const followUp of followUpsOf(event)) heeded.push({ message, ...followedUp(followUp) });
    } else if (parsed.event.kind === 'notification') untold.push({ message, notification: parsed.event });
    else if (parsed.event.kind === 'explain') {
      const { resource, as, at } = parsed.event;
      const signal = { resource, trigger: as, cause: 'an operator asks', occurrence: '', at } as const;
      heeded.push({ message, signal, asked: true });
    } else foreign.push({ message, event: parsed.event });
  };

  await Promise.all(
    messages.map((message) =>
      hear(message).catch((error: unknown) => void failed.push({ message, error, broken: false })),
    ),
  );

  const toHear = await withoutBundled(fn, runtime, foreign);
  notForUs.push(...Array.from({ length: foreign.length - toHear.length }, () => 'bundled'));
  if (toHear.length > 0) {
    const heard = await heardBy(
      fn,
      toHear.map(({ event }) => event),
    );
    for (const [i, { message }] of toHear.entries()) {
      const answer = heard[i] ?? { error: new Error('the event got no answer') };
      if ('error' in answer) failed.push({ message, error: answer.error, broken: false });
      else if ('notForUs' in answer) notForUs.push(answer.notForUs);
      else for (const signal of answer.signals) heeded.push({ signal, message });
    }
  }
  return { heeded, untold, notForUs, failed };
};

/** Puts the events of a full batch back into the inbox as bundles, once each; gives those that are to be heard now. */
const withoutBundled = async <F extends CommonFacts, P, C extends Call>(
  fn: ReflexFunction<F, P, C>,
  { enqueue, log }: Runtime,
  foreign: readonly Foreign[],
): Promise<readonly Foreign[]> => {
  const small = foreign.flatMap((one) => {
    const body = one.message.bundled === true ? null : (fn.condense?.(one.event) ?? null);
    return body === null ? [] : [{ one, body }];
  });
  const bytes = small.reduce((sum, { one }) => sum + one.message.raw.length, 0);
  if (small.length < FULL.messages && bytes < FULL.bytes) return foreign;
  const bundles = bundlesOf(small.map(({ body }) => body));
  const refused = await enqueue(bundles.map(({ body }) => ({ body, delaySeconds: BUNDLED_FOR_SECONDS }))).catch(
    (error: unknown) => bundles.map((_, index) => ({ index, message: said(error) })),
  );
  if (refused.length > 0) {
    const error = new Error(refused[0]?.message);
    log.error('the inbox did not take every bundle of a full batch; what is in them is handled as it came', error, {
      bundles: bundles.length,
      refused: refused.length,
    });
  }
  const left = new Set(refused.map(({ index }) => index));
  const inBundles = bundles.flatMap(({ size }, index) => Array.from({ length: size }, () => !left.has(index)));
  const waiting = new Set(small.filter((_, i) => inBundles[i]).map(({ one }) => one));
  return foreign.filter((one) => !waiting.has(one));
};

/** Where it cannot say which resources the events concern, each of them fails. */
const heardBy = async <F extends CommonFacts, P, C extends Call>(
  fn: ReflexFunction<F, P, C>,
  events: readonly ReflexEvent[],
): Promise<readonly Heard[]> => {
  try {
    return await fn.hear(events);
  } catch (error) {
    return events.map(() => ({ error }));
  }
};

const followUpsOf = ({ notBefore, checks }: FollowUpEvent): FollowUp[] =>
  checks.map((check) => ({ ...check, notBefore }));

const followedUp = ({ resource, incidentId, check, notBefore }: FollowUp): Omit<Heeded, 'message'> => ({
  signal: {
    resource,
    trigger: 'follow-up',
    cause: `follow-up ${check} of ${incidentId}`,
    occurrence: '',
    at: notBefore,
  },
  check: { id: incidentId, check },
});

/** What no event told us: incidents whose follow-up is overdue, and on the full tick every opted-in resource. */
const swept = async <F extends CommonFacts, P, C extends Call>(
  fn: ReflexFunction<F, P, C>,
  { ledger, clock, metrics }: Runtime,
  scope: 'all' | 'incidents',
): Promise<Omit<Heeded, 'message'>[]> => {
  const now = clock();
  const [attention, all] = await Promise.all([
    ledger.attention(fn.name),
    scope === 'all' ? fn.sweep() : Promise.resolve([]),
  ]);
  metrics.held(fn.name, attention.filter(({ hold }) => hold !== undefined).length);
  const tick = { trigger: 'tick', cause: 'schedule', occurrence: '', at: now } as const;
  const overdue = attention.flatMap(({ resource, incident }) =>
    incident !== undefined && incident.nextCheckAt + OVERDUE_MS < now
      ? [
          {
            signal: { ...tick, resource, cause: `overdue check of ${incident.id}` },
            check: { id: incident.id, check: incident.check },
          },
        ]
      : [],
  );
  const open = new Set(attention.filter(({ incident }) => incident !== undefined).map(({ resource }) => resource));
  return [...overdue, ...all.filter((arn) => !open.has(arn)).map((resource) => ({ signal: { ...tick, resource } }))];
};

/**
 * Puts checks into the function's own inbox. Those that are due together are one message, so that one invocation reads once what they have
 * in common. SQS delays at most 15 minutes, what is later is sent on when it arrives.
 * @throws Error where the inbox did not take one: the sweep will find it overdue.
 */
export const sendFollowUps = async (runtime: Runtime, fn: string, followUps: readonly FollowUp[]): Promise<void> => {
  const now = runtime.clock();
  const soon = followUps.filter(({ notBefore }) => notBefore - now <= SENT_AHEAD_MS);
  if (soon.length === 0) return;
  const messages = [...Map.groupBy(soon, ({ notBefore }) => notBefore)].flatMap(([notBefore, due]) =>
    chunksOf(due, TOGETHER_AT_MOST).map((some) => ({
      body: followUpBody({
        fn,
        notBefore,
        checks: some.map(({ resource, incidentId, check }) => ({ resource, incidentId, check })),
      }),
      delaySeconds: Math.max(0, Math.ceil((notBefore - now) / 1_000)),
    })),
  );
  const failures = await runtime.enqueue(messages);
  if (failures.length > 0) throw new Error(`follow-ups not sent: ${failures.length} (${failures[0]?.message})`);
};
