import { GetCalendarStateCommand, SSMClient } from '@aws-sdk/client-ssm';
import { client } from './client.ts';

/**
 * Whether a change calendar is open; AWS counts several as open only if all are.
 * `until`: epoch ms of the next change, null where there is none in sight.
 * @iam ssm:GetCalendarState
 */
export const calendarState = async (calendar: string): Promise<{ open: boolean; until: number | null }> => {
  const { State, NextTransitionTime } = await client(SSMClient).send(
    new GetCalendarStateCommand({ CalendarNames: [calendar] }),
  );
  const until = NextTransitionTime === undefined ? Number.NaN : Date.parse(NextTransitionTime);
  return { open: State === 'OPEN', until: Number.isNaN(until) ? null : until };
};
