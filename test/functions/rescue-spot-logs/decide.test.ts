import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ATTEMPTS, BACKOFF, decide } from '../../../functions/rescue-spot-logs/decide.ts';
import {
  type RescueTask,
  type Snapshot,
  taskGroup,
  type VolumeSituation,
} from '../../../functions/rescue-spot-logs/facts.ts';
import { stackPolicy, volumePolicy } from '../../../functions/rescue-spot-logs/policy.ts';
import type { Decision } from '../../../shared/decision.ts';
import { SettingError } from '../../../shared/settings.ts';
import { RESCUE_STATES, type RescueState, type WorkItem } from '../../../shared/spot-logs.ts';
import { at } from '../../support/event-builders.ts';
import { rescuerEnv } from '../../support/rescue-spot-logs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const VOLUME = 'vol-00000000000000001';
const INSTANCE = 'i-0b662ef9931388ba0';
const policy = stackPolicy(rescuerEnv);

const itemOf = (rest: Partial<WorkItem> = {}): WorkItem => ({
  rescue: 'pending',
  instance: INSTANCE,
  device: '/dev/xvdf',
  root: false,
  filesystem: 'ext4',
  prefix: 'spot-logs',
  since: at,
  attempts: 0,
  ...rest,
});

const snapshot = (rest: Partial<Snapshot> = {}): Snapshot => ({
  id: 'snap-1',
  state: 'completed',
  startedAt: at,
  message: '',
  counted: false,
  ...rest,
});

const task = (rest: Partial<RescueTask> = {}): RescueTask => ({
  arn: 'arn:aws:ecs:eu-west-1:111122223333:task/reflex/1',
  group: taskGroup('snap-1', 0),
  createdAt: at + MINUTE,
  lastStatus: 'STOPPED',
  stopCode: 'EssentialContainerExited',
  stoppedReason: 'Essential container in task exited',
  exitCodes: [0],
  ...rest,
});

const marker = {
  volumeId: VOLUME,
  snapshotId: 'snap-1',
  at: at + 2 * MINUTE,
  files: 2,
  bytes: 20,
  filesFailed: 0,
  filesSkipped: 1,
};

const situation = (rest: Partial<VolumeSituation> = {}, remembered = {}): VolumeSituation => ({
  asOf: at,
  tags: { 'reflex:enabled': 'true' },
  arn: `arn:aws:ec2:eu-west-1:111122223333:volume/${VOLUME}`,
  volumeId: VOLUME,
  item: itemOf(),
  volume: { state: 'available', createdAt: at - DAY, attachedTo: [] },
  instance: 'terminated',
  snapshots: [],
  tasks: null,
  marker: null,
  shipped: null,
  trigger: 'tick',
  ledger: { attempts: {}, lastActAt: null, incident: null, remembered },
  ...rest,
});

const shipping = (rest: Partial<VolumeSituation> = {}, remembered = {}) =>
  situation(
    { item: itemOf({ rescue: 'shipping' }), snapshots: [snapshot()], tasks: [task()], marker, ...rest },
    remembered,
  );

const now = at + 5 * MINUTE;
const decided = (s: VolumeSituation, when = now) => decide(s, policy, when);
const callsOf = (s: VolumeSituation, when = now) => {
  const decision = decided(s, when);
  return decision.kind === 'act' ? decision.calls.map(({ call }) => call) : [];
};
const tagsSet = (s: VolumeSituation) => {
  const decision = decided(s);
  const calls = decision.kind === 'act' ? decision.calls : [];
  const [tags] = calls.flatMap((call) => (call.call === 'CreateTags' ? [call.params] : []));
  return { on: tags?.Resources, to: tags?.Tags.map(({ Value }) => Value) };
};

describe('the proof', () => {
  it('holds when all of it is there', () => {
    expect(decided(shipping())).toMatchObject({ kind: 'act', reason: 'logs-proven' });
    expect(tagsSet(shipping())).toEqual({ on: [VOLUME, 'snap-1'], to: ['proven', '0'] });
  });

  it.each<[string, Partial<VolumeSituation>]>([
    ['the task was stopped by somebody', { tasks: [task({ stopCode: 'UserInitiated' })] }],
    ['the task never started', { tasks: [task({ stopCode: 'TaskFailedToStart', exitCodes: [null] })] }],
    ['the stop code is not said', { tasks: [task({ stopCode: null })] }],
    ['the container failed', { tasks: [task({ exitCodes: [75] })] }],
    ['one of two containers failed', { tasks: [task({ exitCodes: [0, 1] })] }],
    ['the exit code is missing', { tasks: [task({ exitCodes: [null] })] }],
    ['there was no container', { tasks: [task({ exitCodes: [] })] }],
    ['there is no marker', { marker: null }],
    ['the marker is of another volume', { marker: { ...marker, volumeId: 'vol-2' } }],
    ['the marker is of another snapshot', { marker: { ...marker, snapshotId: 'snap-2' } }],
    ['a file failed', { marker: { ...marker, filesFailed: 1 } }],
    ['no file was found', { marker: { ...marker, files: 0 } }],
    ['the marker is older than the task', { marker: { ...marker, at } }],
  ])('does not hold where %s', (_, rest) => {
    expect(decided(shipping(rest))).toMatchObject({ kind: 'act', reason: 'rescue-retry', followUpMs: BACKOFF[0] });
    expect(tagsSet(shipping(rest)).to).toEqual(['shipping', '1']);
  });

  it('waits for the task, however long it takes', () => {
    const running = shipping({ tasks: [task({ lastStatus: 'RUNNING', stopCode: null, exitCodes: [null] })] });

    expect(decided(running)).toMatchObject({ kind: 'defer', reason: 'shipping-logs' });
    expect(decided(running, at + 30 * DAY)).toMatchObject({ kind: 'defer', reason: 'shipping-logs' });
  });

  it('is looked at again before anything is deleted', () => {
    const proven = situation({ item: itemOf({ rescue: 'proven' }), snapshots: [snapshot()], marker });

    expect(callsOf(proven)).toEqual(['CreateTags', 'DeleteVolume', 'DeleteSnapshot']);
    expect(decided({ ...proven, marker: null })).toMatchObject({ kind: 'escalate', reason: 'proof-lost' });
    expect(decided({ ...proven, snapshots: [] })).toMatchObject({ kind: 'escalate', reason: 'proof-lost' });
  });

  it('deletes every snapshot of the volume, the broken ones too, and the volume before them', () => {
    const broken = snapshot({ id: 'snap-0', state: 'error', counted: true });
    const proven = situation({ item: itemOf({ rescue: 'done' }), snapshots: [broken, snapshot()], marker });

    expect(callsOf(proven)).toEqual(['CreateTags', 'DeleteVolume', 'DeleteSnapshot', 'DeleteSnapshot']);
    expect(tagsSet(proven).on).toEqual([VOLUME, 'snap-0', 'snap-1']);
    expect(callsOf({ ...proven, volume: null })).toEqual(['CreateTags', 'DeleteSnapshot', 'DeleteSnapshot']);
  });
});

describe('what is not touched', () => {
  it.each<[string, Partial<VolumeSituation>, object]>([
    [
      'is attached to its living instance',
      { volume: { state: 'in-use', createdAt: at - DAY, attachedTo: [INSTANCE] }, instance: 'running' },
      { kind: 'skip', reason: 'volume-attached' },
    ],
    ['was detached from an instance that lives', { instance: 'running' }, { kind: 'skip', reason: 'instance-lives' }],
    ['was detached from a stopped instance', { instance: 'stopped' }, { kind: 'skip', reason: 'instance-lives' }],
    [
      'is not let go of yet',
      { volume: { state: 'in-use', createdAt: at - DAY, attachedTo: [INSTANCE] } },
      { kind: 'defer', reason: 'volume-detaching' },
    ],
    [
      'belongs to an instance that still writes',
      { instance: 'shutting-down' },
      { kind: 'defer', reason: 'volume-detaching' },
    ],
    [
      'is in an error of its own',
      { volume: { state: 'error', createdAt: at - DAY, attachedTo: [] } },
      { kind: 'escalate', reason: 'unexpected-state' },
    ],
  ])('a volume that %s', (_, rest, expected) => {
    expect(decided(situation(rest))).toMatchObject(expected);
    expect(
      callsOf(situation({ ...rest, item: itemOf({ rescue: 'proven' }), marker, snapshots: [snapshot()] })),
    ).toEqual([]);
  });

  it('a volume that somebody attached to another instance is taken off the rescue', () => {
    const reused = situation({
      volume: { state: 'in-use', createdAt: at - DAY, attachedTo: ['i-00000000000000002'] },
      item: itemOf({ rescue: 'proven' }),
    });

    expect(decided(reused)).toMatchObject({ kind: 'act', reason: 'volume-reused' });
    // Older snapshots are of another keeping from now on.
    expect(tagsSet(reused)).toEqual({ on: [VOLUME], to: ['failed', '0', new Date(now).toISOString()] });
    expect(decided({ ...reused, item: itemOf({ rescue: 'failed' }) }).kind).toBe('skip');
  });
});

describe('the next step', () => {
  it.each(['armed', 'pending', null] as const)('of an available volume in state %s is a snapshot', (rescue) => {
    expect(callsOf(situation({ item: itemOf({ rescue }) }))).toEqual(['CreateTags', 'CreateSnapshot']);
  });

  it('takes no second snapshot while one is pending', () => {
    expect(decided(situation({ snapshots: [snapshot({ state: 'pending' })] }))).toMatchObject({
      reason: 'snapshot-pending',
    });
  });

  it('counts a failed snapshot once, and takes another after a pause', () => {
    const broken = situation({ snapshots: [snapshot({ state: 'error', message: 'Client error' })] });
    expect(decided(broken)).toMatchObject({ reason: 'rescue-retry', why: expect.stringContaining('Client error') });

    const counted = situation(
      { snapshots: [snapshot({ state: 'error', counted: true })], item: itemOf({ attempts: 1 }) },
      { retryAt: now + MINUTE },
    );
    expect(decided(counted)).toMatchObject({ kind: 'defer', reason: 'rescue-backoff', until: now + MINUTE });
    expect(decided(counted, now + MINUTE)).toMatchObject({ kind: 'act', reason: 'take-snapshot' });
  });

  it('runs every field of the task that ECS needs, with what the host says of its filesystem', () => {
    const shipped = {
      instance: INSTANCE,
      phase: 'interruption' as const,
      at,
      files: 1,
      bytes: 1,
      partial: false,
      sources: [{ path: '/var/log', volume: VOLUME, filesystem: 'xfs' }],
    };
    const decision = decided(shipping({ tasks: [], marker: null, shipped }));
    const [, run] = decision.kind === 'act' ? decision.calls : [];

    expect(decision).toMatchObject({ reason: 'ship-snapshot', planned: true });
    expect(run).toEqual({
      call: 'RunTask',
      params: {
        cluster: rescuerEnv.RESCUE_CLUSTER,
        taskDefinition: rescuerEnv.RESCUE_TASK_DEFINITION,
        launchType: 'FARGATE',
        platformVersion: 'LATEST',
        count: 1,
        clientToken: 'snap-1:0:3:0',
        startedBy: `rescue/${VOLUME}`,
        group: 'rescue:snap-1:0',
        propagateTags: 'TASK_DEFINITION',
        enableECSManagedTags: true,
        networkConfiguration: {
          awsvpcConfiguration: {
            subnets: ['subnet-0a1', 'subnet-0b2'],
            securityGroups: ['sg-0c3'],
            assignPublicIp: 'DISABLED',
          },
        },
        overrides: {
          containerOverrides: [
            {
              name: 'ship',
              environment: [
                { name: 'RESCUE_SOURCE', value: '/mnt/logs' },
                { name: 'RESCUE_DESTINATION', value: `s3://reflex-logs/spot-logs/${INSTANCE}/${VOLUME}` },
                { name: 'RESCUE_MARKER', value: `s3://reflex-logs/spot-logs/_RESCUED/${VOLUME}.json` },
                { name: 'RESCUE_VOLUME', value: VOLUME },
                { name: 'RESCUE_SNAPSHOT', value: 'snap-1' },
              ],
            },
          ],
        },
        volumeConfigurations: [
          {
            name: 'logs',
            managedEBSVolume: {
              roleArn: rescuerEnv.RESCUE_INFRASTRUCTURE_ROLE,
              snapshotId: 'snap-1',
              filesystemType: 'xfs',
              volumeType: 'gp3',
              encrypted: true,
              terminationPolicy: { deleteOnTermination: true },
              tagSpecifications: [
                {
                  resourceType: 'volume',
                  tags: [{ key: 'Name', value: `reflex rescue of ${VOLUME}` }],
                  propagateTags: 'NONE',
                },
              ],
            },
          },
        ],
      },
    });
  });

  it('keeps the client token within an attempt, and changes it for the next', () => {
    const token = (attempts: number) => {
      const s = shipping({ tasks: [], marker: null, item: itemOf({ rescue: 'shipping', attempts }) });
      const decision = decided(s);
      const calls = decision.kind === 'act' ? decision.calls : [];
      return calls.flatMap((call) => (call.call === 'RunTask' ? call.params.clientToken : []))[0];
    };

    expect(token(0)).toBe(token(0));
    expect(token(0)).not.toBe(token(1));
  });

  it('does not ask twice for a task that is not listed yet, and gives one up that ended unseen', () => {
    const asked = (at: number) => shipping({ tasks: [] }, { run: { group: taskGroup('snap-1', 0), at } });

    expect(decided(asked(now - MINUTE))).toMatchObject({ kind: 'defer', reason: 'shipping-logs' });
    expect(decided(asked(now - 10 * MINUTE))).toMatchObject({ kind: 'act', reason: 'ship-snapshot' });
    expect(decided(asked(now - 2 * HOUR))).toMatchObject({ kind: 'act', reason: 'rescue-retry' });
  });

  it('gives up after five attempts, within two days, and keeps the volume', () => {
    const last = shipping({
      marker: null,
      item: itemOf({ rescue: 'shipping', attempts: 4 }),
      tasks: [task({ group: taskGroup('snap-1', 4) })],
    });

    expect(decided(last)).toMatchObject({ kind: 'act', reason: 'rescue-failed' });
    expect(tagsSet(last).to).toEqual(['failed', '5']);
    expect(callsOf(last)).toEqual(['CreateTags']);
    expect(BACKOFF).toHaveLength(ATTEMPTS - 1);
    expect(BACKOFF.reduce((sum, pause) => sum + pause, 0)).toBeLessThan(2 * DAY);
  });

  it('goes on from the snapshot where somebody deleted the volume', () => {
    const gone = shipping({ volume: null, tasks: [], marker: null });

    expect(callsOf(gone)).toEqual(['CreateTags', 'RunTask']);
    expect(tagsSet(gone).on).toEqual(['snap-1']);
  });
});

describe('what a person is told', () => {
  const adviceOf = (decision: Decision): string => (decision.kind === 'escalate' && decision.advice) || '';
  const failed = (remembered = {}) => situation({ item: itemOf({ rescue: 'failed', attempts: 5 }) }, remembered);

  it('once, and every day after KeepLogVolumesDays, and nothing is deleted', () => {
    const toldAt = at + MINUTE;

    expect(decided(failed())).toMatchObject({ kind: 'escalate', reason: 'rescue-failed', remember: { toldAt: now } });
    expect(decided(failed({ toldAt }), at + 6 * DAY)).toMatchObject({ kind: 'skip', reason: 'kept-unproven' });
    expect(decided(failed({ toldAt }), at + 7 * DAY)).toMatchObject({
      kind: 'escalate',
      why: expect.stringContaining('7 days'),
    });
    expect(decided(failed({ toldAt: at + 7 * DAY }), at + 7 * DAY + HOUR)).toMatchObject({ kind: 'skip' });
  });

  it.each<[string, Partial<VolumeSituation>]>([
    ['a root volume', { item: itemOf({ root: true }) }],
    [
      'a filesystem that ECS does not mount',
      {
        shipped: {
          instance: INSTANCE,
          phase: 'interruption',
          at,
          files: 1,
          bytes: 1,
          partial: false,
          sources: [{ path: '/var/log', volume: VOLUME, filesystem: 'btrfs' }],
        },
      },
    ],
  ])('of %s: why not, and the runbook', (_, rest) => {
    const decision = decided(situation(rest));

    expect(decision).toMatchObject({ kind: 'escalate', reason: 'not-mountable' });
    expect(adviceOf(decision)).toMatch(new RegExp(`^By hand, .*attach-volume --volume-id ${VOLUME} `));
  });

  it('of one that was given up: as what it was mounted, for that may be the reason', () => {
    expect(adviceOf(decided(failed()))).toMatch(
      /^One more attempt, as ext4 \(tag reflex:filesystem\): .*Value=pending && npm run ops -- release /,
    );
  });

  it('of a snapshot whose volume is gone: what makes a volume of it', () => {
    const former = situation({ volume: null, snapshots: [snapshot()], marker: { ...marker, snapshotId: 'snap-9' } });

    expect(decided(former)).toMatchObject({ kind: 'escalate', reason: 'former-snapshot' });
    expect(adviceOf(decided(former))).toContain('create-volume --snapshot-id snap-1 ');
  });

  it('of several snapshots whose volume is gone: a command that reaches the work item, whichever is read', () => {
    const snapshots = [snapshot({ id: 'snap-1', state: 'error' }), snapshot({ id: 'snap-2' })];
    const of = (rescue: RescueState) =>
      adviceOf(decided(situation({ volume: null, snapshots, item: itemOf({ rescue, attempts: 5 }) })));

    expect(of('failed')).toContain('create-tags --resources snap-1 snap-2 --tags Key=reflex:rescue,Value=pending');
    expect(of('failed')).toContain('create-volume --snapshot-id snap-2 ');
    expect(of('failed')).toContain('delete the volume yourself, and snap-1 snap-2.');
    expect(of('proven')).toContain('create-tags --resources snap-1 snap-2 --tags');
  });

  it('of a volume that is gone and has no whole snapshot: what to take away, and no command that cannot work', () => {
    const broken = snapshot({ id: 'snap-0', state: 'error' });
    const lost = situation({ volume: null, snapshots: [broken], item: itemOf({ rescue: 'failed', attempts: 5 }) });

    expect(decided(lost)).toMatchObject({
      kind: 'escalate',
      reason: 'rescue-failed',
      why: expect.stringContaining('its snapshots are kept'),
    });
    expect(adviceOf(decided(lost))).toBe(
      'The volume is gone and no snapshot of it is whole: what is not in the bucket is lost. To take away what is left: aws ec2 delete-snapshot --snapshot-id snap-0',
    );
  });

  it('that no subnet is set', () => {
    expect(decide(situation(), { ...policy, subnets: null }, now)).toMatchObject({
      reason: 'rescue-not-configured',
      why: expect.stringContaining('RescueSubnetIds'),
    });
  });
});

describe('whatever the facts are', () => {
  it('a volume is deleted only with a marker of one of its snapshots, no failed file, and nothing attached', () => {
    const facts = fc.record({
      rescue: fc.constantFrom<RescueState | null>(...RESCUE_STATES, null),
      attempts: fc.nat(6),
      root: fc.boolean(),
      volume: fc.option(
        fc.record({
          state: fc.constantFrom('available', 'in-use', 'error'),
          createdAt: fc.constantFrom(at - DAY, at, at + 1),
          attachedTo: fc.subarray([INSTANCE, 'i-2']),
        }),
      ),
      instance: fc.constantFrom('running', 'stopped', 'shutting-down', 'terminated', null),
      snapshots: fc.subarray([
        snapshot(),
        snapshot({ id: 'snap-2', state: 'pending' }),
        snapshot({ id: 'snap-3', state: 'error' }),
      ]),
      exitCodes: fc.array(fc.constantFrom(0, 1, null), { maxLength: 2 }),
      marker: fc.option(
        fc.record({
          volumeId: fc.constantFrom(VOLUME, 'vol-2'),
          snapshotId: fc.constantFrom('snap-1', 'snap-2', 'snap-9'),
          at: fc.constant(at + 2 * MINUTE),
          files: fc.nat(2),
          bytes: fc.nat(9),
          filesFailed: fc.nat(1),
          filesSkipped: fc.nat(1),
        }),
      ),
      days: fc.nat(400),
    });
    fc.assert(
      fc.property(facts, ({ rescue, attempts, root, exitCodes, days, ...rest }) => {
        const s = situation({
          ...rest,
          item: itemOf({ rescue, attempts, root }),
          tasks: [task({ group: taskGroup('snap-1', attempts), exitCodes })],
        });
        const calls = callsOf(s, at + days * DAY);
        if (!calls.some((call) => call.startsWith('Delete'))) return;
        expect(['proven', 'done']).toContain(rescue);
        expect(rest.volume?.attachedTo ?? []).toEqual([]);
        expect(rest.volume?.state ?? 'available').toBe('available');
        expect(rest.volume?.createdAt ?? at).toBeLessThanOrEqual(at);
        expect(rest.marker).toMatchObject({ volumeId: VOLUME, filesFailed: 0 });
        expect(rest.marker?.files).toBeGreaterThan(0);
        expect(rest.snapshots.map(({ id }) => id)).toContain(rest.marker?.snapshotId);
        expect(calls.lastIndexOf('DeleteVolume')).toBeLessThan(calls.indexOf('DeleteSnapshot'));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('settings', () => {
  it('are read strictly, from the stack and from the volume', () => {
    expect(volumePolicy(policy, { 'reflex:keep-log-volumes-days': '30' }).keepLogVolumesDays).toBe(30);
    expect(() => volumePolicy(policy, { 'reflex:keep-log-volumes-days': 'long' })).toThrow(SettingError);
    expect(() => volumePolicy(policy, { 'reflex:unheard-of': '1' })).toThrow('unknown');
    expect(() => volumePolicy(policy, { 'reflex:rescue': 'pending', 'reflex:log-devices': 'all' })).not.toThrow();
    expect(() => stackPolicy({ ...rescuerEnv, RESCUE_CLUSTER: 'reflex' })).toThrow('RESCUE_CLUSTER');
    expect(stackPolicy({ ...rescuerEnv, RESCUE_SUBNET_IDS: 'none' }).subnets).toBeNull();
  });
});
