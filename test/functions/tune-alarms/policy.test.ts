import { describe, expect, it } from 'vitest';
import { settings as ofCaches } from '../../../functions/relieve-elasticache/policy.ts';
import { settings as ofStreams } from '../../../functions/reshard-kinesis/policy.ts';
import { alarmPolicy, settings, stackPolicy } from '../../../functions/tune-alarms/policy.ts';
import { SettingError } from '../../../shared/settings.ts';

describe('the settings', () => {
  it.each([
    ['targetUtilization', settings.targetUtilization, ofStreams.targetUtilization],
    ['maxIteratorAge', settings.maxIteratorAge, ofStreams.maxIteratorAge],
    ['actAt', settings.actAt, ofCaches.actAt],
  ])('%s is read as the function reads it that acts on the alarm', (_, here, there) => {
    const { kind, ...rest } = here;
    const { kind: theirs, ...others } = there;

    expect(rest).toEqual(others);
    expect(kind.expected).toBe(theirs.expected);
  });

  it('take the tag before the stack', () => {
    const stack = stackPolicy({ TARGET_UTILIZATION: '0.4' });

    expect(alarmPolicy(stack, {}).targetUtilization).toBe(0.4);
    expect(alarmPolicy(stack, { 'reflex:target-utilization': '0.7' }).targetUtilization).toBe(0.7);
  });

  it('refuse a tag of their own that is malformed, and leave others to the functions that read them', () => {
    const stack = stackPolicy({});

    expect(() => alarmPolicy(stack, { 'reflex:act-at': 'never' })).toThrow(SettingError);
    expect(alarmPolicy(stack, { 'reflex:max-shards': 'many', 'reflex:enabled': 'true', team: 'shop' })).toEqual(stack);
  });

  it.each([
    ['ALARM_PREFIX', 'Reflex/'],
    ['TARGET_UTILIZATION', '2'],
    ['MAX_ITERATOR_AGE', '0'],
  ])('refuse %s = %s, and name it', (variable, value) => {
    expect(() => stackPolicy({ [variable]: value })).toThrow(new RegExp(`^${variable}: expected`));
  });
});
