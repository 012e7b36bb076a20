import type { ReflexEvent } from '../../shared/events/event.ts';
import type { Heard } from '../../shared/function.ts';

/** What may have alarms: a Kinesis stream, an ElastiCache replication group. */
const WATCHED =
  /^arn:[^:]+:(kinesis:[a-z0-9-]+:\d{12}:stream\/[\w.-]+|elasticache:[a-z0-9-]+:\d{12}:replicationgroup:[\w-]+)$/;

export const isWatched = (arn: string): boolean => WATCHED.test(arn);

/**
 * Which resource a change of tags concerns. It wakes as the schedule does, because nothing is in trouble: a hundred resources that are
 * tagged at once take their turns.
 */
export const hear = async (events: readonly ReflexEvent[]): Promise<Heard[]> =>
  events.map((event) => {
    if (event.kind !== 'tag-change') return { notForUs: 'not-a-tag-change' };
    const { resource, changed, at } = event;
    if (!isWatched(resource)) return { notForUs: 'not-a-watched-resource' };
    if (!changed.some((key) => key.startsWith('reflex:'))) return { notForUs: 'other-tags' };
    const cause = `tags ${changed.join(', ')} changed`.slice(0, 500);
    const occurrence = `${resource} ${new Date(at).toISOString()} tags`;
    return { signals: [{ resource, trigger: 'tick', cause, occurrence, at }] };
  });
