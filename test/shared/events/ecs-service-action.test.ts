import { describe, expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import { at, sqsBatch } from '../../support/event-builders.ts';
import { serviceAction } from '../../support/restore-capacity.ts';

const parsed = (payload: unknown) => receive(sqsBatch(payload)).messages.map(parse)[0];
const broken = (payload: unknown) => {
  const result = parsed(payload);
  return result?.kind === 'broken' ? result.error.field : undefined;
};
const second = Math.floor(at / 1_000) * 1_000;

describe('a service action', () => {
  it('is read whole', () => {
    expect(parsed(serviceAction())).toEqual({
      kind: 'event',
      event: {
        kind: 'service-action',
        at: second,
        serviceArn: 'arn:aws:ecs:eu-west-1:111122223333:service/prod/web',
        clusterArn: 'arn:aws:ecs:eu-west-1:111122223333:cluster/prod',
        name: 'SERVICE_TASK_PLACEMENT_FAILURE',
        providers: ['FARGATE_SPOT'],
        reason: 'RESOURCE:FARGATE',
        createdAt: at,
      },
    });
  });

  it('takes its time from the envelope: createdAt may be days older', () => {
    const event = serviceAction();
    const old = { ...event, detail: { ...event.detail, createdAt: '2026-02-20T19:09:33.087Z' } };
    expect(parsed(old)).toMatchObject({ event: { at: second, createdAt: Date.parse('2026-02-20T19:09:33.087Z') } });
  });

  it('names the same service by its old ARN', () => {
    expect(parsed(serviceAction({ short: true }))).toEqual(parsed(serviceAction()));
  });

  it('may say neither provider nor reason', () => {
    expect(parsed(serviceAction({ providers: null, reason: null }))).toMatchObject({
      event: { providers: [], reason: null },
    });
  });

  it.each([
    ['resources', { resources: [] }],
    ['resources', { resources: undefined }],
    ['resources.0', { resources: ['arn:aws:ecs:eu-west-1:111122223333:cluster/prod'] }],
    ['detail.clusterArn', { detail: { ...serviceAction().detail, clusterArn: 'prod' } }],
    ['detail.eventName', { detail: { ...serviceAction().detail, eventName: '' } }],
  ])('is broken without a proper %s', (field, change) => {
    expect(broken({ ...serviceAction(), ...change })).toBe(field);
  });
});
