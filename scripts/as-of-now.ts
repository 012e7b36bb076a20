const TIME = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]00:?00)/g;

/** Events that lose their meaning within minutes: a warning of two minutes is no warning the day after. */
const PERISHABLE = /"source"\s*:\s*"aws\.(?:ecs|ec2)"/;

/**
 * A recorded event as if it happened now: where it is about something that cannot wait, all its times are moved by the same
 * distance, the latest of them to `now` (epoch ms). Any other event stays as it is.
 */
export const asOfNow = (event: unknown, now: number): unknown => {
  const text = JSON.stringify(event);
  const times = [...text.matchAll(TIME)].map(([time]) => Date.parse(time));
  if (!PERISHABLE.test(text.replaceAll('\\"', '"')) || times.length === 0) return event;
  const distance = now - Math.max(...times);
  return JSON.parse(text.replace(TIME, (time) => moved(time, distance)));
};

/** In the form it had: with or without a fraction of the second, `Z` or a zone. */
const moved = (time: string, distance: number): string => {
  const [whole, fraction] = new Date(Date.parse(time) + distance).toISOString().slice(0, -1).split('.');
  const zone = /(?:Z|[+-]00:?00)$/.exec(time)?.[0] ?? 'Z';
  return `${whole}${time.includes('.') ? `.${fraction}` : ''}${zone}`;
};
