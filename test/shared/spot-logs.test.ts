import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BrokenMessage } from '../../shared/events/event.ts';
import {
  FILESYSTEMS,
  parseRescued,
  parseShipped,
  parseWorkItem,
  RESCUE_STATES,
  RESCUE_TAGS,
  rescuedKey,
  shippedKey,
  startedBy,
  volumePrefix,
  WORK_ITEM_TAGS,
  type WorkItem,
  workItemTags,
} from '../../shared/spot-logs.ts';

const item: WorkItem = {
  rescue: 'pending',
  instance: 'i-0b662ef9931388ba0',
  device: '/dev/xvdf',
  root: false,
  filesystem: 'ext4',
  prefix: 'spot-logs',
  since: Date.parse('2026-03-05T03:12:00.123Z'),
  attempts: 2,
};

const items: fc.Arbitrary<WorkItem> = fc.record({
  rescue: fc.constantFrom(null, ...RESCUE_STATES),
  instance: fc.stringMatching(/^i-[0-9a-f]{17}$/),
  device: fc.stringMatching(/^\/dev\/[a-z]{3,5}[0-9]?$/),
  root: fc.boolean(),
  filesystem: fc.constantFrom(...FILESYSTEMS),
  prefix: fc.stringMatching(/^[a-z/]{1,20}[a-z]$/),
  since: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  attempts: fc.nat({ max: 999 }),
});

describe('a work item', () => {
  it('comes back from its tags as it went', () => {
    fc.assert(
      fc.property(items, (any) => {
        expect(parseWorkItem(workItemTags(any))).toEqual(any);
      }),
    );
  });

  it('opts in, with tags EC2 takes', () => {
    const tags = workItemTags(item);

    expect(tags['reflex:enabled']).toBe('true');
    for (const [key, value] of Object.entries(tags)) {
      expect(key).toMatch(/^reflex:[a-z]+$/);
      expect(value).toMatch(/^[A-Za-z0-9 +\-=._:/@]{1,256}$/);
    }
    expect(WORK_ITEM_TAGS).toEqual(expect.arrayContaining(Object.keys(tags).filter((key) => key !== 'reflex:enabled')));
  });

  it('is none where Reflex has never kept the volume', () => {
    expect(parseWorkItem({ Name: 'data', 'reflex:enabled': 'true' })).toBeNull();
  });

  it('is disarmed where only its state is gone', () => {
    const { [RESCUE_TAGS.rescue]: _, ...tags } = workItemTags(item);

    expect(parseWorkItem(tags)).toEqual({ ...item, rescue: null });
  });

  it.each([
    [RESCUE_TAGS.rescue, 'someday'],
    [RESCUE_TAGS.instance, undefined],
    [RESCUE_TAGS.instance, 'the old one'],
    [RESCUE_TAGS.filesystem, 'btrfs'],
    [RESCUE_TAGS.since, 'yesterday'],
    [RESCUE_TAGS.attempts, '-1'],
    [RESCUE_TAGS.prefix, ''],
  ])('is broken where %s is %s', (key, value) => {
    const tags = Object.fromEntries(
      Object.entries({ ...workItemTags(item), [key]: value }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    );

    expect(() => parseWorkItem(tags)).toThrow(BrokenMessage);
    expect(() => parseWorkItem(tags)).toThrow(key);
  });
});

describe('a marker', () => {
  const shipped = {
    instance: 'i-0b662ef9931388ba0',
    phase: 'interruption',
    at: '2026-03-05T03:13:40Z',
    files: 3,
    bytes: 14,
    partial: false,
    sources: [{ path: '/var/log', volume: null, filesystem: 'xfs' }],
  };
  const rescued = {
    volumeId: 'vol-1',
    snapshotId: 'snap-1',
    at: '2026-03-05T03:20:00Z',
    files: 3,
    bytes: 14,
    filesFailed: 0,
    filesSkipped: 1,
  };

  it('of a host and of a rescue is read', () => {
    expect(parseShipped(JSON.stringify(shipped))).toEqual({ ...shipped, at: Date.parse(shipped.at) });
    expect(parseRescued(JSON.stringify(rescued))).toEqual({ ...rescued, at: Date.parse(rescued.at) });
  });

  it.each(Object.keys(rescued))('proves nothing without %s', (key) => {
    expect(() => parseRescued(JSON.stringify({ ...rescued, [key]: undefined }))).toThrow(key);
  });

  it.each(['files', 'bytes', 'filesFailed', 'filesSkipped'])('proves nothing with a %s that is no count', (key) => {
    for (const wrong of [-1, 0.5, '0', null]) {
      expect(() => parseRescued(JSON.stringify({ ...rescued, [key]: wrong }))).toThrow(key);
    }
  });

  it('that is no JSON is an error', () => {
    expect(() => parseShipped('')).toThrow(SyntaxError);
  });
});

it('has one place in the bucket for each thing', () => {
  expect(volumePrefix('spot-logs', 'i-1', 'vol-1')).toBe('spot-logs/i-1/vol-1');
  expect(shippedKey('spot-logs', 'i-1')).toBe('spot-logs/i-1/_SHIPPED.json');
  expect(rescuedKey('spot-logs', 'vol-1')).toBe('spot-logs/_RESCUED/vol-1.json');
  expect(startedBy('vol-1')).toBe('rescue/vol-1');
});
