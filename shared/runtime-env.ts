import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { placeOf } from './arns.ts';
import { client } from './aws/client.ts';
import { dynamoTable } from './aws/dynamodb.ts';
import { sendBatch } from './aws/sqs.ts';
import { ledger } from './ledger/ledger.ts';
import type { Runtime } from './runtime.ts';
import { fromEnv, type Kind, oneOf, orWord, wholeNumber } from './settings.ts';
import { logFromEnv } from './telemetry/logging.ts';
import { metricsFromEnv } from './telemetry/metrics.ts';
import { stacksNameTheSource } from './telemetry/stacks.ts';
import { DEFAULT_PREFIX } from './words.ts';

const text: Kind<string> = { expected: 'a text that is not empty', parse: (value) => value || undefined };
const topicArn: Kind<string> = {
  expected: 'the ARN of an SNS topic',
  parse: (value) => (/^arn:[^:]+:sns:[^:]+:\d{12}:[^:]+$/.test(value) ? value : undefined),
};

/** The stack's part of every function's environment; template.yaml sets it from parameters and resources. */
const settings = {
  mode: { env: 'MODE', fallback: 'dry-run', kind: oneOf('off', 'dry-run', 'on') },
  followUpSeconds: { env: 'FOLLOW_UP_SECONDS', fallback: '60', kind: wholeNumber(10, 900, 'seconds') },
  stormLimit: { env: 'STORM_LIMIT', fallback: '10', kind: wholeNumber(1, 10_000) },
  freezeCalendar: { env: 'FREEZE_CALENDAR', fallback: 'none', kind: orWord('none', text) },
  ledgerTable: { env: 'LEDGER_TABLE', fallback: '', kind: text },
  inboxUrl: { env: 'INBOX_URL', fallback: '', kind: text },
  notificationsTopicArn: { env: 'NOTIFICATIONS_TOPIC_ARN', fallback: '', kind: topicArn },
} as const;

/** The stack's ResourcePrefix: a deployed function is named by it, and then by its folder. */
const prefixOf = (fn: string, name = ''): string =>
  name.endsWith(`-${fn}`) ? name.slice(0, -fn.length - 1) : DEFAULT_PREFIX;

/** Full jitter from 50 ms, doubling. */
const pause = (repetition: number): Promise<void> => setTimeout(Math.random() * 50 * 2 ** repetition);

/**
 * The production runtime of a function (folder name). Few stacks name a calendar, and few invocations tell anybody: what
 * that takes is loaded when first used, and costs the others no cold start.
 * @throws SettingError at init, naming the variable and what is allowed.
 */
export const runtimeFromEnv = (fn: string, env: NodeJS.ProcessEnv = process.env): Runtime => {
  stacksNameTheSource();
  const stack = fromEnv(settings, env);
  const log = logFromEnv(fn, env);
  const clock = Date.now;
  const { freezeCalendar: calendar, notificationsTopicArn: topic } = stack;
  const { region, account } = placeOf(topic);
  const enqueue: Runtime['enqueue'] = (messages) => sendBatch(stack.inboxUrl, messages);
  const metrics = metricsFromEnv();
  const publish: Runtime['publish'] = async (message) => {
    try {
      return await (await import('./aws/sns.ts')).publish(topic, message);
    } catch (error) {
      metrics.notificationRefused();
      throw error;
    }
  };
  return {
    clock,
    newId: () => randomBytes(4).toString('hex'),
    stackMode: stack.mode,
    followUpMs: stack.followUpSeconds * 1_000,
    stormLimit: stack.stormLimit,
    ledger: ledger({ table: dynamoTable(client(DynamoDBClient), stack.ledgerTable, pause), clock }),
    calendar: calendar === null ? null : async () => (await import('./aws/ssm-calendar.ts')).calendarState(calendar),
    enqueue,
    publish,
    notify: async (record, nextCheckAt) => {
      const { notify } = await import('./telemetry/notify.ts');
      await notify({ publish, enqueue, log }, record, {
        version: env.REFLEX_VERSION || 'development',
        region,
        account,
        prefix: prefixOf(fn, env.AWS_LAMBDA_FUNCTION_NAME),
        nextCheckAt,
      });
    },
    log,
    metrics,
  };
};
