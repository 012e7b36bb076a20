import { saveSpotLogs } from '../../functions/save-spot-logs/function.ts';
import { subjectOf } from '../../functions/save-spot-logs/tell.ts';
import { type Result, remediation } from '../../shared/remediation.ts';
import { inSwarms } from '../../shared/swarm.ts';
import { sqsBatch } from './event-builders.ts';
import type { Fleet } from './fake-aws/fleet.ts';
import { type FakeOptions, fakeRuntime, fakeWorld, type World } from './fake-runtime.ts';

export const saverEnv = {
  AWS_REGION: 'eu-west-1',
  LOG_BUCKET: 'reflex-logs',
  SHIP_LOGS_DOCUMENT: 'reflex-ship-logs',
} as const;

/** As the template sets them on the inbox. */
export const HIDDEN_MS = 35_000;
const RECEIVES_AT_MOST = 5;

/** save-spot-logs on a ledger in memory and a fleet on loopback, wired as its handler is. Waiting moves the clock. */
export const saver = (
  fleet: Fleet,
  { world = fakeWorld(), env = {}, ...options }: FakeOptions & { readonly env?: NodeJS.ProcessEnv } = {},
) => {
  fleet.reset(() => world.now);
  return saverOn({ world, env, ...options });
};

export const saverOn = ({
  world = fakeWorld(),
  env = {},
  ...options
}: FakeOptions & { readonly env?: NodeJS.ProcessEnv }) => {
  const runtime = fakeRuntime({ world, ...options });
  const patience = {
    clock: () => world.now,
    sleep: async (ms: number) => {
      const end = world.now + Math.max(1, ms);
      await Promise.resolve();
      // Others may have slept meanwhile.
      world.now = Math.max(world.now, end);
    },
    random: () => 0.5,
  };
  const fn = saveSpotLogs({ ...saverEnv, ...env }, patience);
  const handle = remediation(fn, inSwarms({ ...runtime, calendar: null }, subjectOf));
  const results: Result[] = [];
  const redelivered = new Map<string, number>();
  /** One batch of events from the inbox. */
  const batch = async (...bodies: readonly unknown[]): Promise<Result> => {
    const sent = sqsBatch(...bodies);
    const result = await handle(sent);
    results.push(result);
    const failed = (result.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
    for (const { messageId, body } of sent.Records.filter(({ messageId }) => failed.includes(messageId))) {
      const received = (redelivered.get(body) ?? 0) + 1;
      redelivered.set(body, received);
      if (received < RECEIVES_AT_MOST) {
        world.inbox.push({ id: messageId, body, dueAt: world.now + HIDDEN_MS, received });
      }
    }
    return result;
  };
  /** Delivers what is due by then, all that is due at once in one batch, as a window of some seconds does. */
  const run = async (ms: number): Promise<void> => {
    const until = world.now + ms;
    for (;;) {
      const next = Math.min(...world.inbox.map(({ dueAt }) => dueAt));
      if (next > until || world.inbox.length === 0) break;
      world.now = Math.max(world.now, next) + 1;
      const due = world.inbox.filter(({ dueAt }) => dueAt <= world.now);
      world.inbox.splice(0, world.inbox.length, ...world.inbox.filter((message) => !due.includes(message)));
      await batch(...due.map(({ body }) => body));
    }
    world.now = Math.max(world.now, until);
  };
  const outcomes = () => results.flatMap((result) => result.outcomes);
  return { runtime, world, handle, batch, run, results, outcomes };
};

export type Saver = ReturnType<typeof saverOn>;
export type { World };
