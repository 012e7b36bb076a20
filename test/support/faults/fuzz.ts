import { readdirSync, readFileSync } from 'node:fs';
import type { DecisionKind } from '../../../shared/decision.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import type { Result } from '../../../shared/remediation.ts';
import { fakeRuntime, fakeWorld, type World } from '../fake-runtime.ts';
import { MUTATIONS, type Mutation, mutated, opened, textsIn } from './mutate.ts';
import type { Random } from './random.ts';
import { isTick } from './reports.ts';
import { isWrite } from './stage.ts';
import { onLine } from './wire.ts';
import type { Crowd, FaultWorld, Marks } from './world.ts';

const folder = new URL('../../../events/', import.meta.url);
/** Every sample event there is, out of its batch, as JSON. */
const samples: readonly unknown[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json') && file !== 'manifest.json')
  .flatMap((file) => receive(JSON.parse(readFileSync(new URL(file, folder), 'utf8'))).messages)
  .flatMap(({ raw }) => opened(raw) ?? []);

/** Mutated events in one batch; SQS delivers ten, and one of them is whole. */
const BATCH = 9;
/** Events heard at once. */
const HEARD = 250;

export interface Tally {
  /** Through `parse` and `hear` alone, and through whole handlers. */
  heard: number;
  handled: number;
  /** Signals of trouble in what was heard. */
  signals: number;
  readonly mutations: Map<Mutation, number>;
  readonly parsed: Map<'event' | 'not-for-us' | 'broken', number>;
  readonly decisions: Map<DecisionKind, number>;
  /** Batches in which nonsense that still was a reason to act was acted on. */
  acted: number;
  writes: number;
  invocations: number;
}

export const newTally = (): Tally => ({
  heard: 0,
  handled: 0,
  signals: 0,
  mutations: new Map(MUTATIONS.map((kind) => [kind, 0])),
  parsed: new Map(),
  decisions: new Map(),
  acted: 0,
  writes: 0,
  invocations: 0,
});

const count = <K>(map: Map<K, number>, key: K): void => void map.set(key, (map.get(key) ?? 0) + 1);

interface Sent {
  readonly original: unknown;
  readonly text: string;
}

/** Mutated events through `parse` and a function's `hear`; gives what should not have been. */
export const fuzzHearing = async (
  of: FaultWorld,
  events: number,
  random: Random,
  tally: Tally,
): Promise<readonly string[]> => {
  const wrong: string[] = [];
  const crowd = of.crowd();
  crowd.happens?.();
  quietly(of, crowd);
  for (let sent = 0; sent < events && wrong.length < 20; sent += HEARD) {
    const batch = Array.from({ length: Math.min(HEARD, events - sent) }, () => nonsense(crowd, random, tally));
    tally.heard += batch.length;
    const parsed = receive(sqs(batch.map(({ text }) => text))).messages.map(parse);
    for (const { kind } of parsed) count(tally.parsed, kind);
    const understood = parsed.flatMap((one, i) => {
      const sent = batch[i];
      return one.kind === 'event' && !['tick', 'follow-up'].includes(one.event.kind) && sent !== undefined
        ? [{ event: one.event, sent }]
        : [];
    });
    const heard = await of.hear(understood.map(({ event }) => event));
    for (const [i, { sent }] of understood.entries()) {
      const answer = heard[i];
      if (answer === undefined) wrong.push(`no answer: ${sent.text.slice(0, 1_500)}`);
      const resources =
        answer !== undefined && 'signals' in answer ? answer.signals.map(({ resource }) => resource) : [];
      tally.signals += resources.length;
      const names = (marks: Marks) => resources.some((arn) => marks.names.some((name) => arn.includes(name)));
      if (names(crowd.customer)) wrong.push(`what nobody named was heard: ${sent.text.slice(0, 1_500)}`);
      if (names(crowd.victim) && !justifies(sent, crowd))
        wrong.push(`heard without a reason: ${sent.text.slice(0, 1_500)}`);
    }
  }
  return wrong;
};

/** Batches of mutated events, a good one among them, through a function's whole handler; gives what should not have been. */
export const fuzzHandling = async (
  of: FaultWorld,
  events: number,
  random: Random,
  tally: Tally,
): Promise<readonly string[]> => {
  const wrong: string[] = [];
  for (let sent = 0; sent < events && wrong.length < 20; sent += BATCH) {
    const size = Math.min(BATCH, events - sent);
    const crowd = of.crowd();
    const batch = Array.from({ length: size }, () => nonsense(crowd, random, tally));
    tally.handled += size;
    for (const { text } of batch) {
      for (const message of receive(sqs([text])).messages) count(tally.parsed, parse(message).kind);
    }
    wrong.push(...(await delivered(of, crowd, batch, random.below(8) === 0, random.below(size + 1), tally)));
  }
  return wrong;
};

const STRANGERS = ['i-00000000000000000', 'vol-ffffffffffffffff', 'no-such-name', 'arn:aws:s3:::bucket'];

const nonsense = (crowd: Crowd, random: Random, tally: Tally): Sent => {
  const strangers = [...crowd.bystander.names, ...STRANGERS];
  const original = random.below(10) < 6 ? random.of(crowd.bodies) : random.of(samples);
  const kinds = Array.from({ length: random.below(4) === 0 ? 2 : 1 }, () => random.of(MUTATIONS));
  for (const kind of kinds) count(tally.mutations, kind);
  const changed = kinds.reduce<unknown>(
    (event, kind) => mutated(typeof event === 'string' ? (opened(event) ?? event) : event, kind, random, strangers),
    original,
  );
  const text = typeof changed === 'string' ? changed : written(changed);
  return text === null ? nonsense(crowd, random, tally) : { original, text };
};

/** null: nested deeper than V8 writes JSON. */
const written = (value: unknown): string | null => {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
};

const delivered = async (
  of: FaultWorld,
  crowd: Crowd,
  batch: readonly Sent[],
  alone: boolean,
  place: number,
  tally: Tally,
): Promise<readonly string[]> => {
  const writes = quietly(of, crowd);
  const world: World = Object.defineProperty(fakeWorld(), 'now', { get: crowd.now, set: () => undefined });
  const time = { clock: crowd.now, sleep: async (ms: number) => crowd.advance(Math.max(1, ms)), random: () => 0.5 };
  const handler = () => of.handler(fakeRuntime({ world }), time);
  const wrong: string[] = [];
  const about = (text: string, what: string) => wrong.push(`${what}: ${text.slice(0, 1_500)}`);
  const invoke = async (payload: unknown, text: string): Promise<Result | undefined> => {
    tally.invocations++;
    try {
      return await handler()(payload);
    } catch (error) {
      about(text, `thrown out of the handler: ${error instanceof Error ? error.stack : error}`);
      return undefined;
    }
  };
  const noted = (result: Result | undefined) => {
    for (const { decision } of result?.outcomes ?? []) count(tally.decisions, decision);
  };

  if (crowd.before !== undefined) {
    await handler()(sqs(crowd.before.map((body) => JSON.stringify(body))));
    crowd.happens?.();
  }
  if (alone) {
    for (const { text } of batch) noted(await invoke(opened(text) ?? text, text));
  } else {
    const good = JSON.stringify(crowd.good);
    const texts = batch.map(({ text }) => text);
    texts.splice(place, 0, good);
    const result = await invoke(sqs(texts), texts.join('\n'));
    noted(result);
    const failed = new Set(result?.batchItemFailures?.map(({ itemIdentifier }) => itemIdentifier));
    if (failed.has(`message-${place}`)) about(texts.join('\n'), 'a good event failed with its batch');
    const heard = of.acts
      ? writes.some((write) => write.includes(crowd.customer.trace))
      : result?.outcomes.some(({ resource }) => crowd.customer.names.includes(resource));
    if (heard !== true) {
      about(
        texts.join('\n'),
        `a good event was not acted on (${JSON.stringify(result?.outcomes.map(({ resource, reason, why }) => [resource, reason, why]))})`,
      );
    }
    for (const [i, message] of receive(sqs(texts)).messages.entries()) {
      if (parse(message).kind === 'broken' && !failed.has(`message-${i}`))
        about(texts[i] ?? '', 'a broken event is lost');
    }
  }

  tally.writes += writes.length;
  const ticks = batch.some(({ text }) => isTick(outOf(text)));
  if (writes.some((write) => write.includes(crowd.victim.trace))) {
    if (ticks || batch.some((sent) => justifies(sent, crowd))) tally.acted++;
    else about(batch.map(({ text }) => text).join('\n'), `acted without a reason: ${writes.join('\n')}`);
  }
  const known = [crowd.victim, crowd.customer];
  for (const write of writes) {
    const isKnown = known.some(({ trace }) => write.includes(trace));
    if (write.includes(crowd.bystander.trace)) about(write, 'what did not opt in was touched');
    else if (!isKnown) about(`${write}\n${batch.map(({ text }) => text).join('\n')}`, 'something else was touched');
    else if (alone && !ticks && write.includes(crowd.customer.trace)) about(write, 'what nobody named was touched');
  }
  if (({} as { readonly polluted?: unknown }).polluted !== undefined) about('', 'a prototype was polluted');
  return wrong;
};

/** A wire on which nothing goes wrong; the writes to come. */
const quietly = (of: FaultWorld, crowd: Crowd): readonly string[] => {
  const writes: string[] = [];
  onLine({
    url: of.url,
    advance: crowd.advance,
    faultOf: () => undefined,
    answer: () => undefined,
    onServe: (call) => void (isWrite(call) && writes.push(`${call.operation} ${decodeURIComponent(call.body)}&`)),
  });
  return writes;
};

/** The event in a message, out of SNS's envelope. */
const outOf = (text: string): unknown => {
  const body = opened(text);
  const { Type, Message } = (body ?? {}) as { readonly Type?: unknown; readonly Message?: unknown };
  return Type === 'Notification' ? opened(Message) : body;
};

/** It still says that the victim is in trouble, and says its name where it always did. */
const justifies = ({ original, text }: Sent, { victim, reports }: Crowd): boolean => {
  const event = outOf(text);
  if (!reports(event)) return false;
  const placesOf = (value: unknown) =>
    textsIn(value).flatMap(([place, said]) =>
      victim.names.filter((name) => said.includes(name)).map((name) => `${place}=${name}`),
    );
  const before = new Set(placesOf(outOf(JSON.stringify(original))));
  return placesOf(event).some((place) => before.has(place));
};

const sqs = (texts: readonly string[]) => ({
  Records: texts.map((body, i) => ({
    messageId: `message-${i}`,
    receiptHandle: 'receipt',
    body,
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '1772680320500',
      SenderId: 'events',
      ApproximateFirstReceiveTimestamp: '1772680320510',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:eu-west-1:111122223333:inbox',
    awsRegion: 'eu-west-1',
  })),
});
