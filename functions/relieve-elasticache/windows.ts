const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const WEEK = 7 * DAY;
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** Epoch time 0 was a Thursday. */
const SUNDAY_OFFSET = 4 * DAY;

/**
 * When a weekly window such as `sun:23:00-mon:01:30` (UTC) that `now` lies in ends, epoch ms; null: now is outside, or the text is
 * none of the kind.
 */
export const maintenanceEnds = (window: string | null, now: number): number | null => {
  const match = /^(\w{3}):(\d\d):(\d\d)-(\w{3}):(\d\d):(\d\d)$/.exec(window ?? '');
  if (match === null) return null;
  const [, fromDay = '', fromHour, fromMinute, toDay = '', toHour, toMinute] = match;
  if (!DAYS.includes(fromDay) || !DAYS.includes(toDay)) return null;
  const at = (day: string, hour?: string, minute?: string) => DAYS.indexOf(day) * DAY + clock(hour, minute);
  return endOf(at(fromDay, fromHour, fromMinute), at(toDay, toHour, toMinute), WEEK, now + SUNDAY_OFFSET, now);
};

/** A snapshot that begins within this time collides with a change that is still under way. */
const AHEAD = 30 * MINUTE;

/** When a daily window such as `05:00-06:00` (UTC) that has begun, or begins within half an hour, ends; null: neither. */
export const snapshotEnds = (window: string | null, now: number): number | null => {
  const match = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(window ?? '');
  if (match === null) return null;
  const [, fromHour, fromMinute, toHour, toMinute] = match;
  return endOf(clock(fromHour, fromMinute) - AHEAD, clock(toHour, toMinute), DAY, now, now);
};

const clock = (hour?: string, minute?: string): number => (Number(hour) * 60 + Number(minute)) * MINUTE;

/** End of the window [from, to) of a cycle that `position` lies in, as a time; null: it lies in none. */
const endOf = (from: number, to: number, cycle: number, position: number, now: number): number | null => {
  const length = modulo(to - from, cycle);
  const into = modulo(position - from, cycle);
  return into < length ? now + length - into : null;
};

const modulo = (value: number, by: number): number => ((value % by) + by) % by;
