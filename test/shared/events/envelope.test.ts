import { describe, expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import { BrokenMessage } from '../../../shared/events/event.ts';
import {
  alarmEvent,
  at,
  directAlarm,
  followUp,
  snsAlarm,
  snsEnvelope,
  snsRecords,
  sqsBatch,
  tick,
} from '../../support/event-builders.ts';

describe('an SQS batch', () => {
  it('is one message a record, whatever envelope each body has', () => {
    // Prepare
    const batch = sqsBatch(alarmEvent(), snsEnvelope(snsAlarm()), snsAlarm(), followUp());
    // Act
    const received = receive(batch);
    // Assess
    expect(received.batch).toBe(true);
    expect(received.messages.map((message) => message.body)).toEqual([
      alarmEvent(),
      snsAlarm(),
      snsAlarm(),
      followUp(),
    ]);
    expect(received.messages.map((message) => message.via)).toEqual(['sqs', 'sqs', 'sqs', 'sqs']);
  });

  it('keeps the message id, the text to send again, and when and how often it came', () => {
    const batch = sqsBatch(snsEnvelope(snsAlarm()));

    const [message] = receive(batch).messages;

    expect(message).toMatchObject({
      id: '00000000-0000-4000-8000-000000000000',
      raw: JSON.stringify(snsEnvelope(snsAlarm())),
      sentAt: at + 500,
      receiveCount: 1,
    });
  });

  it('leaves out attributes it does not have or cannot read', () => {
    const [record] = sqsBatch(tick()).Records;

    const [message] = receive({
      Records: [{ ...record, attributes: { SentTimestamp: 'soon', ApproximateReceiveCount: 1 } }],
    }).messages;

    expect(Object.keys(message ?? {})).toEqual(['id', 'via', 'body', 'raw']);
  });

  it('breaks only the message whose body is not JSON, without repeating the body', () => {
    const batch = sqsBatch('{"secret": ', tick());

    const [broken, whole] = receive(batch).messages;

    expect(broken?.body).toBeInstanceOf(BrokenMessage);
    expect(broken?.body).toMatchObject({
      field: 'body',
      message: 'body: expected JSON, found 11 characters that are not',
    });
    expect(broken?.raw).toBe('{"secret": ');
    expect(whole?.body).toEqual(tick());
  });

  it('breaks only the message whose SNS envelope holds no JSON', () => {
    const batch = sqsBatch(snsEnvelope('plain words'), { ...snsEnvelope('x'), Message: 7 });

    const { messages } = receive(batch);

    expect(messages.map(({ body }) => body)).toMatchObject([{ field: 'Message' }, { field: 'Message' }]);
  });

  it('has a message for every record, holes too, so that none is forgotten', () => {
    const [record] = sqsBatch(tick()).Records;

    const records = Object.assign(Array<unknown>(5), { 0: null, 2: record, 3: 'x', 4: { body: 7 } });

    const { batch, messages } = receive({ Records: records });

    expect(batch).toBe(true);
    expect(messages.map(({ id }) => id)).toEqual(['record-0', 'record-1', record?.messageId, 'record-3', 'record-4']);
    expect(messages.map(({ body }) => (body instanceof BrokenMessage ? body.field : 'whole'))).toEqual([
      'Records.0.body',
      'Records.1.body',
      'whole',
      'Records.3.body',
      'Records.4.body',
    ]);
  });
});

describe('SNS records', () => {
  it('are one message each, and no batch', () => {
    const received = receive(snsRecords(snsAlarm(), snsAlarm({ state: 'OK' })));

    expect(received.batch).toBe(false);
    expect(received.messages).toEqual([
      {
        id: '00000000-0000-4000-8000-000000000000',
        via: 'sns',
        body: snsAlarm(),
        raw: JSON.stringify(snsAlarm()),
        sentAt: Date.parse('2026-03-05T03:12:00.400Z'),
      },
      expect.objectContaining({ body: snsAlarm({ state: 'OK' }) }),
    ]);
  });

  it('break one by one', () => {
    const [whole] = snsRecords(snsAlarm()).Records;

    const { messages } = receive({ Records: [{ EventSource: 'aws:sns' }, whole, ...snsRecords('words').Records] });

    expect(messages.map(({ body }) => (body instanceof BrokenMessage ? body.field : 'whole'))).toEqual([
      'Records.0.Sns.Message',
      'whole',
      'Sns.Message',
    ]);
  });
});

describe('a direct invocation', () => {
  it.each([
    ['an EventBridge event', alarmEvent(), 'eventbridge', 'c4c1c1c9-6542-e61b-6ef0-8c4d36933a92'],
    ['a tick', tick(), 'eventbridge', 'eventbridge'],
    ['an alarm action', directAlarm(), 'alarm-action', 'alarm-action'],
    ['anything else', { hello: 'world' }, 'direct', 'direct'],
    ['null', null, 'direct', 'direct'],
    ['records of another service', { Records: [{ eventSource: 'aws:s3' }] }, 'direct', 'direct'],
  ])('takes %s as one message and keeps its JSON', (_, payload, via, id) => {
    const received = receive(payload);

    expect(received.batch).toBe(false);
    expect(received.messages).toEqual([
      expect.objectContaining({ id, via, body: payload, raw: JSON.stringify(payload) }),
    ]);
  });

  it('takes the event time as the time of sending', () => {
    const [message] = receive(alarmEvent()).messages;

    expect(message?.sentAt).toBe(Date.parse('2026-03-05T03:12:00Z'));
  });

  it('opens an SNS envelope', () => {
    const [message] = receive(snsEnvelope(snsAlarm())).messages;

    expect(message?.body).toEqual(snsAlarm());
  });

  it('survives what JSON cannot say', () => {
    const [message] = receive({ big: 1n }).messages;

    expect(message).toMatchObject({ via: 'direct', raw: '' });
  });
});
