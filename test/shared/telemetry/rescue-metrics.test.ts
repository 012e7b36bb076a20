import { describe, expect, it } from 'vitest';
import { metricsFromEnv } from '../../../shared/telemetry/metrics.ts';
import { type RescueMeter, rescueMetrics } from '../../../shared/telemetry/rescue-metrics.ts';
import { printedLines } from '../../support/printed.ts';

const printed = printedLines();
const emitted = (): unknown[] => printed.map((line) => JSON.parse(line));

const counted = async (count: (meter: RescueMeter) => void): Promise<void> => {
  const meter = metricsFromEnv();
  count(rescueMetrics('rescue-spot-logs', meter));
  await meter.flush();
};

describe('the meter of the rescue', () => {
  it('says what is kept and for how long, also when nothing is', async () => {
    await counted((meter) => meter.kept({ volumes: 2, GiB: 40, oldestMs: 120_400 }));
    await counted((meter) => meter.kept({ volumes: 0, GiB: 0, oldestMs: 0 }));

    const dimensions = { function: 'rescue-spot-logs' };
    expect(emitted()).toMatchObject([
      { ...dimensions, KeptVolumes: 2, KeptGiB: 40, OldestKeptVolume: 120 },
      { ...dimensions, KeptVolumes: 0, KeptGiB: 0, OldestKeptVolume: 0 },
    ]);
  });

  it('says what came to S3 by phase, with lines where they were counted', async () => {
    await counted((meter) => {
      meter.shipped({ phase: 'pre-copy', files: 3, bytes: 900 });
      meter.shipped({ phase: 'rescue', files: 5, bytes: 2_000, lines: 31 });
    });

    expect(emitted()).toMatchObject([
      { phase: 'pre-copy', ShippedFiles: 3, ShippedBytes: 900 },
      { phase: 'rescue', ShippedFiles: 5, ShippedBytes: 2_000, ShippedLines: 31 },
    ]);
    expect(printed[0]).not.toContain('ShippedLines');
    expect(printed[0]).toContain('"Dimensions":[["stack","function","phase"]]');
  });

  it('says how many directories are lost', async () => {
    await counted((meter) => meter.unrecoverable(2));

    expect(emitted()).toMatchObject([{ function: 'rescue-spot-logs', Unrecoverable: 2 }]);
  });
});
