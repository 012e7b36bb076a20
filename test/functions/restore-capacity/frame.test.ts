import { expect, it } from 'vitest';
import { act } from '../../../functions/restore-capacity/act.ts';
import { hear } from '../../../functions/restore-capacity/hear.ts';
import { observe } from '../../../functions/restore-capacity/observe.ts';
import { subjectOf } from '../../../functions/restore-capacity/tell.ts';
import { receive } from '../../../shared/events/envelope.ts';
import type { ReflexEvent } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';
import type { Watch } from '../../../shared/function.ts';
import type { HistoryRecord } from '../../../shared/ledger/types.ts';
import { spotInterruption, sqsBatch } from '../../support/event-builders.ts';
import { groupArn } from '../../support/fake-aws/autoscaling.ts';
import { serviceArn } from '../../support/fake-aws/ecs.ts';
import { serviceAction } from '../../support/restore-capacity.ts';

const events = receive(
  sqsBatch(spotInterruption(), serviceAction(), spotInterruption(), serviceAction({ service: 'api' })),
)
  .messages.map(parse)
  .flatMap((parsed): ReflexEvent[] => (parsed.kind === 'event' ? [parsed.event] : []));
const watch = (resource: string): Watch => ({ resource, trigger: 'event', signals: [] });
const resources = [serviceArn('web'), groupArn('workers'), serviceArn('api')];

it('every event is heard by the part it is for, and answered in its place', async () => {
  const answers = await hear(
    async (some) => some.map(({ kind }, i) => ({ notForUs: `service ${i} ${kind}` })),
    async (some) => some.map(({ kind }, i) => ({ notForUs: `group ${i} ${kind}` })),
  )(events);

  expect(answers).toEqual([
    { notForUs: 'group 0 spot-interruption' },
    { notForUs: 'service 0 service-action' },
    { notForUs: 'group 1 spot-interruption' },
    { notForUs: 'service 1 service-action' },
  ]);
});

it('an event that got no answer fails', async () => {
  const silent = async () => [];
  expect(await hear(silent, silent)(events)).toEqual(events.map(() => ({ error: expect.any(Error) })));
});

it('every resource is observed by the part it belongs to', async () => {
  const gone = (part: string) => async (watches: readonly Watch[]) =>
    new Map(watches.map(({ resource }) => [resource, { error: part }] as const));

  expect(await observe(gone('service'), gone('group'))(resources.map(watch))).toEqual(
    new Map([
      [serviceArn('web'), { error: 'service' }],
      [serviceArn('api'), { error: 'service' }],
      [groupArn('workers'), { error: 'group' }],
    ]),
  );
});

it('every act is carried out by the part it belongs to', async () => {
  const done: string[][] = [[], []];
  const acting = (i: number) => async (approved: readonly { readonly resource: string }[]) => {
    done[i] = approved.map(({ resource }) => resource);
    return new Map();
  };
  const empty = { kind: 'act', reason: 'spot-fallback', why: '', calls: [], coolDownMs: 0 } as const;

  await act(acting(0), acting(1))(resources.map((resource) => ({ resource, act: empty })));

  expect(done).toEqual([[serviceArn('web'), serviceArn('api')], [groupArn('workers')]]);
});

it('of a service people hear once a chapter', () => {
  const record = {
    resource: serviceArn('web'),
    incidentId: 'rfx-1',
    decision: 'act',
    reason: 'spot-failback',
    dryRun: false,
  };
  expect(subjectOf(record as HistoryRecord)).toEqual({ about: serviceArn('web'), key: 'rfx-1 act spot-failback' });
});
