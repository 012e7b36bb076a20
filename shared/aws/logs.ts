import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { client } from './client.ts';

/** CloudWatch Logs may answer with an empty page and a token, while it has searched a part only; most answers are one page. */
const PAGES_AT_MOST = 4;

/**
 * Messages of a log group between two times (epoch ms), oldest first: the first `limit`, or fewer where that takes many pages.
 * @iam logs:FilterLogEvents
 */
export const recentMessages = async (
  logGroupName: string,
  range: { readonly start: number; readonly end: number },
  limit: number,
): Promise<string[]> => {
  const found: string[] = [];
  let token: string | undefined;
  for (let page = 0; page < PAGES_AT_MOST && found.length < limit; page++) {
    const { events = [], nextToken } = await client(CloudWatchLogsClient).send(
      new FilterLogEventsCommand({
        logGroupName,
        startTime: range.start,
        endTime: range.end,
        limit: limit - found.length,
        ...(token !== undefined && { nextToken: token }),
      }),
    );
    for (const { message } of events) if (message !== undefined) found.push(message);
    if (nextToken === undefined) break;
    token = nextToken;
  }
  return found;
};
