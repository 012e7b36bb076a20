import type { ReflexEvent } from '../../shared/events/event.ts';
import type { Heard, ReflexFunction } from '../../shared/function.ts';

type Hear = ReflexFunction<never, never, never>['hear'];

/** What ECS tells of services is for one part, everything else for the other. One answer an event, in order. */
export const hear =
  (services: Hear, groups: Hear): Hear =>
  async (events) => {
    const isOurs = ({ kind }: ReflexEvent): boolean => kind === 'service-action';
    const [ofServices, ofGroups] = await Promise.all([
      services(events.filter(isOurs)),
      groups(events.filter((event) => !isOurs(event))),
    ]);
    const [service, group] = [ofServices.values(), ofGroups.values()];
    return events.map((event): Heard => (isOurs(event) ? service : group).next().value ?? UNANSWERED);
  };

const UNANSWERED: Heard = { error: new Error('the event got no answer') };
