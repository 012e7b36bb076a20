import * as v from 'valibot';
import { object, read, text, time } from './events/fields.ts';
import { tagOf } from './settings.ts';

/**
 * What save-spot-logs leaves and rescue-spot-logs finds: the tags on a kept volume and its snapshot, and the layout of the
 * log bucket. The tags alone are enough to start from: no ledger, no event, and no instance is needed.
 *
 *   armed     kept; its instance is expected to live on (rebalance recommendation, stop, hibernate, scheduled change)
 *   pending   kept; its instance is about to die          <- save-spot-logs writes these two
 *   snapshotting, shipping, proven, done, failed          <- rescue-spot-logs writes these
 *
 * An `available` volume is work in state armed as well as pending: its instance is gone. So is one that carries
 * `reflex:instance` and no `reflex:rescue`: it was disarmed after its instance had outlived the recommendation.
 */
export const RESCUE_STATES = ['armed', 'pending', 'snapshotting', 'shipping', 'proven', 'done', 'failed'] as const;
export type RescueState = (typeof RESCUE_STATES)[number];

/** What ECS can mount a volume as (`managedEBSVolume.filesystemType`). */
export const FILESYSTEMS = ['ext3', 'ext4', 'xfs', 'ntfs'] as const;
export type Filesystem = (typeof FILESYSTEMS)[number];

/** Keys of the tags of a work item. */
export const RESCUE_TAGS = {
  /** RescueState. */
  rescue: 'reflex:rescue',
  /** Id of the instance the volume was kept from. */
  instance: 'reflex:instance',
  /** Device name it had there, as EC2 names it: /dev/xvdf. */
  device: 'reflex:device',
  /** `true`: it was the root device, so it has partitions and ECS cannot mount it. */
  root: 'reflex:root',
  /** Filesystem to mount it as, by configuration; what the host itself reported (`_SHIPPED.json`) is better. */
  filesystem: 'reflex:filesystem',
  /** Key prefix in the log bucket, without slashes around it. */
  prefix: 'reflex:prefix',
  /** When the trouble was announced for, ISO 8601: an armed volume is disarmed 24 h later, a kept one is as old as this says. */
  since: 'reflex:since',
  /** Failed rescues so far. */
  attempts: 'reflex:attempts',
  /** On a snapshot only: id of the volume it was made from, which may be deleted before it. */
  volume: 'reflex:volume',
} as const;

/** Every tag a work item may carry besides its settings; for `fromTags`. */
export const WORK_ITEM_TAGS: readonly string[] = Object.values(RESCUE_TAGS);

/** One kept volume. */
export interface WorkItem {
  /** null: disarmed. */
  readonly rescue: RescueState | null;
  readonly instance: string;
  readonly device: string;
  readonly root: boolean;
  readonly filesystem: Filesystem;
  readonly prefix: string;
  /** Epoch ms. */
  readonly since: number;
  readonly attempts: number;
}

/** The tags of a work item, the opt-in among them: IAM lets the rescue touch only what carries it. */
export const workItemTags = (item: WorkItem): Record<string, string> => ({
  [tagOf('enabled')]: 'true',
  ...(item.rescue !== null && { [RESCUE_TAGS.rescue]: item.rescue }),
  [RESCUE_TAGS.instance]: item.instance,
  [RESCUE_TAGS.device]: item.device,
  [RESCUE_TAGS.root]: String(item.root),
  [RESCUE_TAGS.filesystem]: item.filesystem,
  [RESCUE_TAGS.prefix]: item.prefix,
  [RESCUE_TAGS.since]: new Date(item.since).toISOString(),
  [RESCUE_TAGS.attempts]: String(item.attempts),
});

const workItem = object({
  [RESCUE_TAGS.rescue]: v.optional(v.picklist(RESCUE_STATES, `one of ${RESCUE_STATES.join(', ')}`)),
  [RESCUE_TAGS.instance]: v.pipe(v.string(), v.regex(/^i-[0-9a-f]{8,17}$/, 'an instance id')),
  [RESCUE_TAGS.device]: text,
  [RESCUE_TAGS.root]: v.optional(v.picklist(['true', 'false'], 'true or false'), 'false'),
  [RESCUE_TAGS.filesystem]: v.optional(v.picklist(FILESYSTEMS, `one of ${FILESYSTEMS.join(', ')}`), 'xfs'),
  [RESCUE_TAGS.prefix]: text,
  [RESCUE_TAGS.since]: time,
  [RESCUE_TAGS.attempts]: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,3}$/, 'a whole number'),
      v.transform((digits) => Number(digits)),
    ),
    '0',
  ),
});

/**
 * The work item in a volume's or a snapshot's tags; null: Reflex has never kept it.
 * @throws BrokenMessage naming the tag that is missing or malformed.
 */
export const parseWorkItem = (tags: Readonly<Record<string, string>>): WorkItem | null => {
  if (tags[RESCUE_TAGS.instance] === undefined && tags[RESCUE_TAGS.rescue] === undefined) return null;
  const item = read(workItem, tags);
  return {
    rescue: item[RESCUE_TAGS.rescue] ?? null,
    instance: item[RESCUE_TAGS.instance],
    device: item[RESCUE_TAGS.device],
    root: item[RESCUE_TAGS.root] === 'true',
    filesystem: item[RESCUE_TAGS.filesystem],
    prefix: item[RESCUE_TAGS.prefix],
    since: item[RESCUE_TAGS.since],
    attempts: item[RESCUE_TAGS.attempts],
  };
};

/**
 * The log bucket. Host and rescue write the same keys, so that each phase ships only what the former did not:
 *
 *   <prefix>/<instance id>/<volume id>/<path inside the volume>
 *   <prefix>/<instance id>/host/<absolute path>            of what lies on no EBS volume that can be told (instance store)
 *   <prefix>/<instance id>/_SHIPPED.json                   written last by the host, in every phase anew
 *   <prefix>/_RESCUED/<volume id>.json                     written last by the rescue task: the proof
 */
export const volumePrefix = (prefix: string, instance: string, volume: string): string =>
  `${prefix}/${instance}/${volume}`;
export const shippedKey = (prefix: string, instance: string): string => `${prefix}/${instance}/_SHIPPED.json`;
export const rescuedKey = (prefix: string, volume: string): string => `${prefix}/_RESCUED/${volume}.json`;

/** One of the paths the host shipped, and where it lies. */
export interface ShippedSource {
  /** Absolute path on the host. */
  readonly path: string;
  /** null: on no EBS volume that can be told. */
  readonly volume: string | null;
  /** What the path's filesystem is, as `findmnt` says; not only those ECS can mount. */
  readonly filesystem: string;
}

/** `_SHIPPED.json`: what the host has copied. Never a proof: seconds of logs follow it. */
export interface Shipped {
  readonly instance: string;
  readonly phase: 'pre-copy' | 'interruption';
  /** When it was written, epoch ms. */
  readonly at: number;
  /** Regular files of this phase, and their bytes, whether or not a former phase had copied them. */
  readonly files: number;
  readonly bytes: number;
  /** The deadline came, or a file could not be read or sent. */
  readonly partial: boolean;
  readonly sources: readonly ShippedSource[];
}

const count = v.pipe(
  v.number(),
  v.check((value) => Number.isSafeInteger(value) && value >= 0, 'a whole number of 0 or more'),
);

const shipped = object({
  instance: text,
  phase: v.picklist(['pre-copy', 'interruption'], 'pre-copy or interruption'),
  at: time,
  files: count,
  bytes: count,
  partial: v.boolean(),
  sources: v.array(object({ path: text, volume: v.nullable(text), filesystem: v.string() })),
});

/** @throws BrokenMessage naming the field; SyntaxError for text that is no JSON. */
export const parseShipped = (json: string): Shipped => read(shipped, JSON.parse(json));

/** `_RESCUED/<volume id>.json`: what the rescue task has copied from the snapshot. With filesFailed 0 it is the proof. */
export interface Rescued {
  readonly volumeId: string;
  readonly snapshotId: string;
  /** Epoch ms. */
  readonly at: number;
  /** Regular files that are in S3 now, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Their lines, for the metrics. */
  readonly lines?: number | undefined;
  /** Regular files that are not. */
  readonly filesFailed: number;
  /** Sockets, pipes, devices, links: what S3 cannot hold. */
  readonly filesSkipped: number;
}

const rescued = object({
  volumeId: text,
  snapshotId: text,
  at: time,
  files: count,
  bytes: count,
  lines: v.optional(count),
  filesFailed: count,
  filesSkipped: count,
});

/** @throws BrokenMessage naming the field; SyntaxError for text that is no JSON. */
export const parseRescued = (json: string): Rescued => read(rescued, JSON.parse(json));

/** `startedBy` of a rescue task: tells its events from all others. */
export const RESCUE_STARTED_BY = 'rescue/';
export const startedBy = (volume: string): string => `${RESCUE_STARTED_BY}${volume}`;
