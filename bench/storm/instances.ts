import { pathToFileURL } from 'node:url';
import { account, region } from '../../test/support/fake-aws/service.ts';
import type { Handler } from './inbox.ts';

/** Instances of a built function, each a module of its own, in the environment of its stack. */
export const started = async (
  bundle: string,
  count: number,
  env: Readonly<Record<string, string>>,
): Promise<Handler[]> => {
  Object.assign(process.env, {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_EC2_METADATA_DISABLED: 'true',
    MODE: 'on',
    LEDGER_TABLE: 'ledger',
    INBOX_URL: `https://sqs.${region}.amazonaws.com/${account}/inbox`,
    NOTIFICATIONS_TOPIC_ARN: `arn:aws:sns:${region}:${account}:reflex`,
    ...env,
  });
  const handlers: Handler[] = [];
  for (let i = 0; i < count; i++) {
    const { handler } = (await import(`${pathToFileURL(bundle)}?instance=${i}`)) as { handler: Handler };
    handlers.push(handler);
  }
  return handlers;
};
