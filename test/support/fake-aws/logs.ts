import { AwsError, type Clock, type Service } from './service.ts';

interface FilterLogEventsInput {
  readonly logGroupName: string;
  readonly startTime?: number;
  readonly endTime?: number;
  readonly limit?: number;
  readonly nextToken?: string;
}

/** CloudWatch Logs, as far as reading goes. */
export const fakeLogs = (clock: Clock) => {
  const groups = new Map<string, { readonly timestamp: number; readonly message: string }[]>();
  let pageSize = Number.POSITIVE_INFINITY;
  let searching = false;
  const service: Service = {
    name: 'logs',
    operations: {
      FilterLogEvents: (input: FilterLogEventsInput) => {
        const { logGroupName, startTime = 0, endTime = clock(), limit = 10_000, nextToken = '0' } = input;
        const events = groups.get(logGroupName);
        if (events === undefined) {
          throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
        }
        const found = events.filter(({ timestamp }) => timestamp >= startTime && timestamp <= endTime);
        const from = Number(nextToken);
        const size = Math.min(limit, pageSize);
        // While it has searched a part only, an answer may be empty and yet have a token.
        const searched = from === 0 && searching ? 0 : size;
        const rest = from + searched < found.length || searched === 0;
        if (searched === 0) searching = false;
        return { events: found.slice(from, from + searched), ...(rest && { nextToken: String(from + searched) }) };
      },
    },
  };
  return {
    service,
    /** Answers come in pages of this many events, the first of them empty. */
    paged: (events: number): void => {
      pageSize = events;
      searching = true;
    },
    /** Writes a message now, or at `timestamp`; the group is there from then on. */
    write: (group: string, message: string, timestamp = clock()): void => {
      groups.set(group, [...(groups.get(group) ?? []), { timestamp, message }]);
    },
  };
};
