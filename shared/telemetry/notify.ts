import { notificationBody } from '../events/reflex-notification.ts';
import type { Json } from '../json.ts';
import type { HistoryRecord } from '../ledger/types.ts';
import { reasons } from '../reasons.ts';
import type { Runtime } from '../runtime.ts';
import { asWord, inStack, shortArn } from '../words.ts';
import { redact } from './logging.ts';

export interface NotificationContext {
  readonly version: string;
  readonly region: string;
  readonly account: string;
  /** The stack's ResourcePrefix: the commands in the text name it. */
  readonly prefix: string;
  /** When Reflex looks at the resource again by itself, epoch ms; null: when the next event or sweep says so. */
  readonly nextCheckAt: number | null;
}

/** The custom-notification event of Amazon Q Developer in chat applications. */
export interface ChatNotification {
  readonly version: '1.0';
  readonly source: 'custom';
  readonly id: string;
  readonly content: {
    readonly textType: 'client-markdown';
    readonly title: string;
    readonly description: string;
    readonly nextSteps: readonly string[];
    readonly keywords: readonly string[];
  };
  readonly metadata: {
    readonly threadId: string;
    readonly summary: string;
    readonly eventType: string;
    readonly relatedResources: readonly string[];
    readonly additionalContext: Readonly<Record<string, string>>;
  };
}

export interface Notification {
  /** ASCII, less than 100 characters, no line break (SNS). */
  readonly subject: string;
  /** One paragraph, for SMS and every protocol without its own text. */
  readonly default: string;
  /** Plain text that alone answers "why did it do that at 03:12?". */
  readonly email: string;
  readonly chat: ChatNotification;
  /** All of it as SNS takes it with `MessageStructure: json`. */
  readonly message: string;
}

const maxSubjectCharacters = 99;

/** SNS takes 256 KB; the rest is for the subject and the request's own fields. */
const maxMessageBytes = 250_000;

/** SQS takes 256 KB, and in JSON text every quote and backslash becomes two. */
const maxWaitingBytes = 120_000;

/** SNS's throttles and outages are mostly over by then; what is left, the inbox repeats. */
const waitingSeconds = 60;

/** Slack shows up to 3,000 characters of a text. */
const maxChatCharacters = 2_800;

/** What is kept of a record, from everything down to what always fits. */
interface Detail {
  readonly facts: number;
  readonly actions: number;
  readonly text: number;
}

const details: readonly Detail[] = [
  { facts: Number.POSITIVE_INFINITY, actions: Number.POSITIVE_INFINITY, text: Number.POSITIVE_INFINITY },
  { facts: 4_000, actions: Number.POSITIVE_INFINITY, text: Number.POSITIVE_INFINITY },
  { facts: 0, actions: 50, text: 1_000 },
];
const leastDetail: Detail = { facts: 0, actions: 5, text: 200 };

/** Programs get the record itself; people with chat get the chat schema, which comes in over https. */
const programs = ['email-json', 'firehose', 'http', 'lambda', 'sqs'];

/** Tells one outcome to people and programs. Secrets are masked; when longer than `maxBytes`, facts go first. */
export function buildNotification(
  record: HistoryRecord,
  context: NotificationContext,
  maxBytes = maxMessageBytes,
): Notification {
  for (const detail of details) {
    const notification = withDetail(record, context, detail);
    if (Buffer.byteLength(notification.message) <= maxBytes) return notification;
  }
  return withDetail(record, context, leastDetail);
}

/**
 * Builds and publishes. What SNS does not take goes into the inbox, and is published from there until it is told, or the dead-letter
 * queue keeps it. Never throws: it changes no outcome. What SNS took without an answer may be told twice.
 */
export async function notify(
  { publish, enqueue, log }: Pick<Runtime, 'publish' | 'enqueue' | 'log'>,
  record: HistoryRecord,
  context: NotificationContext,
): Promise<void> {
  const about = { resource: record.resource, recordId: record.recordId };
  try {
    await publish(buildNotification(record, context));
  } catch (refused) {
    log.error('notification not sent; it is put into the inbox', refused, about);
    try {
      const body = notificationBody(buildNotification(record, context, maxWaitingBytes));
      const [failure] = await enqueue([{ body, delaySeconds: waitingSeconds }]);
      if (failure !== undefined) throw new Error(failure.message);
    } catch (error) {
      log.error('notification lost: the inbox did not take it either', error, { ...about, why: record.why });
    }
  }
}

function withDetail(record: HistoryRecord, context: NotificationContext, detail: Detail): Notification {
  const clip = (text: string): string => clipped(text, detail.text);
  const shown: Shown = {
    record,
    context,
    name: clip(shortArn(record.resource)),
    resource: clip(record.resource),
    cause: clip(record.cause),
    why: clip(record.why),
    advice: record.advice === undefined ? undefined : clip(record.advice),
    incident: record.incidentId === null ? null : clip(record.incidentId),
    actions: record.actions.slice(0, detail.actions).map((action) => ({
      call: clip(action.call),
      params: clip(JSON.stringify(redact(action.params))),
      error: action.error === undefined ? undefined : clip(action.error),
    })),
    actionsLeftOut: Math.max(0, record.actions.length - detail.actions),
    facts: clipped(JSON.stringify(redact(record.facts), null, 2), detail.facts),
    factsForPrograms: detail.facts === Number.POSITIVE_INFINITY ? redact(record.facts) : 'left out: too long',
  };
  const [begins, ends] = [`Reflex ${verdict(record)}: ${record.fn} `, ` (${record.reason})`];
  const name = clipped(shown.name, maxSubjectCharacters - begins.length - ends.length);
  const subject = `${begins}${name}${ends}`.replaceAll(/[^\x20-\x7e]/g, '?');
  const summary = inStack(`${headline(shown)} ${shown.why}`, context.prefix);
  const email = inStack(emailText(shown), context.prefix);
  const chat = chatEvent(shown, summary);
  const forPrograms = JSON.stringify({
    fn: record.fn,
    resource: shown.resource,
    recordId: record.recordId,
    at: new Date(record.at).toISOString(),
    incidentId: shown.incident,
    trigger: record.trigger,
    cause: shown.cause,
    decision: record.decision,
    reason: record.reason,
    why: shown.why,
    advice: shown.advice,
    held: record.held,
    mode: record.mode,
    dryRun: record.dryRun,
    actions: detail.actions === Number.POSITIVE_INFINITY ? redact(record.actions) : shown.actions,
    actionsLeftOut: shown.actionsLeftOut,
    facts: shown.factsForPrograms,
    traceId: record.traceId,
    version: context.version,
    region: context.region,
    account: context.account,
  });
  const message = JSON.stringify({
    default: summary,
    email,
    https: JSON.stringify(chat),
    ...Object.fromEntries(programs.map((protocol) => [protocol, forPrograms])),
  });
  return { subject, default: summary, email, chat, message };
}

interface Shown {
  readonly record: HistoryRecord;
  readonly context: NotificationContext;
  readonly name: string;
  readonly resource: string;
  readonly cause: string;
  readonly why: string;
  readonly advice: string | undefined;
  readonly incident: string | null;
  readonly actions: readonly { call: string; params: string; error: string | undefined }[];
  readonly actionsLeftOut: number;
  readonly facts: string;
  readonly factsForPrograms: Json;
}

function emailText(shown: Shown): string {
  const { record, context, resource, cause, why, advice, incident, facts } = shown;
  return [
    headline(shown),
    '',
    `When:      ${time(record.at)}`,
    `Resource:  ${resource}`,
    `Cause:     ${cause} (${record.trigger})`,
    `Decision:  ${record.decision}, reason ${record.reason}: ${reasons[record.reason]}`,
    `Why:       ${why}`,
    `Mode:      ${record.mode}${record.dryRun ? ' - a dry run: nothing was changed' : ''}`,
    '',
    'CALLS',
    ...callLines(shown),
    ...(advice === undefined ? [] : ['', 'WHAT A PERSON SHOULD DO', advice]),
    '',
    'WHAT HAPPENS NEXT',
    next(shown),
    '',
    'WHAT WAS SEEN',
    facts === '' ? 'Left out here because it is long; the history below has it.' : facts,
    '',
    'MORE',
    `Incident:         ${incident ?? 'none'}`,
    `The whole story:  npm run ops -- history ${asWord(resource)}`,
    `Stop Reflex:      npm run ops -- mode set off`,
    ...(record.traceId === undefined ? [] : [`Trace:            ${record.traceId}`, `  ${traceLink(shown)}`]),
    `Reflex ${context.version}, account ${context.account}, ${context.region}`,
  ].join('\n');
}

function chatEvent(shown: Shown, summary: string): ChatNotification {
  const { record, context, name, resource, advice, incident } = shown;
  const trace = record.traceId === undefined ? [] : [`<${traceLink(shown)}|Trace>`];
  return {
    version: '1.0',
    source: 'custom',
    id: clipped(record.recordId, 200),
    content: {
      textType: 'client-markdown',
      title: clipped(`${icon(record)} ${record.fn}: ${verdict(record)} on ${name}`, 250),
      description: clipped(
        inStack(
          [
            `*${record.decision}* because of *${record.reason}*: ${shown.why}`,
            `Seen at ${time(record.at)}, woken by ${shown.cause}.`,
            ...callLines(shown),
            next(shown),
          ].join('\n'),
          context.prefix,
        ),
        maxChatCharacters,
      ),
      nextSteps: [
        ...(advice === undefined ? [] : [clipped(advice, 350)]),
        `The whole story: \`npm run ops -- history ${asWord(clipped(resource, 250))}\``,
        'Stop Reflex: `npm run ops -- mode set off`',
        ...trace,
      ].map((step) => inStack(step, context.prefix)),
      keywords: [record.fn, record.decision, record.reason, ...(record.dryRun ? ['dry-run'] : [])],
    },
    metadata: {
      threadId: clipped(incident ?? `${record.fn} ${resource}`, 200),
      summary: clipped(summary, 250),
      eventType: `reflex-${record.decision}`,
      relatedResources: [resource],
      additionalContext: {
        function: record.fn,
        reason: record.reason,
        mode: record.mode,
        dryRun: String(record.dryRun),
        incident: clipped(incident ?? 'none', 200),
        account: context.account,
        region: context.region,
        version: context.version,
      },
    },
  };
}

function headline({ record, name }: Shown): string {
  if (isUnknown(record)) return `Reflex called AWS to act on ${name}, and does not know what came of it.`;
  const failed = record.actions.some(({ error }) => error !== undefined);
  if (failed && record.decision !== 'escalate') return `Reflex tried to act on ${name}, and AWS refused.`;
  switch (record.decision) {
    case 'act':
      return record.dryRun
        ? `Reflex would have acted on ${name} (dry run: nothing was changed).`
        : `Reflex acted on ${name}.`;
    case 'skip':
      return record.reason === 'resolved'
        ? `Reflex closed the incident of ${name}: the facts say it is over.`
        : `Reflex did nothing about ${name}.`;
    case 'defer':
      return `Reflex waits before it acts on ${name}.`;
    case 'escalate':
      return `Reflex needs a person for ${name}.`;
  }
}

/** The calls may have been made or not; the facts will say. */
const isUnknown = ({ unresolved, reason }: HistoryRecord): boolean => unresolved === true || reason === 'act-unknown';

function verdict(record: HistoryRecord): string {
  if (isUnknown(record)) return 'result unknown';
  if (record.actions.some(({ error }) => error !== undefined)) return 'failed';
  switch (record.decision) {
    case 'act':
      return record.dryRun ? 'dry run' : 'acted';
    case 'skip':
      return record.reason === 'resolved' ? 'closed the incident' : 'did nothing';
    case 'defer':
      return 'waits';
    case 'escalate':
      return 'needs you';
  }
}

function icon(record: HistoryRecord): string {
  if (record.decision === 'escalate' || ['failed', 'result unknown'].includes(verdict(record)))
    return ':rotating_light:';
  return record.dryRun ? ':test_tube:' : ':gear:';
}

function callLines({ record, actions, actionsLeftOut }: Shown): string[] {
  if (actions.length === 0) return ['None.'];
  const result = (error: string | undefined): string => {
    if (record.dryRun) return 'not made (dry run)';
    if (record.unresolved) return 'result unknown: the invocation ended in between';
    if (error === undefined) return 'made';
    return isUnknown(record) ? `result unknown: ${error}` : `FAILED: ${error}`;
  };
  return [
    ...actions.map(({ call, params, error }, index) => `${index + 1}. ${call} ${params} - ${result(error)}`),
    ...(actionsLeftOut > 0 ? [`... and ${actionsLeftOut} more`] : []),
  ];
}

function next({ record, context }: Shown): string {
  if (record.reason === 'held' || record.held === true) {
    return 'The resource is on hold: Reflex does not touch it until a person releases it (npm run ops -- release).';
  }
  if (context.nextCheckAt !== null) return `Reflex looks again at ${time(context.nextCheckAt)}.`;
  return record.incidentId === null || record.decision === 'escalate'
    ? 'No check is planned: Reflex looks again when an event or its schedule brings the resource up.'
    : 'The incident is closed; the next event opens another.';
}

/** Where the console of a partition is, where it is not AWS's commercial one. */
const consoles: Readonly<Record<string, string>> = {
  'aws-cn': 'console.amazonaws.cn',
  'aws-us-gov': 'console.amazonaws-us-gov.com',
  'aws-eusc': 'console.amazonaws-eusc.eu',
};

function traceLink({ record, context }: Shown): string {
  const domain = consoles[record.resource.split(':')[1] ?? ''] ?? `${context.region}.console.aws.amazon.com`;
  return `https://${domain}/cloudwatch/home?region=${context.region}#xray:traces/${record.traceId}`;
}

function time(at: number): string {
  return new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

function clipped(text: string, length: number): string {
  if (text.length <= length) return text;
  return length < 3 ? '' : `${text.slice(0, length - 3)}...`;
}
