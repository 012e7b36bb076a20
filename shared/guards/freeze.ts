import { defer } from '../decision.ts';
import { time } from '../words.ts';
import { type Brake, GuardError } from './guard.ts';

const SOONEST = 15 * 60_000;
/** A calendar may be opened before its time. */
const LATEST = 60 * 60_000;

/** No change while a change calendar is closed; what was held back is looked at again when it opens, and every hour until then. */
export const freeze: Brake = ({ calendar, now }) => {
  if (calendar === null) return undefined;
  if ('error' in calendar) throw new GuardError('the change calendar could not be read', { cause: calendar.error });
  if (calendar.value.open) return undefined;
  const until = Math.min(Math.max(calendar.value.until ?? 0, now + SOONEST), now + LATEST);
  return defer('frozen', until, `The change calendar is closed; looked at again at ${time(until)}.`);
};
