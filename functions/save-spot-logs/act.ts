import {
  completeLifecycleAction,
  detachesPerCall,
  detachInstances,
  recordLifecycleActionHeartbeat,
} from '../../shared/aws/autoscaling.ts';
import { isErrorNamed, isThrottle, isTransient } from '../../shared/aws/client.ts';
import { createTags, deleteTags, modifyInstanceAttribute } from '../../shared/aws/ec2.ts';
import { drainContainerInstances, drainsPerCall, stopTask } from '../../shared/aws/ecs.ts';
import { deregisterInstances } from '../../shared/aws/elb-classic.ts';
import { deregisterTargets, registrationsAtPace, targetsPerCall } from '../../shared/aws/elbv2.ts';
import { chunksOf } from '../../shared/aws/pages.ts';
import { commandsPerCall, registeredInstances, sendCommand } from '../../shared/aws/ssm.ts';
import type { Acted, Approved } from '../../shared/function.ts';
import { isNotMade, NOT_MADE, type Patience, paced, patiently } from '../../shared/patience.ts';
import { said } from '../../shared/words.ts';
import type { HostCall } from './calls.ts';

const SECOND = 1_000;
/** A throttled call is repeated this long. What AWS has not taken by then waits for the next look, and nothing else waits for it. */
const REPEAT_FOR = 5 * SECOND;
/**
 * What EC2 takes at once, and then a second, of an account and Region, each of its APIs by itself: 50 and 5, 100 and 10. Two instances of
 * the function may begin at once.
 */
const CHANGES = { burst: 25, perSecond: 5 };
const TAGGINGS = { burst: 50, perSecond: 10 };

/** Seconds: a Spot notice leaves no more. */
const DEADLINES_APART = 120;

type CallNamed<Name extends HostCall['call']> = Extract<HostCall, { call: Name }>;

/**
 * Makes the approved calls of a batch. First, at once for every instance, what keeps its volumes, and then what makes them work
 * items; when all of these have ended, everything else side by side, with calls merged over instances. Each call fails alone, and
 * none is a problem of the whole: the next look finds what is missing.
 */
export const act = (patience: Patience) => {
  const changes = paced(CHANGES, patience);
  const taggings = paced(TAGGINGS, patience);
  const registrations = paced(registrationsAtPace, patience);
  return async (approved: readonly Approved<HostCall>[]): Promise<ReadonlyMap<string, Acted>> => {
    const until = patience.clock() + REPEAT_FOR;
    /** What AWS would not take in time is not asked for: the next look finds it missing. */
    const inTurn = async (turn: ReturnType<typeof paced>, run: () => Promise<unknown>): Promise<void> => {
      await turn(until);
      await run();
    };
    const errors = new Map<HostCall, string>();
    /** AWS took none of them, and the next look makes them. What got no answer may have been done. */
    const postponed = new Set<HostCall>();
    const calls = approved.flatMap(({ act }) => act.calls);
    const named = <Name extends HostCall['call']>(name: Name) =>
      calls.filter((call): call is CallNamed<Name> => call.call === name);

    const make = async (some: readonly HostCall[], run: () => Promise<unknown>): Promise<void> => {
      try {
        await patiently(patience, patience.clock() + REPEAT_FOR, run);
      } catch (error) {
        for (const call of some) if (!isDoneAlready(call, error)) errors.set(call, said(error));
        if (isThrottle(error) || isNotMade(error)) for (const call of some) postponed.add(call);
      }
    };
    /** `size` at a time. Where one of them fails the call for all, each half is tried by itself. */
    const merged = async <C extends HostCall>(
      some: readonly C[],
      size: number,
      run: (part: readonly C[]) => Promise<unknown>,
    ): Promise<void> => {
      await Promise.all(chunksOf(some, size).map((part) => dividing(part, run)));
    };
    const dividing = async <C extends HostCall>(
      part: readonly C[],
      run: (part: readonly C[]) => Promise<unknown>,
    ): Promise<void> => {
      await make(part, async () => {
        try {
          await run(part);
        } catch (error) {
          if (part.length === 1 || isTransient(error)) throw error;
          const half = Math.ceil(part.length / 2);
          await Promise.all([part.slice(0, half), part.slice(half)].map((some) => dividing(some, run)));
        }
      });
    };
    const each = <C extends HostCall>(some: readonly C[], run: (call: C) => Promise<unknown>) =>
      Promise.all(some.map((call) => make([call], () => run(call))));

    /** One device that EC2 does not let go (a volume that another service manages) refuses the call for all: each is tried by itself. */
    const keepDevices = async (params: CallNamed<'ModifyInstanceAttribute'>['params']): Promise<void> => {
      const change = (BlockDeviceMappings: typeof params.BlockDeviceMappings) =>
        inTurn(changes, () => modifyInstanceAttribute({ ...params, BlockDeviceMappings }));
      try {
        await change(params.BlockDeviceMappings);
      } catch (error) {
        if (params.BlockDeviceMappings.length === 1 || isTransient(error)) throw error;
        const tried = await Promise.allSettled(params.BlockDeviceMappings.map((device) => change([device])));
        for (const one of tried) if (one.status === 'rejected') throw one.reason;
      }
    };

    /** Instances side by side; of each the volumes are kept, then tagged, even where AWS refused to keep one, but not before it was asked. */
    const keep = async (): Promise<void> => {
      await Promise.all(
        [...approved].sort(dyingFirst).map(async ({ act }) => {
          const own = <Name extends HostCall['call']>(name: Name) =>
            act.calls.filter((call): call is CallNamed<Name> => call.call === name);
          const keeps = own('ModifyInstanceAttribute');
          await each(keeps, ({ params }) => keepDevices(params));
          const waits = keeps.some((call) => postponed.has(call));
          if (waits) for (const call of own('CreateTags')) errors.set(call, `${NOT_MADE}its volume is not kept yet`);
          await Promise.all([
            each(waits ? [] : own('CreateTags'), ({ params }) => inTurn(taggings, () => createTags(params))),
            each(own('DeleteTags'), ({ params }) => deleteTags(params)),
          ]);
        }),
      );
    };

    const ship = async (): Promise<void> => {
      const alike = groupsBy(named('SendCommand'), ({ params }) =>
        [
          params.DocumentName,
          params.Parameters.source,
          params.Parameters.destination,
          params.Parameters.phase,
          // What has a quarter of an hour is not cut short by what has two minutes.
          Math.ceil(Number(params.Parameters.executionTimeout[0]) / DEADLINES_APART),
        ].join('\n'),
      );
      await Promise.all(alike.map((some) => merged(some.sort(byDeadline), commandsPerCall, shipSome)));
    };
    /** One instance that is not registered fails the command for all. */
    const shipSome = async (part: readonly CallNamed<'SendCommand'>[]): Promise<void> => {
      const [first] = part;
      if (first === undefined) return;
      const ids = part.flatMap(({ params }) => params.InstanceIds);
      try {
        // Parameters are one for all: the earliest deadline holds.
        await sendCommand({ ...first.params, InstanceIds: ids });
      } catch (error) {
        if (part.length === 1 || !isErrorNamed(error, 'InvalidInstanceId')) throw error;
        const registered = await registeredInstances(ids);
        const able = part.filter(({ params }) => registered.includes(params.InstanceIds[0] ?? ''));
        if (able.length === part.length) throw error;
        for (const call of part) if (!able.includes(call)) errors.set(call, `${said(error)} (not registered)`);
        await dividing(able, shipSome);
      }
    };

    const drain = async (): Promise<void> => {
      const clusters = groupsBy(named('UpdateContainerInstancesState'), ({ params }) => params.cluster);
      await Promise.all(
        clusters.map((some) =>
          merged(some, drainsPerCall, async (part) => {
            const failures = await drainContainerInstances(
              part[0]?.params.cluster ?? '',
              part.flatMap(({ params }) => params.containerInstances),
            );
            for (const call of part) {
              const failure = failures.find(({ arn = '' }) => call.params.containerInstances.includes(arn));
              if (failure !== undefined) errors.set(call, `${failure.reason}: ${failure.detail ?? 'no detail'}`);
            }
          }),
        ),
      );
      await each(named('StopTask'), ({ params }) => stopTask(params.cluster, params.task, params.reason));
    };

    /** Detached first: an instance that only fails its group's health check is terminated by the group at once. */
    const takeOut = async (): Promise<void> => {
      const groups = groupsBy(named('DetachInstances'), ({ params }) => params.AutoScalingGroupName);
      await Promise.all(
        groups.map((some) =>
          merged(some, detachesPerCall, (part) =>
            detachInstances({
              AutoScalingGroupName: part[0]?.params.AutoScalingGroupName,
              InstanceIds: part.flatMap(({ params }) => params.InstanceIds),
              ShouldDecrementDesiredCapacity: false,
            }),
          ),
        ),
      );
      const targetGroups = groupsBy(named('DeregisterTargets'), ({ params }) => params.TargetGroupArn);
      const balancers = groupsBy(named('DeregisterInstancesFromLoadBalancer'), ({ params }) => params.LoadBalancerName);
      await Promise.all([
        ...targetGroups.map((some) =>
          merged(some, targetsPerCall, (part) =>
            inTurn(registrations, () =>
              deregisterTargets({
                TargetGroupArn: part[0]?.params.TargetGroupArn,
                Targets: part.flatMap(({ params }) => params.Targets),
              }),
            ),
          ),
        ),
        ...balancers.map((some) =>
          merged(some, targetsPerCall, (part) =>
            deregisterInstances(
              part[0]?.params.LoadBalancerName ?? '',
              part.flatMap(({ params }) => params.Instances.map(({ InstanceId }) => InstanceId)),
            ),
          ),
        ),
      ]);
    };

    const answerHooks = async (): Promise<void> => {
      await Promise.all([
        each(named('RecordLifecycleActionHeartbeat'), ({ params }) => recordLifecycleActionHeartbeat(params)),
        each(named('CompleteLifecycleAction'), ({ params }) => completeLifecycleAction(params)),
      ]);
    };

    await keep();
    await Promise.all([ship(), drain(), takeOut(), answerHooks()]);
    return new Map(
      approved.map(({ resource, act }) => [
        resource,
        {
          actions: act.calls.map((call) => {
            const error = errors.get(call);
            return error === undefined ? call : { ...call, error };
          }),
        },
      ]),
    );
  };
};

/** The instance is gone or does not wait any more: there is nothing left to hold or to release. */
const isDoneAlready = ({ call }: HostCall, error: unknown): boolean =>
  (call === 'RecordLifecycleActionHeartbeat' || call === 'CompleteLifecycleAction') &&
  isErrorNamed(error, 'ValidationError') &&
  error instanceof Error &&
  /No active Lifecycle Action found/i.test(error.message);

const byDeadline = (a: CallNamed<'SendCommand'>, b: CallNamed<'SendCommand'>): number =>
  Number(a.params.Parameters.deadline[0]) - Number(b.params.Parameters.deadline[0]);

/** What is only recommended to leave may have hours. */
const dyingFirst = (a: Approved<HostCall>, b: Approved<HostCall>): number =>
  Number(a.act.reason === 'arm-logs') - Number(b.act.reason === 'arm-logs');

const groupsBy = <T>(list: readonly T[], key: (item: T) => string): T[][] => [...Map.groupBy(list, key).values()];
