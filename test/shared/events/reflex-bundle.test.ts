import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { taskStateChangeBody } from '../../../shared/events/ecs-task-state-change.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { bundlesOf } from '../../../shared/events/reflex-bundle.ts';
import { parse } from '../../../shared/events/registry.ts';
import { alarmEvent, sqsBatch, taskStateChange, tick } from '../../support/event-builders.ts';

const bundle = (detail: unknown) => ({ source: 'reflex', 'detail-type': 'Bundle', detail });

describe('a bundle', () => {
  it('brings its events as messages of their own, in order, under its id', () => {
    const { messages } = receive(sqsBatch(tick(), bundle({ events: [taskStateChange(), alarmEvent()] })));

    expect(messages.map(({ body }) => body)).toEqual([tick(), taskStateChange(), alarmEvent()]);
    expect(messages.map(({ bundled }) => bundled)).toEqual([undefined, true, true]);
    expect(messages[1]?.id).toBe(messages[2]?.id);
    expect(messages[1]?.id).not.toBe(messages[0]?.id);
    expect(messages.map(({ raw }) => JSON.parse(raw))).toEqual([tick(), taskStateChange(), alarmEvent()]);
  });

  it.each([[[]], [{}], [undefined], ['events']])('is broken where its events are %j', (events) => {
    const [message] = receive(sqsBatch(bundle({ events }))).messages;

    expect(message && parse(message)).toMatchObject({ kind: 'broken', error: { field: 'detail.events' } });
  });

  it('that a person sends by hand brings its events as well', () => {
    const { batch, messages } = receive(bundle({ events: [taskStateChange(), alarmEvent()] }));

    expect([batch, ...messages.map(({ body }) => body)]).toEqual([false, taskStateChange(), alarmEvent()]);
  });

  it('breaks only the event in it that is broken', () => {
    const { messages } = receive(sqsBatch(bundle({ events: [taskStateChange(), 'x', null] })));

    expect(messages.map((message) => parse(message).kind)).toEqual(['event', 'broken', 'broken']);
  });

  it('in a bundle is broken', () => {
    const { messages } = receive(sqsBatch(bundle({ events: [bundle({ events: [tick()] })] })));

    expect(messages.map(parse)).toMatchObject([{ kind: 'broken', error: { field: 'detail-type' } }]);
  });
});

describe('bundling', () => {
  it('loses no event and changes no order, and ten bundles are a call of SQS', () => {
    const event = fc.record({ n: fc.nat(), text: fc.string({ unit: 'binary', maxLength: 3_000 }) });

    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const bundles = bundlesOf(events);

        const bodies = bundles.map(({ body }) => JSON.parse(body).detail.events as unknown[]);
        expect(bodies.flat()).toEqual(events);
        expect(bodies.map(({ length }) => length)).toEqual(bundles.map(({ size }) => size));
        expect(Math.max(0, ...bundles.map(({ body }) => Buffer.byteLength(body)))).toBeLessThan(25_600);
      }),
      { numRuns: 100 },
    );
  });

  it('puts more than thirty task events into one', () => {
    const parsed = receive(sqsBatch(taskStateChange())).messages.map(parse);
    const small = parsed.flatMap((one) =>
      one.kind === 'event' && one.event.kind === 'task-state-change' ? taskStateChangeBody(one.event) : [],
    );

    expect(bundlesOf(Array.from({ length: 30 }, () => small).flat())).toHaveLength(1);
  });
});
