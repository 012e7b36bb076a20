import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { examine } from '../../../scripts/ops/replay.ts';
import { bundlesOf } from '../../../shared/events/reflex-bundle.ts';
import { followUpBody } from '../../../shared/events/reflex-follow-up.ts';
import { notificationBody } from '../../../shared/events/reflex-notification.ts';
import { account, alarmEvent, at, region, streamArn } from '../../support/event-builders.ts';
import { deployed, fn, letter, memoryQueue, terminal } from './terminal.ts';

const tick = '{"source":"reflex","detail-type":"Tick"}';
const alarm = JSON.stringify(alarmEvent());
const broken = '{"source":';
const inbox = `arn:aws:sqs:${region}:${account}:reflex-${fn}-inbox`;
const two = [deployed('drain-fargate'), deployed(fn)];

const failedInvocation = JSON.stringify({
  version: '1.0',
  requestContext: {
    functionArn: `arn:aws:lambda:${region}:${account}:function:reflex-${fn}:$LATEST`,
    condition: 'RetriesExhausted',
  },
  requestPayload: JSON.parse(alarm),
  responsePayload: { errorMessage: 'Task timed out' },
});

describe('a dead letter', () => {
  it.each([
    [letter('1', alarm, { DeadLetterQueueSourceArn: inbox }), 'failed on it every time'],
    [
      letter('2', alarm, { TARGET_ARN: inbox, ERROR_CODE: 'NO_PERMISSIONS', ERROR_MESSAGE: 'denied' }),
      'EventBridge could not deliver it: NO_PERMISSIONS, denied',
    ],
    [letter('3', failedInvocation), 'RetriesExhausted: Task timed out'],
  ])('says why it failed and which function it belongs to (%#)', (given, why) => {
    const examined = examine(given, two);
    expect(examined).toMatchObject({ to: { name: fn }, stays: null });
    expect(examined.why).toContain(why);
    expect(examined.what).toContain('went to ALARM');
    expect(examined.bodies.map((body) => JSON.parse(body))).toEqual([JSON.parse(alarm)]);
  });

  it('that does not say where it came from goes where it is told, or to the only function', () => {
    const undelivered = letter('1', alarm, { ErrorCode: '403', ErrorMessage: 'no' });
    expect(examine(undelivered, [deployed()])).toMatchObject({ to: { name: fn }, stays: null });
    expect(examine(undelivered, two)).toMatchObject({ to: null, why: 'SNS could not deliver it: 403, no' });
    expect(examine(undelivered, two).stays).toContain('--to');
    expect(examine(undelivered, two, fn)).toMatchObject({ to: { name: fn }, stays: null });
  });

  it('that cannot be read stays, with the field that is wrong', () => {
    const examined = examine(letter('1', broken), [deployed()]);
    expect(examined.why).toContain('it cannot be read: body: expected JSON');
    expect(examined.stays).toBe('it would fail again');
  });

  it.each([
    [tick, 'schedule, all'],
    [
      followUpBody({ fn, notBefore: at, checks: [{ resource: streamArn(), incidentId: 'rfx-1', check: 2 }] }),
      'check 2 of rfx-1 on stream/orders',
    ],
    [
      followUpBody({
        fn,
        notBefore: at,
        checks: [1, 2, 3].map((check) => ({ resource: streamArn(), incidentId: 'rfx-1', check })),
      }),
      'check 1 of rfx-1 on stream/orders, and 2 more',
    ],
    [
      notificationBody({ subject: 'Reflex needs you: fake stream/orders (bad-tag)', message: '{}' }),
      'a notification that SNS did not take: Reflex needs you: fake stream/orders (bad-tag)',
    ],
    ['{"source":"aws.s3","detail-type":"Object Created"}', 'for no function: unknown-source'],
  ])('is told in words (%#)', (body, words) => {
    expect(examine(letter('1', body), [deployed()])).toMatchObject({ what: words, stays: null });
  });
});

describe('replay', () => {
  it('puts a bundle back as the one message that it is', async () => {
    const [{ body } = { body: '' }] = bundlesOf([alarmEvent(), alarmEvent(), JSON.parse(tick)]);
    const queue = memoryQueue([letter('a', body)]);
    const { out } = await terminal({ deadLetters: queue, answer: true }).run('replay', '--yes');
    expect(queue.sent.map((sent) => sent.body)).toEqual([body]);
    expect(examine(letter('a', body), [deployed()]).what).toMatch(/^2 times alarm .*; schedule, all$/);
    expect(out).toContain('1 message put back.');
  });

  it('puts back what can be read and keeps the rest', async () => {
    const queue = memoryQueue([letter('a', alarm), letter('b', broken), letter('c', tick)]);
    const { run, asked } = terminal({ deadLetters: queue, answer: true });
    const { code, out } = await run('replay');
    expect(code).toBe(0);
    expect(asked).toEqual(['Put 2 messages back?']);
    expect(out).toContain('2 messages put back. 1 message stayed.');
    expect(queue.sent.map(({ body }) => body)).toEqual([alarm, tick]);
    expect(queue.sent[0]?.queueUrl).toBe(deployed().inboxUrl);
    expect([...queue.held.keys()]).toEqual(['b']);
    expect(queue.hidden.has('b')).toBe(false);
  });

  it.each([
    ['--dry', ['replay', '--dry'], 0],
    ['the answer no', ['replay'], 0],
  ])('moves nothing with %s, and shows every message again', async (_, argv, expected) => {
    const queue = memoryQueue([letter('a', alarm), letter('b', broken)]);
    const { run } = terminal({ deadLetters: queue, answer: false });
    const { code, out } = await run(...argv);
    expect(code).toBe(expected);
    expect(out).toContain('went to ALARM');
    expect(queue).toMatchObject({ sent: [], hidden: new Set() });
    expect(queue.held.size).toBe(2);
  });

  it('moves nothing where nobody can confirm it', async () => {
    const queue = memoryQueue([letter('a', alarm)]);
    const { code, err } = await terminal({ deadLetters: queue }).run('replay');
    expect(code).toBe(2);
    expect(err).toContain('--yes');
    expect(queue).toMatchObject({ sent: [], hidden: new Set() });
  });

  it('says so where the queue is empty', async () => {
    const { run } = terminal({ deadLetters: memoryQueue([]) });
    expect(await run('replay')).toMatchObject({ code: 0, out: 'The dead-letter queue is empty.' });
  });

  it('has exit code 1 where nothing could be replayed', async () => {
    const queue = memoryQueue([letter('b', broken)]);
    const { code, out } = await terminal({ deadLetters: queue }).run('replay', '--yes');
    expect(code).toBe(1);
    expect(out).toContain('npm run ops -- replay --drop ID');
  });

  it('goes on after a message that could not be sent, names it, and has exit code 1', async () => {
    const queue = memoryQueue(
      [letter('a', alarm), letter('c', tick)],
      (call, body) => call === 'send' && body === alarm,
    );
    const { run } = terminal({ deadLetters: queue });
    const { code, out } = await run('replay', '--yes');
    expect(code).toBe(1);
    expect(out).toContain('a stays in the dead-letter queue: Error: send was refused');
    expect(queue.sent.map(({ body }) => body)).toEqual([tick]);
    expect([...queue.held.keys()]).toEqual(['a']);
  });

  it('gives a script the result of each message, body and all', async () => {
    const queue = memoryQueue([letter('a', alarm), letter('b', broken)]);
    const { out } = await terminal({ deadLetters: queue }).run('replay', '--yes', '--json');
    expect(JSON.parse(out).messages).toMatchObject([
      { id: 'a', to: fn, result: 'replayed', body: alarm },
      { id: 'b', result: 'kept', body: broken },
    ]);
  });

  it('never loses a message, whatever fails', async () => {
    const bodies = fc.array(fc.constantFrom(alarm, tick, broken, failedInvocation), { maxLength: 6 });
    const faults = fc.infiniteStream(fc.boolean());
    await fc.assert(
      fc.asyncProperty(bodies, faults, async (given, stream) => {
        const letters = given.map((body, i) => letter(String(i), body));
        const queue = memoryQueue(letters, () => stream.next().value === true);
        await terminal({ deadLetters: queue }).run('replay', '--yes');
        const gone = letters.filter(({ id }) => !queue.held.has(id));
        for (const body of new Set(gone.flatMap((each) => examine(each, [deployed()]).bodies))) {
          const lost = gone.filter((each) => examine(each, [deployed()]).bodies.includes(body));
          const arrived = queue.sent.filter((each) => each.body === body);
          expect(arrived.length).toBeGreaterThanOrEqual(lost.length);
        }
        expect(gone.map(({ body }) => body)).not.toContain(broken);
      }),
      { numRuns: 300 },
    );
  });
});

describe('replay --drop', () => {
  it('deletes that one message, after showing it whole', async () => {
    const queue = memoryQueue([letter('a', alarm), letter('b', broken)]);
    const { run } = terminal({ deadLetters: queue, answer: true });
    const { code, out } = await run('replay', '--drop', 'b');
    expect(code).toBe(0);
    expect(out).toContain(broken);
    expect([...queue.held.keys()]).toEqual(['a']);
    expect(queue).toMatchObject({ sent: [] });
    expect(queue.hidden.has('a')).toBe(false);
  });

  it('deletes nothing for an id that is not there, or without a yes', async () => {
    const queue = memoryQueue([letter('a', alarm)]);
    expect(await terminal({ deadLetters: queue }).run('replay', '--drop', 'z', '--yes')).toMatchObject({ code: 1 });
    expect(await terminal({ deadLetters: queue, answer: false }).run('replay', '--drop', 'a')).toMatchObject({
      code: 0,
    });
    expect([...queue.held.keys()]).toEqual(['a']);
  });
});
