import { receive } from '../../shared/events/envelope.ts';
import type { FollowUpEvent, Parsed } from '../../shared/events/event.ts';
import { fieldsOf } from '../../shared/events/fields.ts';
import { parse } from '../../shared/events/registry.ts';
import { shortArn } from '../../shared/words.ts';
import {
  type Command,
  type Context,
  type DeployedFunction,
  misused,
  positionalsUpTo,
  type Report,
  Stop,
  textOption,
} from './command.ts';
import type { DeadLetter, DeadLetters } from './dead-letters.ts';
import { clipped, count, field, utc } from './words.ts';

/** Messages taken in one run: as many as a person can look at. */
const takenAtMost = 100;

export const replay: Command = {
  name: 'replay',
  usage: ['replay [--dry]', 'replay --drop ID'],
  summary: 'the dead-letter queue: why each message failed, and back to where it came from',
  options: {
    dry: 'only show the messages',
    'to FUNCTION': 'where a message goes that does not say where it came from',
    'drop ID': 'delete one message for good, after showing it whole',
  },
  async run(args, context) {
    positionalsUpTo(args, 0);
    const dry = args.values.dry === true;
    const drop = textOption(args, 'drop');
    const to = textOption(args, 'to');
    if (dry && drop !== undefined) throw misused('replay: choose one of --dry and --drop.');
    const { functions, deadLetters } = await context.connect();
    if (to !== undefined && !functions.some(({ name }) => name === to)) {
      throw misused(`--to: expected one of ${functions.map(({ name }) => name).join(', ')}, found "${to}".`);
    }
    const queue = await deadLetters();
    const taken = await queue.take(takenAtMost);
    const left = new Set(taken);
    try {
      if (drop !== undefined) return await dropOne(taken, drop, queue, left, context);
      return await replayAll(
        taken.map((letter) => examine(letter, functions, to)),
        dry,
        queue,
        left,
        context,
      );
    } finally {
      // What cannot be put back now comes back by itself when its five minutes are over.
      await Promise.allSettled([...left].map((letter) => queue.putBack(letter)));
    }
  },
};

/** A dead letter, understood as far as it can be. */
export interface Examined {
  readonly letter: DeadLetter;
  /** Why it came here. */
  readonly why: string;
  /** What it says. */
  readonly what: string;
  /** What goes back into the inbox: without the envelope Lambda puts around a failed invocation. */
  readonly bodies: readonly string[];
  readonly to: DeployedFunction | null;
  /** Why it stays in the dead-letter queue; null: it goes back. */
  readonly stays: string | null;
}

export function examine(letter: DeadLetter, functions: readonly DeployedFunction[], to?: string): Examined {
  const invocation = failedInvocation(letter.body);
  const { messages } = receive(
    invocation === null
      ? {
          Records: [{ eventSource: 'aws:sqs', messageId: letter.id, body: letter.body, attributes: letter.attributes }],
        }
      : invocation.requestPayload,
  );
  const parsed = messages.map(parse);
  const { from, why } = originOf(letter, invocation, functions);
  const target =
    from ?? functions.find(({ name }) => name === to) ?? (functions.length === 1 ? functions[0] : undefined);
  const broken = parsed.find((each) => each.kind === 'broken');
  return {
    letter,
    why: broken === undefined ? why : `it cannot be read: ${broken.error.message}`,
    what: broken === undefined ? counted(parsed.map(inWords)) : letter.body,
    bodies: invocation === null ? [letter.body] : messages.map(({ raw }) => raw),
    to: target ?? null,
    stays:
      broken !== undefined
        ? 'it would fail again'
        : target === undefined
          ? 'it does not say where it came from: name the function with --to'
          : null,
  };
}

interface FailedInvocation {
  readonly requestPayload: unknown;
  readonly functionArn: string;
  readonly said: string;
}

/** Lambda's record of an asynchronous invocation that failed for good. */
function failedInvocation(body: string): FailedInvocation | null {
  const record = fieldsOf(jsonOf(body));
  const { functionArn, condition } = fieldsOf(record.requestContext);
  if (typeof functionArn !== 'string' || record.requestPayload === undefined) return null;
  const { errorMessage } = fieldsOf(record.responsePayload);
  return {
    requestPayload: record.requestPayload,
    functionArn,
    said: `${condition ?? 'failed'}${typeof errorMessage === 'string' ? `: ${errorMessage}` : ''}`,
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Four ways lead here, and each leaves its own trace: EventBridge, SNS, Lambda's failure destination, an inbox. */
function originOf(
  { attributes }: DeadLetter,
  invocation: FailedInvocation | null,
  functions: readonly DeployedFunction[],
): { readonly from: DeployedFunction | undefined; readonly why: string } {
  const inbox = (arn: string | undefined) =>
    functions.find(({ inboxUrl }) => arn !== undefined && inboxUrl.split('/').at(-1) === arn.split(':').at(-1));
  if (invocation !== null) {
    const name = invocation.functionArn.split(':')[6];
    return {
      from: functions.find(({ arn }) => arn.split(':')[6] === name),
      why: `the invocation by an alarm failed, ${invocation.said}`,
    };
  }
  const { ERROR_CODE, ERROR_MESSAGE, TARGET_ARN, ErrorCode, ErrorMessage, DeadLetterQueueSourceArn } = attributes;
  if (ERROR_CODE !== undefined || TARGET_ARN !== undefined) {
    return { from: inbox(TARGET_ARN), why: `EventBridge could not deliver it: ${said(ERROR_CODE, ERROR_MESSAGE)}` };
  }
  if (ErrorCode !== undefined || ErrorMessage !== undefined) {
    return { from: undefined, why: `SNS could not deliver it: ${said(ErrorCode, ErrorMessage)}` };
  }
  return {
    from: inbox(DeadLetterQueueSourceArn),
    why: 'the function failed on it every time; its log and the history of the resource say why',
  };
}

const said = (...parts: readonly (string | undefined)[]): string =>
  parts.filter((part) => part !== undefined && part !== '').join(', ') || 'no reason given';

/** A bundle's events are many of a kind. */
const counted = (all: readonly string[]): string =>
  [...Map.groupBy(all, (words) => words)]
    .map(([words, { length }]) => (length === 1 ? words : `${length} times ${words}`))
    .join('; ');

function inWords(parsed: Parsed): string {
  if (parsed.kind === 'broken') return '';
  if (parsed.kind === 'not-for-us') return `for no function: ${parsed.reason}`;
  const { event } = parsed;
  switch (event.kind) {
    case 'alarm':
      return `alarm ${event.alarmName} went to ${event.state} at ${utc(event.at)} UTC`;
    case 'tick':
      return `schedule, ${event.scope}`;
    case 'follow-up':
      return checksInWords(event.checks);
    case 'notification':
      return `a notification that SNS did not take: ${event.subject}`;
    default:
      return (event as { readonly kind: string }).kind;
  }
}

function checksInWords([first, ...others]: FollowUpEvent['checks']): string {
  if (first === undefined) return 'no check';
  const { check, incidentId, resource } = first;
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  return `check ${check} of ${incidentId} on ${shortArn(resource)}${more}`;
}

async function replayAll(
  examined: readonly Examined[],
  dry: boolean,
  queue: DeadLetters,
  left: Set<DeadLetter>,
  context: Context,
): Promise<Report> {
  if (examined.length === 0) return { lines: ['The dead-letter queue is empty.'], json: { messages: [] } };
  const going = examined.filter(({ stays }) => stays === null);
  const staying = examined.length - going.length;
  const lines = [
    ...examined.flatMap((each) => [...tell(each, context), '']),
    ...(examined.length === takenAtMost ? [`These are the first ${takenAtMost}; there may be more.`] : []),
    ...(staying > 0 ? ['What cannot be read stays. Delete one for good with: npm run ops -- replay --drop ID'] : []),
  ];
  if (dry) return { lines, json: asJson(examined, () => 'shown') };
  if (going.length === 0)
    return { lines: [...lines, 'Nothing was replayed.'], json: asJson(examined, () => 'kept'), failed: true };
  if (!(await context.confirm(lines, `Put ${count(going.length, 'message')} back?`))) {
    return { lines: ['Nothing was replayed.'], json: asJson(examined, () => 'kept') };
  }
  const errors = new Map<DeadLetter, string>();
  for (const each of going) await moveBack(each, queue, left, errors);
  const moved = going.length - errors.size;
  return {
    lines: [
      `${count(moved, 'message')} put back.${staying > 0 ? ` ${count(staying, 'message')} stayed.` : ''}`,
      ...[...errors].map(([{ id }, error]) => `${id} stays in the dead-letter queue: ${error}`),
    ],
    json: asJson(examined, ({ letter, stays }) => (stays !== null ? 'kept' : (errors.get(letter) ?? 'replayed'))),
    failed: errors.size > 0,
  };
}

/** First into the inbox, then out of the dead-letter queue: what ends in between is there twice, and handled once. */
async function moveBack(
  { letter, bodies, to }: Examined,
  queue: DeadLetters,
  left: Set<DeadLetter>,
  errors: Map<DeadLetter, string>,
): Promise<void> {
  if (to === null) return;
  try {
    for (const body of bodies) await queue.send(to.inboxUrl, body);
    await queue.remove(letter);
    left.delete(letter);
  } catch (error) {
    errors.set(letter, error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  }
}

async function dropOne(
  taken: readonly DeadLetter[],
  id: string,
  queue: DeadLetters,
  left: Set<DeadLetter>,
  { confirm }: Context,
): Promise<Report> {
  const letter = taken.find((each) => each.id === id);
  if (letter === undefined) {
    throw new Stop(
      `No message ${id} in the dead-letter queue.`,
      'npm run ops -- replay --dry lists them with their ids.',
    );
  }
  if (!(await confirm([letter.body, ''], `Delete message ${id} for good?`))) {
    return { lines: ['Nothing was deleted.'], json: { dropped: null } };
  }
  await queue.remove(letter);
  left.delete(letter);
  return { lines: [`Message ${id} is deleted.`], json: { dropped: { id, body: letter.body } } };
}

const tell = ({ letter, why, what, to, stays }: Examined, context: Context): string[] => [
  `${letter.id}  ${letter.sentAt === 0 ? '' : `sent ${utc(letter.sentAt)} UTC`}`.trimEnd(),
  ...field('Says', clipped(what, 200), context),
  ...field('Failed', clipped(why, 400), context),
  ...field(
    'Goes',
    stays === null ? `to the inbox of ${to?.name}` : `nowhere: ${stays}`,
    context,
    stays === null ? undefined : 'yellow',
  ),
];

const asJson = (examined: readonly Examined[], result: (each: Examined) => string) => ({
  messages: examined.map((each) => ({
    id: each.letter.id,
    sentAt: each.letter.sentAt,
    what: each.what,
    why: each.why,
    to: each.to?.name ?? null,
    stays: each.stays,
    result: result(each),
    body: each.letter.body,
  })),
});
