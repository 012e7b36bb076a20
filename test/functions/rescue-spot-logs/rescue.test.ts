import { describe, expect, it } from 'vitest';
import { release } from '../../../shared/ledger/state.ts';
import {
  commandInvocation,
  instanceId,
  instanceStateChange,
  snapshotNotification,
  taskStateChange,
} from '../../support/event-builders.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { rescuer, tick, useRescueAws } from '../../support/rescue-spot-logs.ts';

const aws = await useRescueAws();
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const writes = () => aws.calls.map(({ operation }) => operation).filter((name) => !/^(Describe|List|Get)/.test(name));
const left = () => aws.volumes.size + aws.snapshots.size;
const taskStopped = (volume: string, rest: object = {}) => {
  const event = taskStateChange();
  return { ...event, detail: { ...event.detail, startedBy: `rescue/${volume}`, lastStatus: 'STOPPED', ...rest } };
};
/** The first call of an operation is refused. */
const refuseOnce = (wanted: string, error: AwsError) => {
  let refused = false;
  aws.faults((operation) => {
    if (operation !== wanted || refused) return undefined;
    refused = true;
    return error;
  });
};

describe('a kept volume of a terminated instance', () => {
  it('goes from pending to cleaned, and its logs are in S3', async () => {
    const rescue = rescuer(aws);
    const { id, instance } = aws.addVolume();

    await rescue.send(instanceStateChange(instance));
    await rescue.run(HOUR);

    expect(rescue.reasons()).toEqual([
      'take-snapshot',
      'snapshot-pending',
      'ship-snapshot',
      'shipping-logs',
      'logs-proven',
      'clean-up',
      'volume-gone',
    ]);
    expect(writes()).toEqual([
      'CreateTags',
      'CreateSnapshot',
      'CreateTags',
      'RunTask',
      'CreateTags',
      'CreateTags',
      'DeleteVolume',
      'DeleteSnapshot',
    ]);
    expect(left()).toBe(0);
    expect(aws.lost).toEqual([]);
    expect(aws.objects.get(`reflex-logs/spot-logs/${instance}/${id}/syslog`)).toBe('system of 1');
    expect(rescue.world.inbox).toEqual([]);
    expect(rescue.measured).toContainEqual({ name: 'shipped', value: { phase: 'rescue', files: 2, bytes: 22 } });
  });

  it('reaches the same end by the sweep alone, from an empty ledger, armed or disarmed', async () => {
    const rescue = rescuer(aws);
    aws.addVolume(1, { 'reflex:rescue': 'armed' });
    const disarmed = aws.addVolume(2);
    delete aws.volumes.get(disarmed.id)?.tags['reflex:rescue'];

    await rescue.deliver(tick);
    expect(rescue.measured).toEqual([{ name: 'kept', value: { volumes: 2, GiB: 40, oldestMs: 120_000 } }]);
    for (let hour = 0; hour < 6; hour++) {
      rescue.world.inbox.length = 0;
      rescue.world.now += 6 * MINUTE;
      await rescue.deliver(tick);
    }

    expect(left()).toBe(0);
    expect(aws.lost).toEqual([]);
  });

  it('is snapshotted once, however often it is told of', async () => {
    const rescue = rescuer(aws);
    const { id, instance } = aws.addVolume();

    await rescue.send(...Array.from({ length: 5 }, () => instanceStateChange(instance)));
    await rescue.send(
      commandInvocation(instance, { status: 'Success' }),
      snapshotNotification({ volume: id }),
      taskStopped(id),
    );
    await rescue.run(HOUR);

    expect(aws.made('CreateSnapshot')).toHaveLength(1);
    expect(aws.made('RunTask')).toHaveLength(1);
    expect(left()).toBe(0);
  });

  it('is left as it is in dry run, with the plan told', async () => {
    const rescue = rescuer(aws, { stackMode: 'dry-run' });
    aws.addVolume();

    await rescue.send(tick);

    expect(writes()).toEqual([]);
    expect(rescue.outcomes()).toMatchObject([
      { reason: 'take-snapshot', dryRun: true, actions: [{ call: 'CreateTags' }, { call: 'CreateSnapshot' }] },
    ]);
  });

  it('is given up after five attempts, kept, held, and told of; a person lets it go on', async () => {
    const rescue = rescuer(aws);
    const { id, instance, arn } = aws.addVolume();
    aws.fates({ task: () => 'not started' });

    await rescue.send(instanceStateChange(instance));
    await rescue.sweeps(DAY);

    expect(aws.made('RunTask')).toHaveLength(5);
    expect(aws.volumes.get(id)?.tags).toMatchObject({ 'reflex:rescue': 'failed', 'reflex:attempts': '5' });
    expect(writes()).not.toContain('DeleteVolume');
    const told = rescue.world.told.filter(({ record }) => record.decision === 'escalate');
    expect(told.map(({ record }) => record.reason)).toEqual(['rescue-failed']);
    expect(told[0]?.record).toMatchObject({
      why: expect.stringContaining('TaskFailedToStart'),
      advice: expect.stringContaining('attach-volume'),
    });

    expect(told[0]?.record.advice).toContain(`npm run ops -- release ${arn}`);

    aws.fates({ task: () => 'good' });
    Object.assign(aws.volumes.get(id)?.tags ?? {}, { 'reflex:rescue': 'pending' });
    await rescue.sweeps(HOUR);
    expect(rescue.reasons()).toContain('held');
    expect(aws.made('RunTask')).toHaveLength(5);

    const key = { fn: 'rescue-spot-logs', resource: arn };
    await rescue.runtime.ledger.update(key, undefined, (state) => ({ state: release(state) }));
    await rescue.sweeps(2 * HOUR);
    expect(left()).toBe(0);
    expect(aws.lost).toEqual([]);
  }, 60_000);

  it('is told of again where the one more attempt that a person asked for fails, too', async () => {
    const rescue = rescuer(aws);
    const { id, arn } = aws.addVolume(1, { 'reflex:attempts': '4' });
    aws.fates({ task: () => 'exit 1' });
    const failures = () => rescue.world.told.filter(({ record }) => record.reason === 'rescue-failed').length;
    await rescue.sweeps(HOUR);
    expect(failures()).toBe(1);

    Object.assign(aws.volumes.get(id)?.tags ?? {}, { 'reflex:rescue': 'pending' });
    const key = { fn: 'rescue-spot-logs', resource: arn };
    await rescue.runtime.ledger.update(key, undefined, (state) => ({ state: release(state) }));
    await rescue.sweeps(2 * HOUR);

    expect(aws.made('RunTask')).toHaveLength(2);
    expect(failures()).toBe(2);
  });

  it('is not rescued from a snapshot of a former keeping, nor overwritten by it', async () => {
    const rescue = rescuer(aws);
    const { id, instance } = aws.addVolume();
    await rescue.send(tick);
    const volume = aws.volumes.get(id);
    Object.assign(volume?.tags ?? {}, {
      'reflex:rescue': 'pending',
      'reflex:since': new Date(rescue.world.now).toISOString(),
    });
    volume?.files.set('syslog', 'later');

    await rescue.sweeps(2 * HOUR);

    expect(aws.made('CreateSnapshot')).toHaveLength(2);
    expect(aws.lost).toEqual([]);
    expect(aws.objects.get(`reflex-logs/spot-logs/${instance}/${id}/syslog`)).toBe('later');
    expect(aws.made('RunTask')).toHaveLength(1);
    expect(rescue.reasons()).toContain('former-snapshot');
  });

  it('is not proven by a snapshot from before somebody used it, however it got back', async () => {
    const rescue = rescuer(aws);
    const { id, arn } = aws.addVolume();
    await rescue.send(tick);
    while (!rescue.reasons().includes('ship-snapshot')) await rescue.run(SECOND);
    const volume = aws.volumes.get(id);
    if (volume) volume.attachedTo = instanceId(2);
    await rescue.sweeps(10 * MINUTE);
    expect(rescue.reasons()).toContain('volume-reused');
    volume?.files.set('syslog', 'written by hand');
    if (volume) volume.attachedTo = null;
    await rescue.sweeps(10 * MINUTE);

    // As the notification says.
    Object.assign(volume?.tags ?? {}, { 'reflex:rescue': 'pending' });
    const key = { fn: 'rescue-spot-logs', resource: arn };
    await rescue.runtime.ledger.update(key, undefined, (state) => ({ state: release(state) }));
    await rescue.sweeps(2 * HOUR);

    expect(aws.made('CreateSnapshot')).toHaveLength(2);
    expect(aws.volumes.size).toBe(0);
    expect(aws.lost).toEqual([]);
  });

  it.each(['armed', undefined])('is left to who uses it since, whatever no event told (%s)', async (state) => {
    const rescue = rescuer(aws);
    const { id } = aws.addVolume(1, {}, { attachedTo: instanceId(2) });
    const volume = aws.volumes.get(id);
    if (state === undefined) delete volume?.tags['reflex:rescue'];
    else Object.assign(volume?.tags ?? {}, { 'reflex:rescue': state });

    await rescue.send(tick);
    if (volume) volume.attachedTo = null;
    await rescue.sweeps(2 * HOUR);

    expect(rescue.reasons()).toContain('volume-reused');
    expect(aws.made('CreateSnapshot')).toEqual([]);
    expect(aws.volumes.has(id)).toBe(true);
  });

  it('is counted as kept while nobody uses it', async () => {
    const rescue = rescuer(aws);
    aws.addVolume(1, { 'reflex:rescue': 'failed' }, { attachedTo: instanceId(2) });
    aws.addVolume(3, { 'reflex:rescue': 'failed' });

    await rescue.send(tick);

    expect(rescue.measured).toEqual([{ name: 'kept', value: { volumes: 1, GiB: 20, oldestMs: 120_000 } }]);
  });

  it('is not proven by a marker that a former attempt left', async () => {
    const rescue = rescuer(aws);
    const { id, instance } = aws.addVolume();
    const fates = ['exit 1', 'no marker'] as const;
    let n = 0;
    aws.fates({ task: () => fates[n++] ?? 'exit 1' });

    await rescue.send(instanceStateChange(instance));
    await rescue.sweeps(HOUR);

    expect(n).toBeGreaterThanOrEqual(2);
    expect(aws.volumes.has(id)).toBe(true);
  });
});

describe('what AWS refuses', () => {
  const until = async (reason: string) => {
    const rescue = rescuer(aws);
    const { instance } = aws.addVolume();
    return { rescue, start: () => rescue.send(instanceStateChange(instance)), reason };
  };

  it('ECS cannot place the task: it is asked again', async () => {
    const { rescue, start } = await until('task-not-placed');
    refuseOnce('RunTask', new AwsError('ClientException', 'No capacity'));
    await start();
    await rescue.sweeps(HOUR);

    expect(left()).toBe(0);
  });

  it('ECS refuses with HTTP 200, and the same token for ever: each refusal makes another, and is waited for longer', async () => {
    const { rescue, start } = await until('task-not-placed');
    let refusals = 3;
    aws.fates({ place: () => refusals-- <= 0 });
    await start();
    await rescue.sweeps(3 * HOUR);

    const tokens = aws.made('RunTask').map(({ clientToken }) => clientToken);
    const waited = rescue.outcomes().filter(({ reason }) => reason === 'task-not-placed');
    expect(waited).toHaveLength(3);
    expect(waited[0]).toMatchObject({
      decision: 'defer',
      why: expect.stringContaining('Capacity is unavailable'),
      actions: [{ call: 'CreateTags' }, { call: 'RunTask', error: expect.stringContaining('Capacity') }],
    });
    expect(new Set(tokens).size).toBe(4);
    expect(left()).toBe(0);
    expect(aws.lost).toEqual([]);
  });

  it('ECS refuses with an exception for want of capacity: it is waited for, and no person told', async () => {
    const { rescue, start } = await until('task-not-placed');
    const message = 'Capacity is unavailable at this time. Please try again later or in a different availability zone';
    refuseOnce('RunTask', new AwsError('ClientException', message));
    await start();
    await rescue.sweeps(HOUR);

    expect(rescue.reasons()).toContain('task-not-placed');
    expect(rescue.world.told.map(({ record }) => record.decision)).not.toContain('escalate');
    expect(left()).toBe(0);
  });

  it('a token that was used means that the task runs', async () => {
    const { rescue, start } = await until('ship-snapshot');
    aws.faults((operation, n) =>
      operation === 'RunTask' && n < 40 ? new AwsError('ConflictException', 'used') : undefined,
    );
    await start();
    await rescue.run(4 * MINUTE);

    expect(rescue.reasons()).toContain('ship-snapshot');
    expect(
      rescue
        .outcomes()
        .flatMap(({ actions }) => actions)
        .filter(({ error }) => error !== undefined),
    ).toEqual([]);
  });

  it('a volume in use is deleted later, and its snapshot not before it', async () => {
    const { rescue, start } = await until('volume-busy');
    refuseOnce('DeleteVolume', new AwsError('VolumeInUse', 'attached'));
    await start();
    await rescue.sweeps(30 * MINUTE);

    expect(rescue.reasons()).toContain('volume-busy');
    expect(left()).toBe(0);
    expect(writes().indexOf('DeleteSnapshot')).toBeGreaterThan(writes().lastIndexOf('DeleteVolume'));
  });

  it.each([
    ['DeleteVolume', 'InvalidVolume.NotFound'],
    ['DeleteSnapshot', 'InvalidSnapshot.NotFound'],
  ])('%s: %s is a success', async (operation, code) => {
    const { rescue, start } = await until('clean-up');
    refuseOnce(operation, new AwsError(code, 'gone'));
    await start();
    await rescue.run(10 * MINUTE);

    expect(
      rescue
        .outcomes()
        .flatMap(({ actions }) => actions)
        .filter(({ error }) => error !== undefined),
    ).toEqual([]);
  });

  it('a snapshot that an image needs is kept, and a person told', async () => {
    const { rescue, start } = await until('snapshot-in-use');
    aws.faults((operation) =>
      operation === 'DeleteSnapshot' ? new AwsError('InvalidSnapshot.InUse', 'ami-1') : undefined,
    );
    await start();
    await rescue.run(10 * MINUTE);

    expect(rescue.reasons()).toContain('snapshot-in-use');
    expect(aws.snapshots.size).toBe(1);
  });

  it.each([
    'PendingSnapshotLimitExceeded',
    'ConcurrentSnapshotLimitExceeded',
    'SnapshotCreationPerVolumeRateExceeded',
    'RequestLimitExceeded',
  ])('no more snapshots at once (%s): it is asked again, ever later, and nobody has to do anything', async (code) => {
    const rescue = rescuer(aws);
    aws.addVolume();
    let refusals = 0;
    aws.faults((operation) =>
      operation === 'CreateSnapshot' && refusals++ < 3 ? new AwsError(code, 'wait') : undefined,
    );

    await rescue.send(tick);
    await rescue.sweeps(3 * HOUR);

    const refused = rescue.outcomes().filter(({ reason }) => reason === 'snapshot-not-taken');
    expect(refused.map(({ decision }) => decision)).toEqual(['defer', 'defer', 'defer']);
    expect(rescue.world.told.filter(({ record }) => record.decision === 'escalate')).toEqual([]);
    expect(aws.made('CreateSnapshot')).toHaveLength(1);
    expect(left()).toBe(0);
    expect(aws.lost).toEqual([]);
  });

  it('a permission that is missing is told once, and the rescue goes on when it is there', async () => {
    const { rescue, start } = await until('access-denied');
    const denied = new AwsError('UnauthorizedOperation', 'not authorized', 403);
    aws.faults((operation) => (operation === 'CreateSnapshot' ? denied : undefined));
    await start();
    await rescue.sweeps(20 * MINUTE);
    expect(rescue.world.told.filter(({ record }) => record.reason === 'access-denied')).toHaveLength(1);

    aws.faults(() => undefined);
    await rescue.sweeps(HOUR);
    expect(left()).toBe(0);
  });
});

describe('a proof that was complete', () => {
  it('holds no more where the snapshot is gone, which is said', async () => {
    const rescue = rescuer(aws);
    const { id } = aws.addVolume();
    await rescue.send(tick);
    while (!rescue.reasons().includes('logs-proven')) await rescue.run(SECOND);
    aws.snapshots.clear();

    await rescue.run(HOUR);

    expect(rescue.outcomes().at(-1)).toMatchObject({
      reason: 'proof-lost',
      why: expect.stringContaining('now there is no snapshot of it'),
    });
    expect(aws.volumes.has(id)).toBe(true);
  });
});

describe('what is not ours', () => {
  it.each<[string, () => unknown, string]>([
    ['an instance without a kept volume', () => instanceStateChange('i-0b662ef9931388ba0'), 'no-kept-volume'],
    [
      'an instance that still shuts down',
      () => instanceStateChange('i-0b662ef9931388ba0', 'shutting-down'),
      'not-terminated',
    ],
    [
      'a command that still runs',
      () => commandInvocation('i-0b662ef9931388ba0', { status: 'InProgress' }),
      'command-not-over',
    ],
    ['a copied snapshot', () => snapshotNotification({ event: 'copySnapshot' }), 'no-snapshot-of-a-volume'],
    ['somebody’s task', () => taskStateChange(), 'no-rescue-task'],
    ['somebody’s task that begins its name as ours do', () => taskStopped('../vol-1'), 'no-rescue-task'],
    [
      'our task while it runs',
      () => taskStopped('vol-00000000000000001', { lastStatus: 'RUNNING' }),
      'task-not-stopped',
    ],
  ])('%s', async (_, body, reason) => {
    const rescue = rescuer(aws);

    await rescue.send(body());

    expect(rescue.results[0]?.notForUs).toEqual({ [reason]: 1 });
    expect(writes()).toEqual([]);
  });

  it('a snapshot of any other volume costs one look, and leaves no trace', async () => {
    const rescue = rescuer(aws);

    await rescue.send(snapshotNotification());

    expect(aws.calls.map(({ operation }) => operation).sort()).toEqual(['DescribeSnapshots', 'DescribeVolumes']);
    expect(rescue.world.table.rows()).toEqual([]);
  });

  it('a volume whose tag is malformed is told of and kept', async () => {
    const rescue = rescuer(aws);
    aws.addVolume(1, { 'reflex:since': 'yesterday' });

    await rescue.send(tick);

    expect(rescue.outcomes()).toMatchObject([
      { decision: 'escalate', reason: 'bad-tag', why: expect.stringContaining('reflex:since') },
    ]);
    expect(rescue.world.told.map(({ record }) => record.reason)).toEqual(['bad-tag']);
    expect(writes()).toEqual([]);

    await rescue.sweeps(HOUR);
    expect(rescue.world.told).toHaveLength(1);
  });

  it('a volume that is not opted in fails no sweep, whatever its tags say', async () => {
    const rescue = rescuer(aws);
    aws.addVolume(1, { 'reflex:enabled': 'false', 'reflex:rescue': 'Pending' });

    await rescue.send(tick);

    expect(rescue.outcomes()).toMatchObject([{ decision: 'skip', reason: 'not-opted-in' }]);
    expect(rescue.results[0]).toMatchObject({ batchItemFailures: [], failures: [] });
    expect(rescue.world.told).toEqual([]);
  });

  it('a copy of its snapshot, tags and all, is somebody’s and stays', async () => {
    const rescue = rescuer(aws);
    const { id } = aws.addVolume();
    await rescue.send(tick);
    const [ours] = aws.snapshots.values();
    if (ours === undefined) throw new Error('no snapshot');
    aws.snapshots.set('snap-copy', { ...ours, id: 'snap-copy', volume: 'vol-ffffffff', tags: { ...ours.tags } });

    await rescue.sweeps(HOUR);

    expect(aws.volumes.has(id)).toBe(false);
    expect([...aws.snapshots.keys()]).toEqual(['snap-copy']);
    expect(aws.snapshots.get('snap-copy')?.tags['reflex:rescue']).toBe('snapshotting');
  });

  it('a volume that was restored from a backup of a kept one, tags and all, is left alone and told of', async () => {
    const rescue = rescuer(aws);
    const { id } = aws.addVolume(1, { 'reflex:rescue': 'armed' }, { createdAt: rescue.world.now - MINUTE });

    await rescue.send(tick);
    await rescue.sweeps(DAY);

    expect(writes()).toEqual([]);
    expect(aws.volumes.has(id)).toBe(true);
    expect(rescue.world.told.map(({ record }) => record.reason)).toEqual(['volume-copied']);
    expect(rescue.outcomes()[0]?.advice).toContain(`aws ec2 delete-tags --resources ${id} --tags Key=reflex:rescue`);
  });
});

describe('what a host says that it has shipped', () => {
  const said = async (marker: object | string, status = 'Success') => {
    const rescue = rescuer(aws);
    const { instance, id } = aws.addVolume(
      1,
      { 'reflex:rescue': 'armed' },
      { attachedTo: instanceId(1), instance: 'running' },
    );
    const of = { instance, phase: 'interruption', at: '2026-03-05T03:13:40Z', files: 12, bytes: 3_400, partial: false };
    const sources = [{ path: '/var/log', volume: id, filesystem: 'ext4' }];
    const key = `reflex-logs/spot-logs/${instance}/_SHIPPED.json`;
    aws.objects.set(key, typeof marker === 'string' ? marker : JSON.stringify({ ...of, sources, ...marker }));
    await rescue.send(commandInvocation(instance, { status }));
    return rescue;
  };
  const store = { path: '/mnt/store', volume: null, filesystem: 'xfs' };

  it.each(['pre-copy', 'interruption'])('is counted by phase: %s', async (phase) => {
    const { measured } = await said({ phase });

    expect(measured).toEqual([{ name: 'shipped', value: { phase, files: 12, bytes: 3_400 } }]);
  });

  it('that instance store was not shipped whole in the last two minutes is counted as unrecoverable', async () => {
    const { measured } = await said({ partial: true, sources: [store] }, 'Failed');

    expect(measured).toContainEqual({ name: 'unrecoverable', value: { directories: 1 } });
  });

  it.each([
    ['what is whole', { sources: [store] }],
    ['what is on a volume', { partial: true }],
    ['a pre-copy', { phase: 'pre-copy', partial: true, sources: [store] }],
  ])('%s is not', async (_, marker) => {
    const { measured } = await said(marker);

    expect(measured.map(({ name }) => name)).toEqual(['shipped']);
  });

  it.each([
    ['is no JSON', '{"files":'],
    ['is empty', ''],
    // A host may write what it likes; it is not to fill the memory of the function that saves everybody's logs.
    [
      'is larger than a marker may be',
      `${' '.repeat(70_000)}{"instance":"i","phase":"pre-copy","at":"2026-03-05T03:13:40Z","files":1,"bytes":1,"partial":false,"sources":[]}`,
    ],
  ])('%s: it is not counted, and stops nothing', async (_, marker) => {
    const { measured, reasons } = await said(marker);

    expect(measured).toEqual([]);
    expect(reasons()).toEqual(['volume-attached']);
  });
});

describe('a storm', () => {
  it('of 200 volumes is rescued with one look for all, one snapshot and one task each, and few notifications', async () => {
    const rescue = rescuer(aws);
    const volumes = Array.from({ length: 200 }, (_, n) => aws.addVolume(n + 1));

    await rescue.deliver(tick);
    expect(aws.calls.filter(({ operation }) => operation === 'DescribeVolumes')).toHaveLength(2);
    expect(aws.made('CreateSnapshot')).toHaveLength(200);
    for (let look = 0; look < 6; look++) {
      rescue.world.inbox.length = 0;
      rescue.world.now += 6 * MINUTE;
      await rescue.deliver(tick);
    }

    expect(left()).toBe(0);
    expect(aws.lost).toEqual([]);
    expect(aws.made('RunTask')).toHaveLength(volumes.length);
    expect(rescue.world.told.length).toBeLessThanOrEqual(2);
  }, 60_000);

  it('takes five round trips of reading a look, however many they are', async () => {
    const rescue = rescuer(aws);
    for (let n = 1; n <= 20; n++) aws.addVolume(n);
    await rescue.deliver(tick);
    rescue.world.now += 6 * MINUTE;
    rescue.world.inbox.length = 0;

    const waves = await aws.gate.during(() => rescue.deliver(tick));

    expect(waves.length).toBeLessThanOrEqual(7);
  });
});
