import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runtimeFromEnv } from '../../shared/runtime-env.ts';
import { SettingError } from '../../shared/settings.ts';
import { type AwsEndpoint, startAwsEndpoint } from '../support/aws-endpoint.ts';
import { sqsBatch } from '../support/event-builders.ts';
import { fakeFunction, workshop } from '../support/fake-function.ts';
import { fakeRuntime } from '../support/fake-runtime.ts';
import { printedLines } from '../support/printed.ts';

const printed = printedLines();

const env = {
  LEDGER_TABLE: 'reflex-ledger',
  INBOX_URL: 'https://sqs.eu-west-1.amazonaws.com/111122223333/reflex-fake',
  NOTIFICATIONS_TOPIC_ARN: 'arn:aws:sns:eu-west-1:111122223333:reflex-notifications',
};

const record = {
  fn: 'fake',
  resource: 'arn:aws:kinesis:eu-west-1:111122223333:stream/s',
  recordId: '2026-03-05T03:12:00.000Z#1',
  at: 0,
  incidentId: null,
  trigger: 'alarm',
  cause: 'alarm',
  decision: 'skip',
  reason: 'within-band',
  why: 'Well.',
  mode: 'on',
  dryRun: false,
  actions: [],
  facts: null,
} as const;

describe('the production runtime', () => {
  it('has the defaults of the stack: dry run, a minute, ten resources, no calendar', () => {
    const runtime = runtimeFromEnv('fake', env);

    expect(runtime).toMatchObject({ stackMode: 'dry-run', followUpMs: 60_000, stormLimit: 10, calendar: null });
  });

  it('takes what the stack sets', () => {
    const set = { ...env, MODE: 'on', FOLLOW_UP_SECONDS: '90', STORM_LIMIT: '3', FREEZE_CALENDAR: 'holidays' };

    const runtime = runtimeFromEnv('fake', set);

    expect(runtime).toMatchObject({ stackMode: 'on', followUpMs: 90_000, stormLimit: 3 });
    expect(runtime.calendar).not.toBeNull();
  });

  it.each([
    ['MODE', 'paused', 'MODE: expected one of off, dry-run, on, found "paused"'],
    ['FOLLOW_UP_SECONDS', '9', 'FOLLOW_UP_SECONDS: expected a whole number from 10 to 900 (seconds), found "9"'],
    ['FOLLOW_UP_SECONDS', '901', 'FOLLOW_UP_SECONDS: expected a whole number from 10 to 900 (seconds), found "901"'],
    ['STORM_LIMIT', 'many', 'STORM_LIMIT: expected a whole number from 1 to 10000, found "many"'],
    ['LEDGER_TABLE', '', 'LEDGER_TABLE: expected a text that is not empty, found ""'],
    ['INBOX_URL', undefined, 'INBOX_URL: expected a text that is not empty, found ""'],
    [
      'NOTIFICATIONS_TOPIC_ARN',
      'reflex-notifications',
      'NOTIFICATIONS_TOPIC_ARN: expected the ARN of an SNS topic, found "reflex-notifications"',
    ],
    [
      'NOTIFICATIONS_TOPIC_ARN',
      'arn:aws:sns:::reflex',
      'NOTIFICATIONS_TOPIC_ARN: expected the ARN of an SNS topic, found "arn:aws:sns:::reflex"',
    ],
  ])('refuses %s = %s at init, and says what is allowed', (name, value, message) => {
    expect(() => runtimeFromEnv('fake', { ...env, [name]: value })).toThrow(new SettingError(message));
  });

  it('gives ids of eight hexadecimal digits, each another', () => {
    const { newId } = runtimeFromEnv('fake', env);
    const ids = Array.from({ length: 100 }, newId);

    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}$/);
  });
});

describe('on the wire', () => {
  const denied = (code: string) =>
    `<ErrorResponse><Error><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`;
  let endpoint: AwsEndpoint;
  beforeEach(async () => {
    endpoint = await startAwsEndpoint();
    vi.stubEnv('AWS_ENDPOINT_URL', endpoint.url);
    vi.resetModules();
  });
  afterEach(() => endpoint.close());

  it('reads the ledger of the stack, writes to its inbox, tells its topic, and asks its calendar', async () => {
    const fresh = await import('../../shared/runtime-env.ts');
    const inbox = `${endpoint.url}/111122223333/reflex-fake`;
    const runtime = fresh.runtimeFromEnv('fake', {
      ...env,
      INBOX_URL: inbox,
      FREEZE_CALENDAR: 'holidays',
      AWS_LAMBDA_FUNCTION_NAME: 'reflex-dev-fake',
    });
    endpoint.reply(({ operation }) => {
      if (operation === 'Publish') return { body: '<PublishResponse><PublishResult/></PublishResponse>' };
      return { body: operation === 'GetCalendarState' ? { State: 'OPEN' } : {} };
    });

    await runtime.ledger.read('fake', ['arn:a']);
    await runtime.enqueue([{ body: 'b', delaySeconds: 1 }]);
    await runtime.notify(record, null);
    const state = await runtime.calendar?.();

    expect(endpoint.requests.map(({ operation }) => operation)).toEqual([
      'BatchGetItem',
      'SendMessageBatch',
      'Publish',
      'GetCalendarState',
    ]);
    const [read, sent, told, asked] = endpoint.requests.map(({ input }) => input);
    expect(read).toHaveProperty('RequestItems.reflex-ledger');
    expect(sent).toMatchObject({ QueueUrl: inbox });
    expect(told).toMatchObject({
      TopicArn: env.NOTIFICATIONS_TOPIC_ARN,
      Message: expect.stringContaining('npm run ops -- history --prefix reflex-dev'),
    });
    expect(asked).toMatchObject({ CalendarNames: ['holidays'] });
    expect(state).toMatchObject({ open: true });
  });

  it.each([
    ['KMS denies the key', { status: 400, body: denied('KMSAccessDenied') }],
    ['a policy denies it', { status: 403, body: denied('AuthorizationError') }],
    ['it throttles all tries', { status: 400, body: denied('Throttled') }],
    ['it does not answer', { hangUp: true }],
  ])('puts what SNS refuses, where %s, into the inbox, counts it, and publishes the same from there', async (_, no) => {
    const { runtimeFromEnv } = await import('../../shared/runtime-env.ts');
    const { remediation } = await import('../../shared/remediation.ts');
    const runtime = runtimeFromEnv('fake', { ...env, INBOX_URL: `${endpoint.url}/111122223333/reflex-fake` });
    const handler = remediation(fakeFunction(fakeRuntime(), workshop()), runtime);
    const yes = { body: '<PublishResponse><PublishResult/></PublishResponse>' };
    endpoint.reply(({ operation }) => (operation === 'Publish' ? no : {}));

    await runtime.notify(record, null);
    const { Entries } = endpoint.requests.at(-1)?.input ?? {};
    const [{ MessageBody = '', DelaySeconds = 0 } = {}] = Entries as Partial<Record<string, string>>[];
    const again = await handler(sqsBatch(MessageBody));
    const refusals = printed.join('').match(/"NotificationRefused":\[1,1\]/g) ?? [];
    endpoint.reply(({ operation }) => (operation === 'Publish' ? yes : {}));
    const last = await handler(sqsBatch(MessageBody));

    const published = endpoint.requests.filter(({ operation }) => operation === 'Publish').map(({ input }) => input);
    expect(published.at(-1)).toEqual(published[0]);
    expect([DelaySeconds, refusals.length]).toEqual([60, 1]);
    expect([again.batchItemFailures, last.batchItemFailures]).toMatchObject([[{ itemIdentifier: /./ }], []]);
  });
});
