import type { AwsReply, AwsRequest } from '../aws-endpoint.ts';
import { instanceId } from '../event-builders.ts';
import { ec2Answer, ec2Refusal } from './ec2.ts';
import { fromForm } from './elbv2.ts';
import { answerOf, refusal, serviceOf } from './router.ts';
import { startServer } from './server.ts';
import { AwsError, account, type Input, region, type Service } from './service.ts';
import { waveGate } from './waves.ts';

type Tags = Record<string, string>;
type Files = ReadonlyMap<string, string>;

interface FakeVolume {
  readonly id: string;
  readonly tags: Tags;
  readonly files: Map<string, string>;
  readonly createdAt: number;
  attachedTo: string | null;
  state: string | null;
}

interface FakeSnapshot {
  readonly id: string;
  readonly volume: string;
  readonly tags: Tags;
  readonly files: Files;
  readonly startedAt: number;
  readonly fate: 'completed' | 'error';
}

/** How a rescue task ends. Only `good` has copied every file and says so. */
export const TASK_FATES = [
  'good',
  'exit 1',
  'no marker',
  'files failed',
  'not started',
  'no exit code',
  'foreign marker',
  'nothing found',
  'killed',
  'unreadable marker',
] as const;
export type TaskFate = (typeof TASK_FATES)[number];

interface FakeTask {
  readonly arn: string;
  readonly input: RunInput;
  readonly fate: TaskFate;
  readonly at: number;
  ended: boolean;
}

interface RunInput {
  readonly clientToken: string;
  readonly startedBy: string;
  readonly group: string;
  readonly overrides: { containerOverrides: { environment: { name: string; value: string }[] }[] };
  readonly volumeConfigurations: { managedEBSVolume: { snapshotId: string } }[];
}

/** `crash`: the invocation ends before the call is served, or after; nothing it says arrives any more. */
export type RescueFault = AwsError | 'hang-up' | 'lost' | 'crash' | 'crash after';

const SNAPSHOT_TAKES = 90_000;
const TASK_TAKES = 90_000;
const STOPPED_TASKS_SHOWN = 3_600_000;

const bucketName = 'reflex-logs';

/** In an answer with HTTP 200, and again for the same token. */
const REFUSED = { tasks: [], failures: [{ reason: 'Capacity is unavailable at this time.' }] };

/** EC2's volumes and snapshots, ECS's tasks and S3's objects on loopback, for the real SDK; a task really copies. */
export const startRescueAws = async () => {
  let clock: () => number = () => 0;
  let volumes = new Map<string, FakeVolume>();
  let snapshots = new Map<string, FakeSnapshot>();
  let instances = new Map<string, string>();
  let tasks: FakeTask[] = [];
  let objects = new Map<string, string>();
  let tokens = new Map<string, FakeTask | null>();
  let calls: { operation: string; input: Input; ok: boolean }[] = [];
  let lost: string[] = [];
  let ids = 0;
  let dead = false;
  let faultOf: (operation: string, n: number) => RescueFault | undefined = () => undefined;
  let snapshotFate: () => FakeSnapshot['fate'] = () => 'completed';
  let taskFate: () => TaskFate = () => 'good';
  let placed: () => boolean = () => true;
  let served: (operation: string) => void = () => undefined;
  const gate = waveGate();

  const stateOf = ({ startedAt, fate }: FakeSnapshot) => (clock() - startedAt < SNAPSHOT_TAKES ? 'pending' : fate);
  /** Files whose content is nowhere in S3: they die with their last copy. */
  const unsaved = (volume: string, files: Files): string[] =>
    [...files].flatMap(([path, text]) =>
      [...objects].some(([key, saved]) => key.endsWith(`/${volume}/${path}`) && saved === text) ? [] : path,
    );

  const matches = (filters: readonly { Name: string; Value: string[] }[], id: string, tags: Tags): boolean =>
    filters.every(({ Name, Value }) => {
      if (Value.length > 200) throw new AwsError('FilterLimitExceeded', 'The maximum number of filter values is 200');
      if (Name === 'volume-id') return Value.includes(id);
      if (Name === 'tag-key') return Value.some((key) => tags[key] !== undefined);
      return Value.includes(tags[Name.replace(/^tag:/, '')] ?? '');
    });

  const ec2: Service['operations'] = {
    DescribeInstances: ({ Filter }: { Filter: { Value: string[] }[] }) => ({
      reservationSet: (Filter[0]?.Value ?? [])
        .filter((id) => instances.has(id))
        .map((id) => ({ instancesSet: [{ instanceId: id, instanceState: { code: 0, name: instances.get(id) } }] })),
    }),
    DescribeVolumes: ({ Filter }: { Filter: { Name: string; Value: string[] }[] }) => ({
      volumeSet: [...volumes.values()]
        .filter(({ id, tags }) => matches(Filter, id, tags))
        .map(({ id, tags, createdAt, attachedTo, state }) => ({
          volumeId: id,
          size: 20,
          createTime: new Date(createdAt).toISOString(),
          status: state ?? (attachedTo === null ? 'available' : 'in-use'),
          attachmentSet: attachedTo === null ? [] : [{ instanceId: attachedTo, device: '/dev/xvdf' }],
          tagSet: tagSet(tags),
        })),
    }),
    DescribeSnapshots: ({ Filter, Owner }: { Filter: { Name: string; Value: string[] }[]; Owner: string[] }) => ({
      snapshotSet: [...snapshots.values()]
        .filter(({ volume, tags }) => Owner[0] === 'self' && matches(Filter, volume, tags))
        .map((snapshot) => ({
          snapshotId: snapshot.id,
          volumeId: snapshot.volume,
          status: stateOf(snapshot),
          statusMessage: stateOf(snapshot) === 'error' ? 'Client error' : '',
          startTime: new Date(snapshot.startedAt).toISOString(),
          tagSet: tagSet(snapshot.tags),
        })),
    }),
    CreateTags: ({ ResourceId, Tag }: { ResourceId: string[]; Tag: { Key: string; Value: string }[] }) => {
      const found = ResourceId.map((id) => volumes.get(id) ?? snapshots.get(id));
      if (found.includes(undefined)) throw new AwsError('InvalidID', `One of '${ResourceId}' does not exist.`);
      for (const one of found) for (const { Key, Value } of Tag) if (one) one.tags[Key] = Value;
      return { return: true };
    },
    CreateSnapshot: (input: { VolumeId: string; TagSpecification: { Tag: { Key: string; Value: string }[] }[] }) => {
      const volume = volumes.get(input.VolumeId);
      if (volume === undefined) throw new AwsError('InvalidVolume.NotFound', 'The volume does not exist.');
      const id = `snap-${String(++ids).padStart(17, '0')}`;
      const tags = Object.fromEntries((input.TagSpecification[0]?.Tag ?? []).map(({ Key, Value }) => [Key, Value]));
      const files = new Map(volume.files);
      snapshots.set(id, { id, volume: volume.id, tags, files, startedAt: clock(), fate: snapshotFate() });
      return { snapshotId: id, status: 'pending' };
    },
    DeleteVolume: ({ VolumeId }: { VolumeId: string }) => {
      const volume = volumes.get(VolumeId);
      if (volume === undefined)
        throw new AwsError('InvalidVolume.NotFound', `The volume '${VolumeId}' does not exist.`);
      if (volume.attachedTo !== null) throw new AwsError('VolumeInUse', `Volume ${VolumeId} is attached.`);
      if (volume.tags['reflex:rescue'] !== 'done') throw new AwsError('UnauthorizedOperation', 'Not done.', 403);
      lost.push(...unsaved(VolumeId, volume.files).map((path) => `${VolumeId}: ${path}`));
      volumes.delete(VolumeId);
      return { return: true };
    },
    DeleteSnapshot: ({ SnapshotId }: { SnapshotId: string }) => {
      const snapshot = snapshots.get(SnapshotId);
      if (snapshot === undefined) throw new AwsError('InvalidSnapshot.NotFound', 'The snapshot does not exist.');
      if (snapshot.tags['reflex:rescue'] !== 'done') throw new AwsError('UnauthorizedOperation', 'Not done.', 403);
      if (!volumes.has(snapshot.volume)) {
        lost.push(...unsaved(snapshot.volume, snapshot.files).map((path) => `${SnapshotId}: ${path}`));
      }
      snapshots.delete(SnapshotId);
      return { return: true };
    },
  };

  const end = (task: FakeTask): void => {
    if (task.ended || clock() - task.at < TASK_TAKES) return;
    task.ended = true;
    const env = new Map(
      task.input.overrides.containerOverrides[0]?.environment.map(({ name, value }) => [name, value]) ?? [],
    );
    const keyOf = (name: string) => env.get(name)?.slice('s3://'.length) ?? '';
    const snapshot = env.get('RESCUE_SNAPSHOT') ?? '';
    const files = [...(snapshots.get(snapshot)?.files ?? [])];
    const some = ['not started', 'no exit code', 'nothing found'].includes(task.fate)
      ? []
      : task.fate === 'good'
        ? files
        : files.slice(1);
    for (const [path, text] of some) objects.set(`${keyOf('RESCUE_DESTINATION')}/${path}`, text);
    if (['no marker', 'not started', 'no exit code', 'killed'].includes(task.fate)) return;
    const marker = {
      volumeId: env.get('RESCUE_VOLUME'),
      snapshotId: task.fate === 'foreign marker' ? 'snap-0other' : snapshot,
      at: new Date(clock()).toISOString(),
      files: some.length,
      bytes: some.reduce((sum, [, text]) => sum + text.length, 0),
      filesFailed: task.fate === 'files failed' ? 1 : 0,
      filesSkipped: 0,
    };
    objects.set(keyOf('RESCUE_MARKER'), task.fate === 'unreadable marker' ? '{"files":' : JSON.stringify(marker));
  };

  const shown = (task: FakeTask) => clock() - task.at < TASK_TAKES + STOPPED_TASKS_SHOWN;

  const ecs: Service['operations'] = {
    RunTask: (input: RunInput) => {
      if (!/^[\x21-\x7e]{1,64}$/.test(input.clientToken)) throw new AwsError('InvalidParameterException', 'token');
      const known = tokens.get(input.clientToken);
      if (known === null) return REFUSED;
      if (known !== undefined) return { tasks: [{ taskArn: known.arn }], failures: [] };
      const { snapshotId } = input.volumeConfigurations[0]?.managedEBSVolume ?? { snapshotId: '' };
      const snapshot = snapshots.get(snapshotId);
      if (snapshot === undefined || stateOf(snapshot) !== 'completed') {
        throw new AwsError('InvalidParameterException', `Snapshot ${snapshotId} is not complete`);
      }
      if (!placed()) {
        tokens.set(input.clientToken, null);
        return REFUSED;
      }
      const arn = `arn:aws:ecs:${region}:${account}:task/reflex/${String(++ids).padStart(32, '0')}`;
      const task = { arn, input, fate: taskFate(), at: clock(), ended: false };
      tasks.push(task);
      tokens.set(input.clientToken, task);
      return { tasks: [{ taskArn: arn }], failures: [] };
    },
    ListTasks: ({ family, desiredStatus }: { family: string; desiredStatus: string }) => {
      for (const task of tasks) end(task);
      const listed = tasks.filter((task) => shown(task) && task.ended === (desiredStatus === 'STOPPED'));
      return { taskArns: family === 'reflex-rescue' ? listed.map(({ arn }) => arn) : [] };
    },
    DescribeTasks: (input: { tasks: string[] }) => {
      for (const task of tasks) end(task);
      return {
        tasks: tasks
          .filter((task) => shown(task) && input.tasks.includes(task.arn))
          .map(({ arn, input, fate, at, ended }) => ({
            taskArn: arn,
            startedBy: input.startedBy,
            group: input.group,
            createdAt: at / 1_000,
            lastStatus: ended ? 'STOPPED' : 'RUNNING',
            ...(ended && {
              stopCode:
                fate === 'not started'
                  ? 'TaskFailedToStart'
                  : fate === 'killed'
                    ? 'UserInitiated'
                    : 'EssentialContainerExited',
              stoppedReason: fate,
            }),
            containers: [
              {
                name: 'ship',
                ...(ended && !/not started|no exit/.test(fate) && { exitCode: fate === 'exit 1' ? 1 : 0 }),
              },
            ],
          })),
        failures: [],
      };
    },
  };
  const ecsService: Service = { name: 'ecs', operations: ecs };

  const route = (request: AwsRequest): { name: string; operation: string; input: Input } => {
    const name = serviceOf(request);
    if (name === 's3') {
      const key = decodeURIComponent(request.path.split('?')[0] ?? '').slice(1);
      return { name, operation: 'GetObject', input: { key, range: request.headers.range } };
    }
    if (name !== 'ec2') return { name, operation: request.operation, input: request.input };
    const { Action, ...input } = fromForm(request.body);
    return { name, operation: String(Action), input };
  };

  const answer = (name: string, operation: string, input: Input): AwsReply => {
    if (name === 'ecs') return answerOf(ecsService, operation, input);
    if (name === 's3') {
      const text = objects.get(String(input.key));
      return text === undefined
        ? {
            status: 404,
            body: '<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>',
          }
        : rangeOf(text, String(input.range));
    }
    try {
      const run = ec2[operation];
      if (run === undefined) throw new AwsError('InvalidAction', `the fake has no ${operation}`);
      return ec2Answer(operation, run(input));
    } catch (error) {
      if (error instanceof AwsError) return ec2Refusal(error);
      throw error;
    }
  };

  const serve = async (request: AwsRequest): Promise<AwsReply> => {
    if (dead) return { hangUp: true };
    const { name, operation, input } = route(request);
    await gate.enter(operation);
    try {
      const fault = faultOf(operation, calls.length + 1);
      const note = (ok: boolean) => calls.push({ operation, input, ok });
      if (fault === 'crash') dead = true;
      if (fault === 'crash' || fault === 'hang-up') {
        note(false);
        return { hangUp: true };
      }
      if (fault instanceof AwsError) {
        note(false);
        if (name === 's3') return { status: fault.status, body: `<Error><Code>${fault.code}</Code></Error>` };
        return name === 'ec2' ? ec2Refusal(fault) : refusal(ecsService, fault);
      }
      const reply = answer(name, operation, input);
      note((reply.status ?? 200) < 400);
      served(operation);
      if (fault === 'crash after') dead = true;
      return fault === undefined ? reply : { hangUp: true };
    } finally {
      gate.left();
    }
  };

  const { url, close } = await startServer(serve);
  return {
    url,
    close,
    gate,
    reset: (now: () => number): void => {
      clock = now;
      volumes = new Map();
      snapshots = new Map();
      instances = new Map();
      tasks = [];
      objects = new Map();
      tokens = new Map();
      calls = [];
      lost = [];
      ids = 0;
      dead = false;
      faultOf = () => undefined;
      snapshotFate = () => 'completed';
      taskFate = () => 'good';
      placed = () => true;
      served = () => undefined;
    },
    /** What goes wrong with the n-th call (from 1, of all operations). */
    faults: (of: typeof faultOf): void => {
      faultOf = of;
    },
    /** Fates of the snapshots and tasks to come; `place`: whether ECS has capacity for a task that is asked for. */
    fates: ({
      snapshot,
      task,
      place,
    }: {
      snapshot?: typeof snapshotFate;
      task?: typeof taskFate;
      place?: typeof placed;
    }): void => {
      if (place !== undefined) placed = place;
      if (snapshot !== undefined) snapshotFate = snapshot;
      if (task !== undefined) taskFate = task;
    },
    /** Called when a call has been served. */
    onServed: (listener: typeof served): void => {
      served = listener;
    },
    /** The next invocation's calls are served again. */
    revive: (): void => {
      dead = false;
    },
    get dead() {
      return dead;
    },
    get volumes() {
      return volumes;
    },
    get snapshots() {
      return snapshots;
    },
    get instances() {
      return instances;
    },
    get tasks() {
      return tasks;
    },
    get objects() {
      return objects;
    },
    get calls() {
      return calls;
    },
    /** Files that were deleted with their last copy. */
    get lost() {
      return lost;
    },
    made: (operation: string): Input[] =>
      calls.filter((call) => call.ok && call.operation === operation).map(({ input }) => input),
    /** A volume kept from a terminated instance, with two files on it, unless said otherwise. */
    addVolume: (
      n = 1,
      tags: Tags = {},
      options: { attachedTo?: string; instance?: string | null; createdAt?: number } = {},
    ) => {
      const instance = instanceId(n);
      const id = `vol-${n.toString(16).padStart(17, '0')}`;
      const { instance: state = 'terminated' } = options;
      if (state !== null) instances.set(instance, state);
      volumes.set(id, {
        id,
        files: new Map([
          ['app/orders.log', `orders of ${n}`],
          ['syslog', `system of ${n}`],
        ]),
        createdAt: options.createdAt ?? clock() - 86_400_000,
        attachedTo: options.attachedTo ?? null,
        state: null,
        tags: {
          'reflex:enabled': 'true',
          'reflex:rescue': 'pending',
          'reflex:instance': instance,
          'reflex:device': '/dev/xvdf',
          'reflex:root': 'false',
          'reflex:filesystem': 'ext4',
          'reflex:prefix': 'spot-logs',
          'reflex:since': new Date(clock() - 120_000).toISOString(),
          'reflex:attempts': '0',
          ...tags,
        },
      });
      return { id, instance, arn: `arn:aws:ec2:${region}:${account}:volume/${id}` };
    },
    put: (key: string, content: object): void => void objects.set(`${bucketName}/${key}`, JSON.stringify(content)),
  };
};

/** Of an empty object there is no range. */
const rangeOf = (text: string, range: string): AwsReply => {
  const [, last] = /^bytes=0-(\d+)$/.exec(range) ?? [];
  if (last === undefined) return { body: text };
  if (text === '') return { status: 416, body: '<Error><Code>InvalidRange</Code></Error>' };
  return { status: 206, body: text.slice(0, Number(last) + 1) };
};

export type RescueAws = Awaited<ReturnType<typeof startRescueAws>>;

const tagSet = (tags: Tags) => Object.entries(tags).map(([key, value]) => ({ key, value }));
