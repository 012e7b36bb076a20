import { describe, expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import { parse } from '../../../shared/events/registry.ts';
import { streamArn, tagChange } from '../../support/event-builders.ts';

const parsed = (event: object) => receive(event).messages.map(parse)[0];

describe('Tag Change on Resource', () => {
  it('gives the resource, the keys that changed and the time; the tags stay behind', () => {
    expect(parsed(tagChange(streamArn(), ['a', 'b'], { a: '1' }))).toEqual({
      kind: 'event',
      event: {
        kind: 'tag-change',
        at: Date.parse('2026-03-05T03:12:00Z'),
        resource: streamArn(),
        changed: ['a', 'b'],
      },
    });
  });

  it.each([
    ['without a resource', { resources: [] }, 'resources.0'],
    ['with a resource that is no ARN', { resources: ['orders'] }, 'resources.0'],
    ['without the changed keys', { detail: { tags: {} } }, 'detail.changed-tag-keys'],
    ['without a time', { time: undefined }, 'time'],
  ])('%s is broken, and the field named', (_, part, field) => {
    expect(parsed({ ...tagChange(streamArn(), ['a']), ...part })).toMatchObject({ kind: 'broken', error: { field } });
  });
});
