import { describe, expect, it } from 'vitest';
import { hear } from '../../../functions/drain-fargate/hear.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import { alarmEvent, at, taskArn, taskStateChange } from '../../support/event-builders.ts';
import { ecsTask } from '../../support/task-facts.ts';

const heard = async (...payloads: readonly unknown[]) =>
  hear(
    payloads.flatMap((payload) =>
      receive(payload)
        .messages.map(parse)
        .flatMap((parsed) => (parsed.kind === 'event' ? [parsed.event] : [])),
    ),
  );

it('a notice names its task, its phase and its time, and brings the task with it', async () => {
  expect(await heard(taskStateChange())).toEqual([
    {
      signals: [
        {
          resource: taskArn(),
          trigger: 'event',
          cause: 'Fargate Spot interruption, task DEACTIVATING (version 6)',
          occurrence: `${taskArn()} notice`,
          at,
          evidence: ecsTask(),
        },
      ],
    },
  ]);
});

it.each([
  ['RUNNING', 'notice'],
  ['DEACTIVATING', 'notice'],
  ['ACTIVATING', 'notice'],
  ['STOPPING', 'stopping'],
  ['DEPROVISIONING', 'gone'],
  ['STOPPED', 'gone'],
])('%s is the phase %s: the same one is acted on once, the next one is heard again', async (lastStatus, phase) => {
  expect(await heard(taskStateChange({ lastStatus }))).toMatchObject([
    { signals: [{ occurrence: `${taskArn()} ${phase}` }] },
  ]);
});

it('a notice without stoppingAt is as old as its last change', async () => {
  expect(await heard(taskStateChange({ stoppingAt: null }))).toMatchObject([{ signals: [{ at }] }]);
});

describe('it is not for us', () => {
  it.each([
    ['not-a-task', alarmEvent()],
    ['not-a-spot-interruption', taskStateChange({ stopCode: 'UserInitiated' })],
    ['standalone-task', taskStateChange({ service: null })],
  ])('%s', async (reason, payload) => {
    expect(await heard(payload)).toEqual([{ notForUs: reason }]);
  });
});

it('every event has its own answer, in order', async () => {
  const answers = await heard(alarmEvent(), taskStateChange(), taskStateChange({ service: null }));

  expect(answers.map((answer) => Object.keys(answer)[0])).toEqual(['notForUs', 'signals', 'notForUs']);
});
