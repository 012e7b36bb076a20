import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { client } from './client.ts';

/** Messages of a log group between two times (epoch ms), oldest first: one page of at most `limit`. */
export const recentMessages = async (
  logGroupName: string,
  range: { readonly start: number; readonly end: number },
  limit: number,
): Promise<string[]> => {
  const { events = [] } = await client(CloudWatchLogsClient).send(
    new FilterLogEventsCommand({ logGroupName, startTime: range.start, endTime: range.end, limit }),
  );
  return events.flatMap(({ message }) => (message === undefined ? [] : [message]));
};
