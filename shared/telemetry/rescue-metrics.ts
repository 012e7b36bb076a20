import type { Measured, Meter } from './metrics.ts';

/** What came to S3 of an instance: copied ahead by the host, in its last two minutes, or from the volume that was kept. */
export interface Shipment {
  readonly phase: 'pre-copy' | 'interruption' | 'rescue';
  readonly files: number;
  readonly bytes: number;
  /** Counted by the rescue, which has the time. */
  readonly lines?: number | undefined;
}

/** What the rescue of log volumes counts beside outcomes. Namespace `Reflex`, dimensions stack and function. */
export interface RescueMeter {
  /** `KeptVolumes`, `KeptGiB`, `OldestKeptVolume` (s): the volumes whose logs are not proven to be in S3. Every sweep, also when there are none. */
  kept(kept: { readonly volumes: number; readonly GiB: number; readonly oldestMs: number }): void;
  /** `ShippedFiles`, `ShippedBytes`, `ShippedLines`, by dimension phase as well. */
  shipped(shipment: Shipment): void;
  /** `Unrecoverable`: directories on instance store that a host could not ship whole before it was gone. */
  unrecoverable(directories: number): void;
}

export const rescueMetrics = (fn: string, { put }: Pick<Meter, 'put'>): RescueMeter => {
  const measured = (name: string, unit: Measured['unit'], value: number, more: Measured['dimensions'] = {}): void =>
    put({ dimensions: { function: fn, ...more }, name, unit, value });
  return {
    kept: ({ volumes, GiB, oldestMs }) => {
      measured('KeptVolumes', 'Count', volumes);
      measured('KeptGiB', 'Gigabytes', GiB);
      measured('OldestKeptVolume', 'Seconds', Math.round(oldestMs / 1_000));
    },
    shipped: ({ phase, files, bytes, lines }) => {
      measured('ShippedFiles', 'Count', files, { phase });
      measured('ShippedBytes', 'Bytes', bytes, { phase });
      if (lines !== undefined) measured('ShippedLines', 'Count', lines, { phase });
    },
    unrecoverable: (directories) => measured('Unrecoverable', 'Count', directories),
  };
};
