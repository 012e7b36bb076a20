import { type Edge, run } from '../../../scripts/ops/cli.ts';
import { type DeployedFunction, type Stack, Stop } from '../../../scripts/ops/command.ts';
import type { DeadLetter, DeadLetters } from '../../../scripts/ops/dead-letters.ts';
import type { KeptVolume } from '../../../scripts/ops/volumes.ts';
import { type Ledger, ledger, recordId } from '../../../shared/ledger/ledger.ts';
import type { HistoryRecord, Mode } from '../../../shared/ledger/types.ts';
import { account, at, region, streamArn } from '../../support/event-builders.ts';
import { memoryTable } from '../../support/memory-table.ts';

export const fn = 'reshard-kinesis';
/** What the clock shows: a quarter of an hour after it happened. */
export const now = at + 15 * 60_000;

export const deployed = (name = fn, mode: Mode = 'dry-run'): DeployedFunction => ({
  name,
  arn: `arn:aws:lambda:${region}:${account}:function:reflex-${name}`,
  mode,
  inboxUrl: `https://sqs.${region}.amazonaws.com/${account}/reflex-${name}-inbox`,
});

export interface Terminal {
  readonly ledger: Ledger;
  readonly stack: Stack;
  /** Questions that were asked. */
  readonly asked: string[];
  /** How often the stack was looked for. */
  readonly connections: () => number;
  /** Runs one command line, as a shell would split it. */
  readonly run: (...argv: string[]) => Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
}

export interface TerminalOptions {
  readonly functions?: readonly DeployedFunction[];
  /** What a person answers; null: nobody is there. */
  readonly answer?: boolean | null;
  readonly deadLetters?: DeadLetters;
  readonly width?: number;
  readonly env?: Edge['env'];
  readonly paint?: Edge['paint'];
  /** What the deployed functions answer. */
  readonly explain?: Stack['explain'];
  readonly keptVolumes?: readonly KeptVolume[];
  readonly onDemandBases?: Readonly<Record<string, number | null>>;
  /** The stack cannot be reached. */
  readonly unreachable?: unknown;
}

/** A terminal before a stack in memory. */
export function terminal({
  functions = [deployed()],
  answer = null,
  deadLetters,
  width = 160,
  env = {},
  paint = (_, text) => text,
  explain = async () => ({ outcomes: [], notForUs: {}, failures: [] }),
  keptVolumes = [],
  onDemandBases = {},
  unreachable,
}: TerminalOptions = {}): Terminal {
  const own = ledger({ table: memoryTable(), clock: () => now });
  const stack: Stack = {
    ledger: own,
    functions,
    deadLetters: async () => {
      if (deadLetters === undefined) throw new Stop('no queue', '');
      return deadLetters;
    },
    explain,
    keptVolumes: async () => keptVolumes,
    onDemandBases: async () => new Map(Object.entries(onDemandBases)),
  };
  const asked: string[] = [];
  let connections = 0;
  return {
    ledger: own,
    stack,
    asked,
    connections: () => connections,
    async run(...argv) {
      const out: string[] = [];
      const err: string[] = [];
      const code = await run(argv, {
        out: (text) => out.push(text),
        err: (text) => err.push(text),
        paint,
        width,
        env,
        now: () => now,
        user: 'ada',
        ask:
          answer === null
            ? null
            : async (question) => {
                asked.push(question);
                return answer;
              },
        connect: async () => {
          connections += 1;
          if (unreachable !== undefined) throw unreachable;
          return stack;
        },
      });
      return { code, out: out.join('\n'), err: err.join('\n') };
    },
  };
}

export const incidentId = 'rfx-20260305T031200-ab12cd34';

/** The record of a scale-up at 03:12, or another one. */
export function record(changes: Partial<HistoryRecord> = {}): HistoryRecord {
  const when = changes.at ?? at;
  return {
    fn,
    resource: streamArn(),
    recordId: recordId(when, 'ab12cd34'),
    at: when,
    incidentId,
    trigger: 'alarm',
    cause: 'alarm orders-throughput-high is ALARM: Threshold Crossed',
    decision: 'act',
    reason: 'scale-up',
    why: 'Peak of the last minutes 0.95 MiB/s: 95 % of 1 shard. 1 -> 2.',
    mode: 'on',
    dryRun: false,
    actions: [{ call: 'UpdateShardCount', params: { StreamARN: streamArn(), TargetShardCount: 2 } }],
    facts: null,
    traceId: '1-69a8f3c0-0123456789abcdef01234567',
    ...changes,
  };
}

/** Two verifications after the scale-up; the second closes the incident. */
export const verifications = (): HistoryRecord[] => [
  record({
    at: at + 60_000,
    recordId: recordId(at + 60_000, 'b'),
    trigger: 'follow-up',
    cause: `follow-up 1 of ${incidentId}`,
    decision: 'defer',
    reason: 'stream-updating',
    why: 'The stream is UPDATING.',
    actions: [],
  }),
  record({
    at: at + 255_000,
    recordId: recordId(at + 255_000, 'c'),
    trigger: 'follow-up',
    cause: `follow-up 2 of ${incidentId}`,
    decision: 'skip',
    reason: 'resolved',
    why: 'Peak 48 % of 2 shards.',
    actions: [],
  }),
];

export interface MemoryQueue extends DeadLetters {
  /** What is in the dead-letter queue, taken or not. */
  readonly held: Map<string, DeadLetter>;
  /** Ids that were taken and not put back. */
  readonly hidden: Set<string>;
  readonly sent: { readonly queueUrl: string; readonly body: string }[];
}

export const letter = (id: string, body: string, attributes: DeadLetter['attributes'] = {}): DeadLetter => ({
  id,
  body,
  sentAt: at,
  attributes,
  receipt: `receipt-${id}`,
});

/** A dead-letter queue in memory. `fails` says which call is refused. */
export function memoryQueue(
  letters: readonly DeadLetter[],
  fails: (call: 'send' | 'remove' | 'putBack', text: string) => boolean = () => false,
): MemoryQueue {
  const held = new Map(letters.map((each) => [each.id, each]));
  const hidden = new Set<string>();
  const sent: { queueUrl: string; body: string }[] = [];
  const attempt = (call: 'send' | 'remove' | 'putBack', text: string) => {
    if (fails(call, text)) throw new Error(`${call} was refused`);
  };
  return {
    held,
    hidden,
    sent,
    async take(most) {
      const taken = [...held.values()].filter(({ id }) => !hidden.has(id)).slice(0, most);
      for (const { id } of taken) hidden.add(id);
      return taken;
    },
    async putBack({ id }) {
      attempt('putBack', id);
      hidden.delete(id);
    },
    async remove({ id }) {
      attempt('remove', id);
      held.delete(id);
    },
    async send(queueUrl, body) {
      attempt('send', body);
      sent.push({ queueUrl, body });
    },
  };
}
