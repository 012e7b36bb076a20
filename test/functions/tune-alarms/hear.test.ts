import { describe, expect, it } from 'vitest';
import { hear } from '../../../functions/tune-alarms/hear.ts';
import { tellingWhatMatters } from '../../../functions/tune-alarms/tell.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import type { HistoryRecord } from '../../../shared/ledger/types.ts';
import { account, alarmEvent, at, region, streamArn, tagChange } from '../../support/event-builders.ts';
import { fakeRuntime } from '../../support/fake-runtime.ts';

const heard = async (event: object) => {
  const [message] = receive(event).messages;
  const parsed = message && parse(message);
  if (parsed?.kind !== 'event') throw new Error('not understood');
  return (await hear([parsed.event]))[0];
};
const group = `arn:aws:elasticache:${region}:${account}:replicationgroup:sessions`;

describe('a change of tags', () => {
  it.each([streamArn(), group])('of %s wakes, without the haste of trouble', async (resource) => {
    expect(await heard(tagChange(resource, ['team', 'reflex:enabled']))).toEqual({
      signals: [
        {
          resource,
          trigger: 'tick',
          cause: 'tags team, reflex:enabled changed',
          occurrence: `${resource} 2026-03-05T03:12:00.000Z tags`,
          at: Math.floor(at / 1_000) * 1_000,
        },
      ],
    });
  });

  it.each([
    [`arn:aws:ec2:${region}:${account}:instance/i-1`, 'not-a-watched-resource'],
    [`arn:aws:elasticache:${region}:${account}:cluster:sessions-001`, 'not-a-watched-resource'],
    [`arn:aws:elasticache:${region}:${account}:serverlesscache:sessions`, 'not-a-watched-resource'],
    [`${streamArn()}/consumer/c:1`, 'not-a-watched-resource'],
  ])('of %s does not: %s', async (resource, reason) => {
    expect(await heard(tagChange(resource, ['reflex:enabled']))).toEqual({ notForUs: reason });
  });

  it('does not wake where none of them is a setting of Reflex', async () => {
    expect(await heard(tagChange(streamArn(), ['team']))).toEqual({ notForUs: 'other-tags' });
  });
});

describe('anything else', () => {
  it('is not for us', async () => {
    expect(await heard(alarmEvent())).toEqual({ notForUs: 'not-a-tag-change' });
  });
});

describe('people', () => {
  const told = async (part: Partial<HistoryRecord>) => {
    const runtime = fakeRuntime();
    const record: HistoryRecord = {
      fn: 'tune-alarms',
      resource: streamArn(),
      recordId: 'r',
      at,
      incidentId: null,
      trigger: 'tick',
      cause: 'schedule',
      decision: 'act',
      reason: 'make-alarms',
      why: '',
      mode: 'on',
      dryRun: false,
      actions: [],
      facts: null,
      ...part,
    };
    await tellingWhatMatters(runtime).notify(record, null);
    return runtime.world.told.length === 1;
  };

  it.each([
    ['alarms that are made', { reason: 'make-alarms' }],
    ['alarms that are deleted', { reason: 'remove-alarms' }],
    ['what a dry run would tune', { reason: 'retune-alarms', dryRun: true }],
    ['what needs them', { decision: 'escalate', reason: 'alarm-name-taken' }],
    ['what was to be tuned and is not', { decision: 'defer', reason: 'act-unknown' }],
  ] as const)('are told of %s', async (_, part) => {
    expect(await told(part)).toBe(true);
  });

  it.each([
    ['a count that follows a reshard', { reason: 'retune-alarms' }],
    ['all being well afterwards', { decision: 'skip', reason: 'resolved' }],
  ] as const)('are not told of %s', async (_, part) => {
    expect(await told(part)).toBe(false);
  });
});
