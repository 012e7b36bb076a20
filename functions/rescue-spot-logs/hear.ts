import { type Place, volumeArn } from '../../shared/arns.ts';
import { describeVolumesBy } from '../../shared/aws/ec2.ts';
import type { ReflexEvent } from '../../shared/events/event.ts';
import type { Heard, Signal } from '../../shared/function.ts';
import { RESCUE_STARTED_BY, RESCUE_TAGS } from '../../shared/spot-logs.ts';

const COMMAND_OVER = ['Success', 'Cancelled', 'TimedOut', 'Failed'];

/** Where a host whose command has ended says what it shipped. */
export interface Ended {
  readonly instance: string;
  readonly prefix: string;
}

/**
 * Which kept volumes an event concerns. One call for all events that name only an instance. `place`: the function's own; `ended` is
 * told of hosts whose command has ended.
 */
export const hear =
  (place: Place, ended: (hosts: readonly Ended[]) => Promise<void>) =>
  async (events: readonly ReflexEvent[]): Promise<Heard[]> => {
    const ids = events.flatMap((event) => instanceIn(event) ?? []);
    const volumes = await volumesOf([...new Set(ids)]);
    const kept = new Map([...volumes].map(([id, some]) => [id, some.flatMap(({ VolumeId }) => VolumeId ?? [])]));
    const over = new Set(events.flatMap((event) => (event.kind === 'command-invocation' && instanceIn(event)) || []));
    await ended(
      [...over].flatMap((instance) => {
        const [prefix] = (volumes.get(instance) ?? []).flatMap(
          ({ Tags = [] }) => tagIn(Tags, RESCUE_TAGS.prefix) ?? [],
        );
        return prefix === undefined ? [] : [{ instance, prefix }];
      }),
    );
    return events.map((event) => heard(event, place, kept));
  };

/** `terminated` only: while it shuts down, the instance still writes. */
const instanceIn = (event: ReflexEvent): string | null => {
  if (event.kind === 'instance-state-change') return event.state === 'terminated' ? event.instanceId : null;
  if (event.kind === 'command-invocation') return COMMAND_OVER.includes(event.status) ? event.instanceId : null;
  return null;
};

type Volume = Awaited<ReturnType<typeof describeVolumesBy>>[number];

const volumesOf = async (instances: readonly string[]): Promise<ReadonlyMap<string, readonly Volume[]>> => {
  const volumes = instances.length === 0 ? [] : await describeVolumesBy(`tag:${RESCUE_TAGS.instance}`, instances);
  const byInstance = Map.groupBy(volumes, ({ Tags = [] }) => tagIn(Tags, RESCUE_TAGS.instance));
  return new Map(instances.map((id) => [id, byInstance.get(id) ?? []]));
};

const tagIn = (tags: NonNullable<Volume['Tags']>, key: string): string | undefined =>
  tags.find(({ Key }) => Key === key)?.Value;

const heard = (event: ReflexEvent, place: Place, kept: ReadonlyMap<string, readonly string[]>): Heard => {
  const ofInstance = (instance: string, cause: string, occurrence: string, at: number): Heard => {
    const volumes = kept.get(instance) ?? [];
    if (volumes.length === 0) return { notForUs: 'no-kept-volume' };
    return { signals: volumes.map((id) => signal(place, id, cause, occurrence, at)) };
  };
  switch (event.kind) {
    case 'instance-state-change': {
      const { instanceId, state, at } = event;
      if (instanceIn(event) === null) return { notForUs: 'not-terminated' };
      return ofInstance(instanceId, `EC2 instance ${instanceId} is ${state}`, `${instanceId} ${state}`, at);
    }
    case 'command-invocation': {
      const { instanceId, commandId, status, at } = event;
      if (instanceIn(event) === null) return { notForUs: 'command-not-over' };
      const cause = `Run Command ${commandId} on ${instanceId} ended: ${status}`;
      return ofInstance(instanceId, cause, `${commandId} ${status}`, at);
    }
    case 'snapshot': {
      const { snapshotId, sourceId, result, at } = event;
      if (event.event !== 'createSnapshot' || sourceId === null) return { notForUs: 'no-snapshot-of-a-volume' };
      const cause = `Snapshot ${snapshotId}: ${result}`;
      return { signals: [signal(place, sourceId, cause, `${snapshotId} ${result}`, at)] };
    }
    case 'task-state-change': {
      const { startedBy, lastStatus, arn } = event.task;
      const volume = startedBy?.startsWith(RESCUE_STARTED_BY) ? startedBy.slice(RESCUE_STARTED_BY.length) : '';
      if (!/^vol-[0-9a-f]{8,17}$/.test(volume)) return { notForUs: 'no-rescue-task' };
      if (lastStatus !== 'STOPPED') return { notForUs: 'task-not-stopped' };
      return { signals: [signal(place, volume, `Rescue task ${arn} has stopped`, `${arn} STOPPED`, event.at)] };
    }
    default:
      return { notForUs: 'no-rescue' };
  }
};

const signal = (place: Place, volume: string, cause: string, occurrence: string, at: number): Signal => ({
  resource: volumeArn(place, volume),
  trigger: 'event',
  cause,
  occurrence: `${volume} ${occurrence}`,
  at,
});
