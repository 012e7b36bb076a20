import { describe, expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import type { Parsed } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';
import { alarmEvent, snsEnvelope, sqsBatch, tick } from '../../support/event-builders.ts';

function parseAll(payload: unknown): Parsed[] {
  return receive(payload).messages.map(parse);
}

function fieldOf(parsed: Parsed | undefined): string | undefined {
  return parsed?.kind === 'broken' ? parsed.error.field : undefined;
}

describe('what is not for us', () => {
  it.each([
    ['unknown-source', { source: 'aws.batch', 'detail-type': 'Batch Job State Change', detail: {} }],
    ['unknown-source', { source: 'custom', 'detail-type': 'Alarm copied', AlarmName: 'orders', alarmData: {} }],
    ['unknown-source', { source: '__proto__', 'detail-type': 'constructor' }],
    ['unknown-detail-type', { source: 'aws.cloudwatch', 'detail-type': 'CloudWatch Alarm Something New' }],
    [
      'alarm-configuration-change',
      { source: 'aws.cloudwatch', 'detail-type': 'CloudWatch Alarm Configuration Change' },
    ],
    [
      'alarm-contributor-state-change',
      { source: 'aws.cloudwatch', 'detail-type': 'CloudWatch Alarm Contributor State Change' },
    ],
    ['sns-subscription-confirmation', { Type: 'SubscriptionConfirmation', Message: 'You have chosen', Token: 't' }],
    ['sns-subscription-confirmation', { Type: 'UnsubscribeConfirmation', Message: 'You have chosen', Token: 't' }],
    ['test-notification', { Event: 'autoscaling:TEST_NOTIFICATION', Service: 'AWS Auto Scaling' }],
    ['test-notification', { Event: 's3:TestEvent', Service: 'Amazon S3' }],
  ])('is said to be %s', (reason, body) => {
    const parsed = parseAll(sqsBatch(body, snsEnvelope(body)));

    expect(parsed).toEqual([
      { kind: 'not-for-us', reason },
      { kind: 'not-for-us', reason },
    ]);
  });
});

describe('what is broken', () => {
  it.each([
    ['message', null],
    ['message', [alarmEvent()]],
    ['message', 12],
    ['message', 'words'],
    ['source', {}],
    ['source', { source: 7, 'detail-type': 'Tick' }],
    ['detail-type', { source: 'aws.cloudwatch' }],
    ['detail-type', { source: 'reflex', 'detail-type': ['Tick'] }],
    ['detail-type', { source: 'reflex', 'detail-type': 'Of a later release', detail: {} }],
    ['detail', { ...alarmEvent(), detail: undefined }],
  ])('names the field %s', (field, payload) => {
    const [parsed] = parseAll(payload);

    expect(fieldOf(parsed)).toBe(field);
  });

  it('is apart from the rest of its batch', () => {
    const parsed = parseAll(sqsBatch('not json', tick(), { source: 'aws.ec2', 'detail-type': 'x' }, alarmEvent()));

    expect(parsed.map(({ kind }) => kind)).toEqual(['broken', 'event', 'not-for-us', 'event']);
  });

  it('says what was expected and found, and no content', () => {
    const event = alarmEvent();

    const [parsed] = parseAll({
      ...event,
      detail: { ...event.detail, state: { ...event.detail.state, value: ['swordfish'] } },
    });

    expect(parsed).toMatchObject({
      kind: 'broken',
      error: { message: 'detail.state.value: expected a string, found a list' },
    });
  });
});
