import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, it, vi } from 'vitest';
import { tick } from '../../support/event-builders.ts';
import { useFakeAwsWithDynamodb } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAwsWithDynamodb();
const server = createServer((_, response) => response.end('ok'));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
afterAll(() => new Promise((resolve) => server.close(resolve)));

it('the module exports a handler that works with what the template sets, and writes its metrics', async () => {
  vi.resetModules();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const stack = {
    MODE: 'dry-run',
    LEDGER_TABLE: 'ledger-of-check-site',
    INBOX_URL: 'http://127.0.0.1:1/111122223333/inbox',
    NOTIFICATIONS_TOPIC_ARN: 'arn:aws:sns:eu-west-1:111122223333:reflex',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'false',
    SITES: url,
    SITE_LOCAL_ADDRESSES: 'allow',
  };
  for (const [name, value] of Object.entries(stack)) vi.stubEnv(name, value);
  const printed: string[] = [];
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0);
  await fake.dynalite.createTable(stack.LEDGER_TABLE);

  const { handler } = await import('../../../functions/check-site/handler.ts');
  const { outcomes } = await handler(tick());
  stdout.mockRestore();

  expect(outcomes).toMatchObject([{ resource: url, decision: 'skip', reason: 'site-well' }]);
  const lines = printed.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.find((line) => line.SiteUp !== undefined)).toMatchObject({
    function: 'check-site',
    site: url,
    SiteUp: 1,
    SiteLatency: expect.any(Number),
  });
});
