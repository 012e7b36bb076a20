import { idIn, type Place, placeOf, volumeArn } from '../../shared/arns.ts';
import { describeSnapshotsBy, describeVolumesBy } from '../../shared/aws/ec2.ts';
import type { ReflexFunction } from '../../shared/function.ts';
import type { Patience } from '../../shared/patience.ts';
import { RESCUE_TAGS } from '../../shared/spot-logs.ts';
import type { RescueMeter } from '../../shared/telemetry/rescue-metrics.ts';
import { act } from './act.ts';
import type { RescueCall } from './calls.ts';
import { decide } from './decide.ts';
import type { Memory, VolumeFacts } from './facts.ts';
import { hear } from './hear.ts';
import { observe } from './observe.ts';
import { type Policy, stackPolicy, volumePolicy } from './policy.ts';
import { countShipments } from './shipments.ts';

type Ec2Tag = { readonly Key?: string | undefined; readonly Value?: string | undefined };

/**
 * Takes the logs off the volumes of dead instances: snapshot, a Fargate task that ships it, proof, clean-up.
 * @throws SettingError for a wrong environment variable.
 */
export const rescueSpotLogs = (
  env: NodeJS.ProcessEnv,
  patience: Patience,
  meter: RescueMeter,
): ReflexFunction<VolumeFacts, Policy, RescueCall> => {
  const stack = stackPolicy(env);
  const place = placeOf(stack.taskDefinition);
  return {
    name: 'rescue-spot-logs',
    onGuardError: 'stop',
    hear: hear(place, countShipments(stack.bucket, meter)),
    sweep: () => sweep(place, patience.clock, meter),
    observe: observe(stack, patience.clock),
    policy: (tags) => volumePolicy(stack, tags),
    decide,
    act: measured(act(patience), meter),
  };
};

/** What was proven is counted when it is recorded on the volume. */
const measured =
  (run: ReturnType<typeof act>, meter: RescueMeter): ReturnType<typeof act> =>
  async (approved) => {
    const acted = await run(approved);
    for (const { resource, act } of approved) {
      const { shipped } = (act.remember ?? {}) as Memory;
      if (shipped !== undefined && acted.get(resource)?.problem === undefined) {
        meter.shipped({ phase: 'rescue', ...shipped });
      }
    }
    return acted;
  };

/**
 * Every volume that was kept and every snapshot of one. Armed ones in use by their own instance are its own; all others are looked at.
 * What is in use costs nobody anything that it would not anyway: it is not counted as kept.
 */
const sweep = async (place: Place, clock: () => number, meter: RescueMeter): Promise<readonly string[]> => {
  const [volumes, snapshots] = await Promise.all([
    describeVolumesBy('tag-key', [RESCUE_TAGS.instance]),
    describeSnapshotsBy('tag-key', [RESCUE_TAGS.volume]),
  ]);
  const tagOf = (tags: readonly Ec2Tag[] = [], key: string) => tags.find(({ Key }) => Key === key)?.Value;
  const watched = volumes.filter(
    ({ Tags, Attachments = [] }) =>
      !['armed', undefined].includes(tagOf(Tags, RESCUE_TAGS.rescue)) ||
      !Attachments.some(({ InstanceId }) => InstanceId === tagOf(Tags, RESCUE_TAGS.instance)),
  );
  const waiting = watched.filter(({ State }) => State !== 'in-use');
  const ages = waiting.map(({ Tags }) => clock() - Date.parse(tagOf(Tags, RESCUE_TAGS.since) ?? ''));
  meter.kept({
    volumes: waiting.length,
    GiB: waiting.reduce((sum, { Size = 0 }) => sum + Size, 0),
    oldestMs: Math.max(0, ...ages.filter((age) => !Number.isNaN(age))),
  });
  const ids = [
    ...watched.map(({ VolumeId }) => VolumeId),
    ...snapshots.map(({ Tags }) => tagOf(Tags, RESCUE_TAGS.volume)),
  ];
  return [...new Set(ids.flatMap((id) => (id === undefined ? [] : volumeArn(place, idIn(id)))))];
};
