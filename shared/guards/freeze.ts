import { defer } from '../decision.ts';
import { time } from '../words.ts';
import { type Brake, GuardError } from './guard.ts';

const LOOK_AGAIN = 15 * 60_000;

/** No change while a change calendar is closed; what was held back is looked at again when it opens. */
export const freeze: Brake = ({ calendar, now }) => {
  if (calendar === null) return undefined;
  if ('error' in calendar) throw new GuardError('the change calendar could not be read', { cause: calendar.error });
  if (calendar.value.open) return undefined;
  const until = Math.max(calendar.value.until ?? 0, now + LOOK_AGAIN);
  return defer('frozen', until, `The change calendar is closed; looked at again at ${time(until)}.`);
};
