import { describe, expect, it } from 'vitest';
import { instanceStateChange } from '../../support/event-builders.ts';
import { rescuer, useRescueAws } from '../../support/rescue-spot-logs.ts';

const aws = await useRescueAws();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const writes = () => aws.calls.map(({ operation }) => operation).filter((name) => !/^(Describe|List|Get)/.test(name));

describe('a kept volume of a terminated instance', () => {
  it('goes from pending to cleaned, and its logs are in S3', async () => {
    const rescue = rescuer(aws);
    const { id, instance } = aws.addVolume();

    await rescue.send(instanceStateChange(instance));
    await rescue.run(HOUR);

    expect(rescue.reasons()).toEqual([
      'take-snapshot',
      'snapshot-pending',
      'ship-snapshot',
      'shipping-logs',
      'logs-proven',
      'clean-up',
      'volume-gone',
    ]);
    expect(writes()).toEqual([
      'CreateTags',
      'CreateSnapshot',
      'CreateTags',
      'RunTask',
      'CreateTags',
      'CreateTags',
      'DeleteVolume',
      'DeleteSnapshot',
    ]);
    expect(aws.volumes.size + aws.snapshots.size).toBe(0);
    expect(aws.lost).toEqual([]);
    expect(aws.objects.get(`reflex-logs/spot-logs/${instance}/${id}/syslog`)).toBe('system of 1');
    expect(rescue.world.inbox).toEqual([]);
  });
});
