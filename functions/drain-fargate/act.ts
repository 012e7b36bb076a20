import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../shared/aws/client.ts';
import { describeTasks, tasksPerCall } from '../../shared/aws/ecs.ts';
import { deregisterTargets, registrationsAtPace, targetsPerCall } from '../../shared/aws/elbv2.ts';
import { chunksOf } from '../../shared/aws/pages.ts';
import { deregisterInstance } from '../../shared/aws/servicediscovery.ts';
import { type Act, defer, escalate, skip } from '../../shared/decision.ts';
import { clusterArnOf, taskIdOf } from '../../shared/ecs-task.ts';
import type { Acted, Approved } from '../../shared/function.ts';
import type { Stop } from '../../shared/guards/guard.ts';
import { type Patience, paced, patiently } from '../../shared/patience.ts';
import { said } from '../../shared/words.ts';
import { type DrainCall, TOO_LATE } from './decide.ts';
import { GONE, type Memory } from './facts.ts';

const SECOND = 1_000;
/** A throttled call is repeated until this long after the notice; by then SIGTERM has long come. */
const RETRY_UNTIL = 60 * SECOND;
/** What AWS did not take by then is looked at again after this long. */
const AGAIN = 10 * SECOND;
/** Calls that come this long after the act began, or ECS was asked last, have it asked again: a task may be gone, and its address another's. */
const LOOKS_AGAIN_AFTER = 15 * SECOND;
/** AWS documents no rate for DeregisterInstance. */
const INSTANCES_AT_ONCE = 8;

type TargetsCall = Extract<DrainCall, { call: 'DeregisterTargets' }>;
type InstanceCall = Extract<DrainCall, { call: 'DeregisterInstance' }>;

/** One task's call, and until when it makes sense. */
interface Errand<C extends DrainCall = DrainCall> {
  readonly task: string;
  readonly call: C;
  readonly since: number;
}

/** Asks which of an act's tasks are gone by now. */
type GoneNow = () => Promise<ReadonlySet<string>>;

/** How a call ended; `late`: it was not made, because its time was over; `gone`: because its task was. */
type Ending = 'done' | 'late' | 'gone' | { readonly error: unknown };

/**
 * Deregisters all tasks of a batch together: one DeregisterTargets a target group, Cloud Map instances beside them. Each
 * group fails alone. A group that loses every target comes last: where others serve, it helps at once. Of the others, the one that
 * takes most tasks out comes first.
 */
export const act = (patience: Patience) => {
  const pace = paced(registrationsAtPace, patience);
  return async (approved: readonly Approved<DrainCall>[]): Promise<ReadonlyMap<string, Acted>> => {
    const goneNow = lookingAgain(approved.map(({ resource }) => resource));
    const errands = approved.flatMap(({ resource: task, act }) =>
      act.calls.map((call): Errand => ({ task, call, since: sinceOf(act) })),
    );
    const endings = new Map<DrainCall, Ending>();
    const emptied = new Set(approved.flatMap(({ act }) => memoryOf(act).emptied ?? []));
    const groups = [...Map.groupBy(errands.filter(isForTargets), ({ call }) => call.params.TargetGroupArn)].sort(
      ([a, some], [b, others]) => Number(emptied.has(a)) - Number(emptied.has(b)) || others.length - some.length,
    );
    await Promise.all([
      ...groups.flatMap(([, all]) => chunksOf(all, targetsPerCall).map((some) => fromGroup(some, endings, goneNow))),
      fromRegistries(errands.filter(isForInstance), endings, goneNow),
    ]);
    return new Map(approved.map(({ resource, act }) => [resource, actedOf(act, endings, patience.clock())]));
  };

  async function fromGroup(
    errands: readonly Errand<TargetsCall>[],
    endings: Map<DrainCall, Ending>,
    goneNow: GoneNow,
  ): Promise<void> {
    for (const { call } of errands) endings.set(call, 'late');
    let timely = errands;
    const ending = await endingOf(Math.max(...errands.map(({ since }) => since)), async () => {
      await pace();
      timely = await timelyOf(errands, endings, goneNow);
      const [first] = timely;
      if (first === undefined) return;
      await deregisterTargets({
        TargetGroupArn: first.call.params.TargetGroupArn,
        Targets: timely.flatMap(({ call }) => call.params.Targets),
      });
    });
    // One target that AWS does not accept fails the call for all.
    if (isRefusedTarget(ending) && timely.length > 1) {
      const half = Math.ceil(timely.length / 2);
      await Promise.all([timely.slice(0, half), timely.slice(half)].map((part) => fromGroup(part, endings, goneNow)));
    } else for (const { call } of timely) endings.set(call, ending);
  }

  async function fromRegistries(
    errands: readonly Errand<InstanceCall>[],
    endings: Map<DrainCall, Ending>,
    goneNow: GoneNow,
  ): Promise<void> {
    const queue = errands.values();
    const worker = async () => {
      for (const errand of queue) {
        endings.set(errand.call, 'late');
        let timely: readonly Errand[] = [];
        const ending = await endingOf(errand.since, async () => {
          timely = await timelyOf([errand], endings, goneNow);
          if (timely.length > 0) await deregisterInstance(errand.call.params);
        });
        if (timely.length > 0) endings.set(errand.call, ending);
      }
    };
    await Promise.all(Array.from({ length: INSTANCES_AT_ONCE }, worker));
  }

  /** Those whose address is still their task's, as far as ECS tells. */
  async function timelyOf<E extends Errand>(
    errands: readonly E[],
    endings: Map<DrainCall, Ending>,
    goneNow: GoneNow,
  ): Promise<readonly E[]> {
    const timely = errands.filter(({ since }) => patience.clock() - since <= TOO_LATE);
    const gone = await goneNow();
    for (const { task, call } of timely) if (gone.has(taskIdOf(task))) endings.set(call, 'gone');
    return timely.filter(({ task }) => !gone.has(taskIdOf(task)));
  }

  /** Ids of those that are gone; where ECS does not answer, of those it has shown so before. */
  function lookingAgain(tasks: readonly string[]): GoneNow {
    let at = patience.clock();
    let gone: ReturnType<GoneNow> = Promise.resolve(new Set());
    return () => {
      if (patience.clock() - at > LOOKS_AGAIN_AFTER) {
        at = patience.clock();
        const before = gone;
        gone = goneAmong(tasks).catch(() => before);
      }
      return gone;
    };
  }

  async function endingOf(since: number, call: () => Promise<void>): Promise<Ending> {
    try {
      await patiently(patience, since + RETRY_UNTIL, call);
      return 'done';
    } catch (error) {
      return isErrorNamed(error, ...DONE_ALREADY) ? 'done' : { error };
    }
  }
};

const goneAmong = async (arns: readonly string[]): Promise<ReadonlySet<string>> => {
  const chunks = [...Map.groupBy(arns, clusterArnOf)].flatMap(([cluster, all]) =>
    chunksOf(all, tasksPerCall).map((some) => describeTasks(cluster, some.map(taskIdOf))),
  );
  const shown = (await Promise.all(chunks)).flat();
  return new Set(
    shown.filter(({ lastStatus = '' }) => GONE.includes(lastStatus)).map(({ taskArn = '' }) => taskIdOf(taskArn)),
  );
};

/** What was to be removed is not there, or is being removed. */
const DONE_ALREADY = [
  'TargetGroupNotFound',
  'TargetGroupNotFoundException',
  'InstanceNotFound',
  'ServiceNotFound',
  'DuplicateRequest',
];

const isRefusedTarget = (ending: Ending): boolean =>
  typeof ending === 'object' &&
  isErrorNamed(ending.error, 'InvalidTarget', 'InvalidTargetException', 'ValidationError', 'ValidationException');

const isForTargets = (errand: Errand): errand is Errand<TargetsCall> => errand.call.call === 'DeregisterTargets';
const isForInstance = (errand: Errand): errand is Errand<InstanceCall> => errand.call.call === 'DeregisterInstance';

const memoryOf = ({ remember }: Act<DrainCall>): Memory => remember ?? {};
const sinceOf = (act: Act<DrainCall>): number => memoryOf(act).since ?? 0;

/** A task's own part of what was done; calls that were not made are not listed. */
const actedOf = ({ calls }: Act<DrainCall>, endings: ReadonlyMap<DrainCall, Ending>, now: number): Acted => {
  const made = calls.map((call) => ({ call, ending: endings.get(call) ?? 'late' }));
  const actions = made
    .filter(({ ending }) => ending !== 'late' && ending !== 'gone')
    .map(({ call, ending }) => (typeof ending === 'object' ? { ...call, error: said(ending.error) } : call));
  const problem = made.map(({ call, ending }) => meaning(call, ending, now)).find((stop) => stop !== undefined);
  return { actions, ...(problem !== undefined && { problem }) };
};

/** What a call that did not end well means for its task. */
export const meaning = ({ call }: DrainCall, ending: Ending, now: number): Stop | undefined => {
  if (ending === 'done') return undefined;
  if (ending === 'late') return skip('too-late', `${call}: its turn came more than 150 s after the notice; not made.`);
  if (ending === 'gone') return skip('task-gone', `${call}: the task was gone when its turn came; not made.`);
  const { error } = ending;
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `${call} was denied: ${said(error)}`,
      'The permission is bound to the tag reflex:enabled = true on the target group or Cloud Map service; tag it, and check the permissions boundary.',
    );
  }
  if (isThrottle(error)) {
    return defer('rate-limited', now + AGAIN, `${call} was throttled until its time was over; looked at again.`);
  }
  if (isTransient(error)) {
    return defer('act-unknown', now + AGAIN, `${call} ended without an answer (${said(error)}); looked at again.`);
  }
  return escalate(
    'act-failed',
    `${call} failed: ${said(error)}`,
    'See the error; the other calls were made all the same.',
  );
};
