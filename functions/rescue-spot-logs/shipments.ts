import { objectText } from '../../shared/aws/s3.ts';
import { parseShipped, type Shipped, shippedKey } from '../../shared/spot-logs.ts';
import type { RescueMeter } from '../../shared/telemetry/rescue-metrics.ts';
import type { Ended } from './hear.ts';

/** Counts what hosts say they shipped. What cannot be read is not counted: a metric stops no rescue. */
export const countShipments =
  (bucket: string, meter: RescueMeter) =>
  async (hosts: readonly Ended[]): Promise<void> => {
    const markers = await Promise.allSettled(
      hosts.map(async ({ instance, prefix }) => objectText(bucket, shippedKey(prefix, instance))),
    );
    for (const marker of markers) {
      if (marker.status === 'fulfilled' && marker.value !== null) count(marker.value, meter);
    }
  };

const count = (text: string, meter: RescueMeter): void => {
  let shipped: Shipped;
  try {
    shipped = parseShipped(text);
  } catch {
    return;
  }
  const { phase, files, bytes, partial, sources } = shipped;
  meter.shipped({ phase, files, bytes });
  const onInstanceStore = sources.filter(({ volume }) => volume === null).length;
  if (phase === 'interruption' && partial && onInstanceStore > 0) meter.unrecoverable(onInstanceStore);
};
