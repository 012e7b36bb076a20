import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import type { HistoryRecord } from '../../../shared/ledger/types.ts';
import type { Runtime } from '../../../shared/runtime.ts';
import type { Log } from '../../../shared/telemetry/logging.ts';
import { buildNotification, type NotificationContext, notify } from '../../../shared/telemetry/notify.ts';
import { sqsBatch } from '../../support/event-builders.ts';

const resource = 'arn:aws:kinesis:eu-west-1:111122223333:stream/orders';
const at = Date.UTC(2026, 2, 14, 3, 12, 9);

const record: HistoryRecord = {
  fn: 'reshard-kinesis',
  resource,
  recordId: '2026-03-14T03:12:09.000Z#a1',
  at,
  incidentId: 'incident-7f3a',
  trigger: 'alarm',
  cause: 'arn:aws:cloudwatch:eu-west-1:111122223333:alarm:orders-throttled',
  decision: 'act',
  reason: 'scale-up',
  why: '1,200 of 9,000 records/min were rejected; 2 shards carry 0.5 of it each.',
  mode: 'on',
  dryRun: false,
  actions: [{ call: 'UpdateShardCount', params: { StreamName: 'orders', TargetShardCount: 2 } }],
  facts: { openShards: 1, rejectedPerMinute: 1_200 },
  traceId: '1-68f3c1aa-0123456789abcdef01234567',
};
const context: NotificationContext = {
  version: '1.2.3',
  region: 'eu-west-1',
  account: '111122223333',
  prefix: 'reflex',
  nextCheckAt: at + 60_000,
};
const build = (change: Partial<HistoryRecord> = {}, other: Partial<NotificationContext> = {}) =>
  buildNotification({ ...record, ...change }, { ...context, ...other });

describe('the e-mail', () => {
  it('answers alone why it did that at 03:12', () => {
    const { email } = build();

    for (const part of [
      'Reflex acted on stream/orders.',
      '2026-03-14 03:12:09 UTC',
      resource,
      'alarm:orders-throttled (alarm)',
      'act, reason scale-up: Demand exceeds',
      '1,200 of 9,000 records/min were rejected',
      '1. UpdateShardCount {"StreamName":"orders","TargetShardCount":2} - made',
      'Reflex looks again at 2026-03-14 03:13:09 UTC.',
      '"rejectedPerMinute": 1200',
      'incident-7f3a',
      `npm run ops -- history ${resource}`,
      'npm run ops -- mode set off',
      'https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#xray:traces/1-68f3c1aa-0123456789abcdef01234567',
      'Reflex 1.2.3, account 111122223333, eu-west-1',
    ]) {
      expect(email).toContain(part);
    }
    expect(email).not.toContain('dry run');
  });

  it('names a site by its URL, whatever colons are in it', () => {
    const site = 'https://[2001:db8:0:1::5]/health';

    expect(build({ resource: site }).email).toContain(`Reflex acted on ${site}.`);
  });

  it('has commands that a shell takes as they are meant, whatever the resource is called', () => {
    const resource = 'https://shop.example/health?a=1&b=2';
    const command = `npm run ops -- history '${resource}'`;

    const { email, chat } = build({ resource });

    expect(email).toContain(command);
    expect(chat.content.nextSteps).toContain(`The whole story: \`${command}\``);
  });

  it('says of a dry run that nothing was changed and no call was made', () => {
    const { email, subject } = build({ dryRun: true, mode: 'dry-run' });

    expect(email).toContain('Reflex would have acted on stream/orders (dry run: nothing was changed).');
    expect(email).toContain('- not made (dry run)');
    expect(subject).toContain('dry run');
  });

  it.each([
    ['act', 'scale-up'],
    ['defer', 'rate-limited'],
    ['skip', 'stream-gone'],
  ] as const)('says which call AWS refused and how, where it comes to %s', (decision, reason) => {
    const [action] = record.actions;
    const { email, subject } = build({
      decision,
      reason,
      actions: action === undefined ? [] : [{ ...action, error: 'ResourceInUseException: busy' }],
    });

    expect(email).toContain('Reflex tried to act on stream/orders, and AWS refused.');
    expect(email).toContain('- FAILED: ResourceInUseException: busy');
    expect(subject).toContain('failed');
  });

  it('says where the result of a call is not known', () => {
    expect(build({ unresolved: true }).email).toContain('- result unknown: the invocation ended in between');
  });

  it.each<[string, Partial<HistoryRecord>]>([
    ['an invocation that ended in between', { unresolved: true, reason: 'intent-unresolved' }],
    [
      'a call without an answer',
      {
        decision: 'defer',
        reason: 'act-unknown',
        actions: [{ call: 'UpdateShardCount', params: {}, error: 'TimeoutError: 5 s' }],
      },
    ],
  ])('claims neither success nor failure of %s', (_, change) => {
    const { email, subject, chat } = build(change);

    expect(subject).toMatch(/^Reflex result unknown: /);
    expect(chat.content.title).toMatch(/^:rotating_light:/);
    expect(email).toContain('Reflex called AWS to act on stream/orders, and does not know what came of it.');
    expect(email).toMatch(/- result unknown: /);
    expect(email).not.toMatch(/Reflex acted|FAILED|waits before it acts/);
  });

  it.each<[string, Partial<HistoryRecord>]>([
    ['a dry run', { dryRun: true, mode: 'dry-run', incidentId: null }],
    ['a finding', { decision: 'skip', reason: 'within-band', actions: [], incidentId: null }],
    ['a message that is retried', { decision: 'escalate', reason: 'guard-error', actions: [], incidentId: null }],
  ])('of %s speaks of no incident that never was, and of no end of looking', (_, change) => {
    const { email } = build(change, { nextCheckAt: null });

    expect(email).toContain(
      'No check is planned: Reflex looks again when an event or its schedule brings the resource up.',
    );
    expect(email).not.toContain('The incident is closed');
  });

  it.each(['held', 'mode-off'] as const)('does not say of %s that there was nothing to do', (reason) => {
    expect(build({ decision: 'skip', reason, actions: [] }).email).toContain('Reflex did nothing about stream/orders.');
  });

  it('tells a person what to do when it escalates', () => {
    const change = { decision: 'escalate', reason: 'bad-tag', actions: [], advice: 'Correct the tag.' } as const;

    const { email, chat } = build(change, { nextCheckAt: null });

    expect(email).toContain('Reflex needs a person for stream/orders.');
    expect(email).toContain('WHAT A PERSON SHOULD DO\nCorrect the tag.');
    expect(email).toContain('CALLS\nNone.');
    expect(email).toContain('No check is planned: Reflex looks again when an event or its schedule brings');
    expect(chat.content.nextSteps[0]).toBe('Correct the tag.');
  });

  it('says how a resource on hold is released', () => {
    const given = { decision: 'escalate', reason: 'not-converging', actions: [] } as const;
    const { email, message } = build({ ...given, held: true }, { nextCheckAt: null });
    const withoutHold = build(given, { nextCheckAt: null });

    expect(email).toContain('on hold: Reflex does not touch it until a person releases it');
    expect(JSON.parse(JSON.parse(message).sqs)).toMatchObject({ held: true });
    expect(withoutHold.email).not.toContain('until a person releases it');
  });

  it('says that the incident is closed when nothing follows', () => {
    const { email, subject } = build({ decision: 'skip', reason: 'resolved', actions: [] }, { nextCheckAt: null });

    expect(subject).toBe('Reflex closed the incident: reshard-kinesis stream/orders (resolved)');
    expect(email).toContain('Reflex closed the incident of stream/orders: the facts say it is over.');
    expect(email).toContain('The incident is closed; the next event opens another.');
  });

  it('has commands that reach the stack it comes from, and no other of the account', () => {
    const advice = 'When it is well again: npm run ops -- release orders';
    const {
      email,
      chat,
      default: summary,
    } = build(
      { decision: 'escalate', reason: 'not-converging', held: true, why: 'See npm run ops -- incidents.', advice },
      { prefix: 'reflex-dev' },
    );

    const told = [email, summary, chat.content.description, ...chat.content.nextSteps].join('\n');
    expect(told).toContain('npm run ops -- mode --prefix reflex-dev set off');
    expect(told).toContain(`npm run ops -- history --prefix reflex-dev ${resource}`);
    expect(told).toContain('npm run ops -- release --prefix reflex-dev orders');
    expect(told).toContain('npm run ops -- incidents --prefix reflex-dev.');
    expect(told).not.toMatch(/npm run ops -- [a-z]+(?! --prefix reflex-dev)\b/);
    expect(build().email).not.toContain('--prefix');
  });

  it('has no trace to show where none was recorded', () => {
    const { traceId: _, ...untraced } = record;

    expect(buildNotification(untraced, context).email).not.toContain('Trace');
    expect(JSON.stringify(buildNotification(untraced, context).chat)).not.toContain('Trace');
  });

  it.each([
    ['aws-cn', 'cn-north-1', 'https://console.amazonaws.cn/cloudwatch/home?region=cn-north-1#xray'],
    ['aws-us-gov', 'us-gov-west-1', 'https://console.amazonaws-us-gov.com/cloudwatch/home?region=us-gov-west-1#xray'],
    ['aws-eusc', 'eusc-de-east-1', 'https://console.amazonaws-eusc.eu/cloudwatch/home?region=eusc-de-east-1#xray'],
  ])('links to the console of partition %s', (partition, region, link) => {
    expect(build({ resource: resource.replace('arn:aws:', `arn:${partition}:`) }, { region }).email).toContain(link);
  });
});

describe('the subject', () => {
  it.each([
    [{ decision: 'skip', reason: 'mode-off' }, 'Reflex did nothing: '],
    [{ decision: 'defer', reason: 'frozen' }, 'Reflex waits: '],
    [{ decision: 'escalate', reason: 'hot-key' }, 'Reflex needs you: '],
  ] as const)('says in a word what %o comes to', (change, begins) => {
    expect(build({ ...change, actions: [] }).subject.startsWith(begins)).toBe(true);
  });

  it('names the verdict, the function, the resource and the reason', () => {
    expect(build().subject).toBe('Reflex acted: reshard-kinesis stream/orders (scale-up)');
  });

  it('is ASCII, one line and less than 100 characters, whatever the resource is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (name) => {
        const { subject } = build({ resource: `arn:aws:kinesis:eu-west-1:1:stream/${name}\n` });
        expect(subject).toMatch(/^Reflex [\x20-\x7e]{1,92}$/);
      }),
    );
  });

  it('shortens the name of the resource before anything else', () => {
    const { subject } = build({ resource: `${resource}-${'x'.repeat(100)}` });

    expect(subject).toMatch(/^Reflex acted: reshard-kinesis stream\/orders-x+\.\.\. \(scale-up\)$/);
    expect(subject).toHaveLength(99);
  });
});

describe('the chat message', () => {
  it('follows the custom-notification schema of Amazon Q Developer in chat applications', () => {
    const { chat } = build();

    expect(chat).toEqual({
      version: '1.0',
      source: 'custom',
      id: record.recordId,
      content: {
        textType: 'client-markdown',
        title: ':gear: reshard-kinesis: acted on stream/orders',
        description: expect.stringContaining('*act* because of *scale-up*: 1,200 of 9,000'),
        nextSteps: [
          `The whole story: \`npm run ops -- history ${resource}\``,
          'Stop Reflex: `npm run ops -- mode set off`',
          expect.stringMatching(/^<https:\/\/.*\|Trace>$/),
        ],
        keywords: ['reshard-kinesis', 'act', 'scale-up'],
      },
      metadata: {
        threadId: 'incident-7f3a',
        summary: expect.stringContaining('Reflex acted on stream/orders.'),
        eventType: 'reflex-act',
        relatedResources: [resource],
        additionalContext: {
          function: 'reshard-kinesis',
          reason: 'scale-up',
          mode: 'on',
          dryRun: 'false',
          incident: 'incident-7f3a',
          account: '111122223333',
          region: 'eu-west-1',
          version: '1.2.3',
        },
      },
    });
    expect(chat.content.description).toContain('UpdateShardCount {"StreamName":"orders","TargetShardCount":2} - made');
  });

  it('keeps the messages of one resource in one thread where no incident is open', () => {
    expect(build({ incidentId: null }).chat.metadata.threadId).toBe(`reshard-kinesis ${resource}`);
  });

  it('stays as short as Slack shows it', () => {
    const { chat } = build({ why: 'x'.repeat(10_000), advice: 'y'.repeat(10_000) });

    expect(chat.content.description.length).toBeLessThanOrEqual(2_800);
    expect(chat.content.title.length).toBeLessThanOrEqual(250);
    expect(chat.content.nextSteps.every((step) => step.length <= 350)).toBe(true);
  });
});

describe('the SNS message', () => {
  it('has the text for people by e-mail, the chat schema over https, and the record for programs', () => {
    const notification = build();

    const message = JSON.parse(notification.message);

    expect(Object.keys(message).sort()).toEqual(
      ['default', 'email', 'email-json', 'firehose', 'http', 'https', 'lambda', 'sqs'].sort(),
    );
    expect(Object.values(message).every((text) => typeof text === 'string')).toBe(true);
    expect(message.default).toBe(notification.default);
    expect(message.email).toBe(notification.email);
    expect(JSON.parse(message.https)).toEqual(notification.chat);
    expect(JSON.parse(message.sqs)).toMatchObject({
      fn: 'reshard-kinesis',
      resource,
      at: '2026-03-14T03:12:09.000Z',
      decision: 'act',
      reason: 'scale-up',
      actions: record.actions,
      facts: record.facts,
    });
  });

  it('masks secrets in every protocol', () => {
    const { message } = build({
      actions: [
        {
          call: 'RunTask',
          params: {
            overrides: {
              containerOverrides: [
                { name: 'app', command: ['hush'], environment: [{ name: 'DB_URL', value: 'hush' }] },
              ],
            },
          },
        },
      ],
      facts: { task: { secrets: [{ name: 'KEY', valueFrom: 'hush' }] } },
    });

    expect(message).not.toContain('hush');
    expect(message).toContain('DB_URL');
  });

  it('drops facts before anything else when it is too long', () => {
    const { message, email } = build({ facts: { shards: Array.from({ length: 20_000 }, (_, id) => ({ id })) } });

    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(256 * 1024);
    expect(email).toContain('UpdateShardCount {"StreamName":"orders","TargetShardCount":2} - made');
    expect(email).toContain('"shards"');
    expect(JSON.parse(JSON.parse(message).sqs).facts).toBe('left out: too long');
  });

  it('then shortens the list of calls and says how many are missing', () => {
    const actions = Array.from({ length: 5_000 }, (_, index) => ({
      call: 'MergeShards',
      params: { StreamName: 'orders', ShardToMerge: `shardId-${index}` },
    }));

    const { message, email } = build({ actions });

    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(256 * 1024);
    expect(email).toContain('50. MergeShards');
    expect(email).toContain('... and 4950 more');
  });

  it('fits into what SNS takes, whatever the record holds', () => {
    const nasty = fc.tuple(
      fc.constantFrom('"', '\\', '\u0000', '€', '😀', 'x', '\n'),
      fc.integer({ min: 1, max: 20_000 }),
    );
    const text = nasty.map(([unit, length]) => unit.repeat(length));

    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 0, max: 20 }), (a, b, c, calls) => {
        const { message } = build({
          resource: `arn:aws:kinesis:eu-west-1:1:${a}`,
          incidentId: b,
          cause: c,
          why: a,
          advice: b,
          actions: Array.from({ length: calls }, () => ({
            call: 'RunTask',
            params: { a: b.slice(0, 5_000) },
            error: c,
          })),
          facts: { c },
        });
        expect(Buffer.byteLength(message)).toBeLessThanOrEqual(256 * 1024);
        expect(() => JSON.parse(JSON.parse(message).sqs)).not.toThrow();
      }),
      { numRuns: 25 },
    );
  });
});

describe('notify', () => {
  const quiet = (): Log => ({
    invocation: vi.fn(),
    decision: vi.fn(),
    debug: vi.fn(),
    info: vi.fn(),
    warn: vi.fn(),
    error: vi.fn(),
  });

  const outage = new Error('SNS is away');
  const about = { resource, recordId: record.recordId };
  const refusing = () => ({
    publish: vi.fn(() => Promise.reject(outage)),
    enqueue: vi.fn<Runtime['enqueue']>(async () => []),
    log: quiet(),
  });
  /** What the inbox was given, as it is read again. */
  const waiting = ({ enqueue }: Pick<ReturnType<typeof refusing>, 'enqueue'>) =>
    enqueue.mock.calls.flatMap(([messages]) =>
      messages.flatMap(({ body }) => receive(sqsBatch(body)).messages.map((message) => parse(message))),
    );

  it('publishes what it built, and puts nothing into the inbox', async () => {
    const post = { ...refusing(), publish: vi.fn(async () => 'm-1') };

    await notify(post, record, context);

    expect(post.publish).toHaveBeenCalledExactlyOnceWith(buildNotification(record, context));
    expect(post.enqueue).not.toHaveBeenCalled();
    expect(post.log.error).not.toHaveBeenCalled();
  });

  it('puts what SNS does not take into the inbox, whole, and logs it', async () => {
    const post = refusing();

    await notify(post, record, context);

    const { subject, message } = build();
    expect(waiting(post)).toEqual([{ kind: 'event', event: { kind: 'notification', subject, message } }]);
    expect(post.enqueue).toHaveBeenCalledExactlyOnceWith([expect.objectContaining({ delaySeconds: 60 })]);
    expect(post.log.error).toHaveBeenCalledExactlyOnceWith(
      'notification not sent; it is put into the inbox',
      outage,
      about,
    );
  });

  it('leaves out facts rather than be too long for the inbox', async () => {
    const post = refusing();
    const facts = Array.from({ length: 700 }, (_, shard) => ({ '"': '\\"', shard, load: 0.5 }));

    await notify(post, { ...record, facts }, context);

    const [[message] = []] = post.enqueue.mock.calls[0] ?? [];
    expect(Buffer.byteLength(message?.body ?? '')).toBeLessThan(262_144);
    expect(Buffer.byteLength(build({ facts }).message)).toBeGreaterThan(120_000);
    expect(waiting(post)).toMatchObject([{ event: { message: expect.stringContaining('left out: too long') } }]);
  });

  it.each<[string, Runtime['enqueue']]>([
    ['refuses it', async () => [{ index: 0, message: 'AccessDenied' }]],
    ['is away', () => Promise.reject(new Error('AccessDenied'))],
  ])('throws nothing where the inbox %s as well, and logs what a person should have heard', async (_, enqueue) => {
    const post = { ...refusing(), enqueue };

    await notify(post, record, context);

    expect(post.log.error).toHaveBeenLastCalledWith(
      'notification lost: the inbox did not take it either',
      new Error('AccessDenied'),
      { ...about, why: record.why },
    );
  });
});
