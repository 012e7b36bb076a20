import { describe, expect, it } from 'vitest';
import { instanceArn } from '../../../shared/arns.ts';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import {
  account,
  at,
  commandInvocation,
  healthEvent,
  instanceId,
  instanceStateChange,
  launchUnsuccessful,
  lifecycleAction,
  lifecycleNotification,
  rebalanceRecommendation,
  region,
  snapshotNotification,
  snsEnvelope,
  spotInterruption,
  sqsBatch,
} from '../../support/event-builders.ts';

const parsed = (payload: unknown) => receive(payload).messages.map(parse)[0];
const second = Math.floor(at / 1_000) * 1_000;
const place = { account, region, at: second };
const id = instanceId(7);

describe('an event of EC2, EBS, Auto Scaling, Health or SSM', () => {
  it.each([
    ['a warning', spotInterruption(id), { kind: 'spot-interruption', instanceId: id, action: 'terminate', ...place }],
    [
      'a warning of an action AWS adds one day',
      spotInterruption(id, { action: 'teleport' }),
      { kind: 'spot-interruption', instanceId: id, action: 'teleport', ...place },
    ],
    ['a recommendation', rebalanceRecommendation(id), { kind: 'rebalance-recommendation', instanceId: id, ...place }],
    [
      'a state change',
      instanceStateChange(id, 'shutting-down'),
      { kind: 'instance-state-change', instanceId: id, state: 'shutting-down', ...place },
    ],
    [
      'a lifecycle action',
      lifecycleAction(id),
      {
        kind: 'lifecycle-action',
        instanceId: id,
        group: 'orders-workers',
        hook: 'save-logs',
        token: '0befcbdb-6ecd-498a-9ff7-ae9b54447cd6',
        transition: 'autoscaling:EC2_INSTANCE_TERMINATING',
        metadata: null,
        ...place,
      },
    ],
    [
      'a launch without success',
      launchUnsuccessful({ message: 'no capacity' }),
      {
        kind: 'launch-unsuccessful',
        group: 'orders-workers',
        activity: '87654321-4321-4321-4321-210987654321',
        zone: `${region}b`,
        subnet: 'subnet-0f1d2c3b4a5968778',
        status: 'Failed',
        message: 'no capacity',
        cause: 'a user request',
        ...place,
      },
    ],
    [
      'a snapshot',
      snapshotNotification(),
      {
        kind: 'snapshot',
        event: 'createSnapshot',
        result: 'succeeded',
        cause: '',
        snapshotId: 'snap-01234567890abcdef',
        sourceId: 'vol-01234567890abcdef',
        ...place,
      },
    ],
    [
      'a command’s status on one instance',
      commandInvocation(id, { status: 'TimedOut' }),
      {
        kind: 'command-invocation',
        instanceId: id,
        commandId: 'e8d3c0e4-71f7-4491-898f-c9b35bee5f3b',
        document: 'reflex-ship-logs',
        status: 'TimedOut',
        ...place,
      },
    ],
  ])('is understood: %s', (_, body, event) => {
    expect(parsed(body)).toEqual({ kind: 'event', event });
  });

  it('takes the instance from the detail, whatever resources say', () => {
    const other = {
      ...spotInterruption(id),
      resources: [`arn:aws:ec2:${region}:${account}:instance/${instanceId(99)}`],
    };

    expect(parsed(other)).toMatchObject({ event: { instanceId: id } });
    expect(parsed({ ...spotInterruption(id), resources: [] })).toMatchObject({ event: { instanceId: id } });
  });

  it.each([
    ['detail.instance-id', { ...spotInterruption(id), detail: { 'instance-action': 'terminate' } }],
    ['detail.instance-id', spotInterruption('i-not an id')],
    ['detail.instance-action', { ...spotInterruption(id), detail: { 'instance-id': id } }],
    ['account', { ...rebalanceRecommendation(id), account: undefined }],
    ['region', { ...rebalanceRecommendation(id), region: 'arn:' }],
    ['time', { ...instanceStateChange(id), time: 'yesterday' }],
    ['detail.LifecycleActionToken', { ...lifecycleAction(id), detail: {} }],
    ['AccountId', { ...lifecycleNotification(id), AccountId: 1 }],
    ['detail.AutoScalingGroupName', { ...launchUnsuccessful(), detail: {} }],
    ['detail.snapshot_id', { ...snapshotNotification(), detail: { event: 'createSnapshot', result: 'succeeded' } }],
    ['detail.startTime', { ...healthEvent(), detail: { ...healthEvent().detail, startTime: 'soon' } }],
  ])('is broken where %s is missing or wrong', (field, body) => {
    expect(parsed(body)).toMatchObject({ kind: 'broken', error: { field } });
  });
});

describe('a lifecycle hook', () => {
  it('says the same through its own SNS or SQS target, but for the Region', () => {
    const flat = lifecycleNotification(id, { at: second });

    const [raw, wrapped] = receive(sqsBatch(flat, snsEnvelope(flat))).messages.map(parse);

    const { region: _, ...same } = (parsed(lifecycleAction(id)) as { event: object & { region: string } }).event;
    expect(raw).toEqual({ kind: 'event', event: { ...same, region: '' } });
    expect(wrapped).toEqual(raw);
  });

  it('is not confused by the test notification it begins with', () => {
    const test = { Event: 'autoscaling:TEST_NOTIFICATION', AccountId: account, AutoScalingGroupName: 'orders-workers' };

    expect(parsed(sqsBatch(test))).toEqual({ kind: 'not-for-us', reason: 'test-notification' });
  });
});

describe('an event of any Region', () => {
  it.each([
    ['us-gov-west-1', 'aws-us-gov'],
    ['cn-northwest-1', 'aws-cn'],
    ['ap-southeast-7', 'aws'],
    ['eusc-de-east-1', 'aws-eusc'],
  ])('is understood: %s, whose ARNs are of %s', (name, partition) => {
    const event = { ...spotInterruption(id), region: name };

    expect(parsed(event)).toMatchObject({ kind: 'event', event: { region: name } });
    expect(instanceArn({ account, region: name }, id)).toBe(`arn:${partition}:ec2:${name}:${account}:instance/${id}`);
  });

  it.each(['', 'eu-west', 'EU (Ireland)', 'eu-west-1a'])('is broken where "%s" is none', (name) => {
    expect(parsed({ ...spotInterruption(id), region: name })).toMatchObject({ kind: 'broken' });
  });
});

describe('an event of AWS Health', () => {
  it('names every affected instance, by id or by ARN', () => {
    const arn = `arn:aws:ec2:${region}:${account}:instance/${instanceId(2)}`;

    const event = parsed(healthEvent({ entities: [instanceId(1), arn], startsAt: second + 60_000 }));

    expect(event).toMatchObject({
      event: {
        kind: 'health',
        service: 'EC2',
        code: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
        category: 'scheduledChange',
        status: 'upcoming',
        startsAt: second + 60_000,
        endsAt: null,
        entities: [
          { id: instanceId(1), status: 'PENDING' },
          { id: instanceId(2), status: 'PENDING' },
        ],
      },
    });
  });

  it('is placed where it happens, not where its backup copy is delivered', () => {
    const copy = { ...healthEvent(), region: 'us-west-2' };

    expect(parsed(copy)).toMatchObject({ event: { region, account } });
  });
});
