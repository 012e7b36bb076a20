import { AwsError, type Clock, type Service } from './service.ts';

interface FilterLogEventsInput {
  readonly logGroupName: string;
  readonly startTime?: number;
  readonly endTime?: number;
  readonly limit?: number;
}

/** CloudWatch Logs, as far as reading goes. */
export const fakeLogs = (clock: Clock) => {
  const groups = new Map<string, { readonly timestamp: number; readonly message: string }[]>();
  const service: Service = {
    name: 'logs',
    operations: {
      FilterLogEvents: ({ logGroupName, startTime = 0, endTime = clock(), limit = 10_000 }: FilterLogEventsInput) => {
        const events = groups.get(logGroupName);
        if (events === undefined) {
          throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
        }
        const found = events.filter(({ timestamp }) => timestamp >= startTime && timestamp <= endTime);
        return { events: found.slice(0, limit), ...(found.length > limit && { nextToken: 'more' }) };
      },
    },
  };
  return {
    service,
    /** Writes a message now, or at `timestamp`; the group is there from then on. */
    write: (group: string, message: string, timestamp = clock()): void => {
      groups.set(group, [...(groups.get(group) ?? []), { timestamp, message }]);
    },
  };
};
