import { type Place, volumeArn } from '../../shared/arns.ts';
import { describeVolumesBy } from '../../shared/aws/ec2.ts';
import type { ReflexEvent } from '../../shared/events/event.ts';
import type { Heard, Signal } from '../../shared/function.ts';
import { RESCUE_STARTED_BY, RESCUE_TAGS } from '../../shared/spot-logs.ts';

const COMMAND_OVER = ['Success', 'Cancelled', 'TimedOut', 'Failed'];

/** Which kept volumes an event concerns. One call for all events that name only an instance. `place`: the function's own. */
export const hear =
  (place: Place) =>
  async (events: readonly ReflexEvent[]): Promise<Heard[]> => {
    const ids = events.flatMap((event) => (namesInstance(event) ? [event.instanceId] : []));
    const kept = await volumesOf([...new Set(ids)]);
    return events.map((event) => heard(event, place, kept));
  };

type InstanceEvent = Extract<ReflexEvent, { kind: 'instance-state-change' | 'command-invocation' }>;

/** `terminated` only: while it shuts down, the instance still writes. */
const namesInstance = (event: ReflexEvent): event is InstanceEvent =>
  (event.kind === 'instance-state-change' && event.state === 'terminated') ||
  (event.kind === 'command-invocation' && COMMAND_OVER.includes(event.status));

const volumesOf = async (instances: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> => {
  const volumes = instances.length === 0 ? [] : await describeVolumesBy(`tag:${RESCUE_TAGS.instance}`, instances);
  const byInstance = Map.groupBy(volumes, ({ Tags = [] }) => Tags.find(({ Key }) => Key === RESCUE_TAGS.instance)?.Value);
  return new Map(
    instances.map((id) => [id, (byInstance.get(id) ?? []).flatMap(({ VolumeId }) => VolumeId ?? [])] as const),
  );
};

const heard = (event: ReflexEvent, place: Place, kept: ReadonlyMap<string, readonly string[]>): Heard => {
  if (namesInstance(event)) {
    const volumes = kept.get(event.instanceId) ?? [];
    if (volumes.length === 0) return { notForUs: 'no-kept-volume' };
    const state = event.kind === 'instance-state-change' ? event.state : `${event.commandId} ${event.status}`;
    const cause =
      event.kind === 'instance-state-change'
        ? `EC2 instance ${event.instanceId} is ${event.state}`
        : `Run Command ${event.commandId} on ${event.instanceId} ended: ${event.status}`;
    return { signals: volumes.map((id) => signal(place, id, cause, `${event.instanceId} ${state}`, event.at)) };
  }
  switch (event.kind) {
    case 'instance-state-change':
      return { notForUs: 'not-terminated' };
    case 'command-invocation':
      return { notForUs: 'command-not-over' };
    case 'snapshot': {
      const { snapshotId, sourceId, result, at } = event;
      if (event.event !== 'createSnapshot' || sourceId === null) return { notForUs: 'no-snapshot-of-a-volume' };
      const cause = `Snapshot ${snapshotId}: ${result}`;
      return { signals: [signal(place, sourceId, cause, `${snapshotId} ${result}`, at)] };
    }
    case 'task-state-change': {
      const { startedBy, lastStatus, arn } = event.task;
      if (!startedBy?.startsWith(RESCUE_STARTED_BY)) return { notForUs: 'no-rescue-task' };
      if (lastStatus !== 'STOPPED') return { notForUs: 'task-not-stopped' };
      const volume = startedBy.slice(RESCUE_STARTED_BY.length);
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
