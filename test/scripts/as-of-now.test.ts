import { describe, expect, it } from 'vitest';
import { asOfNow } from '../../scripts/as-of-now.ts';
import { alarmEvent, at, sqsBatch, taskStateChange } from '../support/event-builders.ts';

const now = at + 86_400_000 + 123;

describe('a recorded event', () => {
  it('of what cannot wait is moved to now, the distances between its times kept', () => {
    const event = taskStateChange({ stoppingAt: at });
    const later = { ...event, detail: { ...event.detail, updatedAt: new Date(at + 2_000).toISOString() } };

    expect(asOfNow(later, now)).toMatchObject({
      time: new Date(now - 2_000).toISOString().replace(/\.\d+Z/, 'Z'),
      detail: { updatedAt: new Date(now).toISOString(), stoppingAt: new Date(now - 2_000).toISOString() },
    });
  });

  it('inside an inbox message is moved as well', () => {
    const moved = asOfNow(sqsBatch(taskStateChange()), now) as ReturnType<typeof sqsBatch>;

    expect(JSON.parse(moved.Records[0]?.body ?? '').detail.stoppingAt).toBe(new Date(now).toISOString());
  });

  it('of anything else stays as it is: its time is part of its name', () => {
    expect(asOfNow(alarmEvent(), now)).toEqual(alarmEvent());
  });

  it('without a time stays as it is', () => {
    expect(asOfNow({ source: 'aws.ecs', detail: {} }, now)).toEqual({ source: 'aws.ecs', detail: {} });
  });
});
